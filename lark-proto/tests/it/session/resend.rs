//! Which answers have a request sent again, how often, after which wait, and what the error says in the end.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::endpoints::{Raw, Resend};
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::session::{Broken, Call, Outgoing, Permanence, Purpose, Session, Step};
use lark_proto::{CallError, Limits};
use serde::de::IgnoredAny;

use crate::hand::Hand;
use crate::remote::{
    answer, limited, millis, ok, refusal, secs, session, token, unsafe_upload, upload, with,
};
use crate::sim::Cut;

/// What the transport tells a call.
enum Told {
    Reply(Response<Bytes>),
    /// After that many bytes of the body, of which there are twelve.
    Cut(u64),
    Permanent(u64),
    TooLarge,
    Late,
}
use Told::{Late, Permanent, Reply, TooLarge};

/// One call of a session that has a token, step by step.
struct Run {
    /// The time and whether a fresh connection was asked for, of each send of the call's own request.
    sends: Vec<(Duration, bool)>,
    fetches: usize,
    result: Result<IgnoredAny, CallError<Cut>>,
}

/// Runs a call to its end; `told` is asked what becomes of each send, which takes 10 ms.
fn run(endpoint: &Raw<IgnoredAny>, limits: Limits, mut told: impl FnMut(usize) -> Told) -> Run {
    let mut session: Session = session();
    let mut call = Call::<_, Cut>::new(endpoint).with_limits(limits);
    let (mut sends, mut fetches) = (Vec::new(), 0);
    let mut elapsed = Duration::ZERO;
    let start = UNIX_EPOCH + secs(1_800_000_000);
    loop {
        let outgoing: Outgoing = match call.next(&mut session, start + elapsed) {
            Step::Send(outgoing) => outgoing,
            Step::Wait(time) => {
                elapsed += time;
                continue;
            }
            Step::Done(result) => return Run { sends, fetches, result },
        };
        let told = if let Purpose::Token(_) = outgoing.purpose {
            fetches += 1;
            Reply(token(&format!("t-{fetches}")))
        } else {
            sends.push((elapsed, outgoing.fresh_connection));
            elapsed += millis(10);
            assert_eq!(outgoing.request.body().len(), 12);
            told(sends.len())
        };
        let now = start + elapsed;
        let (failure, pulled, permanence) = match told {
            Reply(reply) => {
                let parsed = call.read(reply);
                call.received(&mut session, now, parsed);
                continue;
            }
            Told::Cut(pulled) => (CallErrorKind::Transport(Cut), pulled, Permanence::Transient),
            Permanent(pulled) => (CallErrorKind::Transport(Cut), pulled, Permanence::Permanent),
            TooLarge => (CallErrorKind::TooLarge { limit: 9 }, 12, Permanence::Transient),
            Late => (CallErrorKind::Deadline, 12, Permanence::Transient),
        };
        call.broken(&mut session, now, Broken::new(failure, pulled, permanence));
    }
}

const PAGE: &str = "<html>an error page</html>";

