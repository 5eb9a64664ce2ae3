//! The session and the parked threads, behind one lock. The threads to wake are collected under the lock and unparked
//! after its release.

use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use lark_proto::session::{Call, CallId, Event, Session, Step};

use crate::Clock;
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard};

pub(crate) struct SharedSession {
    pub(crate) clock: Clock,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) session: Session,
    /// The threads of the calls whose last step was a wait and that the session has not woken since. The list is not
    /// sorted, because it is no longer than the number of threads.
    parked: Vec<(CallId, Thread)>,
}

impl SharedSession {
    pub(crate) fn new(session: Session, clock: Clock) -> Self {
        Self { clock, state: Mutex::new(State { session, parked: Vec::new() }) }
    }

    /// A panic of another thread leaves the session consistent, because no method of the session panics.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the session and unparks the threads of the calls that it wakes.
    fn release(&self, mut state: MutexGuard<'_, State>) {
        let woken = state.session.woken();
        let threads: Vec<Thread> = woken.filter_map(|id| state.take(id)).collect();
        drop(state);
        threads.iter().for_each(|thread| self.clock.unpark(thread));
    }

    /// Uses the session, and then unparks the threads of the calls that it wakes.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Session, SystemTime) -> R) -> R {
        let mut state = self.lock();
        let result = work(&mut state.session, self.clock.now());
        self.release(state);
        result
    }

    /// The time of the wall clock.
    pub(crate) fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    /// The next step of `call`, which this thread drives. After a wait the call has to be
    /// [parked](SharedSession::park).
    pub(crate) fn next<O, T>(&self, call: &mut Call<O, T>) -> Step<O, T> {
        let mut state = self.lock();
        state.forget(call.id());
        let step = call.next(&mut state.session, self.clock.now());
        if let (Step::Wait(_), Some(id)) = (&step, call.id()) {
            state.parked.push((id, thread::current()));
        }
        self.release(state);
        step
    }

    /// Emits the events of a step that was a wait for `time`, and then parks this thread until the session wakes the
    /// call, for the rest of the time at most.
    pub(crate) fn park(&self, call: Option<CallId>, time: Duration, events: &[Event]) {
        let Some(call) = call else { return };
        let mut left = time;
        if !events.is_empty() {
            let start = self.clock.elapsed();
            events.iter().for_each(Event::trace);
            left = time.saturating_sub(self.clock.elapsed().saturating_sub(start));
        }
        // A subscriber, or the drop of an error, may have used the client on this thread, and that call may have parked
        // and consumed the unpark that was meant for `call`.
        if self.lock().parked.iter().any(|(id, _)| *id == call) {
            self.clock.park(left);
        }
    }

    /// Cancels `call` and the token request that it drives, if they are not over.
    pub(crate) fn cancel<O, T>(&self, call: &mut Call<O, T>) {
        if call.id().is_none() && call.token_request().is_none() {
            return;
        }
        let mut state = self.lock();
        state.forget(call.id());
        call.cancel(&mut state.session);
        if let Some(request) = call.token_request() {
            state.session.token_dropped(request, self.clock.now());
        }
        self.release(state);
    }
}

impl State {
    fn take(&mut self, call: CallId) -> Option<Thread> {
        let place = self.parked.iter().position(|(id, _)| *id == call)?;
        Some(self.parked.swap_remove(place).1)
    }

    fn forget(&mut self, call: Option<CallId>) {
        call.and_then(|call| self.take(call));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use lark_proto::{App, Image, PutImage, Site};

    use super::*;

    type Upload = Call<lark_proto::ImageKey, io::Error>;

    fn put() -> PutImage {
        PutImage::message(Image::new("GIF89a").unwrap()).unwrap()
    }

    /// Three calls: the first has sent a token request, and the others wait for it.
    fn waiting(put: &PutImage) -> (SharedSession, Clock, [Upload; 3]) {
        let clock = Clock::simulated();
        let session = Session::new(Site::LARK, App::custom("cli_x", "secret").unwrap());
        let session = SharedSession::new(session, clock.clone());
        let mut calls = [(); 3].map(|()| Call::new(put));
        for (number, call) in calls.iter_mut().enumerate() {
            let is_wait = matches!(session.next(call), Step::Wait(_));
            assert_eq!(is_wait, number > 0);
        }
        assert_eq!(session.lock().parked.len(), 2);
        (session, clock, calls)
    }

    #[test]
    fn a_call_that_steps_or_is_cancelled_is_no_longer_parked() {
        let put = put();
        let (session, _, mut calls) = waiting(&put);
        let [driver, steps, cancelled] = &mut calls;
        assert!(matches!(session.next(steps), Step::Wait(_)));
        assert_eq!(session.lock().parked.len(), 2, "it waits again");
        session.cancel(cancelled);
        assert_eq!(session.lock().parked.len(), 1);
        session.cancel(driver);
        assert!(session.lock().parked.is_empty(), "the next in line was woken");
        assert!(matches!(session.next(steps), Step::Send(_)));
    }

    #[test]
    fn a_call_that_was_woken_since_its_step_does_not_park() {
        let put = put();
        let (session, clock, mut calls) = waiting(&put);
        let hour = Duration::from_secs(3600);
        let wait = Duration::from_secs(5);
        let events = [Event::Waits { reason: lark_proto::error::WaitFor::Token, time: hour }];
        session.park(calls[2].id(), wait, &events);
        assert_eq!(clock.elapsed(), wait, "it was not woken");
        // The session wakes the first waiting call, and another park consumes the unpark.
        session.cancel(&mut calls[0]);
        clock.park(hour);
        session.park(calls[1].id(), hour, &events);
        assert_eq!(clock.elapsed(), wait);
    }
}
