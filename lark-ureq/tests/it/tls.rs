//! Certificates, over a real handshake.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Image, PutImage, Site, TenantToken};
use lark_ureq::Client;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

#[test]
fn a_certificate_that_is_not_trusted_ends_the_call_at_its_first_attempt() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counts = accepted.clone();
    thread::spawn(move || {
        let config = Arc::new(config);
        for stream in listener.incoming() {
            counts.fetch_add(1, Ordering::SeqCst);
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            // The client ends the handshake.
            drop(tls.complete_io(&mut stream.unwrap()));
        }
    });

    let site = Site::custom(&format!("https://localhost:{port}")).unwrap();
    // Not the proxy of the environment.
    let agent = ureq::Agent::config_builder().proxy(None).build();
    let client = Client::with_agent(site, App::None, agent.into());
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let error = client.call_as(&TenantToken::new("t-1").unwrap(), &put).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    assert_eq!((accepted.load(Ordering::SeqCst), error.outcome()), (1, Outcome::NotSent));
}
