//! A store app's tokens: the app's own, which its tenants share, and theirs.

use std::cell::RefCell;
use std::time::Duration;

use http::StatusCode;
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::{ImageKey, Limits};

use crate::service::{
    APP_TOKEN, BOTH, ONE, OTHER, PUT, TENANT_TOKEN, call, call_for, code, custom, exported,
    granted, millis, page, refusal, secs, simulate, store, tenant, with_fake, with_ticket,
};
use crate::sim::{Reaction, Sim, after, clock, cut, hangs};

/// With two tenants.
fn lark() -> RefCell<FakeLark> {
    let mut lark = FakeLark::new();
    lark.add_tenant(OTHER);
    RefCell::new(lark)
}

/// How often the app's token and a tenant's were asked for.
fn asked(sim: &Sim<'_, ImageKey>) -> [usize; 2] {
    [APP_TOKEN, TENANT_TOKEN].map(|path| sim.count(path))
}

/// With the tokens that a call for `ONE` gets.
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
fn tenants_share_the_apps_token_and_have_their_own() {
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

#[test]
fn a_call_has_to_name_a_tenant_of_a_store_app_and_of_no_other() {
    for (session, call) in [(with_ticket(), call()), (custom(), call_for(ONE))] {
        let is_store = matches!(session.app(), lark_proto::App::Store { .. });
        let mut sim = simulate(session, false, |_, _, _| hangs());
        let error = sim.finish(call).as_ref().unwrap_err();
        match error.kind {
            CallErrorKind::NoTenant => assert!(is_store),
            CallErrorKind::ForeignTenant => assert!(!is_store),
            _ => panic!("{error}"),
        }
        assert_eq!(error.route, Route::ImageV4Put.path());
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(sim.sent.is_empty() && sim.session.is_idle());
    }
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

#[test]
fn a_dropped_request_for_the_apps_token_serves_the_other_tenant_or_is_sent_anew() {
    for keeps in BOTH {
        let mut sim =
            simulate(with_ticket(), keeps, |_, _, _| after(secs(1), granted("t-1", 7200)));
        let one = sim.start(call_for(ONE).boxed());
        let others = [(); 3].map(|()| sim.start(call_for(OTHER).boxed()));
        sim.drop_at(millis(500), one);
        sim.run();
        let ends = if keeps { millis(2100) } else { millis(2600) };
        assert!(others.iter().all(|&task| sim.result(task).is_ok()));
        assert!(others.iter().all(|&task| sim.took(task) == ends));
        assert_eq!(asked(&sim), [if keeps { 1 } else { 2 }, 1]);
    }
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
fn a_tenant_that_has_no_such_app_does_not_disturb_the_others() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        for _ in 0..3 {
            let result = sim.finish(call_for("nobody"));
            assert_eq!(code(result), Some(Code::TENANT_TOKEN_FAILED));
        }
        assert_eq!(asked(&sim), [1, 1], "asked once in five seconds");
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
        assert_eq!(sim.took(1), millis(400), "at once");
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim), [2, 3]);
    }
}

#[test]
fn an_app_token_that_is_refused_although_fresh_ends_the_series_and_no_other_tenants_calls() {
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
        // The first of the session, and one after the first refusal.
        assert_eq!(asked(&sim), [2, 1 + 1 + 5 * 4]);
        assert!(sim.finish(call_for(ONE)).is_ok());
    }
}

