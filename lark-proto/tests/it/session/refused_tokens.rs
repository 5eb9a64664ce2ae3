//! Tokens that the service refuses before they expire.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use lark_proto::error::{Code, InvalidKind, Outcome};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::session::Call;
use lark_proto::{Image, ImageKey, Limits, PutImage};

use crate::fixtures::{
    BOTH, PUT, TOKEN, call, code, custom, exported, granted, millis, refusal, secs, success,
    with_fake,
};
use crate::sim::{Sim, State, after, clock};

const INVALID: i64 = Code::TENANT_TOKEN_INVALID.0;

/// A service that refuses the first `uploads` uploads of the image `GIF89a odd`, and always grants the same token.
fn refusing<'w>(keeps: bool, uploads: usize) -> Sim<'w, ImageKey> {
    let mut left = uploads;
    let sim = Sim::new(custom(), move |_, request| {
        let is_odd = request.body().windows(3).any(|bytes| bytes == b"odd");
        let reply = if request.uri().path().ends_with(TOKEN) {
            granted("t-1", 7200)
        } else if is_odd && left > 0 {
            left -= 1;
            refusal(400, INVALID)
        } else {
            success()
        };
        after(millis(100), reply)
    });
    sim.keeping(keeps)
}

#[test]
fn a_refused_token_that_is_granted_again_is_used_again() {
    let odd = PutImage::message(Image::new("GIF89a odd").unwrap()).unwrap();
    for keeps in BOTH {
        let mut sim = refusing(keeps, 2);
        let task = sim.start(Call::new(&odd).boxed());
        for number in 0..30 {
            sim.start_at(millis(100 * number), call().boxed());
        }
        sim.run();
        assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
        assert_eq!((sim.tasks[task].call.sends(), sim.count(TOKEN)), (3, 2));
        for other in 1..31 {
            assert!(sim.result(other).is_ok());
            assert!(sim.took(other) <= millis(200), "{:?}", sim.took(other));
        }
    }
}

#[test]
fn a_token_that_is_refused_for_ever_costs_the_attempts_of_each_call_and_a_request_a_minute() {
    let odd = PutImage::message(Image::new("GIF89a odd").unwrap()).unwrap();
    for keeps in BOTH {
        let mut sim = refusing(keeps, usize::MAX);
        for _ in 0..20 {
            let task = sim.start(Call::new(&odd).boxed());
            sim.run();
            assert_eq!(code(sim.result(task)), Some(Code::TENANT_TOKEN_INVALID));
            assert_eq!(sim.tasks[task].call.sends(), 4);
        }
        let most = 2 + sim.now.as_secs() / 60;
        assert!(sim.count(TOKEN) as u64 <= most, "{} in {:?}", sim.count(TOKEN), sim.now);
    }
}

#[test]
fn ten_refusals_of_one_token_cause_one_request() {
    for keeps in BOTH {
        for status in [200, 400, 401] {
            for code in [99_991_663, 99_991_665] {
                let refused = Cell::new(0);
                let mut sim: Sim<'_, ImageKey> = Sim::new(custom(), |_, request| {
                    let token = request.headers().get("authorization").cloned();
                    let is_old = token.is_some_and(|token| token == "Bearer t-1");
                    let reply = if request.uri().path().ends_with(TOKEN) {
                        granted(if refused.get() > 0 { "t-2" } else { "t-1" }, 7200)
                    } else if is_old {
                        refused.set(refused.get() + 1);
                        refusal(status, code)
                    } else {
                        success()
                    };
                    // Some of the refusals arrive after the grant of the next token.
                    after(millis(100 + 50 * refused.get()), reply)
                });
                sim = sim.keeping(keeps);
                let tasks = [(); 10].map(|()| sim.start(call().boxed()));
                sim.run();
                assert!(tasks.iter().all(|&task| sim.result(task).is_ok()));
                assert!(tasks.iter().all(|&task| sim.tasks[task].call.sends() <= 2));
                assert_eq!((refused.get(), sim.count(TOKEN)), (10, 2));
            }
        }
    }
}

#[test]
fn a_call_of_one_attempt_discards_a_refused_token() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(custom(), keeps, &lark);
        assert!(sim.finish(call()).is_ok());
        lark.borrow_mut().revoke_tokens(TokenKind::Tenant);
        let refused = sim.finish(call().with_limits(Limits::one_attempt()));
        assert_eq!(code(refused), Some(Code::TENANT_TOKEN_INVALID));
        assert!(sim.finish(call()).is_ok());
        assert_eq!(lark.borrow().count(Route::TenantAccessToken), 2);
    }
}

#[test]
fn a_token_that_was_refused_cannot_be_imported_again() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(custom(), keeps, &lark);
        assert!(sim.finish(call()).is_ok());
        let text = sim.session.export_token(sim.clock(), sim.clock(), None).unwrap();
        lark.borrow_mut().revoke_tokens(TokenKind::Tenant);
        assert!(sim.finish(call().with_limits(Limits::one_attempt())).is_err());
        // The session has no token the first time, and the next one the second time.
        for _ in 0..2 {
            let error =
                sim.session.import_token(sim.clock(), sim.clock(), None, &text).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::RefusedToken);
            assert!(error.to_string().contains("refused"), "{error}");
            let requests = sim.sent.len();
            assert!(sim.finish(call()).is_ok());
            assert!(sim.sent.len() - requests <= 2);
        }
        assert_eq!(lark.borrow().count(Route::TenantAccessToken), 2);
    }
}

