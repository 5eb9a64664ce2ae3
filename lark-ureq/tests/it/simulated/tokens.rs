//! Tokens: when they are requested, renewed and waited for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::error::{CallErrorKind, Code};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Image, ImageKey, Limits, PutImage};
use lark_ureq::CallError;

use super::{Sim, granted, hangs, is_token, rate_limited, refusal, reply, stored};
use crate::support::{app, millis, put, secs};

const TOKEN: &str = "/tenant_access_token/internal";

/// A hundred uploads while the first token is about to expire and each renewal hangs: how long each upload took, and
/// the times of the token requests.
fn hanging_renewals() -> (Vec<Duration>, Vec<Duration>) {
    let sim = Sim::with_token_service(|number| match number {
        1 => (millis(100), Some(granted("t-1", 7200))),
        _ => hangs(),
    });
    sim.upload(Limits::default()).0.unwrap();
    // The token expires in 28 minutes.
    sim.clock.sleep(secs(7200 - 28 * 60));
    let uploads = (0..100).map(|number| {
        let (result, took) = sim.upload(Limits::default().total(secs(5)));
        result.unwrap();
        // Without pauses at first, so that two renewals would be close to each other.
        sim.clock.sleep(secs(if number < 50 { 0 } else { 10 }));
        took
    });
    let uploads = uploads.collect();
    let requests = sim.requests.lock().unwrap();
    let renewals = requests.iter().filter(|(_, path)| path.ends_with(TOKEN)).map(|(at, _)| *at);
    (uploads, renewals.collect())
}

#[test]
fn a_renewal_that_hangs_delays_a_call_by_three_seconds_at_most() {
    let (uploads, _) = hanging_renewals();
    assert!(uploads.iter().all(|took| *took <= secs(3)), "{uploads:?}");
}

#[test]
fn renewals_that_hang_are_a_minute_apart() {
    let (_, requests) = hanging_renewals();
    assert!(requests.len() > 3, "{requests:?}");
    assert!(requests.windows(2).all(|pair| pair[1] - pair[0] >= secs(60)), "{requests:?}");
}

#[test]
fn calls_seldom_wait_for_a_token_host_that_takes_four_seconds() {
    let sim = Sim::with_token_service(|_| (secs(4), Some(granted("t-1", 7200))));
    let threads = 8;
    let took = sim.run(threads, |first| {
        let take_turns = (first..7200).step_by(8).map(|second| {
            sim.clock.sleep(secs(second).saturating_sub(sim.clock.elapsed()));
            let (result, took) = sim.upload(Limits::default());
            result.unwrap();
            (second, took)
        });
        take_turns.collect::<Vec<_>>()
    });
    let took = took.into_iter().flatten();
    let held_up = took.filter(|(second, took)| *second > 4 && *took > millis(100)).count();
    assert!((1..=12).contains(&held_up), "{held_up} calls waited for a renewal");
}

#[test]
fn a_refused_token_that_is_granted_again_is_tried_again_within_the_attempts() {
    let mut refuses = 2;
    let sim = Sim::new(app(), move |_, request| {
        let is_odd = request.body().windows(3).any(|bytes| bytes == b"odd");
        let reply = if is_token(request) {
            granted("t-1", 7200)
        } else if is_odd && refuses > 0 {
            refuses -= 1;
            refusal(400, Code::TENANT_TOKEN_INVALID.0)
        } else {
            stored()
        };
        (millis(100), Some(reply))
    });
    let odd = PutImage::message(Image::new("GIF89a odd").unwrap()).unwrap();
    sim.run(31, |number| {
        if number == 0 {
            return drop(sim.client.call(&odd).unwrap());
        }
        sim.clock.sleep(millis(100 * number));
        let (result, took) = sim.upload(Limits::default());
        result.unwrap();
        assert!(took <= millis(200), "{took:?}");
    });
    assert_eq!((sim.count(TOKEN), sim.count("/put/")), (2, 3 + 30));
}

