//! A call that waits goes on as soon as it can, even if the call that it waits for has not ended.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use lark_hyper::{Client, FakeTransport, RequestBody, TransportError};
use lark_proto::error::{CallErrorKind, WaitFor};
use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route, TokenKind};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Limits, Site};

use crate::support::sim::Sim;
use crate::support::{app, millis, put, secs, write};

fn client(fake: &FakeTransport, sim: &Sim) -> Client<FakeTransport> {
    Client::with_service(Site::LARK, app(), fake.clone(), sim.time.clone())
}

/// Makes the fake refuse the next upload for its rate limit, with a wait of `seconds`.
fn limit(fake: &FakeTransport, seconds: u64) {
    let reset = Some(seconds.to_string());
    let limit = Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset };
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limit));
}

#[test]
fn a_new_token_serves_other_calls_while_the_call_that_fetched_it_waits_at_a_gate() {
    let sim = Sim::new("a token");
    let fake = FakeTransport::new(sim.time.clone());
    let client = client(&fake, &sim);
    sim.run(client.call(&put())).unwrap();
    limit(&fake, 30);
    sim.run_all(vec![
        Box::pin(async { drop(client.call(&put()).await.unwrap()) }),
        Box::pin(async {
            sim.sleep(secs(2)).await;
            fake.with(|lark| {
                lark.revoke_tokens(TokenKind::Tenant);
                lark.fail_next_on(Route::TenantAccessToken, ConnectionFault::SlowReply(secs(2)));
            });
            client.clone().with_limits(Limits::one_attempt()).call(&write()).await.unwrap_err();
            client.call(&put()).await.unwrap();
            assert!(sim.elapsed() >= secs(30));
        }),
        Box::pin(async {
            sim.sleep(secs(3)).await;
            client.call(&write()).await.unwrap();
            assert_eq!(sim.elapsed(), secs(4));
        }),
    ]);
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 2);
}

#[test]
fn a_call_that_waits_while_no_token_request_is_in_flight_does_not_wake_each_second() {
    let sim = Sim::new("a long wait");
    let fake = FakeTransport::new(sim.time.clone());
    let client = client(&fake, &sim);
    sim.run(client.call(&put())).unwrap();
    limit(&fake, 30);
    let before = sim.time.sleeps();
    sim.run(client.call(&put())).unwrap();
    assert!(sim.elapsed() >= secs(30));
    let sleeps = sim.time.sleeps() - before;
    assert!(sleeps < 10, "{sleeps} sleeps");
}

#[test]
fn a_gate_lets_the_next_call_pass_while_a_reply_is_slow() {
    let sim = Sim::new("a gate");
    let fake = FakeTransport::new(sim.time.clone());
    let client = client(&fake, &sim);
    sim.run(client.call(&put())).unwrap();
    limit(&fake, 1);
    // The refused request is sent again, and the reply to that is slow.
    let slow = ConnectionFault::SlowReply(secs(30));
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, slow));
    let ends = RefCell::new(Vec::new());
    let end = || ends.borrow_mut().push(sim.elapsed().as_millis());
    // The call that starts last is polled first.
    sim.run_all(vec![
        Box::pin(async {
            sim.sleep(millis(500)).await;
            client.call(&put()).await.unwrap();
            end();
        }),
        Box::pin(async {
            sim.sleep(millis(250)).await;
            client.call(&put()).await.unwrap();
            end();
        }),
        Box::pin(async {
            client.call(&put()).await.unwrap();
            end();
        }),
    ]);
    assert_eq!(ends.into_inner(), [1200, 1400, 31_000]);
}

#[test]
fn an_imported_token_serves_the_calls_that_wait_for_a_slow_token_request() {
    let sim = Sim::new("an imported token");
    let fake = FakeTransport::new(sim.time.clone());
    let [other, client] = [(); 2].map(|()| client(&fake, &sim));
    sim.run(other.call(&put())).unwrap();
    let slow = ConnectionFault::SlowReply(secs(30));
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
    sim.run_all(vec![
        Box::pin(async { drop(client.call(&put()).await.unwrap()) }),
        Box::pin(async {
            client.call(&put()).await.unwrap();
            assert_eq!(sim.elapsed(), secs(5));
        }),
        Box::pin(async {
            sim.sleep(secs(5)).await;
            client.import_token(&other.export_token().unwrap()).unwrap();
        }),
    ]);
}

