//! A search of every schedule of small worlds, up to a number of deviations from the ordinary one.
//!
//! A world has three or four calls. At each point of a schedule [`options`] lists what can happen next. The first entry
//! is the ordinary event: a call takes the step that it is ready for, the next call begins, a reply arrives, time
//! passes until a wait ends. Each other entry is a deviation: another order, a refusal, a broken connection, a call
//! that is dropped or no longer polled, a set clock. The search executes every schedule with at most `depth` deviations
//! from its start to its end, so that nothing needs `Clone`:
//!
//! ```text
//!  schedule 1:  0 0 0 0 0 0 0      the ordinary events only
//!  schedule 2:  0 0 0 0 0 0 1      one deviation, at the last point
//!  schedule 3:  0 0 0 0 0 0 2 0    the rest of a schedule is ordinary
//! ```
//!
//! [`Execution`] checks at every step that writes to one spreadsheet do not overlap, that one token request is in
//! flight, that no pause or quota is broken, that a request is not sent beyond its limits or against its idempotence,
//! that a call that was not woken could not have gone on, and that a woken call has not ended. At the end of a
//! schedule, every call has ended with the outcome that the service has seen, no call that took its steps has waited
//! for a token or a gate until its deadline, and new calls succeed. `.ci/planted_faults.py` shows that the search finds
//! faults.

use std::env;
use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::thread;

use bytes::Bytes;
use http::Response;
use lark_proto::error::{CallErrorKind, WaitFor};

use super::execution::{Execution, Setup, State};
use super::work::{Account, Bounds, Kind, Plan, Work};
use crate::fixtures::{limited, page, refusal};

/// An hour, by which the client's clock is set forward and back.
const HOUR: i64 = 3600;
/// The most points of a schedule. An ordinary schedule has about thirty.
const MAX_POINTS: usize = 400;

/// An event of a schedule. A number is the place of a call, or of a kept token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Step(usize),
    Start,
    Deliver(usize),
    DeliverKept(usize),
    PassToNext,
    /// The calls that took no steps take steps again.
    Thaw,
    Refuse(usize, Refusal),
    /// The connection breaks before the body is sent.
    CutBefore(usize),
    /// The connection breaks after the body is sent. The service carries the request out at once, or later.
    CutAfter(usize, bool),
    /// No reply arrives until the time for the request has passed.
    Late(usize),
    CutKept(usize),
    /// The call is dropped. If its request is in flight, the service has all of it, or a part.
    Drop(usize, bool),
    /// The call takes no more steps.
    Freeze(usize),
    SetClock(i64),
    /// The service sends the ticket of the store app.
    SetTicket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The service has forgotten the token of the request.
    Token,
    RateLimit,
    Busy,
    Gateway,
    /// A token request is refused for its credentials.
    Credentials,
}

impl Refusal {
    fn reply(self) -> Response<Bytes> {
        match self {
            Self::Token => refusal(400, 99_991_663),
            Self::RateLimit => limited("5"),
            Self::Busy => refusal(200, 90_217),
            Self::Gateway => page(502),
            Self::Credentials => refusal(200, 10_014),
        }
    }
}

/// The calls of a world and the settings of their session.
#[derive(Clone, Debug)]
struct World {
    name: &'static str,
    setup: Setup,
    plans: Vec<Plan>,
}

const SETUP: Setup = Setup {
    is_store: false,
    has_ticket: false,
    keeps: false,
    quota: None,
    pokes: 1,
    reads_texts: false,
    seed: 0,
};

fn worlds() -> Vec<World> {
    let plan = |(kind, account)| Plan { kind, account, bounds: Bounds::DEFAULT };
    let world = |name, setup, plans: &[(Kind, Account)]| World {
        name,
        setup,
        plans: plans.iter().copied().map(plan).collect(),
    };
    let own = Account::Own(0);
    let store = Setup { is_store: true, has_ticket: true, ..SETUP };
    let two_sheets = [(Kind::Write(0), own), (Kind::Write(0), own), (Kind::Write(1), own)];
    let two_tenants = [(Kind::Put, own), (Kind::Once, Account::Own(1)), (Kind::Write(0), own)];
    let users = [
        (Kind::Write(0), Account::User(0)),
        (Kind::Write(0), own),
        (Kind::Write(0), Account::User(0)),
    ];
    let uploads = [(Kind::Put, own); 4];
    let unsafe_uploads = [(Kind::Once, own), (Kind::Once, own), (Kind::Write(0), own)];
    let quota = Setup { quota: Some((1, 4)), ..SETUP };
    let worlds = [
        world("two spreadsheets", SETUP, &two_sheets),
        world("a store app", store, &two_tenants),
        world("a store app without a ticket", Setup { has_ticket: false, ..store }, &two_tenants),
        world("a user's token", SETUP, &users),
        world("a quota", quota, &uploads),
        world("unsafe uploads", SETUP, &unsafe_uploads),
    ];
    // Each world with an adapter that ends a token request with its call, and one that keeps it. The waiting calls take
    // steps that they were not woken for in the first, which shows a lost wake-up, and none in the second.
    let both = worlds.into_iter().flat_map(|world| {
        let kept = Setup { keeps: true, pokes: 0, ..world.setup };
        [world.clone(), World { setup: kept, ..world }]
    });
    both.collect()
}

