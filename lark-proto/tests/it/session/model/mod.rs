//! A model of the session, which checks its rules after every step of random schedules of calls, replies, broken
//! connections, dropped calls and set clocks.
//!
//! `work` has the requests of the calls, `execution` executes a schedule, and `ledger` is the model's account of the
//! session's tokens and gates. `explorer` searches every schedule of small worlds. `regressions` has schedules in which
//! the model found a fault, `soak` long ones.

mod execution;
mod explorer;
mod ledger;
mod regressions;
mod soak;
mod work;

use std::time::Duration;

use http::{Response, StatusCode};
use lark_proto::fake::{Fault, Route, TokenKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngAlgorithm;

use execution::{Execution, Setup, State};
use ledger::{ODD_APP, ODD_TENANT};
use work::{Account, Bounds, Kind, Plan, Work};

/// The next action of a schedule. The first number chooses one of the calls or kept token requests for which the action
/// is possible; in `Busy` it is a spreadsheet, in `RevokeHeld` and `Import` a tenant, and in `SetClock` the seconds.
#[derive(Clone, Debug)]
enum Action {
    Start,
    Step(usize),
    Poke(usize),
    Deliver(usize),
    DeliverKept(usize),
    CutKept(usize),
    /// Breaks the connection of a call after a number of eighths of the body.
    Cut(usize, usize, bool, bool),
    Drop(usize, bool),
    Freeze(usize),
    Thaw,
    Reap,
    Pass(Duration),
    PassToNext,
    SetClock(i64),
    Fail(Route, Fault),
    Busy(usize, Duration, i64, Option<u64>),
    Revoke(TokenKind),
    RevokeHeld(usize),
    RenewTicket,
    SetTicket(bool),
    Import(usize, u64, bool),
    Settle,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    let at = 0_usize..8;
    let sheet = 0_usize..3;
    let seconds = prop_oneof![
        4 => 0_u64..3,
        4 => 3_u64..130,
        1 => select(vec![299, 300, 301, 601]),
        2 => select(vec![1500, 1799, 1800, 5399, 5400, 5460, 7199, 7200, 20_000]),
    ];
    let time = seconds.prop_map(Duration::from_secs);
    let time = prop_oneof![3 => time, 2 => (0_u64..2000).prop_map(Duration::from_millis)];
    let year = 31_557_600_i64;
    let clock = prop_oneof![
        4 => -20_000_i64..20_000,
        2 => -10_i64..10,
        1 => select(vec![-70 * year, -year, year, 30 * year]),
    ];
    let busy = (
        sheet,
        (1_u64..200).prop_map(Duration::from_secs),
        select(vec![90_217, 90_228, 90_235, 90_242, 1_310_217]),
        prop_oneof![3 => Just(None), 1 => (1_u64..100).prop_map(Some)],
    );
    let calls = prop_oneof![
        8 => Just(Start),
        14 => at.clone().prop_map(Step),
        2 => at.clone().prop_map(Poke),
        10 => at.clone().prop_map(Deliver),
        2 => at.clone().prop_map(DeliverKept),
        1 => at.clone().prop_map(CutKept),
        3 => (at.clone(), 0_usize..9, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(at, part, is_later, is_permanent)| Cut(at, part, is_later, is_permanent)),
        3 => (at.clone(), any::<bool>()).prop_map(|(at, is_whole)| Drop(at, is_whole)),
        1 => at.prop_map(Freeze),
        1 => Just(Thaw),
        6 => Just(Settle),
    ];
    let others = prop_oneof![
        2 => Just(Reap),
        7 => time.prop_map(Pass),
        6 => Just(PassToNext),
        1 => clock.prop_map(SetClock),
        8 => failure().prop_map(|(route, fault)| Fail(route, fault)),
        1 => busy.prop_map(|(sheet, time, code, after)| Busy(sheet, time, code, after)),
        1 => select(vec![TokenKind::Tenant, TokenKind::App]).prop_map(Revoke),
        1 => (0_usize..2).prop_map(RevokeHeld),
        1 => prop_oneof![Just(RenewTicket), any::<bool>().prop_map(SetTicket)],
        1 => (0_usize..2, select(vec![30, 100, 1000, 1800, 7200]), any::<bool>())
            .prop_map(|(tenant, life, is_old)| Import(tenant, life, is_old)),
    ];
    prop_oneof![5 => calls, 3 => others]
}

fn failure() -> impl Strategy<Value = (Route, Fault)> {
    let fault = |status: u16, code| Fault::Code {
        status: StatusCode::from_u16(status).unwrap(),
        code,
        msg: "no".into(),
    };
    let tokens = vec![
        Route::TenantAccessToken,
        Route::TenantAccessToken,
        Route::StoreTenantAccessToken,
        Route::AppAccessToken,
        Route::ResendAppTicket,
    ];
    let of_token =
        select(vec![(200, 10_012), (200, 10_013), (400, 10_014), (400, 99_991_664), (503, 42)]);
    let own = vec![Route::ImageV4Put, Route::ImV1Images, Route::ValuesImage, Route::ValuesImage];
    let of_own = select(vec![
        (400, 99_991_663),
        (200, 99_991_663),
        (400, 99_991_664),
        (200, 99_991_665),
        (200, 90_217),
        (429, 90_235),
        (200, 2200),
        (500, 2200),
        (429, 2200),
        (400, 230_020),
        (400, 99_991_672),
        (503, 42),
        (408, 42),
    ]);
    prop_oneof![
        2 => (select(tokens.clone()), of_token)
            .prop_map(move |(route, (status, code))| (route, fault(status, code))),
        3 => (select(own.clone()), of_own)
            .prop_map(move |(route, (status, code))| (route, fault(status, code))),
        2 => (select(tokens.clone()), any_fault()),
        2 => (select(own), any_fault()),
        2 => (select(tokens), odd_grant()).prop_map(|(route, fault)| (route, fault)),
    ]
}

/// A fault that is possible on any route.
fn any_fault() -> impl Strategy<Value = Fault> {
    let status = |status: u16| StatusCode::from_u16(status).unwrap();
    let reset =
        select(vec!["", "0", "1", "2.5", "10", "30", "90", "130", "-1", "NaN", "1e300", "soon"]);
    let wait = (select(vec![429_u16, 503, 504, 408]), 0_u64..130);
    prop_oneof![
        3 => (select(vec![200_u16, 400, 429]), reset).prop_map(move |(of, reset)| {
            let reset = (!reset.is_empty()).then(|| reset.to_owned());
            Fault::RateLimited { status: status(of), reset }
        }),
        2 => wait.prop_map(move |(of, wait)| {
            let reply = Response::builder().status(of).header("retry-after", wait);
            Fault::from(reply.body("<html>".into()).unwrap())
        }),
        2 => select(vec![400_u16, 500, 502, 503, 504]).prop_map(move |of| Fault::EdgeHtml(status(of))),
        1 => Just(Fault::PlainNotFound),
        1 => Just(Fault::TruncatedJson),
    ]
}

fn odd_grant() -> impl Strategy<Value = Fault> {
    let expires =
        vec!["0", "-1", "1", "90", "1799", "9223372036854775808", "1e300", "null", "\"x\""];
    select(expires).prop_map(|expire| {
        let reply = format!(
            r#"{{"code":0,"tenant_access_token":"{ODD_TENANT}","app_access_token":"{ODD_APP}","expire":{expire}}}"#
        );
        Fault::from(Response::new(reply.into()))
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let seconds = |range| Strategy::prop_map(range, Duration::from_secs);
    let odd = (0_u32..5, 1_u64..200, seconds(0_u64..70), seconds(0_u64..130)).prop_map(
        |(attempts, total, longest_wait, busy)| {
            let total = (total < 150).then(|| Duration::from_secs(total));
            Bounds { attempts, total, longest_wait, busy }
        },
    );
    prop_oneof![
        3 => Just(Bounds::DEFAULT),
        1 => Just(Bounds { attempts: 1, ..Bounds::DEFAULT }),
        1 => Just(Bounds { longest_wait: Duration::from_secs(180), ..Bounds::DEFAULT }),
        2 => odd,
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let quota = prop_oneof![2 => Just(None), 1 => (1_usize..3, 2_usize..5).prop_map(Some)];
    let store = (any::<bool>(), prop::bool::weighted(0.7));
    (store, any::<bool>(), quota, 0_u64..4, any::<u64>()).prop_map(
        |((is_store, has_ticket), keeps, quota, pokes, seed)| {
            let pokes = [1, 1, 4, 0][usize::try_from(pokes).unwrap()];
            Setup { is_store, has_ticket, keeps, quota, pokes, reads_texts: true, seed }
        },
    )
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let kind = prop_oneof![
        2 => Just(Kind::Put),
        2 => Just(Kind::Once),
        4 => prop_oneof![3 => Just(0_usize), 1 => 0_usize..3].prop_map(Kind::Write),
    ];
    let account = prop_oneof![
        4 => prop_oneof![3 => Just(0_usize), 1 => 0_usize..2].prop_map(Account::Own),
        1 => (0_usize..2).prop_map(Account::User),
    ];
    vec(
        (kind, account, bounds()).prop_map(|(kind, account, bounds)| Plan {
            kind,
            account,
            bounds,
        }),
        1..10,
    )
}

/// The plan with an account that the setup has.
fn fit(setup: Setup, plan: Plan) -> Plan {
    let account = match (plan.account, plan.kind) {
        (Account::User(user), Kind::Write(_)) => Account::User(user),
        (Account::Own(tenant) | Account::User(tenant), _) if setup.is_store => Account::Own(tenant),
        _ => Account::Own(0),
    };
    Plan { account, ..plan }
}

fn run(setup: Setup, plans: &[Plan], actions: &[Action]) {
    let works = plans.iter().enumerate();
    let works: Vec<Work> = works.map(|(at, plan)| Work::new(at, fit(setup, *plan))).collect();
    let fresh = execution::fresh(setup, 100);
    let probe = Work::new(200, fit(setup, Plan { kind: Kind::Put, ..plans[0] }));
    let mut waiting = works.iter();
    let mut execution = Execution::new(setup);
    for action in actions {
        perform(&mut execution, &mut waiting, action);
        execution.poke();
    }
    for work in waiting {
        execution.start(work);
    }
    execution.finish(&fresh, &probe);
}

fn pick(of: &[usize], at: usize) -> Option<usize> {
    of.get(at % of.len().max(1)).copied()
}

fn perform<'w>(
    execution: &mut Execution<'w>,
    waiting: &mut impl Iterator<Item = &'w Work>,
    action: &Action,
) {
    use Action::*;
    let ready = |execution: &Execution<'_>| execution.polled(|it| matches!(it, State::Ready));
    let flying =
        |execution: &Execution<'_>| execution.polled(|it| matches!(it, State::InFlight(_)));
    let kept = execution.kept.len();
    match action {
        Start => {
            if let Some(work) = waiting.next() {
                let at = execution.start(work);
                execution.step(at);
            }
        }
        Step(at) => {
            if let Some(at) = pick(&ready(execution), *at) {
                execution.step(at);
            }
        }
        Poke(at) => {
            if let Some(at) = pick(&execution.polled(|it| matches!(it, State::Waiting(_))), *at) {
                execution.poke_call(at);
            }
        }
        Deliver(at) => {
            if let Some(at) = pick(&flying(execution), *at) {
                execution.deliver(at);
            }
        }
        DeliverKept(at) if kept > 0 => execution.deliver_kept(at % kept),
        CutKept(at) if kept > 0 => execution.cut_kept(at % kept),
        DeliverKept(_) | CutKept(_) => {}
        Cut(at, eighths, is_later, is_permanent) => {
            if let Some(at) = pick(&flying(execution), *at) {
                execution.cut(at, *eighths, *is_later, *is_permanent);
            }
        }
        Drop(at, is_whole) => {
            if let Some(at) = pick(&execution.live, *at) {
                execution.drop_call(at, *is_whole);
            }
        }
        Freeze(at) => {
            if let Some(at) = pick(&execution.live, *at) {
                execution.tasks[at].is_frozen = true;
            }
        }
        Thaw => execution.thaw(),
        Reap => execution.reap(),
        Pass(time) => execution.pass(*time),
        PassToNext => execution.pass_to_next(),
        SetClock(seconds) => execution.set_clock(*seconds),
        Fail(route, fault) => execution.fail(*route, fault.clone()),
        Busy(sheet, time, code, after) => execution.busy(*sheet, *time, *code, *after),
        Revoke(kind) => execution.revoke(*kind),
        RevokeHeld(tenant) => execution.revoke_held(*tenant),
        RenewTicket => execution.lark.renew_app_ticket(),
        SetTicket(is_latest) => execution.set_ticket(*is_latest),
        Import(tenant, life, is_old) => execution.import(*tenant, *life, *is_old),
        Settle => execution.settle(),
    }
}

/// 1,024 schedules, or the number in the environment variable `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if config.cases == 256 { 1024 } else { config.cases };
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        // The default generator takes a third of the time of a test that is not optimised.
        rng_algorithm: RngAlgorithm::XorShift,
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_schedule_keeps_the_rules(
        setup in setup(),
        plans in plans(),
        actions in vec(action(), 0..120),
    ) {
        run(setup, &plans, &actions);
    }
}
