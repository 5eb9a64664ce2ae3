//! The environment, the network, the connection, the clock, and the token.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use lark_proto::fake::{Fault, Route};

use super::{MINUTE, Trial, check};
#[cfg(feature = "tls")]
use crate::support::untrusted_server::UntrustedServer;

/// An address on loopback on which nothing listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The address of a server that answers each connection with these bytes, or not at all if there are none.
fn answering(reply: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if !reply.is_empty() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(reply.as_bytes());
                let _ = stream.shutdown(Shutdown::Write);
            }
            // The client closes the connection.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

#[test]
fn a_variable_that_is_missing_or_wrong_is_named() {
    check(&[
        (
            |it| it.variables.clear(),
            "✗ environment",
            &["LARK_APP_ID and LARK_APP_SECRET are not set"],
        ),
        (|it| it.set("LARK_APP_ID", ""), "✗ environment", &["LARK_APP_ID is not set"]),
        (|it| it.set("LARK_APP_SECRET", ""), "✗ environment", &["LARK_APP_SECRET is not set"]),
        (|it| it.set("LARK_APP_SECRET", "hidden hidden"), "✗ environment", &["LARK_APP_SECRET"]),
        (|it| it.set("LARK_SITE", "lrak"), "✗ environment", &["LARK_SITE is `lark`, `feishu`"]),
        (|it| it.set("LARK_SITE", "http://lark.example"), "✗ environment", &["https://"]),
        (
            |it| it.set("LARK_SITE", "https://a.example/open-apis"),
            "✗ environment",
            &["leave that part out"],
        ),
    ]);
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n\
    <html>Please log in.</html>";
const REDIRECT: &str =
    "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n";
const PROXY_AUTHENTICATION: &str = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\n\r\n";

#[test]
fn a_failed_connection_is_reported_with_its_cause() {
    check(&[
        (
            |it| it.set("LARK_SITE", "https://lark.invalid"),
            "✗ connection",
            &["the name lark.invalid is not found", "check LARK_SITE"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", closed())),
            "✗ connection",
            &["refuses the connection", "check LARK_SITE"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(PAGE))),
            "✗ connection",
            &["does not answer as the service does", "open it in a browser", "Please log in"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(REDIRECT))),
            "✗ connection",
            &["does not answer as the service does", "HTTP 302"],
        ),
        (
            |it| it.fail(Route::TenantAccessToken, Fault::PlainNotFound),
            "✗ connection",
            &["does not know this route"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(""))),
            "✗ connection",
            &["does not answer in time", "HTTPS_PROXY"],
        ),
    ]);
}

/// Sets a site that only the proxy can reach.
fn through(it: &mut Trial, proxy: impl Into<String>) {
    it.set("LARK_SITE", "https://lark.invalid");
    it.set("HTTPS_PROXY", proxy);
}

#[test]
fn a_failed_proxy_is_reported_with_its_variable() {
    check(&[
        (
            |it| through(it, "http://a:1http://b:2"),
            "✗ network",
            &["HTTPS_PROXY: ", "is not a proxy"],
        ),
        (|it| through(it, ""), "✗ network", &["`HTTPS_PROXY` is empty"]),
        (
            |it| through(it, format!("http://ann:hidden@{}", closed())),
            "✗ connection",
            &["the proxy 127.0.0.1:", "refuses the connection", "check HTTPS_PROXY"],
        ),
        (
            |it| through(it, "http://proxy.invalid:3128"),
            "✗ connection",
            &["the name proxy.invalid is not found", "check HTTPS_PROXY"],
        ),
        (
            |it| through(it, answering(PROXY_AUTHENTICATION)),
            "✗ connection",
            &["407", "`http://user:password@host:port`", "HTTPS_PROXY"],
        ),
        (|it| through(it, answering(FORBIDDEN)), "✗ connection", &["403", "administrator"]),
    ]);
}

#[test]
fn the_proxy_in_use_is_shown_without_its_credentials() {
    for (variables, line) in [
        (
            &[("ALL_PROXY", "socks5://ann:hidden@127.0.0.1:9")][..],
            "through the proxy socks5://127.0.0.1:9 of ALL_PROXY",
        ),
        (
            &[("HTTPS_PROXY", "127.0.0.1:9"), ("NO_PROXY", "invalid")],
            "no proxy, because NO_PROXY lists the host",
        ),
        (&[("NO_PROXY", "invalid")], "no proxy"),
        (&[("HTTP_PROXY", "127.0.0.1:9")], "no proxy"),
    ] {
        let mut trial = Trial::new();
        trial.set("LARK_SITE", "https://lark.invalid");
        variables.iter().for_each(|(name, value)| trial.set(name, *value));
        let output = trial.run();
        let expected = format!("✓ network     {line}");
        assert!(output.stdout.lines().any(|line| line == expected), "{expected}: {output:?}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_that_is_not_trusted_is_distinguished_from_a_port_without_tls() {
    check(&[
        (
            |it| it.set("LARK_SITE", UntrustedServer::start().url),
            "✗ connection",
            &["no secure connection", "UnknownIssuer", "its own authority"],
        ),
        (
            |it| it.set("LARK_SITE", format!("https://{}", answering(PAGE))),
            "✗ connection",
            &["does not speak TLS", "check the scheme"],
        ),
    ]);
}

#[test]
fn a_clock_that_is_off_by_five_minutes_is_a_warning() {
    check(&[
        (|it| it.date(|now| now - 12 * MINUTE), "! clock", &["12 minutes ahead of", "set"]),
        (|it| it.date(|now| now + 121 * MINUTE), "! clock", &["minutes behind"]),
        (|it| it.date(|now| now + 4 * MINUTE), "✓ clock", &["within 5 minutes"]),
    ]);
}

#[test]
fn an_app_that_gets_no_token_is_reported_with_the_reason() {
    check(&[
        (
            |it| it.set("LARK_APP_ID", "cli_other"),
            "✗ app",
            &["app id not exists", "whether the app is enabled", "LARK_SITE"],
        ),
        (
            |it| it.set("LARK_APP_SECRET", "hidden"),
            "✗ app",
            &["app secret invalid", "the app secret"],
        ),
        (|it| it.code(Route::TenantAccessToken, 10003), "✗ app", &["10003", "an app of Feishu"]),
        (|it| it.code(Route::TenantAccessToken, 10015), "✗ app", &["10015", "the app secret"]),
        (
            |it| it.code(Route::TenantAccessToken, 99991662),
            "✗ app",
            &["99991662", "developer console"],
        ),
        (|it| it.code(Route::TenantAccessToken, 2200), "✗ app", &["2200"]),
    ]);
}
