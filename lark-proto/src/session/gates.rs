//! Gates: each one limits the rate of the requests to one route, for one tenant or one token of the caller's.
//!
//! ```text
//!         refused for its rate      the named time is over
//!  (open) --------------------> closed -------------------> metered --+
//!    ^                            ^                          |  |  ^  |
//!    |                            +-- refused, more than 1 s +  |  |  |
//!    +---------------- a minute without a refusal --------------+  |  |
//!                                  refused: 0.85 of the rate       +--+
//! ```
//!
//! The service counts requests in windows of a second and of a minute, and usually names a wait when it refuses one;
//! where it names none, the gate closes for the backoff of the refused call. A closed gate reopens at 0.9 of the rate
//! that the service admitted in the last second before it closed, at five requests a second at least (slow start); the
//! rate grows by 5 % a second until the next refusal, and a refusal lowers it once a second at most. Only time opens a
//! gate, not a success: otherwise a write that takes a minute would hold up the other calls.
//!
//! A documented [`Quota`] is kept by counting the requests in each span of a second or a minute, so that the service
//! does not have to refuse one. Each span is a tenth of a second longer than the service's, because the network shifts
//! requests.
//!
//! Calls pass in the order of their first steps. The first call in the queue waits until it may pass, the second until
//! it may pass after the first; the others are woken when they become the second. If the first takes no step within a
//! second after it could have passed, the next call that takes a step passes instead. Because neither of the first two
//! may take a step, each of the others also takes one by itself, a second after the calls before it would have passed
//! at the average pace.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::queue::{Queue, Waiter};
use super::{CallId, Caller, Credential, Ending, Hold, WaitFor, Woken};
use crate::endpoint::Quota;
use crate::error::Error;

const SECOND: Duration = Duration::from_secs(1);
/// The longest that one refusal closes a gate, whatever wait the service named.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// A metered gate opens after this time without a refusal: its rate has grown by a factor of 18.7.
const UNLIMITED_AFTER: Duration = Duration::from_secs(60);
/// A gate reopens at this part of the rate that the service has just admitted.
const REOPENING_FACTOR: f64 = 0.9;
/// The least rate at which a gate reopens, in requests a second: a few requests say little about the rate that the
/// service admits.
const MIN_REOPENING_RATE: f64 = 5.0;
/// A refusal lowers the rate of a metered gate by this factor, at most once a second.
const REFUSAL_FACTOR: f64 = 0.85;
/// The rate of a metered gate grows by this factor each second.
const GROWTH_PER_SECOND: f64 = 1.05;
/// The least rate of a metered gate, in requests a second, however often the service refuses.
const MIN_RATE: f64 = 0.9;

/// The gates in use.
#[derive(Debug, Default)]
pub(super) struct Gates {
    gates: BTreeMap<Credential, BTreeMap<Box<str>, Gate>>,
    /// Quotas that replace the endpoints' own.
    quotas: Vec<(Box<str>, Quota)>,
    /// No quota is kept.
    unlimited: bool,
}

#[derive(Debug)]
struct Gate {
    /// The calls that wait.
    queue: Queue,
    /// How many calls have joined the queue.
    joined: u64,
    /// How many calls have left the queue.
    left: u64,
    /// Since when the first in the queue has been the first.
    first_since: Duration,
    /// Until when the second call in the queue waits; it is woken if it may pass earlier.
    second_until: Duration,
    /// The least `Limits::longest_wait` of the calls that wait, without those that were woken to end because of it.
    least_patience: Duration,
    flow: Flow,
    second: Window,
    minute: Window,
    /// The requests that were refused in the last second.
    refused: Window,
}

#[derive(Debug)]
enum Flow {
    Open,
    Closed {
        until: Duration,
        error: Error,
        /// How many requests were sent in the second before the gate closed, and how many of them were refused.
        /// Refusals that arrive while the gate is closed count too.
        sent: u32,
        refused: u32,
    },
    Metered {
        /// Requests a second at `since`, when the gate reopened or the rate was last lowered.
        rate: f64,
        since: Duration,
        next: Duration,
    },
}

