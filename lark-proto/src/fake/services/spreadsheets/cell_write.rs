//! A reader of the JSON body of a cell write.

use std::fmt;

use base64_simd::STANDARD;
use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The body of a cell write. Other keys are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct CellWrite {
    pub(crate) range: String,
    pub(crate) image: SentImage,
    pub(crate) name: String,
}

/// An image that was sent as an array of numbers, as documented, or in base64, as the vendor's command-line tool sends
/// it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SentImage {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_base64: bool,
}

impl<'de> Deserialize<'de> for SentImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Image)
    }
}

struct Image;

impl<'de> Visitor<'de> for Image {
    type Value = SentImage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("image to be an array of numbers or a base64 string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SentImage, E> {
        let refused = |_| E::custom("image is not base64 (standard alphabet, padded)");
        let bytes = STANDARD.decode_to_vec(text).map_err(refused)?;
        Ok(SentImage { bytes, is_base64: true })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<SentImage, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element_seed(Item(bytes.len()))? {
            bytes.push(byte);
        }
        Ok(SentImage { bytes, is_base64: false })
    }
}

/// The number at this index of the image.
struct Item(usize);

impl<'de> DeserializeSeed<'de> for Item {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Item {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image[{}] to be a whole number 0..=255", self.0)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u8, E> {
        let found = de::Unexpected::Unsigned(number);
        u8::try_from(number).map_err(|_| E::invalid_value(found, &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use crate::fake::reply::Refusal;
    use crate::fake::services::spreadsheets::body;

    fn read(content_type: &'static str, json: &str) -> Result<CellWrite, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        body::read(&headers, json.as_bytes())
    }

    fn with_image(image: &str) -> String {
        format!(r#"{{"range":"r","image":{image},"name":"n"}}"#)
    }

    #[test]
    fn an_image_is_read_from_numbers_or_base64() {
        for (image, bytes) in [
            ("[]", &[][..]),
            (" [ 0 ,\t255\r\n, 1 ] ", &[0, 255, 1]),
            (r#""""#, &[]),
            (r#""+/8=""#, &[0xfb, 0xff]),
            (r#""\u002b\/8=""#, &[0xfb, 0xff]),
        ] {
            let found = read("application/json", &with_image(image));
            assert_eq!(found.map(|write| write.image.bytes).as_deref(), Ok(bytes), "{image}");
        }
    }

    #[test]
    fn the_members_are_read_in_any_order_and_with_any_json_media_type() {
        let any_order = " {\"name\":\"n\", \"x\":[{}], \"image\":[7],\r\n\"range\":\"r\"}\n";
        for content_type in [
            "application/json",
            "Application/JSON; Charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            let found = read(content_type, any_order).map(|w| (w.range, w.image.bytes, w.name));
            assert_eq!(found, Ok(("r".to_owned(), vec![7], "n".to_owned())));
        }
    }

    #[test]
    fn a_malformed_body_is_refused_with_the_mistake_and_its_place() {
        let json = "application/json; charset=utf-8";
        let cases = [
            (json, with_image("[1,256]"), 90204, "image[1]"),
            (json, with_image("[-1]"), 90204, "image[0]"),
            (json, with_image("[1.0]"), 90204, "image[0]"),
            (json, with_image("[1e2]"), 90204, "image[0]"),
            (json, with_image("[99999999999999999999]"), 90204, "image[0]"),
            (json, with_image("[1e999]"), 90204, "line 1 column"),
            (json, with_image("[\"1\"]"), 90204, "image[0]"),
            (json, with_image("[null]"), 90204, "image[0]"),
            (json, with_image("[[1]]"), 90204, "image[0]"),
            (json, with_image("null"), 90204, "expected image to be an array"),
            (json, with_image(r#"{"type":"Buffer","data":[1]}"#), 90204, "expected image to be"),
            (json, with_image(r#""data:image/png;base64,AAAA""#), 90204, "base64"),
            (json, with_image(r#""-_8=""#), 90204, "standard alphabet"),
            (json, with_image(r#""+/8""#), 90204, "padded"),
            (json, with_image(r#""+/9=""#), 90204, "base64"),
            (json, with_image(r#""+/8=\n""#), 90204, "base64"),
            (json, r#"{"range":"r","range":"r","image":[1],"name":"n"}"#.into(), 90204, "`range`"),
            (json, r#"{"range":"r","image":[1]}"#.into(), 90204, "`name`"),
            (json, r#"{"range":7,"image":[1],"name":"n"}"#.into(), 90204, "line 1 column 10"),
            (json, r#"["r",[1],"n"]"#.into(), 90204, "not an object"),
            (json, with_image("[1]") + " x", 90204, "trailing"),
            (json, with_image("[1]") + "{}", 90204, "trailing"),
            (json, with_image("[1,]"), 90201, "column"),
            (json, with_image("[01]"), 90201, "column"),
            (json, "{\"range\":".into(), 90201, "EOF"),
            (json, String::new(), 90201, "EOF"),
            (json, format!("\u{feff}{}", with_image("[1]")), 90201, "column 1"),
            (json, "range=r".into(), 90201, "column 1"),
            ("text/plain", with_image("[1]"), 90201, "Content-Type"),
            ("application/json; charset=gbk", with_image("[1]"), 90201, "Content-Type"),
        ];
        for (content_type, body, code, detail) in cases {
            let refusal = read(content_type, &body).err();
            assert!(
                refusal.as_ref().is_some_and(|r| r.code == code && r.msg.contains(detail)),
                "{body}: {refusal:?}"
            );
        }
    }
}
