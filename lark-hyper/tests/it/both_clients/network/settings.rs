//! Settings of a builder that are invalid, and the limit of replies.

use lark_hyper::FakeServer;
use lark_proto::Site;
use lark_proto::network::Roots;

use super::{Setup, uploads};

#[test]
fn an_invalid_setting_is_refused_when_the_client_is_built() {
    let pem = |text: &str| Setup { roots: Roots::Custom(text.into()), ..Setup::default() };
    let extra = Setup { roots: Roots::DefaultAndCustom(Vec::new()), ..Setup::default() };
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for (setup, words) in [
        (pem(""), "no certificate"),
        (pem("-----BEGIN"), "no certificate"),
        (pem(key), "no certificate"),
        (pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), "certificates"),
        (pem("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), "certificates"),
        (extra, "no certificate"),
        (Setup { user_agent: Some(""), ..Setup::default() }, "user agent"),
        (Setup { user_agent: Some("a\r\nb"), ..Setup::default() }, "user agent"),
        (Setup { user_agent: Some("图片"), ..Setup::default() }, "user agent"),
    ] {
        for (client, outcome) in uploads(&Site::LARK, &setup) {
            let error = outcome.unwrap_err();
            assert!(error.contains(words), "{client}: {error}");
        }
    }
}

#[test]
fn a_reply_is_read_up_to_the_limit_that_is_set() {
    let server = FakeServer::start().unwrap();
    let setup = Setup { reply_limit: Some(10), ..Setup::default() };
    for (client, outcome) in uploads(server.site(), &setup) {
        let error = outcome.unwrap_err();
        assert!(error.ends_with("the reply is longer than 10 bytes"), "{client}: {error}");
    }
}
