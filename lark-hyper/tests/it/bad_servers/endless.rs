//! Replies without an end, and replies as long as the limit.

use std::time::Duration;

use lark_proto::Limits;

use super::scripted::{Act, End, Server, put, reply, served, taken};

/// The client's default limit.
const LIMIT: u64 = 1 << 20;
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn script(reply: Vec<u8>, then: Act) -> Vec<Act> {
    vec![Act::Head, Act::Body, Act::Write(reply), then]
}

/// A successful reply with a body of `len` bytes, in each kind of framing, and the server's next act.
fn padded(len: usize) -> [(Vec<u8>, Act); 3] {
    let body = taken("img_1");
    let body = format!("{body}{}", " ".repeat(len - body.len()));
    let chunks = format!("1\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..1], len - 1, &body[1..]);
    [
        (reply(&format!("HTTP/1.1 200 OK\r\nContent-Length: {len}"), &body), Act::Serve),
        (reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", &chunks), Act::Serve),
        (reply("HTTP/1.1 200 OK", &body), Act::Finish),
    ]
}

#[tokio::test]
async fn a_reply_is_read_up_to_the_limit() {
    for (len, end) in [(1000, served(1)), (1001, End::TooLarge(1000))] {
        for (reply, then) in padded(len) {
            let server = Server::start(script(reply, then)).await;
            let client = server.client().with_reply_limit(1000);
            assert_eq!(put(&client, 9).await, end);
            // The first connection is used again if its reply was read to the end.
            let next = put(&client, 9).await;
            assert!([served(1), served(2)].contains(&next), "{next:?}");
        }
    }
}

/// Checks that a call whose reply is `begin` and then `more` without an end ends with `end`, that the client closes the
/// connection, and that the next call uses another one.
async fn ends(begin: &str, more: &str, end: End) {
    let endless = Act::Endless(more.repeat(4096 / more.len() + 1).into_bytes());
    let mut server = Server::start(script(begin.as_bytes().to_vec(), endless)).await;
    let client = server.client();
    assert_eq!(put(&client, 9).await, end, "{begin}{more}");
    let closed = server.closed().await;
    // The limit is above the client's, since the system buffers some of the bytes.
    assert!(closed.connection == 1 && closed.written < 64 << 20, "{closed:?} {begin}{more}");
    assert_eq!(put(&client, 9).await, served(2), "{begin}{more}");
}

#[tokio::test]
async fn an_endless_body_is_too_large() {
    let huge = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 63);
    let large_chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let small_chunk = format!("40\r\n{}\r\n", " ".repeat(0x40));
    for (begin, more) in [
        ("HTTP/1.1 200 OK\r\n\r\n", " "),
        ("HTTP/1.0 413 Large\r\n\r\n", "<html>"),
        (&huge, " "),
        (CHUNKED, &large_chunk),
        (CHUNKED, &small_chunk),
    ] {
        ends(begin, more, End::TooLarge(LIMIT)).await;
    }
}

#[tokio::test]
async fn an_endless_head_is_an_error_of_the_transport() {
    for (begin, more) in [
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nA: ", "b"),
        ("HTTP/1.1 200 OK\r\n", "a"),
        ("HTTP/1.1 200 O", "K"),
        ("", "garbage "),
    ] {
        ends(begin, more, End::Transport).await;
    }
    for (begin, more) in [("5;", "extension"), ("0\r\n", "Trailer: 1\r\n"), ("0\r\nTrailer: ", "1")]
    {
        ends(&format!("{CHUNKED}{begin}"), more, End::Transport).await;
    }
}

#[tokio::test]
async fn endless_interim_replies_end_with_the_call() {
    let limits = Limits::one_attempt().total(Duration::from_millis(300));
    for interim in ["HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints\r\nLink: </a>"] {
        let endless = Act::Endless(reply(interim, "").repeat(100));
        let mut server = Server::start(script(Vec::new(), endless)).await;
        let client = server.client().with_limits(limits);
        assert_eq!(put(&client, 9).await, End::Deadline, "{interim}");
        assert_eq!(server.closed().await.connection, 1, "{interim}");
        assert_eq!(put(&client, 9).await, served(2), "{interim}");
    }
}
