//! Virtual time, which moves on when all threads wait.
//!
//! ```text
//!            park                      time is t, or unpark
//!   running ------> parked, until t ------------------------------> running
//!      |
//!      +-- unpark: the next park returns at once
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sync::thread::{self, Thread, ThreadId};
use crate::sync::{AtomicUsize, Mutex, MutexGuard};

pub(crate) struct Simulated(Mutex<State>);

struct State {
    now: Duration,
    /// The time that the wall clock was set to, and `now` at that moment.
    wall: (SystemTime, Duration),
    running: usize,
    /// The parked threads, each with the end of its wait.
    parked: Vec<(Thread, Duration)>,
    /// Threads that were unparked while they ran.
    unparked: Vec<ThreadId>,
}

/// A thread of a [`run`](crate::Clock::run). It counts as running until this is dropped, even by a panic.
pub(crate) struct Running {
    clock: Arc<Simulated>,
    /// How many threads of the same run have not ended.
    left: Arc<AtomicUsize>,
}

impl Default for Simulated {
    fn default() -> Self {
        Self(Mutex::new(State {
            now: Duration::ZERO,
            wall: (UNIX_EPOCH, Duration::ZERO),
            running: 1,
            parked: Vec::new(),
            unparked: Vec::new(),
        }))
    }
}

impl Simulated {
    /// No method panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.state().now
    }

    pub(crate) fn wall(&self) -> SystemTime {
        let state = self.state();
        let (wall, set) = state.wall;
        wall.checked_add(state.now.saturating_sub(set)).unwrap_or(wall)
    }

    pub(crate) fn set_wall(&self, wall: SystemTime) {
        let mut state = self.state();
        state.wall = (wall, state.now);
    }

    /// As [`thread::park_timeout`]: several unparks before its return count as one.
    pub(crate) fn park(&self, time: Duration) {
        let this = thread::current();
        let mut state = self.state();
        if state.take_unpark(this.id()) {
            return;
        }
        let end = state.now.saturating_add(time);
        state.parked.push((this.clone(), end));
        state.stop_one();
        while state.parked.iter().any(|(thread, _)| thread.id() == this.id()) {
            drop(state);
            thread::park();
            state = self.state();
        }
        state.take_unpark(this.id());
    }

    pub(crate) fn unpark(&self, thread: &Thread) {
        let mut state = self.state();
        if let Some(place) = state.parked.iter().position(|(it, _)| it.id() == thread.id()) {
            state.resume(place);
        } else if !state.unparked.contains(&thread.id()) {
            state.unparked.push(thread.id());
        }
    }

    /// Counts `threads` new threads as running. The calling thread, which waits for them, does not count until the last
    /// of them ends.
    pub(crate) fn start(self: &Arc<Self>, threads: usize) -> Vec<Running> {
        self.state().running += threads.saturating_sub(1);
        let left = Arc::new(AtomicUsize::new(threads));
        (0..threads).map(|_| Running { clock: self.clone(), left: left.clone() }).collect()
    }
}

impl State {
    /// Removes the record that the thread was unparked while it ran. Returns whether there was one.
    fn take_unpark(&mut self, thread: ThreadId) -> bool {
        let place = self.unparked.iter().position(|unparked| *unparked == thread);
        place.map(|place| self.unparked.swap_remove(place)).is_some()
    }

    /// A thread stops running. If no other one runs, time moves to the end of the earliest wait.
    fn stop_one(&mut self) {
        self.running = self.running.saturating_sub(1);
        if self.running > 0 {
            return;
        }
        let Some(earliest) = self.parked.iter().map(|(_, end)| *end).min() else { return };
        self.now = self.now.max(earliest);
        while let Some(place) = self.parked.iter().position(|(_, end)| *end <= self.now) {
            self.resume(place);
        }
    }

    /// Unparks the thread at `place`, which counts as running from now on.
    fn resume(&mut self, place: usize) {
        let (thread, _) = self.parked.swap_remove(place);
        self.running += 1;
        thread.unpark();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let is_last = self.left.fetch_sub(1, Ordering::Relaxed) == 1;
        // The caller counts as running in place of the last thread.
        if !is_last {
            self.clock.state().stop_one();
        }
    }
}

