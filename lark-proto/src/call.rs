//! One call, from its token to its result: a machine that an adapter obeys.
//!
//! ```text
//!                    +-----------------------------------------------+
//!                    v                                               |
//!  Session::call -> next() --> Send(request) --> received(reply) ----+
//!                    | | |           |                               |
//!                    | | |           +---------> broken(failure) ----+
//!                    | | +-----> Wait(duration) ---------------------+
//!                    | +-------> Park(at most)  ---------------------+   another call has to move first
//!                    +---------> Done(result)
//! ```
//!
//! Along the way it goes through up to four gates, in this order: its lane, its token (which it may have to
//! fetch for all), the throttle of its route, and the count of its attempts.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use crate::body::Body;
use crate::code::Class;
use crate::endpoint::{self, Endpoint, Payload, Resend};
use crate::error::{CallError, Error, Failure};
use crate::reply::Reply;
use crate::retry::{Advice, Limits};
use crate::session::{CallId, Fetch, GateKey, Pass, Session, TokenPlan};
use crate::token::{Authorizes, TenantToken};
use crate::values::TenantKey;

/// The longest that any request may take: adapters add it to their clocks.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest pause that a refused request for a token imposes on other calls.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest that a request for a token may take: others wait for it.
const FETCH: Duration = Duration::from_secs(60);

/// What an adapter is to do next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
#[must_use = "a step that is not taken leaves the call where it is"]
pub enum Step<O, T> {
    /// Send the request, and tell the call what became of it: [`Call::received`] or [`Call::broken`].
    Send {
        /// The request.
        request: Request<Body>,
        /// The time that the call has left; give up then, with [`Call::broken`].
        within: Duration,
    },
    /// Come back after this time.
    Wait(Duration),
    /// Come back when another call of the session has moved, or after this time.
    Park(Duration),
    /// The call is over.
    Done(Result<O, CallError<T>>),
}

/// One call of a session; `T` is the transport's error.
///
/// A step takes the session and the time, which is to be read while the session is held. After each but a `next`
/// that gave [`Step::Park`], other calls may be able to move: wake the parked. A call has to be driven until
/// [`Step::Done`] or be given up with [`Call::cancel`], by a guard where it can be dropped: it may hold the session's
/// token fetch or a lane.
///
/// With one call at a time nothing is ever parked, and a transport is a loop:
///
/// ```
/// use lark_proto::{App, CallError, Endpoint, Failure, Session, Step, TenantToken, Authorizes};
/// # use std::time::SystemTime;
/// # use lark_proto::{Image, PutImage, Site, fake::FakeLark};
///
/// fn run<E: Endpoint>(
///     session: &mut Session,
///     endpoint: &E,
///     mut send: impl FnMut(http::Request<lark_proto::Body>) -> http::Response<bytes::Bytes>,
///     mut now: impl FnMut() -> SystemTime,
/// ) -> Result<E::Output, CallError<std::io::Error>>
/// where
///     TenantToken: Authorizes<E::Auth>,
/// {
///     let mut call = session.call(endpoint);
///     loop {
///         match call.next(session, now()) {
///             Step::Send { request, .. } => {
///                 let reply = send(request);
///                 call.received(session, now(), reply);
///             }
///             Step::Wait(time) | Step::Park(time) => std::thread::sleep(time),
///             Step::Done(result) => return result,
///         }
///     }
/// }
/// # let mut lark = FakeLark::new();
/// # let now = SystemTime::UNIX_EPOCH;
/// # let mut session = Session::new(Site::LARK, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?);
/// # let put = PutImage::message(Image::new("GIF89a")?)?;
/// # let send = |request: http::Request<lark_proto::Body>| lark.handle(now, request.map(lark_proto::Body::into_bytes));
/// # run(&mut session, &put, send, || now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Call<'e, E: Endpoint, T> {
    endpoint: &'e E,
    credential: Credential,
    limits: Limits,
    jitter: u64,
    /// Set by the first step.
    started: Option<Started>,
    /// What was sent and has not come back.
    in_flight: Option<Sent>,
    /// On the session's clock, as the deadline.
    wait_until: Duration,
    attempts: u32,
    failed_fetches: u32,
    /// How many fetches had failed when this call first waited for another's.
    failed_before: Option<u32>,
    /// The token was refused once.
    renewed: bool,
    /// The peer answered a body by closing once.
    cut: bool,
    /// What went wrong last, in case there is no time to try again.
    trouble: Option<CallError<T>>,
    outcome: Option<Result<E::Output, CallError<T>>>,
}

