//! Base64 (RFC 4648): the standard alphabet, and the one for URLs.

use base64_simd::{AsOut, Base64, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::BufMut;

/// The length of the buffer on the stack in which [`append`] encodes. `append` does not encode into `out` itself, whose
/// memory may be uninitialized.
const STACK_TEXT_LEN: usize = 1024;

/// `bytes` in the standard alphabet, padded.
pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode_to_string(bytes)
}

/// `bytes` in the alphabet for URLs, not padded.
pub(crate) fn url_safe(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Appends `bytes` in the standard alphabet, padded, without an allocation.
pub(crate) fn append(bytes: &[u8], out: &mut dyn BufMut) {
    let mut text = [0; STACK_TEXT_LEN];
    for part in bytes.chunks(STACK_TEXT_LEN / 4 * 3) {
        out.put_slice(STANDARD.encode(part, text.as_mut_slice().as_out()));
    }
}

/// Decodes a text in the standard alphabet, with or without the padding. `None` if it is not base64 of UTF-8.
pub(crate) fn decoded(base64: &str) -> Option<String> {
    text(&STANDARD_NO_PAD, base64.trim_end_matches('='))
}

/// Decodes a text in the alphabet for URLs, without padding. `None` if it is not base64 of UTF-8.
pub(crate) fn url_safe_decoded(base64: &str) -> Option<String> {
    text(&URL_SAFE_NO_PAD, base64)
}

fn text(alphabet: &Base64, base64: &str) -> Option<String> {
    String::from_utf8(alphabet.decode_to_vec(base64).ok()?).ok()
}
