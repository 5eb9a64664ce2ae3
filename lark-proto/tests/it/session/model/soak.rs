//! Days of calls on the virtual clock: no call is lost, no request that is not idempotent is carried out twice, and the
//! session keeps no entry for ever.

use std::time::Duration;

use http::StatusCode;
use lark_proto::fake::{Fault, Route, TokenKind};

use super::execution::{Execution, Setup, State, fresh};
use super::work::{Account, Bounds, Kind, Plan, Work};
use crate::sim::Random;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn failure(random: &mut Random, setup: Setup) -> (Route, Fault) {
    let tokens =
        if setup.is_store { Route::StoreTenantAccessToken } else { Route::TenantAccessToken };
    let route = match random.below(8) {
        0 => tokens,
        1 | 2 => Route::ImageV4Put,
        3 => Route::ImV1Images,
        4 if setup.is_store => Route::AppAccessToken,
        _ => Route::ValuesImage,
    };
    let code = |status, code| Fault::Code { status, code, msg: "no".into() };
    let reset = (1 + random.below(20)).to_string();
    let fault = match random.below(9) {
        0 | 1 => code(StatusCode::OK, 90_217),
        2 => code(StatusCode::OK, 90_235),
        3 => code(StatusCode::INTERNAL_SERVER_ERROR, 2200),
        4 => Fault::EdgeHtml(StatusCode::BAD_GATEWAY),
        5 => Fault::RateLimited { status: StatusCode::BAD_REQUEST, reset: None },
        6 => code(StatusCode::BAD_REQUEST, 99_991_663),
        _ => Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset: Some(reset) },
    };
    (route, fault)
}

/// Bursts of calls with random actions in random order, and pauses between the bursts.
fn soak(setup: Setup, calls: usize) {
    let works: Vec<Work> = (0..calls)
        .map(|number| {
            let kind = match number % 5 {
                0 | 1 => Kind::Put,
                2 => Kind::Once,
                _ => Kind::Write(number % 3),
            };
            let account = match (kind, setup.is_store) {
                (Kind::Write(_), _) if number % 4 == 0 => Account::User(number % 2),
                (_, true) => Account::Own(number % 2),
                _ => Account::Own(0),
            };
            Work::new(number, Plan { kind, account, bounds: Bounds::DEFAULT })
        })
        .collect();
    let fresh_calls = fresh(setup, calls);
    let probe = Work::new(2 * calls, Plan { kind: Kind::Put, ..works[0].plan });
    let mut random = Random(setup.seed);
    let mut execution = Execution::new(setup);
    let start = execution.real;
    let mut waiting = works.iter();
    while waiting.len() > 0 {
        let burst = 1 + usize::try_from(random.below(20)).unwrap();
        for work in waiting.by_ref().take(burst) {
            execution.start(work);
        }
        while !execution.live.is_empty() {
            let ready = execution.polled(|it| matches!(it, State::Ready));
            let flying = execution.polled(|it| matches!(it, State::InFlight(_)));
            let mut pick = |of: &[usize]| {
                let place =
                    usize::try_from(random.below(u64::try_from(of.len()).unwrap())).unwrap();
                of.get(place).copied()
            };
            let ready = pick(&ready);
            let flying = pick(&flying);
            let live = pick(&execution.live);
            match (random.below(100), ready, flying) {
                (0..=44, Some(at), _) => execution.step(at),
                (0..=84, _, Some(at)) => execution.deliver(at),
                (85..=86, _, Some(at)) => {
                    let eighths = usize::try_from(random.below(9)).unwrap();
                    execution.cut(at, eighths, random.below(2) == 0, false);
                }
                (87, ..) if random.below(10) == 0 => {
                    let Some(at) = live else { continue };
                    execution.drop_call(at, random.below(2) == 0);
                }
                (88..=89, ..) => {
                    let (route, fault) = failure(&mut random, setup);
                    execution.fail(route, fault);
                }
                (90, ..) if random.below(10) == 0 => execution.revoke(TokenKind::Tenant),
                (91, ..) if random.below(20) == 0 => {
                    let seconds = i64::try_from(random.below(7200)).unwrap();
                    execution.set_clock(-seconds);
                }
                (92, ..) => execution.reap(),
                (93..=94, ..) if !execution.kept.is_empty() => execution.deliver_kept(0),
                (95, ..) => execution.pass_to_next(),
                _ => execution.pass(Duration::from_millis(random.below(1500))),
            }
        }
        while !execution.kept.is_empty() {
            execution.deliver_kept(0);
        }
        assert!(execution.session.is_idle());
        execution.pass(Duration::from_secs(random.below(3600)));
    }
    let took = execution.real.duration_since(start).unwrap();
    assert!(took > 3 * DAY, "{took:?}");
    let is_ok = |state: &State| matches!(state, State::Done(Ok(_)));
    let is_dropped = |state: &State| matches!(state, State::Dropped);
    let count = |is: fn(&State) -> bool| execution.tasks.iter().filter(|it| is(&it.state)).count();
    let ok = count(is_ok);
    let dropped = count(is_dropped);
    // A request that is not idempotent ends with its first unknown outcome; the other calls succeed.
    assert!(ok > calls * 9 / 10, "{ok} of {calls} calls succeed, {dropped} are dropped");
    // The token lasts for two hours and is renewed in its last half hour.
    let fetches = execution.lark.count(Route::TenantAccessToken)
        + execution.lark.count(Route::StoreTenantAccessToken);
    assert!((40..1000).contains(&fetches), "{fetches} token requests");
    execution.finish(&fresh_calls, &probe);
}

#[test]
fn a_custom_app_keeps_the_rules_for_days() {
    let setup = Setup {
        is_store: false,
        has_ticket: false,
        keeps: false,
        quota: None,
        pokes: 30,
        reads_texts: true,
        seed: 20_261_122,
    };
    soak(setup, 2000);
}

#[test]
fn a_store_app_whose_adapter_keeps_token_requests_keeps_the_rules_for_days() {
    let setup = Setup {
        is_store: true,
        has_ticket: true,
        keeps: true,
        quota: None,
        pokes: 30,
        reads_texts: true,
        seed: 20_261_123,
    };
    soak(setup, 2000);
}
