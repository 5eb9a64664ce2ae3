//! The base URL of the service, to which requests are sent.

use std::borrow::Cow;
use std::fmt;

use http::uri::Uri;

use crate::error::{Invalid, InvalidKind};
use crate::host::{address, host_and_port};
use crate::path::Path;
use crate::values::macros::text_traits;

/// The service's base URL: `https://host[:port][/base/path]`, without a query, fragment or user info. Plain `http` is
/// accepted for loopback only; [`Site::insecure`] accepts it for any host.
///
/// An app belongs to one site. Every other site refuses its credentials.
///
/// ```
/// use lark_proto::Site;
///
/// assert_eq!(Site::LARK.to_string(), "https://open.larksuite.com");
/// assert_eq!("feishu".parse::<Site>()?, Site::FEISHU);
/// let local = Site::custom("http://127.0.0.1:8080/")?;
/// assert_eq!(local.to_string(), "http://127.0.0.1:8080");
/// assert!("https://open.larksuite.com.evil.example".parse::<Site>().is_err());
///
/// // A private deployment behind a gateway: the requests go to
/// // `/feishu/open-apis/..`.
/// let site = Site::custom("https://gw.corp.example/feishu")?;
/// assert_eq!((site.host(), site.port()), ("gw.corp.example", 443));
/// assert_eq!(site.base_path(), "/feishu");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "feishu")]
#[doc(alias = "larksuite")]
#[doc(alias = "base_url")]
#[doc(alias = "domain")]
#[doc(alias = "飞书")]
#[doc(alias = "国际版")]
#[doc(alias = "私有化部署")]
pub struct Site {
    /// `scheme://host[:port][/base/path]`, with scheme and host in lower case, and without the default port.
    url: Cow<'static, str>,
}

/// The maximum length of a base path in bytes.
const MAX_BASE_PATH: usize = 1000;

impl Site {
    /// Lark, outside of China: `https://open.larksuite.com`.
    pub const LARK: Self = Self { url: Cow::Borrowed("https://open.larksuite.com") };
    /// Feishu, in China: `https://open.feishu.cn`.
    pub const FEISHU: Self = Self { url: Cow::Borrowed("https://open.feishu.cn") };

    /// A site of Lark or Feishu, or one on this machine: `lark`, `feishu`, or a URL whose host belongs to Lark or
    /// Feishu or is loopback.
    ///
    /// # Errors
    /// The errors of [`Site::custom`], and [`InvalidKind::ForeignSite`] for any other host.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        match text {
            "lark" => return Ok(Self::LARK),
            "feishu" => return Ok(Self::FEISHU),
            _ => {}
        }
        let site = Self::custom(text)?;
        if is_vendor_host(site.host()) || site.is_loopback() {
            Ok(site)
        } else {
            Err(Invalid::new(InvalidKind::ForeignSite, site.as_str()))
        }
    }

    /// A site at any host, such as a private deployment, over `https`; on loopback also over `http`. The URL may have a
    /// base path, because a gateway may serve the service under one. A slash at its end is removed.
    ///
    /// The host receives the app's secret and every token, so a caller has to choose this constructor explicitly:
    /// [`Site::new`], `parse` and deserialization accept only hosts of Lark and Feishu, and loopback.
    ///
    /// # Errors
    /// [`InvalidKind::BadSite`], [`InvalidKind::SiteWithApis`] for a URL that ends in `/open-apis`, and
    /// [`InvalidKind::InsecureSite`] for plain `http` to another machine.
    pub fn custom(url: &str) -> Result<Self, Invalid> {
        let site = Self::checked(url)?;
        if site.is_https() || site.is_loopback() {
            Ok(site)
        } else {
            Err(Invalid::new(InvalidKind::InsecureSite, site.as_str()))
        }
    }

    /// As [`Site::custom`], but accepts plain `http` for any host. Everybody who can read the traffic then gets the
    /// app's secret, the tokens and the images. It is meant for a deployment without TLS in a private network.
    ///
    /// # Errors
    /// [`InvalidKind::BadSite`], [`InvalidKind::SiteWithApis`].
    pub fn insecure(url: &str) -> Result<Self, Invalid> {
        Self::checked(url)
    }

    fn checked(url: &str) -> Result<Self, Invalid> {
        let malformed = || Invalid::new(InvalidKind::BadSite, url);
        // `Uri` silently drops a fragment.
        let uri: Uri = url.parse().ok().filter(|_| !url.contains('#')).ok_or_else(malformed)?;
        let (Some(scheme), Some(authority), None) =
            (uri.scheme_str(), uri.authority(), uri.query())
        else {
            return Err(malformed());
        };
        let (host, port) = host_and_port(authority.as_str()).ok_or_else(malformed)?;
        let default = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(malformed()),
        };
        let path = uri.path().trim_end_matches('/');
        if path == "/open-apis" || path.ends_with("/open-apis") {
            return Err(Invalid::new(InvalidKind::SiteWithApis, url));
        }
        let is_plain = uri.path().len() - path.len() <= 1 && path.len() <= MAX_BASE_PATH;
        if !is_plain || !path.split('/').skip(1).all(is_segment) {
            return Err(malformed());
        }
        let url = match port.filter(|port| *port != default) {
            Some(port) => format!("{scheme}://{host}:{port}{path}"),
            None => format!("{scheme}://{host}{path}"),
        };
        Ok(Self { url: url.into() })
    }

    /// `scheme://host[:port][/base/path]`, without the default port of the scheme.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether requests are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// The host's name or address in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }

    /// The port, which is 443 for `https` and 80 for `http` unless the URL names another.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.authority().get(self.host().len() + 1..).and_then(|port| port.parse().ok());
        port.unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// The path before `/open-apis`, such as `/feishu`; empty at Lark's and Feishu's own sites.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.url.get(self.origin().len()..).unwrap_or_default()
    }

    /// `host[:port]`.
    pub(crate) fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }

    /// `scheme://host[:port]`: the origin of RFC 6454.
    pub(crate) fn origin(&self) -> &str {
        let authority = self.url.find("://").map_or(0, |scheme| scheme + 3);
        let path = self.url.get(authority..).and_then(|rest| rest.find('/'));
        self.url.get(..path.map_or(self.url.len(), |path| authority + path)).unwrap_or_default()
    }

    /// Whether the service is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
    }

    pub(crate) fn uri(&self, path: &Path) -> Uri {
        #[expect(clippy::expect_used, reason = "both halves are checked when they are built")]
        Uri::try_from(path.uri(&self.url)).expect("a site and a path are a URI")
    }
}

