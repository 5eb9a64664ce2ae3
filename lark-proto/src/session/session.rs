//! The state that the calls of one client share.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;

use super::event::Event;
use super::gates::Gates;
use super::lanes::Lanes;
use super::moment::Moment;
use super::queue::{CallId, WakeList};
use super::step::TokenRequestId;
use super::tokens::Tokens;
use super::transport_failure::TransportFailure;
use crate::api::Quota;
use crate::error::Error;
use crate::site::Site;
use crate::values::{App, AppTicket};

/// The time between two sweeps. A sweep drops the entries that are no longer needed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The state that the calls of one client share: tokens, lanes and gates.
///
/// It is plain data that every step of a [`Call`](super::Call) takes by `&mut`. An adapter keeps it behind a lock; a
/// single-threaded loop owns it.
///
/// The time is an argument, `now`. All steps of a session take it from one clock: a wall clock, or a monotonic clock
/// as in `SystemTime::UNIX_EPOCH + start.elapsed()`. The session adds up the forward steps of that clock. Setting the
/// clock back therefore lengthens waits and the lifetimes of tokens by at most the time since the last step, and
/// setting it forward shortens them.
#[doc(alias = "token_cache")]
#[doc(alias = "policy")]
pub struct Session {
    pub(super) site: Site,
    pub(super) app: App,
    /// The secret of the app, if it has one.
    app_secret: Arc<[String]>,
    clock: Clock,
    pub(super) tokens: Tokens,
    pub(super) lanes: Lanes,
    pub(super) gates: Gates,
    pub(super) woken: WakeList,
    calls: u64,
    swept: Moment,
}

/// The time since the session's first step: the sum of the forward steps of the caller's clock, which may be set back.
#[derive(Debug, Default)]
struct Clock {
    last: Option<SystemTime>,
    elapsed: Moment,
}

impl Clock {
    fn tick(&mut self, now: SystemTime) -> Moment {
        let step = self.last.and_then(|last| now.duration_since(last).ok()).unwrap_or_default();
        self.last = Some(now);
        self.elapsed = self.elapsed.saturating_add(step);
        self.elapsed
    }
}

