//! Texts of other programs, bounded and cleaned so that an error text can quote them.

pub(crate) mod base64;
mod redact;
mod unicode;

pub(crate) use redact::{Secrets, without_user_info};
pub(crate) use unicode::{is_joiner, is_variation_selector, misleads};

/// At most the first `max` bytes of `text`, cut between characters and cleaned as by [`cleaned`].
pub(crate) fn excerpt(text: &[u8], max: usize) -> String {
    let cut = boundary(text, max);
    cleaned(text.get(..cut).unwrap_or(text), cut < text.len())
}

/// The greatest length up to `max` at which `text` can be cut between two characters.
pub(crate) fn boundary(text: &[u8], max: usize) -> usize {
    let is_boundary = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    let cut = max.min(text.len());
    (cut.saturating_sub(3)..=cut).rev().find(is_boundary).unwrap_or(cut)
}

/// `text` with spaces in place of control characters and of characters that [mislead](misleads), and with `…` at its
/// end if it is cut.
pub(crate) fn cleaned(text: &[u8], is_cut: bool) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::with_capacity(text.len() + if is_cut { '…'.len_utf8() } else { 0 });
    out.extend(text.chars().map(|c| if c.is_control() || misleads(c) { ' ' } else { c }));
    if is_cut {
        out.push('…');
    }
    out
}

/// `text` without the white space and the invisible characters around it. Programs add these to a copied text: an
/// editor adds a byte order mark, a file manager adds direction marks, and a web page adds a zero-width space.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || misleads(c))
}

/// Decodes a percent-encoded text. `None` if an escape is not `%` with two hexadecimal digits, or if the bytes are not
/// UTF-8.
pub(crate) fn percent_decoded(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `text` in the quotes and escapes of JSON.
pub(crate) fn json_string(text: &str) -> String {
    // Serialising a string never fails.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_between_characters() {
        let text = "图".repeat(100);
        for max in 0..12 {
            let cut = excerpt(text.as_bytes(), max);
            assert_eq!(cut, format!("{}…", "图".repeat(max / 3)), "max {max}");
        }
    }

    #[test]
    fn an_excerpt_is_cut_only_if_the_text_is_longer_than_its_bound() {
        for (text, max, shown) in [
            ("abc", 2, "ab…"),
            ("abc", 3, "abc"),
            ("abc", 4, "abc"),
            ("图", 2, "…"),
            ("图", 3, "图"),
            ("a😀", 4, "a…"),
            ("a😀", 5, "a😀"),
            ("", 0, ""),
        ] {
            assert_eq!(excerpt(text.as_bytes(), max), shown, "{text} {max}");
        }
    }

    #[test]
    fn an_excerpt_shows_bytes_that_are_not_utf_8_as_replacement_characters() {
        let shown = excerpt(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80], 4);
        assert_eq!(shown, "\u{fffd}\u{fffd}\u{fffd}\u{fffd}…");
    }

    #[test]
    fn an_excerpt_shows_a_control_character_as_a_space() {
        assert_eq!(excerpt(b"a\r\nb\x1b[31m", 60), "a  b [31m");
    }

    #[test]
    fn an_excerpt_shows_a_character_that_misleads_as_a_space() {
        for (text, shown) in [
            ("a\u{202e}gnp.exe", "a gnp.exe"),
            ("a\u{2028}b\u{feff}c\u{ad}d", "a b c d"),
            ("\u{3164}\u{2800}\u{115f}", "   "),
        ] {
            assert_eq!(excerpt(text.as_bytes(), 60), shown, "{text:?}");
        }
    }

    #[test]
    fn an_excerpt_keeps_the_spelling_of_words_and_emoji() {
        for text in ["می\u{200c}خواهم", "❤\u{fe0f}\u{200d}🔥"] {
            assert_eq!(excerpt(text.as_bytes(), 60), text);
        }
    }

    #[test]
    fn a_text_is_trimmed_of_spaces_and_invisible_characters_at_its_ends() {
        for (text, trimmed) in [
            ("\u{feff} \u{202a}a b\u{202c}\u{200b}\r\n", "a b"),
            ("a\u{200b}b", "a\u{200b}b"),
            (" \u{2800}", ""),
        ] {
            assert_eq!(super::trimmed(text), trimmed, "{text:?}");
        }
    }

    #[test]
    fn an_escape_has_two_digits_and_the_bytes_are_text() {
        for (escaped, text) in [
            ("a%20b", Some("a b")),
            ("%e5%9b%BE", Some("图")),
            ("+%25", Some("+%")),
            ("%", None),
            ("%2", None),
            ("%+1", None),
            ("%图", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(escaped).as_deref(), text, "{escaped}");
        }
    }
}
