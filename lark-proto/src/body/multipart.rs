//! `multipart/form-data` (RFC 7578). The boundary is derived from the parts and not random, so the same form always has
//! the same bytes.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::boundary::{Boundary, is_token};
use super::payload::Payload;
use super::{Body, Segment};
use crate::error::{Invalid, InvalidKind};

/// A form: text fields and files, in the order in which they are added. The bytes of a file are shared, the value of a
/// text field is copied.
///
/// This endpoint uploads a file:
///
/// ```
/// use bytes::Bytes;
/// use http::Method;
/// use lark_proto::Error;
/// use lark_proto::body::Multipart;
/// use lark_proto::endpoints::{Endpoint, EndpointExt, Payload, Reply};
/// use lark_proto::token::TenantOnly;
///
/// struct UploadPdf {
///     name: String,
///     content: Bytes,
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Uploaded {
///     file_key: String,
/// }
///
/// impl Endpoint for UploadPdf {
///     type Auth = TenantOnly;
///     type Output = String;
///
///     fn method(&self) -> Method {
///         Method::POST
///     }
///     fn route(&self) -> &str {
///         "/open-apis/im/v1/files"
///     }
///     fn payload(&self) -> Option<Payload> {
///         let pdf = self.content.clone();
///         let form = Multipart::new()
///             .text("file_type", "pdf")
///             .text("file_name", &self.name)
///             .file("file", &self.name, "application/pdf", pdf);
///         Some(form.payload())
///     }
///     fn read(reply: &Reply) -> Result<String, Error> {
///         Ok(reply.data::<Uploaded>()?.file_key)
///     }
/// }
///
/// let pdf = UploadPdf { name: "a.pdf".into(), content: "%PDF-1.7".into() };
/// let token = lark_proto::TenantToken::new("t-7f1b")?;
/// let request = pdf.request(&lark_proto::Site::LARK, &token);
/// let file = "name=\"file\"; filename=\"a.pdf\"\r\n\
///             Content-Type: application/pdf\r\n\r\n%PDF-1.7\r\n";
/// assert!(String::from_utf8_lossy(request.body()).contains(file));
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Multipart {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Part {
    /// The headers, the empty line after them and, in a text field, the value.
    text: Vec<u8>,
    /// The content of a file; empty in a text field.
    file: Bytes,
}

impl Multipart {
    /// A form without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut text = disposition(name).into_bytes();
        text.extend_from_slice(b"\r\n\r\n");
        text.extend_from_slice(value.as_ref());
        self.parts.push(Part { text, file: Bytes::new() });
        self
    }

    /// Adds a file. An empty file name becomes `file`, and a content type that is not a media type becomes
    /// `application/octet-stream`, because `im/v1` was seen to refuse forms without a file name or a content type, with
    /// the codes 234001 and 99992402.
    #[must_use]
    pub fn file(mut self, name: &str, file_name: &str, content_type: &str, content: Bytes) -> Self {
        let file_name = if file_name.is_empty() { "file" } else { file_name };
        let is_type = |(kind, rest): (&str, &str)| {
            let rest = rest.split(';').next().unwrap_or(rest).trim_end();
            [kind, rest].iter().all(|word| !word.is_empty() && word.bytes().all(is_token))
                && content_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        };
        let content_type = if content_type.split_once('/').is_some_and(is_type) {
            content_type
        } else {
            "application/octet-stream"
        };
        let mut text = disposition(name);
        text.push_str("; filename=\"");
        push_quoted(&mut text, file_name);
        text.push_str("\"\r\nContent-Type: ");
        text.push_str(content_type);
        text.push_str("\r\n\r\n");
        self.parts.push(Part { text: text.into_bytes(), file: content });
        self
    }

    /// The form's bytes, with the first boundary of the sequence `lark_00..00`, `lark_00..01`, .. that occurs in no
    /// part. Each boundary has 64 hexadecimal digits.
    ///
    /// The search takes time linear in the length of the parts, whatever they contain.
    #[must_use]
    pub fn payload(&self) -> Payload {
        self.encode(&self.free_boundary())
    }

    /// The boundary of [`Multipart::payload`].
    pub(crate) fn free_boundary(&self) -> Boundary {
        Boundary::absent_from(|| self.contents())
    }

    /// The form's bytes, with this boundary.
    ///
    /// # Errors
    /// [`InvalidKind::BoundaryInPart`].
    pub fn payload_with(&self, boundary: &Boundary) -> Result<Payload, Invalid> {
        self.check(boundary)?;
        Ok(self.encode(boundary))
    }

    /// Refuses a boundary that occurs in a part.
    pub(crate) fn check(&self, boundary: &Boundary) -> Result<(), Invalid> {
        let delimiter = format!("--{boundary}");
        let finder = memmem::Finder::new(&delimiter);
        if self.contents().any(|content| finder.find(content).is_some()) {
            Err(Invalid::new(InvalidKind::BoundaryInPart, boundary.as_str()))
        } else {
            Ok(())
        }
    }

    fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().flat_map(|part| [&part.text[..], &part.file])
    }

    /// The form's bytes, for a boundary that occurs in no part.
    pub(crate) fn encode(&self, boundary: &Boundary) -> Payload {
        let name = boundary.as_str().as_bytes();
        let room = |part: &Part| part.text.len() + name.len() + 8;
        let room = self.parts.iter().map(room).sum::<usize>() + name.len() + 8;
        let mut text = BytesMut::with_capacity(room);
        let mut segments = Vec::with_capacity(self.parts.len() * 2 + 1);
        let mut before: &[u8] = b"--";
        for part in &self.parts {
            for piece in [before, name, b"\r\n", &part.text] {
                text.extend_from_slice(piece);
            }
            if !part.file.is_empty() {
                segments.push(Segment::Stored(text.split().freeze()));
                segments.push(Segment::Stored(part.file.clone()));
            }
            before = b"\r\n--";
        }
        for piece in [before, name, b"--\r\n"] {
            text.extend_from_slice(piece);
        }
        segments.push(Segment::Stored(text.freeze()));
        Payload { content_type: boundary.content_type(), body: Body::from_segments(segments) }
    }
}

