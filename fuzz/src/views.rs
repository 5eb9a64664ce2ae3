//! The views of a request's body.

use std::io::Read;

use bytes::{Buf, Bytes};
use http::header::CONTENT_LENGTH;
use lark_proto::token::Authorizes;
use lark_proto::{Endpoint, EndpointExt, Site};

/// Makes the body of a request, and checks that it is as long as its `Content-Length` and the same in every view: as a
/// whole, in chunks, read `step` bytes at a time, and from the byte `step` on by a clone.
pub(crate) fn body<E: Endpoint>(
    endpoint: &E,
    token: &impl Authorizes<E::Auth>,
    step: usize,
) -> Bytes {
    let request = endpoint.request_streamed(&Site::LARK, token);
    let whole = endpoint.request(&Site::LARK, token).into_body();
    assert_eq!(request.headers()[CONTENT_LENGTH], whole.len().to_string());
    let mut body = request.into_body();
    let mut later = body.clone();

    let mut read = Vec::new();
    let mut reader = body.clone().reader();
    let mut buffer = vec![0; step];
    while let count @ 1.. = reader.read(&mut buffer).unwrap() {
        read.extend_from_slice(&buffer[..count]);
    }
    assert!(step == 0 || read == whole, "the body that is read in pieces differs");

    later.advance(step);
    assert!(
        later.clone().into_bytes() == whole[step.min(whole.len())..],
        "a clone reads other bytes"
    );

    let mut at = 0;
    while let Some(chunk) = body.next_chunk() {
        assert!(
            !chunk.is_empty() && whole[at..].starts_with(&chunk),
            "a chunk is not a part of the body"
        );
        at += chunk.len();
        assert_eq!(body.len(), (whole.len() - at) as u64);
    }
    assert_eq!(at, whole.len());
    whole
}
