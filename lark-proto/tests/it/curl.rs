//! The curl command of a request, run by a shell with the real curl. The server receives the bytes that `wire::http1`
//! writes, except for the order of the headers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use lark_proto::body::Body;
use lark_proto::endpoints::GetTenantToken;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};
use proptest::collection::vec;
use proptest::prelude::*;

/// Whether curl is installed. If it is not, this function reports on standard error that the test is skipped. The test
/// harness does not capture that line.
fn has_curl() -> bool {
    let version = Command::new("sh").args(["-c", "curl --version"]).stdout(Stdio::null()).status();
    let found = version.is_ok_and(|status| status.success());
    if !found {
        let message = b"\n== SKIPPED: a test of wire::curl, because curl is not installed\n";
        std::io::stderr().write_all(message).unwrap();
    }
    found
}

/// A request that the server received, or that it is expected to receive.
#[derive(Debug, PartialEq)]
struct Arrived {
    request_line: String,
    /// Sorted by the names in lower case; the values of one name keep their order.
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Arrived {
    /// Reads one request from the connection.
    fn read(connection: &mut impl BufRead) -> Self {
        let mut line = || {
            let mut line = Vec::new();
            connection.read_until(b'\n', &mut line).unwrap();
            assert!(line.ends_with(b"\r\n"), "{}", line.escape_ascii());
            line.truncate(line.len() - 2);
            line
        };
        let request_line = String::from_utf8(line()).unwrap();
        let lines = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty()));
        let mut headers: Vec<_> = lines
            .map(|line| {
                let colon = line.iter().position(|byte| *byte == b':').unwrap();
                let name = String::from_utf8(line[..colon].to_ascii_lowercase()).unwrap();
                (name, line[colon + 1..].trim_ascii().to_vec())
            })
            .collect();
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or("0", |(_, value)| std::str::from_utf8(value).unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        connection.read_exact(&mut body).unwrap();
        Self { request_line, headers, body }
    }
}

/// Runs curl commands in a folder that no other test uses.
struct Curl {
    folder: PathBuf,
    body: &'static str,
}

impl Curl {
    /// `body` is the name of the file with the body, or `-` for standard input.
    fn new(body: &'static str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("curl-{count}"));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, body }
    }

    /// The request that a server receives from the command.
    #[expect(clippy::disallowed_methods, reason = "curl sends to a socket")]
    fn sent(&self, request: &Request<Bytes>) -> Arrived {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let command = wire::curl(request, self.body, HeaderSecrets::Shown);
        // The server has no TLS. The options connect to it for any host, and end a curl that waits.
        let command = command.replacen("--url 'https:", "--url 'http:", 1);
        let options = format!("--silent --max-time 10 --connect-to ::127.0.0.1:{port}");
        let command = format!("{} \\\n  {options}", command.trim_end());
        let file = self.folder.join(if self.body == "-" { "stdin" } else { self.body });
        std::fs::write(&file, request.body()).unwrap();

        let mut curl = Command::new("sh");
        curl.arg("-c").arg(&command).current_dir(&self.folder);
        curl.env("CURL_HOME", &self.folder).env("HOME", &self.folder).env("no_proxy", "*");
        curl.stdin(std::fs::File::open(&file).unwrap()).stdout(Stdio::piped());
        let mut curl = curl.spawn().unwrap();
        listener.set_nonblocking(true).unwrap();
        let connection = loop {
            match listener.accept() {
                Ok((connection, _)) => break connection,
                Err(_) => match curl.try_wait().unwrap() {
                    Some(status) => panic!("{status} without a connection:\n{command}"),
                    None => std::thread::yield_now(),
                },
            }
        };
        connection.set_nonblocking(false).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut reader = BufReader::new(&connection);
        let arrived = Arrived::read(&mut reader);
        let is_head = arrived.request_line.starts_with("HEAD ");
        let reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        write!(&connection, "{reply}{}", if is_head { "" } else { "ok" }).unwrap();
        let output = curl.wait_with_output().unwrap();
        assert!(output.status.success(), "{}:\n{command}", output.status);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "more than one request: {}", rest.escape_ascii());
        arrived
    }

    fn assert_sends(&self, request: Request<Bytes>) {
        let sent = self.sent(&request);
        let bytes = wire::http1(request, HeaderSecrets::Shown);
        assert_eq!(sent, Arrived::read(&mut &*bytes), "{}", self.body);
    }
}

