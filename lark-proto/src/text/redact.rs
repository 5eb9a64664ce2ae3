//! Texts from elsewhere, cleared of secrets.

use std::fmt;

use http::HeaderValue;
use memchr::{memchr_iter, memchr2_iter, memmem};

use super::{boundary, cleaned, excerpt, misleads};

/// The secrets that a request carries, which no text from its reply may show.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    authorization: Option<HeaderValue>,
    in_body: Vec<String>,
}

impl Secrets {
    /// The secrets of a request with this `Authorization` header and these secrets in its body.
    pub(crate) fn new(authorization: Option<HeaderValue>, in_body: Vec<String>) -> Self {
        Self { authorization, in_body }
    }

    /// The first `max` bytes of `text` at most, as by [`excerpt`], with `***` in place of each secret of the request and
    /// of whatever looks like a secret. The work is linear in `max` and the length of the secrets.
    pub(crate) fn clear(&self, text: &[u8], max: usize) -> String {
        if self.is_plain_id(text) {
            return excerpt(text, max);
        }
        // A secret that begins before the cut is told by its end too, where an escape takes six bytes or more.
        let longest = self.known().map(<[u8]>::len).max().unwrap_or(0);
        let seen = max.saturating_add(longest.saturating_mul(8)).saturating_add(512);
        let seen = text.get(..seen).unwrap_or(text);
        let known: Vec<Vec<u8>> = self.known().flat_map(needles).collect();
        let (mut spans, mut plain) = (Vec::new(), Plain::new(seen));
        for _ in 0..=DEPTH {
            plain.find(&known, &mut spans);
            if !plain.unescape() {
                break;
            }
        }
        spans.sort_unstable();
        let cut = boundary(text, max);
        let (mut shown, mut at) = (Vec::with_capacity(cut), 0);
        for Span { start, end } in spans {
            if start >= cut {
                break;
            }
            if start >= at {
                shown.extend_from_slice(text.get(at..start).unwrap_or_default());
                shown.extend_from_slice(b"***");
            }
            at = at.max(end);
        }
        shown.extend_from_slice(text.get(at..cut).unwrap_or_default());
        let fits = boundary(&shown, max);
        let is_cut = at.max(cut) < text.len() || fits < shown.len();
        cleaned(shown.get(..fits).unwrap_or_default(), is_cut)
    }

    /// Whether `text` is short, of letters and digits, and without a secret of the request, as most log ids are. No memory is
    /// needed to tell, so that a success with its log id costs no more than the log id.
    fn is_plain_id(&self, text: &[u8]) -> bool {
        let is_in_text = |secret: &[u8]| {
            text.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret))
        };
        text.len() <= 128
            && text.iter().all(u8::is_ascii_alphanumeric)
            && !self.known().any(is_in_text)
    }

    fn known(&self) -> impl Iterator<Item = &[u8]> {
        let header = self.authorization.as_ref().map(HeaderValue::as_bytes);
        let token = header.map(|value| value.strip_prefix(b"Bearer ").unwrap_or(value));
        let in_body = self.in_body.iter().map(String::as_bytes);
        token.into_iter().chain(in_body).filter(|secret| secret.len() >= SHORTEST)
    }
}

/// Without the secrets.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// A shorter secret is not looked for: it would hide parts of words, and it could be guessed anyway. Those that the service
/// hands out have 32 characters and more.
const SHORTEST: usize = 8;

/// What is looked for to find `secret`, in lower case: the secret itself and, if it holds escapes, what they stand for,
/// because the text is unescaped too.
fn needles(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut plain = Plain::new(secret);
    let mut needles = vec![plain.dense().0];
    // What is left of a secret that is nothing but escapes may occur anywhere.
    while plain.unescape() && plain.bytes.len() >= SHORTEST / 2 {
        needles.push(plain.dense().0);
    }
    needles
}

/// A part of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: usize,
    end: usize,
}

/// How often a text is unescaped: an escape may be escaped itself.
const DEPTH: usize = 3;

/// A text in which secrets are looked for: one byte per character, and a space for each character that shows nothing.
struct Plain {
    bytes: Vec<u8>,
    /// Where each byte comes from.
    spans: Vec<Span>,
}

