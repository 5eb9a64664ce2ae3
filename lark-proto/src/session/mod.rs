//! The policy: what the calls of one client share, and how a call gets from its token to its result.
//!
//! A [`Call`] is a machine that an adapter obeys: it says send, wait or done. What calls share is a [`Session`]: plain
//! data without a lock or a clock, which each step takes by `&mut`.
//!
//! ```text
//!            next                    next                        received, broken
//!   (New) ---------> (Pending) ------------------------> (Sent) ------------------> (Over) --next--> Done
//!                     |  ^  ^    lane, token, gate         |
//!                     |  |  +------------------------------+
//!                     |  |            to be sent again
//!                     +--+  Wait: it rests, or stands in a queue
//!                     +--+  Send: a token request of the session's, which this call drives
//! ```
//!
//! A request passes, in this order, its *lane* (what must not overlap goes one after the other), its *token* (got and
//! renewed for all calls by one of them) and its *gate* (how many requests a second a route takes). Whoever leaves a
//! queue names the next call: [`Session::woken`] says which calls may go on.
//!
//! The files: `call` is the face of the machine and `step` what it says, `flight` the policy of one call, `course` adds the
//! errors that it meets, `tokens` and `slot` are the life of tokens, `lanes` and `gates` the queues, `limits` what a caller
//! allows, `event` what a log can be told, `drive` calls of several endpoints in one queue, `export` tokens as text.

mod call;
mod course;
mod drive;
mod event;
mod export;
mod flight;
mod gates;
mod lanes;
mod limits;
mod slot;
mod step;
mod tokens;

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response};

use crate::endpoint::Quota;
use crate::error::{Error, Failure, WaitFor};
use crate::site::Site;
use crate::values::{App, AppTicket, TenantKey};

pub use call::{Call, Heard};
pub use drive::Drive;
pub use event::Event;
pub use limits::Limits;
pub use step::{Outgoing, Permanence, Phases, Purpose, Step};

use gates::Gates;
use lanes::Lanes;
use limits::backoff;
use tokens::{Cause, Tokens};

/// How often the entries that nobody needs any longer are dropped.
const SWEEP: Duration = Duration::from_secs(60);

/// What the calls of one client share: tokens, lanes, gates.
///
/// It is plain data that every step of a [`Call`] takes by `&mut`: an adapter keeps it behind a lock, a single-threaded
/// loop just holds it.
///
/// The time is an argument, `now`. A clock that is set back only makes the session wait a little longer: what counts is
/// how far it went forward.
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

/// A call of a session. Ids count up in the order of the calls' first steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// A token request of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(u64);

/// The calls that may go on, each once.
type Woken = BTreeSet<CallId>;

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
    /// Until when renewals hold it up; set by the first one that it drives.
    renews_until: &'a mut Option<Duration>,
}

/// Why a call does not send its request now.
enum Hold {
    /// A token request goes first, to this route.
    Send(Box<Outgoing>, &'static str),
    /// Until then, or until the call is named.
    Wait { until: Duration, reason: WaitFor },
    /// The call ends.
    End(Ending),
}

/// Why a call ends without an answer of its own.
enum Ending {
    /// Its time is up.
    Late(WaitFor),
    /// What is left of its time is too short for another try.
    Last,
    /// What the service said to other calls holds for this one.
    Told(Error),
    /// There is no token to be had.
    NoToken(Cause),
    NoApp,
    NoTenant,
    ForeignTenant,
}

/// How much time has passed since the session's first step, by a wall clock that may be set back.
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
            woken: Woken::new(),
            calls: 0,
            swept: Duration::ZERO,
        }
    }

    /// Where the session's requests go.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The app that the session's own tokens are of.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The calls that may go on because of the steps taken since this was last asked, each once. An adapter takes them
    /// while it holds the session, lets go of it, and wakes them. A loop that steps all its calls in turn need not ask.
    pub fn woken(&mut self) -> impl Iterator<Item = CallId> + use<> {
        std::mem::take(&mut self.woken).into_iter()
    }

    /// The latest ticket of a store app, as the event brought it. Wakes the calls that wait for it.
    pub fn set_app_ticket(&mut self, ticket: AppTicket) {
        self.tokens.set_ticket(ticket, &mut self.woken);
    }

    /// Keeps `quota` on `route` in place of the documented one; [`Quota::NONE`] keeps none. The service's refusals are
    /// heeded in any case.
    pub fn set_quota(&mut self, route: &str, quota: Quota) {
        self.gates.set_quota(route, quota);
    }

    /// Whether the documented quotas are kept: from the start, but for a site on loopback.
    pub fn keep_quotas(&mut self, keep: bool) {
        self.gates.set_unlimited(!keep);
    }

    /// The reply to a token request that outlived the call that drove it, or is driven beside its call. A request that
    /// is unknown, since something was said of it before or it took too long, changes nothing.
    pub fn token_received(&mut self, request: FetchId, now: SystemTime, reply: Response<Bytes>) {
        let now = self.tick(now);
        self.token_reply(request, now, reply);
    }

    /// The transport failed under a token request.
    pub fn token_broken<T: std::error::Error>(
        &mut self,
        request: FetchId,
        now: SystemTime,
        failure: &Failure<T>,
        permanence: Permanence,
    ) {
        let now = self.tick(now);
        self.token_failure(request, now, failure, permanence);
    }

    /// A token request was given up: nothing will be said of it.
    pub fn token_dropped(&mut self, request: FetchId, now: SystemTime) {
        let now = self.tick(now);
        self.tokens.dropped(request, now, &mut self.woken);
    }

    /// No token request is in flight, and no call waits for a token or stands in a lane.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tokens.is_quiet() && self.lanes.is_empty()
    }

    /// How many tokens, lanes and gates the session keeps in mind. Those that are not needed are dropped within a
    /// minute, when a call takes a step.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.tokens.len() + self.lanes.len() + self.gates.len()
    }

    fn token_reply(
        &mut self,
        request: FetchId,
        now: Duration,
        reply: Response<Bytes>,
    ) -> Option<(&'static str, Error)> {
        self.tokens.received(&self.app, request, reply, now, &mut self.woken)
    }

    fn token_failure<T: std::error::Error>(
        &mut self,
        request: FetchId,
        now: Duration,
        failure: &Failure<T>,
        permanence: Permanence,
    ) -> Option<&'static str> {
        let is_permanent = permanence == Permanence::Permanent;
        self.tokens.broken(&self.app, request, failure, is_permanent, now, &mut self.woken)
    }

    fn tick(&mut self, now: SystemTime) -> Duration {
        let now = self.clock.tick(now);
        if now.saturating_sub(self.swept) >= SWEEP {
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
