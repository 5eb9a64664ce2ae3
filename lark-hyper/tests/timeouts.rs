//! How long the pool waits for each phase of a request, on a paused clock and an in-memory connection.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Pool, Timeout, TransportError};
use lark_proto::{App, Failure, Image, ImageKey, Limits, PutImage, Site, TenantToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

/// One end of a pipe, which the pool takes for a connection.
struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// An upload of 6.4 MB, or 98 times 64 KiB, to a peer that does `peer`; how it ended and how many seconds that took.
async fn upload<F: Future<Output = ()> + Send + 'static>(
    peer: impl Fn(DuplexStream) -> F + Clone + Send + Sync + 'static,
) -> (Result<ImageKey, CallError>, u64) {
    let connector = tower::service_fn(move |_: http::Uri| {
        let (near, far) = tokio::io::duplex(1 << 10);
        tokio::spawn(peer(far));
        Box::pin(async { Ok::<_, io::Error>(Pipe(TokioIo::new(near))) })
    });
    call(Pool::with_connector(connector)).await
}

async fn call<C>(pool: Pool<C>) -> (Result<ImageKey, CallError>, u64)
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let image = Image::new([b"GIF89a".as_slice(), &[7; 6_400_000]].concat()).unwrap();
    let put = PutImage::message(image).unwrap();
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    let client =
        Client::with_service(site, App::None, pool, TokioTimer::new()).with_limits(Limits::none());
    let start = Instant::now();
    let outcome = client.call_as(&TenantToken::new("t-1").unwrap(), &put).await;
    (outcome, start.elapsed().as_secs())
}

fn timeout(outcome: Result<ImageKey, CallError>) -> Option<Timeout> {
    match outcome.unwrap_err().kind {
        Failure::Transport(TransportError::Timeout(timeout)) => Some(timeout),
        _ => None,
    }
}

/// Takes the whole request: everything up to the end of its form.
async fn take(peer: &mut DuplexStream) {
    let (mut tail, mut part) = (Vec::new(), [0; 1 << 14]);
    while !tail.ends_with(b"--\r\n") {
        let len = peer.read(&mut part).await.unwrap();
        tail.drain(..tail.len().saturating_sub(4));
        tail.extend_from_slice(&part[..len]);
    }
}

#[tokio::test(start_paused = true)]
async fn to_connect() {
    let nowhere = tower::service_fn(|_: http::Uri| {
        Box::pin(async {
            pending::<()>().await;
            Err::<Pipe, _>(io::Error::other("never"))
        })
    });
    let (outcome, seconds) = call(Pool::with_connector(nowhere)).await;
    assert_eq!((timeout(outcome), seconds), (Some(Timeout::Connect), 50));
}

#[tokio::test(start_paused = true)]
async fn to_send_the_body() {
    let (outcome, seconds) = upload(|peer| async move {
        pending::<()>().await;
        drop(peer);
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Timeout::SendBody), 50 + 30 + 97));
}

#[tokio::test(start_paused = true)]
async fn to_get_an_answer() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer).await;
        pending::<()>().await;
    })
    .await;
    let all = 50 + 30 + 97 + 120 + 97;
    assert_eq!((timeout(outcome), seconds), (Some(Timeout::RecvResponse), all));
}

#[tokio::test(start_paused = true)]
async fn to_get_the_answers_body() {
    let (outcome, seconds) = upload(|mut peer| async move {
        take(&mut peer).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"code\":").await.unwrap();
        pending::<()>().await;
    })
    .await;
    assert_eq!((timeout(outcome), seconds), (Some(Timeout::RecvBody), 100 + 30));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_within_its_time_is_one() {
    let (outcome, seconds) = upload(|mut peer| async move {
        tokio::time::sleep(Duration::from_secs(150)).await;
        take(&mut peer).await;
        tokio::time::sleep(Duration::from_secs(200)).await;
        let reply = r#"{"code":0,"data":{"image_key":"img_1"}}"#;
        let len = reply.len();
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{reply}");
        peer.write_all(reply.as_bytes()).await.unwrap();
    })
    .await;
    assert_eq!((outcome.unwrap().as_str(), seconds), ("img_1", 350));
}
