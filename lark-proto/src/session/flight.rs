//! The policy of one call, without its types: what it sends next, and what an answer means for it.
//!
//! Compiled once for all endpoints: [`Call`](super::Call) adds the endpoint's output and the transport's error.

use std::time::Duration;

use http::HeaderValue;

use super::event::{Event, Events};
use super::slot::Refusal;
use super::step::{Outgoing, Permanence, Phases, Purpose};
use super::{CallId, Caller, Credential, Ending, Hold, Limits, Session, WaitFor, backoff};
use crate::draft::Draft;
use crate::endpoint::{Endpoint, Quota, Resend, draft};
use crate::error::{Advice, ApiError, Class, Code, Error, Outcome};
use crate::text::Secrets;
use crate::values::AppId;

/// The least wait before a write is sent again after HTTP 502 or 504: the first send may still be running.
const MIN_GATEWAY_PAUSE: Duration = Duration::from_secs(2);
/// The longest time that a transport is given, to send or to wait: some clocks overflow when a longer one is added.
pub(super) const MAX_TRANSPORT_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One call as the session sees it.
pub(super) struct Flight {
    draft: Draft,
    route: Box<str>,
    lane: Option<Box<str>>,
    resend: Resend,
    quota: Quota,
    reply_limit: u64,
    pub(super) credential: Credential,
    /// The `Authorization` header of the request that was sent last.
    authorization: Option<HeaderValue>,
    pub(super) limits: Limits,
    pub(super) jitter: u64,
    used: Used,
    state: State,
    pub(super) events: Events,
}

/// The state of a call; the module doc of the session shows the diagram.
enum State {
    /// No step was taken.
    New,
    /// It waits in a queue, or for `not_before`, the end of a backoff.
    Pending { turn: Turn, not_before: Duration },
    /// Its request is in flight.
    Sent { turn: Turn, at: Duration, generation: u64 },
    /// It has its result, or was given up.
    Over,
}

/// The id and the times of a call that has taken its first step.
#[derive(Clone, Copy)]
struct Turn {
    id: CallId,
    started: Duration,
    deadline: Duration,
}

/// The sends, attempts and waits of a call so far, which its limits bound.
#[derive(Default)]
struct Used {
    /// How often the request was sent.
    sends: u32,
    /// How many of these sends count as attempts.
    attempts: u32,
    /// Refusals that cost no attempt, since the last failure that did.
    delays: u32,
    /// How long the last request was in flight.
    took: Duration,
    /// When the document became busy, for a call without a lane.
    busy_since: Option<Duration>,
    /// See [`Caller::renews_until`].
    renews_until: Option<Duration>,
    /// The reason of the last wait.
    waited_for: Option<WaitFor>,
    /// The last connection broke.
    fresh_connection: bool,
}

/// The call's own request may be sent. The request itself, which is large, is made only when it is handed to the
/// transport.
#[derive(Clone, Copy)]
pub(super) struct Permit {
    within: Duration,
    fresh_connection: bool,
}

/// The outcome of a request.
#[derive(Clone, Copy)]
pub(super) enum Answer<'a> {
    Success,
    Refused(&'a Error),
    Broken { pulled: u64, permanence: Permanence, is_late: bool, text: &'a str },
}

/// The verdict on an answer: whether the call is sent again, and what its request may have done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) goes_on: bool,
    pub(super) outcome: Outcome,
}

/// Why a request is sent again, the wait that the service named, and what else the wait depends on.
#[derive(Clone, Copy)]
enum Again {
    /// With another token.
    Token(Refusal),
    /// The service refused the request for its rate; `rest` is the wait, named or not.
    Rate { named: Option<Duration>, rest: Duration },
    /// The document is busy.
    Busy { named: Option<Duration>, since: Duration },
    /// The service or the connection failed.
    Attempt { named: Option<Duration>, at_least: Duration },
}

impl Flight {
    pub(super) fn new<E: Endpoint>(endpoint: &E, credential: Credential) -> Self {
        Self {
            draft: draft(endpoint),
            route: endpoint.route().into(),
            lane: endpoint.serial_key().map(Into::into),
            resend: endpoint.resend(),
            quota: endpoint.quota(),
            reply_limit: endpoint.reply_limit(),
            credential,
            authorization: None,
            limits: Limits::default(),
            jitter: 0,
            used: Used::default(),
            state: State::New,
            events: Events::default(),
        }
    }

