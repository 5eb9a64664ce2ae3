//! The path and query of a request, which are made from a route and values.

use std::fmt;

use crate::error::{Invalid, InvalidKind};

/// The path and query of a request: a route whose `:name` placeholders are replaced by values.
///
/// Each value is percent-encoded, so it is one segment of the path, whatever its characters. A path is invalid if
///
/// * a value is empty, or has a part `.` or `..` when it is split at slashes and backslashes: servers and proxies do
///   not agree on how to read these, and some proxies remove dot segments after they have decoded the slashes;
/// * it has fewer or more values than placeholders;
/// * its path, or its query with the `?`, has more than 15,000 bytes;
/// * its route has a segment `.` or `..`, or an empty segment other than the last one.
///
/// An invalid path is never sent as the path of another resource:
///
/// * A call with an invalid path ends before anything is sent, and its error has the reason.
/// * [`Path::check`] returns the reason, for a request that is made without a call.
/// * The request target of an invalid path is `/open-apis/-invalid-path-`. No resource has this path, so the service
///   answers with 404.
///
/// ```
/// use lark_proto::endpoints::Path;
///
/// let route = "/open-apis/wiki/v2/spaces/:space_id/nodes";
/// let path = Path::new(route).segment("a/b").query("q", "x&y");
/// let filled = "/open-apis/wiki/v2/spaces/a%2Fb/nodes?q=x%26y";
/// assert_eq!(path.to_string(), filled);
///
/// let path = Path::new(route).segment("..");
/// let error = path.check().unwrap_err();
/// let text = "the request has no valid path: `:space_id` is `..`";
/// assert_eq!(error.to_string(), text);
/// assert_eq!(path.to_string(), "/open-apis/-invalid-path-");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    path: String,
    /// No placeholder begins before this byte of `path`.
    filled: usize,
    query: String,
    /// The reason why the path is invalid, except for a placeholder without a value, which [`Path::check`] finds.
    invalid: Option<Invalid>,
}

/// The maximum length of the path and of the query, each in bytes. `http::Uri` holds 65,534 bytes; few servers accept
/// more than 8,000.
const MAX_BYTES: usize = 15_000;

/// The request target of each invalid path.
const INVALID: &str = "/open-apis/-invalid-path-";

impl Path {
    /// The path of a route such as `/open-apis/sheets/v2/spreadsheets/:spreadsheet_token/values_image`.
    #[must_use]
    pub fn new(route: &str) -> Self {
        let mut path = Self {
            path: String::with_capacity(route.len() + 32),
            filled: 0,
            query: String::new(),
            invalid: None,
        };
        if !route.starts_with('/') {
            path.path.push('/');
        }
        if !push_escaped(&mut path.path, route, &ROUTE) {
            return path.refuse("it is too long");
        }
        // The last segment may be empty: some of the vendor's routes end in a slash.
        let (segments, last) = path.path.rsplit_once('/').unwrap_or_default();
        let mut segments = segments.split('/').skip(1);
        if segments.any(|segment| segment.is_empty() || is_dots(segment)) || is_dots(last) {
            return path.refuse("its route has an empty segment, `.` or `..`");
        }
        path
    }

    /// Fills in the next `:name` of the route.
    #[must_use]
    pub fn segment(mut self, value: &str) -> Self {
        if self.invalid.is_some() {
            return self;
        }
        let Some(start) = self.placeholder() else {
            return self.refuse("it has more values than placeholders");
        };
        let rest = self.path.split_off(start);
        let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if value.is_empty() {
            return self.refuse(format!("`{name}` is empty"));
        }
        if let Some(dots) = dots_in(value) {
            let verb = if dots == value { "is" } else { "has a part" };
            return self.refuse(format!("`{name}` {verb} `{dots}`"));
        }
        let fits = push_escaped(&mut self.path, value, &VALUE);
        self.filled = self.path.len();
        self.path.push_str(rest);
        if fits && self.path.len() <= MAX_BYTES {
            self
        } else {
            self.refuse(format!("`{name}` is too long"))
        }
    }

    /// Adds `name=value` to the query. Both may be empty.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if self.invalid.is_some() {
            return self;
        }
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        let fits = push_escaped(&mut self.query, name, &VALUE) && {
            self.query.push('=');
            push_escaped(&mut self.query, value, &VALUE)
        };
        if fits { self } else { self.refuse("its query is too long") }
    }

    /// Whether the path is valid: each placeholder has exactly one value, and a request target can hold the values.
    ///
    /// # Errors
    /// [`InvalidKind::BadPath`].
    pub fn check(&self) -> Result<(), Invalid> {
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        let Some(start) = self.placeholder() else { return Ok(()) };
        let name = self.path.get(start..).and_then(|rest| rest.split('/').next());
        let reason = format!("`{}` has no value", name.unwrap_or_default());
        Err(Invalid::new(InvalidKind::BadPath, reason))
    }

    /// The absolute URI of this path at a site with the URL `base`.
    pub(crate) fn uri(&self, base: &str) -> String {
        let (path, query) = self.target();
        [base, path, query].concat()
    }

    /// The place of the next placeholder in `path`.
    fn placeholder(&self) -> Option<usize> {
        let slash = self.path.get(self.filled..)?.find("/:")?;
        Some(self.filled + slash + 1)
    }

    /// The same path, invalid for this reason.
    fn refuse(self, reason: impl AsRef<[u8]>) -> Self {
        Self { invalid: Some(Invalid::new(InvalidKind::BadPath, reason)), ..self }
    }

    /// The path and the query that are sent.
    fn target(&self) -> (&str, &str) {
        if self.invalid.is_none() && self.placeholder().is_none() {
            (&self.path, &self.query)
        } else {
            (INVALID, "")
        }
    }
}

