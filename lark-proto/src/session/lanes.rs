//! Lanes: calls that must not overlap go one after the other, in the order of their first steps.
//!
//! A spreadsheet takes one write at a time. The first call in a lane may send; it stays in the lane until it is over.
//! Two facts about the document outlive the call that learned them:
//!
//! * *Busy since*: the service has answered "busy" to every request since then. A call that was in the lane all that
//!   time has waited for the document as long as one that asked, so it shares the end of that wait.
//! * *Unsettled until*: a write was sent whole and never answered, so the service may still be working on it. "Busy"
//!   is then about that write, and says nothing about the document.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CallId, Ending, Hold, WaitFor, Woken};
use crate::error::Error;

/// How long a write whose fate is unknown may still be running: HTTP 502 was seen after 62 s, the write still going on.
const UNSETTLED: Duration = Duration::from_secs(60);

/// The lanes in use, by name.
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<Box<str>, Lane>);

#[derive(Debug, Default)]
struct Lane {
    queue: BTreeMap<CallId, Waiter>,
    /// No call in the queue has less patience than this.
    least_patience: Duration,
    busy: Option<Busy>,
    unsettled_until: Duration,
}

#[derive(Debug)]
struct Waiter {
    since: Duration,
    /// `Limits::busy`.
    patience: Duration,
}

#[derive(Debug)]
struct Busy {
    since: Duration,
    /// The last answer, its time, and the call that it was for.
    error: Error,
    at: Duration,
    asker: CallId,
}

impl Busy {
    /// Whether the last answer came after as long as the waiter is ready to wait.
    fn is_up_for(&self, waiter: &Waiter) -> bool {
        self.since.max(waiter.since).saturating_add(waiter.patience) <= self.at
    }
}

impl Lane {
    fn is_idle(&self, now: Duration) -> bool {
        self.queue.is_empty() && self.unsettled_until <= now
    }
}

impl Lanes {
    /// Queues `call` if it is not, and lets it pass if it is its turn.
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
        if lane.queue.is_empty() {
            lane.least_patience = patience;
        }
        lane.least_patience = lane.least_patience.min(patience);
        let waiter = lane.queue.entry(call).or_insert(Waiter { since: now, patience });
        match &lane.busy {
            // The call that asked asks once more when its time is up, and the answer ends the others' wait, too.
            Some(busy) if busy.asker != call && busy.is_up_for(waiter) => {
                Err(Hold::End(Ending::Told(busy.error.clone())))
            }
            _ if first => Ok(()),
            _ => Err(Hold::Wait { until: Duration::MAX, reason: WaitFor::Turn }),
        }
    }

    /// Takes `call` out, whether or not it is there, and names the next one.
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

    /// The document answered `call` that it is busy. Returns since when it has been, for that call, and names the calls
    /// behind it whose time is up with this answer.
    pub(super) fn busy(
        &mut self,
        lane: &str,
        call: CallId,
        error: &Error,
        now: Duration,
        woken: &mut Woken,
    ) -> Duration {
        let Some(lane) = self.0.get_mut(lane) else { return now };
        let since = now.max(lane.unsettled_until);
        let last = Busy { since, error: error.clone(), at: now, asker: call };
        let busy = lane.busy.insert(match &lane.busy {
            Some(Busy { since, .. }) => Busy { since: *since, ..last },
            None => last,
        });
        if busy.since.saturating_add(lane.least_patience) <= now {
            let behind = lane.queue.iter().filter(|(other, _)| **other != call);
            let up = behind.filter(|(_, waiter)| busy.is_up_for(waiter));
            woken.extend(up.map(|(call, _)| call));
        }
        let joined = lane.queue.get(&call).map_or(now, |waiter| waiter.since);
        busy.since.max(joined)
    }

    /// The document answered something else.
    pub(super) fn calm(&mut self, lane: &str) {
        if let Some(lane) = self.0.get_mut(lane) {
            lane.busy = None;
        }
    }

    /// A write was sent whole and not answered.
    pub(super) fn unsettle(&mut self, lane: &str, now: Duration) {
        if let Some(lane) = self.0.get_mut(lane) {
            lane.unsettled_until = now.saturating_add(UNSETTLED);
            lane.busy = None;
        }
    }

    /// No call is in a lane.
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
