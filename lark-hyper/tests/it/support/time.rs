//! Time that passes when nothing else is left to do, and the executor that lives in it: by hand, on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use hyper::rt::Timer;

/// More than any call needs, and soon over: who gets here spins.
const MOST: u64 = 500_000;

/// A virtual clock, which a sleep moves; clones are the same one.
#[derive(Clone)]
pub(crate) struct Time(Arc<Mutex<Sleeps>>);

struct Sleeps {
    origin: Instant,
    elapsed: Duration,
    /// By their ends.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    begun: u64,
    /// Counts who asked for the time: one that spins within a single poll does.
    asked: u64,
}

impl Time {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an `Instant` is not to be had otherwise")]
        let origin = Instant::now();
        let (elapsed, sleepers) = (Duration::ZERO, BTreeMap::new());
        Self(Arc::new(Mutex::new(Sleeps { origin, elapsed, sleepers, begun: 0, asked: 0 })))
    }

    /// How many sleeps have begun.
    pub(crate) fn sleeps(&self) -> u64 {
        self.lock().begun
    }

    /// Since it was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    /// Goes on to the next time at which somebody wakes up; false if nobody sleeps.
    fn pass(&self) -> bool {
        let mut sleeps = self.lock();
        let Some((&(until, _), _)) = sleeps.sleepers.first_key_value() else { return false };
        sleeps.elapsed = until;
        let later = sleeps.sleepers.split_off(&(until, u64::MAX));
        let ended = mem::replace(&mut sleeps.sleepers, later);
        drop(sleeps);
        ended.into_values().for_each(Waker::wake);
        true
    }

    /// Also while a panic unwinds, which drops sleeps.
    fn lock(&self) -> MutexGuard<'_, Sleeps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for Time {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let mut sleeps = self.lock();
        sleeps.begun += 1;
        assert!(sleeps.begun < MOST, "it spins: {MOST} sleeps");
        let until = deadline.saturating_duration_since(sleeps.origin);
        Box::pin(Sleep { key: (until, sleeps.begun), time: self.clone() })
    }

    fn now(&self) -> Instant {
        let mut sleeps = self.lock();
        sleeps.asked += 1;
        assert!(sleeps.asked < MOST, "it spins: it asked for the time {MOST} times");
        sleeps.origin + sleeps.elapsed
    }
}

/// A virtual timer that keeps the default of [`Timer::now`]: the sleeps jump, the clock goes on.
#[derive(Clone)]
pub(crate) struct RealNow(pub(crate) Time);

impl Timer for RealNow {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.0.sleep(deadline.saturating_duration_since(self.now()))
    }
}

struct Sleep {
    key: (Duration, u64),
    time: Time,
}

impl hyper::rt::Sleep for Sleep {}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleeps = self.time.lock();
        if sleeps.elapsed >= self.key.0 {
            return Poll::Ready(());
        }
        sleeps.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

/// Nobody waits for the end of a sleep that was given up.
impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.lock().sleepers.remove(&self.key);
    }
}

/// What an executor runs.
pub(crate) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Polls what is woken and nothing else; clones share its tasks and its time.
#[derive(Clone)]
pub(crate) struct Executor {
    /// For its panics.
    name: Rc<str>,
    pub(crate) time: Time,
    spawned: Rc<RefCell<Vec<Running<'static>>>>,
}

impl Executor {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), time: Time::new(), spawned: Rc::default() }
    }

    /// Runs `task` beside the others, whenever one of them is run.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Running::new(Box::pin(task)));
    }

    /// Runs `future` to its end.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut output = None;
        self.run_all(vec![Box::pin(async { output = Some(future.await) })]);
        output.unwrap()
    }

    /// Runs `tasks` to their ends, each woken by itself; those that were spawned are left where they are then.
    ///
    /// # Panics
    /// One hangs: all wait, and none for the time. Or one spins.
    pub(crate) fn run_all(&self, tasks: Vec<Task<'_>>) {
        let mut tasks: Vec<Running<'_>> = tasks.into_iter().map(Running::new).collect();
        for _ in 0..MOST {
            let mut is_moved = false;
            tasks.retain_mut(|task| task.goes_on(&mut is_moved));
            if tasks.is_empty() {
                return;
            }
            // A task may spawn others.
            let mut spawned = mem::take(&mut *self.spawned.borrow_mut());
            spawned.retain_mut(|task| task.goes_on(&mut is_moved));
            self.spawned.borrow_mut().splice(..0, spawned);
            assert!(is_moved || self.time.pass(), "{}: it hangs", self.name);
        }
        panic!("{}: it spins: {MOST} turns", self.name);
    }
}

struct Running<'a> {
    task: Task<'a>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Running<'a> {
    fn new(task: Task<'a>) -> Self {
        Self { task, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    /// Polls it if it is woken, and says whether there is more of it.
    fn goes_on(&mut self, is_moved: &mut bool) -> bool {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return true;
        }
        *is_moved = true;
        let waker = Waker::from(self.woken.clone());
        self.task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
    }
}

/// Lets the others have their turn.
pub(crate) async fn turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