impl Gate {
    fn new(now: Duration) -> Self {
        Self {
            queue: Queue::new(),
            joined: 0,
            left: 0,
            first_since: now,
            second_until: Duration::MAX,
            least_patience: Duration::MAX,
            flow: Flow::Open,
            second: Window::new(SECOND),
            minute: Window::new(60 * SECOND),
            refused: Window::new(SECOND),
        }
    }

    /// Makes the state changes that only need time. The windows are not advanced here, because [`opens`](Self::opens)
    /// also tells when the gate opened in the past.
    fn advance(&mut self, now: Duration) {
        match self.flow {
            Flow::Closed { until, sent, refused, .. } if until <= now => {
                let rate = reopened(sent, refused);
                self.flow = Flow::Metered { rate, since: until, next: until };
            }
            Flow::Metered { since, .. } if now.saturating_sub(since) >= UNLIMITED_AFTER => {
                self.flow = Flow::Open;
            }
            _ => {}
        }
    }

    /// The time between two requests at the present rate of the flow, without the quota.
    fn interval(&self, now: Duration) -> Duration {
        match self.flow {
            Flow::Open => Duration::ZERO,
            Flow::Closed { sent, refused, .. } => SECOND.div_f64(reopened(sent, refused)),
            Flow::Metered { rate, since, .. } => {
                let seconds = now.saturating_sub(since).min(UNLIMITED_AFTER).as_secs();
                SECOND.div_f64(rate * GROWTH_PER_SECOND.powi(i32::try_from(seconds).unwrap_or(0)))
            }
        }
    }

    /// The average time between the requests of a long queue.
    fn pace(&self, quota: Quota, now: Duration) -> Duration {
        let pace = |window: &Window, limit: Option<u32>| {
            limit.map_or(Duration::ZERO, |limit| window.renews() / limit)
        };
        let second = pace(&self.second, quota.calls_per_second());
        let minute = pace(&self.minute, quota.calls_per_minute());
        self.interval(now).max(second).max(minute)
    }

    /// The earliest time at which one more request may go; in the past if the gate is open.
    fn opens(&self, quota: Quota) -> Duration {
        let flow = match self.flow {
            Flow::Open => Duration::ZERO,
            Flow::Closed { until, .. } => until,
            Flow::Metered { next, .. } => next,
        };
        let opens = |window: &Window, limit: Option<u32>| {
            limit.map_or(Duration::ZERO, |limit| window.opens(limit))
        };
        let second = opens(&self.second, quota.calls_per_second());
        let minute = opens(&self.minute, quota.calls_per_minute());
        flow.max(second).max(minute)
    }

    fn pass(
        &mut self,
        call: CallId,
        patience: Duration,
        quota: Quota,
        now: Duration,
        woken: &mut Woken,
    ) -> Result<(), Hold> {
        self.advance(now);
        let opens = self.opens(quota);
        if self.queue.is_empty() && opens <= now {
            self.count(quota, now);
            return Ok(());
        }
        self.join(call, patience, now);
        let place = self.queue.keys().take_while(|other| **other < call).take(2).count();
        let overdue = opens.max(self.first_since).saturating_add(SECOND);
        if opens <= now && (place == 0 || overdue <= now) {
            // The calls before this one took no step in time; they join again when they take one.
            while self.queue.first_key_value().is_some_and(|(first, _)| *first < call) {
                self.queue.pop_first();
                self.left += 1;
            }
            self.count(quota, now);
            self.remove(call, quota, now, woken);
            return Ok(());
        }
        if let Flow::Closed { until, error, .. } = &self.flow {
            let left = until.saturating_sub(now);
            if left > patience {
                let error = error.clone().with_retry_after(left);
                self.remove(call, quota, now, woken);
                return Err(Hold::End(Ending::Told(error)));
            }
        }
        let until = match place {
            0 => opens,
            _ if opens <= now => overdue,
            1 => opens.saturating_add(self.interval(now)),
            _ => {
                let number = self.queue.get(&call).map_or(0, |waiter| waiter.number);
                let ahead = number.saturating_sub(self.left).min(u64::from(u32::MAX));
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                let passed = opens.saturating_add(self.pace(quota, now).saturating_mul(ahead));
                passed.saturating_add(SECOND)
            }
        };
        if place == 1 {
            self.second_until = until;
        }
        Err(Hold::Wait { until, reason: WaitFor::Rate })
    }

