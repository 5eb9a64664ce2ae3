//! Free requests, written as HTTP/1.1 and as curl commands.

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use lark_proto::Site;
use lark_proto::wire::{self, HeaderSecrets};

use crate::curl::Command;
use crate::http1::assert_same;
use crate::input::{input, short};
use crate::raw::{Parts, raw};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: (u8, &'a str),
    origin: (u8, &'a str),
    target: &'a str,
    headers: Vec<(u8, &'a str, &'a [u8], bool)>,
    /// The name of the file with the body.
    file: &'a str,
    body: &'a [u8],
}

/// The headers of a message, in the order of their names and values.
type Headers = Vec<(String, Vec<u8>)>;

/// Writes any request. `httparse` reads the same head and body from the bytes, `parse` inverts `http1`, hidden secrets
/// are written nowhere, and the curl command, split by the rules of a shell, is that of the same request.
pub fn wire(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let Some(request) = request(&input) else { return };
    let shown = wire::http1(request.clone(), HeaderSecrets::Shown);
    by_httparse(&request, &shown, &headers(&request, |_| true));
    let hidden = wire::http1(request.clone(), HeaderSecrets::Hidden);
    by_httparse(&request, &hidden, &headers(&request, |is_secret| !is_secret));
    inverse(&request, &shown);

    raw(&Parts {
        method: request.method().clone(),
        values: [short(input.target, 200), short(input.file, 60)],
        headers: request.headers(),
        body: input.body,
    });

    let file = short(input.file, 60).replace('\0', "");
    for secrets in [HeaderSecrets::Shown, HeaderSecrets::Hidden] {
        let command = wire::curl(&request.clone().map(std::io::Cursor::new), &file, secrets);
        let Some(command) = Command::of(&command) else { panic!("no command: {command}") };
        by_curl(&request, &command, &file, secrets);
    }
}

/// The request, if the crate `http` takes its parts.
fn request(input: &Input<'_>) -> Option<Request<Bytes>> {
    let (choice, other) = input.method;
    let methods =
        [Method::POST, Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS];
    let method = methods.into_iter().nth(usize::from(choice % 8));
    let method = method.or_else(|| Method::from_bytes(short(other, 20).as_bytes()).ok())?;
    let (choice, other) = input.origin;
    let origin = match choice % 8 {
        0 => "https://open.larksuite.com",
        1 => "http://127.0.0.1:8080",
        2 => "https://a.b:443",
        3 => "http://[::1]",
        4 => "https://user@host.example",
        5 => "",
        _ => &format!("https://{}", short(other, 40)),
    };
    let uri: Uri = format!("{origin}{}", short(input.target, 200)).parse().ok()?;
    let mut request = Request::new(Bytes::copy_from_slice(input.body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    for (choice, name, value, is_sensitive) in input.headers.iter().take(30) {
        let known = [
            AUTHORIZATION,
            COOKIE,
            PROXY_AUTHORIZATION,
            HOST,
            CONTENT_LENGTH,
            TRANSFER_ENCODING,
            http::header::ACCEPT,
            http::header::USER_AGENT,
            http::header::EXPECT,
            http::header::CONTENT_TYPE,
        ];
        let known = known.into_iter().nth(usize::from(choice % 16));
        let name = known.or_else(|| HeaderName::from_bytes(short(name, 40).as_bytes()).ok());
        let value = HeaderValue::from_bytes(value);
        if let (Some(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(*is_sensitive);
            request.headers_mut().append(name, value);
        }
    }
    Some(request)
}

/// The host of the URI with its port.
fn host(uri: &Uri) -> String {
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// The headers on the wire: `Host` and the length are added, and the body is never chunked. `is_kept` gets whether a
/// header holds a secret, and decides whether the list has it.
fn headers(request: &Request<Bytes>, is_kept: impl Fn(bool) -> bool) -> Headers {
    let own = request.headers();
    let mut headers: Headers = own
        .iter()
        .filter(|(name, _)| ![CONTENT_LENGTH, TRANSFER_ENCODING].contains(name))
        .filter(|(name, value)| is_kept(is_secret(name, value)))
        .map(|(name, value)| (name.to_string(), value.as_bytes().trim_ascii().to_vec()))
        .collect();
    if is_kept(false) && (!request.body().is_empty() || own.contains_key(CONTENT_LENGTH)) {
        let length = request.body().len().to_string();
        headers.push((CONTENT_LENGTH.to_string(), length.into_bytes()));
    }
    let host = host(request.uri());
    if is_kept(false) && !own.contains_key(HOST) && !host.is_empty() {
        headers.push((HOST.to_string(), host.into_bytes()));
    }
    headers.sort();
    headers
}

fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) || value.is_sensitive()
}

fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or("/".to_owned(), ToString::to_string)
}

/// Checks that httparse reads this request from the bytes.
fn by_httparse(request: &Request<Bytes>, bytes: &[u8], expected: &Headers) {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut fields);
    let end = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        other => panic!("httparse: {other:?} in {}", String::from_utf8_lossy(bytes)),
    };
    assert_eq!(parsed.method, Some(request.method().as_str()));
    assert_eq!(parsed.path, Some(&*target(request.uri())));
    assert_eq!(parsed.version, Some(1));
    let field = |field: &httparse::Header<'_>| {
        (field.name.to_ascii_lowercase(), field.value.trim_ascii().to_vec())
    };
    let mut read: Headers = parsed.headers.iter().map(field).collect();
    read.sort();
    assert_eq!(read, *expected);
    assert!(bytes[end..] == request.body()[..], "httparse leaves another body");
}