    pub(super) fn route(&self) -> &str {
        &self.route
    }

    pub(super) fn sends(&self) -> u32 {
        self.used.sends
    }

    pub(super) fn id(&self) -> Option<CallId> {
        match self.state {
            State::Pending { turn, .. } | State::Sent { turn, .. } => Some(turn.id),
            State::New | State::Over => None,
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        matches!(self.state, State::Sent { .. })
    }

    /// Whether the last wait of the call was for a token.
    pub(super) fn waits_for_token(&self) -> bool {
        self.used.waited_for == Some(WaitFor::Token)
    }

    /// What to send next, or what to do instead.
    pub(super) fn next(&mut self, session: &mut Session, now: Duration) -> Result<Permit, Hold> {
        let (turn, not_before) = match self.state {
            State::New => {
                let time = self.limits.time(self.draft.len());
                let deadline = now.saturating_add(time);
                (Turn { id: session.next_call(), started: now, deadline }, now)
            }
            State::Pending { turn, not_before } => (turn, not_before),
            State::Sent { turn, .. } if now < turn.deadline => {
                return Err(Hold::Wait { until: turn.deadline, reason: WaitFor::Reply });
            }
            State::Sent { .. } | State::Over => {
                self.cancel(session);
                return Err(Hold::End(Ending::Late(WaitFor::Reply)));
            }
        };
        session.woken.remove(turn.id);
        let mut step = self.proceed(session, turn, not_before, now);
        match &mut step {
            Ok(_) => {
                let (send, len) = (self.used.sends, self.draft.len());
                self.events.push(|| Event::Sent { route: self.route.clone(), send, len });
            }
            Err(Hold::Send(outgoing, route)) => {
                self.state = State::Pending { turn, not_before };
                self.used.waited_for = Some(WaitFor::Token);
                let (route, len) = (*route, outgoing.request.body().len());
                self.events.push(|| Event::Sent { route: route.into(), send: 0, len });
            }
            Err(Hold::Wait { until, reason }) => {
                self.state = State::Pending { turn, not_before };
                self.used.waited_for = Some(*reason);
                *until = turn.deadline.min(*until);
                let (reason, time) = (*reason, until.saturating_sub(now));
                self.events.push(|| Event::Waits { reason, time });
            }
            Err(Hold::End(_)) => self.end(session, turn, now),
        }
        step
    }

    /// Passes the stages before a send, in this order: valid path, deadline, backoff, lane, token, gate.
    fn proceed(
        &mut self,
        session: &mut Session,
        turn: Turn,
        not_before: Duration,
        now: Duration,
    ) -> Result<Permit, Hold> {
        self.draft.check().map_err(|invalid| Hold::End(Ending::Invalid(invalid)))?;
        self.in_time(turn, now)?;
        rest(not_before, now)?;
        self.enter_lane(session, turn, now)?;
        let generation = self.take_token(session, turn, now)?;
        self.pass_gate(session, turn, now)?;
        Ok(self.send(turn, generation, now))
    }

    /// Ends the call at its deadline; earlier if less time is left than the last request took, since the next one would
    /// not be answered in time.
    fn in_time(&self, turn: Turn, now: Duration) -> Result<(), Hold> {
        if now >= turn.deadline {
            return Err(Hold::End(self.used.waited_for.map_or(Ending::Last, Ending::Late)));
        }
        if now.saturating_add(self.used.took) > turn.deadline {
            return Err(Hold::End(Ending::Last));
        }
        Ok(())
    }

    fn enter_lane(&self, session: &mut Session, turn: Turn, now: Duration) -> Result<(), Hold> {
        let Some(lane) = &self.lane else { return Ok(()) };
        session.lanes.enter(lane, turn.id, self.limits.busy, now)
    }

    /// The generation of the session's token.
    fn take_token(
        &mut self,
        session: &mut Session,
        turn: Turn,
        now: Duration,
    ) -> Result<u64, Hold> {
        let Credential::Own(tenant) = &self.credential else { return Ok(0) };
        let Session { app, site, tokens, woken, gates, .. } = session;
        let caller = &mut caller(turn, &self.limits, self.jitter, &mut self.used.renews_until);
        tokens.take(app, site, tenant, caller, now, woken).inspect_err(|_| {
            // The calls behind this one at the gate need not wait for it: they have a token, or find out that they have
            // none.
            gates.leave(&self.credential, &self.route, self.quota, turn.id, now, woken);
        })
    }

    fn pass_gate(&mut self, session: &mut Session, turn: Turn, now: Duration) -> Result<(), Hold> {
        let Session { gates, woken, .. } = session;
        let caller = caller(turn, &self.limits, self.jitter, &mut self.used.renews_until);
        gates.pass(&self.credential, &self.route, self.quota, &caller, now, woken)
    }

    fn send(&mut self, turn: Turn, generation: u64, now: Duration) -> Permit {
        self.used.sends += 1;
        self.used.attempts += 1;
        self.state = State::Sent { turn, at: now, generation };
        let within = turn.deadline.saturating_sub(now).min(MAX_TRANSPORT_TIME);
        let fresh_connection = std::mem::take(&mut self.used.fresh_connection);
        Permit { within, fresh_connection }
    }

    /// The call's own request.
    pub(super) fn outgoing(&mut self, session: &Session, permit: Permit) -> Outgoing {
        let Permit { within, fresh_connection } = permit;
        self.authorization = match &self.credential {
            Credential::Given(authorization) => authorization.clone(),
            Credential::Own(tenant) => {
                session.tokens.held(tenant).map(|(token, _)| token.header_value())
            }
        };
        Outgoing {
            request: self.draft.request(&session.site, self.authorization.clone()),
            purpose: Purpose::Call,
            within,
            keep_for: within,
            phases: Phases::of(self.draft.len()),
            reply_limit: self.reply_limit,
            fresh_connection,
        }
    }

    /// The secrets of the call's own request.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new(self.authorization.clone(), Vec::new())
    }

