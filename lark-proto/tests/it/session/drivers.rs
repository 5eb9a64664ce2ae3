//! A request for the first token whose driver, the call that sent it, is dropped, passes its deadline or takes no step.

use lark_proto::Limits;
use lark_proto::error::{CallErrorKind, Code, Outcome, WaitFor};
use lark_proto::session::{Event, Permanence, TransportFailure};

use crate::fixtures::{
    BOTH, TOKEN, call, custom, exported, granted, millis, page, refusal, secs, simulate,
};
use crate::sim::{Cut, Sim, State, after, clock, cut, hangs};

use crate::session::first_token::{assert_all_succeed, good_from, is_cut};

#[test]
fn a_first_request_outlives_the_calls_that_are_dropped() {
    let slow = |_, _, _| after(secs(3), granted("t-1", 7200));
    let mut sim = simulate(custom(), true, slow);
    for _ in 0..200 {
        let task = sim.start(call().boxed());
        sim.drop_at(sim.now + secs(2), task);
        sim.run();
    }
    assert!(matches!(sim.tasks[0].state, State::Dropped));
    assert!((1..200).all(|task| sim.result(task).is_ok()));
    assert_eq!(sim.count(TOKEN), 1);
}

#[test]
fn a_permanent_failure_of_the_transport_ends_the_series_at_once() {
    for keeps in BOTH {
        let mut sim = Sim::by_hand(custom());
        let mut first = call();
        let mut second = call();
        let id = sim.fetches(&mut first);
        sim.waits(&mut second);
        if keeps {
            let cut =
                TransportFailure::new(CallErrorKind::Transport(Cut), 0, Permanence::Permanent);
            let event = sim.session.token_failed(id, clock(sim.now), &cut);
            let Some(Event::Failed { route, error, .. }) = event else { panic!("{event:?}") };
            assert!(route.ends_with(TOKEN) && error == "connection cut");
        } else {
            sim.breaks(&mut first, Permanence::Permanent);
        }
        for call in [&mut first, &mut second, &mut call()] {
            assert!(is_cut(&Err(sim.ends(call))));
        }
        sim.now = secs(5);
        sim.fetches(&mut call());
    }
}

#[test]
fn a_token_reply_that_is_too_long_ends_the_calls_that_wait_for_it_with_the_limit() {
    let mut sim = Sim::by_hand(custom());
    let mut first = call();
    let mut second = call();
    let id = sim.fetches(&mut first);
    sim.waits(&mut second);
    let too_large: CallErrorKind<Cut> = CallErrorKind::TooLarge { limit: 7 };
    let failure = TransportFailure::new(too_large, 0, Permanence::Permanent);
    sim.session.token_failed(id, clock(sim.now), &failure);
    for call in [&mut first, &mut second] {
        let error = sim.ends(call);
        assert!(matches!(error.kind, CallErrorKind::TooLarge { limit: 7 }), "{error}");
    }
}

#[test]
fn a_call_that_waits_for_a_token_after_a_failed_request_names_that_failure() {
    let mut sim = Sim::by_hand(custom());
    let mut call = call();
    sim.fetches(&mut call);
    sim.answers(&mut call, page(500));
    sim.waits(&mut call);
    assert!(call.last_failure().unwrap().route.ends_with(TOKEN));
}

#[test]
fn the_next_call_in_the_queue_takes_over_from_a_cancelled_driver() {
    for keeps in BOTH {
        let now = clock(secs(0));
        let mut sim = Sim::by_hand(custom());
        let mut calls = [call(), call(), call()];
        let id = sim.fetches(&mut calls[0]);
        for call in &mut calls[1..] {
            sim.waits(call);
        }
        assert!(sim.woken().is_empty());
        assert_eq!(calls[0].token_request(), Some(id));
        calls[0].cancel(&mut sim.session);
        if !keeps {
            sim.session.token_dropped(id, now);
        }
        let woken = sim.woken();
        assert!(woken.contains(&calls[1].id().unwrap()), "{woken:?}");
        if keeps {
            sim.waits(&mut calls[1]);
            sim.session.token_received(id, now, granted("t-1", 7200));
        } else {
            sim.fetches(&mut calls[1]);
            sim.answers(&mut calls[1], granted("t-1", 7200));
        }
        for call in &mut calls[1..] {
            sim.sends(call);
        }
    }
}

#[test]
fn calls_with_little_time_do_not_use_up_the_requests_of_a_series() {
    for keeps in BOTH {
        let slow = |_, _, _| after(secs(3), granted("t-1", 7200));
        let mut sim = simulate(custom(), keeps, slow);
        for number in 1..=6 {
            sim.start(call().with_limits(Limits::default().total(secs(2 * number))).boxed());
        }
        let patient = sim.start(call().boxed());
        sim.run();
        assert!(sim.result(patient).is_ok(), "{:?}", sim.result(patient));
        assert!(sim.took(patient) <= secs(16), "{:?}", sim.took(patient));
    }
}

