//! Calls that a test polls by hand, over a service whose polls the test scripts.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use lark_hyper::{Client, RequestBody, Transport};
use lark_proto::Site;

use crate::support::sim::Time;
use crate::support::{app, put, token};

/// A poll of a request, which returns whether its reply has arrived.
type Script = Box<dyn FnMut(&mut Context<'_>) -> bool + Send>;

/// A service with a script for each kind of request, which counts the token requests.
#[derive(Clone, Default)]
struct Service {
    token: Arc<Mutex<Option<Script>>>,
    upload: Arc<Mutex<Option<Script>>>,
    token_requests: Arc<AtomicU32>,
    /// Whether the next call of the service panics.
    panics: Arc<AtomicBool>,
}

impl Service {
    /// Sets `token` as the poll of a token request.
    fn on_token(&self, token: impl FnMut(&mut Context<'_>) -> bool + Send + 'static) {
        *self.token.lock().unwrap() = Some(Box::new(token));
    }

    /// Sets `upload` as the poll of an upload. Without a script an upload is answered at once.
    fn on_upload(&self, upload: impl FnMut(&mut Context<'_>) -> bool + Send + 'static) {
        *self.upload.lock().unwrap() = Some(Box::new(upload));
    }

    fn token_requests(&self) -> u32 {
        self.token_requests.load(Ordering::SeqCst)
    }

    fn client(
        &self,
    ) -> Client<
        impl Transport<Body: Send, Future: Send, Error = Infallible> + Clone + Send + Sync + use<>,
    > {
        let service = self.clone();
        let service = service_fn(move |request: Request<RequestBody>| {
            let is_token = request.uri().path().contains("/auth/");
            let script = if is_token { service.token.clone() } else { service.upload.clone() };
            service.token_requests.fetch_add(is_token.into(), Ordering::SeqCst);
            assert!(!service.panics.swap(false, Ordering::SeqCst), "as asked for");
            async move {
                poll_fn(|context| {
                    // A script may poll a call that polls the service.
                    let taken = script.lock().unwrap().take();
                    let Some(mut taken) = taken else { return Poll::Ready(()) };
                    let is_over = taken(context);
                    script.lock().unwrap().get_or_insert(taken);
                    if is_over { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                let reply = if is_token {
                    r#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#
                } else {
                    r#"{"code":0,"data":{"image_key":"img_1"}}"#
                };
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(reply))))
            }
        });
        Client::with_service(Site::LARK, app(), Arc::new(service), Time::new())
    }
}

type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that is polled by hand; `None` once it has succeeded or was dropped.
#[derive(Clone)]
struct Task {
    call: Arc<Mutex<Option<Pending>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Task {
    fn new(call: impl Future<Output = ()> + Send + 'static) -> Self {
        let call = Arc::new(Mutex::new(Some(Box::pin(call) as _)));
        Self { call, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    /// An upload with the client's token.
    fn upload<S>(client: &Client<S>) -> Self
    where
        S: Transport<Body: Send, Future: Send, Error = Infallible> + Clone + Send + Sync + 'static,
    {
        let client = client.clone();
        Self::new(async move { drop(client.call(&put()).await.unwrap()) })
    }

    /// An upload with a token of the caller's.
    fn with_token<S>(client: &Client<S>) -> Self
    where
        S: Transport<Body: Send, Future: Send, Error = Infallible> + Clone + Send + Sync + 'static,
    {
        let client = client.clone();
        Self::new(async move { drop(client.call_as(&token(), &put()).await.unwrap()) })
    }

    /// Polls the call once, if it is woken. A panic drops it.
    fn poll(&self) {
        if self.woken.0.swap(false, Ordering::SeqCst) {
            let taken = self.call.lock().unwrap().take();
            let waker = Waker::from(self.woken.clone());
            let mut future = taken.expect("the call goes on");
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                *self.call.lock().unwrap() = Some(future);
            }
        }
    }

    /// Polls the call as often as it is woken.
    fn run(&self) {
        while !self.is_over() && self.woken.0.load(Ordering::SeqCst) {
            self.poll();
        }
    }

    fn is_over(&self) -> bool {
        self.call.lock().unwrap().is_none()
    }

    fn drop_call(&self) {
        drop(self.call.lock().unwrap().take());
    }
}

#[test]
fn a_token_request_stays_in_flight_if_its_driver_is_dropped_while_another_call_polls_it() {
    let service = Service::default();
    let client = service.client();
    let [driver, other] = [(); 2].map(|()| Task::upload(&client));
    let dropped = driver.clone();
    let mut polls = 0;
    service.on_token(move |context| {
        polls += 1;
        if polls == 2 {
            dropped.drop_call();
        }
        context.waker().wake_by_ref();
        polls > 2
    });
    driver.poll();
    other.run();
    assert!(driver.is_over() && other.is_over());
    assert_eq!(service.token_requests(), 1);
}

#[test]
fn a_token_request_is_sent_again_if_the_service_panicked_when_it_was_called_or_polled() {
    for panics_at in [0, 1, 2] {
        let service = Service::default();
        let client = service.client();
        let tasks = [(); 2].map(|()| Task::upload(&client));
        service.panics.store(panics_at == 0, Ordering::SeqCst);
        let mut polls = 0;
        service.on_token(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            assert_ne!(polls, panics_at, "as asked for");
            polls == 2
        });
        for (at, task) in (1..).zip(&tasks) {
            let polled = catch_unwind(AssertUnwindSafe(|| task.poll()));
            assert_eq!(polled.is_err(), at == panics_at.max(1));
        }
        tasks.iter().for_each(Task::run);
        assert!(tasks.iter().all(Task::is_over));
        assert_eq!(service.token_requests(), 2);
    }
}

#[test]
fn a_token_request_that_is_woken_while_a_call_polls_it_wakes_another_call_too() {
    let service = Service::default();
    let client = service.client();
    let [first, second] = [(); 2].map(|()| Task::upload(&client));
    let beside = first.clone();
    let mut polls = 0;
    service.on_token(move |context| {
        polls += 1;
        context.waker().wake_by_ref();
        if polls == 2 {
            // The first call finds no token request, because the second call has taken it out.
            beside.poll();
        }
        polls > 2
    });
    first.poll();
    second.poll();
    // The second call is not polled again.
    first.run();
    assert!(first.is_over());
}

#[test]
fn a_call_whose_own_request_is_in_flight_is_woken_for_any_token_request() {
    let service = Service::default();
    let client = service.client();
    let driver = Task::upload(&client);
    let given = Task::with_token(&client);
    // The service answers one request at a time, and the token request is the first.
    let is_free = Arc::new(AtomicBool::new(false));
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let beside = given.clone();
    let frees = is_free.clone();
    let stored = waker.clone();
    let mut polls = 0;
    service.on_token(move |context| {
        polls += 1;
        if polls == 1 {
            beside.poll();
        }
        *stored.lock().unwrap() = Some(context.waker().clone());
        frees.store(polls > 1, Ordering::SeqCst);
        polls > 1
    });
    service.on_upload(move |_| is_free.load(Ordering::SeqCst));
    driver.poll();
    driver.drop_call();
    assert!(!given.is_over());
    let waker = waker.lock().unwrap().take();
    waker.unwrap().wake();
    given.run();
    assert!(given.is_over());
}

#[test]
fn calls_that_are_dropped_after_they_were_woken_for_a_token_request_wake_others() {
    let service = Service::default();
    let client = service.client();
    let [first, last] = [(); 2].map(|()| Task::with_token(&client));
    let driver = Task::upload(&client);
    let waker = Arc::new(OnceLock::new());
    let mut polls = 0;
    let stored = waker.clone();
    service.on_token(move |context| {
        polls += 1;
        stored.get_or_init(|| context.waker().clone());
        polls > 1
    });
    let answers = Arc::new(AtomicBool::new(false));
    let is_answered = answers.clone();
    service.on_upload(move |_| is_answered.load(Ordering::SeqCst));
    for task in [&first, &driver, &last] {
        task.poll();
    }
    let waker: &Waker = waker.get().unwrap();
    waker.wake_by_ref();
    assert!([&first, &last].iter().all(|task| task.woken.0.load(Ordering::SeqCst)));
    first.drop_call();
    last.drop_call();
    answers.store(true, Ordering::SeqCst);
    driver.run();
    assert!(driver.is_over());
}

#[test]
fn a_token_request_that_another_thread_wakes_while_a_call_polls_it_is_polled_again() {
    for _ in 0..if cfg!(miri) { 1 } else { 100 } {
        let service = Service::default();
        let task = Task::upload(&service.client());
        let is_there = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(OnceLock::new());
        let seen = is_there.clone();
        let stored = waker.clone();
        service.on_token(move |context| {
            stored.get_or_init(|| context.waker().clone());
            seen.load(Ordering::Acquire)
        });
        task.poll();
        let waker: Waker = waker.get().unwrap().clone();
        thread::scope(|scope| {
            scope.spawn(|| {
                waker.wake_by_ref();
                is_there.store(true, Ordering::Release);
                waker.wake_by_ref();
            });
            while !task.woken.0.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            task.run();
        });
        task.run();
        assert!(task.is_over());
    }
}
