//! The text of an error as `{}`, anyhow and eyre show it.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};

use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{FakeServer, RequestBody};
use lark_proto::bytes::Bytes;
use lark_proto::error::Code;
use lark_proto::fake::FakeLark;
use lark_proto::{App, CallError, Limits, Site};

use crate::support::{peers, put, token};

/// The address of a port of loopback on which no server listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The error's text, after a check that `{}`, anyhow and eyre show the same one.
fn text<T: Error + Send + Sync + 'static>(error: CallError<T>) -> String {
    let text = error.to_string();
    assert!(error.source().is_none(), "{text}");
    let report = eyre::Report::from(error);
    assert_eq!(format!("{report:#}"), text);
    let error = report.downcast::<CallError<T>>().unwrap();
    assert_eq!(format!("{:#}", anyhow::Error::from(error)), text);
    assert!(!text.contains('\n'), "{text}");
    text
}

/// Asserts that the parts of `text` between its colons are all different.
fn assert_no_repetition(text: &str) {
    let mut parts: Vec<&str> = text.split(": ").collect();
    parts.sort_unstable();
    let count = parts.len();
    parts.dedup();
    assert_eq!(parts.len(), count, "{text}");
}

#[test]
fn the_text_of_a_ureq_error_has_each_cause_once() {
    let client = lark_ureq::Client::new(peers::site(closed_port()), App::None)
        .with_limits(Limits::one_attempt());
    let text = text(client.call_as(&token(), &put()).unwrap_err());
    assert!(text.starts_with("/open-apis/image/v4/put/: "), "{text}");
    assert_eq!(text.matches("Connection refused").count(), 1, "{text}");
    assert_no_repetition(&text);
}

#[tokio::test]
async fn the_text_of_a_hyper_error_has_each_cause_once() {
    let client = lark_hyper::Client::new(peers::site(closed_port()), App::None)
        .with_limits(Limits::one_attempt());
    let text = text(client.call_as(&token(), &put()).await.unwrap_err());
    assert!(text.starts_with("/open-apis/image/v4/put/: "), "{text}");
    assert_eq!(text.matches("Connection refused").count(), 1, "{text}");
    assert_no_repetition(&text);
}

#[tokio::test]
async fn the_text_of_an_io_error_has_each_cause_once() {
    let service = service_fn(async |_: Request<RequestBody>| {
        let cause = io::Error::from(io::ErrorKind::BrokenPipe);
        let error = io::Error::other(lark_hyper::TransportError::from(cause));
        Err::<Response<Full<Bytes>>, lark_hyper::TransportError>(error.into())
    });
    let client =
        lark_hyper::Client::with_service(Site::LARK, App::None, service, TokioTimer::new())
            .with_limits(Limits::one_attempt());
    let text = text(client.call_as(&token(), &put()).await.unwrap_err());
    assert_eq!(text, "/open-apis/image/v4/put/: broken pipe");
}

#[tokio::test]
async fn the_text_of_a_refusal_has_its_code_message_hint_and_log_id_once() {
    let server = FakeServer::start().unwrap();
    let app = App::custom(FakeLark::APP_ID, "another").unwrap();
    let client = lark_hyper::Client::new(server.site().clone(), app);
    let text = text(client.call(&put()).await.unwrap_err());
    let begin = "/open-apis/auth/v3/tenant_access_token/internal: code 10014 APP_SECRET_INVALID \
        (HTTP 400): app secret invalid";
    let parts: Vec<&str> = text.split("; ").collect();
    assert_eq!(parts[0], begin);
    assert_eq!(parts[1], Code(10014).hint().unwrap());
    assert!(parts[2].starts_with("log id "), "{text}");
    assert_eq!(parts.len(), 3, "{text}");
}