#[test]
fn the_error_of_a_call_that_waited_for_a_token_names_that_wait() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| hangs());
        let limits = Limits::default().total(secs(5));
        let [first, second] = [(); 2].map(|()| sim.start(call().with_limits(limits).boxed()));
        sim.run();
        assert_eq!([sim.took(first), sim.took(second)], [secs(5); 2]);
        let error = sim.result(second).as_ref().unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::Queued(WaitFor::Token)), "{error}");
        let error = sim.result(first).as_ref().unwrap_err();
        assert!(matches!(
            error.kind,
            CallErrorKind::Queued(WaitFor::Token) | CallErrorKind::Deadline
        ));
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    }
}

#[test]
fn a_request_without_a_reply_is_sent_again_after_a_minute() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, hangs));
        for _ in 0..10 {
            sim.start(call().boxed());
        }
        sim.run();
        assert_all_succeed(&sim);
        assert!(sim.sent[1].at <= secs(61), "{:?}", sim.sent[1]);
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn a_request_without_a_report_counts_as_failed_after_61_seconds() {
    let mut sim = Sim::by_hand(custom());
    let mut silent = call();
    let mut next = call();
    sim.fetches(&mut silent);
    for (second, left) in [(1, 60), (60, 1)] {
        sim.now = secs(second);
        assert_eq!(sim.waits(&mut next), secs(left));
    }
    sim.now = secs(61);
    assert!(sim.waits(&mut next) <= millis(500));
    sim.now = secs(62);
    sim.fetches(&mut next);
}

#[test]
fn a_reply_to_a_request_that_counts_as_failed_changes_nothing() {
    let mut sim = Sim::by_hand(custom());
    let mut silent = call();
    let mut next = call();
    let lost = sim.fetches(&mut silent);
    sim.waits(&mut next);
    sim.now = secs(61);
    sim.waits(&mut next);
    sim.now = secs(62);
    sim.fetches(&mut next);
    let now = clock(sim.now);
    let refusal = refusal(400, Code::APP_SECRET_INVALID.0);
    assert_eq!(sim.session.token_received(lost, now, refusal), None);
    let cut = TransportFailure::new(CallErrorKind::Transport(Cut), 0, Permanence::Permanent);
    assert_eq!(sim.session.token_failed(lost, now, &cut), None);
    sim.session.token_dropped(lost, now);
    sim.waits(&mut call());
    sim.now = secs(63);
    sim.answers(&mut next, granted("t-1", 7200));
    sim.sends(&mut next);
}

#[test]
fn a_reply_to_a_request_that_was_dropped_changes_nothing() {
    let now = clock(secs(0));
    let mut sim = Sim::by_hand(custom());
    let mut first = call();
    let mut second = call();
    let dropped = sim.fetches(&mut first);
    first.cancel(&mut sim.session);
    sim.session.token_dropped(dropped, now);
    let sent = sim.fetches(&mut second);
    sim.session.token_received(dropped, now, granted("t-old", 7200));
    sim.session.token_dropped(dropped, now);
    // The second request is still in flight.
    sim.waits(&mut call());
    sim.session.token_received(sent, now, granted("t-new", 7200));
    let upload = sim.sends(&mut second);
    assert_eq!(upload.request.headers()["authorization"], "Bearer t-new");
}

/// A future that is kept and not polled is a call that takes no step.
#[test]
fn a_woken_call_that_takes_no_step_does_not_hold_up_the_others() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, || cut(secs(1), 0)));
        let tasks: Vec<usize> = (0..6).map(|_| sim.start(call().boxed())).collect();
        sim.run_until(millis(500));
        sim.freeze(tasks[0]);
        sim.run();
        assert!(tasks[1..].iter().all(|&task| sim.result(task).is_ok()));
        assert!(tasks[1..].iter().all(|&task| sim.took(task) <= secs(3)));
    }
}

#[test]
fn a_call_without_any_time_sends_no_token_request() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| hangs());
        let limits = Limits::default().total(secs(0));
        let error = sim.finish(call().with_limits(limits)).as_ref().unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::Deadline), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(sim.sent.is_empty());
    }
}

/// The error describes the call's own request, which is in flight, and not the earlier failure of the token request.
#[test]
fn the_outcome_of_a_request_in_flight_at_the_deadline_is_unknown() {
    let mut sim = Sim::by_hand(custom());
    let mut call = call().with_limits(Limits::default().total(secs(9)));
    sim.fetches(&mut call);
    sim.answers(&mut call, page(500));
    sim.waits(&mut call);
    sim.now = secs(1);
    let now = clock(sim.now);
    let text = exported(custom(), now, "t-1", 7200);
    sim.session.import_token(now, now, None, &text).unwrap();
    assert_eq!(sim.sends(&mut call).call_timeout, secs(8));
    sim.now = secs(9);
    let error = sim.ends(&mut call);
    assert!(matches!(error.kind, CallErrorKind::Deadline), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

/// The session wakes only the first two calls of the queue. The others take a step when the request counts as failed.
#[test]
fn calls_behind_several_that_take_no_step_go_on_after_a_minute() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, || cut(secs(1), 0)));
        let tasks: Vec<usize> = (0..9).map(|_| sim.start(call().boxed())).collect();
        sim.run_until(millis(500));
        for &task in &tasks[..5] {
            sim.freeze(task);
        }
        sim.run();
        assert!(tasks[5..].iter().all(|&task| sim.result(task).is_ok()));
        assert!(tasks[5..].iter().all(|&task| sim.took(task) <= secs(62)));
    }
}
