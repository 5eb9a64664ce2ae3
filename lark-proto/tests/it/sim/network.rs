//! The requests that are in flight, and the ends of their exchanges.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::body::Body;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Outgoing, Permanence, Purpose, TokenRequestId, TransportFailure};

use super::{Failure, Reaction, Sent, Sim, State};

pub(super) struct Exchange {
    task: usize,
    len: u64,
    reply_limit: u64,
    /// The token request, if the transport keeps it in flight without its call.
    kept: Option<TokenRequestId>,
}

/// An event of the timeline.
pub(super) enum Due<'w> {
    Start(usize),
    Drop(usize),
    /// The wait of a task is over. The second number is that of the task's changes when the wait began.
    WaitOver(usize, u64),
    /// The exchange has lasted for as long as it may.
    Late(u64),
    Outcome(u64, Box<dyn FnOnce(Duration) -> Result<Response<Bytes>, Failure> + 'w>),
}

impl<O> Sim<'_, O> {
    /// Whether a request is in flight, such as a token request that its call did not wait for.
    pub(crate) fn has_exchanges(&self) -> bool {
        !self.exchanges.is_empty()
    }

    pub(super) fn send(&mut self, task: usize, outgoing: Outgoing) {
        let Outgoing {
            request,
            purpose,
            call_timeout,
            exchange_timeout,
            reply_limit,
            fresh_connection,
            ..
        } = outgoing;
        self.serial += 1;
        let serial = self.serial;
        let request = request.map(Body::into_bytes);
        let len = request.body().len() as u64;
        let path = request.uri().path().to_owned();
        self.sent.push(Sent { at: self.now, path, task, fresh_connection });
        let kept = match purpose {
            Purpose::Token(id) if self.keeps => Some(id),
            _ => None,
        };
        self.exchanges.insert(serial, Exchange { task, len, reply_limit, kept });
        let Reaction { after, outcome } = (self.service)(self.now, request);
        self.schedule(self.now + after, Due::Outcome(serial, outcome));
        if kept.is_some() {
            self.schedule(self.now + exchange_timeout, Due::Late(serial));
            self.wait(task, call_timeout);
        } else {
            self.schedule(self.now + call_timeout, Due::Late(serial));
            self.set(task, State::InFlight(serial));
        }
    }

    pub(super) fn late(&mut self, serial: u64) {
        self.ended(serial, Err(Failure::deadline()));
    }

    /// Reports the end of an exchange to its call or, for a kept token request, to the session.
    pub(super) fn ended(&mut self, serial: u64, outcome: Result<Response<Bytes>, Failure>) {
        let Some(exchange) = self.exchanges.remove(&serial) else { return };
        let Exchange { task, len, reply_limit, kept } = exchange;
        let outcome = outcome.and_then(|reply| {
            if reply.body().len() as u64 > reply_limit {
                let kind = CallErrorKind::TooLarge { limit: reply_limit };
                return Err(Failure { kind, pulled: len, permanence: Permanence::Transient });
            }
            Ok(reply)
        });
        let outcome = outcome.map_err(|Failure { kind, pulled, permanence }| {
            TransportFailure::new(kind, pulled.min(len), permanence)
        });
        let now = self.clock();
        let call = &mut self.tasks[task].call;
        match (kept, outcome) {
            (Some(id), Ok(reply)) => {
                let _event = self.session.token_received(id, now, reply);
            }
            (Some(id), Err(failure)) => {
                let _event = self.session.token_failed(id, now, &failure);
            }
            (None, Ok(reply)) => {
                call.read(reply);
                call.received(&mut self.session, now);
            }
            (None, Err(failure)) => call.failed(&mut self.session, now, failure),
        }
        if kept.is_none() {
            self.set(task, State::Ready);
            self.ready.push_back(task);
        }
        self.wake();
    }

    /// The caller drops the call.
    pub(super) fn give_up(&mut self, task: usize) {
        if matches!(self.tasks[task].state, State::Done(_) | State::Dropped) {
            return;
        }
        if let State::InFlight(serial) = self.tasks[task].state {
            self.exchanges.remove(&serial);
        }
        let token_request = self.tasks[task].call.token_request();
        self.tasks[task].call.cancel(&mut self.session);
        if let Some(id) = token_request.filter(|_| !self.keeps) {
            let now = self.clock();
            self.session.token_dropped(id, now);
        }
        self.tasks[task].ended = self.now;
        self.set(task, State::Dropped);
        self.wake();
    }
}
