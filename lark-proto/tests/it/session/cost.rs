//! The cost of a call does not depend on the number of waiting calls: each of ten thousand calls takes as many steps,
//! and is woken as often, as each of a thousand.

use std::time::Duration;

use lark_proto::endpoints::{Quota, SheetImageWritten};
use lark_proto::error::Code;
use lark_proto::fake::Route;
use lark_proto::session::{Call, Session};
use lark_proto::{ImageKey, Limits};

use crate::fixtures::{RESET, call, custom, good, millis, refusal, secs, with, write};
use crate::sim::{Sim, after};

/// The steps that the calls at both ends of a queue save because they wait less. For example, the first fifty calls
/// pass a gate at once, and none of them is woken twice.
const ENDS: u64 = 128;

const DAYS: Duration = secs(10 * 24 * 60 * 60);

fn limits() -> Limits {
    Limits::default().total(DAYS)
}

/// A session without quotas.
fn session() -> Session {
    let mut session = custom();
    session.keep_quotas(false);
    session
}

/// The steps and the wakes of all calls until the last one has succeeded.
fn cost<O>(mut sim: Sim<'_, O>) -> [u64; 2] {
    sim.run_until(DAYS);
    for task in 0..sim.tasks.len() {
        assert!(sim.result(task).is_ok(), "{:?}", sim.result(task).as_ref().err());
    }
    [sim.steps, sim.wakes]
}

fn in_one_lane(calls: usize) -> [u64; 2] {
    in_lanes(calls, 1)
}

fn in_fifty_lanes(calls: usize) -> [u64; 2] {
    in_lanes(calls, 50)
}

fn in_lanes(calls: usize, lanes: usize) -> [u64; 2] {
    let writes: Vec<_> = (0..lanes).map(|number| write(number, "")).collect();
    let mut sim: Sim<'_, SheetImageWritten> =
        Sim::new(session(), |_, request| after(millis(1), good(&request)));
    for write in writes.iter().cycle().take(calls) {
        sim.start(Call::new(write).with_limits(limits()).boxed());
    }
    cost(sim)
}

fn behind_a_first_token(calls: usize) -> [u64; 2] {
    let mut sim: Sim<'_, ImageKey> =
        Sim::new(session(), |_, request| after(secs(1), good(&request)));
    for _ in 0..calls {
        sim.start(call().with_limits(limits()).boxed());
    }
    cost(sim)
}

/// A twentieth of the calls passes within a second. Then one call is refused for a second, and the gate limits the rate
/// of the others.
fn at_a_gate(calls: usize) -> [u64; 2] {
    let mut requests = 0;
    let mut sim: Sim<'_, ImageKey> = Sim::new(session(), move |_, request| {
        requests += 1;
        let is_refused = requests == 2 + calls / 20;
        let reply = if is_refused { refusal(200, Code::RATE_LIMITED.0) } else { good(&request) };
        after(millis(1), with(reply, RESET, "1"))
    });
    for number in 0..calls {
        let at = if number <= calls / 20 { Duration::ZERO } else { millis(500) };
        sim.start_at(at, call().with_limits(limits()).boxed());
    }
    cost(sim)
}

fn behind_a_quota(calls: usize) -> [u64; 2] {
    let mut session = custom();
    session.set_quota(Route::ImageV4Put.path(), Quota::per_second(50).and_per_minute(1_000));
    let mut sim: Sim<'_, ImageKey> =
        Sim::new(session, |_, request| after(millis(1), good(&request)));
    for _ in 0..calls {
        sim.start(call().with_limits(limits()).boxed());
    }
    cost(sim)
}

/// Asserts that a call costs the same among `calls` and among ten times as many, and on average at most 4.1 steps and
/// three wakes.
fn costs_the_same(cost: fn(usize) -> [u64; 2], calls: u64) {
    let of = |calls: u64| cost(usize::try_from(calls).unwrap());
    let few = of(calls);
    let many = of(10 * calls);
    println!("[steps, wakes] of {calls} calls: {few:?}, of ten times as many: {many:?}");
    for (few, many) in few.into_iter().zip(many) {
        assert!(
            many.abs_diff(10 * few) <= 9 * ENDS,
            "{few} of {calls} calls, {many} of ten times as many"
        );
    }
    let [steps, wakes] = many;
    assert!(steps <= 41 * calls && wakes <= 30 * calls, "{steps} steps and {wakes} wakes");
}

const A_THOUSAND: u64 = 1_000;
const TEN_THOUSAND: u64 = 10_000;

#[test]
fn a_call_in_a_lane_costs_the_same_at_any_length_of_the_lane() {
    costs_the_same(in_one_lane, A_THOUSAND);
}

#[test]
fn a_call_in_one_of_many_lanes_costs_the_same_at_any_length_of_the_lanes() {
    costs_the_same(in_fifty_lanes, A_THOUSAND);
}

#[test]
fn a_call_that_waits_for_the_first_token_costs_the_same_among_any_number_of_calls() {
    costs_the_same(behind_a_first_token, A_THOUSAND);
}

#[test]
fn a_call_at_a_gate_in_slow_start_costs_the_same_at_any_length_of_the_queue() {
    costs_the_same(at_a_gate, A_THOUSAND);
}

#[test]
fn a_call_behind_a_quota_costs_the_same_at_any_length_of_the_queue() {
    costs_the_same(behind_a_quota, A_THOUSAND);
}

#[test]
#[ignore = "it takes a minute in a debug build; `.ci/full schedules` runs it"]
fn a_call_costs_the_same_among_a_hundred_thousand() {
    for cost in [in_one_lane, in_fifty_lanes, behind_a_first_token, at_a_gate, behind_a_quota] {
        costs_the_same(cost, TEN_THOUSAND);
    }
}
