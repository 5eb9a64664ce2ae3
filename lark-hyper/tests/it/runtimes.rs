//! Pools, requests and clients that outlive the tokio runtime on which they began.

use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use lark_hyper::{
    Client, Connection, FakeServer, Pool, ReplyBody, ReplyFuture, RequestBody, TransportError,
};
use lark_proto::body::Body;
use lark_proto::fake::{ConnectionFault, Route, http1};
use lark_proto::session::{Phase, Timeouts};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::support::{app, peers, put};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Short timeouts of all phases.
fn short() -> Timeouts {
    let mut timeouts = Timeouts::for_body_len(0);
    timeouts.resolve = Duration::from_millis(100);
    timeouts.connect = Duration::from_millis(100);
    timeouts.send_request = Duration::from_millis(20);
    timeouts.send_body = Duration::from_millis(20);
    timeouts.recv_response = Duration::from_millis(20);
    timeouts.recv_body = Duration::from_millis(200);
    timeouts
}

/// A request with the usual timeouts.
fn request(uri: &str, len: usize) -> Request<RequestBody> {
    let body = Body::from(vec![7; len]);
    Request::put(uri).header("content-length", len).body(RequestBody::from(body)).unwrap()
}

/// A request with short timeouts.
fn hasty(uri: &str, len: usize) -> Request<RequestBody> {
    let mut request = request(uri, len);
    request.extensions_mut().insert(short());
    request
}

/// A request without a body, with a short timeout of its reply's body.
fn hasty_for_the_reply(uri: &str) -> Request<RequestBody> {
    let mut request = request(uri, 0);
    let timeouts = Timeouts::for_body_len(0).with(Phase::RecvBody, Duration::from_millis(200));
    request.extensions_mut().insert(timeouts);
    request
}

/// How a server treats a connection.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// Reads nothing, not even the client's part of a TLS handshake.
    Silent,
    /// Reads requests and answers none.
    Mute,
    /// Answers with half of a body.
    Half,
    /// Answers every request.
    Good,
    /// Answers every request after 100 ms.
    Slow,
    /// Answers the first request of a connection, and each further one with half of a body.
    Tired,
}

/// Starts a server, and returns its authority.
fn serve(peer: Peer) -> String {
    let address = peers::serve(move |stream| play(peer, &stream));
    format!("localhost:{}", address.port())
}

#[expect(clippy::disallowed_methods, reason = "a slow server waits")]
fn play(peer: Peer, mut stream: &TcpStream) -> io::Result<()> {
    if matches!(peer, Peer::Silent) {
        thread::park();
    }
    let mut reader = BufReader::new(stream);
    for number in 1.. {
        let mut len = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.strip_prefix("content-length: ") {
                Some(value) => len = value.trim().parse().unwrap(),
                None if line == "\r\n" => break,
                None => {}
            }
        }
        io::copy(&mut reader.by_ref().take(len), &mut io::sink())?;
        if matches!(peer, Peer::Slow) {
            thread::sleep(Duration::from_millis(100));
        }
        let is_good = matches!((peer, number), (Peer::Good | Peer::Slow, _) | (Peer::Tired, 1));
        if is_good {
            stream.write_all(&http1::reply(&Response::new(Bytes::from("good"))))?;
        } else if !matches!(peer, Peer::Mute) {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")?;
        }
    }
    Ok(())
}

