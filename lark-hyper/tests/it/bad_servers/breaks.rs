//! Servers that close a connection, answer before they have read the request, or stall.

use std::time::Duration;

use lark_hyper::{Client, Pool, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::session::Phase;
use lark_proto::{Image, Limits, TenantToken, WriteSheetImage};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::scripted::{Act, End, Server, ok, put, reply, served};

const SMALL: usize = 9;
/// More bytes than a system buffers for a peer that does not read.
const LARGE: usize = 10_000_000;

/// The client with one attempt and a deadline of `millis`.
fn within(client: Client<Pool>, millis: u64) -> Client<Pool> {
    let limits = Limits::one_attempt().total(Duration::from_millis(millis));
    client.with_limits(limits)
}

/// A refusal with the code 1230001, the log id `log-1` and the headers `more`.
fn refusal(more: &str) -> Act {
    let body = r#"{"code":1230001,"msg":"too large"}"#;
    let len = body.len();
    let head =
        format!("HTTP/1.1 413 Too Large\r\nX-Tt-Logid: log-1{more}\r\nContent-Length: {len}");
    Act::Write(reply(&head, body))
}

fn refused() -> End {
    End::Refused(1_230_001, Some("log-1".into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_an_error_of_the_transport() {
    use Act::{Body, Drain, Finish, Head, Read, Reset};
    for (len, script) in [
        (SMALL, vec![]),
        (SMALL, vec![Head]),
        (SMALL, vec![Head, Body]),
        (SMALL, vec![Head, Body, Finish, Drain]),
        (SMALL, vec![Reset]),
        (LARGE, vec![]),
        (LARGE, vec![Head]),
        (LARGE, vec![Head, Read(LARGE / 2)]),
        (LARGE, vec![Head, Read(LARGE / 2), Finish, Drain]),
        (LARGE, vec![Head, Body]),
        (LARGE, vec![Reset]),
        (LARGE, vec![Head, Read(LARGE / 2), Reset]),
    ] {
        let server = Server::start(script.clone()).await;
        let client = server.client();
        let ends = [put(&client, len).await, put(&client, SMALL).await];
        assert_eq!(ends, [End::Transport, served(2)], "{len} {script:?}");
    }
}

/// The client may or may not have noticed the close, since it may send an upload again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_closed_after_an_answer_is_no_error() {
    for _ in 0..20 {
        let server = Server::start(vec![Act::Head, Act::Body, Act::Write(ok("img_x"))]).await;
        let client = server.client().with_limits(Limits::default());
        let ends = [put(&client, SMALL).await, put(&client, SMALL).await];
        assert_eq!(ends, [End::Key("img_x".into()), served(2)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_before_the_end_of_the_request_is_read() {
    use Act::{Body, Drain, Finish, Head, Hold, Read, Serve};
    const CLOSE: &str = "\r\nConnection: close";
    for script in [
        vec![Head, refusal(""), Body, Serve],
        vec![Head, Read(LARGE / 2), refusal(""), Body, Serve],
        vec![Head, refusal(CLOSE), Drain],
        vec![Head, refusal(CLOSE), Finish, Drain],
        vec![Head, Read(LARGE / 2), refusal(CLOSE), Finish, Drain],
        vec![Head, refusal(""), Hold],
        vec![Head, refusal(CLOSE), Hold],
    ] {
        for _ in 0..5 {
            let server = Server::start(script.clone()).await;
            let client = server.client();
            assert_eq!(put(&client, LARGE).await, refused(), "{script:?}");
            // The first connection can be used again once it has sent the whole body.
            let next = put(&client, SMALL).await;
            let may_be_first = matches!(script[..], [.., Serve]) && next == served(1);
            assert!(may_be_first || next == served(2), "{next:?} {script:?}");
        }
    }
}

/// Linux delivers the bytes that arrived before a reset. A write of the client may fail before it reads the reply.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_before_the_end_of_the_request_is_read_even_if_a_reset_follows() {
    for round in 0..100 {
        for read in [0, LARGE / 2] {
            let script =
                vec![Act::Head, Act::Read(read), refusal("\r\nConnection: close"), Act::Reset];
            let server = Server::start(script).await;
            let client = server.client();
            let ends = [put(&client, LARGE).await, put(&client, SMALL).await];
            assert_eq!(ends, [refused(), served(2)], "{round} {read}");
        }
    }
}

#[tokio::test]
async fn the_connection_to_a_server_that_does_not_answer_in_time_is_closed() {
    let trickle = Act::Trickle(ok("img_late"));
    for script in [
        vec![Act::Head, Act::Body, Act::Drain],
        vec![Act::Head, Act::Body, trickle],
        vec![Act::Head, Act::Body, Act::Write(reply("HTTP/1.1 200 OK", "{")), Act::Drain],
    ] {
        let mut server = Server::start(script.clone()).await;
        let client = within(server.client(), 300);
        let start = Instant::now();
        assert_eq!(put(&client, SMALL).await, End::Deadline, "{script:?}");
        let time = start.elapsed();
        assert!((300..5000).contains(&time.as_millis()), "{time:?} {script:?}");
        assert_eq!(server.closed().await.connection, 1, "the client has closed it");
        assert_eq!(put(&client, SMALL).await, served(2), "{script:?}");
    }
}

#[tokio::test]
async fn the_connection_to_a_server_that_does_not_read_in_time_is_closed() {
    // A paused clock may advance while the system's buffers still take bytes, so it is paused when they are full.
    let pause = async || {
        sleep(Duration::from_millis(200)).await;
        tokio::time::pause();
        Instant::now()
    };
    // The JSON has two bytes for each byte of the image. The call ends by its deadline, or after the minute that the
    // pool gives a connection without progress.
    for (len, total, seconds, is_deadline) in
        [(1_400_000, 42_000, 42.0, true), (20_000_000, 600_000, 60.0, false)]
    {
        let server = Server::start(vec![Act::Hold]).await;
        let client = within(server.client(), total);
        let image = Image::new([b"GIF89a".as_slice(), &vec![7; len]].concat()).unwrap();
        let cell = "Q7PlXT!H7".parse().unwrap();
        let write = WriteSheetImage::new("shtcnabc".parse().unwrap(), cell, image).unwrap();
        let start = Instant::now();
        let token = TenantToken::new("t-1").unwrap();
        let (end, paused) = tokio::join!(client.call_as(&token, &write), pause());
        tokio::time::resume();
        let end = end.unwrap_err();
        let is_right = match &end.kind {
            CallErrorKind::Deadline => is_deadline,
            CallErrorKind::Transport(TransportError::Timeout(Phase::SendBody)) => !is_deadline,
            _ => false,
        };
        assert!(is_right, "{end:?}");
        // The last progress is not before the start, nor after the pause, when time stands still. A timer of tokio is
        // up to a millisecond late.
        let [most, least] = [start, paused].map(|since| since.elapsed().as_secs_f64());
        assert!(least < seconds + 0.01 && seconds <= most, "{least} {most}");
        assert_eq!(put(&client, SMALL).await, served(2));
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let location = elsewhere.local_addr().unwrap();
        let head = format!("HTTP/1.1 {status} Moved\r\nLocation: http://{location}/steal");
        let moved = reply(&format!("{head}\r\nContent-Length: 0"), "");
        let server = Server::start(vec![Act::Head, Act::Body, Act::Write(moved), Act::Serve]).await;
        let client = server.client();
        let ends = [put(&client, SMALL).await, put(&client, SMALL).await];
        assert_eq!(ends, [End::Unreadable(status), served(1)]);
        // The first connection to the other server is this one.
        let probe = tokio::net::TcpStream::connect(location).await.unwrap();
        let (_, first) = elsewhere.accept().await.unwrap();
        assert_eq!(first, probe.local_addr().unwrap());
    }
}
