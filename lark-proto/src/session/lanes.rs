//! Lanes: the calls in one lane send their requests one at a time, in the order of their first steps.
//!
//! A spreadsheet takes one write at a time. The first call in a lane may send, and stays in the lane until it is over.
//! The lane keeps two facts about the document:
//!
//! * *Busy since*: the time from which on the document has answered "busy" to every request. It counts against
//!   `Limits::busy` of every call that has been in the lane since then, not only of the call that sent the requests, so
//!   that calls with the same limits end together.
//! * *In doubt until*: a write was sent in full, and its outcome is unknown, so the service may still be working on it
//!   until then. That write may be the cause of an answer "busy", so *busy since* is not before the end of that time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hold::{Ending, Hold};
use super::ids::CallId;
use super::queue::{Queue, Waiter, Woken};
use crate::error::{Error, WaitFor};

/// The time for which a write of unknown outcome may still be running. A large write is reported to be answered with
/// HTTP 502 after 62 s, and to run for a while after that.
const IN_DOUBT_TIME: Duration = Duration::from_secs(60);

/// The lanes in use, by name.
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<Box<str>, Lane>);

#[derive(Debug, Default)]
struct Lane {
    queue: Queue,
    busy: Option<Busy>,
    /// The time until which a write of unknown outcome may still be running.
    in_doubt_until: Duration,
}

#[derive(Debug)]
struct Busy {
    since: Duration,
    /// The time of the last "busy" answer.
    last: Duration,
    /// The last "busy" answer.
    error: Error,
}

impl Busy {
    /// The time at which `waiter` has waited for the document for as long as its limits allow.
    fn wait_ends(&self, waiter: &Waiter) -> Duration {
        self.since.max(waiter.since).saturating_add(waiter.patience)
    }
}

impl Lane {
    fn is_idle(&self, now: Duration) -> bool {
        self.queue.is_empty() && self.in_doubt_until <= now
    }
}

impl Lanes {
    /// Adds `call` to the queue, if it is not in it, and lets the call pass if it is the first.
    pub(super) fn enter(
        &mut self,
        lane: &str,
        call: CallId,
        patience: Duration,
        now: Duration,
    ) -> Result<(), Hold> {
        if !self.0.contains_key(lane) {
            self.0.insert(lane.into(), Lane::default());
        }
        let Some(lane) = self.0.get_mut(lane) else { return Ok(()) };
        let first = lane.queue.first_key_value().is_none_or(|(first, _)| *first >= call);
        let waiter = lane.queue.entry(call).or_insert(Waiter { since: now, number: 0, patience });
        match &lane.busy {
            Some(busy) if busy.wait_ends(waiter) <= busy.last => {
                Err(Hold::End(Ending::Shared(busy.error.clone())))
            }
            _ if first => Ok(()),
            _ => Err(Hold::Wait { until: Duration::MAX, reason: WaitFor::Turn }),
        }
    }

    /// Takes `call` out of the queue, if it is in it. If it was the first, wakes the next one.
    pub(super) fn leave(&mut self, name: &str, call: CallId, now: Duration, woken: &mut Woken) {
        let Some(lane) = self.0.get_mut(name) else { return };
        let was_first = lane.queue.first_key_value().is_some_and(|(first, _)| *first == call);
        if lane.queue.remove(&call).is_none() {
            return;
        }
        if lane.queue.is_empty() {
            lane.busy = None;
        }
        if was_first {
            woken.extend(lane.queue.keys().next());
        }
        if lane.is_idle(now) {
            self.0.remove(name);
        }
    }

    /// Notes that the document answered `call` that it is busy. Wakes the other calls whose wait for the document is
    /// over. Returns the time since which `call` has waited for the document.
    pub(super) fn busy(
        &mut self,
        lane: &str,
        call: CallId,
        error: &Error,
        now: Duration,
        woken: &mut Woken,
    ) -> Duration {
        let Some(Lane { queue, busy, in_doubt_until }) = self.0.get_mut(lane) else { return now };
        let since = now.max(*in_doubt_until);
        let busy = busy.get_or_insert(Busy { since, last: now, error: error.clone() });
        busy.last = now;
        busy.error = error.clone();
        // The loop over the whole queue is affordable, because it runs once for each answer of the document.
        let is_over = |waiter| busy.wait_ends(waiter) <= now;
        let over = queue.iter().filter(|(waiting, waiter)| **waiting != call && is_over(waiter));
        woken.extend(over.map(|(waiting, _)| waiting));
        let joined = queue.get(&call).map_or(now, |waiter| waiter.since);
        busy.since.max(joined)
    }

