//! The proxy between a client and its site, which the caller or the environment names.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;

use crate::error::{Invalid, InvalidKind};
use crate::host::host_and_port;
use crate::site::Site;
use crate::text::{base64, percent_decoded};

/// A proxy. `http://[user:password@]host[:port]` is an HTTP proxy, from which the client requests a tunnel to the site
/// with `CONNECT`. `socks5://..` or `socks5h://..` is a SOCKS5 proxy, which also resolves the name of the site's host.
/// The default scheme is `http`, and the default port is 80 for HTTP and 1080 for SOCKS5.
///
/// ```
/// use lark_proto::network::Proxy;
///
/// let proxy = Proxy::new("http://ann:p%40ss@proxy.corp.example:3128")?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.corp.example", 3128));
/// assert_eq!(proxy.credentials(), Some(("ann", "p@ss")));
/// let shown = "Proxy(http://***@proxy.corp.example:3128)";
/// assert_eq!(format!("{proxy:?}"), shown);
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    is_socks5: bool,
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
}

impl Proxy {
    /// The proxy that `url` names.
    ///
    /// # Errors
    /// [`InvalidKind::BadProxy`], also if the user of an HTTP proxy has a `:`, which the protocol cannot send. The
    /// error does not quote the credentials.
    pub fn new(url: &str) -> Result<Self, Invalid> {
        Self::parse(url)
            .ok_or_else(|| Invalid::new(InvalidKind::BadProxy, without_credentials(url)))
    }

    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let is_socks5 = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "socks5" | "socks5h" => true,
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let (host, port) = host_and_port(authority)?;
        let default_port = if is_socks5 { 1080 } else { 80 };
        let credentials = match credentials {
            Some(text) => {
                let (user, password) = text.split_once(':').unwrap_or((text, ""));
                let (user, password) = (credential(user)?, credential(password)?);
                // RFC 1929, the authentication of SOCKS5, counts each in a byte and allows neither to be empty.
                let fits = |text: &String| (1..=255).contains(&text.len());
                // RFC 7617, the authentication of HTTP, ends the user at the first colon.
                let is_valid =
                    if is_socks5 { fits(&user) && fits(&password) } else { !user.contains(':') };
                if !is_valid {
                    return None;
                }
                Some((user, password))
            }
            None => None,
        };
        Some(Self { is_socks5, host, port: port.unwrap_or(default_port), credentials })
    }

    /// The proxy that the environment names for `site`. The names and their order are those of curl, which however
    /// ignores `HTTP_PROXY`. `variable` returns the value of a variable of the environment.
    ///
    /// The first of `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is set is the proxy. For a plain
    /// `http` site the first two are `http_proxy` and `HTTP_PROXY`. `HTTP_PROXY` is ignored in a CGI program, in which
    /// `REQUEST_METHOD` is set, because there the `Proxy` header of the incoming request sets `HTTP_PROXY`. In such a
    /// program on Windows, where names of variables have no case, `http_proxy` is ignored too. No proxy is used for a
    /// site on loopback, nor for a site that `no_proxy` or `NO_PROXY` lists: as `*`, as a domain, which includes its
    /// subdomains, as an address, or as a range of addresses such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`InvalidKind::BadProxy`], and [`InvalidKind::EmptyProxyVariable`] for a variable that is set and empty.
    pub fn from_env(
        site: &Site,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Invalid> {
        if site.is_loopback() {
            return Ok(None);
        }
        let lists = ["no_proxy", "NO_PROXY"].into_iter().filter_map(&variable);
        let list = lists.into_iter().find(|list| !list.trim().is_empty());
        if list.is_some_and(|list| is_listed(site.host(), &list)) {
            return Ok(None);
        }
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let names = names(site.is_https(), is_cgi, !cfg!(windows));
        let Some((name, url)) = names.iter().find_map(|name| Some((*name, variable(name)?))) else {
            return Ok(None);
        };
        if url.trim().is_empty() {
            return Err(Invalid::new(InvalidKind::EmptyProxyVariable, name));
        }
        Self::new(url.trim()).map(Some)
    }

    /// Whether this is a SOCKS5 proxy and not an HTTP proxy.
    #[must_use]
    pub fn is_socks5(&self) -> bool {
        self.is_socks5
    }

    /// The host's name or address; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The error for a proxy that the transport does not support.
    #[must_use]
    pub fn unsupported(&self) -> Invalid {
        Invalid::new(InvalidKind::UnsupportedProxy, format!("{}:{}", self.host, self.port))
    }

    /// The value of `Proxy-Authorization`, marked as sensitive; `None` without credentials.
    #[must_use]
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials()?;
        let credentials = base64::encoded(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The user and the password, which is a secret.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (&**user, &**password))
    }
}

