//! The reader of HTTP/1.1 requests, and the writer of replies.

use http1::{BODY_LIMIT, HEAD_LIMIT, Malformed, Requests, reply};

use super::*;
use crate::wire;

/// The requests in the bytes of a connection, which arrive in `pieces`, and the result of its end.
fn read(pieces: &[&[u8]]) -> (Vec<Request<Bytes>>, Result<(), Malformed>) {
    let mut requests = Requests::new();
    let mut read = Vec::new();
    for piece in pieces {
        requests.push(piece);
        while let Ok(Some(request)) = requests.request() {
            read.push(request);
        }
    }
    let end = requests.end();
    assert_eq!(requests.request().err().is_some(), requests.head().is_err());
    (read, end)
}

fn shown(requests: &[Request<Bytes>]) -> Vec<String> {
    requests.iter().map(|request| format!("{request:?}")).collect()
}

#[test]
fn a_request_that_arrives_in_two_pieces_is_read_as_one() {
    for (name, bytes) in [files("captures"), files("golden")].concat() {
        let whole = [http1::request(&bytes).unwrap()];
        for cut in 0..bytes.len() {
            let (one, other) = bytes.split_at(cut);
            let (read, end) = read(&[one, other]);
            assert_eq!((shown(&read), end), (shown(&whole), Ok(())), "{name} cut at {cut}");
            assert!(http1::request(one).is_err(), "{name} ends at {cut}");
        }
    }
}

#[test]
fn the_bytes_that_wire_writes_are_read_as_the_same_request() {
    for (name, bytes) in files("golden") {
        let request = http1::request(&bytes).unwrap();
        assert_eq!(wire::http1(request, wire::HeaderSecrets::Shown), bytes, "{name}");
    }
}

#[test]
fn pipelined_requests_are_read_one_by_one() {
    let all: Vec<_> = files("captures").into_iter().map(|(_, bytes)| bytes).collect();
    let each: Vec<_> = all.iter().map(|bytes| http1::request(bytes).unwrap()).collect();
    let all = all.concat();
    for len in [1, 2, 7, 500, all.len()] {
        let (read, end) = read(&all.chunks(len).collect::<Vec<_>>());
        assert_eq!((shown(&read), end), (shown(&each), Ok(())), "{len} bytes each");
    }
}

