//! Every scenario with its call dropped after each of its polls: the other calls of the client end as they should.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::Future;
use std::iter::zip;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use lark_hyper::{CallError, Client, Transport};
use lark_proto::error::{CallErrorKind, Code};
use lark_proto::fake::Route;
use lark_proto::fake::scenarios::{self, Expected, Scenario, Target, Trouble};
use lark_proto::values::AppTicket;
use lark_proto::{Limits, Site};

use super::prepared;
use crate::support::pausing::Pausing;
use crate::support::pipe;
use crate::support::sim::{Sim, Task};

/// Those of tokens first.
const ROUTES: [Route; 11] = [
    Route::TenantAccessToken,
    Route::AppAccessToken,
    Route::StoreTenantAccessToken,
    Route::ResendAppTicket,
    Route::ImageV4Put,
    Route::ImV1Images,
    Route::ImV1Image,
    Route::ValuesImage,
    Route::Values,
    Route::AddDimension,
    Route::Messages,
];
const TOKEN_ROUTES: usize = 4;

/// When a call is dropped.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Right after this poll of its future.
    After(usize),
    /// When it is woken after this poll, while others have moved.
    Woken(usize),
}

const WHENS: [fn(usize) -> When; 2] = [When::After, When::Woken];

/// A future that is dropped before its end, unless that comes first.
struct Dropped<F> {
    future: Option<Pin<Box<F>>>,
    when: When,
    polls: usize,
}

impl<F: Future> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !matches!(this.when, When::Woken(polls) if polls == this.polls) {
            if let Poll::Ready(output) = this.future.as_mut().unwrap().as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            this.polls += 1;
            assert!(this.polls < 1000, "it spins");
            if !matches!(this.when, When::After(polls) if polls == this.polls) {
                return Poll::Pending;
            }
        }
        this.future = None;
        Poll::Ready(None)
    }
}

/// Makes the service that leads to a fake.
type Connect<S> = fn(&Pausing, &Sim) -> S;

/// All scenarios, each with what the other calls of its client do and how they end once the trouble is over.
fn pairs() -> Vec<[Scenario; 2]> {
    let all = scenarios::all().unwrap();
    let short = all
        .iter()
        .find(|scenario| scenario.name == "the second cell write uses the token of the first")
        .unwrap();
    let pair = |scenario: &Scenario| {
        let mut other = match scenario.call {
            // On the same spreadsheet.
            Target::WriteSheetImage(_) => short.clone(),
            _ => scenario.clone(),
        };
        if scenario.recovers {
            other.expected = Expected::Success;
        }
        [scenario.clone(), other]
    };
    // A reply that comes in hundreds of pieces adds only time. Where each call's own request is refused, the last reply
    // is not that of every call, as the check expects.
    let left_out = ["above 1 MiB", "another app's image"];
    let is_run = |scenario: &&Scenario| !left_out.iter().any(|part| scenario.name.contains(part));
    all.iter().filter(is_run).map(pair).collect()
}

/// A scenario that is prepared, and its client.
struct World<'a, S: Transport> {
    scenario: &'a Scenario,
    other: &'a Scenario,
    sim: Sim,
    pausing: Pausing,
    client: Client<S>,
}

impl<'a, S: Transport + Clone> World<'a, S> {
    fn new([scenario, other]: &'a [Scenario; 2], connect: Connect<S>, what: impl Debug) -> Self {
        let sim = Sim::new(&format!("{}, {what:?}", scenario.name));
        let pausing = Pausing::new(sim.time.clone());
        let (service, timer) = (connect(&pausing, &sim), sim.time.clone());
        let client = Client::with_service(Site::LARK, scenario.app.clone(), service, timer);
        let client = prepared(scenario, client);
        if let Some(ticket) = scenario.ticket.clone() {
            client.set_app_ticket(ticket);
        }
        if scenario.is_warm {
            sim.run(client.call(&scenario.call)).unwrap();
        }
        pausing.fake.with(|lark| scenario.prepare(lark));
        Self { scenario, other, sim, pausing, client }
    }

    /// The scenario's call; false if it was dropped. The trouble is over then.
    async fn call_dropped(&self, when: When) -> bool {
        let call = Box::pin(self.client.call(&self.scenario.call));
        let is_over = Dropped { future: Some(call), when, polls: 0 }.await.is_some();
        if !is_over {
            self.heal();
        }
        is_over
    }

    /// Another call, which has the patience for what it finds.
    async fn call_other(&self) -> Result<(), CallError<S::Error>> {
        let client = self.client.clone().with_limits(Limits::default());
        client.call(&self.other.call).await
    }

    /// Uses up every fault and break; what was revoked stays so.
    fn heal(&self) {
        let fake = &self.pausing.fake;
        for route in [ROUTES; 5].into_iter().flatten() {
            let head = Request::builder().method(route.method()).uri(route.path());
            let head = head.body(()).unwrap().into_parts().0;
            fake.with(|lark| {
                let flight = lark.begin(fake.now(), &head);
                lark.abandon(flight);
            });
        }
    }

