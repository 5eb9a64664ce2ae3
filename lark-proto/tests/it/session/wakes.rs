//! Tests that the session wakes the right calls, in the same step in which another call leaves a queue. The calls are
//! stepped by hand, because a run of the simulator would hide a wake that is one step late.

use lark_proto::Limits;
use lark_proto::endpoints::{Quota, Raw};
use lark_proto::session::{Call, CallId, Permanence, Step};
use serde::de::IgnoredAny;

use crate::fixtures::{
    custom, exported, given, granted, limited, millis, refusal, secs, success, upload,
};
use crate::sim::{ByHand, Cut, Sim};

type Upload = Call<IgnoredAny, Cut>;

/// The steps by which a call leaves a queue.
type Leaves = fn(&mut ByHand, &mut Upload);

/// A session with a token that was granted at time zero for two hours.
fn with_token() -> ByHand {
    let mut sim = Sim::by_hand(custom());
    let upload = upload();
    let mut call: Upload = Call::new(&upload);
    sim.fetches(&mut call);
    sim.answers(&mut call, granted("t-1", 7200));
    call.cancel(&mut sim.session);
    assert!(sim.woken().is_empty());
    sim
}

/// Has a call wait in a queue behind others.
fn queue(sim: &mut ByHand, mut call: Upload) -> Upload {
    sim.waits(&mut call);
    call
}

/// Closes the gate of the route for `reset` seconds, and has `calls` wait there.
fn close<const N: usize>(
    sim: &mut ByHand,
    reset: &str,
    mut first: Upload,
    calls: [Upload; N],
) -> [Upload; N] {
    sim.sends(&mut first);
    sim.answers(&mut first, limited(reset));
    first.cancel(&mut sim.session);
    let calls = calls.map(|call| queue(sim, call));
    assert!(sim.woken().is_empty());
    calls
}

fn id(call: &Upload) -> CallId {
    call.id().unwrap()
}

fn total(seconds: u64) -> Limits {
    Limits::default().total(secs(seconds))
}

#[test]
fn a_call_that_leaves_its_lane_wakes_the_next_one_and_no_other() {
    let cases: [(&str, Leaves); 10] = [
        ("success", |sim, call| {
            sim.sends(call);
            sim.answers(call, success());
        }),
        ("refused", |sim, call| {
            sim.sends(call);
            sim.answers(call, refusal(403, 90_213));
        }),
        ("permanent failure", |sim, call| {
            sim.sends(call);
            sim.breaks(call, Permanence::Permanent);
        }),
        ("deadline passed in flight", |sim, call| {
            sim.sends(call);
            sim.now += secs(10);
            sim.ends(call);
        }),
        ("deadline passed between attempts", |sim, call| {
            sim.sends(call);
            sim.answers(call, limited("5"));
            sim.now += secs(10);
            sim.ends(call);
        }),
        ("too little time for another attempt", |sim, call| {
            sim.sends(call);
            sim.now += secs(6);
            sim.answers(call, limited("1"));
        }),
        ("too little time after a wait between attempts", |sim, call| {
            sim.sends(call);
            sim.now += secs(3);
            sim.answers(call, limited("1"));
            sim.now += secs(5);
            sim.ends(call);
        }),
        ("dropped in flight", |sim, call| {
            sim.sends(call);
            call.cancel(&mut sim.session);
        }),
        ("dropped between attempts", |sim, call| {
            sim.sends(call);
            sim.answers(call, refusal(200, 90_235));
            sim.waits(call);
            call.cancel(&mut sim.session);
        }),
        ("dropped before its request", |sim, call| {
            call.cancel(&mut sim.session);
            assert!(call.id().is_none());
        }),
    ];
    for (case, leaves) in cases {
        let upload = upload().with_serial_key("sheet");
        let given = given();
        let mut sim = Sim::by_hand(custom());
        let call = || Upload::with_token(&given, &upload);
        let mut first = call().with_limits(total(10));
        if case == "dropped before its request" {
            // The first call has a token request in flight.
            first = Call::new(&upload);
            sim.fetches(&mut first);
        } else {
            sim.sends(&mut first);
            sim.answers(&mut first, refusal(200, 90_235));
            sim.now += secs(1);
        }
        let next = queue(&mut sim, call());
        let last = queue(&mut sim, call());
        assert!(sim.woken().is_empty(), "{case}");
        leaves(&mut sim, &mut first);
        assert_eq!(sim.woken(), [id(&next)], "{case}");
        drop(last);
    }
}

#[test]
fn a_later_call_that_leaves_a_lane_wakes_none() {
    let upload = upload().with_serial_key("sheet");
    let given = given();
    let mut sim = Sim::by_hand(custom());
    let mut first = Call::with_token(&given, &upload);
    sim.sends(&mut first);
    let mut calls = [total(600), total(5), total(600)]
        .map(|limits| queue(&mut sim, Call::with_token(&given, &upload).with_limits(limits)));
    calls[0].cancel(&mut sim.session);
    sim.now += secs(5);
    sim.ends(&mut calls[1]);
    assert!(sim.woken().is_empty());
    sim.answers(&mut first, success());
    assert_eq!(sim.woken(), [id(&calls[2])]);
}

