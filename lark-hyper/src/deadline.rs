//! A deadline that outlives the runtime on which it was made.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Sleep, sleep_until};

/// A longer time could overflow the clock.
pub(crate) const MAX_TIMER: Duration = Duration::from_secs(24 * 60 * 60);

/// A deadline. A [`Sleep`] panics if it is polled after its runtime was dropped, so each poll makes a new one, on the
/// runtime that polls.
pub(crate) struct Deadline {
    at: Instant,
    /// The runtime on which the deadline was made, for polls outside of any runtime.
    runtime: Option<Handle>,
    alarm: Option<Alarm>,
}

enum Alarm {
    Sleep(Pin<Box<Sleep>>),
    /// A task that sleeps on [`Deadline::runtime`]. It ends at once if that runtime was dropped.
    Task(Task<()>),
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        let at = Instant::now() + time.min(MAX_TIMER);
        Self { at, runtime: Handle::try_current().ok(), alarm: None }
    }

    /// Ready once the deadline has passed. Polled outside of any runtime, a deadline is also ready if its runtime was
    /// dropped. A deadline that is made and polled outside of any runtime wakes no task; it is ready at the first poll
    /// after its time.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        if Instant::now() >= at {
            self.alarm = None;
            return Poll::Ready(());
        }
        let alarm = match (Handle::try_current(), &self.runtime) {
            (Err(_), None) => return Poll::Pending,
            (Err(_), Some(runtime)) => Alarm::Task(Task(runtime.spawn(async move {
                sleep_until(at).await;
            }))),
            (Ok(_), _) => Alarm::Sleep(Box::pin(sleep_until(at))),
        };
        match self.alarm.insert(alarm) {
            Alarm::Sleep(sleep) => sleep.as_mut().poll(context),
            Alarm::Task(task) => Pin::new(task).poll(context).map(drop),
        }
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadline").field(&self.at).finish()
    }
}

/// A tokio task, which is aborted when this is dropped.
pub(crate) struct Task<T>(pub(crate) JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_task_ends_when_it_is_dropped() {
        let metrics = Handle::current().metrics();
        let task = Task(tokio::spawn(pending::<()>()));
        yield_now().await;
        assert_eq!(metrics.num_alive_tasks(), 1);
        drop(task);
        yield_now().await;
        assert_eq!(metrics.num_alive_tasks(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_passes_after_its_time_or_after_a_day() {
        const DAY: u64 = 86_400;
        for (seconds, passes) in [(1, 1), (DAY - 1, DAY - 1), (DAY, DAY), (DAY + 1, DAY)] {
            let start = Instant::now();
            let mut deadline = Deadline::after(Duration::from_secs(seconds));
            poll_fn(|context| deadline.poll(context)).await;
            assert_eq!(start.elapsed().as_secs(), passes, "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_shows_its_time() {
        let shown = format!("{:?}", Deadline::after(Duration::from_secs(1)));
        assert_eq!(shown, format!("Deadline({:?})", Instant::now() + Duration::from_secs(1)));
    }

    #[test]
    fn a_deadline_that_is_dropped_outside_of_a_runtime_leaves_no_task() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut deadline = {
            let _inside = runtime.enter();
            Deadline::after(MAX_TIMER)
        };
        let poll = deadline.poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(poll.is_pending());
        assert_eq!(runtime.metrics().num_alive_tasks(), 1);
        drop(deadline);
        runtime.block_on(yield_now());
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    }
}
