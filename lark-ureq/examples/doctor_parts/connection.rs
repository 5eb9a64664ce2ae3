//! The network between this machine and the service: the proxy, the connection with its certificate, the clock, the
//! token.

use std::cell::RefCell;
use std::io;
use std::net::ToSocketAddrs;
use std::time::{Duration, SystemTime};

use lark_proto::endpoints::{Endpoint, GetTenantToken, Grant, Payload, Reply, Resend};
use lark_proto::error::{Advice, CallErrorKind, Code, Unreadable};
use lark_proto::http::Method;
use lark_proto::http::header::DATE;
use lark_proto::network::Proxy;
use lark_proto::session::Phase;
use lark_proto::token::{NoAuth, NoToken};
use lark_proto::values::AppSecret;
use lark_proto::{App, Error, Limits, Site, TenantToken};
use lark_ureq::ureq;
use lark_ureq::{CallError, Client};

use crate::common::account::Account;
use crate::doctor_parts::report::Verdict;

/// The limits of each call: a person waits for the result.
const LIMITS: Limits = Limits::one_attempt()
    .attempts(2)
    .total(Duration::from_secs(10))
    .longest_wait(Duration::from_secs(5));

/// The client, and the host that it connects to.
pub(crate) struct Network {
    pub(crate) client: Client,
    site: Site,
    proxy: Option<EnvProxy>,
}

/// The proxy, and the environment's variable that names it.
struct EnvProxy {
    proxy: Proxy,
    variable: String,
}

impl EnvProxy {
    /// The proxy of the environment for `site`, as the client reads it, and the variable that names it: the last one
    /// that [`Proxy::from_env`] found. If `heeds_list` is false, `NO_PROXY` counts as not set.
    fn of(site: &Site, heeds_list: bool) -> Result<Option<Self>, String> {
        let last = RefCell::new(String::new());
        let variable = |name: &str| {
            if !heeds_list && name.eq_ignore_ascii_case("NO_PROXY") {
                return None;
            }
            let value = std::env::var_os(name)?.to_string_lossy().into_owned();
            *last.borrow_mut() = name.to_owned();
            Some(value)
        };
        let proxy = Proxy::from_env(site, variable);
        let variable = last.into_inner();
        match proxy {
            Ok(proxy) => Ok(proxy.map(|proxy| Self { proxy, variable })),
            Err(error) => Err(format!("{variable}: {error}")),
        }
    }

    /// The proxy without its credentials.
    fn shown(&self) -> String {
        let scheme = if self.proxy.is_socks5() { "socks5" } else { "http" };
        format!("{scheme}://{}:{}", self.proxy.host(), self.proxy.port())
    }
}

impl Network {
    /// The client for the account, with the proxy of the environment.
    pub(crate) fn of(account: &Account) -> Result<(Self, String), String> {
        let proxy = EnvProxy::of(&account.site, true)?;
        let time = Duration::from_secs(4);
        let builder = account.builder().limits(LIMITS);
        let builder = builder.timeout(Phase::Resolve, time).timeout(Phase::Connect, time);
        let client = builder.build().map_err(|error| error.to_string())?;
        let text = match &proxy {
            Some(by) => format!("through the proxy {} of {}", by.shown(), by.variable),
            // An invalid variable does not matter, because it is not used.
            None if matches!(EnvProxy::of(&account.site, false), Ok(Some(_))) => {
                "no proxy, because NO_PROXY lists the host".to_owned()
            }
            None => "no proxy".to_owned(),
        };
        Ok((Self { client, site: account.site.clone(), proxy }, text))
    }

    /// Asks for a token. Any answer of the service shows that the connection works.
    pub(crate) fn connect(&self, probe: &Probe) -> Result<(Answer, String), String> {
        let answer = match self.client.call_as(&NoToken, probe) {
            Ok(answer) => answer,
            // A transient refusal, such as for a rate limit, comes from the service too.
            Err(CallError { kind: CallErrorKind::Lark(error @ Error::Api(_)), .. }) => {
                Answer { date: None, token: Err(error) }
            }
            Err(error) => return Err(self.cause(&error)),
        };
        let secured = if self.site.is_https() { ", with a trusted certificate" } else { "" };
        Ok((answer, format!("{} answers{secured}", self.site)))
    }

    /// Why there is no answer, and the next step.
    fn cause(&self, error: &CallError) -> String {
        match &error.kind {
            CallErrorKind::Transport(ureq::Error::Timeout(_)) | CallErrorKind::Deadline => {
                self.failure("does not answer in time", "a firewall may block it")
            }
            CallErrorKind::Transport(ureq::Error::ConnectProxyFailed(reason)) => {
                let reason = format!("opens no tunnel to {} ({reason})", self.site);
                if reason.contains(" 407") {
                    self.failure(&reason, "it may want `http://user:password@host:port`")
                } else {
                    self.failure(&reason, "its administrator has to allow that host")
                }
            }
            CallErrorKind::Transport(ureq::Error::HostNotFound) => self.unknown_name(),
            CallErrorKind::Transport(ureq::Error::Io(error)) => self.failed_connection(error),
            CallErrorKind::Lark(Error::Unreadable(reply)) => self.foreign_reply(reply),
            other => format!("no connection to {}: {other}", self.site),
        }
    }

    fn failed_connection(&self, error: &io::Error) -> String {
        let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        if let Some(error) = tls {
            return self.tls(error);
        }
        if error.kind() == io::ErrorKind::ConnectionRefused {
            return self.failure("refuses the connection", "the host or the port may be wrong");
        }
        let (host, port) = self.peer();
        if format!("{host}:{port}").to_socket_addrs().is_err() {
            return self.unknown_name();
        }
        let failure = format!("breaks the connection ({error})");
        self.failure(&failure, "a firewall may block it, or the port is another service's")
    }