#[test]
fn a_reply_that_ends_the_busy_time_of_others_wakes_them() {
    let upload = upload().with_serial_key("sheet");
    let given = given();
    let mut sim = Sim::by_hand(custom());
    let call =
        |busy| Call::with_token(&given, &upload).with_limits(Limits::default().busy(secs(busy)));
    let mut first = call(120);
    sim.sends(&mut first);
    let mut calls = [120, 60, 300, 120].map(|busy| queue(&mut sim, call(busy)));
    let mut answers = |sim: &mut ByHand, at| {
        sim.now = secs(at);
        sim.answers(&mut first, refusal(200, 90_235));
        let woken = sim.woken();
        if at < 120 {
            sim.now += secs(8);
            sim.sends(&mut first);
            assert!(sim.woken().is_empty());
        }
        woken
    };
    assert_eq!(answers(&mut sim, 0), []);
    assert_eq!(answers(&mut sim, 59), []);
    assert_eq!(answers(&mut sim, 60), [id(&calls[1])]);
    // That call has taken no step, and is woken again.
    assert_eq!(answers(&mut sim, 100), [id(&calls[1])]);
    let woken = answers(&mut sim, 120);
    let late: Vec<_> = [0, 1, 3].map(|at| id(&calls[at])).into();
    assert_eq!(woken, late);
    for at in [0, 1, 3] {
        let error = sim.ends(&mut calls[at]);
        assert_eq!(error.api().unwrap().code.0, 90_235);
    }
    assert_eq!(sim.woken(), [id(&calls[2])]);
}

#[test]
fn a_call_that_leaves_a_gate_wakes_the_calls_that_take_its_place() {
    let cases: [(&str, Leaves); 4] = [
        ("dropped", |sim, call| call.cancel(&mut sim.session)),
        ("deadline passed", |sim, call| {
            sim.now = secs(10);
            sim.ends(call);
        }),
        ("sent", |sim, call| {
            sim.now = secs(10);
            sim.sends(call);
        }),
        ("longest wait exceeded", |sim, call| {
            sim.now = secs(1);
            sim.ends(call);
        }),
    ];
    for (case, leaves) in cases {
        let upload = upload();
        let given = given();
        let mut sim = Sim::by_hand(custom());
        let call = || Upload::with_token(&given, &upload);
        let first = match case {
            "deadline passed" => call().with_limits(total(10)),
            "longest wait exceeded" => call().with_limits(Limits::default().longest_wait(secs(20))),
            _ => call(),
        };
        let mut late = call();
        sim.sends(&mut late);
        let [mut first, mut second, third, _last] =
            close(&mut sim, "10", call(), [first, call(), call(), call()]);
        if case == "longest wait exceeded" {
            sim.answers(&mut late, limited("50"));
            assert_eq!(sim.woken(), [id(&first)], "{case}");
        }
        leaves(&mut sim, &mut first);
        let woken = sim.woken();
        assert!(
            woken.contains(&id(&third)),
            "{case}: the third call is the second of the queue now"
        );
        let is_free = matches!(case, "dropped" | "deadline passed");
        assert_eq!(
            woken.contains(&id(&second)),
            is_free,
            "{case}: the second call is the first of the queue now"
        );
        if case == "deadline passed" {
            sim.sends(&mut second);
        }
    }
}

#[test]
fn a_call_that_passes_a_quota_wakes_the_next_one_that_may_pass() {
    let upload = upload().with_quota(Quota::per_second(2));
    let given = given();
    let mut sim = Sim::by_hand(custom());
    let mut calls: [Upload; 6] = std::array::from_fn(|_| Call::with_token(&given, &upload));
    for call in &mut calls[..2] {
        sim.sends(call);
    }
    for call in &mut calls[2..] {
        sim.waits(call);
    }
    let time = sim.waits(&mut calls[2]);
    sim.now += time;
    assert!(sim.woken().is_empty());
    sim.sends(&mut calls[2]);
    assert!(sim.woken().contains(&id(&calls[3])));
    sim.sends(&mut calls[3]);
    let third = sim.waits(&mut calls[4]);
    assert!(millis(1100) <= third && third <= millis(1120), "{third:?}");
}

#[test]
fn a_call_that_leaves_a_gate_to_renew_the_token_wakes_the_calls_behind_it() {
    let upload = upload();
    let mut sim = with_token();
    // The token is due for renewal from 5,460 s on.
    sim.now = secs(5_459);
    let calls = std::array::from_fn(|_| Call::new(&upload));
    let [mut first, mut second, third] = close(&mut sim, "10", Call::new(&upload), calls);
    sim.now += secs(10);
    sim.fetches(&mut first);
    assert_eq!(sim.woken(), [id(&second), id(&third)]);
    sim.sends(&mut second);
    // After the renewal, the call that sent it goes on.
    sim.answers(&mut first, granted("t-2", 7200));
    sim.waits(&mut first);
    sim.waits(&mut third.with_limits(Limits::default()));
}

