//! The state machine of one call: which request it sends next, and what the result of a request means.
//!
//! [`State`] lists the states. The doc of the `session` module has a diagram of the transitions.

mod retry;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::api::{Draft, Endpoint, Quota, Resend};
use crate::error::{Error, Outcome, WaitFor};
use crate::session::caller::{Caller, Credential};
use crate::session::event::{Event, Events};
use crate::session::hold::{Ending, Hold};
use crate::session::limits::Limits;
use crate::session::moment::Moment;
use crate::session::queue::CallId;
use crate::session::session::Session;
use crate::session::step::{Outgoing, Purpose};
use crate::session::timeouts::Timeouts;
use crate::session::transport_failure::Permanence;
use crate::text::Secrets;
use crate::values::AppId;

/// The longest wait or request timeout that a step returns. Adding a longer duration overflows some clocks.
pub(super) const MAX_ADAPTER_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The state machine of one call. See the doc of the `call` module for the types around it.
pub(super) struct CallMachine {
    draft: Draft,
    route: Box<str>,
    lane: Option<Box<str>>,
    resend: Resend,
    quota: Quota,
    reply_limit: u64,
    pub(super) credential: Credential,
    /// The `Authorization` header of the last request.
    authorization: Option<HeaderValue>,
    /// The secrets in the payload.
    in_payload: Vec<String>,
    /// The secrets in the payload, and those of the session when the request was sent, because the service may quote
    /// these too.
    quotable: Arc<[String]>,
    pub(super) limits: Limits,
    pub(super) jitter: u64,
    progress: Progress,
    state: State,
    pub(super) events: Events,
}

/// The state of a call. The doc of the `session` module has the diagram.
enum State {
    /// The call has taken no step.
    New,
    /// The call waits in a queue, or until `not_before`, the end of a backoff.
    Pending { started: StartedCall, not_before: Moment },
    /// The call's request is in flight. It was sent with the session's token of `generation`.
    Sent { started: StartedCall, sent_at: Moment, generation: u64 },
    /// The call has its result, or was cancelled.
    Over,
}

/// The id and the times of a call that has taken its first step.
#[derive(Clone, Copy)]
struct StartedCall {
    id: CallId,
    at: Moment,
    deadline: Moment,
}

/// The parts of its limits that a call has used so far, and the state that it keeps for its next step.
#[derive(Default)]
struct Progress {
    /// The number of times the request was sent.
    sends: u32,
    /// The number of sends that count as attempts.
    attempts: u32,
    /// The number of refusals that cost no attempt. A retry after another failure resets it, unless that failure is a
    /// refused token.
    free_retries: u32,
    /// The time for which the last request was in flight.
    took: Duration,
    /// The time since which the document has been busy, for a call without a lane.
    busy_since: Option<Moment>,
    /// See [`Caller::renewal_deadline`].
    renewal_deadline: Option<Moment>,
    /// The reason of the last wait.
    waited_for: Option<WaitFor>,
    /// Whether the next request needs a fresh connection, because the last connection broke.
    fresh_connection: bool,
}

/// The permission to send the call's own request. The request itself is large, so it is made only when it is handed to
/// the transport.
#[derive(Clone, Copy)]
pub(super) struct Permit {
    call_timeout: Duration,
    fresh_connection: bool,
}

/// The result of a request.
#[derive(Clone, Copy)]
pub(super) enum RequestResult<'a> {
    Success,
    Refused(&'a Error),
    /// The request got no reply. `is_late` means that its `call_timeout` passed. `text` is the failure in one line.
    Failed {
        pulled: u64,
        permanence: Permanence,
        is_late: bool,
        text: &'a str,
    },
}

/// Whether the request is sent again after a result, and whether it may have been carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) will_retry: bool,
    pub(super) outcome: Outcome,
}

