//! Reads a request back from its bytes.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use memchr::memchr;

use super::is_secret;
use crate::error::{Invalid, InvalidKind};
use crate::path::has_dots;
use crate::site::Site;

/// How many names of headers a stored request may have. A map of 2,000 names has room for at least 1,000 more, even if
/// their hashes collide. An endpoint can set 1,000.
const MAX_NAMES: usize = 2000;

/// Reads a request from the bytes that [`http1`](super::http1) writes. The request has an absolute URI. The
/// [module](super) shows how a stored request is sent again.
///
/// The request goes to `site`: its `Host` must be the site's, and its path must be below the site's base path and have
/// no segment `.` or `..`, so that a changed file cannot send a token to another place. The lines of the head may end
/// in LF alone, as an editor writes them. The body must have exactly the length that `Content-Length` says. The headers
/// that hold secrets are marked as sensitive.
///
/// # Errors
/// [`InvalidKind::NotARequest`], whose text names the line or the missing header, and [`InvalidKind::ForeignRequest`],
/// whose text names the other site. The texts quote no other part of the bytes.
pub fn parse(bytes: &[u8], site: &Site) -> Result<Request<Bytes>, Invalid> {
    let mut lines = Lines { rest: bytes, number: 0 };
    let mut request = Request::new(Bytes::new());
    let first = lines.next()?;
    (*request.method_mut(), *request.uri_mut()) = request_line(first, site)
        .ok_or_else(|| refused("line 1 is not `METHOD /path HTTP/1.1`".to_owned()))?;
    check_path(request.uri().path(), site)?;

    let headers = request.headers_mut();
    let mut has_host = false;
    let mut length_line = 0;
    loop {
        let line = lines.next()?;
        if line.is_empty() {
            break;
        }
        let at = lines.number;
        let (name, mut value) =
            field(line).ok_or_else(|| refused(format!("line {at} is not `Name: value`")))?;
        if name == HOST {
            if has_host {
                return Err(refused(format!("line {at} is a second `Host`")));
            }
            has_host = true;
            check_host(&value, at, site)?;
            continue;
        }
        if name == TRANSFER_ENCODING {
            return Err(refused(format!(
                "line {at}: use `Content-Length`, not `Transfer-Encoding`"
            )));
        }
        if name == CONTENT_LENGTH {
            if length_line != 0 {
                return Err(refused(format!("line {at} is a second `Content-Length`")));
            }
            length_line = at;
        }
        if is_secret(&name, &value) {
            value.set_sensitive(true);
        }
        if headers.keys_len() == MAX_NAMES && !headers.contains_key(&name) {
            return Err(refused(format!("line {at} is one header too many")));
        }
        headers.append(name, value);
    }
    if !has_host {
        return Err(refused("`Host` is missing".to_owned()));
    }

    let body = lines.rest;
    let len = body.len().to_string();
    match headers.get(CONTENT_LENGTH) {
        Some(length) if *length != len => {
            return Err(refused(format!("line {length_line}: the length of the body is {len}")));
        }
        None if !body.is_empty() => {
            return Err(refused(format!("`Content-Length: {len}` is missing")));
        }
        _ => {}
    }
    *request.body_mut() = Bytes::copy_from_slice(body);
    Ok(request)
}

fn refused(text: String) -> Invalid {
    Invalid::new(InvalidKind::NotARequest, text)
}

/// The lines of the head, each without its line ending.
struct Lines<'b> {
    rest: &'b [u8],
    /// The number of the last line, counted from 1.
    number: usize,
}

impl<'b> Lines<'b> {
    fn next(&mut self) -> Result<&'b [u8], Invalid> {
        self.number += 1;
        let number = self.number;
        let cut =
            || refused(format!("line {number} is the last, and no empty line ends the headers"));
        let end = memchr(b'\n', self.rest).ok_or_else(cut)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

fn request_line(line: &[u8], site: &Site) -> Option<(Method, Uri)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix(" HTTP/1.1")?;
    let (method, target) = line.split_once(' ')?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let uri = Uri::try_from(format!("{}{target}", site.origin())).ok()?;
    // `Uri` drops a fragment and accepts non-ASCII text.
    let is_kept = uri.path_and_query().is_some_and(|kept| kept == target);
    (is_kept && target.starts_with('/') && target.is_ascii()).then_some((method, uri))
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_at(memchr(b':', line)?);
    let name = HeaderName::from_bytes(name).ok()?;
    // A valid value has no carriage return, so that `trim_ascii` removes only spaces and tabs.
    let value = HeaderValue::from_bytes(value.get(1..)?).ok()?;
    let value = HeaderValue::from_bytes(value.as_bytes().trim_ascii()).ok()?;
    Some((name, value))
}

