//! Certificates of an authority of one's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lark_hyper::FakeServer;

use crate::scripted::{Script, ScriptedProxy};
use crate::tls::{Authority, Front, named};
use crate::{Setup, uploads};

/// The certificate of an authority's root.
fn pem(authority: &Authority) -> String {
    let base64 = STANDARD.encode(&authority.root);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

#[test]
fn a_private_root_is_trusted_in_place_of_the_default_ones_directly_and_through_a_tunnel() {
    let server = FakeServer::start().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let identity = authority.signs(&named("localhost"));
    let front = runtime.block_on(Front::start(&server, identity, &["h2", "http/1.1"]));
    let target = format!("127.0.0.1:{}", front.site.port()).parse().unwrap();
    let proxy = ScriptedProxy::start(Script::Http(target));
    let roots = |pem: String| Setup { roots: Some(pem.into_bytes()), ..Setup::default() };
    let through = Setup::through(&format!("http://{}", proxy.address));
    // Other certificates and keys in the text do no harm.
    let several = format!("{}\n# a comment\n{}", pem(&other), pem(&authority));
    for setup in [
        roots(pem(&authority)),
        roots(several),
        Setup { proxy: through.proxy.clone(), ..roots(pem(&authority)) },
    ] {
        for (client, outcome) in uploads(&front.site, &setup) {
            assert_eq!(outcome, Ok(()), "{client}");
        }
    }
    let asked = format!("connect localhost:{} http/1.1", front.site.port());
    assert_eq!(proxy.asked(), [asked.clone(), asked]);
    for setup in [Setup::default(), roots(pem(&other)), through] {
        for (client, outcome) in uploads(&front.site, &setup) {
            let error = outcome.unwrap_err();
            assert!(error.contains("invalid peer certificate"), "{client}: {error}");
        }
    }
}
