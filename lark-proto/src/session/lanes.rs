//! Lanes: the calls in one lane send their requests one at a time, in the order of their first steps.
//!
//! A spreadsheet takes one write at a time. The first call in a lane may send, and stays in the lane until it is over.
//! The lane keeps two facts about the document:
//!
//! * *Busy since*: since this time, the document has answered "busy" to every request. For each call in the lane,
//!   `Limits::busy` counts from this time or from when the call joined, whichever is later. It also counts for a call
//!   that has not sent a request, so that calls with the same limits end together.
//! * *In doubt until*: a write may have been sent in full, and its connection broke or a gateway answered in place of
//!   the service. Until this time the service may still be working on it, and may answer "busy" because of it. *Busy
//!   since* is therefore never before this time.

use std::time::Duration;

use super::hold::{Ending, Hold};
use super::moment::Moment;
use super::queue::{CallId, Queue, Waiter, WakeList};
use super::sorted_map::SortedMap;
use crate::error::{Error, WaitFor};

/// The time for which a write of unknown outcome may still be running. A large write is reported to be answered with
/// HTTP 502 after 62 s, and to run for a while after that.
const IN_DOUBT_TIME: Duration = Duration::from_secs(60);

/// The lanes in use, by name.
#[derive(Debug, Default)]
pub(super) struct Lanes(SortedMap<Box<str>, Lane>);

#[derive(Debug, Default)]
struct Lane {
    queue: Queue,
    busy: Option<Busy>,
    /// The time until which a write of unknown outcome may still be running.
    in_doubt_until: Moment,
}

#[derive(Debug)]
struct Busy {
    since: Moment,
    /// The time of the last "busy" reply.
    last: Moment,
    /// The last "busy" reply.
    error: Error,
}

impl Busy {
    /// The time at which `waiter` has waited for the document for as long as its limits allow.
    fn wait_ends(&self, waiter: &Waiter) -> Moment {
        self.since.max(waiter.since).saturating_add(waiter.longest_wait)
    }
}

impl Lane {
    fn is_idle(&self, now: Moment) -> bool {
        self.queue.is_empty() && self.in_doubt_until <= now
    }
}

impl Lanes {
    /// Adds `call` to the queue, if it is not there yet, and lets the call pass if it is the first.
    pub(super) fn enter(
        &mut self,
        lane: &str,
        call: CallId,
        longest_wait: Duration,
        now: Moment,
    ) -> Result<(), Hold> {
        let lane = self.0.get_or_insert(lane, Lane::default);
        let first = lane.queue.first_key_value().is_none_or(|(first, _)| *first >= call);
        let waiter =
            lane.queue.entry(call).or_insert(Waiter { since: now, number: 0, longest_wait });
        match &lane.busy {
            Some(busy) if busy.wait_ends(waiter) <= busy.last => {
                let mut error = busy.error.clone();
                if let Some(wait) = error.retry_after_mut() {
                    *wait = wait.saturating_sub(now.since(busy.last));
                }
                Err(Hold::End(Ending::Shared(error)))
            }
            _ if first => Ok(()),
            _ => Err(Hold::Wait { until: Moment::NEVER, reason: WaitFor::Turn }),
        }
    }

