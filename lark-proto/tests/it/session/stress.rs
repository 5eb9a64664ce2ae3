//! Many calls in all states at once: dropped, not stepped, refused and cut. The tests check progress: each call ends
//! within its total, no call holds up the others, and no call is woken much more often than it makes progress.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use lark_proto::Limits;
use lark_proto::endpoints::{Quota, Raw};
use lark_proto::error::{CallErrorKind, Outcome, WaitFor};
use lark_proto::session::Call;
use serde::de::IgnoredAny;

use crate::fixtures::{
    RateWindows, custom, given, granted, is_fetch, limited, millis, page, refusal, secs, success,
    upload, with,
};
use crate::sim::{Random, Sim, State, after, cut, hangs};

const RESETS: [&str; 9] = ["0", "0.2", "1", "2.5", "30", "1e300", "-1", "NaN", "1e-300"];

/// Endpoints on two routes, with few lanes and with different quotas.
fn endpoints() -> Vec<Raw<IgnoredAny>> {
    let lanes = (0..8).map(|lane| {
        upload().with_serial_key(format!("sheet{lane}")).with_quota(Quota::per_second(40))
    });
    let route = "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image";
    let other = Raw::new(http::Method::PUT, route).segment("shtcn").with_json("0").unwrap();
    lanes.chain([upload().with_quota(Quota::per_second(40)), other]).collect()
}

#[test]
fn every_call_ends_within_its_total() {
    let mut worst = [0_f64; 2];
    for seed in 0..60 {
        let random = RefCell::new(Random(seed));
        let below = |bound: u64| random.borrow_mut().below(bound);
        let endpoints = endpoints();
        let given = given();
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
            let takes = millis(below(3000));
            if is_fetch(&request) {
                return match below(10) {
                    0 => after(takes, limited("3")),
                    1 => cut(takes, 0),
                    2 => after(takes, page(500)),
                    _ => after(takes, granted(&format!("t-{}", below(1000)), 7200)),
                };
            }
            let reset = RESETS[usize::try_from(below(9)).unwrap()];
            match below(100) {
                0..8 => after(millis(20), limited(reset)),
                8..14 => after(takes, with(refusal(200, 90_235), "retry-after", reset)),
                14..17 => after(takes, page(502)),
                17..20 => cut(takes, below(13)),
                20..23 => after(takes, refusal(400, 99_991_663)),
                23 => hangs(),
                24 => after(takes, refusal(400, 230_020)),
                _ => after(takes, success()),
            }
        });
        sim = sim.keeping(seed % 2 == 0);
        let mut totals = Vec::new();
        for number in 0..600 {
            let endpoint = &endpoints[usize::try_from(below(10)).unwrap()];
            let call = match below(3) {
                0 => Call::with_token(&given, endpoint),
                _ => Call::new(endpoint),
            };
            let time = |random: u64| match random % 4 {
                0 => Duration::ZERO,
                1 => secs(random % 17),
                2 => secs(random % 101),
                _ => Duration::MAX,
            };
            let total = secs(1 + below(90));
            let limits = Limits::default().total(total).attempts(u32::try_from(below(6)).unwrap());
            let limits = limits.longest_wait(time(below(1000))).busy(time(below(1000)));
            let at = millis(below(20_000));
            let task = sim.start_at(at, call.with_limits(limits).with_jitter(number).boxed());
            totals.push(total);
            if below(5) == 0 {
                sim.drop_at(at + millis(below(20_000)), task);
            }
        }
        for turn in 1..20 {
            sim.run_until(secs(turn));
            let task = usize::try_from(below(600)).unwrap();
            sim.freeze(task);
        }
        sim.run();
        for (at, total) in totals.into_iter().enumerate() {
            if matches!(sim.tasks[at].state, State::Done(_)) {
                assert!(sim.took(at) <= total, "{seed} {at}: {:?} of {total:?}", sim.took(at));
            }
        }
        let ended = 600.0;
        worst = [worst[0].max(sim.steps as f64 / ended), worst[1].max(sim.wakes as f64 / ended)];
        // The calls that took no step are dropped at the end, and the session keeps no entry for them.
        for at in 0..600 {
            sim.drop_at(sim.now, at);
        }
        sim.run_until(sim.now + secs(700));
        assert_eq!(sim.session.woken().count(), 0);
        assert!(sim.session.is_idle(), "{seed}");
    }
    println!("steps and wakes per call: {worst:?}");
    assert!(worst[0] < 10.0 && worst[1] < 4.0, "{worst:?}");
}

#[test]
fn calls_that_take_no_step_hold_up_the_others_no_longer_than_if_they_were_sent() {
    let upload = upload().with_quota(Quota::per_minute(100));
    let refused = Cell::new(0);
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        if is_fetch(&request) {
            return after(secs(1), granted("t-1", 7200));
        }
        refused.set(refused.get() + 1);
        after(millis(50), if refused.get() == 20 { limited("3") } else { success() })
    });
    for at in 0..2000 {
        let limits = Limits::default().total(secs(3000));
        sim.start_at(millis(at), Call::new(&upload).with_limits(limits).boxed());
    }
    let mut frozen = Vec::new();
    let mut random = Random(7);
    for turn in 1..40 {
        sim.run_until(secs(turn * 3));
        for _ in 0..10 {
            let task = usize::try_from(random.below(2000)).unwrap();
            if !matches!(sim.tasks[task].state, State::Done(_)) {
                sim.freeze(task);
                frozen.push(task);
            }
        }
    }
    sim.run();
    for at in (0..2000).filter(|at| !frozen.contains(at)) {
        sim.result(at).as_ref().unwrap();
    }
    // The bound is the time of all 2,000 calls at 100 per minute, plus one minute.
    let most = secs(60 * 20 + 60);
    println!("{} frozen: {:?}", frozen.len(), sim.now);
    assert!(sim.now <= most, "{:?} of {most:?}", sim.now);
}