/// Two processes that share their tokens may each hold a token that was refused before.
#[test]
fn none_of_several_refused_tokens_can_be_imported_again() {
    let mut sim = Sim::by_hand(custom());
    let now = clock(sim.now);
    let texts = ["t-1", "t-2", "t-3"].map(|token| exported(custom(), now, token, 7200));
    for text in &texts {
        sim.session.import_token(now, now, None, text).unwrap();
        let mut call = call().with_limits(Limits::one_attempt());
        sim.sends(&mut call);
        sim.answers(&mut call, refusal(400, INVALID));
    }
    for text in &texts {
        let error = sim.session.import_token(now, now, None, text).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::RefusedToken);
    }
}

/// The token expires while an upload is in flight, and the session has another one long before the answer.
#[test]
fn a_late_refusal_of_an_old_token_leaves_the_new_one() {
    for keeps in BOTH {
        // After 200 s the session has forgotten the old token.
        for answer in [65, 200] {
            let mut tokens = 0;
            let mut uploads = 0;
            let mut sim: Sim<'_, ImageKey> = Sim::new(custom(), move |now: Duration, request| {
                if request.uri().path().ends_with(TOKEN) {
                    tokens += 1;
                    return after(millis(100), granted(&format!("t-{tokens}"), 60));
                }
                uploads += 1;
                match uploads {
                    1 => after(secs(answer) - now, refusal(400, INVALID)),
                    _ => after(millis(100), success()),
                }
            });
            sim = sim.keeping(keeps);
            sim.start(call().boxed());
            sim.run_until(secs(answer) - secs(2));
            // This call fetches the second token.
            assert!(matches!(sim.tasks[0].state, State::InFlight(_)));
            let second = sim.start(call().boxed());
            sim.run();
            assert!(sim.result(0).is_ok() && sim.result(second).is_ok());
            assert_eq!((sim.count(TOKEN), sim.count(PUT)), (2, 3), "answer after {answer} s");
        }
    }
}

#[test]
fn a_call_that_is_refused_during_a_renewal_waits_for_that_renewal() {
    let mut sim = Sim::by_hand(custom());
    let now = clock(sim.now);
    let text = exported(custom(), now, "t-1", 600);
    sim.session.import_token(now, now, None, &text).unwrap();
    let mut renews = call();
    let mut refused = call();
    let renewal = sim.fetches(&mut renews);
    sim.sends(&mut refused);
    sim.now = secs(1);
    sim.answers(&mut refused, refusal(400, INVALID));
    assert_eq!(sim.waits(&mut refused), secs(60), "until the renewal counts as lost");
    sim.now = secs(2);
    sim.waits(&mut renews);
    sim.now = secs(3);
    sim.session.token_received(renewal, clock(sim.now), granted("t-2", 7200));
    let woken = sim.woken();
    for mut call in [renews, refused] {
        assert!(woken.contains(&call.id().unwrap()));
        let upload = sim.sends(&mut call);
        assert_eq!(upload.request.headers()["authorization"], "Bearer t-2");
    }
}

#[test]
fn a_call_with_a_refused_token_succeeds_although_the_first_request_for_the_next_token_fails() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(custom(), keeps, &lark);
        assert!(sim.finish(call()).is_ok());
        lark.borrow_mut().revoke_tokens(TokenKind::Tenant);
        let fault = Fault::EdgeHtml(http::StatusCode::BAD_GATEWAY);
        lark.borrow_mut().fail_next_on(Route::TenantAccessToken, fault);
        assert!(sim.finish(call()).is_ok());
        assert_eq!(lark.borrow().count(Route::TenantAccessToken), 3);
        assert_eq!(sim.tasks[1].call.sends(), 2);
    }
}

#[test]
fn a_call_with_a_refused_token_whose_app_is_refused_then_was_refused_too() {
    let mut sim = Sim::by_hand(custom());
    let mut call = call();
    sim.fetches(&mut call);
    sim.answers(&mut call, granted("t-1", 7200));
    sim.sends(&mut call);
    sim.answers(&mut call, refusal(400, INVALID));
    sim.fetches(&mut call);
    sim.answers(&mut call, refusal(200, Code::APP_SECRET_INVALID.0));
    let error = sim.ends(&mut call);
    assert!(error.route.ends_with(TOKEN) && error.outcome() == Outcome::Refused, "{error:?}");
}

#[test]
fn a_token_that_is_revoked_six_seconds_after_it_replaced_a_refused_one_is_replaced_too() {
    let mut sim = Sim::by_hand(custom());
    let mut call = call();
    for (token, refused_at) in [("t-1", 0), ("t-2", 6)] {
        sim.fetches(&mut call);
        sim.answers(&mut call, granted(token, 7200));
        sim.sends(&mut call);
        sim.now = secs(refused_at);
        sim.answers(&mut call, refusal(400, INVALID));
    }
    sim.fetches(&mut call);
}