/// A request to `http://localhost`. Each line of `headers` is a header.
fn request(method: &str, target: &str, headers: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let uri = format!("http://localhost{target}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers.lines().map(|line| line.split_once(": ").unwrap()) {
        request = request.header(name, value);
    }
    request.body(body.into()).unwrap()
}

#[test]
fn curl_sends_the_requests_of_the_endpoints() {
    if !has_curl() {
        return;
    }
    let token = TenantToken::new("t-secret").unwrap();
    let image = || Image::new(&b"\x89PNG\r\n\x1a\n\0\r\n\xff"[..]).unwrap();
    let cell = "Q7PlXT!H7".parse().unwrap();
    let write = WriteSheetImage::new("shtcnabc".parse().unwrap(), cell, image()).unwrap();
    let get = GetTenantToken::new(AppId::new("cli_x").unwrap(), AppSecret::new("s'\\").unwrap());
    let requests = [
        PutImage::message(image()).unwrap().request(&Site::LARK, &token),
        write.with_name("it's 100% `图`").unwrap().request(&Site::FEISHU, &token),
        get.request(&Site::LARK, &NoToken),
    ];
    for request in requests {
        for name in ["-", "body.bin"] {
            Curl::new(name).assert_sends(request.clone());
        }
    }
}

#[test]
fn curl_sends_unusual_requests_unchanged() {
    if !has_curl() {
        return;
    }
    let large = vec![b'x'; 3 << 20];
    for request in [
        // Methods.
        request("GET", "/", "", ""),
        request("DELETE", "/", "", ""),
        request("HEAD", "/", "", ""),
        request("HEAD", "/", "Content-Length: 0", ""),
        request("OPTIONS", "/", "", ""),
        request("get", "/", "", ""),
        request("-X", "/", "", ""),
        request("it's`$!#%&*+.^_|~", "/", "", ""),
        // Bodies.
        request("POST", "/", "", ""),
        request("POST", "/", "Content-Length: 0", ""),
        request("PUT", "/", "Content-Length: 0\nContent-Type: a/b", ""),
        request("POST", "/", "Content-Length: 99", "no length of its own"),
        request("POST", "/", "", "no length\0\r\n at all\n"),
        request("POST", "/", "Transfer-Encoding: chunked", "in one piece"),
        request("GET", "/", "", "a body"),
        request("POST", "/", "", large.clone()),
        request("PUT", "/", "Content-Type: a/b", large),
        // Headers.
        request("GET", "/", "X-A: ", ""),
        request("GET", "/", "X-A:   ", ""),
        request("POST", "/", "Content-Type: ", "{}"),
        request("GET", "/", "X-A: ;", ""),
        request("GET", "/", "X-A: @/etc/hostname", ""),
        request("GET", "/", "X-A: it's \"$HOME\" `id` $(id) \\n \\\\ %s !! # a\tb", ""),
        request("GET", "/", "X-A: 图片 \u{202e}gnp", ""),
        request("GET", "/", "X-B: 2\nX-A: \nX-B: \nX-B: 1", ""),
        request("GET", "/", "-it's`$!#%&*+.^_|~: y", ""),
        request("POST", "/", "Accept: a/b\nUser-Agent: me\nContent-Type: c/d", "{}"),
        request("POST", "/", "Accept: \nUser-Agent: \nExpect: ", "{}"),
        request("GET", "/", "Cookie: a=b\nProxy-Authorization: Basic x\nRange: bytes=0-1", ""),
        request("GET", "/", "Connection: close\nAccept-Encoding: gzip", ""),
        // Hosts.
        request("GET", "/", "Host: other.example:81", ""),
        request("GET", "/", "Host: localhost", ""),
        request("GET", ":80/", "", ""),
        request("GET", ":8080/", "", ""),
        // Targets.
        request("GET", "", "", ""),
        request("GET", "?a=b", "", ""),
        request("GET", "//a/../b/./%2e%2e/%2F?x=/../?y", "", ""),
        request("GET", "/[1-3]/{a,b}?c[]={d}", "", ""),
        request("GET", "/it's$HOME\"!*();:@&=+,?`a`=$(b)|^\\", "", ""),
        request("GET", "/%E5%9B%BE?%e5=+", "", ""),
        request("GET", "/图?图=é", "", ""),
    ] {
        Curl::new("-").assert_sends(request);
    }
}

