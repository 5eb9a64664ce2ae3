//! The failures of a call so far, and the error that the call ends with.

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::machine::{CallMachine, Permit, RequestResult, Verdict};
use crate::error::{CallError, CallErrorKind, Error, Outcome, WaitFor};
use crate::session::event::Event;
use crate::session::hold::{Ending, Hold, Reason, TokenFailure};
use crate::session::moment::Moment;
use crate::session::session::Session;
use crate::session::step::{Outgoing, Purpose, TokenRequestId};
use crate::session::transport_failure::{Permanence, TransportFailure};

/// A call's state machine, and the failures of the call so far. See the doc of the `call` module for the types around
/// it.
pub(super) struct UntypedCall<T> {
    pub(super) machine: CallMachine,
    /// The token request that the call has sent and whose result has not been reported.
    pub(super) token_request: Option<TokenRequestId>,
    /// Whether the service has refused the call's own request.
    was_refused: bool,
    /// The last failure, while the call continues, unless that failure is `unknown`.
    last: Option<CallError<T>>,
    /// The first failure after which the request may have been carried out, while the call continues.
    unknown: Option<CallError<T>>,
    /// The error that the call has ended with.
    error: Option<CallError<T>>,
    /// The errors of the transport that are no longer needed. Their drop is the caller's code, which may use the
    /// session, so they are kept while the session is held: see [`Call::events`](super::Call::events).
    pub(super) retired: Vec<CallErrorKind<T>>,
}

/// The maximum number of retired errors. The oldest is dropped if an adapter does not take the events of its call.
const MAX_RETIRED: usize = 64;

/// A step of a call that has no output yet.
pub(super) enum Next {
    Send(Permit),
    SendToken(Box<Outgoing>),
    Wait(Duration),
}

impl<T> UntypedCall<T> {
    pub(super) fn new(machine: CallMachine) -> Self {
        let retired = Vec::new();
        Self {
            machine,
            token_request: None,
            was_refused: false,
            last: None,
            unknown: None,
            error: None,
            retired,
        }
    }

