//! Requests as HTTP/1.1 writes them.

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HOST};
use lark_proto::Site;
use lark_proto::fake::http1::{self, HEAD_LIMIT, Malformed, Requests};
use lark_proto::wire::{self, HeaderSecrets};

/// Reads any bytes of a connection. They give the same requests and the same error whether they arrive at once or in
/// pieces, and each request is the same after it is written and read again. The same bytes are also read as one stored
/// request.
///
/// The input is the bytes.
pub fn http1(data: &[u8]) {
    let whole = connection(data, data.len().max(1));
    for step in [1, 1 + data.len() % 61] {
        let pieces = connection(data, step);
        assert_eq!(pieces.1, whole.1, "{step} bytes at a time");
        assert_eq!(pieces.0.len(), whole.0.len());
        pieces.0.iter().zip(&whole.0).for_each(|(one, other)| assert_same(one, other));
    }
    stored(data);
    whole.0.into_iter().for_each(reads_back);
}

/// Reads any bytes as one stored request. `wire::parse` reads every request to Lark that `fake::http1` reads, as the
/// same request, and reads its own output. An error is short and shows no control character.
fn stored(data: &[u8]) {
    let read = match wire::parse(data, &Site::LARK) {
        Ok(read) => read,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 256 && !text.contains(char::is_control), "{text:?}");
            let Ok(request) = http1::request(data) else { return };
            // `wire::parse` refuses a length with zeros before it.
            let length = request.headers().get(CONTENT_LENGTH);
            let is_odd = length.is_some_and(|length| *length != request.body().len().to_string());
            // It refuses a path that a proxy might change, too.
            let path = request.uri().path().to_ascii_lowercase();
            let path = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
            let is_odd = is_odd || path.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
            assert!(request.headers()[HOST] != "open.larksuite.com" || is_odd, "{text}");
            return;
        }
    };
    if let Ok(mut request) = http1::request(data) {
        request.headers_mut().remove(HOST);
        *request.uri_mut() = format!("{}{}", Site::LARK, request.uri()).parse().unwrap();
        assert_same(&read, &request);
    }
    let again = wire::http1(read.clone(), HeaderSecrets::Shown);
    assert_same(&wire::parse(&again, &Site::LARK).unwrap(), &read);
}

/// The requests that arrive `step` bytes at a time, and how the connection ends.
fn connection(data: &[u8], step: usize) -> (Vec<Request<Bytes>>, Result<(), Malformed>) {
    let mut requests = Requests::new();
    let mut read = Vec::new();
    for piece in data.chunks(step) {
        requests.push(piece);
        let has_head = requests.head().is_ok_and(|head| head.is_some());
        assert!(has_head || (requests.arrived(), requests.missing()) == (0, 0));
        while let Ok(Some(request)) = requests.request() {
            read.push(request);
        }
    }
    let end = requests.end();
    let shown = format!("{requests:?}");
    assert!(shown.len() < 1024 && !shown.contains(char::is_control), "{shown}");
    if let Err(malformed) = &end {
        let text = malformed.to_string();
        assert!(text.len() < 512 && !text.contains(char::is_control), "{text:?}");
    }
    (read, end)
}

/// Checks that `fake::http1` reads the bytes that `wire::http1` writes as the same request, with its host in `Host`.
pub(crate) fn reads_back(request: Request<Bytes>) {
    let bytes = wire::http1(request.clone(), HeaderSecrets::Shown);
    let (mut head, body) = request.into_parts();
    // `wire` adds spaces to a head, which may make the head too long.
    if bytes.len() - body.len() > HEAD_LIMIT {
        return;
    }
    if let Some(host) = head.uri.authority() {
        head.headers.insert(HOST, host.as_str().parse().unwrap());
    }
    // A length may have zeros before it, which `wire` does not write.
    if let Some(length) = head.headers.get_mut(CONTENT_LENGTH) {
        *length = body.len().into();
    }
    head.uri = head.uri.path_and_query().unwrap().clone().into();
    assert_same(&http1::request(&bytes).unwrap(), &Request::from_parts(head, body));
}

/// Checks that two requests are equal.
pub(crate) fn assert_same(one: &Request<Bytes>, other: &Request<Bytes>) {
    assert_eq!((one.method(), one.uri()), (other.method(), other.uri()));
    assert_eq!(one.headers(), other.headers());
    assert!(one.body() == other.body(), "not the same body");
}