struct Started {
    id: CallId,
    deadline: Duration,
    /// Kept to be sent again, the same bytes: a clone shares the image.
    payload: Option<Payload>,
}

impl Session {
    /// A call with the session's own token: a custom app's.
    #[must_use]
    pub fn call<'e, E: Endpoint, T>(&self, endpoint: &'e E) -> Call<'e, E, T>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Call::new(endpoint, Credential::Own(None))
    }

    /// A call with the session's own token for `tenant`: a store app's.
    #[must_use]
    pub fn call_in<'e, E: Endpoint, T>(&self, tenant: TenantKey, endpoint: &'e E) -> Call<'e, E, T>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        Call::new(endpoint, Credential::Own(Some(tenant)))
    }

    /// A call with a given token, which is never renewed.
    #[must_use]
    pub fn call_as<'e, E: Endpoint, T>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &'e E,
    ) -> Call<'e, E, T> {
        Call::new(endpoint, Credential::Given(token.authorization()))
    }
}

/// Whose token a call uses.
enum Credential {
    /// The session's, for a tenant in the case of a store app.
    Own(Option<TenantKey>),
    /// The caller's.
    Given(Option<HeaderValue>),
}

enum Sent {
    Fetch { fetch: Fetch, at: Duration },
    Request { generation: u64, len: u64 },
}

impl<'e, E: Endpoint, T> Call<'e, E, T> {
    fn new(endpoint: &'e E, credential: Credential) -> Self {
        Self {
            endpoint,
            credential,
            limits: Limits::default(),
            jitter: 0,
            started: None,
            in_flight: None,
            wait_until: Duration::ZERO,
            attempts: 0,
            failed_fetches: 0,
            failed_before: None,
            renewed: false,
            cut: false,
            trouble: None,
            outcome: None,
        }
    }

    /// The same call within `limits`. Set before the first step.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same call with waits that a random number spreads: clients that fail together should not come back
    /// together. Set before the first step.
    #[must_use]
    pub fn jitter(self, jitter: u64) -> Self {
        Self { jitter, ..self }
    }

    /// How often the call's own request was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The route of the request that is out, and which attempt at it this is, counted from 1; the call's own where
    /// none is out.
    #[must_use]
    pub fn under_way(&self, session: &Session) -> (&'e str, u32) {
        match &self.in_flight {
            Some(Sent::Fetch { fetch, .. }) => {
                (fetch.route(session.app()), self.failed_fetches + 1)
            }
            _ => (self.endpoint.route(), self.attempts),
        }
    }

    /// What went wrong with the last request, if the call goes on all the same.
    #[must_use]
    pub fn trouble(&self) -> Option<&CallError<T>> {
        self.trouble.as_ref()
    }

    /// What to do next.
    pub fn next(&mut self, session: &mut Session, time: SystemTime) -> Step<E::Output, T> {
        let now = session.tick(time);
        let (limits, endpoint) = (self.limits, self.endpoint);
        let started = self.started.get_or_insert_with(|| {
            let payload = endpoint.payload();
            let len = payload.as_ref().map_or(0, |payload| payload.body.len());
            let total = limits.total.saturating_add(Duration::from_secs(len >> 16));
            Started { id: session.next_call(), deadline: now.saturating_add(total), payload }
        });
        let (id, left) = (started.id, started.deadline.saturating_sub(now));
        if let Some(outcome) = self.outcome.take() {
            started.deadline = Duration::ZERO;
            return Step::Done(outcome);
        }
        if left.is_zero() {
            let late = CallError::new(endpoint.route().to_owned(), Failure::Deadline);
            let error = self.trouble.take().unwrap_or(late);
            self.leave(session);
            return Step::Done(Err(error));
        }
        if self.in_flight.is_some() {
            return Step::Park(left);
        }
        if now < self.wait_until {
            return Step::Wait((self.wait_until - now).min(left));
        }
        if endpoint.lane().is_some_and(|lane| !session.lanes.enter(lane, id)) {
            return Step::Park(left);
        }
        let (authorization, generation) = match &self.credential {
            Credential::Given(authorization) => (authorization.clone(), 0),
            Credential::Own(tenant) => match session.token_plan(tenant, id, now) {
                TokenPlan::Use(token, generation) => (Some(token.header()), generation),
                TokenPlan::Fetch(fetch, request) => {
                    // What failed while this call waited for it counts as tried: with the host down, a thousand
                    // parked calls must not each try as often one after the other.
                    if let Some(before) = self.failed_before.take() {
                        let failed = session.failed_fetches(tenant).saturating_sub(before);
                        let most = limits.attempts.saturating_sub(1);
                        self.failed_fetches = self.failed_fetches.saturating_add(failed).min(most);
                    }
                    // Those who have a token need not wait for this one at the gate.
                    session.throttle.leave(&self.gate(), id);
                    self.in_flight = Some(Sent::Fetch { fetch, at: now });
                    return Step::Send { request, within: left.min(FETCH) };
                }
                TokenPlan::Park => {
                    self.failed_before.get_or_insert(session.failed_fetches(tenant));
                    session.throttle.leave(&self.gate(), id);
                    return Step::Park(left);
                }
                TokenPlan::Wait(time) => {
                    session.throttle.leave(&self.gate(), id);
                    return Step::Wait(time.min(left));
                }
                TokenPlan::End(route, failure) => {
                    let route = route.unwrap_or(endpoint.route()).to_owned();
                    self.end(session, Err(CallError::new(route, failure)));
                    return self.next(session, time);
                }
            },
        };
        match session.throttle.pass(&self.gate(), id, now) {
            Pass::Go => {}
            Pass::Wait(time) => return Step::Wait(time.min(left)),
            Pass::Park => return Step::Park(left),
        }
        let payload = self.started.as_ref().and_then(|started| started.payload.clone());
        let request = endpoint::request(endpoint, &session.site, authorization, payload);
        self.attempts += 1;
        self.in_flight = Some(Sent::Request { generation, len: request.body().len() });
        Step::Send { request, within: left.min(DAY) }
    }

