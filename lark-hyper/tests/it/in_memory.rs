//! Every scenario without a socket: over the fake as a service and over hyper's own connections, in time that jumps.

#[path = "support/duplex.rs"]
mod duplex;
#[path = "support/pausing.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod pausing;
mod support;
#[path = "support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

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
use lark_hyper::{Client, FakeTransport, Frames, FreshConnection, Transport};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::scenarios::{self, Run, Scenario};
use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::{App, Image, PutImage, Site};

use pausing::Pausing;
use time::{Executor, RealNow, turn};

/// Runs `scenario` as the others do, and compares how long its call took.
async fn run<S: Transport>(
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
    support::run(scenario, client, next).await
}

#[test]
fn over_the_fake_as_a_service() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let executor = Executor::new(scenario.name);
        let fake = FakeTransport::new(executor.time.clone());
        wrong.extend(executor.run(run(&scenario, &fake, fake.clone(), executor.time.clone())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn over_a_pipe_polled_by_hand() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let executor = Executor::new(scenario.name);
        let pausing = Pausing::new(executor.time.clone());
        let (service, timer) = (duplex::service(&pausing, &executor), executor.time.clone());
        wrong.extend(executor.run(run(&scenario, &pausing.fake, service, timer)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tokio's timer, which notices who spins within a single poll.
struct Asked(TokioTimer, AtomicU32);

impl Timer for Asked {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) < 1000, "it spins");
        self.0.now()
    }
}

#[tokio::test(start_paused = true)]
async fn under_tokio_with_its_time_paused() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let fake = FakeTransport::new(TokioTimer::new());
        let timer = Asked(TokioTimer::new(), AtomicU32::new(0));
        let mut run = pin!(run(&scenario, &fake, fake.clone(), timer));
        let mut polls = 0;
        let run = poll_fn(|context| {
            polls += 1;
            assert!(polls < 1000, "{}: it spins", scenario.name);
            run.as_mut().poll(context)
        });
        // Who is parked for ever has nothing else to wake it.
        let run = tokio::time::timeout(Duration::from_secs(60 * 60), run);
        wrong.extend(run.await.expect(scenario.name));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_timer_that_does_not_tell_the_time_sleeps_no_more_often() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all().unwrap() {
        let sleeps = |tells_time: bool| {
            let executor = Executor::new(scenario.name);
            let time = executor.time.clone();
            let fake = FakeTransport::new(time.clone());
            let (site, app, service) = (Site::LARK, scenario.app.clone(), fake.clone());
            let client = match tells_time {
                true => Client::with_service(site, app, service, time.clone()),
                false => Client::with_service(site, app, service, RealNow(time.clone())),
            };
            let next = |run: &mut Run<'_>| fake.with(|lark| run.next(lark));
            wrong.extend(executor.run(support::run(&scenario, client, next)));
            time.sleeps()
        };
        let [least, found] = [true, false].map(sleeps);
        assert!(found <= least, "{}: {found} sleeps, not {least}", scenario.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn put() -> PutImage {
    PutImage::message(Image::new(&b"GIF89a.."[..]).unwrap()).unwrap()
}

fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

#[test]
fn a_service_may_stay_on_its_thread() {
    let executor = Executor::new("a service of one thread");
    let lark = Rc::new(RefCell::new(FakeLark::new()));
    let service = service_fn(async |request: Request<Frames>| {
        let lark = Rc::clone(&lark);
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        turn().await;
        let request = Request::from_parts(head, body);
        let reply = lark.borrow_mut().handle(std::time::UNIX_EPOCH, request);
        Ok::<_, lark_hyper::TransportError>(reply.map(Full::new))
    });
    let client = Client::with_service(Site::LARK, app(), service, executor.time.clone());
    executor.run(client.call(&put())).unwrap();
    assert_eq!(lark.borrow().count(Route::ImageV4Put), 1);
}

/// It is a matter of whether this compiles.
#[test]
fn a_call_may_change_threads_where_its_service_may() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let executor = Executor::new("a service of any thread");
    let service = FakeTransport::new(executor.time.clone());
    let client = Client::with_service(Site::LARK, app(), service, executor.time.clone());
    executor.run(assert_send(client.call(&put()))).unwrap();
}

#[test]
fn a_limit_for_replies_is_not_one_for_those_to_token_requests() {
    let executor = Executor::new("a limit");
    let service = FakeTransport::new(executor.time.clone());
    let client = Client::with_service(Site::LARK, app(), service, executor.time.clone());
    let error = executor.run(client.with_reply_limit(1).call(&put())).unwrap_err();
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert!(matches!(error.kind, CallErrorKind::TooLarge { limit: 1 }));
}

#[test]
fn a_resend_after_a_broken_connection_asks_for_a_fresh_one() {
    let executor = Executor::new("a fresh connection");
    let fake = FakeTransport::new(executor.time.clone());
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, Break::AfterBody));
    let fresh = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Frames>| {
        fresh.borrow_mut().push(request.extensions().get::<FreshConnection>().is_some());
        fake.call(request)
    });
    let client = Client::with_service(Site::LARK, app(), service, executor.time.clone());
    executor.run(client.call(&put())).unwrap();
    executor.run(client.call(&put())).unwrap();
    // For the token; the upload, twice; the next one.
    assert_eq!(fresh.into_inner(), [false, false, true, false]);
}