    /// Takes `call` out of the queue, if it is there. If it was the first call, wakes the next one.
    pub(super) fn leave(&mut self, name: &str, call: CallId, now: Moment, woken: &mut WakeList) {
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
    /// over. Returns the time from which the wait of `call` counts, which is later than `now` while an earlier write
    /// may still be running.
    pub(super) fn busy(
        &mut self,
        lane: &str,
        call: CallId,
        error: &Error,
        now: Moment,
        woken: &mut WakeList,
    ) -> Moment {
        let Some(Lane { queue, busy, in_doubt_until }) = self.0.get_mut(lane) else { return now };
        let since = now.max(*in_doubt_until);
        let busy = busy.get_or_insert(Busy { since, last: now, error: error.clone() });
        busy.last = now;
        busy.error = error.clone();
        // The loop over the whole queue is affordable, because it runs once for each reply.
        let is_over = |waiter| busy.wait_ends(waiter) <= now;
        let over = queue.iter().filter(|(waiting, waiter)| **waiting != call && is_over(waiter));
        woken.extend(over.map(|(waiting, _)| waiting));
        let joined = queue.get(&call).map_or(now, |waiter| waiter.since);
        busy.since.max(joined)
    }

    /// Notes that a reply has shown that the document is not busy.
    pub(super) fn not_busy(&mut self, lane: &str) {
        if let Some(lane) = self.0.get_mut(lane) {
            lane.busy = None;
        }
    }

    /// Notes that a write may have been sent in full, and that its outcome is unknown.
    pub(super) fn mark_in_doubt(&mut self, lane: &str, now: Moment) {
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

    pub(super) fn sweep(&mut self, now: Moment) {
        self.0.retain(|lane| !lane.is_idle(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::session::test_time::{around, at};

    const MINUTE: Duration = Duration::from_secs(60);
    /// No calls.
    const NONE: [u64; 0] = [];

    fn busy() -> Error {
        Reply::new(http::Response::new(r#"{"code":90235}"#.into())).ok().unwrap_err()
    }

    /// A lane with the calls 1 to `calls`, each of which waits for a minute at most.
    fn lanes(calls: u64) -> Lanes {
        let mut lanes = Lanes::default();
        for call in 1..=calls {
            let entered = lanes.enter("a", CallId(call), MINUTE, Moment::START);
            assert_eq!(entered.is_ok(), call == 1);
        }
        lanes
    }

    fn woken(act: impl FnOnce(&mut WakeList)) -> Vec<u64> {
        let mut woken = WakeList::default();
        act(&mut woken);
        woken.take().into_iter().map(|call| call.0).collect()
    }

    fn leave(lanes: &mut Lanes, call: u64) -> Vec<u64> {
        woken(|woken| lanes.leave("a", CallId(call), Moment::START, woken))
    }

    /// Notes that call 1 got the reply "busy". Returns the calls that are woken.
    fn answer_busy(lanes: &mut Lanes, now: Moment) -> Vec<u64> {
        woken(|woken| {
            lanes.busy("a", CallId(1), &busy(), now, woken);
        })
    }

    /// The time since which call 1 has waited, if the document answers "busy" now.
    fn busy_since(lanes: &mut Lanes, now: u64) -> Moment {
        lanes.busy("a", CallId(1), &busy(), at(now), &mut WakeList::default())
    }

    fn ends(lanes: &mut Lanes, call: u64, now: Moment) -> bool {
        matches!(lanes.enter("a", CallId(call), MINUTE, now), Err(Hold::End(Ending::Shared(_))))
    }

    #[test]
    fn only_the_first_call_in_a_lane_may_send() {
        let mut lanes = lanes(3);
        let enters = [1, 2, 3].map(|call| {
            let hold = lanes.enter("a", CallId(call), MINUTE, Moment::START).err();
            hold.is_none_or(|hold| !matches!(hold, Hold::Wait { .. }))
        });
        assert_eq!(enters, [true, false, false]);
    }

    #[test]
    fn a_call_that_ends_later_names_the_rest_of_the_requested_wait() {
        let mut lanes = lanes(2);
        let asked = busy().with_retry_after(Duration::from_secs(9));
        for now in [at(0), at(60)] {
            lanes.busy("a", CallId(1), &asked, now, &mut WakeList::default());
        }
        let Err(Hold::End(Ending::Shared(error))) = lanes.enter("a", CallId(2), MINUTE, at(64))
        else {
            panic!()
        };
        assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn when_the_first_call_leaves_a_lane_the_next_one_is_woken() {
        let mut lanes = lanes(3);
        assert_eq!(leave(&mut lanes, 1), [2]);
        assert_eq!(leave(&mut lanes, 1), NONE);
        assert_eq!(leave(&mut lanes, 2), [3]);
    }

    #[test]
    fn a_later_call_that_leaves_a_lane_wakes_none() {
        let mut lanes = lanes(3);
        assert_eq!(leave(&mut lanes, 2), NONE);
        assert_eq!(leave(&mut lanes, 1), [3]);
    }

    #[test]
    fn the_last_call_that_leaves_a_lane_removes_it() {
        let mut lanes = lanes(2);
        leave(&mut lanes, 1);
        assert_eq!(lanes.len(), 1);
        leave(&mut lanes, 2);
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn a_lane_outlives_its_calls_while_a_write_may_still_be_running() {
        for (now, len) in around(at(70)).into_iter().zip([1, 0, 0]) {
            let mut lanes = lanes(1);
            lanes.mark_in_doubt("a", at(10));
            leave(&mut lanes, 1);
            assert!(lanes.is_empty());
            lanes.sweep(now);
            assert_eq!(lanes.len(), len, "{now:?}");
        }
    }

    #[test]
    fn a_lane_with_a_call_is_kept_and_not_empty() {
        let mut lanes = lanes(1);
        lanes.sweep(at(1000));
        assert_eq!(lanes.len(), 1);
        assert!(!lanes.is_empty());
    }

    #[test]
    fn the_busy_time_begins_after_the_time_in_which_an_earlier_write_may_run() {
        let mut lanes = lanes(2);
        lanes.mark_in_doubt("a", Moment::START);
        assert_eq!(busy_since(&mut lanes, 30), at(60));
        assert_eq!(busy_since(&mut lanes, 90), at(60));
    }

    #[test]
    fn the_busy_time_begins_for_a_call_when_it_joins_the_lane() {
        let mut lanes = lanes(1);
        assert_eq!(busy_since(&mut lanes, 10), at(10));
        assert!(lanes.enter("a", CallId(2), MINUTE, at(20)).is_err());
        let since = lanes.busy("a", CallId(2), &busy(), at(30), &mut WakeList::default());
        assert_eq!(since, at(20));
    }

    #[test]
    fn a_busy_reply_wakes_the_other_calls_that_have_waited_for_long_enough() {
        for (now, expected) in around(at(70)).into_iter().zip([&[][..], &[2, 3], &[2, 3]]) {
            let mut lanes = lanes(3);
            assert_eq!(answer_busy(&mut lanes, at(10)), NONE);
            assert_eq!(answer_busy(&mut lanes, now), expected, "{now:?}");
        }
    }

    #[test]
    fn a_call_ends_once_the_document_has_been_busy_for_the_calls_busy_limit() {
        for (last, is_over) in around(at(70)).into_iter().zip([false, true, true]) {
            let mut lanes = lanes(2);
            answer_busy(&mut lanes, at(10));
            answer_busy(&mut lanes, last);
            // The time of the last reply counts, and not that of the step.
            assert_eq!(ends(&mut lanes, 2, at(100)), is_over, "{last:?}");
        }
    }

    #[test]
    fn a_reply_other_than_busy_ends_the_busy_time() {
        let mut lanes = lanes(2);
        assert_eq!(busy_since(&mut lanes, 10), at(10));
        lanes.not_busy("a");
        assert_eq!(busy_since(&mut lanes, 20), at(20));
        assert_eq!(answer_busy(&mut lanes, at(75)), NONE);
        assert!(!ends(&mut lanes, 2, at(75)));
        assert_eq!(answer_busy(&mut lanes, at(80)), [2]);
        assert!(ends(&mut lanes, 2, at(81)));
    }

    #[test]
    fn an_empty_lane_forgets_that_the_document_was_busy() {
        let mut lanes = lanes(1);
        lanes.mark_in_doubt("a", Moment::START);
        answer_busy(&mut lanes, at(1));
        leave(&mut lanes, 1);
        assert!(lanes.enter("a", CallId(1), MINUTE, at(100)).is_ok());
        assert_eq!(busy_since(&mut lanes, 100), at(100));
    }
}
