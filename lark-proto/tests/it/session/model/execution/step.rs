//! The steps of a call, and the requests that it sends.

use std::time::Duration;

use http::Response;
use lark_proto::CallError;
use lark_proto::body::Body;
use lark_proto::error::{Outcome, WaitFor};
use lark_proto::fake::{Fault, Route};
use lark_proto::session::{Event, Outgoing, Purpose, Step};

use super::super::work::{Account, Work, Written};
use super::{Exchange, Execution, SECOND, State, holds_secret, route};
use crate::sim::Cut;

/// The reasons for which a waiting call may go on before its wait is over.
#[derive(Clone, Copy, Debug, Default)]
struct Excuse {
    lacks_token: bool,
    /// Another call at the gate has been able to take a step for a second, and has taken none.
    of_gate: bool,
    /// Another call has not yet taken the step that sends a token request; or the token is valid and due for renewal;
    /// or the two calls that the session wakes take no steps.
    of_token: bool,
}

impl Execution<'_> {
    /// Steps a call that is ready.
    pub(crate) fn step(&mut self, at: usize) {
        self.look(at, false);
    }

    /// Steps some of the waiting calls. A call that the session has not woken has to wait until its wait is over.
    pub(crate) fn poke(&mut self) {
        if self.setup.pokes == 0 {
            return;
        }
        for at in self.polled(|state| matches!(state, State::Waiting(_))) {
            if self.random.below(self.setup.pokes) == 0 {
                self.poke_call(at);
            }
        }
    }

    /// Steps a call if it waits.
    pub(crate) fn poke_call(&mut self, at: usize) {
        if matches!(self.tasks[at].state, State::Waiting(_)) {
            self.look(at, true);
        }
    }

    fn look(&mut self, at: usize, is_poke: bool) {
        let now = self.ledger.sees(self.clock);
        let is_early = is_poke && now < self.tasks[at].wait_ends;
        let excuse = if is_early { self.excuse(at) } else { Excuse::default() };
        let task = &mut self.tasks[at];
        if task.started.is_none() {
            task.started = Some(now);
            task.deadline = now + task.work.plan.bounds.total();
        }
        let step = task.call.next(&mut self.session, self.clock);
        if let Some(id) = task.call.id() {
            self.by_id.insert(id, at);
        }
        self.setup.assert_discreet(&step);
        self.setup.assert_discreet(&task.call);
        let reason = task.reason.take();
        for event in task.call.events() {
            self.setup.assert_discreet(&event);
            if let Event::Waits { reason, .. } = event {
                task.reason = Some(reason);
            }
        }
        if is_early {
            let is_free = match &step {
                Step::Wait(_) => false,
                Step::Send(Outgoing { purpose: Purpose::Token(_), .. }) => {
                    !(reason == Some(WaitFor::Rate)
                        || reason == Some(WaitFor::Token) && excuse.of_token)
                }
                Step::Send(_) => !(reason == Some(WaitFor::Rate) && excuse.of_gate),
                Step::Done(_) => {
                    let is_hopeless = task.sends > 0 && now + task.took > task.deadline;
                    !(is_hopeless || reason == Some(WaitFor::Rate) && excuse.lacks_token)
                }
            };
            let left = task.wait_ends.saturating_sub(now);
            assert!(
                !is_free,
                "call {at} has to wait for {reason:?} for {left:?} more, and takes the step {step:?}"
            );
        }
        let is_over = matches!(step, Step::Done(_));
        assert!(is_over || now < task.deadline, "call {at} goes on beyond its total");
        match step {
            Step::Wait(time) => {
                assert!(!time.is_zero(), "call {at} has a wait of zero");
                assert!(now + time <= task.deadline, "call {at} waits beyond its total");
                task.wait_ends = now + time;
                task.state = State::Waiting(self.real + time);
            }
            Step::Send(outgoing) => self.send(at, outgoing),
            Step::Done(result) => self.done(at, result),
        }
        self.wake();
    }

    /// The reasons for which this call may go on before its wait is over.
    fn excuse(&self, at: usize) -> Excuse {
        let now = self.ledger.now();
        let work = self.tasks[at].work;
        let lags = |by: Duration, is_ahead: &dyn Fn(&Work) -> bool| {
            self.live.iter().any(|&other| {
                let task = &self.tasks[other];
                let since = match task.state {
                    // The wait may have ended by the adapter's clock and not yet by the client's.
                    State::Ready => Some(task.ready_since.min(now)),
                    State::Waiting(_) => Some(task.wait_ends),
                    _ => None,
                };
                let is_late = since.is_some_and(|since| since + by <= now);
                other != at && is_late && task.call.id().is_some() && is_ahead(task.work)
            })
        };
        let account = work.plan.account;
        let has_token = match account {
            Account::Own(tenant) => self.ledger.has_token(tenant),
            Account::User(_) => Some(true),
        };
        let of_gate = |other: &Work| other.plan.account == account && other.route() == work.route();
        // All tenants of a store app wait for the app's token.
        let of_token = |other: &Work| match other.plan.account {
            Account::Own(_) if self.setup.is_store => true,
            other => other == account,
        };
        let is_stuck = |at: &&usize| {
            let task = &self.tasks[**at];
            let is_lost = match &task.state {
                State::InFlight(exchange) => {
                    exchange.fetch.is_some_and(|id| self.ledger.is_lost(id))
                }
                _ => false,
            };
            task.call.id().is_some() && of_token(task.work) && (task.is_frozen || is_lost)
        };
        let are_stuck = self.live.iter().filter(is_stuck).count() >= 2;
        Excuse {
            lacks_token: has_token != Some(true),
            of_gate: lags(SECOND, &of_gate),
            of_token: has_token != Some(false) || are_stuck || lags(Duration::ZERO, &of_token),
        }
    }

    fn send(&mut self, at: usize, outgoing: Outgoing) {
        let Outgoing { request, purpose, call_timeout, exchange_timeout, fresh_connection, .. } =
            outgoing;
        let now = self.ledger.now();
        let work = self.tasks[at].work;
        let (head, body) = request.map(Body::into_bytes).into_parts();
        let route = route(head.uri.path());
        let left = self.tasks[at].deadline - now;
        assert!(
            !call_timeout.is_zero() && call_timeout <= left,
            "call {at} gets {call_timeout:?} for its request, and {left:?} are left"
        );
        let fetch = match (purpose, work.plan.account) {
            (Purpose::Token(id), Account::Own(tenant)) => {
                if self.ledger.has_token(tenant) == Some(true) {
                    assert!(
                        call_timeout <= 2 * SECOND,
                        "call {at} is held up by a renewal for {call_timeout:?}"
                    );
                }
                self.ledger.fetch_sent(id, at, tenant, route, &body, fresh_connection);
                Some(id)
            }
            (Purpose::Token(_), Account::User(_)) => {
                panic!("call {at} has a user's token and sends a token request")
            }
            (_, account) => {
                assert_eq!(route, work.route());
                let header = head.headers.get("authorization").unwrap().to_str().unwrap();
                let token = header.strip_prefix("Bearer ").unwrap();
                let generation = self.ledger.request_sent(account, route, token);
                self.assert_turn(at);
                let task = &mut self.tasks[at];
                task.credential = (generation, token.to_owned());
                assert!(fresh_connection || !task.broke, "call {at} may get a dead connection");
                task.broke = false;
                task.begin(at, now);
                None
            }
        };
        if let Some(fault) = self.fault(route, work) {
            self.lark.fail_next_on(route, fault);
        }
        let at_service = self.lark.begin(self.real, &head);
        let until = self.real + call_timeout;
        let keep_until = self.real + exchange_timeout;
        let exchange = Exchange { at_service, body, until, keep_until, fetch };
        self.tasks[at].state = State::InFlight(Box::new(exchange));
    }

    /// Checks that no other write to the spreadsheet is in flight, and that no earlier call waits for its turn.
    fn assert_turn(&self, at: usize) {
        let Some(sheet) = self.tasks[at].work.sheet() else { return };
        let id = self.tasks[at].call.id();
        for &other in self.live.iter().filter(|&&other| other != at) {
            let task = &self.tasks[other];
            if task.work.sheet() != Some(sheet) || task.call.id().is_none() {
                continue;
            }
            assert!(task.call.id() > id, "call {at} overtakes call {other} in its lane");
            let is_write = |exchange: &Exchange| exchange.fetch.is_none();
            let overlaps = matches!(&task.state, State::InFlight(it) if is_write(it));
            assert!(!overlaps, "calls {at} and {other} write to one spreadsheet at once");
        }
    }

    fn fault(&mut self, route: Route, work: &Work) -> Option<Fault> {
        if let Some(place) = self.faults.iter().position(|(of, _)| *of == route) {
            return Some(self.faults.remove(place).1);
        }
        let sheet = work.sheet().filter(|_| route == Route::ValuesImage)?;
        let (until, code, after) = self.lanes[sheet].busy?;
        (self.real < until).then(|| {
            let reply = format!(r#"{{"code":{code},"msg":"busy"}}"#);
            let mut reply = Response::new(reply.into());
            if let Some(after) = after {
                reply.headers_mut().insert("retry-after", after.into());
            }
            Fault::from(reply)
        })
    }

    fn done(&mut self, at: usize, result: Result<Written, CallError<Cut>>) {
        let task = &mut self.tasks[at];
        match &result {
            Ok(written) => {
                let is_stored = task.work.is_stored(written, &self.lark);
                assert!(is_stored, "call {at} reports {written:?}, where its image is not stored");
            }
            Err(error) => {
                self.setup.assert_discreet(error);
                assert!(!holds_secret(&error.to_string()), "{error}");
                let is_unknown = error.outcome() == Outcome::Unknown;
                assert_eq!(
                    is_unknown, task.is_unknown,
                    "call {at} has the wrong outcome: {error:?}"
                );
                let is_sent = error.outcome() == Outcome::NotSent || task.sends > 0;
                assert!(is_sent, "call {at} sent nothing: {error:?}");
            }
        }
        assert!(task.call.id().is_none(), "call {at} is over and has an id");
        task.state = State::Done(result);
        self.leave(at);
    }
}
