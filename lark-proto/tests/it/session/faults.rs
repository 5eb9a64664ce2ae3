//! Token requests with random faults: the session forgets no waiting call, and every call ends in time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use lark_proto::error::Code;
use lark_proto::{ImageKey, Limits};

use crate::fixtures::{
    ONE, OTHER, RESET, call, call_for, custom, exported, granted, limited, millis, page, refusal,
    secs, store, success, tenant, ticket, with_ticket,
};
use crate::sim::{Random, Reaction, Sim, State, after, cut, hangs};

/// The conditions that the next request for a custom app's token has to keep.
#[derive(Default)]
struct Conditions {
    /// The time of the request that has no answer yet.
    asked: Cell<Option<Duration>>,
    /// The end of the wait that the service asked for.
    not_before: Cell<Duration>,
}

impl Conditions {
    fn request(&self, now: Duration) {
        assert!(
            self.asked.get().is_none_or(|at| now >= at + secs(60)),
            "a second request is sent at {now:?}"
        );
        assert!(now >= self.not_before.get(), "a request is sent too early, at {now:?}");
        self.asked.set(Some(now));
    }

    /// The same reaction, which updates these conditions when its answer arrives.
    fn reaction<'w>(&'w self, asked: Duration, reaction: Reaction<'w>) -> Reaction<'w> {
        let Reaction { after, outcome } = reaction;
        let outcome = move |now| {
            let answer = outcome(now);
            if self.asked.get() == Some(asked) {
                self.asked.set(None);
                let reply = answer.as_ref().ok();
                let named = reply.and_then(|reply| reply.headers().get(RESET));
                let named = named.map_or(0, |wait| wait.to_str().unwrap().parse().unwrap());
                self.not_before.set(now + secs(named.min(120)));
            }
            answer
        };
        Reaction { after, outcome: Box::new(outcome) }
    }
}

/// The service works from this time on.
const GOOD: Duration = secs(60);
/// Every call has ended by this time: a minute after the faults for a request that hangs, two minutes for a requested
/// wait, and twenty seconds for the other steps.
const DONE: Duration = secs(60 + 61 + 120 + 20);

fn answer(random: &mut Random, now: Duration) -> Reaction<'static> {
    let time = millis(10 * 8_u64.pow(u32::try_from(random.below(4)).unwrap()));
    let token = format!("t-{}", now.as_millis());
    if now >= GOOD {
        return after(time, granted(&token, 7200));
    }
    match random.below(12) {
        0 => hangs(),
        1 => cut(time, 0),
        2 => after(time, page(500)),
        3 => after(time, limited(&random.below(50).to_string())),
        4 => after(time, limited(&(1 + random.below(200)).to_string())),
        5 => after(time, refusal(400, Code::APP_SECRET_INVALID.0)),
        6 => after(time, refusal(400, Code::APP_TOKEN_INVALID.0)),
        7 => after(time, refusal(200, Code::APP_TOKEN_FAILED.0)),
        // The token is due for renewal after its first minute, or expires soon.
        8 => after(time, granted(&token, random.below(80))),
        _ => after(time, granted(&token, 7200)),
    }
}

/// Steps the waiting calls that were not woken, and checks that none of them sends a request before its wait is over.
fn assert_no_call_is_forgotten(sim: &mut Sim<'_, ImageKey>, seed: u64) {
    for task in 0..sim.tasks.len() {
        if !matches!(sim.tasks[task].state, State::Waiting(until) if until > sim.now) {
            continue;
        }
        let sent = sim.sent.len();
        sim.step(task);
        assert!(
            sim.sent.len() == sent,
            "seed {seed}: call {task} sends at {:?} and was not woken",
            sim.now
        );
    }
}

fn schedule(seed: u64) {
    let random = RefCell::new(Random(seed));
    let below = |limit| random.borrow_mut().below(limit);
    let is_store = below(2) == 0;
    let keeps = below(2) == 0;
    let session = match (is_store, below(2)) {
        (false, _) => custom(),
        (true, 0) => store(),
        (true, _) => with_ticket(),
    };
    // A transport that does not keep exchanges reports no answer to a dropped request.
    let conditions = Conditions::default();
    let is_watched = keeps && !is_store;
    let mut sim: Sim<'_, ImageKey> = Sim::new(session, |now, request| {
        let random = &mut random.borrow_mut();
        if request.uri().path().contains("/auth/") {
            let reaction = answer(random, now);
            if !is_watched {
                return reaction;
            }
            conditions.request(now);
            return conditions.reaction(now, reaction);
        }
        let time = millis(random.below(3000));
        match random.below(4) {
            0 if now < GOOD => after(time, refusal(400, Code::TENANT_TOKEN_INVALID.0)),
            1 if now < GOOD => after(time, refusal(400, Code::APP_TOKEN_INVALID.0)),
            _ => after(time, success()),
        }
    });
    sim = sim.keeping(keeps);
    let start = |sim: &mut Sim<'_, ImageKey>, at: Duration| {
        let key = if below(2) == 0 { ONE } else { OTHER };
        let call = if is_store { call_for(key) } else { call() };
        let limits = match below(3) {
            0 => Limits::default(),
            1 => Limits::default().total(millis(below(20_000))),
            _ => Limits::one_attempt().longest_wait(secs(below(200))),
        };
        let task = sim.start_at(at, call.with_limits(limits).with_jitter(below(u64::MAX)).boxed());
        if below(4) == 0 {
            sim.drop_at(at + millis(below(10_000)), task);
        }
    };
    let mut now = Duration::ZERO;
    while now < GOOD {
        for _ in 0..below(6) {
            start(&mut sim, now + millis(below(1000)));
        }
        now += millis(below(3000));
        // The events are at whole milliseconds, and this time is between two of them.
        sim.run_until(now + Duration::from_micros(500));
        assert_no_call_is_forgotten(&mut sim, seed);
        match below(30) {
            0 if is_store => sim.session.set_app_ticket(ticket("another")),
            1 => {
                let session = if is_store { with_ticket() } else { custom() };
                let text = exported(session, sim.clock(), "t-9", 60 + below(200));
                let key = is_store.then(|| tenant(ONE));
                conditions.not_before.set(Duration::ZERO);
                let _refused =
                    sim.session.import_token(sim.clock(), sim.clock(), key.as_ref(), &text);
            }
            _ => {}
        }
        sim.wake();
    }
    sim.run_until(GOOD.max(now) + millis(1));
    if is_store {
        sim.session.set_app_ticket(ticket("last"));
        sim.wake();
    }
    sim.run_until(DONE.max(now));
    for (at, task) in sim.tasks.iter().enumerate() {
        let is_over = matches!(task.state, State::Done(_) | State::Dropped);
        assert!(is_over, "seed {seed}: call {at}, started at {:?}, has not ended", task.started);
    }
    // A call that is started now succeeds.
    let call = if is_store { call_for(ONE) } else { call() };
    let result = sim.finish(call);
    assert!(result.is_ok(), "seed {seed}: {result:?}");
    sim.run_until(sim.now + secs(70));
    assert!(sim.session.is_idle(), "seed {seed}");
}

#[test]
fn every_call_ends_soon_after_the_service_works_again() {
    let schedules = option_env!("SCHEDULES").and_then(|text| text.parse().ok());
    for seed in 0..schedules.unwrap_or(100) {
        schedule(seed);
    }
}