impl Session {
    /// A session of `app` at `site`.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        let gates = Gates::new(site.is_loopback());
        let app_secret = app.secrets().into();
        Self {
            site,
            app,
            app_secret,
            clock: Clock::default(),
            tokens: Tokens::default(),
            lanes: Lanes::default(),
            gates,
            woken: WakeList::default(),
            calls: 0,
            swept: Moment::START,
        }
    }

    /// The site that the session sends its requests to.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The app that the session gets tokens for.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The secrets that the reply to a call may quote: that of the app, its ticket, its app token, and those in the
    /// payload of the call.
    pub(super) fn secrets(&self, in_payload: &[String]) -> Arc<[String]> {
        let all = self.tokens.secrets(&self.app_secret, in_payload);
        all.unwrap_or_else(|| self.app_secret.clone())
    }

    /// Takes the ids of the calls that have been woken since this method was last called. Each of them is to take a
    /// step. These methods can wake calls: [`Call::next`](super::Call::next),
    /// [`Call::received`](super::Call::received), [`Call::failed`](super::Call::failed),
    /// [`Call::cancel`](super::Call::cancel), and the methods of the session that report the result of a token request,
    /// set a ticket or import a token. An adapter calls `woken` after each of them while it holds the session, releases
    /// the session, and then wakes these calls. A loop that steps all of its calls in turn need not look at the ids:
    /// before it sleeps, it goes round again until `woken` returns none and each call waits, has a request in flight,
    /// or is over.
    ///
    /// An id is returned once. If several threads share the session, register a call's id where the other threads look
    /// it up before you release the session after a [`Step::Wait`](super::Step::Wait). A call that reports a result is
    /// not returned: it takes its next step at once.
    ///
    /// A woken call may have a request in flight, for example the token request that it drives. It need not take a
    /// step before that request ends. If it takes one, [`Call::next`](super::Call::next) returns another wait, or lets
    /// the call continue without that token request.
    pub fn woken(&mut self) -> impl Iterator<Item = CallId> + use<> {
        self.woken.take().into_iter()
    }

    /// Sets the ticket of a store app, which the service pushes as an event every hour, and wakes the first two calls
    /// of each tenant that wait for a token, so that one of them requests the app's token.
    pub fn set_app_ticket(&mut self, ticket: AppTicket) {
        self.tokens.set_ticket(ticket, &mut self.woken);
    }

    /// Sets the quota of `route` in place of the documented one; [`Quota::NONE`] removes the limit. The requests of the
    /// last minute are counted only while the quota of the route has a limit per minute. If the gateway rate-limits a
    /// request (code 99991400 or HTTP 429), the route's gate takes that into account whatever the quota is.
    pub fn set_quota(&mut self, route: &str, quota: Quota) {
        self.gates.set_quota(route, quota);
    }

    /// Sets whether the session keeps the documented quotas. By default it does, except for a site on loopback. A quota
    /// that was set with [`set_quota`](Self::set_quota) is always kept.
    pub fn keep_quotas(&mut self, keep: bool) {
        self.gates.set_unlimited(!keep);
    }

    /// Reports the reply to a token request that cannot be reported through the call that sent it, because that call
    /// has ended or has sent another request. Has no effect if the result was reported before, or if the session has
    /// counted the request as failed, which it does at the first step of a call that needs the result after 61 s.
    /// Returns an event for the log if the service refused the request.
    pub fn token_received(
        &mut self,
        request: TokenRequestId,
        now: SystemTime,
        reply: Response<Bytes>,
    ) -> Option<Event> {
        let now = self.tick(now);
        let (route, error) = self.token_reply(request, now, reply)?;
        Some(Event::refused(route, &error, true))
    }

    /// Reports that the transport failed during a token request, if that cannot be reported through the call that sent
    /// it: see [`Session::token_received`].
    pub fn token_failed<T>(
        &mut self,
        request: TokenRequestId,
        now: SystemTime,
        failure: &TransportFailure<T>,
    ) -> Option<Event> {
        let now = self.tick(now);
        let route = self.token_failure(request, now, failure)?;
        Some(Event::failed(route, &failure.text, true))
    }

    /// Reports that the adapter has given up a token request whose call has ended or has sent another request. The
    /// session does not count this as a failure of the service.
    pub fn token_dropped(&mut self, request: TokenRequestId, now: SystemTime) {
        let now = self.tick(now);
        self.tokens.dropped(request, now, &mut self.woken);
    }

    /// Whether no token request is in flight, no call waits for a token, and no call is in a lane. Calls may still wait
    /// at a gate or for the end of a backoff.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tokens.is_idle() && self.lanes.is_empty()
    }

    /// The number of entries that the session keeps: tokens, token requests in flight, lanes and gates. Entries that
    /// are no longer needed are dropped once a minute, at a step.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.tokens.len() + self.lanes.len() + self.gates.len()
    }

    pub(super) fn token_reply(
        &mut self,
        request: TokenRequestId,
        now: Moment,
        reply: Response<Bytes>,
    ) -> Option<(&'static str, Error)> {
        self.tokens.received(&self.app, &self.site, request, reply, now, &mut self.woken)
    }

    pub(super) fn token_failure<T>(
        &mut self,
        request: TokenRequestId,
        now: Moment,
        failure: &TransportFailure<T>,
    ) -> Option<&'static str> {
        self.tokens.transport_failed(&self.app, request, failure, now, &mut self.woken)
    }

    pub(super) fn tick(&mut self, now: SystemTime) -> Moment {
        let now = self.clock.tick(now);
        if now.since(self.swept) >= SWEEP_INTERVAL {
            self.swept = now;
            self.tokens.sweep(now);
            self.lanes.sweep(now);
            self.gates.sweep(now);
        }
        now
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.elapsed
    }

    pub(super) fn next_call_id(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}

