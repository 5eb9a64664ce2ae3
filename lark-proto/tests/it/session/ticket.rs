//! The ticket of a store app: requests for it, and its arrival.

use std::cell::RefCell;
use std::time::Duration;

use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::{ImageKey, Limits};

use crate::fixtures::{
    APP_TOKEN, BOTH, ONE, OTHER, RESEND, TENANT_TOKEN, Uploaded, call_for, code, granted, limited,
    millis, refusal, secs, simulate, store, ticket, with_fake, with_ticket,
};
use crate::sim::{Reaction, Sim, after, cut, hangs};

fn lacks_ticket(result: &Uploaded) -> bool {
    match result {
        Err(error) => {
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert_eq!(error.route, Route::AppAccessToken.path());
            matches!(error.kind, CallErrorKind::NoTicket)
        }
        Ok(_) => false,
    }
}

/// The number of requests for the app's token, for a tenant's token, and for the ticket.
fn asked(sim: &Sim<'_, ImageKey>) -> [usize; 3] {
    [APP_TOKEN, TENANT_TOKEN, RESEND].map(|path| sim.count(path))
}

fn push_ticket(sim: &mut Sim<'_, ImageKey>, lark: &RefCell<FakeLark>) {
    sim.session.set_app_ticket(ticket(lark.borrow().app_ticket()));
    sim.wake();
}

fn patient(seconds: u64) -> Limits {
    Limits::default().longest_wait(secs(seconds))
}

#[test]
fn a_missing_ticket_is_asked_for_every_five_minutes() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        lark.borrow_mut().add_tenant(OTHER);
        let mut sim = with_fake(store(), keeps, &lark);
        // The calls that wait for the request of the first one end with it.
        let tasks = [ONE, ONE, OTHER].map(|key| sim.start(call_for(key).boxed()));
        sim.run();
        assert!(tasks.iter().all(|&task| lacks_ticket(sim.result(task))));
        assert!(tasks.iter().all(|&task| sim.took(task) == millis(100)), "the calls end at once");
        for second in [1, 60, 149, 150, 299, 300] {
            sim.run_until(secs(second));
            for key in [ONE, OTHER] {
                assert!(lacks_ticket(sim.finish(call_for(key))));
                assert_eq!(asked(&sim), [0, 0, 1], "after {second} s");
            }
        }
        sim.run_until(millis(300_100));
        assert!(lacks_ticket(sim.finish(call_for(ONE))));
        assert_eq!(asked(&sim), [0, 0, 2]);
        push_ticket(&mut sim, &lark);
        assert!(sim.finish(call_for(ONE)).is_ok());
    }
}

#[test]
fn a_call_waits_for_the_ticket_if_its_longest_wait_allows_it() {
    for keeps in BOTH {
        for arrives in [true, false] {
            let lark = RefCell::new(FakeLark::new());
            let mut sim = with_fake(store(), keeps, &lark);
            let tasks = [180, 60, 180, 149, 151]
                .map(|seconds| sim.start(call_for(ONE).with_limits(patient(seconds)).boxed()));
            let late = sim.start_at(secs(119), call_for(ONE).with_limits(patient(60)).boxed());
            sim.run_until(secs(120));
            if arrives {
                push_ticket(&mut sim, &lark);
            }
            sim.run();
            for hasty in [1, 3] {
                assert!(lacks_ticket(sim.result(tasks[hasty])));
                assert_eq!(sim.took(tasks[hasty]), millis(100));
            }
            for task in [tasks[0], tasks[2], tasks[4], late] {
                let result = sim.result(task);
                let ended = sim.tasks[task].ended;
                if arrives {
                    assert!(result.is_ok(), "{result:?}");
                    assert_eq!(ended, millis(120_300));
                } else {
                    assert!(lacks_ticket(result));
                    assert_eq!(ended, millis(150_100));
                }
            }
            assert_eq!(asked(&sim), if arrives { [1, 1, 1] } else { [0, 0, 1] });
        }
    }
}

#[test]
fn waiting_calls_go_on_at_once_with_a_new_ticket_although_the_service_asked_for_a_wait() {
    for keeps in BOTH {
        let mut sim = simulate(with_ticket(), keeps, |number, _, request| {
            if request.uri().path().ends_with(APP_TOKEN) && number == 1 {
                after(millis(50), limited("45"))
            } else {
                after(millis(100), granted("t-1", 7200))
            }
        });
        let tasks = [ONE, OTHER, ONE, OTHER].map(|key| sim.start(call_for(key).boxed()));
        sim.run_until(secs(1));
        sim.session.set_app_ticket(ticket("another"));
        sim.wake();
        sim.run();
        assert!(tasks.iter().all(|&task| sim.result(task).is_ok()));
        assert!(tasks.iter().all(|&task| sim.took(task) == millis(1300)));
        assert_eq!(asked(&sim), [2, 2, 0]);
    }
}

