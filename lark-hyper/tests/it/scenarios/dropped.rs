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
use lark_proto::fake::scenarios::{self, Expected, ExpectedError, Scenario, ScenarioCall};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::values::AppTicket;
use lark_proto::{Image, Limits, Site, WriteSheetImage};

use super::prepared;
use crate::support::pausing::Pausing;
use crate::support::pipe;
use crate::support::sim::{Sim, Task};

/// The routes of the scenarios, of which those of token requests are the first.
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
    /// Right after this poll of the future.
    After(usize),
    /// When the future is woken after this poll, and other tasks may have run in between.
    Woken(usize),
}

const WHENS: [fn(usize) -> When; 2] = [When::After, When::Woken];

/// A future that is dropped at `when`, unless it ends before.
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
            assert!(this.polls < 1000, "the call spins");
            if !matches!(this.when, When::After(polls) if polls == this.polls) {
                return Poll::Pending;
            }
        }
        this.future = None;
        Poll::Ready(None)
    }
}

/// Makes a service that passes its requests on to a fake.
type Connect<S> = fn(&Pausing, &Sim) -> S;

/// A scenario whose call is dropped, and the other calls of its client.
struct Case {
    scenario: Scenario,
    /// The call of each other call, and its end once the trouble is over.
    other: Scenario,
    /// The routes of their requests.
    routes: Vec<Route>,
}

fn cases() -> Vec<Case> {
    let all = scenarios::all().unwrap();
    let name = "the second cell write uses the token of the first";
    let short = all.iter().find(|scenario| scenario.name == name).unwrap();
    let case = |scenario: &Scenario| {
        let mut other = match scenario.call {
            // The other calls write to the same spreadsheet.
            ScenarioCall::WriteSheetImage(_) => short.clone(),
            _ => scenario.clone(),
        };
        if scenario.recovers {
            other.expected = Expected::Success;
        }
        let mut scenario = scenario.clone();
        if scenario.name.contains("during the body") {
            // A body of three frames has the same points as one of many.
            scenario.call = ScenarioCall::WriteSheetImage(write_of_three_frames());
        }
        let mut case = Case { scenario, other, routes: Vec::new() };
        let trial = Trial::new(&case, |fake, _| fake.clone(), "undisturbed");
        trial.sim.run(trial.call_dropped(When::After(usize::MAX)));
        trial.give_ticket();
        // The routes count, whatever the result.
        let _ = trial.sim.run(trial.call_other());
        let is_begun = |route: &Route| trial.pausing.fake.with(|lark| lark.begun(*route) > 0);
        case.routes = ROUTES.into_iter().filter(is_begun).collect();
        case
    };
    // A reply of hundreds of pieces adds only time. The check expects that the last reply is that of every call, which
    // it is not if the service refuses each call for its own request.
    let left_out = ["above 1 MiB", "another app's image"];
    let is_run = |scenario: &&Scenario| !left_out.iter().any(|part| scenario.name.contains(part));
    all.iter().filter(is_run).map(case).collect()
}

/// A cell write whose body is longer than two frames.
fn write_of_three_frames() -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    // Each byte is four characters of JSON.
    let image = Image::new([b"GIF89a".as_slice(), &[200; 40_000]].concat()).unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}

/// One run of a case: the fake is prepared, and the client has its token if the scenario is warm.
struct Trial<'a, S: Transport> {
    case: &'a Case,
    sim: Sim,
    pausing: Pausing,
    client: Client<S>,
}

impl<'a, S: Transport + Clone> Trial<'a, S> {
    fn new(case: &'a Case, connect: Connect<S>, what: impl Debug) -> Self {
        let scenario = &case.scenario;
        let sim = Sim::new(&format!("{}, {what:?}", scenario.name));
        let pausing = Pausing::new(sim.time.clone());
        let service = connect(&pausing, &sim);
        let timer = sim.time.clone();
        let client = Client::with_service(Site::LARK, scenario.app.clone(), service, timer);
        let client = prepared(scenario, client);
        if let Some(ticket) = scenario.ticket.clone() {
            client.set_app_ticket(ticket);
        }
        if scenario.is_warm {
            sim.run(client.call(&scenario.call)).unwrap();
        }
        pausing.fake.with(|lark| scenario.prepare(lark));
        Self { case, sim, pausing, client }
    }

    /// Makes the scenario's call, and ends the trouble when the call is dropped. Returns false if it was dropped.
    async fn call_dropped(&self, when: When) -> bool {
        let call = Box::pin(self.client.call(&self.case.scenario.call));
        let is_over = Dropped { future: Some(call), when, polls: 0 }.await.is_some();
        if !is_over {
            self.heal();
        }
        is_over
    }

    /// Makes another call, with the default limits.
    async fn call_other(&self) -> Result<(), CallError<S::Error>> {
        let client = self.client.clone().with_limits(Limits::default());
        client.call(&self.case.other.call).await
    }

    /// Uses up the failures of the fake, of which a route has five at most. Revoked tokens stay revoked.
    fn heal(&self) {
        let fake = &self.pausing.fake;
        for route in self.case.routes.repeat(5) {
            let head = Request::builder().method(route.method()).uri(route.path());
            let head = head.body(()).unwrap().into_parts().0;
            fake.with(|lark| {
                let flight = lark.begin(fake.now(), &head);
                lark.abandon(flight);
            });
        }
    }

