//! Days of work in seconds: nothing is lost, and nothing is written twice that must not be.

use std::time::Duration;

use http::StatusCode;
use lark_proto::Limits;
use lark_proto::fake::{Fault, Route};

use crate::work::{Work, tally};
use crate::world::{State, World};

/// Splitmix64: the same days every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) % sides
    }

    fn pick(&mut self, of: &[usize]) -> Option<usize> {
        let at = usize::try_from(self.below(of.len().max(1) as u64)).ok()?;
        of.get(at).copied()
    }

    fn failure(&mut self) -> (Route, Fault) {
        let route = match self.below(7) {
            0 => Route::TenantAccessToken,
            1 | 2 => Route::ImageV4Put,
            3 => Route::ImV1Images,
            _ => Route::ValuesImage,
        };
        let code = |status, code| Fault::Code { status, code, msg: "no".into() };
        let reset = (1 + self.below(20)).to_string();
        let failure = match self.below(8) {
            0 | 1 => code(StatusCode::OK, 90_217),
            2 => code(StatusCode::OK, 90_235),
            3 => code(StatusCode::INTERNAL_SERVER_ERROR, 2200),
            4 => Fault::EdgeHtml(StatusCode::BAD_GATEWAY),
            5 => Fault::RateLimited { status: StatusCode::BAD_REQUEST, reset: None },
            _ => Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset: Some(reset) },
        };
        (route, failure)
    }
}

#[test]
fn five_days() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let works: Vec<Work> = (0..4000)
        .map(|number| match number % 5 {
            0 | 1 => Work::put(number),
            2 => Work::once(number),
            _ => Work::write(number, number),
        })
        .collect();
    let mut dice = Dice(20_261_122);
    let mut world = World::new();
    let start = world.real;
    let mut waiting = works.iter();
    let mut cancelled = 0;
    while waiting.len() > 0 {
        // A burst of calls, in which everything happens in any order, and then a pause.
        for work in waiting.by_ref().take(1 + usize::try_from(dice.below(15)).unwrap()) {
            world.start(work, Limits::default());
        }
        while !world.live.is_empty() {
            let ready = world.having(|it| matches!(it, State::Ready));
            let flying = world.having(|it| matches!(it, State::InFlight(_)));
            match dice.below(100) {
                0..=44 if !ready.is_empty() => world.step(dice.pick(&ready).unwrap()),
                0..=84 if !flying.is_empty() => world.deliver(dice.pick(&flying).unwrap()),
                85..=86 if !flying.is_empty() => {
                    let at = dice.pick(&flying).unwrap();
                    let len = world.flight(at).unwrap().len() as u64;
                    world.cut(at, usize::try_from(dice.below(len + 1)).unwrap());
                }
                87 if dice.below(20) == 0 => {
                    cancelled += 1;
                    world.cancel(dice.pick(&world.live).unwrap());
                }
                88..=89 => {
                    let (route, failure) = dice.failure();
                    world.lark.fail_next_on(route, failure);
                }
                90 if dice.below(10) == 0 => world.revoke(),
                91 if dice.below(20) == 0 => world.clock -= Duration::from_secs(dice.below(7200)),
                _ => world.pass(Duration::from_millis(dice.below(1500))),
            }
        }
        assert!(world.session.is_idle());
        world.pass_secs(dice.below(1800));
    }
    let took = world.real.duration_since(start).unwrap();
    assert!(took > 5 * DAY, "{took:?}");
    world.assert_stored();

    let results = world.tasks.iter().filter_map(|task| match &task.state {
        State::Done(result) => Some(result),
        _ => None,
    });
    let tally = tally(results);
    let ok = tally.get("ok").copied().unwrap_or(0);
    // What must not be repeated ends with its first failure; the rest gets through.
    let failed: usize = (tally.iter())
        .filter(|(kind, _)| *kind != "ok" && !kind.contains("im/v1/images"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(tally.values().sum::<usize>() + cancelled, works.len());
    assert!(ok > 3700 && failed < 60, "{tally:#?}");
    // Some eighty lives of two hours, less the half in which each is renewed, and those that were cut short.
    let fetches = world.lark.count(Route::TenantAccessToken);
    assert!((60..200).contains(&fetches), "{fetches} fetches");
}
