//! Redirects: no client follows one, wherever it leads, so that no other server sees a request.

use lark_proto::Limits;
use lark_proto::fake::FakeLark;
use lark_ureq::ureq::config::RedirectAuthHeaders;

use super::{Listener, MARK, Setup, end, reply, side_by_side, uploads};
use crate::support::peers::site;
use crate::support::{app, put};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// The locations of a redirect to `other`, and those to the same server.
fn locations(other: &Listener) -> [String; 8] {
    let address = other.address;
    let port = address.port();
    [
        // Another port, another host, and another scheme.
        format!("http://{address}/elsewhere"),
        format!("http://localhost:{port}/open-apis/elsewhere"),
        format!("http://127.0.0.2:{port}/open-apis/elsewhere"),
        format!("https://{address}/elsewhere"),
        // With credentials, and with the scheme of the request.
        format!("http://user:password@{address}/elsewhere"),
        format!("//{address}/elsewhere"),
        // The same server.
        "/elsewhere".to_owned(),
        "elsewhere?again".to_owned(),
    ]
}

/// A server that answers each request with a redirect to `location`.
fn redirecting(status: u16, location: &str) -> Listener {
    let reply = reply(&format!("{status} Moved\r\nLocation: {location}"), "");
    Listener::start(move |_| reply.clone())
}

#[test]
fn no_redirect_carries_a_request_to_another_server_or_path() {
    let redirects =
        STATUSES.into_iter().flat_map(|status| (0..8).map(move |place| (status, place)));
    side_by_side(redirects, |(status, place)| assert_not_followed(status, place));
}

fn assert_not_followed(status: u16, place: usize) {
    let other = Listener::start(|_| reply("200 OK", "{}"));
    let location = &locations(&other)[place];
    let own = redirecting(status, location);
    for (client, end) in uploads(&site(own.address), &Setup::default()) {
        let error = end.unwrap_err();
        assert!(error.contains(&format!("HTTP {status}")), "{client}: {error}");
    }
    assert_eq!((other.connections(), other.seen()), (0, String::new()), "{status} {location}");
    let seen = own.seen();
    // Only the site gets the requests. A session asks four times for a token, and an upload is sent once.
    assert_eq!(seen.matches(FakeLark::APP_SECRET).count(), 8, "{status} {location}");
    assert_eq!(seen.matches(MARK).count(), 2, "{status} {location}");
    assert!(!seen.contains("elsewhere"), "{seen}");
}

#[test]
fn an_agent_that_follows_redirects_does_not_follow_those_of_the_clients_requests() {
    side_by_side(STATUSES, |status| {
        let other = Listener::start(|_| reply("200 OK", "{}"));
        let own = redirecting(status, &locations(&other)[0]);
        let agent = lark_ureq::ureq::Agent::config_builder()
            .proxy(None)
            .max_redirects(5)
            .max_redirects_will_error(true)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .build();
        let client = lark_ureq::Client::with_agent(site(own.address), app(), agent.into())
            .with_limits(Limits::one_attempt());
        let error = end(client.call(&put())).unwrap_err();
        assert!(error.contains(&format!("HTTP {status}")), "{error}");
        assert_eq!(other.connections(), 0, "{status}");
    });
}