    pub(super) fn next(
        &mut self,
        session: &mut Session,
        now: Moment,
    ) -> Result<Next, CallError<T>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.machine.next(session, now) {
            Ok(permit) => Ok(Next::Send(permit)),
            Err(Hold::Send(outgoing, _)) => {
                if let Purpose::Token(request) = outgoing.purpose {
                    self.token_request = Some(request);
                }
                Ok(Next::SendToken(outgoing))
            }
            Err(Hold::Wait { until, .. }) => {
                if !self.machine.waits_for_token() {
                    self.forget_token_failure();
                }
                Ok(Next::Wait(until.since(now)))
            }
            Err(Hold::End(ending)) => {
                let token_route =
                    self.token_request.and_then(|id| session.tokens.route(&session.app, id));
                Err(self.end(ending, token_route))
            }
        }
    }

    pub(super) fn token_received(
        &mut self,
        session: &mut Session,
        now: Moment,
        reply: Response<Bytes>,
    ) {
        let Some(request) = self.token_request.take() else { return };
        match session.token_reply(request, now, reply) {
            Some((route, error)) => {
                self.machine.events.push(|| Event::refused(route, &error, true));
                self.token_failed(route, CallErrorKind::Lark(error));
            }
            None => self.forget_token_failure(),
        }
        self.remove_from_woken(session);
    }

    /// Reports a success to the state machine. Returns whether the call was waiting for the reply.
    pub(super) fn succeeded(&mut self, session: &mut Session, now: Moment) -> bool {
        self.machine.completed(session, RequestResult::Success, now).is_some()
    }

    pub(super) fn refused(&mut self, session: &mut Session, now: Moment, error: Error) {
        let app = self.machine.app_id(session).map(AsRef::as_ref);
        let error = error.in_call(session.site.as_str(), app);
        if let Some(verdict) = self.machine.completed(session, RequestResult::Refused(&error), now)
        {
            self.failed(CallErrorKind::Lark(error), verdict);
        }
    }

    pub(super) fn transport_failed(
        &mut self,
        session: &mut Session,
        now: Moment,
        failure: TransportFailure<T>,
    ) {
        if !self.machine.is_sent() {
            let Some(request) = self.token_request.take() else { return self.retire(failure.kind) };
            match session.token_failure(request, now, &failure) {
                Some(route) => {
                    self.machine.events.push(|| Event::failed(route, &failure.text, true));
                    self.token_failed(route, failure.kind);
                }
                None => self.retire(failure.kind),
            }
            return self.remove_from_woken(session);
        }
        let TransportFailure { kind, text, pulled, permanence } = failure;
        // Another send would get a reply of the same length.
        let permanence = match kind {
            CallErrorKind::TooLarge { .. } => Permanence::Permanent,
            _ => permanence,
        };
        let is_late = matches!(kind, CallErrorKind::Deadline);
        let result = RequestResult::Failed { pulled, permanence, is_late, text: &text };
        match self.machine.completed(session, result, now) {
            Some(verdict) => self.failed(kind, verdict),
            None => self.retire(kind),
        }
    }

    /// The last failure, while the call continues.
    pub(super) fn last_failure(&self) -> Option<&CallError<T>> {
        self.last.as_ref().or(self.unknown.as_ref())
    }

    /// Notes that a token request of this call failed. A call waits for the renewal of a valid token for a limited
    /// time; a failure that is reported after that time is not a failure of the call.
    fn token_failed(&mut self, route: &'static str, failure: CallErrorKind<T>) {
        if self.machine.waits_for_token() {
            let last = CallError::new(route, failure).with_outcome(self.outcome());
            self.replace_last(Some(last));
        } else {
            self.retire(failure);
        }
    }

    /// Forgets the last failure if it was that of a token request.
    fn forget_token_failure(&mut self) {
        let own = self.machine.route();
        if self.last.as_ref().is_some_and(|last| last.route != own) {
            self.replace_last(None);
        }
    }

    /// Forgets the error that the call has ended with.
    pub(super) fn forget_error(&mut self) {
        if let Some(error) = self.error.take() {
            self.retire(error.kind);
        }
    }

    fn replace_last(&mut self, last: Option<CallError<T>>) {
        if let Some(last) = mem::replace(&mut self.last, last) {
            self.retire(last.kind);
        }
    }

    fn retire(&mut self, failure: CallErrorKind<T>) {
        if let CallErrorKind::Transport(_) = failure {
            if self.retired.len() >= MAX_RETIRED {
                self.retired.remove(0);
            }
            self.retired.push(failure);
        }
    }

    fn failed(&mut self, failure: CallErrorKind<T>, verdict: Verdict) {
        let route = self.machine.route().to_owned();
        self.was_refused |= verdict.outcome == Outcome::Refused;
        if !verdict.will_retry {
            let error = CallError::new(route, failure).with_outcome(verdict.outcome);
            self.error = Some(self.complete(error));
        } else if verdict.outcome == Outcome::Unknown && self.unknown.is_none() {
            self.unknown = Some(CallError::new(route, failure).with_outcome(verdict.outcome));
            self.replace_last(None);
        } else {
            let last = CallError::new(route, failure).with_outcome(verdict.outcome);
            self.replace_last(Some(last));
        }
    }

    /// The error of a call that ends without a reply to its own request. `token_route` is the route of the token
    /// request that the call has in flight.
    fn end(&mut self, ending: Ending, token_route: Option<&'static str>) -> CallError<T> {
        let is_own = |last: &CallError<T>| match &ending {
            // The last failure belongs to an earlier send, but another send is in flight.
            Ending::Late(WaitFor::Reply) => false,
            Ending::NoTimeLeft | Ending::Late(_) => true,
            // `last` is the failure of a token request that this call sent to the same route. It has the transport's
            // error, and `reason` only a text.
            Ending::NoToken(TokenFailure { route, reason: Reason::Transport(_), .. }) => {
                last.route == *route
            }
            _ => false,
        };
        if let Some(last) = self.last.take_if(|last| is_own(last)) {
            return self.complete(last);
        }
        let own = || self.machine.route().to_owned();
        if matches!(ending, Ending::NoTimeLeft | Ending::Late(_)) {
            if let Some(unknown) = self.unknown.take() {
                return unknown;
            }
        }
        let outcome = match &ending {
            Ending::Late(WaitFor::Reply) => Outcome::Unknown,
            _ => self.outcome(),
        };
        let error = match ending {
            Ending::NoTimeLeft | Ending::Late(WaitFor::Reply) => {
                CallError::new(own(), CallErrorKind::Deadline)
            }
            Ending::Late(reason) => match token_route {
                Some(route) if reason == WaitFor::Token => {
                    CallError::new(route, CallErrorKind::Deadline)
                }
                _ => CallError::new(own(), CallErrorKind::Queued(reason)),
            },
            Ending::Invalid(invalid) => CallError::new(own(), CallErrorKind::Invalid(invalid)),
            Ending::Shared(error) => CallError::new(own(), CallErrorKind::Lark(error)),
            Ending::NoToken(TokenFailure { route, reason, .. }) => {
                CallError::new(route, reason.into())
            }
            Ending::NoApp => CallError::new(own(), CallErrorKind::NoApp),
            Ending::NoTenant => CallError::new(own(), CallErrorKind::NoTenant),
            Ending::ForeignTenant => CallError::new(own(), CallErrorKind::ForeignTenant),
        };
        self.complete(error.with_outcome(outcome))
    }

    /// The outcome of the call's own sends. A send whose outcome is unknown is left out: its failure is in `unknown`.
    fn outcome(&self) -> Outcome {
        if self.was_refused { Outcome::Refused } else { Outcome::NotSent }
    }

    /// Adds to `error` the earlier failure after which the request may have been carried out.
    fn complete(&mut self, error: CallError<T>) -> CallError<T> {
        match self.unknown.take() {
            Some(unknown) => error.after(unknown.kind),
            None => error,
        }
    }

    /// Removes the call from the calls that are to be woken, because its adapter takes the next step anyway.
    fn remove_from_woken(&self, session: &mut Session) {
        if let Some(id) = self.machine.id() {
            session.woken.remove(id);
        }
    }
}

impl<T> From<Reason> for CallErrorKind<T> {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Lark(error) => Self::Lark(error),
            Reason::Transport(text) => Self::TokenRequest(text),
            Reason::TimedOut => Self::Queued(WaitFor::Token),
            Reason::TooLarge(limit) => Self::TooLarge { limit },
            Reason::NoTicket => Self::NoTicket,
        }
    }
}

#[cfg(test)]
mod tests;
