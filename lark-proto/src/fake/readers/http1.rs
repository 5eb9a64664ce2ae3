//! HTTP/1.1 for a server around the fake: a reader of the requests that [`wire::http1`] writes, and a writer of
//! replies.
//!
//! ```text
//!  bytes --push--> Requests --head-----> &Parts         --> FakeLark::begin
//!                           --request--> Request<Bytes> --> FakeLark::finish
//!                                                               |
//!                           bytes <--reply-- Response<Bytes> <--+
//! ```
//!
//! The reader is stricter than HTTP/1.1 requires, because a proxy in front of the real service may be as strict.
//! [`request`] reads bytes that are exactly one request.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use memchr::memchr_iter;

use crate::wire;

/// The longest head that is accepted, in bytes, with its empty line.
pub const HEAD_LIMIT: usize = 64 << 10;
/// The longest body that is accepted, in bytes. A cell image of 20 MiB takes half of it as JSON numbers of four bytes
/// each.
pub const BODY_LIMIT: usize = 160 << 20;
/// The maximum number of headers in one request.
const HEADER_LIMIT: usize = 100;

/// Reads requests from the bytes of one connection, which may arrive in pieces of any length.
///
/// A caller that takes each request as soon as it is complete holds one body at a time, of at most [`BODY_LIMIT`].
/// After an error nothing more is read: `head`, `request` and `end` return the same error again, and further bytes are
/// dropped.
///
/// ```
/// use lark_proto::fake::http1::Requests;
///
/// let mut requests = Requests::new();
/// requests.push(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n1");
/// assert_eq!(requests.head()?.map(|head| head.uri.path()), Some("/x"));
/// assert_eq!((requests.arrived(), requests.missing()), (1, 2));
/// assert!(requests.request()?.is_none());
/// requests.push(b"23");
/// assert!(requests.request()?.is_some_and(|request| request.body() == "123"));
/// requests.end()?;
/// # Ok::<(), lark_proto::fake::http1::Malformed>(())
/// ```
#[derive(Default)]
pub struct Requests {
    buffer: BytesMut,
    /// How many bytes at the start of `buffer` were searched for the end of the head.
    searched: usize,
    arriving: Option<Arriving>,
    /// How many requests were returned.
    taken: usize,
    /// Whether the last request that was returned has `Connection: close`.
    is_closing: bool,
    /// The error after which nothing more is read.
    refused: Option<Malformed>,
}

/// A request whose head is complete.
struct Arriving {
    head: Parts,
    body_len: usize,
}

/// The bytes of a connection break a rule of HTTP/1.1, or a rule that the service's edge is reported to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The number of the request on its connection, counted from 1.
    request: usize,
    text: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}: {}", self.request, self.text)
    }
}

impl std::error::Error for Malformed {}

