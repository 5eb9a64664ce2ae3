//! Code of the caller's that the client runs and that calls the client: an endpoint's `read`, a waker, and the drop of
//! what a service has put into a reply or an error.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use http::{Method, Request};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeTransport, RequestBody, Transport, TransportError};
use lark_proto::endpoints::{Payload, Reply};
use lark_proto::fake::{ConnectionFault, FakeLark, Route};
use lark_proto::token::TenantOnly;
use lark_proto::{Endpoint, Error, ImageKey, PutImage, Site};
use lark_ureq::ureq::{self, middleware::MiddlewareNext};

use crate::support::pausing::Pausing;
use crate::support::{app, put, write};

/// A fake whose requests are pending when they are polled for the first time, and a client of it.
fn start() -> (
    FakeTransport,
    Client<impl Transport<Body: Send, Future: Send, Error: Send> + Clone + Send + Sync>,
) {
    let pausing = Pausing::new(TokioTimer::new());
    let fake = pausing.fake.clone();
    (fake, Client::with_service(Site::LARK, app(), pausing, TokioTimer::new()))
}

/// Polls `future` until it is ready.
fn spin<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return output;
        }
    }
    panic!("the future is never ready");
}

/// An upload whose `read` runs the hook with the number `N`.
struct Hooked<const N: usize>;

type Hook = Box<dyn Fn() + Send + Sync>;

/// The hooks of the tests; a static, since `Endpoint::read` has no receiver.
static HOOKS: [OnceLock<Hook>; 2] = [const { OnceLock::new() }; 2];

impl<const N: usize> Hooked<N> {
    /// The upload, whose hook is `hook` from now on.
    fn new(hook: impl Fn() + Send + Sync + 'static) -> Self {
        assert!(HOOKS[N].set(Box::new(hook)).is_ok(), "each test has a number of its own");
        Self
    }
}

impl<const N: usize> Endpoint for Hooked<N> {
    type Auth = TenantOnly;
    type Output = ImageKey;

    fn method(&self) -> Method {
        put().method()
    }

    fn route(&self) -> &str {
        Route::ImageV4Put.path()
    }

    fn payload(&self) -> Option<Payload> {
        put().payload()
    }