    fn join(&mut self, call: CallId, patience: Duration, now: Duration) {
        self.least_patience = self.least_patience.min(patience);
        if self.queue.contains_key(&call) {
            return;
        }
        let before = self.queue.keys().take(2).filter(|other| **other < call).count();
        if before == 0 {
            self.first_since = now;
        }
        if before < 2 {
            self.second_until = Duration::MAX;
        }
        self.queue.insert(call, Waiter { since: now, number: self.joined, patience });
        self.joined += 1;
    }

    /// Takes `call` out of the queue and wakes the calls that can now pass or wait for another time.
    fn remove(&mut self, call: CallId, quota: Quota, now: Duration, woken: &mut Woken) {
        let place = self.queue.keys().take(2).position(|other| *other == call);
        if self.queue.remove(&call).is_none() {
            return;
        }
        self.left += 1;
        let mut first_two = self.queue.keys().take(2).copied();
        let (first, second) = (first_two.next(), first_two.next());
        match place {
            Some(0) => {
                self.first_since = now;
                if self.second_until > self.opens(quota) {
                    woken.extend(first);
                }
                woken.extend(second);
                self.second_until = Duration::MAX;
            }
            Some(1) => {
                woken.extend(second);
                self.second_until = Duration::MAX;
            }
            _ => {}
        }
        if self.queue.is_empty() {
            self.least_patience = Duration::MAX;
        }
    }

    /// Counts a request that is sent now.
    fn count(&mut self, quota: Quota, now: Duration) {
        self.second.advance(now);
        self.second.add(now);
        if quota.calls_per_minute().is_some() {
            self.minute.advance(now);
            self.minute.add(now);
        }
        let interval = self.interval(now);
        if let Flow::Metered { next, .. } = &mut self.flow {
            *next = now.max(*next).saturating_add(interval);
        }
    }

    /// The service refused a request for its rate; `wait` is the wait that it named, or a backoff if it named none.
    fn refused(&mut self, wait: Duration, error: &Error, now: Duration, woken: &mut Woken) {
        self.advance(now);
        self.second.advance(now);
        self.refused.advance(now);
        self.refused.add(now);
        let closes = now.saturating_add(wait);
        let (sent, refused) = (self.second.count, self.refused.count);
        match &mut self.flow {
            Flow::Closed { until, error: last, refused, .. } => {
                *refused += 1;
                if closes > *until {
                    (*until, *last) = (closes, error.clone());
                }
            }
            Flow::Metered { rate, since, .. } if wait <= SECOND => {
                let seconds = now.saturating_sub(*since).as_secs();
                if seconds > 0 {
                    let grown = *rate * GROWTH_PER_SECOND.powi(i32::try_from(seconds).unwrap_or(0));
                    (*rate, *since) = ((grown * REFUSAL_FACTOR).max(MIN_RATE), now);
                }
            }
            Flow::Open | Flow::Metered { .. } => {
                self.flow = Flow::Closed { until: closes, error: error.clone(), sent, refused };
            }
        }
        let Flow::Closed { until, .. } = self.flow else { return };
        let left = until.saturating_sub(now);
        if left > self.least_patience {
            let is_patient = |waiter: &Waiter| waiter.patience >= left;
            let impatient = self.queue.iter().filter(|(_, waiter)| !is_patient(waiter));
            woken.extend(impatient.map(|(call, _)| call));
            let patient = self.queue.values().filter(|waiter| is_patient(waiter));
            self.least_patience =
                patient.map(|waiter| waiter.patience).min().unwrap_or(Duration::MAX);
        }
    }