/// Checks that a path is below the base path of the site, and that it stays there after a proxy has decoded it and
/// removed its dot segments.
fn check_path(path: &str, site: &Site) -> Result<(), Invalid> {
    let below = path.strip_prefix(site.base_path()).filter(|below| below.starts_with('/'));
    if below.is_none() {
        let base = site.base_path();
        return Err(refused(format!("line 1: the path is not below the site's `{base}`")));
    }
    let mut decoded = path.to_ascii_lowercase();
    for (escaped, plain) in [("%2e", "."), ("%2f", "/"), ("%5c", "\\")] {
        decoded = decoded.replace(escaped, plain);
    }
    if has_dots(&decoded) {
        return Err(refused("line 1: the path has a segment `.` or `..`".to_owned()));
    }
    Ok(())
}

/// Checks that the `Host` in line `at` is the site's, in any letter case and with or without the default port.
fn check_host(host: &HeaderValue, at: usize, site: &Site) -> Result<(), Invalid> {
    let host = host.to_str().ok().filter(|host| !host.contains('/'));
    let named =
        |scheme: &str| host.and_then(|host| Site::insecure(&format!("{scheme}://{host}")).ok());
    let scheme = if site.is_https() { "https" } else { "http" };
    if named(scheme).is_some_and(|named| named.authority() == site.authority()) {
        return Ok(());
    }
    // Only a valid host is quoted, because a damaged line may contain the token of the next line.
    match named("https") {
        Some(other) => Err(Invalid::new(InvalidKind::ForeignRequest, other.as_str())),
        None => Err(refused(format!("line {at} does not name a host"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HeaderSecrets, http1};

    #[test]
    fn a_request_is_read_back_from_its_bytes() {
        let stored = "PUT /a/b?c=%2F&d HTTP/1.1\r\nHost: open.larksuite.com\r\n\
            Authorization: Bearer t-secret\r\nContent-Length: 7\r\nX-A: \r\nX-B: 2\r\nX-B: 1\r\n\r\n\
            {\r\n\n\n }";
        let request = parse(stored.as_bytes(), &Site::LARK).unwrap();
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.uri(), "https://open.larksuite.com/a/b?c=%2F&d");
        let headers = request.headers();
        let shown: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let expected = [
            ("authorization", "Bearer t-secret"),
            ("content-length", "7"),
            ("x-a", ""),
            ("x-b", "2"),
            ("x-b", "1"),
        ];
        assert_eq!(shown, expected);
        let are_sensitive = ["authorization", "x-b"].map(|name| headers[name].is_sensitive());
        assert_eq!(are_sensitive, [true, false]);
        assert_eq!(request.body(), "{\r\n\n\n }");
        assert_eq!(http1(request, HeaderSecrets::Shown), stored);
    }

    #[test]
    fn a_head_is_read_with_any_line_endings_letter_case_and_spaces() {
        let lark = "https://open.larksuite.com";
        for (site, head) in [
            (lark, "Host: open.larksuite.com\nA: b c\nContent-Length: 1\n\n"),
            (lark, "content-length:1\r\nhost:Open.Larksuite.com:443\na:\t b c \r\n\n"),
            ("http://localhost:80", "Host: localhost\nA: b c\nContent-Length: 1\n\r\n"),
            ("http://[::1]:9", "Host: [0::1]:9\nA: b c\nContent-Length: 1\r\n\n"),
        ] {
            let site = Site::custom(site).unwrap();
            let request = parse(format!("POST /x HTTP/1.1\n{head}\n").as_bytes(), &site).unwrap();
            assert_eq!(request.uri(), &*format!("{site}/x"), "{head:?}");
            assert_eq!(
                (request.headers().len(), &request.headers()["a"]),
                (2, &"b c".parse().unwrap())
            );
            assert_eq!(request.body(), "\n", "{head:?}");
        }
    }

    fn assert_refused(bytes: &str, part: &str) {
        let error = parse(bytes.as_bytes(), &Site::LARK).expect_err(bytes);
        assert_eq!(error.kind(), InvalidKind::NotARequest, "{bytes:?}");
        let text = error.to_string();
        assert!(text.contains(part), "{bytes:?}: {text}");
        assert!(!text.contains("secret") && !text.contains('…'), "{text}");
    }

    #[test]
    fn a_wrong_request_line_is_refused() {
        for line in [
            "",
            "GET / HTTP/1.0",
            "GET / HTTP/2",
            "GET / http/1.1",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /\r HTTP/1.1",
            "GET HTTP/1.1",
            " / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET x HTTP/1.1",
            "GET ?x HTTP/1.1",
            "GET * HTTP/1.1",
            "GET :80/ HTTP/1.1",
            "GET .evil.example/ HTTP/1.1",
            "GET @evil.example/ HTTP/1.1",
            "GET https://open.larksuite.com/ HTTP/1.1",
            "GET /#x HTTP/1.1",
            "GET /图 HTTP/1.1",
        ] {
            let bytes = format!("{line}\nHost: open.larksuite.com\n\n");
            assert_refused(&bytes, "line 1 is not `METHOD /path HTTP/1.1`");
        }
    }

    #[test]
    fn a_request_without_a_host_is_refused() {
        assert_refused("GET / HTTP/1.1\n\n", "`Host` is missing");
    }

    #[test]
    fn a_path_that_leaves_the_base_path_is_refused() {
        let gateway = Site::custom("https://gw.corp.example/feishu").unwrap();
        let text = |site: &Site, path: &str| {
            let host = site.authority();
            let bytes = format!("GET {path} HTTP/1.1\nHost: {host}\n\n");
            parse(bytes.as_bytes(), site).err().map(|error| error.to_string()).unwrap_or_default()
        };
        for path in ["/feishu/open-apis/x", "/feishu/x?a=/../", "/feishu/%E5%9B%BE..%2Fx/..."] {
            assert_eq!(text(&gateway, path), "", "{path}");
        }
        for path in [
            "/open-apis/x",
            "/other/open-apis/x",
            "/feishuu/x",
            "/feishu",
            "//feishu/x",
            "/Feishu/x",
        ] {
            assert!(text(&gateway, path).contains("not below the site's `/feishu`"), "{path}");
        }
        for path in [
            "/feishu/../other/x",
            "/feishu/%2e%2E/other/x",
            "/feishu/x%2F..%2F..%2Fother",
            "/feishu/x\\..",
            "/feishu/x%5c..%5cx",
            "/feishu/.",
        ] {
            assert!(text(&gateway, path).contains("line 1"), "{path}");
        }
        assert!(text(&Site::LARK, "/open-apis/../x").contains("a segment `.` or `..`"));
    }

    #[test]
    fn an_incomplete_request_is_refused_with_its_line() {
        assert_refused("", "line 1 is the last");
        assert_refused("GET / HTTP/1.1", "line 1 is the last");
        for (rest, part) in [
            ("", "line 3 is the last, and no empty line ends the headers"),
            ("\r", "line 3 is the last"),
            ("Authorization: t-secret", "line 3 is the last"),
            ("Authorization t-secret\n\n", "line 3 is not `Name: value`"),
            ("A: b\n t-secret\n\n", "line 4 is not `Name: value`"),
            ("A : b\n\n", "line 3 is not `Name: value`"),
            (": b\n\n", "line 3 is not `Name: value`"),
            ("A: b\0\n\n", "line 3 is not `Name: value`"),
            ("A: b\r\r\n\n", "line 3 is not `Name: value`"),
            ("A: b\nHost: open.larksuite.com\n\n", "line 4 is a second `Host`"),
            (
                "Transfer-Encoding: chunked\n\n0\n\n",
                "line 3: use `Content-Length`, not `Transfer-Encoding`",
            ),
            ("Content-Length: 1\nContent-Length: 1\n\nx", "line 4 is a second `Content-Length`"),
            ("Content-Length: 1\nA: b\n\nx\n", "line 3: the length of the body is 2"),
            ("A: b\nContent-Length: 2\n\nx", "line 4: the length of the body is 1"),
            ("Content-Length: 01\n\nx", "line 3: the length of the body is 1"),
            ("Content-Length: \n\n", "line 3: the length of the body is 0"),
            ("\nx", "`Content-Length: 1` is missing"),
        ] {
            assert_refused(&format!("GET / HTTP/1.1\nHost: open.larksuite.com\n{rest}"), part);
        }
    }

    #[test]
    fn a_read_request_has_room_for_more_headers() {
        let read = |names: usize| {
            let many: String = (0..names).map(|n| format!("A{n}: b\n")).collect();
            // A further value of a name takes no room.
            let bytes = format!("GET / HTTP/1.1\nHost: open.larksuite.com\n{many}A0: c\n\n");
            parse(bytes.as_bytes(), &Site::LARK)
        };
        let mut request = read(MAX_NAMES).unwrap();
        let token = HeaderValue::from_static("Bearer t-1");
        request.headers_mut().insert(http::header::AUTHORIZATION, token);
        assert_eq!(request.headers().keys_len(), MAX_NAMES + 1);
        for names in [MAX_NAMES + 1, 40_000] {
            let text = read(names).map(drop).unwrap_err().to_string();
            assert!(text.ends_with("line 2003 is one header too many"), "{text}");
        }
    }

    #[test]
    fn a_request_for_another_site_is_refused() {
        for (host, shown) in [
            ("open.feishu.cn", "https://open.feishu.cn"),
            ("open.larksuite.com.evil.example", "https://open.larksuite.com.evil.example"),
            ("Open.Larksuite.Com:80", "https://open.larksuite.com:80"),
            ("127.0.0.1:443", "https://127.0.0.1"),
        ] {
            let bytes = format!("GET / HTTP/1.1\nHost: {host}\n\n");
            let error = parse(bytes.as_bytes(), &Site::LARK).expect_err(host);
            assert_eq!(error.kind(), InvalidKind::ForeignRequest, "{host}");
            let text = format!("the request is for `{shown}`, which is another site");
            assert_eq!(error.to_string(), text);
        }
        for host in
            ["", "open.larksuite.com/", "user:secret@open.larksuite.com", "a b: secret", "é"]
        {
            let bytes = format!("GET / HTTP/1.1\nHost: {host}\n\n");
            assert_refused(&bytes, "line 2 does not name a host");
        }
    }
}
