//! The boundary of a form: derived, and proven to be absent from the form's parts.

use std::borrow::Cow;
use std::fmt;

use http::HeaderValue;
use memchr::memmem;

use crate::error::{Invalid, InvalidKind};

/// The boundary string that separates the parts of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Boundary(Cow<'static, str>);

/// Each derived boundary is this prefix and [`DIGITS`] hexadecimal digits. Their number is fixed, so no boundary is a
/// prefix of another. No suffix of the prefix is also its beginning, so two occurrences never overlap, and one pass
/// finds all of them.
const PREFIX: &str = "lark_";
/// The number of digits. With 64, any occurrence of the first boundary, whose digits are all zeros, covers a byte at a
/// multiple of 64, so that the search reads one byte per cache line. RFC 2046 allows a boundary of 70 characters.
pub(super) const DIGITS: usize = 64;
/// The first derived boundary, which nearly all forms have, and the content type with it.
const FIRST: &str = "lark_0000000000000000000000000000000000000000000000000000000000000000";
const FIRST_TYPE: &str = "multipart/form-data; \
    boundary=lark_0000000000000000000000000000000000000000000000000000000000000000";

impl Boundary {
    /// A boundary of the caller's.
    ///
    /// # Errors
    /// [`InvalidKind::BadBoundary`].
    pub fn new(boundary: &str) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        if (1..=70).contains(&boundary.len())
            && boundary.bytes().all(allowed)
            && !boundary.ends_with(' ')
        {
            Ok(Self(boundary.to_owned().into()))
        } else {
            Err(Invalid::new(InvalidKind::BadBoundary, boundary))
        }
    }

    /// The first of the series that is in none of the parts.
    ///
    /// One byte of each 64 tells whether that may not be the first of all. Then, trying one after the other would read
    /// hostile parts once for each boundary in them; this notes in one pass which numbers occur, and takes the smallest
    /// that does not.
    pub(super) fn absent_from<'a, I: Iterator<Item = &'a [u8]>>(parts: impl Fn() -> I) -> Self {
        if !parts().any(may_hold_zeros) {
            return Self(FIRST.into());
        }
        let prefix = format!("--{PREFIX}");
        let finder = memmem::Finder::new(&prefix);
        // Nor do whole boundaries overlap, so that as many numbers as fit the parts, and one more, suffice.
        let fit = parts().map(|part| part.len() / (prefix.len() + DIGITS)).sum::<usize>();
        let mut taken: Vec<bool> = Vec::new();
        for part in parts() {
            for at in finder.find_iter(part) {
                let digits = part.get(at + prefix.len()..).and_then(|rest| rest.get(..DIGITS));
                let Some(number) = digits.and_then(number).filter(|n| *n < fit) else { continue };
                taken.resize(fit, false);
                if let Some(slot) = taken.get_mut(number) {
                    *slot = true;
                }
            }
        }
        let free = taken.iter().position(|taken| !taken).unwrap_or(taken.len());
        Self(format!("{PREFIX}{free:0DIGITS$x}").into())
    }

    /// The boundary, without the hyphens around it in a form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        if self.0 == FIRST {
            return HeaderValue::from_static(FIRST_TYPE);
        }
        // RFC 2045 wants quotes around all but token characters.
        let quote = if self.0.bytes().all(is_token) { "" } else { "\"" };
        let value = ["multipart/form-data; boundary=", quote, &self.0, quote].concat();
        #[expect(clippy::expect_used, reason = "a boundary is printable ASCII")]
        HeaderValue::try_from(value).expect("a boundary is printable ASCII")
    }
}

/// A character of a token, in RFC 2045 and RFC 9110 alike.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `part` may hold as many zeros as a boundary has digits. Some byte at a multiple of that number is one of
/// them, and so are those for half of it before or behind.
fn may_hold_zeros(part: &[u8]) -> bool {
    let half = [b'0'; DIGITS / 2];
    (0..part.len()).step_by(DIGITS).any(|at| {
        part.get(at) == Some(&b'0') && {
            let (before, behind) = part.split_at(at);
            before.ends_with(&half) || behind.starts_with(&half)
        }
    })
}

/// The number that lower-case hexadecimal digits write, where it is one of the first.
fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number.checked_mul(16)? + usize::from(digit))
    })
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