    fn give_ticket(&self) {
        if self.scenario.ticket.is_some() || self.scenario.tenant.is_some() {
            let ticket = self.pausing.fake.with(|lark| AppTicket::new(lark.app_ticket()).unwrap());
            self.client.set_app_ticket(ticket);
        }
    }

    fn counts(&self) -> [usize; ROUTES.len()] {
        self.pausing.fake.with(|lark| ROUTES.map(|route| lark.count(route)))
    }

    /// What is wrong with the end of another call, in whatever number of requests.
    fn judge(&self, result: &Result<(), CallError<S::Error>>) -> Option<String> {
        let mut scenario = self.other.clone();
        scenario.requests = ROUTES.into_iter().zip(self.counts()).collect();
        let wrong = self.pausing.fake.with(|lark| scenario.check(result, lark).err());
        // A wait of an hour may have been named before the trouble was over, or not.
        if is_rate_limit(&scenario.expected) && result.is_ok() { None } else { wrong }
    }
}

fn is_rate_limit(expected: &Expected) -> bool {
    let Expected::Failure { trouble: Trouble::Refused { code, .. }, .. } = expected else {
        return false;
    };
    *code == Code::RATE_LIMITED
}

/// The call after the dropped one ends as it should. No token request is given up, and there are no more of them than
/// with two calls of which none is dropped.
fn check_next<S: Transport + Clone>(connect: Connect<S>) {
    let next = |world: &World<'_, S>| {
        world.give_ticket();
        let result = world.sim.run(world.call_other());
        world.judge(&result)
    };
    let mut wrong = Vec::new();
    for pair in pairs() {
        let healed = World::new(&pair, connect, "healed");
        healed.heal();
        next(&healed);
        let undisturbed = World::new(&pair, connect, "undisturbed");
        undisturbed.sim.run(undisturbed.call_dropped(When::After(usize::MAX)));
        next(&undisturbed);
        let needed = zip(healed.counts(), undisturbed.counts()).map(|(one, other)| one.max(other));
        let needed: Vec<usize> = needed.take(TOKEN_ROUTES).collect();
        for when in WHENS {
            for when in (1..).map(when) {
                let world = World::new(&pair, connect, when);
                if world.sim.run(world.call_dropped(when)) {
                    break;
                }
                let mut say = |what| wrong.push(format!("{}, {when:?}: {what}", pair[0].name));
                next(&world).map(&mut say);
                if zip(world.counts(), &needed).any(|(found, needed)| found > *needed) {
                    say(format!("{:?} requests, not {needed:?}", world.counts()));
                }
                if world.pausing.given_up().iter().any(|path| is_of_token(path)) {
                    say("a token request is given up".into());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_of_token(path: &str) -> bool {
    ROUTES.iter().take(TOKEN_ROUTES).any(|route| route.path() == path)
}

/// Of three calls at once, the `dropped` one is dropped; the others end as they should. They wait for its token, for
/// its lane or at its gate, or they are what it waits for.
fn check_others<S: Transport + Clone>(connect: Connect<S>, dropped: usize) {
    let wrong = RefCell::new(Vec::new());
    for pair in pairs() {
        let scenario = &pair[0];
        // Those ahead of the dropped call run into its trouble; and nobody brings a ticket.
        let waits_for_ticket =
            matches!(scenario.expected, Expected::Failure { trouble: Trouble::NoTicket, .. });
        let may_fail = dropped > 0 || waits_for_ticket;
        let is_upload = |path: &String| !is_of_token(path);
        for when in WHENS {
            for when in (1..).map(when) {
                let world = World::new(&pair, connect, when);
                let is_over = Cell::new(false);
                let was_met = Cell::new(None);
                let call = async |at| {
                    if at == dropped {
                        is_over.set(world.call_dropped(when).await);
                        return was_met.set(Some(world.pausing.begun().iter().any(is_upload)));
                    }
                    let result = world.call_other().await;
                    // A request that was sent before the call was dropped may have met the trouble.
                    let may_fail = may_fail || was_met.get().unwrap_or(true);
                    let what = match result {
                        Err(error)
                            if may_fail && !matches!(error.kind, CallErrorKind::Deadline) =>
                        {
                            None
                        }
                        result => world.judge(&result),
                    };
                    let what = what.map(|what| format!("{}, {when:?}: {what}", scenario.name));
                    wrong.borrow_mut().extend(what);
                };
                let calls = (0..3).map(|at| -> Task<'_> { Box::pin(call(at)) });
                world.sim.run_all(calls.collect());
                if is_over.get() {
                    break;
                }
            }
        }
    }
    let wrong = wrong.into_inner();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_next_call_goes_on_over_a_closure() {
    check_next(|fake, _| fake.clone());
}

#[test]
fn the_next_call_goes_on_over_a_pipe() {
    check_next(pipe::service);
}

#[test]
fn calls_behind_it_go_on_over_a_closure() {
    check_others(|fake, _| fake.clone(), 0);
}

#[test]
fn calls_behind_it_go_on_over_a_pipe() {
    check_others(pipe::service, 0);
}

#[test]
fn calls_around_it_go_on_over_a_closure() {
    check_others(|fake, _| fake.clone(), 1);
}

#[test]
fn calls_around_it_go_on_over_a_pipe() {
    check_others(pipe::service, 1);
}
