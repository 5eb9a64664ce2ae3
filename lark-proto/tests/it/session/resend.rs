//! The answers after which a request is sent again, the number of sends, the waits between them, and the last error.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::endpoints::{Raw, Resend};
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::session::{Call, Permanence};
use lark_proto::{CallError, Limits};
use serde::de::IgnoredAny;

use crate::fixtures::{
    TOKEN, answer, custom, granted, is_fetch, limited, millis, page, refusal, secs, success,
    unsafe_upload, upload, with,
};
use crate::sim::{ByHand, Cut, Failure, Reaction, Sim, after, cut, fails};

/// The time that a request takes.
const TAKES: Duration = millis(10);

fn reply(reply: Response<Bytes>) -> Reaction<'static> {
    after(TAKES, reply)
}

/// A connection that breaks after `pulled` of the twelve bytes of the body.
fn cut_at(pulled: u64) -> Reaction<'static> {
    cut(TAKES, pulled)
}

fn permanent(pulled: u64) -> Reaction<'static> {
    fails(TAKES, Failure { permanence: Permanence::Permanent, ..Failure::cut(pulled) })
}

fn too_large() -> Reaction<'static> {
    fails(TAKES, Failure { kind: CallErrorKind::TooLarge { limit: 9 }, ..Failure::cut(12) })
}

fn late() -> Reaction<'static> {
    fails(TAKES, Failure::deadline())
}

/// The requests and the result of one call.
struct Run {
    /// The time of each send of the call's own request, and whether a fresh connection was asked for.
    sends: Vec<(Duration, bool)>,
    fetches: usize,
    result: Result<IgnoredAny, CallError<Cut>>,
}

/// Runs a call to its end. `react` gets the number of each send of the call's own request.
fn run(
    endpoint: &Raw<IgnoredAny>,
    limits: Limits,
    mut react: impl FnMut(usize) -> Reaction<'static>,
) -> Run {
    let mut sends = 0;
    let mut fetches = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        if is_fetch(&request) {
            fetches += 1;
            return after(Duration::ZERO, granted(&format!("t-{fetches}"), 7200));
        }
        sends += 1;
        assert_eq!(request.body().len(), 12);
        react(sends)
    });
    sim.start(Call::new(endpoint).with_limits(limits).boxed());
    sim.run();
    let own = sim.sent.iter().filter(|sent| !sent.path.ends_with(TOKEN));
    let sends = own.map(|sent| (sent.at, sent.fresh_connection)).collect();
    Run { sends, fetches: sim.count(TOKEN), result: sim.take_last_result() }
}