    /// The reply to the request that was sent.
    pub fn received(&mut self, session: &mut Session, now: SystemTime, reply: Response<Bytes>) {
        let now = session.tick(now);
        let reply = Reply::new(reply);
        self.trouble = None;
        match self.in_flight.take() {
            Some(Sent::Fetch { fetch, at }) => {
                if let Err(error) = session.fetched(&fetch, self.tenant(), at, &reply) {
                    self.fetch_failed(session, now, &fetch, Failure::Lark(error));
                }
            }
            Some(Sent::Request { generation, .. }) => match E::read(&reply) {
                Ok(output) => {
                    self.open_gate(session, now);
                    self.end(session, Ok(output));
                }
                Err(error) => self.refused(session, now, generation, error),
            },
            None => {}
        }
    }

    /// The transport failed, or took longer than there was time, after `pulled` bytes of the body.
    pub fn broken(
        &mut self,
        session: &mut Session,
        now: SystemTime,
        failure: Failure<T>,
        pulled: u64,
    ) {
        let now = session.tick(now);
        self.trouble = None;
        let len = match self.in_flight.take() {
            Some(Sent::Request { len, .. }) => len,
            Some(Sent::Fetch { fetch, .. }) => {
                return self.fetch_failed(session, now, &fetch, failure);
            }
            None => return,
        };
        if let Some(started) = &self.started {
            // A probe that broke has told nothing; another may be the next.
            session.throttle.leave(&self.gate(), started.id);
        }
        // What has no body may have arrived all the same, unless its method says that this does not matter.
        let untouched = pulled == 0 && (len > 0 || self.endpoint.method().is_safe());
        let harmless = untouched || self.endpoint.resend() == Resend::Safe;
        // An edge that answers an upload by closing will do so again.
        let cut_again = pulled > 0 && std::mem::replace(&mut self.cut, true);
        let may = matches!(failure, Failure::Transport(_)) && harmless && !cut_again;
        let error = CallError::new(self.endpoint.route().to_owned(), failure);
        if may && self.wait(now, self.attempts, None) {
            self.trouble = Some(error);
        } else {
            self.end(session, Err(error));
        }
    }

    /// The caller has given up: what the call holds goes to the others. Harmless when the call is over.
    pub fn cancel(&mut self, session: &mut Session) {
        self.in_flight = None;
        let route = self.endpoint.route().to_owned();
        self.end(session, Err(CallError::new(route, Failure::Deadline)));
    }