#[test]
fn a_call_refused_for_the_app_token_gets_both_tokens_anew() {
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
            // The first three requests are those of `ONE` and of the first app token.
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
fn in_the_app_tokens_last_29_minutes_one_call_renews_it_and_the_others_go_on() {
    for keeps in BOTH {
        let lark = lark();
        let mut sim = warm(keeps, &lark);
        sim.run_until(secs(3000));
        assert!(sim.finish(call_for(OTHER)).is_ok());
        sim.run_until(secs(6000));
        let one = sim.start(call_for(ONE).boxed());
        let other = sim.start(call_for(OTHER).boxed());
        sim.run();
        assert!(sim.result(one).is_ok() && sim.result(other).is_ok());
        assert_eq!([sim.took(one), sim.took(other)], [millis(300), millis(100)]);
        assert_eq!(asked(&sim), [2, 3]);
    }
}

#[test]
fn a_renewal_of_the_app_token_that_fails_leaves_the_old_one_in_use() {
    for keeps in BOTH {
        for fault in [failure(10_014), Fault::EdgeHtml(StatusCode::BAD_GATEWAY)] {
            let lark = lark();
            let mut sim = warm(keeps, &lark);
            sim.run_until(secs(6000));
            for _ in 0..9 {
                lark.borrow_mut().fail_next_on(Route::AppAccessToken, fault.clone());
            }
            assert!(sim.finish(call_for(ONE)).is_ok());
            assert_eq!(asked(&sim), [2, 2], "the tenant's token is renewed with the old one");
            assert!(sim.finish(call_for(OTHER)).is_ok());
            assert_eq!(asked(&sim), [2, 3], "not at once again");
            assert_eq!(sim.took(2), millis(200), "a first token does not wait for a renewal");
        }
    }
}

#[test]
fn a_renewal_of_the_app_token_that_hangs_holds_up_one_call_for_two_seconds() {
    for keeps in BOTH {
        let mut sim = simulate(with_ticket(), keeps, |number, _, request| {
            let is_app = request.uri().path().ends_with(APP_TOKEN);
            if is_app && number > 1 { hangs() } else { after(millis(100), granted("t-1", 7200)) }
        });
        assert!(sim.finish(call_for(ONE)).is_ok());
        sim.run_until(secs(6000));
        for number in 0..100 {
            let key = ["a", "b", ONE, OTHER][number % 4];
            let task = sim.start(call_for(key).boxed());
            sim.run();
            assert!(sim.result(task).is_ok());
            assert!(sim.took(task) <= if number == 0 { millis(2200) } else { millis(200) });
        }
        assert_eq!(asked(&sim)[0], 2);
    }
}

/// The tenant's token is good and due, and the app's has ended.
fn half_warm<'w>(keeps: bool, app_token: impl Fn() -> Reaction<'w> + 'w) -> Sim<'w, ImageKey> {
    let mut sim = simulate(with_ticket(), keeps, move |number, _, request| {
        let is_app = request.uri().path().ends_with(APP_TOKEN);
        if is_app && number > 1 { app_token() } else { after(millis(100), granted("t-1", 7200)) }
    });
    assert!(sim.finish(call_for("nobody")).is_ok());
    sim.run_until(secs(1500));
    assert!(sim.finish(call_for(ONE)).is_ok());
    assert_eq!(asked(&sim), [1, 2]);
    sim.run_until(secs(7300));
    sim
}

#[test]
fn a_renewal_that_first_needs_a_new_app_token_fails_no_call_and_is_rare() {
    for keeps in BOTH {
        for app_token in [hangs, || after(millis(10), page(500)), || cut(millis(10), 0)] {
            let mut sim = half_warm(keeps, app_token);
            let started = sim.now;
            while sim.now < started + secs(300) {
                let task = sim.start(call_for(ONE).boxed());
                sim.drop_at(sim.now + secs(5), task);
                sim.run();
                assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
                assert!(sim.took(task) <= secs(3));
                sim.run_until(sim.now + secs(1));
            }
            let requests = sim.sent.iter().filter(|sent| sent.path.ends_with(APP_TOKEN));
            let times: Vec<Duration> = requests.map(|sent| sent.at).skip(1).collect();
            let is_rare = |pair: &[Duration]| pair[1] - pair[0] >= secs(60);
            assert!(times.windows(2).all(is_rare), "{times:?}");
        }
    }
}

#[test]
fn a_call_with_a_good_token_does_not_wait_for_the_apps_token_of_others() {
    for keeps in BOTH {
        let mut sim = half_warm(keeps, || after(secs(5), granted("t-2", 7200)));
        let other = sim.start(call_for(OTHER).boxed());
        let one = sim.start(call_for(ONE).boxed());
        sim.run();
        assert_eq!([sim.took(one), sim.took(other)], [millis(100), millis(5200)]);
    }
}

/// The renewal of `ONE` drives the request for the app's token, for which `OTHER` waits.
#[test]
fn a_call_that_waits_does_not_lose_its_tries_to_anothers_renewal() {
    for keeps in BOTH {
        let mut sim = half_warm(keeps, || after(secs(3), granted("t-2", 7200)));
        let one = sim.start(call_for(ONE).boxed());
        let others = [(); 3].map(|()| sim.start(call_for(OTHER).boxed()));
        sim.run();
        assert!(sim.result(one).is_ok());
        assert!(sim.took(one) <= millis(2100));
        for task in others {
            assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
            assert!(sim.took(task) <= millis(5200), "{:?}", sim.took(task));
        }
    }
}

/// A call leaves a pause in which only the first two have been told of its end, while another tenant's call renews the
/// app's token.
#[test]
fn a_call_that_leaves_names_the_next_one_also_during_a_renewal_of_the_apps_token() {
    let mut sim = Sim::by_hand(with_ticket());
    let mut first = call_for(ONE);
    for _ in 0..2 {
        let id = sim.fetches(&mut first);
        sim.session.token_received(id, clock(sim.now), granted("t-1", 7200));
    }
    sim.now = secs(5459);
    let [mut one, mut two, mut three] = [(); 3].map(|()| call_for(OTHER));
    let id = sim.fetches(&mut one);
    sim.waits(&mut two);
    sim.waits(&mut three);
    sim.session.token_received(id, clock(sim.now), page(500));
    sim.waits(&mut one);
    sim.waits(&mut two);
    // From here on the app's token is due for renewal.
    sim.now = secs(5460);
    sim.fetches(&mut call_for(ONE));
    sim.named();
    one.cancel(&mut sim.session);
    two.cancel(&mut sim.session);
    assert!(sim.named().contains(&three.id().unwrap()));
}

/// The call renews the app's token, and its adapter lets that go on beside it.
#[test]
fn a_call_that_renews_the_apps_token_is_named_when_its_tenants_renewal_is_settled() {
    for settles in ["granted", "failed", "dropped", "imported"] {
        let mut sim = Sim::by_hand(with_ticket());
        let mut first = call_for(ONE);
        let mut renews = call_for(ONE);
        let mut other = call_for(ONE);
        for _ in 0..2 {
            let id = sim.fetches(&mut first);
            sim.session.token_received(id, clock(sim.now), granted("t-1", 7200));
        }
        sim.now = secs(5460);
        let now = clock(sim.now);
        sim.fetches(&mut renews);
        sim.waits(&mut renews);
        let id = sim.fetches(&mut other);
        sim.named();
        match settles {
            "granted" => drop(sim.session.token_received(id, now, granted("t-2", 7200))),
            "failed" => drop(sim.session.token_received(id, now, page(500))),
            "dropped" => sim.session.token_dropped(id, now),
            _ => {
                let text = exported(with_ticket(), now, "t-2", 7200);
                sim.session.import_token(now, now, Some(&tenant(ONE)), &text).unwrap();
            }
        }
        assert!(sim.named().contains(&renews.id().unwrap()), "{settles}");
        sim.sends(&mut renews);
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