/// The event with the ticket may arrive before the answer to the request for it.
#[test]
fn a_ticket_that_arrives_while_it_is_asked_for_is_used_at_once() {
    let reactions: [fn() -> Reaction<'static>; 6] = [
        || after(secs(2), granted("t-1", 7200)),
        || after(secs(2), refusal(200, Code::TICKET_RESEND_FAILED.0)),
        || after(secs(2), limited("45")),
        || after(secs(2), limited("3600")),
        || cut(secs(2), 0),
        hangs,
    ];
    for keeps in BOTH {
        for reaction in reactions {
            let mut sim = simulate(store(), keeps, move |_, _, request| {
                if request.uri().path().ends_with(RESEND) {
                    reaction()
                } else {
                    after(millis(100), granted("t-1", 7200))
                }
            });
            let tasks = [ONE, OTHER, ONE, OTHER].map(|key| sim.start(call_for(key).boxed()));
            sim.run_until(secs(1));
            sim.session.set_app_ticket(ticket("ticket"));
            sim.wake();
            sim.run();
            for &task in &tasks {
                assert!(sim.result(task).is_ok(), "{:?}", sim.result(task));
                // Without a kept exchange, the call that sent the request waits for the answer.
                let is_driver = !keeps && task == 0;
                assert!(is_driver || sim.took(task) == millis(1300), "{:?}", sim.took(task));
            }
            assert_eq!(asked(&sim), [1, 2, 1]);
            sim.run_until(secs(100));
            assert!(sim.session.is_idle());
        }
    }
}

#[test]
fn a_newer_ticket_outlives_the_refusal_of_the_old_one() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        lark.borrow_mut().renew_app_ticket();
        let task = sim.start(call_for(ONE).boxed());
        sim.run_until(millis(50));
        push_ticket(&mut sim, &lark);
        sim.run();
        assert!(sim.result(task).is_ok());
        assert_eq!(sim.took(task), millis(400));
        assert_eq!(asked(&sim), [2, 1, 0]);
    }
}

#[test]
fn each_refused_ticket_is_dropped_and_asked_for_once() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(store(), keeps, &lark);
        for round in 1..4 {
            push_ticket(&mut sim, &lark);
            lark.borrow_mut().renew_app_ticket();
            for _ in 0..3 {
                assert!(lacks_ticket(sim.finish(call_for(ONE))));
                assert_eq!(asked(&sim), [round, 0, round]);
            }
        }
        push_ticket(&mut sim, &lark);
        assert!(sim.finish(call_for(ONE)).is_ok());
    }
}

#[test]
fn the_apps_token_is_used_although_its_ticket_was_renewed() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        assert!(sim.finish(call_for(ONE)).is_ok());
        lark.borrow_mut().renew_app_ticket();
        lark.borrow_mut().add_tenant(OTHER);
        assert!(sim.finish(call_for(OTHER)).is_ok());
    }
}

#[test]
fn a_ticket_that_is_refused_in_a_renewal_leaves_the_old_app_token_in_use() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(with_ticket(), keeps, &lark);
        assert!(sim.finish(call_for(ONE)).is_ok());
        lark.borrow_mut().renew_app_ticket();
        lark.borrow_mut().add_tenant(OTHER);
        sim.run_until(secs(6000));
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim), [2, 2, 1]);
        sim.run_until(secs(6061));
        assert!(sim.finish(call_for(OTHER)).is_ok());
        assert_eq!(asked(&sim), [2, 3, 1], "the ticket is requested once");
        push_ticket(&mut sim, &lark);
        sim.run_until(secs(6122));
        lark.borrow_mut().revoke_tokens(TokenKind::Tenant);
        assert!(sim.finish(call_for(ONE)).is_ok());
        assert_eq!(asked(&sim)[0], 3, "the app's token is renewed with the new ticket");
    }
}

#[test]
fn a_refusal_to_push_the_ticket_ends_every_call_until_a_ticket_arrives() {
    for keeps in BOTH {
        let lark = RefCell::new(FakeLark::new());
        let mut sim = with_fake(store(), keeps, &lark);
        let status = http::StatusCode::OK;
        let fault = Fault::Code { status, code: 10_016, msg: "app resend fail".into() };
        lark.borrow_mut().fail_next_on(Route::ResendAppTicket, fault);
        for _ in 0..2 {
            let result = sim.finish(call_for(ONE));
            assert_eq!(code(result), Some(Code::TICKET_RESEND_FAILED));
            assert_eq!(result.as_ref().unwrap_err().route, Route::ResendAppTicket.path());
        }
        assert_eq!(asked(&sim), [0, 0, 1]);
        push_ticket(&mut sim, &lark);
        assert!(sim.finish(call_for(ONE)).is_ok());
    }
}

/// A call is started each second and dropped after half a second. A ticket is requested once in five minutes.
#[test]
fn the_calls_after_a_dropped_one_do_not_ask_for_the_ticket_again() {
    for keeps in BOTH {
        let mut sim = simulate(store(), keeps, |_, _, _| after(millis(100), granted("t-1", 1)));
        for second in 0..290 {
            let task = sim.start_at(secs(second), call_for(ONE).with_limits(patient(600)).boxed());
            sim.drop_at(secs(second) + millis(500), task);
        }
        sim.run_until(secs(300));
        let resends: Vec<Duration> = sim.sent.iter().map(|sent| sent.at).collect();
        assert_eq!(resends, [secs(0)]);
    }
}
