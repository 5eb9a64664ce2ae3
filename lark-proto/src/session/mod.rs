//! The policy of calls: tokens, queues and retries, which the calls of one client share.
//!
//! A [`Call`] is a state machine: each step tells the adapter to send a request, to wait, or that the call is done. The
//! calls of one client share a [`Session`]: plain data without a lock or a clock, which each step takes by `&mut`.
//!
//! ```text
//!         next             next                received, broken
//!  (New) ------> (Pending) --------------> (Sent) -----> (Over) --next--> Done
//!                 |  ^  ^    lane, token,    |
//!                 |  |  |    gate            |
//!                 |  |  +--------------------+
//!                 |  |       to be sent again
//!                 +--+  Wait: it rests, or stands in a queue
//!                 +--+  Send: a token request of the session,
//!                       which this call drives
//! ```
//!
//! The first step may go from New to Sent at once. A call also goes from Pending to Over: at its deadline, if it would
//! have to wait for longer than its limits allow, or if there is no token.
//!
//! A request passes, in this order, its *lane* (writes to one document are sent one at a time), its *token* (one call
//! fetches or renews it for all) and its *gate* (the rate limit of the route). A call that leaves a queue wakes the
//! next one: [`Session::woken`] returns the calls that are to take a step.
#![doc = include_str!("adapter.md")]

// The files: `call` is the public state machine, `step` its results, `flight` the policy of one call, `untyped` adds
// the errors that the call meets; `tokens`, `slot` and `token_request` fetch and renew tokens, `lanes` and `gates` are
// where calls wait for each other, `queue` is the queue of all three; `limits` are the caller's limits and the
// backoff, `event` is for logs, `drive` a trait object for calls of several endpoints, `export` tokens as text.

mod call;
mod drive;
mod event;
mod export;
mod flight;
mod gates;
mod lanes;
mod limits;
mod queue;
mod slot;
mod step;
mod token_request;
mod tokens;
mod untyped;

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response};

use crate::endpoint::Quota;
use crate::error::{Error, Invalid, WaitFor};
use crate::site::Site;
use crate::values::{App, AppTicket, TenantKey};

pub use call::{Call, ParsedReply};
pub use drive::Drive;
pub use event::Event;
pub use limits::Limits;
pub use step::{Broken, Outgoing, Permanence, Phase, Phases, Purpose, Step};

use gates::Gates;
use lanes::Lanes;
use limits::backoff;
use queue::Woken;
use token_request::Cause;
use tokens::Tokens;

/// The time between two sweeps, which drop the entries that are no longer needed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// What the calls of one client share: tokens, lanes, gates.
///
/// It is plain data that every step of a [`Call`] takes by `&mut`: an adapter keeps it behind a lock, a single-threaded
/// loop just holds it.
///
/// The time is an argument, `now`: that of a wall clock, or of a monotonic clock since any start, such as
/// `SystemTime::UNIX_EPOCH + start.elapsed()`. All steps of a session take it from one clock. The session counts only
/// how far it goes forward: a clock that is set back lengthens waits and token lives by at most the time since the last
/// step, and a clock that is set forward shortens them.
#[doc(alias = "token_cache")]
#[doc(alias = "policy")]
pub struct Session {
    site: Site,
    app: App,
    clock: Clock,
    tokens: Tokens,
    lanes: Lanes,
    gates: Gates,
    woken: Woken,
    calls: u64,
    swept: Duration,
}

/// The id of a call in its session. Ids count up in the order of the calls' first steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// The id of a token request in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenRequestId(u64);

/// Whose token a call uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Credential {
    /// The session's, for a tenant in the case of a store app.
    Own(Option<TenantKey>),
    /// The caller's.
    Given(Option<HeaderValue>),
}

/// Without the token.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(tenant) => f.debug_tuple("Own").field(tenant).finish(),
            Self::Given(_) => f.write_str("Given(***)"),
        }
    }
}

/// The call that takes a step.
struct Caller<'a> {
    id: CallId,
    deadline: Duration,
    limits: &'a Limits,
    jitter: u64,
    /// Until when renewals may hold up the call; set when the call first finds a token that is due for renewal, also if
    /// another call drives that renewal.
    renews_until: &'a mut Option<Duration>,
}

