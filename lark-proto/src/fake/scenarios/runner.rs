//! The runner of a scenario, which asks its caller for each call.

use std::time::Duration;

use super::scenario::{Ended, Expected, Scenario};
use crate::error::CallError;
use crate::fake::lark::FakeLark;
use crate::values::{App, AppTicket};

/// A run of one scenario. It returns the next action for the client, and collects the differences from the scenario.
///
/// The [module](super)'s documentation shows the loop around it.
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
#[must_use = "the run goes on only after this action"]
pub enum Next {
    /// Give the client this ticket.
    Ticket(AppTicket),
    /// Make the [call](Scenario::call), and tell [`Run::called`] how it ended.
    Call,
    /// The run is over. The texts name the differences from the scenario. A correct client has none.
    Done(Vec<String>),
}

/// The stage of a run. In `WarmCall`, `TheCall` and `Again`, the next action is the call, until [`Run::called`] gets
/// its result.
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
    /// A run, which needs a new fake and a new client. The client has the scenario's [`app`](Scenario::app),
    /// [`limits`](Scenario::limits) and [`tenant`](Scenario::tenant).
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
            // The second call stands for a call at a later time, when the replies that were held back have been sent.
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

    /// Takes the result of the call.
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

    /// Takes the time of the call on a virtual clock, and compares it with [`lasts`](field@Scenario::lasts). It is
    /// called after [`called`](Self::called). A client in real time does not call it.
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