/// The events that are possible, the ordinary one first. Empty at the end of the schedule.
fn options(execution: &Execution<'_>, calls: usize) -> Vec<Choice> {
    let ready = execution.polled(|state| matches!(state, State::Ready));
    let in_flight = execution.polled(|state| matches!(state, State::InFlight(_)));
    let steps = ready.iter().copied().map(Choice::Step);
    let mut all: Vec<Choice> = steps.collect();
    if execution.tasks.len() < calls {
        all.push(Choice::Start);
    }
    all.extend(in_flight.iter().copied().map(Choice::Deliver));
    all.extend((0..execution.kept.len()).map(Choice::DeliverKept));
    if !execution.polled(|state| matches!(state, State::Waiting(_))).is_empty() {
        all.push(Choice::PassToNext);
    }
    if all.is_empty() {
        return if execution.live.is_empty() { Vec::new() } else { vec![Choice::Thaw] };
    }
    for at in in_flight {
        all.extend(answers(execution, at));
    }
    all.extend((0..execution.kept.len()).map(Choice::CutKept));
    for &at in &execution.live {
        all.push(Choice::Drop(at, false));
        if !execution.tasks[at].is_frozen {
            all.push(Choice::Freeze(at));
        }
    }
    all.extend([Choice::SetClock(HOUR), Choice::SetClock(-HOUR)]);
    if execution.setup.is_store {
        all.push(Choice::SetTicket);
    }
    all
}

/// The ends of a request other than its ordinary reply.
fn answers(execution: &Execution<'_>, at: usize) -> Vec<Choice> {
    let task = &execution.tasks[at];
    let State::InFlight(exchange) = &task.state else { return Vec::new() };
    if exchange.until <= execution.real {
        return Vec::new();
    }
    let mut all = vec![Choice::CutBefore(at), Choice::CutAfter(at, false), Choice::Late(at)];
    let mut refusals = vec![Refusal::RateLimit, Refusal::Gateway];
    if exchange.is_token_request() {
        refusals.push(Refusal::Credentials);
    } else {
        refusals.push(Refusal::Token);
        if task.work.sheet().is_some() {
            refusals.push(Refusal::Busy);
        }
        all.extend([Choice::CutAfter(at, true), Choice::Drop(at, true)]);
    }
    all.extend(refusals.into_iter().map(|refusal| Choice::Refuse(at, refusal)));
    all
}

fn perform<'w>(execution: &mut Execution<'w>, works: &'w [Work], choice: Choice) {
    match choice {
        Choice::Step(at) => execution.step(at),
        Choice::Start => {
            let at = execution.start(&works[execution.tasks.len()]);
            execution.step(at);
        }
        Choice::Deliver(at) => execution.deliver(at),
        Choice::DeliverKept(at) => execution.deliver_kept(at),
        Choice::PassToNext => execution.pass_to_next(),
        Choice::Thaw => execution.thaw(),
        Choice::Refuse(at, refusal) => {
            if refusal == Refusal::Token {
                if let Account::Own(tenant) = execution.tasks[at].work.plan.account {
                    execution.revoke_held(tenant);
                }
            }
            execution.refuse(at, refusal.reply());
        }
        Choice::CutBefore(at) => execution.cut(at, 0, false, false),
        Choice::CutAfter(at, is_later) => execution.cut(at, 8, is_later, false),
        Choice::Late(at) => execution.pass_to_timeout(at),
        Choice::CutKept(at) => execution.cut_kept(at),
        Choice::Drop(at, is_whole) => execution.drop_call(at, is_whole),
        Choice::Freeze(at) => execution.tasks[at].is_frozen = true,
        Choice::SetClock(seconds) => execution.set_clock(seconds),
        Choice::SetTicket => execution.set_ticket(true),
    }
    execution.poke();
}

/// A schedule: at each point, the place of the chosen option and the number of options.
type Schedule = Vec<(usize, usize)>;

