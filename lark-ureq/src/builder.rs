//! Makes a client from the settings of its builder.

use std::time::Duration;

use lark_proto::network::{FromSettings, Proxy, Roots, Settings};
use lark_proto::session::Phase;
use lark_proto::{Invalid, Site};
#[cfg(feature = "tls")]
use rustls::RootCertStore;
#[cfg(feature = "tls")]
use rustls::pki_types::CertificateDer;
#[cfg(feature = "tls")]
use rustls::pki_types::pem::PemObject;
use ureq::ProxyProtocol;
use ureq::config::{Config, ConfigBuilder};
#[cfg(feature = "tls")]
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use crate::{Client, Clock, pieces};

/// The name and version that the client sends as its `User-Agent` unless its caller names another one.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The maximum length of a reply's head.
const MAX_HEAD_LEN: usize = 64 << 10;

/// The configuration of every agent that this crate makes, for up to `idle` idle connections. It names no proxy.
pub(crate) fn config(is_https: bool, idle: usize) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .user_agent(USER_AGENT)
        // The bytes must not depend on the features of ureq that the rest of a build enables.
        .accept("")
        .accept_encoding("")
        // Otherwise ureq would take a proxy from the environment, by rules of its own.
        .proxy(None)
        .max_response_header_size(MAX_HEAD_LEN)
        // With a buffer that is longer than the longest head, ureq detects a head that is too long.
        .input_buffer_size(MAX_HEAD_LEN + 1024)
        // A larger buffer gains nothing over TLS, which writes record by record. Without TLS it saves system calls.
        .output_buffer_size(if is_https { 32 << 10 } else { pieces::MAX_LEN })
        // This is shorter than the idle timeout of servers, since a request on a connection that they close is lost.
        .max_idle_age(Duration::from_secs(15))
        // The client has only one host.
        .max_idle_connections(idle)
        .max_idle_connections_per_host(idle)
}

/// Whether an agent of this crate has no TLS for `site`.
pub(crate) fn lacks_tls(site: &Site) -> bool {
    cfg!(not(feature = "tls")) && site.is_https()
}

impl FromSettings for Client {
    fn from_settings(settings: Settings) -> Result<Self, Invalid> {
        let user_agent = settings.user_agent(USER_AGENT)?;
        let proxy = settings.proxy(variable)?;
        let mut config = config(settings.site().is_https(), settings.max_idle_connections())
            .user_agent(user_agent.to_str().unwrap_or(USER_AGENT));
        if let Some(proxy) = proxy {
            config = config.proxy(Some(ureq_proxy(&proxy)?));
        }
        config = with_roots(config, settings.roots())?;
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
        let lacks_tls = lacks_tls(settings.site());
        let client =
            Self::from_session(settings.session(), agent.into(), lacks_tls, Clock::default());
        let client = client.with_limits(settings.limits());
        Ok(match settings.reply_limit() {
            Some(bytes) => client.with_reply_limit(bytes),
            None => client,
        })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn ureq_proxy(proxy: &Proxy) -> Result<ureq::Proxy, Invalid> {
    let protocol = if proxy.is_socks5() { ProxyProtocol::Socks5h } else { ProxyProtocol::Http };
    let mut built = ureq::Proxy::builder(protocol).host(proxy.host()).port(proxy.port());
    if let Some((user, password)) = proxy.credentials() {
        built = built.username(user).password(password);
    }
    built.build().map_err(|_| proxy.unsupported())
}

/// `config` with trust in `roots`.
#[cfg(feature = "tls")]
fn with_roots(
    config: ConfigBuilder<AgentScope>,
    roots: &Roots,
) -> Result<ConfigBuilder<AgentScope>, Invalid> {
    let of_der = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
    let certificates: Vec<Certificate<'static>> = match roots {
        Roots::Default => return Ok(config),
        Roots::Platform => {
            check_platform()?;
            let platform = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
            return Ok(config.tls_config(platform.build()));
        }
        Roots::Custom(pem) => read_roots(pem)?.iter().map(of_der).collect(),
        Roots::DefaultAndCustom(pem) => {
            let own = read_roots(pem)?;
            own.iter().chain(webpki_root_certs::TLS_SERVER_ROOT_CERTS).map(of_der).collect()
        }
    };
    Ok(config.tls_config(TlsConfig::builder().root_certs(certificates.into()).build()))
}

/// Checks that the operating system has certificates. ureq reads them anew for each connection that it opens.
#[cfg(feature = "platform-verifier")]
fn check_platform() -> Result<(), Invalid> {
    let ring = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    match rustls_platform_verifier::Verifier::new(ring) {
        Ok(_) => Ok(()),
        Err(error) => Err(Settings::bad_roots(&error.to_string())),
    }
}

#[cfg(all(feature = "tls", not(feature = "platform-verifier")))]
fn check_platform() -> Result<(), Invalid> {
    Err(Settings::bad_roots("lark-ureq was built without its feature `platform-verifier`"))
}

/// The certificates in `pem`, each of which rustls accepts as a root. ureq would leave out one that rustls refuses.
#[cfg(feature = "tls")]
fn read_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let refused = |error: &dyn std::fmt::Display| Settings::bad_roots(&error.to_string());
    let mut roots = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| refused(&error))?;
        let checked = RootCertStore::empty().add(certificate.clone());
        checked.map_err(|error| refused(&error))?;
        roots.push(certificate);
    }
    if roots.is_empty() {
        return Err(Settings::bad_roots("the text has no certificate in PEM"));
    }
    Ok(roots)
}

