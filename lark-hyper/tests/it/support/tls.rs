//! TLS in front of a fake server, with certificates of the test's own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, Connection, FakeServer, Pool};
use lark_proto::{App, Site};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tower::{BoxError, ServiceExt};

/// A server's certificate and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A certificate authority that only its own clients trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of the test's own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// A certificate with `params`, signed by this authority.
    pub(crate) fn signs(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        (self.signs_key(params, &key), key.into())
    }

    /// A certificate with `params` for `key`, signed by this authority.
    pub(crate) fn signs_key(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> CertificateDer<'static> {
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }

    /// The TLS settings of a client that trusts this authority alone.
    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The root's certificate as text.
    pub(crate) fn pem(&self) -> String {
        let base64 = STANDARD.encode(&self.root);
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }

    /// A client that trusts this authority alone, by a connector of the test's.
    pub(crate) fn client(&self, site: &Site, app: App) -> Client<Pool> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(self.config())
            .https_only()
            .enable_all_versions()
            .wrap_connector(http);
        let pool = Pool::with_connector(move |uri| {
            let opening = https.clone().oneshot(uri);
            async {
                let io = opening.await?;
                let is_http2 = io.connected().is_negotiated_h2();
                Ok::<_, BoxError>(Connection::new(io).http2(is_http2))
            }
        });
        Client::with_service(site.clone(), app, pool, TokioTimer::new())
    }
}

/// A certificate for `name`, valid today.
pub(crate) fn named(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// The protocols of a connection that has carried its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The protocol that client and server agreed on by ALPN.
    alpn: Option<String>,
    /// Whether the client speaks HTTP/2.
    is_http2: bool,
}

impl Opened {
    pub(crate) fn http1(alpn: Option<&str>) -> Self {
        Self { alpn: alpn.map(str::to_owned), is_http2: false }
    }

    pub(crate) fn http2() -> Self {
        Self { alpn: Some("h2".into()), is_http2: true }
    }
}

/// A TLS server on loopback that forwards its connections to a fake server, until it is dropped.
pub(crate) struct Front {
    /// The site at the name `localhost`.
    pub(crate) site: Site,
    /// The connections that have carried bytes, and the errors of those that have not.
    pub(crate) connections: UnboundedReceiver<io::Result<Opened>>,
    _accepts: JoinSet<()>,
}

impl Front {
    /// Starts a front with `identity` that offers the protocols `alpn`, the preferred one first.
    pub(crate) async fn start(server: &FakeServer, identity: Identity, alpn: &[&str]) -> Self {
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.0], identity.1)
            .unwrap();
        tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Site::custom(&format!("https://localhost:{port}")).unwrap();
        let (seen, connections) = unbounded_channel();
        let mut accepts = JoinSet::new();
        accepts.spawn(accept(listener, Arc::new(tls).into(), server.address(), seen));
        Self { site, connections, _accepts: accepts }
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    fake: SocketAddr,
    seen: UnboundedSender<io::Result<Opened>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        let seen = seen.clone();
        connections.spawn(async move {
            if let Err(error) = forward(stream, tls, fake, &seen).await {
                // A test that is over receives nothing.
                let _ = seen.send(Err(error));
            }
        });
    }
}

/// Forwards one connection. An error is from before its first bytes.
async fn forward(
    stream: TcpStream,
    tls: TlsAcceptor,
    fake: SocketAddr,
    seen: &UnboundedSender<io::Result<Opened>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tls.accept(stream).await?;
    // HTTP/2 begins with the method PRI.
    let mut first = [0; 3];
    stream.read_exact(&mut first).await?;
    let alpn = stream.get_ref().1.alpn_protocol();
    let alpn = alpn.map(|name| String::from_utf8_lossy(name).into_owned());
    let mut fake = TcpStream::connect(fake).await?;
    fake.set_nodelay(true)?;
    fake.write_all(&first).await?;
    let _ = seen.send(Ok(Opened { alpn, is_http2: &first == b"PRI" }));
    // A close or a reset of one side is forwarded to the other.
    let _ = copy_bidirectional(&mut stream, &mut fake).await;
    Ok(())
}
