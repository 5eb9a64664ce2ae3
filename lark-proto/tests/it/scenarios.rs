//! The fake's scenarios, on a virtual clock.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use lark_proto::error::CallErrorKind;
use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
use lark_proto::fake::{ConnectionFault, FakeLark};
use lark_proto::session::{Call, Session};
use lark_proto::{CallError, Site};

use crate::sim::{Cut, Reaction, Sim, after, clock, cut};

/// The fake answers over a connection that breaks as the fake asks for.
fn react(lark: &RefCell<FakeLark>, now: Duration, request: Request<Bytes>) -> Reaction<'static> {
    let mut lark = lark.borrow_mut();
    let (head, body) = request.into_parts();
    let flight = lark.begin(clock(now), &head);
    let breaks = flight.connection_fault();
    let pulled = match breaks {
        Some(ConnectionFault::BeforeBody) => 0,
        Some(ConnectionFault::DuringBody) => body.len() as u64 / 2,
        _ => {
            let reply = lark.finish(clock(now), flight, &body);
            return match breaks {
                None => after(Duration::ZERO, reply),
                Some(ConnectionFault::SlowReply(time)) => after(time, reply),
                Some(ConnectionFault::AfterBody | ConnectionFault::CutReply) => {
                    cut(Duration::ZERO, u64::MAX)
                }
                Some(other) => panic!("{other:?}"),
            };
        }
    };
    lark.abandon(flight);
    cut(Duration::ZERO, pulled)
}

fn simulate<'l>(scenario: &Scenario, lark: &'l RefCell<FakeLark>, keeps: bool) -> Sim<'l, ()> {
    let session = Session::new(Site::LARK, scenario.app.clone());
    Sim::new(session, |now, request| react(lark, now, request)).keeping(keeps)
}

/// The result of a call of the scenario, and the time that it takes.
fn call(sim: &mut Sim<'_, ()>, scenario: &Scenario) -> (Result<(), CallError<Cut>>, Duration) {
    let call = match &scenario.tenant {
        Some(tenant) => Call::for_tenant(tenant.clone(), &scenario.call),
        None => Call::new(&scenario.call),
    };
    let steps = sim.steps;
    let task = sim.start(call.with_limits(scenario.limits).boxed());
    sim.run();
    assert!(sim.steps - steps <= 50, "{}: the call takes too many steps", scenario.name);
    (sim.take_last_result(), sim.took(task))
}

/// The differences from the scenario.
fn run(scenario: &Scenario, keeps: bool) -> Vec<String> {
    let lark = RefCell::new(FakeLark::new());
    let mut sim = simulate(scenario, &lark, keeps);
    let mut run = Run::new(scenario);
    let mut busy = Vec::new();
    loop {
        let next = run.next(&mut lark.borrow_mut());
        match next {
            Next::Ticket(ticket) => sim.session.set_app_ticket(ticket),
            Next::Call => {
                let (result, took) = call(&mut sim, scenario);
                run.called(&result);
                run.took(took);
                if !sim.has_exchanges() && !sim.session.is_idle() {
                    busy.push(format!("{}: the session is not idle after a call", scenario.name));
                }
            }
            Next::Done(wrong) => return [wrong, busy].concat(),
        }
    }
}

