//! Requests that share one HTTP/2 connection, in memory and in paused time.

use std::future::{pending, ready};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Connection, Pool, TransportError};
use lark_proto::endpoints::{Payload, Reply};
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Limits, Phase};
use lark_proto::token::TenantOnly;
use lark_proto::{App, Endpoint, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::{peers, token};

/// A request that must not be sent twice. Its body is the time that the server takes for it, in seconds.
struct Once(&'static str);

impl Endpoint for Once {
    type Auth = TenantOnly;
    type Output = ();

    fn method(&self) -> http::Method {
        http::Method::POST
    }

    fn route(&self) -> &str {
        "/once"
    }

    fn payload(&self) -> Option<Payload> {
        Some(Payload::json(self.0.to_owned()))
    }

    fn read(reply: &Reply) -> Result<(), Error> {
        reply.ok()
    }
}

/// Answers `max` requests at a time on `end`, after the time in their bodies. `seen` are the bodies of the requests
/// that arrived whole.
async fn serve(end: DuplexStream, max: u32, seen: Arc<Mutex<Vec<String>>>) {
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.max_concurrent_streams(max).handshake(end).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut whole = Vec::new();
            while let Some(data) = body.data().await {
                let Ok(data) = data else { return };
                whole.extend_from_slice(&data);
            }
            let whole = String::from_utf8(whole).unwrap();
            let seconds = whole.parse().unwrap();
            seen.lock().unwrap().push(whole);
            sleep(Duration::from_secs(seconds)).await;
            let mut reply = respond.send_response(Response::new(()), false).unwrap();
            // A client that has given up by now does not read the reply.
            let _ = reply.send_data(Bytes::from(r#"{"code":0}"#), true);
        });
    }
}

/// Forwards the bytes of either end, until the connection becomes silent.
async fn relay(mut here: DuplexStream, mut there: DuplexStream, is_silent: Arc<AtomicBool>) {
    let mut request = vec![0; 1 << 14];
    let mut reply = vec![0; 1 << 14];
    loop {
        let (to, bytes) = tokio::select! {
            len = here.read(&mut request) => (&mut there, &request[..len.unwrap()]),
            len = there.read(&mut reply) => (&mut here, &reply[..len.unwrap()]),
        };
        if bytes.is_empty() {
            return;
        }
        if is_silent.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
        to.write_all(bytes).await.unwrap();
    }
}

/// A server in memory, whose first connection can be made silent, or takes no request.
#[derive(Clone, Default)]
struct Server {
    is_full: bool,
    seen: Arc<Mutex<Vec<String>>>,
    opened: Arc<AtomicUsize>,
    is_silent: Arc<AtomicBool>,
}

impl Server {
    /// A connection as after a TLS handshake that agreed on HTTP/2.
    fn connect(&self) -> Connection {
        let is_first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        let is_silent = if is_first { self.is_silent.clone() } else { Arc::default() };
        let (near, here) = tokio::io::duplex(1 << 20);
        let (there, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(relay(here, there, is_silent));
        let max = if is_first && self.is_full { 0 } else { 1 };
        tokio::spawn(serve(far, max, self.seen.clone()));
        Connection::new(TokioIo::new(near)).http2(true)
    }

    fn client(&self) -> Client<Pool> {
        let server = self.clone();
        let pool = Pool::with_connector(move |_| ready(io::Result::Ok(server.connect())));
        Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new())
    }

    /// A client whose connection is open.
    async fn connected_client(&self) -> Client<Pool> {
        let client = self.client();
        call(&client, "0").await.unwrap();
        client
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn call(client: &Client<Pool>, seconds: &'static str) -> Result<(), CallError> {
    client.call_as(&token(), &Once(seconds)).await
}

fn start(client: &Client<Pool>, seconds: &'static str) -> JoinHandle<Result<(), CallError>> {
    let client = client.clone();
    tokio::spawn(async move { call(&client, seconds).await })
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_attempt_timed_out_before_its_turn_is_sent_once() {
    let server = Server::default();
    let client = server.connected_client().await;
    let slow = start(&client, "70");
    sleep(Duration::from_secs(1)).await;
    // The first attempt times out while it waits. The second one is sent.
    call(&client, "1").await.unwrap();
    slow.await.unwrap().unwrap();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(server.seen(), ["0", "70", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_before_its_turn_is_not_sent() {
    let server = Server::default();
    let client = server.connected_client().await;
    let slow = start(&client, "10");
    sleep(Duration::from_secs(1)).await;
    assert!(timeout(Duration::from_secs(1), call(&client, "1")).await.is_err());
    slow.await.unwrap().unwrap();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(server.seen(), ["0", "10"]);
}

/// An address translation that has forgotten a connection drops its packets. A new connection works.
#[tokio::test(start_paused = true)]
async fn a_connection_that_has_become_silent_is_replaced_and_its_requests_are_not_sent_again() {
    let server = Server::default();
    let client = server.connected_client().await;
    server.is_silent.store(true, Ordering::Relaxed);
    let mut calls = Vec::new();
    for _ in 0..60 {
        calls.push(start(&client, "2"));
        // The pause is shorter than the time for which an idle connection is kept.
        sleep(Duration::from_secs(10)).await;
    }
    let mut good = 0;
    for call in calls {
        good += usize::from(call.await.unwrap().is_ok());
    }
    // The silent connection, its successor, and one for each request that had not been sent and is sent again.
    let opened = server.opened.load(Ordering::Relaxed);
    assert!((2..12).contains(&opened), "{opened}");
    // The requests on the silent connection may have arrived, so that they must not be sent again.
    assert!((50..60).contains(&good), "{good}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_no_request_is_replaced_after_a_timeout() {
    let server = Server { is_full: true, ..Server::default() };
    let client = server.client().with_limits(Limits::one_attempt());
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(start(&client, "0"));
        // The pause is shorter than the time for which an idle connection is kept.
        sleep(Duration::from_secs(9)).await;
    }
    let mut phases = Vec::new();
    for call in calls {
        match call.await.unwrap().map_err(|error| error.kind) {
            Ok(()) => {}
            Err(CallErrorKind::Transport(TransportError::Timeout(phase))) => phases.push(phase),
            Err(kind) => panic!("{kind:?}"),
        }
    }
    // The time of the phase is 30 seconds, and a phase can take twice its time.
    assert!((4..=7).contains(&phases.len()), "{phases:?}");
    assert!(phases.iter().all(|phase| *phase == Phase::SendRequest), "{phases:?}");
    assert_eq!(server.opened.load(Ordering::Relaxed), 2);
}
