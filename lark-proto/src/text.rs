//! Texts from elsewhere, made fit to be shown.

/// Whether `c` ends a line, changes the direction of the text or is invisible, although it is no control character.
pub(crate) fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

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
}