#[test]
fn a_call_that_takes_no_step_in_its_lane_costs_the_others_no_more_than_their_total() {
    let first = upload().with_serial_key("a");
    let other = upload().with_serial_key("b");
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        if sent == 1 { hangs() } else { after(millis(10), success()) }
    });
    let limits = Limits::default().total(secs(20));
    sim.start(Call::with_token(&token, &first).boxed());
    sim.run_until(millis(1));
    sim.freeze(0);
    for _ in 1..100 {
        sim.start(Call::with_token(&token, &first).with_limits(limits).boxed());
    }
    for _ in 0..100 {
        sim.start(Call::with_token(&token, &other).with_limits(limits).boxed());
    }
    sim.run();
    for at in 1..100 {
        let error = sim.result(at).as_ref().unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::Queued(WaitFor::Turn)), "{error}");
        assert_eq!((sim.took(at), error.outcome()), (secs(20), Outcome::NotSent));
        sim.result(at + 100).as_ref().unwrap();
    }
}

#[test]
fn a_token_that_is_refused_while_calls_stand_at_a_gate_is_replaced_once() {
    for number in [300, 3000] {
        let windows = RefCell::new(RateWindows::new(100, u32::MAX, Duration::ZERO));
        let upload = upload();
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, request| {
            let is_old =
                request.headers().get("authorization").is_some_and(|it| it == "Bearer t-1");
            if is_fetch(&request) {
                let name = if now < secs(1) { "t-1" } else { "t-2" };
                return after(millis(300), granted(name, 7200));
            }
            if is_old && now > millis(1200) {
                return after(millis(50), refusal(400, 99_991_663));
            }
            windows.borrow_mut().react(now, millis(100))
        });
        for _ in 0..number {
            sim.start(Call::new(&upload).boxed());
        }
        sim.run();
        for at in 0..number {
            sim.result(at).as_ref().unwrap();
        }
        assert_eq!(sim.count("/internal"), 2);
        let steps = sim.steps as f64;
        let wakes = sim.wakes as f64;
        let ended = number as f64;
        println!("{number}: {:.1} steps, {:.1} wakes, {:?}", steps / ended, wakes / ended, sim.now);
        assert!(steps / ended < 12.0 && wakes / ended < 6.0, "{steps} {wakes}");
        let ideal = Duration::from_secs_f64(ended / 100.0);
        assert!(sim.now < ideal.mul_f64(1.3) + secs(4), "{:?}", sim.now);
    }
}

#[test]
fn thousands_of_calls_that_are_dropped_in_a_queue_leave_no_entry() {
    for lane in [true, false] {
        let upload = if lane { upload().with_serial_key("sheet") } else { upload() };
        let upload = upload.with_quota(Quota::per_second(5));
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
            after(millis(100), if is_fetch(&request) { granted("t-1", 7200) } else { success() })
        });
        let mut random = Random(1);
        for _ in 0..5000 {
            let task = sim.start_at(millis(random.below(1000)), Call::new(&upload).boxed());
            if task % 100 != 0 {
                sim.drop_at(millis(random.below(20_000)), task);
            }
        }
        sim.run();
        for task in (0..5000).step_by(100) {
            sim.result(task).as_ref().unwrap();
        }
        assert!(sim.now < secs(35), "{:?}", sim.now);
        let wakes = sim.wakes as f64 / 5000.0;
        println!("lane {lane}: {wakes:.2} wakes, {:.2} steps", sim.steps as f64 / 5000.0);
        assert!(wakes < 3.0, "{wakes}");
        assert!(sim.session.is_idle());
    }
}

#[test]
fn a_call_that_takes_no_step_does_not_hold_up_the_token() {
    for (frozen, keeps) in [(0, true), (0, false), (1, true), (1, false)] {
        for (first, latest) in [(page(500), 2), (limited("5"), 7)] {
            let upload = upload();
            let mut sent = 0;
            let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
                sent += 1;
                let reply = match sent {
                    1 => first.clone(),
                    _ if is_fetch(&request) => granted("t-1", 7200),
                    _ => success(),
                };
                after(millis(100), reply)
            });
            sim = sim.keeping(keeps);
            for _ in 0..100 {
                sim.start(Call::new(&upload).boxed());
            }
            sim.run_until(millis(50));
            sim.freeze(frozen);
            sim.run();
            for at in (0..100).filter(|at| *at != frozen) {
                sim.result(at).as_ref().unwrap();
            }
            assert!(sim.now < secs(latest), "{frozen} {keeps}: {:?}", sim.now);
        }
    }
}