    fn tls(&self, error: &rustls::Error) -> String {
        use rustls::CertificateError as Reason;
        let advice = match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                Reason::Expired
                | Reason::ExpiredContext { .. }
                | Reason::NotValidYet
                | Reason::NotValidYetContext { .. } => "check the date of this machine's clock",
                Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
                    "the certificate is for another host: check LARK_SITE, or log in to the network by a browser"
                }
                _ if cfg!(feature = "platform-verifier") => {
                    "a company's proxy may have its own authority: add its certificate to those that this system \
                     trusts, or on Linux to the file that SSL_CERT_FILE names"
                }
                _ => {
                    "a company's proxy may have its own authority: install this tool with `--features \
                     platform-verifier`, which trusts the certificates that this system trusts"
                }
            },
            rustls::Error::InvalidMessage(_) => {
                "the port does not speak TLS: check the scheme and the port in LARK_SITE"
            }
            _ => "a firewall may interfere: try another network",
        };
        format!("no secure connection to {}: {error}: {advice}", self.site)
    }

    /// The reply does not come from the service.
    fn foreign_reply(&self, reply: &Unreadable) -> String {
        format!(
            "{} does not answer as the service does: open it in a browser, because the page of a proxy or of a \
             network's login may be in the way; LARK_SITE is `lark`, `feishu` or the URL of a private deployment: \
             {reply}",
            self.site
        )
    }

    fn unknown_name(&self) -> String {
        let (host, _) = self.peer();
        format!(
            "the name {host} is not found: it may be wrong, or the DNS of this network does not know it; {}",
            self.setting()
        )
    }

    /// The failure of the host that the client connects to.
    fn failure(&self, failure: &str, reason: &str) -> String {
        let (host, port) = self.peer();
        let kind = if self.proxy.is_some() { "the proxy " } else { "" };
        format!("{kind}{host}:{port} {failure}: {reason}; {}", self.setting())
    }

    /// The setting to be checked if the client gets no connection.
    fn setting(&self) -> String {
        match &self.proxy {
            Some(by) => format!("check {}, or unset it", by.variable),
            None => "check LARK_SITE, and set HTTPS_PROXY if this network needs a proxy".to_owned(),
        }
    }

    /// The host and the port that the client connects to.
    fn peer(&self) -> (&str, u16) {
        match &self.proxy {
            Some(by) => (by.proxy.host(), by.proxy.port()),
            None => (self.site.host(), self.site.port()),
        }
    }
}

/// A token request whose output is the answer of the service: a token, or a refusal that another attempt would not
/// change.
pub(crate) struct Probe {
    get: GetTenantToken,
    secret: AppSecret,
}

impl Probe {
    /// `None` for an app that is not a custom one.
    pub(crate) fn of(app: &App) -> Option<Self> {
        let App::Custom { id, secret } = app else { return None };
        Some(Self { get: GetTenantToken::new(id.clone(), secret.clone()), secret: secret.clone() })
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// The answer of the service.
pub(crate) struct Answer {
    pub(crate) date: Option<String>,
    pub(crate) token: Result<Grant<TenantToken>, Error>,
}

impl Endpoint for Probe {
    type Auth = NoAuth;
    type Output = Answer;

    fn method(&self) -> Method {
        self.get.method()
    }

    fn route(&self) -> &str {
        self.get.route()
    }

    fn payload(&self) -> Option<Payload> {
        self.get.payload()
    }

    fn resend(&self) -> Resend {
        self.get.resend()
    }

    fn read(reply: &Reply) -> Result<Answer, Error> {
        let token = GetTenantToken::read(reply);
        match token {
            // Another attempt may help, or the service has not answered.
            Err(error) if error.api().is_none() || error.advice() != Advice::GiveUp => Err(error),
            token => {
                let date = reply.headers().get(DATE).and_then(|date| date.to_str().ok());
                Ok(Answer { date: date.map(str::to_owned), token })
            }
        }
    }
}

/// Compares the clock with the date of the reply.
pub(crate) fn clock(date: Option<&str>, now: SystemTime) -> Verdict {
    const MINUTE: u64 = 60;
    let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return Verdict::Skipped("the reply has no date".into());
    };
    let (skew, side) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    match skew.as_secs() / MINUTE {
        0..=4 => Verdict::Passed("within 5 minutes of the service's".into()),
        minutes => Verdict::Warned(format!(
            "{minutes} minutes {side} the service's: set this machine's clock, because certificates have dates"
        )),
    }
}

/// Whether the service has granted a token.
pub(crate) fn token(
    account: &Account,
    token: Result<Grant<TenantToken>, Error>,
) -> Result<((), String), String> {
    let error = match token {
        Ok(grant) => {
            let minutes = grant.expires_in.as_secs() / 60;
            let text =
                format!("the id and the secret are right, the token lasts {minutes} minutes");
            return Ok(((), text));
        }
        Err(error) => error,
    };
    let api = error.api();
    let is_secret = api.is_some_and(|api| {
        api.code == Code::APP_SECRET_WRONG || api.msg.to_lowercase().contains("secret")
    });
    let next = if api.is_some_and(|api| api.hint().is_none()) {
        "; the app's page in the developer console shows its state"
    } else if is_secret {
        ""
    } else {
        "; LARK_SITE chooses the site, `lark` or `feishu`"
    };
    Err(format!("no token for {}: {error}{next}", account.app_id))
}
