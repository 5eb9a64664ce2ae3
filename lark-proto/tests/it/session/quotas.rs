//! Documented quotas: counted before a request is sent, so that the service has nothing to refuse.

use std::cell::RefCell;
use std::time::Duration;

use lark_proto::endpoints::{Quota, SheetImageWritten};
use lark_proto::session::{Call, Session};
use lark_proto::values::TenantKey;
use lark_proto::{App, Endpoint, Site};
use serde::de::IgnoredAny;

use crate::service::{
    RateWindows, answer, custom, given, good, millis, secs, success, upload, write,
};
use crate::sim::{Random, Sim, after};

#[test]
fn a_kept_quota_is_refused_one_request_in_a_thousand_at_most() {
    let (mut worst_time, mut worst_share) = (0_f64, 0_f64);
    for phase in [0, 137, 500, 950, 7_000, 20_500, 31_000, 45_250, 59_900] {
        let windows = RefCell::new(RateWindows::new(50, 1000, millis(phase)));
        let mut random = Random(phase);
        let upload = upload().with_quota(Quota::per_second(50).and_per_minute(1000));
        let token = given();
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, _| {
            let arrives = now + millis(random.below(101));
            windows.borrow_mut().react(arrives, secs(1))
        });
        for number in 0..3000 {
            sim.start(Call::with_token(&token, &upload).with_jitter(number).boxed());
        }
        sim.run();
        for at in 0..3000 {
            sim.result(at).as_ref().unwrap();
        }
        let refused = windows.borrow().refused.len();
        // 3,000 in three minutes' windows, whatever their phase: the last 1,000 begin after two minutes and take 19 s
        // and the time of a request.
        let time = sim.now.as_secs_f64() / 140.0;
        let share = refused as f64 / sim.sent.len() as f64;
        println!("3,000 uploads, phase {phase} ms: {time:.3}, refused {share:.4}");
        assert!(time <= 1.15, "{time} at phase {phase} ms");
        assert!(share <= 0.001, "{refused} refused at phase {phase} ms");
        worst_time = worst_time.max(time);
        worst_share = worst_share.max(share);
    }
    println!("worst: {worst_time:.3}, {worst_share:.4}");
}

#[test]
fn a_quota_is_never_exceeded_in_any_second_or_minute() {
    let upload = upload().with_quota(Quota::per_second(7).and_per_minute(100));
    let token = given();
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| after(millis(10), success()));
    let mut random = Random(1);
    for _ in 0..400 {
        let at = millis(random.below(200_000));
        sim.start_at(at, Call::with_token(&token, &upload).boxed());
    }
    sim.run();
    let sent: Vec<Duration> = sim.sent.iter().map(|sent| sent.at).collect();
    for (span, limit) in [(millis(1100), 7), (millis(60_100), 100)] {
        for all in sent.windows(limit + 1) {
            assert!(all[limit] - all[0] > span, "{all:?}");
        }
    }
    assert!(sim.now < secs(260), "{:?}", sim.now);
}

#[test]
fn a_quota_can_be_changed_and_turned_off() {
    let first = write(0, "");
    let route = first.route();
    let run = |session: Session| {
        let writes: Vec<_> = (0..300).map(|number| write(number, "")).collect();
        let token = given();
        let mut sim: Sim<'_, SheetImageWritten> =
            Sim::new(session, |_, _| after(millis(1), success()));
        for write in &writes {
            sim.start(Call::with_token(&token, write).boxed());
        }
        sim.run();
        sim.now
    };
    let documented = run(custom());
    assert!(secs(2) < documented && documented < millis(2500), "{documented:?}");
    let mut changed = custom();
    changed.set_quota(route, Quota::per_second(10));
    let changed = run(changed);
    assert!(secs(29) < changed && changed < secs(34), "{changed:?}");
    let mut off = custom();
    off.keep_quotas(false);
    assert_eq!(run(off), millis(1));
    let mut off = custom();
    off.set_quota(route, Quota::NONE);
    assert_eq!(run(off), millis(1));
    let loopback: Site = "http://127.0.0.1:8080".parse().unwrap();
    assert_eq!(run(Session::new(loopback, App::custom("cli_x", "s").unwrap())), millis(1));
}

#[test]
fn tenants_spreadsheets_and_gates_that_are_not_used_are_forgotten() {
    let app = App::store("cli_x", "s").unwrap();
    let mut session = Session::new(Site::LARK, app);
    session.set_app_ticket(lark_proto::values::AppTicket::new("ticket").unwrap());
    let (number, token) = (100_000, given());
    let writes: Vec<_> = (0..number).map(|number| write(number, "")).collect();
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(session, |_, request| {
        let reply = if request.uri().path().contains("/auth/v3/app_access_token") {
            let json = r#"{"code":0,"app_access_token":"a-1","expire":7200}"#;
            answer(200, json)
        } else {
            good(&request)
        };
        after(Duration::ZERO, reply)
    });
    for (number, write) in writes.iter().enumerate() {
        let at = millis(number as u64 / 10);
        let tenant = TenantKey::new(&format!("tenant{number}")).unwrap();
        sim.start_at(at, Call::for_tenant(tenant, write).boxed());
    }
    sim.run();
    for at in 0..number {
        sim.result(at).as_ref().unwrap();
    }
    let most = sim.session.entries();
    assert!(most > number, "{most}");
    sim.run_until(secs(3 * 60 * 60));
    sim.start(Call::with_token(&token, &writes[0]).boxed());
    sim.run();
    let left = sim.session.entries();
    assert!(left <= 100, "{left} of {most}");
}
