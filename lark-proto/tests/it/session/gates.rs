//! The gate of a route, which limits the rate of requests after the service has refused one.

use std::cell::RefCell;
use std::time::Duration;

use lark_proto::endpoints::{Quota, SheetImageWritten};
use lark_proto::error::{Code, Outcome};
use lark_proto::session::Call;
use lark_proto::{Limits, TenantToken};
use serde::de::IgnoredAny;

use crate::fixtures::{
    RESET, RateWindows, custom, given, good, is_fetch, limited, millis, refusal, secs, success,
    upload, with, write,
};
use crate::sim::{Cut, Sim, after};

/// The share of refused requests among those sent after time zero. The requests at time zero were sent before any
/// answer had arrived.
fn late_refusals<O>(sim: &Sim<'_, O>, windows: &RateWindows) -> f64 {
    let late = |at: &&Duration| **at > Duration::ZERO;
    let refused = windows.refused.iter().filter(late).count();
    let sent = sim.sent.iter().filter(|sent| sent.at > Duration::ZERO).count();
    refused as f64 / sent.max(1) as f64
}

#[test]
fn a_burst_of_slow_writes_is_done_in_1_3_times_the_ideal_time() {
    for (phase, status) in [(0, 429), (250, 400), (500, 429), (999, 400)] {
        let windows = RateWindows::new(50, u32::MAX, millis(phase)).refusing_with(status);
        let windows = RefCell::new(windows);
        let mut session = custom();
        session.keep_quotas(false);
        let writes: Vec<_> = (0..300).map(|number| write(number, "")).collect();
        let token = given();
        let mut sim: Sim<'_, SheetImageWritten> =
            Sim::new(session, |now, _| windows.borrow_mut().react(now, secs(60)));
        for (number, write) in (0..).zip(&writes) {
            sim.start(Call::with_token(&token, write).with_jitter(number).boxed());
        }
        sim.run();
        let ended = sim.now.as_secs_f64();
        let late = late_refusals(&sim, &windows.borrow());
        println!("300 writes of 60 s, phase {phase} ms: {:.2}, late {late:.3}", ended / 66.0);
        for at in 0..300 {
            sim.result(at).as_ref().unwrap();
        }
        assert!(ended <= 66.0 * 1.3, "{ended} s at phase {phase} ms");
    }
}

#[test]
fn a_burst_of_uploads_is_done_in_1_25_times_the_ideal_time_with_few_late_refusals() {
    for takes in [millis(100), secs(5)] {
        for (phase, status) in [(0, 429), (250, 400), (500, 429), (999, 400)] {
            let windows = RateWindows::new(50, u32::MAX, millis(phase)).refusing_with(status);
            let windows = RefCell::new(windows);
            let upload = upload();
            let token = given();
            let mut sim: Sim<'_, IgnoredAny> =
                Sim::new(custom(), |now, _| windows.borrow_mut().react(now, takes));
            for number in 0..1000 {
                sim.start(Call::with_token(&token, &upload).with_jitter(number).boxed());
            }
            sim.run();
            // The requests take twenty windows of a second; the last window does not have to end.
            let ideal = 19.0 + takes.as_secs_f64();
            let ended = sim.now.as_secs_f64();
            let late = late_refusals(&sim, &windows.borrow());
            println!("1,000 of {takes:?}, phase {phase} ms: {:.2}, late {late:.3}", ended / ideal);
            let steps = sim.steps as f64 / 1000.0;
            let wakes = sim.wakes as f64 / 1000.0;
            assert!(steps < 7.0 && wakes < 1.5, "{steps} steps and {wakes} wakes per call");
            for at in 0..1000 {
                sim.result(at).as_ref().unwrap();
            }
            assert!(ended <= ideal * 1.25, "{ended} s at phase {phase} ms");
            assert!(late <= 0.05, "{late} at phase {phase} ms");
        }
    }
}

#[test]
fn a_rate_limited_route_is_retried_after_two_minutes_at_most() {
    for (reset, retry_after, longest) in [
        ("86400", None, 120),
        ("1e300", None, 120),
        ("inf", None, 1),
        ("121", None, 120),
        ("120", Some("1"), 1),
        ("1", Some("120"), 1),
        ("0", None, 1),
        ("1e-300", None, 1),
        ("-1", None, 1),
        ("NaN", None, 1),
        ("soon", None, 1),
        ("", None, 1),
    ] {
        let upload = upload();
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
            sent += 1;
            let refusal = limited(reset);
            let refusal = match retry_after {
                Some(wait) => with(refusal, "retry-after", wait),
                None => refusal,
            };
            after(millis(50), if sent == 1 { refusal } else { success() })
        });
        let call = || Call::with_token(&token, &upload);
        let patient = Limits::default().longest_wait(Duration::MAX).total(secs(100_000));
        sim.start(call().boxed());
        sim.start_at(millis(100), call().boxed());
        sim.start_at(
            millis(100),
            call().with_limits(Limits::default().longest_wait(secs(1))).boxed(),
        );
        sim.start_at(millis(100), call().with_limits(patient).boxed());
        sim.run();
        let asked_again = sim.sent[1].at;
        assert!(asked_again <= secs(longest) + millis(100), "{reset}: {asked_again:?}");
        sim.result(3).as_ref().unwrap();
        for (at, is_patient) in [(0, longest <= 60), (1, longest <= 60), (2, longest <= 1)] {
            match sim.result(at) {
                Ok(_) => assert!(is_patient, "{reset} {at}"),
                Err(error) => {
                    assert!(!is_patient, "{reset} {at}");
                    assert_eq!(error.api().unwrap().code, Code::RATE_LIMITED);
                    assert!(sim.took(at) < millis(100), "{reset} {at}");
                }
            }
        }
    }
}

