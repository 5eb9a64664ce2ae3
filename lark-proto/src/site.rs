//! Where requests go: a base URL that was checked once.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::Uri;

use crate::error::Invalid;
use crate::error::InvalidKind;
use crate::path::Path;
use crate::values::macros::text_traits;

/// The service's base URL: always `https`, save on loopback, with no path, query or user info.
///
/// An app belongs to one site; at the other its credentials are refused.
///
/// ```
/// use lark_proto::Site;
/// assert_eq!(Site::LARK.to_string(), "https://open.larksuite.com");
/// assert_eq!("feishu".parse::<Site>()?, Site::FEISHU);
/// assert_eq!(Site::custom("http://127.0.0.1:8080/")?.to_string(), "http://127.0.0.1:8080");
/// assert!("https://open.larksuite.com.evil.example".parse::<Site>().is_err());
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "feishu")]
#[doc(alias = "larksuite")]
#[doc(alias = "base_url")]
#[doc(alias = "domain")]
pub struct Site {
    /// `scheme://host[:port]` in lower case: the origin of RFC 6454.
    origin: Cow<'static, str>,
}

impl Site {
    /// Lark, outside of China: `https://open.larksuite.com`.
    pub const LARK: Self = Self { origin: Cow::Borrowed("https://open.larksuite.com") };
    /// Feishu, in China: `https://open.feishu.cn`.
    pub const FEISHU: Self = Self { origin: Cow::Borrowed("https://open.feishu.cn") };

    /// One of the service's own sites, or one on this machine: `lark`, `feishu`, or the URL of a host of Lark or
    /// Feishu or of loopback.
    ///
    /// # Errors
    /// [`InvalidKind::BadSite`], [`InvalidKind::InsecureSite`], and [`InvalidKind::ForeignSite`] for any other host,
    /// which [`Site::custom`] takes.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        match text {
            "lark" => return Ok(Self::LARK),
            "feishu" => return Ok(Self::FEISHU),
            _ => {}
        }
        match Self::checked(text)? {
            (site, true) => Ok(site),
            (site, false) => Err(Invalid::new(InvalidKind::ForeignSite, site.origin.as_ref())),
        }
    }

    /// Any host, such as a private deployment's: `https://host[:port]`; `http` on loopback only.
    ///
    /// The host gets the app's secret and every token, so a caller has to choose this constructor explicitly:
    /// [`Site::new`], `parse` and the reading of JSON take Lark's own hosts and loopback only.
    ///
    /// # Errors
    /// [`InvalidKind::BadSite`], [`InvalidKind::InsecureSite`].
    pub fn custom(url: &str) -> Result<Self, Invalid> {
        Self::checked(url).map(|(site, _)| site)
    }

    /// The site, and whether its host is Lark's own or loopback.
    fn checked(url: &str) -> Result<(Self, bool), Invalid> {
        // The part before an `@` may be a password, so no error quotes it.
        let refused = |kind| Invalid::new(kind, url.rsplit('@').next().unwrap_or_default());
        let form = || refused(InvalidKind::BadSite);
        let (scheme, rest) = url.split_once("://").ok_or_else(form)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority.as_str(), None),
        };
        let host = Host::parse(host).ok_or_else(form)?;
        let port = match port {
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
                Some(port.parse::<u16>().map_err(|_| form())?)
            }
            Some(_) => return Err(form()),
            None => None,
        };
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => ("https", 443),
            "http" if host.is_loopback() => ("http", 80),
            "http" => return Err(refused(InvalidKind::InsecureSite)),
            _ => return Err(form()),
        };
        let origin = match port.filter(|port| *port != default_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        Ok((Self { origin: origin.into() }, host.is_larks() || host.is_loopback()))
    }

    /// `scheme://host[:port]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The service is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let rest = self.origin.split_once("://").map_or("", |(_, rest)| rest);
        let host = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => rest,
        };
        Host::parse(host).is_some_and(|host| host.is_loopback())
    }

    pub(crate) fn uri(&self, path: &Path) -> Uri {
        #[expect(clippy::expect_used, reason = "both halves are checked when they are built")]
        Uri::try_from(path.behind(&self.origin)).expect("an origin and a path are a URI")
    }
}