/// Shows `***` for the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_socks5 { "socks5" } else { "http" };
        let credentials = if self.credentials.is_some() { "***@" } else { "" };
        write!(f, "Proxy({scheme}://{credentials}{}:{})", self.host, self.port)
    }
}

/// Returns the part of a refused text that the error quotes. It leaves out the credentials, and a port that is not a
/// number: the caller may have forgotten the host, and this is then the password.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains([':', '@']) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    let (mask, authority) = match rest.rsplit_once('@') {
        Some((_, authority)) => ("***@", authority),
        None => ("", rest),
    };
    let address = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let address = address.filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    match address.map_or(authority, |(_, port)| port).split_once(':') {
        Some((_, port)) if port.trim_end_matches('/').parse::<u16>().is_err() => {
            let host = authority.strip_suffix(port).unwrap_or_default();
            format!("{scheme}{mask}{host}…")
        }
        _ => format!("{scheme}{mask}{authority}"),
    }
}

/// A percent-decoded user or password. Control characters are refused, because the protocols of proxies cannot carry
/// them.
fn credential(escaped: &str) -> Option<String> {
    percent_decoded(escaped).filter(|text| !text.contains(char::is_control))
}

/// The variables that may name the proxy, in their order. `has_case` says whether names of variables have case.
fn names(is_https: bool, is_cgi: bool, has_case: bool) -> &'static [&'static str] {
    match (is_https, is_cgi, has_case) {
        (true, ..) => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        (false, false, _) => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        (false, true, true) => &["http_proxy", "all_proxy", "ALL_PROXY"],
        // `http_proxy` is another spelling of `HTTP_PROXY`.
        (false, true, false) => &["all_proxy", "ALL_PROXY"],
    }
}

/// Whether the value of `NO_PROXY` lists `host`.
fn is_listed(host: &str, list: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches('[').trim_end_matches(']');
        match address {
            _ if entry == "*" => true,
            Some(address) => is_in_range(address, entry),
            None => is_below(host, entry),
        }
    })
}

