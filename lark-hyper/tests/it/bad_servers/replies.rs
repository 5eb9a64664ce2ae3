//! Replies in every form of HTTP/1, valid and invalid.

use super::scripted::{Act, End, Server, ok, put, reply, served, taken};

/// A name, a script, the end of the first call, and the connection that serves the next one.
type Case = (&'static str, Vec<Act>, End, usize);

/// The script of a server that keeps the connection after the reply.
fn stays(reply: Vec<u8>) -> Vec<Act> {
    vec![Act::Head, Act::Body, Act::Write(reply), Act::Serve]
}

/// The script of a server that closes the connection after the reply.
fn closes(reply: Vec<u8>) -> Vec<Act> {
    vec![Act::Head, Act::Body, Act::Write(reply)]
}

fn key() -> End {
    End::Key("img_x".into())
}

/// A reply with this head and the body of a success.
fn with(head: &str) -> Vec<u8> {
    reply(head, &taken("img_x"))
}

/// The same reply with the right `Content-Length`.
fn sized(head: &str) -> Vec<u8> {
    with(&format!("{head}\r\nContent-Length: {}", taken("img_x").len()))
}

/// A successful reply with this `Content-Length`.
fn length(value: &str) -> Vec<u8> {
    with(&format!("HTTP/1.1 200 OK\r\nContent-Length: {value}"))
}

/// A successful reply of one chunk, with `headers`, and `end` after the chunk's data.
fn chunked(headers: &str, end: &str) -> Vec<u8> {
    let body = taken("img_x");
    let head = format!("HTTP/1.1 200 OK\r\n{headers}");
    reply(&head, &format!("{:x};a=b\r\n{body}{end}", body.len()))
}

async fn check(cases: impl IntoIterator<Item = Case>) {
    for (name, script, end, next) in cases {
        let server = Server::start(script).await;
        let client = server.client();
        let ends = [put(&client, 9).await, put(&client, 9).await];
        assert_eq!(ends, [end, served(next)], "{name}");
    }
}

#[tokio::test]
async fn a_body_ends_at_a_valid_content_length_or_at_the_close() {
    let len = taken("img_x").len();
    let and = |other: usize| length(&format!("{len}\r\nContent-Length: {other}"));
    check([
        ("fitting", stays(length(&len.to_string())), key(), 1),
        ("twice", stays(and(len)), key(), 1),
        ("two of them", stays(and(len + 1)), End::Transport, 2),
        ("longer", closes(length(&(len + 1).to_string())), End::Transport, 2),
        ("shorter", stays(length(&(len - 1).to_string())), End::Unreadable(200), 2),
        ("a word", stays(length("abc")), End::Transport, 2),
        ("a hexadecimal number", stays(length("0x2a")), End::Transport, 2),
        ("negative", stays(length("-1")), End::Transport, 2),
        ("with a plus", stays(length(&format!("+{len}"))), End::Transport, 2),
        ("empty", stays(length("")), End::Transport, 2),
        ("2^63", closes(length("9223372036854775808")), End::Transport, 2),
        ("2^64", stays(length("18446744073709551616")), End::Transport, 2),
        ("none, until it closes", closes(with("HTTP/1.1 200 OK")), key(), 2),
        ("none, and no body", closes(reply("HTTP/1.1 200 OK", "")), End::Unreadable(200), 2),
    ])
    .await;
}

#[tokio::test]
async fn chunks_are_read_if_they_are_valid_and_complete() {
    const CHUNKED: &str = "Transfer-Encoding: chunked";
    let raw = |chunks: &str| reply(&format!("HTTP/1.1 200 OK\r\n{CHUNKED}"), chunks);
    let end = "\r\n0\r\n\r\n";
    check([
        ("whole", stays(chunked(CHUNKED, end)), key(), 1),
        ("with a trailer", stays(chunked(CHUNKED, "\r\n0\r\nA: b\r\n\r\n")), key(), 1),
        ("cut in a chunk", closes(raw("ffff\r\n{")), End::Transport, 2),
        ("cut in a size", closes(raw("ff")), End::Transport, 2),
        ("cut before the last", closes(chunked(CHUNKED, "\r\n")), End::Transport, 2),
        ("longer than it says", stays(chunked(CHUNKED, "}\r\n0\r\n\r\n")), End::Transport, 2),
        ("no number", stays(raw("zz\r\n")), End::Transport, 2),
        ("negative", stays(raw("-1\r\n")), End::Transport, 2),
        ("2^64", stays(raw("10000000000000000\r\n")), End::Transport, 2),
        ("no size", stays(raw("\r\n")), End::Transport, 2),
    ])
    .await;
}

/// The client may keep or close the connection after the reply.
#[tokio::test]
async fn chunks_override_a_content_length() {
    const CHUNKED: &str = "Transfer-Encoding: chunked";
    let end = "\r\n0\r\n\r\n";
    for headers in
        [format!("{CHUNKED}\r\nContent-Length: 5"), format!("Content-Length: 5\r\n{CHUNKED}")]
    {
        let server = Server::start(stays(chunked(&headers, end))).await;
        let client = server.client();
        assert_eq!(put(&client, 9).await, key(), "{headers}");
        let next = put(&client, 9).await;
        assert!([served(1), served(2)].contains(&next), "{headers}: {next:?}");
    }
}

#[tokio::test]
async fn interim_replies_are_passed_over() {
    let after = |interim: &[&str]| {
        let interim = interim.iter().flat_map(|head| reply(&format!("HTTP/1.1 {head}"), ""));
        interim.chain(ok("img_x")).collect::<Vec<u8>>()
    };
    let hints = "103 Early Hints\r\nLink: </a>; rel=preload";
    let upgrade = "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x";
    let goes_on = reply("HTTP/1.1 100 Continue", "");
    let before_the_body =
        vec![Act::Head, Act::Write(goes_on), Act::Body, Act::Write(ok("img_x")), Act::Serve];
    check([
        ("100", stays(after(&["100 Continue"])), key(), 1),
        ("100 before the body", before_the_body, key(), 1),
        ("103 and 102", stays(after(&[hints, "102 Processing"])), key(), 1),
        ("a hundred", stays(after(&["100 Continue"; 100])), key(), 1),
        ("101, which is final", stays(after(&[upgrade])), End::Unreadable(101), 2),
        ("alone", closes(reply("HTTP/1.1 100 Continue", "")), End::Transport, 2),
    ])
    .await;
}

#[tokio::test]
async fn a_status_line_has_a_status_of_three_digits() {
    check([
        ("999", stays(sized("HTTP/1.1 999 Odd")), key(), 1),
        ("000", stays(sized("HTTP/1.1 000 Odd")), End::Transport, 2),
        ("two digits", stays(sized("HTTP/1.1 20 Odd")), End::Transport, 2),
        ("four digits", stays(sized("HTTP/1.1 2000 Odd")), End::Transport, 2),
        ("without a reason", stays(sized("HTTP/1.1 200")), key(), 1),
        ("204", stays(reply("HTTP/1.1 204 No Content", "")), End::Unreadable(204), 1),
        ("204 with a body", stays(sized("HTTP/1.1 204 No Content")), End::Unreadable(204), 2),
        ("304", stays(reply("HTTP/1.1 304 Not Modified", "")), End::Unreadable(304), 1),
        ("status line alone", closes(b"HTTP/1.1 200 OK\r\n".to_vec()), End::Transport, 2),
        ("half of it", closes(b"HTTP/1.1 20".to_vec()), End::Transport, 2),
    ])
    .await;
}

#[tokio::test]
async fn a_connection_is_kept_by_the_rules_of_the_replys_version() {
    check([
        ("1.0 until it closes", closes(with("HTTP/1.0 200 OK")), key(), 2),
        ("1.0 with a length", stays(sized("HTTP/1.0 200 OK")), key(), 2),
        ("1.0, kept", stays(sized("HTTP/1.0 200 OK\r\nConnection: keep-alive")), key(), 1),
        ("1.1, not kept", stays(sized("HTTP/1.1 200 OK\r\nConnection: close")), key(), 2),
        ("2.0", stays(sized("HTTP/2.0 200 OK")), End::Transport, 2),
    ])
    .await;
}

#[tokio::test]
async fn a_head_has_at_most_a_hundred_headers() {
    let many = |count: usize| sized(&format!("HTTP/1.1 200 OK{}", "\r\nA: b".repeat(count - 1)));
    check([
        ("a hundred headers", stays(many(100)), key(), 1),
        ("one more", stays(many(101)), End::Transport, 2),
    ])
    .await;
}

#[tokio::test]
async fn a_head_that_is_not_http_is_an_error_of_the_transport() {
    let header = |line: &str| stays(sized(&format!("HTTP/1.1 200 OK\r\n{line}")));
    check([
        ("not of ASCII", header("A: 图"), key(), 1),
        ("no colon", header("what"), End::Transport, 2),
        ("folded", header("A: b\r\n c"), End::Transport, 2),
        ("NUL", header("A: b\0"), End::Transport, 2),
        ("space before the colon", header("A : b"), End::Transport, 2),
        ("TLS", stays(b"\x15\x03\x01\0\x02\x02\x46".to_vec()), End::Transport, 2),
        ("another protocol", stays(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), End::Transport, 2),
        ("zeros", stays(vec![0; 1 << 20]), End::Transport, 2),
    ])
    .await;
}

/// One thread may hand out the connection while the other one still reads from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_after_a_reply_are_not_the_next_reply() {
    for _ in 0..20 {
        check([
            ("a reply", stays([ok("img_x"), ok("img_surplus")].concat()), key(), 2),
            ("a byte", stays([ok("img_x"), b"\n".to_vec()].concat()), key(), 2),
        ])
        .await;
    }
}
