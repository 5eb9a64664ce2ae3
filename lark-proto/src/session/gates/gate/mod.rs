//! One gate: the queue of the calls that wait for one route, with its quota and its throttle.
//!
//! Calls pass in the order of their first steps. The first call in the queue waits until it may pass, and the second
//! until it may pass after the first; the others are woken when they become the second. If the first call takes no step
//! within a second after it could have passed, the next call that takes a step passes in its place. If neither of the
//! first two calls takes a step, no call is woken. Every later call therefore has a fallback wait: until a second after
//! the estimated time at which the calls before it have passed.

use std::time::Duration;

use super::sliding_window::SlidingWindow;
use super::throttle::{SECOND, Throttle};
use crate::api::Quota;
use crate::error::{Error, WaitFor};
use crate::session::hold::{Ending, Hold};
use crate::session::moment::Moment;
use crate::session::queue::{CallId, Queue, Waiter, WakeList};

#[derive(Debug)]
pub(super) struct Gate {
    /// The calls that wait.
    queue: Queue,
    /// The number of calls that have joined the queue so far.
    joined: u64,
    /// The number of calls that have left the queue so far.
    left: u64,
    /// The time since which the first call in the queue has been the first.
    first_since: Moment,
    /// The time until which the second call in the queue waits. It is woken if it may pass earlier.
    second_until: Moment,
    /// A lower bound of the `longest_wait` of the waiting calls, except for the calls that were already woken because a
    /// wait exceeded it.
    least_longest_wait: Duration,
    throttle: Throttle,
    /// The requests sent in the last second.
    second: SlidingWindow,
    /// The requests sent in the last minute, if the quota has a limit per minute.
    minute: SlidingWindow,
    /// The requests refused in the last second.
    refused: SlidingWindow,
}

