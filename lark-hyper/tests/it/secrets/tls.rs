//! TLS: both clients refuse the same servers, at the first attempt, and send them nothing.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lark_proto::{Limits, Site};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream};

use super::{Setup, side_by_side, uploads};
use crate::support::peers;
use crate::support::tls::{Authority, named};

/// The certificates of a server, its own first, and the key of its own.
type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A TLS server on loopback with a certificate. It keeps the bytes that arrive through TLS.
struct Server {
    site: Site,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn start((chain, key): Chain) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let connections: Arc<AtomicUsize> = Arc::default();
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (counted, kept) = (connections.clone(), seen.clone());
        let address = peers::serve(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            let mut stream = Stream::new(&mut tls, &mut stream);
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk)?;
            kept.lock().unwrap().extend_from_slice(&chunk[..read]);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        });
        let site = Site::custom(&format!("https://localhost:{}", address.port())).unwrap();
        Self { site, connections, seen }
    }
}

fn single((certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>)) -> Chain {
    (vec![certificate], key)
}

/// The parameters of a certificate for `localhost`, changed by `change`.
fn changed(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = named("localhost");
    change(&mut params);
    params
}

/// A certificate that a server's certificate has signed, which is no authority.
fn signed_by_a_server(authority: &Authority) -> Chain {
    let key = KeyPair::generate().unwrap();
    let server = named("localhost");
    let of_server = authority.signs_key(&server, &key);
    let own = KeyPair::generate().unwrap();
    let certificate = named("localhost").signed_by(&own, &Issuer::new(server, key)).unwrap();
    (vec![certificate.der().clone(), of_server], own.into())
}

/// The refused certificates, with the words of each refusal.
fn refused(authority: &Authority) -> Vec<(&'static str, Chain, &'static str)> {
    let signs = |params: &CertificateParams| single(authority.signs(params));
    let key = KeyPair::generate().unwrap();
    let own = named("localhost").self_signed(&key).unwrap();
    let past = date_time_ymd(2020, 1, 1);
    let future = date_time_ymd(3000, 1, 1);
    let with_purpose = |purpose| changed(|it| it.extended_key_usages = vec![purpose]);
    vec![
        ("another name", signs(&named("open.larksuite.com")), "not valid for name"),
        ("a longer name", signs(&named("localhost.example")), "not valid for name"),
        ("an address", signs(&named("127.0.0.1")), "not valid for name"),
        ("a wildcard", signs(&named("*.localhost")), "not valid for name"),
        ("expired", signs(&changed(|it| it.not_after = past)), "certificate expired"),
        ("not valid yet", signs(&changed(|it| it.not_before = future)), "not valid yet"),
        ("self-signed", (vec![own.der().clone()], key.into()), "UnknownIssuer"),
        (
            "of another authority",
            single(Authority::new().signs(&named("localhost"))),
            "BadSignature",
        ),
        (
            "for clients",
            signs(&with_purpose(ExtendedKeyUsagePurpose::ClientAuth)),
            "extended key usage",
        ),
        (
            "for programs",
            signs(&with_purpose(ExtendedKeyUsagePurpose::CodeSigning)),
            "extended key usage",
        ),
        (
            "of an authority",
            signs(&changed(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
            "CaUsedAsEndEntity",
        ),
        ("signed by a server's", signed_by_a_server(authority), "invalid peer certificate"),
    ]
}

#[test]
fn both_clients_refuse_a_wrong_certificate_at_the_first_attempt_and_send_nothing() {
    let authority = Authority::new();
    let setup = Setup { limits: Some(Limits::default()), ..Setup::trusting(authority.pem()) };
    for (name, chain, words) in refused(&authority) {
        let server = Server::start(chain);
        for (client, end) in uploads(&server.site, &setup) {
            let error = end.expect_err(name);
            assert!(error.contains("invalid peer certificate"), "{client}, {name}: {error}");
            assert!(error.contains(words), "{client}, {name}: {error}");
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), 4, "{name}");
        assert!(server.seen.lock().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn both_clients_refuse_a_private_authority_unless_they_are_given_its_root() {
    let authority = Authority::new();
    let setup = Setup { limits: Some(Limits::default()), ..Setup::default() };
    let server = Server::start(single(authority.signs(&named("localhost"))));
    for (client, end) in uploads(&server.site, &setup) {
        assert!(end.expect_err(client).contains("UnknownIssuer"), "{client}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 4);
    assert!(server.seen.lock().unwrap().is_empty());
    // With the root the same server gets the requests.
    drop(uploads(&server.site, &Setup::trusting(authority.pem())));
    let seen = server.seen.lock().unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains(super::MARK), "{seen}");
}

/// A server's hello of TLS 1.1, or of another version that is too old.
fn hello(minor: u8) -> Vec<u8> {
    // The version, 32 random bytes, no session id, TLS_RSA_WITH_AES_128_CBC_SHA, and no compression.
    let hello = [&[3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let len = u8::try_from(hello.len()).unwrap();
    [&[22, 3, minor, 0, len + 4, 2, 0, 0, len][..], &hello].concat()
}

#[test]
fn both_clients_refuse_a_server_without_a_safe_version_of_tls_and_send_no_request() {
    let alert = |minor| vec![21, 3, minor, 0, 2, 2, 70];
    let rows = [
        ("TLS 1.1", hello(2), "peer is incompatible"),
        ("TLS 1.0", hello(1), "peer is incompatible"),
        ("SSL 3", hello(0), "peer is incompatible"),
        ("TLS 1.2 with a cipher that is not safe", hello(3), "peer misbehaved"),
        ("an alert of TLS 1.1", alert(2), "fatal alert"),
        ("no TLS", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "corrupt message"),
    ];
    side_by_side(rows, |(name, answer, words)| {
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = seen.clone();
        let address = peers::serve(move |mut stream| {
            let mut chunk = [0; 4096];
            loop {
                let read = stream.read(&mut chunk)?;
                kept.lock().unwrap().extend_from_slice(&chunk[..read]);
                if read == 0 {
                    return Ok(());
                }
                stream.write_all(&answer)?;
            }
        });
        let site = Site::custom(&format!("https://localhost:{}", address.port())).unwrap();
        for (client, end) in uploads(&site, &Setup::default()) {
            let error = end.expect_err(name);
            assert!(error.contains(words), "{client}, {name}: {error}");
        }
        let seen = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
        assert!(seen.contains("localhost"), "the hello of a client names the server");
        for secret in [super::MARK, "POST", "PRI *", lark_proto::fake::FakeLark::APP_SECRET] {
            assert!(!seen.contains(secret), "{name}");
        }
    });
}
