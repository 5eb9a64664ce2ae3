//! A simulation: tasks that are polled by hand on one thread, in virtual time that passes when no task can go on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use hyper::rt::Timer;

/// A bound on sleeps, on readings of the clock and on rounds of polls. No call reaches it unless it spins.
const MOST: u64 = 500_000;

/// A virtual clock, which only the ends of sleeps and [`Time::skip`] move. Clones share it.
#[derive(Clone)]
pub(crate) struct Time(Arc<Mutex<Sleeps>>);

struct Sleeps {
    origin: Instant,
    elapsed: Duration,
    /// The wakers of the sleeping tasks, by the ends and the numbers of their sleeps.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    begun: u64,
    /// Counts the readings of the clock, to notice a loop within a single poll.
    asked: u64,
}

impl Time {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "no other constructor makes an `Instant`")]
        let origin = Instant::now();
        let elapsed = Duration::ZERO;
        let sleepers = BTreeMap::new();
        Self(Arc::new(Mutex::new(Sleeps { origin, elapsed, sleepers, begun: 0, asked: 0 })))
    }

    /// The number of sleeps that have begun.
    pub(crate) fn sleeps(&self) -> u64 {
        self.lock().begun
    }

    /// Moves the clock on, as code does that blocks its thread.
    pub(crate) fn skip(&self, time: Duration) {
        self.lock().elapsed += time;
    }

    /// Moves the clock to the end of the next sleep. Returns false if no task sleeps.
    fn pass(&self) -> bool {
        let mut sleeps = self.lock();
        let Some((&(until, _), _)) = sleeps.sleepers.first_key_value() else { return false };
        sleeps.elapsed = sleeps.elapsed.max(until);
        let later = sleeps.sleepers.split_off(&(until, u64::MAX));
        let ended = mem::replace(&mut sleeps.sleepers, later);
        drop(sleeps);
        ended.into_values().for_each(Waker::wake);
        true
    }

    /// Works also while a panic unwinds, since unwinding drops sleeps.
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
        assert!(sleeps.begun < MOST, "a call spins: {MOST} sleeps");
        let until = deadline.saturating_duration_since(sleeps.origin);
        Box::pin(Sleep { key: (until, sleeps.begun), time: self.clone() })
    }

    fn now(&self) -> Instant {
        let mut sleeps = self.lock();
        sleeps.asked += 1;
        assert!(sleeps.asked < MOST, "a call spins: it read the clock {MOST} times");
        sleeps.origin + sleeps.elapsed
    }
}

/// A virtual timer that keeps the default of [`Timer::now`]: its sleeps are virtual, and its clock is the real one.
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

/// The end of a dropped sleep wakes no task.
impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.lock().sleepers.remove(&self.key);
    }
}

/// A task of a simulation.
pub(crate) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// An executor that polls woken tasks only, and its virtual time. Clones share both.
#[derive(Clone)]
pub(crate) struct Sim {
    /// The name of the simulation in its panics.
    name: Rc<str>,
    pub(crate) time: Time,
    spawned: Rc<RefCell<Vec<Running<'static>>>>,
}

impl Sim {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), time: Time::new(), spawned: Rc::default() }
    }

    /// Adds a background task, which runs whenever another task is run.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Running::new(Box::pin(task)));
    }

    /// Runs `future` to its end.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut output = None;
        self.run_all(vec![Box::pin(async { output = Some(future.await) })]);
        output.unwrap()
    }

    /// Runs `tasks` concurrently to their ends. Background tasks that have not ended stay for the next run.
    ///
    /// # Panics
    /// A task hangs: no task is woken, and none sleeps. Or a task spins.
    pub(crate) fn run_all(&self, tasks: Vec<Task<'_>>) {
        let mut tasks: Vec<Running<'_>> = tasks.into_iter().map(Running::new).collect();
        for _ in 0..MOST {
            let mut is_moved = false;
            tasks.retain_mut(|task| task.goes_on(&mut is_moved));
            if tasks.is_empty() {
                return;
            }
            // A background task may spawn others.
            let mut spawned = mem::take(&mut *self.spawned.borrow_mut());
            spawned.retain_mut(|task| task.goes_on(&mut is_moved));
            self.spawned.borrow_mut().splice(..0, spawned);
            assert!(is_moved || self.time.pass(), "{}: a task hangs", self.name);
        }
        panic!("{}: a task spins: {MOST} rounds of polls", self.name);
    }

    /// Runs `count` tasks concurrently, each with its number, and returns their outputs in this order.
    pub(crate) fn run_numbered<T, F: Future<Output = T>>(
        &self,
        count: u32,
        task: impl Fn(u32) -> F,
    ) -> Vec<T> {
        let outputs = RefCell::new(BTreeMap::new());
        let run = |number| -> Task<'_> {
            let task = task(number);
            let outputs = &outputs;
            Box::pin(async move {
                let output = task.await;
                outputs.borrow_mut().insert(number, output);
            })
        };
        self.run_all((0..count).map(run).collect());
        outputs.into_inner().into_values().collect()
    }

    /// The virtual time since the start of the simulation.
    pub(crate) fn elapsed(&self) -> Duration {
        self.time.lock().elapsed
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }

    /// Sleeps until `time` after the start of the simulation.
    pub(crate) async fn sleep_until(&self, time: Duration) {
        self.sleep(time.saturating_sub(self.elapsed())).await;
    }

    /// The output of `call`. `None` stands for a call that was dropped after `patience`.
    pub(crate) async fn within<T>(
        &self,
        patience: Duration,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let mut call = pin!(call);
        let mut sleep = pin!(self.sleep(patience));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        })
        .await
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

    /// Polls the task if it is woken, and returns whether it has not ended.
    fn goes_on(&mut self, is_moved: &mut bool) -> bool {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return true;
        }
        *is_moved = true;
        let waker = Waker::from(self.woken.clone());
        self.task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
    }
}

/// Lets the other tasks run once.
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
