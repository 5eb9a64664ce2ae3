use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::de::IgnoredAny;

use super::*;
use crate::endpoints::{Payload, Raw};
use crate::reply::Reply;
use crate::site::Site;
use crate::values::App;

const NANO: Duration = Duration::from_nanos(1);
const ROUTE: &str = "/open-apis/im/v1/images";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The instants just before a time, at it, and just after it.
fn around(seconds: u64) -> [Duration; 3] {
    [secs(seconds) - NANO, secs(seconds), secs(seconds) + NANO]
}

fn session() -> Session {
    Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
}

/// The policy of a write with a body of `len` bytes and a token of the caller's.
fn write_of(len: usize, resend: Resend) -> CallPolicy {
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::POST, ROUTE);
    let endpoint = endpoint.with_payload(Payload::json(vec![b' '; len])).with_resend(resend);
    CallPolicy::new(&endpoint, Credential::Given(None))
}

/// The policy of a write with a body of ten bytes.
fn write(resend: Resend) -> CallPolicy {
    write_of(10, resend)
}

fn without_body(method: Method) -> CallPolicy {
    let endpoint: Raw<IgnoredAny> = Raw::new(method, ROUTE);
    CallPolicy::new(&endpoint, Credential::Given(None))
}

fn broken(pulled: u64) -> Answer<'static> {
    Answer::Broken { pulled, permanence: Permanence::Transient, is_late: false, text: "" }
}

/// A call with the id 1 that has taken its first step at the time zero.
fn started(deadline: u64) -> Started {
    Started { id: CallId(1), at: Duration::ZERO, deadline: secs(deadline) }
}

fn is_permit(step: &Result<Permit, Hold>) -> bool {
    step.is_ok()
}

#[test]
fn a_call_ends_at_its_deadline() {
    for (now, ends) in around(10).into_iter().zip([false, true, true]) {
        let policy = write(Resend::Safe);
        let step = policy.check_deadline(started(10), now);
        assert_eq!(matches!(step, Err(Hold::End(Ending::NoTimeLeft))), ends, "{now:?}");
    }
}

#[test]
fn a_call_that_waits_at_its_deadline_ends_with_the_reason_of_the_wait() {
    let mut policy = write(Resend::Safe);
    policy.used.waited_for = Some(WaitFor::Turn);
    let step = policy.check_deadline(started(10), secs(10));
    assert!(matches!(step, Err(Hold::End(Ending::Late(WaitFor::Turn)))));
}

#[test]
fn a_call_ends_if_less_time_is_left_than_the_last_request_took() {
    for (now, ends) in around(6).into_iter().zip([false, false, true]) {
        let mut policy = write(Resend::Safe);
        policy.used.took = secs(4);
        let step = policy.check_deadline(started(10), now);
        assert_eq!(matches!(step, Err(Hold::End(Ending::NoTimeLeft))), ends, "{now:?}");
    }
}

#[test]
fn a_call_waits_until_its_backoff_is_over() {
    for (now, waits) in around(10).into_iter().zip([true, false, false]) {
        let step = wait_until(secs(10), now);
        let is_wait = matches!(
            step,
            Err(Hold::Wait { until, reason: WaitFor::Backoff }) if until == secs(10)
        );
        assert_eq!(is_wait, waits, "{now:?}");
    }
}

#[test]
fn a_wait_ends_at_the_deadline_at_the_latest() {
    let mut session = session();
    let mut policy = write(Resend::Safe);
    policy.state = State::Pending { started: started(10), not_before: secs(20) };
    let step = policy.next(&mut session, secs(1));
    assert!(matches!(step, Err(Hold::Wait { until, .. }) if until == secs(10)));
}

