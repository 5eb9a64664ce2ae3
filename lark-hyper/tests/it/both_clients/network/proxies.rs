//! Requests through a proxy.

use std::time::Duration;

use lark_hyper::FakeServer;
use lark_proto::session::Phase;
use lark_proto::{Limits, Site};

use super::scripted::{Script, ScriptedProxy};
use super::{Setup, uploads};

/// A site that only a proxy can reach, since no resolver knows its name.
fn hidden() -> Site {
    Site::insecure("http://lark.invalid").unwrap()
}

#[test]
fn a_connect_request_has_the_port_the_credentials_and_the_user_agent() {
    let server = FakeServer::start().unwrap();
    let proxy = ScriptedProxy::start(Script::Http(server.address()));
    for (credentials, asked) in [
        ("", "connect lark.invalid:80 http/1.1; user-agent: browser/1"),
        (
            "ann:p%40ss@",
            "connect lark.invalid:80 http/1.1; proxy-authorization: basic yw5uonbac3m=; user-agent: browser/1",
        ),
    ] {
        let mut setup = Setup::through(&format!("http://{credentials}{}", proxy.address));
        setup.user_agent = Some("Browser/1");
        for (client, outcome) in uploads(&hidden(), &setup) {
            assert_eq!(outcome, Ok(()), "{client}");
        }
        // The connection for the token serves for the upload.
        assert_eq!(proxy.asked(), [asked, asked]);
    }
}

#[test]
fn a_proxy_that_the_caller_names_is_used_for_loopback_too() {
    let server = FakeServer::start().unwrap();
    let proxy = ScriptedProxy::start(Script::Http(server.address()));
    let setup = Setup::through(&format!("http://{}", proxy.address));
    for (client, outcome) in uploads(server.site(), &setup) {
        assert_eq!(outcome, Ok(()), "{client}");
    }
    assert_eq!(proxy.asked().len(), 2);
}

#[test]
fn a_socks5_proxy_resolves_the_hosts_name() {
    let server = FakeServer::start().unwrap();
    for (credentials, shown) in [(None, ""), (Some(("ann", "p@ss")), "ann:p@ss@")] {
        let proxy = ScriptedProxy::start(Script::Socks5(server.address(), credentials));
        let url = if credentials.is_some() { "ann:p%40ss@" } else { "" };
        let setup = Setup::through(&format!("socks5://{url}{}", proxy.address));
        for (client, outcome) in uploads(&hidden(), &setup) {
            assert_eq!(outcome, Ok(()), "{client}");
        }
        let asked = format!("{shown}lark.invalid:80");
        assert_eq!(proxy.asked(), [asked.clone(), asked]);
    }
}

#[test]
fn a_proxy_that_refuses_is_named_in_the_error() {
    for (reply, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\n<html></html>", "403"),
    ] {
        let proxy = ScriptedProxy::start(Script::Refuse(reply));
        let setup = Setup::through(&format!("http://{}", proxy.address));
        for (client, outcome) in uploads(&hidden(), &setup) {
            let error = outcome.unwrap_err();
            assert!(error.contains("proxy"), "{client}: {error}");
            // hyper-util tells the status 407 only.
            if client == "lark-ureq" || words == "407" {
                assert!(error.contains(words), "{client}: {error}");
            }
        }
        // The clients send the CONNECT request only, and no token. A 407 is permanent. Each client retries any other
        // refusal, with four attempts in all.
        let attempts = if words == "407" { 2 } else { 8 };
        let asked = proxy.asked();
        assert_eq!(asked.len(), attempts);
        for head in asked {
            assert!(
                head.starts_with("connect lark.invalid:80 http/1.1; user-agent: lark-"),
                "{head}"
            );
        }
    }
}

#[test]
fn a_socks5_proxy_gets_a_wrong_password_once() {
    let server = FakeServer::start().unwrap();
    let proxy = ScriptedProxy::start(Script::Socks5(server.address(), Some(("ann", "p@ss"))));
    let setup = Setup {
        limits: Some(Limits::default()),
        ..Setup::through(&format!("socks5://ann:wrong@{}", proxy.address))
    };
    for (client, outcome) in uploads(&hidden(), &setup) {
        assert!(outcome.is_err(), "{client}");
    }
    assert_eq!(proxy.asked(), ["ann:wrong@", "ann:wrong@"], "one attempt of each client");
}

#[test]
fn a_silent_proxy_ends_the_request_with_the_timeout_of_the_phase_connect() {
    let proxy = ScriptedProxy::start(Script::Silence);
    let mut setup = Setup::through(&format!("http://{}", proxy.address));
    setup.timeout = Some((Phase::Connect, Duration::from_millis(300)));
    for (client, outcome) in uploads(&hidden(), &setup) {
        let error = outcome.unwrap_err();
        assert!(error.contains("connect"), "{client}: {error}");
    }
}
