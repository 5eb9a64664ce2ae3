//! A server that quotes the secrets of a request in replies of every form, valid and invalid.

use std::time::Duration;

use lark_proto::Limits;
use lark_proto::fake::FakeLark;

use super::{Listener, MARK, Setup, reply, side_by_side, uploads};
use crate::support::peers::site;

/// Replies that quote `text`: the parts of a head, the framing, and bodies of a gateway and of the service.
fn replies(text: &str) -> Vec<Vec<u8>> {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let raw = |text: String| text.into_bytes();
    vec![
        raw(format!("{text}\r\n\r\n")),
        raw(format!("HTTP/{text} 200 OK\r\n\r\n")),
        raw(format!("HTTP/1.1 {text} OK\r\n\r\n")),
        raw(format!("HTTP/1.1 200 {text}\0\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\n{text}\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\n{text} : x\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\nX: {text}\0\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: {text}\r\n\r\n")),
        raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {text}\r\n\r\n")),
        raw(format!("{chunked}{text}\r\n")),
        raw(format!("{chunked}5;{text}\r\n{text}")),
        raw(format!("{chunked}0\r\n{text}\r\n\r\n")),
        reply(&format!("101 {text}\r\nConnection: upgrade\r\nUpgrade: {text}"), ""),
        reply(&format!("200 {text}\r\nContent-Encoding: {text}\r\nContent-Type: {text}"), text),
        reply(&format!("302 Found\r\nLocation: https://{text}@{text}/{text}?{text}"), ""),
        reply(&format!("401 No\r\nWWW-Authenticate: Bearer realm=\"{text}\""), ""),
        reply(&format!("429 No\r\nRetry-After: {text}\r\nx-ogw-ratelimit-reset: {text}"), ""),
        reply(&format!("400 No\r\nX-Tt-Logid: {text}\r\nX-Request-Id: {text}"), text),
        reply("502 Bad Gateway", &format!("<html><title>{text}</title>{text}</html>")),
        reply(
            "400 Bad Request",
            &format!("{{\"code\":1,\"msg\":\"{text}\",\"error\":\"{text}\"}}"),
        ),
        reply(
            "200 OK",
            &format!("{{\"code\":0,\"msg\":\"{text}\",\"data\":{{\"x\":\"{text}\"}}}}"),
        ),
    ]
}

/// A way to write a secret.
type Form = fn(&str) -> String;

const FORMS: [Form; 4] = [
    |secret| secret.to_owned(),
    |secret| format!("Bearer {secret}"),
    |secret| secret.to_uppercase(),
    |secret| secret.replace('-', "%2d"),
];

#[test]
fn no_error_of_either_client_quotes_a_secret_that_a_broken_reply_quotes() {
    let count = replies("").len();
    let rows = FORMS.into_iter().flat_map(|form| (0..count).map(move |at| (form, at)));
    side_by_side(rows, |(form, at)| assert_not_quoted(form, at));
}

fn assert_not_quoted(form: Form, at: usize) {
    let server = Listener::start(move |request| {
        let secret = if request.contains(MARK) { MARK } else { FakeLark::APP_SECRET };
        let mut reply = replies(&form(secret)).swap_remove(at);
        reply.truncate(4096);
        reply
    });
    let limits = Limits::one_attempt().total(Duration::from_secs(3));
    let setup = Setup { limits: Some(limits), ..Setup::default() };
    for (client, end) in uploads(&site(server.address), &setup) {
        let error = end.expect_err(client).to_lowercase();
        for secret in [MARK, FakeLark::APP_SECRET] {
            let plain = secret.to_lowercase();
            let escaped = plain.replace('-', "%2d");
            let quotes = error.contains(&plain) || error.contains(&escaped);
            assert!(!quotes, "{client} {at}: {error}");
        }
    }
    assert!(server.seen().contains(MARK) && server.seen().contains(FakeLark::APP_SECRET));
}
