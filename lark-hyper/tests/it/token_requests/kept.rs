//! Token requests that outlive the calls that sent them, in virtual time.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use http::{Request, StatusCode};
use hyper::service::{Service, service_fn};
use lark_hyper::{Client, FakeTransport, RequestBody};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, Fault, Route};
use lark_proto::{Limits, Site};

use crate::support::pausing::Pausing;
use crate::support::sim::Sim;
use crate::support::{app, put, secs};

/// A fake in the time of `sim` whose next token requests take `seconds` each, and a client of it.
fn start<const N: usize>(sim: &Sim, seconds: [u64; N]) -> (Pausing, Client<Pausing>) {
    let pausing = Pausing::new(sim.time.clone());
    pausing.fake.with(|lark| {
        for seconds in seconds {
            let slow = ConnectionFault::SlowReply(secs(seconds));
            lark.fail_next_on(Route::TenantAccessToken, slow);
        }
    });
    let service = pausing.clone();
    (pausing, Client::with_service(Site::LARK, app(), service, sim.time.clone()))
}

#[test]
fn a_token_request_outlives_the_call_that_sent_it() {
    let sim = Sim::new("a token request");
    let (pausing, client) = start(&sim, [3]);
    sim.run(async {
        assert!(sim.within(secs(2), client.call(&put())).await.is_none());
        client.call(&put()).await.unwrap();
    });
    assert_eq!(sim.elapsed(), secs(3));
    assert_eq!(pausing.fake.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

/// Two calls are woken to poll a token request: the oldest and the newest one.
#[test]
fn a_call_polls_a_token_request_within_a_second_if_the_calls_that_were_woken_are_not_polled() {
    let sim = Sim::new("futures that are not polled");
    let (pausing, client) = start(&sim, [3]);
    let upload = put();
    let [mut oldest, mut call, mut newest] = [(); 3].map(|()| Box::pin(client.call(&upload)));
    sim.run(async {
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..5 {
            for waiting in [&mut oldest, &mut call, &mut newest] {
                assert!(waiting.as_mut().poll(context).is_pending());
            }
        }
        call.await.unwrap();
    });
    assert!(sim.elapsed() <= secs(5), "{:?}", sim.elapsed());
    assert_eq!(pausing.fake.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

fn begin<F: Future>(call: &RefCell<Pin<Box<F>>>) {
    let context = &mut Context::from_waker(Waker::noop());
    assert!(call.borrow_mut().as_mut().poll(context).is_pending());
}

#[test]
fn a_call_that_began_to_wait_during_a_poll_of_the_token_request_polls_it_within_a_second() {
    let sim = Sim::new("a token request that is being polled");
    let fake = FakeTransport::new(sim.time.clone());
    let during_poll = Rc::new(RefCell::new(None::<Box<dyn FnOnce()>>));
    let (hook, time) = (during_poll.clone(), sim.clone());
    let service = service_fn(move |request: Request<RequestBody>| {
        let (hook, time, fake) = (hook.clone(), time.clone(), fake.clone());
        async move {
            hook.take().into_iter().for_each(|begin| begin());
            time.sleep(secs(3)).await;
            fake.call(request).await
        }
    });
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    let [oldest, call, newest] = [(); 3].map(|()| {
        let client = client.clone();
        let call = async move { client.call(&put()).await.map(drop) };
        Rc::new(RefCell::new(Box::pin(call)))
    });
    let other = call.clone();
    *during_poll.borrow_mut() = Some(Box::new(move || begin(&other)));
    begin(&oldest);
    begin(&newest);
    sim.run(poll_fn(|context| call.borrow_mut().as_mut().poll(context))).unwrap();
    assert!(sim.elapsed() <= secs(7), "{:?}", sim.elapsed());
}

#[test]
fn a_token_request_is_dropped_when_its_time_is_over() {
    let sim = Sim::new("a token request that hangs");
    let (pausing, client) = start(&sim, [100; 3]);
    let found = || (pausing.begun().len(), pausing.given_up().len());
    sim.run(async {
        for (from, expected) in [(0, (1, 0)), (57, (1, 0)), (61, (2, 1)), (130, (3, 2))] {
            sim.sleep_until(secs(from)).await;
            assert!(sim.within(secs(2), client.call(&put())).await.is_none());
            assert_eq!(found(), expected, "after {from} s");
        }
    });
    drop(client);
    assert_eq!(found(), (3, 3));
}

#[test]
fn a_renewal_that_outlasts_its_call_is_polled_by_the_calls_that_follow() {
    let sim = Sim::new("a slow renewal");
    let (pausing, client) = start(&sim, [10; 2]);
    sim.run(async {
        client.call(&put()).await.unwrap();
        sim.sleep_until(secs(7000)).await;
        client.call(&put()).await.unwrap();
        assert_eq!(sim.elapsed(), secs(7002));
        // The older token expires 7,200 s after its request; the new one has to arrive before.
        for second in (7002..7210).chain([10_000]) {
            sim.sleep_until(secs(second)).await;
            client.call(&put()).await.unwrap();
            assert_eq!(sim.elapsed(), secs(second));
        }
    });
    assert_eq!(pausing.fake.with(|lark| lark.count(Route::TenantAccessToken)), 2);
}

#[test]
fn a_renewal_that_fails_while_its_call_waits_at_a_gate_is_not_the_error_of_the_call() {
    let sim = Sim::new("a failed renewal");
    let fake = FakeTransport::new(sim.time.clone());
    // The delays of the requests in their order: both requests of the first call, the renewal, the upload of the other
    // call, and that of the renewing call.
    let delays = RefCell::new([0, 0, 10, 12, 0].into_iter());
    let service = service_fn(async |request: Request<RequestBody>| {
        let delay = delays.borrow_mut().next().unwrap();
        sim.sleep(secs(delay)).await;
        fake.call(request).await
    });
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    sim.run(client.call(&put())).unwrap();
    fake.with(|lark| {
        lark.fail_next_on(Route::TenantAccessToken, ConnectionFault::AfterBody);
        for seconds in [15, 30] {
            let reset = Some(seconds.to_string());
            let limit = Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset };
            lark.fail_next_on(Route::ImageV4Put, limit);
        }
    });
    let limits = Limits::default().total(secs(20));
    sim.run_all(vec![
        Box::pin(async {
            sim.sleep_until(secs(7000)).await;
            let error = client.clone().with_limits(limits).call(&put()).await.unwrap_err();
            assert_eq!((sim.elapsed(), &*error.route), (secs(7020), Route::ImageV4Put.path()));
            assert!(matches!(error.kind, CallErrorKind::Lark(_)), "{error:?}");
        }),
        Box::pin(async {
            sim.sleep_until(secs(7001)).await;
            client.clone().with_limits(limits).call(&put()).await.unwrap_err();
        }),
    ]);
}
