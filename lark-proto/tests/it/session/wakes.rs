//! A call that leaves a queue names the calls that may go on because of it, in that very step. The calls are stepped by
//! hand, since a simulator would hide a name that comes a step late.

use lark_proto::Limits;
use lark_proto::endpoints::{Quota, Raw};
use lark_proto::session::{Call, CallId, Permanence, Step};
use serde::de::IgnoredAny;

use crate::hand::{Hand, Upload, id, total};
use crate::remote::{given, limited, millis, ok, refusal, secs, session, token, upload};
use crate::service::exported;

/// How the first call of a lane leaves it.
type Leaves = fn(&mut Hand, &mut Upload);

#[test]
fn a_call_that_leaves_its_lane_names_the_next_one_and_no_other() {
    let cases: [(&str, Leaves); 10] = [
        ("success", |hand, call| {
            hand.sends(call);
            hand.answers(call, ok());
        }),
        ("refused", |hand, call| {
            hand.sends(call);
            hand.answers(call, refusal(403, 90_213));
        }),
        ("broken for good", |hand, call| {
            hand.sends(call);
            hand.breaks(call, Permanence::Permanent);
        }),
        ("out of time in flight", |hand, call| {
            hand.sends(call);
            hand.now += secs(10);
            hand.ends(call);
        }),
        ("out of time at rest", |hand, call| {
            hand.sends(call);
            hand.answers(call, limited("5"));
            hand.now += secs(10);
            hand.ends(call);
        }),
        ("too little time for another attempt", |hand, call| {
            hand.sends(call);
            hand.now += secs(6);
            hand.answers(call, limited("1"));
        }),
        ("too little time when its rest is over", |hand, call| {
            hand.sends(call);
            hand.now += secs(3);
            hand.answers(call, limited("1"));
            hand.now += secs(5);
            hand.ends(call);
        }),
        ("given up in flight", |hand, call| {
            hand.sends(call);
            call.cancel(&mut hand.session);
        }),
        ("given up at rest", |hand, call| {
            hand.sends(call);
            hand.answers(call, refusal(200, 90_235));
            hand.waits(call);
            call.cancel(&mut hand.session);
        }),
        ("given up before its request", |hand, call| {
            call.cancel(&mut hand.session);
            assert!(call.id().is_none());
        }),
    ];
    for (case, leaves) in cases {
        let (upload, given) = (upload().with_serial_key("sheet"), given());
        let mut hand = Hand::new();
        let call = || Upload::with_token(&given, &upload);
        let mut first = call().with_limits(total(10));
        if case == "given up before its request" {
            // It drives a token request.
            first = Call::new(&upload);
            hand.fetches(&mut first);
        } else {
            hand.sends(&mut first);
            hand.answers(&mut first, refusal(200, 90_235));
            hand.now += secs(1);
        }
        let next = hand.queue(call());
        let last = hand.queue(call());
        assert!(hand.named().is_empty(), "{case}");
        leaves(&mut hand, &mut first);
        assert_eq!(hand.named(), [id(&next)], "{case}");
        drop(last);
    }
}

#[test]
fn a_call_that_leaves_a_lane_from_behind_names_none() {
    let (upload, given) = (upload().with_serial_key("sheet"), given());
    let mut hand = Hand::new();
    let mut first = Call::with_token(&given, &upload);
    hand.sends(&mut first);
    let mut calls = [total(600), total(5), total(600)]
        .map(|limits| hand.queue(Call::with_token(&given, &upload).with_limits(limits)));
    calls[0].cancel(&mut hand.session);
    hand.now += secs(5);
    hand.ends(&mut calls[1]);
    assert!(hand.named().is_empty());
    hand.answers(&mut first, ok());
    assert_eq!(hand.named(), [id(&calls[2])]);
}

