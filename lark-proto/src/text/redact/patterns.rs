//! Finds parts of a text that look like a secret.

use memchr::{memchr_iter, memchr3_iter, memmem};

/// Calls `found` with the start and the end of each part of `text` that looks like a secret: a token, which has a known
/// prefix, and the value of `Bearer` or of a name such as `app_secret`.
pub(super) fn find(text: &[u8], found: &mut impl FnMut(usize, usize)) {
    tokens(text, found);
    values(text, found);
}

/// Finds tokens: `t-`, `u-`, `a-`, `ur-` or `eyJ` and at least 16 further characters of a token. After a prefix with a
/// dash, text that consists of words, or that ends as a file name does, is not a token.
fn tokens(text: &[u8], find: &mut impl FnMut(usize, usize)) {
    let is_start = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    let mut done = 0;
    for dash in memchr_iter(b'-', text) {
        let start = match text.get(..dash) {
            Some([.., b't' | b'u' | b'a' | b'T' | b'U' | b'A']) => dash - 1,
            Some([.., b'u' | b'U', b'r' | b'R']) => dash - 2,
            _ => continue,
        };
        if start < done || !is_start(start) {
            continue;
        }
        // If the run is not a token, no part of it is one, so the search continues after the run.
        done = end_of(text, dash + 1, is_of_token);
        let run = text.get(dash + 1..done).unwrap_or_default();
        if run.len() >= 16 && !is_ordinary(run) {
            find(start, done);
        }
    }
    done = 0;
    for start in memmem::find_iter(text, b"eyJ").filter(|start| is_start(*start)) {
        if start < done {
            continue;
        }
        done = end_of(text, start, is_of_token);
        if done - start >= 19 {
            find(start, done);
        }
    }
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The end of the bytes from `at` for which `is_inside` holds.
fn end_of(text: &[u8], at: usize, is_inside: fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !is_inside(*byte)).unwrap_or(rest.len())
}

/// Whether `run` consists of words and numbers, or ends as a file name does. The parts of a token mix letters and
/// digits.
fn is_ordinary(run: &[u8]) -> bool {
    const EXTENSIONS: [&[u8]; 16] = [
        b"png", b"jpg", b"jpeg", b"gif", b"bmp", b"webp", b"tif", b"tiff", b"heic", b"ico", b"bpg",
        b"svg", b"pdf", b"json", b"xlsx", b"csv",
    ];
    let mut parts = run.split(|byte| !byte.is_ascii_alphanumeric());
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let extension = memchr::memrchr(b'.', run).and_then(|dot| run.get(dot + 1..));
    let is_extension = |end: &[u8]| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(end));
    let is_ordinary = |part: &[u8]| is_number(part) || is_word(part);
    parts.all(is_ordinary) || extension.is_some_and(is_extension)
}

/// Whether `text` could be a word: at most 15 letters in lower case, in upper case, or with a capital first.
fn is_word(text: &[u8]) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let is_in_one_case =
        rest.iter().all(u8::is_ascii_lowercase) || text.iter().all(u8::is_ascii_uppercase);
    text.len() < 16 && is_in_one_case && text.iter().all(u8::is_ascii_alphabetic)
}

/// Whether `value` is no secret: a word, with or without punctuation at its end, or a text without ASCII letters and
/// digits.
fn is_prose(value: &[u8]) -> bool {
    let is_mark = |byte: &u8| matches!(byte, b':' | b'.' | b'!' | b'?');
    let end = value.iter().rposition(|byte| !is_mark(byte)).map_or(0, |last| last + 1);
    is_foreign(value) || value.get(..end).is_some_and(is_word)
}

/// Whether `value` has no letter or digit of ASCII.
fn is_foreign(value: &[u8]) -> bool {
    !value.iter().any(u8::is_ascii_alphanumeric)
}

