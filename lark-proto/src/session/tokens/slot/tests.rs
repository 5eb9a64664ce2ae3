use super::*;
use crate::session::hold::Reason;

const LIFE: Duration = Duration::from_secs(7200);
const NANO: Duration = Duration::from_nanos(1);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The instants just before a time, at it, and just after it.
fn around(seconds: u64) -> [Duration; 3] {
    [secs(seconds) - NANO, secs(seconds), secs(seconds) + NANO]
}

fn failure() -> TokenFailure {
    TokenFailure { route: "/token", reason: Reason::NoTicket }
}

/// A slot, and the number of requests and imports so far. Each request ends at the time at which it was sent.
struct Fixture {
    slot: Slot<&'static str>,
    requests: u64,
}

impl Fixture {
    fn new() -> Self {
        Self { slot: Slot::default(), requests: 0 }
    }

    fn send(&mut self) -> bool {
        self.requests += 1;
        self.slot.begin(TokenRequestId(self.requests))
    }

    /// Grants a token and returns its generation.
    fn grant(&mut self, at: Duration, token: &'static str, life: Duration) -> u64 {
        self.send();
        self.slot.granted(token, life, at);
        self.slot.generation()
    }

    fn fail(&mut self, at: Duration, kind: FailureKind) -> bool {
        self.send();
        self.slot.failed(kind, failure(), 0, at)
    }

    /// Grants a token at the time zero, which the service refuses at `at`.
    fn refuse(&mut self, token: &'static str, at: Duration) {
        let generation = self.grant(Duration::ZERO, token, LIFE);
        assert_eq!(self.slot.refuse(generation, at), RefusedToken::Dropped);
    }

    fn import(&mut self, token: &'static str, expires: Duration) -> bool {
        self.requests += 1;
        self.slot.import(token, expires, TokenRequestId(self.requests))
    }

    /// The time until which no request is sent, and the time until which a call waits if its limits allow that.
    fn pause(&self, at: Duration) -> Option<(Duration, Duration)> {
        self.slot.pause(at).map(|pause| (pause.until, pause.wait_until))
    }
}

#[test]
fn a_token_is_valid_until_it_expires() {
    let mut fixture = Fixture::new();
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    let valid = around(7200).map(|at| fixture.slot.valid(at).is_some());
    assert_eq!(valid, [true, false, false]);
}

#[test]
fn a_token_is_due_for_renewal_in_its_last_29_minutes() {
    let mut fixture = Fixture::new();
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    assert_eq!(around(7200 - 29 * 60).map(|at| fixture.slot.is_due(at)), [false, true, true]);
    assert_eq!(around(7200).map(|at| fixture.slot.is_due(at)), [true; 3]);
}

#[test]
fn a_token_lives_for_a_minute_at_least() {
    for (life, expires) in [
        (Duration::ZERO, secs(60)),
        (secs(60) - NANO, secs(60)),
        (secs(60), secs(60)),
        (secs(60) + NANO, secs(60) + NANO),
    ] {
        let mut fixture = Fixture::new();
        fixture.grant(secs(10), "t-1", life);
        assert_eq!(fixture.slot.held(), Some((&"t-1", secs(10) + expires)), "{life:?}");
    }
}

#[test]
fn no_renewal_is_due_in_the_first_minute_of_a_token() {
    let mut fixture = Fixture::new();
    fixture.grant(secs(10), "t-1", secs(600));
    assert_eq!(around(70).map(|at| fixture.slot.is_due(at)), [false, true, true]);
}

#[test]
fn the_fourth_failure_ends_a_series() {
    let mut fixture = Fixture::new();
    for _ in 0..2 {
        let ends = [1, 2, 3, 4].map(|_| fixture.fail(secs(10), FailureKind::Transient));
        assert_eq!(ends, [false, false, false, true]);
    }
}

#[test]
fn a_failure_pauses_the_requests_for_a_backoff() {
    let mut fixture = Fixture::new();
    for failures in 1..MAX_ATTEMPTS {
        fixture.fail(secs(10), FailureKind::Transient);
        let until = secs(10) + backoff(failures, 0);
        assert_eq!(fixture.pause(secs(10)), Some((until, until)));
        assert_eq!([until - NANO, until].map(|at| fixture.pause(at).is_some()), [true, false]);
    }
}

#[test]
fn the_next_series_begins_without_a_pause() {
    let mut fixture = Fixture::new();
    for _ in 0..MAX_ATTEMPTS {
        fixture.fail(secs(10), FailureKind::Transient);
    }
    assert_eq!(fixture.pause(secs(10)), None);
}

#[test]
fn a_permanent_failure_and_a_long_wait_end_a_series_at_once() {
    let longest = secs(120);
    for (kind, is_over) in [
        (FailureKind::RetryAfter(longest - NANO), false),
        (FailureKind::RetryAfter(longest), false),
        (FailureKind::RetryAfter(longest + NANO), true),
        (FailureKind::Permanent, true),
        (FailureKind::TicketRequested, false),
    ] {
        assert_eq!(Fixture::new().fail(Duration::ZERO, kind), is_over, "{kind:?}");
    }
}

