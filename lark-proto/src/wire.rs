//! A request as the bytes of HTTP/1.1, in a fixed order of headers; or as a curl command.
//!
//! A header map's order is its library's affair and a transport adds headers of its own, so this is the one
//! place that promises the whole request byte for byte: for golden files, for bug reports, and for those who
//! have a socket and no HTTP client.

use std::fmt::Write;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::{HeaderName, HeaderValue, Request, Uri};

use crate::body::Body;

/// The request's head: request line, `Host`, `Authorization`, `Content-Type`, `Content-Length`, any other
/// header by name, and the empty line.
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
///     wire::head(&request),
///     "POST /open-apis/auth/v3/tenant_access_token/internal HTTP/1.1\r\n\
///      Host: open.larksuite.com\r\n\
///      Content-Type: application/json; charset=utf-8\r\n\
///      Content-Length: 35\r\n\r\n",
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[must_use]
pub fn head<B>(request: &Request<B>) -> Bytes {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    fields(&mut head, headers(request).iter().map(|(name, value)| (name, value)));
    head.into()
}

/// Appends the headers by line, and the empty line that ends a head.
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

/// The whole request: [`head`] and body. `Content-Length` is the body's, whatever the request says.
#[must_use]
pub fn http1<B: Into<Body>>(request: Request<B>) -> Bytes {
    let mut request = request.map(Into::into);
    if !request.body().is_empty() || request.headers().contains_key(CONTENT_LENGTH) {
        let len = request.body().len();
        request.headers_mut().insert(CONTENT_LENGTH, len.into());
    }
    request.headers_mut().remove(TRANSFER_ENCODING);
    let head = head(&request);
    let body = request.into_body().into_bytes();
    [head, body].concat().into()
}

/// Whether a curl command shows the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// `Authorization: ***`.
    #[default]
    Masked,
    /// The token as it is: the command works, and must not be shared.
    Shown,
}

/// The request as a curl command for a POSIX shell, which reads the body from `body`: a file's name, or
/// `-` for standard input.
///
/// The body is sent as it is; headers that curl writes itself (`Host`, `Content-Length`) are left to it.
#[must_use]
pub fn curl<B>(request: &Request<B>, body: &str, secrets: Secrets) -> String {
    // `[` and `{` in a URL, or `..` in its path, are curl's to expand unless it is told not to.
    let mut command = format!("curl --globoff --path-as-is --request {}", request.method());
    // Writing to a string cannot fail.
    let mut option = |name: &str, value: &str| write!(command, " \\\n  {name} {}", quoted(value));
    let (uri, host) = (request.uri(), host(request.uri()));
    let scheme = uri.scheme_str().unwrap_or("https");
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let _ = option("--url", &format!("{scheme}://{host}{target}"));
    for (name, value) in headers(request) {
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            continue;
        }
        let value = match secrets {
            Secrets::Masked if value.is_sensitive() || SECRET.contains(&name) => "***".into(),
            _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        let _ = option("--header", &format!("{}: {value}", title_case(&name)));
    }
    match request.headers().get(CONTENT_LENGTH) {
        None => {}
        Some(length) if length == "0" => drop(option("--data-binary", "")),
        Some(_) => drop(option("--data-binary", &format!("@{body}"))),
    }
    command.push('\n');
    command
}

/// Headers that are secrets, also where nobody marked them so.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// The host and port, without the user and password that a URI of a caller's may have.
fn host(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or(authority)
}

fn headers<B>(request: &Request<B>) -> Vec<(HeaderName, HeaderValue)> {
    const FIRST: [HeaderName; 4] = [HOST, AUTHORIZATION, CONTENT_TYPE, CONTENT_LENGTH];
    let mut headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(host(request.uri())).ok().filter(|host| !host.is_empty());
        headers.extend(host.map(|host| (HOST, host)));
    }
    let place =
        |name: &HeaderName| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
    headers.sort_by(|(a, _), (b, _)| (place(a), a.as_str()).cmp(&(place(b), b.as_str())));
    headers
}

/// `content-type` as `Content-Type`, the way HTTP/1.1 is customarily written.
fn title_case(name: &HeaderName) -> String {
    let mut start = true;
    let upper =
        |c: char| if std::mem::replace(&mut start, c == '-') { c.to_ascii_uppercase() } else { c };
    name.as_str().chars().map(upper).collect()
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<Bytes> {
        let token = HeaderValue::from_static("Bearer t-secret");
        Request::post("https://user:secret@open.feishu.cn/a?b='c")
            .header("x-b", "2")
            .header("x-a", "it's")
            .header(CONTENT_LENGTH, 7)
            .header(TRANSFER_ENCODING, "chunked")
            .header(AUTHORIZATION, token)
            .header("x-b", "1")
            .body("{}".into())
            .unwrap()
    }

    #[test]
    fn the_order_of_headers_is_fixed() {
        assert_eq!(
            http1(request()),
            "POST /a?b='c HTTP/1.1\r\nHost: open.feishu.cn\r\nAuthorization: Bearer t-secret\r\n\
             Content-Length: 2\r\nX-A: it's\r\nX-B: 2\r\nX-B: 1\r\n\r\n{}"
        );
        let mut empty = Request::new(Body::empty());
        *empty.uri_mut() = Uri::from_static("/x");
        assert_eq!(http1(empty), "GET /x HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn curl_shows_the_token_only_when_asked() {
        let masked = curl(&request(), "it's.json", Secrets::Masked);
        assert_eq!(
            masked,
            "curl --globoff --path-as-is --request POST \\\n  --url 'https://open.feishu.cn/a?b='\\''c' \\\n  \
             --header 'Authorization: ***' \\\n  --header 'X-A: it'\\''s' \\\n  \
             --header 'X-B: 2' \\\n  --header 'X-B: 1' \\\n  --data-binary '@it'\\''s.json'\n"
        );
        let shown = curl(&request(), "-", Secrets::Shown);
        assert!(shown.contains("Bearer t-secret") && shown.contains("'@-'"), "{shown}");
    }
}
