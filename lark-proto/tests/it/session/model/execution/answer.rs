//! The outcomes of requests, and the effect that each of them has to have on its call.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::Error;
use lark_proto::error::{Advice, CallErrorKind, Class, Outcome};
use lark_proto::session::{Permanence, TokenRequestId, TransportFailure};

use super::super::ledger::{LONGEST_PAUSE, is_route_limit};
use super::super::work::{Account, Plan};
use super::{BACKOFF, Exchange, Execution, IN_DOUBT_TIME, SECOND, State, Task};
use crate::sim::Cut;

/// The outcome of a request.
enum Answer<'a> {
    Success,
    Refused(&'a Error),
    Broken { pulled: u64, is_whole: bool, is_final: bool },
}

/// The effect of an outcome on the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ends,
    GoesOn,
    Either,
}

impl Execution<'_> {
    /// Delivers the reply, or reports the deadline if the call no longer waits for the reply.
    pub(crate) fn deliver(&mut self, at: usize) {
        let exchange = self.take_exchange(at);
        if self.real >= exchange.until {
            let len = exchange.body.len();
            return self.break_off(at, exchange, CallErrorKind::Deadline, len, true, true);
        }
        let reply = self.lark.finish(self.real, exchange.at_service, &exchange.body);
        self.reply(at, exchange.fetch, reply);
    }

    /// Delivers this reply. The service does not carry out the request.
    pub(crate) fn refuse(&mut self, at: usize, reply: Response<Bytes>) {
        let exchange = self.take_exchange(at);
        self.lark.abandon(exchange.at_service);
        self.reply(at, exchange.fetch, reply);
    }

    fn reply(&mut self, at: usize, fetch: Option<TokenRequestId>, reply: Response<Bytes>) {
        self.ledger.sees(self.clock);
        if let Some(id) = fetch {
            self.ledger.fetch_reply(id, &reply);
            let task = &mut self.tasks[at];
            task.call.read(reply);
            task.call.received(&mut self.session, self.clock);
            return self.after_answer(at, None);
        }
        let error = self.tasks[at].work.verdict(&reply).err();
        let answer = error.as_ref().map_or(Answer::Success, Answer::Refused);
        let verdict = self.answered(at, &answer);
        let task = &mut self.tasks[at];
        task.call.read(reply);
        task.call.received(&mut self.session, self.clock);
        self.after_answer(at, Some(verdict));
    }

    /// Breaks the connection after this number of eighths of the body. If the service has received the whole request,
    /// it carries the request out, now or later.
    pub(crate) fn cut(&mut self, at: usize, eighths: usize, is_later: bool, is_permanent: bool) {
        let exchange = self.take_exchange(at);
        let pulled = exchange.body.len() * eighths / 8;
        let failure = CallErrorKind::Transport(Cut);
        self.break_off(at, exchange, failure, pulled, is_later, is_permanent);
    }

    fn break_off(
        &mut self,
        at: usize,
        exchange: Exchange,
        failure: CallErrorKind<Cut>,
        pulled: usize,
        is_later: bool,
        is_final: bool,
    ) {
        self.ledger.sees(self.clock);
        let is_whole = pulled == exchange.body.len();
        let is_deadline = matches!(failure, CallErrorKind::Deadline);
        let is_permanent = is_final && !is_deadline;
        let pulled = u64::try_from(pulled).unwrap();
        let verdict = match exchange.fetch {
            Some(id) => {
                self.ledger.fetch_broken(id, is_deadline, is_permanent);
                None
            }
            None => Some(self.answered(at, &Answer::Broken { pulled, is_whole, is_final })),
        };
        self.lose(exchange, is_whole, is_later);
        let permanence = if is_permanent { Permanence::Permanent } else { Permanence::Transient };
        let task = &mut self.tasks[at];
        let failed = TransportFailure::new(failure, pulled, permanence);
        task.call.failed(&mut self.session, self.clock, failed);
        self.after_answer(at, verdict);
    }

    /// Drops an exchange whose connection broke. If the service has received the whole request, it carries the request
    /// out, now or later.
    fn lose(&mut self, exchange: Exchange, is_whole: bool, is_later: bool) {
        if !is_whole {
            self.lark.abandon(exchange.at_service);
        } else if is_later {
            self.orphans.push(exchange);
        } else {
            let Exchange { at_service, body, .. } = exchange;
            let _lost = self.lark.finish(self.real, at_service, &body);
        }
    }

    /// Has the service carry out the oldest request whose connection is gone.
    pub(crate) fn reap(&mut self) {
        if !self.orphans.is_empty() {
            let exchange = self.orphans.remove(0);
            self.lose(exchange, true, false);
        }
    }

    pub(super) fn take_exchange(&mut self, at: usize) -> Exchange {
        let task = &mut self.tasks[at];
        task.ready_since = self.ledger.now();
        match std::mem::replace(&mut task.state, State::Ready) {
            State::InFlight(exchange) => *exchange,
            _ => panic!("call {at} is not in flight"),
        }
    }

    fn after_answer(&mut self, at: usize, verdict: Option<Verdict>) {
        let task = &mut self.tasks[at];
        task.ready_since = self.ledger.now();
        if let Some(trouble) = task.call.last_failure() {
            self.setup.assert_discreet(trouble);
        }
        for event in task.call.events() {
            self.setup.assert_discreet(&event);
        }
        let is_over = task.call.id().is_none();
        match verdict {
            Some(Verdict::Ends) => {
                assert!(is_over, "call {at} goes on after an answer that should end it");
            }
            Some(Verdict::GoesOn) => assert!(!is_over, "call {at} ends although it could go on"),
            Some(Verdict::Either) => {}
            None => assert!(!is_over, "call {at} ends with a token request"),
        }
        self.empty_lanes();
        self.wake();
    }

    /// Accounts for the outcome of the call's own request.
    fn answered(&mut self, at: usize, answer: &Answer<'_>) -> Verdict {
        let now = self.ledger.now();
        let task = &mut self.tasks[at];
        let Plan { account, bounds, .. } = task.work.plan;
        task.took = now - task.sent;
        let is_whole = match answer {
            Answer::Success => false,
            Answer::Refused(error) => is_gateway(error),
            Answer::Broken { is_whole, .. } => *is_whole,
        };
        let class = match answer {
            Answer::Refused(error) => error.api().map(|api| api.code.class()),
            _ => None,
        };
        let is_busy = class == Some(Class::DocumentBusy);
        let mut busy_since = now;
        match task.work.sheet() {
            Some(sheet) => {
                let lane = &mut self.lanes[sheet];
                if is_whole {
                    lane.in_doubt_until = now + IN_DOUBT_TIME;
                }
                if is_whole || is_documents(answer) {
                    lane.busy_since = None;
                }
                if is_busy {
                    let since = *lane.busy_since.get_or_insert(now.max(lane.in_doubt_until));
                    busy_since = since.max(task.started.unwrap_or_default());
                }
            }
            None if is_documents(answer) => task.busy_since = None,
            None if is_busy => busy_since = *task.busy_since.get_or_insert(now),
            None => {}
        }
        let error = match answer {
            Answer::Success => return Verdict::Ends,
            Answer::Broken { pulled, is_final, .. } => {
                task.broke = true;
                task.is_unknown |= *pulled > 0;
                let ends = *is_final
                    || task.is_unknown && task.work.is_unsafe() && *pulled > 0
                    || task.attempts >= bounds.attempts;
                return task.verdict(ends, now + BACKOFF);
            }
            Answer::Refused(error) => error,
        };
        let is_unknown = error.outcome() == Outcome::Unknown;
        task.is_unknown |= is_unknown;
        self.ledger.refused(account, task.work.route(), &task.credential, error);
        let named = match error.advice() {
            Advice::RenewToken if matches!(account, Account::User(_)) => return Verdict::Ends,
            Advice::RenewToken => None,
            Advice::Again { after } => after.filter(|after| !after.is_zero()),
            _ => return Verdict::Ends,
        };
        let is_impatient = named.is_some_and(|wait| wait > bounds.longest_wait);
        let is_forbidden = is_unknown && task.work.is_unsafe();
        let mut ends = is_impatient || is_forbidden;
        let mut rests = named.unwrap_or_default();
        let is_rate = class == Some(Class::RateLimit)
            || error.status() == StatusCode::TOO_MANY_REQUESTS
                && matches!(error.advice(), Advice::Again { .. });
        if is_busy {
            ends |= now >= busy_since && bounds.attempts <= 1;
            ends |= now >= busy_since.saturating_add(bounds.busy);
            rests = Duration::ZERO;
            task.attempts -= 1;
        } else if is_rate {
            ends |= bounds.attempts <= 1;
            task.attempts -= 1;
            if is_route_limit(error) {
                rests = rests.min(LONGEST_PAUSE);
            }
        } else {
            ends |= task.attempts >= bounds.attempts;
            if is_gateway(error) {
                rests = rests.max(2 * SECOND);
            }
        }
        task.rests_until = now + rests;
        task.verdict(ends, now + named.unwrap_or(BACKOFF).max(rests))
    }

    /// Drops a call. If `is_whole`, the service has the whole request and carries it out later.
    pub(crate) fn drop_call(&mut self, at: usize, is_whole: bool) {
        let task = &mut self.tasks[at];
        let state = std::mem::replace(&mut task.state, State::Dropped);
        task.call.cancel(&mut self.session);
        assert!(task.call.id().is_none(), "call {at} goes on after it was dropped");
        if let State::InFlight(exchange) = state {
            match (exchange.fetch, task.work.sheet()) {
                (Some(_), _) if self.setup.keeps => self.kept.push(*exchange),
                (Some(id), _) => {
                    self.ledger.sees(self.clock);
                    self.ledger.fetch_dropped(id);
                    self.session.token_dropped(id, self.clock);
                    self.lose(*exchange, false, false);
                }
                (None, sheet) => {
                    if let Some(sheet) = sheet {
                        self.lanes[sheet].in_doubt_until = self.ledger.now() + IN_DOUBT_TIME;
                        self.lanes[sheet].busy_since = None;
                    }
                    self.lose(*exchange, is_whole, true);
                }
            }
        }
        self.leave(at);
        self.wake();
    }

    /// Delivers the reply to a kept token request.
    pub(crate) fn deliver_kept(&mut self, at: usize) {
        let Exchange { at_service, body, keep_until, fetch, .. } = self.kept.remove(at);
        let Some(id) = fetch else { return };
        let reply = self.lark.finish(self.real, at_service, &body);
        self.ledger.sees(self.clock);
        if self.real >= keep_until {
            self.ledger.fetch_broken(id, true, false);
            let late =
                TransportFailure::<Cut>::new(CallErrorKind::Deadline, 0, Permanence::Transient);
            self.session.token_failed(id, self.clock, &late);
        } else {
            self.ledger.fetch_reply(id, &reply);
            self.session.token_received(id, self.clock, reply);
        }
        self.wake();
    }

    pub(crate) fn cut_kept(&mut self, at: usize) {
        let exchange = self.kept.remove(at);
        let Some(id) = exchange.fetch else { return };
        self.lose(exchange, false, false);
        self.ledger.sees(self.clock);
        self.ledger.fetch_broken(id, false, false);
        let cut = TransportFailure::new(CallErrorKind::Transport(Cut), 0, Permanence::Transient);
        self.session.token_failed(id, self.clock, &cut);
        self.wake();
    }
}