fn run_all(keeps: bool) {
    let all = scenarios::all().unwrap();
    let wrong: Vec<String> = all.iter().flat_map(|scenario| run(scenario, keeps)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_scenario_ends_as_it_says() {
    run_all(false);
}

#[test]
fn every_scenario_ends_as_it_says_with_a_transport_that_keeps_token_requests() {
    run_all(true);
}

#[test]
fn no_two_scenarios_have_the_same_name() {
    let mut names: Vec<&str> = scenarios::all().unwrap().iter().map(|s| s.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// The longest time of the call of each scenario, in milliseconds. Adapters run the scenarios in real time.
fn longest_times() -> Vec<u128> {
    let all = scenarios::all().unwrap();
    all.iter().map(|scenario| scenario.lasts.end().as_millis()).collect()
}

#[test]
fn no_scenario_takes_longer_than_2_1_seconds() {
    let times = longest_times();
    assert!(times.iter().all(|time| *time <= 2_100), "{times:?}");
}

#[test]
fn at_most_eight_scenarios_take_longer_than_half_a_second() {
    let times = longest_times();
    assert!(times.iter().filter(|time| **time > 500).count() <= 8, "{times:?}");
}

/// The fake after one call of the scenario, and the result of the call.
fn after_a_call(scenario: &Scenario) -> (RefCell<FakeLark>, Result<(), CallError<Cut>>) {
    let lark = RefCell::new(FakeLark::new());
    scenario.prepare(&mut lark.borrow_mut());
    let (result, _) = call(&mut simulate(scenario, &lark, false), scenario);
    (lark, result)
}

fn named<'s>(all: &'s [Scenario], name: &str) -> &'s Scenario {
    all.iter().find(|scenario| scenario.name == name).unwrap()
}

/// The text with which a check fails.
fn differs(
    scenario: &Scenario,
    result: &Result<(), CallError<Cut>>,
    lark: &RefCell<FakeLark>,
) -> String {
    scenario.check(result, &lark.borrow()).unwrap_err()
}

#[test]
fn a_check_notices_a_wrong_end_a_wrong_request_or_a_missing_image() {
    let all = scenarios::all().unwrap();
    let first = named(&all, "a call without a token fetches one");
    let none = RefCell::new(FakeLark::new());
    assert!(differs(first, &Ok(()), &none).contains("the requests"));
    let (lark, result) = after_a_call(first);
    assert_eq!(first.check(&result, &lark.borrow()), Ok(()));
    assert!(
        differs(named(&all, "a client without an app sends no request"), &result, &lark)
            .contains("the end")
    );
    let mut upload = first.clone();
    upload.requests.remove(0);
    assert!(differs(&upload, &result, &lark).contains("the number of all requests"));
    let mut cell = first.clone();
    cell.call = named(&all, "the second cell write uses the token of the first").call.clone();
    assert!(differs(&cell, &result, &lark).contains("the image is stored"));
}

#[test]
fn a_check_notices_the_log_id_of_an_earlier_reply() {
    let all = scenarios::all().unwrap();
    let twice = named(&all, "a token refused at both of two attempts fails the call");
    let (lark, result) = after_a_call(twice);
    let mut error = result.unwrap_err();
    let CallErrorKind::Lark(lark_proto::Error::Api(api)) = &mut error.kind else {
        panic!("{error:?}")
    };
    let earlier = lark.borrow().requests()[1].log_id.clone();
    assert!(earlier.is_some() && earlier != api.log_id);
    api.log_id = earlier;
    assert!(differs(twice, &Err(error), &lark).contains("log id"));
}

#[test]
fn a_check_notices_a_known_outcome_of_a_call_whose_connection_broke() {
    let all = scenarios::all().unwrap();
    let cut = named(&all, "an unsafe call is not sent again after a reset connection");
    let (lark, result) = after_a_call(cut);
    assert_eq!(cut.check(&result, &lark.borrow()), Ok(()));
    let route = result.unwrap_err().route;
    let as_refused = CallError::new(route, CallErrorKind::<Cut>::NoTicket);
    assert!(differs(cut, &Err(as_refused), &lark).contains("NotSent"));
}

/// Runs a scenario in which the call at `at` fails and takes `time`. Returns the number of calls that the run asks
/// for, and the differences that it reports.
fn run_with_a_failure(scenario: &Scenario, at: usize, time: Duration) -> (usize, Vec<String>) {
    let lark = RefCell::new(FakeLark::new());
    let mut sim = simulate(scenario, &lark, false);
    let mut run = Run::new(scenario);
    let mut calls = 0;
    loop {
        let next = run.next(&mut lark.borrow_mut());
        match next {
            Next::Ticket(ticket) => sim.session.set_app_ticket(ticket),
            Next::Call => {
                let (mut result, _) = call(&mut sim, scenario);
                if calls == at {
                    result = Err(CallError::new("/", CallErrorKind::<Cut>::NoApp));
                }
                run.called(&result);
                run.took(if calls == at { time } else { Duration::ZERO });
                calls += 1;
            }
            Next::Done(wrong) => return (calls, wrong),
        }
    }
}

#[test]
fn a_run_of_a_warm_scenario_makes_three_calls() {
    let all = scenarios::all().unwrap();
    // The fake of the second scenario is prepared after the warm call and before the call.
    for name in ["the second call uses the token of the first", "a revoked token is fetched again"]
    {
        assert_eq!(run_with_a_failure(named(&all, name), 3, Duration::ZERO), (3, Vec::new()));
    }
}

#[test]
fn a_run_notices_a_call_that_fails() {
    let all = scenarios::all().unwrap();
    for (at, words) in [(0, "the warm call"), (1, "the end"), (2, "the call afterwards")] {
        let (_, wrong) = run_with_a_failure(
            named(&all, "the second call uses the token of the first"),
            at,
            Duration::ZERO,
        );
        assert!(matches!(&*wrong, [wrong] if wrong.contains(words)), "{wrong:?}");
    }
}

#[test]
fn a_run_notices_a_call_that_is_slow() {
    let all = scenarios::all().unwrap();
    let (_, wrong) = run_with_a_failure(
        named(&all, "the second call uses the token of the first"),
        1,
        Duration::from_millis(1),
    );
    assert!(
        matches!(&*wrong, [slow, end] if slow.contains("1ms") && end.contains("the end")),
        "{wrong:?}"
    );
}
