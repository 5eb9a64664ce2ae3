//! The limits of a reply, of its head and of a proxy's reply.

use std::future::ready;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use lark_hyper::{Client, Connection, Pool};
use lark_proto::{App, Limits};
use tokio::runtime::Builder;

use super::{Listener, Setup, side_by_side, uploads};
use crate::support::peers::{self, site};
use crate::support::{put, token};

const BODY: &str = r#"{"code":0,"data":{"image_key":"img_x"}}"#;

/// A successful reply with a head of `headers` headers and `len` bytes.
fn sized(headers: usize, len: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", BODY.len());
    for _ in 2..headers {
        head += "A: b\r\n";
    }
    let rest = len.saturating_sub(head.len() + "X: \r\n\r\n".len());
    format!("{head}X: {}\r\n\r\n{BODY}", "x".repeat(rest)).into_bytes()
}

/// Whether each client reads this reply.
fn are_read(reply: Vec<u8>) -> [bool; 2] {
    let server = Listener::start(move |_| reply.clone());
    let ends = uploads(&site(server.address), &Setup::default());
    ["lark-ureq with a token", "lark-hyper with a token"]
        .map(|name| ends.iter().any(|(client, end)| *client == name && end.is_ok()))
}

#[test]
fn a_head_has_at_most_a_number_of_headers() {
    let rows = [
        (99, true, true),
        (100, true, true),
        (101, true, false),
        (127, true, false),
        (128, true, false),
        (129, false, false),
    ];
    side_by_side(rows, |(headers, by_ureq, by_hyper)| {
        assert_eq!(are_read(sized(headers, 0)), [by_ureq, by_hyper], "{headers}");
    });
}

#[test]
fn a_head_has_at_most_a_number_of_bytes() {
    let (ureq, hyper) = (64 << 10, 408 << 10);
    let rows = [
        (ureq - 1, true, true),
        (ureq, true, true),
        (ureq + 1, false, true),
        // hyper compares the length before each read, and the last read may complete the head.
        (hyper - 1, false, true),
        (2 * hyper, false, false),
    ];
    side_by_side(rows, |(len, by_ureq, by_hyper)| {
        assert_eq!(are_read(sized(3, len)), [by_ureq, by_hyper], "{len}");
    });
}

/// Whether an upload gets its reply over HTTP/2 with headers of `size` bytes, as RFC 9113 counts them.
async fn is_read_over_http2(size: usize) -> bool {
    let pool = Pool::with_connector(move |_| {
        let (near, far) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(far).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                // `:status` with `200`, and `x`.
                let rest = size - (32 + 7 + 3) - (32 + 1);
                let reply = Response::builder().header("x", "x".repeat(rest)).body(()).unwrap();
                let mut body = respond.send_response(reply, false).unwrap();
                let _ = body.send_data(Bytes::from(BODY), true);
            }
        });
        ready(io::Result::Ok(Connection::new(TokioIo::new(near)).http2(true)))
    });
    let client = Client::with_service(peers::nowhere(), App::None, pool, TokioTimer::new())
        .with_limits(Limits::one_attempt());
    client.call_as(&token(), &put()).await.is_ok()
}

#[test]
fn the_headers_of_a_reply_over_http2_have_less_than_16_kib() {
    let limit = 16 << 10;
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for (size, is_read) in [(limit - 1, true), (limit, false), (limit + 1, false)] {
        assert_eq!(runtime.block_on(is_read_over_http2(size)), is_read, "{size}");
    }
}

/// A successful reply with a body of `len` bytes, in each kind of framing that keeps the connection.
fn padded(len: usize) -> [Vec<u8>; 2] {
    let body = format!("{BODY}{}", " ".repeat(len - BODY.len()));
    let chunks = format!("1\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..1], len - 1, &body[1..]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    [super::reply("200 OK", &body), format!("{chunked}{chunks}").into_bytes()]
}

#[test]
fn a_reply_has_at_most_the_bytes_of_its_limit() {
    // The limit of an upload's reply.
    let limit = 1 << 20;
    side_by_side([(limit - 1, true), (limit, true), (limit + 1, false)], |(len, is_read)| {
        for reply in padded(len) {
            assert_eq!(are_read(reply), [is_read; 2], "{len}");
        }
    });
}

/// A proxy whose reply to `CONNECT` begins with `begin` and repeats `more`, until the client closes the connection.
/// Returns the number of bytes that it could write to each client.
fn endless_proxy(begin: &'static str, more: &'static str) -> Vec<usize> {
    let written: Arc<Mutex<Vec<usize>>> = Arc::default();
    let counted = written.clone();
    let proxy = peers::serve(move |mut stream| {
        let mut head = [0; 1024];
        let _ = stream.read(&mut head)?;
        let mut sum = 0;
        let mut bytes = begin.as_bytes().to_vec();
        while stream.write_all(&bytes).is_ok() && sum < MANY {
            sum += bytes.len();
            bytes = more.repeat(4096 / more.len()).into_bytes();
        }
        counted.lock().unwrap().push(sum);
        Ok(())
    });
    let ends = uploads(&peers::nowhere(), &Setup::through(proxy));
    assert!(ends.iter().all(|(_, end)| end.is_err()), "{ends:?}");
    // The proxy notices the end of a connection a moment after the client.
    while written.lock().unwrap().len() < ends.len() {
        std::thread::yield_now();
    }
    std::mem::take(&mut *written.lock().unwrap())
}

/// More than the buffers of two sockets and of a client hold.
const MANY: usize = 64 << 20;

#[test]
fn an_endless_head_of_a_proxy_ends_the_connection() {
    let rows = [
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 OK\r\nA: ", "b"),
        ("HTTP/1.1 403 ", "No"),
        ("HTTP/1.1 200 O", "K"),
        ("", "garbage "),
    ];
    side_by_side(rows, |(begin, more)| {
        let written = endless_proxy(begin, more);
        assert!(written.iter().all(|sum| *sum < MANY), "{begin}{more}: {written:?}");
    });
}