#[test]
fn curl_sends_a_request_with_any_host() {
    if !has_curl() {
        return;
    }
    for uri in [
        "http://open.feishu.cn/x",
        "http://open.feishu.cn:80/x",
        "http://open.feishu.cn:8080/x",
        "http://open.feishu.cn:/x",
        "http://Open.Feishu.CN/x",
        "http://user:pass@localhost/x",
        "http://127.0.0.1/x",
        "http://127.1/x",
        "http://0x7f.1/x",
        "http://[::1]:81/x",
        "http://[::0:1]/x",
        "http://a_b.example./x",
    ] {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        Curl::new("-").assert_sends(request);
    }
    // The URI of a request that a server has read has no host.
    for target in ["/x?y", "*"] {
        let mut request = request("OPTIONS", "", "Host: localhost:81", "");
        *request.uri_mut() = Uri::from_static(target);
        Curl::new("-").assert_sends(request);
    }
}

#[test]
fn curl_reads_a_body_from_a_file_of_any_name() {
    if !has_curl() {
        return;
    }
    for name in ["./-", "@a", "it's \"$HOME\" `id` \\.json", "图 片\n.json", "-x", "a;type=b", "%s"]
    {
        Curl::new(name).assert_sends(request("POST", "/", "", name));
    }
}

#[test]
fn curl_sends_a_header_that_is_not_utf_8_unchanged() {
    if !has_curl() {
        return;
    }
    for value in [&b"\xff it's 100% \\0101 \\ \x80"[..], b"-n \xe5\x9b", b"\xc2\x85"] {
        let mut request = request("GET", "/", "", "");
        request.headers_mut().insert("x-a", HeaderValue::from_bytes(value).unwrap());
        Curl::new("-").assert_sends(request);
    }
}

/// The name of a header, or a method.
const TOKEN: &str = "[-!#$%&'*+.^_`|~0-9A-Za-z]{1,9}";

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let value = prop_oneof![vec(0x20_u8..0x7f, 0..20), vec(any::<u8>(), 0..20)];
    vec((TOKEN, value), 0..5).prop_map(|headers| {
        let pairs = headers.into_iter().filter_map(|(name, value)| {
            // With the prefix, no name has a meaning for curl or for the server.
            let name = HeaderName::from_bytes(format!("x{name}").as_bytes()).unwrap();
            Some((name, HeaderValue::from_bytes(&value).ok()?))
        });
        pairs.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn curl_sends_any_request(
        method in TOKEN,
        target in "(/[-!$-;=@-_a-z|~{}]{0,20}(\\?[-!$-;=?@-~]{0,20})?)?",
        headers in any_headers(),
        body in prop_oneof![Just(Vec::new()), vec(any::<u8>(), 1..50)],
        has_length: bool,
    ) {
        if !has_curl() {
            return Ok(());
        }
        let mut request = request("GET", &target, "", body);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.headers_mut() = headers;
        if has_length {
            let length = request.body().len();
            request.headers_mut().insert("content-length", length.into());
        }
        Curl::new("-").assert_sends(request);
    }
}

#[test]
fn a_command_shows_secrets_only_when_asked() {
    let mut marked = HeaderValue::from_static("marked-secret");
    marked.set_sensitive(true);
    let mut request = request(
        "POST",
        "/a?b='c",
        "X-A: it's\nAccept: a/b\nAuthorization: Bearer t-secret\nCookie: a=secret\nProxy-Authorization: secret",
        "{}",
    );
    request.headers_mut().insert("x-key", marked);
    *request.uri_mut() = "https://user:secret@open.feishu.cn/a?b='c".parse().unwrap();
    let masked = wire::curl(&request, "it's.json", HeaderSecrets::default());
    assert_eq!(
        masked,
        r"curl --http1.1 --globoff --path-as-is --request 'POST' \
  --url 'https://open.feishu.cn/a?b='\''c' \
  --header 'User-Agent:' --header 'Expect:' --header 'Content-Type:' \
  --header 'Authorization: ***' \
  --header 'Accept: a/b' \
  --header 'Cookie: ***' \
  --header 'Proxy-Authorization: ***' \
  --header 'X-A: it'\''s' \
  --header 'X-Key: ***' \
  --data-binary '@it'\''s.json'
"
    );
    let shown = wire::curl(&request.map(Body::from), "-", HeaderSecrets::Shown);
    for secret in ["Bearer t-secret", "a=secret", "Proxy-Authorization: secret", "marked-secret"] {
        assert!(shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains("user") && shown.contains("'@-'"), "{shown}");
}