#[test]
fn an_answer_that_ends_the_busy_time_of_others_names_them() {
    let (upload, given) = (upload().with_serial_key("sheet"), given());
    let mut hand = Hand::new();
    let call =
        |busy| Call::with_token(&given, &upload).with_limits(Limits::default().busy(secs(busy)));
    let mut first = call(120);
    hand.sends(&mut first);
    let mut calls = [120, 60, 300, 120].map(|busy| hand.queue(call(busy)));
    let mut answers = |hand: &mut Hand, at| {
        hand.now = secs(at);
        hand.answers(&mut first, refusal(200, 90_235));
        let named = hand.named();
        if at < 120 {
            hand.now += secs(8);
            hand.sends(&mut first);
            assert!(hand.named().is_empty());
        }
        named
    };
    assert_eq!(answers(&mut hand, 0), []);
    assert_eq!(answers(&mut hand, 59), []);
    assert_eq!(answers(&mut hand, 60), [id(&calls[1])]);
    // It may still go on, and has taken no step.
    assert_eq!(answers(&mut hand, 100), [id(&calls[1])]);
    let named = answers(&mut hand, 120);
    let late: Vec<_> = [0, 1, 3].map(|at| id(&calls[at])).into();
    assert_eq!(named, late);
    for at in [0, 1, 3] {
        let error = hand.ends(&mut calls[at]);
        assert_eq!(error.api().unwrap().code.0, 90_235);
    }
    assert_eq!(hand.named(), [id(&calls[2])]);
}

#[test]
fn a_call_that_leaves_a_gate_names_the_calls_that_take_its_place() {
    let cases: [(&str, Leaves); 4] = [
        ("given up", |hand, call| call.cancel(&mut hand.session)),
        ("out of time", |hand, call| {
            hand.now = secs(10);
            hand.ends(call);
        }),
        ("sent", |hand, call| {
            hand.now = secs(10);
            hand.sends(call);
        }),
        ("out of patience", |hand, call| {
            hand.now = secs(1);
            hand.ends(call);
        }),
    ];
    for (case, leaves) in cases {
        let (upload, given) = (upload(), given());
        let mut hand = Hand::new();
        let call = || Upload::with_token(&given, &upload);
        let first = match case {
            "out of time" => call().with_limits(total(10)),
            "out of patience" => call().with_limits(Limits::default().longest_wait(secs(20))),
            _ => call(),
        };
        let mut late = call();
        hand.sends(&mut late);
        let [mut first, mut second, third, _last] =
            hand.close("10", call(), [first, call(), call(), call()]);
        if case == "out of patience" {
            hand.answers(&mut late, limited("50"));
            assert_eq!(hand.named(), [id(&first)], "{case}");
        }
        leaves(&mut hand, &mut first);
        let named = hand.named();
        assert!(named.contains(&id(&third)), "{case}: it is the second now");
        let is_free = matches!(case, "given up" | "out of time");
        assert_eq!(named.contains(&id(&second)), is_free, "{case}: it is the first now");
        if case == "out of time" {
            hand.sends(&mut second);
        }
    }
}

#[test]
fn a_call_that_passes_a_quota_names_the_next_one_that_may_pass() {
    let (upload, given) = (upload().with_quota(Quota::per_second(2)), given());
    let mut hand = Hand::new();
    let mut calls: [Upload; 6] = std::array::from_fn(|_| Call::with_token(&given, &upload));
    for call in &mut calls[..2] {
        hand.sends(call);
    }
    for call in &mut calls[2..] {
        hand.waits(call);
    }
    let time = hand.waits(&mut calls[2]);
    hand.now += time;
    assert!(hand.named().is_empty());
    hand.sends(&mut calls[2]);
    assert!(hand.named().contains(&id(&calls[3])));
    hand.sends(&mut calls[3]);
    let third = hand.waits(&mut calls[4]);
    assert!(millis(1100) <= third && third <= millis(1120), "{third:?}");
}

#[test]
fn a_call_that_leaves_a_gate_to_renew_the_token_names_the_calls_behind_it() {
    let upload = upload();
    let mut hand = Hand::with_token();
    // The token is due for renewal from 5,460 s on.
    hand.now = secs(5_459);
    let calls = std::array::from_fn(|_| Call::new(&upload));
    let [mut first, mut second, third] = hand.close("10", Call::new(&upload), calls);
    hand.now += secs(10);
    hand.fetches(&mut first);
    assert_eq!(hand.named(), [id(&second), id(&third)]);
    hand.sends(&mut second);
    // The renewal is over, and the call that drove it goes on.
    hand.answers(&mut first, token("t-2"));
    hand.waits(&mut first);
    hand.waits(&mut third.with_limits(Limits::default()));
}

#[test]
fn a_call_that_leaves_a_gate_to_replace_a_refused_token_names_the_calls_behind_it() {
    let upload = upload();
    let mut hand = Hand::with_token();
    let mut other = Call::new(&upload);
    hand.sends(&mut other);
    let calls = std::array::from_fn(|_| Call::new(&upload));
    let [mut first, mut second, mut third] = hand.close("10", Call::new(&upload), calls);
    hand.answers(&mut other, refusal(400, 99_991_663));
    assert!(hand.named().is_empty(), "nobody can go on at the gate");
    hand.now += secs(10);
    hand.fetches(&mut first);
    assert_eq!(hand.named(), [id(&second), id(&third)]);
    hand.waits(&mut second);
    hand.waits(&mut third);
    hand.now += secs(1);
    hand.answers(&mut first, token("t-2"));
    let named = hand.named();
    assert!([&second, &third].iter().all(|call| named.contains(&id(call))), "{named:?}");
    hand.sends(&mut first);
}

