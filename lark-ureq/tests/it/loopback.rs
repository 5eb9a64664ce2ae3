//! The client over real sockets: against the fake Lark, and against servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use lark_proto::endpoints::{GetTenantToken, Reply, WithLogId};
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::http1::{self, Requests};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::token::{NoToken, TenantOnly};
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{
    App, Endpoint, EndpointExt, Image, Limits, PutImage, Site, TenantToken, UserToken,
    WriteSheetImage, wire,
};
use lark_ureq::{Client, FakeServer};

fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

fn image(len: usize) -> Image {
    let noise = (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    Image::new([b"\x89PNG\r\n\x1a\n".to_vec(), noise.collect()].concat()).unwrap()
}

fn put(len: usize) -> PutImage {
    PutImage::message(image(len)).unwrap()
}

fn write(len: usize) -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image(len)).unwrap()
}

#[test]
fn a_client_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Client>();
}

#[test]
fn images_arrive_as_they_were_sent() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app());
    for len in [1, 100_000, 3_000_000] {
        let key = client.call(&put(len)).unwrap();
        let (written, log_id) = client.call(&WithLogId(&write(len))).unwrap();
        server.with(|lark| {
            let stored = lark.image(key.as_str()).unwrap();
            assert_eq!(stored.bytes, *image(len).bytes());
            assert_eq!(stored.content_type.as_deref(), Some("image/png"));
            let cell = lark.cell(FakeLark::SPREADSHEET, written.range.as_deref().unwrap()).unwrap();
            assert_eq!((&cell.bytes, cell.name.as_str()), (image(len).bytes(), "image.png"));
        });
        assert!(log_id.is_some_and(|id| id.starts_with("2026")));
    }
    assert_eq!(server.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

#[test]
fn first_calls_of_many_threads_get_one_token() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app());
    thread::scope(|scope| {
        for _ in 0..32 {
            let client = client.clone();
            scope.spawn(move || client.call(&put(10)).unwrap());
        }
    });
    assert_eq!(server.with(|lark| lark.count(Route::TenantAccessToken)), 1);
    assert_eq!(server.with(|lark| lark.images().count()), 32);
}

#[test]
fn a_given_token_is_used_as_it_is() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), App::None);
    let end = std::time::UNIX_EPOCH + Duration::from_secs(1 << 40);
    server.with(|lark| lark.add_token(TokenKind::User, "u-1", end));

    let written = client.call_as(&UserToken::new("u-1").unwrap(), &write(9)).unwrap();
    assert_eq!(written.revision, Some(1));
    server.with(|lark| assert_eq!(lark.requests()[0].token.as_deref(), Some("u-1")));

    let refused = client.call_as(&TenantToken::new("t-old").unwrap(), &put(9)).unwrap_err();
    assert_eq!(refused.api().unwrap().code, Code::TENANT_TOKEN_INVALID);
    let no_app = client.call(&put(9)).unwrap_err();
    assert!(matches!(no_app.kind, CallErrorKind::NoApp), "{no_app}");
    assert_eq!(server.with(|lark| lark.requests().len()), 2, "nothing is sent without credentials");
}

#[test]
fn wrong_credentials_are_the_token_routes_error() {
    let server = FakeServer::start().unwrap();
    let client =
        Client::new(server.site().clone(), App::custom(FakeLark::APP_ID, "wrong-secret").unwrap());
    let error = client.call(&put(9)).unwrap_err();
    assert_eq!(error.route, "/open-apis/auth/v3/tenant_access_token/internal");
    let api = error.api().unwrap();
    assert_eq!((api.code, api.msg.as_str()), (Code::APP_SECRET_INVALID, "app secret invalid"));
    assert_eq!(server.with(|lark| lark.requests().len()), 1);
    assert!(!format!("{client:?} {error:?}").contains("wrong-secret"));
}

#[test]
fn an_error_keeps_its_body_whatever_the_agents_settings() {
    let server = FakeServer::start().unwrap();
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(true)
        .max_redirects(7)
        .max_redirects_will_error(true)
        .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
        .proxy(None)
        .build();
    let client = Client::with_agent(server.site().clone(), app(), agent.into());
    for status in [200, 400, 401, 403, 429, 500] {
        let status = StatusCode::from_u16(status).unwrap();
        let fails = Fault::Code { status, code: 90202, msg: "wrong range=x!A1".into() };
        server.with(|lark| lark.fail_next_on(Route::ValuesImage, fails));
        let error = client.call(&write(9)).unwrap_err();
        let api = error.api().unwrap();
        assert_eq!((api.code, api.status), (Code::SHEET_RANGE, status));
        assert_eq!(api.msg, "wrong range=x!A1");
        assert!(api.log_id.is_some());
    }
}

