//! A request as the bytes of HTTP/1.1, in a fixed order of headers; or as a curl command.
//!
//! A header map's order is its library's affair and a transport adds headers of its own, so this is the one
//! place that promises the whole request byte for byte: for golden files, for bug reports, and for those who
//! have a socket and no HTTP client.

use std::fmt::Write;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};

use crate::body::Body;

/// The request's head: request line, `Host`, `Authorization`, `Content-Type`, `Content-Length`, any other
/// header by name, and the empty line.
///
/// ```
/// use lark_proto::{AppId, AppSecret, EndpointExt, NoToken, Site, TenantTokenRequest, wire};
///
/// let get = TenantTokenRequest::new(AppId::new("cli_x")?, AppSecret::new("s")?);
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
    for (name, value) in headers(request) {
        head.extend_from_slice(title_case(&name).as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

/// The whole request: [`head`] and body.
#[must_use]
pub fn http1<B: Into<Body>>(request: Request<B>) -> Bytes {
    let head = head(&request);
    let body = request.into_body().into().into_bytes();
    [head, body].concat().into()
}

/// Whether a curl command shows the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// `Authorization: Bearer ***`.
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
    let mut command = format!("curl --request {}", request.method());
    // Writing to a string cannot fail.
    let mut option = |name: &str, value: &str| write!(command, " \\\n  {name} {}", quoted(value));
    let _ = option("--url", &request.uri().to_string());
    for (name, value) in headers(request) {
        if name == HOST || name == CONTENT_LENGTH {
            continue;
        }
        let value = match secrets {
            Secrets::Masked if value.is_sensitive() => "Bearer ***".into(),
            _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        let _ = option("--header", &format!("{}: {value}", title_case(&name)));
    }
    if request.headers().contains_key(CONTENT_LENGTH) {
        let _ = option("--data-binary", &format!("@{body}"));
    }
    command.push('\n');
    command
}

fn headers<B>(request: &Request<B>) -> Vec<(HeaderName, HeaderValue)> {
    const FIRST: [HeaderName; 4] = [HOST, AUTHORIZATION, CONTENT_TYPE, CONTENT_LENGTH];
    let mut headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let host = request.uri().authority().map(|host| HeaderValue::from_str(host.as_str()));
    if let (Some(Ok(host)), false) = (host, request.headers().contains_key(HOST)) {
        headers.push((HOST, host));
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
        let mut token = HeaderValue::from_static("Bearer t-secret");
        token.set_sensitive(true);
        Request::post("https://open.feishu.cn/a?b='c")
            .header("x-b", "2")
            .header("x-a", "it's")
            .header(CONTENT_LENGTH, 2)
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
        *empty.uri_mut() = http::Uri::from_static("/x");
        assert_eq!(http1(empty), "GET /x HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn curl_shows_the_token_only_when_asked() {
        let masked = curl(&request(), "it's.json", Secrets::Masked);
        assert_eq!(
            masked,
            "curl --request POST \\\n  --url 'https://open.feishu.cn/a?b='\\''c' \\\n  \
             --header 'Authorization: Bearer ***' \\\n  --header 'X-A: it'\\''s' \\\n  \
             --header 'X-B: 2' \\\n  --header 'X-B: 1' \\\n  --data-binary '@it'\\''s.json'\n"
        );
        let shown = curl(&request(), "-", Secrets::Shown);
        assert!(shown.contains("Bearer t-secret") && shown.contains("'@-'"), "{shown}");
    }
}