#[test]
fn a_call_that_leaves_a_gate_to_replace_a_refused_token_wakes_the_calls_behind_it() {
    let upload = upload();
    let mut sim = with_token();
    let mut other = Call::new(&upload);
    sim.sends(&mut other);
    let calls = std::array::from_fn(|_| Call::new(&upload));
    let [mut first, mut second, mut third] = close(&mut sim, "10", Call::new(&upload), calls);
    sim.answers(&mut other, refusal(400, 99_991_663));
    assert!(sim.woken().is_empty(), "no call can pass the gate");
    sim.now += secs(10);
    sim.fetches(&mut first);
    assert_eq!(sim.woken(), [id(&second), id(&third)]);
    sim.waits(&mut second);
    sim.waits(&mut third);
    sim.now += secs(1);
    sim.answers(&mut first, granted("t-2", 7200));
    let woken = sim.woken();
    assert!([&second, &third].iter().all(|call| woken.contains(&id(call))), "{woken:?}");
    sim.sends(&mut first);
}

#[test]
fn a_token_request_that_loses_its_driver_wakes_the_next_call() {
    for is_kept in [true, false] {
        let upload = upload();
        let mut sim = Sim::by_hand(custom());
        let mut first = Call::new(&upload);
        let request = sim.fetches(&mut first);
        let mut second = queue(&mut sim, Call::new(&upload));
        let _third = queue(&mut sim, Call::new(&upload));
        assert!(sim.woken().is_empty());
        first.cancel(&mut sim.session);
        let now = sim.clock();
        if is_kept {
            assert_eq!(sim.woken(), [id(&second)]);
            sim.waits(&mut second);
            sim.session.token_received(request, now, granted("t-1", 7200));
        } else {
            sim.session.token_dropped(request, now);
        }
        assert!(sim.woken().contains(&id(&second)), "kept {is_kept}");
        if is_kept {
            sim.sends(&mut second);
        } else {
            sim.fetches(&mut second);
        }
    }
}

#[test]
fn a_call_that_waits_for_its_renewal_is_woken_when_that_is_dropped_or_a_token_is_imported() {
    for is_dropped in [true, false] {
        let upload = upload();
        let mut sim = with_token();
        sim.now = secs(5460);
        let mut call = Call::new(&upload);
        let request = sim.fetches(&mut call);
        sim.waits(&mut call);
        let now = sim.clock();
        if is_dropped {
            sim.session.token_dropped(request, now);
        } else {
            let text = exported(custom(), now, "t-2", 7200);
            sim.session.import_token(now, now, None, &text).unwrap();
        }
        assert_eq!(sim.woken(), [id(&call)], "dropped {is_dropped}");
    }
}

#[test]
fn the_first_call_in_a_token_queue_wakes_the_next_one_when_it_ends() {
    let cases: [(&str, Leaves); 3] = [
        ("dropped", |sim, call| {
            sim.now = secs(30);
            call.cancel(&mut sim.session);
        }),
        ("deadline passed", |sim, call| {
            sim.now = secs(30);
            sim.ends(call);
        }),
        ("longest wait exceeded", |sim, call| {
            sim.ends(call);
            sim.now = secs(30);
        }),
    ];
    for (case, leaves) in cases {
        let upload = upload();
        let mut sim = Sim::by_hand(custom());
        let longest_wait = if case == "longest wait exceeded" { 1 } else { 60 };
        let limits = total(30).longest_wait(secs(longest_wait));
        let mut first = Call::new(&upload).with_limits(limits);
        sim.fetches(&mut first);
        let mut second = queue(&mut sim, Call::new(&upload));
        sim.answers(&mut first, limited("30"));
        sim.woken();
        leaves(&mut sim, &mut first);
        assert!(sim.woken().contains(&id(&second)), "{case}");
        sim.fetches(&mut second);
    }
}

#[test]
fn a_granted_token_wakes_every_call_that_waits_for_it() {
    let upload = upload();
    let mut sim = Sim::by_hand(custom());
    let mut first: Upload = Call::new(&upload);
    sim.fetches(&mut first);
    let calls: Vec<_> = (0..9).map(|_| queue(&mut sim, Call::new(&upload))).collect();
    sim.answers(&mut first, granted("t-1", 7200));
    assert!(sim.woken().into_iter().eq(calls.iter().map(id)));
}

#[test]
fn a_call_is_not_woken_for_the_step_that_it_takes_itself() {
    let raw: Raw<IgnoredAny> = upload().with_serial_key("sheet").with_quota(Quota::per_second(1));
    let mut sim = with_token();
    let mut calls: Vec<Upload> = (0..20).map(|_| Call::new(&raw)).collect();
    for call in &mut calls {
        let _ = sim.next(call);
    }
    for at in 0..calls.len() {
        let call = &mut calls[at];
        if at > 0 {
            let time = sim.waits(call);
            sim.now += time;
            sim.sends(call);
        }
        let own = id(call);
        sim.answers(call, success());
        assert!(matches!(sim.next(call), Step::Done(Ok(_))));
        let next: Vec<CallId> = calls[at + 1..].iter().take(1).map(id).collect();
        let woken = sim.woken();
        assert!(woken == next && !woken.contains(&own), "{woken:?}");
    }
}
