//! Every scenario without a socket and in virtual time: over the fake as a service, and over hyper's connections.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::rt::{Sleep, Timer};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeTransport, FreshConnection, RequestBody, Transport};
use lark_proto::Site;
use lark_proto::error::CallErrorKind;
use lark_proto::fake::scenarios::{self, Run, Scenario};
use lark_proto::fake::{ConnectionFault, FakeLark, Route};

use crate::support::pausing::Pausing;
use crate::support::sim::{RealNow, Sim, turn};
use crate::support::{app, pipe, put};

/// Runs `scenario`, and compares the time of its calls too.
async fn run_timed<S: Transport>(
    scenario: &Scenario,
    fake: &FakeTransport,
    service: S,
    timer: impl Timer + Send + Sync + 'static,
) -> Vec<String> {
    let client = Client::with_service(Site::LARK, scenario.app.clone(), service, timer);
    let last = Cell::new(fake.now());
    let next = |run: &mut Run<'_>| {
        let now = fake.now();
        run.took(now.duration_since(last.replace(now)).unwrap());
        fake.with(|lark| run.next(lark))
    };
    super::run(scenario, client, next).await
}

#[test]
fn every_scenario_ends_as_it_says_and_in_its_time_over_the_fake_as_a_service() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let sim = Sim::new(scenario.name);
        let fake = FakeTransport::new(sim.time.clone());
        wrong.extend(sim.run(run_timed(&scenario, &fake, fake.clone(), sim.time.clone())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_scenario_ends_as_it_says_and_in_its_time_over_a_pipe() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let sim = Sim::new(scenario.name);
        let pausing = Pausing::new(sim.time.clone());
        let (service, timer) = (pipe::service(&pausing, &sim), sim.time.clone());
        wrong.extend(sim.run(run_timed(&scenario, &pausing.fake, service, timer)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tokio's timer, with a limit of the readings of its clock, to notice a loop within a single poll.
struct Asked(TokioTimer, AtomicU32);

impl Timer for Asked {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) < 1000, "a call spins");
        self.0.now()
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_ends_as_it_says_and_in_its_time_under_tokios_paused_time() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let fake = FakeTransport::new(TokioTimer::new());
        let timer = Asked(TokioTimer::new(), AtomicU32::new(0));
        let mut run = pin!(run_timed(&scenario, &fake, fake.clone(), timer));
        let mut polls = 0;
        let run = poll_fn(|context| {
            polls += 1;
            assert!(polls < 1000, "{}: the call spins", scenario.name);
            run.as_mut().poll(context)
        });
        // The timeout is the only waker of a call that is parked forever.
        let run = tokio::time::timeout(Duration::from_secs(60 * 60), run);
        wrong.extend(run.await.expect(scenario.name));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn with_a_timer_whose_clock_is_the_real_one_a_call_sleeps_no_more_often() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let sleeps = |tells_time: bool| {
            let sim = Sim::new(scenario.name);
            let time = sim.time.clone();
            let fake = FakeTransport::new(time.clone());
            let site = Site::LARK;
            let app = scenario.app.clone();
            let service = fake.clone();
            let client = if tells_time {
                Client::with_service(site, app, service, time.clone())
            } else {
                Client::with_service(site, app, service, RealNow(time.clone()))
            };
            let next = |run: &mut Run<'_>| fake.with(|lark| run.next(lark));
            wrong.extend(sim.run(super::run(&scenario, client, next)));
            time.sleeps()
        };
        let [least, found] = [true, false].map(sleeps);
        assert!(found <= least, "{}: {found} sleeps, not {least}", scenario.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_service_need_not_be_send() {
    let sim = Sim::new("a service of one thread");
    let lark = Rc::new(RefCell::new(FakeLark::new()));
    let service = service_fn(async |request: Request<RequestBody>| {
        let lark = Rc::clone(&lark);
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        turn().await;
        let request = Request::from_parts(head, body);
        let reply = lark.borrow_mut().handle(std::time::UNIX_EPOCH, request);
        Ok::<_, lark_hyper::TransportError>(reply.map(Full::new))
    });
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    sim.run(client.call(&put())).unwrap();
    assert_eq!(lark.borrow().count(Route::ImageV4Put), 1);
}

/// The bound `Send` is checked by the compiler.
#[test]
fn a_call_is_send_if_its_service_is() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let sim = Sim::new("a service of any thread");
    let service = FakeTransport::new(sim.time.clone());
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    sim.run(assert_send(client.call(&put()))).unwrap();
}

#[test]
fn a_limit_of_replies_does_not_apply_to_the_replies_of_token_requests() {
    let sim = Sim::new("a limit");
    let service = FakeTransport::new(sim.time.clone());
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    let error = sim.run(client.with_reply_limit(1).call(&put())).unwrap_err();
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert!(matches!(error.kind, CallErrorKind::TooLarge { limit: 1 }));
}

#[test]
fn a_resend_after_a_broken_connection_asks_for_a_fresh_one() {
    let sim = Sim::new("a fresh connection");
    let fake = FakeTransport::new(sim.time.clone());
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, ConnectionFault::AfterBody));
    let fresh = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<RequestBody>| {
        fresh.borrow_mut().push(request.extensions().get::<FreshConnection>().is_some());
        fake.call(request)
    });
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    sim.run(client.call(&put())).unwrap();
    sim.run(client.call(&put())).unwrap();
    // The requests: for the token, the upload twice, and the next upload.
    assert_eq!(fresh.into_inner(), [false, false, true, false]);
}
