//! A session under a service that counts, and under absurd limits: replies by hand, a clock that jumps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lark_proto::{
    App, Body, Call, CallError, Code, Failure, Image, ImageKey, Limits, PutImage, Session, Site,
    Step, TenantKey,
};

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(millis)
}

fn reply(json: &str) -> Response<Bytes> {
    Response::new(Bytes::from(json.to_owned()))
}

fn token(token: &str) -> Response<Bytes> {
    reply(&format!(r#"{{"code":0,"tenant_access_token":"{token}","expire":7200}}"#))
}

fn done() -> Response<Bytes> {
    reply(r#"{"code":0,"data":{"image_key":"img_1"}}"#)
}

fn limited(reset: &str) -> Response<Bytes> {
    let mut reply = reply(r#"{"code":99991400,"msg":"request trigger frequency limit"}"#);
    *reply.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    reply.headers_mut().insert("x-ogw-ratelimit-reset", reset.parse().unwrap());
    reply
}

fn session() -> Session {
    Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
}

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a").unwrap()).unwrap()
}

/// Whether the request is one for a token.
fn is_fetch(request: &Request<Body>) -> bool {
    request.uri().path().contains("/auth/")
}

/// Drives one call to its end; `answer` gets each request. Returns how long it took as well.
fn run(
    session: &mut Session,
    mut call: Call<'_, PutImage, ()>,
    start: u64,
    mut answer: impl FnMut(&Request<Body>) -> Response<Bytes>,
) -> (Result<ImageKey, CallError<()>>, u64) {
    let mut now = start;
    for _ in 0..100 {
        match call.next(session, at(now)) {
            Step::Send { request, .. } => call.received(session, at(now), answer(&request)),
            Step::Wait(time) | Step::Park(time) => {
                now += u64::try_from(time.as_millis()).unwrap() + 1;
            }
            Step::Done(result) => return (result, now - start),
        }
    }
    panic!("no end");
}

#[test]
fn a_burst_gets_through_a_service_that_takes_ten_a_second() {
    let (put, mut session) = (put(), session());
    let mut calls: Vec<_> = (0..200).map(|_| Some((session.call::<_, ()>(&put), 0))).collect();
    let (mut now, mut second, mut taken) = (0, 0, 0);
    while calls.iter().any(Option::is_some) {
        assert!(now < 600_000, "the limits of a call are ten minutes");
        let mut flights = Vec::new();
        // Whoever may moves, until nobody can; the parked look again when anyone has moved.
        let mut has_moved = true;
        while std::mem::take(&mut has_moved) {
            for (index, slot) in calls.iter_mut().enumerate() {
                let Some((call, asleep)) = slot.as_mut().filter(|(_, asleep)| *asleep <= now)
                else {
                    continue;
                };
                match call.next(&mut session, at(now)) {
                    Step::Send { request, .. } => {
                        flights.push((index, is_fetch(&request)));
                        (*asleep, has_moved) = (u64::MAX, true);
                    }
                    Step::Wait(time) => {
                        *asleep = now + u64::try_from(time.as_millis()).unwrap() + 1;
                    }
                    Step::Park(_) => {}
                    Step::Done(result) => {
                        assert_eq!(result.unwrap().as_str(), "img_1");
                        (*slot, has_moved) = (None, true);
                    }
                }
            }
        }
        now += 50;
        if now / 1000 != second {
            (second, taken) = (now / 1000, 0);
        }
        for (index, is_fetch) in flights {
            let (call, asleep) = calls[index].as_mut().unwrap();
            taken += u32::from(!is_fetch);
            let reply = match (is_fetch, taken) {
                (true, _) => token("t-1"),
                (false, ..=10) => done(),
                (false, _) => limited("1"),
            };
            call.received(&mut session, at(now), reply);
            *asleep = now;
        }
    }
    assert!(session.is_idle());
}

#[test]
fn a_wait_of_no_time_is_none_that_the_service_named() {
    let (put, mut session) = (put(), session());
    let mut sent = 0;
    let call = session.call(&put);
    let (result, took) = run(&mut session, call, 0, |request| {
        if is_fetch(request) {
            return token("t-1");
        }
        sent += 1;
        if sent < 4 { limited("0") } else { done() }
    });
    result.unwrap();
    assert!(took > 1500, "three waits of its own, {took} ms");
}

#[test]
fn a_pause_for_tokens_holds_for_the_patient_and_the_impatient() {
    let (put, mut session) = (put(), session());
    let mut impatient = Limits::default();
    impatient.longest_wait = Duration::from_secs(1);
    let call = session.call(&put).limits(impatient);
    let (result, _) = run(&mut session, call, 0, |_| limited("2"));
    assert_eq!(result.unwrap_err().lark().unwrap().api().unwrap().code, Code::RATE_LIMITED);
    let call = session.call(&put);
    let (result, took) =
        run(&mut session, call, 0, |request| if is_fetch(request) { token("t-1") } else { done() });
    result.unwrap();
    assert!((2000..2100).contains(&took), "{took} ms");
}

#[test]
fn who_waits_for_a_token_holds_up_nobody_at_a_gate() {
    let (put, mut session) = (put(), session());
    let given = lark_proto::TenantToken::new("t-given").unwrap();
    let mut own = session.call::<_, ()>(&put);
    let mut other = session.call_as::<_, ()>(&given, &put);
    // The session's call is told to wait, and its token ends meanwhile.
    assert!(matches!(own.next(&mut session, at(0)), Step::Send { .. }));
    own.received(&mut session, at(0), token("t-1"));
    assert!(matches!(own.next(&mut session, at(0)), Step::Send { .. }));
    own.received(&mut session, at(0), reply(r#"{"code":99991663,"msg":"invalid"}"#));
    let mut limited_call = session.call_as::<_, ()>(&given, &put);
    assert!(matches!(limited_call.next(&mut session, at(0)), Step::Send { .. }));
    limited_call.received(&mut session, at(0), limited("1"));
    limited_call.cancel(&mut session);
    assert!(matches!(own.next(&mut session, at(0)), Step::Send { .. }), "fetches");
    own.received(&mut session, at(0), limited("30"));
    assert!(matches!(own.next(&mut session, at(1001)), Step::Wait(_)), "for its token");
    assert!(matches!(other.next(&mut session, at(1002)), Step::Send { .. }));
}

#[test]
fn a_stray_refusal_does_not_make_a_later_revocation_fatal() {
    let (put, mut session) = (put(), session());
    let refusal = || reply(r#"{"code":99991663,"msg":"invalid"}"#);
    let mut stray = true;
    let call = session.call(&put);
    let (result, _) = run(&mut session, call, 0, |request| match is_fetch(request) {
        true => token("t-1"),
        false if std::mem::take(&mut stray) => refusal(),
        false => done(),
    });
    result.unwrap();
    // Two minutes later t-1 is revoked.
    let call = session.call(&put);
    let (result, _) = run(&mut session, call, 120_000, |request| {
        let is_old =
            request.headers().get("authorization").is_some_and(|token| token == "Bearer t-1");
        match is_fetch(request) {
            true => token("t-2"),
            false if is_old => refusal(),
            false => done(),
        }
    });
    result.unwrap();
}

#[test]
fn with_the_host_down_the_parked_do_not_try_one_after_the_other() {
    let (put, mut session) = (put(), session());
    let mut calls: Vec<_> = (0..400).map(|_| Some((session.call::<_, ()>(&put), 0))).collect();
    let (mut now, mut tried) = (0, 0);
    while calls.iter().any(Option::is_some) {
        for slot in &mut calls {
            let Some((call, asleep)) = slot.as_mut().filter(|(_, asleep)| *asleep <= now) else {
                continue;
            };
            match call.next(&mut session, at(now)) {
                Step::Send { .. } => {
                    tried += 1;
                    call.broken(&mut session, at(now), Failure::Transport(()), 0);
                }
                Step::Wait(time) => *asleep = now + u64::try_from(time.as_millis()).unwrap() + 1,
                Step::Park(_) => {}
                Step::Done(result) => {
                    assert!(matches!(result.unwrap_err().kind, Failure::Transport(())));
                    *slot = None;
                }
            }
        }
        now += 10;
    }
    assert!(tried < 410 && now < 10_000, "{tried} requests in {now} ms");
}

#[test]
fn a_custom_app_has_one_tenant() {
    let (put, mut session) = (put(), session());
    let call = session.call_in(TenantKey::new("another").unwrap(), &put);
    let (result, _) = run(&mut session, call, 0, |_| panic!("nothing is sent"));
    assert!(matches!(result.unwrap_err().kind, Failure::ForeignTenant));
}

#[test]
fn absurd_limits_are_limits() {
    for attempts in [0, u32::MAX] {
        let mut limits = Limits::default();
        (limits.attempts, limits.total) = (attempts, Duration::MAX);
        limits.longest_wait = Duration::MAX;
        let (put, mut session) = (put(), session());
        let mut sent = 0;
        let call = session.call(&put).limits(limits).jitter(u64::MAX);
        let (result, _) = run(&mut session, call, 0, |request| {
            sent += 1;
            match (is_fetch(request), sent) {
                (true, _) => token("t-1"),
                (false, ..40) => reply(r#"{"code":90235,"msg":"retry later"}"#),
                (false, _) => done(),
            }
        });
        assert_eq!(result.is_ok(), attempts > 0);
    }
}
