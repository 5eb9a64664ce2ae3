use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::de::IgnoredAny;

use super::*;
use crate::api::Reply;
use crate::endpoints::{Payload, Raw};
use crate::session::queue::CallId;
use crate::session::test_time::{NANO, around, at, secs};
use crate::site::Site;
use crate::values::App;

/// The error of a reply with this status and body and, if `wait` is given, with the header `retry-after`.
fn reply(status: u16, body: &str, wait: Option<u32>) -> Error {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(wait) = wait {
        response.headers_mut().insert("retry-after", wait.into());
    }
    Reply::new(response).ok().unwrap_err()
}

/// A request with a body of ten bytes, without a lane.
fn request(method: Method, resend: Resend) -> CallMachine {
    let endpoint: Raw<IgnoredAny> = Raw::new(method, "/open-apis/im/v1/images");
    let endpoint = endpoint.with_payload(Payload::json(vec![b' '; 10])).with_resend(resend);
    CallMachine::new(&endpoint, Credential::Supplied(None))
}

fn write() -> CallMachine {
    request(Method::POST, Resend::Safe)
}

fn write_in_lane() -> CallMachine {
    let endpoint: Raw<IgnoredAny> = Raw::new(Method::POST, "/open-apis/im/v1/images");
    let endpoint = endpoint.with_payload(Payload::json(vec![b' '; 10])).with_serial_key("shtcn");
    CallMachine::new(&endpoint, Credential::Supplied(None))
}

fn session() -> Session {
    Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
}

fn started() -> StartedCall {
    StartedCall { id: CallId(1), at: Moment::START, deadline: at(600) }
}

fn failure(retry_after: Option<Duration>) -> Retry {
    Retry::Failure { retry_after, at_least: Duration::ZERO }
}

fn failed(pulled: u64) -> RequestResult<'static> {
    RequestResult::Failed { pulled, permanence: Permanence::Transient, is_late: false, text: "" }
}

/// The time at which a refused write is sent again, if it is.
fn retry_at(machine: &mut CallMachine, retry: Retry, now: Moment) -> Option<Moment> {
    machine.retry_at(retry, Outcome::Refused, started(), now)
}

