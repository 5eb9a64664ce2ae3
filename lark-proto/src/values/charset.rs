//! The characters and lengths that several values have in common.

/// Whether `text` is 1 to `max` visible ASCII characters. It then has no line break or space that could end a header or
/// a line of a log.
pub(crate) fn is_visible_ascii(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `text` is 1 to `max` ASCII letters, digits, `-` or `_`.
pub(crate) fn is_id(text: &str, max: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=max).contains(&text.len()) && text.bytes().all(is_allowed)
}
