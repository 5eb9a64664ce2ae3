//! A strict reader of multipart/form-data (RFC 7578, RFC 2046).
//!
//! It refuses three things that the grammar allows and that no correct client sends: a preamble, an epilogue other than
//! line endings, and a boundary inside a line. Each byte is read once.

use std::fmt;

use http::HeaderMap;
use memchr::memmem;

use super::header::{self, Structured};

/// One part of a `multipart/form-data` body.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormPart<'a> {
    /// The `name` of its `Content-Disposition`.
    pub name: String,
    /// The `filename` of its `Content-Disposition`.
    pub file_name: Option<String>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// The bytes between its head and the next boundary.
    pub content: &'a [u8],
}

/// Shows the number of bytes, and no byte.
impl fmt::Debug for FormPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file_name, content_type, content } = self;
        f.debug_struct("FormPart")
            .field("name", name)
            .field("file_name", file_name)
            .field("content_type", content_type)
            .field("content", &format_args!("{} bytes", content.len()))
            .finish()
    }
}

const CRLF: &[u8] = b"\r\n";
const MAX_PARTS: usize = 32;
const MAX_HEAD: usize = 4096;

/// The boundary in the request's `Content-Type`.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<String, String> {
    let found = header::content_type(headers)?;
    if found.kind != "multipart/form-data" {
        return Err(format!("Content-Type is {}, not multipart/form-data", found.kind));
    }
    let boundary = found.param("boundary").ok_or("Content-Type has no boundary")?;
    let is_bchar = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    if !(1..=70).contains(&boundary.len()) {
        Err(format!("the boundary has {} characters, not 1 to 70", boundary.len()))
    } else if !boundary.bytes().all(is_bchar) || boundary.ends_with(' ') {
        Err("the boundary has a character that RFC 2046 does not allow".to_owned())
    } else {
        Ok(boundary.to_owned())
    }
}

/// Reads the parts of a body.
pub(crate) fn read<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<FormPart<'a>>, String> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut reader = Reader { body, at: 0 };
    // Some clients send a CRLF before the first boundary, as before every other boundary.
    reader.eat(CRLF);
    if !reader.eat(&delimiter) {
        return Err("the body does not start with the boundary".to_owned());
    }
    let mut parts = Vec::new();
    while !reader.eat(b"--") {
        while reader.eat(b" ") || reader.eat(b"\t") {}
        if !reader.eat(CRLF) {
            let at = reader.at;
            return Err(format!("the boundary is followed by neither CRLF nor -- at byte {at}"));
        }
        if parts.len() == MAX_PARTS {
            return Err(format!("the form has more than {MAX_PARTS} parts"));
        }
        parts.push(reader.part(&delimiter)?);
    }
    while reader.eat(CRLF) {}
    if reader.rest().is_empty() {
        Ok(parts)
    } else {
        Err(format!("the last boundary is followed by other bytes at byte {}", reader.at))
    }
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, literal: &[u8]) -> bool {
        let is_next = self.rest().starts_with(literal);
        if is_next {
            self.at += literal.len();
        }
        is_next
    }

    /// Reads a part, from its first header line to the end of the next boundary.
    fn part(&mut self, delimiter: &[u8]) -> Result<FormPart<'a>, String> {
        let start = self.at;
        let mut disposition = None;
        let mut content_type = None;
        loop {
            let at = self.at;
            let located = |error: String| format!("{error} in the part header at byte {at}");
            let line = self.line(MAX_HEAD.saturating_sub(at - start))?;
            if line.is_empty() {
                break;
            }
            let (name, value) = field(line).map_err(located)?;
            let is_second = match name.as_str() {
                "content-disposition" => {
                    disposition.replace(Structured::parse(value).map_err(located)?).is_some()
                }
                "content-type" => {
                    let parsed = Structured::parse(value).map_err(located)?;
                    if parsed.kind.split('/').count() != 2 {
                        return Err(located(format!("{value:?} is not a media type")));
                    }
                    content_type.replace(value.to_owned()).is_some()
                }
                // RFC 7578 says to ignore other fields. This one is refused, because it would change the content.
                "content-transfer-encoding" if !is_identity(value) => {
                    return Err(located(format!("{value:?} is not an accepted transfer encoding")));
                }
                _ => false,
            };
            if is_second {
                return Err(located(format!("there is a second {name}")));
            }
        }
        let disposition = disposition.ok_or_else(|| {
            format!("there is no Content-Disposition in the part at byte {start}")
        })?;
        let (name, file_name) = form_data(&disposition)
            .map_err(|error| format!("{error} in the part at byte {start}"))?;
        Ok(FormPart { name, file_name, content_type, content: self.content(delimiter)? })
    }

    /// Reads a header line of at most `limit` bytes, and its CRLF.
    fn line(&mut self, limit: usize) -> Result<&'a [u8], String> {
        let start = self.at;
        let window = self.rest().iter().take(limit);
        let length =
            window.copied().position(|byte| byte == b'\r' || byte == b'\n').ok_or_else(|| {
                format!("the part header at byte {start} does not end within {MAX_HEAD} bytes")
            })?;
        let line = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        if self.eat(CRLF) {
            Ok(line)
        } else {
            Err(format!("a part header line ends without CRLF at byte {}", self.at))
        }
    }

    /// Reads to the end of the next boundary. The CRLF before a boundary belongs to the boundary.
    fn content(&mut self, delimiter: &[u8]) -> Result<&'a [u8], String> {
        let start = self.at;
        let rest = self.rest();
        let length = memmem::find(rest, delimiter)
            .ok_or_else(|| format!("the content at byte {start} has no boundary after it"))?;
        self.at += length + delimiter.len();
        // By the grammar, a boundary inside a line is content. A client that sends one has forgotten the CRLF.
        let content = rest.get(..length).and_then(|content| content.strip_suffix(CRLF));
        content
            .ok_or_else(|| format!("missing CRLF before the boundary at byte {}", start + length))
    }
}

