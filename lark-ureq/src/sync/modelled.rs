//! The threads and the time of a model. Time stands still until the model moves it with [`advance`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread::JoinHandle;

use self::thread::Thread;

loom::lazy_static! {
    static ref TIME: Mutex<Time> = Mutex::default();
}

#[derive(Default)]
struct Time {
    now: Duration,
    /// The parked threads, each with the end of its wait.
    parked: Vec<(Duration, Thread)>,
}

/// Moves time on, and unparks the threads whose wait is over.
pub(crate) fn advance(time: Duration) {
    let mut state = TIME.lock().unwrap();
    state.now += time;
    let now = state.now;
    let over: Vec<_> = state.parked.extract_if(.., |(end, _)| *end <= now).collect();
    drop(state);
    over.iter().for_each(|(_, thread)| thread.unpark());
}

/// A thread of a model. loom's default stack is too small for a call.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let words = 1 << 16;
    loom::thread::Builder::new().stack_size(words).spawn(work).unwrap()
}

/// Runs `model` in every order of its threads with at most `preemptions` preemptions, and prints the number of orders.
pub(crate) fn explore(
    name: &str,
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let model = Arc::new(model);
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(move || {
        count(&counter);
        let model = model.clone();
        spawn(move || model()).join().unwrap();
    });
    println!("{name}: {} executions", executions.load(Ordering::Relaxed));
}

pub(crate) fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Asserts that each of the events was counted in some execution, so that the model has covered it.
pub(crate) fn assert_covered(counts: &[AtomicUsize]) {
    let counts: Vec<_> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    println!("    {counts:?}");
    assert!(!counts.contains(&0), "{counts:?}");
}

#[derive(Clone, Copy)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(TIME.lock().unwrap().now)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().0 - self.0
    }
}

/// loom's own `park` shares its token with the locks of the thread, so that a thread which waits for a lock loses an
/// unpark. A [`Notify`](loom::sync::Notify) is the token alone. It also returns once without one, as `park` may.
pub(crate) mod thread {
    use std::sync::Arc;
    use std::time::Duration;

    pub(crate) use loom::thread::ThreadId;
    // No model uses these.
    pub(crate) use std::thread::{scope, yield_now};

    use super::TIME;

    loom::thread_local! {
        static CURRENT: Thread = Thread::new();
    }

    #[derive(Clone, Debug)]
    pub(crate) struct Thread {
        id: ThreadId,
        token: Arc<loom::sync::Notify>,
    }

    impl Thread {
        fn new() -> Self {
            Self { id: loom::thread::current().id(), token: Arc::default() }
        }

        pub(crate) fn id(&self) -> ThreadId {
            self.id
        }

        pub(crate) fn unpark(&self) {
            self.token.notify();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        current().token.wait();
    }

    /// A thread whose time is over is unparked, so that a wait which ends at the same time as it is unparked consumes
    /// the token, as std's does.
    pub(crate) fn park_timeout(time: Duration) {
        let this = current();
        let mut state = TIME.lock().unwrap();
        let end = state.now.saturating_add(time);
        if time.is_zero() {
            return;
        }
        state.parked.push((end, this.clone()));
        drop(state);
        this.token.wait();
        TIME.lock().unwrap().parked.retain(|(_, thread)| thread.id() != this.id());
    }
}
