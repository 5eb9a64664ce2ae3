use super::*;
use crate::session::hold::Reason;
use crate::session::test_time::{NANO, around, at, secs};

const LIFE: Duration = Duration::from_secs(7200);
/// The time at which a token that was granted at the time zero expires.
const END: Moment = Moment(LIFE);

fn failure() -> TokenFailure {
    TokenFailure { route: "/token", reason: Reason::NoTicket, at: Moment::START }
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
    fn grant(&mut self, now: Moment, token: &'static str, life: Duration) -> u64 {
        self.send();
        self.slot.granted(token, life, now);
        self.slot.generation
    }

    fn fail(&mut self, now: Moment, kind: FailureKind) -> bool {
        self.send();
        self.slot.failed(kind, failure(), 0, now)
    }

    /// Grants a token at the time zero, which the service refuses at `now`.
    fn refuse(&mut self, token: &'static str, now: Moment) {
        let generation = self.grant(Moment::START, token, LIFE);
        assert_eq!(self.slot.refuse(generation, now), RefusedToken::Dropped);
    }

    fn import(&mut self, token: &'static str, expires: Moment) -> bool {
        self.requests += 1;
        self.slot.import(token, expires, TokenRequestId(self.requests))
    }

    /// The time until which no request is sent, and the time until which a call waits if its limits allow that.
    fn pause(&self, now: Moment) -> Option<(Moment, Moment)> {
        self.slot.pause(now).map(|pause| (pause.until, pause.wait_until))
    }
}

#[test]
fn a_token_is_valid_until_it_expires() {
    let mut fixture = Fixture::new();
    fixture.grant(Moment::START, "t-1", LIFE);
    let valid = around(at(7200)).map(|now| fixture.slot.valid(now).is_some());
    assert_eq!(valid, [true, false, false]);
}

#[test]
fn a_token_is_due_for_renewal_in_its_last_29_minutes() {
    let mut fixture = Fixture::new();
    fixture.grant(Moment::START, "t-1", LIFE);
    assert_eq!(around(at(7200 - 29 * 60)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
    assert_eq!(around(at(7200)).map(|now| fixture.slot.is_due(now)), [true; 3]);
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
        fixture.grant(at(10), "t-1", life);
        assert_eq!(fixture.slot.held(), Some((&"t-1", at(10) + expires)), "{life:?}");
    }
}

#[test]
fn no_renewal_is_due_in_the_first_minute_of_a_token() {
    let mut fixture = Fixture::new();
    fixture.grant(at(10), "t-1", secs(600));
    assert_eq!(around(at(70)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
}

#[test]
fn the_fourth_failure_ends_a_series() {
    let mut fixture = Fixture::new();
    for _ in 0..2 {
        let ends = [1, 2, 3, 4].map(|_| fixture.fail(at(10), FailureKind::Transient));
        assert_eq!(ends, [false, false, false, true]);
    }
}

#[test]
fn a_failure_pauses_the_requests_for_a_backoff() {
    let mut fixture = Fixture::new();
    for failures in 1..MAX_ATTEMPTS {
        fixture.fail(at(10), FailureKind::Transient);
        let until = at(10) + backoff(failures, 0);
        assert_eq!(fixture.pause(at(10)), Some((until, until)));
        assert_eq!([until - NANO, until].map(|now| fixture.pause(now).is_some()), [true, false]);
    }
}

#[test]
fn the_next_series_begins_without_a_pause() {
    let mut fixture = Fixture::new();
    for _ in 0..MAX_ATTEMPTS {
        fixture.fail(at(10), FailureKind::Transient);
    }
    assert_eq!(fixture.pause(at(10)), None);
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
        assert_eq!(Fixture::new().fail(Moment::START, kind), is_over, "{kind:?}");
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
        fixture.fail(Moment::START, kind);
        let pause = fixture.pause(Moment::START);
        assert_eq!(pause, Some((at(until), at(wait_until))), "{kind:?}");
        let is_paused = around(at(until)).map(|now| fixture.pause(now).is_some());
        assert_eq!(is_paused, [true, false, false], "{kind:?}");
    }
}

#[test]
fn a_token_resets_the_count_of_failures() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.fail(Moment::START, FailureKind::Transient);
    }
    fixture.grant(Moment::START, "t-1", LIFE);
    let ends = [1, 2, 3, 4].map(|_| fixture.fail(END, FailureKind::Transient));
    assert_eq!(ends, [false, false, false, true]);
}

#[test]
fn a_token_ends_the_pause() {
    let mut fixture = Fixture::new();
    fixture.fail(Moment::START, FailureKind::TicketRequested);
    fixture.grant(at(1), "t-1", LIFE);
    assert_eq!(fixture.pause(at(1)), None);
}

