//! Shows a request as a curl command.

use bytes::Buf;
use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Request};

use super::{HeaderSecrets, headers, host, is_secret, target, title_case};
use crate::text::misleads;

/// The request as a curl command for a POSIX shell. The command reads the body from `body`: the name of a file,
/// relative to the folder of the shell, or `-` for standard input (`./-` is a file with that name). For a request
/// without a body, `body` is ignored. With hidden secrets, `***` stands for the whole value of a header that holds a
/// secret: write `Bearer t-..` in its place.
///
/// curl sends the request that [`http1`](super::http1) writes: the same method, target, headers and body. The command
/// switches off the headers that curl adds (`Accept`, `User-Agent`, `Expect` and the `Content-Type` of a web form), and
/// leaves `Host` and `Content-Length` to curl unless they would differ. `--http1.1` fixes the version of the protocol.
/// curl's configuration file and the proxy of the environment still apply. Two kinds of requests, which no endpoint
/// makes, differ: of several `Host` headers curl sends one, and after a HEAD request with a body it waits for the body
/// of the reply.
///
/// ```
/// use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken, wire};
///
/// let put = PutImage::message(Image::new("GIF89a..")?)?;
/// let request = put.request(&Site::LARK, &TenantToken::new("t-secret")?);
/// let command = wire::curl(&request, "body.bin", wire::HeaderSecrets::Hidden);
/// assert!(command.contains("--header 'Authorization: ***'"));
/// assert!(command.ends_with("--data-binary '@body.bin'\n"));
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[must_use]
pub fn curl<B: Buf>(request: &Request<B>, body: &str, secrets: HeaderSecrets) -> String {
    // Without these options curl expands `[` and `{` in a URL, and removes `..` from its path.
    let mut command = "curl --http1.1 --globoff --path-as-is".to_owned();
    let has_body = request.body().has_remaining();
    if request.method() == Method::HEAD && !has_body {
        // After `--request HEAD`, curl waits for the body that a reply's `Content-Length` announces.
        command.push_str(" --head");
    } else {
        command.push_str(" --request ");
        command.push_str(&quoted(request.method().as_str()));
    }

    let mut option = |start: &str, name: &str, value: &str| {
        command.extend([start, name, " ", value]);
    };
    let headers = headers(request);
    let origin = origin(request, &headers);
    let target = target(request.uri());
    if target.starts_with('/') && target.is_ascii() {
        option(NEXT_LINE, "--url", &quoted(&format!("{origin}{target}")));
    } else {
        // No URL has the target `*`, and curl escapes characters that are not ASCII.
        option(NEXT_LINE, "--url", &quoted(&format!("{origin}/")));
        option(" ", "--request-target", &quoted(&target));
    }

    let curls_own = if has_body {
        &[ACCEPT, USER_AGENT, EXPECT, CONTENT_TYPE][..]
    } else {
        &[ACCEPT, USER_AGENT]
    };
    let mut start = NEXT_LINE;
    for name in curls_own.iter().filter(|name| !request.headers().contains_key(*name)) {
        option(start, "--header", &quoted(&format!("{}:", title_case(name))));
        start = " ";
    }

    for (name, value) in &headers {
        let is_left_to_curl = match *name {
            HOST => is_host_of(&origin, value),
            CONTENT_LENGTH | TRANSFER_ENCODING => true,
            _ => false,
        };
        if is_left_to_curl {
            continue;
        }
        if secrets == HeaderSecrets::Hidden && is_secret(name, value) {
            option(NEXT_LINE, "--header", &header(name, b"***"));
        } else {
            option(NEXT_LINE, "--header", &header(name, value.as_bytes()));
        }
    }

    if has_body {
        option(NEXT_LINE, "--data-binary", &quoted(&format!("@{body}")));
    } else if request.headers().contains_key(CONTENT_LENGTH) {
        option(NEXT_LINE, "--header", &header(&CONTENT_LENGTH, b"0"));
    }
    command.push('\n');
    command
}

/// Continues the command on the next line.
const NEXT_LINE: &str = " \\\n  ";

/// `scheme://host[:port]`, with the host of the `Host` header if the URI has none. A header that is no host, which
/// could add to the path, is left out.
fn origin<B>(request: &Request<B>, headers: &[(HeaderName, HeaderValue)]) -> String {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or("https");
    let own = headers.iter().find(|(name, _)| *name == HOST);
    let own = own.and_then(|(_, host)| Authority::try_from(host.as_bytes()).ok());
    let own = own.as_ref().map_or("", Authority::as_str);
    let host = match host(uri) {
        "" if !own.contains('@') => own,
        host => host,
    };
    format!("{scheme}://{host}")
}

/// Whether every version of curl writes this `Host` for a URL of this origin. curl leaves out a default port and
/// rewrites addresses (`127.1`), so only a plain name without a port is left to curl.
fn is_host_of(origin: &str, value: &HeaderValue) -> bool {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let last_label = host.rsplit('.').next().unwrap_or_default();
    value == host
        && host.bytes().all(is_plain)
        && last_label.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A header as the word after curl's `--header`: `Name: value`, or `Name;` without a value. With `Name:`, curl does not
/// send the header.
fn header(name: &HeaderName, value: &[u8]) -> String {
    let name = title_case(name);
    if value.trim_ascii().is_empty() {
        return quoted(&format!("{name};"));
    }
    let bytes = [name.as_bytes(), b": ", value].concat();
    let is_unreadable = |c: char| misleads(c) || (c.is_control() && c != '\t');
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains(is_unreadable) => quoted(text),
        _ => printed(&bytes),
    }
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One word for a POSIX shell, of bytes that cannot be shown as text. The shell decodes the escapes. A double quote is
/// escaped too, because programs that split a command into words may take it for the end of the word.
fn printed(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|byte| match byte {
        b'\\' | b'\'' | b'"' => format!(r"\0{byte:03o}"),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!(r"\0{byte:03o}"),
    });
    format!("\"$(printf %b '{}')\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        header(&HeaderName::from_static("x-a"), value.as_bytes())
    }

    #[test]
    fn a_tab_in_a_header_is_shown_as_it_is() {
        assert_eq!(shown("a\tb"), "'X-A: a\tb'");
    }

    #[test]
    fn a_control_character_in_a_header_is_escaped() {
        assert_eq!(shown("a\u{85}b"), r#""$(printf %b 'X-A: a\0302\0205b')""#);
    }

    #[test]
    fn a_quote_beside_an_escaped_character_is_escaped_too() {
        assert_eq!(shown("\"'\u{85}"), r#""$(printf %b 'X-A: \0042\0047\0302\0205')""#);
    }

    #[test]
    fn only_a_host_of_the_host_header_is_a_part_of_the_url() {
        for (host, url) in [
            ("a.b:81", "https://a.b:81/x"),
            ("a/b", "https:///x"),
            ("u:p@a", "https:///x"),
            ("a b", "https:///x"),
        ] {
            let request = Request::get("/x").header(HOST, host).body(&b""[..]).unwrap();
            let command = curl(&request, "", HeaderSecrets::Shown);
            assert!(command.contains(&format!("--url '{url}'")), "{command}");
            assert!(command.contains(&format!("--header 'Host: {host}'")), "{command}");
        }
    }
}