    fn is_idle(&mut self, now: Duration) -> bool {
        self.advance(now);
        if !self.queue.is_empty() || !matches!(self.flow, Flow::Open) {
            return false;
        }
        self.second.advance(now);
        self.minute.advance(now);
        self.second.count == 0 && self.minute.count == 0
    }
}

impl Gates {
    pub(super) fn new(unlimited: bool) -> Self {
        Self { unlimited, ..Self::default() }
    }

    pub(super) fn set_quota(&mut self, route: &str, quota: Quota) {
        match self.quotas.iter_mut().find(|(of, _)| **of == *route) {
            Some((_, set)) => *set = quota,
            None => self.quotas.push((route.into(), quota)),
        }
    }

    pub(super) fn set_unlimited(&mut self, unlimited: bool) {
        self.unlimited = unlimited;
    }

    /// The quota that is kept on a route.
    fn quota(&self, route: &str, own: Quota) -> Quota {
        match self.quotas.iter().find(|(of, _)| **of == *route) {
            Some((_, quota)) => *quota,
            None if self.unlimited => Quota::NONE,
            None => own,
        }
    }

    fn get(&mut self, credential: &Credential, route: &str) -> Option<&mut Gate> {
        self.gates.get_mut(credential)?.get_mut(route)
    }

    fn create(&mut self, credential: &Credential, route: &str, now: Duration) -> &mut Gate {
        let routes = self.gates.entry(credential.clone()).or_default();
        routes.entry(route.into()).or_insert_with(|| Gate::new(now))
    }

    /// Lets a call pass, which then sends its request at once, or says how long it has to wait.
    pub(super) fn pass(
        &mut self,
        credential: &Credential,
        route: &str,
        quota: Quota,
        caller: &Caller<'_>,
        now: Duration,
        woken: &mut Woken,
    ) -> Result<(), Hold> {
        let quota = self.quota(route, quota);
        let (call, patience) = (caller.id, caller.limits.longest_wait);
        match self.get(credential, route) {
            Some(gate) => gate.pass(call, patience, quota, now, woken),
            None => self.create(credential, route, now).pass(call, patience, quota, now, woken),
        }
    }

    /// The service refused a request for its rate; `wait` is the wait that it named, or a backoff if it named none.
    /// Returns `wait`, or two minutes if that is less.
    pub(super) fn refused(
        &mut self,
        credential: &Credential,
        route: &str,
        wait: Duration,
        error: &Error,
        now: Duration,
        woken: &mut Woken,
    ) -> Duration {
        let wait = wait.min(MAX_PAUSE);
        // The gate of a request that took longer than a minute may have been dropped meanwhile.
        self.create(credential, route, now).refused(wait, error, now, woken);
        wait
    }

    /// Takes `call` out of the queue, if it stands there.
    pub(super) fn leave(
        &mut self,
        credential: &Credential,
        route: &str,
        quota: Quota,
        call: CallId,
        now: Duration,
        woken: &mut Woken,
    ) {
        let quota = self.quota(route, quota);
        if let Some(gate) = self.get(credential, route) {
            gate.advance(now);
            gate.remove(call, quota, now, woken);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.gates.values().map(BTreeMap::len).sum()
    }

    pub(super) fn sweep(&mut self, now: Duration) {
        for routes in self.gates.values_mut() {
            routes.retain(|_, gate| !gate.is_idle(now));
        }
        self.gates.retain(|_, routes| !routes.is_empty());
    }
}

/// The rate at which a gate reopens, in requests a second, if in the last second before it closed `sent` requests were
/// sent and `refused` of them refused.
fn reopened(sent: u32, refused: u32) -> f64 {
    (REOPENING_FACTOR * f64::from(sent.saturating_sub(refused))).max(MIN_REOPENING_RATE)
}

/// Counts the events of the last span (sliding window), in 60 slots. An event counts until its whole slot is older than
/// the span, so that the count is never less than the true number of events in the span.
#[derive(Debug)]
struct Window {
    /// The width of a slot: a sixtieth of the span, in microseconds.
    width: u64,
    /// The number of each slot that has events, and how many it has; the oldest first.
    slots: VecDeque<(u64, u32)>,
    count: u32,
}

/// The most by which the time between two requests is assumed to differ between sending and arrival.
const MAX_JITTER: Duration = Duration::from_millis(100);

impl Window {
    fn new(span: Duration) -> Self {
        let width = micros(span + MAX_JITTER).div_ceil(60);
        Self { width, slots: VecDeque::new(), count: 0 }
    }

