//! Queues of calls, and the set of the calls that are to be woken.
//!
//! All queues share one type, because each instantiation of `BTreeMap` adds seven kilobytes of code or more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::moment::Moment;

/// The id of a call in its session. Ids count up in the order of the calls' first steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

/// The calls that wait, in the order of their first steps.
pub(super) type Queue = BTreeMap<CallId, Waiter>;

/// A call in a queue.
#[derive(Debug)]
pub(super) struct Waiter {
    /// The time when the call joined.
    pub(super) since: Moment,
    /// In the queue of a gate, the number of calls that had joined before this one. In the queue for a token, the
    /// number of series of token requests that had failed before the call joined. In a lane, zero.
    pub(super) number: u64,
    /// The longest wait that the limits of the call allow: `Limits::busy` in a lane, `Limits::longest_wait` elsewhere.
    pub(super) longest_wait: Duration,
}

/// The calls that are to be woken, each once.
#[derive(Debug, Default)]
pub(super) struct WakeList(Vec<CallId>);

impl WakeList {
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

impl Extend<CallId> for WakeList {
    fn extend<I: IntoIterator<Item = CallId>>(&mut self, calls: I) {
        for call in calls {
            if let Err(place) = self.0.binary_search(&call) {
                self.0.insert(place, call);
            }
        }
    }
}

impl<'a> Extend<&'a CallId> for WakeList {
    fn extend<I: IntoIterator<Item = &'a CallId>>(&mut self, calls: I) {
        self.extend(calls.into_iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_woken_once_and_in_the_order_of_the_first_steps() {
        let mut woken = WakeList::default();
        woken.extend([3, 1, 3, 2, 1].map(CallId));
        assert_eq!(woken.take(), [1, 2, 3].map(CallId));
        assert_eq!(woken.take(), []);
    }

    #[test]
    fn a_removed_call_is_not_woken() {
        let mut woken = WakeList::default();
        woken.extend([1, 2, 3].map(CallId));
        woken.remove(CallId(2));
        woken.remove(CallId(4));
        assert_eq!(woken.take(), [1, 3].map(CallId));
    }
}
