//! TLS: the certificates that are refused, and the version of HTTP that ALPN chooses.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use lark_hyper::{Client, FakeServer, Pool};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{FakeLark, Route};
use lark_proto::{App, Image, Limits, PutImage, Site, WriteSheetImage};
use rcgen::{KeyPair, date_time_ymd};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{self, CertificateError};

use crate::support::tls::{Authority, Front, Identity, Opened, named};
use crate::support::{app, put, token};

fn image() -> Image {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    Image::new([b"GIF89a", bytes.as_slice()].concat()).unwrap()
}

/// The TLS library's error in the chain of `error`.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // The error that an I/O error wraps is not its source, but takes the place of the I/O error in the chain.
    let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => tls_error(error.source()?),
    }
}

/// The reason for which `client` refuses a server with `identity`, and the text of its error. Checks that the server
/// gets no request.
async fn refusal(
    identity: Identity,
    client: impl FnOnce(&Site) -> Client<Pool>,
) -> (CertificateError, String) {
    let server = FakeServer::start().unwrap();
    let mut front = Front::start(&server, identity, &["h2", "http/1.1"]).await;
    let client = client(&front.site);
    let error = client.call(&PutImage::message(image()).unwrap()).await.unwrap_err();
    assert_eq!(error.route, Route::TenantAccessToken.path());
    let CallErrorKind::Transport(cause) = &error.kind else { panic!("{error:?}") };
    let why = match tls_error(cause) {
        Some(rustls::Error::InvalidCertificate(why)) => why.clone(),
        other => panic!("{other:?} in {error:?}"),
    };

    // The client broke off the handshake, so that no request could follow.
    let broken_off = front.connections.recv().await.unwrap().unwrap_err();
    let alert = tls_error(&broken_off);
    assert!(matches!(alert, Some(rustls::Error::AlertReceived(_))), "{broken_off:?}");
    assert!(front.connections.try_recv().is_err(), "the client connects once");
    assert!(server.with(|lark| lark.requests().is_empty()));
    (why, error.to_string())
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for name in ["open.larksuite.com", "localhost.example", "127.0.0.1"] {
        let authority = Authority::new();
        let identity = authority.signs(&named(name));
        let (why, text) = refusal(identity, |site| authority.client(site, app())).await;
        assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{why:?}");
        assert!(text.contains("not valid for name \"localhost\""), "{text}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let mut params = named("localhost");
    params.not_after = date_time_ymd(2020, 1, 1);
    let identity = authority.signs(&params);
    let (why, text) = refusal(identity, |site| authority.client(site, app())).await;
    assert!(matches!(why, CertificateError::ExpiredContext { .. }), "{why:?}");
    assert!(text.contains("certificate expired"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_refused() {
    let authority = Authority::new();
    let mut params = named("localhost");
    params.not_before = date_time_ymd(3000, 1, 1);
    let identity = authority.signs(&params);
    let (why, text) = refusal(identity, |site| authority.client(site, app())).await;
    assert!(matches!(why, CertificateError::NotValidYetContext { .. }), "{why:?}");
    assert!(text.contains("certificate not valid yet"), "{text}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = named("localhost").self_signed(&key).unwrap();
    let identity = (certificate.der().clone(), key.into());
    let (why, text) = refusal(identity, |site| authority.client(site, app())).await;
    assert_eq!(why, CertificateError::UnknownIssuer);
    assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_with_the_same_name_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let identity = other.signs(&named("localhost"));
    let (why, text) = refusal(identity, |site| authority.client(site, app())).await;
    assert_eq!(why, CertificateError::BadSignature);
    assert!(text.contains("invalid peer certificate: BadSignature"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_a_private_authority_is_refused_by_a_client_without_its_root() {
    let identity = Authority::new().signs(&named("localhost"));
    let (why, text) = refusal(identity, |site| Client::new(site.clone(), app())).await;
    assert_eq!(why, CertificateError::UnknownIssuer);
    assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
}

/// Sends an image to a message and to a cell of a server that offers `alpn`. Returns the connections of the server.
async fn round_trip(
    alpn: &[&str],
    client: impl FnOnce(&Authority, &Site) -> Client<Pool>,
) -> Vec<Opened> {
    let server = FakeServer::start().unwrap();
    let authority = Authority::new();
    let mut front = Front::start(&server, authority.signs(&named("localhost")), alpn).await;
    let client = client(&authority, &front.site).with_limits(Limits::one_attempt());

    let key = client.call(&PutImage::message(image()).unwrap()).await.unwrap();
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
    client.call(&WriteSheetImage::new(spreadsheet, cell, image()).unwrap()).await.unwrap();

    let range = format!("{}!H7:H7", FakeLark::SHEET);
    server.with(|lark| {
        assert_eq!(lark.image(key.as_str()).unwrap().bytes, image().bytes());
        assert_eq!(lark.cell(FakeLark::SPREADSHEET, &range).unwrap().bytes, image().bytes());
    });
    let connections = std::iter::from_fn(|| front.connections.try_recv().ok());
    connections.map(Result::unwrap).collect()
}

/// The protocols that a server offers, and the one connection to it.
fn choices() -> [(&'static [&'static str], Opened); 4] {
    [
        (&["h2", "http/1.1"], Opened::http2()),
        (&["h2"], Opened::http2()),
        (&["http/1.1"], Opened::http1(Some("http/1.1"))),
        (&[], Opened::http1(None)),
    ]
}

#[tokio::test]
async fn alpn_chooses_the_version_of_a_pools_connections() {
    for (alpn, opened) in choices() {
        let client = |authority: &Authority, site: &Site| {
            let builder = Client::builder(site.clone(), app());
            builder.roots(authority.pem().as_bytes()).build().unwrap()
        };
        assert_eq!(round_trip(alpn, client).await, [opened]);
    }
}

#[tokio::test]
async fn alpn_chooses_the_version_of_the_connections_of_a_callers_connector() {
    for (alpn, opened) in choices() {
        let client = |authority: &Authority, site: &Site| authority.client(site, app());
        assert_eq!(round_trip(alpn, client).await, [opened]);
    }
}

#[tokio::test]
async fn a_client_offers_http_2_before_http_1_1() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = Site::custom(&format!("https://localhost:{port}")).unwrap();
    let offers = async {
        let (stream, _) = listener.accept().await.unwrap();
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
        let hello = start.client_hello();
        assert_eq!(hello.server_name(), Some("localhost"));
        let alpn: Vec<_> = hello.alpn().into_iter().flatten().collect();
        assert_eq!(alpn, [b"h2".as_slice(), b"http/1.1"]);
    };
    let client = Client::new(site, App::None).with_limits(Limits::one_attempt());
    let token = token();
    let put = put();
    let offers = timeout(Duration::from_secs(10), offers);
    let (outcome, offered) = tokio::join!(client.call_as(&token, &put), offers);
    offered.expect("a connection");
    assert!(matches!(outcome.unwrap_err().kind, CallErrorKind::Transport(_)));
}
