//! Token requests that the client keeps, and that any of its calls polls.

#[path = "support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, Frames, Transport, TransportError};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Image, Limits, PutImage, Site, TenantToken, WriteSheetImage};
use tokio::task::JoinSet;
use tokio::time::sleep;

use time::Time;

/// A poll of a request, which returns whether its reply has arrived.
type Script = Box<dyn FnMut(&mut Context<'_>) -> bool + Send>;

/// A service: its reactions to requests, and the number of token requests.
#[derive(Clone, Default)]
struct Service {
    token: Arc<Mutex<Option<Script>>>,
    upload: Arc<Mutex<Option<Script>>>,
    asked: Arc<AtomicU32>,
    /// Whether the next call of the service panics.
    panics: Arc<AtomicBool>,
}

impl Service {
    /// Sets `token` as the poll of a token request.
    fn on_token(&self, token: impl FnMut(&mut Context<'_>) -> bool + Send + 'static) {
        *self.token.lock().unwrap() = Some(Box::new(token));
    }

    /// Sets `upload` as the poll of an upload, which is otherwise answered at once.
    fn on_upload(&self, upload: impl FnMut(&mut Context<'_>) -> bool + Send + 'static) {
        *self.upload.lock().unwrap() = Some(Box::new(upload));
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn client(
        &self,
    ) -> Client<
        impl Transport<Body: Send, Future: Send, Error = Infallible> + Clone + Send + Sync + use<>,
    > {
        let service = self.clone();
        let service = service_fn(move |request: Request<Frames>| {
            let is_token = request.uri().path().contains("/auth/");
            let script = if is_token { service.token.clone() } else { service.upload.clone() };
            service.asked.fetch_add(is_token.into(), Ordering::SeqCst);
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
        let app = App::custom("cli_x", "secret").unwrap();
        Client::with_service(Site::LARK, app, Arc::new(service), Time::new())
    }
}

fn upload() -> PutImage {
    PutImage::message(Image::new("GIF89a").unwrap()).unwrap()
}

fn write() -> WriteSheetImage {
    let image = Image::new("GIF89a").unwrap();
    WriteSheetImage::new("shtcn1".parse().unwrap(), "Q7PlXT!H7".parse().unwrap(), image).unwrap()
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
        Self::new(async move { drop(client.call(&upload()).await.unwrap()) })
    }

    /// An upload with a token of the caller's.
    fn with_token<S>(client: &Client<S>) -> Self
    where
        S: Transport<Body: Send, Future: Send, Error = Infallible> + Clone + Send + Sync + 'static,
    {
        let client = client.clone();
        Self::new(async move {
            let token = TenantToken::new("t-7f1b").unwrap();
            client.call_as(&token, &upload()).await.unwrap();
        })
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
    let (dropped, mut polls) = (driver.clone(), 0);
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
    assert_eq!(service.asked(), 1);
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
        assert_eq!(service.asked(), 2);
    }
}

#[test]
fn a_token_request_that_is_woken_while_one_call_polls_it_wakes_another_one_too() {
    let service = Service::default();
    let client = service.client();
    let [first, second] = [(); 2].map(|()| Task::upload(&client));
    let (beside, mut polls) = (first.clone(), 0);
    service.on_token(move |context| {
        polls += 1;
        context.waker().wake_by_ref();
        if polls == 2 {
            // It finds no token request, since the second call has taken it out.
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
    let (is_free, waker) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None::<Waker>)));
    let (beside, frees, stored, mut polls) = (given.clone(), is_free.clone(), waker.clone(), 0);
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
    let (waker, mut polls) = (Arc::new(OnceLock::new()), 0);
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
        let (is_there, waker) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let (seen, stored) = (is_there.clone(), waker.clone());
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

/// Numbers from a seed, by splitmix64.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn below(&self, sides: u64) -> u64 {
        let step = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (step ^ (step >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Is pending up to three times, each time woken by its own poll or by a timer.
    async fn pause(&self) {
        for _ in 0..self.below(4) {
            if self.below(2) == 0 {
                tokio::task::yield_now().await;
            } else {
                sleep(Duration::from_micros(self.below(3000))).await;
            }
        }
    }
}

/// A client of a service on which one token request in 20 breaks and one other request in 50 is refused for its token,
/// and an `Arc` of which each token request in flight, and the service, hold a clone.
fn busy(
    app: App,
    dice: &Dice,
) -> (
    Client<impl Transport<Body: Send, Future: Send, Error: Send> + Clone + Send + Sync + use<>>,
    Arc<()>,
) {
    let (dice, alive) = (dice.clone(), Arc::new(()));
    let there = alive.clone();
    let service = service_fn(move |request: Request<Frames>| {
        let is_token = request.uri().path().contains("/auth/");
        let there = is_token.then(|| there.clone());
        let dice = dice.clone();
        async move {
            let _there = there;
            dice.pause().await;
            let (status, reply) = if !is_token && dice.below(50) == 0 {
                (400, r#"{"code":99991663,"msg":"refused"}"#)
            } else if is_token && dice.below(20) == 0 {
                return Err(TransportError::Failed("connection cut".into()));
            } else if is_token {
                (
                    200,
                    r#"{"code":0,"tenant_access_token":"t-1","app_access_token":"a-1","expire":600}"#,
                )
            } else {
                (200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
            };
            let body = Full::new(Bytes::from(reply));
            Ok(Response::builder().status(status).body(body).unwrap())
        }
    });
    let client = Client::with_service(Site::LARK, app, Arc::new(service), TokioTimer::new());
    client.keep_quotas(false);
    (client, alive)
}

/// Polls `call` until it is ready, at most `times` times.
async fn polled<F: Future>(call: F, times: u64) -> Option<F::Output> {
    let (mut call, mut polls) = (pin!(call), 0);
    poll_fn(|context| {
        polls += 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls < times => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}

/// Drops `call` after `time`, also if it was woken and has not been polled since.
async fn dropped_after(time: Duration, call: impl Future) {
    tokio::select! {
        biased;
        () = sleep(time) => {}
        _ = call => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_succeed_however_many_others_are_dropped_and_leave_nothing_behind() {
    let dice = Dice(Arc::new(AtomicU64::new(7)));
    let custom = App::custom("cli_x", "secret").unwrap();
    let store = App::store("cli_store", "secret").unwrap();
    let (source, _) = busy(custom.clone(), &dice);
    source.call(&upload()).await.unwrap();
    let token = source.export_token().unwrap();
    let mut clients = JoinSet::new();
    for number in 0..24 {
        let app = if number % 3 == 0 { &store } else { &custom };
        let (client, alive) = busy(app.clone(), &dice);
        let limits = Limits::default().total(Duration::from_secs(20));
        let client = client.with_limits(limits);
        if number % 3 == 0 {
            client.set_app_ticket(AppTicket::new("ticket").unwrap());
        } else if number % 3 == 1 {
            // The token is due for renewal.
            client.import_token(&token).unwrap();
        }
        let dice = dice.clone();
        clients.spawn(async move {
            let of_tenant = |tenant: usize| match number % 3 {
                0 => {
                    client.clone().for_tenant(TenantKey::new(["first", "second"][tenant]).unwrap())
                }
                _ => client.clone(),
            };
            let mut calls = JoinSet::new();
            for _ in 0..30 {
                let (client, dice) = (of_tenant(usize::from(dice.below(2) == 0)), dice.clone());
                calls.spawn(async move {
                    dice.pause().await;
                    let (upload, write) = (upload(), write());
                    let call = async {
                        match dice.below(2) {
                            0 => client.call(&upload).await.map(drop),
                            _ => client.call(&write).await.map(drop),
                        }
                    };
                    match dice.below(3) {
                        0 => drop(polled(call, dice.below(8)).await),
                        1 => dropped_after(Duration::from_micros(dice.below(5000)), call).await,
                        _ => call.await.unwrap(),
                    }
                });
            }
            while let Some(call) = calls.join_next().await {
                call.unwrap();
            }
            for tenant in 0..2 {
                of_tenant(tenant).call(&upload()).await.unwrap();
            }
            assert!(format!("{client:?}").contains("parked: 0"), "{client:?}");
            // Only a renewal may still be in flight, since no call waits for it.
            assert!(
                number % 3 == 1 || Arc::strong_count(&alive) == 2,
                "a token request is in flight"
            );
            (client, alive)
        });
    }
    while let Some(client) = clients.join_next().await {
        let (client, alive) = client.unwrap();
        drop(client);
        assert_eq!(Arc::strong_count(&alive), 1, "a token request is in flight");
    }
}