#[test]
fn a_new_series_counts_its_failures_from_the_first() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.fail(Moment::START, FailureKind::Transient);
    }
    fixture.slot.begin_series();
    assert_eq!(fixture.pause(Moment::START), None);
    assert!(!fixture.fail(Moment::START, FailureKind::Transient));
}

#[test]
fn a_failed_renewal_is_retried_after_1_2_4_and_then_every_8_minutes() {
    for kind in [FailureKind::Transient, FailureKind::Permanent, FailureKind::RetryAfter(secs(1))] {
        let mut fixture = Fixture::new();
        fixture.grant(Moment::START, "t-1", LIFE);
        let mut now = 5460;
        for minutes in [1, 2, 4, 8, 8] {
            assert!(!fixture.fail(at(now), kind), "a failed renewal ends no call");
            now += 60 * minutes;
            assert_eq!(around(at(now)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
        }
    }
}

#[test]
fn a_token_resets_the_count_of_failed_renewals() {
    let mut fixture = Fixture::new();
    fixture.grant(Moment::START, "t-1", LIFE);
    fixture.fail(at(5460), FailureKind::Transient);
    fixture.fail(at(5520), FailureKind::Transient);
    fixture.grant(at(5640), "t-2", LIFE);
    let due = 5640 + 5460;
    fixture.fail(at(due), FailureKind::Transient);
    assert_eq!(around(at(due + 60)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
}

#[test]
fn a_renewal_is_put_off_by_a_requested_wait_of_up_to_two_minutes_and_by_a_ticket_request() {
    for (kind, wait) in [
        (FailureKind::RetryAfter(secs(100)), 100),
        (FailureKind::RetryAfter(secs(120)), 120),
        (FailureKind::RetryAfter(secs(121)), 120),
        (FailureKind::TicketRequested, 300),
    ] {
        let mut fixture = Fixture::new();
        fixture.grant(Moment::START, "t-1", LIFE);
        fixture.fail(at(5460), kind);
        let is_due = around(at(5460 + wait)).map(|now| fixture.slot.is_due(now));
        assert_eq!(is_due, [false, true, true], "{kind:?}");
    }
}

#[test]
fn a_failure_before_the_token_expires_is_that_of_a_renewal() {
    for (now, is_renewal) in around(at(7200)).into_iter().zip([true, false, false]) {
        let mut fixture = Fixture::new();
        fixture.grant(Moment::START, "t-1", LIFE);
        assert_eq!(fixture.fail(now, FailureKind::Permanent), !is_renewal, "{now:?}");
        assert_eq!(fixture.pause(now).is_none(), is_renewal, "{now:?}");
    }
}

#[test]
fn a_dropped_renewal_counts_as_failed() {
    let mut fixture = Fixture::new();
    fixture.grant(Moment::START, "t-1", LIFE);
    fixture.send();
    fixture.slot.dropped(at(6000));
    assert_eq!(around(at(6060)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
}

#[test]
fn a_dropped_first_request_leaves_no_pause() {
    let mut fixture = Fixture::new();
    fixture.send();
    fixture.slot.dropped(Moment::START);
    assert!(fixture.slot.request().is_none());
    assert_eq!(fixture.pause(Moment::START), None);
    assert!(fixture.slot.is_idle(Moment::START));
}

#[test]
fn a_refusal_drops_the_token_of_its_generation() {
    let mut fixture = Fixture::new();
    let generation = fixture.grant(Moment::START, "t-1", LIFE);
    assert!(fixture.slot.is_current(generation));
    assert_eq!(fixture.slot.refuse(generation, at(1)), RefusedToken::Dropped);
    assert!(!fixture.slot.is_current(generation));
    assert_eq!(fixture.slot.valid(at(1)), None);
}

#[test]
fn a_late_refusal_of_an_older_token_drops_none() {
    let mut fixture = Fixture::new();
    let old = fixture.grant(Moment::START, "t-1", LIFE);
    let new = fixture.grant(at(5460), "t-2", LIFE);
    assert_eq!(fixture.slot.refuse(old, at(5460)), RefusedToken::Dropped);
    assert!(fixture.slot.is_current(new) && !fixture.slot.is_current(old));
}

#[test]
fn a_token_that_replaced_a_refused_one_is_kept_for_5_seconds_and_the_same_one_for_a_minute() {
    for (next, trust) in [("t-2", 5), ("t-1", 60)] {
        let refusals = around(at(1 + trust)).map(|now| {
            let mut fixture = Fixture::new();
            fixture.refuse("t-1", at(1));
            let replacement = fixture.grant(at(1), next, LIFE);
            fixture.slot.refuse(replacement, now)
        });
        let expected = [RefusedToken::Kept, RefusedToken::Dropped, RefusedToken::Dropped];
        assert_eq!(refusals, expected, "{next}");
    }
}

#[test]
fn a_token_that_replaced_an_imported_one_is_dropped_when_it_is_refused() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", at(1));
    assert!(fixture.import("t-2", END));
    let renewed = fixture.grant(at(1), "t-3", LIFE);
    assert_eq!(fixture.slot.refuse(renewed, at(1)), RefusedToken::Dropped);
}

#[test]
fn an_import_replaces_a_token_that_expires_earlier() {
    for (expires, is_replaced) in around(at(7200)).into_iter().zip([false, false, true]) {
        let mut fixture = Fixture::new();
        let granted = fixture.grant(Moment::START, "t-1", LIFE);
        assert!(fixture.import("t-2", expires));
        assert_eq!(fixture.slot.is_current(granted), !is_replaced, "{expires:?}");
        let expected = if is_replaced { (&"t-2", expires) } else { (&"t-1", END) };
        assert_eq!(fixture.slot.held(), Some(expected));
    }
}

#[test]
fn a_refused_token_is_not_imported() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", Moment::START);
    assert!(!fixture.import("t-1", at(9000)));
    assert_eq!(fixture.slot.held(), None);
}

#[test]
fn a_refused_token_that_is_granted_again_may_be_imported() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", Moment::START);
    fixture.grant(Moment::START, "t-1", LIFE);
    assert!(fixture.import("t-1", END + NANO));
}

#[test]
fn a_refused_token_is_forgotten_at_a_later_refusal_after_it_has_expired() {
    for (now, is_imported) in around(at(7200)).into_iter().zip([false, true, true]) {
        let mut fixture = Fixture::new();
        fixture.refuse("t-1", at(100));
        fixture.refuse("t-2", now);
        assert_eq!(fixture.import("t-1", at(9000)), is_imported, "{now:?}");
    }
}

#[test]
fn the_last_eight_refused_tokens_are_remembered() {
    let tokens = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for (refused, is_remembered) in [(7, true), (8, true), (9, false)] {
        let mut fixture = Fixture::new();
        for token in &tokens[..refused] {
            fixture.refuse(token, at(100));
        }
        assert!(!fixture.import(tokens[1], END), "{refused}");
        assert_eq!(!fixture.import(tokens[0], END), is_remembered, "{refused}");
    }
}

#[test]
fn a_postponed_renewal_stays_postponed_after_the_token_has_expired() {
    let mut fixture = Fixture::new();
    assert!(fixture.import("t-1", at(30)));
    fixture.fail(at(17), FailureKind::Transient);
    assert!(fixture.import("t-2", at(90)));
    assert_eq!(around(at(77)).map(|now| fixture.slot.is_due(now)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_token_has_expired() {
    let mut fixture = Fixture::new();
    fixture.grant(Moment::START, "t-1", LIFE);
    assert_eq!(around(at(7200)).map(|now| fixture.slot.is_idle(now)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_refused_token_has_expired() {
    let mut fixture = Fixture::new();
    fixture.refuse("t-1", at(100));
    assert_eq!(around(at(7200)).map(|now| fixture.slot.is_idle(now)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_its_pause() {
    let mut fixture = Fixture::new();
    fixture.fail(Moment::START, FailureKind::Permanent);
    assert_eq!(around(at(5)).map(|now| fixture.slot.is_idle(now)), [false, true, true]);
}

#[test]
fn a_slot_is_idle_after_the_time_for_which_its_renewal_is_put_off() {
    let mut fixture = Fixture::new();
    assert!(fixture.import("t-1", at(30)));
    fixture.fail(at(17), FailureKind::Transient);
    assert_eq!(around(at(77)).map(|now| fixture.slot.is_idle(now)), [false, true, true]);
}

#[test]
fn a_slot_with_a_request_is_not_idle() {
    let mut fixture = Fixture::new();
    assert!(fixture.slot.is_idle(Moment::START));
    fixture.send();
    assert!(!fixture.slot.is_idle(END));
    fixture.slot.end_request();
    assert!(fixture.slot.is_idle(Moment::START));
}

#[test]
fn only_the_request_after_a_broken_connection_needs_a_fresh_one() {
    let mut fixture = Fixture::new();
    assert!(!fixture.send());
    fixture.slot.connection_broke();
    assert!(fixture.send());
    assert!(!fixture.send());
}
