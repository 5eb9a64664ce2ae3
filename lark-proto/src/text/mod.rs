//! Foreign texts, bounded and cleaned for error texts.

pub(crate) mod base64;
mod redact;
mod unicode;

pub(crate) use redact::{Secrets, without_user_info};
pub(crate) use unicode::{is_joiner, is_variation_selector, misleads};

/// The first `max` bytes of `text` at most, cut between characters, with spaces for control characters, and `…` if cut.
pub(crate) fn excerpt(text: &[u8], max: usize) -> String {
    let cut = boundary(text, max);
    cleaned(text.get(..cut).unwrap_or(text), cut < text.len())
}

/// Where to cut `text` so that at most `max` bytes are left and no character is divided.
pub(crate) fn boundary(text: &[u8], max: usize) -> usize {
    let is_boundary = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    let cut = max.min(text.len());
    (cut.saturating_sub(3)..=cut).rev().find(is_boundary).unwrap_or(cut)
}

/// `text` with spaces for control characters and for those that mislead, and with `…` behind it if it is cut.
pub(crate) fn cleaned(text: &[u8], is_cut: bool) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::with_capacity(text.len() + if is_cut { '…'.len_utf8() } else { 0 });
    out.extend(text.chars().map(|c| if c.is_control() || misleads(c) { ' ' } else { c }));
    if is_cut {
        out.push('…');
    }
    out
}

/// `text` without the white space and the invisible characters around it, which programs add to what is copied: the
/// byte order mark of a file, the marks of direction of a file manager, the zero-width space of a web page.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || misleads(c))
}

/// The text that a percent-encoded one stands for. `None` if an escape is incomplete, or the bytes are not UTF-8.
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
        assert_eq!(excerpt(b"a\r\nb\x1b[31m", 60), "a  b [31m");
        assert_eq!(
            excerpt(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80], 4),
            "\u{fffd}\u{fffd}\u{fffd}\u{fffd}…"
        );
        assert_eq!(excerpt("图".as_bytes(), 3), "图");
    }

    #[test]
    fn an_excerpt_shows_no_character_that_misleads_and_keeps_the_spelling_of_words() {
        for (text, shown) in [
            ("a\u{202e}gnp.exe", "a gnp.exe"),
            ("a\u{2028}b\u{feff}c\u{ad}d", "a b c d"),
            ("\u{3164}\u{2800}\u{115f}", "   "),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
        ] {
            assert_eq!(excerpt(text.as_bytes(), 60), shown, "{text:?}");
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
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(escaped).as_deref(), text, "{escaped}");
        }
    }
}