/// Finds the values that follow the name of a secret: after `:` or `=` (as in JSON, a query or a header), after a space
/// if the value looks like a secret, and in an element of XML. Also finds the values after `Bearer` and `Basic`, unless
/// they are words.
fn values(text: &[u8], find: &mut impl FnMut(usize, usize)) {
    let mut done = 0;
    for colon in memchr3_iter(b':', b'=', b' ', text) {
        if colon < done {
            continue;
        }
        let name = text.get(..colon).map(name_at_end).unwrap_or_default();
        if !is_secret_name(name) {
            continue;
        }
        if text.get(colon) == Some(&b' ') {
            let start = end_of(text, colon, |byte| byte == b' ');
            let end = end_of(text, start, is_of_token);
            let run = text.get(start..end).unwrap_or_default();
            if !is_name_without_kind(name) && run.len() >= 16 && !is_ordinary(run) {
                find(start, end);
                done = end;
            }
            continue;
        }
        let start =
            end_of(text, colon + 1, |byte| matches!(byte, b' ' | b'>' | b'`' | b'(' | b'<'));
        let (start, end) = match text.get(start) {
            Some(quote @ (b'"' | b'\'')) => (start + 1, end_of_quoted(text, start + 1, *quote)),
            // The end of nested JSON is not searched for. The rest of the text is redacted.
            Some(b'[' | b'{') => (start, text.len()),
            _ => {
                let end = end_of(text, start, is_of_value);
                let value = text.get(start..end).unwrap_or_default();
                let is_word = text.get(colon) == Some(&b':') && is_prose(value);
                (start, if is_word || is_foreign(value) { start } else { end })
            }
        };
        if start < end {
            find(start, end);
        }
        done = end;
    }
    for end_of_tag in memchr_iter(b'>', text) {
        let tag = text.get(..end_of_tag).unwrap_or_default();
        let name = name_at_end(tag);
        let is_tag = tag.strip_suffix(name).is_some_and(|before| before.ends_with(b"<"));
        let start = end_of_tag + 1;
        let end = end_of(text, start, is_of_value);
        let is_long = |value: &[u8]| value.len() >= 4 && !is_prose(value);
        if is_tag && is_secret_name(name) && text.get(start..end).is_some_and(is_long) {
            find(start, end);
        }
    }
    let lower = text.to_ascii_lowercase();
    for scheme in [&b"bearer"[..], b"basic"] {
        let mut done = 0;
        for found in memmem::find_iter(&lower, scheme) {
            let gap = found + scheme.len();
            let start = end_of(text, gap, |byte| {
                matches!(
                    byte,
                    b' ' | b':' | b'=' | b'+' | b'"' | b'\'' | b'`' | b'(' | b'<' | b'[' | b'{'
                )
            });
            if found < done || gap == start {
                continue;
            }
            let end = end_of(text, start, is_of_value);
            if !text.get(start..end).is_some_and(is_prose) {
                find(start, end);
            }
            done = end;
        }
    }
}

/// The name at the end of `text`, without the quotes and spaces around it.
fn name_at_end(text: &[u8]) -> &[u8] {
    const MAX_NAME_LEN: usize = 64;
    let text = text.get(text.len().saturating_sub(MAX_NAME_LEN)..).unwrap_or(text);
    let text = text.trim_ascii_end();
    let text = match text {
        [name @ .., b'"' | b'\'' | b'`' | b')' | b']'] => name,
        _ => text,
    };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = text.iter().rposition(|byte| !is_of_name(byte)).map_or(0, |before| before + 1);
    text.get(start..).unwrap_or_default()
}

/// Whether a value of this name is a secret, such as `app_secret`, `appSecret`, `X-App-Secret` or
/// `tenant_access_token`. The token of a spreadsheet is no secret.
fn is_secret_name(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 9] = [
        b"secret",
        b"accesstoken",
        b"refreshtoken",
        b"verificationtoken",
        b"appticket",
        b"encryptkey",
        b"apikey",
        b"password",
        b"authorization",
    ];
    let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let name: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
    is_name_without_kind(&name) || name == b"idtoken" || ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether the name is `token` or `ticket`, which does not say of what kind the token is.
fn is_name_without_kind(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"token") || name.eq_ignore_ascii_case(b"ticket")
}

fn is_of_value(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'"'
            | b'\''
            | b'`'
            | b','
            | b';'
            | b'&'
            | b'<'
            | b'>'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
    )
}

/// The end of the value that begins at `at`, after `quote`: the next quote after which no character of a value follows,
/// or the end of the text.
fn end_of_quoted(text: &[u8], at: usize, quote: u8) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let is_end = |end: &usize| {
        let behind = rest.get(end + 1..).unwrap_or_default();
        let behind = behind.iter().take(8).find(|byte| **byte != b' ');
        behind.is_none_or(|byte| !is_of_value(*byte))
    };
    memchr_iter(quote, rest).find(is_end).map_or(text.len(), |end| at + end)
}