#[cfg(not(feature = "tls"))]
fn with_roots(
    config: ConfigBuilder<AgentScope>,
    roots: &Roots,
) -> Result<ConfigBuilder<AgentScope>, Invalid> {
    match roots {
        Roots::Default => Ok(config),
        _ => Err(Settings::bad_roots("lark-ureq was built without its feature `tls`")),
    }
}

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use lark_proto::error::CallErrorKind;
    use lark_proto::{App, Image, PutImage};

    use super::*;

    #[test]
    fn https_is_refused_without_the_feature_tls() {
        let put = PutImage::message(Image::new(b"GIF89a".to_vec()).unwrap()).unwrap();
        let app = || App::custom("cli_a1b2", "secret").unwrap();
        let built = Client::builder(Site::FEISHU, app()).no_proxy().build().unwrap();
        for client in [built, Client::new(Site::FEISHU, app())] {
            let error = client.call(&put).unwrap_err().kind;
            let CallErrorKind::Transport(ureq::Error::Tls(reason)) = error else {
                panic!("{error:?}");
            };
            assert!(reason.contains("`tls`"), "{reason}");
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_kept_for_15_seconds() {
        let config: Config = config(true, 32).build();
        assert_eq!(config.max_idle_age(), Duration::from_secs(15));
        assert_eq!(
            (config.max_idle_connections(), config.max_idle_connections_per_host()),
            (32, 32)
        );
    }

    #[test]
    fn extra_roots_leave_the_default_ones_in_place() {
        let own = rcgen::generate_simple_self_signed(["corp.example".to_owned()]).unwrap().cert;
        let roots = Roots::DefaultAndCustom(own.pem().into_bytes());
        let config: Config = with_roots(config(true, 1), &roots).unwrap().build();
        let RootCerts::Specific(all) = config.tls_config().root_certs() else { panic!() };
        assert_eq!(all[0].der(), &**own.der());
        assert_eq!(all.len(), 1 + webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        // ureq leaves out a root that rustls refuses.
        for certificate in all.iter() {
            let der = CertificateDer::from(certificate.der());
            RootCertStore::empty().add(der.into_owned()).unwrap();
        }
    }

    #[test]
    #[cfg(not(feature = "platform-verifier"))]
    fn the_platform_verifier_is_refused_without_its_feature() {
        let refused = with_roots(config(true, 1), &Roots::Platform).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("`platform-verifier`"), "{refused}");
    }
}
