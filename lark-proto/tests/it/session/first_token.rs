//! The first token: the call that requests it, the calls that wait for it, and their results after a failure.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::session::Session;
use lark_proto::{App, ImageKey, Limits, Site};

use crate::fixtures::{
    BOTH, PUT, TOKEN, Uploaded, call, code, custom, exported, granted, limited, millis, page,
    refusal, secs, simulate, with_fake,
};
use crate::sim::{Cut, Reaction, Sim, after, cut, hangs};

/// A service that grants a token from the token request with the number `good` on, and fails before.
pub(crate) fn good_from(
    good: usize,
    failure: impl Fn() -> Reaction<'static>,
) -> impl FnMut(usize, Duration, http::Request<Bytes>) -> Reaction<'static> {
    move |number, _, _| {
        if number < good { failure() } else { after(millis(100), granted("t-1", 7200)) }
    }
}

pub(crate) fn assert_all_succeed(sim: &Sim<'_, ImageKey>) {
    for task in 0..sim.tasks.len() {
        assert!(sim.result(task).is_ok(), "call {task}: {:?}", sim.result(task));
    }
}

/// Whether a call ended with the failure of a token request's connection. The call that sent the request has the error
/// itself, and a call that waited has its text.
pub(crate) fn is_cut(result: &Uploaded) -> bool {
    match result {
        Err(error) if error.route.ends_with(TOKEN) => match &error.kind {
            CallErrorKind::Transport(Cut) => true,
            CallErrorKind::TokenRequest(text) => **text == *"connection cut",
            _ => false,
        },
        _ => false,
    }
}

#[test]
fn one_call_asks_for_the_token_and_the_others_wait_for_it() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(1, hangs));
        for _ in 0..10 {
            sim.start(call().boxed());
        }
        sim.run();
        assert_all_succeed(&sim);
        assert_eq!((sim.count(TOKEN), sim.count(PUT)), (1, 10));
        assert!((0..10).all(|task| sim.took(task) == millis(200)));
    }
}

#[test]
fn a_first_request_with_a_transient_failure_is_sent_again() {
    type Failing = fn() -> Reaction<'static>;
    let failures: [(&str, Failing); 5] = [
        ("page", || after(millis(100), page(500))),
        ("cut reply", || after(millis(100), Response::new(r#"{"code":0,"tenant_access_"#.into()))),
        ("cut connection", || cut(millis(100), 0)),
        ("unknown code", || after(millis(100), refusal(503, 4_242_424))),
        ("timeout", || after(millis(100), refusal(408, 4_242_424))),
    ];
    for keeps in BOTH {
        for (name, failure) in failures {
            let mut sim = simulate(custom(), keeps, good_from(2, failure));
            for number in 0..1000 {
                sim.start_at(millis(3 * number), call().boxed());
            }
            sim.run();
            assert_all_succeed(&sim);
            assert_eq!(sim.count(TOKEN), 2, "{name}");
            assert!((0..1000).all(|task| sim.took(task) <= millis(900)), "{name}");
        }
    }
}

#[test]
fn no_request_is_sent_during_a_requested_wait_although_calls_are_dropped() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, || after(millis(50), limited("30"))));
        while sim.now < secs(30) {
            let task = sim.start(call().boxed());
            sim.drop_at(sim.now + secs(2), task);
            sim.run();
        }
        assert_eq!(sim.count(TOKEN), 1);
        assert!(sim.finish(call()).is_ok());
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn an_unreachable_token_host_ends_all_calls_with_the_connection_error_after_one_series() {
    for keeps in BOTH {
        for hasty in [0, 1, 500] {
            let mut sim = simulate(custom(), keeps, |_, _, _| cut(secs(20), 0));
            for number in 0..1000 {
                let limits =
                    if number == hasty { Limits::one_attempt() } else { Limits::default() };
                sim.start(call().with_limits(limits).boxed());
            }
            sim.run();
            assert!((0..1000).all(|task| is_cut(sim.result(task))));
            assert!((0..1000).all(|task| sim.took(task) <= secs(100)));
            assert_eq!(sim.count(TOKEN), 4, "the calls begin no second series");
        }
    }
}

#[test]
fn waiting_calls_go_on_at_once_with_an_imported_token() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| after(millis(50), limited("45")));
        for _ in 0..10 {
            sim.start(call().boxed());
        }
        sim.run_until(secs(1));
        let text = exported(custom(), sim.clock(), "t-2", 7200);
        sim.session.import_token(sim.clock(), sim.clock(), None, &text).unwrap();
        sim.wake();
        sim.run();
        assert_all_succeed(&sim);
        assert!((0..10).all(|task| sim.took(task) == millis(1100)));
        assert_eq!(sim.count(TOKEN), 1);
    }
}

