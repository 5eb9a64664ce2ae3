//! The runner of a scenario, without the client.

use std::time::Duration;

use super::scenario::{Ended, Expected, Scenario};
use crate::error::CallError;
use crate::fake::lark::FakeLark;
use crate::values::{App, AppTicket};

/// A run of one scenario: it says what to do with the client, and collects what went otherwise.
///
/// The module's documentation has the loop around it.
///
/// ```text
///                           called
///  (Start) ---> (WarmCall) --------> (Prepare) ---> (TheCall)
///     |                                 ^               | called
///     +---------- is not warm ----------+               v
///                            called
///                   (Over) <-------- (Again) <------ (Check)
/// ```
#[derive(Debug)]
pub struct Run<'s> {
    scenario: &'s Scenario,
    stage: Stage,
    wrong: Vec<String>,
}

/// The next action that a [`Run`] asks its caller for.
#[derive(Debug)]
#[must_use = "the run goes on when it is done"]
pub enum Next {
    /// Give the client this ticket.
    Ticket(AppTicket),
    /// Make the [call](Scenario::call), and tell [`Run::called`] how it ended.
    Call,
    /// The run is over. What went otherwise than the scenario says, in words; nothing if all is well.
    Done(Vec<String>),
}

/// Where a run stands. Those before a call have it made until [`Run::called`] is told.
#[derive(Debug)]
enum Stage {
    Start,
    WarmCall,
    Prepare,
    TheCall,
    Check(Ended),
    Again,
    Over,
}

impl<'s> Run<'s> {
    /// A run with a new fake, and with a new client of the scenario's [`app`](Scenario::app), in its
    /// [`limits`](Scenario::limits) and for its [`tenant`](Scenario::tenant).
    #[must_use]
    pub fn new(scenario: &'s Scenario) -> Self {
        Self { scenario, stage: Stage::Start, wrong: Vec::new() }
    }

    /// Returns the next action. `lark` is the fake that the client calls.
    pub fn next(&mut self, lark: &mut FakeLark) -> Next {
        if let Stage::Start = self.stage {
            self.stage = if self.scenario.is_warm { Stage::WarmCall } else { Stage::Prepare };
            if let Some(ticket) = &self.scenario.ticket {
                return Next::Ticket(ticket.clone());
            }
        }
        if let Stage::Prepare = self.stage {
            self.scenario.prepare(lark);
            self.stage = Stage::TheCall;
        }
        if let Stage::Check(ended) = &self.stage {
            self.wrong.extend(self.scenario.compare(ended, lark).err());
            self.stage = Stage::Again;
            // The second call stands for one that is made later.
            lark.end_writes();
            if let (App::Store { .. }, Ok(ticket)) =
                (&self.scenario.app, AppTicket::new(lark.app_ticket()))
            {
                return Next::Ticket(ticket);
            }
        }
        match self.stage {
            Stage::Over => Next::Done(std::mem::take(&mut self.wrong)),
            _ => Next::Call,
        }
    }

    /// How the call ended.
    pub fn called<T>(&mut self, result: &Result<(), CallError<T>>) {
        let ended = Ended::of(result);
        let succeeded = ended.how == Expected::Success;
        self.stage = match self.stage {
            Stage::WarmCall => {
                self.expect("the warm call", succeeded, &ended);
                Stage::Prepare
            }
            Stage::TheCall => Stage::Check(ended),
            Stage::Again => {
                self.expect("the call afterwards", succeeded == self.scenario.recovers, &ended);
                Stage::Over
            }
            _ => return,
        };
    }

    /// How long the call took, on a virtual clock; compared with [`lasts`](field@Scenario::lasts). Told after
    /// [`called`](Self::called), for any of the calls, and not at all by a client in real time.
    pub fn took(&mut self, time: Duration) {
        let Scenario { name, lasts, .. } = self.scenario;
        if matches!(self.stage, Stage::Check(_)) && !lasts.contains(&time) {
            self.wrong.push(format!("{name}: the call took {time:?}, not {lasts:?}"));
        }
    }

    fn expect(&mut self, what: &str, is_expected: bool, ended: &Ended) {
        if !is_expected {
            self.wrong.push(format!("{}: {what}: {:?}", self.scenario.name, ended.how));
        }
    }
}