text_traits!(Site);

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({})", self.origin)
    }
}

enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

impl<'a> Host<'a> {
    /// A DNS name of letters, digits and hyphens, or an address; an internationalised name is
    /// written in its ASCII form.
    fn parse(host: &'a str) -> Option<Self> {
        if let Some(inner) = host.strip_prefix('[') {
            return inner
                .strip_suffix(']')?
                .parse::<Ipv6Addr>()
                .ok()
                .map(|a| Self::Address(a.into()));
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        (host.len() <= 253 && host.split('.').all(label)).then_some(Self::Name(host))
    }

    fn is_larks(&self) -> bool {
        let Self::Name(name) = self else { return false };
        ["feishu.cn", "larksuite.com", "larkoffice.com"].iter().any(|domain| {
            name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => *name == "localhost",
            Self::Address(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_origin_in_one_form() {
        for (url, origin) in [
            ("https://open.feishu.cn", "https://open.feishu.cn"),
            ("HTTPS://Open.Feishu.CN:443/", "https://open.feishu.cn"),
            ("https://lark.internal.example:8443", "https://lark.internal.example:8443"),
            ("http://localhost:80", "http://localhost"),
            ("http://127.8.9.1:9", "http://127.8.9.1:9"),
            ("http://[::1]:65535", "http://[::1]:65535"),
            ("https://[2001:DB8::0:1]", "https://[2001:db8::1]"),
        ] {
            let site = Site::custom(url).unwrap();
            assert_eq!(site.as_str(), origin);
            assert_eq!(site.is_loopback(), origin.starts_with("http:"));
            assert_eq!(
                site.uri(&Path::new("/x").query("y", "z")).to_string(),
                format!("{origin}/x?y=z")
            );
        }
    }

    #[test]
    fn a_text_that_is_no_site_is_refused() {
        for (url, kind) in [
            ("http://open.feishu.cn", InvalidKind::InsecureSite),
            ("http://localhost.evil.example", InvalidKind::InsecureSite),
            ("http://127.1", InvalidKind::InsecureSite),
            ("http://[2001:db8::1]", InvalidKind::InsecureSite),
            ("open.feishu.cn", InvalidKind::BadSite),
            ("ftp://open.feishu.cn", InvalidKind::BadSite),
            ("https://", InvalidKind::BadSite),
            ("https://a..b", InvalidKind::BadSite),
            ("https://open.feishu.cn/open-apis", InvalidKind::BadSite),
            ("https://open.feishu.cn//", InvalidKind::BadSite),
            ("https://open.feishu.cn?x", InvalidKind::BadSite),
            ("https://open.feishu.cn#x", InvalidKind::BadSite),
            ("https://user:pass@open.feishu.cn", InvalidKind::BadSite),
            ("https://open.feishu.cn:", InvalidKind::BadSite),
            ("https://open.feishu.cn:70000", InvalidKind::BadSite),
            ("https://open.feishu.cn:+80", InvalidKind::BadSite),
            ("https://飞书.cn", InvalidKind::BadSite),
            ("https://open.feishu.cn\r\nX: y", InvalidKind::BadSite),
            ("https://[::1", InvalidKind::BadSite),
            ("https://[::1]x", InvalidKind::BadSite),
        ] {
            let error = Site::custom(url).expect_err(url);
            assert_eq!(error.kind(), kind, "{url}");
            assert!(!error.to_string().contains("pass"), "{error}");
        }
    }

    #[test]
    fn parsing_takes_no_foreign_host() {
        for url in ["https://open.feishu.cn", "https://x.larkoffice.com", "http://[::1]:1"] {
            assert!(url.parse::<Site>().is_ok(), "{url}");
        }
        for url in
            ["https://open.feishu.cn.evil.example", "https://evilfeishu.cn", "https://10.0.0.1"]
        {
            assert_eq!(url.parse::<Site>().unwrap_err().kind(), InvalidKind::ForeignSite, "{url}");
        }
    }
}