#[test]
fn a_token_request_that_loses_its_driver_names_the_next_call() {
    for is_kept in [true, false] {
        let upload = upload();
        let mut hand = Hand::new();
        let mut first = Call::new(&upload);
        let request = hand.fetches(&mut first);
        let mut second = hand.queue(Call::new(&upload));
        let _third = hand.queue(Call::new(&upload));
        assert!(hand.named().is_empty());
        first.cancel(&mut hand.session);
        let now = hand.clock();
        if is_kept {
            assert_eq!(hand.named(), [id(&second)]);
            hand.waits(&mut second);
            hand.session.token_received(request, now, token("t-1"));
        } else {
            hand.session.token_dropped(request, now);
        }
        assert!(hand.named().contains(&id(&second)), "kept {is_kept}");
        if is_kept {
            hand.sends(&mut second);
        } else {
            hand.fetches(&mut second);
        }
    }
}

#[test]
fn a_call_that_waits_for_its_renewal_is_named_when_that_is_dropped_or_a_token_is_imported() {
    for is_dropped in [true, false] {
        let upload = upload();
        let mut hand = Hand::with_token();
        hand.now = secs(5460);
        let mut call = Call::new(&upload);
        let request = hand.fetches(&mut call);
        hand.waits(&mut call);
        let now = hand.clock();
        if is_dropped {
            hand.session.token_dropped(request, now);
        } else {
            let text = exported(session(), now, "t-2", 7200);
            hand.session.import_token(now, now, None, &text).unwrap();
        }
        assert_eq!(hand.named(), [id(&call)], "dropped {is_dropped}");
    }
}

#[test]
fn the_first_in_a_token_queue_names_the_next_call_when_it_ends() {
    let cases: [(&str, Leaves); 3] = [
        ("given up", |hand, call| {
            hand.now = secs(30);
            call.cancel(&mut hand.session);
        }),
        ("out of time", |hand, call| {
            hand.now = secs(30);
            hand.ends(call);
        }),
        ("out of patience", |hand, call| {
            hand.ends(call);
            hand.now = secs(30);
        }),
    ];
    for (case, leaves) in cases {
        let upload = upload();
        let mut hand = Hand::new();
        let patience = if case == "out of patience" { 1 } else { 60 };
        let limits = total(30).longest_wait(secs(patience));
        let mut first = Call::new(&upload).with_limits(limits);
        hand.fetches(&mut first);
        let mut second = hand.queue(Call::new(&upload));
        hand.answers(&mut first, limited("30"));
        hand.named();
        leaves(&mut hand, &mut first);
        assert!(hand.named().contains(&id(&second)), "{case}");
        hand.fetches(&mut second);
    }
}

#[test]
fn a_token_that_comes_names_every_call_that_waits_for_it() {
    let upload = upload();
    let mut hand = Hand::new();
    let mut first: Upload = Call::new(&upload);
    hand.fetches(&mut first);
    let calls: Vec<_> = (0..9).map(|_| hand.queue(Call::new(&upload))).collect();
    hand.answers(&mut first, token("t-1"));
    assert!(hand.named().into_iter().eq(calls.iter().map(id)));
}

#[test]
fn a_call_is_not_named_for_the_step_that_it_takes_itself() {
    let raw: Raw<IgnoredAny> = upload().with_serial_key("sheet").with_quota(Quota::per_second(1));
    let mut hand = Hand::with_token();
    let mut calls: Vec<Upload> = (0..20).map(|_| Call::new(&raw)).collect();
    for call in &mut calls {
        let _ = hand.step(call);
    }
    for at in 0..calls.len() {
        let call = &mut calls[at];
        if at > 0 {
            let time = hand.waits(call);
            hand.now += time;
            hand.sends(call);
        }
        let own = id(call);
        hand.answers(call, ok());
        assert!(matches!(hand.step(call), Step::Done(Ok(_))));
        let next: Vec<CallId> = calls[at + 1..].iter().take(1).map(id).collect();
        let named = hand.named();
        assert!(named == next && !named.contains(&own), "{named:?}");
    }
}
