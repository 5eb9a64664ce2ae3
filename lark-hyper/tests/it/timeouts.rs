//! The time that the pool gives each phase of a request, in paused time over connections in memory.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use lark_hyper::{CallError, Client, Connection, Pool, RequestBody, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::session::{Phase, Timeouts};
use lark_proto::{App, Image, ImageKey, Limits, PutImage, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::support::{peers, put, token};

/// Uploads 6.4 MB, or 98 times 64 KiB, to `peer`. Returns the result, and how many seconds the call took.
async fn upload<F: Future<Output = ()> + Send + 'static>(
    peer: impl Fn(DuplexStream) -> F + Send + Sync + 'static,
) -> (Result<ImageKey, CallError>, u64) {
    call(peers::pool(1 << 10, peer)).await
}

/// A client whose connections lead to `peer`.
fn client<F: Future<Output = ()> + Send + 'static>(
    peer: impl Fn(DuplexStream) -> F + Send + Sync + 'static,
) -> Client<Pool> {
    let pool = peers::pool(1 << 10, peer);
    Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new())
}

/// The reply to an upload that succeeded.
fn taken() -> Bytes {
    http1::reply(&Response::new(r#"{"code":0,"data":{"image_key":"img_1"}}"#.into()))
}

async fn call(pool: Pool) -> (Result<ImageKey, CallError>, u64) {
    let image = Image::new([b"GIF89a".as_slice(), &[7; 6_400_000]].concat()).unwrap();
    let put = PutImage::message(image).unwrap();
    let client = Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new())
        .with_limits(Limits::one_attempt());
    let start = Instant::now();
    let outcome = client.call_as(&token(), &put).await;
    (outcome, start.elapsed().as_secs())
}

fn timeout(outcome: Result<ImageKey, CallError>) -> Option<Phase> {
    match outcome.unwrap_err().kind {
        CallErrorKind::Transport(TransportError::Timeout(timeout)) => Some(timeout),
        _ => None,
    }
}

/// Reads a whole request, one kilobyte after each `pause`.
async fn take(peer: &mut DuplexStream, pause: Duration) {
    let mut requests = Requests::new();
    let mut part = [0; 1 << 10];
    while requests.request().unwrap().is_none() {
        tokio::time::sleep(pause).await;
        let Ok(len @ 1..) = peer.read(&mut part).await else { return };
        requests.push(&part[..len]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_open_ends_the_request_after_20_seconds() {
    let nowhere = |_| pending::<io::Result<Connection>>();
    let (outcome, seconds) = call(Pool::with_connector(nowhere)).await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::Connect), 20));
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_peer_reads_nothing_ends_after_60_seconds() {
    let (outcome, seconds) = upload(|peer| async move {
        pending::<()>().await;
        drop(peer);
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::SendBody), 60));
}

#[tokio::test(start_paused = true)]
async fn a_phase_takes_at_most_twice_its_time() {
    // The pool checks at 800 ms that the body is being sent, then after each 900 ms.
    let mut timeouts = Timeouts::for_body_len(0);
    timeouts.resolve = Duration::from_millis(400);
    timeouts.connect = Duration::from_millis(400);
    timeouts.send_request = Duration::from_millis(1000);
    timeouts.send_body = Duration::from_millis(1000);
    timeouts.recv_response = Duration::from_millis(900);
    let pool = peers::pool(1 << 10, |peer| async move {
        pending::<()>().await;
        drop(peer);
    });
    let body = RequestBody::from(lark_proto::body::Body::from(vec![7; 1 << 20]));
    let mut request = Request::put("http://localhost/").body(body).unwrap();
    request.extensions_mut().insert(timeouts);
    let start = Instant::now();
    let error = pool.call(request).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout(Phase::SendBody)), "{error:?}");
    assert_eq!(start.elapsed().as_millis() / 100, 18);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_slowly_ends_with_the_time_of_its_length() {
    let slowly = |mut peer| async move { take(&mut peer, Duration::from_millis(100)).await };
    let (outcome, seconds) = upload(slowly).await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::SendBody), 20 + 30 + 97));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_come_ends_the_request_with_the_time_of_its_length() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer, Duration::ZERO).await;
        pending::<()>().await;
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::RecvResponse), 20 + 120 + 97));
}