    fn advance(&mut self, now: Duration) {
        while let Some((slot, events)) = self.slots.front().copied() {
            if now < self.expires(slot) {
                break;
            }
            self.slots.pop_front();
            self.count -= events;
        }
    }

    /// When the events of a slot no longer count.
    fn expires(&self, slot: u64) -> Duration {
        Duration::from_micros((slot + 61).saturating_mul(self.width))
    }

    fn add(&mut self, now: Duration) {
        let number = micros(now) / self.width;
        self.count += 1;
        match self.slots.back_mut() {
            Some((slot, events)) if *slot == number => *events += 1,
            _ => self.slots.push_back((number, 1)),
        }
    }

    /// The longest time that an event counts.
    fn renews(&self) -> Duration {
        self.expires(0)
    }

    /// When there will be fewer than `limit` events.
    fn opens(&self, limit: u32) -> Duration {
        let mut count = self.count;
        for (slot, events) in &self.slots {
            if count < limit {
                break;
            }
            count -= events;
            if count < limit {
                return self.expires(*slot);
            }
        }
        Duration::ZERO
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers below a bound.
    fn random(seed: &mut u64, bound: u64) -> u64 {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % bound
    }

    #[test]
    fn a_window_counts_as_a_list_of_times_does() {
        for seed in 0..200 {
            let mut random = {
                let mut seed = seed;
                move |bound| random(&mut seed, bound)
            };
            let span = [SECOND, 60 * SECOND][usize::try_from(random(2)).unwrap()];
            let limit = u32::try_from(1 + random(60)).unwrap();
            let longest = 1 + random(4 * micros(span) / u64::from(limit));
            let mut window = Window::new(span);
            let (mut now, mut added, mut sent) = (Duration::ZERO, Duration::ZERO, Vec::new());
            for _ in 0..1000 {
                now += Duration::from_micros(random(longest));
                // An event counts until its sixtieth of the span is older than the span.
                let ends = |at: Duration| (micros(at) / window.width + 61) * window.width;
                let all: Vec<u64> = sent.iter().copied().map(ends).collect();
                let opens = match all.len().checked_sub(limit as usize) {
                    Some(at) => Duration::from_micros(all[at]),
                    None => Duration::ZERO,
                };
                assert_eq!(window.opens(limit).max(added), opens.max(added), "{seed}");
                let is_open = opens <= now;
                window.advance(now);
                assert_eq!(window.opens(limit) <= now, is_open, "{seed}");
                if is_open {
                    window.add(now);
                    sent.push(now);
                    added = now;
                }
                assert!(window.slots.len() <= 62, "{seed}");
            }
            for few in sent.windows(limit as usize + 1) {
                assert!(few[limit as usize] - few[0] > span + MAX_JITTER, "{seed}");
            }
        }
    }

    #[test]
    fn a_full_window_opens_a_sixtieth_after_its_span_at_the_latest() {
        for start in [0, 1, 18_333, 18_334, 999_999] {
            let mut window = Window::new(SECOND);
            let start = Duration::from_micros(start);
            window.add(start);
            let opens = window.opens(1) - start;
            assert!(
                opens > SECOND + MAX_JITTER && opens <= (SECOND + MAX_JITTER).mul_f64(62.0 / 60.0)
            );
            assert_eq!(window.opens(2), Duration::ZERO);
        }
    }

    #[test]
    fn a_window_takes_absurd_times() {
        let mut window = Window::new(60 * SECOND);
        for now in [Duration::ZERO, Duration::from_secs(1 << 40), Duration::MAX, Duration::MAX] {
            window.advance(now);
            window.add(now);
            assert!(window.opens(1) > Duration::ZERO);
        }
    }
}
