//! Queues of calls, and the set of the calls that are to be woken.
//!
//! All queues have one type, because the code of a map takes four kilobytes of a program for each type.

use std::collections::BTreeMap;
use std::time::Duration;

use super::CallId;

/// The calls that wait, in the order of their first steps.
pub(super) type Queue = BTreeMap<CallId, Waiter>;

/// A call in a queue.
#[derive(Debug)]
pub(super) struct Waiter {
    /// When the call joined.
    pub(super) since: Duration,
    /// At a gate the number of calls that had joined before, and at a token the number of series of token requests that
    /// had failed. Zero in a lane.
    pub(super) number: u64,
    /// The longest wait by the limits of the call: `Limits::busy` in a lane, `Limits::longest_wait` elsewhere.
    pub(super) patience: Duration,
}

/// The calls that are to be woken, each once.
#[derive(Debug, Default)]
pub(super) struct Woken(Vec<CallId>);

impl Woken {
    pub(super) fn remove(&mut self, call: CallId) {
        if let Ok(place) = self.0.binary_search(&call) {
            self.0.remove(place);
        }
    }

    /// Takes the calls, in the order of their first steps.
    pub(super) fn take(&mut self) -> Vec<CallId> {
        std::mem::take(&mut self.0)
    }
}

impl Extend<CallId> for Woken {
    fn extend<I: IntoIterator<Item = CallId>>(&mut self, calls: I) {
        for call in calls {
            if let Err(place) = self.0.binary_search(&call) {
                self.0.insert(place, call);
            }
        }
    }
}

impl<'a> Extend<&'a CallId> for Woken {
    fn extend<I: IntoIterator<Item = &'a CallId>>(&mut self, calls: I) {
        self.extend(calls.into_iter().copied());
    }
}
