//! The rules of token life, one by one.

use std::time::Duration;

use http::{Response, StatusCode};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::{App, CallError, Code, Limits, Session, Site};

use crate::work::{Cut, Work, Written};
use crate::world::{State, World};

const TOKEN: Route = Route::TenantAccessToken;

fn refusal(code: i64) -> Fault {
    Fault::Code { status: StatusCode::BAD_REQUEST, code, msg: "no such token".into() }
}

fn grant(token: &str, expire: &str) -> Fault {
    let reply = format!(r#"{{"code":0,"tenant_access_token":"{token}"{expire}}}"#);
    Fault::Reply(Response::new(reply.into()))
}

/// A world in which a first call has got a token.
fn warm(work: &Work) -> World<'_> {
    let mut world = World::new();
    world.start(work, Limits::default());
    world.run();
    assert_eq!(world.lark.count(TOKEN), 1);
    world
}

/// Starts a call of these limits, takes its first step, and says whether that is a fetch, its request or neither.
fn first_step<'w>(world: &mut World<'w>, work: &'w Work, limits: Limits) -> Option<bool> {
    let at = world.start(work, limits);
    world.step(at);
    world.flight(at).map(|flight| flight.is_fetch)
}

fn code(result: &Result<Written, CallError<Cut>>) -> Option<Code> {
    Some(result.as_ref().err()?.lark()?.api()?.code)
}

#[test]
fn the_first_call_fetches_the_token_and_the_others_wait_for_it() {
    let work = Work::put(0);
    let mut world = World::new();
    for at in 0..10 {
        let step = first_step(&mut world, &work, Limits::default());
        assert_eq!(step, (at == 0).then_some(true));
    }
    assert_eq!(world.having(|it| matches!(it, State::Parked(_))).len(), 9);
    world.deliver(0);
    world.settle();
    assert_eq!(world.having(|it| matches!(it, State::InFlight(_))).len(), 10, "all go on at once");
    world.run();
    assert_eq!((world.lark.count(TOKEN), world.lark.count(Route::ImageV4Put)), (1, 10));
}

#[test]
fn in_the_last_half_hour_one_call_renews_and_the_others_go_on_with_the_old_token() {
    let work = Work::put(0);
    let mut world = warm(&work);
    world.pass_secs(5399);
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(false), "too early");
    world.pass_secs(120);
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(true), "the one");
    let others: Vec<usize> = (0..3).map(|_| world.start(&work, Limits::default())).collect();
    world.settle();
    for &at in &others {
        assert!(!world.flight(at).unwrap().is_fetch);
        world.deliver(at);
    }
    world.run();
    let tokens = world.lark.requests().iter().filter_map(|seen| seen.token.as_deref());
    let tokens: Vec<&str> = tokens.collect();
    assert_eq!(tokens.len(), 6);
    let old = tokens.iter().filter(|token| **token == tokens[0]).count();
    assert_eq!((old, world.lark.count(TOKEN)), (5, 2), "{tokens:?}");
    world.pass_secs(5399);
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(false), "renewed once");
}

#[test]
fn a_renewal_that_fails_leaves_the_old_token_in_use() {
    for failure in [Fault::EdgeHtml(StatusCode::BAD_GATEWAY), refusal(10_014)] {
        let work = Work::put(0);
        let mut world = warm(&work);
        world.pass_secs(6000);
        world.lark.fail_next_on(TOKEN, failure);
        let at = world.start(&work, Limits::none());
        world.run();
        assert!(world.result(at).is_ok());
        world.pass_secs(30);
        assert_eq!(first_step(&mut world, &work, Limits::none()), Some(false), "not at once again");
        world.pass_secs(30);
        assert_eq!(first_step(&mut world, &work, Limits::none()), Some(true));
    }
}

#[test]
fn a_life_counts_from_before_its_request_was_sent() {
    let work = Work::put(0);
    let mut world = World::new();
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(true));
    world.pass_secs(50);
    world.deliver(0);
    world.run();
    world.pass_secs(7199 - 50);
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(true), "renews");
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(false), "goes on");
    world.pass_secs(1);
    assert_eq!(first_step(&mut world, &work, Limits::default()), None, "two hours are over");
}

