//! The session, and the threads whose calls wait: one lock holds both. The threads of the calls that the session names
//! are taken out under the lock and unparked after it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime};

use lark_proto::{Call, CallId, Event, Session, Step};

use crate::{Clock, trace};

pub(crate) struct Parker {
    clock: Clock,
    held: Mutex<Held>,
}

pub(crate) struct Held {
    pub(crate) session: Session,
    /// The threads of the calls whose last step was a wait and that were not named since.
    threads: BTreeMap<CallId, Thread>,
}

impl Parker {
    pub(crate) fn new(session: Session, clock: Clock) -> Self {
        Self { clock, held: Mutex::new(Held { session, threads: BTreeMap::new() }) }
    }

    /// A panic elsewhere leaves the session whole: none of its methods panics half-way.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the session and unparks the threads of the calls that it names.
    fn release(&self, mut held: MutexGuard<'_, Held>) {
        let named = held.session.woken();
        let threads: Vec<Thread> = named.filter_map(|id| held.threads.remove(&id)).collect();
        drop(held);
        threads.iter().for_each(|thread| self.clock.unpark(thread));
    }

    /// Uses the session at the present time.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Session, SystemTime) -> R) -> R {
        let mut held = self.lock();
        let result = work(&mut held.session, self.clock.now());
        self.release(held);
        result
    }

    /// As [`Parker::with`], with the time of the wall clock too.
    pub(crate) fn with_wall<R>(
        &self,
        work: impl FnOnce(&mut Session, SystemTime, SystemTime) -> R,
    ) -> R {
        self.with(|session, now| work(session, now, self.clock.wall()))
    }

    /// The next step of `call`, which this thread drives. After a wait the call has to be [parked](Parker::park).
    pub(crate) fn step<O, T>(&self, call: &mut Call<'_, O, T>) -> Step<O, T> {
        let mut held = self.lock();
        held.forget(call.id());
        let step = call.next(&mut held.session, self.clock.now());
        if let (Step::Wait(_), Some(id)) = (&step, call.id()) {
            held.threads.insert(id, thread::current());
        }
        self.release(held);
        step
    }

    /// Emits the events of a step that was a wait for `time`, and then parks this thread until the session names the
    /// call, for the rest of the time at most.
    pub(crate) fn park(&self, call: Option<CallId>, time: Duration, events: &[Event]) {
        let Some(call) = call else { return };
        let mut left = time;
        if !events.is_empty() {
            let start = self.clock.elapsed();
            trace::emit(events);
            // A subscriber may have used the client on this thread, and its call may have parked and taken the unpark
            // that was meant for this one.
            if !self.lock().threads.contains_key(&call) {
                return;
            }
            left = time.saturating_sub(self.clock.elapsed().saturating_sub(start));
        }
        self.clock.park(left);
    }

    /// Gives up `call`, if it is not over.
    pub(crate) fn cancel<O, T>(&self, call: &mut Call<'_, O, T>) {
        if call.id().is_none() && call.drives().is_none() {
            return;
        }
        let mut held = self.lock();
        held.forget(call.id());
        call.cancel(&mut held.session);
        if let Some(request) = call.drives() {
            held.session.token_dropped(request, self.clock.now());
        }
        self.release(held);
    }
}

impl Held {
    fn forget(&mut self, call: Option<CallId>) {
        if let Some(call) = call {
            self.threads.remove(&call);
        }
    }
}