#[test]
fn a_reply_is_read_up_to_the_limit() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app()).with_reply_limit(1000);
    let reply = |len| {
        let body = Bytes::from(vec![b' '; len]);
        server.with(|lark| lark.fail_next_on(Route::ImageV4Put, Fault::from(Response::new(body))));
        client.call(&put(9)).unwrap_err().kind
    };
    assert!(matches!(reply(1001), CallErrorKind::TooLarge { limit: 1000 }));
    assert!(matches!(reply(1000), CallErrorKind::Lark(lark_proto::Error::Unreadable(_))));
    assert!(client.call(&put(9)).is_ok(), "the next call is none the worse");
}

#[test]
fn a_limit_for_replies_is_not_one_for_those_to_token_requests() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app()).with_reply_limit(1);
    let error = client.call(&put(9)).unwrap_err();
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert!(matches!(error.kind, CallErrorKind::TooLarge { limit: 1 }));
}

/// Requests in the order of their arrival, each with the number of its connection.
type Received = Vec<(usize, Request<Bytes>)>;

/// A server that gives each request the next of `replies`.
fn canned(replies: Vec<Bytes>) -> (Site, thread::JoinHandle<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = thread::spawn(move || {
        let mut replies = replies.into_iter().peekable();
        let mut received = Vec::new();
        for (connection, stream) in listener.incoming().enumerate() {
            let (mut stream, mut requests) = (stream.unwrap(), Requests::new());
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

/// The next request; `None` when the client has closed the connection.
fn receive(stream: &mut TcpStream, requests: &mut Requests) -> Option<Request<Bytes>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(request) = requests.request().unwrap() {
            return Some(request);
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            n => requests.push(&buffer[..n]),
        }
    }
}

fn json(body: &'static str) -> Bytes {
    http1::reply(&Response::new(body.into()))
}

#[test]
fn requests_go_out_on_one_connection_as_wire_writes_them() {
    let token = r#"{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}"#;
    let written = r#"{"code":0,"data":{"spreadsheetToken":"s"},"msg":"success"}"#;
    let (site, server) = canned(vec![json(token), json(written), json(written)]);
    let client = Client::new(site.clone(), app());
    client.call(&write(50)).unwrap();
    client.call(&write(50)).unwrap();

    let get = GetTenantToken::new(
        AppId::new(FakeLark::APP_ID).unwrap(),
        AppSecret::new(FakeLark::APP_SECRET).unwrap(),
    );
    let cell = write(50).request(&site, &TenantToken::new("t-1").unwrap());
    let bytes = |request| wire::http1(request, wire::Secrets::Shown);
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
fn what_has_no_body_is_not_sent_in_chunks() {
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
    let (site, server) = canned(vec![json("{\"code\":0}"), json("{\"code\":0,\"data\":{}}")]);
    let (client, token) = (Client::new(site, App::None), TenantToken::new("t-1").unwrap());
    client.call_as(&token, &Get).unwrap();
    client.call_as(&token, &Post).unwrap();
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
        let (elsewhere, other) = canned(vec![json("{}")]);
        let moved =
            Response::builder().status(status).header(LOCATION, format!("{elsewhere}/steal"));
        let (site, server) = canned(vec![http1::reply(&moved.body(Bytes::new()).unwrap())]);
        let agent = ureq::Agent::config_builder()
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
            .proxy(None)
            .build();
        let client = Client::with_agent(site, App::None, agent.into());
        let error = client.call_as(&TenantToken::new("t-1").unwrap(), &put(9)).unwrap_err();
        match error.kind {
            CallErrorKind::Lark(lark_proto::Error::Unreadable(reply)) => {
                assert_eq!(reply.status, status);
            }
            other => panic!("{status}: {other:?}"),
        }
        assert_eq!(server.join().unwrap().len(), 1);
        // Only this connection reaches the other server.
        #[expect(clippy::disallowed_methods, reason = "no adapter is meant to")]
        let probe = TcpStream::connect(elsewhere.as_str().trim_start_matches("http://"));
        probe.unwrap().write_all(b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(other.join().unwrap()[0].1.uri(), "/probe");
    }
}

#[test]
fn the_agents_own_timeout_is_kept() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let agent = ureq::Agent::config_builder()
        .timeout_recv_response(Some(Duration::from_millis(50)))
        .proxy(None)
        .build();
    let client = Client::with_agent(site, App::None, agent.into());
    let error = client.call_as(&TenantToken::new("t-1").unwrap(), &put(9)).unwrap_err();
    let timeout = CallErrorKind::Transport(ureq::Error::Timeout(ureq::Timeout::RecvResponse));
    assert_eq!(format!("{:?}", error.kind), format!("{timeout:?}"));
}

#[test]
fn a_reply_that_breaks_off_is_the_transports_error() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":0";
    let (site, server) = canned(vec![cut.into()]);
    let client = Client::new(site, App::None);
    let error = client.call_as(&TenantToken::new("t-1").unwrap(), &put(9)).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    server.join().unwrap();
}

#[test]
fn a_head_of_60_kib_is_read() {
    let mut reply = Response::new(r#"{"code":0,"data":{"image_key":"k"},"msg":"ok"}"#.into());
    for _ in 0..60 {
        reply.headers_mut().append("x-filler", "a".repeat(1000).parse().unwrap());
    }
    let (site, server) = canned(vec![http1::reply(&reply)]);
    let client = Client::new(site, App::None);
    let key = client.call_as(&TenantToken::new("t-1").unwrap(), &put(9)).unwrap();
    assert_eq!(key.as_str(), "k");
    server.join().unwrap();
}

/// A server that runs `serve` on a thread of its own for each connection, with the connection's number. Returns the
/// number of connections so far, too.
fn serve(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> (Site, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::custom(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (serve, accepted) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
    let counts = accepted.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, number) = (serve.clone(), counts.fetch_add(1, Ordering::SeqCst));
            thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    (site, accepted)
}

const STORED: &str = r#"{"code":0,"data":{"image_key":"k"}}"#;

#[test]
fn any_number_of_connections_that_reset_costs_one_attempt() {
    for kept in [1, 2, 5, 20] {
        // The first ones wait for each other, answer one request, and reset when the next one comes.
        let together = Barrier::new(kept);
        let (site, accepted) = serve(move |number, mut stream| {
            let mut requests = Requests::new();
            receive(&mut stream, &mut requests).unwrap();
            if number < kept {
                together.wait();
            }
            stream.write_all(&json(STORED)).unwrap();
            // To close a connection with bytes that were not read resets it.
            let _unread = stream.peek(&mut [0]);
        });
        let (client, token) = (Client::new(site, App::None), TenantToken::new("t-1").unwrap());
        thread::scope(|scope| {
            for _ in 0..kept {
                scope.spawn(|| client.call_as(&token, &put(9)).unwrap());
            }
        });
        assert_eq!(accepted.load(Ordering::SeqCst), kept);
        let client = client.with_limits(Limits::default().attempts(2));
        assert_eq!(client.call_as(&token, &put(9)).unwrap().as_str(), "k");
        assert_eq!(accepted.load(Ordering::SeqCst), kept + 1);
    }
}

#[test]
fn threads_keep_a_connection_each_between_their_calls() {
    let (site, accepted) = serve(|_, mut stream| {
        let mut requests = Requests::new();
        while receive(&mut stream, &mut requests).is_some() {
            stream.write_all(&json(STORED)).unwrap();
        }
    });
    let (client, token) = (Client::new(site, App::None), TenantToken::new("t-1").unwrap());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..30 {
                    client.call_as(&token, &put(9)).unwrap();
                    #[expect(clippy::disallowed_methods, reason = "the connections become idle")]
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((2..=32).contains(&accepted), "{accepted} connections");
}

#[test]
fn an_answer_to_a_part_of_the_body_is_lost_and_the_outcome_unknown() {
    let (site, _) = serve(|_, mut stream| {
        stream.read_exact(&mut [0; 100]).unwrap();
        stream
            .write_all(&json(r#"{"code":234006,"msg":"The file size exceed the max value."}"#))
            .unwrap();
    });
    let client = Client::new(site, App::None).with_limits(Limits::one_attempt());
    let error = client.call_as(&TenantToken::new("t-1").unwrap(), &put(9_000_000)).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(ureq::Error::Io(_))), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[test]
fn an_error_that_cannot_pass_ends_the_call_at_once() {
    let server = FakeServer::start().unwrap();
    let agent = ureq::Agent::config_builder().https_only(true).proxy(None).build();
    let client = Client::with_agent(server.site().clone(), app(), agent.into())
        // A second try would end with the time instead.
        .with_limits(Limits::default().total(Duration::from_millis(200)));
    let error = client.call(&put(9)).unwrap_err();
    let kind = &error.kind;
    assert!(
        matches!(kind, CallErrorKind::Transport(ureq::Error::RequireHttpsOnly(_))),
        "{error:?}"
    );
    assert_eq!(error.route, Route::TenantAccessToken.path());
}
