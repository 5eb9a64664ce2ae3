//! Models of calls on several threads. Each is run in every order that loom finds, with the whole client except its
//! connections. A call that nothing wakes is a deadlock, since the time of a model moves only where the model moves it.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::rt::{Sleep, Timer};
use hyper::service::Service;
use lark_proto::endpoints::Raw;
use lark_proto::{App, Limits, Site, TenantToken};
use loom::future::block_on;
use loom::sync::Mutex;
use loom::sync::atomic::AtomicBool;
use loom::thread::{JoinHandle, yield_now};
use serde::de::IgnoredAny;

use super::*;
use crate::sync::modelled::{assert_covered, count, explore, spawn};
use crate::{Client, RequestBody};

const TEN: Duration = Duration::from_secs(10);

type Pinned<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A timer whose time stands still.
#[derive(Clone)]
struct Still(Instant);

struct Forever;

impl Future for Forever {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Forever {}

impl Timer for Still {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Forever)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Forever)
    }

    fn now(&self) -> Instant {
        self.0
    }
}

/// A timer whose time the model moves on once, by ten seconds.
#[derive(Clone)]
struct Moved(Instant, Arc<Mutex<(bool, Vec<Waker>)>>);

impl Moved {
    fn advance(&self) {
        let mut state = self.1.lock().unwrap();
        state.0 = true;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Timer for Moved {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Sleep>> {
        if time > TEN { Box::pin(Forever) } else { Box::pin(UntilMoved(self.clone())) }
    }

    fn sleep_until(&self, end: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(end - self.now())
    }

    fn now(&self) -> Instant {
        self.0 + if self.1.lock().unwrap().0 { TEN } else { Duration::ZERO }
    }
}

struct UntilMoved(Moved);

impl Future for UntilMoved {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = self.0.1.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1.push(waker);
        Poll::Pending
    }
}

impl Sleep for UntilMoved {}

/// A service that never answers the first request if that is a write, answers a token request when the model opens the
/// gate, and answers the others at once.
#[derive(Clone, Default)]
struct Answers {
    requests: Arc<AtomicUsize>,
    sending: Arc<AtomicUsize>,
    gate: Option<Arc<Gate>>,
}

/// A reply that stores its waker when it is first polled, and no more after that.
#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    /// Wakes the token request before its reply is there.
    fn wake_in_vain(&self) {
        let waker = self.waker.lock().unwrap().clone();
        waker.into_iter().for_each(Waker::wake);
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
    }