impl CallMachine {
    pub(super) fn new<E: Endpoint>(endpoint: &E, credential: Credential) -> Self {
        Self {
            draft: Draft::of(endpoint),
            route: endpoint.route().into(),
            lane: endpoint.serial_key().map(Into::into),
            resend: endpoint.resend(),
            quota: endpoint.quota(),
            reply_limit: endpoint.reply_limit(),
            credential,
            authorization: None,
            in_payload: endpoint.secrets(),
            quotable: Arc::default(),
            limits: Limits::default(),
            jitter: 0,
            progress: Progress::default(),
            state: State::New,
            events: Events::default(),
        }
    }

    pub(super) fn route(&self) -> &str {
        &self.route
    }

    pub(super) fn sends(&self) -> u32 {
        self.progress.sends
    }

    pub(super) fn id(&self) -> Option<CallId> {
        match self.state {
            State::Pending { started, .. } | State::Sent { started, .. } => Some(started.id),
            State::New | State::Over => None,
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        matches!(self.state, State::Sent { .. })
    }

    /// Whether the last wait of the call was for a token.
    pub(super) fn waits_for_token(&self) -> bool {
        self.progress.waited_for == Some(WaitFor::Token)
    }

    /// Takes a step: permits the call's own request, or returns why it is not sent now.
    pub(super) fn next(&mut self, session: &mut Session, now: Moment) -> Result<Permit, Hold> {
        let (started, not_before) = match self.state {
            State::New => {
                let time = self.limits.time(self.draft.len());
                let deadline = now.saturating_add(time);
                (StartedCall { id: session.next_call_id(), at: now, deadline }, now)
            }
            State::Pending { started, not_before } => (started, not_before),
            State::Sent { started, .. } if now < started.deadline => {
                return Err(Hold::Wait { until: started.deadline, reason: WaitFor::Reply });
            }
            State::Sent { .. } | State::Over => {
                self.cancel(session);
                return Err(Hold::End(Ending::Late(WaitFor::Reply)));
            }
        };
        session.woken.remove(started.id);
        let mut step = self.proceed(session, started, not_before, now);
        match &mut step {
            Ok(_) => {
                let send = self.progress.sends;
                let len = self.draft.len();
                self.events.push(|| Event::Sent { route: self.route.clone(), send, len });
            }
            Err(Hold::Send(outgoing, route)) => {
                self.state = State::Pending { started, not_before };
                self.progress.waited_for = Some(WaitFor::Token);
                let route = *route;
                let len = outgoing.request.body().len();
                self.events.push(|| Event::Sent { route: route.into(), send: 0, len });
            }
            Err(Hold::Wait { until, reason }) => {
                self.state = State::Pending { started, not_before };
                self.progress.waited_for = Some(*reason);
                *until = started.deadline.min(*until);
                let reason = *reason;
                let time = until.since(now);
                self.events.push(|| Event::Waits { reason, time });
            }
            Err(Hold::End(_)) => self.end(session, started, now),
        }
        step
    }

    /// Makes the checks before a send, in this order: path, deadline, backoff, lane, token, gate. The first one that
    /// fails ends the step.
    fn proceed(
        &mut self,
        session: &mut Session,
        started: StartedCall,
        not_before: Moment,
        now: Moment,
    ) -> Result<Permit, Hold> {
        self.draft.check().map_err(|invalid| Hold::End(Ending::Invalid(invalid)))?;
        self.check_deadline(started, now)?;
        wait_until(not_before, now)?;
        self.enter_lane(session, started, now)?;
        let generation = self.ensure_token(session, started, now)?;
        self.pass_gate(session, started, now)?;
        Ok(self.send(started, generation, now))
    }

    /// Ends the call at its deadline, or earlier if less time is left than the last request took, because the next one
    /// would not be answered in time.
    fn check_deadline(&self, started: StartedCall, now: Moment) -> Result<(), Hold> {
        if now >= started.deadline {
            return Err(Hold::End(
                self.progress.waited_for.map_or(Ending::NoTimeLeft, Ending::Late),
            ));
        }
        if now.saturating_add(self.progress.took) > started.deadline {
            return Err(Hold::End(Ending::NoTimeLeft));
        }
        Ok(())
    }

    fn enter_lane(
        &self,
        session: &mut Session,
        started: StartedCall,
        now: Moment,
    ) -> Result<(), Hold> {
        let Some(lane) = &self.lane else { return Ok(()) };
        session.lanes.enter(lane, started.id, self.limits.busy, now)
    }

    /// Returns the generation of the session's token, or zero if the caller supplied the token.
    fn ensure_token(
        &mut self,
        session: &mut Session,
        started: StartedCall,
        now: Moment,
    ) -> Result<u64, Hold> {
        let Credential::Session(tenant) = &self.credential else { return Ok(0) };
        let Session { app, site, tokens, woken, gates, .. } = session;
        let caller =
            &mut caller(started, &self.limits, self.jitter, &mut self.progress.renewal_deadline);
        tokens.ensure_valid(app, site, tenant, caller, now, woken).inspect_err(|_| {
            // A call that waits for its token must not hold up the calls behind it at the gate.
            gates.leave(&self.credential, &self.route, self.quota, started.id, now, woken);
        })
    }

    fn pass_gate(
        &mut self,
        session: &mut Session,
        started: StartedCall,
        now: Moment,
    ) -> Result<(), Hold> {
        let Session { gates, woken, .. } = session;
        let caller =
            caller(started, &self.limits, self.jitter, &mut self.progress.renewal_deadline);
        gates.pass(&self.credential, &self.route, self.quota, &caller, now, woken)
    }

    fn send(&mut self, started: StartedCall, generation: u64, now: Moment) -> Permit {
        self.progress.sends += 1;
        self.progress.attempts += 1;
        self.state = State::Sent { started, sent_at: now, generation };
        let call_timeout = started.deadline.since(now).min(MAX_ADAPTER_TIME);
        let fresh_connection = std::mem::take(&mut self.progress.fresh_connection);
        Permit { call_timeout, fresh_connection }
    }

    /// Makes the call's own request.
    pub(super) fn outgoing(&mut self, session: &Session, permit: Permit) -> Outgoing {
        let Permit { call_timeout, fresh_connection } = permit;
        self.authorization = match &self.credential {
            Credential::Supplied(authorization) => authorization.clone(),
            Credential::Session(tenant) => {
                session.tokens.held(tenant).map(|(token, _)| token.header_value())
            }
        };
        self.quotable = session.secrets(&self.in_payload);
        Outgoing {
            request: self.draft.request(&session.site, self.authorization.clone()),
            purpose: Purpose::Call,
            call_timeout,
            exchange_timeout: call_timeout,
            timeouts: Timeouts::for_body_len(self.draft.len()),
            reply_limit: self.reply_limit,
            fresh_connection,
        }
    }

    /// The secrets that the reply to the call's own request may quote.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new(self.authorization.clone(), self.quotable.clone())
    }

