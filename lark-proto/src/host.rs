//! The host and the port of a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::{Authority, Port};

/// The host in its [normal form](host), and the port, if `authority` is `host[:port]` without user info. Port 0 is
/// refused.
pub(crate) fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let authority: Authority = authority.parse().ok()?;
    let name = authority.host();
    let port = authority.port();
    let digits = port.as_ref().map_or("", |port| port.as_str());
    // `http` accepts a sign before the digits, and leaves out user info and a port that is not a number of 16 bits.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let len = name.len() + port.as_ref().map_or(0, |_| 1 + digits.len());
    let port = port.as_ref().map(Port::as_u16);
    if !is_number || len != authority.as_str().len() || port == Some(0) {
        return None;
    }
    Some((host(name)?, port))
}

/// The host in its normal form: an address, or a DNS name of letters, digits, hyphens and `_` in lower case. The ASCII
/// form of an internationalised name is accepted, the name itself is not.
fn host(text: &str) -> Option<String> {
    match address(text) {
        Some(IpAddr::V6(address)) => return Some(format!("[{address}]")),
        Some(IpAddr::V4(address)) => return Some(address.to_string()),
        None => {}
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Some resolvers read a name whose last label is a number as an address, such as `127.1`.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.to_ascii_lowercase().starts_with("0x");
    let is_name = text.len() <= 253 && text.split('.').all(is_label) && !is_number;
    is_name.then(|| text.to_ascii_lowercase())
}

/// The address that `host` is written as, an IPv6 address in brackets; `None` for a name.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(Into::into),
        None => host.parse::<Ipv4Addr>().ok().map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_in_its_normal_form() {
        let label = "a".repeat(63);
        let longest = [&*label, &label, &label, &"b".repeat(61)].join(".");
        for (text, form) in [
            ("Open.Feishu.CN", "open.feishu.cn"),
            ("a-b.c--d.e", "a-b.c--d.e"),
            ("a_b._c", "a_b._c"),
            ("1.a", "1.a"),
            ("0x1.a", "0x1.a"),
            ("xn--fsqu00a.cn", "xn--fsqu00a.cn"),
            (&longest, &longest),
            ("10.0.0.1", "10.0.0.1"),
            ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ] {
            assert_eq!(host_and_port(text), Some((form.to_owned(), None)), "{text}");
        }
    }

    #[test]
    fn a_text_that_a_server_could_read_as_another_host_is_refused() {
        let label = "a".repeat(63);
        let too_long = [&*label, &label, &label, &"b".repeat(62)].join(".");
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a.b",
            "a-.b",
            "a.-b",
            "a.b-",
            "-",
            "a~b",
            "a b",
            "a/b",
            "u@a",
            "图.cn",
            "1.2.3",
            "127.1",
            "1",
            "a.1",
            "a.0x1",
            "a.0Xf",
            "999.1.1.1",
            "[::1",
            "::1",
            "[1.2.3.4]",
            "[a]",
            "[::1]x",
            &"a".repeat(64),
            &too_long,
        ] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for (text, port) in [("a:1", 1), ("a:65535", 65_535), ("a:080", 80)] {
            assert_eq!(host_and_port(text), Some(("a".to_owned(), Some(port))), "{text}");
        }
        assert_eq!(host_and_port("[::1]:8"), Some(("[::1]".to_owned(), Some(8))));
        for text in ["a:", "a:0", "a:65536", "a:+1", "a:-1", "a:1:2", ":1", "[::1]:", "a:x"] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }
}
