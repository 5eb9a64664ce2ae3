//! What the benchmarks share: an image of random bytes, and the ways in which a transport reads a body.

use std::hint::black_box;
use std::io::Read;

use bytes::Buf;
use lark_proto::Body;

/// Pseudo-random bytes, the same in every run (xorshift64).
#[must_use]
pub fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[7]
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}

/// Reads a body as a transport does that takes [`bytes::Bytes`].
pub fn drain(mut body: Body) {
    while let Some(chunk) = body.next_chunk() {
        black_box(chunk);
    }
}

/// Reads a body as a transport does that has a buffer of its own.
pub fn read(body: Body, buffer: &mut [u8]) {
    let mut reader = body.reader();
    // Reading from memory does not fail.
    while reader.read(buffer).is_ok_and(|count| count > 0) {
        black_box(&mut *buffer);
    }
}