/// Shows numbers. The bytes may hold a token or an image.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests")
            .field("buffer", &format_args!("{} bytes", self.buffer.len()))
            .field("taken", &self.taken)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl Requests {
    /// A reader for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.refused.is_none() {
            self.buffer.extend_from_slice(bytes);
            self.advance();
        }
    }

    /// The head of the next request, once it is complete.
    ///
    /// # Errors
    /// The bytes are not a request.
    pub fn head(&self) -> Result<Option<&Parts>, Malformed> {
        self.check()?;
        Ok(self.arriving.as_ref().map(|arriving| &arriving.head))
    }

    /// Returns the next request, once its body is complete.
    ///
    /// # Errors
    /// The bytes are not a request.
    pub fn request(&mut self) -> Result<Option<Request<Bytes>>, Malformed> {
        self.check()?;
        let buffered = self.buffer.len();
        let complete = self.arriving.take_if(|arriving| arriving.body_len <= buffered);
        let Some(Arriving { head, body_len }) = complete else { return Ok(None) };
        let body = self.buffer.split_to(body_len).freeze();
        self.taken += 1;
        self.is_closing = is_closing(&head.headers);
        self.advance();
        Ok(Some(Request::from_parts(head, body)))
    }

    /// How many bytes of the body of [`head`](Self::head) have arrived. It is 0 without a head.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.arriving.as_ref().map_or(0, |arriving| arriving.body_len.min(self.buffer.len()))
    }

    /// How many bytes of the body of [`head`](Self::head) are missing. It is 0 without a head.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.arriving.as_ref().map_or(0, |arriving| arriving.body_len - self.arrived())
    }

    /// Checks that the client may close the connection now: every request was returned, and no byte of another one has
    /// arrived.
    ///
    /// # Errors
    /// The connection ends within a request, or its bytes are not a request.
    pub fn end(&self) -> Result<(), Malformed> {
        self.check()?;
        let buffered = self.buffer.len();
        match &self.arriving {
            None if buffered == 0 => Ok(()),
            None => {
                Err(self.malformed(format!("the connection ends in the head, at byte {buffered}")))
            }
            Some(Arriving { body_len, .. }) => {
                let arrived = self.arrived();
                Err(self.malformed(format!(
                    "the connection ends after {arrived} of {body_len} bytes of the body"
                )))
            }
        }
    }

    fn check(&self) -> Result<(), Malformed> {
        self.refused.clone().map_or(Ok(()), Err)
    }

    fn malformed(&self, text: String) -> Malformed {
        Malformed { request: self.taken + 1, text }
    }

    /// Reads the next head, if it is complete and the request before it was returned.
    fn advance(&mut self) {
        if self.arriving.is_some() {
            return;
        }
        match self.next_head() {
            Ok(arriving) => self.arriving = arriving,
            Err(text) => {
                self.refused = Some(self.malformed(text));
                self.buffer = BytesMut::new();
            }
        }
    }

    fn next_head(&mut self) -> Result<Option<Arriving>, String> {
        let Some(&first) = self.buffer.first() else { return Ok(None) };
        if self.is_closing {
            return Err("bytes follow a request with `Connection: close`".to_owned());
        }
        if Method::from_bytes(&[first]).is_err() {
            let first = [first].escape_ascii().to_string();
            return Err(format!("byte `{first}` cannot begin a method; send HTTP/1.1 without TLS"));
        }
        let Some(end) = self.end_of_head()? else { return Ok(None) };
        let head = self.buffer.split_to(end);
        self.searched = 0;
        Arriving::parse(&head).map(Some)
    }

    fn end_of_head(&mut self) -> Result<Option<usize>, String> {
        let window = self.buffer.get(..HEAD_LIMIT).unwrap_or(&self.buffer);
        for at in memchr_iter(b'\n', window.get(self.searched..).unwrap_or_default()) {
            let lines = window.get(..=self.searched + at).unwrap_or_default();
            if !lines.ends_with(b"\r\n") {
                let line = memchr_iter(b'\n', lines).count();
                return Err(format!("line {line} ends in LF alone; end it in CRLF"));
            }
            if lines.ends_with(b"\r\n\r\n") {
                return Ok(Some(lines.len()));
            }
        }
        if window.len() == HEAD_LIMIT {
            return Err(format!("the head is longer than {HEAD_LIMIT} bytes"));
        }
        self.searched = window.len();
        Ok(None)
    }
}

impl Arriving {
    /// Parses a complete head: its lines end in CRLF, and the last one is empty.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = [httparse::EMPTY_HEADER; HEADER_LIMIT];
        let mut parsed = httparse::Request::new(&mut fields);
        parsed.parse(bytes).map_err(|error| located(bytes, error))?;
        if parsed.version != Some(1) {
            return Err("the version is HTTP/1.0; send HTTP/1.1".to_owned());
        }
        let (mut head, ()) = Request::new(()).into_parts();
        let method = parsed.method.unwrap_or_default();
        head.method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("the method `{}` is invalid", excerpt(method.as_bytes())))?;
        let target = parsed.path.unwrap_or_default();
        head.uri = PathAndQuery::try_from(target)
            // `PathAndQuery` drops a fragment and accepts non-ASCII text.
            .ok()
            .filter(|path| path == target && target.starts_with('/') && target.is_ascii())
            .ok_or_else(|| {
                let target = excerpt(target.as_bytes());
                format!("the target `{target}` is not a path; send /path?query, escaped, and Host")
            })?
            .into();
        for field in parsed.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_bytes(field.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(format!("the header `{}` is invalid", excerpt(field.name.as_bytes())));
            };
            head.headers.append(name, value);
        }
        match head.headers.get_all(HOST).iter().count() {
            1 => {}
            0 => return Err("the Host header is missing".to_owned()),
            hosts => return Err(format!("there are {hosts} Host headers; send one")),
        }
        let body_len = body_len(&head.headers)?;
        Ok(Self { head, body_len })
    }
}

