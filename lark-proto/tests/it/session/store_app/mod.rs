//! The tokens of a store app: its own, which its tenants share, and one of each tenant.

mod renewal;

use std::cell::RefCell;
use std::time::Duration;

use http::StatusCode;
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::session::{Call, Session};
use lark_proto::{CallError, ImageKey, Limits};

use crate::fixtures::{
    APP_TOKEN, BOTH, ONE, OTHER, PUT, TENANT_TOKEN, call, call_for, code, custom, exported,
    granted, millis, refusal, secs, simulate, store, tenant, with_fake, with_ticket,
};
use crate::sim::{Cut, Sim, after, cut, hangs};

/// A fake with two tenants.
fn lark() -> RefCell<FakeLark> {
    let mut lark = FakeLark::new();
    lark.add_tenant(OTHER);
    RefCell::new(lark)
}

/// The number of requests for the app's token and for a tenant's token.
fn asked(sim: &Sim<'_, ImageKey>) -> [usize; 2] {
    [APP_TOKEN, TENANT_TOKEN].map(|path| sim.count(path))
}

/// A session with the tokens that a call for `ONE` needs.
fn warm<'l>(keeps: bool, lark: &'l RefCell<FakeLark>) -> Sim<'l, ImageKey> {
    let mut sim = with_fake(with_ticket(), keeps, lark);
    assert!(sim.finish(call_for(ONE)).is_ok());
    assert_eq!(asked(&sim), [1, 1]);
    sim
}

fn failure(code: i64) -> Fault {
    Fault::Code { status: StatusCode::BAD_REQUEST, code, msg: "no".into() }
}

#[test]
fn tenants_share_the_apps_token_and_have_tokens_of_their_own() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        let tasks = [ONE, OTHER, ONE, OTHER].map(|key| sim.start(call_for(key).boxed()));
        sim.run();
        assert!(tasks.iter().all(|&task| sim.result(task).is_ok()));
        assert!(tasks.iter().all(|&task| sim.took(task) == millis(300)));
        assert_eq!(asked(&sim), [1, 2]);
        let lark = lark.borrow();
        let uploads = lark.requests().iter().filter(|seen| seen.route == Some(Route::ImageV4Put));
        let mut tokens: Vec<_> = uploads.filter_map(|seen| seen.token.as_deref()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 2);
    }
}

/// The error of a call that ends before a request is sent.
fn unsent(session: Session, call: Call<ImageKey, Cut>) -> CallError<Cut> {
    let mut sim = simulate(session, false, |_, _, _| hangs());
    sim.start(call.boxed());
    sim.run();
    assert!(sim.sent.is_empty() && sim.session.is_idle());
    let error = sim.take_last_result().unwrap_err();
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert_eq!(error.outcome(), Outcome::NotSent);
    error
}

#[test]
fn a_call_of_a_store_app_has_to_name_a_tenant() {
    let error = unsent(with_ticket(), call());
    assert!(matches!(error.kind, CallErrorKind::NoTenant), "{error}");
}

#[test]
fn a_call_of_a_custom_app_must_not_name_a_tenant() {
    let error = unsent(custom(), call_for(ONE));
    assert!(matches!(error.kind, CallErrorKind::ForeignTenant), "{error}");
}

#[test]
fn token_requests_cost_no_attempt_of_the_call() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        assert!(sim.finish(call_for(ONE).with_limits(Limits::one_attempt())).is_ok());
        assert_eq!((asked(&sim), sim.count(PUT)), ([1, 1], 1));
    }
}

/// Drops the call whose request for the app's token takes a second, after half of that. Checks that three calls of the
/// other tenant end after `time`, and returns the number of requests for the app's token and for a tenant's token.
fn drop_the_request_for_the_apps_token(keeps: bool, time: Duration) -> [usize; 2] {
    let mut sim = simulate(with_ticket(), keeps, |_, _, _| after(secs(1), granted("t-1", 7200)));
    let one = sim.start(call_for(ONE).boxed());
    let others = [(); 3].map(|()| sim.start(call_for(OTHER).boxed()));
    sim.drop_at(millis(500), one);
    sim.run();
    assert!(others.iter().all(|&task| sim.result(task).is_ok()));
    assert!(others.iter().all(|&task| sim.took(task) == time));
    asked(&sim)
}

#[test]
fn a_dropped_request_for_the_apps_token_is_sent_again_by_a_call_of_the_other_tenant() {
    assert_eq!(drop_the_request_for_the_apps_token(false, millis(2600)), [2, 1]);
}

#[test]
fn a_kept_request_for_the_apps_token_serves_the_other_tenant() {
    assert_eq!(drop_the_request_for_the_apps_token(true, millis(2100)), [1, 1]);
}