    /// The app whose token the call uses, as far as the session knows.
    pub(super) fn app_id<'s>(&self, session: &'s Session) -> Option<&'s AppId> {
        match self.credential {
            Credential::Own(_) => session.app.id(),
            Credential::Given(_) => None,
        }
    }

    /// Reports the answer to the request in flight. `None` if there is none.
    pub(super) fn answered(
        &mut self,
        session: &mut Session,
        answer: Answer<'_>,
        now: Duration,
    ) -> Option<Verdict> {
        let State::Sent { turn, at, generation } = self.state else { return None };
        self.used.took = now.saturating_sub(at);
        let outcome = self.outcome(answer);
        let turn = self.bounded(turn, at, outcome);
        // The session learns from the answer also where this call ends.
        let again = self.learn(session, turn, generation, answer, now);
        let not_before = again.and_then(|again| self.rest_before(again, outcome, turn, now));
        let verdict = Verdict { goes_on: not_before.is_some(), outcome };
        match answer {
            Answer::Success => {}
            Answer::Refused(error) => {
                self.events.push(|| Event::refused(&self.route, error, verdict.goes_on));
            }
            Answer::Broken { text, .. } => {
                self.events.push(|| Event::broken(&self.route, text, verdict.goes_on));
            }
        }
        match not_before {
            Some(not_before) => self.state = State::Pending { turn, not_before },
            None => self.end(session, turn, now),
        }
        Some(verdict)
    }

    /// The turn of a request that was sent at this time. A second send is idempotent for some time only, and a call
    /// that waits in a queue may be sent at any time before its deadline, so the deadline is no later than that time.
    fn bounded(&self, turn: Turn, sent: Duration, outcome: Outcome) -> Turn {
        match self.resend {
            Resend::SafeFor(time) if outcome == Outcome::Unknown => {
                Turn { deadline: turn.deadline.min(sent.saturating_add(time)), ..turn }
            }
            _ => turn,
        }
    }

    /// Whether the request may have been carried out. Not used for a success.
    fn outcome(&self, answer: Answer<'_>) -> Outcome {
        match answer {
            Answer::Success => Outcome::Unknown,
            Answer::Refused(error) => error.outcome(),
            // A request without a body may have arrived all the same, unless its method changes nothing.
            Answer::Broken { pulled: 0, .. } if self.draft.len() > 0 || self.draft.is_read() => {
                Outcome::NotSent
            }
            Answer::Broken { .. } => Outcome::Unknown,
        }
    }

    /// Tells the session what the answer says about its tokens, the document and the route. Returns why the request may
    /// be sent again; `None` after a success, a deadline, or a failure that another send would meet again.
    fn learn(
        &mut self,
        session: &mut Session,
        turn: Turn,
        generation: u64,
        answer: Answer<'_>,
        now: Duration,
    ) -> Option<Again> {
        self.learn_of_document(session, answer, now);
        let error = match answer {
            Answer::Success => return None,
            Answer::Broken { permanence, is_late, .. } => {
                self.used.fresh_connection = true;
                let passes = permanence == Permanence::Transient && !is_late;
                return passes.then_some(Again::Attempt { named: None, at_least: Duration::ZERO });
            }
            Answer::Refused(error) => error,
        };
        let class = error.api().map(ApiError::class);
        let named = match error.advice() {
            Advice::GiveUp => return None,
            Advice::Again { after } => after.filter(|after| !after.is_zero()),
            Advice::RenewToken => {
                let Credential::Own(tenant) = &self.credential else { return None };
                let by_app_token = class == Some(Class::AppToken);
                let Session { tokens, woken, .. } = session;
                let refusal = tokens.refused(tenant, generation, by_app_token, now, woken);
                return Some(Again::Token(refusal));
            }
        };
        if class == Some(Class::DocumentBusy) {
            let since = match &self.lane {
                Some(lane) => session.lanes.busy(lane, turn.id, error, now, &mut session.woken),
                None => *self.used.busy_since.get_or_insert(now),
            };
            return Some(Again::Busy { named, since });
        }
        if !is_rate_refusal(error) {
            let is_write = is_gateway(error) && !self.draft.is_read();
            let at_least = if is_write { MIN_GATEWAY_PAUSE } else { Duration::ZERO };
            return Some(Again::Attempt { named, at_least });
        }
        let mut rest = named.unwrap_or_else(|| backoff(self.used.delays + 1, self.jitter));
        if is_route_limit(error) {
            let Session { gates, woken, .. } = session;
            rest = gates.refused(&self.credential, &self.route, rest, error, now, woken);
        }
        Some(Again::Rate { named, rest })
    }

    /// Notes whether a write may still be running, and whether the document is no longer busy.
    fn learn_of_document(&mut self, session: &mut Session, answer: Answer<'_>, now: Duration) {
        let may_run = match answer {
            Answer::Success => false,
            Answer::Broken { pulled, .. } => pulled >= self.draft.len(),
            Answer::Refused(error) => is_gateway(error),
        };
        match &self.lane {
            Some(lane) if may_run => session.lanes.unsettle(lane, now),
            Some(lane) if is_document_answer(answer) => session.lanes.calm(lane),
            None if is_document_answer(answer) => self.used.busy_since = None,
            _ => {}
        }
    }

    /// When the request is sent again; `None` if the limits of the call do not allow it.
    fn rest_before(
        &mut self,
        again: Again,
        outcome: Outcome,
        turn: Turn,
        now: Duration,
    ) -> Option<Duration> {
        if outcome == Outcome::Unknown && self.resend == Resend::Unsafe {
            return None;
        }
        let Limits { longest_wait, busy, attempts, .. } = self.limits;
        let is_patient = |named: Option<Duration>| named.is_none_or(|wait| wait <= longest_wait);
        let not_before = match again {
            Again::Rate { named, .. } | Again::Busy { named, .. } if !is_patient(named) => {
                return None;
            }
            Again::Rate { .. } if attempts <= 1 => return None,
            Again::Rate { rest, .. } => now.saturating_add(self.delay(Some(rest))),
            Again::Busy { since, .. } if now >= since && attempts <= 1 => return None,
            Again::Busy { since, named } => {
                let ends = since.saturating_add(busy);
                if now >= ends {
                    return None;
                }
                now.saturating_add(self.delay(named)).min(ends)
            }
            _ if self.used.attempts >= attempts => return None,
            Again::Token(Refusal::Replace) => now,
            Again::Token(Refusal::Stays) => {
                now.saturating_add(backoff(self.used.attempts, self.jitter))
            }
            Again::Attempt { named, .. } if !is_patient(named) => return None,
            Again::Attempt { named, at_least } => {
                self.used.delays = 0;
                let backoff = || backoff(self.used.attempts, self.jitter);
                now.saturating_add(named.unwrap_or_else(backoff).max(at_least))
            }
        };
        let ends = not_before.saturating_add(self.used.took);
        (ends <= turn.deadline && not_before < turn.deadline).then_some(not_before)
    }

    /// Takes back the attempt that the last send cost, and returns the wait before the next one.
    fn delay(&mut self, named: Option<Duration>) -> Duration {
        self.used.attempts = self.used.attempts.saturating_sub(1);
        self.used.delays = self.used.delays.saturating_add(1);
        named.unwrap_or_else(|| backoff(self.used.delays, self.jitter))
    }

    /// Ends the call because its caller gave it up.
    pub(super) fn cancel(&mut self, session: &mut Session) {
        let now = session.now();
        let (State::Pending { turn, .. } | State::Sent { turn, .. }) = self.state else {
            self.state = State::Over;
            return;
        };
        if let (State::Sent { .. }, Some(lane)) = (&self.state, &self.lane) {
            session.lanes.unsettle(lane, now);
        }
        self.end(session, turn, now);
    }

    /// Ends the call: takes it out of every queue, and wakes the next call of each.
    fn end(&mut self, session: &mut Session, turn: Turn, now: Duration) {
        let Session { lanes, tokens, gates, woken, .. } = session;
        if let Some(lane) = &self.lane {
            lanes.leave(lane, turn.id, now, woken);
        }
        if let Credential::Own(tenant) = &self.credential {
            tokens.leave(tenant, turn.id, woken);
        }
        // A request that was sent has passed its gate.
        if !self.is_sent() {
            gates.leave(&self.credential, &self.route, self.quota, turn.id, now, woken);
        }
        woken.remove(turn.id);
        self.state = State::Over;
        let sends = self.used.sends;
        let took = now.saturating_sub(turn.started);
        self.events.push(|| Event::Done { route: self.route.clone(), took, sends });
    }
}