#[test]
fn ten_refusals_of_one_token_cause_one_fetch() {
    for status in [200, 400, 401] {
        for code in [99_991_663, 99_991_665] {
            let work = Work::put(0);
            let mut world = warm(&work);
            let calls: Vec<usize> =
                (0..10).map(|_| world.start(&work, Limits::default())).collect();
            let status = StatusCode::from_u16(status).unwrap();
            for _ in 0..10 {
                let failure = Fault::Code { status, code, msg: "no".into() };
                world.lark.fail_next_on(Route::ImageV4Put, failure);
            }
            world.revoke();
            world.run();
            assert!(calls.iter().all(|&at| world.result(at).is_ok()));
            assert_eq!(world.lark.count(TOKEN), 2);
            assert!(calls.iter().all(|&at| world.tasks[at].sends <= 2));
        }
    }
}

#[test]
fn the_very_same_token_again_is_not_fetched_again() {
    let work = Work::put(0);
    let mut world = warm(&work);
    for _ in 0..30 {
        world.lark.fail_next_on(Route::ImageV4Put, refusal(99_991_663));
    }
    for round in 0..5 {
        let calls: Vec<usize> = (0..3).map(|_| world.start(&work, Limits::default())).collect();
        world.run();
        for at in calls {
            assert_eq!(code(world.result(at)), Some(Code::TENANT_TOKEN_INVALID));
            assert_eq!(world.tasks[at].sends, if round == 0 { 2 } else { 1 });
        }
    }
    assert_eq!(world.lark.count(TOKEN), 2, "the first, and one after the first refusal");
}

#[test]
fn a_late_refusal_of_an_old_token_leaves_the_new_one() {
    let work = Work::put(0);
    let mut world = warm(&work);
    for _ in 0..2 {
        world.lark.fail_next_on(Route::ImageV4Put, refusal(99_991_663));
        world.start(&work, Limits::default());
    }
    world.settle();
    world.revoke();
    world.deliver(1);
    world.step(1);
    world.deliver(1);
    world.deliver(2);
    world.run();
    assert!(world.result(1).is_ok() && world.result(2).is_ok());
    assert_eq!(world.lark.count(TOKEN), 2);
}

#[test]
fn a_call_renews_once() {
    let work = Work::put(0);
    let mut world = warm(&work);
    world.revoke();
    world.lark.fail_next_on(Route::ImageV4Put, refusal(99_991_663));
    world.lark.fail_next_on(Route::ImageV4Put, refusal(99_991_663));
    world.start(&work, Limits::default());
    world.run();
    assert_eq!(code(world.result(1)), Some(Code::TENANT_TOKEN_INVALID));
    assert_eq!(world.tasks[1].sends, 2);
}

#[test]
fn a_refused_token_is_dropped_also_by_a_call_that_must_not_go_on() {
    for (first, bounds) in [(Work::once(0), Limits::default()), (Work::put(0), Limits::none())] {
        let work = Work::put(1);
        let mut world = warm(&work);
        world.revoke();
        let refused = world.start(&first, bounds);
        world.run();
        assert_eq!(code(world.result(refused)), Some(Code::TENANT_TOKEN_INVALID));
        let next = world.start(&first, bounds);
        world.run();
        assert!(world.result(next).is_ok(), "{first:?}: the next call has to get a new token");
    }
}