    /// The service refused the call's own request.
    fn refused(&mut self, session: &mut Session, now: Duration, generation: u64, error: Error) {
        let advice = error.advice();
        let wait = match advice {
            Advice::Again { after } => self.pause(self.attempts, after),
            _ => Duration::ZERO,
        };
        match (error.is_for_all(), &self.started) {
            (true, Some(started)) => {
                // A wait that this call does not have the patience for is not imposed on the others: after the
                // longest that it would have waited itself, one of them asks again.
                let wait = wait.min(self.limits.longest_wait);
                session.throttle.close(self.gate(), started.id, now, wait);
            }
            _ => self.open_gate(session, now),
        }
        // For the other calls, also where this one has to end.
        let another = match (advice, &self.credential) {
            (Advice::Renew, Credential::Own(tenant)) => {
                let class = error.api().map(|api| api.code.class());
                session.token_refused(tenant, generation, class == Some(Class::AppToken), now)
            }
            _ => false,
        };
        let may = self.endpoint.resend() == Resend::Safe && self.attempts < self.limits.attempts;
        let goes_on = may
            && match advice {
                Advice::Renew => another && !std::mem::replace(&mut self.renewed, true),
                Advice::Again { after } => self.wait(now, self.attempts, after),
                _ => false,
            };
        let error = CallError::new(self.endpoint.route().to_owned(), Failure::Lark(error));
        if goes_on {
            self.trouble = Some(error);
        } else {
            self.end(session, Err(error));
        }
    }

    /// A request for a token failed.
    fn fetch_failed(
        &mut self,
        session: &mut Session,
        now: Duration,
        fetch: &Fetch,
        failure: Failure<T>,
    ) {
        let Some(Started { id, .. }) = self.started else { return };
        let route = fetch.route(session.app());
        self.failed_fetches = self.failed_fetches.saturating_add(1);
        session.count_failed_fetch(self.tenant());
        let may = self.failed_fetches < self.limits.attempts;
        let verdict = match &failure {
            Failure::Lark(error) => Some(error),
            _ => None,
        };
        let after = match verdict.map(Error::advice) {
            Some(Advice::Again { after }) => Some(after),
            None if matches!(failure, Failure::Transport(_) | Failure::Deadline) => Some(None),
            _ => None,
        };
        // For the other calls, also where this one has to end.
        let recovered = verdict.is_some_and(|error| session.recovers(fetch, error, now));
        let has_token = session.has_other(fetch, self.tenant(), now);
        let waits = may
            && !has_token
            && after.is_some_and(|after| self.wait(now, self.failed_fetches, after));
        // Nobody is to ask at once for what cannot be had now.
        let pause = after.flatten().unwrap_or_default();
        let hopeless = !recovered && (after.is_none() || pause > PAUSE);
        let verdict = verdict.filter(|_| hopeless);
        let goes_on = recovered && may
            || waits
            || session.fetch_failed(fetch, self.tenant(), id, verdict, pause.min(PAUSE), now);
        let error = CallError::new(route, failure);
        if goes_on {
            self.trouble = Some(error);
        } else {
            self.end(session, Err(error));
        }
    }

    /// Has the next step wait, for `after` or for a time that grows; false if that is too long or too often.
    fn wait(&mut self, now: Duration, failures: u32, after: Option<Duration>) -> bool {
        let wait = self.pause(failures, after);
        let until = now.saturating_add(wait);
        let in_time = self.started.as_ref().is_some_and(|started| until < started.deadline);
        if failures >= self.limits.attempts || wait > self.limits.longest_wait || !in_time {
            return false;
        }
        self.wait_until = until;
        true
    }

    /// What the service named, unless that is no time at all; else a time that grows.
    fn pause(&self, failures: u32, after: Option<Duration>) -> Duration {
        let named = after.filter(|after| !after.is_zero());
        named.unwrap_or_else(|| self.limits.backoff(failures, self.jitter))
    }

    fn tenant(&self) -> &Option<TenantKey> {
        match &self.credential {
            Credential::Own(tenant) => tenant,
            Credential::Given(_) => &None,
        }
    }

    fn gate(&self) -> GateKey {
        (self.endpoint.route().to_owned().into(), self.tenant().clone())
    }

    fn open_gate(&self, session: &mut Session, now: Duration) {
        if let Some(started) = &self.started {
            session.throttle.open(&self.gate(), started.id, now);
        }
    }

    fn end(&mut self, session: &mut Session, outcome: Result<E::Output, CallError<T>>) {
        self.leave(session);
        self.outcome = Some(outcome);
    }

    fn leave(&mut self, session: &mut Session) {
        let Some(Started { id, .. }) = self.started else { return };
        session.throttle.leave(&self.gate(), id);
        session.leave_tokens(self.tenant(), id);
        if let Some(lane) = self.endpoint.lane() {
            session.lanes.leave(lane, id);
        }
    }
}

impl<E: Endpoint, T> fmt::Debug for Call<'_, E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("route", &self.endpoint.route())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
