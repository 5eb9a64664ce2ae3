//! The boundary of a form, which must not occur in the form's parts.
//!
//! Each boundary of the sequence is `lark_` followed by a number of 64 hexadecimal digits. A form gets the first one
//! that occurs in none of its parts. The search goes through the parts once, and once more if they contain many zeros.
//! With a part in which the boundaries 0 and 2 occur:
//!
//! ```text
//! part                   ..--lark_00..00..--lark_00..02..
//! may_hold_zeros         true, so the occurrences are looked up
//! numbers that occur     0, 2
//! taken                  [true, false, true, ..]
//! boundary of the form   lark_00..01
//! ```

use std::borrow::Cow;
use std::fmt;

use http::HeaderValue;
use memchr::memmem;

use crate::error::{Invalid, InvalidKind};

/// The boundary string that separates the parts of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Boundary(Cow<'static, str>);

/// The beginning of each boundary of the sequence. [`DIGITS`] hexadecimal digits follow it. All boundaries have the
/// same length, so none is a prefix of another. Two occurrences of `--lark_` never overlap, so one pass finds all of
/// them.
const PREFIX: &str = "lark_";
/// The number of digits. With 64, each occurrence of the first boundary, whose digits are all zeros, has a zero at a
/// multiple of 64, so the first pass reads one byte per cache line. RFC 2046 limits a boundary to 70 characters.
pub(super) const DIGITS: usize = 64;
/// The first boundary of the sequence, which nearly all forms have.
const FIRST: &str = "lark_0000000000000000000000000000000000000000000000000000000000000000";
/// The content type of a form with the first boundary.
const FIRST_TYPE: &str = "multipart/form-data; \
    boundary=lark_0000000000000000000000000000000000000000000000000000000000000000";

impl Boundary {
    /// A boundary that the caller chooses: 1 to 70 letters, digits and characters of `'()+_,-./:=?` or space, as RFC
    /// 2046 allows them. The last one is not a space.
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

    /// The first boundary of the sequence that occurs in none of the parts.
    ///
    /// If no part has as many zeros as the first boundary, that one is free. Otherwise a second pass collects the
    /// numbers of all boundaries that occur, and the smallest other number is free. A search for one boundary after the
    /// other would read a hostile part once for each boundary in it.
    pub(super) fn absent_from<'a, I: Iterator<Item = &'a [u8]>>(parts: impl Fn() -> I) -> Self {
        if !parts().any(may_hold_zeros) {
            return Self(FIRST.into());
        }
        let prefix = format!("--{PREFIX}");
        let finder = memmem::Finder::new(&prefix);
        // Boundaries do not overlap, so at most this many occur, and one of the numbers from 0 to `fit` is free.
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

    /// The boundary, without the hyphens before and after it in a form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        if self.0 == FIRST {
            return HeaderValue::from_static(FIRST_TYPE);
        }
        // RFC 2045 requires quotes if there is a character that is not a token character.
        let quote = if self.0.bytes().all(is_token) { "" } else { "\"" };
        let value = ["multipart/form-data; boundary=", quote, &self.0, quote].concat();
        #[expect(clippy::expect_used, reason = "a boundary is printable ASCII")]
        HeaderValue::try_from(value).expect("a boundary is printable ASCII")
    }
}

/// Whether `byte` is a token character, by RFC 2045 and RFC 9110 alike.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `part` may contain [`DIGITS`] zeros in a row. One of the zeros is then at an offset that is a multiple of
/// [`DIGITS`], and either the `DIGITS / 2` bytes before that offset or the `DIGITS / 2` bytes from it on are all zeros.
fn may_hold_zeros(part: &[u8]) -> bool {
    let half = [b'0'; DIGITS / 2];
    (0..part.len()).step_by(DIGITS).any(|at| {
        part.get(at) == Some(&b'0') && {
            let (before, after) = part.split_at(at);
            before.ends_with(&half) || after.starts_with(&half)
        }
    })
}

/// The number with these lower-case hexadecimal digits; `None` if it does not fit `usize`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_has_1_to_70_characters_of_rfc_2046() {
        for good in ["b", "azAZ09", "'()+_,-./:=?", "a b", &"b".repeat(70)] {
            assert_eq!(Boundary::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a ", "a\r\nb", "ü", "a\"b", "a;b", "a&b", &"b".repeat(71)] {
            assert_eq!(Boundary::new(bad).unwrap_err().kind(), InvalidKind::BadBoundary, "{bad}");
        }
    }

    #[test]
    fn a_boundary_with_other_characters_than_those_of_a_token_is_quoted() {
        let content_type = |boundary| Boundary::new(boundary).unwrap().content_type();
        let start = "multipart/form-data; boundary=";
        for token in ["azAZ09", "'+_-.", FIRST] {
            assert_eq!(content_type(token), format!("{start}{token}"));
        }
        for quoted in ["(", ")", ",", "/", ":", "=", "?", "a b"] {
            assert_eq!(content_type(quoted), format!("{start}\"{quoted}\""));
        }
    }
}