#[cfg(all(test, lark_loom))]
mod models;

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::{Barrier, Mutex, OnceLock};

    use super::*;
    use crate::Clock;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

    #[test]
    fn time_moves_to_the_end_of_the_earliest_wait() {
        let clock = Clock::simulated();
        let order = Mutex::new(Vec::new());
        clock.run([30, 10, 20, 10].map(|seconds| {
            let clock = &clock;
            let order = &order;
            move || {
                clock.sleep(secs(seconds));
                assert_eq!(clock.elapsed(), secs(seconds));
                order.lock().unwrap().push(seconds);
                clock.sleep(secs(100));
                assert_eq!(clock.elapsed(), secs(100 + seconds));
            }
        }));
        assert_eq!(*order.lock().unwrap(), [10, 10, 20, 30]);
        // The caller runs again, alone.
        clock.sleep(secs(70));
        assert_eq!(clock.elapsed(), secs(200));
    }

    #[test]
    fn time_stands_still_while_a_thread_runs() {
        let clock = Clock::simulated();
        let together = Barrier::new(2);
        let sleeps = || {
            together.wait();
            clock.sleep(secs(1));
        };
        let runs = || {
            together.wait();
            for _ in 0..1000 {
                thread::yield_now();
            }
            assert_eq!(clock.elapsed(), Duration::ZERO);
        };
        clock.run([Box::new(sleeps) as Task<'_>, Box::new(runs)]);
        assert_eq!(clock.elapsed(), secs(1));
    }

    #[test]
    fn a_thread_that_is_unparked_runs_before_time_moves_on() {
        let clock = Clock::simulated();
        let parked = OnceLock::new();
        let parks = || {
            parked.set(thread::current()).unwrap();
            clock.park(secs(3600));
            assert_eq!(clock.elapsed(), secs(5));
        };
        let unparks = || {
            clock.sleep(secs(5));
            clock.unpark(parked.get().unwrap());
            // The unparked thread counts as running at once, so this wait ends only after that thread has ended.
            clock.sleep(secs(1));
        };
        clock.run([Box::new(parks) as Task<'_>, Box::new(unparks)]);
        assert_eq!(clock.elapsed(), secs(6));
    }

    #[test]
    fn an_unpark_before_the_park_is_remembered_once() {
        let clock = Clock::simulated();
        for _ in 0..2 {
            clock.unpark(&thread::current());
        }
        clock.park(secs(10));
        assert_eq!(clock.elapsed(), Duration::ZERO);
        clock.park(secs(10));
        assert_eq!(clock.elapsed(), secs(10));
    }

    #[test]
    fn an_unpark_ends_no_sleep() {
        let clock = Clock::simulated();
        clock.unpark(&thread::current());
        clock.sleep(secs(10));
        assert_eq!(clock.elapsed(), secs(10));
    }

    #[test]
    fn a_panic_of_a_task_leaves_the_others_running() {
        let clock = Clock::simulated();
        let (rests, panics) = (AssertUnwindSafe(&clock), AssertUnwindSafe(&clock));
        let rests = || rests.sleep(secs(20));
        let panics = || {
            panics.sleep(secs(10));
            panic::resume_unwind(Box::new("as asked for"));
        };
        let tasks = [Box::new(rests) as Task<'_>, Box::new(panics)];
        let run = AssertUnwindSafe(|| clock.run(tasks));
        let panic = panic::catch_unwind(run).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"as asked for"));
        assert_eq!(clock.elapsed(), secs(20));
        clock.sleep(secs(1));
        assert_eq!(clock.elapsed(), secs(21));
    }

    #[test]
    fn time_does_not_move_when_the_last_task_of_a_run_ends() {
        let clock = Clock::simulated();
        let together = Barrier::new(2);
        let sleeps = || {
            together.wait();
            clock.sleep(secs(60));
        };
        let runs = || {
            together.wait();
            for _ in 0..100 {
                assert_eq!(clock.run([|| 1, || 2]), [1, 2]);
                assert!(clock.run::<fn(), ()>([]).is_empty());
                assert_eq!(clock.elapsed(), Duration::ZERO);
            }
        };
        clock.run([Box::new(sleeps) as Task<'_>, Box::new(runs)]);
        assert_eq!(clock.elapsed(), secs(60));
    }

    #[test]
    fn the_wall_clock_goes_on_from_where_it_was_set() {
        let clock = Clock::simulated();
        clock.sleep(secs(10));
        assert_eq!(clock.wall(), UNIX_EPOCH + secs(10));
        clock.set_wall(UNIX_EPOCH + secs(1000));
        clock.sleep(secs(10));
        assert_eq!((clock.wall(), clock.elapsed()), (UNIX_EPOCH + secs(1010), secs(20)));
    }
}
