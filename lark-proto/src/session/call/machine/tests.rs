use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::de::IgnoredAny;

use super::*;
use crate::api::Reply;
use crate::endpoints::{Payload, Raw};
use crate::session::test_time::{NANO, around, at, secs};
use crate::site::Site;
use crate::values::App;

const ROUTE: &str = "/open-apis/im/v1/images";

fn session() -> Session {
    Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
}

/// A write with a body of `len` bytes and a token that the caller supplies.
fn write_of(len: usize, resend: Resend) -> CallMachine {
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::POST, ROUTE);
    let endpoint = endpoint.with_payload(Payload::json(vec![b' '; len])).with_resend(resend);
    CallMachine::new(&endpoint, Credential::Supplied(None))
}

/// A write with a body of ten bytes.
fn write(resend: Resend) -> CallMachine {
    write_of(10, resend)
}

fn without_body(method: Method) -> CallMachine {
    let endpoint: Raw<IgnoredAny> = Raw::new(method, ROUTE);
    CallMachine::new(&endpoint, Credential::Supplied(None))
}

fn failed(pulled: u64) -> RequestResult<'static> {
    RequestResult::Failed { pulled, permanence: Permanence::Transient, is_late: false, text: "" }
}

/// A call with the id 1 that has taken its first step at the time zero.
fn started(deadline: u64) -> StartedCall {
    StartedCall { id: CallId(1), at: Moment::START, deadline: at(deadline) }
}

fn is_permit(step: &Result<Permit, Hold>) -> bool {
    step.is_ok()
}

#[test]
fn a_call_ends_at_its_deadline() {
    for (now, ends) in around(at(10)).into_iter().zip([false, true, true]) {
        let machine = write(Resend::Safe);
        let step = machine.check_deadline(started(10), now);
        assert_eq!(matches!(step, Err(Hold::End(Ending::NoTimeLeft))), ends, "{now:?}");
    }
}

#[test]
fn a_call_that_waits_at_its_deadline_ends_with_the_reason_of_the_wait() {
    let mut machine = write(Resend::Safe);
    machine.progress.waited_for = Some(WaitFor::Turn);
    let step = machine.check_deadline(started(10), at(10));
    assert!(matches!(step, Err(Hold::End(Ending::Late(WaitFor::Turn)))));
}

#[test]
fn a_call_ends_if_less_time_is_left_than_the_last_request_took() {
    for (now, ends) in around(at(6)).into_iter().zip([false, false, true]) {
        let mut machine = write(Resend::Safe);
        machine.progress.took = secs(4);
        let step = machine.check_deadline(started(10), now);
        assert_eq!(matches!(step, Err(Hold::End(Ending::NoTimeLeft))), ends, "{now:?}");
    }
}

#[test]
fn a_call_waits_until_its_backoff_is_over() {
    for (now, waits) in around(at(10)).into_iter().zip([true, false, false]) {
        let step = wait_until(at(10), now);
        let is_wait = matches!(
            step,
            Err(Hold::Wait { until, reason: WaitFor::Backoff }) if until == at(10)
        );
        assert_eq!(is_wait, waits, "{now:?}");
    }
}

#[test]
fn a_wait_ends_at_the_deadline_at_the_latest() {
    let mut session = session();
    let mut machine = write(Resend::Safe);
    machine.state = State::Pending { started: started(10), not_before: at(20) };
    let step = machine.next(&mut session, at(1));
    assert!(matches!(step, Err(Hold::Wait { until, .. }) if until == at(10)));
}

#[test]
fn a_call_waits_for_its_reply_until_the_deadline() {
    for (now, waits) in around(at(10)).into_iter().zip([true, false, false]) {
        let mut session = session();
        let mut machine = write(Resend::Safe);
        machine.limits = Limits::default().total(secs(10));
        assert!(is_permit(&machine.next(&mut session, Moment::START)));
        match machine.next(&mut session, now) {
            Err(Hold::Wait { until, reason: WaitFor::Reply }) => {
                assert!(waits && until == at(10), "{now:?}");
            }
            Err(Hold::End(Ending::Late(WaitFor::Reply))) => assert!(!waits, "{now:?}"),
            _ => panic!("{now:?}"),
        }
    }
}