#[test]
fn waiting_calls_go_on_at_once_with_a_token_that_is_imported_while_a_request_is_in_flight() {
    for keeps in BOTH {
        for reaction in [|| after(secs(5), granted("t-1", 7200)), || cut(secs(5), 0), hangs] {
            let mut sim = simulate(custom(), keeps, move |_, _, _| reaction());
            for _ in 0..10 {
                sim.start(call().boxed());
            }
            sim.run_until(secs(1));
            let text = exported(custom(), sim.clock(), "t-2", 7200);
            sim.session.import_token(sim.clock(), sim.clock(), None, &text).unwrap();
            sim.wake();
            sim.run();
            assert_all_succeed(&sim);
            // Without a kept exchange, the call that sent the request waits for the answer.
            let first = if keeps { 0 } else { 1 };
            for task in first..10 {
                assert_eq!(sim.took(task), millis(1100), "call {task}, keeps {keeps}");
            }
            sim.run_until(secs(70));
            assert!(sim.finish(call()).is_ok());
            assert_eq!(sim.count(TOKEN), 1);
            assert!(sim.session.is_idle());
        }
    }
}

#[test]
fn a_wait_that_is_too_long_for_a_call_ends_it_at_once_with_the_services_error() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, || after(millis(100), limited("45"))));
        let hasty = Limits::default().longest_wait(secs(44));
        for limits in [Limits::default(), hasty, Limits::default(), hasty] {
            sim.start(call().with_limits(limits).boxed());
        }
        // By then 15 of the requested 45 seconds are left.
        let late =
            sim.start_at(millis(30_100), call().with_limits(hasty.longest_wait(secs(14))).boxed());
        let in_time = sim.start_at(millis(30_100), call().with_limits(hasty).boxed());
        sim.run();
        for (task, wait) in [(1, 45), (3, 45), (late, 15)] {
            let result = sim.result(task);
            assert_eq!(code(result), Some(Code::RATE_LIMITED));
            let error = result.as_ref().unwrap_err();
            let named = error.api().unwrap().retry_after;
            assert_eq!((named, error.outcome()), (Some(secs(wait)), Outcome::NotSent));
            assert!(sim.took(task) <= millis(100));
        }
        for task in [0, 2, in_time] {
            assert!(sim.result(task).is_ok());
            assert_eq!(sim.tasks[task].ended, millis(45_300));
        }
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn a_requested_wait_is_a_second_at_least() {
    let limits = Limits::default().total(secs(60));
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| after(millis(20), limited("0.001")));
        assert!(sim.finish(call().with_limits(limits)).is_err());
        assert_eq!(sim.count(TOKEN), 59, "one in 1.02 seconds");
    }
}

#[test]
fn a_requested_wait_is_capped_at_two_minutes() {
    for keeps in BOTH {
        let mut sim =
            simulate(custom(), keeps, good_from(3, || after(millis(100), limited("3600"))));
        let patient = Limits::default().longest_wait(secs(7200));
        for _ in 0..10 {
            sim.start(call().with_limits(patient).boxed());
        }
        for second in 0..300 {
            sim.start_at(secs(second) + millis(500), call().with_limits(patient).boxed());
        }
        sim.run();
        for task in 0..sim.tasks.len() {
            // The next requests are sent at 120.5 s and, as the second refusal asks for the same wait, at 241.5 s.
            let is_good = sim.tasks[task].started >= millis(241_500);
            assert_eq!(sim.result(task).is_ok(), is_good, "{:?}", sim.tasks[task].started);
            if !is_good {
                assert_eq!(code(sim.result(task)), Some(Code::RATE_LIMITED));
                assert!(sim.took(task) <= millis(100), "the call ends at once");
                let ended = sim.tasks[task].ended;
                let refused = if ended < millis(120_600) { millis(100) } else { millis(120_600) };
                let left = sim.result(task).as_ref().unwrap_err().retry_after();
                assert_eq!(left, Some(secs(3600) - (ended - refused)), "the rest of the wait");
            }
        }
        assert_eq!(sim.count(TOKEN), 3);
    }
}

