//! Renewals while the old token is valid. A renewal delays one call by at most two seconds, and makes no call fail.

use std::time::Duration;

use lark_proto::error::Code;
use lark_proto::session::{Call, Purpose, Step};
use lark_proto::{ImageKey, Limits};

use crate::fixtures::{
    BOTH, PUT, TOKEN, call, custom, exported, granted, limited, millis, page, refusal, secs,
    simulate, warm,
};
use crate::sim::{ByHand, Cut, Reaction, Sim, after, clock, cut, hangs};

/// The times of the token requests after the first one.
fn renewals(sim: &Sim<'_, ImageKey>) -> Vec<Duration> {
    let requests = sim.sent.iter().filter(|sent| sent.path.ends_with(TOKEN));
    requests.map(|sent| sent.at).skip(1).collect()
}

/// Starts a call each second from `from` to `to`, and checks that all succeed. Returns the longest time of a call.
fn run_calls(sim: &mut Sim<'_, ImageKey>, from: u64, to: u64) -> Duration {
    let tasks: Vec<usize> =
        (from..to).map(|second| sim.start_at(secs(second), call().boxed())).collect();
    sim.run_until(secs(to));
    sim.run();
    for &task in &tasks {
        assert!(sim.result(task).is_ok(), "call {task}: {:?}", sim.result(task));
    }
    tasks.into_iter().map(|task| sim.took(task)).max().unwrap()
}

#[test]
fn a_renewal_that_hangs_fails_no_call_and_holds_up_few() {
    for keeps in BOTH {
        // The calls follow each other at once, or after ten seconds.
        for gap in [0, 10] {
            let mut sim = warm(keeps, 7200, |_, _, _| hangs());
            // The token is valid for 28 more minutes.
            sim.run_until(secs(7200 - 28 * 60));
            for _ in 0..100 {
                let task = sim.start(call().boxed());
                sim.drop_at(sim.now + secs(5), task);
                sim.run();
                assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
                assert!(sim.took(task) <= secs(3), "{:?}", sim.took(task));
                sim.run_until(sim.now + secs(gap));
            }
            let renewals = renewals(&sim);
            assert!(!renewals.is_empty());
            let is_rare = |pair: &[Duration]| pair[1] - pair[0] >= secs(60);
            assert!(renewals.windows(2).all(is_rare), "{renewals:?}");
        }
    }
}

#[test]
fn a_token_host_that_takes_four_seconds_fails_no_call_in_two_hours() {
    for keeps in BOTH {
        let slow = |_, _, _| after(secs(4), granted("t-1", 7200));
        let mut sim = simulate(custom(), keeps, slow);
        let tasks: Vec<usize> =
            (0..7200).map(|second| sim.start_at(secs(second), call().boxed())).collect();
        sim.run_until(secs(7300));
        assert!(tasks.iter().all(|&task| sim.result(task).is_ok()));
        let held_up = |task: &&usize| **task >= 4 && sim.took(**task) > millis(100);
        let held_up = tasks.iter().filter(held_up).count();
        assert!(held_up <= 12, "{held_up} calls waited for a renewal");
    }
}