#[test]
fn the_reply_decides_whether_a_request_is_sent_again() {
    use Outcome::{NotSent, Refused, Unknown};
    // Name; answer; sends within four attempts of an endpoint that is safe to send again and of one that is not;
    // outcome of the last error; bounds of the wait before the second send, in milliseconds.
    type Row = (&'static str, fn() -> Reaction<'static>, [usize; 2], Outcome, [u64; 2]);
    const BACKOFF: [u64; 2] = [250, 500];
    const NONE: [u64; 2] = [0, 0];
    const MANY: usize = usize::MAX;
    let rows: [Row; 37] = [
        // The service has not carried out the request: it is sent again at every endpoint.
        ("refused token", || reply(refusal(400, 99_991_663)), [4, 4], Refused, [0, 0]),
        ("429", || reply(refusal(429, 99_991_400)), [MANY, MANY], Refused, BACKOFF),
        ("400", || reply(refusal(400, 99_991_400)), [MANY, MANY], Refused, BACKOFF),
        ("reset", || reply(limited("7")), [MANY, MANY], Refused, [7000, 7000]),
        ("reset 0", || reply(limited("0")), [MANY, MANY], Refused, BACKOFF),
        ("429 page", || reply(page(429)), [MANY, MANY], Refused, BACKOFF),
        ("429 code", || reply(refusal(429, 42)), [MANY, MANY], Refused, BACKOFF),
        ("message rate", || reply(refusal(400, 230_020)), [MANY, MANY], Refused, BACKOFF),
        ("rate", || reply(refusal(200, 11_232)), [MANY, MANY], Refused, BACKOFF),
        ("document", || reply(refusal(200, 90_217)), [MANY, MANY], Refused, BACKOFF),
        ("document 429", || reply(refusal(429, 90_228)), [MANY, MANY], Refused, BACKOFF),
        ("document v3", || reply(refusal(400, 1_310_242)), [MANY, MANY], Refused, BACKOFF),
        ("cut before the body", || cut_at(0), [4, 4], NotSent, BACKOFF),
        // The service may have carried out the request: it is sent again if the endpoint is safe.
        ("busy", || reply(refusal(200, 2200)), [4, 1], Unknown, BACKOFF),
        ("document too slow", || reply(refusal(200, 90_235)), [MANY, 1], Unknown, BACKOFF),
        ("busy 429", || reply(refusal(429, 2200)), [MANY, 1], Unknown, BACKOFF),
        ("408", || reply(page(408)), [4, 1], Unknown, BACKOFF),
        ("500", || reply(page(500)), [4, 1], Unknown, BACKOFF),
        ("502", || reply(page(502)), [4, 1], Unknown, [2000, 2000]),
        ("503", || reply(page(503)), [4, 1], Unknown, BACKOFF),
        ("504", || reply(page(504)), [4, 1], Unknown, [2000, 2000]),
        ("408 code", || reply(refusal(408, 42)), [4, 1], Unknown, BACKOFF),
        ("500 code", || reply(refusal(500, 42)), [4, 1], Unknown, BACKOFF),
        ("502 code", || reply(refusal(502, 42)), [4, 1], Unknown, [2000, 2000]),
        ("503 code", || reply(refusal(503, 42)), [4, 1], Unknown, BACKOFF),
        ("504 code", || reply(refusal(504, 42)), [4, 1], Unknown, [2000, 2000]),
        ("503 wait", || reply(with(page(503), "retry-after", "5")), [4, 1], Unknown, [5000, 5000]),
        ("502 wait", || reply(with(page(502), "retry-after", "1")), [4, 1], Unknown, [2000, 2000]),
        ("cut in the body", || cut_at(1), [4, 1], Unknown, BACKOFF),
        ("cut after the body", || cut_at(12), [4, 1], Unknown, BACKOFF),
        // Another attempt would have the same result.
        ("quota", || reply(refusal(429, 99_991_403)), [1, 1], Refused, NONE),
        ("request", || reply(refusal(500, 90_202)), [1, 1], Refused, NONE),
        ("unknown code", || reply(refusal(200, 42)), [1, 1], Refused, NONE),
        ("truncated", || reply(answer(200, r#"{"code":0,"da"#)), [1, 1], Unknown, NONE),
        ("too large", too_large, [1, 1], Unknown, NONE),
        ("out of time", late, [1, 1], Unknown, NONE),
        ("permanent", || permanent(0), [1, 1], NotSent, NONE),
    ];
    let endpoints = [upload(), unsafe_upload()];
    for (name, told, sends, outcome, [from, to]) in rows {
        for (endpoint, sends) in endpoints.iter().zip(sends) {
            // Refusals for a rate limit or a busy document are limited by time, not by attempts.
            let limits = Limits::default().total(secs(60));
            let run = run(endpoint, limits, |_| told());
            let found = run.sends.len();
            if sends == MANY {
                assert!(found > 5, "{name}: {found} sends");
            } else {
                assert_eq!(found, sends, "{name}");
            }
            assert_eq!(run.result.unwrap_err().outcome(), outcome, "{name}");
            if let [(first, _), (second, _), ..] = run.sends[..] {
                let wait = second - first - millis(10);
                assert!(millis(from) <= wait && wait <= millis(to), "{name}: {wait:?}");
            }
            let fetches = if name == "refused token" { 2 } else { 1 };
            assert_eq!(run.fetches, fetches, "{name}");
        }
    }
}

#[test]
fn the_outcome_of_a_permanent_failure_after_the_body_is_unknown() {
    let run = run(&upload(), Limits::default(), |_| permanent(12));
    assert_eq!((run.sends.len(), run.result.unwrap_err().outcome()), (1, Outcome::Unknown));
}

#[test]
fn an_earlier_failure_with_an_unknown_outcome_is_named_beside_the_last_one() {
    for (first, earlier) in [
        (cut_at as fn(u64) -> Reaction<'static>, "connection cut"),
        (|_| reply(page(502)), "unreadable reply (HTTP 502"),
        (|_| reply(refusal(200, 2200)), "code 2200"),
    ] {
        let run = run(&upload(), Limits::default(), |send| match send {
            1 => first(12),
            2 => reply(refusal(200, 90_217)),
            _ => reply(refusal(403, 90_213)),
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.api().unwrap().code, Code::SHEET_PERMISSION);
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(error.earlier().unwrap().to_string().starts_with(earlier));
        let told = error.to_string();
        let last = told.find("code 90213").unwrap();
        let named = told.find("an earlier attempt may have been carried out").unwrap();
        assert!(last < named && told[named..].contains(earlier), "{told}");
    }
}

#[test]
fn an_earlier_failure_with_a_known_outcome_is_not_named() {
    let run = run(&upload(), Limits::default(), |send| match send {
        1 => cut_at(0),
        _ => reply(refusal(403, 90_213)),
    });
    let error = run.result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Refused);
    assert!(error.earlier().is_none());
    assert!(!error.to_string().contains("earlier"), "{error}");
}

#[test]
fn a_request_that_never_left_counts_as_not_sent_if_its_token_cannot_be_replaced() {
    let mut sim = ByHand::by_hand(custom());
    let mut call = Call::new(&upload());
    sim.fetches(&mut call);
    sim.answers(&mut call, granted("t-1", 60));
    sim.sends(&mut call);
    sim.breaks(&mut call, Permanence::Transient);
    sim.now = secs(60);
    sim.fetches(&mut call);
    sim.answers(&mut call, refusal(400, Code::APP_SECRET_INVALID.0));
    let error = sim.ends(&mut call);
    assert_eq!((error.outcome(), call.sends()), (Outcome::NotSent, 1));
}

#[test]
fn the_only_failure_of_a_call_is_not_named_twice() {
    // The deadline passes during the wait before the second send.
    let run = run(&upload(), Limits::default().total(millis(300)), |_| cut_at(12));
    let error = run.result.unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(Cut)), "{error}");
    assert_eq!((error.outcome(), run.sends.len()), (Outcome::Unknown, 1));
    assert!(error.earlier().is_none());
}

#[test]
fn a_fresh_connection_is_asked_for_after_a_break_and_only_then() {
    let run = run(&upload(), Limits::default().attempts(9), |send| match send {
        1 => reply(page(503)),
        2 => cut_at(0),
        3 => cut_at(12),
        4 => reply(limited("1")),
        5 => cut_at(3),
        // The token request after this refusal does not ask for a fresh connection.
        6 => reply(refusal(400, 99_991_663)),
        _ => reply(success()),
    });
    run.result.unwrap();
    let fresh: Vec<bool> = run.sends.iter().map(|(_, fresh)| *fresh).collect();
    assert_eq!(fresh, [false, false, true, true, false, true, false]);
}

#[test]
fn a_token_request_asks_for_a_fresh_connection_after_a_break_and_only_then() {
    let upload = upload();
    let mut requests = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        requests += 1;
        match requests {
            1 => reply(page(503)),
            2 => cut_at(0),
            3 => reply(granted("t-1", 7200)),
            _ => reply(success()),
        }
    });
    sim.finish(Call::new(&upload)).as_ref().unwrap();
    let fresh: Vec<bool> = sim.sent.iter().map(|sent| sent.fresh_connection).collect();
    assert_eq!(fresh, [false, false, true, false]);
}

