use std::cell::Cell;
use std::fmt;
use std::time::SystemTime;

use http::Method;
use serde::de::IgnoredAny;

use super::*;
use crate::UserToken;
use crate::endpoints::Raw;
use crate::session::caller::Credential;
use crate::session::{Call, Step};
use crate::site::Site;
use crate::values::App;

const ROUTE: &str = "/open-apis/im/v1/images";
const TOKEN_ROUTE: &str = "/token";

fn call() -> UntypedCall<std::io::Error> {
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::POST, ROUTE);
    UntypedCall::new(CallMachine::new(&endpoint, Credential::Session(None)))
}

#[test]
fn a_call_whose_token_request_is_in_flight_at_the_deadline_ends_with_the_route_of_that_request() {
    let error = call().end(Ending::Late(WaitFor::Token), Some(TOKEN_ROUTE));
    assert_eq!(error.route, TOKEN_ROUTE);
    assert!(matches!(error.kind, CallErrorKind::Deadline));
}

#[test]
fn a_call_that_waits_in_a_queue_at_the_deadline_ends_with_its_own_route() {
    for (reason, token_route) in [(WaitFor::Token, None), (WaitFor::Rate, Some(TOKEN_ROUTE))] {
        let error = call().end(Ending::Late(reason), token_route);
        assert_eq!(error.route, ROUTE);
        assert!(matches!(error.kind, CallErrorKind::Queued(queued) if queued == reason));
    }
}

#[test]
fn the_last_failure_is_the_latest_one_whatever_its_outcome() {
    let mut call = call();
    assert!(call.last_failure().is_none());
    for (limit, outcome) in
        [(1, Outcome::Refused), (2, Outcome::Unknown), (3, Outcome::Unknown), (4, Outcome::Refused)]
    {
        let verdict = Verdict { will_retry: true, outcome };
        call.failed(CallErrorKind::TooLarge { limit }, verdict);
        let last = call.last_failure().map(|last| &last.kind);
        assert!(matches!(last, Some(CallErrorKind::TooLarge { limit: last }) if *last == limit));
    }
}

/// A transport's error that counts its drops.
#[derive(Debug)]
struct Counted<'a>(&'a Cell<u32>);

impl std::error::Error for Counted<'_> {}

impl fmt::Display for Counted<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn an_error_of_the_transport_is_dropped_only_when_the_session_is_not_held() {
    let dropped = Cell::new(0);
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::GET, ROUTE);
    let app = App::custom("cli_x", "s").unwrap();
    let session = &mut Session::new(Site::LARK, app);
    let mut call: Call<IgnoredAny, Counted<'_>> = Call::new(&endpoint);
    let mut now = SystemTime::UNIX_EPOCH;
    let failure = || {
        let kind = CallErrorKind::Transport(Counted(&dropped));
        TransportFailure::new(kind, 0, Permanence::Transient)
    };
    let mut reported = 0;
    let ended = loop {
        match call.next(session, now) {
            Step::Send(Outgoing { purpose: Purpose::Token(_), .. }) if reported >= 2 => {
                let reply = r#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#;
                let parsed = call.read(Response::new(reply.into()));
                call.received(session, now, parsed);
            }
            Step::Send(_) => {
                // The second report has no effect.
                for _ in 0..2 {
                    call.failed(session, now, failure());
                    reported += 1;
                }
            }
            Step::Wait(time) => now += time,
            Step::Done(result) => break result,
        }
    };
    assert!(ended.is_err());
    // Two of the token request, and two of each of the four attempts.
    assert_eq!((reported, dropped.get()), (10, 0));
    call.events();
    assert_eq!(
        dropped.get(),
        8,
        "the call holds its last failure, and the result the one that ended it"
    );
    drop((call, ended));
    assert_eq!(dropped.get(), 10);
}

#[test]
fn a_cancelled_call_forgets_the_error_that_it_ended_with() {
    let dropped = Cell::new(0);
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::GET, ROUTE);
    let session = &mut Session::new(Site::LARK, App::None);
    let token = UserToken::new("u-1").unwrap();
    let mut call: Call<IgnoredAny, Counted<'_>> = Call::with_token(&token, &endpoint);
    let now = SystemTime::UNIX_EPOCH;
    assert!(matches!(call.next(session, now), Step::Send(_)));
    let kind = CallErrorKind::Transport(Counted(&dropped));
    call.failed(session, now, TransportFailure::new(kind, 0, Permanence::Permanent));
    call.cancel(session);
    assert_eq!(dropped.get(), 0, "the session is held");
    let Step::Done(Err(error)) = call.next(session, now) else { panic!("the call goes on") };
    assert!(!matches!(error.kind, CallErrorKind::Transport(_)), "{error:?}");
    call.events();
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_token_clears_only_the_failure_of_a_token_request() {
    for (route, is_kept) in [(ROUTE, true), (TOKEN_ROUTE, false)] {
        let mut call = call();
        call.last = Some(CallError::new(route, CallErrorKind::Deadline));
        call.forget_token_failure();
        assert_eq!(call.last.is_some(), is_kept, "{route}");
    }
}