/// Splits a header line into its name in lower case and its value.
fn field(line: &[u8]) -> Result<(String, &str), String> {
    let text = std::str::from_utf8(line).map_err(|_| "a field that is not UTF-8")?;
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err("a control character".to_owned());
    }
    let (name, value) = text.split_once(':').ok_or("a field without a colon")?;
    if !header::is_token(name) {
        return Err(format!("{name:?} is not a field name"));
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])))
}

fn is_identity(encoding: &str) -> bool {
    ["7bit", "8bit", "binary"].iter().any(|known| encoding.eq_ignore_ascii_case(known))
}

fn form_data(disposition: &Structured) -> Result<(String, Option<String>), String> {
    if disposition.kind != "form-data" {
        return Err(format!("Content-Disposition is {}, not form-data,", disposition.kind));
    }
    // RFC 7578 forbids `filename*`, and servers are reported not to understand it. Together with `filename`, as .NET
    // sends it, it does no harm.
    if disposition.param("filename*").is_some() && disposition.param("filename").is_none() {
        return Err("filename* without filename".to_owned());
    }
    let name = disposition.param("name").ok_or("Content-Disposition without a name")?;
    Ok((name.to_owned(), disposition.param("filename").map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::header::{CONTENT_TYPE, HeaderValue};

    /// The boundary in this `Content-Type`.
    fn boundary_in(text: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::from_str(text).ok().map(|value| (CONTENT_TYPE, value)));
        boundary(&headers)
    }

    #[test]
    fn a_boundary_is_read_from_the_content_type() {
        let long = "b".repeat(70);
        for (text, expected) in [
            ("multipart/form-data; boundary=-x", "-x"),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b?=:/(),\"", "a b?=:/(),"),
            (&format!("multipart/form-data; boundary={long}"), &long),
        ] {
            assert_eq!(boundary_in(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_content_type_without_a_valid_boundary_is_refused_with_the_mistake() {
        let long = "b".repeat(70);
        for (text, error) in [
            ("multipart/form-data", "no boundary"),
            ("multipart/mixed; boundary=x", "not multipart/form-data"),
            ("multipart/form-data; boundary=\"\"", "0 characters"),
            (&format!("multipart/form-data; boundary=x{long}"), "71 characters"),
            ("multipart/form-data; boundary=a:b", "in quotes"),
            ("multipart/form-data; boundary=\"a \"", "does not allow"),
            ("multipart/form-data; boundary=a*b", "does not allow"),
            ("multipart/form-data; boundary=a; boundary=b", "comes twice"),
        ] {
            let refusal = boundary_in(text).err().unwrap_or_default();
            assert!(refusal.contains(error), "{text}: {refusal}");
        }
        assert_eq!(boundary(&HeaderMap::new()).ok(), None);
    }

    #[test]
    fn a_form_is_read_into_its_parts() {
        let field = |name: &str, content| FormPart {
            name: name.to_owned(),
            file_name: None,
            content_type: None,
            content,
        };
        let file = FormPart {
            file_name: Some("图 \"1\".png".to_owned()),
            content_type: Some("image/png; x=1".to_owned()),
            ..field("i", b"\r\n-\n--a\r\n--\r\r\n")
        };
        for (body, parts) in [
            ("--b--", vec![]),
            ("\r\n--b \t\r\nContent-Disposition: form-data; name=t\r\n\r\n\r\n--b--\r\n\r\n", {
                vec![field("t", b"")]
            }),
            ("--b\r\nContent-Disposition: form-data; name=t\r\n\r\n\r\n--b--\r\n", {
                vec![field("t", b"")]
            }),
            (
                "--b\r\ncontent-disposition:form-data; name=\"i\"; filename=\"图 \\\"1\\\".png\"\r\n\
                 X-Other: \r\nContent-Transfer-Encoding: BINARY\r\n\
                 CONTENT-TYPE:\timage/png; x=1 \r\n\r\n\r\n-\n--a\r\n--\r\r\n\r\n--b\r\n\
                 Content-Disposition: form-data; name=t\r\n\r\nx\r\n--b--\r\n",
                vec![file, field("t", b"x")],
            ),
        ] {
            assert_eq!(read(body.as_bytes(), "b").as_ref(), Ok(&parts), "{body:?}");
        }
        let dashes = b"----\r\nContent-Disposition: form-data; name=t\r\n\r\n--\r\n------";
        assert_eq!(read(dashes, "--"), Ok(vec![field("t", b"--")]));
    }

    #[test]
    fn a_malformed_form_is_refused_with_the_mistake_and_its_place() {
        let part = |head: &str| format!("--b\r\n{head}\r\n\r\nx\r\n--b--\r\n");
        let t = "Content-Disposition: form-data; name=t";
        let cases: Vec<(String, &str)> = vec![
            (String::new(), "does not start"),
            (format!("preamble\r\n{}", part(t)), "does not start"),
            (format!("\n{}", part(t)), "does not start"),
            (part(t).replace("--b\r\n", "--bx\r\n"), "neither CRLF nor -- at byte 3"),
            (part(t).replace("--b\r\n", "--b\n"), "byte 3"),
            (part(t).replace("--b--", "--bc"), "neither CRLF nor --"),
            (part(t).replace("--b--", "--b"), "does not end"),
            (part(t).replace("--b--", "--c--"), "the content at byte 47 has no boundary after it"),
            (part(t).replace("x\r\n", "x"), "missing CRLF before the boundary at byte 48"),
            (part(t).replace("x\r\n", "x\n"), "missing CRLF before the boundary at byte 49"),
            (part(t).replace("x\r\n", ""), "missing CRLF before the boundary at byte 47"),
            (part(t) + "x", "the last boundary is followed by other bytes"),
            (part(t) + "\n", "the last boundary is followed by other bytes"),
            (part(t).replace("\r\n\r\n", "\n\n"), "without CRLF at byte 43"),
            (part(t).replace("\r\n\r\n", "\r\r"), "without CRLF at byte 43"),
            (part(t).replace("\r\n\r\n", "\r\n"), "without a colon"),
            (part("X: y"), "there is no Content-Disposition in the part at byte 5"),
            (part("Content-Disposition: attachment; name=t"), "attachment"),
            (part("Content-Disposition: form-data"), "without a name"),
            (part("Content-Disposition: form-data; name=\"t\";"), "has no ="),
            (part("Content-Disposition : form-data; name=t"), "not a field name"),
            (part(&format!("{t}\r\n {t}")), "not a field name"),
            (part(&format!("{t}; filename*=UTF-8''x")), "filename* without filename"),
            (part(&format!("{t}\r\n{t}")), "there is a second content-disposition"),
            (
                part(&format!("{t}\r\nContent-Type: a/b\r\nContent-Type: a/b")),
                "there is a second content-type",
            ),
            (part(&format!("{t}\r\nContent-Type: png")), "not a media type"),
            (
                part(&format!("{t}\r\nContent-Transfer-Encoding: base64")),
                "not an accepted transfer encoding",
            ),
            (part(&format!("{t}\r\nX: \u{7}")), "a control character"),
            (part(&format!("{t}\r\nX: {}", "x".repeat(MAX_HEAD))), "within 4096 bytes"),
            (part(&format!("{t}{}", "\r\nX:".repeat(MAX_HEAD / 4))), "within 4096 bytes"),
            (
                format!("--b\r\n{t}\r\n\r\nx\r\n").repeat(33) + "--b--",
                "the form has more than 32 parts",
            ),
        ];
        for (body, error) in cases {
            let refusal = read(body.as_bytes(), "b").err().unwrap_or_default();
            assert!(refusal.contains(error), "{body:?}: {refusal}");
        }
    }

    #[test]
    fn a_form_has_at_most_32_parts_and_a_part_header_4096_bytes() {
        let t = "Content-Disposition: form-data; name=t";
        for (count, is_read) in [(31, true), (32, true), (33, false)] {
            let form = format!("--b\r\n{t}\r\n\r\nx\r\n").repeat(count) + "--b--";
            assert_eq!(read(form.as_bytes(), "b").is_ok_and(|parts| parts.len() == count), is_read);
        }
        // The length counts the bytes before the last LF.
        for (len, is_read) in [(4095, true), (4096, true), (4097, false)] {
            let rest = "x".repeat(len - t.len() - "\r\nX: \r\n\r".len());
            let form = format!("--b\r\n{t}\r\nX: {rest}\r\n\r\nx\r\n--b--");
            assert_eq!(read(form.as_bytes(), "b").is_ok(), is_read, "{len}");
        }
    }

    #[test]
    fn a_part_header_that_is_not_utf_8_is_refused() {
        let refusal = read(b"--b\r\nX: \xff\r\n\r\n\r\n--b--", "b").err().unwrap_or_default();
        assert!(refusal.contains("not UTF-8"), "{refusal}");
    }

    #[test]
    fn a_form_that_is_cut_anywhere_is_refused() {
        let whole = b"--b\r\nContent-Disposition: form-data; name=t\r\n\r\nx\r\n--b--";
        for end in 0..whole.len() {
            assert!(read(whole.get(..end).unwrap_or_default(), "b").is_err(), "{end}");
        }
    }
}