/// Shows no token.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("site", &self.site)
            .field("app", &self.app)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde::de::IgnoredAny;

    use super::*;
    use crate::endpoints::Raw;
    use crate::session::{AnyCall, Call, Permanence, Purpose, Step};
    use crate::token::TenantToken;

    const NANO: Duration = Duration::from_nanos(1);
    const START: SystemTime = SystemTime::UNIX_EPOCH;

    type TestCall = Call<IgnoredAny, std::io::Error>;

    fn session() -> Session {
        Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
    }

    fn write() -> Raw<IgnoredAny> {
        Raw::new(Method::POST, "/open-apis/im/v1/images").with_serial_key("shtcn")
    }

    fn given() -> TestCall {
        Call::with_token(&TenantToken::new("t-1").unwrap(), &write())
    }

    #[test]
    fn a_new_session_is_idle() {
        assert!(session().is_idle());
    }

    #[test]
    fn a_session_with_a_token_request_in_flight_is_not_idle() {
        let mut session = session();
        let mut call: TestCall = Call::new(&write());
        let Step::Send(request) = call.next(&mut session, START) else { panic!() };
        call.cancel(&mut session);
        assert!(!session.is_idle());
        let Purpose::Token(id) = request.purpose else { panic!() };
        session.token_dropped(id, START);
        assert!(session.is_idle());
    }

    #[test]
    fn a_session_with_a_call_that_waits_for_a_token_is_not_idle() {
        let mut session = session();
        let raw: Raw<IgnoredAny> = Raw::new(Method::POST, "/open-apis/im/v1/images");
        let mut call: TestCall = Call::new(&raw);
        let Step::Send(request) = call.next(&mut session, START) else { panic!() };
        let Purpose::Token(id) = request.purpose else { panic!() };
        session.token_dropped(id, START);
        assert!(!session.is_idle());
        call.cancel(&mut session);
        assert!(session.is_idle());
    }

    #[test]
    fn a_session_with_a_call_in_a_lane_is_not_idle() {
        let mut session = session();
        let mut call = given();
        assert!(matches!(call.next(&mut session, START), Step::Send(_)));
        assert!(!session.is_idle());
        call.cancel(&mut session);
        assert!(session.is_idle());
    }

    #[test]
    fn a_cancelled_write_may_run_for_a_minute_from_the_last_step_on() {
        let after = |seconds| START + Duration::from_secs(seconds);
        for (time, entries) in [(159, 1), (160, 0)] {
            let mut session = session();
            session.tick(START);
            session.tick(after(99));
            let mut call = given();
            assert!(matches!(call.next(&mut session, after(100)), Step::Send(_)));
            call.cancel(&mut session);
            session.tick(after(time));
            assert_eq!(session.lanes.len(), entries, "{time}");
        }
    }

    #[test]
    fn the_debug_texts_of_a_session_and_its_calls_show_what_they_are_and_no_token() {
        let mut session = session();
        let mut call = given();
        assert!(matches!(call.next(&mut session, START), Step::Send(_)));
        let shown = "Call { route: \"/open-apis/im/v1/images\", sends: 1, .. }";
        assert_eq!(format!("{call:?}"), shown);
        let call: Box<dyn AnyCall<IgnoredAny, std::io::Error>> = call.boxed();
        assert_eq!(format!("{call:?}"), shown);
        let shown = format!("{session:?}");
        assert!(
            shown.starts_with("Session { site: ") && shown.ends_with(", entries: 2, .. }"),
            "{shown}"
        );
    }

    #[test]
    fn the_last_failure_is_shown_while_the_call_continues() {
        let mut session = session();
        let read: Raw<IgnoredAny> = Raw::new(Method::GET, "/open-apis/im/v1/images/img");
        let mut call: TestCall = Call::with_token(&TenantToken::new("t-1").unwrap(), &read);
        assert!(matches!(call.next(&mut session, START), Step::Send(_)));
        assert!(call.last_failure().is_none());
        let broken = std::io::Error::other("connection cut");
        let kind = crate::error::CallErrorKind::Transport(broken);
        let failure = TransportFailure::new(kind, 0, Permanence::Transient);
        call.failed(&mut session, START, failure);
        assert!(call.last_failure().unwrap().to_string().contains("connection cut"));
        let call: Box<dyn AnyCall<IgnoredAny, std::io::Error>> = call.boxed();
        assert!(call.last_failure().unwrap().to_string().contains("connection cut"));
    }

    #[test]
    fn the_entries_of_a_session_are_its_tokens_token_requests_lanes_and_gates() {
        let mut session = session();
        assert_eq!(session.entries(), 0);
        assert!(matches!(given().next(&mut session, START), Step::Send(_)));
        assert_eq!(session.entries(), 2, "a lane and a gate");
        let raw: Raw<IgnoredAny> = Raw::new(Method::POST, "/open-apis/im/v1/images");
        let mut call: TestCall = Call::new(&raw);
        assert!(matches!(call.next(&mut session, START), Step::Send(_)));
        assert_eq!(session.entries(), 4, "also a token and its request");
    }

    #[test]
    fn a_sweep_drops_entries_a_minute_after_the_last_sweep() {
        let minute = Duration::from_secs(60);
        for last_sweep in [Duration::ZERO, minute] {
            for (time, entries) in [(minute - NANO, 1), (minute, 0), (minute + NANO, 0)] {
                let mut session = session();
                session.tick(START);
                session.tick(START + last_sweep);
                let token = TenantToken::new("t-1").unwrap();
                let Session { tokens, woken, .. } = &mut session;
                tokens.import(&None, token, NANO, Moment(last_sweep), woken);
                session.tick(START + last_sweep + time);
                assert_eq!(session.entries(), entries, "{last_sweep:?} {time:?}");
            }
        }
    }

    #[test]
    fn a_clock_counts_only_its_forward_steps() {
        let mut clock = Clock::default();
        let seconds = [100, 103, 50, 51].map(|second| {
            let now = START + Duration::from_secs(second);
            clock.tick(now).0.as_secs()
        });
        assert_eq!(seconds, [0, 3, 3, 4]);
    }
}
