//! Schedules of calls.

mod answers;
mod execution;
mod log;
mod quotas;
mod work;

use std::time::Duration;

use arbitrary::Arbitrary;

use crate::input::input;
use execution::Execution;
use work::Plan;

#[derive(Arbitrary, Debug)]
struct Input {
    setup: Setup,
    plans: Vec<Plan>,
    actions: Vec<Action>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Setup {
    is_store: bool,
    has_ticket: bool,
    /// Whether a token request goes on without its call.
    keeps: bool,
    jitter: u64,
}

/// The next action of a schedule. A number chooses one of the calls for which the action is possible.
#[derive(Arbitrary, Clone, Debug)]
enum Action {
    Start,
    Step(u8),
    Reply(u8, Answer),
    /// Breaks the connection after this number of eighths of the body.
    Cut(u8, u8, bool),
    Cancel(u8),
    Kept(u8, Option<Answer>),
    Pass(u16),
    PassSeconds(u16),
    PassToNext,
    SetClock(i16),
    Ticket,
    Export(bool),
    Settle,
}

/// The reply of the service.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) enum Answer {
    Success {
        life: u16,
    },
    Code {
        code: u8,
        status: u8,
        after: Option<u8>,
    },
    RateLimit {
        status: u8,
        reset: Option<u8>,
    },
    Html(u8),
    /// An error that quotes the secrets of the request.
    Quote(u8),
    Any(u8, Vec<u8>),
}

/// Runs any schedule of calls, replies, broken connections, cancelled calls and set clocks. It keeps the rules:
/// * writes to one spreadsheet do not overlap, and one request for a token is in flight at a time;
/// * a request that is not idempotent is not sent after a send with an unknown outcome, and no request is sent beyond
///   its attempts, with a token that has expired, or after the deadline;
/// * a call ends at its deadline exactly, and only live calls are woken;
/// * no more requests are sent in a second than the quota that was set for their route;
/// * every call ends once it is stepped to its end, and the session is then idle;
/// * nothing that is printed shows a secret.
pub fn session(data: &[u8]) {
    let Some(input) = input::<Input>(data) else { return };
    let mut execution = Execution::new(input.setup);
    let mut plans = input.plans.into_iter().take(12);
    for action in input.actions.into_iter().take(200) {
        match action {
            Action::Start => {
                if let Some(plan) = plans.next() {
                    execution.start(plan);
                }
            }
            Action::Step(at) => execution.step_any(at),
            Action::Reply(at, answer) => execution.reply_any(at, &answer),
            Action::Cut(at, eighths, is_final) => execution.cut_any(at, eighths % 9, is_final),
            Action::Cancel(at) => execution.cancel_any(at),
            Action::Kept(at, answer) => execution.end_kept(at, answer.as_ref()),
            Action::Pass(millis) => execution.pass(Duration::from_millis(millis.into())),
            Action::PassSeconds(seconds) => execution.pass(Duration::from_secs(seconds.into())),
            Action::PassToNext => execution.pass_to_next(),
            Action::SetClock(minutes) => execution.set_clock(i64::from(minutes) * 60),
            Action::Ticket => execution.set_ticket(),
            Action::Export(is_import) => execution.export(is_import),
            Action::Settle => execution.settle(),
        }
    }
    for plan in plans {
        execution.start(plan);
    }
    execution.finish();
}