/// Shows the lengths only, because a field may be a secret and a file may be long.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({} + {} bytes)", self.text.len(), self.file.len())
    }
}

fn disposition(name: &str) -> String {
    let mut head = String::with_capacity(160);
    head.push_str("Content-Disposition: form-data; name=\"");
    push_quoted(&mut head, name);
    head.push('"');
    head
}

/// Appends a quoted header parameter, with `_` in place of the characters that could end the quotes. Other characters
/// are written in UTF-8 without an escape, as the service reads them.
fn push_quoted(text: &mut String, name: &str) {
    let mut pieces = name.split(|char: char| char.is_control() || "\"\\".contains(char));
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        text.push('_');
        text.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::boundary::DIGITS;

    fn form(content: impl Into<Bytes>) -> Multipart {
        Multipart::new().text("kind", "x").file("f", "a.png", "image/png", content.into())
    }

    fn boundary(content: impl Into<Bytes>) -> String {
        let payload = form(content).payload();
        payload.content_type.to_str().unwrap().split_once("boundary=").unwrap().1.to_owned()
    }

    fn sequence(numbers: impl IntoIterator<Item = u64>) -> String {
        numbers.into_iter().map(|n| format!("--{}", lark(n))).collect()
    }

    fn lark(number: u64) -> String {
        format!("lark_{number:064x}")
    }

    #[test]
    fn a_form_has_a_delimiter_before_each_part_and_one_at_its_end() {
        let expected = "--b?\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nx\r\n\
            --b?\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\
            Content-Type: image/png\r\n\r\n\0\r\n\r\n--b?--\r\n";
        let payload = form("\0\r\n").payload_with(&Boundary::new("b?").unwrap()).unwrap();
        assert_eq!(payload.content_type, "multipart/form-data; boundary=\"b?\"");
        assert_eq!(payload.body.into_bytes(), expected);
        assert_eq!(
            Multipart::new().payload().body.into_bytes(),
            format!("{}--\r\n", sequence([0]))
        );
    }

    #[test]
    fn the_boundary_is_the_first_that_is_absent() {
        assert_eq!(boundary("plain"), lark(0));
        assert_eq!(boundary(sequence([0])), lark(1));
        assert_eq!(boundary(sequence([1, 2])), lark(0));
        assert_eq!(boundary(sequence([3, 0, 1, 4, 0])), lark(2));
        assert_eq!(boundary(format!("--lark---lark_{}", sequence([0]))), lark(1));
        assert_eq!(boundary(sequence(0..300)), lark(300));
        // A boundary in upper case is a different one, and a boundary that the end of a part truncates does not count.
        let others = [sequence([10]).to_uppercase(), "0".repeat(1000), "--lark_00".into()];
        assert_eq!(boundary(others.concat()), lark(0));
        let split = Multipart::new().text("a", "--lark_00000").text("b", "0".repeat(59));
        assert_eq!(split.check(&Boundary::new(&lark(0)).unwrap()), Ok(()));
    }

    #[test]
    fn the_first_boundary_is_found_at_every_offset() {
        for around in ["0", "-", "\0"] {
            for before in 0..2 * DIGITS {
                let content = [around.repeat(before), sequence([0]), around.repeat(5)].concat();
                assert_eq!(boundary(content), lark(1), "behind {before} of {around:?}");
            }
        }
    }

    #[test]
    fn a_given_boundary_that_occurs_in_a_part_is_refused() {
        let boundary = Boundary::new(&"b".repeat(70)).unwrap();
        let inside = form(format!("x--{boundary}y")).payload_with(&boundary);
        assert_eq!(inside.unwrap_err().kind(), InvalidKind::BoundaryInPart);
        let without_hyphens = form(format!("x-{boundary}y")).payload_with(&boundary).unwrap();
        assert_eq!(
            without_hyphens.content_type,
            format!("multipart/form-data; boundary={boundary}")
        );
    }

    #[test]
    fn a_form_shows_lengths_and_no_content() {
        let form = Multipart::new().text("password", "hidden").file("f", "", "", "hidden".into());
        let shown = format!("{form:?}");
        assert!(shown.starts_with("Multipart { parts: [Part("), "{shown}");
        assert!(shown.ends_with(" + 6 bytes)] }") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn a_content_type_that_is_not_a_media_type_is_replaced() {
        let sent = |content_type: &str| {
            let form = Multipart::new().file("f", "a", content_type, Bytes::new());
            let body = form.payload().body.into_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            let (_, rest) = text.split_once("Content-Type: ").unwrap();
            rest.split_once("\r\n").unwrap().0.to_owned()
        };
        for good in
            ["image/svg+xml", "a/b", "x-a/b.c_d-e", "text/plain; charset=utf-8", "a/b ; c=d"]
        {
            assert_eq!(sent(good), good);
        }
        for bad in
            ["", "a", "/", "a/", "/b", "a b/c", "a/b c", "a/b/c", "a/b;\tc=d", "a/图", "a/b; c=图"]
        {
            assert_eq!(sent(bad), "application/octet-stream", "{bad}");
        }
    }

    #[test]
    fn no_character_of_a_name_ends_its_quotes() {
        let form = Multipart::new().file("a\"b", "图\r\n\\.png", "x/y\r\nZ: 1", Bytes::new());
        let body = form.payload().body.into_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        let head =
            "name=\"a_b\"; filename=\"图___.png\"\r\nContent-Type: application/octet-stream\r\n";
        assert!(text.contains(head), "{text}");
        let plain = Multipart::new().file("a", "", "text/plain; charset=utf-8", Bytes::new());
        let body = plain.payload().body.into_bytes();
        let head = b"filename=\"file\"\r\nContent-Type: text/plain; charset=utf-8\r\n";
        assert!(memmem::find(&body, head).is_some());
    }
}