/// Polls `future` at most `times` times. In between the other tasks of the runtime run.
async fn polled<F: Future>(mut future: Pin<&mut F>, times: usize) -> Option<F::Output> {
    for _ in 0..times {
        let poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        if let Poll::Ready(output) = poll.await {
            return Some(output);
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}

/// The whole exchange of a request.
async fn exchange(reply: ReplyFuture) -> Result<Bytes, TransportError> {
    let body = reply.await?.into_body();
    Ok(body.collect().await?.to_bytes())
}

/// Polls an exchange at most `polls` times on one runtime, drops the runtime, and finishes the exchange on another one.
fn moved(
    pool: &Pool,
    request: Request<RequestBody>,
    polls: usize,
) -> Result<Bytes, TransportError> {
    let mut exchange = pin!(exchange(pool.call(request)));
    let first = runtime();
    if let Some(outcome) = first.block_on(polled(exchange.as_mut(), polls)) {
        return outcome;
    }
    drop(first);
    runtime().block_on(async {
        timeout(Duration::from_secs(10), exchange).await.expect("the exchange ends")
    })
}

#[test]
fn a_request_that_hangs_ends_with_an_error_on_another_runtime() {
    for peer in [Peer::Silent, Peer::Mute, Peer::Half] {
        let host = serve(peer);
        let scheme = if matches!(peer, Peer::Silent) { "https" } else { "http" };
        for len in [0, 9, 10_000_000] {
            for polls in 0..=6 {
                let request = hasty(&format!("{scheme}://{host}/"), len);
                let outcome = moved(&Pool::new(), request, polls);
                assert!(outcome.is_err(), "{peer:?} {len} {polls}: {outcome:?}");
            }
        }
    }
}

/// The timer in the connector belongs to the runtime on which the connection is opened.
#[test]
fn a_connector_with_timers_ends_with_its_runtime() {
    let pool = Pool::with_connector(async |_| {
        sleep(Duration::from_secs(60)).await;
        Err::<Connection, _>(io::Error::other("never"))
    });
    for polls in 0..=3 {
        let outcome = moved(&pool, hasty("http://127.0.0.1/", 4), polls);
        let is_right = match &outcome {
            Err(TransportError::Timeout(Phase::Connect)) => polls == 0,
            Err(TransportError::Failed(_)) => polls > 0,
            _ => false,
        };
        assert!(is_right, "{polls}: {outcome:?}");
    }
}

/// The request's future itself carries out the HTTP/2 handshake, not a task of the first runtime.
#[test]
fn a_handshake_that_hangs_ends_on_another_runtime() {
    let (sender, ends) = std::sync::mpsc::channel();
    let pool = Pool::with_connector(move |_| {
        let (near, far) = tokio::io::duplex(1);
        sender.send(far).unwrap();
        std::future::ready(io::Result::Ok(Connection::new(TokioIo::new(near)).http2(true)))
    });
    for polls in 0..=4 {
        let outcome = moved(&pool, hasty("http://127.0.0.1/", 4), polls);
        let is_right = matches!(outcome, Err(TransportError::Timeout(Phase::Connect)));
        assert!(is_right, "{polls}: {outcome:?}");
    }
    drop(ends);
}

#[test]
fn a_pool_works_on_the_next_runtime_after_its_first_one_was_dropped() {
    let pool = Pool::new();
    let uri = format!("http://{}/", serve(Peer::Good));
    for round in 0..5 {
        let outcome = runtime().block_on(exchange(pool.call(request(&uri, 1))));
        assert_eq!(outcome.unwrap(), "good", "{round}");
        // The idle connection takes the request, but its runtime ends before it sends the request.
        let kept = runtime();
        kept.block_on(exchange(pool.call(request(&uri, 1)))).unwrap();
        let mut second = pin!(exchange(pool.call(request(&uri, 1))));
        let first_poll = poll_fn(|context| Poll::Ready(second.as_mut().poll(context)));
        assert!(kept.block_on(first_poll).is_pending());
        drop(kept);
        assert_eq!(runtime().block_on(second).unwrap(), "good", "{round}");
    }
}

#[test]
fn a_request_outside_of_a_runtime_fails() {
    let mut reply = pin!(Pool::new().call(request("http://127.0.0.1/", 0)));
    let polled = reply.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(TransportError::Failed(_)))), "{polled:?}");
}

/// hyper-util gives the connection back to its pool then, and starts a task.
#[test]
fn an_answered_request_may_be_dropped_outside_of_a_runtime() {
    let uri = format!("http://{}/", serve(Peer::Slow));
    for is_alive in [true, false] {
        let pool = Pool::new();
        let first = runtime();
        let mut reply = pool.call(request(&uri, 1));
        first.block_on(async {
            timeout(Duration::from_millis(50), &mut reply).await.unwrap_err();
            // The answer arrives while nothing polls the request.
            sleep(Duration::from_millis(200)).await;
        });
        let first = is_alive.then_some(first);
        drop(reply);
        drop(first);
        let outcome = runtime().block_on(exchange(pool.call(request(&uri, 1))));
        assert_eq!(outcome.unwrap(), "good", "{is_alive}");
    }
}

/// Receives the body of `reply` outside of any runtime, and returns its error.
fn received(reply: Response<ReplyBody>) -> TransportError {
    smol::block_on(reply.into_body().collect()).unwrap_err()
}

/// A program may pass a body on to a thread without a runtime.
#[test]
fn a_replys_body_ends_with_a_timeout_outside_of_a_runtime() {
    let uri = format!("http://{}/", serve(Peer::Half));
    let runtime = Runtime::new().unwrap();
    let reply = runtime.block_on(Pool::new().call(hasty_for_the_reply(&uri))).unwrap();
    let error = received(reply);
    assert!(matches!(error, TransportError::Timeout(Phase::RecvBody)), "{error:?}");
}

#[test]
fn a_replys_body_ends_outside_of_a_runtime_that_was_dropped() {
    let pool = Pool::new();
    let uri = format!("http://{}/", serve(Peer::Tired));
    // The runtime of the connection.
    let connection = Runtime::new().unwrap();
    connection.block_on(exchange(pool.call(request(&uri, 0)))).unwrap();
    // A task of that runtime gives the connection back to the pool.
    connection.block_on(async { sleep(Duration::from_millis(100)).await });
    // The runtime of the request.
    let reply = runtime().block_on(pool.call(hasty_for_the_reply(&uri))).unwrap();
    let error = received(reply);
    assert!(matches!(error, TransportError::Timeout(Phase::RecvBody)), "{error:?}");
}

/// Begins a call on a runtime that ends after `millis` milliseconds.
fn begin_on_a_runtime_that_ends(client: &'static Client, millis: u64) {
    let runtime = runtime();
    runtime.spawn(async { client.call(&put()).await });
    runtime.block_on(async { sleep(Duration::from_millis(millis)).await });
}

/// A client in a static outlives the runtimes of its calls.
#[test]
fn a_client_works_on_the_next_runtime_after_one_ended_in_the_middle_of_a_token_request() {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let server = FakeServer::start().unwrap();
    let client = CLIENT.get_or_init(|| Client::new(server.site().clone(), app()));
    for millis in [0, 1, 5, 20, 50] {
        let slow = ConnectionFault::SlowReply(Duration::from_secs(2));
        server.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
        begin_on_a_runtime_that_ends(client, millis);
    }
    runtime().block_on(client.call(&put())).unwrap();
    assert_eq!(server.with(|lark| lark.images().count()), 1);
}
