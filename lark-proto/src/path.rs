//! A route's template filled in: always a legal request target, whatever the values.

use std::fmt;

/// The path and query of a request.
///
/// ```
/// use lark_proto::endpoints::Path;
/// let path = Path::new("/open-apis/wiki/v2/spaces/:space_id/nodes").segment("a/b").query("q", "x&y");
/// assert_eq!(path.to_string(), "/open-apis/wiki/v2/spaces/a%2Fb/nodes?q=x%26y");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    path: String,
    /// No placeholder begins before this byte of `path`.
    filled: usize,
    query: String,
}

/// Neither the path nor the query gets longer than this: `http::Uri` holds 65,534 bytes, and a server that
/// reads even 8,000 is rare.
const LONGEST: usize = 15_000;

impl Path {
    /// A route such as `/open-apis/sheets/v2/spreadsheets/:spreadsheet_token/values_image`.
    #[must_use]
    pub fn new(route: &str) -> Self {
        let mut path = String::with_capacity(route.len() + 32);
        if !route.starts_with('/') {
            path.push('/');
        }
        push_escaped(&mut path, route, &ROUTE);
        Self { path, filled: 0, query: String::new() }
    }

    /// Fills in the next `:name` of the route; where none is left, adds a segment.
    ///
    /// A value is always one segment: `/`, `?`, `.` and `..` are escaped. A transport that parses URLs as browsers
    /// do, such as `fetch`, takes an escaped `..` for a real one all the same: for it, keep `..` out of the
    /// values, as every type of this crate does. A value that would make the path longer than 15,000 bytes is
    /// left out.
    #[must_use]
    pub fn segment(mut self, value: &str) -> Self {
        let open = self.path.get(self.filled..).and_then(|rest| rest.find("/:"));
        let placeholder = match open {
            Some(slash) => self.path.split_off(self.filled + slash + 1),
            None => {
                push_escaped(&mut self.path, "/", &SEPARATOR);
                String::new()
            }
        };
        let rest = placeholder.find('/').and_then(|end| placeholder.get(end..)).unwrap_or_default();
        push_escaped(
            &mut self.path,
            value,
            if matches!(value, "." | "..") { &DOTS } else { &VALUE },
        );
        self.filled = self.path.len();
        self.path.push_str(rest);
        self
    }

    /// Adds `name=value` to the query. What would make the query longer than 15,000 bytes is left out.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let separator = if self.query.is_empty() { "?" } else { "&" };
        push_escaped(&mut self.query, separator, &SEPARATOR);
        push_escaped(&mut self.query, name, &VALUE);
        push_escaped(&mut self.query, "=", &SEPARATOR);
        push_escaped(&mut self.query, value, &VALUE);
        self
    }

    /// The absolute URI behind an origin.
    pub(crate) fn behind(&self, origin: &str) -> String {
        [origin, &self.path, &self.query].concat()
    }
}

/// The request target in origin form.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        f.write_str(&self.query)
    }
}

/// Which bytes are not escaped.
type Kept = [bool; 256];

/// Letters, digits, `-`, `_`, `~`, and `further`.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it")]
const fn kept(further: &[u8]) -> Kept {
    let mut kept = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        kept[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        byte += 1;
    }
    let mut rest = further;
    while let [byte, others @ ..] = rest {
        kept[*byte as usize] = true;
        rest = others;
    }
    kept
}

static ROUTE: Kept = kept(b"./:!$&'()*+,;=@");
static VALUE: Kept = kept(b".");
/// For a value that is `.` or `..`.
static DOTS: Kept = kept(b"");
static SEPARATOR: Kept = kept(b"/?&=");

/// Percent-encodes all but the characters to `keep`.
fn push_escaped(out: &mut String, text: &str, keep: &Kept) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let len = escaped_len(text, keep);
    if out.len() + len > LONGEST {
        return;
    }
    if len == text.len() {
        return out.push_str(text);
    }
    for byte in text.bytes() {
        if is_kept(byte, keep) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15].iter().filter_map(|nibble| HEX.get(usize::from(*nibble))),
            );
        }
    }
}

fn is_kept(byte: u8, keep: &Kept) -> bool {
    keep.get(usize::from(byte)).is_some_and(|kept| *kept)
}

fn escaped_len(text: &str, keep: &Kept) -> usize {
    text.bytes().map(|byte| if is_kept(byte, keep) { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;

    #[test]
    fn values_stay_inside_their_place() {
        let of = |value: &str| Path::new("/a/:x/b/:y").segment(value).to_string();
        assert_eq!(of("v"), "/a/v/b/:y");
        assert_eq!(of(".."), "/a/%2E%2E/b/:y");
        assert_eq!(of("../:y?#%"), "/a/..%2F%3Ay%3F%23%25/b/:y");
        assert_eq!(of("图\r\n"), "/a/%E5%9B%BE%0D%0A/b/:y");
        assert_eq!(Path::new("/a/:x").segment(":x").segment("z").to_string(), "/a/%3Ax/z");
        assert_eq!(
            Path::new("a b?c").query("d", "").query("", "e").to_string(),
            "/a%20b%3Fc?d=&=e"
        );
    }

    #[test]
    fn any_length_is_a_uri() {
        let long = "图".repeat(100_000);
        let path =
            Path::new("/:x").segment(&long).segment(&long).query(&long, &long).query("a", "b");
        assert!(Site::LARK.uri(&path).path_and_query().unwrap().as_str().len() < 65_535);
        assert_eq!(Path::new("/:x/y").segment(&long).to_string(), "//y", "left out, not cut");
        let many = (0..70_000).fold(Path::new("/"), |path, _| path.segment("x").query("", ""));
        let _ = Site::LARK.uri(&many);
    }
}