#[test]
fn each_kind_of_failure_pauses_the_requests_for_its_own_time() {
    for (kind, until, wait_until) in [
        (FailureKind::RetryAfter(secs(7)), 7, 7),
        (FailureKind::RetryAfter(secs(120)), 120, 120),
        (FailureKind::RetryAfter(secs(121)), 120, 0),
        (FailureKind::Permanent, 5, 0),
        (FailureKind::TicketRequested, 300, 150),
    ] {
        let mut fixture = Fixture::new();
        fixture.fail(Duration::ZERO, kind);
        let pause = fixture.pause(Duration::ZERO);
        assert_eq!(pause, Some((secs(until), secs(wait_until))), "{kind:?}");
        let is_paused = around(until).map(|at| fixture.pause(at).is_some());
        assert_eq!(is_paused, [true, false, false], "{kind:?}");
    }
}

#[test]
fn a_token_resets_the_count_of_failures() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.fail(Duration::ZERO, FailureKind::Transient);
    }
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    let ends = [1, 2, 3, 4].map(|_| fixture.fail(LIFE, FailureKind::Transient));
    assert_eq!(ends, [false, false, false, true]);
}

#[test]
fn a_token_ends_the_pause() {
    let mut fixture = Fixture::new();
    fixture.fail(Duration::ZERO, FailureKind::TicketRequested);
    fixture.grant(secs(1), "t-1", LIFE);
    assert_eq!(fixture.pause(secs(1)), None);
}

#[test]
fn a_new_series_counts_its_failures_from_the_first() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.fail(Duration::ZERO, FailureKind::Transient);
    }
    fixture.slot.begin_series();
    assert_eq!(fixture.pause(Duration::ZERO), None);
    assert!(!fixture.fail(Duration::ZERO, FailureKind::Transient));
}

#[test]
fn a_failed_renewal_is_retried_after_1_2_4_and_then_each_8_minutes() {
    for kind in [FailureKind::Transient, FailureKind::Permanent, FailureKind::RetryAfter(secs(1))] {
        let mut fixture = Fixture::new();
        fixture.grant(Duration::ZERO, "t-1", LIFE);
        let mut at = 5460;
        for minutes in [1, 2, 4, 8, 8] {
            assert!(!fixture.fail(secs(at), kind), "a failed renewal ends no call");
            at += 60 * minutes;
            assert_eq!(around(at).map(|at| fixture.slot.is_due(at)), [false, true, true]);
        }
    }
}

#[test]
fn a_token_resets_the_count_of_failed_renewals() {
    let mut fixture = Fixture::new();
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    fixture.fail(secs(5460), FailureKind::Transient);
    fixture.fail(secs(5520), FailureKind::Transient);
    fixture.grant(secs(5640), "t-2", LIFE);
    let due = 5640 + 5460;
    fixture.fail(secs(due), FailureKind::Transient);
    assert_eq!(around(due + 60).map(|at| fixture.slot.is_due(at)), [false, true, true]);
}

#[test]
fn a_renewal_respects_the_wait_that_the_service_asked_for_up_to_two_minutes() {
    for (kind, wait) in [
        (FailureKind::RetryAfter(secs(100)), 100),
        (FailureKind::RetryAfter(secs(120)), 120),
        (FailureKind::RetryAfter(secs(121)), 120),
        (FailureKind::TicketRequested, 300),
    ] {
        let mut fixture = Fixture::new();
        fixture.grant(Duration::ZERO, "t-1", LIFE);
        fixture.fail(secs(5460), kind);
        let is_due = around(5460 + wait).map(|at| fixture.slot.is_due(at));
        assert_eq!(is_due, [false, true, true], "{kind:?}");
    }
}

#[test]
fn a_failure_before_the_token_expires_is_that_of_a_renewal() {
    for (at, is_renewal) in around(7200).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::new();
        fixture.grant(Duration::ZERO, "t-1", LIFE);
        assert_eq!(fixture.fail(at, FailureKind::Permanent), !is_renewal, "{at:?}");
        assert_eq!(fixture.pause(at).is_none(), is_renewal, "{at:?}");
    }
}

#[test]
fn a_dropped_renewal_counts_as_failed() {
    let mut fixture = Fixture::new();
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    fixture.send();
    fixture.slot.dropped(secs(6000));
    assert_eq!(around(6060).map(|at| fixture.slot.is_due(at)), [false, true, true]);
}

#[test]
fn a_dropped_first_request_leaves_no_pause() {
    let mut fixture = Fixture::new();
    fixture.send();
    fixture.slot.dropped(Duration::ZERO);
    assert!(fixture.slot.request().is_none());
    assert_eq!(fixture.pause(Duration::ZERO), None);
    assert!(fixture.slot.is_idle(Duration::ZERO));
}

#[test]
fn a_refusal_drops_the_token_of_its_generation() {
    let mut fixture = Fixture::new();
    let generation = fixture.grant(Duration::ZERO, "t-1", LIFE);
    assert!(fixture.slot.is_current(generation));
    assert_eq!(fixture.slot.refuse(generation, secs(1)), RefusedToken::Dropped);
    assert!(!fixture.slot.is_current(generation));
    assert_eq!(fixture.slot.valid(secs(1)), None);
}