/// Checks that `parse` gives the request back, or that it has a reason to refuse it.
fn inverse(request: &Request<Bytes>, bytes: &[u8]) {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or("https");
    let origin = format!("{scheme}://{}", host(uri));
    let Ok(site) = Site::insecure(&origin) else { return };
    match wire::parse(bytes, &site) {
        Ok(read) => {
            let mut sent = request.clone();
            let len = sent.body().len();
            let has_length = len > 0 || sent.headers().contains_key(CONTENT_LENGTH);
            let headers = sent.headers_mut();
            headers.remove(HOST);
            headers.remove(TRANSFER_ENCODING);
            if has_length {
                headers.insert(CONTENT_LENGTH, len.into());
            }
            let names: Vec<HeaderName> = headers.keys().cloned().collect();
            for name in names {
                let trim = |value: &HeaderValue| {
                    HeaderValue::from_bytes(value.as_bytes().trim_ascii()).unwrap()
                };
                let values: Vec<_> = headers.get_all(&name).iter().map(trim).collect();
                headers.remove(&name);
                values.into_iter().for_each(|value| {
                    headers.append(name.clone(), value);
                });
            }
            *sent.uri_mut() =
                format!("{}{}", site.as_str().trim_end_matches('/'), target(uri)).parse().unwrap();
            assert_same(&read, &sent);
            let again = wire::http1(read.clone(), HeaderSecrets::Shown);
            assert_same(&wire::parse(&again, &site).unwrap(), &read);
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 512 && !text.contains(char::is_control), "{text:?}");
            let target = target(uri).to_ascii_lowercase();
            let decoded = target.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
            let is_odd = !target.starts_with('/')
                || !target.is_ascii()
                || decoded.contains("/.")
                || decoded.contains("\\.")
                || target.contains('#');
            let has_host = request.headers().contains_key(HOST);
            assert!(is_odd || has_host, "{text}: {:?}", String::from_utf8_lossy(bytes));
        }
    }
}

/// Checks that curl sends this request.
fn by_curl(request: &Request<Bytes>, command: &Command, file: &str, secrets: HeaderSecrets) {
    assert_eq!(command.method, request.method().as_str());
    assert_eq!(command.target, target(request.uri()));
    let body = (!request.body().is_empty()).then(|| format!("@{file}"));
    assert_eq!(command.body, body);
    // curl sends one of them.
    if request.headers().get_all(HOST).iter().count() > 1 {
        return;
    }
    let is_shown = secrets == HeaderSecrets::Shown;
    let mut expected = headers(request, |is_secret| !is_secret || is_shown);
    let mut sent = command.sent(request.body().len());
    if !is_shown {
        let secret = headers(request, |is_secret| is_secret);
        expected.extend(secret.into_iter().map(|(name, _)| (name, b"***".to_vec())));
        if request.headers().get(HOST).is_some_and(HeaderValue::is_sensitive) {
            // The name of the host is in the URL all the same.
            sent.retain(|(name, _)| name != "host");
            expected.retain(|(name, _)| name != "host");
        }
        expected.sort();
    }
    sent.sort();
    assert_eq!(sent, expected, "{command:?}");
}