/// Executes the schedule that begins with `prefix` and goes on with the ordinary events.
fn execute(world: &World, works: &[Work], prefix: &Schedule, trace: &mut Vec<Choice>) -> Schedule {
    let (works, fresh) = works.split_at(world.plans.len());
    let mut execution = Execution::new(world.setup);
    let mut schedule = Schedule::new();
    loop {
        let options = options(&execution, works.len());
        if options.is_empty() {
            break;
        }
        let place = match prefix.get(schedule.len()) {
            Some(&(place, count)) => {
                assert_eq!(options.len(), count, "the same schedule took another course");
                place
            }
            None => 0,
        };
        schedule.push((place, options.len()));
        trace.push(options[place]);
        perform(&mut execution, works, options[place]);
        assert!(schedule.len() < MAX_POINTS, "the schedule does not end");
    }
    if !trace.iter().zip(&schedule).any(|(choice, (place, _))| lets_time_pass(*choice, *place)) {
        assert_progress(&execution, trace);
    }
    let (probe, fresh) = fresh.split_last().unwrap();
    execution.finish(fresh, probe);
    schedule
}

/// Whether the deadline of a call that could go on may pass.
fn lets_time_pass(choice: Choice, place: usize) -> bool {
    match choice {
        Choice::Late(_) | Choice::SetClock(HOUR) => true,
        Choice::PassToNext => place > 0,
        _ => false,
    }
}

/// Checks that no call that took its steps waited for a token or a gate until its deadline.
fn assert_progress(execution: &Execution<'_>, trace: &[Choice]) {
    for (at, task) in execution.tasks.iter().enumerate() {
        let State::Done(Err(error)) = &task.state else { continue };
        if trace.contains(&Choice::Freeze(at)) {
            continue;
        }
        let is_stuck = matches!(error.kind, CallErrorKind::Queued(WaitFor::Token | WaitFor::Rate));
        assert!(!is_stuck, "call {at} is never let through: {error:?}");
    }
}

/// The schedule after this one, with at most `depth` deviations: its last point that can take another option takes it.
fn next(mut schedule: Schedule, depth: usize) -> Option<Schedule> {
    let mut deviations = schedule.iter().filter(|(place, _)| *place > 0).count();
    while let Some((place, count)) = schedule.pop() {
        if place > 0 {
            deviations -= 1;
        }
        if place + 1 < count && deviations < depth {
            schedule.push((place + 1, count));
            return Some(schedule);
        }
    }
    None
}

/// Executes every schedule of the world with at most `depth` deviations. Returns the number of schedules.
fn explore(world: &World, depth: usize) -> u64 {
    // The calls of the world, then those that have to succeed after each schedule.
    let plans = world.plans.iter().chain(&world.plans).chain(&world.plans[..1]);
    let works: Vec<Work> = plans.enumerate().map(|(at, plan)| Work::new(at, *plan)).collect();
    let mut schedules = 0;
    let mut prefix = Some(Schedule::new());
    while let Some(schedule) = prefix {
        let mut trace = Vec::new();
        let run = AssertUnwindSafe(|| execute(world, &works, &schedule, &mut trace));
        let done = panic::catch_unwind(run).unwrap_or_else(|panic| {
            let mut events = String::new();
            for choice in &trace {
                let _ = write!(events, " {choice:?}");
            }
            eprintln!("world: {}, keeps: {}\nschedule:{events}", world.name, world.setup.keeps);
            panic::resume_unwind(panic)
        });
        schedules += 1;
        prefix = next(done, depth);
    }
    schedules
}

/// Searches all worlds, on all processors. The environment variable `LARK_EXPLORER_DEPTH` sets the number of
/// deviations; it is 1 otherwise.
#[test]
#[expect(clippy::disallowed_methods, reason = "a long search is started by hand")]
fn every_schedule_of_a_small_world_keeps_the_rules() {
    let depth = env::var("LARK_EXPLORER_DEPTH").map_or(1, |depth| depth.parse().unwrap());
    let queue = Mutex::new(worlds().into_iter());
    let total = Mutex::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let world = queue.lock().unwrap().next();
                    let Some(world) = world else { break };
                    let schedules = explore(&world, depth);
                    println!("{schedules} schedules: {}, keeps: {}", world.name, world.setup.keeps);
                    *total.lock().unwrap() += schedules;
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("{total} schedules with at most {depth} deviations");
    assert!(total > 1000, "{total}");
}

#[test]
fn the_search_reaches_every_schedule_within_the_depth_once() {
    // Three points with three options each.
    let mut found = Vec::new();
    let mut schedule = Some(Schedule::new());
    while let Some(prefix) = schedule {
        let places = (0..3).map(|at| prefix.get(at).map_or(0, |(place, _)| *place));
        let whole: Schedule = places.map(|place| (place, 3)).collect();
        found.push(whole.iter().map(|(place, _)| *place).collect::<Vec<_>>());
        schedule = next(whole, 2);
    }
    let mut expected = Vec::new();
    for a in 0..3 {
        for b in 0..3 {
            for c in 0..3 {
                if [a, b, c].iter().filter(|place| **place > 0).count() <= 2 {
                    expected.push(vec![a, b, c]);
                }
            }
        }
    }
    assert_eq!(found, expected);
}
