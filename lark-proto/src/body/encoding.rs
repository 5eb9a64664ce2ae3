//! The encodings of an image inside JSON: an array of numbers, or base64.

use bytes::BufMut;

use super::numbers;
use crate::text::base64;

/// How an image is encoded in JSON.
///
/// The vendor's page gives the field the type `array<byte>`, and its samples send numbers. The Python sample on the
/// same page and the vendor's command-line tool send base64. The service was seen to accept both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageEncoding {
    /// `[137,80,78,71,..]`: the documented form, 3.57 times the size of random bytes.
    #[default]
    Numbers,
    /// `"iVBORw0K.."`, the standard alphabet, padded: 1.33 times the size.
    Base64,
}

/// Bytes of an image that are encoded at a time: a multiple of 3, so that base64 pads only at the end. They make 48 KiB
/// of numbers at most.
pub(super) const CHUNK: usize = 12 * 1024;
/// Bytes of an image that are encoded at a time during a read into the caller's memory, where most of the image is
/// encoded directly and only the ends go through the scratch memory.
pub(super) const SMALL_CHUNK: usize = CHUNK / 16;

impl ImageEncoding {
    /// The JSON before and after the encoded bytes.
    pub(crate) fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::Numbers => ("[", "]"),
            Self::Base64 => ("\"", "\""),
        }
    }

    pub(crate) fn encoder(self) -> &'static Encoder {
        match self {
            Self::Numbers => &NUMBERS,
            Self::Base64 => &BASE64,
        }
    }
}

/// The functions of an encoding. A body refers to them through pointers, so that they are not linked into a program
/// that writes no image as JSON.
pub(crate) struct Encoder {
    /// The exact length of the encoded bytes, without the brackets.
    pub(super) encoded_len: fn(&[u8]) -> u64,
    /// The length of the longest text that this number of bytes can make.
    pub(super) max_encoded_len: fn(usize) -> usize,
    /// Appends one encoded piece; the flag says whether it is the last one. The memory must have room for
    /// `max_encoded_len` bytes, and the length of each piece but the last must be a multiple of 3.
    pub(super) encode: fn(&[u8], bool, &mut dyn BufMut),
}

static NUMBERS: Encoder = Encoder {
    encoded_len: numbers::encoded_len,
    max_encoded_len: |len| len * numbers::MAX_NUMBER_LEN,
    encode: numbers::encode,
};

static BASE64: Encoder = Encoder {
    encoded_len: |bytes| (bytes.len() as u64).div_ceil(3) * 4,
    max_encoded_len: |len| len.div_ceil(3) * 4,
    encode: |piece, _, out| base64::append(piece, out),
};

#[cfg(test)]
mod tests {
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::STANDARD;
    use bytes::BytesMut;

    use super::*;

    fn encoded(encoding: ImageEncoding, bytes: &[u8]) -> String {
        let encoder = encoding.encoder();
        let mut out = BytesMut::new();
        let mut pieces = bytes.chunks(CHUNK).peekable();
        while let Some(piece) = pieces.next() {
            (encoder.encode)(piece, pieces.peek().is_none(), &mut out);
        }
        assert_eq!(out.len() as u64, (encoder.encoded_len)(bytes));
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn every_byte_is_encoded_as_its_decimal_number() {
        let all: Vec<u8> = (0..=255).collect();
        let numbers: Vec<String> = all.iter().map(u8::to_string).collect();
        assert_eq!(encoded(ImageEncoding::Numbers, &all), numbers.join(","));
        assert_eq!(encoded(ImageEncoding::Numbers, &[]), "");
        assert_eq!(encoded(ImageEncoding::Numbers, &[0]), "0");
    }

    #[test]
    fn base64_has_the_standard_alphabet_and_padding_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encoded(ImageEncoding::Base64, bytes.as_bytes()), text);
        }
    }

    #[test]
    fn an_image_of_any_length_at_any_address_is_encoded() {
        for byte in [0, 9, 10, 99, 100, 255] {
            let bytes = [byte; 2 * CHUNK];
            for len in [0, 1, 3, 15, 16, 17, 95, 96, 97, CHUNK, CHUNK + 1] {
                for start in [0, 1, 7, 31] {
                    let bytes = &bytes[start..start + len];
                    let array = serde_json::to_string(bytes).unwrap();
                    assert_eq!(format!("[{}]", encoded(ImageEncoding::Numbers, bytes)), array);
                    let text = encoded(ImageEncoding::Base64, bytes);
                    assert_eq!(STANDARD.decode(text).unwrap(), bytes);
                }
            }
        }
    }

    #[test]
    fn the_pieces_of_an_image_are_encoded_as_one_array_or_one_base64_text() {
        for len in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251).to_le_bytes()[0]).collect();
            let array = format!("[{}]", encoded(ImageEncoding::Numbers, &bytes));
            assert_eq!(serde_json::from_str::<Vec<u8>>(&array).unwrap(), bytes);
            assert_eq!(STANDARD.decode(encoded(ImageEncoding::Base64, &bytes)).unwrap(), bytes);
        }
    }
}
