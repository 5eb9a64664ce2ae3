//! Every scenario without a transport: the session's steps, the fake, and a virtual clock.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use lark_proto::body::Body;
use lark_proto::error::CallErrorKind;
use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
use lark_proto::fake::{Break, FakeLark};
use lark_proto::session::{
    Broken, Call, Outgoing, Permanence, Purpose, Session, Step, TokenRequestId,
};
use lark_proto::{CallError, Site};

/// Everything that a call needs: the session, the fake, and the time.
struct World {
    session: Session,
    lark: FakeLark,
    now: SystemTime,
    /// Whether the transport lets a token request run on beside the call that waited for it.
    keeps: bool,
    /// The token requests that run on, and when their replies are there.
    kept: Vec<(SystemTime, TokenRequestId, Response<Bytes>)>,
}

/// What the transport brings back, or its failure and the bytes of the body that were taken before it.
type Answer<T> = Result<T, (CallErrorKind<io::Error>, u64)>;

impl World {
    fn new(scenario: &Scenario, keeps: bool) -> Self {
        let session = Session::new(Site::LARK, scenario.app.clone());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self { session, lark: FakeLark::new(), now, keeps, kept: Vec::new() }
    }

    /// Waits for `time`, or for less if a token's reply is there before.
    fn wait(&mut self, time: Duration) {
        let first = self.kept.iter().map(|(at, ..)| *at).min();
        self.now = first.map_or(self.now + time, |at| at.clamp(self.now, self.now + time));
        let kept = std::mem::take(&mut self.kept);
        let (there, kept): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|(at, ..)| *at <= self.now);
        self.kept = kept;
        for (_, id, reply) in there {
            self.session.token_received(id, self.now, reply);
        }
    }

    fn call(&mut self, scenario: &Scenario) -> Result<(), CallError<io::Error>> {
        let call = match &scenario.tenant {
            Some(tenant) => Call::for_tenant(tenant.clone(), &scenario.call),
            None => Call::new(&scenario.call),
        };
        let mut call = call.with_limits(scenario.limits);
        for _ in 0..50 {
            match call.next(&mut self.session, self.now) {
                Step::Send(outgoing) => match self.send(outgoing) {
                    Ok(None) => {}
                    Ok(Some(reply)) => {
                        let parsed = call.read(reply);
                        call.received(&mut self.session, self.now, parsed);
                    }
                    Err((failure, pulled)) => {
                        let broken = Broken::new(failure, pulled, Permanence::Transient);
                        call.broken(&mut self.session, self.now, broken);
                    }
                },
                Step::Wait(time) => self.wait(time),
                Step::Done(result) => return result,
            }
        }
        panic!("{}: the call has not ended after fifty steps", scenario.name)
    }

    /// Carries a request within its time, and a reply within its limit. Nothing if the exchange runs on.
    fn send(&mut self, outgoing: Outgoing) -> Answer<Option<Response<Bytes>>> {
        let Outgoing { request, purpose, within, reply_limit, .. } = outgoing;
        let len = request.body().len();
        let (reply, time) = self.exchange(request)?;
        self.now += time.min(within);
        if time >= within {
            return match purpose {
                Purpose::Token(id) if self.keeps => {
                    self.kept.push((self.now + (time - within), id, reply));
                    Ok(None)
                }
                _ => Err((CallErrorKind::Deadline, len)),
            };
        }
        if reply.body().len() as u64 > reply_limit {
            return Err((CallErrorKind::TooLarge { limit: reply_limit }, len));
        }
        Ok(Some(reply))
    }

    /// Carries a request over a connection that breaks as the fake asks for: the reply, and the time until it is there.
    fn exchange(&mut self, request: Request<Body>) -> Answer<(Response<Bytes>, Duration)> {
        let reset = |pulled| {
            Err((CallErrorKind::Transport(io::Error::from(io::ErrorKind::ConnectionReset)), pulled))
        };
        let (head, mut body) = request.into_parts();
        let len = body.len();
        let flight = self.lark.begin(self.now, &head);
        let how = flight.breaks();
        if let Some(Break::BeforeBody | Break::DuringBody) = how {
            if how == Some(Break::DuringBody) {
                body.advance(usize::try_from(len / 2).unwrap());
            }
            self.lark.abandon(flight);
            return reset(len - body.len());
        }
        let reply = self.lark.finish(self.now, flight, &body.into_bytes());
        match how {
            None => Ok((reply, Duration::ZERO)),
            Some(Break::SlowReply(time)) => Ok((reply, time)),
            Some(Break::AfterBody | Break::CutReply) => reset(len),
            Some(other) => panic!("{other:?}"),
        }
    }
}

fn run(scenario: &Scenario, keeps: bool) -> Vec<String> {
    let mut world = World::new(scenario, keeps);
    let mut run = Run::new(scenario);
    let mut busy = Vec::new();
    loop {
        match run.next(&mut world.lark) {
            Next::Ticket(ticket) => world.session.set_app_ticket(ticket),
            Next::Call => {
                let began = world.now;
                run.called(&world.call(scenario));
                run.took(world.now.duration_since(began).unwrap());
                if world.kept.is_empty() && !world.session.is_idle() {
                    busy.push(format!("{}: the session is not idle after a call", scenario.name));
                }
            }
            Next::Done(wrong) => return [wrong, busy].concat(),
        }
    }
}

