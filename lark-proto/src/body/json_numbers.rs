//! Bytes inside JSON: as an array of numbers, or as base64. Encoded piece by piece, so that the text,
//! 3.6 times the image's size as numbers, never has to be held.

use base64_simd::{AsOut, STANDARD};
use bytes::BufMut;

#[cfg(all(target_arch = "x86_64", not(lark_portable)))]
use super::avx2;

/// How an image is written into JSON.
///
/// The vendor's page types the field as `array<byte>` and its samples send numbers. The same page's
/// Python sample and the vendor's own command-line tool send base64. Both are known to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageEncoding {
    /// `[137,80,78,71,..]`: the documented form, 3.57 times the size of random bytes.
    #[default]
    Numbers,
    /// `"iVBORw0K.."`, the standard alphabet, padded: 1.33 times the size.
    Base64,
}

/// Bytes of an image encoded at a time: a multiple of 3, so that base64 pads only at the end. They make 48 KiB of
/// numbers at most.
pub(crate) const CHUNK: usize = 12 * 1024;
/// The same for a reader that takes the text into its own memory: what is left for the scratch memory is small.
pub(crate) const SMALL_CHUNK: usize = CHUNK / 16;

impl ImageEncoding {
    /// What stands before and after the encoded bytes.
    pub(crate) fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::Numbers => ("[", "]"),
            Self::Base64 => ("\"", "\""),
        }
    }

    /// The exact length of all pieces of `bytes` together.
    pub(crate) fn encoded_len(self, bytes: &[u8]) -> u64 {
        let len = bytes.len() as u64;
        match self {
            Self::Base64 => len.div_ceil(3) * 4,
            Self::Numbers => {
                #[cfg(all(target_arch = "x86_64", not(lark_portable)))]
                let more = avx2::more_digits(bytes);
                #[cfg(not(all(target_arch = "x86_64", not(lark_portable))))]
                let more = more_digits(bytes);
                more + (2 * len).saturating_sub(1)
            }
        }
    }

    /// The length of the longest text that `len` bytes can make.
    pub(crate) fn max_encoded_len(self, len: usize) -> usize {
        match self {
            Self::Numbers => len * 4,
            Self::Base64 => len.div_ceil(3) * 4,
        }
    }

    /// Appends one piece, for which `out` has room of [`max_encoded_len`](Self::max_encoded_len). The length of all but
    /// the last is a multiple of 3.
    pub(crate) fn encode(self, piece: &[u8], is_last: bool, out: &mut impl BufMut) {
        match self {
            Self::Numbers => {
                #[cfg(all(target_arch = "x86_64", not(lark_portable)))]
                let piece = avx2::encode(piece, is_last, out);
                encode_numbers(piece, is_last, out);
            }
            Self::Base64 => {
                let mut text = [0; STACK_TEXT_LEN];
                for part in piece.chunks(STACK_TEXT_LEN / 4 * 3) {
                    out.put_slice(STANDARD.encode(part, text.as_mut_slice().as_out()));
                }
            }
        }
    }
}

/// How many digits all `bytes` have beyond their first.
#[inline(always)]
pub(super) fn more_digits(bytes: &[u8]) -> u64 {
    // 96 bytes have at most 192 of them: sums that fit a byte, and a multiple of 32 bytes, are counted many at a time.
    let digits = |byte: u8| u8::from(byte >= 10) + u8::from(byte >= 100);
    let few = |few: &[u8]| few.iter().map(|byte| digits(*byte)).sum::<u8>();
    bytes.chunks(96).map(|bytes| u64::from(few(bytes))).sum()
}

/// Each byte's digits and a comma, left-aligned in the four low bytes, and how many of them are meant in
/// the fifth: one load gets both.
static NUMBERS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while {
        let (hundreds, tens, ones) = (b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10);
        #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
        let entry = &mut table[byte as usize];
        *entry = u64::from_le_bytes(match byte {
            100.. => [hundreds, tens, ones, b',', 4, 0, 0, 0],
            10.. => [tens, ones, b',', 0, 3, 0, 0, 0],
            _ => [ones, b',', 0, 0, 2, 0, 0, 0],
        });
        byte = byte.wrapping_add(1);
        byte != 0
    } {}
    table
};

/// The text that is made on the stack, before it goes to memory that may not be initialized.
const STACK_TEXT_LEN: usize = 1024;
/// So many bytes are encoded between two looks at the room that is left.
const GROUP_LEN: usize = 16;
/// Where in a group's text a number may begin: a mask, so below a power of two.
const MAX_NUMBER_START: usize = GROUP_LEN * 4 - 1;

