//! The limits of a call, including extreme limits and clocks that are set forward or back.

use std::time::Duration;

use lark_proto::endpoints::Quota;
use lark_proto::error::{CallErrorKind, Code, Outcome, WaitFor};
use lark_proto::session::{Call, Session};
use lark_proto::values::TenantKey;
use lark_proto::{CallError, Limits, UserToken};
use serde::de::IgnoredAny;

use crate::fixtures::{
    BOTH, custom, given, granted, is_fetch, limited, millis, refusal, secs, success, upload,
};
use crate::sim::{Cut, Sim, after, hangs};

fn error<'a>(sim: &'a Sim<'_, IgnoredAny>, at: usize) -> &'a CallError<Cut> {
    sim.result(at).as_ref().unwrap_err()
}

#[test]
fn a_call_ends_at_its_deadline_with_an_error_that_names_its_wait() {
    let limits = Limits::default().total(secs(30));
    for (name, lane, quota, expected) in [
        ("reply", None, None, CallErrorKind::Deadline),
        ("turn", Some("sheet"), None, CallErrorKind::Queued(WaitFor::Turn)),
        ("rate", None, Some(1), CallErrorKind::<Cut>::Queued(WaitFor::Rate)),
    ] {
        let mut endpoint = upload();
        if let Some(lane) = lane {
            endpoint = endpoint.with_serial_key(lane);
        }
        if let Some(calls) = quota {
            endpoint = endpoint.with_quota(Quota::per_minute(calls));
        }
        let token = given();
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| hangs());
        for _ in 0..5 {
            sim.start(Call::with_token(&token, &endpoint).with_limits(limits).boxed());
        }
        sim.run();
        for at in 0..5 {
            assert_eq!(sim.took(at), secs(30), "{name} {at}");
            let error = error(&sim, at);
            let (kind, outcome) = if at == 0 {
                (&CallErrorKind::Deadline, Outcome::Unknown)
            } else if name == "reply" {
                (&expected, Outcome::Unknown)
            } else {
                (&expected, Outcome::NotSent)
            };
            assert_eq!(error.kind.to_string(), kind.to_string(), "{name} {at}");
            assert_eq!(error.outcome(), outcome, "{name} {at}");
        }
    }
}

#[test]
fn a_call_that_waits_for_a_token_ends_as_not_sent_at_its_deadline() {
    let limits = Limits::default().total(secs(30));
    let upload = upload();
    for keeps in BOTH {
        let sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| hangs());
        let mut sim = sim.keeping(keeps);
        for _ in 0..5 {
            sim.start(Call::new(&upload).with_limits(limits).boxed());
        }
        sim.run();
        for at in 0..5 {
            assert_eq!((sim.took(at), error(&sim, at).outcome()), (secs(30), Outcome::NotSent));
        }
    }
}

#[test]
fn a_call_without_any_time_sends_nothing() {
    let upload = upload().with_serial_key("sheet");
    let token = given();
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| panic!("a request was sent"));
    let limits = Limits::default().total(Duration::ZERO);
    sim.start(Call::with_token(&token, &upload).with_limits(limits).boxed());
    sim.start(Call::new(&upload).with_limits(limits).boxed());
    sim.run();
    for at in 0..2 {
        assert_eq!(error(&sim, at).outcome(), Outcome::NotSent);
        assert_eq!(sim.took(at), Duration::ZERO);
    }
    assert!(sim.session.is_idle());
}

#[test]
fn extreme_limits_are_honoured() {
    for attempts in [0, 1, u32::MAX] {
        for time in [Duration::ZERO, Duration::MAX] {
            let upload = upload().with_serial_key("sheet");
            let mut sent = 0;
            let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
                sent += u32::from(!is_fetch(&request));
                after(
                    millis(1),
                    match sent % 4 {
                        _ if is_fetch(&request) => granted("t-1", 7200),
                        _ if sent > 40 => success(),
                        1 => refusal(200, 90_235),
                        2 => limited("1e300"),
                        3 => limited("0"),
                        _ => refusal(500, 42),
                    },
                )
            });
            let limits = Limits::default().attempts(attempts).longest_wait(time).busy(time);
            let limits = limits.total(Duration::MAX);
            for jitter in [0, u64::MAX] {
                let call = Call::new(&upload).with_limits(limits).with_jitter(jitter);
                sim.start(call.boxed());
            }
            sim.run();
            let is_patient = attempts == u32::MAX && time == Duration::MAX;
            for at in 0..2 {
                assert_eq!(sim.result(at).is_ok(), is_patient, "{attempts} {time:?}");
            }
        }
    }
}

#[test]
fn setting_the_clock_back_only_lengthens_a_wait() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        after(millis(1), if sent == 1 { limited("10") } else { success() })
    });
    sim.start(Call::with_token(&token, &upload).boxed());
    sim.start_at(secs(1), Call::with_token(&token, &upload).boxed());
    sim.run_until(secs(4));
    sim.skew = -1_000_000;
    sim.run();
    for at in 0..2 {
        sim.result(at).as_ref().unwrap();
    }
    assert!(secs(10) < sim.now && sim.now < secs(25), "{:?}", sim.now);
}