#[test]
fn the_answer_decides_whether_a_request_is_sent_again() {
    use Outcome::{NotSent, Refused, Unknown};
    // The requests within four attempts, of an endpoint that is safe to send again and of one that is not; the outcome
    // of the last error; the wait before the second send, in milliseconds, from and to.
    type Row = (&'static str, fn() -> Told, [usize; 2], Outcome, [u64; 2]);
    const BACKOFF: [u64; 2] = [250, 500];
    const NONE: [u64; 2] = [0, 0];
    const MANY: usize = usize::MAX;
    let rows: [Row; 36] = [
        // The service did nothing: again at every endpoint.
        ("refused token", || Reply(refusal(400, 99_991_663)), [4, 4], Refused, [0, 0]),
        ("429", || Reply(refusal(429, 99_991_400)), [MANY, MANY], Refused, BACKOFF),
        ("400", || Reply(refusal(400, 99_991_400)), [MANY, MANY], Refused, BACKOFF),
        ("reset", || Reply(limited("7")), [MANY, MANY], Refused, [7000, 7000]),
        ("reset 0", || Reply(limited("0")), [MANY, MANY], Refused, BACKOFF),
        ("429 page", || Reply(answer(429, PAGE)), [MANY, MANY], Refused, BACKOFF),
        ("429 code", || Reply(refusal(429, 42)), [MANY, MANY], Refused, BACKOFF),
        ("message rate", || Reply(refusal(400, 230_020)), [MANY, MANY], Refused, BACKOFF),
        ("rate", || Reply(refusal(200, 11_232)), [MANY, MANY], Refused, BACKOFF),
        ("document", || Reply(refusal(200, 90_217)), [MANY, MANY], Refused, BACKOFF),
        ("document 429", || Reply(refusal(429, 90_235)), [MANY, MANY], Refused, BACKOFF),
        ("document v3", || Reply(refusal(400, 1_310_242)), [MANY, MANY], Refused, BACKOFF),
        // Perhaps it did something: again where that does no harm.
        ("busy", || Reply(refusal(200, 2200)), [4, 1], Unknown, BACKOFF),
        ("busy 429", || Reply(refusal(429, 2200)), [MANY, 1], Unknown, BACKOFF),
        ("408", || Reply(answer(408, PAGE)), [4, 1], Unknown, BACKOFF),
        ("500", || Reply(answer(500, PAGE)), [4, 1], Unknown, BACKOFF),
        ("502", || Reply(answer(502, PAGE)), [4, 1], Unknown, [2000, 2000]),
        ("503", || Reply(answer(503, PAGE)), [4, 1], Unknown, BACKOFF),
        ("504", || Reply(answer(504, PAGE)), [4, 1], Unknown, [2000, 2000]),
        ("408 code", || Reply(refusal(408, 42)), [4, 1], Unknown, BACKOFF),
        ("500 code", || Reply(refusal(500, 42)), [4, 1], Unknown, BACKOFF),
        ("502 code", || Reply(refusal(502, 42)), [4, 1], Unknown, [2000, 2000]),
        ("503 code", || Reply(refusal(503, 42)), [4, 1], Unknown, BACKOFF),
        ("504 code", || Reply(refusal(504, 42)), [4, 1], Unknown, [2000, 2000]),
        (
            "503 wait",
            || Reply(with(answer(503, PAGE), "retry-after", "5")),
            [4, 1],
            Unknown,
            [5000, 5000],
        ),
        (
            "502 wait",
            || Reply(with(answer(502, PAGE), "retry-after", "1")),
            [4, 1],
            Unknown,
            [2000, 2000],
        ),
        ("cut before the body", || Told::Cut(0), [4, 4], NotSent, BACKOFF),
        ("cut in the body", || Told::Cut(1), [4, 1], Unknown, BACKOFF),
        ("cut after the body", || Told::Cut(12), [4, 1], Unknown, BACKOFF),
        // Sending it again would change nothing.
        ("quota", || Reply(refusal(429, 99_991_403)), [1, 1], Refused, NONE),
        ("request", || Reply(refusal(500, 90_202)), [1, 1], Refused, NONE),
        ("unknown code", || Reply(refusal(200, 42)), [1, 1], Refused, NONE),
        ("truncated", || Reply(answer(200, r#"{"code":0,"da"#)), [1, 1], Unknown, NONE),
        ("too large", || TooLarge, [1, 1], Unknown, NONE),
        ("out of time", || Late, [1, 1], Unknown, NONE),
        ("permanent", || Permanent(0), [1, 1], NotSent, NONE),
    ];
    let endpoints = [upload(), unsafe_upload()];
    for (name, told, sends, outcome, [from, to]) in rows {
        for (endpoint, sends) in endpoints.iter().zip(sends) {
            // Refusals for a rate and of a busy document are bounded by time.
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
fn a_permanent_failure_after_the_body_leaves_the_outcome_open() {
    let run = run(&upload(), Limits::default(), |_| Permanent(12));
    assert_eq!((run.sends.len(), run.result.unwrap_err().outcome()), (1, Outcome::Unknown));
}

#[test]
fn an_earlier_failure_that_left_the_outcome_open_is_named_beside_the_last_one() {
    for (first, earlier) in [
        (Told::Cut as fn(u64) -> Told, "connection cut"),
        (|_| Reply(answer(502, PAGE)), "unreadable reply (HTTP 502"),
        (|_| Reply(refusal(200, 2200)), "code 2200"),
    ] {
        let run = run(&upload(), Limits::default(), |send| match send {
            1 => first(12),
            2 => Reply(refusal(200, 90_217)),
            _ => Reply(refusal(403, 90_213)),
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
fn an_earlier_failure_that_left_nothing_open_is_not_named() {
    let run = run(&upload(), Limits::default(), |send| match send {
        1 => Told::Cut(0),
        _ => Reply(refusal(403, 90_213)),
    });
    let error = run.result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Refused);
    assert!(error.earlier().is_none());
    assert!(!error.to_string().contains("earlier"), "{error}");
}

#[test]
fn the_only_failure_of_a_call_is_not_named_twice() {
    // The time is up in the wait before the second send.
    let run = run(&upload(), Limits::default().total(millis(300)), |_| Told::Cut(12));
    let error = run.result.unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Transport(Cut)), "{error}");
    assert_eq!((error.outcome(), run.sends.len()), (Outcome::Unknown, 1));
    assert!(error.earlier().is_none());
}

#[test]
fn a_fresh_connection_is_asked_for_after_a_break_and_only_then() {
    let run = run(&upload(), Limits::default().attempts(9), |send| match send {
        1 => Reply(answer(503, PAGE)),
        2 => Told::Cut(0),
        3 => Told::Cut(12),
        4 => Reply(limited("1")),
        5 => Told::Cut(3),
        // The token request between these two uses any connection.
        6 => Reply(refusal(400, 99_991_663)),
        _ => Reply(ok()),
    });
    run.result.unwrap();
    let fresh: Vec<bool> = run.sends.iter().map(|(_, fresh)| *fresh).collect();
    assert_eq!(fresh, [false, false, true, true, false, true, false]);
}

#[test]
fn a_token_request_asks_for_a_fresh_connection_after_a_break_and_only_then() {
    let upload = upload();
    let mut hand = Hand::new();
    let mut call = Call::new(&upload);
    let mut fresh = Vec::new();
    for round in 0..4 {
        loop {
            match hand.step(&mut call) {
                Step::Wait(time) => hand.now += time,
                Step::Send(outgoing) => {
                    fresh.push(outgoing.fresh_connection);
                    break;
                }
                Step::Done(result) => panic!("{result:?}"),
            }
        }
        match round {
            0 => hand.answers(&mut call, answer(503, PAGE)),
            1 => hand.breaks(&mut call, Permanence::Transient),
            _ => hand.answers(&mut call, token("t-1")),
        }
    }
    assert_eq!(fresh, [false, false, true, false]);
}

#[test]
fn a_request_is_sent_as_often_as_its_attempts_say() {
    for attempts in [0, 1, 2, 3, 7] {
        let limits = Limits::default().attempts(attempts);
        let run = run(&upload(), limits, |_| Reply(answer(503, PAGE)));
        assert_eq!(run.sends.len(), attempts.max(1) as usize);
    }
}

#[test]
fn one_attempt_is_one_request_whatever_the_answer() {
    let answers: [fn() -> Told; 6] = [
        || Reply(limited("1")),
        || Reply(refusal(200, 90_217)),
        || Reply(refusal(400, 230_020)),
        || Reply(refusal(400, 99_991_663)),
        || Reply(answer(503, PAGE)),
        || Told::Cut(0),
    ];
    for told in answers {
        let run = run(&upload(), Limits::one_attempt(), |_| told());
        assert_eq!(run.sends.len(), 1);
        run.result.unwrap_err();
    }
}

#[test]
fn a_refusal_for_the_rate_costs_no_attempt() {
    let run = run(&upload(), Limits::default().attempts(2), |send| match send {
        1..=5 => Reply(limited("1")),
        6 => Told::Cut(0),
        7..=9 => Reply(refusal(200, 90_217)),
        _ => Reply(ok()),
    });
    run.result.unwrap();
    assert_eq!(run.sends.len(), 10);
}

#[test]
fn a_request_that_is_idempotent_for_a_time_is_not_sent_again_after_it() {
    let endpoint = unsafe_upload().with_resend(Resend::SafeFor(secs(60)));
    let limits = || Limits::default().total(secs(3600)).attempts(1000);
    let whole = run(&endpoint, limits(), |_| Told::Cut(12));
    let [(first, _), .., (last, _)] = whole.sends[..] else { panic!() };
    assert!((secs(30)..secs(60)).contains(&(last - first)), "{:?}", whole.sends);
    assert_eq!(whole.result.unwrap_err().outcome(), Outcome::Unknown);
    // A refusal after it changes nothing: the first send may have been carried out.
    let then_refused = run(&endpoint, limits(), |send| match send {
        1 => Told::Cut(12),
        _ => Reply(limited("25")),
    });
    let [_, _, _, (last, _)] = then_refused.sends[..] else { panic!("{:?}", then_refused.sends) };
    assert!(last < secs(60), "the next one would come after 75 s: {last:?}");
    assert_eq!(then_refused.result.unwrap_err().outcome(), Outcome::Unknown);
    // The time does not run while nothing can have been carried out.
    let unsent = run(&endpoint, limits(), |send| match send {
        1..=20 => Told::Cut(0),
        _ => Reply(ok()),
    });
    assert!(unsent.sends[20].0 > secs(60), "{:?}", unsent.sends);
    unsent.result.unwrap();
}

#[test]
fn a_wait_that_is_too_long_ends_the_call_with_what_it_was_told() {
    for told in [
        || limited("61"),
        || with(answer(503, PAGE), "retry-after", "61"),
        || with(refusal(429, 90_217), "retry-after", "61"),
    ] {
        let run = run(&upload(), Limits::default(), |_| Reply(told()));
        assert_eq!(run.sends.len(), 1);
        let error = run.result.unwrap_err();
        let advice = error.lark().unwrap().advice();
        assert_eq!(advice, lark_proto::error::Advice::Again { after: Some(secs(61)) });
    }
}
