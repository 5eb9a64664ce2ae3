use super::*;
use crate::session::hold::Reason;

const HOURS: Duration = Duration::from_secs(7200);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failure() -> TokenFailure {
    TokenFailure { route: "/token", reason: Reason::NoTicket }
}

/// A slot, and the number of the next request.
struct Life(Slot<&'static str>, u64);

impl Life {
    fn new() -> Self {
        Self(Slot::default(), 1)
    }

    fn ask(&mut self, at: u64) {
        let (id, driver) = (TokenRequestId(self.1), Some(CallId(1)));
        self.1 += 1;
        self.0.begin(Sent { id, driver, sent_at: secs(at), times_out: secs(at + 61), jitter: 0 });
    }

    fn get(&mut self, at: u64, token: &'static str, life: Duration) -> u64 {
        self.ask(at);
        assert_eq!(self.0.granted(token, life), Some(CallId(1)));
        self.0.generation()
    }

    fn fail(&mut self, at: u64, kind: FailureKind) -> bool {
        self.ask(at);
        self.0.failed(kind, failure(), secs(at))
    }

    /// Until when no request is sent, and until when a patient call waits for that.
    fn pause(&self, at: u64) -> Option<(Duration, Duration)> {
        self.0.pause(secs(at)).map(|pause| (pause.until, pause.patient_until))
    }
}

#[test]
fn a_token_is_good_until_its_end_and_due_for_its_last_29_minutes() {
    let mut life = Life::new();
    life.get(0, "t-1", HOURS);
    let times = [0, 5459, 5460, 7199, 7200];
    let good = times.map(|at| life.0.valid(secs(at)).is_some());
    assert_eq!(good, [true, true, true, true, false]);
    assert_eq!(times.map(|at| life.0.is_due(secs(at))), [false, false, true, true, true]);
}

#[test]
fn a_life_is_a_minute_at_least_and_no_renewal_comes_in_its_first_minute() {
    let mut life = Life::new();
    life.get(0, "t-1", Duration::ZERO);
    assert!(life.0.valid(secs(59)).is_some() && life.0.valid(secs(60)).is_none());
    assert!(!life.0.is_due(secs(59)));
}

#[test]
fn the_fourth_failure_ends_a_series_and_the_next_one_begins_at_once() {
    let mut life = Life::new();
    for _ in 0..2 {
        for failures in 1..MAX_ATTEMPTS {
            assert!(!life.fail(10, FailureKind::Transient));
            let until = secs(10) + backoff(failures, 0);
            assert_eq!(life.pause(10), Some((until, until)));
        }
        assert!(life.fail(10, FailureKind::Transient));
        assert_eq!(life.pause(10), None);
    }
}

#[test]
fn each_setback_pauses_the_requests_for_its_own_time() {
    for (kind, is_over, pause) in [
        (FailureKind::RetryAfter(secs(7)), false, (7, 7)),
        (FailureKind::RetryAfter(secs(120)), false, (120, 120)),
        (FailureKind::RetryAfter(secs(121)), true, (120, 0)),
        (FailureKind::Permanent, true, (5, 0)),
        (FailureKind::TicketRequested, false, (300, 150)),
    ] {
        let mut life = Life::new();
        assert_eq!(life.fail(0, kind), is_over, "{kind:?}");
        assert_eq!(life.pause(0), Some((secs(pause.0), secs(pause.1))), "{kind:?}");
        assert_eq!(life.pause(pause.0), None);
    }
}

#[test]
fn a_failed_renewal_is_retried_after_1_2_4_and_then_each_8_minutes() {
    for kind in [FailureKind::Transient, FailureKind::Permanent, FailureKind::RetryAfter(secs(1))] {
        let mut life = Life::new();
        life.get(0, "t-1", HOURS);
        let mut at = 5460;
        for minutes in [1, 2, 4, 8, 8] {
            assert!(!life.fail(at, kind));
            at += 60 * minutes;
            assert!(!life.0.is_due(secs(at - 1)) && life.0.is_due(secs(at)));
        }
    }
}

#[test]
fn a_dropped_renewal_counts_as_tried_and_a_dropped_first_request_does_not() {
    let mut life = Life::new();
    life.ask(0);
    life.0.dropped(secs(0));
    assert!(life.0.request().is_none() && life.pause(0).is_none());
    life.get(0, "t-1", HOURS);
    life.ask(6000);
    life.0.dropped(secs(6000));
    assert!(!life.0.is_due(secs(6059)) && life.0.is_due(secs(6060)));
}

#[test]
fn a_refusal_drops_the_token_of_its_generation_and_no_other() {
    let mut life = Life::new();
    let old = life.get(0, "t-1", HOURS);
    let new = life.get(5460, "t-2", HOURS);
    assert_eq!(life.0.refuse(old, secs(5460)), Refusal::Dropped);
    assert!(life.0.is_current(new));
    assert_eq!(life.0.refuse(new, secs(5460)), Refusal::Dropped);
    assert!(!life.0.is_current(new) && life.0.valid(secs(5460)).is_none());
}

#[test]
fn a_token_that_came_in_place_of_a_refused_one_stays_for_a_minute() {
    let mut life = Life::new();
    let refused = life.get(0, "t-1", HOURS);
    life.0.refuse(refused, secs(1));
    let again = life.get(1, "t-1", HOURS);
    assert_eq!(life.0.refuse(again, secs(60)), Refusal::Kept);
    assert_eq!(life.0.refuse(again, secs(61)), Refusal::Dropped);
}

#[test]
fn an_import_is_taken_if_it_lasts_longer_and_was_not_refused() {
    let mut life = Life::new();
    let refused = life.get(0, "t-1", HOURS);
    life.0.refuse(refused, secs(0));
    assert!(!life.0.import("t-1", secs(9000), TokenRequestId(8)));
    assert!(life.0.import("t-2", secs(9000), TokenRequestId(9)));
    assert!(life.0.import("t-3", secs(9000), TokenRequestId(10)));
    assert_eq!(life.0.held(), Some((&"t-2", secs(9000))));
    assert_eq!(life.0.generation(), 9);
}

#[test]
fn a_renewal_that_is_put_off_stays_so_after_the_end_of_the_token() {
    let mut life = Life::new();
    assert!(life.0.import("t-1", secs(30), TokenRequestId(9)));
    life.fail(17, FailureKind::Transient);
    assert!(!life.0.is_idle(secs(76)), "the session would forget it");
    assert!(life.0.import("t-2", secs(90), TokenRequestId(10)));
    assert!(!life.0.is_due(secs(76)) && life.0.is_due(secs(77)));
    assert!(life.0.is_idle(secs(90)));
}

#[test]
fn the_refused_tokens_are_remembered_until_their_ends() {
    let mut life = Life::new();
    for number in 0..20 {
        let token = ["a", "b", "c"][number % 3];
        let generation = life.get(0, token, HOURS);
        life.0.refuse(generation, secs(100));
    }
    assert!(life.0.refused.len() <= MAX_REMEMBERED);
    assert!(!life.0.is_idle(secs(7199)) && life.0.is_idle(secs(7200)));
}
