//! A server that floods its connection with SETTINGS or PING frames, each of which the client has to acknowledge.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{Client, Connection, Pool};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Limits};

use super::frames::{DATA, PING, PREFACE, SETTINGS, frame};
use crate::support::{peers, put, token};

/// The traffic of a connection so far.
#[derive(Default)]
struct Counts {
    /// The bytes of the flood.
    written: AtomicU64,
    /// The frames with a part of a request's body.
    data: AtomicU64,
}

/// More bytes than the system buffers on both ends of a connection.
const BUFFERS: u64 = 48 << 20;

/// Sends `flood` until the client closes the connection. Reads the acknowledgements, if `reads`.
fn play(mut stream: TcpStream, flood: &[u8], reads: bool, counts: &Arc<Counts>) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    if reads {
        let (theirs, counts) = (stream.try_clone()?, counts.clone());
        std::thread::spawn(move || read_frames(theirs, &counts.data));
    }
    loop {
        counts.written.fetch_add(stream.write(flood)? as u64, Ordering::Relaxed);
    }
}

/// Reads all frames, and counts those with data.
fn read_frames(mut stream: TcpStream, data: &AtomicU64) -> io::Result<()> {
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

/// The end of a call whose connection is flooded, and the number of bytes of the flood.
async fn flooded(frame: &[u8], reads: bool) -> (CallErrorKind<lark_hyper::TransportError>, u64) {
    let counts = Arc::new(Counts::default());
    let (theirs, flood) = (counts.clone(), frame.repeat(1000));
    let address = peers::serve(move |stream| play(stream, &flood, reads, &theirs));
    let pool = Pool::with_connector(move |_| async move {
        let stream = tokio::net::TcpStream::connect(address).await?;
        io::Result::Ok(Connection::new(TokioIo::new(stream)).http2(true))
    });
    let limits = Limits::one_attempt().total(Duration::from_millis(500));
    let client = Client::with_service(peers::site(address), App::None, pool, TokioTimer::new());
    let error = client.with_limits(limits).call_as(&token(), &put()).await.unwrap_err();
    // The flood may have begun before the request.
    let is_sent = counts.data.load(Ordering::Relaxed) > 0;
    let expected =
        if is_sent { &[Outcome::Unknown][..] } else { &[Outcome::Unknown, Outcome::NotSent] };
    assert!(expected.contains(&error.outcome()), "{error:?}");
    (error.kind, counts.written.load(Ordering::Relaxed))
}

fn floods() -> [Vec<u8>; 2] {
    // ENABLE_PUSH is off.
    [frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0]), frame(PING, 0, 0, &[7; 8])]
}

#[tokio::test]
async fn a_flood_whose_acknowledgements_nobody_reads_is_not_read_either() {
    for flood in floods() {
        let (kind, written) = flooded(&flood, false).await;
        let is_typed = matches!(kind, CallErrorKind::Deadline | CallErrorKind::Transport(_));
        assert!(is_typed, "{kind:?}");
        assert!(written < BUFFERS, "{written}");
    }
}

#[tokio::test]
async fn a_call_in_a_flood_ends_with_its_deadline() {
    for flood in floods() {
        let (kind, _) = flooded(&flood, true).await;
        assert!(matches!(kind, CallErrorKind::Deadline), "{kind:?}");
    }
}