#[test]
fn every_call_ends_although_the_clock_jumps_by_years() {
    const YEAR: i64 = 365 * 24 * 60 * 60;
    for skews in [[50 * YEAR, 0], [-50 * YEAR, 0], [YEAR, -100 * YEAR], [-100 * YEAR, YEAR]] {
        let upload = upload().with_serial_key("sheet").with_quota(Quota::per_second(1));
        let mut sent = 0;
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
            sent += 1;
            after(
                millis(900),
                match sent {
                    3 => limited("5"),
                    5 | 6 => refusal(200, 90_235),
                    _ => good_upload(&request),
                },
            )
        });
        for at in 0..40 {
            sim.start_at(secs(at), Call::new(&upload).boxed());
        }
        let start = sim.skew;
        for (at, skew) in [5, 15].into_iter().zip(skews) {
            sim.run_until(secs(at));
            sim.skew = skew;
        }
        sim.run();
        assert!(sim.now < secs(700), "{:?}", sim.now);
        // A jump forward ends the calls whose deadline it passes; the later calls succeed.
        for at in 16..40 {
            sim.result(at)
                .as_ref()
                .unwrap_or_else(|error| panic!("{start} {skews:?} {at}: {error}"));
        }
        assert!(sim.session.is_idle());
    }
}

fn good_upload(request: &http::Request<bytes::Bytes>) -> http::Response<bytes::Bytes> {
    if is_fetch(request) { granted("t-1", 7200) } else { success() }
}

#[test]
fn a_wait_for_the_token_route_ends_only_the_calls_whose_longest_wait_is_shorter() {
    let upload = upload();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, request| {
        sent += 1;
        after(Duration::ZERO, if sent == 1 { limited("2") } else { good_upload(&request) })
    });
    let impatient = Limits::default().longest_wait(secs(1));
    for limits in [impatient, impatient, Limits::default()] {
        sim.start(Call::new(&upload).with_limits(limits).boxed());
    }
    sim.run();
    for at in 0..2 {
        let api = error(&sim, at).api().unwrap();
        assert_eq!((api.code, sim.took(at)), (Code::RATE_LIMITED, Duration::ZERO));
    }
    sim.result(2).as_ref().unwrap();
    assert_eq!(sim.took(2), secs(2));
}

#[test]
fn an_unfounded_refusal_does_not_make_a_later_revocation_fatal() {
    let upload = upload();
    let mut is_first = true;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, request| {
        let is_old = request.headers().get("authorization").is_some_and(|it| it == "Bearer t-1");
        let is_revoked = now >= secs(120);
        let reply = if is_fetch(&request) {
            granted(if is_revoked { "t-2" } else { "t-1" }, 7200)
        } else if std::mem::take(&mut is_first) || is_revoked && is_old {
            refusal(400, 99_991_663)
        } else {
            success()
        };
        after(millis(10), reply)
    });
    for at in [0, 120, 121] {
        sim.start_at(secs(at), Call::new(&upload).boxed());
    }
    sim.run();
    for at in 0..3 {
        sim.result(at).as_ref().unwrap();
    }
    assert_eq!(sim.count("/internal"), 3);
}

#[test]
fn a_call_for_a_tenant_of_a_custom_app_ends_without_a_request() {
    let upload = upload();
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| panic!("a request was sent"));
    sim.start(Call::for_tenant(TenantKey::new("another").unwrap(), &upload).boxed());
    sim.run();
    assert!(matches!(error(&sim, 0).kind, CallErrorKind::ForeignTenant));
}

#[test]
fn a_supplied_token_is_never_renewed() {
    let upload = upload();
    let user = UserToken::new("u-1").unwrap();
    let session: Session = custom();
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(session, |_, request| {
        assert!(!is_fetch(&request));
        after(millis(1), refusal(400, 99_991_663))
    });
    sim.start(Call::with_token(&user, &upload).boxed());
    sim.run();
    assert_eq!(error(&sim, 0).outcome(), Outcome::Refused);
    assert_eq!(sim.sent.len(), 1);
}

#[test]
fn a_requested_wait_beyond_the_deadline_ends_only_the_refused_call_at_once() {
    let upload = upload();
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |_, _| {
        sent += 1;
        after(Duration::ZERO, if sent == 1 { limited("30") } else { success() })
    });
    let total = Limits::default().total(secs(20));
    for (at, limits) in [(0, total), (1, total), (2, total.longest_wait(secs(20)))] {
        let call = Call::with_token(&token, &upload).with_limits(limits);
        sim.start_at(secs(at), call.boxed());
    }
    sim.start_at(secs(3), Call::with_token(&token, &upload).boxed());
    sim.run();
    // The first call is refused. The second waits at the closed gate until its deadline, the third ends at once because
    // of `longest_wait`, and the last waits until the gate opens.
    for (at, took, left) in [(0, 0, Some(30)), (1, 20, None), (2, 0, Some(28))] {
        let error = error(&sim, at);
        let told = (sim.took(at), error.retry_after());
        assert_eq!(told, (secs(took), left.map(secs)), "{at}");
        let is_queued = matches!(error.kind, CallErrorKind::Queued(WaitFor::Rate));
        assert_eq!(is_queued, left.is_none(), "{at}");
    }
    sim.result(3).as_ref().unwrap();
    assert_eq!(sim.took(3), secs(27));
}
