//! Certificates, over a real handshake.

use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Site};
use lark_ureq::Client;

use crate::support::untrusted_server::UntrustedServer;
use crate::support::{put, token};

#[test]
fn a_certificate_that_is_not_trusted_ends_the_call_at_its_first_attempt() {
    let server = UntrustedServer::start();
    // The agent ignores the proxy of the environment.
    let agent = ureq::Agent::config_builder().proxy(None).build();
    let client = Client::with_agent(Site::custom(&server.url).unwrap(), App::None, agent.into());
    let error = client.call_as(&token(), &put()).unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    assert_eq!((server.connections(), error.outcome()), (1, Outcome::NotSent));
}