    fn read(reply: &Reply) -> Result<ImageKey, Error> {
        HOOKS[N].get().unwrap()();
        PutImage::read(reply)
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_may_call_the_client() {
    let (fake, client) = start();
    let inner = client.clone();
    let nested = Hooked::<0>::new(move || drop(spin(inner.call(&put())).unwrap()));
    client.call(&nested).await.unwrap();
    assert_eq!(fake.with(|lark| lark.images().count()), 2);
}

/// A task that its waker polls at once, unless the task is being polled.
struct Inline {
    task: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    wakes: AtomicUsize,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        let waker = Waker::from(self.clone());
        let Ok(mut task) = self.task.try_lock() else { return };
        let Some(future) = &mut *task else { return };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *task = None;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_may_poll_its_task_at_once() {
    let (fake, client) = start();
    client.call(&put()).await.unwrap();
    let first = write();
    let mut first = Box::pin(client.call(&first));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let task = client.clone();
    let second = Arc::new(Inline {
        task: Mutex::new(Some(Box::pin(async move { drop(task.call(&write()).await.unwrap()) }))),
        wakes: AtomicUsize::new(0),
    });
    second.clone().wake();
    assert_eq!(fake.with(|lark| lark.count(Route::ValuesImage)), 0, "the lane is taken");
    // The drop frees the lane, and so wakes and polls the second call before it returns.
    drop(first);
    assert!(second.wakes.load(Ordering::Relaxed) > 1);
    for _ in 0..100 {
        second.clone().wake();
    }
    assert!(second.task.lock().unwrap().is_none());
    assert_eq!(fake.with(|lark| lark.count(Route::ValuesImage)), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replies_are_read_at_the_same_time() {
    let (_, client) = start();
    client.call(&put()).await.unwrap();
    let reading = Mutex::new(0);
    let more = Condvar::new();
    // Waits until four replies are being read.
    let together = Arc::new(Hooked::<1>::new(move || {
        let mut reading = reading.lock().unwrap();
        *reading += 1;
        more.notify_all();
        let ten = Duration::from_secs(10);
        let waited = more.wait_timeout_while(reading, ten, |count| *count < 4).unwrap();
        assert!(!waited.1.timed_out(), "a reply is not read while another one is");
    }));
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            let together = together.clone();
            tokio::spawn(async move { client.call(&*together).await.map(drop) })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

/// Runs a check when its last clone is dropped.
#[derive(Clone)]
struct OnDrop(#[expect(dead_code, reason = "it is only dropped")] Arc<Check>);

struct Check(Arc<OnceLock<Hook>>);

impl Drop for Check {
    fn drop(&mut self) {
        self.0.get().unwrap()();
    }
}

impl fmt::Debug for OnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDrop")
    }
}

impl fmt::Display for OnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a guard")
    }
}

impl std::error::Error for OnDrop {}

/// Sets the check of the guards: `use_client` ends while one of them is dropped. Returns the number of drops.
fn check_drops<T: Send + 'static>(
    check: &OnceLock<Hook>,
    use_client: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> Arc<AtomicUsize> {
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = drops.clone();
    let set = check.set(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let use_client = use_client.clone();
        let (sender, uses) = mpsc::channel();
        thread::spawn(move || sender.send(use_client()));
        uses.recv_timeout(Duration::from_secs(10)).expect("the client is locked");
    }));
    assert!(set.is_ok());
    drops
}

/// Lets two token requests and two uploads fail, so that three of each take place.
fn fail_twice(lark: &mut FakeLark) {
    for route in [Route::TenantAccessToken, Route::ImageV4Put].repeat(2) {
        lark.fail_next_on(route, ConnectionFault::BeforeBody);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_in_a_reply_or_an_error_is_dropped_while_the_client_is_not_locked() {
    let pausing = Pausing::new(TokioTimer::new());
    let fake = pausing.fake.clone();
    let check = Arc::new(OnceLock::<Hook>::new());
    let hook = check.clone();
    let service = Arc::new(service_fn(move |request: Request<RequestBody>| {
        let guard = OnDrop(Arc::new(Check(hook.clone())));
        let reply = pausing.call(request);
        async move {
            match reply.await {
                Ok(mut reply) => {
                    reply.extensions_mut().insert(guard);
                    Ok(reply)
                }
                Err(_) => Err(TransportError::Failed(guard.into())),
            }
        }
    }));
    let client = Client::with_service(Site::LARK, app(), service, TokioTimer::new());
    let checked = client.clone();
    let drops = check_drops(&check, move || checked.export_token());
    fake.with(fail_twice);
    // The next call reports the result of the token request that this one leaves behind.
    let upload = put();
    let mut left = Box::pin(client.call(&upload));
    assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(left);
    client.call(&put()).await.unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 6);
}

#[test]
fn a_guard_of_a_middleware_is_dropped_while_the_blocking_client_is_not_locked() {
    let clock = lark_ureq::Clock::simulated();
    let fake = lark_ureq::FakeTransport::new(clock.clone());
    let check = Arc::new(OnceLock::<Hook>::new());
    let hook = check.clone();
    let guarded = move |request: Request<ureq::SendBody<'_>>, next: MiddlewareNext<'_>| {
        let guard = OnDrop(Arc::new(Check(hook.clone())));
        match next.handle(request) {
            Ok(mut reply) => {
                reply.extensions_mut().insert(guard);
                Ok(reply)
            }
            Err(_) => Err(ureq::Error::Other(guard.into())),
        }
    };
    let config = ureq::Agent::config_builder().proxy(None);
    let agent = config.middleware(guarded).middleware(fake.clone()).build().into();
    let client = lark_ureq::Client::with_clock(Site::LARK, app(), agent, clock);
    let checked = client.clone();
    let drops = check_drops(&check, move || checked.export_token());
    fake.with(fail_twice);
    client.call(&put()).unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 6);
}
