//! The session, and the wakers of the calls that wait.

use std::collections::BTreeMap;
use std::mem;
use std::sync::PoisonError;
use std::task::Waker;
use std::time::SystemTime;

use lark_proto::session::{Call, CallId, Session, Step};

use crate::clock::Clock;
use crate::sync::{Mutex, MutexGuard};

/// The session and the wakers of its calls, behind one lock.
///
/// A waker runs code of its executor, so it is cloned, woken and dropped while the lock is not held.
pub(crate) struct SharedSession {
    state: Mutex<State>,
    pub(crate) clock: Clock,
}

struct State {
    session: Session,
    /// The calls that wait or whose own request is in flight. `None` stands for a call that was woken to poll token
    /// requests and has not been polled since.
    parked: BTreeMap<CallId, Option<Waker>>,
}

impl SharedSession {
    pub(crate) fn new(session: Session, clock: Clock) -> Self {
        Self { state: Mutex::new(State { session, parked: BTreeMap::new() }), clock }
    }

    /// Uses the session, and then wakes the calls that the session returns as woken. The clock is read while the lock
    /// is held.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Session, SystemTime) -> R) -> R {
        self.with_state(|state, now| work(&mut state.session, now))
    }

    /// Takes the next step of `call`, which is parked with `waker` if it has to wait.
    pub(crate) fn next<O, T>(&self, call: &mut Call<O, T>, waker: &Waker) -> Step<O, T> {
        let waker = waker.clone();
        let (step, _unlocked) = self.with_state(|State { session, parked }, now| {
            let stale = call.id().and_then(|id| parked.remove(&id));
            let step = call.next(session, now);
            let unused = match (&step, call.id()) {
                (Step::Wait(_), Some(id)) => parked.insert(id, Some(waker)).flatten(),
                _ => Some(waker),
            };
            (step, [stale.flatten(), unused])
        });
        step
    }

    /// Parks a call with `waker` until it is woken or unparked.
    pub(crate) fn park(&self, id: CallId, waker: &Waker) {
        let waker = Some(waker.clone());
        let _stale = self.lock().parked.insert(id, waker);
    }

    /// Whether a call is still parked. From now on it is parked with `waker`.
    pub(crate) fn is_parked(&self, id: CallId, waker: &Waker) -> bool {
        let mut waker = Some(waker.clone());
        let mut state = self.lock();
        let parked = state.parked.get_mut(&id).map(|parked| mem::swap(parked, &mut waker));
        drop(state);
        parked.is_some()
    }

    /// Reports the outcome of a request, or the end of the call, to the session. The call is no longer parked.
    pub(crate) fn report<O, T>(
        &self,
        call: &mut Call<O, T>,
        work: impl FnOnce(&mut Call<O, T>, &mut Session, SystemTime),
    ) {
        let _stale = self.with_state(|State { session, parked }, now| {
            let stale = call.id().and_then(|id| parked.remove(&id));
            work(call, session, now);
            stale.flatten()
        });
    }

    /// Wakes the oldest and the newest of the parked calls, which stay parked. One of the two may belong to a future
    /// that is no longer polled.
    pub(crate) fn wake_two(&self) {
        let mut state = self.lock();
        let parked = &mut state.parked;
        let oldest = parked.values_mut().find_map(Option::take);
        let newest = parked.values_mut().rev().find_map(Option::take);
        drop(state);
        [oldest, newest].into_iter().flatten().for_each(Waker::wake);
    }

    fn with_state<R>(&self, work: impl FnOnce(&mut State, SystemTime) -> R) -> R {
        let mut state = self.lock();
        let now = self.clock.now();
        let result = work(&mut state, now);
        let State { session, parked } = &mut *state;
        let woken = session.woken().filter_map(|id| parked.remove(&id)?);
        let woken: Vec<Waker> = woken.collect();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }

    /// A panic of another thread leaves the state consistent, because no method of the session panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("SharedSession")
            .field("session", &state.session)
            .field("parked", &state.parked.len())
            .field("clock", &self.clock)
            .finish()
    }
}
