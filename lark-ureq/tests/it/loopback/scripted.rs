//! Servers with scripted replies: the bytes of the requests that they receive, and odd replies.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, LOCATION, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use lark_proto::endpoints::{GetTenantToken, Reply};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::FakeLark;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::token::{NoToken, TenantOnly};
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{App, Endpoint, EndpointExt, Site, wire};
use lark_ureq::Client;

use super::{json, listen, put, receive, write};
use crate::support::{app, millis, token};

/// Requests in the order of their arrival, each with the number of its connection.
type Received = Vec<(usize, Request<Bytes>)>;

/// A server that gives each request the next of `replies`.
fn scripted(replies: Vec<Bytes>) -> (Site, thread::JoinHandle<Received>) {
    let (listener, site) = listen();
    let server = thread::spawn(move || {
        let mut replies = replies.into_iter().peekable();
        let mut received = Vec::new();
        for (connection, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut requests = Requests::new();
            while replies.peek().is_some() {
                let Some(request) = receive(&mut stream, &mut requests) else { break };
                received.push((connection, request));
                stream.write_all(&replies.next().unwrap()).unwrap();
            }
            if replies.peek().is_none() {
                break;
            }
        }
        received
    });
    (site, server)
}

#[test]
fn requests_go_out_on_one_connection_as_wire_writes_them() {
    let granted = r#"{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}"#;
    let written = r#"{"code":0,"data":{"spreadsheetToken":"s"},"msg":"success"}"#;
    let (site, server) = scripted(vec![json(granted), json(written), json(written)]);
    let client = Client::new(site.clone(), app());
    client.call(&write(50)).unwrap();
    client.call(&write(50)).unwrap();

    let get = GetTenantToken::new(
        AppId::new(FakeLark::APP_ID).unwrap(),
        AppSecret::new(FakeLark::APP_SECRET).unwrap(),
    );
    let cell = write(50).request(&site, &token());
    let bytes = |request| wire::http1(request, wire::HeaderSecrets::Shown);
    let expected = [bytes(get.request(&site, &NoToken)), bytes(cell.clone()), bytes(cell)];
    let received = server.join().unwrap();
    assert_eq!(received.len(), 3);
    for ((connection, mut sent), expected) in received.into_iter().zip(expected) {
        assert_eq!(connection, 0);
        sent.headers_mut().remove(USER_AGENT).expect("the transport's own header");
        let expected = http1::request(&expected).unwrap();
        assert_eq!((sent.method(), sent.uri()), (expected.method(), expected.uri()));
        assert_eq!(sent.headers(), expected.headers());
        assert_eq!(sent.body(), expected.body());
    }
}

#[test]
fn a_request_without_a_body_is_not_sent_in_chunks() {
    struct Get;
    struct Post;
    impl Endpoint for Get {
        type Auth = TenantOnly;
        type Output = ();
        fn method(&self) -> Method {
            Method::GET
        }
        fn route(&self) -> &str {
            "/get"
        }
        fn read(reply: &Reply) -> Result<(), lark_proto::Error> {
            reply.ok()
        }
    }
    impl Endpoint for Post {
        type Auth = TenantOnly;
        type Output = ();
        fn method(&self) -> Method {
            Method::POST
        }
        fn route(&self) -> &str {
            "/post"
        }
        fn read(reply: &Reply) -> Result<(), lark_proto::Error> {
            reply.ok()
        }
    }
    let (site, server) = scripted(vec![json("{\"code\":0}"), json("{\"code\":0,\"data\":{}}")]);
    let client = Client::new(site, App::None);
    client.call_as(&token(), &Get).unwrap();
    client.call_as(&token(), &Post).unwrap();
    let requests = server.join().unwrap();
    let [get, post] = [&requests[0].1, &requests[1].1].map(|request| {
        let length = request.headers().get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        (request.method(), request.uri().path(), length)
    });
    assert_eq!(get, (&Method::GET, "/get", None));
    assert_eq!(post, (&Method::POST, "/post", Some(&b"0"[..])));
}

#[test]
fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, other) = scripted(vec![json("{}")]);
        let moved =
            Response::builder().status(status).header(LOCATION, format!("{elsewhere}/steal"));
        let (site, server) = scripted(vec![http1::reply(&moved.body(Bytes::new()).unwrap())]);
        let agent = ureq::Agent::config_builder()
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
            .proxy(None)
            .build();
        let client = Client::with_agent(site, App::None, agent.into());
        let error = client.call_as(&token(), &put(9)).unwrap_err();
        match error.kind {
            CallErrorKind::Lark(lark_proto::Error::Unreadable(reply)) => {
                assert_eq!(reply.status, status);
            }
            other => panic!("{status}: {other:?}"),
        }
        assert_eq!(server.join().unwrap().len(), 1);
        // Only this connection reaches the other server.
        #[expect(clippy::disallowed_methods, reason = "this test is a client of its own")]
        let probe = TcpStream::connect(elsewhere.as_str().trim_start_matches("http://"));
        probe.unwrap().write_all(b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(other.join().unwrap()[0].1.uri(), "/probe");
    }
}

#[test]
fn the_agents_own_timeout_is_kept() {
    let (_silent, site) = listen();
    let agent =
        ureq::Agent::config_builder().timeout_recv_response(Some(millis(50))).proxy(None).build();
    let client = Client::with_agent(site, App::None, agent.into());
    let error = client.call_as(&token(), &put(9)).unwrap_err();
    let timeout = CallErrorKind::Transport(ureq::Error::Timeout(ureq::Timeout::RecvResponse));
    assert_eq!(format!("{:?}", error.kind), format!("{timeout:?}"));
}

/// ureq would remove the length of a reply that it decompresses, so a cut would not be noticed.
#[test]
fn the_agents_own_accept_encoding_is_not_sent() {
    let stored = r#"{"code":0,"data":{"image_key":"k"},"msg":"ok"}"#;
    let (site, server) = scripted(vec![json(stored)]);
    let agent = ureq::Agent::config_builder().accept_encoding("gzip").proxy(None).build();
    Client::with_agent(site, App::None, agent.into()).call_as(&token(), &put(9)).unwrap();
    assert_eq!(server.join().unwrap()[0].1.headers().get(ACCEPT_ENCODING), None);
}

#[test]
fn a_reply_that_breaks_off_is_the_transports_error() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":0";
    let (site, server) = scripted(vec![cut.into()]);
    let client = Client::new(site, App::None);
    let error = client.call_as(&token(), &put(9)).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    server.join().unwrap();
}

#[test]
fn a_head_of_60_kib_is_read() {
    let mut reply = Response::new(r#"{"code":0,"data":{"image_key":"k"},"msg":"ok"}"#.into());
    for _ in 0..60 {
        reply.headers_mut().append("x-filler", "a".repeat(1000).parse().unwrap());
    }
    let (site, server) = scripted(vec![http1::reply(&reply)]);
    let client = Client::new(site, App::None);
    let key = client.call_as(&token(), &put(9)).unwrap();
    assert_eq!(key.as_str(), "k");
    server.join().unwrap();
}