    /// Notes that the document gave another answer than "busy".
    pub(super) fn not_busy(&mut self, lane: &str) {
        if let Some(lane) = self.0.get_mut(lane) {
            lane.busy = None;
        }
    }

    /// Notes that a write was sent in full, and that its outcome is unknown.
    pub(super) fn mark_in_doubt(&mut self, lane: &str, now: Duration) {
        if let Some(lane) = self.0.get_mut(lane) {
            lane.in_doubt_until = now.saturating_add(IN_DOUBT_TIME);
            lane.busy = None;
        }
    }

    /// Whether no call is in a lane.
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|lane| lane.queue.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn sweep(&mut self, now: Duration) {
        self.0.retain(|_, lane| !lane.is_idle(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    const MINUTE: Duration = Duration::from_secs(60);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn busy() -> Error {
        Reply::new(http::Response::new(r#"{"code":90235}"#.into())).ok().unwrap_err()
    }

    /// A lane in which the calls 1 to `calls` stand, each with the patience of a minute.
    fn lanes(calls: u64) -> Lanes {
        let mut lanes = Lanes::default();
        for call in 1..=calls {
            let entered = lanes.enter("a", CallId(call), MINUTE, Duration::ZERO);
            assert_eq!(entered.is_ok(), call == 1);
        }
        lanes
    }

    fn named(act: impl FnOnce(&mut Woken)) -> Vec<u64> {
        let mut woken = Woken::default();
        act(&mut woken);
        woken.take().into_iter().map(|call| call.0).collect()
    }

    #[test]
    fn a_call_that_leaves_as_the_first_wakes_the_next_one() {
        let mut lanes = lanes(4);
        for (call, next) in [(3, &[][..]), (1, &[2]), (1, &[]), (2, &[4]), (4, &[])] {
            let named = named(|woken| lanes.leave("a", CallId(call), Duration::ZERO, woken));
            assert_eq!(named, next, "{call}");
        }
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn a_lane_outlives_its_calls_while_a_write_may_still_run() {
        let mut lanes = lanes(1);
        lanes.mark_in_doubt("a", secs(10));
        lanes.leave("a", CallId(1), secs(10), &mut Woken::default());
        lanes.sweep(secs(69));
        assert_eq!((lanes.len(), lanes.is_empty()), (1, true));
        lanes.sweep(secs(70));
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn the_busy_time_begins_when_an_earlier_write_cannot_run_any_longer() {
        let mut lanes = lanes(2);
        lanes.mark_in_doubt("a", Duration::ZERO);
        let mut since = |now| lanes.busy("a", CallId(1), &busy(), secs(now), &mut Woken::default());
        assert_eq!(since(30), secs(60));
        assert_eq!(since(90), secs(60));
        for (now, expected) in [(119, &[][..]), (120, &[2])] {
            let named = named(|woken| {
                lanes.busy("a", CallId(1), &busy(), secs(now), woken);
            });
            assert_eq!(named, expected, "{now}");
        }
    }

    #[test]
    fn another_answer_of_the_document_ends_the_busy_time() {
        let mut lanes = lanes(2);
        let mut woken = Woken::default();
        assert_eq!(lanes.busy("a", CallId(1), &busy(), secs(10), &mut woken), secs(10));
        lanes.not_busy("a");
        assert_eq!(lanes.busy("a", CallId(1), &busy(), secs(20), &mut woken), secs(20));
        assert!(lanes.enter("a", CallId(2), MINUTE, secs(75)).is_err_and(|hold| is_wait(&hold)));
        assert!(woken.take().is_empty());
        lanes.busy("a", CallId(1), &busy(), secs(80), &mut woken);
        assert!(woken.take().contains(&CallId(2)));
        assert!(lanes.enter("a", CallId(2), MINUTE, secs(81)).is_err_and(|hold| !is_wait(&hold)));
    }

    fn is_wait(hold: &Hold) -> bool {
        matches!(hold, Hold::Wait { .. })
    }
}