    /// The app whose token the call uses, or `None` if the caller supplied the token.
    pub(super) fn app_id<'s>(&self, session: &'s Session) -> Option<&'s AppId> {
        match self.credential {
            Credential::Session(_) => session.app.id(),
            Credential::Supplied(_) => None,
        }
    }

    /// Takes the result of the request in flight. Returns `None` if none is in flight.
    pub(super) fn completed(
        &mut self,
        session: &mut Session,
        result: RequestResult<'_>,
        now: Moment,
    ) -> Option<Verdict> {
        let State::Sent { started, sent_at, generation } = self.state else { return None };
        self.progress.took = now.since(sent_at);
        let outcome = self.outcome(result);
        let started = self.within_idempotency(started, sent_at, outcome);
        // The result may concern other calls, so the session is updated even if this call ends.
        let retry = self.update_session(session, started, generation, result, now);
        let not_before = retry.and_then(|retry| self.retry_at(retry, outcome, started, now));
        let verdict = Verdict { will_retry: not_before.is_some(), outcome };
        match result {
            RequestResult::Success => {}
            RequestResult::Refused(error) => {
                self.events.push(|| Event::refused(&self.route, error, verdict.will_retry));
            }
            RequestResult::Failed { text, .. } => {
                self.events.push(|| Event::failed(&self.route, text, verdict.will_retry));
            }
        }
        match not_before {
            Some(not_before) => self.state = State::Pending { started, not_before },
            None => self.end(session, started, now),
        }
        Some(verdict)
    }

    /// Moves the deadline to the end of the time for which a second send is idempotent, if that is earlier. A call that
    /// waits in a queue could otherwise send its request later than that.
    fn within_idempotency(
        &self,
        started: StartedCall,
        sent_at: Moment,
        outcome: Outcome,
    ) -> StartedCall {
        match self.resend {
            Resend::SafeFor(time) if outcome == Outcome::Unknown => StartedCall {
                deadline: started.deadline.min(sent_at.saturating_add(time)),
                ..started
            },
            _ => started,
        }
    }

    /// Whether the request may have been carried out. The return value has no meaning if the request succeeded.
    fn outcome(&self, result: RequestResult<'_>) -> Outcome {
        match result {
            RequestResult::Success => Outcome::Unknown,
            RequestResult::Refused(error) => error.outcome(),
            // The head alone may have reached the service, so a write without a body may have been carried out.
            RequestResult::Failed { pulled: 0, .. } if self.draft.len() > 0 || self.is_read() => {
                Outcome::NotSent
            }
            RequestResult::Failed { .. } => Outcome::Unknown,
        }
    }

    /// Whether the request changes nothing: its method says so, and the endpoint does not say otherwise.
    fn is_read(&self) -> bool {
        self.draft.is_read() && self.resend == Resend::Safe
    }

    /// Ends the call because it was cancelled, or because its deadline passed while its request was in flight.
    pub(super) fn cancel(&mut self, session: &mut Session) {
        let now = session.now();
        let (State::Pending { started, .. } | State::Sent { started, .. }) = self.state else {
            self.state = State::Over;
            return;
        };
        if let (State::Sent { .. }, Some(lane)) = (&self.state, &self.lane) {
            session.lanes.mark_in_doubt(lane, now);
        }
        self.end(session, started, now);
    }

    /// Ends the call: takes it out of every queue, and wakes the next call in each of them.
    fn end(&mut self, session: &mut Session, started: StartedCall, now: Moment) {
        let Session { lanes, tokens, gates, woken, .. } = session;
        if let Some(lane) = &self.lane {
            lanes.leave(lane, started.id, now, woken);
        }
        if let Credential::Session(tenant) = &self.credential {
            tokens.leave(tenant, started.id, woken);
        }
        // A call whose request was sent has left the queue of its gate.
        if !self.is_sent() {
            gates.leave(&self.credential, &self.route, self.quota, started.id, now, woken);
        }
        woken.remove(started.id);
        self.state = State::Over;
        let sends = self.progress.sends;
        let took = now.since(started.at);
        self.events.push(|| Event::Done { route: self.route.clone(), took, sends });
    }
}

fn wait_until(not_before: Moment, now: Moment) -> Result<(), Hold> {
    if now < not_before {
        return Err(Hold::Wait { until: not_before, reason: WaitFor::Backoff });
    }
    Ok(())
}

fn caller<'a>(
    started: StartedCall,
    limits: &'a Limits,
    jitter: u64,
    renewal_deadline: &'a mut Option<Moment>,
) -> Caller<'a> {
    Caller { id: started.id, deadline: started.deadline, limits, jitter, renewal_deadline }
}

#[cfg(test)]
mod tests;