/// The request target in origin form.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.target();
        f.write_str(path)?;
        f.write_str(query)
    }
}

/// The first dot segment in `value`. A path with such a value is invalid.
fn dots_in(value: &str) -> Option<&str> {
    value.split(['/', '\\']).find(|part| is_dots(part))
}

/// Whether [`Path::segment`] refuses `value` because of a dot segment.
pub(crate) fn has_dots(value: &str) -> bool {
    dots_in(value).is_some()
}

/// Whether `segment` is a dot segment of RFC 3986. URL parsers remove dot segments, even percent-encoded ones.
fn is_dots(segment: &str) -> bool {
    segment == "." || segment == ".."
}

/// For each byte, whether it is sent unescaped.
type Kept = [bool; 256];

/// Keeps letters, digits, `-`, `_`, `~` and the bytes in `further`.
#[expect(
    clippy::indexing_slicing,
    reason = "the index is below 256, and the compiler runs the function"
)]
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

/// The bytes of a route that are sent unescaped.
static ROUTE: Kept = kept(b"./:!$&'()*+,;=@");
/// The bytes of a value that are sent unescaped.
static VALUE: Kept = kept(b".");

/// Appends `text`, percent-encoded except for the bytes to `keep`. If the result would be too long, appends nothing and
/// returns `false`.
fn push_escaped(out: &mut String, text: &str, keep: &Kept) -> bool {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    // The length of a text above the limit could overflow on 32 bits.
    let len = if text.len() > MAX_BYTES { text.len() } else { escaped_len(text, keep) };
    if out.len() + len > MAX_BYTES {
        return false;
    }
    if len == text.len() {
        out.push_str(text);
        return true;
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
    true
}

fn is_kept(byte: u8, keep: &Kept) -> bool {
    keep.get(usize::from(byte)).is_some_and(|kept| *kept)
}

fn escaped_len(text: &str, keep: &Kept) -> usize {
    text.bytes().map(|byte| if is_kept(byte, keep) { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use proptest::prelude::*;

    use super::*;

    /// The URI of a request.
    fn uri(path: &Path) -> Uri {
        path.uri("https://open.larksuite.com").parse().unwrap()
    }

    fn filled(route: &str, values: &[&str]) -> Path {
        values.iter().fold(Path::new(route), |path, value| path.segment(value))
    }

    #[test]
    fn a_value_is_one_segment_whatever_its_characters() {
        for (route, values, target) in [
            ("/a/:x/b/:y", &["v", "w"][..], "/a/v/b/w"),
            ("/a/:x/b", &["a../:y?#%"], "/a/a..%2F%3Ay%3F%23%25/b"),
            ("/a/:x/b", &["..."], "/a/.../b"),
            ("/a/:x/b", &["%2e%2e"], "/a/%252e%252e/b"),
            ("/a/:x/b", &["图\r\n"], "/a/%E5%9B%BE%0D%0A/b"),
            ("/a/:x/:y", &[":y", "z"], "/a/%3Ay/z"),
            ("/open-apis/image/v4/put/", &[], "/open-apis/image/v4/put/"),
            ("/", &[], "/"),
            ("", &[], "/"),
            ("a b?c", &[], "/a%20b%3Fc"),
            ("/a.:!$&'()*+,;=@-_~", &[], "/a.:!$&'()*+,;=@-_~"),
            ("/a/:x", &["-_~.:!$&'()*+,;=@"], "/a/-_~.%3A%21%24%26%27%28%29%2A%2B%2C%3B%3D%40"),
        ] {
            let path = filled(route, values);
            assert_eq!(path.check(), Ok(()), "{route}");
            assert_eq!(path.to_string(), target);
        }
    }

    #[test]
    fn a_name_and_a_value_of_the_query_may_be_empty_and_are_escaped() {
        let path = Path::new("/a").query("d", "").query("", "e").query("图&", "=");
        assert_eq!(path.to_string(), "/a?d=&=e&%E5%9B%BE%26=%3D");
    }

    #[test]
    fn an_invalid_path_has_a_reason_and_the_target_of_no_resource() {
        let long = "图".repeat(1667);
        let fits = "图".repeat(1666);
        assert_eq!(filled("/:x", &[&fits]).check(), Ok(()));
        for (path, reason) in [
            (filled("/a/:x/b", &[""]), "`:x` is empty"),
            (filled("/a/:x/b", &["."]), "`:x` is `.`"),
            (filled("/a/:x", &[".."]), "`:x` is `..`"),
            (filled("/a/:x", &["..", ""]), "`:x` is `..`"),
            (filled("/a/:x/b", &["v/../w"]), "`:x` has a part `..`"),
            (filled("/a/:x/b", &["v\\."]), "`:x` has a part `.`"),
            (filled("/a/:x/b", &[&long]), "`:x` is too long"),
            (filled("/:x/:y", &[&fits, "zzzzz"]), "`:y` is too long"),
            (filled("/:x/abcdef", &[&fits]), "`:x` is too long"),
            (filled("/a/:x/:y/b", &["v"]), "`:y` has no value"),
            (filled("/:x", &[]), "`:x` has no value"),
            (filled("/a", &["v"]), "it has more values than placeholders"),
            (filled("/a/:x", &["v", "w"]), "it has more values than placeholders"),
            (Path::new("/a").query("q", &long), "its query is too long"),
            (Path::new("/a").query(&long, "").query("", ""), "its query is too long"),
            (Path::new(&format!("/{long}")), "it is too long"),
            (Path::new("/a/../b"), "its route has an empty segment, `.` or `..`"),
            (Path::new("/a/b/."), "its route has an empty segment, `.` or `..`"),
            (Path::new("//a"), "its route has an empty segment, `.` or `..`"),
        ] {
            let error = path.check().expect_err(reason);
            assert_eq!(error.kind(), InvalidKind::BadPath);
            assert_eq!(error.to_string(), format!("the request has no valid path: {reason}"));
            assert_eq!(path.to_string(), "/open-apis/-invalid-path-");
            assert_eq!(uri(&path).path(), "/open-apis/-invalid-path-");
        }
    }

    #[test]
    fn a_path_with_any_number_of_values_is_a_uri() {
        let many = (0..70_000).fold(Path::new("/"), |path, _| path.query("", ""));
        assert_eq!(uri(&many).path(), "/open-apis/-invalid-path-");
        assert_eq!(many.query.len(), MAX_BYTES + 1, "an invalid path does not grow");
        let route = "/:x".repeat(5000);
        let many = (0..5000).fold(Path::new(&route), |path, _| path.segment("v"));
        assert_eq!(uri(&many).path(), "/v".repeat(5000));
    }

    /// The bytes of a percent-encoded text, by a decoder that shares no code with the crate's.
    fn decoded(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        out
    }

    fn values(max: usize) -> impl Strategy<Value = Vec<String>> {
        let value = prop_oneof![
            4 => "[a-z.:/?&=%图]{1,4}",
            1 => Just(String::new()),
            1 => "[.]{1,3}",
            1 => any::<String>(),
            1 => (4990_usize..5010).prop_map(|len| "/".repeat(len)),
        ];
        proptest::collection::vec(value, 0..max)
    }

    proptest! {
        #[test]
        fn a_target_has_exactly_the_values_unless_the_path_is_invalid(
            literals in proptest::collection::vec("[a-z]{1,3}", 0..3),
            placeholders in 0_usize..4,
            segments in values(4),
            pairs in values(5),
        ) {
            let route: String = literals.iter().map(|literal| format!("/{literal}"))
                .chain((0..placeholders).map(|number| format!("/:{number}")))
                .collect();
            let mut path = Path::new(&route);
            for segment in &segments {
                path = path.segment(segment);
            }
            for pair in pairs.chunks_exact(2) {
                path = path.query(&pair[0], &pair[1]);
            }
            let target = path.to_string();
            prop_assert_eq!(path.check().is_err(), target == INVALID);
            if target == INVALID {
                let is_refused =
                    |value: &String| value.is_empty() || value.split(['/', '\\']).any(is_dots);
                let len: usize = segments.iter().chain(&pairs).map(|value| value.len() * 3).sum();
                prop_assert!(
                    segments.len() != placeholders
                        || segments.iter().any(is_refused)
                        || len > MAX_BYTES - 100
                );
                return Ok(());
            }
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let sent: Vec<_> = path.split('/').skip(1).map(decoded).collect();
            let mut expected: Vec<_> =
                literals.iter().chain(&segments).map(|value| value.clone().into_bytes()).collect();
            if expected.is_empty() {
                expected.push(Vec::new());
            }
            prop_assert_eq!(sent, expected);
            let sent = query.split('&').filter_map(|pair| pair.split_once('='));
            let sent: Vec<_> = sent.flat_map(|(name, value)| [decoded(name), decoded(value)]).collect();
            let expected: Vec<_> = pairs.chunks_exact(2).flatten().collect();
            prop_assert_eq!(sent, expected.iter().map(|value| value.as_bytes()).collect::<Vec<_>>());
        }
    }
}