#[test]
fn a_request_is_sent_as_often_as_its_attempts_say() {
    for attempts in [0, 1, 2, 3, 7] {
        let limits = Limits::default().attempts(attempts);
        let run = run(&upload(), limits, |_| reply(page(503)));
        assert_eq!(run.sends.len(), attempts.max(1) as usize);
    }
}

#[test]
fn one_attempt_is_one_request_whatever_the_reply() {
    let answers: [fn() -> Reaction<'static>; 6] = [
        || reply(limited("1")),
        || reply(refusal(200, 90_217)),
        || reply(refusal(400, 230_020)),
        || reply(refusal(400, 99_991_663)),
        || reply(page(503)),
        || cut_at(0),
    ];
    for told in answers {
        let run = run(&upload(), Limits::one_attempt(), |_| told());
        assert_eq!(run.sends.len(), 1);
        run.result.unwrap_err();
    }
}

#[test]
fn a_rate_limit_refusal_costs_no_attempt() {
    let run = run(&upload(), Limits::default().attempts(2), |send| match send {
        1..=5 => reply(limited("1")),
        6 => cut_at(0),
        7..=9 => reply(refusal(200, 90_217)),
        _ => reply(success()),
    });
    run.result.unwrap();
    assert_eq!(run.sends.len(), 10);
}