#[test]
fn a_failure_is_retried_until_the_attempts_are_used_up() {
    for (attempts, is_retried) in [(3, true), (4, false), (5, false)] {
        let mut machine = write();
        machine.progress.attempts = attempts;
        let retry = retry_at(&mut machine, failure(None), Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{attempts}");
    }
}

#[test]
fn the_backoff_of_a_failure_grows_with_the_attempts() {
    for attempts in 1..4 {
        let mut machine = write();
        machine.progress.attempts = attempts;
        let retry = retry_at(&mut machine, failure(None), at(10));
        assert_eq!(retry, Some(at(10) + backoff(attempts, 0)));
    }
}

#[test]
fn a_write_whose_outcome_is_unknown_is_not_sent_again_if_that_is_unsafe() {
    let mut machine = request(Method::POST, Resend::Unsafe);
    for (outcome, is_retried) in
        [(Outcome::Unknown, false), (Outcome::Refused, true), (Outcome::NotSent, true)]
    {
        let retry = machine.retry_at(failure(None), outcome, started(), Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{outcome:?}");
    }
}

#[test]
fn a_call_waits_for_as_long_as_its_longest_wait_allows() {
    for (wait, waits) in around(secs(60)).into_iter().zip([true, true, false]) {
        let retry_after = Some(wait);
        for retry in [
            failure(retry_after),
            Retry::Rate { retry_after, wait },
            Retry::Busy { retry_after, since: Moment::START },
        ] {
            let mut machine = write();
            machine.progress.attempts = 1;
            let expected = waits.then_some(Moment(wait));
            assert_eq!(retry_at(&mut machine, retry, Moment::START), expected, "{wait:?}");
        }
    }
}

#[test]
fn a_wait_that_the_service_asks_for_replaces_the_backoff_but_not_the_minimum_wait() {
    let at_least = secs(2);
    for (retry_after, wait) in around(secs(2)).into_iter().zip([secs(2), secs(2), secs(2) + NANO]) {
        let mut machine = write();
        let retry = Retry::Failure { retry_after: Some(retry_after), at_least };
        assert_eq!(retry_at(&mut machine, retry, Moment::START), Some(Moment(wait)));
    }
}

#[test]
fn a_rate_limit_costs_no_attempt() {
    let mut machine = write();
    machine.progress.attempts = 4;
    let retry = Retry::Rate { retry_after: None, wait: secs(5) };
    assert_eq!(retry_at(&mut machine, retry, at(1)), Some(at(6)));
    assert_eq!(machine.progress.attempts, 3);
}

#[test]
fn a_retry_that_costs_no_attempt_waits_for_50_ms_at_least() {
    let least = Duration::from_millis(50);
    for (asked, waits) in [(NANO, least), (least, least), (least + NANO, least + NANO)] {
        let limited = Retry::Rate { retry_after: Some(asked), wait: asked };
        let busy = Retry::Busy { retry_after: Some(asked), since: at(10) };
        for retry in [limited, busy] {
            assert_eq!(retry_at(&mut write(), retry, at(10)), Some(at(10) + waits), "{asked:?}");
        }
    }
}

#[test]
fn a_rate_limit_ends_a_call_of_one_attempt() {
    for (attempts, is_retried) in [(0, false), (1, false), (2, true)] {
        let mut machine = write();
        machine.limits = Limits::default().attempts(attempts);
        let retry = Retry::Rate { retry_after: None, wait: secs(5) };
        let retry = retry_at(&mut machine, retry, Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{attempts}");
    }
}

#[test]
fn a_busy_document_ends_a_call_of_one_attempt_unless_an_earlier_write_may_still_be_running() {
    for (now, is_retried) in around(at(60)).into_iter().zip([true, false, false]) {
        let mut machine = write();
        machine.limits = Limits::one_attempt();
        let retry = Retry::Busy { retry_after: None, since: at(60) };
        assert_eq!(retry_at(&mut machine, retry, now).is_some(), is_retried, "{now:?}");
    }
}

#[test]
fn a_call_waits_for_a_busy_document_until_the_end_of_its_busy_limit() {
    for (now, is_retried) in around(at(120)).into_iter().zip([true, false, false]) {
        let mut machine = write();
        let retry = Retry::Busy { retry_after: None, since: Moment::START };
        let expected = is_retried.then_some(at(120));
        assert_eq!(retry_at(&mut machine, retry, now), expected, "{now:?}");
    }
}

#[test]
fn a_failure_resets_the_count_of_retries_that_cost_no_attempt() {
    let mut machine = write();
    machine.progress.free_retries = 3;
    retry_at(&mut machine, failure(None), Moment::START);
    assert_eq!(machine.progress.free_retries, 0);
}

#[test]
fn no_retry_begins_that_would_end_after_the_deadline() {
    for (wait, is_retried) in around(secs(10)).into_iter().zip([true, true, false]) {
        let mut machine = write();
        machine.progress.took = secs(90);
        let started = StartedCall { deadline: at(100), ..started() };
        let retry = failure(Some(wait));
        let retry = machine.retry_at(retry, Outcome::Refused, started, Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{wait:?}");
    }
}

#[test]
fn no_retry_begins_at_the_deadline() {
    for (wait, is_retried) in around(secs(10)).into_iter().zip([true, false, false]) {
        let mut machine = write();
        let started = StartedCall { deadline: at(10), ..started() };
        let retry = failure(Some(wait));
        let retry = machine.retry_at(retry, Outcome::Refused, started, Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{wait:?}");
    }
}

#[test]
fn a_call_whose_token_was_kept_is_retried_after_a_backoff() {
    let mut machine = write();
    machine.progress.attempts = 1;
    let kept = retry_at(&mut machine, Retry::Token(RefusedToken::Kept), at(1));
    assert_eq!(kept, Some(at(1) + backoff(1, 0)));
    let dropped = retry_at(&mut machine, Retry::Token(RefusedToken::Dropped), at(1));
    assert_eq!(dropped, Some(at(1)));
}

#[test]
fn a_write_waits_for_two_seconds_after_a_gateway_has_answered() {
    for (status, method, expected) in [
        (501, Method::POST, Duration::ZERO),
        (502, Method::POST, secs(2)),
        (503, Method::POST, Duration::ZERO),
        (504, Method::POST, secs(2)),
        (505, Method::POST, Duration::ZERO),
        (502, Method::GET, Duration::ZERO),
    ] {
        let mut machine = request(method, Resend::Safe);
        let error = reply(status, "<html>", None);
        let result = RequestResult::Refused(&error);
        let retry = machine.update_session(&mut session(), started(), 0, result, Moment::START);
        match retry {
            Some(Retry::Failure { at_least, .. }) => assert_eq!(at_least, expected, "{status}"),
            _ => assert_eq!(status, 501, "only HTTP 501 is permanent"),
        }
    }
}

#[test]
fn a_failure_is_retried_if_it_is_transient_and_not_the_deadline() {
    for (permanence, is_late, is_retried) in [
        (Permanence::Transient, false, true),
        (Permanence::Transient, true, false),
        (Permanence::Permanent, false, false),
    ] {
        let mut machine = write();
        let result = RequestResult::Failed { pulled: 1, permanence, is_late, text: "" };
        let retry = machine.update_session(&mut session(), started(), 0, result, Moment::START);
        assert_eq!(retry.is_some(), is_retried, "{permanence:?} {is_late}");
    }
}

#[test]
fn a_write_is_in_doubt_after_its_whole_body_was_pulled() {
    for (pulled, is_in_doubt) in [(9, false), (10, true), (11, true)] {
        let mut session = session();
        let mut machine = write_in_lane();
        assert!(machine.next(&mut session, Moment::START).is_ok());
        machine.completed(&mut session, failed(pulled), Moment::START);
        let busy = reply(400, r#"{"code":90235}"#, None);
        let since = session.lanes.busy("shtcn", CallId(1), &busy, at(1), &mut session.woken);
        assert_eq!(since, if is_in_doubt { at(60) } else { at(1) }, "{pulled}");
    }
}

#[test]
fn a_result_that_shows_the_document_is_not_busy_ends_the_busy_time_of_a_call_without_a_lane() {
    let not_found = reply(400, r#"{"code":90202}"#, None);
    let rate = reply(400, r#"{"code":99991400}"#, None);
    let html = reply(503, "<html>", None);
    for (result, is_over) in [
        (RequestResult::Success, true),
        (RequestResult::Refused(&not_found), true),
        (RequestResult::Refused(&rate), false),
        (RequestResult::Refused(&html), false),
        (failed(1), false),
    ] {
        let mut machine = write();
        machine.progress.busy_since = Some(Moment::START);
        machine.update_lane(&mut session(), result, at(1));
        assert_eq!(machine.progress.busy_since.is_none(), is_over);
    }
}

#[test]
fn a_result_that_shows_the_document_is_not_busy_ends_the_busy_time_of_its_lane() {
    let not_found = reply(400, r#"{"code":90202}"#, None);
    let html = reply(503, "<html>", None);
    for (result, is_over) in [
        (RequestResult::Success, true),
        (RequestResult::Refused(&not_found), true),
        (RequestResult::Refused(&html), false),
    ] {
        let mut session = session();
        let mut machine = write_in_lane();
        let busy = reply(400, r#"{"code":90217}"#, None);
        let busy_since = |machine: &mut CallMachine, session: &mut Session, now| {
            let result = RequestResult::Refused(&busy);
            match machine.update_session(session, started(), 0, result, now) {
                Some(Retry::Busy { since, .. }) => since,
                _ => panic!("the document is not busy"),
            }
        };
        machine.next(&mut session, Moment::START).ok().unwrap();
        assert_eq!(busy_since(&mut machine, &mut session, at(1)), at(1));
        machine.update_lane(&mut session, result, at(2));
        let since = if is_over { at(3) } else { at(1) };
        assert_eq!(busy_since(&mut machine, &mut session, at(3)), since);
    }
}

#[test]
fn only_the_gateways_rate_limit_closes_the_route() {
    for (status, body, closes) in [
        (400, r#"{"code":99991400}"#, true),
        (429, "<html>", true),
        (400, r#"{"code":230020}"#, false),
    ] {
        let mut session = session();
        let error = reply(status, body, Some(5));
        let result = RequestResult::Refused(&error);
        let retry = write().update_session(&mut session, started(), 0, result, Moment::START);
        assert!(matches!(retry, Some(Retry::Rate { wait, .. }) if wait == secs(5)), "{body}");
        assert_eq!(session.entries() == 1, closes, "{body}");
    }
}

#[test]
fn the_backoff_of_a_rate_limit_grows_with_its_retries() {
    for (free_retries, failures) in [(0, 1), (1, 2), (2, 3)] {
        let error = reply(400, r#"{"code":230020}"#, None);
        let mut machine = write();
        machine.progress.free_retries = free_retries;
        let result = RequestResult::Refused(&error);
        let retry = machine.update_session(&mut session(), started(), 0, result, Moment::START);
        let Some(Retry::Rate { wait, .. }) = retry else { panic!("{free_retries}") };
        assert_eq!(wait, backoff(failures, machine.jitter));
    }
}

#[test]
fn a_wait_of_zero_counts_as_none() {
    for (wait, expected) in [(None, None), (Some(0), None), (Some(1), Some(secs(1)))] {
        let error = reply(503, "<html>", wait);
        let result = RequestResult::Refused(&error);
        let retry = write().update_session(&mut session(), started(), 0, result, Moment::START);
        let Some(Retry::Failure { retry_after, .. }) = retry else { panic!("{wait:?}") };
        assert_eq!(retry_after, expected, "{wait:?}");
    }
}
