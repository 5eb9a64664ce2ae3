//! Replies whose body is a file.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::Reply;
use super::fields::read;
use crate::error::Error;
use crate::values::ImageFormat;

impl Reply {
    /// The file in the body, for an endpoint whose reply is a file, such as a download.
    ///
    /// A reply is a file if its status is 2xx, its body is not empty, and its body is none of these:
    ///
    /// * A compressed file, which no request of this crate asks for: the reply has a `Content-Encoding` other than
    ///   `identity`, and the body does not begin as an image does. A transport that has decompressed the body has to
    ///   remove the header.
    /// * The service's envelope, which is a JSON object with an integer `code`. The service was seen to send errors
    ///   with HTTP 200. A JSON object without an integer `code` is a file.
    /// * A web page, which a proxy may send. It is HTML by its content type or its beginning. A body that begins as an
    ///   image does is a file, whatever its content type, and so is HTML with a `Content-Disposition`.
    ///
    /// # Errors
    /// [`Error::Api`] if the body is an envelope with a code other than 0, [`Error::Unreadable`] for any other reply
    /// that is not a file. The service was seen to refuse a download with HTTP 400 or 403 and no body. In this case
    /// [`Unreadable::hint`](crate::error::Unreadable::hint) explains the status.
    pub fn binary(&self) -> Result<Bytes, Error> {
        // `envelope` would refuse an object with two codes, a byte order mark or bytes that are not UTF-8, and the
        // object would then count as a file.
        let text = self.without_mark();
        let is_envelope = text.starts_with(b"{")
            && match std::str::from_utf8(text) {
                Ok(_) => has_code(text),
                Err(_) => {
                    text.len() <= MAX_ENVELOPE_LEN
                        && has_code(String::from_utf8_lossy(text).as_bytes())
                }
            };
        if is_envelope {
            self.success()?;
            return Err(self.unreadable("code 0 without a file"));
        }
        if !self.status().is_success() {
            return Err(self.unreadable("neither a file nor the service's JSON").of_file());
        }
        if self.body().is_empty() {
            return Err(self.unreadable("the file is missing"));
        }
        if self.is_compressed() {
            return Err(self.unreadable("the file is compressed"));
        }
        if self.is_page() {
            return Err(self.unreadable("a web page instead of the file"));
        }
        Ok(self.body().clone())
    }

    /// The body without the byte order mark and the white space at its start.
    fn without_mark(&self) -> &[u8] {
        let body = self.body();
        body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start()
    }

    fn is_compressed(&self) -> bool {
        let mut encodings = self.headers().get_all(CONTENT_ENCODING).iter();
        encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
            && ImageFormat::sniff(self.body()).is_none()
    }

    /// Whether the body is a web page: HTML, by its content type or its beginning. A body that begins as an image does
    /// and a body with a `Content-Disposition` are not web pages.
    fn is_page(&self) -> bool {
        let body = self.body();
        if ImageFormat::sniff(body).is_some() || self.headers().contains_key(CONTENT_DISPOSITION) {
            return false;
        }
        let begins = |text: &[u8], start: &str| {
            text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start.as_bytes()))
        };
        let text = self.without_mark();
        let content_type = self.headers().get(CONTENT_TYPE);
        content_type.is_some_and(|value| begins(value.as_bytes(), "text/html"))
            || begins(text, "<html")
            || begins(text, "<!doctype html")
    }
}

/// The maximum length in bytes of an envelope whose bytes are not UTF-8.
const MAX_ENVELOPE_LEN: usize = 1024 * 1024;

/// Whether `json` is an object with an integer `code`.
fn has_code(json: &[u8]) -> bool {
    serde_json::from_slice(json).is_ok_and(|HasCode(has_code)| has_code)
}

/// Whether an object has an integer `code`, also beside other fields of this name.
struct HasCode(bool);

impl<'de> Deserialize<'de> for HasCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(false))
    }
}

impl<'de> Visitor<'de> for HasCode {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Self, A::Error> {
        while let Some(IsCode(is_code)) = fields.next_key()? {
            let value = fields.next_value()?;
            self.0 |= is_code && read::<i64>(value).is_some();
        }
        Ok(self)
    }
}