impl Task<'_> {
    /// Accounts for a send of the call's own request.
    pub(super) fn begin(&mut self, at: usize, now: Duration) {
        let bounds = self.work.plan.bounds;
        assert!(self.attempts < bounds.attempts.max(1), "call {at} sends beyond its attempts");
        if self.sends > 0 {
            assert!(
                now + self.took <= self.deadline,
                "call {at} begins an attempt that cannot end"
            );
            assert!(now >= self.rests_until, "call {at} sends too early");
            let is_forbidden = self.work.is_unsafe() && self.is_unknown;
            assert!(!is_forbidden, "call {at} is not idempotent and must not be sent again");
        }
        self.sends += 1;
        self.attempts += 1;
        self.sent = now;
        assert_eq!(self.call.sends(), self.sends, "call {at} miscounts its sends");
    }

    /// Whether the call ends: it goes on if its deadline leaves the time for the next attempt.
    fn verdict(&self, ends: bool, latest: Duration) -> Verdict {
        if ends {
            Verdict::Ends
        } else if latest + self.took < self.deadline {
            Verdict::GoesOn
        } else {
            Verdict::Either
        }
    }
}

fn is_gateway(error: &Error) -> bool {
    matches!(error.status().as_u16(), 502 | 504)
}

/// Whether the reply comes from the document and is not "busy".
fn is_documents(answer: &Answer<'_>) -> bool {
    match answer {
        Answer::Success => true,
        Answer::Refused(Error::Api(api)) => !matches!(
            api.code.class(),
            Class::DocumentBusy | Class::RateLimit | Class::TenantToken | Class::AppToken
        ),
        Answer::Refused(_) | Answer::Broken { .. } => false,
    }
}