#[test]
fn a_late_refusal_of_an_older_token_drops_none() {
    let mut fixture = Fixture::new();
    let old = fixture.grant(Duration::ZERO, "t-1", LIFE);
    let new = fixture.grant(secs(5460), "t-2", LIFE);
    assert_eq!(fixture.slot.refuse(old, secs(5460)), RefusedToken::Dropped);
    assert!(fixture.slot.is_current(new) && !fixture.slot.is_current(old));
}

#[test]
fn a_token_that_replaced_a_refused_one_is_kept_if_it_is_refused_within_a_minute() {
    let refusals = around(61).map(|at| {
        let mut fixture = Fixture::new();
        fixture.refuse("t-1", secs(1));
        let again = fixture.grant(secs(1), "t-1", LIFE);
        fixture.slot.refuse(again, at)
    });
    assert_eq!(refusals, [RefusedToken::Kept, RefusedToken::Dropped, RefusedToken::Dropped]);
}

#[test]
fn a_token_that_replaced_an_imported_one_is_dropped_when_it_is_refused() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", secs(1));
    assert!(fixture.import("t-2", LIFE));
    let renewed = fixture.grant(secs(1), "t-3", LIFE);
    assert_eq!(fixture.slot.refuse(renewed, secs(1)), RefusedToken::Dropped);
}

#[test]
fn an_import_replaces_a_token_that_expires_earlier() {
    for (expires, is_replaced) in around(7200).into_iter().zip([false, false, true]) {
        let mut fixture = Fixture::new();
        let granted = fixture.grant(Duration::ZERO, "t-1", LIFE);
        assert!(fixture.import("t-2", expires));
        assert_eq!(fixture.slot.is_current(granted), !is_replaced, "{expires:?}");
        let expected = if is_replaced { (&"t-2", expires) } else { (&"t-1", LIFE) };
        assert_eq!(fixture.slot.held(), Some(expected));
    }
}

#[test]
fn a_refused_token_is_not_imported() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", Duration::ZERO);
    assert!(!fixture.import("t-1", secs(9000)));
    assert_eq!(fixture.slot.held(), None);
}

#[test]
fn a_refused_token_that_is_granted_again_may_be_imported() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", Duration::ZERO);
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    assert!(fixture.import("t-1", LIFE + NANO));
}

#[test]
fn a_refused_token_is_forgotten_at_a_later_refusal_after_it_has_expired() {
    for (at, is_imported) in around(7200).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::new();
        fixture.refuse("t-1", secs(100));
        fixture.refuse("t-2", at);
        assert_eq!(fixture.import("t-1", secs(9000)), is_imported, "{at:?}");
    }
}

#[test]
fn the_last_eight_refused_tokens_are_remembered() {
    let tokens = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for (refused, is_remembered) in [(7, true), (8, true), (9, false)] {
        let mut fixture = Fixture::new();
        for token in &tokens[..refused] {
            fixture.refuse(token, secs(100));
        }
        assert!(!fixture.import(tokens[1], LIFE), "{refused}");
        assert_eq!(!fixture.import(tokens[0], LIFE), is_remembered, "{refused}");
    }
}

#[test]
fn a_postponed_renewal_stays_postponed_after_the_token_has_expired() {
    let mut fixture = Fixture::new();
    assert!(fixture.import("t-1", secs(30)));
    fixture.fail(secs(17), FailureKind::Transient);
    assert!(fixture.import("t-2", secs(90)));
    assert_eq!(around(77).map(|at| fixture.slot.is_due(at)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_token_has_expired() {
    let mut fixture = Fixture::new();
    fixture.grant(Duration::ZERO, "t-1", LIFE);
    assert_eq!(around(7200).map(|at| fixture.slot.is_idle(at)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_refused_token_has_expired() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", secs(100));
    assert_eq!(around(7200).map(|at| fixture.slot.is_idle(at)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_pause() {
    let mut fixture = Fixture::new();
    fixture.fail(Duration::ZERO, FailureKind::Permanent);
    assert_eq!(around(5).map(|at| fixture.slot.is_idle(at)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_the_time_for_which_its_renewal_is_put_off() {
    let mut fixture = Fixture::new();
    assert!(fixture.import("t-1", secs(30)));
    fixture.fail(secs(17), FailureKind::Transient);
    assert_eq!(around(77).map(|at| fixture.slot.is_idle(at)), [false, true, true]);
}

#[test]
fn a_slot_with_a_request_is_not_idle() {
    let mut fixture = Fixture::new();
    assert!(fixture.slot.is_idle(Duration::ZERO));
    fixture.send();
    assert!(!fixture.slot.is_idle(LIFE));
    fixture.slot.end_request();
    assert!(fixture.slot.is_idle(Duration::ZERO));
}

#[test]
fn only_the_request_after_a_broken_connection_needs_a_fresh_one() {
    let mut fixture = Fixture::new();
    assert!(!fixture.send());
    fixture.slot.connection_broke();
    assert!(fixture.send());
    assert!(!fixture.send());
}
