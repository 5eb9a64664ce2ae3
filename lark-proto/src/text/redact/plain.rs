//! A text prepared for the search for secrets: its escapes are decoded, and each byte has its place in the original
//! text.

use memchr::memmem;

use super::patterns;
use crate::text::{is_joiner, is_variation_selector, misleads};

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

/// The byte that stands for a character that is not ASCII.
const OTHER: u8 = 0xff;

/// The byte that stands for `…` and for the end of a text of which a part is missing. A secret may be cut there.
const CUT: u8 = 0xfe;

/// The byte that stands for a joiner or a variation selector. They are invisible, but parts of words.
const JOINER: u8 = 0xfd;

/// The length of the shortest beginning of a secret that is covered before a cut.
const MIN_BEGINNING_LEN: usize = 4;

/// The length of the longest escape.
const LONGEST_ESCAPE: usize = 11;

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

    /// Marks the end of the text as a cut.
    fn cut(&mut self) {
        let end = self.spans.last().map_or(0, |span| span.end);
        self.push(CUT, Span { start: end, end });
    }

    fn with_room(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len), spans: Vec::with_capacity(len) }
    }

    fn push(&mut self, byte: u8, span: Span) {
        self.bytes.push(byte);
        self.spans.push(span);
    }

    /// Replaces each escape that begins with one of `first` by the character that it stands for. `None` if there is
    /// no such escape.
    pub(super) fn unescaped(&self, first: &[u8]) -> Option<Self> {
        // Most texts have no escape of any kind, and then nothing is copied.
        let [a, b, c] = ESCAPES;
        memchr::memchr3(a, b, c, &self.bytes)?;
        let mut unescaped = Self::with_room(self.bytes.len());
        let mut at = 0;
        while let Some((byte, rest)) = self.bytes.get(at..).and_then(<[u8]>::split_first) {
            let (len, byte) = if first.contains(byte) {
                escape(*byte, rest)
                    .map(|(len, code)| (len + utf8_tail(*byte, len, code, rest), of_code(code)))
                    .or_else(|| cut_escape(rest))
                    .unwrap_or((1, *byte))
            } else {
                (1, *byte)
            };
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

    /// Sets `covered` for each byte of the original text that belongs to a part that
    /// [looks like a secret](patterns::find).
    pub(super) fn find_patterns(&self, covered: &mut [bool]) {
        patterns::find(&self.bytes, &mut |start, end| self.cover(start, end, covered));
    }

    /// Sets `covered` for each byte of the original text that belongs to one of the `known` secrets, in any letter case
    /// and with any spaces inside, or to the beginning of one before a cut.
    pub(super) fn find_known(&self, known: &[Vec<u8>], covered: &mut [bool]) {
        if known.is_empty() {
            return;
        }
        let (text, places) = self.dense();
        let mut cover = |found: usize, len: usize| {
            let last = len.checked_sub(1).and_then(|len| places.get(found + len));
            if let (Some(first), Some(last)) = (places.get(found), last) {
                self.cover(*first, last + 1, covered);
            }
        };
        let is_cut = memchr::memchr(CUT, &text).is_some();
        for secret in known {
            memmem::find_iter(&text, secret).for_each(|found| cover(found, secret.len()));
            if is_cut {
                beginnings(&text, secret, &mut cover);
            }
        }
    }

    /// Sets `covered` for the part of the original text that these bytes stand for.
    fn cover(&self, start: usize, end: usize, covered: &mut [bool]) {
        let span = self.span(start, end).and_then(|span| covered.get_mut(span.start..span.end));
        if let Some(part) = span {
            part.fill(true);
        }
    }

    /// The bytes in lower case without the spaces and joiners, and the index of each in `bytes`. A `+` is left out too,
    /// because it stands for a space in a form.
    pub(super) fn dense(&self) -> (Vec<u8>, Vec<usize>) {
        let is_kept = |byte: u8| !matches!(byte, b' ' | b'+' | JOINER);
        let all = self.bytes.iter().enumerate().filter(|(_, byte)| is_kept(**byte));
        all.map(|(at, byte)| (byte.to_ascii_lowercase(), at)).unzip()
    }
}

/// Calls `found` with the place and the length of each beginning of `secret` before a cut in `text`.
fn beginnings(text: &[u8], secret: &[u8], found: &mut impl FnMut(usize, usize)) {
    // The algorithm of Knuth, Morris and Pratt: for each beginning of the secret, the longest shorter one with which it
    // ends. The time is linear, whatever repeats in the secret.
    let mut shorter: Vec<usize> = vec![0];
    let longer = |shorter: &[usize], mut len: usize, byte: u8| loop {
        if secret.get(len) == Some(&byte) {
            return len + 1;
        }
        match len.checked_sub(1).and_then(|last| shorter.get(last)) {
            Some(less) => len = *less,
            None => return 0,
        }
    };
    let mut len = 0;
    for byte in secret.iter().skip(1) {
        len = longer(&shorter, len, *byte);
        shorter.push(len);
    }
    len = 0;
    let mut done = 0;
    for cut in memchr::memchr_iter(CUT, text) {
        // No beginning is longer than the secret, so that most of a long text is skipped.
        let start = cut.saturating_sub(secret.len()).max(done);
        len = if start == done { len } else { 0 };
        for byte in text.get(start..cut).unwrap_or_default() {
            len = longer(&shorter, len, *byte);
        }
        if len >= MIN_BEGINNING_LEN {
            found(cut - len, len);
        }
        done = cut;
    }
}

/// The maximum number of times that a text is unescaped, because an escape may itself be escaped.
pub(super) const MAX_DEPTH: usize = 3;

/// The forms of a text in which secrets are searched for: the text as it is, and each form that it has when it is
/// unescaped up to [`MAX_DEPTH`] times. Each time, the escapes of all kinds are decoded or, if there are several kinds,
/// those of one kind. The kinds are also decoded alone, because in JSON, for example, `%2d` may be a part of a secret.
/// The secrets of the request are searched for in each form, and patterns only in a few, because their search is slow.
pub(super) struct Forms(Vec<Form>);

/// A form of a text.
pub(super) struct Form {
    pub(super) plain: Plain,
    /// Whether patterns are searched for: the text was unescaped once at most, or the escapes of all kinds were decoded
    /// each time.
    pub(super) has_patterns: bool,
    /// Whether the escapes of all kinds were decoded each time.
    is_whole: bool,
    /// The number of times that this form may still be unescaped.
    depth: usize,
}

impl Forms {
    /// The forms of `text`, of whose source a part is missing at the end if `is_cut`.
    pub(super) fn of(text: &[u8], is_cut: bool) -> Self {
        let mut plain = Plain::new(text);
        if is_cut {
            plain.cut();
        }
        Self(vec![Form { plain, has_patterns: true, is_whole: true, depth: MAX_DEPTH }])
    }
}

impl Iterator for Forms {
    type Item = Form;

    fn next(&mut self) -> Option<Form> {
        let form = self.0.pop()?;
        if let Some(depth) = form.depth.checked_sub(1) {
            let unescaped = |kinds: &[u8], is_whole| {
                let has_patterns = is_whole || form.depth == MAX_DEPTH;
                let plain = form.plain.unescaped(kinds)?;
                Some(Form { plain, has_patterns, is_whole, depth })
            };
            let alone = ESCAPES.iter().filter_map(|kind| unescaped(&[*kind], false));
            let mut alone: Vec<Form> = alone.collect();
            if alone.len() == 1 {
                alone.clear();
            }
            self.0.append(&mut alone);
            self.0.extend(unescaped(&ESCAPES, form.is_whole));
        }
        Some(form)
    }
}

/// The byte that stands for `c`.
fn byte(c: char) -> u8 {
    if c.is_ascii_graphic() {
        return c as u8;
    }
    if c.is_whitespace() || c.is_control() || misleads(c) {
        return b' ';
    }
    match c {
        c if is_joiner(c) || is_variation_selector(c) => JOINER,
        '：' => b':',
        '＝' => b'=',
        '…' => CUT,
        _ => OTHER,
    }
}

/// The byte that stands for the character with this code.
fn of_code(code: u32) -> u8 {
    char::from_u32(code).map_or(OTHER, byte)
}

/// The length of the escape that begins with `first`, and the code of the character that it stands for. The escape is
/// of JSON (`\/`, `\u002d`), of a programming language or a server's log (`\x2d`, `\x{2d}`, `\u{2d}`, `\U0000002d`,
/// `\055`, `\-`), of a URL (`%2D`, `%u002D`) or of HTML (`&#45;`, `&#45`, `&quot;`).
fn escape(first: u8, rest: &[u8]) -> Option<(usize, u32)> {
    match (first, rest) {
        (b'\\', [b'n' | b't' | b'r' | b'b' | b'f', ..]) => Some((2, u32::from(b' '))),
        (b'\\', [b'u' | b'x', b'{', rest @ ..]) => {
            let len = rest.iter().take(7).position(|byte| *byte == b'}')?;
            Some((len + 4, hex(rest.get(..len)?)?))
        }
        (b'\\', [b'u', a, b, c, d, ..]) => Some((6, hex(&[*a, *b, *c, *d])?)),
        (b'\\', [b'U', ..]) => Some((10, hex(rest.get(1..9)?)?)),
        (b'\\', [b'x', a, b, ..]) => Some((4, hex(&[*a, *b])?)),
        (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
            Some((4, parse(&[*a, *b, *c], 8)?))
        }
        (b'\\', [c, ..]) if c.is_ascii_punctuation() => Some((2, u32::from(*c))),
        (b'%', [b'u' | b'U', a, b, c, d, ..]) => Some((6, hex(&[*a, *b, *c, *d])?)),
        (b'%', [a, b, ..]) => Some((3, hex(&[*a, *b])?)),
        (b'&', [b'#', b'x' | b'X', rest @ ..]) => {
            let digits = number(rest, u8::is_ascii_hexdigit)?;
            Some((3 + digits.len() + ends_escape(rest, digits), hex(digits)?))
        }
        (b'&', [b'#', rest @ ..]) => {
            let digits = number(rest, u8::is_ascii_digit)?;
            Some((2 + digits.len() + ends_escape(rest, digits), parse(digits, 10)?))
        }
        (b'&', _) => {
            let len = rest.iter().take(LONGEST_NAME + 1).position(|byte| *byte == b';')?;
            Some((len + 2, u32::from(named(rest.get(..len)?)?)))
        }
        _ => None,
    }
}

/// The length of the escapes behind an escape of `len` bytes that stand for the further bytes of the same character in
/// UTF-8: `%A4` in `%C3%A4`.
fn utf8_tail(first: u8, len: usize, code: u32, rest: &[u8]) -> usize {
    let further = match code {
        // Only `%C3`, `\xc3` and `\303` stand for a byte.
        _ if len > 4 || first == b'&' => 0,
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => 0,
    };
    let mut tail = 0;
    for _ in 0..further {
        let next = rest.get(len - 1 + tail..).and_then(<[u8]>::split_first);
        let next = next.filter(|(byte, _)| **byte == first);
        match next.and_then(|(byte, rest)| escape(*byte, rest)) {
            Some((more, 0x80..=0xbf)) => tail += more,
            _ => return 0,
        }
    }
    tail
}

/// The length of the beginning of an escape up to a cut behind it, and a space in its place.
fn cut_escape(rest: &[u8]) -> Option<(usize, u8)> {
    let len = rest.iter().take(LONGEST_ESCAPE).position(|byte| *byte == CUT)?;
    let is_of_escape = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'{');
    rest.get(..len)?.iter().all(is_of_escape).then_some((len + 1, b' '))
}