#[test]
fn a_series_of_the_apps_requests_ends_the_calls_of_all_tenants() {
    for keeps in BOTH {
        let mut sim = simulate(with_ticket(), keeps, |_, _, _| cut(secs(20), 0));
        for number in 0..100 {
            sim.start(call_for(if number % 2 == 0 { ONE } else { OTHER }).boxed());
        }
        sim.run();
        for task in 0..100 {
            let error = sim.result(task).as_ref().unwrap_err();
            assert_eq!(error.route, Route::AppAccessToken.path());
            assert!(matches!(
                error.kind,
                CallErrorKind::Transport(_) | CallErrorKind::TokenRequest(_)
            ));
            assert!(sim.took(task) <= secs(100));
        }
        assert_eq!(asked(&sim), [4, 0]);
    }
}

#[test]
fn a_tenant_without_the_app_does_not_hold_up_the_others() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        for _ in 0..3 {
            let result = sim.finish(call_for("nobody"));
            assert_eq!(code(result), Some(Code::TENANT_TOKEN_FAILED));
        }
        assert_eq!(asked(&sim), [1, 1], "one request is sent in five seconds");
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim), [1, 2]);
    }
}

#[test]
fn a_refused_app_token_is_fetched_again_and_the_tenants_request_goes_on() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = warm(keeps, &lark);
        lark.borrow_mut().revoke_tokens(TokenKind::App);
        assert!(sim.finish(call_for(OTHER)).is_ok());
        assert_eq!(asked(&sim), [2, 3]);
        assert_eq!(sim.took(1), millis(400), "the request is sent again at once");
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim), [2, 3]);
    }
}

#[test]
fn four_refusals_of_a_trusted_app_token_end_the_series_but_no_other_tenants_calls() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = warm(keeps, &lark);
        for _ in 0..100 {
            let invalid = failure(Code::APP_TOKEN_INVALID.0);
            lark.borrow_mut().fail_next_on(Route::StoreTenantAccessToken, invalid);
        }
        for _ in 0..5 {
            let error = sim.finish(call_for(OTHER)).as_ref().unwrap_err();
            assert_eq!(error.route, Route::StoreTenantAccessToken.path());
            assert_eq!(error.api().unwrap().code, Code::APP_TOKEN_INVALID);
        }
        // The session requests the app's token at its start, and once after the first refusal.
        assert_eq!(asked(&sim), [2, 1 + 1 + 5 * 4]);
        assert!(sim.finish(call_for(ONE)).is_ok());
    }
}

#[test]
fn a_call_refused_for_the_app_token_fetches_both_tokens_again() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = warm(keeps, &lark);
        lark.borrow_mut().fail_next_on(Route::ImageV4Put, failure(Code::APP_TOKEN_INVALID.0));
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim), [2, 2]);
    }
}

#[test]
fn an_app_token_that_is_refused_while_a_tenants_request_is_in_flight_is_fetched_once() {
    for keeps in BOTH {
        for is_refused in [true, false] {
            // The first two requests are for the tokens of the app and of `ONE`, the third is for that of `OTHER`.
            let mut sim = simulate(with_ticket(), keeps, move |number, _, request| {
                let token = format!("t-{number}");
                let reply = match number {
                    3 if is_refused => refusal(400, Code::APP_TOKEN_INVALID.0),
                    _ => granted(&token, 7200),
                };
                let is_app = request.uri().path().ends_with(APP_TOKEN);
                after(if is_app { millis(100) } else { secs(1) }, reply)
            });
            assert!(sim.finish(call_for(ONE)).is_ok());
            let others = [(); 3].map(|()| sim.start(call_for(OTHER).boxed()));
            sim.run_until(sim.now + millis(500));
            // A call of `ONE` is refused for the app's token.
            let mut refused = call_for(ONE);
            sim.sends(&mut refused);
            sim.answers(&mut refused, refusal(400, Code::APP_TOKEN_INVALID.0));
            refused.cancel(&mut sim.session);
            sim.run();
            assert!(others.iter().all(|&task| sim.result(task).is_ok()));
            assert!(sim.finish(call_for(ONE)).is_ok());
            assert_eq!(asked(&sim), [2, if is_refused { 4 } else { 3 }]);
            assert!(sim.session.is_idle());
        }
    }
}

#[test]
fn a_store_apps_token_is_imported_by_tenant() {
    for keeps in BOTH {
        let mut sim = simulate(store(), keeps, |_, _, _| hangs());
        let calls = [ONE, OTHER].map(|key| {
            let limits = Limits::default().total(secs(100));
            sim.start(call_for(key).with_limits(limits).boxed())
        });
        sim.run_until(secs(1));
        let text = exported(with_ticket(), sim.clock(), "t-1", 7200);
        sim.session.import_token(sim.clock(), sim.clock(), Some(&tenant(ONE)), &text).unwrap();
        sim.wake();
        let third = sim.start(call_for(ONE).boxed());
        sim.run();
        assert!(sim.result(third).is_ok() && sim.result(calls[0]).is_ok());
        assert_eq!(sim.took(third), millis(100));
        assert!(sim.result(calls[1]).is_err());
    }
}