impl Gate {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            queue: Queue::new(),
            joined: 0,
            left: 0,
            first_since: now,
            second_until: Moment::NEVER,
            least_longest_wait: Duration::MAX,
            throttle: Throttle::Open,
            second: SlidingWindow::new(SECOND),
            minute: SlidingWindow::new(60 * SECOND),
            refused: SlidingWindow::new(SECOND),
        }
    }

    /// The average time between the requests of a long queue.
    fn average_interval(&self, quota: Quota, now: Moment) -> Duration {
        let average_interval = |window: &SlidingWindow, limit: Option<u32>| {
            limit.map_or(Duration::ZERO, |limit| window.longest_life() / limit)
        };
        let second = average_interval(&self.second, quota.calls_per_second());
        let minute = average_interval(&self.minute, quota.calls_per_minute());
        self.throttle.interval(now).max(second).max(minute)
    }

    /// The earliest time of the next request. If the gate has opened since the last request, this is the past time at
    /// which it opened, because the windows drop their events only when a request is sent.
    fn opens(&self, quota: Quota) -> Moment {
        let opens = |window: &SlidingWindow, limit: Option<u32>| {
            limit.map_or(Moment::START, |limit| window.opens(limit))
        };
        let second = opens(&self.second, quota.calls_per_second());
        let minute = opens(&self.minute, quota.calls_per_minute());
        self.throttle.opens().max(second).max(minute)
    }

    /// Lets `call` pass, which then sends its request at once. The error is the time until which the call waits, or the
    /// refusal with which it ends.
    pub(super) fn pass(
        &mut self,
        call: CallId,
        longest_wait: Duration,
        quota: Quota,
        now: Moment,
        woken: &mut WakeList,
    ) -> Result<(), Hold> {
        self.throttle.advance(now);
        let opens = self.opens(quota);
        if self.queue.is_empty() && opens <= now {
            self.count(quota, now);
            return Ok(());
        }
        self.join(call, longest_wait, now);
        let place = self.queue.keys().take_while(|other| **other < call).take(2).count();
        let overdue = opens.max(self.first_since).saturating_add(SECOND);
        if opens <= now && (place == 0 || overdue <= now) {
            // The calls before this one took no step in time. They join again when they take one.
            while self.queue.first_key_value().is_some_and(|(first, _)| *first < call) {
                self.queue.pop_first();
                self.left += 1;
                // `second_until` was set by a call that is no longer the second.
                self.second_until = Moment::NEVER;
            }
            self.count(quota, now);
            self.remove(call, quota, now, woken);
            return Ok(());
        }
        if let Throttle::Closed { until, named_until, error, .. } = &self.throttle {
            if until.since(now) > longest_wait {
                let mut error = error.clone();
                if let Some(wait) = error.retry_after_mut() {
                    *wait = named_until.since(now);
                }
                self.remove(call, quota, now, woken);
                return Err(Hold::End(Ending::Shared(error)));
            }
        }
        let until = match place {
            0 => opens,
            _ if opens <= now => overdue,
            1 => opens.saturating_add(self.throttle.interval(now)),
            _ => {
                let number = self.queue.get(&call).map_or(0, |waiter| waiter.number);
                let ahead = number.saturating_sub(self.left);
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                let passed =
                    opens.saturating_add(self.average_interval(quota, now).saturating_mul(ahead));
                passed.saturating_add(SECOND)
            }
        };
        if place == 1 {
            self.second_until = until;
        }
        Err(Hold::Wait { until, reason: WaitFor::Rate })
    }

    fn join(&mut self, call: CallId, longest_wait: Duration, now: Moment) {
        self.least_longest_wait = self.least_longest_wait.min(longest_wait);
        if self.queue.contains_key(&call) {
            return;
        }
        let before = self.queue.keys().take(2).filter(|other| **other < call).count();
        if before == 0 {
            self.first_since = now;
        }
        if before < 2 {
            self.second_until = Moment::NEVER;
        }
        self.queue.insert(call, Waiter { since: now, number: self.joined, longest_wait });
        self.joined += 1;
    }

    /// Takes `call` out of the queue, because it has ended or no longer waits here.
    pub(super) fn leave(&mut self, call: CallId, quota: Quota, now: Moment, woken: &mut WakeList) {
        self.throttle.advance(now);
        self.remove(call, quota, now, woken);
    }

    /// Takes `call` out of the queue and wakes the calls that may now pass or whose wait has changed.
    fn remove(&mut self, call: CallId, quota: Quota, now: Moment, woken: &mut WakeList) {
        let place = self.queue.keys().take(2).position(|other| *other == call);
        if self.queue.remove(&call).is_none() {
            return;
        }
        self.left += 1;
        let mut first_two = self.queue.keys().take(2).copied();
        let first = first_two.next();
        let second = first_two.next();
        match place {
            Some(0) => {
                self.first_since = now;
                if self.second_until > self.opens(quota) {
                    woken.extend(first);
                }
                woken.extend(second);
                self.second_until = Moment::NEVER;
            }
            Some(1) => {
                woken.extend(second);
                self.second_until = Moment::NEVER;
            }
            _ => {}
        }
        if self.queue.is_empty() {
            self.least_longest_wait = Duration::MAX;
        }
    }

    /// Counts a request that is sent now.
    fn count(&mut self, quota: Quota, now: Moment) {
        self.second.add(now);
        if quota.calls_per_minute().is_some() {
            self.minute.add(now);
        }
        self.throttle.sent(now);
    }

    /// Notes that the service rate-limited a request. `wait` is the wait that the service asked for, or a
    /// backoff if it asked for none.
    pub(super) fn refused(
        &mut self,
        wait: Duration,
        error: &Error,
        now: Moment,
        woken: &mut WakeList,
    ) {
        self.throttle.advance(now);
        self.refused.add(now);
        let sent = self.second.count(now);
        let refused = self.refused.count(now);
        self.throttle.refused(wait, error, sent, refused, now);
        let Throttle::Closed { until, .. } = self.throttle else { return };
        let left = until.since(now);
        if left > self.least_longest_wait {
            let may_wait = |waiter: &Waiter| waiter.longest_wait >= left;
            let over_limit = self.queue.iter().filter(|(_, waiter)| !may_wait(waiter));
            woken.extend(over_limit.map(|(call, _)| call));
            let others = self.queue.values().filter(|waiter| may_wait(waiter));
            self.least_longest_wait =
                others.map(|waiter| waiter.longest_wait).min().unwrap_or(Duration::MAX);
        }
    }

    /// Whether the gate holds nothing that a new gate would not hold: no call waits, the throttle is open, and no
    /// request counts against the quota.
    pub(super) fn is_idle(&mut self, now: Moment) -> bool {
        self.throttle.advance(now);
        if !self.queue.is_empty() || !matches!(self.throttle, Throttle::Open) {
            return false;
        }
        self.second.count(now) == 0 && self.minute.count(now) == 0
    }
}

#[cfg(test)]
mod tests;
