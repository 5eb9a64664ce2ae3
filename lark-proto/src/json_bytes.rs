//! Bytes inside JSON: as an array of numbers, or as base64. Encoded piece by piece, so that the text,
//! 3.6 times the image's size as numbers, never has to be held.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};

/// How an image is written into JSON.
///
/// The vendor's page types the field as `array<byte>` and its samples send numbers. The same page's
/// Python sample and the vendor's own command-line tool send base64. Both are known to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImageEncoding {
    /// `[137,80,78,71,..]`: the documented form, 3.57 times the size of random bytes.
    #[default]
    Numbers,
    /// `"iVBORw0K.."`, the standard alphabet, padded: 1.33 times the size.
    Base64,
}

/// Encoded at a time: a multiple of 3, so that base64 pads only at the end; 48 KiB of numbers at most.
pub(crate) const PIECE: usize = 12 * 1024;

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
                // 85 bytes have at most 255 digits: sums that fit a byte are counted many at a time.
                let digits = |few: &[u8]| few.iter().map(|byte| digits(*byte)).sum::<u8>();
                bytes.chunks(85).map(|few| u64::from(digits(few))).sum::<u64>()
                    + len.saturating_sub(1)
            }
        }
    }

    /// Appends one piece; all but the last are [`PIECE`] bytes long.
    pub(crate) fn encode(self, piece: &[u8], last: bool, out: &mut BytesMut) {
        match self {
            Self::Numbers => {
                encode_numbers(piece, out);
                if last {
                    out.truncate(out.len().saturating_sub(1));
                }
            }
            Self::Base64 => {
                let start = out.len();
                out.put_bytes(0, piece.len().div_ceil(3) * 4);
                let target = out.get_mut(start..).unwrap_or_default();
                // The target is as long as the text, which is the one way in which this can fail.
                let _ = STANDARD.encode_slice(piece, target);
            }
        }
    }
}

fn digits(byte: u8) -> u8 {
    1 + u8::from(byte >= 10) + u8::from(byte >= 100)
}

/// Each byte's digits and a comma, left-aligned, and how many of the four characters they are.
const NUMBERS: [([u8; 4], u8); 256] = {
    let mut table = [([0; 4], 0); 256];
    let mut byte = 0_u8;
    while {
        let (hundreds, tens, ones) = (b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10);
        #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
        let entry = &mut table[byte as usize];
        *entry = match byte {
            100.. => ([hundreds, tens, ones, b','], 4),
            10.. => ([tens, ones, b',', 0], 3),
            _ => ([ones, b',', 0, 0], 2),
        };
        byte = byte.wrapping_add(1);
        byte != 0
    } {}
    table
};

/// `137,80,78,`: every number with its comma.
#[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
fn encode_numbers(piece: &[u8], out: &mut BytesMut) {
    let start = out.len();
    out.put_bytes(0, piece.len() * 4);
    let mut at = start;
    for byte in piece {
        let (text, len) = NUMBERS[usize::from(*byte)];
        // Always four bytes: the next number overwrites those that are not meant.
        if let Some(target) = out.get_mut(at..at + 4) {
            target.copy_from_slice(&text);
        }
        at += usize::from(len);
    }
    out.truncate(at);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(encoding: ImageEncoding, bytes: &[u8]) -> String {
        let mut out = BytesMut::new();
        let mut pieces = bytes.chunks(PIECE).peekable();
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
    fn pieces_join_without_a_seam() {
        for len in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251).to_le_bytes()[0]).collect();
            let array = format!("[{}]", encoded(ImageEncoding::Numbers, &bytes));
            assert_eq!(serde_json::from_str::<Vec<u8>>(&array).unwrap(), bytes);
            assert_eq!(STANDARD.decode(encoded(ImageEncoding::Base64, &bytes)).unwrap(), bytes);
        }
    }
}
