//! Lives that no token has, and clocks that are set.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::{ImageKey, Limits};

use crate::service::{BOTH, TOKEN, call, custom, granted, limited, millis, secs, simulate, warm};
use crate::sim::{Sim, after, cut, hangs};

const YEAR: i64 = 365 * 24 * 60 * 60;

#[test]
fn a_life_is_at_least_a_minute_and_at_most_two_hours() {
    for keeps in BOTH {
        for (expire, seconds) in [
            (r#","expire":0"#, 60),
            (r#","expire":-1"#, 60),
            (r#","expire":-9223372036854775808"#, 60),
            (r#","expire":"7200""#, 60),
            ("", 60),
            (r#","expire":9223372036854775808"#, 7200),
            (r#","expire":1e300"#, 7200),
        ] {
            let body = format!(r#"{{"code":0,"tenant_access_token":"t-1"{expire}}}"#);
            let reply = move || Response::new(Bytes::from(body.clone()));
            // The second request shows what the session does without a new token.
            let mut sim = simulate(custom(), keeps, move |number, _, _| match number {
                1 => after(Duration::ZERO, reply()),
                _ => cut(Duration::ZERO, 0),
            });
            assert!(sim.finish(call()).is_ok());
            sim.run_until(secs(seconds) - millis(1));
            assert!(sim.finish(call()).is_ok(), "{expire}");
            sim.run_until(secs(seconds));
            assert!(sim.finish(call()).is_err(), "{expire}");
        }
    }
}

#[test]
fn a_life_counts_from_when_its_request_was_sent() {
    for keeps in BOTH {
        let mut sim = simulate(custom(), keeps, |number, _, _| match number {
            1 => after(secs(50), granted("t-1", 7200)),
            _ => cut(Duration::ZERO, 0),
        });
        assert!(sim.finish(call()).is_ok());
        sim.run_until(millis(7_199_999));
        assert!(sim.finish(call()).is_ok());
        sim.run_until(secs(7200));
        assert!(sim.finish(call()).is_err());
    }
}

/// Sets the clock back and forward by up to thirty years, a step each second.
fn unsteady(sim: &mut Sim<'_, ImageKey>, seconds: usize) {
    let base = sim.skew;
    let steps = [0, YEAR, -YEAR, 30 * YEAR, -30 * YEAR, 1, -1].into_iter().cycle();
    for step in steps.take(seconds) {
        sim.run_until(sim.now + secs(1));
        sim.skew = base + step;
    }
}

#[test]
fn no_step_of_the_clock_makes_a_call_wait_beyond_its_total() {
    // The simulation starts in 2027.
    for base in [0, -60 * YEAR] {
        for keeps in BOTH {
            for reaction in [
                || after(millis(700), limited("45")),
                hangs,
                || cut(millis(700), 0),
                || after(millis(700), granted("t-1", 7200)),
            ] {
                let mut sim = simulate(custom(), keeps, move |_, _, _| reaction());
                sim.skew = base;
                assert_eq!(sim.clock() < UNIX_EPOCH, base < 0);
                for number in 0..40 {
                    let limits = Limits::default().total(secs(20));
                    sim.start_at(millis(500 * number), call().with_limits(limits).boxed());
                }
                unsteady(&mut sim, 60);
                sim.run();
                for task in 0..sim.tasks.len() {
                    assert!(sim.took(task) <= secs(20), "{:?}", sim.took(task));
                }
            }
        }
    }
}

#[test]
fn a_clock_that_is_set_back_keeps_the_token_and_one_set_forward_fetches_the_next() {
    for keeps in BOTH {
        let again = |number: usize, _, _| after(millis(100), granted(&format!("t-{number}"), 7200));
        let mut sim = warm(keeps, 7200, again);
        for skew in [-1, -3600, -YEAR, -60 * YEAR] {
            sim.skew = skew;
            assert!(sim.finish(call()).is_ok());
            assert_eq!(sim.count(TOKEN), 1);
        }
        for (requests, skew) in [(2, -59 * YEAR), (3, 0), (4, 60 * YEAR)] {
            sim.skew = skew;
            assert!(sim.finish(call()).is_ok());
            assert_eq!(sim.count(TOKEN), requests);
        }
    }
}
