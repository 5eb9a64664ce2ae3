//! Connections to the fake.

use std::time::{Duration, UNIX_EPOCH};

use lark_proto::endpoints::{GetImage, GetTenantToken, SendImage};
use lark_proto::fake::http1::Requests;
use lark_proto::fake::{Connection, ConnectionFault, FakeLark, ServerStep, TokenKind};
use lark_proto::{PutImage, WriteSheetImage};

use crate::fake::assert_accepted;
use crate::reply::{decode, download, spreadsheets};

/// Sends the bytes of any connection to the fake. The fake never panics, a second fake gives the same replies, the
/// connection gives them as bytes, whatever the pieces and the faults of the connection, and no reply makes a decoder
/// panic.
///
/// The input is requests as HTTP/1.1 writes them, up to the first one that [`Requests`] refuses.
pub fn connection(data: &[u8]) {
    let mut fakes = [fresh(), fresh()];
    let mut requests = Requests::new();
    requests.push(data);
    let mut replies = Vec::new();
    // The fake limits the parts of a form, so that an input of separators alone does not take a second.
    for second in 0..20 {
        let Ok(Some(request)) = requests.request() else { break };
        let now = UNIX_EPOCH + Duration::from_secs(second);
        let [one, other] = fakes.each_mut().map(|fake| fake.handle(now, request.clone()));
        assert_eq!((one.status(), one.headers()), (other.status(), other.headers()));
        assert_eq!(one.body(), other.body());
        assert_accepted(&request, &one, &fakes[0]);
        decode::<PutImage>(&one);
        decode::<WriteSheetImage>(&one);
        decode::<SendImage>(&one);
        decode::<GetTenantToken>(&one);
        download::<GetImage>(&one);
        spreadsheets(&one);
        let is_last = request.headers().get("connection").is_some_and(|value| value == "close");
        replies.push(lark_proto::fake::http1::reply(&one));
        if is_last {
            break;
        }
    }
    if replies.len() == 20 {
        return;
    }
    let whole = served(data, data.len().max(1), None);
    assert!(whole == replies.concat(), "the connection writes other replies");
    assert!(served(data, 1 + data.len() % 61, None) == whole, "the pieces change the replies");
    let faults = [
        ConnectionFault::BeforeBody,
        ConnectionFault::DuringBody,
        ConnectionFault::AfterBody,
        ConnectionFault::CutReply,
        ConnectionFault::SlowReply(Duration::from_secs(5)),
    ];
    let fault = faults[data.len() % faults.len()];
    let broken = served(data, 1 + data.len() % 61, Some(fault));
    assert!(whole.starts_with(&broken), "a broken connection writes another reply");
}

fn fresh() -> FakeLark {
    let mut fake = FakeLark::new();
    fake.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(60));
    fake
}

/// The bytes that a connection writes, if it reads this many bytes at a time. Each request takes a second.
fn served(data: &[u8], piece: usize, fault: Option<ConnectionFault>) -> Vec<u8> {
    let mut fake = fresh();
    if let Some(fault) = fault {
        fake.fail_next(fault);
    }
    let mut connection = Connection::new();
    let mut pieces = data.chunks(piece);
    let mut written = Vec::new();
    let mut seconds = 0;
    loop {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        let step = connection.next(&mut fake, now);
        let shown = format!("{step:?} {connection:?}");
        assert!(shown.len() < 1024 && !shown.contains("Bearer"), "{shown}");
        match step {
            ServerStep::Read => match pieces.next() {
                Some(piece) => connection.push(piece),
                None => break,
            },
            ServerStep::Write(bytes) => {
                written.extend_from_slice(&bytes);
                seconds += 1;
            }
            ServerStep::Wait(time) => {
                assert!(!time.is_zero());
                seconds += time.as_secs();
            }
            ServerStep::Close => break,
        }
    }
    connection.end(&mut fake);
    written
}
