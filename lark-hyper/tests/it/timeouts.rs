//! How long the pool waits for each phase of a request, on a paused clock and an in-memory connection.

use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Connection, Frames, Pool, ReplyBody, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::session::Phase;
use lark_proto::{App, Image, ImageKey, Limits, PutImage, Site, TenantToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Barrier;
use tokio::time::Instant;

/// An upload of 6.4 MB, or 98 times 64 KiB, to a peer that does `peer`; how it ended and how many seconds that took.
async fn upload<F: Future<Output = ()> + Send + 'static>(
    peer: impl Fn(DuplexStream) -> F + Clone + Send + Sync + 'static,
) -> (Result<ImageKey, CallError>, u64) {
    let connector = move |_| {
        let (near, far) = tokio::io::duplex(1 << 10);
        tokio::spawn(peer(far));
        ready(Ok::<_, io::Error>(Connection::new(TokioIo::new(near))))
    };
    call(Pool::with_connector(connector)).await
}

async fn call<S>(pool: S) -> (Result<ImageKey, CallError>, u64)
where
    S: Service<Request<Frames>, Response = Response<ReplyBody>, Error = TransportError>,
{
    let image = Image::new([b"GIF89a".as_slice(), &[7; 6_400_000]].concat()).unwrap();
    let put = PutImage::message(image).unwrap();
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    let client = Client::with_service(site, App::None, pool, TokioTimer::new())
        .with_limits(Limits::one_attempt());
    let start = Instant::now();
    let outcome = client.call_as(&TenantToken::new("t-1").unwrap(), &put).await;
    (outcome, start.elapsed().as_secs())
}

fn timeout(outcome: Result<ImageKey, CallError>) -> Option<Phase> {
    match outcome.unwrap_err().kind {
        CallErrorKind::Transport(TransportError::Timeout(timeout)) => Some(timeout),
        _ => None,
    }
}

/// Takes the whole request, a kilobyte every so often.
async fn take(peer: &mut DuplexStream, pause: Duration) {
    let (mut requests, mut part) = (Requests::new(), [0; 1 << 10]);
    while requests.request().unwrap().is_none() {
        tokio::time::sleep(pause).await;
        let Ok(len @ 1..) = peer.read(&mut part).await else { return };
        requests.push(&part[..len]);
    }
}

#[tokio::test(start_paused = true)]
async fn to_connect() {
    let nowhere = |_| pending::<io::Result<Connection>>();
    let (outcome, seconds) = call(Pool::with_connector(nowhere)).await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::Connect), 20));
}

#[tokio::test(start_paused = true)]
async fn for_a_peer_that_takes_nothing() {
    let (outcome, seconds) = upload(|peer| async move {
        pending::<()>().await;
        drop(peer);
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::SendBody), 60));
}

#[tokio::test(start_paused = true)]
async fn to_send_the_body() {
    let slowly = |mut peer| async move { take(&mut peer, Duration::from_millis(100)).await };
    let (outcome, seconds) = upload(slowly).await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::SendBody), 20 + 30 + 97));
}

#[tokio::test(start_paused = true)]
async fn to_get_an_answer() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer, Duration::ZERO).await;
        pending::<()>().await;
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Phase::RecvResponse), 20 + 120 + 97));
}

#[tokio::test(start_paused = true)]
async fn to_get_the_answers_body() {
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
async fn a_slow_answer_within_its_time_is_one() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer, Duration::from_millis(20)).await;
        tokio::time::sleep(Duration::from_secs(200)).await;
        let reply = Response::new(r#"{"code":0,"data":{"image_key":"img_1"}}"#.into());
        peer.write_all(&http1::reply(&reply)).await.unwrap();
    })
    .await;
    assert_eq!(outcome.unwrap().as_str(), "img_1");
    assert!((325..364).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_body_without_an_end_ends_with_the_call() {
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
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let token = TenantToken::new("t-1").unwrap();
    let outcome = client.with_limits(limits).call_as(&token, &put).await;
    assert!(matches!(outcome.unwrap_err().kind, CallErrorKind::Deadline));
}

/// Each connection answers one request and is then silent for the next, which it drops.
#[tokio::test(start_paused = true)]
async fn any_number_of_dead_connections_costs_one_attempt() {
    const KEPT: usize = 3;
    let together = Arc::new(Barrier::new(KEPT));
    let opened = Arc::new(AtomicUsize::new(0));
    let connector = move |_| {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let is_first = opened.fetch_add(1, Ordering::Relaxed) < KEPT;
        let together = together.clone();
        tokio::spawn(async move {
            take(&mut far, Duration::ZERO).await;
            if is_first {
                together.wait().await;
            }
            let reply = Response::new(r#"{"code":0,"data":{"image_key":"img_1"}}"#.into());
            far.write_all(&http1::reply(&reply)).await.unwrap();
            take(&mut far, Duration::ZERO).await;
        });
        ready(Ok::<_, io::Error>(Connection::new(TokioIo::new(near))))
    };
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    let pool = Pool::with_connector(connector);
    let client = Client::with_service(site, App::None, pool, TokioTimer::new());
    let (token, put) = (
        TenantToken::new("t-1").unwrap(),
        PutImage::message(Image::new("GIF89a").unwrap()).unwrap(),
    );
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
    let connector = move |_| {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        counted.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            loop {
                take(&mut far, Duration::ZERO).await;
                let reply = Response::new(r#"{"code":0,"data":{"image_key":"img_1"}}"#.into());
                if far.write_all(&http1::reply(&reply)).await.is_err() {
                    break;
                }
            }
        });
        ready(Ok::<_, io::Error>(Connection::new(TokioIo::new(near))))
    };
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    let pool = Pool::with_connector(connector);
    let client = Client::with_service(site, App::None, pool, TokioTimer::new());
    let token = TenantToken::new("t-1").unwrap();
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    for (idle, connections) in [(0, 1), (14, 1), (16, 2)] {
        tokio::time::sleep(Duration::from_secs(idle)).await;
        client.call_as(&token, &put).await.unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), connections, "{idle}");
    }
}