#[test]
fn in_the_last_29_minutes_one_call_renews_and_the_others_go_on() {
    for keeps in BOTH {
        let mut sim = warm(keeps, 7200, |_, _, _| after(secs(1), granted("t-2", 7200)));
        sim.run_until(secs(5459));
        assert!(sim.finish(call()).is_ok());
        assert_eq!(sim.count(TOKEN), 1, "no renewal is due before 5,460 s");
        sim.run_until(secs(5460));
        let tasks = [(); 10].map(|()| sim.start(call().boxed()));
        sim.run();
        let mut took = tasks.map(|task| sim.took(task));
        took.sort();
        assert_eq!((took[8], took[9]), (millis(100), millis(1100)));
        // The lifetime of the new token begins with its request.
        sim.run_until(secs(5460 + 5459));
        assert!(sim.finish(call()).is_ok());
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn a_failed_renewal_is_retried_after_1_2_4_and_then_every_8_minutes() {
    let failures: [fn() -> Reaction<'static>; 6] = [
        || after(millis(10), page(500)),
        || after(millis(10), refusal(400, Code::APP_SECRET_INVALID.0)),
        || after(millis(10), refusal(200, Code::TENANT_TOKEN_INVALID.0)),
        || after(millis(10), limited("30")),
        || cut(millis(10), 0),
        || after(millis(10), limited("0")),
    ];
    for keeps in BOTH {
        for failure in failures {
            let mut sim = warm(keeps, 7200, move |_, _, _| failure());
            let longest = run_calls(&mut sim, 5460, 7199);
            assert!(longest <= millis(110), "no call waits: {longest:?}");
            let minutes = renewals(&sim).into_iter().map(|at| (at.as_secs() - 5460) / 60);
            assert_eq!(minutes.collect::<Vec<_>>(), [0, 1, 3, 7, 15, 23]);
        }
    }
}

#[test]
fn a_renewal_is_not_sent_during_a_requested_wait() {
    for keeps in BOTH {
        for (named, seconds) in [("30", 60), ("90", 90), ("120", 120), ("3600", 120)] {
            let mut sim = warm(keeps, 7200, move |_, _, _| after(millis(10), limited(named)));
            run_calls(&mut sim, 5460, 5460 + 130);
            let renewals = renewals(&sim);
            // The calls are started a second apart.
            let gap = renewals[1] - renewals[0];
            assert!(secs(seconds) < gap && gap <= secs(seconds + 1), "{gap:?}");
        }
    }
}

#[test]
fn a_dropped_renewal_is_not_retried_for_a_minute() {
    for keeps in BOTH {
        let mut sim = warm(keeps, 7200, |_, _, _| hangs());
        sim.run_until(secs(5460));
        let task = sim.start(call().boxed());
        sim.drop_at(sim.now + secs(1), task);
        sim.run();
        let longest = run_calls(&mut sim, 5462, 5520);
        assert_eq!((longest, sim.count(TOKEN)), (millis(100), 2));
    }
}

#[test]
fn a_renewal_that_outlives_its_call_serves_the_next_calls() {
    let mut sim = warm(true, 7200, |_, _, _| after(secs(30), granted("t-2", 7200)));
    sim.run_until(secs(5460));
    let task = sim.start(call().boxed());
    sim.drop_at(sim.now + secs(1), task);
    sim.run();
    let longest = run_calls(&mut sim, 5462, 5600);
    assert_eq!((longest, sim.count(TOKEN)), (millis(100), 2));
    run_calls(&mut sim, 7300, 7301);
    assert_eq!(sim.count(TOKEN), 2);
}

#[test]
fn a_renewal_takes_no_more_than_half_of_the_time_that_a_call_has() {
    for keeps in BOTH {
        let mut sim = warm(keeps, 7200, |_, _, _| hangs());
        sim.run_until(secs(6000));
        let limits = Limits::default().total(millis(800)).attempts(1);
        assert!(sim.finish(call().with_limits(limits)).is_ok());
        assert_eq!(sim.took(1), millis(500));
        assert_eq!(sim.count(TOKEN), 2);
    }
}

#[test]
fn a_token_that_expires_during_its_renewal_holds_up_the_calls_until_the_reply() {
    for keeps in BOTH {
        for (reaction, seconds) in [
            ((|| after(millis(1500), granted("t-2", 7200))) as fn() -> Reaction<'static>, 2),
            (|| after(millis(1500), page(500)), 3),
            (|| cut(millis(1500), 0), 3),
            (hangs, 70),
        ] {
            let mut sim = warm(keeps, 7200, move |number, _, _| match number {
                1 => reaction(),
                _ => after(millis(100), granted("t-3", 7200)),
            });
            sim.run_until(secs(7199));
            let first = sim.start(call().boxed());
            let tasks = [0, 100, 1100, 1200]
                .map(|at| sim.start_at(secs(7199) + millis(at), call().boxed()));
            sim.run();
            for task in tasks.into_iter().chain([first]) {
                assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
                assert!(sim.took(task) <= secs(seconds), "{:?}", sim.took(task));
            }
            assert!(sim.count(TOKEN) <= 3);
        }
    }
}

#[test]
fn calls_use_the_valid_token_while_its_renewal_is_in_flight() {
    let mut sim = Sim::by_hand(custom());
    let now = clock(sim.now);
    let text = exported(custom(), now, "t-1", 600);
    sim.session.import_token(now, now, None, &text).unwrap();
    let mut renews = call();
    let Step::Send(renewal) = sim.next(&mut renews) else { panic!("the call sends no renewal") };
    let Purpose::Token(id) = renewal.purpose else { panic!("{renewal:?}") };
    assert_eq!((renewal.call_timeout, renewal.exchange_timeout), (secs(2), secs(60)));
    let with_token = |sim: &mut ByHand, call: &mut Call<_, Cut>, token: &str| {
        assert_eq!(sim.sends(call).request.headers()["authorization"], token);
    };
    with_token(&mut sim, &mut call(), "Bearer t-1");
    // The call that renews the token goes on after two seconds, without a wake.
    assert_eq!(sim.waits(&mut renews), secs(2));
    sim.now = secs(2);
    with_token(&mut sim, &mut renews, "Bearer t-1");
    sim.now = secs(3);
    sim.session.token_received(id, clock(sim.now), granted("t-2", 7200));
    with_token(&mut sim, &mut call(), "Bearer t-2");
}

#[test]
fn a_token_with_a_short_lifetime_is_renewed_once_a_minute() {
    for keeps in BOTH {
        let mut sim = warm(keeps, 600, |_, now, _| {
            after(millis(10), granted("t-1", 600 - now.as_secs().min(600)))
        });
        run_calls(&mut sim, 1, 500);
        assert_eq!(sim.count(TOKEN), 9, "{:?}", renewals(&sim));
        assert_eq!(sim.count(PUT), 500);
    }
}
