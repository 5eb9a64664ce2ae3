//! The request for a first token whose driver gives up, passes its deadline or takes no step.

use lark_proto::error::{CallErrorKind, Code, Outcome, WaitFor};
use lark_proto::session::{
    Broken, Call, Event, Permanence, Purpose, Session, Step, TokenRequestId,
};
use lark_proto::{ImageKey, Limits};

use crate::service::{
    BOTH, TOKEN, call, clock, custom, exported, finish, granted, millis, page, refusal, secs,
    simulate,
};
use crate::session::first_token::{assert_all_succeed, good_from, is_cut};
use crate::sim::{Cut, State, after, cut, hangs};

/// A call and its session, with the token request that the call sent.
fn asked(session: &mut Session, call: &mut Call<ImageKey, Cut>) -> TokenRequestId {
    match call.next(session, clock(secs(0))) {
        Step::Send(outgoing) => match outgoing.purpose {
            Purpose::Token(id) => id,
            purpose => panic!("{purpose:?}"),
        },
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_first_request_outlives_the_callers_that_give_up() {
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
        let now = clock(secs(0));
        let (mut session, mut first, mut second) = (custom(), call(), call());
        let id = asked(&mut session, &mut first);
        assert!(matches!(second.next(&mut session, now), Step::Wait(_)));
        let cut = Broken::new(CallErrorKind::Transport(Cut), 0, Permanence::Permanent);
        if keeps {
            let event = session.token_broken(id, now, &cut);
            let Some(Event::Broken { route, error, .. }) = event else { panic!("{event:?}") };
            assert!(route.ends_with(TOKEN) && error == "connection cut");
        } else {
            first.broken(&mut session, now, cut);
        }
        for call in [&mut first, &mut second, &mut call()] {
            match call.next(&mut session, now) {
                Step::Done(result) => assert!(is_cut(&result)),
                step => panic!("{step:?}"),
            }
        }
        let later = now + secs(5);
        assert!(matches!(call().next(&mut session, later), Step::Send(_)));
    }
}

#[test]
fn the_next_call_in_the_queue_takes_over_from_a_cancelled_driver() {
    for keeps in BOTH {
        let now = clock(secs(0));
        let (mut session, mut calls) = (custom(), [call(), call(), call()]);
        let id = asked(&mut session, &mut calls[0]);
        for call in &mut calls[1..] {
            assert!(matches!(call.next(&mut session, now), Step::Wait(_)));
        }
        assert_eq!(session.woken().count(), 0);
        assert_eq!(calls[0].token_request(), Some(id));
        calls[0].cancel(&mut session);
        if !keeps {
            session.token_dropped(id, now);
        }
        let named: Vec<_> = session.woken().collect();
        assert!(named.contains(&calls[1].id().unwrap()), "{named:?}");
        match calls[1].next(&mut session, now) {
            Step::Wait(_) if keeps => {
                session.token_received(id, now, granted("t-1", 7200));
            }
            Step::Send(_) if !keeps => {
                let parsed = calls[1].read(granted("t-1", 7200));
                calls[1].received(&mut session, now, parsed);
            }
            step => panic!("keeps {keeps}: {step:?}"),
        }
        for call in &mut calls[1..] {
            assert!(matches!(call.next(&mut session, now), Step::Send(_)));
        }
    }
}

#[test]
fn callers_without_time_do_not_use_up_the_tries_of_the_others() {
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
fn a_call_whose_time_is_up_behind_a_token_says_so() {
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

/// The transport reports a deadline after 60 s; without a report the request counts as failed after 61 s.
#[test]
fn a_request_without_an_answer_is_sent_again_after_a_minute() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, good_from(2, hangs));
        for _ in 0..10 {
            sim.start(call().boxed());
        }
        sim.run();
        assert_all_succeed(&sim);
        assert!(sim.sent[1].0 <= secs(61), "{:?}", sim.sent[1]);
        assert_eq!(sim.count(TOKEN), 2);
    }
    let at = |seconds| clock(secs(seconds));
    let (mut session, mut silent, mut next) = (custom(), call(), call());
    let lost = asked(&mut session, &mut silent);
    assert!(matches!(next.next(&mut session, at(1)), Step::Wait(time) if time == secs(60)));
    assert!(matches!(next.next(&mut session, at(60)), Step::Wait(time) if time == secs(1)));
    let Step::Wait(pause) = next.next(&mut session, at(61)) else { panic!() };
    assert!(pause <= millis(500));
    let Step::Send(_) = next.next(&mut session, at(62)) else { panic!() };
    // Its answer comes too late to matter.
    let refusal = refusal(400, Code::APP_SECRET_INVALID.0);
    assert_eq!(session.token_received(lost, at(62), refusal), None);
    let cut = Broken::new(CallErrorKind::Transport(Cut), 0, Permanence::Permanent);
    assert_eq!(session.token_broken(lost, at(62), &cut), None);
    session.token_dropped(lost, at(62));
    assert!(matches!(call().next(&mut session, at(62)), Step::Wait(_)));
    let parsed = next.read(granted("t-1", 7200));
    next.received(&mut session, at(63), parsed);
    assert!(matches!(next.next(&mut session, at(63)), Step::Send(_)));
}

#[test]
fn an_answer_to_a_request_that_was_dropped_changes_nothing() {
    let now = clock(secs(0));
    let (mut session, mut first, mut second) = (custom(), call(), call());
    let dropped = asked(&mut session, &mut first);
    first.cancel(&mut session);
    session.token_dropped(dropped, now);
    let sent = asked(&mut session, &mut second);
    session.token_received(dropped, now, granted("t-old", 7200));
    session.token_dropped(dropped, now);
    assert!(matches!(call().next(&mut session, now), Step::Wait(_)), "the second request is out");
    session.token_received(sent, now, granted("t-new", 7200));
    let Step::Send(upload) = second.next(&mut session, now) else { panic!() };
    assert_eq!(upload.request.headers()["authorization"], "Bearer t-new");
}

/// A call that takes no step is like a future that is kept and not polled.
#[test]
fn a_call_that_was_named_and_takes_no_step_does_not_hold_up_the_others() {
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
fn a_call_without_any_time_has_sent_nothing() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |_, _, _| hangs());
        let limits = Limits::default().total(secs(0));
        let error = finish(&mut sim, call().with_limits(limits)).as_ref().unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::Deadline), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(sim.sent.is_empty());
    }
}

/// The error is that of the call's own request, which is in flight, and not the earlier failure of the token request.
#[test]
fn a_request_in_flight_at_the_end_of_the_time_may_have_been_carried_out() {
    let (mut session, mut call) = (custom(), call().with_limits(Limits::default().total(secs(9))));
    let at = |seconds| clock(secs(seconds));
    let _request = call.next(&mut session, at(0));
    let parsed = call.read(page(500));
    call.received(&mut session, at(0), parsed);
    let Step::Wait(_) = call.next(&mut session, at(0)) else { panic!() };
    let text = exported(custom(), at(1), "t-1", 7200);
    session.import_token(at(1), at(1), None, &text).unwrap();
    let Step::Send(upload) = call.next(&mut session, at(1)) else { panic!() };
    assert_eq!((upload.purpose, upload.within), (Purpose::Call, secs(8)));
    let Step::Done(Err(error)) = call.next(&mut session, at(9)) else { panic!() };
    assert!(matches!(error.kind, CallErrorKind::Deadline), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

/// Only the first two calls in the queue are woken; the others take a step when the request would count as failed.
#[test]
fn calls_behind_several_that_take_no_step_go_on_within_a_minute() {
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