#[test]
fn the_only_call_on_a_rate_limited_route_is_retried_after_two_minutes_at_most() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        after(millis(50), if sent == 1 { limited("600") } else { success() })
    });
    let patient = Limits::default().longest_wait(secs(600));
    sim.start(Call::with_token(&token, &upload).with_limits(patient).boxed());
    sim.run();
    sim.result(0).as_ref().unwrap();
    assert_eq!(sim.sent[1].at, secs(120) + millis(50));
}

#[test]
fn a_gate_closed_for_longer_than_longest_wait_ends_a_call_at_once_with_the_services_error() {
    for is_in_queue in [true, false] {
        let upload = upload();
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
            sent += 1;
            after(
                millis(50),
                match sent {
                    1 if is_in_queue => limited("1"),
                    1 | 2 => limited("90"),
                    _ => success(),
                },
            )
        });
        let call = || Call::with_token(&token, &upload);
        let limits = |wait| Limits::default().longest_wait(secs(wait));
        let start = if is_in_queue { millis(60) } else { secs(2) };
        sim.start(call().with_limits(limits(100)).boxed());
        sim.start_at(start, call().with_limits(limits(1)).boxed());
        sim.start_at(start, call().boxed());
        sim.start_at(start, call().with_limits(limits(100)).boxed());
        sim.run();
        for at in [1, 2] {
            let error = sim.result(at).as_ref().unwrap_err();
            let api = error.api().unwrap();
            assert_eq!(api.code, Code::RATE_LIMITED);
            let left = if is_in_queue { secs(90) } else { secs(88) + millis(50) };
            assert_eq!(api.retry_after, Some(left));
            assert_eq!(error.outcome(), Outcome::NotSent);
            let ended = if is_in_queue { secs(1) + millis(100) } else { start };
            assert_eq!(sim.tasks[at].ended, ended);
        }
        sim.result(0).as_ref().unwrap();
        sim.result(3).as_ref().unwrap();
    }
}

#[test]
fn a_call_that_a_closed_gate_ends_names_the_rest_of_the_requested_wait() {
    let (upload, token) = (upload(), given());
    let mut sim: Sim<'_, IgnoredAny> =
        Sim::new(custom(), |_, _| after(millis(50), limited("3600")));
    sim.start(Call::with_token(&token, &upload).boxed());
    sim.start_at(millis(1_050), Call::with_token(&token, &upload).boxed());
    sim.run();
    let left = [0, 1].map(|task| sim.result(task).as_ref().unwrap_err().retry_after());
    assert_eq!(left, [Some(secs(3600)), Some(secs(3599))]);
    assert_eq!(sim.sent.len(), 1);
}

#[test]
fn a_rate_refusal_of_one_users_token_does_not_hold_up_another() {
    let upload = upload();
    let tokens = ["u-1", "u-2"].map(|token| lark_proto::UserToken::new(token).unwrap());
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, request| {
        let is_first = request.headers()["authorization"] == "Bearer u-1";
        after(millis(50), if is_first && now < secs(1) { limited("60") } else { success() })
    });
    sim.start(Call::with_token(&tokens[0], &upload).boxed());
    for at in 1..=3 {
        sim.start_at(millis(100 * at), Call::with_token(&tokens[1], &upload).boxed());
    }
    sim.run();
    sim.result(0).as_ref().unwrap();
    assert_eq!(sim.took(0), secs(60) + millis(100));
    for at in 1..=3 {
        sim.result(at).as_ref().unwrap();
        assert_eq!(sim.took(at), millis(50));
    }
}

#[test]
fn a_gate_lets_the_next_call_pass_if_the_first_takes_no_step_for_a_second() {
    for frozen in [1, 2, 5] {
        let upload = upload();
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
            sent += 1;
            after(millis(50), if sent == 1 { limited("10") } else { success() })
        });
        sim.start(Call::with_token(&token, &upload).boxed());
        sim.run_until(secs(1));
        for _ in 0..10 {
            sim.start(Call::with_token(&token, &upload).boxed());
        }
        sim.run_until(secs(2));
        for at in 1..=frozen {
            sim.freeze(at);
        }
        // The refused call is the first to send again, at 10.05 s.
        sim.run();
        for at in frozen + 1..=10 {
            sim.result(at).as_ref().unwrap();
        }
        let took = sim.tasks[frozen + 1].ended;
        // All calls without a step together cost one second, in addition to the pace of the gate, which is at most 200
        // ms.
        let passed = millis(10_050 + 200 * (frozen as u64 + 1)) + secs(1);
        let replied = passed + millis(50);
        assert!(took <= replied, "{frozen} take no step: {took:?}");
    }
}