/// The digits at the start of `text`: 1 to 8 of them.
fn number(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<&[u8]> {
    let len = text.iter().take(9).take_while(|byte| is_digit(byte)).count();
    text.get(..len).filter(|_| (1..=8).contains(&len))
}

/// The length of the semicolon after `digits`, which HTML allows to leave out.
fn ends_escape(text: &[u8], digits: &[u8]) -> usize {
    usize::from(text.get(digits.len()) == Some(&b';'))
}

/// The length of the longest name in [`NAMES`] and [`SPACES`].
const LONGEST_NAME: usize = 8;

/// The names of HTML for ASCII characters, each with its character behind it. As one text they take less memory than as
/// a table of pairs.
const NAMES: &str = "amp& apos' ast* bsol\\ colon: comma, commat@ dollar$ equals= excl! grave` gt> hat^ lbrace{ \
    lbrack[ lcub{ lowbar_ lpar( lsqb[ lt< midast* num# percnt% period. plus+ quest? quot\" rbrace} rbrack] rcub} rpar) \
    rsqb] semi; sol/ underbar_ verbar| vert|";
/// The names of HTML for spaces and for characters without a width.
const SPACES: &str = "emsp ensp lrm nbsp newline rlm shy tab thinsp zwj zwnj";

/// The ASCII character with this name in HTML, or a space.
fn named(name: &[u8]) -> Option<u8> {
    let is_name = |known: &[u8]| known.eq_ignore_ascii_case(name);
    if SPACES.split(' ').any(|known| is_name(known.as_bytes())) {
        return Some(b' ');
    }
    let mut pairs = NAMES.split(' ').filter_map(|pair| pair.as_bytes().split_last());
    pairs.find(|(_, known)| is_name(known)).map(|(byte, _)| *byte)
}

fn hex(digits: &[u8]) -> Option<u32> {
    parse(digits, 16)
}

fn parse(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        sum.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of forms of `text`, and of those in which patterns are searched for.
    fn forms(text: &str) -> (usize, usize) {
        let forms: Vec<Form> = Forms::of(text.as_bytes(), false).collect();
        (forms.len(), forms.iter().filter(|form| form.has_patterns).count())
    }

    #[test]
    fn the_number_of_forms_is_bounded_and_patterns_are_searched_for_in_seven_of_them_at_most() {
        for (text, number) in [
            ("no escape", (1, 1)),
            ("%2d", (2, 2)),
            ("%25252d and %41", (4, 4)),
            ("%2d and &lt;", (6, 4)),
            (r"%2d and &lt; and \n", (20, 5)),
            (r"%2525252d and &amp;amp;amp;lt; and \\\\\\\\n", (85, 7)),
        ] {
            assert_eq!(forms(text), number, "{text}");
        }
    }
}
