//! The events of the feature `tracing`. This file has one test, since the `tracing` crate caches for the whole process
//! whether a subscriber takes an event.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, Frames, TransportError};
use lark_proto::fake::{FakeLark, Fault, Route};
use lark_proto::{App, Image, PutImage, Site};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_of_a_call_is_an_event_and_a_subscriber_may_call_the_client() {
    let lark: Arc<Mutex<FakeLark>> = Arc::default();
    lark.lock()
        .unwrap()
        .fail_next_on(Route::ImageV4Put, Fault::EdgeHtml(http::StatusCode::BAD_GATEWAY));
    let service = service_fn(move |request: Request<Frames>| {
        let lark = lark.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let reply = lark.lock().unwrap().handle(UNIX_EPOCH, Request::from_parts(head, body));
            Ok::<_, TransportError>(reply.map(Full::new))
        }
    });
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    let client = Client::with_service(Site::LARK, app, Arc::new(service), TokioTimer::new());
    let other = client.clone();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || {
            let _ = other.export_token();
            writer.clone()
        });
    let guard = subscriber.set_default();
    let put = PutImage::message(Image::new("GIF89a..").unwrap()).unwrap();
    client.call(&put).await.unwrap();
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let events = log.lines().map(|line| line.trim().split_once("event: ").unwrap().1);
    let kinds: Vec<&str> = events.map(|event| event.split(" route").next().unwrap()).collect();
    let expected = [
        "token request",
        "wait reason=a token time=61s",
        "request",
        "refused",
        "wait",
        "request",
        "done",
    ];
    for (kind, expected) in std::iter::zip(&kinds, expected) {
        assert!(kind.starts_with(expected), "{log}");
    }
    assert_eq!(kinds.len(), expected.len(), "{log}");
    assert!(!log.contains(FakeLark::APP_SECRET));
}
