//! Calls that wait in one lane, which is the queue of the writes to one spreadsheet. The time from the first reply to
//! the end of the last call is compared. Blocking calls are compared with as many threads that unpark each other in
//! turn, and futures in a long lane with futures in a short one. The service answers at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, Builder, Scope};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioTimer;
use lark_benches::interleaved::{Comparison, Options, Threshold, quartiles};
use lark_benches::{image, token, write_to};
use lark_hyper::TransportError;
use lark_hyper::hyper::service::service_fn;
use lark_proto::{App, Limits, Site};
use lark_ureq::Client;
use lark_ureq::ureq::http::{Request, Response};
use lark_ureq::ureq::middleware::{Middleware, MiddlewareNext};
use lark_ureq::ureq::{Agent, Body, Error, SendBody};

const THREADS: usize = 2_000;
const FUTURES: [u32; 2] = [20_000, 1_000];
const ROUNDS: usize = 11;
const WRITTEN: &str = r#"{"code":0,"data":{"spreadsheetToken":"shtcnabc"},"msg":"success"}"#;

fn main() {
    let options = Options::from_args();
    if options.wants("parked threads") {
        let what = format!("{THREADS} parked threads in one lane, time: lark-ureq beside unparks");
        compare(&options, what, Threshold::AtMost(3.0), lane_of_threads, unparks);
    }
    if options.wants("parked futures") {
        let [many, few] = FUTURES;
        let what =
            format!("lark-hyper, time a call: {many} parked futures in one lane beside {few}");
        let [many, few] = FUTURES.map(|count| move || lane_of_futures(count) / count);
        compare(&options, what, Threshold::AtMost(3.0), many, few);
    }
}

/// Measures both interleaved, and prints the comparison.
fn compare(
    options: &Options,
    what: String,
    threshold: Threshold,
    ours: impl Fn() -> Duration,
    theirs: impl Fn() -> Duration,
) {
    let rounds = if options.is_test() { 1 } else { ROUNDS };
    let times = (0..rounds).map(|_| (ours().as_secs_f64(), theirs().as_secs_f64()));
    let (ours, theirs): (Vec<f64>, Vec<f64>) = times.unzip();
    if options.is_test() {
        return println!("Testing {what}\nSuccess");
    }
    let [our_median, their_median] = [&ours, &theirs].map(|times| quartiles(times)[1] * 1e6);
    println!("{what}: {our_median:.1} µs beside {their_median:.1} µs");
    options.print_comparisons(&[Comparison { what, ours, theirs, threshold }]);
}

/// The service, which holds back its replies until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }
}

impl Middleware for Gate {
    fn handle(
        &self,
        _: Request<SendBody<'_>>,
        _: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        let (is_open, opened) = &*self.0;
        let mut is_open = is_open.lock().expect("no panic");
        while !*is_open {
            is_open = opened.wait(is_open).expect("no panic");
        }
        Ok(Response::new(Body::builder().data(Bytes::from_static(WRITTEN.as_bytes()))))
    }
}

/// Starts [`THREADS`] threads, waits until all of them are parked, and measures the time from `release` to the end of
/// the last thread.
fn timed<'s>(task: impl Fn(usize) + Sync + 's, release: impl FnOnce()) -> Duration {
    let started = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let task = &task;
            let started = &started;
            spawn(scope, move || {
                started.fetch_add(1, Ordering::Relaxed);
                task(number);
            });
        }
        while started.load(Ordering::Relaxed) < THREADS {
            thread::yield_now();
        }
        pause();
        start(release)
    })
    .elapsed()
}

fn spawn<'s>(scope: &'s Scope<'s, '_>, task: impl FnOnce() + Send + 's) {
    let small = Builder::new().stack_size(128 << 10);
    small.spawn_scoped(scope, task).expect("a thread");
}

#[expect(clippy::disallowed_methods, reason = "the last threads need a moment to park")]
fn pause() {
    thread::sleep(Duration::from_millis(200));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn start(release: impl FnOnce()) -> Instant {
    let start = Instant::now();
    release();
    start
}

/// A site on loopback, for which the client keeps no quotas.
fn site() -> Site {
    Site::custom("http://127.0.0.1:1").expect("a loopback site")
}

fn limits() -> Limits {
    Limits::default().total(Duration::from_secs(3600))
}

/// The time of writes to one spreadsheet, each in a thread.
fn lane_of_threads() -> Duration {
    let gate = Gate::default();
    let config = Agent::config_builder().proxy(None).middleware(gate.clone()).build();
    let client = Client::with_agent(site(), App::None, config.into()).with_limits(limits());
    let token = token();
    let write = write_to("shtcnabc", &image(100));
    let call = |_| drop(client.call_as(&token, &write).expect("a result"));
    timed(call, || gate.open())
}

/// The time of threads, each of which parks until the thread before unparks it.
fn unparks() -> Duration {
    let turns: Vec<AtomicBool> = (0..=THREADS).map(|_| AtomicBool::new(false)).collect();
    let threads: Vec<Mutex<Option<thread::Thread>>> =
        (0..=THREADS).map(|_| Mutex::default()).collect();
    let hand_over = |to: usize| {
        turns[to].store(true, Ordering::Release);
        if let Some(thread) = &*threads[to].lock().expect("no panic") {
            thread.unpark();
        }
    };
    let task = |number: usize| {
        *threads[number].lock().expect("no panic") = Some(thread::current());
        while !turns[number].load(Ordering::Acquire) {
            thread::park();
        }
        hand_over(number + 1);
    };
    timed(task, || hand_over(0))
}

/// The time of writes to one spreadsheet, each in a task of one runtime.
fn lane_of_futures(count: u32) -> Duration {
    let open = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = open.clone();
    let service = service_fn(move |_| {
        let gate = gate.clone();
        async move {
            let _is_open = gate.acquire().await;
            Ok::<_, TransportError>(Response::new(Full::new(Bytes::from_static(
                WRITTEN.as_bytes(),
            ))))
        }
    });
    let service = Arc::new(service);
    let client = lark_hyper::Client::with_service(site(), App::None, service, TokioTimer::new());
    let client = client.with_limits(limits());
    let write = Arc::new(write_to("shtcnabc", &image(100)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let call = |_| {
            let client = client.clone();
            let write = write.clone();
            let token = token();
            tokio::spawn(
                async move { drop(client.call_as(&token, &*write).await.expect("a result")) },
            )
        };
        let calls: Vec<_> = (0..count).map(call).collect();
        // Each task runs once, and then waits.
        tokio::task::yield_now().await;
        let start = start(|| open.add_permits(1));
        for call in calls {
            call.await.expect("no panic");
        }
        start.elapsed()
    })
}