/// Why a call does not send its request now.
enum Hold {
    /// A token request is sent first, to this route.
    Send(Box<Outgoing>, &'static str),
    /// The call waits until then, or until it is woken.
    Wait { until: Duration, reason: WaitFor },
    /// The call ends.
    End(Ending),
}

/// Why a call ends without an answer to its own request.
enum Ending {
    /// The request has no valid path.
    Invalid(Invalid),
    /// The deadline passed during this wait.
    Late(WaitFor),
    /// The time to the deadline is too short for another attempt.
    Last,
    /// The service's answer to another call holds for this one too.
    Told(Error),
    /// There is no token to be had.
    NoToken(Cause),
    NoApp,
    NoTenant,
    ForeignTenant,
}

/// The time since the session's first step: the sum of the forward steps of a wall clock, which may be set back.
#[derive(Debug, Default)]
struct Clock {
    last: Option<SystemTime>,
    elapsed: Duration,
}

impl Clock {
    fn tick(&mut self, now: SystemTime) -> Duration {
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
        Self {
            site,
            app,
            clock: Clock::default(),
            tokens: Tokens::default(),
            lanes: Lanes::default(),
            gates,
            woken: Woken::default(),
            calls: 0,
            swept: Duration::ZERO,
        }
    }

    /// Where the session's requests go.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The app that the session gets tokens for.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Takes the ids of the calls that are to take a step because of the steps taken since the last call of this
    /// method. Each method that takes the session by `&mut` is a step here: [`Call::next`], [`Call::received`],
    /// [`Call::broken`] and [`Call::cancel`], and the session's own methods for tokens and tickets. An adapter calls
    /// `woken` after each of them while it holds the session, releases the session, and then wakes these calls. A loop
    /// that steps all of its calls in turn does not need it.
    ///
    /// A call that is named may have a request in flight, such as the token request that it drives. It need not take a
    /// step before that request ends; if it does, [`Call::next`] lets it wait on, or go on without that token request.
    pub fn woken(&mut self) -> impl Iterator<Item = CallId> + use<> {
        self.woken.take().into_iter()
    }

    /// Sets the ticket of a store app, which the service pushes as an event every hour. Wakes the calls that wait for
    /// it.
    pub fn set_app_ticket(&mut self, ticket: AppTicket) {
        self.tokens.set_ticket(ticket, &mut self.woken);
    }

    /// Keeps `quota` on `route` in place of the documented one; [`Quota::NONE`] keeps none. The requests of a minute
    /// are counted from the first one under a quota that has such a limit. A rate refusal closes the route's gate in
    /// any case.
    pub fn set_quota(&mut self, route: &str, quota: Quota) {
        self.gates.set_quota(route, quota);
    }

    /// Sets whether the documented quotas are kept; by default they are, except for a site on loopback. A quota that
    /// [`set_quota`](Self::set_quota) has set is kept in any case.
    pub fn keep_quotas(&mut self, keep: bool) {
        self.gates.set_unlimited(!keep);
    }

    /// Reports the reply to a token request that is not reported through its call: the call has ended or gone on.
    /// Without effect if the outcome was reported before, or the session counts the request as failed, which it does
    /// after 61 s. Returns the event for the log if the service refused the request.
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

    /// Reports that the transport failed during a token request, as [`Session::token_received`].
    pub fn token_broken<T>(
        &mut self,
        request: TokenRequestId,
        now: SystemTime,
        broken: &Broken<T>,
    ) -> Option<Event> {
        let now = self.tick(now);
        let route = self.token_failure(request, now, broken)?;
        Some(Event::broken(route, &broken.text, true))
    }

    /// Reports that the adapter has given up a token request, as [`Session::token_received`]. It does not count as a
    /// failure of the service.
    pub fn token_dropped(&mut self, request: TokenRequestId, now: SystemTime) {
        let now = self.tick(now);
        self.tokens.dropped(request, now, &mut self.woken);
    }

    /// Whether no token request is in flight, and no call waits for a token or stands in a lane. Calls may still wait
    /// at a gate or for a backoff.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tokens.is_quiet() && self.lanes.is_empty()
    }

    /// The number of entries that the session keeps: tokens, token requests in flight, lanes and gates. Entries that
    /// are no longer needed are dropped once a minute, at a step.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.tokens.len() + self.lanes.len() + self.gates.len()
    }

    fn token_reply(
        &mut self,
        request: TokenRequestId,
        now: Duration,
        reply: Response<Bytes>,
    ) -> Option<(&'static str, Error)> {
        self.tokens.received(&self.app, &self.site, request, reply, now, &mut self.woken)
    }

    fn token_failure<T>(
        &mut self,
        request: TokenRequestId,
        now: Duration,
        broken: &Broken<T>,
    ) -> Option<&'static str> {
        self.tokens.broken(&self.app, request, broken, now, &mut self.woken)
    }

    fn tick(&mut self, now: SystemTime) -> Duration {
        let now = self.clock.tick(now);
        if now.saturating_sub(self.swept) >= SWEEP_INTERVAL {
            self.swept = now;
            self.tokens.sweep(now);
            self.lanes.sweep(now);
            self.gates.sweep(now);
        }
        now
    }

    fn now(&self) -> Duration {
        self.clock.elapsed
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}

/// Without tokens.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("site", &self.site)
            .field("app", &self.app)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}
