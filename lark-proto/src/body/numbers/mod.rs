//! Bytes as the numbers of a JSON array, without the brackets: `137,80,78`.

#[cfg(all(target_arch = "x86_64", not(lark_portable)))]
mod avx2;
mod portable;

use bytes::BufMut;

/// The length of the longest number and its comma.
pub(super) const MAX_NUMBER_LEN: usize = 4;

/// The exact length of the text that [`encode`] makes of `bytes`, if they are the last ones.
pub(super) fn encoded_len(bytes: &[u8]) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(lark_portable)))]
    let more = avx2::more_digits(bytes);
    #[cfg(not(all(target_arch = "x86_64", not(lark_portable))))]
    let more = portable::more_digits(bytes);
    more + (2 * bytes.len() as u64).saturating_sub(1)
}

/// Appends each number with its comma; the last number of the last piece has none.
pub(super) fn encode(piece: &[u8], is_last: bool, out: &mut dyn BufMut) {
    #[cfg(all(target_arch = "x86_64", not(lark_portable)))]
    let piece = avx2::encode(piece, is_last, out);
    portable::encode(piece, is_last, out);
}
