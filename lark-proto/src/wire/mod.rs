//! Writes a request as the bytes of HTTP/1.1, reads it back from them, and shows it as a curl command.
//!
//! The order of a header map depends on its library, and a transport adds headers of its own. Only this module fixes
//! every byte of a request. Use it for golden files, for bug reports, and in a program that has a socket but no HTTP
//! client.
//!
//! # Store a request and send it again
//! A request is stored without its token and gets a fresh token when it is read back. A client fetches a token with
//! `client.call_as(&NoToken, &get)`, where `get` is a [`GetTenantToken`](crate::endpoints::GetTenantToken). A program
//! without a client sends the token request itself: see [below](#fetch-a-token-without-a-client).
//!
//! ```
//! use http::header::AUTHORIZATION;
//! use lark_proto::wire::{self, HeaderSecrets};
//! use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken};
//! # use lark_proto::fake::{FakeLark, TokenKind};
//! # let now = std::time::UNIX_EPOCH;
//! # let mut lark = FakeLark::new();
//! # lark.add_token(TokenKind::Tenant, "t-fresh", now + std::time::Duration::from_secs(60));
//! # let mut send = |request| lark.handle(now, request);
//! # let (old, fresh) = (TenantToken::new("t-old")?, TenantToken::new("t-fresh")?);
//! # let put = PutImage::message(Image::new("GIF89a..")?)?;
//!
//! let request = put.request(&Site::LARK, &old);
//! let stored = wire::http1(request, HeaderSecrets::Hidden);
//! // Later, with a fresh token:
//! let mut request = wire::parse(&stored, &Site::LARK)?;
//! request.headers_mut().insert(AUTHORIZATION, fresh.header_value());
//! let response = send(request); // with any HTTP client
//! let key = PutImage::decode(response)?;
//! # assert!(lark.image(key.as_str()).is_some());
//! # assert!(!stored.windows(5).any(|bytes| bytes == b"t-old"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The body is stored as it is. Do not store a token request, because its body holds the app's secret.
//!
//! # Fetch a token without a client
//! ```
//! # use std::time::UNIX_EPOCH;
//! # use lark_proto::fake::{FakeLark, http1};
//! use lark_proto::endpoints::GetTenantToken;
//! use lark_proto::token::NoToken;
//! use lark_proto::values::{AppId, AppSecret};
//! use lark_proto::wire::{self, HeaderSecrets};
//! use lark_proto::{EndpointExt, Site};
//! # let mut lark = FakeLark::new();
//! # let mut send = |bytes: bytes::Bytes| -> Result<_, Box<dyn std::error::Error>> {
//! #     Ok(lark.handle(UNIX_EPOCH, http1::request(&bytes)?))
//! # };
//! # let (id, secret) = (AppId::new(FakeLark::APP_ID)?, AppSecret::new(FakeLark::APP_SECRET)?);
//!
//! let get = GetTenantToken::new(id, secret);
//! let request = get.request(&Site::LARK, &NoToken);
//! // Over a socket:
//! let reply = send(wire::http1(request, HeaderSecrets::Shown))?;
//! let token = GetTenantToken::decode(reply)?.token;
//! # assert!(token.expose_secret().starts_with("t-"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod curl;
mod parse;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::{HeaderName, HeaderValue, Request, Uri};

use crate::body::Body;

pub use curl::curl;
pub use parse::parse;

/// Whether the headers that hold secrets are written: `Authorization`, `Proxy-Authorization`, `Cookie` and every header
/// whose value is marked as [sensitive](HeaderValue::set_sensitive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderSecrets {
    /// [`http1`] and [`head`] leave these headers out. [`curl`] writes `***` in place of their values.
    #[default]
    Hidden,
    /// The headers are written as they are. Do not share such a request.
    Shown,
}

/// The head of the request: the request line, `Host`, `Authorization`, `Content-Type`, `Content-Length`, the other
/// headers in the order of their names, and the empty line.
///
/// ```
/// use lark_proto::{EndpointExt, Site, wire};
/// use lark_proto::endpoints::GetTenantToken;
/// use lark_proto::token::NoToken;
/// use lark_proto::values::{AppId, AppSecret};
///
/// let get = GetTenantToken::new(AppId::new("cli_x")?, AppSecret::new("s")?);
/// let request = get.request(&Site::LARK, &NoToken);
/// assert_eq!(
///     wire::head(&request, wire::HeaderSecrets::Shown),
///     "POST /open-apis/auth/v3/tenant_access_token/internal HTTP/1.1\r\n\
///      Host: open.larksuite.com\r\n\
///      Content-Type: application/json; charset=utf-8\r\n\
///      Content-Length: 35\r\n\r\n",
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[must_use]
pub fn head<B>(request: &Request<B>, secrets: HeaderSecrets) -> Bytes {
    written(request, headers(request), secrets).into()
}

/// The head of the request with these headers in place of its own.
fn written<B>(
    request: &Request<B>,
    mut headers: Vec<(HeaderName, HeaderValue)>,
    secrets: HeaderSecrets,
) -> Vec<u8> {
    let mut head =
        format!("{} {} HTTP/1.1\r\n", request.method(), target(request.uri())).into_bytes();
    if secrets == HeaderSecrets::Hidden {
        headers.retain(|(name, value)| !is_secret(name, value));
    }
    fields(&mut head, headers.iter().map(|(name, value)| (name, value)));
    head
}

