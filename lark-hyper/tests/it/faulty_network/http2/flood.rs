//! A server that floods its connection with SETTINGS or PING frames, each of which the client has to acknowledge.

use std::future::{pending, ready};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{CallError, Client, Connection, Pool};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frames::{DATA, PING, PREFACE, SETTINGS, frame};
use crate::support::{peers, put, token};

/// The bytes that a connection in memory buffers in each direction.
const PIPE: usize = 64 << 10;
/// The bytes of the flood over a connection in memory.
const FLOOD: usize = 4 << 20;
/// More bytes than the client reads until its acknowledgements fill the pipe. An acknowledgement has at least 9 bytes,
/// and the frame that asks for it 17 bytes at most.
const READ_AT_MOST: usize = 4 * PIPE;

fn floods() -> [Vec<u8>; 2] {
    // ENABLE_PUSH is off.
    [frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0]), frame(PING, 0, 0, &[7; 8])]
        .map(|frame| frame.repeat(1000))
}

/// The failure of a call over the connections of `pool`, which ends after `total`.
async fn failure(pool: Pool, total: Duration) -> CallError {
    let client = Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new());
    let client = client.with_limits(Limits::one_attempt().total(total));
    client.call_as(&token(), &put()).await.unwrap_err()
}

/// Writes the flood, counts the bytes that the pipe takes, and reads nothing after the client's preface.
async fn pour(mut io: DuplexStream, flood: Vec<u8>, written: Arc<AtomicUsize>) -> io::Result<()> {
    io.read_exact(&mut [0; PREFACE.len()]).await?;
    io.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut done = 0;
    while done < FLOOD {
        // The pipe may take a part of a frame.
        done += io.write(&flood[done % flood.len()..]).await?;
        written.store(done, Ordering::Relaxed);
    }
    pending().await
}

/// The time is paused, so that it passes only when neither side can go on.
#[tokio::test(start_paused = true)]
async fn a_flood_whose_acknowledgements_nobody_reads_is_not_read_either() {
    for flood in floods() {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = written.clone();
        let pool = Pool::with_connector(move |_| {
            let (near, far) = tokio::io::duplex(PIPE);
            tokio::spawn(pour(far, flood.clone(), counted.clone()));
            ready(io::Result::Ok(Connection::new(TokioIo::new(near)).http2(true)))
        });
        let error = failure(pool, Duration::from_secs(5)).await;
        assert!(matches!(error.kind, CallErrorKind::Deadline), "{error:?}");
        assert_ne!(error.outcome(), Outcome::Refused, "{error:?}");
        let written = written.load(Ordering::Relaxed);
        assert!((PIPE..PIPE + READ_AT_MOST).contains(&written), "{written}");
    }
}

/// Sends `flood` until the client closes the connection, and reads the acknowledgements.
fn play(mut stream: TcpStream, flood: &[u8], data: &Arc<AtomicUsize>) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE.len()])?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    let (theirs, data) = (stream.try_clone()?, data.clone());
    std::thread::spawn(move || read_frames(theirs, &data));
    loop {
        stream.write_all(flood)?;
    }
}

/// Reads all frames, and counts those with a part of a request's body.
fn read_frames(mut stream: TcpStream, data: &AtomicUsize) -> io::Result<()> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [high, middle, low, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        stream.read_exact(&mut payload)?;
        if kind == DATA {
            data.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_call_in_a_flood_ends_with_its_deadline() {
    for flood in floods() {
        let data = Arc::new(AtomicUsize::new(0));
        let counted = data.clone();
        let address = peers::serve(move |stream| play(stream, &flood, &counted));
        let pool = Pool::with_connector(move |_| async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            io::Result::Ok(Connection::new(TokioIo::new(stream)).http2(true))
        });
        let error = failure(pool, Duration::from_millis(500)).await;
        assert!(matches!(error.kind, CallErrorKind::Deadline), "{error:?}");
        // The flood may have begun before the request.
        let is_sent = data.load(Ordering::Relaxed) > 0;
        let is_true = match error.outcome() {
            Outcome::Unknown => true,
            Outcome::NotSent => !is_sent,
            _ => false,
        };
        assert!(is_true, "{error:?}");
    }
}