#[test]
fn a_call_waits_for_its_reply_until_the_deadline() {
    for (now, waits) in around(10).into_iter().zip([true, false, false]) {
        let mut session = session();
        let mut policy = write(Resend::Safe);
        policy.limits = Limits::default().total(secs(10));
        assert!(is_permit(&policy.next(&mut session, Duration::ZERO)));
        match policy.next(&mut session, now) {
            Err(Hold::Wait { until, reason: WaitFor::Reply }) => {
                assert!(waits && until == secs(10), "{now:?}");
            }
            Err(Hold::End(Ending::Late(WaitFor::Reply))) => assert!(!waits, "{now:?}"),
            _ => panic!("{now:?}"),
        }
    }
}

#[test]
fn a_request_may_take_a_day_at_most() {
    let day = 24 * 60 * 60;
    for (total, within) in around(day).into_iter().zip([secs(day) - NANO, secs(day), secs(day)]) {
        let mut policy = write(Resend::Safe);
        policy.limits = Limits::default().total(total);
        let permit = policy.next(&mut session(), Duration::ZERO).ok().unwrap();
        assert_eq!(permit.within, within);
    }
}

#[test]
fn the_default_deadline_of_a_call_grows_with_its_body() {
    for (len, seconds) in [(10, 600), (65_536, 601), (131_072, 602)] {
        let mut policy = write_of(len, Resend::Safe);
        let permit = policy.next(&mut session(), secs(5)).ok().unwrap();
        assert_eq!(permit.within, secs(seconds), "{len}");
    }
}

#[test]
fn a_request_of_unknown_outcome_moves_the_deadline_to_the_end_of_its_idempotency() {
    for (time, deadline) in around(60).into_iter().zip([secs(65) - NANO, secs(65), secs(65)]) {
        let policy = write(Resend::SafeFor(time));
        let moved = policy.within_idempotency(started(65), secs(5), Outcome::Unknown);
        assert_eq!(moved.deadline, deadline);
    }
}

#[test]
fn only_an_unknown_outcome_moves_the_deadline() {
    let policy = write(Resend::SafeFor(secs(1)));
    for outcome in [Outcome::NotSent, Outcome::Refused] {
        let moved = policy.within_idempotency(started(65), secs(5), outcome);
        assert_eq!(moved.deadline, secs(65));
    }
    let moved = write(Resend::Safe).within_idempotency(started(65), secs(5), Outcome::Unknown);
    assert_eq!(moved.deadline, secs(65));
}

#[test]
fn a_request_of_which_no_byte_was_pulled_was_not_sent() {
    let outcomes = [0, 1, 10].map(|pulled| write(Resend::Safe).outcome(broken(pulled)));
    assert_eq!(outcomes, [Outcome::NotSent, Outcome::Unknown, Outcome::Unknown]);
}

#[test]
fn a_request_without_a_body_may_have_been_carried_out_if_it_is_a_write() {
    assert_eq!(without_body(Method::POST).outcome(broken(0)), Outcome::Unknown);
    assert_eq!(without_body(Method::GET).outcome(broken(0)), Outcome::NotSent);
}

#[test]
fn only_the_send_after_a_broken_connection_needs_a_fresh_one() {
    let mut session = session();
    let mut policy = write(Resend::Safe);
    let mut now = Duration::ZERO;
    let mut fresh = Vec::new();
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let error = Reply::new(reply).ok().unwrap_err();
    for answer in [broken(0), Answer::Refused(&error), Answer::Success] {
        let permit = policy.next(&mut session, now).ok().unwrap();
        fresh.push(permit.fresh_connection);
        policy.answered(&mut session, answer, now);
        now += secs(10);
    }
    assert_eq!(fresh, [false, true, false]);
}

#[test]
fn a_call_has_an_id_from_its_first_step_to_its_end() {
    let mut session = session();
    let mut policy = write(Resend::Safe);
    assert_eq!(policy.id(), None);
    assert!(is_permit(&policy.next(&mut session, Duration::ZERO)));
    assert_eq!(policy.id(), Some(CallId(1)));
    policy.answered(&mut session, Answer::Success, secs(1));
    assert_eq!(policy.id(), None);
}