text_traits!(Site);

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({})", self.url)
    }
}

/// Whether `host` belongs to Lark or Feishu.
fn is_vendor_host(host: &str) -> bool {
    ["feishu.cn", "larksuite.com", "larkoffice.com"].iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Whether `text` is a segment of a base path that all servers and proxies read in the same way: it is not empty, is no
/// dot segment, and has no escapes.
fn is_segment(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    !matches!(text, "" | "." | "..") && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::trait_checks::assert_text_traits;

    #[test]
    fn a_site_has_the_traits_of_a_value_that_is_made_from_a_text() {
        let texts = ["feishu", "https://open.larksuite.com", "https://open.example"];
        assert_text_traits(Site::new, Site::as_str, texts);
    }

    #[test]
    fn a_site_has_one_normal_form() {
        for (url, form, host, port, base_path) in [
            ("https://open.feishu.cn", "https://open.feishu.cn", "open.feishu.cn", 443, ""),
            ("HTTPS://Open.Feishu.CN:443/", "https://open.feishu.cn", "open.feishu.cn", 443, ""),
            (
                "https://lark.a-b.example:8443",
                "https://lark.a-b.example:8443",
                "lark.a-b.example",
                8443,
                "",
            ),
            ("http://localhost:80", "http://localhost", "localhost", 80, ""),
            ("http://127.8.9.1:9", "http://127.8.9.1:9", "127.8.9.1", 9, ""),
            ("http://[::1]:65535", "http://[::1]:65535", "[::1]", 65535, ""),
            ("https://[2001:DB8::0:1]", "https://[2001:db8::1]", "[2001:db8::1]", 443, ""),
            (
                "https://gw.example/feishu",
                "https://gw.example/feishu",
                "gw.example",
                443,
                "/feishu",
            ),
            (
                "https://GW.example:443/Feishu/v-1/",
                "https://gw.example/Feishu/v-1",
                "gw.example",
                443,
                "/Feishu/v-1",
            ),
            (
                "http://[::1]:8/a:b@c/-._~!$&'()*+,;=",
                "http://[::1]:8/a:b@c/-._~!$&'()*+,;=",
                "[::1]",
                8,
                "/a:b@c/-._~!$&'()*+,;=",
            ),
            (
                "https://gw.example/open-apis/x",
                "https://gw.example/open-apis/x",
                "gw.example",
                443,
                "/open-apis/x",
            ),
        ] {
            let site = Site::custom(url).unwrap();
            assert_eq!(site.as_str(), form);
            assert_eq!(
                (site.host(), site.port(), site.base_path()),
                (host, port, base_path),
                "{url}"
            );
            assert_eq!(site.is_https(), form.starts_with("https:"), "{url}");
            assert_eq!(site.is_loopback(), form.starts_with("http:"), "{url}");
            let uri = site.uri(&Path::new("/x").query("y", "z"));
            assert_eq!(uri.to_string(), format!("{form}/x?y=z"));
        }
        for site in [Site::LARK, Site::FEISHU] {
            assert_eq!(Site::custom(site.as_str()), Ok(site));
        }
    }

    #[test]
    fn only_the_insecure_constructor_accepts_plain_http_to_another_machine() {
        for url in
            ["http://lark.corp.example", "http://10.1.2.3:8080/feishu", "http://[2001:db8::1]"]
        {
            assert_eq!(Site::custom(url).unwrap_err().kind(), InvalidKind::InsecureSite, "{url}");
            assert_eq!(url.parse::<Site>().unwrap_err().kind(), InvalidKind::InsecureSite, "{url}");
            let site = Site::insecure(url).unwrap();
            assert_eq!(site.as_str(), url);
            assert!(!site.is_https() && !site.is_loopback(), "{url}");
        }
        assert_eq!(Site::insecure("https://a.example"), Site::custom("https://a.example"));
        assert_eq!(Site::insecure("ftp://a.example").unwrap_err().kind(), InvalidKind::BadSite);
    }

    #[test]
    fn a_url_that_is_no_site_is_refused_and_no_password_is_quoted() {
        for (url, kind) in [
            ("http://open.feishu.cn", InvalidKind::InsecureSite),
            ("http://localhost.evil.example", InvalidKind::InsecureSite),
            ("http://[2001:db8::1]", InvalidKind::InsecureSite),
            ("https://open.feishu.cn/open-apis", InvalidKind::SiteWithApis),
            ("https://gw.example/feishu/open-apis/", InvalidKind::SiteWithApis),
            ("open.feishu.cn", InvalidKind::BadSite),
            ("/feishu", InvalidKind::BadSite),
            ("", InvalidKind::BadSite),
            ("ftp://open.feishu.cn", InvalidKind::BadSite),
            ("https://", InvalidKind::BadSite),
            ("https://a..b", InvalidKind::BadSite),
            ("https://-a.b", InvalidKind::BadSite),
            ("https://a-.b", InvalidKind::BadSite),
            ("https://a.b.", InvalidKind::BadSite),
            ("https://a~b", InvalidKind::BadSite),
            ("https://999.1.1.1", InvalidKind::BadSite),
            ("http://127.1", InvalidKind::BadSite),
            ("https://2130706433", InvalidKind::BadSite),
            ("https://1.2.3.0X4", InvalidKind::BadSite),
            ("https://open.feishu.cn//", InvalidKind::BadSite),
            ("https://open.feishu.cn?x", InvalidKind::BadSite),
            ("https://open.feishu.cn?", InvalidKind::BadSite),
            ("https://open.feishu.cn#x", InvalidKind::BadSite),
            ("https://open.feishu.cn/#", InvalidKind::BadSite),
            ("https://user:pass@open.feishu.cn", InvalidKind::BadSite),
            ("https://user:pass@open.feishu.cn/open-apis", InvalidKind::BadSite),
            ("https://open.feishu.cn:", InvalidKind::BadSite),
            ("https://open.feishu.cn:0", InvalidKind::BadSite),
            ("https://open.feishu.cn:70000", InvalidKind::BadSite),
            ("https://open.feishu.cn:+80", InvalidKind::BadSite),
            ("https://飞书.cn", InvalidKind::BadSite),
            ("https://open.feishu.cn\r\nX: y", InvalidKind::BadSite),
            ("https://[::1", InvalidKind::BadSite),
            ("https://[::1]x", InvalidKind::BadSite),
            ("https://[1.2.3.4]", InvalidKind::BadSite),
            ("https://gw.example/a//b", InvalidKind::BadSite),
            ("https://gw.example/a/../b", InvalidKind::BadSite),
            ("https://gw.example/.", InvalidKind::BadSite),
            ("https://gw.example/%2e%2e/b", InvalidKind::BadSite),
            ("https://gw.example/a b", InvalidKind::BadSite),
            ("https://gw.example/飞书", InvalidKind::BadSite),
            (&format!("https://gw.example/{}", "a".repeat(1000)), InvalidKind::BadSite),
        ] {
            let error = Site::custom(url).expect_err(url);
            assert_eq!(error.kind(), kind, "{url}");
            assert!(!error.to_string().contains("pass"), "{error}");
        }
    }

    #[test]
    fn parsing_accepts_only_hosts_of_the_service_and_loopback() {
        for url in [
            "https://open.feishu.cn",
            "https://feishu.cn",
            "https://open.larksuite.com",
            "https://x.larkoffice.com",
            "http://[::1]:1",
        ] {
            assert_eq!(url.parse::<Site>().unwrap().as_str(), url);
        }
        for url in
            ["https://open.feishu.cn.evil.example", "https://evilfeishu.cn", "https://10.0.0.1"]
        {
            assert_eq!(url.parse::<Site>().unwrap_err().kind(), InvalidKind::ForeignSite, "{url}");
        }
    }
}
