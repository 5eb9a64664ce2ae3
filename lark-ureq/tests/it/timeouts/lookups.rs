//! A resolver that hangs. lark-hyper has the same test with the system's resolver.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, Limits, Site};
use lark_ureq::{CallError, Client, Clock};
use ureq::Timeout;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::memory_server::whole;
use crate::support::{put, secs, token};

/// Finds no address within the time that it is given.
#[derive(Debug)]
struct Hanging {
    clock: Clock,
    lookups: Arc<AtomicUsize>,
}

impl Resolver for Hanging {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.clock.sleep(whole(*timeout.after));
        Err(ureq::Error::Timeout(timeout.reason))
    }
}

/// The end of an upload whose lookups hang, with the number of the lookups and the time until the end.
fn upload(limits: Limits) -> (CallError, usize, Duration) {
    let clock = Clock::simulated();
    let lookups = Arc::new(AtomicUsize::new(0));
    let resolver = Hanging { clock: clock.clone(), lookups: lookups.clone() };
    let config = ureq::Agent::config_builder().proxy(None).build();
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), resolver);
    let site = Site::custom("http://localhost:1").unwrap();
    let client = Client::with_clock(site, App::None, agent, clock.clone()).with_limits(limits);
    let error = client.call_as(&token(), &put()).unwrap_err();
    (error, lookups.load(Ordering::Relaxed), clock.elapsed())
}

fn is_resolve_timeout(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::Transport(ureq::Error::Timeout(Timeout::Resolve)))
}

#[test]
fn a_lookup_that_hangs_ends_with_its_timeout_and_nothing_is_sent() {
    let (error, lookups, elapsed) = upload(Limits::one_attempt());
    assert!(is_resolve_timeout(&error), "{error:?}");
    assert_eq!((error.outcome(), lookups, elapsed), (Outcome::NotSent, 1, secs(10)));
}

#[test]
fn a_lookup_that_hangs_is_tried_again_within_the_limits() {
    let (error, lookups, elapsed) = upload(Limits::default());
    assert!(is_resolve_timeout(&error), "{error:?}");
    assert_eq!((error.outcome(), lookups), (Outcome::NotSent, 4));
    // The backoffs take 3.5 seconds at most.
    assert!((secs(40)..=secs(44)).contains(&elapsed), "{elapsed:?}");
}

#[test]
fn a_lookup_that_hangs_ends_with_the_deadline_of_its_call() {
    let (error, lookups, elapsed) = upload(Limits::default().total(secs(5)));
    assert!(matches!(error.kind, CallErrorKind::Deadline), "{error:?}");
    assert_eq!((error.outcome(), lookups, elapsed), (Outcome::NotSent, 1, secs(5)));
}