#[test]
fn a_first_token_request_that_fails_transiently_is_sent_again() {
    let failures: [fn() -> Option<Response<Bytes>>; 4] = [
        || Some(reply(500, "<html>")),
        || Some(reply(200, r#"{"code":0,"tenant_access_"#)),
        || None,
        || Some(refusal(503, 4_242_424)),
    ];
    for (case, failure) in failures.into_iter().enumerate() {
        let sim = Sim::with_token_service(move |number| match number {
            1 => (millis(100), failure()),
            _ => (millis(100), Some(granted("t-1", 7200))),
        });
        sim.run(1000, |number| {
            sim.clock.sleep(millis(3 * number));
            sim.upload(Limits::default()).0.unwrap();
        });
        assert_eq!((sim.count(TOKEN), sim.count("/put/")), (2, 1000), "case {case}");
    }
}

#[test]
fn a_token_route_gets_no_request_during_the_wait_it_asked_for_even_if_calls_give_up() {
    let sim = Sim::with_token_service(|number| match number {
        1 => (millis(50), Some(rate_limited(30))),
        _ => (millis(50), Some(granted("t-1", 7200))),
    });
    while sim.clock.elapsed() < secs(30) {
        let (result, took) = sim.upload(Limits::default().total(secs(2)));
        assert!(result.is_err() && took <= secs(2));
        sim.clock.sleep(secs(2).saturating_sub(took));
    }
    assert_eq!(sim.count(TOKEN), 1);
    sim.upload(Limits::default()).0.unwrap();
    assert_eq!(sim.count(TOKEN), 2);
}

#[test]
fn a_dead_token_host_ends_all_calls_with_its_cause_after_one_series_of_requests() {
    let sim = Sim::with_token_service(|_| (secs(20), None));
    let ends = sim.run(1000, |number| {
        let limits = if number == 500 { Limits::one_attempt() } else { Limits::default() };
        let (result, took) = sim.upload(limits);
        (result.unwrap_err(), took)
    });
    for (error, took) in ends {
        assert!(error.route.ends_with(TOKEN) && took <= secs(100), "{error} {took:?}");
        let cause = match error.kind {
            CallErrorKind::Transport(cause) => cause.to_string(),
            CallErrorKind::TokenRequest(text) => text.to_string(),
            other => panic!("{other}"),
        };
        assert_eq!(cause, "io: connection reset");
    }
    assert_eq!(sim.count(TOKEN), 4);
}

#[test]
fn waiting_calls_go_on_at_once_with_an_imported_token() {
    let donor = Sim::with_token_service(|_| (Duration::ZERO, Some(granted("t-2", 7200))));
    donor.upload(Limits::default()).0.unwrap();
    let text = donor.client.export_token().unwrap();
    let sim = Sim::with_token_service(|_| (millis(50), Some(rate_limited(45))));
    sim.run(11, |number| {
        if number == 0 {
            sim.clock.sleep(secs(1));
            return sim.client.import_token(&text).unwrap();
        }
        let (result, took) = sim.upload(Limits::default());
        result.unwrap();
        assert_eq!(took, millis(1100));
    });
    assert_eq!(sim.count(TOKEN), 1);
}

/// A store app whose ticket has not arrived, and a tenant of it.
fn without_ticket() -> (Sim, TenantKey) {
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let sim = Sim::new(app, |_, request| {
        let reply = if is_token(request) { granted("t-1", 7200) } else { stored() };
        (millis(100), Some(reply))
    });
    (sim, TenantKey::new(FakeLark::TENANT_KEY).unwrap())
}

/// An upload of a tenant that waits for a ticket this long, and how long it took.
fn call(sim: &Sim, tenant: &TenantKey, wait: u64) -> (Result<ImageKey, CallError>, Duration) {
    let client = sim.client.clone().for_tenant(tenant.clone());
    let client = client.with_limits(Limits::default().longest_wait(secs(wait)));
    sim.timed(|| client.call(&put()))
}

#[test]
fn a_missing_ticket_is_asked_for_once_in_five_minutes() {
    let (sim, tenant) = without_ticket();
    for (second, resends) in [(0, 1), (60, 1), (299, 1), (301, 2)] {
        sim.clock.sleep(secs(second) - sim.clock.elapsed());
        let (result, took) = call(&sim, &tenant, 60);
        assert!(matches!(result.unwrap_err().kind, CallErrorKind::NoTicket));
        let found = (took <= millis(100), sim.count(Route::ResendAppTicket.path()));
        assert_eq!(found, (true, resends), "after {second} s");
    }
}

#[test]
fn a_call_waits_for_a_missing_ticket_if_its_longest_wait_allows_it() {
    let (sim, tenant) = without_ticket();
    // The event of the first resend is lost.
    call(&sim, &tenant, 60).0.unwrap_err();
    sim.clock.sleep(secs(301) - sim.clock.elapsed());
    sim.run(3, |number| match number {
        0 => {
            sim.clock.sleep(secs(120));
            sim.client.set_app_ticket(AppTicket::new("ticket").unwrap());
        }
        1 => {
            let (result, took) = call(&sim, &tenant, 180);
            result.unwrap();
            assert_eq!(took, millis(120_300));
        }
        _ => {
            let error = call(&sim, &tenant, 60).0.unwrap_err();
            assert!(matches!(error.kind, CallErrorKind::NoTicket));
        }
    });
    assert_eq!(sim.count(Route::ResendAppTicket.path()), 2);
}

/// The wall clock at the start of the tests that set it.
fn start() -> SystemTime {
    UNIX_EPOCH + secs(1_800_000_000)
}

const HOUR: Duration = secs(3600);

#[test]
fn a_wall_clock_that_is_set_ends_no_wait() {
    let sim = Sim::new(app(), move |now, request| {
        let reply = if is_token(request) {
            granted("t-1", 7200)
        } else if now < secs(1) {
            rate_limited(45)
        } else {
            stored()
        };
        (millis(100), Some(reply))
    });
    sim.clock.set_wall(start());
    sim.run(11, |number| {
        if number == 0 {
            sim.clock.sleep(secs(10));
            return sim.clock.set_wall(start() + secs(10) + HOUR);
        }
        let (result, took) = sim.upload(Limits::default());
        result.unwrap();
        assert!(secs(45) < took && took < secs(50), "{took:?}");
    });
    assert_eq!(sim.count(TOKEN), 1);
}

#[test]
fn a_wall_clock_that_is_set_does_not_shorten_the_life_of_a_token() {
    let sim = Sim::with_token_service(|_| (millis(100), Some(granted("t-1", 7200))));
    sim.clock.set_wall(start());
    sim.upload(Limits::default()).0.unwrap();
    sim.clock.sleep(secs(10));
    sim.clock.set_wall(start() + secs(10) + HOUR);
    sim.upload(Limits::default()).0.unwrap();
    assert_eq!(sim.count(TOKEN), 1);

    // The token was requested at the start. It ends 7,200 seconds later, which is an hour later by the wall clock.
    let text = sim.client.export_token().unwrap();
    let end = start() + secs(7200) + HOUR;
    let is_refused = |wall| {
        let other = Sim::with_token_service(|_| hangs());
        other.clock.set_wall(wall);
        other.client.import_token(&text).is_err()
    };
    assert!(!is_refused(end - secs(2)));
    assert!(is_refused(end));
}