#[test]
fn a_request_may_take_a_day_at_most() {
    let day = 24 * 60 * 60;
    for (total, call_timeout) in
        around(secs(day)).into_iter().zip([secs(day) - NANO, secs(day), secs(day)])
    {
        let mut machine = write(Resend::Safe);
        machine.limits = Limits::default().total(total);
        let permit = machine.next(&mut session(), Moment::START).ok().unwrap();
        assert_eq!(permit.call_timeout, call_timeout);
    }
}

#[test]
fn the_default_deadline_of_a_call_grows_with_its_body() {
    for (len, seconds) in [(10, 600), (65_536, 601), (131_072, 602)] {
        let mut machine = write_of(len, Resend::Safe);
        let permit = machine.next(&mut session(), Moment::START).ok().unwrap();
        assert_eq!(permit.call_timeout, secs(seconds), "{len}");
    }
}

#[test]
fn a_request_of_unknown_outcome_moves_the_deadline_to_the_end_of_its_idempotency() {
    for (time, deadline) in around(secs(60)).into_iter().zip([at(65) - NANO, at(65), at(65)]) {
        let machine = write(Resend::SafeFor(time));
        let moved = machine.within_idempotency(started(65), at(5), Outcome::Unknown);
        assert_eq!(moved.deadline, deadline);
    }
}

#[test]
fn only_an_unknown_outcome_moves_the_deadline() {
    let machine = write(Resend::SafeFor(secs(1)));
    for outcome in [Outcome::NotSent, Outcome::Refused] {
        let moved = machine.within_idempotency(started(65), at(5), outcome);
        assert_eq!(moved.deadline, at(65));
    }
    let moved = write(Resend::Safe).within_idempotency(started(65), at(5), Outcome::Unknown);
    assert_eq!(moved.deadline, at(65));
}

#[test]
fn a_request_of_which_no_byte_was_pulled_was_not_sent() {
    let outcomes = [0, 1, 10].map(|pulled| write(Resend::Safe).outcome(failed(pulled)));
    assert_eq!(outcomes, [Outcome::NotSent, Outcome::Unknown, Outcome::Unknown]);
}

#[test]
fn a_request_without_a_body_may_have_been_carried_out_if_it_is_a_write() {
    assert_eq!(without_body(Method::POST).outcome(failed(0)), Outcome::Unknown);
    assert_eq!(without_body(Method::GET).outcome(failed(0)), Outcome::NotSent);
}

#[test]
fn a_read_that_is_not_idempotent_may_have_been_carried_out() {
    for resend in [Resend::Unsafe, Resend::SafeFor(secs(60))] {
        let endpoint: Raw<IgnoredAny> = Raw::new(Method::GET, ROUTE).with_resend(resend);
        let machine = CallMachine::new(&endpoint, Credential::Supplied(None));
        assert_eq!(machine.outcome(failed(0)), Outcome::Unknown, "{resend:?}");
    }
}

#[test]
fn a_read_that_is_not_idempotent_is_not_sent_again_after_a_broken_connection() {
    for (resend, is_sent_again) in [(Resend::Safe, true), (Resend::Unsafe, false)] {
        let endpoint: Raw<IgnoredAny> = Raw::new(Method::GET, ROUTE).with_resend(resend);
        let mut machine = CallMachine::new(&endpoint, Credential::Supplied(None));
        let mut session = session();
        assert!(is_permit(&machine.next(&mut session, Moment::START)));
        let verdict = machine.completed(&mut session, failed(0), at(1)).unwrap();
        assert_eq!(verdict.will_retry, is_sent_again, "{resend:?}");
    }
}

#[test]
fn only_the_send_after_a_broken_connection_needs_a_fresh_one() {
    let mut session = session();
    let mut machine = write(Resend::Safe);
    let mut now = Moment::START;
    let mut fresh = Vec::new();
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let error = Reply::new(reply).ok().unwrap_err();
    for result in [failed(0), RequestResult::Refused(&error), RequestResult::Success] {
        let permit = machine.next(&mut session, now).ok().unwrap();
        fresh.push(permit.fresh_connection);
        machine.completed(&mut session, result, now);
        now = now + secs(10);
    }
    assert_eq!(fresh, [false, true, false]);
}

#[test]
fn a_call_has_an_id_from_its_first_step_to_its_end() {
    let mut session = session();
    let mut machine = write(Resend::Safe);
    assert_eq!(machine.id(), None);
    assert!(is_permit(&machine.next(&mut session, Moment::START)));
    assert_eq!(machine.id(), Some(CallId(1)));
    machine.completed(&mut session, RequestResult::Success, at(1));
    assert_eq!(machine.id(), None);
}
