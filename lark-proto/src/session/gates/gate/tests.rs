use super::*;
use crate::api::Reply;
use crate::session::test_time::{NANO, around, at, secs};

/// No calls.
const NONE: [u64; 0] = [];
const LONGEST_WAIT: Duration = Duration::from_secs(60);

fn rate_limited() -> Error {
    Reply::new(http::Response::new(r#"{"code":99991400}"#.into())).ok().unwrap_err()
}

fn woken(act: impl FnOnce(&mut WakeList)) -> Vec<u64> {
    let mut woken = WakeList::default();
    act(&mut woken);
    woken.take().into_iter().map(|call| call.0).collect()
}

/// A gate and its quota.
struct Fixture {
    gate: Gate,
    quota: Quota,
}

impl Fixture {
    fn new(quota: Quota) -> Self {
        Self { gate: Gate::new(Moment::START), quota }
    }

    /// A gate that is closed for `wait` from the time zero.
    fn closed(wait: Duration) -> Self {
        let mut fixture = Self::new(Quota::NONE);
        fixture.gate.refused(wait, &rate_limited(), Moment::START, &mut WakeList::default());
        fixture
    }

    fn pass(&mut self, call: u64, longest_wait: Duration, now: Moment) -> Result<(), Hold> {
        self.gate.pass(CallId(call), longest_wait, self.quota, now, &mut WakeList::default())
    }

    fn passes(&mut self, call: u64, now: Moment) -> bool {
        self.pass(call, LONGEST_WAIT, now).is_ok()
    }

    /// The time until which `call` waits.
    fn wait(&mut self, call: u64, now: Moment) -> Moment {
        match self.pass(call, LONGEST_WAIT, now) {
            Err(Hold::Wait { until, reason: WaitFor::Rate }) => until,
            _ => panic!("call {call} does not wait for the rate limit"),
        }
    }

    fn ends(&mut self, call: u64, longest_wait: Duration, now: Moment) -> bool {
        matches!(self.pass(call, longest_wait, now), Err(Hold::End(Ending::Shared(_))))
    }

    fn leave(&mut self, call: u64, now: Moment) -> Vec<u64> {
        woken(|woken| self.gate.leave(CallId(call), self.quota, now, woken))
    }

    /// A gate with a quota of one request per second, which has admitted a request at the time zero, and with `calls`
    /// calls in its queue. Also returns the time when the gate opens.
    fn full(calls: u64) -> (Self, Moment) {
        let mut fixture = Self::new(Quota::per_second(1));
        assert!(fixture.passes(1, Moment::START));
        let opens = fixture.gate.opens(fixture.quota);
        for call in 2..2 + calls {
            fixture.wait(call, Moment::START);
        }
        (fixture, opens)
    }
}

#[test]
fn the_first_call_passes_when_the_gate_opens() {
    for (at, passes) in [0, 1, 2].into_iter().zip([false, true, true]) {
        let (mut fixture, opens) = Fixture::full(1);
        assert_eq!(fixture.passes(2, around(opens)[at]), passes);
    }
}

#[test]
fn a_call_that_arrives_passes_an_open_gate_without_a_queue() {
    for (at, passes) in [0, 1, 2].into_iter().zip([false, true, true]) {
        let (mut fixture, opens) = Fixture::full(0);
        assert_eq!(fixture.passes(2, around(opens)[at]), passes);
    }
}

#[test]
fn the_second_call_passes_a_second_after_the_first_could_have_passed() {
    for (at, passes) in [0, 1, 2].into_iter().zip([false, true, true]) {
        let (mut fixture, opens) = Fixture::full(2);
        assert_eq!(fixture.passes(3, around(opens + SECOND)[at]), passes);
    }
}

#[test]
fn a_call_is_overtaken_a_second_after_it_became_the_first_at_the_earliest() {
    let first_since = at(10);
    for (at, passes) in [0, 1, 2].into_iter().zip([false, true, true]) {
        let (mut fixture, _) = Fixture::full(3);
        fixture.leave(2, first_since);
        assert_eq!(fixture.passes(4, around(first_since + SECOND)[at]), passes);
    }
}

#[test]
fn a_sweep_does_not_change_when_a_call_may_be_overtaken() {
    let (mut fixture, opens) = Fixture::full(2);
    assert!(!fixture.gate.is_idle(opens + SECOND / 2));
    assert!(!fixture.passes(3, opens + SECOND - NANO));
    assert!(fixture.passes(3, opens + SECOND));
}

#[test]
fn a_refusal_in_slow_start_does_not_change_when_a_call_may_be_overtaken() {
    let mut fixture = Fixture::closed(SECOND);
    fixture.quota = Quota::per_second(1);
    assert!(fixture.passes(1, at(1)));
    let opens = fixture.gate.opens(fixture.quota);
    for call in 2..4 {
        fixture.wait(call, at(1));
    }
    let now = opens + SECOND / 2;
    fixture.gate.refused(SECOND, &rate_limited(), now, &mut WakeList::default());
    assert!(!fixture.passes(3, opens + SECOND - NANO));
    assert!(fixture.passes(3, opens + SECOND));
}

#[test]
fn the_second_call_waits_for_an_interval_more_than_the_first() {
    let mut fixture = Fixture::closed(secs(10));
    assert_eq!(fixture.wait(1, Moment::START), at(10));
    assert_eq!(fixture.wait(2, Moment::START), at(10) + SECOND / 5);
}

#[test]
fn a_later_call_takes_a_step_a_second_after_the_calls_before_it_would_have_passed() {
    let mut fixture = Fixture::closed(secs(10));
    for call in 1..=3 {
        fixture.wait(call, Moment::START);
    }
    assert_eq!(fixture.wait(3, Moment::START), at(10) + SECOND / 5 * 2 + SECOND);
    assert_eq!(fixture.wait(4, Moment::START), at(10) + SECOND / 5 * 3 + SECOND);
    fixture.leave(1, Moment::START);
    assert_eq!(fixture.wait(4, Moment::START), at(10) + SECOND / 5 * 2 + SECOND);
}

#[test]
fn the_average_interval_of_a_queue_is_that_of_its_slowest_limit() {
    let gate = Gate::new(Moment::START);
    let average_interval = |quota| gate.average_interval(quota, Moment::START);
    assert_eq!(average_interval(Quota::NONE), Duration::ZERO);
    assert_eq!(average_interval(Quota::per_second(10)), gate.second.longest_life() / 10);
    assert_eq!(average_interval(Quota::per_minute(10)), gate.minute.longest_life() / 10);
    let both = Quota::per_second(1).and_per_minute(1000);
    assert_eq!(average_interval(both), gate.second.longest_life());
}

#[test]
fn a_call_ends_if_the_gate_is_closed_for_longer_than_its_longest_wait() {
    for (longest_wait, ends) in around(secs(10)).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::closed(secs(10));
        assert_eq!(fixture.ends(1, longest_wait, Moment::START), ends, "{longest_wait:?}");
    }
}

#[test]
fn a_call_that_ends_leaves_the_queue() {
    let mut fixture = Fixture::closed(secs(10));
    assert!(fixture.ends(1, secs(9), Moment::START));
    assert!(fixture.gate.queue.is_empty());
}

#[test]
fn a_refusal_wakes_the_calls_whose_longest_wait_is_less_than_the_wait() {
    let mut fixture = Fixture::closed(SECOND);
    for (call, longest_wait) in (1..).zip([secs(20), secs(10) - NANO, secs(10), secs(10) + NANO]) {
        assert!(fixture.pass(call, longest_wait, Moment::START).is_err());
    }
    let wait = |fixture: &mut Fixture, wait| {
        woken(|woken| fixture.gate.refused(wait, &rate_limited(), Moment::START, woken))
    };
    assert_eq!(wait(&mut fixture, secs(10) - NANO), NONE);
    assert_eq!(wait(&mut fixture, secs(10)), [2]);
    assert_eq!(wait(&mut fixture, secs(10)), NONE);
    assert_eq!(wait(&mut fixture, secs(10) + NANO), [2, 3]);
}

#[test]
fn the_least_longest_wait_is_forgotten_when_the_queue_is_empty() {
    let mut fixture = Fixture::closed(SECOND);
    assert!(fixture.pass(1, secs(2), Moment::START).is_err());
    fixture.leave(1, Moment::START);
    assert_eq!(fixture.gate.least_longest_wait, Duration::MAX);
}

#[test]
fn a_first_call_that_leaves_wakes_the_next_two() {
    let mut fixture = Fixture::closed(secs(10));
    for call in 1..=4 {
        fixture.wait(call, Moment::START);
    }
    assert_eq!(fixture.leave(1, Moment::START), [2, 3]);
}

#[test]
fn a_second_call_that_already_waits_until_the_gate_opens_is_not_woken() {
    let (mut fixture, opens) = Fixture::full(3);
    assert_eq!(fixture.gate.second_until, opens);
    assert_eq!(fixture.leave(2, Moment::START), [4]);
}

#[test]
fn an_earlier_call_that_joins_and_leaves_wakes_the_next_two() {
    let (mut fixture, opens) = Fixture::full(3);
    assert_eq!(fixture.wait(1, Moment::START), opens);
    assert_eq!(fixture.leave(1, Moment::START), [2, 3]);
}

#[test]
fn a_second_call_that_leaves_wakes_the_third() {
    let mut fixture = Fixture::closed(secs(10));
    for call in 1..=4 {
        fixture.wait(call, Moment::START);
    }
    assert_eq!(fixture.leave(2, Moment::START), [3]);
}

#[test]
fn a_later_call_that_leaves_wakes_none() {
    let mut fixture = Fixture::closed(secs(10));
    for call in 1..=4 {
        fixture.wait(call, Moment::START);
    }
    assert_eq!(fixture.leave(3, Moment::START), NONE);
    assert_eq!(fixture.leave(3, Moment::START), NONE);
}

#[test]
fn a_gate_is_idle_when_no_request_counts_any_longer() {
    let mut fixture = Fixture::new(Quota::NONE);
    assert!(fixture.gate.is_idle(Moment::START));
    assert!(fixture.passes(1, Moment::START));
    let expires = Moment(fixture.gate.second.longest_life());
    assert!(!fixture.gate.is_idle(expires - NANO));
    assert!(fixture.gate.is_idle(expires));
}

#[test]
fn a_gate_with_a_limit_per_minute_is_idle_after_a_minute() {
    let mut fixture = Fixture::new(Quota::per_minute(10));
    assert!(fixture.passes(1, Moment::START));
    let expires = Moment(fixture.gate.minute.longest_life());
    assert!(!fixture.gate.is_idle(expires - NANO));
    assert!(fixture.gate.is_idle(expires));
}

#[test]
fn a_gate_is_idle_when_slow_start_has_ended() {
    let mut fixture = Fixture::closed(secs(10));
    assert_eq!(around(at(10)).map(|now| fixture.gate.is_idle(now)), [false; 3]);
    assert_eq!(around(at(70)).map(|now| fixture.gate.is_idle(now)), [false, true, true]);
}

#[test]
fn a_gate_with_a_waiting_call_is_not_idle() {
    let (mut fixture, _) = Fixture::full(1);
    assert!(!fixture.gate.is_idle(at(1000)));
    fixture.leave(2, at(1000));
    assert!(fixture.gate.is_idle(at(1000)));
}

#[test]
fn the_second_call_waits_until_it_may_overtake_once_the_gate_has_opened() {
    let (mut fixture, opens) = Fixture::full(2);
    let waits = around(opens).map(|now| fixture.wait(3, now));
    assert_eq!(waits, [opens, opens + SECOND, opens + SECOND]);
}

#[test]
fn a_call_that_joins_before_the_first_becomes_the_first() {
    let mut fixture = Fixture::closed(secs(50));
    fixture.wait(5, at(1));
    assert_eq!(fixture.gate.first_since, at(1));
    fixture.wait(6, at(2));
    fixture.wait(5, at(3));
    assert_eq!(fixture.gate.first_since, at(1));
    fixture.wait(4, at(4));
    assert_eq!(fixture.gate.first_since, at(4));
}

#[test]
fn a_call_that_overtakes_the_first_takes_it_out_of_the_queue() {
    let (mut fixture, opens) = Fixture::full(3);
    assert!(fixture.passes(3, opens + SECOND));
    assert_eq!(fixture.gate.queue.keys().collect::<Vec<_>>(), [&CallId(4)]);
    assert_eq!(fixture.gate.left, 2);
}

#[test]
fn a_call_that_overtakes_the_first_wakes_the_next_two() {
    let (mut fixture, opens) = Fixture::full(4);
    let Fixture { gate, quota } = &mut fixture;
    let woken = woken(|woken| {
        assert!(gate.pass(CallId(3), LONGEST_WAIT, *quota, opens + SECOND, woken).is_ok());
    });
    assert_eq!(woken, [4, 5]);
}