    fn give_ticket(&self) {
        if self.case.scenario.ticket.is_some() || self.case.scenario.tenant.is_some() {
            let ticket = self.pausing.fake.with(|lark| AppTicket::new(lark.app_ticket()).unwrap());
            self.client.set_app_ticket(ticket);
        }
    }

    fn counts(&self) -> [usize; ROUTES.len()] {
        self.pausing.fake.with(|lark| ROUTES.map(|route| lark.count(route)))
    }

    /// The difference of another call's end from its expected end. The number of requests is left open.
    fn judge(&self, result: &Result<(), CallError<S::Error>>) -> Option<String> {
        let mut scenario = self.case.other.clone();
        scenario.requests = ROUTES.into_iter().zip(self.counts()).collect();
        let wrong = self.pausing.fake.with(|lark| scenario.check(result, lark).err());
        // The service may have asked for the wait of an hour before the trouble was over.
        if is_rate_limit(&scenario.expected) && result.is_ok() { None } else { wrong }
    }
}

fn is_rate_limit(expected: &Expected) -> bool {
    let Expected::Failure { error: ExpectedError::Refused { code, .. }, .. } = expected else {
        return false;
    };
    *code == Code::RATE_LIMITED
}

/// Checks that the call after the dropped one ends as it should, that no token request is given up, and that there are
/// no more token requests than with two calls of which none is dropped.
fn check_next<S: Transport + Clone>(connect: Connect<S>) {
    let next = |trial: &Trial<'_, S>| {
        trial.give_ticket();
        let result = trial.sim.run(trial.call_other());
        trial.judge(&result)
    };
    let mut wrong = Vec::new();
    for case in cases() {
        let healed = Trial::new(&case, connect, "healed");
        healed.heal();
        next(&healed);
        let undisturbed = Trial::new(&case, connect, "undisturbed");
        undisturbed.sim.run(undisturbed.call_dropped(When::After(usize::MAX)));
        next(&undisturbed);
        let needed = zip(healed.counts(), undisturbed.counts()).map(|(one, other)| one.max(other));
        let needed: Vec<usize> = needed.take(TOKEN_ROUTES).collect();
        for when in WHENS {
            for when in (1..).map(when) {
                let trial = Trial::new(&case, connect, when);
                if trial.sim.run(trial.call_dropped(when)) {
                    break;
                }
                let mut say =
                    |what| wrong.push(format!("{}, {when:?}: {what}", case.scenario.name));
                next(&trial).map(&mut say);
                if zip(trial.counts(), &needed).any(|(found, needed)| found > *needed) {
                    say(format!("{:?} requests, not {needed:?}", trial.counts()));
                }
                if trial.pausing.given_up().iter().any(|path| is_of_token(path)) {
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

/// Checks that of three concurrent calls, of which the one at `dropped` is dropped, the others end as they should. They
/// wait for its token, its lane or its gate, or it waits for theirs.
fn check_others<S: Transport + Clone>(connect: Connect<S>, dropped: usize) {
    let wrong = RefCell::new(Vec::new());
    for case in cases() {
        let scenario = &case.scenario;
        // The calls ahead of the dropped one meet its failure, and the test sets no further ticket.
        let waits_for_ticket =
            matches!(scenario.expected, Expected::Failure { error: ExpectedError::NoTicket, .. });
        let may_fail = dropped > 0 || waits_for_ticket;
        let is_upload = |path: &String| !is_of_token(path);
        for when in WHENS {
            for when in (1..).map(when) {
                let trial = Trial::new(&case, connect, when);
                let is_over = Cell::new(false);
                let was_met = Cell::new(None);
                let call = async |at| {
                    if at == dropped {
                        is_over.set(trial.call_dropped(when).await);
                        return was_met.set(Some(trial.pausing.begun().iter().any(is_upload)));
                    }
                    let result = trial.call_other().await;
                    // A request that was sent before the call was dropped may have met the trouble.
                    let may_fail = may_fail || was_met.get().unwrap_or(true);
                    let what = match result {
                        Err(error)
                            if may_fail && !matches!(error.kind, CallErrorKind::Deadline) =>
                        {
                            None
                        }
                        result => trial.judge(&result),
                    };
                    let what = what.map(|what| format!("{}, {when:?}: {what}", scenario.name));
                    wrong.borrow_mut().extend(what);
                };
                let calls = (0..3).map(|at| -> Task<'_> { Box::pin(call(at)) });
                trial.sim.run_all(calls.collect());
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
fn the_call_after_a_dropped_one_ends_as_it_should_over_a_closure() {
    check_next(|fake, _| fake.clone());
}

#[test]
fn the_call_after_a_dropped_one_ends_as_it_should_over_a_pipe() {
    check_next(pipe::service);
}

#[test]
fn calls_behind_a_dropped_one_end_as_they_should_over_a_closure() {
    check_others(|fake, _| fake.clone(), 0);
}

#[test]
fn calls_behind_a_dropped_one_end_as_they_should_over_a_pipe() {
    check_others(pipe::service, 0);
}

#[test]
fn calls_ahead_of_and_behind_a_dropped_one_end_as_they_should_over_a_closure() {
    check_others(|fake, _| fake.clone(), 1);
}

#[test]
fn calls_ahead_of_and_behind_a_dropped_one_end_as_they_should_over_a_pipe() {
    check_others(pipe::service, 1);
}
