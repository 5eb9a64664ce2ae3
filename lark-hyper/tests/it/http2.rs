//! One HTTP/2 connection for all requests: what that must not do to them. On a paused clock, in memory.

use std::future::ready;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Connection, Pool};
use lark_proto::endpoints::{Payload, Reply};
use lark_proto::token::TenantOnly;
use lark_proto::{App, Endpoint, Error, Site, TenantToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A request that must not be sent twice.
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

/// Answers one request at a time on `end`, after the time that its body names in seconds; `seen` are the bodies that
/// came whole.
async fn serve(end: DuplexStream, seen: Arc<Mutex<Vec<String>>>) {
    let mut server = h2::server::Builder::new();
    let mut server = server.max_concurrent_streams(1).handshake(end).await.unwrap();
    while let Some(Ok((request, mut respond))) = server.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let (mut body, mut whole) = (request.into_body(), Vec::new());
            while let Some(data) = body.data().await {
                let Ok(data) = data else { return };
                whole.extend_from_slice(&data);
            }
            let whole = String::from_utf8(whole).unwrap();
            let seconds = whole.parse().unwrap();
            seen.lock().unwrap().push(whole);
            sleep(Duration::from_secs(seconds)).await;
            let mut reply = respond.send_response(Response::new(()), false).unwrap();
            // Who has given up by now does not read it.
            let _ = reply.send_data(Bytes::from(r#"{"code":0}"#), true);
        });
    }
}

/// Passes on what either end sends, until the connection is to be silent.
async fn relay(mut here: DuplexStream, mut there: DuplexStream, is_silent: Arc<AtomicBool>) {
    let (mut request, mut reply) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    loop {
        let (to, bytes) = tokio::select! {
            len = here.read(&mut request) => (&mut there, &request[..len.unwrap()]),
            len = there.read(&mut reply) => (&mut here, &reply[..len.unwrap()]),
        };
        if bytes.is_empty() {
            return;
        }
        if is_silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        to.write_all(bytes).await.unwrap();
    }
}

/// A server in memory, whose first connection can be made silent.
#[derive(Clone, Default)]
struct World {
    seen: Arc<Mutex<Vec<String>>>,
    opened: Arc<AtomicUsize>,
    is_silent: Arc<AtomicBool>,
}

impl World {
    /// A connection as after a TLS handshake that agreed on HTTP/2.
    fn connect(&self) -> Connection {
        let is_first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        let is_silent = if is_first { self.is_silent.clone() } else { Arc::default() };
        let (near, here) = tokio::io::duplex(1 << 20);
        let (there, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(relay(here, there, is_silent));
        tokio::spawn(serve(far, self.seen.clone()));
        Connection::new(TokioIo::new(near)).http2(true)
    }

    /// A client that has its connection.
    async fn client(&self) -> Client<Pool> {
        let site = Site::custom("http://127.0.0.1:1").unwrap();
        let world = self.clone();
        let pool = Pool::with_connector(move |_| ready(io::Result::Ok(world.connect())));
        let client = Client::with_service(site, App::None, pool, TokioTimer::new());
        call(&client, "0").await.unwrap();
        client
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn call(client: &Client<Pool>, seconds: &'static str) -> Result<(), CallError> {
    client.call_as(&TenantToken::new("t-1").unwrap(), &Once(seconds)).await
}

fn start(client: &Client<Pool>, seconds: &'static str) -> JoinHandle<Result<(), CallError>> {
    let client = client.clone();
    tokio::spawn(async move { call(&client, seconds).await })
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_too_long_is_not_sent_twice() {
    let world = World::default();
    let client = world.client().await;
    let slow = start(&client, "70");
    sleep(Duration::from_secs(1)).await;
    // The first attempt gives up while it waits; what is sent is the second.
    call(&client, "1").await.unwrap();
    slow.await.unwrap().unwrap();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.seen(), ["0", "70", "1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_while_it_waits_is_not_sent_at_all() {
    let world = World::default();
    let client = world.client().await;
    let slow = start(&client, "10");
    sleep(Duration::from_secs(1)).await;
    assert!(timeout(Duration::from_secs(1), call(&client, "1")).await.is_err());
    slow.await.unwrap().unwrap();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.seen(), ["0", "10"]);
}

/// As behind an address translation that has forgotten it; a new one works at once.
#[tokio::test(start_paused = true)]
async fn a_connection_that_has_gone_silent_is_replaced() {
    let world = World::default();
    let client = world.client().await;
    world.is_silent.store(true, Ordering::Relaxed);
    let mut calls = Vec::new();
    for _ in 0..60 {
        calls.push(start(&client, "2"));
        // More often than an idle connection is kept.
        sleep(Duration::from_secs(10)).await;
    }
    let mut good = 0;
    for call in calls {
        good += usize::from(call.await.unwrap().is_ok());
    }
    // The silent one, the next one, and one for each call that was still to be sent and is sent again.
    let opened = world.opened.load(Ordering::Relaxed);
    assert!((2..12).contains(&opened), "{opened}");
    // What was on the silent connection may have arrived, and must not be sent again.
    assert!((50..60).contains(&good), "{good}");
}