#[tokio::test(start_paused = true)]
async fn a_replys_body_that_stops_ends_30_seconds_after_its_head() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer, Duration::ZERO).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"code\":").await.unwrap();
        pending::<()>().await;
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::RecvBody), 100 + 30));
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_reply_shows_its_length_and_its_end() {
    for (sent, ends) in [("{}", None), ("{", Some(Phase::RecvBody))] {
        let pool = peers::pool(1 << 10, move |mut peer| async move {
            take(&mut peer, Duration::ZERO).await;
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{sent}");
            peer.write_all(reply.as_bytes()).await.unwrap();
            pending::<()>().await;
        });
        let image = RequestBody::from(lark_proto::body::Body::from(vec![7]));
        let request = Request::put("http://localhost/").body(image).unwrap();
        let mut body = pool.call(request).await.unwrap().into_body();
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), sent);
        assert_eq!(body.is_end_stream(), ends.is_none());
        let error = body.frame().await.map(|frame| format!("{:?}", frame.unwrap_err()));
        let expected = ends.map(|phase| format!("{:?}", TransportError::Timeout(phase)));
        assert_eq!(error, expected);
        assert!(body.is_end_stream());
    }
}

#[test]
fn a_pool_shows_nothing_of_its_connections() {
    assert_eq!(format!("{:?}", Pool::new()), "Pool { .. }");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reply_within_its_time_is_read() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer, Duration::from_millis(20)).await;
        tokio::time::sleep(Duration::from_secs(200)).await;
        peer.write_all(&taken()).await.unwrap();
    })
    .await;
    assert_eq!(outcome.unwrap().as_str(), "img_1");
    assert!((325..364).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn an_endless_reply_of_empty_frames_ends_with_the_call() {
    struct Nothing;
    impl Body for Nothing {
        type Data = Bytes;
        type Error = TransportError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
    }
    let service = service_fn(async |_| Ok::<_, TransportError>(Response::new(Nothing)));
    let limits = Limits::one_attempt().total(Duration::from_millis(100));
    let client = Client::with_service(Site::LARK, App::None, service, TokioTimer::new());
    let outcome = client.with_limits(limits).call_as(&token(), &put()).await;
    assert!(matches!(outcome.unwrap_err().kind, CallErrorKind::Deadline));
}

#[tokio::test(start_paused = true)]
async fn any_number_of_dead_connections_costs_one_attempt() {
    const KEPT: usize = 3;
    let together = Arc::new(Barrier::new(KEPT));
    let opened = AtomicUsize::new(0);
    // Each connection answers one request. It drops the next one without a reply.
    let client = client(move |mut far| {
        let is_kept = opened.fetch_add(1, Ordering::Relaxed) < KEPT;
        let together = together.clone();
        async move {
            take(&mut far, Duration::ZERO).await;
            if is_kept {
                together.wait().await;
            }
            far.write_all(&taken()).await.unwrap();
            take(&mut far, Duration::ZERO).await;
        }
    });
    let token = token();
    let put = put();
    let call = || client.call_as(&token, &put);
    let kept = tokio::join!(call(), call(), call());
    assert!(kept.0.is_ok() && kept.1.is_ok() && kept.2.is_ok(), "{kept:?}");
    let client = client.clone().with_limits(Limits::default().attempts(2));
    client.call_as(&token, &put).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_15_seconds() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = opened.clone();
    let client = client(move |mut far| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            loop {
                take(&mut far, Duration::ZERO).await;
                if far.write_all(&taken()).await.is_err() {
                    break;
                }
            }
        }
    });
    for (idle, connections) in [(0, 1), (14, 1), (16, 2)] {
        tokio::time::sleep(Duration::from_secs(idle)).await;
        client.call_as(&token(), &put()).await.unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), connections, "{idle}");
    }
}
