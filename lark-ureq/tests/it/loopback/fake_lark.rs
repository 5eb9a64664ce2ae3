//! Calls to the fake Lark on loopback.

use std::thread;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::endpoints::WithLogId;
use lark_proto::error::{CallErrorKind, Code};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::{App, Limits, TenantToken, UserToken};
use lark_ureq::{CallError, Client, FakeServer};

use super::{image, put, write};
use crate::support::{app, millis, secs};

#[test]
fn images_arrive_as_they_were_sent() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app());
    for len in [1, 100_000, 3_000_000] {
        let key = client.call(&put(len)).unwrap();
        let written = client.call(&write(len)).unwrap();
        server.with(|lark| {
            let stored = lark.image(key.as_str()).unwrap();
            assert_eq!(stored.bytes, *image(len).bytes());
            assert_eq!(stored.content_type.as_deref(), Some("image/png"));
            let cell = lark.cell(FakeLark::SPREADSHEET, written.range.as_deref().unwrap()).unwrap();
            assert_eq!((&cell.bytes, cell.name.as_str()), (image(len).bytes(), "image.png"));
        });
    }
}

#[test]
fn with_log_id_returns_the_log_id_of_the_reply() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app());
    let (_, log_id) = client.call(&WithLogId(&write(1))).unwrap();
    assert!(log_id.is_some_and(|id| id.starts_with("2026")));
}

#[test]
fn calls_in_a_row_share_one_token() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app());
    for _ in 0..3 {
        client.call(&put(1)).unwrap();
    }
    assert_eq!(server.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

#[test]
fn first_calls_of_many_threads_share_one_token() {
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
    let end = UNIX_EPOCH + secs(1 << 40);
    server.with(|lark| lark.add_token(TokenKind::User, "u-1", end));
    let written = client.call_as(&UserToken::new("u-1").unwrap(), &write(9)).unwrap();
    assert_eq!(written.revision, Some(1));
    server.with(|lark| assert_eq!(lark.requests()[0].token.as_deref(), Some("u-1")));
}

#[test]
fn a_given_token_that_is_refused_ends_the_call_at_its_first_attempt() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), App::None);
    let refused = client.call_as(&TenantToken::new("t-old").unwrap(), &put(9)).unwrap_err();
    assert_eq!(refused.api().unwrap().code, Code::TENANT_TOKEN_INVALID);
    assert_eq!(server.with(|lark| lark.requests().len()), 1);
}

#[test]
fn a_call_without_credentials_sends_nothing() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), App::None);
    let error = client.call(&put(9)).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::NoApp), "{error}");
    assert_eq!(server.with(|lark| lark.requests().len()), 0);
}

/// The failure of a call with a secret that the service refuses.
fn refused_secret(server: &FakeServer) -> (Client, CallError) {
    let app = App::custom(FakeLark::APP_ID, "wrong-secret").unwrap();
    let client = Client::new(server.site().clone(), app);
    let error = client.call(&put(9)).unwrap_err();
    (client, error)
}

#[test]
fn wrong_credentials_are_the_error_of_the_token_route() {
    let server = FakeServer::start().unwrap();
    let (_, error) = refused_secret(&server);
    assert_eq!(error.route, "/open-apis/auth/v3/tenant_access_token/internal");
    let api = error.api().unwrap();
    assert_eq!((api.code, api.msg.as_str()), (Code::APP_SECRET_INVALID, "app secret invalid"));
    assert_eq!(server.with(|lark| lark.requests().len()), 1);
}

#[test]
fn neither_a_client_nor_its_error_shows_the_secret() {
    let (client, error) = refused_secret(&FakeServer::start().unwrap());
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

/// The failure of an upload whose reply has a body of `len` bytes.
fn reply_of(server: &FakeServer, client: &Client, len: usize) -> CallErrorKind<ureq::Error> {
    let body = Bytes::from(vec![b' '; len]);
    server.with(|lark| lark.fail_next_on(Route::ImageV4Put, Fault::from(Response::new(body))));
    client.call(&put(9)).unwrap_err().kind
}

#[test]
fn a_reply_is_read_up_to_the_limit() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app()).with_reply_limit(1000);
    let too_large = reply_of(&server, &client, 1001);
    assert!(matches!(too_large, CallErrorKind::TooLarge { limit: 1000 }), "{too_large:?}");
    let read = reply_of(&server, &client, 1000);
    assert!(matches!(read, CallErrorKind::Lark(lark_proto::Error::Unreadable(_))), "{read:?}");
}

#[test]
fn a_call_after_a_reply_that_is_too_large_succeeds() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app()).with_reply_limit(1000);
    reply_of(&server, &client, 1001);
    client.call(&put(9)).unwrap();
    assert_eq!(server.with(|lark| lark.images().count()), 1);
}

#[test]
fn a_limit_for_replies_does_not_hold_for_token_requests() {
    let server = FakeServer::start().unwrap();
    let client = Client::new(server.site().clone(), app()).with_reply_limit(1);
    let error = client.call(&put(9)).unwrap_err();
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert!(matches!(error.kind, CallErrorKind::TooLarge { limit: 1 }));
}

#[test]
fn a_permanent_error_ends_the_call_at_its_first_attempt() {
    let server = FakeServer::start().unwrap();
    let agent = ureq::Agent::config_builder().https_only(true).proxy(None).build();
    let client = Client::with_agent(server.site().clone(), app(), agent.into())
        // A second attempt would end at the deadline instead.
        .with_limits(Limits::default().total(millis(200)));
    let error = client.call(&put(9)).unwrap_err();
    let kind = &error.kind;
    assert!(
        matches!(kind, CallErrorKind::Transport(ureq::Error::RequireHttpsOnly(_))),
        "{error:?}"
    );
    assert_eq!(error.route, Route::TenantAccessToken.path());
}
