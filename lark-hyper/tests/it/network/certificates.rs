//! Certificates of an authority of one's own.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lark_hyper::FakeServer;
use lark_proto::Site;
use lark_proto::network::Roots;
use tokio::runtime::Runtime;

use crate::scripted::{Script, ScriptedProxy};
use crate::tls::{Authority, Front, named};
use crate::{Setup, uploads};

/// The certificate of an authority's root.
fn pem(authority: &Authority) -> String {
    let base64 = STANDARD.encode(&authority.root);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

/// A front with a certificate of `authority`, which ends with its runtime.
fn front(server: &FakeServer, authority: &Authority) -> (Runtime, Front) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let identity = authority.signs(&named("localhost"));
    let front = runtime.block_on(Front::start(server, identity, &["h2", "http/1.1"]));
    (runtime, front)
}

#[test]
fn a_private_root_is_trusted_directly_and_through_a_tunnel() {
    let server = FakeServer::start().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (_runtime, front) = front(&server, &authority);
    let target = format!("127.0.0.1:{}", front.site.port()).parse().unwrap();
    let proxy = ScriptedProxy::start(Script::Http(target));
    let with = |roots: Roots| Setup { roots, ..Setup::default() };
    let own = |pem: String| with(Roots::Own(pem.into_bytes()));
    let through = Setup::through(&format!("http://{}", proxy.address));
    // Other certificates and keys in the text do no harm.
    let several = format!("{}\n# a comment\n{}", pem(&other), pem(&authority));
    for setup in [
        own(pem(&authority)),
        own(several),
        with(Roots::DefaultAndOwn(pem(&authority).into_bytes())),
        Setup { proxy: through.proxy.clone(), ..own(pem(&authority)) },
    ] {
        for (client, outcome) in uploads(&front.site, &setup) {
            assert_eq!(outcome, Ok(()), "{client}");
        }
    }
    let asked = format!("connect localhost:{} http/1.1", front.site.port());
    assert_eq!(proxy.asked(), [asked.clone(), asked]);
    for setup in [Setup::default(), own(pem(&other)), through] {
        for (client, outcome) in uploads(&front.site, &setup) {
            let error = outcome.unwrap_err();
            assert!(error.contains("invalid peer certificate"), "{client}: {error}");
        }
    }
}

/// The program that each store of the system is tried in: it prints what came of an upload to the site in its `SITE`.
#[test]
#[ignore = "it is the child of another test"]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent names the site")]
    let site = Site::custom(&std::env::var("SITE").unwrap()).unwrap();
    let setup = Setup { roots: Roots::Platform, ..Setup::default() };
    for (client, outcome) in uploads(&site, &setup) {
        println!("outcome of {client}: {outcome:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_platform_verifier_trusts_the_systems_store() {
    let server = FakeServer::start().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (_runtime, front) = front(&server, &authority);
    let store = concat!(env!("CARGO_TARGET_TMPDIR"), "/store.pem");
    for (certificates, words) in [
        (pem(&authority), "Ok(())"),
        (pem(&other), "invalid peer certificate"),
        (String::new(), "No CA certificates were loaded"),
    ] {
        std::fs::write(store, certificates).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["certificates::child", "--exact", "--ignored", "--nocapture"]);
        command.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", store);
        let output = command.env("SITE", front.site.as_str()).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let outcomes: Vec<&str> =
            printed.lines().filter(|line| line.starts_with("outcome")).collect();
        assert!(outcomes.len() == 2 && outcomes.iter().all(|o| o.contains(words)), "{printed}");
    }
}
