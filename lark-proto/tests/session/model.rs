//! Any schedule of calls, replies, broken connections, cancellations and clocks: what must not be never is, and
//! every call ends.

use std::time::Duration;

use http::{Response, StatusCode};
use lark_proto::Limits;
use lark_proto::fake::{Fault, Route, TokenKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::work::{Work, limits};
use crate::world::{Flight, State, World};

/// What happens next; a number chooses among those to whom it can happen.
#[derive(Clone, Debug)]
enum Event {
    Start,
    Step(usize),
    /// Steps one that is parked, as an adapter may at any time.
    Poke(usize),
    Deliver(usize),
    /// With so many of 8 parts of the body pulled.
    Cut(usize, usize),
    Cancel(usize),
    Pass(Duration),
    /// The client's clock is set.
    SetBack(u64),
    SetForward(u64),
    Fail(Route, Fault),
    Revoke,
    /// All who can step do.
    Settle,
}

fn event() -> impl Strategy<Value = Event> {
    let at = 0_usize..8;
    let seconds = prop_oneof![
        4 => 0_u64..3,
        3 => 3_u64..120,
        2 => select(vec![1500, 1799, 1800, 5399, 5400, 5460, 7199, 7200]),
    ];
    let time = seconds.prop_map(Duration::from_secs);
    let time = prop_oneof![4 => time, 1 => (0_u64..2000).prop_map(Duration::from_millis)];
    prop_oneof![
        6 => Just(Event::Start),
        12 => at.clone().prop_map(Event::Step),
        2 => at.clone().prop_map(Event::Poke),
        8 => at.clone().prop_map(Event::Deliver),
        2 => (at.clone(), 0_usize..9).prop_map(|(at, part)| Event::Cut(at, part)),
        1 => at.prop_map(Event::Cancel),
        5 => time.prop_map(Event::Pass),
        1 => (1_u64..20_000).prop_map(Event::SetBack),
        1 => (1_u64..4000).prop_map(Event::SetForward),
        4 => failure().prop_map(|(route, failure)| Event::Fail(route, failure)),
        1 => Just(Event::Revoke),
        4 => Just(Event::Settle),
    ]
}

fn failure() -> impl Strategy<Value = (Route, Fault)> {
    let route = select(vec![
        Route::TenantAccessToken,
        Route::ImageV4Put,
        Route::ImV1Images,
        Route::ValuesImage,
        Route::ValuesImage,
    ]);
    let status =
        select(vec![200_u16, 400, 401, 429, 500]).prop_map(|it| StatusCode::from_u16(it).unwrap());
    let code = select(vec![
        99_991_663, 99_991_663, 99_991_664, 99_991_665, 90_217, 90_235, 2200, 99_991_672, 10_014,
    ]);
    let reset =
        select(RESETS.to_vec()).prop_map(|reset| (!reset.is_empty()).then(|| reset.to_owned()));
    let expire = select(vec!["0", "-1", "1", "1799", "9223372036854775808", "null", "\"x\""]);
    let failure = prop_oneof![
        5 => (status.clone(), code)
            .prop_map(|(status, code)| Fault::Code { status, code, msg: "no".into() }),
        3 => (status, reset).prop_map(|(status, reset)| Fault::RateLimited { status, reset }),
        1 => Just(Fault::EdgeHtml(StatusCode::BAD_GATEWAY)),
        1 => Just(Fault::EdgeHtml(StatusCode::BAD_REQUEST)),
        1 => Just(Fault::PlainNotFound),
        1 => Just(Fault::TruncatedJson),
    ];
    prop_oneof![
        6 => (route, failure),
        1 => expire.prop_map(|expire| (Route::TenantAccessToken, odd_grant(expire))),
    ]
}

/// What `x-ogw-ratelimit-reset` may say.
const RESETS: [&str; 10] = ["", "0", "1", "2.5", "30", "-1", "NaN", "1e300", "soon", "90"];

/// The token that [`odd_grant`] gives.
const ODD: &str = "t-odd";

fn odd_grant(expire: &str) -> Fault {
    let reply = format!(r#"{{"code":0,"tenant_access_token":"{ODD}","expire":{expire}}}"#);
    Fault::Reply(Response::new(reply.into()))
}

fn work() -> impl Strategy<Value = Vec<(u8, usize, Limits)>> {
    let bounds = prop_oneof![
        3 => Just(Limits::default()),
        1 => Just(Limits::none()),
        1 => (1_u32..4, 1_u64..100, 0_u64..60).prop_map(|(attempts, total, longest)| {
            limits(attempts, total, longest)
        }),
    ];
    vec((0_u8..4, 0_usize..2, bounds), 1..9)
}

/// One of the live calls in such a state.
fn pick(world: &World<'_>, at: usize, state: impl Fn(&State) -> bool) -> Option<usize> {
    let of = world.having(state);
    of.get(at % of.len().max(1)).copied()
}

fn run(plans: &[(u8, usize, Limits)], events: &[Event]) {
    let works: Vec<Work> = (0..)
        .zip(plans)
        .map(|(number, (kind, sheet, _))| match kind {
            0 => Work::put(number),
            1 => Work::once(number),
            _ => Work::write(number, *sheet),
        })
        .collect();
    let mut waiting = works.iter().zip(plans);
    let mut world = World::new();
    let far = world.real + Duration::from_secs(1_000_000);
    world.lark.add_token(TokenKind::Tenant, ODD, far);
    for event in events {
        match event {
            Event::Start => {
                if let Some((work, (_, _, limits))) = waiting.next() {
                    world.start(work, *limits);
                }
            }
            Event::Step(at) => {
                if let Some(at) = pick(&world, *at, |it| matches!(it, State::Ready)) {
                    world.step(at);
                }
            }
            Event::Poke(at) => {
                if let Some(at) = pick(&world, *at, |it| matches!(it, State::Parked(_))) {
                    world.step(at);
                }
            }
            Event::Deliver(at) => {
                if let Some(at) = pick(&world, *at, |it| matches!(it, State::InFlight(_))) {
                    world.deliver(at);
                }
            }
            Event::Cut(at, part) => {
                if let Some(at) = pick(&world, *at, |it| matches!(it, State::InFlight(_))) {
                    let len = world.flight(at).map_or(0, Flight::len);
                    world.cut(at, len * part / 8);
                }
            }
            Event::Cancel(at) => {
                if let Some(at) = pick(&world, *at, |_| true) {
                    world.cancel(at);
                }
            }
            Event::Pass(time) => world.pass(*time),
            Event::SetBack(seconds) => world.clock -= Duration::from_secs(*seconds),
            Event::SetForward(seconds) => world.clock += Duration::from_secs(*seconds),
            Event::Fail(route, failure) => world.lark.fail_next_on(*route, failure.clone()),
            Event::Revoke => world.revoke(),
            Event::Settle => world.settle(),
        }
    }
    for (work, (_, _, limits)) in waiting {
        world.start(work, *limits);
    }
    world.run();
    world.assert_stored();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule(plans in work(), events in vec(event(), 0..100)) {
        run(&plans, &events);
    }
}
