//! Quotas. The session counts each request against its quota before it sends the request, so that the service does not
//! refuse it.

use std::cell::RefCell;
use std::time::Duration;

use lark_proto::endpoints::{Quota, SheetImageWritten};
use lark_proto::session::{Call, Session};
use lark_proto::values::TenantKey;
use lark_proto::{App, Endpoint, Site};
use serde::de::IgnoredAny;

use crate::fixtures::{
    RateWindows, answer, custom, given, good, millis, secs, success, upload, write,
};
use crate::sim::{Random, Sim, after};

#[test]
fn with_a_quota_the_service_refuses_at_most_one_request_in_a_thousand() {
    let mut worst_time = 0_f64;
    let mut worst_share = 0_f64;
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
        // The 3,000 requests take three windows of a minute. The last 1,000 begin after two minutes, and take 19 s and
        // the time of a request.
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

/// The time of 300 writes that take a millisecond each.
fn time_of_300_writes(session: Session) -> Duration {
    let writes: Vec<_> = (0..300).map(|number| write(number, "")).collect();
    let token = given();
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(session, |_, _| after(millis(1), success()));
    for write in &writes {
        sim.start(Call::with_token(&token, write).boxed());
    }
    sim.run();
    sim.now
}

#[test]
fn the_documented_quota_of_a_route_is_kept() {
    let time = time_of_300_writes(custom());
    assert!(secs(2) < time && time < millis(2500), "{time:?}");
}

#[test]
fn a_quota_can_be_changed() {
    let mut session = custom();
    session.set_quota(write(0, "").route(), Quota::per_second(10));
    let time = time_of_300_writes(session);
    assert!(secs(29) < time && time < secs(34), "{time:?}");
}

#[test]
fn quotas_can_be_turned_off() {
    let mut session = custom();
    session.keep_quotas(false);
    assert_eq!(time_of_300_writes(session), millis(1));
}

#[test]
fn the_quota_of_one_route_can_be_turned_off() {
    let mut session = custom();
    session.set_quota(write(0, "").route(), Quota::NONE);
    assert_eq!(time_of_300_writes(session), millis(1));
}

#[test]
fn no_quota_is_kept_for_a_loopback_site() {
    let loopback: Site = "http://127.0.0.1:8080".parse().unwrap();
    let session = Session::new(loopback, App::custom("cli_x", "s").unwrap());
    assert_eq!(time_of_300_writes(session), millis(1));
}

#[test]
fn unused_tenants_spreadsheets_and_gates_are_forgotten() {
    let app = App::store("cli_x", "s").unwrap();
    let mut session = Session::new(Site::LARK, app);
    session.set_app_ticket(lark_proto::values::AppTicket::new("ticket").unwrap());
    let number = 100_000;
    let token = given();
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