    async fn opened(&self) {
        let mut is_stored = false;
        poll_fn(|context| {
            if !is_stored {
                is_stored = true;
                let waker = context.waker().clone();
                *self.waker.lock().unwrap() = Some(waker);
            }
            let is_open = self.is_open.load(Ordering::Relaxed);
            if is_open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Service<Request<RequestBody>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pinned<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<RequestBody>) -> Self::Future {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let is_token = request.uri().path().contains("tenant_access_token");
        let this = self.clone();
        Box::pin(async move {
            if is_token {
                if let Some(gate) = &this.gate {
                    gate.opened().await;
                }
                let token = r#"{"code":0,"tenant_access_token":"t-2","expire":7200}"#;
                return Ok(Response::new(Full::from(token)));
            }
            if number == 0 {
                pending::<()>().await;
            }
            if this.gate.is_none() {
                assert_eq!(
                    this.sending.fetch_add(1, Ordering::Relaxed),
                    0,
                    "two calls send at once"
                );
                yield_now();
                this.sending.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Response::new(Full::from(r#"{"code":0}"#)))
        })
    }
}

type ModelClient = Client<Answers>;

fn client(service: Answers, timer: impl Timer + Send + Sync + 'static) -> ModelClient {
    Client::with_service(Site::LARK, App::custom("cli_x", "secret").unwrap(), service, timer)
        .with_jitter(0)
}

fn still() -> Still {
    Still(Instant::now())
}

fn raw(lane: &str) -> Raw<IgnoredAny> {
    Raw::new(Method::POST, "/open-apis/sheets/v2/spreadsheets").with_serial_key(lane)
}

/// A write in the lane of this model, with a token of its own.
fn write(client: &ModelClient) -> Pinned<Result<IgnoredAny, CallError<Infallible>>> {
    let client = client.clone();
    Box::pin(async move { client.call_as(&TenantToken::new("t-1").unwrap(), &raw("x")).await })
}

/// A write in a lane of its own that needs the session's token.
fn needs_token(
    client: &ModelClient,
    lane: &'static str,
) -> Pinned<Result<IgnoredAny, CallError<Infallible>>> {
    let client = client.clone();
    Box::pin(async move { client.call(&raw(lane)).await })
}

/// Polls a call that has to wait once, with a waker that does nothing.
fn poll_once<T>(mut call: Pinned<T>) -> Pinned<T> {
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    call
}

fn spawn_write(client: &ModelClient) -> JoinHandle<()> {
    let call = write(client);
    spawn(move || assert!(block_on(call).is_ok()))
}

#[test]
fn calls_in_one_lane_send_one_at_a_time_and_all_of_them_do() {
    explore("lane", Some(2), || {
        let client = client(Answers::default(), still());
        let first = poll_once(write(&client));
        let threads = [(); 2].map(|()| spawn_write(&client));
        drop(first);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_call_that_is_woken_between_two_polls_goes_on() {
    static COUNTS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    explore("between two polls", None, || {
        let client = client(Answers::default(), still());
        let first = poll_once(write(&client));
        let mut second = write(&client);
        let second = spawn(move || {
            let waits = AtomicUsize::new(0);
            let result = block_on(poll_fn(|context| {
                let polled = second.as_mut().poll(context);
                if polled.is_pending() {
                    count(&waits);
                }
                polled
            }));
            assert!(result.is_ok());
            count(&COUNTS[usize::from(waits.into_inner() > 0)]);
        });
        drop(first);
        second.join().unwrap();
    });
    assert_covered(&COUNTS);
}

#[test]
fn a_call_whose_time_is_over_as_it_is_woken_leaves_the_lane_to_the_next_one() {
    static COUNTS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    explore("timeout", Some(2), || {
        let timer = Moved(Instant::now(), Arc::default());
        let client = client(Answers::default(), timer.clone());
        let first = poll_once(write(&client));
        let second = poll_once(write(&client.clone().with_limits(Limits::default().total(TEN))));
        let third = poll_once(write(&client));
        let second = spawn(move || match block_on(second) {
            Ok(_) => count(&COUNTS[0]),
            Err(error) => {
                assert!(matches!(error.kind, CallErrorKind::Queued { .. }), "{error}");
                count(&COUNTS[1]);
            }
        });
        let third = spawn(move || assert!(block_on(third).is_ok()));
        let moves = spawn(move || timer.advance());
        drop(first);
        for thread in [second, third, moves] {
            thread.join().unwrap();
        }
    });
    assert_covered(&COUNTS);
}

#[test]
fn a_call_that_is_dropped_as_it_is_woken_leaves_the_lane_to_the_next_one() {
    explore("dropped", Some(3), || {
        let client = client(Answers::default(), still());
        let first = poll_once(write(&client));
        let second = poll_once(write(&client));
        let third = spawn_write(&client);
        let second = spawn(move || drop(second));
        drop(first);
        for thread in [second, third] {
            thread.join().unwrap();
        }
    });
}

/// A task that its waker polls at once.
struct Inline(Mutex<Option<Pinned<()>>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let Ok(mut task) = self.0.try_lock() else { return };
        let Some(future) = &mut *task else { return };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *task = None;
        }
    }
}

#[test]
fn a_waker_may_poll_its_call_at_once() {
    explore("inline", Some(3), || {
        let client = client(Answers::default(), still());
        let first = poll_once(write(&client));
        let second = write(&client);
        let task: Pinned<()> = Box::pin(async move { assert!(second.await.is_ok()) });
        let second = Arc::new(Inline(Mutex::new(Some(task))));
        second.clone().wake();
        let third = spawn_write(&client);
        drop(first);
        third.join().unwrap();
        assert!(second.0.lock().unwrap().is_none());
    });
}

/// A client whose token request is answered when the gate opens.
fn gated() -> (Arc<Gate>, ModelClient) {
    let gate = Arc::new(Gate::default());
    let answers = Answers { gate: Some(gate.clone()), ..Answers::default() };
    (gate, client(answers, still()))
}

#[test]
fn a_token_request_whose_call_is_dropped_is_driven_on_by_the_calls_that_wait() {
    explore("token, driver dropped", Some(2), || {
        let (gate, client) = gated();
        let driver = poll_once(needs_token(&client, "y"));
        let call = needs_token(&client, "z");
        let other = spawn(move || assert!(block_on(call).is_ok()));
        let opens = spawn(move || {
            gate.wake_in_vain();
            gate.open();
        });
        drop(driver);
        for thread in [other, opens] {
            thread.join().unwrap();
        }
    });
}

/// A wake is for the oldest and the newest parked call that were not woken since they were polled. The two oldest ones
/// are no longer polled. The newest one finds no request while the driver, which is between them, has taken it out.
#[test]
fn a_token_request_that_is_woken_while_it_is_polled_is_polled_again() {
    explore("token, woken while polled", Some(2), || {
        let (gate, client) = gated();
        let oldest = [(); 2].map(|()| poll_once(write(&client)));
        let driver = poll_once(needs_token(&client, "y"));
        let newest = poll_once(needs_token(&client, "z"));
        gate.wake_in_vain();
        let driver = spawn(move || assert!(block_on(driver).is_ok()));
        let opens = spawn(move || gate.open());
        assert!(block_on(newest).is_ok());
        driver.join().unwrap();
        opens.join().unwrap();
        drop(oldest);
    });
}

#[test]
fn a_call_that_is_dropped_as_it_is_woken_to_poll_a_token_request_leaves_that_to_another_one() {
    explore("token, newest dropped", Some(3), || {
        let (gate, client) = gated();
        let oldest = poll_once(write(&client));
        let driver = poll_once(needs_token(&client, "y"));
        let newest = poll_once(needs_token(&client, "z"));
        let driver = spawn(move || assert!(block_on(driver).is_ok()));
        let opens = spawn(move || gate.open());
        drop(newest);
        for thread in [driver, opens] {
            thread.join().unwrap();
        }
        drop(oldest);
    });
}
