//! Every scenario without a transport: the session's steps, the fake, and a clock that jumps.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use lark_proto::fake::scenarios::{self, Scenario, Target};
use lark_proto::fake::{Break, FakeLark};
use lark_proto::{
    AppTicket, Authorizes, Body, CallError, Endpoint, Failure, Session, Site, Step, TenantToken,
};

/// What a client reads of a reply at most.
const REPLY_LIMIT: usize = 1 << 20;

/// Everything a call needs: the session, the fake, and the time.
struct World {
    session: Session,
    lark: FakeLark,
    now: SystemTime,
    waited: Duration,
}

/// What a transport brings back: a reply, or why not and after how many bytes of the body.
type Outcome = Result<Response<Bytes>, (Failure<io::Error>, u64)>;

impl World {
    fn new(scenario: &Scenario) -> Self {
        let mut session = Session::new(Site::LARK, scenario.app.clone());
        if let Some(ticket) = &scenario.ticket {
            session.set_app_ticket(ticket.clone());
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self { session, lark: FakeLark::new(), now, waited: Duration::ZERO }
    }

    fn run(&mut self, scenario: &Scenario) -> Result<(), CallError<io::Error>> {
        match &scenario.call {
            Target::PutImage(put) => self.call(scenario, put),
            Target::WriteSheetImage(write) => self.call(scenario, write),
            other => panic!("{other:?}"),
        }
    }

    fn call<E: Endpoint>(
        &mut self,
        scenario: &Scenario,
        endpoint: &E,
    ) -> Result<(), CallError<io::Error>>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        let call = match &scenario.tenant {
            Some(tenant) => self.session.call_in(tenant.clone(), endpoint),
            None => self.session.call(endpoint),
        };
        let mut call = call.limits(scenario.limits);
        for _ in 0..20 {
            match call.next(&mut self.session, self.now) {
                Step::Send { request, within } => match self.send(request, within) {
                    Ok(reply) => call.received(&mut self.session, self.now, reply),
                    Err((failure, pulled)) => {
                        call.broken(&mut self.session, self.now, failure, pulled);
                    }
                },
                Step::Wait(time) => {
                    self.now += time;
                    self.waited += time;
                }
                Step::Park(_) => panic!("{}: there is no other call to wait for", scenario.name),
                Step::Done(result) => return result.map(drop),
            }
        }
        panic!("{}: no end after twenty steps", scenario.name)
    }

    /// Carries one request and obeys the break that is asked for.
    fn send(&mut self, request: Request<Body>, within: Duration) -> Outcome {
        let reset = |pulled| {
            Err((Failure::Transport(io::Error::from(io::ErrorKind::ConnectionReset)), pulled))
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
            None if reply.body().len() > REPLY_LIMIT => {
                Err((Failure::TooLarge { limit: REPLY_LIMIT as u64 }, len))
            }
            None => Ok(reply),
            Some(Break::AfterBody | Break::CutReply) => reset(len),
            Some(Break::SlowReply(time)) if time < within => {
                self.now += time;
                Ok(reply)
            }
            Some(Break::SlowReply(_)) => {
                self.now += within;
                Err((Failure::Deadline, len))
            }
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_scenario_ends_as_it_says() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let name = scenario.name;
        let mut world = World::new(&scenario);
        if scenario.is_warm {
            world.run(&scenario).unwrap_or_else(|error| panic!("{name}: the warm call: {error:?}"));
        }
        scenario.prepare(&mut world.lark);
        let result = world.run(&scenario);
        let result = result.as_ref().map(drop);
        wrong.extend(scenario.check(result, &world.lark).err());
        if !scenario.waits.contains(&world.waited) {
            wrong.push(format!("{name}: waited {:?}, not {:?}", world.waited, scenario.waits));
        }
        if !world.session.is_idle() {
            wrong.push(format!("{name}: the session is not idle"));
        }
        if scenario.ticket.is_some() || scenario.tenant.is_some() {
            world.session.set_app_ticket(AppTicket::new(world.lark.app_ticket()).unwrap());
        }
        let again = world.run(&scenario);
        if again.is_ok() != scenario.recovers {
            wrong.push(format!("{name}: afterwards: {again:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_are_told_apart() {
    let mut names: Vec<&str> = scenarios::all().unwrap().iter().map(|s| s.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_check_notices_what_differs() {
    let all = scenarios::all().unwrap();
    let named = |name| all.iter().find(|scenario| scenario.name == name).unwrap();
    let told = |scenario: &Scenario, result: &Result<(), CallError<io::Error>>, lark: &FakeLark| {
        scenario.check(result.as_ref().map(drop), lark).unwrap_err()
    };

    let first = named("first token");
    let mut world = World::new(first);
    assert!(told(first, &Ok(()), &world.lark).contains("the requests"));
    let result = world.run(first);
    assert_eq!(first.check(result.as_ref().map(drop), &world.lark), Ok(()));
    assert!(told(named("no app"), &result, &world.lark).contains("the end"));
    let mut upload = first.clone();
    upload.requests.remove(0);
    assert!(told(&upload, &result, &world.lark).contains("the number of all requests"));
    let mut cell = first.clone();
    cell.call = named("ok, a cell").call.clone();
    assert!(told(&cell, &result, &world.lark).contains("the image is there"));

    let twice = named("token refused although fresh");
    let mut world = World::new(twice);
    twice.prepare(&mut world.lark);
    let mut error = world.run(twice).unwrap_err();
    let Failure::Lark(lark_proto::Error::Api(api)) = &mut error.kind else { panic!("{error:?}") };
    let earlier = world.lark.requests()[1].log_id.clone();
    assert!(earlier.is_some() && earlier != api.log_id);
    api.log_id = earlier;
    assert!(told(twice, &Err(error), &world.lark).contains("log id"));
}
