//! Redaction: replaces the secrets in a text of another program by `***`.

mod patterns;
mod plain;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use memchr::memmem;

use plain::{ESCAPES, Forms, MAX_DEPTH, Plain};

use super::{boundary, cleaned, excerpt};

/// The secrets that a request carries, and those of the session that sent it, which no text from its reply may show.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    authorization: Option<HeaderValue>,
    others: Arc<[String]>,
}

impl Secrets {
    /// The secret in this `Authorization` header, and these.
    pub(crate) fn new(
        authorization: Option<HeaderValue>,
        others: impl Into<Arc<[String]>>,
    ) -> Self {
        Self { authorization, others: others.into() }
    }

    /// At most the first `max` bytes of `text`, as by [`excerpt`], with `***` in place of each secret of the request
    /// and of each part that looks like a secret. The time is linear in `max` and in the length of the secrets.
    pub(crate) fn clear(&self, text: &[u8], max: usize) -> String {
        if self.is_plain_id(text) {
            return excerpt(text, max);
        }
        // A secret may begin before the cut and end after it, so the search goes beyond the cut. Each byte of the
        // secret may occur there as an escape of six bytes or more. With longer escapes or many spaces, the secret ends
        // later still, and its beginning is covered.
        let longest = self.known().map(<[u8]>::len).max().unwrap_or(0);
        let seen = max.saturating_add(longest.saturating_mul(8)).saturating_add(512);
        let seen = text.get(..seen).unwrap_or(text);
        let known: Vec<Vec<u8>> = self.known().flat_map(needles).collect();
        let mut covered = vec![false; seen.len()];
        for form in Forms::of(seen, seen.len() < text.len()) {
            if form.has_patterns {
                form.plain.find_patterns(&mut covered);
            }
            form.plain.find_known(&known, &mut covered);
        }
        let cut = boundary(text, max);
        let mut shown = Vec::with_capacity(cut);
        let mut at = 0;
        while at < cut {
            let rest = covered.get(at..).unwrap_or_default();
            let is_covered = rest.first() == Some(&true);
            let run = rest.iter().position(|byte| *byte != is_covered).unwrap_or(rest.len());
            let end = at + run;
            if is_covered {
                shown.extend_from_slice(b"***");
                at = end;
            } else {
                shown.extend_from_slice(text.get(at..end.min(cut)).unwrap_or_default());
                at = end.min(cut);
            }
        }
        let fits = boundary(&shown, max);
        let is_cut = at.max(cut) < text.len() || fits < shown.len();
        cleaned(shown.get(..fits).unwrap_or_default(), is_cut)
    }

    /// Whether `text` consists of at most 128 letters and digits, as most log ids do, and contains no secret of the
    /// request. The check does not allocate, so that reading the log id of a success allocates only the log id.
    fn is_plain_id(&self, text: &[u8]) -> bool {
        let is_in_text = |secret: &[u8]| {
            text.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret))
        };
        // Without its spaces and escapes, such a secret may consist of letters and digits.
        let is_escaped =
            |secret: &[u8]| !secret.iter().all(u8::is_ascii_graphic) || has_escape(secret);
        text.len() <= 128
            && text.iter().all(u8::is_ascii_alphanumeric)
            && !self.known().any(|secret| is_escaped(secret) || is_in_text(secret))
    }

    /// The secrets of the request that are long enough to be searched for.
    fn known(&self) -> impl Iterator<Item = &[u8]> {
        let header = self.authorization.as_ref().map(HeaderValue::as_bytes);
        let token = header.map(|value| value.strip_prefix(b"Bearer ").unwrap_or(value));
        let others = self.others.iter().map(String::as_bytes);
        token.into_iter().chain(others).filter(|secret| secret.len() >= MIN_SECRET_LEN)
    }
}

/// Shows no secret.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// The length of the shortest secret that is searched for. A shorter one could be a part of an ordinary word. The
/// service's own secrets have 32 characters or more.
const MIN_SECRET_LEN: usize = 8;

/// Whether `secret` may hold an escape, or a `+` that stands for a space.
fn has_escape(secret: &[u8]) -> bool {
    secret.iter().any(|byte| *byte == b'+' || ESCAPES.contains(byte))
}

/// The needles with which `secret` is searched for, in lower case: the secret itself and, if it holds escapes, its
/// unescaped forms, because the text is unescaped too. A secret that consists of spaces has none.
fn needles(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut plain = Plain::new(secret);
    let mut needles = vec![plain.dense().0];
    for _ in 0..MAX_DEPTH {
        let Some(unescaped) = plain.unescaped(&ESCAPES) else { break };
        plain = unescaped;
        let needle = plain.dense().0;
        // A secret that consists of escapes may become so short that it occurs in ordinary texts.
        if needle.len() < MIN_SECRET_LEN / 2 {
            break;
        }
        needles.push(needle);
    }
    needles.retain(|needle| !needle.is_empty());
    needles
}

/// `part` without the user info of a URL: `***` replaces all characters between the scheme and the last `@`, because a
/// password may contain any character. A text without a `:` before the `@`, such as a mail address, is unchanged.
pub(crate) fn without_user_info(part: &[u8]) -> Vec<u8> {
    let Some(at) = memchr::memrchr(b'@', part) else { return part.to_vec() };
    let (before, after) = part.split_at(at);
    let Some(colon) = memchr::memchr(b':', before) else { return part.to_vec() };
    let scheme = memmem::find(before, b"://").filter(|scheme| *scheme == colon);
    let scheme = scheme.and_then(|scheme| before.get(..scheme + 3)).unwrap_or_default();
    [scheme, b"***", after].concat()
}

#[cfg(test)]
mod tests;