#[test]
fn a_call_that_steps_in_time_is_not_overtaken() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        after(millis(50), if sent == 1 { limited("10") } else { success() })
    });
    for _ in 0..50 {
        sim.start_at(
            millis(sim.tasks.len() as u64 * 100),
            Call::with_token(&token, &upload).boxed(),
        );
    }
    sim.run();
    let order: Vec<usize> = sim.sent[1..].iter().map(|sent| sent.task).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_rate_refusal_holds_up_every_call_on_its_route() {
    let upload = upload();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        sent += usize::from(!is_fetch(&request));
        after(Duration::ZERO, if sent == 1 { limited("10") } else { good(&request) })
    });
    sim.start(Call::new(&upload).boxed());
    for at in 1..=5 {
        sim.start_at(millis(at), Call::new(&upload).boxed());
    }
    sim.run_until(secs(9));
    assert_eq!(sim.count("/images"), 1);
    sim.run();
    for at in 0..=5 {
        sim.result(at).as_ref().unwrap();
        assert_eq!(sim.tasks[at].call.sends(), if at == 0 { 2 } else { 1 });
    }
}

#[test]
fn a_rate_refusal_does_not_hold_up_another_route() {
    let upload = upload();
    let write = write(0, "");
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        after(Duration::ZERO, if is_fetch(&request) { good(&request) } else { limited("10") })
    });
    let refused = sim.finish(Call::new(&upload).with_limits(Limits::one_attempt()));
    assert!(refused.is_err());
    let mut sim: Sim<'_, SheetImageWritten> =
        Sim::new(sim.session, |_, request| after(Duration::ZERO, good(&request)));
    sim.finish(Call::new(&write)).as_ref().unwrap();
    assert_eq!(sim.took(0), Duration::ZERO);
}

#[test]
fn a_requested_wait_is_kept_when_an_earlier_request_succeeds() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        match sent {
            1 => after(millis(1500), success()),
            2 => after(millis(100), limited("20")),
            _ => after(millis(50), success()),
        }
    });
    for at in 0..3 {
        sim.start_at(secs(at), Call::with_token(&token, &upload).boxed());
    }
    sim.run();
    assert_eq!(sim.tasks[0].ended, millis(1500));
    assert!(sim.sent[2].at >= secs(21), "{:?}", sim.sent[2].at);
}

#[test]
fn a_call_with_another_token_is_not_held_up_by_one_that_waits_for_the_sessions_token() {
    let upload = upload();
    let token = given();
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        after(millis(50), if is_fetch(&request) { limited("30") } else { success() })
    });
    sim.start(Call::new(&upload).with_limits(Limits::default().total(secs(20))).boxed());
    sim.start_at(secs(1), Call::with_token(&token, &upload).boxed());
    sim.run();
    assert!(sim.result(0).is_err());
    assert_eq!(sim.took(1), millis(50));
}

#[test]
fn a_limit_by_user_or_group_holds_up_only_the_refused_call() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        let message_limit = with(refusal(400, 230_020), RESET, "10");
        after(millis(50), if sent == 1 { message_limit } else { success() })
    });
    sim.start(Call::with_token(&token, &upload).boxed());
    sim.start_at(secs(1), Call::<_, Cut>::with_token(&TenantToken::clone(&token), &upload).boxed());
    sim.run();
    assert_eq!(sim.took(0), secs(10) + millis(100));
    assert_eq!(sim.took(1), millis(50));
}

#[test]
fn a_longer_queue_at_a_gate_costs_no_more_steps_for_each_call() {
    for has_quota in [true, false] {
        let cost = [100, 1000, 10_000].map(|number| {
            let windows = RefCell::new(RateWindows::new(50, u32::MAX, Duration::ZERO));
            let upload = upload();
            let token = given();
            let quota = if has_quota { Quota::per_second(45) } else { Quota::NONE };
            let upload = upload.with_quota(quota);
            let mut sim: Sim<'_, IgnoredAny> =
                Sim::new(custom(), |now, _| windows.borrow_mut().react(now, millis(100)));
            for _ in 0..number {
                sim.start(Call::with_token(&token, &upload).boxed());
            }
            sim.run();
            assert!((0..number).all(|at| sim.result(at).is_ok()));
            let calls = number as f64;
            (sim.steps as f64 / calls, sim.wakes as f64 / calls)
        });
        println!("quota {has_quota}: {cost:.2?}");
        for (steps, wakes) in cost {
            assert!(steps < 7.0 && wakes < 2.5, "{cost:?}");
        }
    }
}
