//! Renewals of the app's token.

use std::time::Duration;

use http::StatusCode;
use lark_proto::ImageKey;
use lark_proto::fake::{Fault, Route};

use super::{asked, failure, lark, warm};
use crate::fixtures::{
    APP_TOKEN, BOTH, ONE, OTHER, call_for, exported, granted, millis, page, secs, simulate, tenant,
    with_ticket,
};
use crate::sim::{Reaction, Sim, after, clock, cut, hangs};

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
fn a_call_without_a_token_waits_for_the_renewal_of_the_app_token_that_it_drives() {
    let lark = lark();
    let mut sim = warm(true, &lark);
    sim.run_until(secs(6000));
    let mut call = call_for(OTHER);
    let renewal = sim.fetches(&mut call);
    sim.now += millis(500);
    assert_eq!(sim.waits(&mut call), millis(1500));
    sim.now += millis(1500);
    assert!(sim.fetches(&mut call) > renewal);
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
            assert_eq!(asked(&sim), [2, 3], "the renewal is not tried again at once");
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

/// A session whose tenant's token is due for renewal, and whose app token has expired; `app_token` answers the requests
/// for the next one.
fn with_an_expired_app_token<'w>(
    keeps: bool,
    app_token: impl Fn() -> Reaction<'w> + 'w,
) -> Sim<'w, ImageKey> {
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
fn a_renewal_that_needs_a_new_app_token_fails_no_call_and_is_tried_once_a_minute() {
    for keeps in BOTH {
        for app_token in [hangs, || after(millis(10), page(500)), || cut(millis(10), 0)] {
            let mut sim = with_an_expired_app_token(keeps, app_token);
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
            assert!(times.len() >= 2 && times.windows(2).all(is_rare), "{times:?}");
        }
    }
}

#[test]
fn a_call_with_a_valid_token_does_not_wait_for_the_apps_token_of_others() {
    for keeps in BOTH {
        let mut sim = with_an_expired_app_token(keeps, || after(secs(5), granted("t-2", 7200)));
        let other = sim.start(call_for(OTHER).boxed());
        let one = sim.start(call_for(ONE).boxed());
        sim.run();
        assert_eq!([sim.took(one), sim.took(other)], [millis(100), millis(5200)]);
    }
}

/// The renewal for `ONE` sends the request for the app's token, and `OTHER` waits for it.
#[test]
fn the_renewal_of_one_tenant_does_not_use_up_the_requests_of_another() {
    for keeps in BOTH {
        let mut sim = with_an_expired_app_token(keeps, || after(secs(3), granted("t-2", 7200)));
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

/// After a failed request the session wakes only the first two calls of the queue. Both are dropped while a call of
/// another tenant renews the app's token.
#[test]
fn a_dropped_call_wakes_the_next_one_during_a_renewal_of_the_apps_token() {
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
    sim.woken();
    one.cancel(&mut sim.session);
    two.cancel(&mut sim.session);
    assert!(sim.woken().contains(&three.id().unwrap()));
}

/// The adapter keeps the call's request for the app's token in flight, and the call waits for its tenant's renewal.
#[test]
fn a_call_that_renews_the_apps_token_is_woken_at_the_end_of_its_tenants_renewal() {
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
        sim.woken();
        match settles {
            "granted" => drop(sim.session.token_received(id, now, granted("t-2", 7200))),
            "failed" => drop(sim.session.token_received(id, now, page(500))),
            "dropped" => sim.session.token_dropped(id, now),
            _ => {
                let text = exported(with_ticket(), now, "t-2", 7200);
                sim.session.import_token(now, now, Some(&tenant(ONE)), &text).unwrap();
            }
        }
        assert!(sim.woken().contains(&renews.id().unwrap()), "{settles}");
        sim.sends(&mut renews);
    }
}