/// `137,80,78,`: every number with its comma, but for the last of all.
pub(super) fn encode_numbers(piece: &[u8], is_last: bool, out: &mut impl BufMut) {
    if piece.is_empty() {
        // AVX2 has left nothing, and the text would be zeroed for it.
        return;
    }
    let mut text = [0; STACK_TEXT_LEN + MAX_NUMBER_START + 4];
    let mut parts = piece.chunks(STACK_TEXT_LEN / 4).peekable();
    while let Some(part) = parts.next() {
        let len = encode_part(part, &mut text);
        let comma = usize::from(is_last && parts.peek().is_none());
        out.put_slice(text.get(..len - comma).unwrap_or_default());
    }
}

/// Encodes up to a quarter of [`STACK_TEXT_LEN`] at the beginning of `text`, and returns the length.
fn encode_part(part: &[u8], text: &mut [u8; STACK_TEXT_LEN + MAX_NUMBER_START + 4]) -> usize {
    let groups = part.chunks_exact(GROUP_LEN);
    let rest = groups.remainder();
    let mut at = 0;
    for group in groups {
        at += encode_group(group, text.get_mut(at..));
    }
    at + encode_group(rest, text.get_mut(at..))
}

/// Encodes a group at the beginning of `out`, and returns the length of its text.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256, what is masked is in the room")]
#[expect(clippy::cast_possible_truncation, reason = "an entry is taken apart")]
fn encode_group(group: &[u8], out: Option<&mut [u8]>) -> usize {
    let room = out.and_then(<[u8]>::first_chunk_mut::<{ MAX_NUMBER_START + 4 }>);
    let Some(room) = room else { return 0 };
    let mut at = 0;
    for byte in group {
        let entry = NUMBERS[usize::from(*byte)];
        // The mask changes nothing: it tells the compiler what is known here. Always four bytes: the
        // next number overwrites those that are not meant.
        let begin = at & MAX_NUMBER_START;
        room[begin..begin + 4].copy_from_slice(&(entry as u32).to_le_bytes());
        at += (entry >> 32) as usize;
    }
    at
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn encoded(encoding: ImageEncoding, bytes: &[u8]) -> String {
        let mut out = BytesMut::new();
        let mut pieces = bytes.chunks(CHUNK).peekable();
        while let Some(piece) = pieces.next() {
            encoding.encode(piece, pieces.peek().is_none(), &mut out);
        }
        assert_eq!(out.len() as u64, encoding.encoded_len(bytes));
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn every_byte_is_its_decimal_number() {
        let all: Vec<u8> = (0..=255).collect();
        let numbers: Vec<String> = all.iter().map(u8::to_string).collect();
        assert_eq!(encoded(ImageEncoding::Numbers, &all), numbers.join(","));
        assert_eq!(encoded(ImageEncoding::Numbers, &[]), "");
        assert_eq!(encoded(ImageEncoding::Numbers, &[0]), "0");
    }

    #[test]
    fn rfc_4648_test_vectors() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encoded(ImageEncoding::Base64, bytes.as_bytes()), text);
        }
    }

    #[test]
    fn any_length_of_any_byte_at_any_address() {
        for byte in [0, 9, 10, 99, 100, 255] {
            let bytes = [byte; 2 * CHUNK];
            for len in [0, 1, 3, 15, 16, 17, 95, 96, 97, CHUNK, CHUNK + 1] {
                for start in [0, 1, 7, 31] {
                    let bytes = &bytes[start..start + len];
                    let array = serde_json::to_string(bytes).unwrap();
                    assert_eq!(format!("[{}]", encoded(ImageEncoding::Numbers, bytes)), array);
                    let text = encoded(ImageEncoding::Base64, bytes);
                    assert_eq!(STANDARD.decode_to_vec(text).unwrap(), bytes);
                }
            }
        }
    }

    #[test]
    fn pieces_join_without_a_seam() {
        for len in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251).to_le_bytes()[0]).collect();
            let array = format!("[{}]", encoded(ImageEncoding::Numbers, &bytes));
            assert_eq!(serde_json::from_str::<Vec<u8>>(&array).unwrap(), bytes);
            assert_eq!(
                STANDARD.decode_to_vec(encoded(ImageEncoding::Base64, &bytes)).unwrap(),
                bytes
            );
        }
    }
}
