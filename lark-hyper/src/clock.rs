//! The client's clock, which uses the caller's timer.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use hyper::rt::Timer;

/// The longest sleep, because some timers overflow on longer ones.
const MAX_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// A timer and the wall clock's time at its start. Where the timer's time is paused or virtual, so is this one.
pub(crate) struct Clock {
    timer: Box<dyn Timer + Send + Sync>,
    origin: Instant,
    wall: SystemTime,
    /// The latest end of a sleep, since `origin`. A timer that sleeps in virtual time may keep the default
    /// [`Timer::now`], which does not advance with its sleeps: without this field, a finished sleep would seem not to
    /// have ended.
    slept: Mutex<Duration>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the client passes the time to the core")]
    pub(crate) fn new(timer: impl Timer + Send + Sync + 'static) -> Self {
        Self::starting_at(SystemTime::now(), timer)
    }

    /// A clock whose wall clock's time is `wall` now.
    pub(crate) fn starting_at(wall: SystemTime, timer: impl Timer + Send + Sync + 'static) -> Self {
        Self { origin: timer.now(), timer: Box::new(timer), wall, slept: Mutex::default() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.wall.checked_add(self.elapsed()).unwrap_or(self.wall)
    }

    /// Sleeps for `time`, at most a day.
    pub(crate) async fn sleep(&self, time: Duration) {
        let time = time.min(MAX_SLEEP);
        let until = self.elapsed().saturating_add(time);
        self.timer.sleep(time).await;
        let mut slept = self.slept.lock().unwrap_or_else(PoisonError::into_inner);
        *slept = until.max(*slept);
    }

    /// The output of `work`, or `None` if it takes longer than `time`, or than a day.
    pub(crate) async fn timeout<F: Future>(&self, time: Duration, work: F) -> Option<F::Output> {
        let (mut work, mut sleep) = (pin!(work), pin!(self.sleep(time)));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// The time since `origin`, which is never before the end of a finished sleep.
    fn elapsed(&self) -> Duration {
        let slept = *self.slept.lock().unwrap_or_else(PoisonError::into_inner);
        self.timer.now().saturating_duration_since(self.origin).max(slept)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use hyper_util::rt::TokioTimer;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sleep_lasts_for_its_time_or_for_a_day() {
        const DAY: u64 = 86_400;
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH, TokioTimer::new());
        for (seconds, lasts) in [(1, 1), (DAY - 1, DAY - 1), (DAY, DAY), (DAY + 1, DAY)] {
            let start = tokio::time::Instant::now();
            clock.sleep(Duration::from_secs(seconds)).await;
            assert_eq!(start.elapsed().as_secs(), lasts, "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_shows_the_time_that_has_elapsed() {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH, TokioTimer::new());
        clock.sleep(Duration::from_secs(7)).await;
        assert_eq!(format!("{clock:?}"), format!("Clock {{ elapsed: {:?}, .. }}", clock.elapsed()));
        assert_eq!(clock.elapsed().as_secs(), 7);
    }
}
