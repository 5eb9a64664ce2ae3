//! The result of the endpoints that return a file.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::api::Reply;
use crate::error::Error;
use crate::text::{excerpt, percent_decoded};
use crate::values::FileName;

/// A file that the service sent.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Download {
    /// The bytes of the file, at least one.
    pub bytes: Bytes,
    /// The `Content-Type`, such as `image/png`: at most 128 bytes of it, without control characters. The service does
    /// not always send the right one; [`ImageFormat::sniff`](crate::values::ImageFormat::sniff) reads the format from
    /// the bytes.
    pub content_type: Option<String>,
    /// The name from the `Content-Disposition`, which the service does not always send. It has 1 to 255 bytes, and a
    /// file can be stored under it on any system: it is neither a path nor the name of a device, it does not begin with
    /// a dot or a space, and it has `_` for characters such as `:`.
    pub file_name: Option<String>,
}

/// The longest `Content-Type` that is kept, in bytes.
const CONTENT_TYPE_LEN: usize = 128;

impl Download {
    pub(crate) fn read(reply: &Reply) -> Result<Self, Error> {
        let bytes = reply.binary()?;
        let header = |name| reply.headers().get(name).map(|value| value.as_bytes().trim_ascii());
        let content_type = header(CONTENT_TYPE).filter(|value| !value.is_empty());
        let disposition = header(CONTENT_DISPOSITION).map(std::str::from_utf8);
        Ok(Self {
            bytes,
            content_type: content_type.map(|value| excerpt(value, CONTENT_TYPE_LEN)),
            file_name: disposition.and_then(|value| file_name(value.ok()?)),
        })
    }
}

/// Shows the number of bytes, and no byte.
impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, content_type, file_name } = self;
        f.debug_struct("Download")
            .field("bytes", &format_args!("{} bytes", bytes.len()))
            .field("content_type", content_type)
            .field("file_name", file_name)
            .finish()
    }
}

/// The file name in a `Content-Disposition`: that of `filename*` (RFC 8187), else that of `filename`, in which the
/// service sends UTF-8 without an escape.
fn file_name(disposition: &str) -> Option<String> {
    let mut plain = None;
    let mut extended = None;
    let mut rest = disposition;
    while let Some((name, value)) = parameter(&mut rest) {
        if name.eq_ignore_ascii_case("filename") {
            plain = plain.or_else(|| FileName::storable(&value));
        } else if name.eq_ignore_ascii_case("filename*") {
            extended = extended.or_else(|| FileName::storable(&decoded(&value)?));
        }
    }
    extended.or(plain)
}

/// The text of a value `UTF-8'language'percent-encoded`.
fn decoded(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, escaped) = rest.split_once('\'')?;
    if charset.eq_ignore_ascii_case("utf-8") { percent_decoded(escaped) } else { None }
}

/// Removes the next `name=value` from `rest`, and the text before it that is not a parameter.
fn parameter<'a>(rest: &mut &'a str) -> Option<(&'a str, Cow<'a, str>)> {
    let (before, tail) = rest.split_once('=')?;
    let name = before.rsplit(';').next().unwrap_or(before).trim();
    let tail = tail.trim_start();
    if let Some(quoted) = tail.strip_prefix('"') {
        let (value, tail) = unquoted(quoted);
        *rest = tail;
        return Some((name, value.into()));
    }
    let (value, tail) = tail.split_once(';').unwrap_or((tail, ""));
    *rest = tail;
    Some((name, value.trim().into()))
}

/// The text before the closing quote, and the text after it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => break,
            '\\' => value.extend(chars.next()),
            other => value.push(other),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};

    use super::*;

    fn download(content_type: &[u8], disposition: &[u8]) -> Download {
        let mut response = Response::new(Bytes::from_static(b"GIF89a"));
        for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, disposition)] {
            response.headers_mut().insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        Download::read(&Reply::new(response)).unwrap()
    }

    #[test]
    fn the_file_name_is_read_in_each_form_in_use() {
        for (disposition, name) in [
            ("attachment; filename=\"image.png\"", Some("image.png")),
            ("attachment; filename=image.png", Some("image.png")),
            ("attachment;filename = image.png ;x=y", Some("image.png")),
            ("attachment; filename=\"图 1.png\"", Some("图 1.png")),
            ("attachment; filename=\"a;b=c \\\"d\\\".png\"", Some("a;b=c _d_.png")),
            ("attachment; filename*=UTF-8''%E5%9B%BE.png", Some("图.png")),
            ("attachment; FileName*=utf-8'zh'a%20b.png", Some("a b.png")),
            ("attachment; filename=\"x.png\"; filename*=UTF-8''%E5%9B%BE.png", Some("图.png")),
            ("attachment; filename*=UTF-8''%E5%9B%BE.png; filename=\"x.png\"", Some("图.png")),
            ("attachment; filename*=UTF-8''%FF; filename=x.png", Some("x.png")),
            ("attachment; filename*=GBK''%CD%BC; filename=x.png", Some("x.png")),
            ("attachment; filename*=x.png", None),
            ("attachment; odd; filename=x.png", Some("x.png")),
            ("filename=x.png", Some("x.png")),
            ("attachment; filename=\"x.png", Some("x.png")),
            ("attachment; filename=\"x\\", Some("x")),
            ("attachment; filename=\"\"; filename=x.png", Some("x.png")),
            ("attachment; name=x.png", None),
            ("attachment; filename", None),
            ("attachment", None),
            ("", None),
        ] {
            let found = download(b"image/gif", disposition.as_bytes()).file_name;
            assert_eq!(found.as_deref(), name, "{disposition}");
        }
    }

    #[test]
    fn a_file_name_that_is_not_utf_8_is_ignored() {
        let gbk = download(b"image/gif", b"attachment; filename=\"\xcd\xff.png\"");
        assert_eq!(gbk.file_name, None);
    }

    #[test]
    fn the_content_type_is_cut_after_128_bytes_and_has_no_control_character() {
        for (sent, kept) in [
            (&b"image/png"[..], Some("image/png".to_owned())),
            (b" image/png; a=\tb ", Some("image/png; a= b".to_owned())),
            (b"", None),
            (&[b'x'; 200], Some("x".repeat(128) + "…")),
        ] {
            assert_eq!(download(sent, b"attachment").content_type, kept);
        }
    }

    #[test]
    fn the_file_is_neither_copied_nor_printed() {
        let body = Bytes::from_static(b"GIF89a");
        let download = Download::read(&Reply::new(Response::new(body.clone()))).unwrap();
        assert_eq!(download.bytes.as_ptr_range(), body.as_ptr_range());
        assert_eq!(
            format!("{download:?}"),
            "Download { bytes: 6 bytes, content_type: None, file_name: None }"
        );
    }
}
