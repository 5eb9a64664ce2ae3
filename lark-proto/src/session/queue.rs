//! Queues of calls, and the set of the calls that are to be woken.
//!
//! All queues are of one type, whose code is then once in a program: that of a map comes to four kilobytes.

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
    /// The queue's count at that time: of the calls that had joined, or of the series that had failed.
    pub(super) number: u64,
    /// The limit of the call that bounds the wait: `Limits::busy` in a lane, `Limits::longest_wait` elsewhere.
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
