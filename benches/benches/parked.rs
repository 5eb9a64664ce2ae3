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

/// The numbers of threads. The threshold is that of the second number.
const THREADS: [usize; 3] = [1_000, 2_000, 10_000];
/// The numbers of futures. The threshold compares the second number with the first.
const FUTURES: [usize; 3] = [1_000, 20_000, 100_000];
const ROUNDS: usize = 11;
const WRITTEN: &str = r#"{"code":0,"data":{"spreadsheetToken":"shtcnabc"},"msg":"success"}"#;

fn main() {
    let options = Options::from_args();
    let mut comparisons = Vec::new();
    if options.wants("parked threads") {
        let kinds: [Kind; 2] = [
            ("lark-ureq, threads", &lane_of_threads),
            ("threads that unpark each other", &unparks),
        ];
        let [ours, theirs] = measure(&options, "threads", THREADS, kinds);
        comparisons.push(Comparison {
            what: format!(
                "{} parked threads in one lane, time: lark-ureq beside unparks",
                THREADS[1]
            ),
            ours: ours[1].clone(),
            theirs: theirs[1].clone(),
            threshold: Threshold::AtMost(3.0),
        });
    }
    if options.wants("parked futures") {
        let kinds: [Kind; 1] = [("lark-hyper, futures", &lane_of_futures)];
        let [[few, many, _]] = measure(&options, "futures", FUTURES, kinds);
        comparisons.push(Comparison {
            what: format!(
                "lark-hyper, time a call: {} parked futures in one lane beside {}",
                FUTURES[1], FUTURES[0]
            ),
            ours: many,
            theirs: few,
            threshold: Threshold::AtMost(3.0),
        });
    }
    options.print_comparisons(&comparisons);
}

/// A name, and how long so many parked calls take.
type Kind<'a> = (&'a str, &'a dyn Fn(usize) -> Duration);

/// Measures each kind with each number of calls interleaved, and prints the medians. Returns the seconds of a call in
/// each round. In a test, each kind runs once, with the smallest number.
fn measure<const K: usize, const N: usize>(
    options: &Options,
    what: &str,
    counts: [usize; N],
    kinds: [Kind<'_>; K],
) -> [[Vec<f64>; N]; K] {
    let mut seconds = [(); K].map(|()| [(); N].map(|()| Vec::new()));
    if options.is_test() {
        kinds.iter().for_each(|(name, run)| {
            run(counts[0]);
            println!("Testing {name}\nSuccess");
        });
        return seconds;
    }
    for _ in 0..ROUNDS {
        for (at, count) in counts.into_iter().enumerate() {
            let calls = f64::from(u32::try_from(count).expect("a small number"));
            for ((_, run), seconds) in kinds.iter().zip(&mut seconds) {
                seconds[at].push(run(count).as_secs_f64() / calls);
            }
        }
    }
    println!("\n| parked {what}, time a call | {} |", counts.map(|n| n.to_string()).join(" | "));
    println!("|---|{}", "---:|".repeat(N));
    for ((name, _), seconds) in kinds.iter().zip(&seconds) {
        let medians = seconds.each_ref().map(|all| format!("{:.2} µs", quartiles(all)[1] * 1e6));
        println!("| {name} | {} |", medians.join(" | "));
    }
    seconds
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

/// Starts `count` threads, waits until all of them are parked, and measures the time from `release` to the end of the
/// last thread.
fn timed<'s>(count: usize, task: impl Fn(usize) + Sync + 's, release: impl FnOnce()) -> Duration {
    let started = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..count {
            let task = &task;
            let started = &started;
            spawn(scope, move || {
                started.fetch_add(1, Ordering::Relaxed);
                task(number);
            });
        }
        while started.load(Ordering::Relaxed) < count {
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
fn lane_of_threads(count: usize) -> Duration {
    let gate = Gate::default();
    let config = Agent::config_builder().proxy(None).middleware(gate.clone()).build();
    let client = Client::with_agent(site(), App::None, config.into()).with_limits(limits());
    let token = token();
    let write = write_to("shtcnabc", &image(100));
    let call = |_| drop(client.call_as(&token, &write).expect("a result"));
    timed(count, call, || gate.open())
}

/// The time of threads, each of which parks until the thread before unparks it.
fn unparks(count: usize) -> Duration {
    let turns: Vec<AtomicBool> = (0..=count).map(|_| AtomicBool::new(false)).collect();
    let threads: Vec<Mutex<Option<thread::Thread>>> =
        (0..=count).map(|_| Mutex::default()).collect();
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
    timed(count, task, || hand_over(0))
}

/// The time of writes to one spreadsheet, each in a task of one runtime.
fn lane_of_futures(count: usize) -> Duration {
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