#[test]
fn a_permanent_refusal_costs_one_request_in_five_seconds() {
    for keeps in BOTH {
        let refused = || after(millis(100), refusal(400, Code::APP_SECRET_INVALID.0));
        let mut sim = simulate(custom(), keeps, good_from(2, refused));
        for number in 0..1000 {
            sim.start_at(millis(5 * number), call().boxed());
        }
        let later = sim.start_at(millis(5100), call().boxed());
        sim.run();
        for task in 0..1000 {
            let error = sim.result(task).as_ref().unwrap_err();
            assert_eq!(code(sim.result(task)), Some(Code::APP_SECRET_INVALID));
            assert_eq!(
                (&*error.route, error.outcome()),
                (Route::TenantAccessToken.path(), Outcome::NotSent)
            );
            assert!(sim.took(task) <= millis(100));
        }
        assert!(sim.result(later).is_ok());
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn the_call_that_met_the_transports_error_keeps_it_and_the_others_get_its_text() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| cut(millis(100), 0));
        for _ in 0..10 {
            sim.start(call().boxed());
        }
        sim.run();
        let own = |task: &usize| {
            let error = sim.result(*task).as_ref().unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotSent);
            matches!(error.kind, CallErrorKind::Transport(Cut))
        };
        let owners = (0..10).filter(own).count();
        assert!((0..10).all(|task| is_cut(sim.result(task))));
        // A transport that keeps exchanges reports the error to the session and to no call.
        assert!(if keeps { owners == 0 } else { (1..=4).contains(&owners) }, "{owners}");
    }
}

#[test]
fn a_series_has_four_requests_whatever_the_attempts_of_its_calls() {
    for keeps in BOTH {
        for attempts in [0, 1, 2, 9] {
            for (good, tries) in [(4, 4), (5, 4)] {
                let failure = || after(millis(100), page(500));
                let mut sim = simulate(custom(), keeps, good_from(good, failure));
                let limits = Limits::default().attempts(attempts);
                let result = sim.finish(call().with_limits(limits));
                assert_eq!(result.is_ok(), good == 4);
                assert_eq!(sim.count(TOKEN), tries);
            }
        }
    }
}

#[test]
fn a_call_after_a_failed_series_begins_the_next_one() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(5, || cut(millis(100), 0)));
        assert!(sim.finish(call()).is_err());
        assert!(sim.finish(call()).is_ok());
        assert_eq!(sim.count(TOKEN), 5);
    }
}

#[test]
fn a_failed_token_request_ends_the_call_as_not_sent() {
    let limits = Limits::default().total(secs(1)).attempts(1);
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| after(millis(900), page(502)));
        let error = sim.finish(call().with_limits(limits)).as_ref().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    }
}

#[test]
fn a_token_request_with_an_unexpected_reply_is_sent_four_times_at_most() {
    let odd: [fn() -> Response<Bytes>; 9] = [
        || refusal(400, Code::TENANT_TOKEN_INVALID.0),
        || refusal(200, Code::APP_TOKEN_INVALID.0),
        || refusal(400, Code::SHEET_RETRY_LATER.0),
        || refusal(200, i64::MIN),
        || refusal(600, i64::MAX),
        || limited("0"),
        || page(404),
        || page(302),
        || Response::new(Bytes::new()),
    ];
    for keeps in BOTH {
        for reply in odd {
            let mut sim = simulate(custom(), keeps, move |_, _, _| after(millis(10), reply()));
            for _ in 0..50 {
                sim.start(call().boxed());
            }
            sim.run();
            assert!((0..50).all(|task| sim.result(task).is_err()));
            assert!((0..50).all(|task| sim.took(task) <= secs(10)));
            assert!(sim.count(TOKEN) <= 4, "{} times {:?}", sim.count(TOKEN), reply());
        }
    }
}

#[test]
fn the_error_of_wrong_credentials_quotes_the_service() {
    let app = App::custom(FakeLark::APP_ID, "wrongwrongwrongwrongwrongwrong00").unwrap();
    let lark = RefCell::new(FakeLark::new());
    let mut sim = with_fake(Session::new(Site::LARK, app), false, &lark);
    let error = sim.finish(call()).as_ref().unwrap_err();
    let text = format!("{error}: {}", error.lark().unwrap());
    assert!(text.contains("10014") && text.contains("app secret invalid"), "{text}");
}

#[test]
fn a_session_without_an_app_fetches_no_token() {
    let mut sim = simulate(Session::new(Site::LARK, App::None), false, |_, _, _| hangs());
    let error = sim.finish(call()).as_ref().unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::NoApp), "{error}");
    assert!(sim.sent.is_empty());
}