#[test]
fn a_head_is_available_before_its_body() {
    let mut requests = Requests::new();
    requests.push(b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r");
    assert!(requests.head().unwrap().is_none() && requests.request().unwrap().is_none());
    assert_eq!((requests.arrived(), requests.missing()), (0, 0));
    requests.push(b"\n12");
    assert_eq!(requests.head().unwrap().unwrap().uri, "/x?y");
    assert_eq!((requests.arrived(), requests.missing()), (2, 1));
    requests.push(b"3GET /z HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((requests.arrived(), requests.missing()), (3, 0));
    assert_eq!(requests.request().unwrap().unwrap().body(), "123");
    assert_eq!(requests.head().unwrap().unwrap().uri, "/z");
    assert_eq!(requests.request().unwrap().unwrap().method(), Method::GET);
    assert!(requests.head().unwrap().is_none() && requests.request().unwrap().is_none());
    assert_eq!(requests.end(), Ok(()));
}

#[test]
fn a_head_that_breaks_a_rule_is_refused_with_the_rule() {
    let long = format!("X: {}", "x".repeat(HEAD_LIMIT));
    let many = vec!["X: y"; 101].join("\r\n");
    let large = format!("Content-Length: {}", BODY_LIMIT + 1);
    for (line, field, refusal) in [
        ("GET / HTTP/1.0", "A: b", "the version is HTTP/1.0; send HTTP/1.1"),
        ("GET / HTTP/2.0", "A: b", "line 1 `GET / HTTP/2.0`: invalid HTTP version"),
        ("GET  / HTTP/1.1", "A: b", "line 1 `GET  / HTTP/1.1`: invalid token"),
        ("GET /", "A: b", "line 1 `GET /`: invalid token"),
        ("\u{16}\u{3}", "A: b", "byte `\\x16` cannot begin a method; send HTTP/1.1 without TLS"),
        ("\r\nGET / HTTP/1.1", "", "byte `\\r` cannot begin a method"),
        ("GET * HTTP/1.1", "A: b", "the target `*` is not a path; send /path?query"),
        ("GET http://a/ HTTP/1.1", "A: b", "the target `http://a/` is not a path"),
        ("GET /a#b HTTP/1.1", "A: b", "the target `/a#b` is not a path"),
        ("GET /#Bearer%20t-1 HTTP/1.1", "A: b", "the target `/#` is not a path"),
        ("GET /\u{e9} HTTP/1.1", "A: b", "the target `/\\xc3\\xa9` is not a path"),
        ("GET / HTTP/1.1\nA: b", "A: b", "line 1 ends in LF alone; end it in CRLF"),
        ("GET / HTTP/1.1", "A: b\nC: d", "line 3 ends in LF alone"),
        ("GET / HTTP/1.1", "A: b\rC: d", "line 3 `A: b\\rC: d`: invalid header value"),
        ("GET / HTTP/1.1", "A: b\r\n c", "line 4 ` c`: a header is folded"),
        ("GET / HTTP/1.1", "A : b", "line 3 `A : b`: invalid header name"),
        ("GET / HTTP/1.1", "A", "line 3 `A`: invalid header name"),
        ("GET / HTTP/1.1", "A bearer t-1: b", "line 3 `A `: invalid header name"),
        ("GET / HTTP/1.1", "A: \0", "line 3 `A: \\x00`: invalid header value"),
        ("GET / HTTP/1.1", "host: b", "there are 2 Host headers; send one"),
        ("GET / HTTP/1.1", &long, "the head is longer than 65536 bytes"),
        ("GET / HTTP/1.1", &many, "the head has more than 100 headers"),
        ("GET / HTTP/1.1", "Content-Length: +5", "`Content-Length: +5` is not a number in digits"),
        ("GET / HTTP/1.1", "Content-Length:", "`Content-Length: ` is not a number"),
        ("GET / HTTP/1.1", "Content-Length: 5, 5", "`Content-Length: 5, 5` is not a number"),
        ("GET / HTTP/1.1", "Content-Length: Bearer t-1", "`Content-Length: ` is not a number"),
        ("GET / HTTP/1.1", &large, "a body of 167772161 bytes is longer than 167772160 bytes"),
        (
            "GET / HTTP/1.1",
            "Content-Length: 99999999999999999999",
            "a body of 99999999999999999999",
        ),
        (
            "GET / HTTP/1.1",
            "Content-Length: 5\r\nContent-Length: 5",
            "there are 2 Content-Length headers; send one",
        ),
        (
            "POST / HTTP/1.1",
            "Transfer-Encoding: chunked",
            "the request has `Transfer-Encoding: chunked`, but the service's edge refuses a body",
        ),
        (
            "POST / HTTP/1.1",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "the request has Transfer-Encoding and Content-Length; send Content-Length alone",
        ),
    ] {
        let head = format!("{line}\r\nHost: a\r\n{field}\r\n\r\n");
        let error = http1::request(head.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("request 1: {refusal}")), "{head:?}: {error}");
        assert!(error.len() < 200 && !error.contains(char::is_control), "{error:?}");
        assert!(!error.contains("t-1"), "{error:?}");
        let by_byte: Vec<_> = head.as_bytes().chunks(1).collect();
        assert_eq!(read(&by_byte).1.unwrap_err().to_string(), error);
    }
}

#[test]
fn a_head_without_a_host_is_refused() {
    let no_host = http1::request(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert_eq!(no_host.to_string(), "request 1: the Host header is missing");
}

#[test]
fn a_head_and_a_body_may_be_as_long_as_their_limits() {
    for (head_len, body_len, is_read) in [
        (HEAD_LIMIT - 1, BODY_LIMIT - 1, true),
        (HEAD_LIMIT, BODY_LIMIT, true),
        (HEAD_LIMIT + 1, BODY_LIMIT, false),
        (HEAD_LIMIT, BODY_LIMIT + 1, false),
    ] {
        let head =
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {body_len}\r\nX: \r\n\r\n");
        let head = head.replace("X: ", &format!("X: {}", "x".repeat(head_len - head.len())));
        let mut requests = Requests::new();
        requests.push(head.as_bytes());
        let is_waiting = requests.head().is_ok() && requests.missing() == body_len;
        assert_eq!((head.len(), is_waiting), (head_len, is_read), "{body_len}");
    }
}

#[test]
fn a_head_may_have_a_hundred_headers() {
    for (count, is_read) in [(99, true), (100, true), (101, false)] {
        let many = "X: y\r\n".repeat(count - 1);
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
        let request = http1::request(bytes.as_bytes());
        assert_eq!(request.is_ok_and(|request| request.headers().len() == count), is_read);
    }
}

#[test]
fn a_connection_may_end_only_between_requests() {
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice();
    let close = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, Close\r\n\r\n".as_slice();
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n12".as_slice();
    for (pieces, count, expected) in [
        (vec![], 0, None),
        (vec![get, get, close], 3, None),
        (vec![get, b"GE"], 1, Some("request 2: the connection ends in the head, at byte 2")),
        (vec![post], 0, Some("request 1: the connection ends after 2 of 3 bytes of the body")),
        (vec![close, b"G"], 1, Some("request 2: bytes follow a request with `Connection: close`")),
    ] {
        for pieces in [pieces.clone(), vec![&pieces.concat()[..]]] {
            let (read, end) = read(&pieces);
            let error = end.err().map(|error| error.to_string());
            assert_eq!((read.len(), error.as_deref()), (count, expected));
        }
    }
}

#[test]
fn an_empty_input_is_not_a_request() {
    assert_eq!(http1::request(b"").unwrap_err().to_string(), "request 1: there are no bytes");
}

#[test]
fn nothing_is_read_after_an_error() {
    let mut requests = Requests::new();
    requests.push(b"GET / HTTP/1.1\r\n\r\n");
    let error = requests.end().unwrap_err();
    requests.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(requests.head().err(), Some(error.clone()));
    assert_eq!(requests.request().err(), Some(error.clone()));
    assert_eq!((requests.end(), requests.arrived(), requests.missing()), (Err(error), 0, 0));
}

/// The status, the headers and the body of a reply, as httparse reads them.
fn parsed(bytes: &[u8]) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let end = response.parse(bytes).unwrap().unwrap();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let headers = response.headers.iter().map(|h| (h.name.to_owned(), text(h.value)));
    (response.code.unwrap(), headers.collect(), bytes[end..].to_vec())
}

#[test]
fn a_reply_is_read_back_by_another_parser() {
    let written = fake().handle(now(), post(CELL_PATH, JSON, CELL));
    let refused = fake().handle(now(), post("/nowhere", JSON, ""));
    let odd = Response::builder().status(999).header("x-b", "2").header("x-a", "é");
    let odd = odd.header("x-b", "1").header(CONTENT_LENGTH, 9).header("transfer-encoding", "x");
    for response in [written, refused, odd.body(Bytes::new()).unwrap()] {
        let (status, headers, body) = parsed(&reply(&response));
        assert_eq!((status, &body[..]), (response.status().as_u16(), &response.body()[..]));
        let mut expected = response.headers().clone();
        expected.remove("transfer-encoding");
        expected.insert(CONTENT_LENGTH, body.len().into());
        let expected = expected.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8(value.as_bytes().to_vec()).unwrap())
        });
        let mut expected: Vec<_> = expected.collect();
        expected.sort_by(|(a, _), (b, _)| a.cmp(b));
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        assert_eq!(headers.into_iter().map(lower).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_reply_has_its_headers_in_a_fixed_order() {
    let response = fake().handle(now(), post("/nowhere", JSON, ""));
    let expected = "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\nContent-Type: text/plain\r\n\r\n\
                    404 page not found";
    assert_eq!(reply(&response), expected);
}
