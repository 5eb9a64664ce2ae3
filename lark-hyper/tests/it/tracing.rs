//! The events of the feature `tracing`. Each test runs in a process of its own, since the `tracing` crate caches for
//! the whole process whether a subscriber takes an event, and the other tests of this program have no subscriber.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeTransport, Transport};
use lark_proto::Site;
use lark_proto::fake::{FakeLark, Fault, Route};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::sim::Sim;
use crate::support::{app, child, put};

/// The first words of the events of a call whose upload is refused once.
const EVENTS: [&str; 7] = [
    "token request",
    "wait reason=a token time=61s",
    "request",
    "refused",
    "wait",
    "request",
    "done",
];

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

/// A client of a fake that refuses the first upload.
fn client() -> Client<FakeTransport> {
    let fake = FakeTransport::new(TokioTimer::new());
    let refusal = Fault::EdgeHtml(StatusCode::BAD_GATEWAY);
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, refusal));
    Client::with_service(Site::LARK, app(), fake, TokioTimer::new())
}

/// Makes a call whose events of every level go to `writer`.
async fn traced<W: for<'w> MakeWriter<'w> + Send + Sync + 'static>(
    client: &Client<impl Transport>,
    writer: W,
) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(writer);
    let _guard = subscriber.set_default();
    client.call(&put()).await.unwrap();
}

#[test]
fn each_step_of_a_call_is_an_event_without_the_secret() {
    child::run("tracing::child_with_a_log", |_| ());
}

#[tokio::test(start_paused = true)]
#[ignore = "another test runs it as a program"]
async fn child_with_a_log() {
    let log = Log::default();
    let writer = log.clone();
    traced(&client(), move || writer.clone()).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let events = log.lines().map(|line| line.trim().split_once("event: ").unwrap().1);
    let kinds: Vec<&str> = events.map(|event| event.split(" route").next().unwrap()).collect();
    for (kind, expected) in std::iter::zip(&kinds, EVENTS) {
        assert!(kind.starts_with(expected), "{log}");
    }
    assert_eq!(kinds.len(), EVENTS.len(), "{log}");
    assert!(!log.contains(FakeLark::APP_SECRET));
}

#[test]
fn the_time_of_a_subscriber_is_part_of_the_wait() {
    child::run("tracing::child_with_a_slow_subscriber", |_| ());
}

#[test]
#[ignore = "another test runs it as a program"]
fn child_with_a_slow_subscriber() {
    let sim = Sim::new("a slow subscriber");
    let fake = FakeTransport::new(sim.time.clone());
    let limited = Fault::RateLimited { status: StatusCode::OK, reset: Some("4".to_owned()) };
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limited));
    let client = Client::with_service(Site::LARK, app(), fake, sim.time.clone());
    // Each event takes half a second. The reply with the wait of four seconds comes after three of them, and two
    // events follow the wait.
    let time = sim.time.clone();
    let writer = move || {
        time.skip(Duration::from_millis(500));
        io::sink()
    };
    sim.run(traced(&client, writer));
    assert_eq!(sim.elapsed(), Duration::from_millis(6500));
}

#[test]
fn a_subscriber_may_call_the_client() {
    child::run("tracing::child_with_a_subscriber_that_calls", |_| ());
}

#[tokio::test(start_paused = true)]
#[ignore = "another test runs it as a program"]
async fn child_with_a_subscriber_that_calls() {
    let client = client();
    let other = client.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let writer = move || {
        let _ = other.export_token();
        counted.fetch_add(1, Ordering::Relaxed);
        io::sink()
    };
    traced(&client, writer).await;
    assert_eq!(calls.load(Ordering::Relaxed), EVENTS.len());
}
