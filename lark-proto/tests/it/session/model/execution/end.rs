//! The end of a schedule: every call ends, new calls succeed, and the session forgets the old ones.

use std::time::Duration;

use lark_proto::error::Outcome;

use super::super::work::{Account, Bounds, Kind, Plan, Work};
use super::{Execution, Setup, State};

impl<'w> Execution<'w> {
    /// Steps the ready calls until every call waits or has a request in flight.
    pub(crate) fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            let ready = self.polled(|state| matches!(state, State::Ready));
            if ready.is_empty() {
                return;
            }
            for at in ready {
                if matches!(self.tasks[at].state, State::Ready) {
                    self.step(at);
                }
            }
            rounds += 1;
            assert!(rounds < 1000, "calls step for ever without a wait");
        }
    }

    /// Steps the calls and delivers the replies until every call has ended. Time passes only while all calls wait.
    pub(crate) fn run(&mut self) {
        let mut rounds = 0;
        while !self.live.is_empty() {
            self.settle();
            self.poke();
            for at in self.polled(|state| matches!(state, State::InFlight(_))) {
                if matches!(self.tasks[at].state, State::InFlight(_)) {
                    self.deliver(at);
                }
            }
            while !self.kept.is_empty() {
                self.deliver_kept(0);
            }
            if self.polled(|state| !matches!(state, State::Waiting(_))).is_empty() {
                self.pass_to_next();
            }
            rounds += 1;
            assert!(rounds < 1000 + 300 * self.tasks.len(), "some call does not end");
        }
    }

    /// Ends the schedule without further faults: every call ends, new ones succeed, and after hours the session has
    /// forgotten all but a few entries.
    pub(crate) fn finish(&mut self, fresh: &'w [Work], probe: &'w Work) {
        self.faults.clear();
        for lane in &mut self.lanes {
            lane.busy = None;
        }
        while !self.orphans.is_empty() {
            self.reap();
        }
        for &at in &self.live {
            self.tasks[at].is_frozen = false;
        }
        self.pass(Duration::ZERO);
        self.run();
        while !self.kept.is_empty() {
            self.deliver_kept(0);
        }
        while !self.orphans.is_empty() {
            self.reap();
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");
        self.assert_stored();

        // After this time every wait is over, except the one after a request for the ticket. If the clock was set back,
        // the session must see the new time first, because it counts from the time that it saw last.
        self.ledger.sees(self.clock);
        let _token = self.session.export_token(self.clock, self.clock, None);
        self.pass(Duration::from_secs(130));
        if self.setup.is_store {
            self.set_ticket(true);
        }
        let first = self.tasks.len();
        for work in fresh {
            self.start(work);
        }
        self.run();
        for task in &self.tasks[first..] {
            let State::Done(result) = &task.state else { panic!("a call has not ended") };
            assert!(result.is_ok(), "a call without a fault fails: {result:?}");
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");

        self.pass(Duration::from_secs(3 * 60 * 60));
        let probe = self.start(probe);
        self.step(probe);
        let entries = self.session.entries();
        assert!(entries <= 5, "{entries} entries after three hours");
        self.drop_call(probe, false);
        while !self.kept.is_empty() {
            self.deliver_kept(0);
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");
    }

    /// Checks the outcomes of the calls against the images that the service has stored.
    pub(crate) fn assert_stored(&self) {
        for (at, task) in self.tasks.iter().enumerate() {
            let stored = task.work.stored(&self.lark);
            assert!(
                !task.work.is_unsafe() || stored <= 1,
                "the image of call {at} is stored {stored} times"
            );
            match &task.state {
                State::Done(Ok(_)) => assert!(stored > 0, "the image of call {at} is not stored"),
                State::Done(Err(error)) if error.outcome() != Outcome::Unknown => {
                    assert_eq!(stored, 0, "the image of call {at} is stored: {error:?}");
                }
                _ => {}
            }
        }
    }
}

/// The work of a call of each kind and account that the setup has, with numbers from `number` on.
pub(crate) fn fresh(setup: Setup, number: usize) -> Vec<Work> {
    let tenants = if setup.is_store { 2 } else { 1 };
    let own = (0..tenants).map(Account::Own);
    let kinds = [Kind::Put, Kind::Once, Kind::Write(0), Kind::Write(1)];
    let own = own.flat_map(|account| kinds.map(|kind| (kind, account)));
    let users = (0..2).map(|user| (Kind::Write(user), Account::User(user)));
    let plans =
        own.chain(users).map(|(kind, account)| Plan { kind, account, bounds: Bounds::DEFAULT });
    plans.enumerate().map(|(at, plan)| Work::new(number + at, plan)).collect()
}