fn rest(not_before: Duration, now: Duration) -> Result<(), Hold> {
    if now < not_before {
        return Err(Hold::Wait { until: not_before, reason: WaitFor::Backoff });
    }
    Ok(())
}

fn caller<'a>(
    turn: Turn,
    limits: &'a Limits,
    jitter: u64,
    renews_until: &'a mut Option<Duration>,
) -> Caller<'a> {
    Caller { id: turn.id, deadline: turn.deadline, limits, jitter, renews_until }
}

/// Whether a gateway answered (HTTP 502 or 504) while the service may still be working on the request.
fn is_gateway(error: &Error) -> bool {
    matches!(error.status().as_u16(), 502 | 504)
}

/// Whether the answer comes from the document, and is not that it is busy.
fn is_document_answer(answer: Answer<'_>) -> bool {
    match answer {
        Answer::Success => true,
        Answer::Refused(Error::Api(api)) => !matches!(
            api.class(),
            Class::DocumentBusy | Class::RateLimit | Class::TenantToken | Class::AppToken
        ),
        Answer::Refused(_) | Answer::Broken { .. } => false,
    }
}

/// Whether the service refused the request because there were too many.
fn is_rate_refusal(error: &Error) -> bool {
    let is_status = error.status() == http::StatusCode::TOO_MANY_REQUESTS;
    error.api().map_or(is_status, ApiError::is_rate_limit)
}

/// Whether the refusal is that of the gateway, which counts requests by route; other rate limits count by user or
/// group.
fn is_route_limit(error: &Error) -> bool {
    let code = error.api().map(|api| api.code);
    code == Some(Code::RATE_LIMITED) || error.status() == http::StatusCode::TOO_MANY_REQUESTS
}