/// Appends a line for each header, and the empty line that ends a head.
pub(crate) fn fields<'h>(
    head: &mut Vec<u8>,
    headers: impl IntoIterator<Item = (&'h HeaderName, &'h HeaderValue)>,
) {
    for (name, value) in headers {
        head.extend_from_slice(title_case(name).as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

/// The whole request: the [`head`] and the body. `Content-Length` is the length of the body, whatever the request says.
#[must_use]
pub fn http1<B: Into<Body>>(request: Request<B>, secrets: HeaderSecrets) -> Bytes {
    let request = request.map(Into::into);
    // The length is not inserted into the map of the request, which panics if it is full.
    let mut headers = headers(&request);
    headers.retain(|(name, _)| ![CONTENT_LENGTH, TRANSFER_ENCODING].contains(name));
    if !request.body().is_empty() || request.headers().contains_key(CONTENT_LENGTH) {
        headers.push((CONTENT_LENGTH, request.body().len().into()));
        sort(&mut headers);
    }
    let mut bytes = written(&request, headers, secrets);
    bytes.extend_from_slice(&request.into_body().into_bytes());
    bytes.into()
}

/// Whether the header holds a secret. Three headers count as secret even if their value is not marked as sensitive.
fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
}

/// The target of the request line. The `Display` of the path and query writes `/` for an empty path; `as_str` does not.
fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// The host and the port, without the user info that a URI of the caller may have.
fn host(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or(authority)
}

/// The headers with `Host`, in their order on the wire.
fn headers<B>(request: &Request<B>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(host(request.uri())).ok().filter(|host| !host.is_empty());
        headers.extend(host.map(|host| (HOST, host)));
    }
    sort(&mut headers);
    headers
}

fn sort(headers: &mut [(HeaderName, HeaderValue)]) {
    const FIRST: [HeaderName; 4] = [HOST, AUTHORIZATION, CONTENT_TYPE, CONTENT_LENGTH];
    let place =
        |name: &HeaderName| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
    headers.sort_by(|(a, _), (b, _)| (place(a), a.as_str()).cmp(&(place(b), b.as_str())));
}

/// The name as it is usually written in HTTP/1.1, such as `Content-Type`.
fn title_case(name: &HeaderName) -> String {
    let mut start = true;
    let upper =
        |c: char| if std::mem::replace(&mut start, c == '-') { c.to_ascii_uppercase() } else { c };
    name.as_str().chars().map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<Bytes> {
        let mut key = HeaderValue::from_static("marked-secret");
        key.set_sensitive(true);
        Request::post("https://user:secret@open.feishu.cn/a?b='c")
            .header("x-b", "2")
            .header("x-a", "it's")
            .header("x-key", key)
            .header(CONTENT_LENGTH, 7)
            .header(TRANSFER_ENCODING, "chunked")
            .header(AUTHORIZATION, "Bearer t-secret")
            .header(PROXY_AUTHORIZATION, "Basic secret")
            .header(COOKIE, "session=secret")
            .header("x-b", "1")
            .body("{}".into())
            .unwrap()
    }

    #[test]
    fn the_order_of_headers_is_fixed() {
        assert_eq!(
            http1(request(), HeaderSecrets::Shown),
            "POST /a?b='c HTTP/1.1\r\nHost: open.feishu.cn\r\nAuthorization: Bearer t-secret\r\n\
             Content-Length: 2\r\nCookie: session=secret\r\nProxy-Authorization: Basic secret\r\n\
             X-A: it's\r\nX-B: 2\r\nX-B: 1\r\nX-Key: marked-secret\r\n\r\n{}"
        );
    }

    #[test]
    fn a_map_of_headers_that_is_full_gets_its_length() {
        let mut full = Request::new(Bytes::from_static(b"{}"));
        for n in 0..24_576 {
            let name = HeaderName::try_from(format!("x-{n}")).unwrap();
            full.headers_mut().append(name, HeaderValue::from_static("1"));
        }
        let bytes = http1(full, HeaderSecrets::Shown);
        assert!(bytes.starts_with(b"GET / HTTP/1.1\r\nContent-Length: 2\r\nX-0: 1\r\nX-1: 1\r\n"));
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 24_576 + 3);
    }

    #[test]
    fn a_request_without_a_host_and_a_body_has_no_headers() {
        let mut empty = Request::new(Body::empty());
        *empty.uri_mut() = Uri::from_static("/x");
        assert_eq!(http1(empty, HeaderSecrets::Shown), "GET /x HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn headers_with_hidden_secrets_are_left_out() {
        assert_eq!(
            http1(request(), HeaderSecrets::Hidden),
            "POST /a?b='c HTTP/1.1\r\nHost: open.feishu.cn\r\nContent-Length: 2\r\nX-A: it's\r\n\
             X-B: 2\r\nX-B: 1\r\n\r\n{}"
        );
    }

    #[test]
    fn a_target_without_a_path_begins_with_a_slash() {
        for (uri, target) in
            [("http://a", "/"), ("http://a?b=c", "/?b=c"), ("http://a//b?", "//b?"), ("*", "*")]
        {
            assert_eq!(super::target(&uri.parse().unwrap()), target, "{uri}");
        }
    }
}