#[test]
fn a_call_that_waits_for_another_one_ends_at_its_own_deadline() {
    let sim = Sim::new("limits");
    let fake = FakeTransport::new(sim.time.clone());
    let client = client(&fake, &sim);
    let slow = ConnectionFault::SlowReply(secs(30));
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    let limits = Limits::default().total(secs(10));
    sim.run_all(vec![
        Box::pin(async { drop(client.call(&write()).await.unwrap()) }),
        Box::pin(async {
            let error = client.clone().with_limits(limits).call(&write()).await.unwrap_err();
            assert!(matches!(error.kind, CallErrorKind::Queued(WaitFor::Turn)), "{error:?}");
            assert_eq!(sim.elapsed(), secs(10));
        }),
    ]);
}

#[test]
fn calls_that_wait_for_a_token_end_with_the_cause_for_which_its_requests_failed() {
    let sim = Sim::new("a dead token host");
    let requests = Cell::new(0);
    let service = service_fn(async |_: Request<RequestBody>| {
        requests.set(requests.get() + 1);
        sim.sleep(secs(20)).await;
        Err::<Response<Full<Bytes>>, _>(TransportError::Failed("connection cut".into()))
    });
    let client = Client::with_service(Site::LARK, app(), service, sim.time.clone());
    let ends = sim.run_numbered(3, async |_| {
        let error = client.call(&put()).await.unwrap_err();
        assert_eq!(error.route, Route::TenantAccessToken.path());
        let cause = match &error.kind {
            CallErrorKind::Transport(cause) => cause.to_string(),
            CallErrorKind::TokenRequest(cause) => cause.to_string(),
            _ => panic!("{error:?}"),
        };
        assert_eq!(cause, "connection cut");
        sim.elapsed()
    });
    assert_eq!(ends, [ends[0]; 3]);
    assert_eq!(requests.get(), 4);
}

#[test]
fn calls_that_wait_for_a_ticket_go_on_when_it_is_set() {
    let sim = Sim::new("a ticket");
    let fake = FakeTransport::new(sim.time.clone());
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let client = Client::with_service(Site::LARK, app, fake, sim.time.clone())
        .for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap())
        .with_limits(Limits::default().longest_wait(secs(180)));
    let ends = sim.run_numbered(3, async |number| {
        if number == 0 {
            sim.sleep(secs(120)).await;
            client.set_app_ticket(AppTicket::new(FakeLark::APP_TICKET).unwrap());
        } else {
            client.call(&put()).await.unwrap();
        }
        sim.elapsed()
    });
    assert_eq!(ends, [secs(120); 3]);
}

/// A waker that uses the client when it is woken, and counts its uses.
struct Using<F> {
    client: F,
    times: AtomicUsize,
}

impl<F: Fn() + Send + Sync> Wake for Using<F> {
    fn wake(self: Arc<Self>) {
        (self.client)();
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_may_call_the_client() {
    let sim = Sim::new("a waker");
    let fake = FakeTransport::new(sim.time.clone());
    let client = client(&fake, &sim);
    sim.run(client.call(&put())).unwrap();
    let slow = ConnectionFault::SlowReply(secs(1));
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    let used = client.clone();
    let write = write();
    let using =
        Arc::new(Using { client: move || drop(used.export_token()), times: AtomicUsize::new(0) });
    let waker = Waker::from(using.clone());
    let mut context = Context::from_waker(&waker);
    let mut first = Box::pin(client.call(&write));
    let mut second = pin!(client.call(&write));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    let before = using.times.load(Ordering::Relaxed);
    drop(first);
    assert!(using.times.load(Ordering::Relaxed) > before, "the second call is woken");
}
