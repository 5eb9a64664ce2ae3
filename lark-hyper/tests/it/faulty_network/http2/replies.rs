//! Replies over HTTP/2 that are too much, in memory and in paused time.

use std::future::{poll_fn, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Connection, Pool, TransportError};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Endpoint, Limits};
use tokio::io::DuplexStream;

use crate::support::{peers, put, token};

const GIB: u64 = 1 << 30;
/// More bytes than the windows of the client and the pipe hold.
const BUFFERS: u64 = 16 << 20;

/// Replies to each request with `head` and a body of `len` spaces, and counts the bytes that are sent of it.
async fn serve(
    io: DuplexStream,
    head: Response<()>,
    len: u64,
    sent: Arc<AtomicU64>,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(io).await?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request?;
        let stream = respond.send_response(head.clone(), false)?;
        tokio::spawn(send(stream, len, sent.clone()));
    }
    Ok(())
}

/// Sends a body within the windows of the client, until it resets the stream.
async fn send(
    mut stream: h2::SendStream<Bytes>,
    len: u64,
    sent: Arc<AtomicU64>,
) -> Result<(), h2::Error> {
    let part = Bytes::from(vec![b' '; 1 << 14]);
    while sent.load(Ordering::Relaxed) < len {
        stream.reserve_capacity(part.len());
        let Some(capacity) = poll_fn(|context| stream.poll_capacity(context)).await else { break };
        let part = part.slice(..part.len().min(capacity?));
        sent.fetch_add(part.len() as u64, Ordering::Relaxed);
        stream.send_data(part, false)?;
    }
    stream.send_data(Bytes::new(), true)
}

/// The failure of an upload with this reply, and how many bytes of the reply's body were sent.
async fn failure(head: Response<()>, len: u64) -> (CallError, u64) {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let pool = Pool::with_connector(move |_| {
        let (near, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(serve(far, head.clone(), len, counted.clone()));
        ready(io::Result::Ok(Connection::new(TokioIo::new(near)).http2(true)))
    });
    let client = Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new());
    let client = client.with_limits(Limits::one_attempt());
    let error = client.call_as(&token(), &put()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
    (error, sent.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_head_of_a_thousand_headers_or_of_a_mebibyte_is_an_error_of_the_transport() {
    let many =
        (0..1000).fold(Response::builder(), |head, number| head.header(format!("x-{number}"), "a"));
    let long = Response::builder().header("x-long", "a".repeat(1 << 20));
    for head in [many, long] {
        let (error, _) = failure(head.body(()).unwrap(), 0).await;
        let is_failed = matches!(error.kind, CallErrorKind::Transport(TransportError::Failed(_)));
        assert!(is_failed, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_a_gibibyte_is_read_up_to_the_limit() {
    let limit = put().reply_limit();
    let (error, sent) = failure(Response::new(()), GIB).await;
    let is_too_large =
        matches!(error.kind, CallErrorKind::TooLarge { limit: found } if found == limit);
    assert!(is_too_large, "{error:?}");
    assert!((limit..limit + BUFFERS).contains(&sent), "{sent}");
}