#[test]
fn a_fetch_goes_back_when_its_call_is_cancelled_or_fails() {
    let work = Work::put(0);
    let mut world = World::new();
    for _ in 0..4 {
        world.start(&work, Limits::none());
    }
    let patient = world.start(&work, Limits::default());
    world.settle();
    world.cancel(0);
    world.step(1);
    assert!(world.flight(1).unwrap().is_fetch, "cancelled");
    world.cut(1, 1);
    world.lark.fail_next_on(TOKEN, Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
    world.step(2);
    assert!(world.flight(2).unwrap().is_fetch, "the connection broke");
    world.deliver(2);
    world.step(3);
    assert!(world.flight(3).unwrap().is_fetch, "the service failed");
    world.pass_secs(600);
    world.deliver(3);
    world.run();
    // It was parked for all of its time.
    assert!(world.result(patient).is_err());
    assert_eq!(first_step(&mut world, &work, Limits::default()), Some(true));
    world.run();
    assert!(world.result(5).is_ok());
}

#[test]
fn a_fetch_that_is_to_be_tried_again_goes_back_when_its_call_is_cancelled() {
    let work = Work::put(0);
    let mut world = World::new();
    for _ in 0..2 {
        world.start(&work, Limits::default());
    }
    world.settle();
    world.cut(0, 0);
    world.settle();
    assert!(matches!(world.tasks[0].state, State::Waiting(_)));
    world.cancel(0);
    world.settle();
    assert!(world.flight(1).unwrap().is_fetch);
    world.run();
    assert!(world.result(1).is_ok());
}

#[test]
fn wrong_credentials_cost_one_request_for_a_thousand_calls() {
    let work = Work::put(0);
    let mut world = World::new();
    let app = App::custom(FakeLark::APP_ID, "wrongwrongwrongwrongwrongwrong00").unwrap();
    world.session = Session::new(Site::LARK, app);
    for _ in 0..1000 {
        world.start(&work, Limits::default());
    }
    world.run();
    assert_eq!(world.lark.requests().len(), 1);
    for at in 0..1000 {
        let error = world.result(at).as_ref().unwrap_err();
        assert_eq!(error.route, "/open-apis/auth/v3/tenant_access_token/internal");
        let text = format!("{error}: {}", error.lark().unwrap());
        assert_eq!(text.matches("10014").count(), 1, "{text}");
        assert_eq!(text.matches("app secret invalid").count(), 1, "{text}");
    }
}

/// Neither a code that is odd for the token's endpoint nor a wait that nobody has the time for is asked for a
/// thousand times over.
#[test]
fn a_fetch_that_cannot_succeed_is_not_tried_by_every_call() {
    let limited = |status| Fault::RateLimited { status, reset: Some("3600".into()) };
    for failure in [
        refusal(99_991_663),
        refusal(99_991_664),
        limited(StatusCode::TOO_MANY_REQUESTS),
        limited(StatusCode::BAD_REQUEST),
        Fault::PlainNotFound,
        Fault::TruncatedJson,
    ] {
        let work = Work::put(0);
        let mut world = World::new();
        for _ in 0..50 {
            world.lark.fail_next_on(TOKEN, failure.clone());
            world.start(&work, Limits::default());
        }
        world.run();
        assert!((0..50).all(|at| world.result(at).is_err()));
        assert!(world.lark.count(TOKEN) <= 4, "{} times {failure:?}", world.lark.count(TOKEN));
    }
}

#[test]
fn absurd_lives_are_bounded() {
    for (expire, seconds) in [
        (r#","expire":0"#, 60),
        (r#","expire":-1"#, 60),
        (r#","expire":-9223372036854775808"#, 60),
        (r#","expire":"7200""#, 60),
        ("", 60),
        (r#","expire":9223372036854775808"#, 7200),
        (r#","expire":1e300"#, 7200),
    ] {
        let work = Work::put(0);
        let mut world = World::new();
        let far = world.real + Duration::from_secs(100_000);
        world.lark.add_token(TokenKind::Tenant, "t-odd", far);
        world.lark.fail_next_on(TOKEN, grant("t-odd", expire));
        world.start(&work, Limits::default());
        world.run();
        world.pass_secs(seconds - 1);
        // In its last half hour one call may renew it; another shows that it is still in use.
        let steps = [(); 2].map(|()| first_step(&mut world, &work, Limits::default()));
        assert!(steps.contains(&Some(false)), "{expire}");
        world.pass_secs(1);
        assert_ne!(first_step(&mut world, &work, Limits::default()), Some(false), "{expire}");
        world.run();
        assert_eq!(world.lark.count(TOKEN), 2, "{expire}");
    }
}