/// Whether the name of a field is `code`. Other names may be texts that a [`String`] cannot hold.
struct IsCode(bool);

impl<'de> Deserialize<'de> for IsCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Self(false))
    }
}

impl Visitor<'_> for IsCode {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self, E> {
        Ok(Self(name == b"code"))
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn reply(status: u16, content_type: &str, body: &[u8]) -> Reply {
        let response = Response::builder().status(status).header("content-type", content_type);
        Reply::new(response.body(Bytes::copy_from_slice(body)).unwrap())
    }

    #[test]
    fn a_file_is_a_2xx_reply_with_a_body_that_is_neither_an_envelope_nor_a_web_page() {
        const IMAGE: &str = "image/png";
        const JSON: &str = "application/json; charset=utf-8";
        for (status, content_type, body, found) in [
            (200, IMAGE, "GIF89a", "file"),
            (206, IMAGE, "GIF89a", "file"),
            (200, JSON, "GIF89a", "file"),
            (200, "text/html", "GIF89a", "file"),
            (200, "text/plain", "page", "file"),
            (200, IMAGE, "<svg><html>", "file"),
            (200, "image/svg+xml", "<!DOCTYPE svg PUBLIC>", "file"),
            // The body begins like an envelope, but is not one.
            (200, IMAGE, "{", "file"),
            (200, IMAGE, "{\"code\":42", "file"),
            (200, IMAGE, "{\"code\":42}}", "file"),
            (200, JSON, "{}", "file"),
            (200, JSON, "{\"code\":\"42\"}", "file"),
            (200, JSON, "[42]", "file"),
            // An envelope, whatever the status and the content type.
            (200, JSON, "{\"code\":42}", "code 42"),
            (200, IMAGE, "{\"code\":42}", "code 42"),
            (200, IMAGE, " \n{\"msg\":\"m\",\"code\":42} ", "code 42"),
            (404, JSON, "{\"code\":234005,\"msg\":\"m\"}", "code 234005"),
            (500, "text/html", "{\"code\":42}", "code 42"),
            (200, JSON, "{\"code\":0,\"data\":{}}", "unreadable"),
            (200, IMAGE, "{\"code\":0}", "unreadable"),
            (404, JSON, "{\"code\":0}", "unreadable"),
            (200, JSON, "{\"code\":42,\"code\":0}", "unreadable"),
            (200, JSON, "{\"code\":42,\"code\":\"x\"}", "unreadable"),
            (200, JSON, "{\"code\":null,\"code\":42}", "unreadable"),
            (200, JSON, "{\"\\ud800\":1,\"code\":42}", "unreadable"),
            (200, JSON, "{\"\\ud800\":1,\"c\\u006fde\":42}", "unreadable"),
            (200, JSON, "{\"code\":\"x\",\"code\":null}", "file"),
            (200, JSON, "{\"code\":42,\"msg\":1,\"msg\":2}", "unreadable"),
            (200, IMAGE, "\u{feff} {\"code\":42}", "unreadable"),
            // A web page, by its content type or its beginning.
            (200, "text/html", "<html>", "unreadable"),
            (200, "Text/HTML; charset=utf-8", "please log in", "unreadable"),
            (206, IMAGE, "<html>", "unreadable"),
            (200, IMAGE, "\u{feff} \r\n<!DOCTYPE html>", "unreadable"),
            (200, JSON, "<HTML lang=en>", "unreadable"),
            // The body is empty, or the status is not 2xx.
            (200, IMAGE, "", "unreadable"),
            (204, IMAGE, "", "unreadable"),
            (403, IMAGE, "", "unreadable"),
            (400, IMAGE, "GIF89a", "unreadable"),
            (302, IMAGE, "GIF89a", "unreadable"),
            (404, "text/plain", "404 page not found", "unreadable"),
            (502, "text/html", "<html>", "unreadable"),
            (500, JSON, "{}", "unreadable"),
        ] {
            let told = match reply(status, content_type, body.as_bytes()).binary() {
                Ok(file) => {
                    assert_eq!(file, body);
                    "file".to_owned()
                }
                Err(Error::Api(api)) => format!("code {}", api.code.0),
                Err(Error::Unreadable(reply)) => {
                    assert_eq!(reply.status, status);
                    "unreadable".to_owned()
                }
            };
            assert_eq!(told, found, "{status} {content_type} {body}");
        }
        let image = b"\x89PNG\r\n\x1a\n\0\xff";
        assert_eq!(reply(200, IMAGE, image).binary().unwrap(), &image[..]);
    }

    #[test]
    fn an_envelope_whose_text_is_not_utf_8_is_no_file() {
        // The text is cut within a character.
        let cut = b"{\"code\":42,\"msg\":\"\xe5\x9b\"}";
        assert!(matches!(reply(200, "image/png", cut).binary(), Err(Error::Unreadable(_))));
        let file = b"{\"a\":\"\xe5\x9b\"}";
        assert_eq!(reply(200, "image/png", file).binary().unwrap(), &file[..]);
    }

    #[test]
    fn a_web_page_with_a_content_disposition_is_a_file() {
        let mut page = reply(200, "text/html", b"<html>");
        let disposition = http::HeaderValue::from_static("attachment; filename=\"a.html\"");
        page.response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
        assert_eq!(page.binary().unwrap(), "<html>");
    }

    #[test]
    fn a_compressed_file_is_refused() {
        for (encodings, body, is_file) in [
            (["gzip"].as_slice(), b"\x1f\x8b\x08".as_slice(), false),
            (&["br"], b"\x0b\x02\x80", false),
            (&["identity", "gzip"], b"\x1f\x8b\x08", false),
            (&["identity"], b"text", true),
            // The transport has decompressed the body, but not removed the header.
            (&["gzip"], b"GIF89a", true),
        ] {
            let mut encoded = reply(200, "image/png", body);
            for encoding in encodings {
                let encoding = http::HeaderValue::from_static(encoding);
                encoded.response.headers_mut().append(CONTENT_ENCODING, encoding);
            }
            match encoded.binary() {
                Ok(file) => assert!(is_file && file == body, "{body:?}"),
                Err(error) => {
                    assert!(!is_file && error.to_string().contains("compressed"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_refused_download_without_a_body_is_explained_by_its_status() {
        for (status, body, words) in [
            (400, "", "`extra`"),
            (403, "", "right to download"),
            (403, " \r\n", "right to download"),
            (404, "", "was deleted"),
            (404, "404 page not found", "does not know this route"),
            (403, "<html>", ""),
            (500, "", ""),
        ] {
            let error = reply(status, "text/plain", body.as_bytes()).binary().unwrap_err();
            let Error::Unreadable(refused) = &error else { panic!("{error}") };
            let hint = refused.hint().unwrap_or_default();
            assert!(
                hint.contains(words) && hint.is_empty() == words.is_empty(),
                "{status}: {hint}"
            );
            assert!(error.to_string().contains(hint), "{error}");
            let again = matches!(error.advice(), crate::error::Advice::Again { .. });
            assert_eq!(again, status == 500, "{error}");
        }
    }

    #[test]
    fn a_file_is_not_copied() {
        let body = Bytes::from_static(b"GIF89a");
        let file = Reply::new(Response::new(body.clone())).binary().unwrap();
        assert_eq!(file.as_ptr_range(), body.as_ptr_range());
    }

    #[test]
    fn an_envelope_with_bytes_that_are_not_utf_8_is_found_up_to_a_mebibyte() {
        let envelope = |len: usize| {
            let [begin, end] = [b"{\"code\":42,\"msg\":\"\xff".as_slice(), b"\"}"];
            [begin, &vec![b'm'; len - begin.len() - end.len()], end].concat()
        };
        for (len, is_file) in [(100, false), (1 << 20, false), ((1 << 20) + 1, true)] {
            let body = envelope(len);
            assert_eq!(body.len(), len);
            assert_eq!(reply(200, "image/png", &body).binary().is_ok(), is_file, "{len}");
        }
    }
}