/// A request that may be sent again for a minute, and limits that end no call before.
fn safe_for_a_minute() -> (Raw<IgnoredAny>, Limits) {
    let endpoint = unsafe_upload().with_resend(Resend::SafeFor(secs(60)));
    (endpoint, Limits::default().total(secs(3600)).attempts(1000))
}

#[test]
fn a_request_that_is_idempotent_for_a_time_is_not_sent_again_after_it() {
    let (endpoint, limits) = safe_for_a_minute();
    let whole = run(&endpoint, limits, |_| cut_at(12));
    let [(first, _), .., (last, _)] = whole.sends[..] else { panic!() };
    assert!((secs(30)..secs(60)).contains(&(last - first)), "{:?}", whole.sends);
    assert_eq!(whole.result.unwrap_err().outcome(), Outcome::Unknown);
}

#[test]
fn the_time_of_idempotence_is_kept_after_a_refusal() {
    let (endpoint, limits) = safe_for_a_minute();
    // The first send may have been carried out.
    let then_refused = run(&endpoint, limits, |send| match send {
        1 => cut_at(12),
        _ => reply(limited("25")),
    });
    let [_, _, _, (last, _)] = then_refused.sends[..] else { panic!("{:?}", then_refused.sends) };
    assert!(last < secs(60), "the next one would come after 75 s: {last:?}");
    assert_eq!(then_refused.result.unwrap_err().outcome(), Outcome::Unknown);
}

#[test]
fn the_time_of_idempotence_begins_with_the_first_request_that_may_have_been_carried_out() {
    let (endpoint, limits) = safe_for_a_minute();
    let unsent = run(&endpoint, limits, |send| match send {
        1..=20 => cut_at(0),
        _ => reply(success()),
    });
    assert!(unsent.sends[20].0 > secs(60), "{:?}", unsent.sends);
    unsent.result.unwrap();
}

#[test]
fn a_requested_wait_beyond_longest_wait_ends_the_call_with_the_services_error() {
    for told in [
        || limited("61"),
        || with(page(503), "retry-after", "61"),
        || with(refusal(429, 90_217), "retry-after", "61"),
    ] {
        let run = run(&upload(), Limits::default(), |_| reply(told()));
        assert_eq!(run.sends.len(), 1);
        let error = run.result.unwrap_err();
        let advice = error.lark().unwrap().advice();
        assert_eq!(advice, lark_proto::error::Advice::Again { after: Some(secs(61)) });
    }
}