fn body_len(headers: &HeaderMap) -> Result<usize, String> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    let others = lengths.count();
    match (headers.get(TRANSFER_ENCODING), first) {
        (Some(_), Some(_)) => {
            Err("the request has Transfer-Encoding and Content-Length; send Content-Length alone"
                .to_owned())
        }
        (Some(encoding), None) => Err(format!(
            "the request has `Transfer-Encoding: {}`, but the service's edge refuses a body of \
             unknown length; send Content-Length",
            excerpt(encoding.as_bytes())
        )),
        (None, None) => Ok(0),
        (None, Some(_)) if others > 0 => {
            Err(format!("there are {} Content-Length headers; send one", 1 + others))
        }
        (None, Some(length)) => {
            let shown = excerpt(length.as_bytes());
            let digits = length.to_str().unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("`Content-Length: {shown}` is not a number in digits"));
            }
            let len = digits.parse().ok().filter(|len| *len <= BODY_LIMIT);
            len.ok_or_else(|| format!("a body of {shown} bytes is longer than {BODY_LIMIT} bytes"))
        }
    }
}

/// Whether the client announces that this request is its last one.
pub(crate) fn is_closing(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The text of `error`, with the line that caused it. httparse does not report the line, so this function parses the
/// first line, the first two lines and so on, until the parser fails.
fn located(head: &[u8], error: httparse::Error) -> String {
    if error == httparse::Error::TooManyHeaders {
        return format!("the head has more than {HEADER_LIMIT} headers");
    }
    let mut start = 0;
    for (line, end) in memchr_iter(b'\n', head).enumerate() {
        let mut fields = [httparse::EMPTY_HEADER; HEADER_LIMIT];
        let lines = head.get(..=end).unwrap_or_default();
        if httparse::Request::new(&mut fields).parse(lines).is_err() {
            let text = lines.get(start..).unwrap_or_default().trim_ascii_end();
            let why = match text.first() {
                Some(b' ' | b'\t') => {
                    "a header is folded; write each header on one line".to_owned()
                }
                _ => error.to_string(),
            };
            return format!("line {} `{}`: {why}", line + 1, excerpt(text));
        }
        start = end + 1;
    }
    error.to_string()
}

/// Part of a head as one line of text: at most 60 bytes, and nothing from a token on. Each byte that is not printable
/// ASCII is escaped.
fn excerpt(bytes: &[u8]) -> String {
    let shown = without_token(bytes);
    match shown.get(..60) {
        Some(start) => format!("{}..", start.escape_ascii()),
        None => shown.escape_ascii().to_string(),
    }
}

/// The bytes before the word `Bearer`. A line of `Authorization` is cut after its name, because a value without that
/// word may be a token too.
fn without_token(bytes: &[u8]) -> &[u8] {
    let name = bytes.get(..b"authorization".len()).unwrap_or_default();
    if name.eq_ignore_ascii_case(b"authorization") {
        return name;
    }
    let is_bearer = |word: &[u8]| word.eq_ignore_ascii_case(b"bearer");
    let token = bytes.windows(b"bearer".len()).position(is_bearer);
    bytes.get(..token.unwrap_or(bytes.len())).unwrap_or_default()
}

/// Reads `bytes` as exactly one request.
///
/// ```
/// use lark_proto::{EndpointExt, Site, fake::http1, wire};
/// use lark_proto::endpoints::GetTenantToken;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret};
///
/// let get = GetTenantToken::new(AppId::new("cli_x")?, AppSecret::new("s")?);
/// let request = get.request(&Site::LARK, &NoToken);
/// let bytes = wire::http1(request, wire::HeaderSecrets::Shown);
/// let request = http1::request(&bytes)?;
/// assert_eq!(request.headers()["host"], "open.larksuite.com");
/// let path = "/open-apis/auth/v3/tenant_access_token/internal";
/// assert_eq!(request.uri().path(), path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The bytes are not a request, or bytes are missing or left over.
pub fn request(bytes: &[u8]) -> Result<Request<Bytes>, Malformed> {
    let mut requests = Requests::new();
    requests.push(bytes);
    match requests.request()? {
        Some(request) => requests.end().map(|()| request),
        None => Err(match requests.end() {
            Ok(()) => requests.malformed("there are no bytes".to_owned()),
            Err(malformed) => malformed,
        }),
    }
}

/// The bytes of a reply: the status line, the headers sorted by name, an empty line, and the body.
///
/// `Content-Length` is always the length of the body, and there is never a `Transfer-Encoding`. If `reply` has these
/// headers, they are ignored.
#[must_use]
pub fn reply(reply: &Response<Bytes>) -> Bytes {
    let status = reply.status();
    let body = reply.body();
    let mut headers = reply.headers().clone();
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.remove(TRANSFER_ENCODING);
    let mut headers: Vec<_> = headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    wire::fields(&mut bytes, headers);
    bytes.extend_from_slice(body);
    bytes.into()
}
