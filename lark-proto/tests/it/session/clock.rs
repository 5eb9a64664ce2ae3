//! Token lifetimes outside the documented range, and clocks that are set forward or back.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::{ImageKey, Limits};

use crate::fixtures::{BOTH, TOKEN, call, custom, granted, limited, millis, secs, simulate, warm};
use crate::sim::{Sim, after, cut, hangs};

const YEAR: i64 = 365 * 24 * 60 * 60;

#[test]
fn a_token_is_used_for_at_least_a_minute_and_at_most_two_hours() {
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
            // The second request fails, so that a call without a valid token ends with an error.
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
fn the_lifetime_of_a_token_begins_when_its_request_is_sent() {
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

/// Sets the clock back or forward by up to thirty years each second.
fn unsteady(sim: &mut Sim<'_, ImageKey>, seconds: usize) {
    let base = sim.skew;
    let steps = [0, YEAR, -YEAR, 30 * YEAR, -30 * YEAR, 1, -1].into_iter().cycle();
    for step in steps.take(seconds) {
        sim.run_until(sim.now + secs(1));
        sim.skew = base + step;
    }
}

#[test]
fn no_call_waits_beyond_its_total_although_the_clock_is_set() {
    // The simulation starts in 2027, or before 1970.
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

/// A session with a token of two hours, whose service grants one of two hours to each later request.
fn granting(keeps: bool) -> Sim<'static, ImageKey> {
    warm(keeps, 7200, |number, _, _| after(millis(100), granted(&format!("t-{number}"), 7200)))
}

#[test]
fn the_token_is_kept_when_the_clock_is_set_back() {
    for keeps in BOTH {
        let mut sim = granting(keeps);
        for skew in [-1, -3600, -YEAR, -60 * YEAR] {
            sim.skew = skew;
            assert!(sim.finish(call()).is_ok());
            assert_eq!(sim.count(TOKEN), 1);
        }
    }
}

#[test]
fn the_next_token_is_fetched_when_the_clock_is_set_beyond_the_expiry_of_the_token() {
    for keeps in BOTH {
        let mut sim = granting(keeps);
        for (requests, skew) in [(1, -60 * YEAR), (2, -59 * YEAR), (3, 0), (4, 60 * YEAR)] {
            sim.skew = skew;
            assert!(sim.finish(call()).is_ok());
            assert_eq!(sim.count(TOKEN), requests);
        }
    }
}