/// Whether `entry` is `address`, or a range that contains it.
fn is_in_range(address: IpAddr, entry: &str) -> bool {
    let (first, bits) =
        entry.split_once('/').map_or((entry, None), |(first, bits)| (first, Some(bits)));
    let Ok(first) = first.parse::<IpAddr>() else { return false };
    let (address, first, width) = match (address, first) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (u128::from(a.to_bits()), u128::from(b.to_bits()), 32_u32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let bits = match bits {
        // A number of Rust may have a sign.
        Some(bits) => bits.parse().ok().filter(|_| !bits.starts_with('+')),
        None => Some(width),
    };
    bits.and_then(|bits| width.checked_sub(bits)).is_some_and(|rest| {
        address.checked_shr(rest).unwrap_or(0) == first.checked_shr(rest).unwrap_or(0)
    })
}

/// Whether `host` is the domain `entry` or a subdomain of it. Dots before and after the entry are ignored.
fn is_below(host: &str, entry: &str) -> bool {
    let entry = entry.trim_matches('.').to_ascii_lowercase();
    let above = host.strip_suffix(&*entry).filter(|_| !entry.is_empty());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        for (url, shown) in [
            ("http://proxy.corp:3128", "http://proxy.corp:3128"),
            ("HTTP://Proxy.Corp:3128/", "http://proxy.corp:3128"),
            ("proxy.corp:3128", "http://proxy.corp:3128"),
            ("proxy.corp", "http://proxy.corp:80"),
            ("http://10.0.0.1", "http://10.0.0.1:80"),
            ("http://[2001:DB8::1]:8", "http://[2001:db8::1]:8"),
            ("socks5://proxy", "socks5://proxy:1080"),
            ("socks5h://u:p@proxy:9", "socks5://***@proxy:9"),
            ("http://u@proxy:1", "http://***@proxy:1"),
            ("http://my-proxy.a_b:1", "http://my-proxy.a_b:1"),
        ] {
            let proxy = Proxy::new(url).unwrap();
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
            assert_eq!(proxy.is_socks5(), shown.starts_with("socks5:"), "{url}");
        }
    }

    #[test]
    fn the_user_and_the_password_are_percent_decoded() {
        for (url, credentials) in [
            ("http://proxy:1", None),
            ("http://u@proxy:1", Some(("u", ""))),
            ("http://u:p@proxy:1", Some(("u", "p"))),
            ("http://u:p:q@r@proxy:1", Some(("u", "p:q@r"))),
            ("u%e5%9b%be:%25%3a@proxy:1", Some(("u图", "%:"))),
            ("socks5://u%3Av:p@proxy:1", Some(("u:v", "p"))),
        ] {
            assert_eq!(Proxy::new(url).unwrap().credentials(), credentials, "{url}");
        }
    }

    #[test]
    fn the_header_of_a_proxy_has_its_credentials_in_base64_and_is_sensitive() {
        let header =
            Proxy::new("http://Aladdin:open%20sesame@proxy").unwrap().authorization().unwrap();
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(header.is_sensitive());
        assert_eq!(Proxy::new("http://proxy").unwrap().authorization(), None);
    }

    #[test]
    fn the_error_for_a_proxy_that_is_not_supported_names_its_host_and_port() {
        let error = Proxy::new("socks5://u:hidden@proxy").unwrap().unsupported();
        assert_eq!(error.kind(), InvalidKind::UnsupportedProxy);
        let text = "the client does not support the proxy `proxy:1080`: use another proxy";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_text_that_is_no_proxy_is_refused_and_no_password_is_quoted() {
        for url in [
            "",
            "http://",
            "https://proxy:1",
            "ftp://proxy:1",
            "http://proxy:0",
            "http://proxy:65536",
            "http://proxy:",
            "http://proxy:+1",
            "http://proxy:1http://proxy:2",
            "http://proxy:1,http://proxy:2",
            "http://proxy:1/path",
            "http://pro xy:1",
            "http://-proxy:1",
            "http://proxy-:1",
            "http://999.1.1.1:1",
            "hidden@proxy:0",
            "http://u:hidden",
            "u:hidden",
            "http://:hidden",
            "u:1hidden://2hidden",
            "[::1]:hidden",
            "socks5://[u:hidden]:",
            "socks5://u@proxy",
            "socks5://:hidden@proxy",
            "http://hidden@proxy:0",
            "http://u:hidden%zz@proxy:1",
            "http://u:hidden%0d@proxy:1",
            "http://u:hidden@:1",
            "http://u:hidden%ff@proxy:1",
            "http://u%3Av:hidden@proxy:1",
        ] {
            let error = Proxy::new(url).expect_err(url);
            assert_eq!(error.kind(), InvalidKind::BadProxy, "{url}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }

    /// The proxy that [`Proxy::from_env`] selects for `site` in the environment `variables`.
    fn choice(site: &str, variables: &str) -> String {
        let site = Site::insecure(site).unwrap();
        let variable = |name: &str| {
            let mut pairs = variables.split("; ").filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        };
        match Proxy::from_env(&site, variable) {
            Ok(None) => "none".into(),
            Ok(Some(proxy)) => proxy.host().to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    #[test]
    fn the_first_proxy_variable_that_is_set_for_the_scheme_of_the_site_is_used() {
        const HTTPS: &str = "https://open.feishu.cn";
        const HTTP: &str = "http://lark.corp";
        for (site, variables, chosen) in [
            (HTTPS, "", "none"),
            (HTTPS, "HTTPS_PROXY=http://a:1", "a"),
            (HTTPS, "https_proxy=http://a:1; HTTPS_PROXY=http://b:1", "a"),
            (HTTPS, "ALL_PROXY=http://b:1; HTTPS_PROXY=http://a:1", "a"),
            (HTTPS, "ALL_PROXY=socks5://b:1", "b"),
            (HTTPS, "all_proxy=a:1; ALL_PROXY=b:1", "a"),
            (HTTPS, "HTTP_PROXY=http://a:1", "none"),
            (HTTPS, "HTTPS_PROXY= a:1 ", "a"),
            (HTTPS, "HTTPS_PROXY=", "EmptyProxyVariable"),
            (HTTPS, "https_proxy= ; ALL_PROXY=a:1", "EmptyProxyVariable"),
            (HTTPS, "HTTPS_PROXY=http://a:1http://b:1", "BadProxy"),
            (HTTPS, "HTTPS_PROXY=https://a:1", "BadProxy"),
            (HTTPS, "HTTPS_PROXY=a:1; REQUEST_METHOD=GET", "a"),
            (HTTP, "HTTPS_PROXY=http://a:1", "none"),
            (HTTP, "http_proxy=a:1; HTTP_PROXY=b:1", "a"),
            (HTTP, "HTTP_PROXY=a:1", "a"),
            (HTTP, "HTTP_PROXY=a:1; REQUEST_METHOD=GET", "none"),
            (HTTP, "http_proxy=a:1; REQUEST_METHOD=GET", if cfg!(windows) { "none" } else { "a" }),
            (HTTP, "HTTP_PROXY=a:1; REQUEST_METHOD=GET; ALL_PROXY=b:1", "b"),
            ("http://127.0.0.1:9", "http_proxy=a:1", "none"),
            ("http://localhost", "http_proxy=a:1", "none"),
            ("https://[::1]", "https_proxy=a:1", "none"),
            ("https://localhost", "https_proxy=", "none"),
        ] {
            assert_eq!(choice(site, variables), chosen, "{site} {variables}");
        }
    }

    #[test]
    fn no_spelling_of_http_proxy_is_used_in_a_cgi_program_where_names_have_no_case() {
        for (is_https, is_cgi, has_case, expected) in [
            (false, true, true, "http_proxy, all_proxy, ALL_PROXY"),
            (false, true, false, "all_proxy, ALL_PROXY"),
            (false, false, false, "http_proxy, HTTP_PROXY, all_proxy, ALL_PROXY"),
            (true, true, false, "https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY"),
        ] {
            assert_eq!(names(is_https, is_cgi, has_case).join(", "), expected);
        }
    }

    #[test]
    fn a_listed_host_has_no_proxy() {
        for (host, list, is_listed) in [
            ("open.feishu.cn", "*", true),
            ("open.feishu.cn", "feishu.cn", true),
            ("open.feishu.cn", ".feishu.cn", true),
            ("open.feishu.cn", "FEISHU.cn.", true),
            ("open.feishu.cn", "a, open.feishu.cn ,b", true),
            ("open.feishu.cn", "a open.feishu.cn", true),
            ("open.feishu.cn", "eishu.cn", false),
            ("open.feishu.cn", "x.open.feishu.cn", false),
            ("open.feishu.cn", "", false),
            ("open.feishu.cn", ",.,", false),
            ("open.feishu.cn", "*.feishu.cn", false),
            ("open.feishu.cn", "10.0.0.0/8", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.0.0.0/+8", false),
            ("10.1.2.3", "10.1.2.3/32", true),
            ("10.1.2.3", "10.1.2.3/33", false),
            ("10.1.2.3", "10.1.2.0/24", true),
            ("10.1.3.3", "10.1.2.0/24", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("10.1.2.3", "10.1.2.3/32", true),
            ("10.1.2.3", "10.1.2.2/31", true),
            ("10.1.2.3", "10.1.2.3/x", false),
            ("10.1.2.3", "2.3", false),
            ("10.1.2.3", "::/0", false),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]", "2001:db8::/32", true),
            ("[2001:db8::1]", "2001:db9::/32", false),
            ("[2001:db8::1]", "::/0", true),
        ] {
            let site = format!("https://{host}");
            let chosen = choice(&site, &format!("NO_PROXY={list}; HTTPS_PROXY=a:1"));
            assert_eq!(chosen, if is_listed { "none" } else { "a" }, "{host} {list}");
        }
    }

    #[test]
    fn the_first_list_that_is_not_blank_is_used() {
        assert_eq!(choice("https://a.b", "no_proxy=c; NO_PROXY=*; HTTPS_PROXY=a:1"), "a");
        assert_eq!(choice("https://a.b", "no_proxy= ; NO_PROXY=*; HTTPS_PROXY=a:1"), "none");
    }
}
