//! Roots of a private certificate authority.

use lark_hyper::FakeServer;
use lark_proto::Site;
use lark_proto::network::Roots;
use tokio::runtime::Runtime;

use super::scripted::{Script, ScriptedProxy};
use super::{Setup, uploads};
use crate::support::child;
use crate::support::tls::{Authority, Front, named};

/// A front with a certificate of `authority`, and the runtime with which it ends.
fn front(server: &FakeServer, authority: &Authority) -> (Runtime, Front) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let identity = authority.signs(&named("localhost"));
    let front = runtime.block_on(Front::start(server, identity, &["h2", "http/1.1"]));
    (runtime, front)
}

#[test]
fn a_private_root_is_trusted_if_it_is_given_directly_and_through_a_tunnel() {
    let server = FakeServer::start().unwrap();
    let [authority, other] = [(); 2].map(|()| Authority::new());
    let (_runtime, front) = front(&server, &authority);
    let target = format!("127.0.0.1:{}", front.site.port()).parse().unwrap();
    let proxy = ScriptedProxy::start(Script::Http(target));
    let with = |roots: Roots| Setup { roots, ..Setup::default() };
    let own = |pem: String| with(Roots::Custom(pem.into_bytes()));
    let through = Setup::through(&format!("http://{}", proxy.address));
    // The text may have further certificates and comments.
    let several = format!("{}\n# a comment\n{}", other.pem(), authority.pem());
    for setup in [
        own(authority.pem()),
        own(several),
        with(Roots::DefaultAndCustom(authority.pem().into_bytes())),
        Setup {
            proxy: through.proxy.clone(),
            user_agent: Some("browser/1"),
            ..own(authority.pem())
        },
    ] {
        for (client, outcome) in uploads(&front.site, &setup) {
            assert_eq!(outcome, Ok(()), "{client}");
        }
    }
    let asked = format!("connect localhost:{} http/1.1; user-agent: browser/1", front.site.port());
    assert_eq!(proxy.asked(), [asked.clone(), asked]);
    for setup in [Setup::default(), own(other.pem()), through] {
        for (client, outcome) in uploads(&front.site, &setup) {
            let error = outcome.unwrap_err();
            assert!(error.contains("invalid peer certificate"), "{client}: {error}");
        }
    }
}

/// Prints the outcomes of uploads to the site in the variable `SITE`.
#[test]
#[ignore = "another test runs it as a program"]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent names the site")]
    let site = Site::custom(&std::env::var("SITE").unwrap()).unwrap();
    let setup = Setup { roots: Roots::Platform, ..Setup::default() };
    for (client, outcome) in uploads(&site, &setup) {
        println!("outcome of {client}: {outcome:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_platform_verifier_trusts_the_systems_store() {
    let server = FakeServer::start().unwrap();
    let [authority, other] = [(); 2].map(|()| Authority::new());
    let (_runtime, front) = front(&server, &authority);
    let store = concat!(env!("CARGO_TARGET_TMPDIR"), "/store.pem");
    for (certificates, words) in [
        (authority.pem(), "Ok(())"),
        (other.pem(), "invalid peer certificate"),
        (
            String::new(),
            "certificates cannot be used: unexpected error: No CA certificates were loaded",
        ),
    ] {
        std::fs::write(store, certificates).unwrap();
        let printed = child::run("both_clients::network::certificates::child", |command| {
            command.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", store);
            command.env("SITE", front.site.as_str());
        });
        let outcomes: Vec<&str> =
            printed.lines().filter(|line| line.starts_with("outcome")).collect();
        assert!(outcomes.len() == 2 && outcomes.iter().all(|o| o.contains(words)), "{printed}");
    }
}
