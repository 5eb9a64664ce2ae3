//! The proxy of the environment, which each case gives to a program of its own.

use lark_hyper::FakeServer;
use lark_proto::{Site, TenantToken};

use super::scripted::{Script, ScriptedProxy};
use super::{Setup, uploads_as};
use crate::support::child;

/// Prints the outcomes of uploads to the site in the variable `SITE`.
#[test]
#[ignore = "another test runs it as a program"]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent names the site")]
    let site = Site::insecure(&std::env::var("SITE").unwrap()).unwrap();
    // The fake server of the parent does not know the token, and says so.
    let token = TenantToken::new("t-unknown").unwrap();
    for (client, outcome) in uploads_as(&site, &Setup::default(), Some(&token)) {
        println!("outcome of {client}: {outcome:?}");
    }
}

#[test]
fn the_environments_proxy_is_the_same_for_both_clients() {
    let server = FakeServer::start().unwrap();
    let [a, b] = [0; 2].map(|_| ScriptedProxy::start(Script::Http(server.address())));
    let loopback = server.site().as_str();
    for (site, variables, chosen) in [
        ("http://lark.invalid", "http_proxy=A", "a"),
        ("http://lark.invalid", "HTTP_PROXY=A", "a"),
        ("http://lark.invalid", "http_proxy=A HTTP_PROXY=B", "a"),
        ("http://lark.invalid", "http_proxy=A all_proxy=B", "a"),
        ("http://lark.invalid", "ALL_PROXY=B", "b"),
        ("http://lark.invalid", "all_proxy=A ALL_PROXY=B", "a"),
        ("http://lark.invalid", "HTTP_PROXY=A REQUEST_METHOD=GET", "none"),
        ("http://lark.invalid", "HTTP_PROXY=A REQUEST_METHOD=GET ALL_PROXY=B", "b"),
        ("http://lark.invalid", "https_proxy=A", "none"),
        ("http://lark.invalid", "http_proxy=A NO_PROXY=lark.invalid", "none"),
        ("http://lark.invalid", "http_proxy=A NO_PROXY=.invalid", "none"),
        ("http://lark.invalid", "http_proxy=A NO_PROXY=x,invalid", "none"),
        ("http://lark.invalid", "http_proxy=A NO_PROXY=ark.invalid", "a"),
        ("http://lark.invalid", "http_proxy=A no_proxy=*", "none"),
        ("http://lark.invalid", "http_proxy=A no_proxy=x NO_PROXY=*", "a"),
        ("http://192.0.2.1", "http_proxy=A", "a"),
        ("http://192.0.2.1", "http_proxy=A NO_PROXY=192.0.3.0/24", "a"),
        ("http://lark.invalid", "http_proxy=", "refused"),
        ("http://lark.invalid", "http_proxy=AA", "refused"),
        ("http://lark.invalid", "http_proxy=ftp://x:1", "refused"),
        (loopback, "http_proxy=A ALL_PROXY=B", "direct"),
    ] {
        let printed = child::run("both_clients::network::environments::child", |command| {
            for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
                command.env_remove(name).env_remove(name.to_uppercase());
            }
            command.env_remove("REQUEST_METHOD").env("SITE", site);
            for variable in variables.split(' ') {
                let (name, value) = variable.split_once('=').unwrap();
                let value = value.replace('A', &format!("http://{}", a.address));
                let value = value.replace('B', &format!("http://{}", b.address));
                command.env(name, if name == "REQUEST_METHOD" { "GET".into() } else { value });
            }
        });
        let outcomes: Vec<&str> =
            printed.lines().filter(|line| line.starts_with("outcome")).collect();
        assert_eq!(outcomes.len(), 2, "{site} {variables}: {printed}");
        let by_a = a.asked().len();
        let by_b = b.asked().len();
        for outcome in outcomes {
            let found = if outcome.contains("99991663") {
                match (by_a, by_b) {
                    (2, 0) => "a",
                    (0, 2) => "b",
                    (0, 0) => "direct",
                    other => panic!("{other:?}"),
                }
            } else if outcome.contains("not a proxy") || outcome.contains("is empty") {
                "refused"
            } else {
                assert_eq!((by_a, by_b), (0, 0), "{site} {variables}: {outcome}");
                "none"
            };
            assert_eq!(found, chosen, "{site} {variables}: {outcome}");
        }
    }
}
