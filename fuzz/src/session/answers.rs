//! The results of requests: replies, broken connections, and calls that are cancelled.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::EndpointExt;
use lark_proto::endpoints::GetTenantToken;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Permanence, TokenRequestId, TransportFailure};

use super::Answer;
use super::execution::{Execution, State};
use super::work::{self, Cut, assert_discreet, assert_events, assert_text};
use crate::errors;

impl Execution {
    pub(super) fn reply_any(&mut self, at: u8, answer: &Answer) {
        if let Some(at) = self.pick(at, |state| matches!(state, State::InFlight { .. })) {
            self.reply(at, answer);
        }
    }

    pub(super) fn reply(&mut self, at: usize, answer: &Answer) {
        let State::InFlight { fetch, until, len } = self.tasks[at].state else { return };
        if self.real >= until {
            return self.fail(at, CallErrorKind::Deadline, len, false);
        }
        let reply = work::reply(answer, self.grants, &self.tasks[at].secrets);
        let clock = self.tick();
        if let Some(id) = fetch {
            self.fetched(id, &reply);
        } else {
            let task = &mut self.tasks[at];
            task.spent -= u32::from(work::is_free(answer));
            task.is_unknown |= work::is_unknown(answer);
        }
        let task = &mut self.tasks[at];
        task.state = State::Ready;
        task.call.read(reply);
        task.call.received(&mut self.session, clock);
        self.after_answer(at);
    }

    fn after_answer(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        assert_events(&task.call.events());
        if let Some(failure) = task.call.last_failure() {
            assert_discreet(failure);
            errors::passes_on(failure);
            assert_text(&failure.to_string());
        }
        self.wake();
    }

    /// Accounts for the reply to a token request.
    fn fetched(&mut self, id: TokenRequestId, reply: &Response<Bytes>) {
        let sent = self.fetches.remove(&id).map_or(self.now, |fetch| fetch.sent);
        if let Ok(grant) = GetTenantToken::decode(reply.clone()) {
            let life = grant.expires_in.max(Duration::from_secs(60));
            self.granted.insert(grant.token.expose_secret().to_owned(), sent + life);
            self.grants += 1;
        }
    }

    pub(super) fn cut_any(&mut self, at: u8, eighths: u8, is_final: bool) {
        let Some(at) = self.pick(at, |state| matches!(state, State::InFlight { .. })) else {
            return;
        };
        let State::InFlight { len, .. } = self.tasks[at].state else { return };
        let pulled = len * usize::from(eighths) / 8;
        self.fail(at, CallErrorKind::Transport(Cut), pulled, is_final);
    }

    fn fail(&mut self, at: usize, kind: CallErrorKind<Cut>, pulled: usize, is_final: bool) {
        let State::InFlight { fetch, .. } = self.tasks[at].state else { return };
        let clock = self.tick();
        let task = &mut self.tasks[at];
        match fetch {
            Some(id) => {
                self.fetches.remove(&id);
            }
            None => task.is_unknown |= pulled > 0,
        }
        let permanence = if is_final { Permanence::Permanent } else { Permanence::Transient };
        let failure = TransportFailure::new(kind, pulled.try_into().unwrap(), permanence);
        task.state = State::Ready;
        task.call.failed(&mut self.session, clock, failure);
        self.after_answer(at);
    }

    pub(super) fn cancel_any(&mut self, at: u8) {
        let Some(at) = self.pick(at, |state| state != State::Over) else { return };
        let task = &mut self.tasks[at];
        task.call.cancel(&mut self.session);
        assert!(task.call.id().is_none(), "call {at} goes on after its end");
        let before = std::mem::replace(&mut task.state, State::Over);
        if let State::InFlight { fetch, .. } = before {
            self.keep(fetch);
        }
        self.wake();
    }

    /// Ends a kept token request, with a reply or with a broken connection.
    pub(super) fn end_kept(&mut self, at: u8, answer: Option<&Answer>) {
        if self.kept.is_empty() {
            return;
        }
        let id = self.kept.remove(usize::from(at) % self.kept.len());
        let clock = self.tick();
        let event = match answer {
            Some(answer) => {
                let reply = work::reply(answer, self.grants, "");
                self.fetched(id, &reply);
                self.session.token_received(id, clock, reply)
            }
            None => {
                self.fetches.remove(&id);
                let kind = CallErrorKind::Transport(Cut);
                let failure = TransportFailure::new(kind, 0, Permanence::Transient);
                self.session.token_failed(id, clock, &failure)
            }
        };
        assert_events(event.as_slice());
        self.wake();
    }
}
