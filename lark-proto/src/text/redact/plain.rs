//! A text prepared for the search for secrets: its escapes are decoded, and each byte has its place in the original
//! text.

use memchr::memmem;

use super::patterns;
use crate::text::misleads;

/// A part of a text, in bytes.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

/// A text in which secrets are searched for. It has one byte for each character, and a space in place of each invisible
/// character.
pub(super) struct Plain {
    bytes: Vec<u8>,
    /// The part of the original text that each byte stands for.
    spans: Vec<Span>,
}

/// The first bytes of the three kinds of escapes: of JSON and logs, of URLs, and of HTML.
pub(super) const ESCAPES: [u8; 3] = [b'\\', b'%', b'&'];

/// The byte that stands for a character that occurs in no secret.
const OTHER: u8 = 0xff;

impl Plain {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut plain = Self::with_room(text.len());
        let mut at = 0;
        for chunk in text.utf8_chunks() {
            for (offset, c) in chunk.valid().char_indices() {
                let start = at + offset;
                plain.push(byte(c), Span { start, end: start + c.len_utf8() });
            }
            at += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                plain.push(OTHER, Span { start: at, end: at + chunk.invalid().len() });
            }
            at += chunk.invalid().len();
        }
        plain
    }

    fn with_room(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len), spans: Vec::with_capacity(len) }
    }

    fn push(&mut self, byte: u8, span: Span) {
        self.bytes.push(byte);
        self.spans.push(span);
    }

    /// The text with the escapes of each kind decoded alone and, if it has escapes of several kinds, with all of them
    /// decoded. The kinds are also decoded alone, because in JSON, for example, `%2d` may be a part of a secret. Empty
    /// if the text has no escape.
    pub(super) fn unescaped_forms(&self) -> Vec<Self> {
        let alone = ESCAPES.iter().filter_map(|first| self.unescaped(&[*first]));
        let mut forms: Vec<Self> = alone.collect();
        if forms.len() > 1 {
            forms.extend(self.unescaped(&ESCAPES));
        }
        forms
    }

    /// Replaces each escape that begins with one of `first` by the character that it stands for. `None` if there is
    /// no such escape.
    pub(super) fn unescaped(&self, first: &[u8]) -> Option<Self> {
        let mut unescaped = Self::with_room(self.bytes.len());
        let mut at = 0;
        while let Some((byte, rest)) = self.bytes.get(at..).and_then(<[u8]>::split_first) {
            let escape = if first.contains(byte) { escape(*byte, rest) } else { None };
            let (len, byte) = escape.unwrap_or((1, *byte));
            if let Some(span) = self.span(at, at + len) {
                unescaped.push(byte, span);
            }
            at += len;
        }
        (unescaped.bytes.len() < self.bytes.len()).then_some(unescaped)
    }

    /// The part of the original text that these bytes stand for.
    fn span(&self, start: usize, end: usize) -> Option<Span> {
        let first = self.spans.get(start)?;
        let last = self.spans.get(end.checked_sub(1)?)?;
        Some(Span { start: first.start, end: last.end })
    }

    /// Sets `covered` for each byte of the original text that belongs to a secret: to one of the `known` secrets, in
    /// any letter case and with any spaces inside, or to a part that [looks like a secret](patterns::find).
    pub(super) fn find(&self, known: &[Vec<u8>], covered: &mut [bool]) {
        let mut find = |start, end| {
            let span = self.span(start, end).and_then(|span| covered.get_mut(span.start..span.end));
            if let Some(part) = span {
                part.fill(true);
            }
        };
        patterns::find(&self.bytes, &mut find);
        if known.is_empty() {
            return;
        }
        let (text, places) = self.dense();
        let place = |at: usize| places.get(at).copied();
        for secret in known {
            for found in memmem::find_iter(&text, secret) {
                if let (Some(first), Some(last)) = (place(found), place(found + secret.len() - 1)) {
                    find(first, last + 1);
                }
            }
        }
    }

    /// The bytes in lower case without the spaces, and the index of each in `bytes`.
    pub(super) fn dense(&self) -> (Vec<u8>, Vec<usize>) {
        let all = self.bytes.iter().enumerate().filter(|(_, byte)| **byte != b' ');
        all.map(|(at, byte)| (byte.to_ascii_lowercase(), at)).unzip()
    }
}

/// The byte that stands for `c`.
fn byte(c: char) -> u8 {
    if c.is_whitespace() || c.is_control() || misleads(c) {
        return b' ';
    }
    match c {
        '：' => b':',
        '＝' => b'=',
        c => u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(OTHER),
    }
}

/// The length of the escape that begins with `first`, and the character that it stands for. The escape is of JSON
/// (`\/`, `\u002d`), of a server's log (`\x2d`), of a URL (`%2D`) or of HTML (`&#45;`, `&quot;`).
fn escape(first: u8, rest: &[u8]) -> Option<(usize, u8)> {
    let code = |code: u32| char::from_u32(code).map_or(OTHER, byte);
    match (first, rest) {
        (b'\\', [c @ (b'/' | b'"' | b'\'' | b'\\'), ..]) => Some((2, *c)),
        (b'\\', [b'n' | b't' | b'r' | b'b' | b'f', ..]) => Some((2, b' ')),
        (b'\\', [b'u', a, b, c, d, ..]) => Some((6, code(hex(&[*a, *b, *c, *d])?))),
        (b'\\', [b'x', a, b, ..]) => Some((4, code(hex(&[*a, *b])?))),
        (b'%', [a, b, ..]) => Some((3, code(hex(&[*a, *b])?))),
        (b'&', _) => {
            let len = rest.iter().take(10).position(|byte| *byte == b';')?;
            let byte = match rest.get(..len)? {
                b"amp" => b'&',
                b"quot" => b'"',
                b"apos" => b'\'',
                b"lt" => b'<',
                b"gt" => b'>',
                b"nbsp" => b' ',
                [b'#', b'x' | b'X', digits @ ..] => code(hex(digits)?),
                [b'#', digits @ ..] => code(std::str::from_utf8(digits).ok()?.parse().ok()?),
                _ => return None,
            };
            Some((len + 2, byte))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .iter()
        .map(digit)
        .try_fold(0_u32, |code, digit| code.checked_mul(16)?.checked_add(digit?))
}