fn run_all(keeps: bool) {
    let all = scenarios::all().unwrap();
    let wrong: Vec<String> = all.iter().flat_map(|scenario| run(scenario, keeps)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_scenario_ends_as_it_says() {
    run_all(false);
}

#[test]
fn every_scenario_ends_as_it_says_where_a_token_request_outlives_its_call() {
    run_all(true);
}

#[test]
fn no_two_scenarios_have_one_name() {
    let mut names: Vec<&str> = scenarios::all().unwrap().iter().map(|s| s.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_scenario_is_fit_for_a_client_in_real_time() {
    let all = scenarios::all().unwrap();
    let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap();
    let ends: Vec<u64> = all.iter().map(|scenario| millis(scenario.lasts.end())).collect();
    assert!(ends.iter().all(|end| *end <= 2_100), "{ends:?}");
    assert!(ends.iter().filter(|end| **end > 500).count() <= 8, "{ends:?}");
}

#[test]
fn a_check_notices_what_differs() {
    let all = scenarios::all().unwrap();
    let named = |name| all.iter().find(|scenario| scenario.name == name).unwrap();
    let told = |scenario: &Scenario, result: &Result<(), CallError<io::Error>>, lark: &FakeLark| {
        scenario.check(result, lark).unwrap_err()
    };

    let first = named("a call without a token fetches one");
    let mut world = World::new(first, false);
    assert!(told(first, &Ok(()), &world.lark).contains("the requests"));
    let result = world.call(first);
    assert_eq!(first.check(&result, &world.lark), Ok(()));
    assert!(
        told(named("a client without an app sends no request"), &result, &world.lark)
            .contains("the end")
    );
    let mut upload = first.clone();
    upload.requests.remove(0);
    assert!(told(&upload, &result, &world.lark).contains("the number of all requests"));
    let mut cell = first.clone();
    cell.call = named("the second cell write uses the token of the first").call.clone();
    assert!(told(&cell, &result, &world.lark).contains("the image is stored"));

    let twice = named("a token refused at both of two attempts fails the call");
    let mut world = World::new(twice, false);
    twice.prepare(&mut world.lark);
    let mut error = world.call(twice).unwrap_err();
    let CallErrorKind::Lark(lark_proto::Error::Api(api)) = &mut error.kind else {
        panic!("{error:?}")
    };
    let earlier = world.lark.requests()[1].log_id.clone();
    assert!(earlier.is_some() && earlier != api.log_id);
    api.log_id = earlier;
    assert!(told(twice, &Err(error), &world.lark).contains("log id"));

    // Of a refusal the outcome is known, of a break it is not.
    let cut = named("an unsafe call is not sent again after a reset connection");
    let mut world = World::new(cut, false);
    cut.prepare(&mut world.lark);
    let error = world.call(cut).unwrap_err();
    let as_refused = CallError::new(error.route.clone(), CallErrorKind::<io::Error>::NoTicket);
    assert!(told(cut, &Err(as_refused), &world.lark).contains("NotSent"));
    assert_eq!(cut.check(&Err(error), &world.lark), Ok(()));
}

#[test]
fn a_run_notices_what_differs() {
    let all = scenarios::all().unwrap();
    let named = |name| all.iter().find(|scenario| scenario.name == name).unwrap();
    let failure = || Err(CallError::new("/", CallErrorKind::<io::Error>::NoApp));
    // How many calls the run asked for, and what went otherwise if the call at `at` fails in each way.
    let told = |scenario: &Scenario, at: usize, time: Duration| {
        let (mut world, mut run, mut calls) = (World::new(scenario, false), Run::new(scenario), 0);
        loop {
            match run.next(&mut world.lark) {
                Next::Ticket(ticket) => world.session.set_app_ticket(ticket),
                Next::Call => {
                    let mut result = world.call(scenario);
                    if calls == at {
                        result = failure();
                    }
                    run.called(&result);
                    run.took(if calls == at { time } else { Duration::ZERO });
                    calls += 1;
                }
                Next::Done(wrong) => return (calls, wrong),
            }
        }
    };
    let warm = named("the second call uses the token of the first");
    assert_eq!(told(warm, 3, Duration::ZERO), (3, Vec::new()));
    for (at, words) in [(0, "the warm call"), (1, "the end"), (2, "the call afterwards")] {
        let (_, wrong) = told(warm, at, Duration::ZERO);
        assert!(matches!(&*wrong, [wrong] if wrong.contains(words)), "{wrong:?}");
    }
    let (_, wrong) = told(warm, 1, Duration::from_millis(1));
    assert!(
        matches!(&*wrong, [slow, end] if slow.contains("1ms") && end.contains("the end")),
        "{wrong:?}"
    );
    // The fake is prepared after the warm call and before the call.
    let revoked = named("a revoked token is fetched again");
    assert_eq!(told(revoked, 3, Duration::ZERO), (3, Vec::new()));
}
