//! Makes a client from the settings of its builder.

use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use hyper_util::rt::TokioTimer;
use lark_proto::Invalid;
use lark_proto::network::{FromSettings, Roots, Settings};
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::connector::Connector;
use crate::{Client, Pool};

/// The name and version that the pool sends as its `User-Agent` unless a request has one.
pub(crate) const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

impl FromSettings for Client {
    fn from_settings(settings: Settings) -> Result<Self, Invalid> {
        let user_agent = settings.user_agent(USER_AGENT)?;
        let tls = tls(settings.roots())?;
        let connector = match settings.proxy(variable)? {
            Some(proxy) => Connector::through(&proxy, settings.site(), tls, &user_agent)?,
            None => Connector::direct(tls),
        };
        let pool = Pool::from_connector(connector, settings.max_idle_connections())
            .with_user_agent(user_agent)
            .with_timeouts(settings.timeouts());
        let client = Self::from_session(settings.session(), pool, TokioTimer::new());
        let client = client.with_limits(settings.limits());
        Ok(match settings.reply_limit() {
            Some(bytes) => client.with_reply_limit(bytes),
            None => client,
        })
    }
}

/// The TLS settings that trust `roots`.
fn tls(roots: &Roots) -> Result<ClientConfig, Invalid> {
    Ok(match roots {
        Roots::Default => default_tls(),
        Roots::Platform => with_protocols(platform_verifier(versions())?),
        Roots::Custom(pem) => with_protocols(versions().with_root_certificates(read_roots(pem)?)),
        Roots::DefaultAndCustom(pem) => {
            let roots = with_default_roots(read_roots(pem)?);
            with_protocols(versions().with_root_certificates(roots))
        }
    })
}

/// The TLS settings that trust the default roots.
pub(crate) fn default_tls() -> ClientConfig {
    with_protocols(versions().with_webpki_roots())
}

fn versions() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    // The provider is named, since rustls has no default one if a build enables several.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    #[expect(clippy::expect_used, reason = "ring has what TLS 1.2 and 1.3 need")]
    ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS needs")
}

fn with_protocols(config: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[cfg(feature = "platform-verifier")]
fn platform_verifier(
    versions: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Invalid> {
    versions.try_with_platform_verifier().map_err(|error| Settings::bad_roots(&error.to_string()))
}

#[cfg(not(feature = "platform-verifier"))]
fn platform_verifier(
    _: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Invalid> {
    Err(Settings::bad_roots("lark-hyper was built without its feature `platform-verifier`"))
}

fn with_default_roots(mut roots: RootCertStore) -> RootCertStore {
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots
}

fn read_roots(pem: &[u8]) -> Result<RootCertStore, Invalid> {
    let refused = |error: &dyn std::fmt::Display| Settings::bad_roots(&error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    if roots.is_empty() {
        return Err(Settings::bad_roots("the text has no certificate in PEM"));
    }
    Ok(roots)
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_leave_the_default_ones_in_place() {
        let own = rcgen::generate_simple_self_signed(["corp.example".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let all = with_default_roots(roots);
        assert_eq!(all.len(), 1 + webpki_roots::TLS_SERVER_ROOTS.len());
    }
}