/// A character that occurs in no secret.
const OTHER: u8 = 0xff;

impl Plain {
    fn new(text: &[u8]) -> Self {
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

    /// Replaces each escape by the character that it stands for. Returns whether there was one.
    fn unescape(&mut self) -> bool {
        let mut unescaped = Self::with_room(self.bytes.len());
        let mut at = 0;
        while let Some((byte, rest)) = self.bytes.get(at..).and_then(<[u8]>::split_first) {
            let (len, byte) = escape(*byte, rest).unwrap_or((1, *byte));
            if let Some(span) = self.span(at, at + len) {
                unescaped.push(byte, span);
            }
            at += len;
        }
        let was_escaped = unescaped.bytes.len() < self.bytes.len();
        *self = unescaped;
        was_escaped
    }

    /// The part of the original text that these bytes stand for.
    fn span(&self, start: usize, end: usize) -> Option<Span> {
        let (first, last) = (self.spans.get(start)?, self.spans.get(end.checked_sub(1)?)?);
        Some(Span { start: first.start, end: last.end })
    }

    /// Finds the `known` secrets in any letter case and with any spaces inside; and what looks like a secret: tokens by their
    /// beginning, and the values of `Bearer` and of keys such as `app_secret`.
    fn find(&self, known: &[Vec<u8>], spans: &mut Vec<Span>) {
        let mut find = |start, end| spans.extend(self.span(start, end));
        tokens(&self.bytes, &mut find);
        values(&self.bytes, &mut find);
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

    /// The bytes in lower case without the spaces, and the place of each among all bytes.
    fn dense(&self) -> (Vec<u8>, Vec<usize>) {
        let all = self.bytes.iter().enumerate().filter(|(_, byte)| **byte != b' ');
        all.map(|(at, byte)| (byte.to_ascii_lowercase(), at)).unzip()
    }
}

fn byte(c: char) -> u8 {
    if c.is_whitespace() || c.is_control() || misleads(c) {
        return b' ';
    }
    u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(OTHER)
}

/// The length of the escape that begins with `first`, and the character that it stands for: of JSON (`\/`, `\u002d`), of a
/// URL (`%2D`) or of HTML (`&#45;`, `&quot;`).
fn escape(first: u8, rest: &[u8]) -> Option<(usize, u8)> {
    let code = |code: u32| char::from_u32(code).map_or(OTHER, byte);
    match (first, rest) {
        (b'\\', [c @ (b'/' | b'"' | b'\'' | b'\\'), ..]) => Some((2, *c)),
        (b'\\', [b'n' | b't' | b'r' | b'b' | b'f', ..]) => Some((2, b' ')),
        (b'\\', [b'u', a, b, c, d, ..]) => Some((6, code(hex(&[*a, *b, *c, *d])?))),
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

/// Finds tokens: `t-`, `u-`, `a-`, `ur-` or `eyJ` with 16 more of a token's characters, which are not words or a file name.
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
        // The rest of a run that is ordinary is ordinary too.
        done = end_of(text, dash + 1, is_of_token);
        let run = text.get(dash + 1..done).unwrap_or_default();
        if run.len() >= 16 && !is_ordinary(run) {
            find(start, done);
        }
    }
    done = 0;
    for start in memmem::find_iter(text, b"eyJ").filter(|start| is_start(*start)) {
        let end = end_of(text, start, is_of_token);
        if start >= done && end - start >= 19 {
            find(start, end);
            done = end;
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

/// Whether `run` consists of words and numbers, or ends as a file name does. A token mixes letters and digits.
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

/// Whether `text` could be a word: a few letters in lower case, in upper case, or with a capital first.
fn is_word(text: &[u8]) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let is_in_one_case =
        rest.iter().all(u8::is_ascii_lowercase) || text.iter().all(u8::is_ascii_uppercase);
    text.len() < 16 && is_in_one_case && text.iter().all(u8::is_ascii_alphabetic)
}

/// Finds what follows `Bearer`, and what follows a secret's name and `:` or `=`: as in JSON, a query or a header.
fn values(text: &[u8], find: &mut impl FnMut(usize, usize)) {
    let mut done = 0;
    for colon in memchr2_iter(b':', b'=', text) {
        let name = text.get(..colon).map(name_at_end).unwrap_or_default();
        if colon < done || !is_secret_name(name) {
            continue;
        }
        let start = end_of(text, colon + 1, |byte| matches!(byte, b' ' | b'>'));
        let (start, end) = match text.get(start) {
            Some(quote @ (b'"' | b'\'')) => (start + 1, end_of_quoted(text, start + 1, *quote)),
            // Where nested JSON ends does not matter: nothing behind it is worth the risk.
            Some(b'[' | b'{') => (start, text.len()),
            _ => {
                let end = end_of(text, start, is_of_value);
                let is_prose =
                    text.get(colon) == Some(&b':') && text.get(start..end).is_some_and(is_word);
                (start, if is_prose { start } else { end })
            }
        };
        if start < end {
            find(start, end);
        }
        done = end;
    }
    let lower = text.to_ascii_lowercase();
    for scheme in [&b"bearer"[..], b"basic"] {
        let mut done = 0;
        for found in memmem::find_iter(&lower, scheme) {
            let gap = found + scheme.len();
            let start = end_of(text, gap, |byte| matches!(byte, b' ' | b':' | b'='));
            let end = end_of(text, start, is_of_value);
            if found < done || gap == start {
                continue;
            }
            if !text.get(start..end).is_some_and(is_word) {
                find(start, end);
            }
            done = end;
        }
    }
}

/// The name that `text` ends with, in quotes or not.
fn name_at_end(text: &[u8]) -> &[u8] {
    const LONGEST: usize = 64;
    let text = text.get(text.len().saturating_sub(LONGEST)..).unwrap_or(text);
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b"\"").or(text.strip_suffix(b"'")).unwrap_or(text);
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = text.iter().rposition(|byte| !is_of_name(byte)).map_or(0, |before| before + 1);
    text.get(start..).unwrap_or_default()
}

/// Whether a value of this name is a secret: `app_secret`, `appSecret`, `X-App-Secret`, `tenant_access_token` and the like,
/// but not the token of a spreadsheet.
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
    matches!(&*name, b"token" | b"idtoken" | b"ticket")
        || ENDS.iter().any(|end| name.ends_with(end))
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

/// Where the value ends that begins at `at`, behind `quote`: at the next quote that something follows which can stand behind
/// a value, or at the end of the text.
fn end_of_quoted(text: &[u8], at: usize, quote: u8) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let is_end = |end: &usize| {
        let behind = rest.get(end + 1..).unwrap_or_default();
        let behind = behind.iter().take(8).find(|byte| **byte != b' ');
        behind.is_none_or(|byte| !is_of_value(*byte))
    };
    memchr_iter(quote, rest).find(is_end).map_or(text.len(), |end| at + end)
}

/// `part` without the user and password of a URL: without all that stands between the scheme and the last `@`, because a
/// password may hold any character.
pub(crate) fn without_user_info(part: &[u8]) -> Vec<u8> {
    let Some(at) = memchr::memrchr(b'@', part) else { return part.to_vec() };
    let (before, after) = part.split_at(at);
    let Some(colon) = memchr::memchr(b':', before) else { return part.to_vec() };
    let scheme = memmem::find(before, b"://").filter(|scheme| *scheme == colon);
    let scheme = scheme.and_then(|scheme| before.get(..scheme + 3)).unwrap_or_default();
    [scheme, b"***", after].concat()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const TOKEN: &str = "t-caecc734c2e3328a62489fe0648c4b98779515d3";

    fn clear(text: &str) -> String {
        Secrets::default().clear(text.as_bytes(), 1024)
    }

    fn clear_of(secret: &str, text: &str) -> String {
        Secrets::new(None, vec![secret.to_owned()]).clear(text.as_bytes(), 1024)
    }

    #[test]
    fn what_looks_like_a_secret_is_cleared() {
        for (text, shown) in [
            // Tokens by their beginning.
            (format!("invalid token {TOKEN}."), "invalid token ***"),
            (format!("invalid token {TOKEN}, log in"), "invalid token ***, log in"),
            (format!("<{TOKEN}>, u-g1044qeGEDXTB6NDJOGV4JQ"), "<***>, ***"),
            ("a-6U1SbDiM6XIH2DcTCPyeub".into(), "***"),
            ("ur-cjp8X7NdhTB6NDJOGV4JQ!".into(), "***!"),
            ("u-5dM5qFz.N7rXG-dcV_0".into(), "***"),
            ("(eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln)".into(), "(***)"),
            (format!("%22{}%22", TOKEN.replace('-', "%2d")), "%22***%22"),
            (format!(r"\n{}\n", TOKEN.replace('-', r"\u002D")), r"\n***\n"),
            (format!("&quot;{}&quot;", TOKEN.replace('-', "&#45;")), "&quot;***&quot;"),
            (TOKEN.replace('-', r"\\u002d"), "***"),
            (TOKEN.replace('-', "%252D"), "***"),
            // What follows `Bearer`.
            ("no Bearer t-SECRET here".into(), "no Bearer *** here"),
            ("bearer  s3cret\" x".into(), "bearer  ***\" x"),
            ("Authorization: Bearer:s3cret".into(), "Authorization: ***"),
            ("authorization: basic dXNlcjpwYXNz;".into(), "authorization: basic ***;"),
            ("Authorization: 7f1b9a".into(), "Authorization: ***"),
            // What follows a name, in JSON, a query and a header.
            (
                r#"{"app_id":"cli_x","app_secret":"s, e"}"#.into(),
                r#"{"app_id":"cli_x","app_secret":"***"}"#,
            ),
            (r#"{"app_secret" : "s\"e\"c", "x":1}"#.into(), r#"{"app_secret" : "***", "x":1}"#),
            (r#"{\"app_secret\":\"s\",\"x\":1}"#.into(), r#"{\"app_secret\":\"***\",\"x\":1}"#),
            (r#"{"Tenant_Access_Token":["t-1"],"x":1}"#.into(), r#"{"Tenant_Access_Token":***"#),
            (r#"{"app_ticket":{"t-1":1}}"#.into(), r#"{"app_ticket":***"#),
            (r#"{"refreshToken":"ur-1"#.into(), r#"{"refreshToken":"***"#),
            ("{'appSecret': 's'}".into(), "{'appSecret': '***'}"),
            ("?app_secret=secret&x=1".into(), "?app_secret=***&x=1"),
            ("app_secret%3Dsecret%26x=1".into(), "app_secret%3D***%26x=1"),
            ("X-App-Secret: s3cret\r\nX: 1".into(), "X-App-Secret: ***  X: 1"),
            ("token => 123".into(), "token => ***"),
            ("access_token = eyJh, x".into(), "access_token = ***, x"),
        ] {
            assert_eq!(clear(&text), shown, "{text}");
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "t-shirt",
            "a u-turn and a t-junction-of-two-streets",
            "a-photo-of-the-team-in-2024.png",
            "t-img20240301v2b_final-7f1b.jpeg",
            "t-2024-12-31-23-59-59",
            "IMG-20240301-WA0001.jpg",
            "report-1a2b3c4d5e6f7a8b9c0d.bin",
            "a-long-name-in-kebab-case.with.dots",
            "20260203112233010198076042A1B2C3D4",
            "img_v3_02ab_7f1b9a0c-2d4e-5f60-8a9b-0c1d2e3f4a5b",
            "fd3a475a-0c27-4071-a9a6-8712b84b0cb6",
            "shtcngNygNfuqhxTBf588jwgWbJ",
            "Missing access token for authorization. Please make a request with token attached.",
            "Invalid access token for authorization. Please make a request with token attached.",
            "The header must be `Bearer <token>`; a bearer token is missing",
            "app secret invalid",
            "token: invalid",
            "access_token: expired, app_ticket: ",
            "app_secret=",
            r#"{"app_secret":"","code":10003,"access_token":null}"#,
            r#"{"code":0,"data":{"spreadsheetToken":"sht1","file_token":"box7","token_type":"tenant"}}"#,
            "https://open.feishu.cn/app/cli_x/auth?q=im:resource&op_from=openapi&token_type=tenant",
            "https://open.feishu.cn/search?from=openapi&log_id=2026A1&code=99991672&method_id=7",
            "wrong range=FYZ5JP!P60: 100 % of \\ and & and ; and %zz and &#; and &nope;",
            "应用尚未开通所需的应用身份权限：[im:resource]",
        ] {
            assert_eq!(clear(text), text);
        }
    }

    #[test]
    fn a_secret_of_the_request_is_cleared_in_any_case_spacing_and_escaping() {
        let secret = r#"s3c%"re\t/t&Key<"#;
        let each = |form: fn(u32) -> String| -> String {
            secret.chars().map(|c| form(c.into())).collect()
        };
        let forms = [
            secret.to_owned(),
            secret.to_uppercase(),
            each(|c| format!("{} ", char::from_u32(c).unwrap())),
            each(|c| format!("{}\u{200b}", char::from_u32(c).unwrap())),
            each(|c| format!("{}\r\n", char::from_u32(c).unwrap())),
            each(|c| format!("%{c:02x}")),
            each(|c| format!("%25{c:02X}")),
            each(|c| format!("\\u{c:04x}")),
            each(|c| format!("\\\\u{c:04X}")),
            each(|c| format!("&#{c};")),
            each(|c| format!("&#x{c:x};")),
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
            secret.replace('\\', "\\\\").replace('/', "\\/"),
            secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
        ];
        for form in forms {
            let cleared = clear_of(secret, &format!("a {form} b {form}"));
            let cleared = cleared.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(cleared, "a *** b ***", "{form}");
        }
        let header = HeaderValue::from_static("Bearer p1ain-t0ken");
        let secrets = Secrets::new(Some(header), Vec::new());
        assert_eq!(secrets.clear(b"<P1AIN-T0KEN>", 60), "<***>");
        assert_eq!(format!("{secrets:?}"), "Secrets(***)");
        assert_eq!(clear_of("0123abcd", "0123ABCD"), "***");
        // Too short to be told from a word.
        assert_eq!(clear_of("secret", "app secret invalid"), "app secret invalid");
    }

    #[test]
    fn a_cut_leaves_no_part_of_a_secret() {
        for secret in ["0123456789abcdef".to_owned(), "x".repeat(4096)] {
            let escaped: String = secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
            for form in [&secret, &escaped] {
                for before in [0, 1, 50, 59, 60, 61] {
                    let text = "-".repeat(before) + form + " and more";
                    let shown = Secrets::new(None, vec![secret.clone()]).clear(text.as_bytes(), 60);
                    let rest = shown.trim_matches(['-', '*', '…']);
                    assert!(rest.is_empty() || rest == " and more", "{shown}");
                    assert!(shown.len() <= 63, "{shown}");
                }
            }
        }
        let many = "token=a&".repeat(100);
        assert!(clear(&many).len() <= 1027);
        assert_eq!(Secrets::default().clear(many.as_bytes(), 10), "token=***&…");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it measures how long the work takes")]
    fn the_work_is_bounded() {
        let secrets = Secrets::new(None, vec!["a".repeat(4095) + "b", "\\".repeat(4096)]);
        for piece in [
            "a",
            "\\",
            "\\u",
            "%",
            "&",
            "&#1",
            ";",
            "\"",
            "t-",
            "t-a-",
            "eyJ",
            "bearer ",
            "bearer=",
            "token:",
            "token=",
            "token:\"",
            "token:\" ",
            "token:{",
            ": ",
            "{",
            " ",
            "@",
            "图",
        ] {
            let text = piece.repeat(1 << 20);
            let started = Instant::now();
            secrets.clear(text.as_bytes(), 1024);
            // An unoptimised build takes a tenth of a second, and more than ten where the work is quadratic.
            assert!(started.elapsed() < Duration::from_secs(5), "{piece}: {:?}", started.elapsed());
        }
    }
}
