//! The client of a builder's settings.

use lark_proto::Invalid;
use lark_proto::network::{FromSettings, Proxy, Settings};
use lark_proto::session::Phase;
use ureq::ProxyProtocol;
use ureq::config::{Config, ConfigBuilder};
#[cfg(feature = "tls")]
use ureq::tls::{PemItem, TlsConfig};
use ureq::typestate::AgentScope;

use crate::{Client, Clock};

/// The name and version that the client sends as its `User-Agent` unless its caller names another one.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The configuration of every agent that this crate makes, for up to `idle` idle connections. It names no proxy.
pub(crate) fn config(is_https: bool, idle: usize) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .user_agent(USER_AGENT)
        // The bytes must not depend on the features of ureq that the rest of a build enables.
        .accept("")
        .accept_encoding("")
        // ureq would take one from the environment, by rules of its own.
        .proxy(None)
        // More than 64 KiB, the longest head that ureq accepts, so that ureq can tell that a head is longer.
        .input_buffer_size(65 << 10)
        // A larger buffer gains nothing over TLS, which writes record by record. Without TLS it saves system calls, and
        // still fits into the cache of a core.
        .output_buffer_size(if is_https { 32 << 10 } else { 320 << 10 })
        // The client has only one host.
        .max_idle_connections(idle)
        .max_idle_connections_per_host(idle)
}

impl FromSettings for Client {
    fn from_settings(settings: Settings) -> Result<Self, Invalid> {
        let user_agent = settings.user_agent(USER_AGENT)?;
        let proxy = settings.proxy(variable)?;
        let mut config = config(settings.site().is_https(), settings.max_idle_connections())
            .user_agent(user_agent.to_str().unwrap_or(USER_AGENT));
        if let Some(proxy) = proxy {
            config = config.proxy(Some(of_ureq(&proxy)?));
        }
        if let Some(pem) = settings.roots() {
            config = with_roots(config, pem)?;
        }
        for (phase, time) in settings.timeouts() {
            let time = Some(*time);
            config = match phase {
                Phase::Resolve => config.timeout_resolve(time),
                Phase::Connect => config.timeout_connect(time),
                Phase::SendRequest => config.timeout_send_request(time),
                Phase::SendBody => config.timeout_send_body(time),
                Phase::RecvResponse => config.timeout_recv_response(time),
                Phase::RecvBody => config.timeout_recv_body(time),
                _ => config,
            };
        }
        let agent: Config = config.build();
        let client = Self::over(settings.session(), agent.into(), Clock::default());
        Ok(Self { limits: settings.limits(), reply_limit: settings.reply_limit(), ..client })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn of_ureq(proxy: &Proxy) -> Result<ureq::Proxy, Invalid> {
    let protocol = if proxy.is_socks5() { ProxyProtocol::Socks5h } else { ProxyProtocol::Http };
    let mut built = ureq::Proxy::builder(protocol).host(proxy.host()).port(proxy.port());
    if let Some((user, password)) = proxy.credentials() {
        built = built.username(user).password(password);
    }
    built.build().map_err(|_| proxy.refused())
}

/// `config` with trust in the certificates in `pem` and in no others.
#[cfg(feature = "tls")]
fn with_roots(
    config: ConfigBuilder<AgentScope>,
    pem: &[u8],
) -> Result<ConfigBuilder<AgentScope>, Invalid> {
    let mut roots = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(Settings::bad_roots(&error.to_string())),
        }
    }
    if roots.is_empty() {
        return Err(Settings::bad_roots("the text has no certificate in PEM"));
    }
    Ok(config.tls_config(TlsConfig::builder().root_certs(roots.into()).build()))
}

#[cfg(not(feature = "tls"))]
fn with_roots(
    _: ConfigBuilder<AgentScope>,
    _: &[u8],
) -> Result<ConfigBuilder<AgentScope>, Invalid> {
    Err(Settings::bad_roots("this build of the client has no TLS"))
}
