//! The clock of a client.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::simulated::{Running, Simulated};
use crate::sync::Instant;
use crate::sync::thread::{self, Thread};

/// The clock of a [`Client`](crate::Client). Clones share its time.
///
/// By default it is monotonic: setting the wall clock changes no wait and no token's lifetime. The wall clock is read
/// for [`Client::export_token`](crate::Client::export_token) and
/// [`Client::import_token`](crate::Client::import_token) only. Where the monotonic clock stands still while the machine
/// sleeps, the client may use an expired token; the service refuses it, and the client fetches another one.
///
/// A [simulated](Clock::simulated) clock has virtual time, for tests: an hour of waiting passes at once.
///
/// ```
/// use std::time::Duration;
///
/// let clock = lark_ureq::Clock::simulated();
/// let woke = clock.run([3600, 60].map(|seconds| {
///     let clock = clock.clone();
///     move || {
///         clock.sleep(Duration::from_secs(seconds));
///         clock.elapsed().as_secs()
///     }
/// }));
/// assert_eq!(woke, [3600, 60]);
/// ```
#[derive(Clone)]
pub struct Clock {
    start: Instant,
    simulated: Option<Arc<Simulated>>,
}

impl Clock {
    /// A clock of virtual time, which stands still while one of its threads runs. When all of them wait, its time moves
    /// to the end of the earliest wait.
    ///
    /// Its threads are the calling thread and the threads that [`Clock::run`] starts. They may wait in [`Clock::sleep`]
    /// and in calls of a client with this clock; a thread that waits for anything else, such as a reply from a socket,
    /// counts as running. No other thread may use the clock or a client that has it.
    ///
    /// The backoff of a client with this clock has no random part: the same calls take the same time in every run.
    ///
    /// Its wall clock starts at 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn simulated() -> Self {
        Self { simulated: Some(Arc::default()), ..Self::default() }
    }

    /// Runs each task on a thread of its own until all have ended. Returns their results in the order of the tasks. The
    /// clock need not be simulated: with [`Clock::default`] the threads wait in real time.
    ///
    /// On a simulated clock a thread that waits for a mutex counts as running, so no time passes: a task must not sleep
    /// or call while it holds a lock that another task waits for.
    ///
    /// # Panics
    /// If a task panics, with the payload of its panic and after all tasks have ended. If the system cannot start a
    /// thread.
    pub fn run<F, R>(&self, tasks: impl IntoIterator<Item = F>) -> Vec<R>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        let tasks: Vec<F> = tasks.into_iter().collect();
        let running = self.start(tasks.len());
        // The closure owns them: if a thread cannot be started, those after it no longer count as running when the
        // scope waits for those before it.
        thread::scope(move |scope| {
            let mut running = running.into_iter();
            let start = |task: F| {
                let running = running.next();
                scope.spawn(move || {
                    let _running = running;
                    task()
                })
            };
            let threads: Vec<_> = tasks.into_iter().map(start).collect();
            let results = threads.into_iter().map(ScopedJoinHandle::join);
            results
                .map(|result| result.unwrap_or_else(|panic| panic::resume_unwind(panic)))
                .collect()
        })
    }

    /// Counts `threads` new threads as running, if the clock is simulated.
    pub(crate) fn start(&self, threads: usize) -> Vec<Running> {
        self.simulated.as_ref().map(|simulated| simulated.start(threads)).unwrap_or_default()
    }

    #[cfg(all(test, lark_loom))]
    pub(crate) fn simulated_time(&self) -> &Simulated {
        self.simulated.as_ref().unwrap()
    }

    /// Waits for `time`.
    pub fn sleep(&self, time: Duration) {
        let end = self.elapsed().saturating_add(time);
        loop {
            let left = end.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            self.park(left);
        }
    }

    /// The time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.simulated {
            Some(simulated) => simulated.elapsed(),
            None => self.start.elapsed(),
        }
    }

    /// Sets the wall clock of a simulated clock, which changes no wait. It has no effect on a monotonic clock, whose
    /// wall clock is the system's.
    pub fn set_wall(&self, wall: SystemTime) {
        if let Some(simulated) = &self.simulated {
            simulated.set_wall(wall);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the client passes the time to the core")]
    pub(crate) fn wall(&self) -> SystemTime {
        match &self.simulated {
            Some(simulated) => simulated.wall(),
            None => SystemTime::now(),
        }
    }

    /// The elapsed time in the type that a session takes. It is unrelated to the date.
    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.elapsed()).unwrap_or(UNIX_EPOCH)
    }

    /// The random part of a call's backoff, which is the same for every call in virtual time.
    pub(crate) fn jitter(&self) -> u64 {
        match &self.simulated {
            Some(_) => 0,
            // Each `RandomState` has keys of its own, so the hash differs from call to call.
            None => RandomState::new().hash_one(()),
        }
    }

    /// Parks this thread for `time` at most. It returns at once if the thread was unparked since it was last parked. It
    /// may return early.
    pub(crate) fn park(&self, time: Duration) {
        match &self.simulated {
            Some(simulated) => simulated.park(time),
            None => thread::park_timeout(time),
        }
    }

    pub(crate) fn unpark(&self, thread: &Thread) {
        match &self.simulated {
            Some(simulated) => simulated.unpark(thread),
            None => thread.unpark(),
        }
    }
}

/// The default clock is monotonic.
impl Default for Clock {
    #[expect(clippy::disallowed_methods, reason = "the client passes the time to the core")]
    fn default() -> Self {
        Self { start: Instant::now(), simulated: None }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("elapsed", &self.elapsed())
            .field("is_simulated", &self.simulated.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use super::*;

    #[test]
    fn the_random_part_of_a_backoff_differs_from_call_to_call_but_not_in_virtual_time() {
        let clock = Clock::default();
        assert_ne!(clock.jitter(), clock.jitter());
        let clock = Clock::simulated();
        assert_eq!(clock.jitter(), clock.jitter());
    }

    #[test]
    fn a_clock_shows_its_time() {
        let shown = format!("{:?}", Clock::simulated());
        assert_eq!(shown, "Clock { elapsed: 0ns, is_simulated: true, .. }");
    }
}
