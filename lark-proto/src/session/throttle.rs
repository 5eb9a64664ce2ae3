//! The throttle: when one call is told to wait, the others to the same route and tenant wait with it.
//!
//! ```text
//!            told to wait              the time is up              the queue is empty
//!   (open) ---------------> closed ---------------------> opening ----------------------> (open)
//!                             ^       one goes, and one more  |
//!                             |      for each that got through |
//!                             +--------------------------------+  told again
//! ```
//! Not all at once: a burst would be refused again, and each refusal costs an attempt.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{CallId, TenantKey};

/// A route, for one tenant: what the service counts by.
pub(crate) type GateKey = (Cow<'static, str>, Option<TenantKey>);

/// The gates that are not open.
#[derive(Debug, Default)]
pub(crate) struct Throttle(BTreeMap<GateKey, Gate>);

#[derive(Debug)]
struct Gate {
    /// Closed until then, on the session's clock.
    until: Duration,
    /// Those who wait; ids count up, so that the first is the one that came first.
    queue: BTreeSet<CallId>,
    /// Those who went since, and how many may be out at once: one more for each that came through.
    out: BTreeSet<CallId>,
    width: usize,
}

/// Whether a call may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Go,
    Wait(Duration),
    Park,
}

impl Throttle {
    pub(crate) fn pass(&mut self, key: &GateKey, call: CallId, now: Duration) -> Pass {
        let Some(gate) = self.0.get_mut(key) else { return Pass::Go };
        gate.queue.insert(call);
        if let Some(left) = gate.until.checked_sub(now).filter(|left| !left.is_zero()) {
            return Pass::Wait(left);
        }
        if gate.out.len() >= gate.width || gate.queue.first() != Some(&call) {
            return Pass::Park;
        }
        gate.queue.remove(&call);
        gate.out.insert(call);
        Pass::Go
    }

    /// The service told `call` to wait for `wait`.
    pub(crate) fn close(&mut self, key: GateKey, call: CallId, now: Duration, wait: Duration) {
        let until = now.saturating_add(wait);
        let gate = self.0.entry(key).or_insert(Gate {
            until,
            queue: BTreeSet::new(),
            out: BTreeSet::new(),
            width: 1,
        });
        gate.until = gate.until.max(until);
        gate.queue.insert(call);
        gate.out.remove(&call);
        gate.width = 1;
    }

    /// The service took the request of `call`, or refused it for a reason of its own. If another was told to
    /// wait meanwhile, that stands.
    pub(crate) fn open(&mut self, key: &GateKey, call: CallId, now: Duration) {
        let Some(gate) = self.0.get_mut(key) else { return };
        if !gate.out.remove(&call) {
            return;
        }
        gate.width += 1;
        if gate.until <= now && gate.queue.is_empty() && gate.out.is_empty() {
            self.0.remove(key);
        }
    }

    /// `call` is over, for whatever reason.
    pub(crate) fn leave(&mut self, key: &GateKey, call: CallId) {
        let Some(gate) = self.0.get_mut(key) else { return };
        gate.queue.remove(&call);
        gate.out.remove(&call);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const KEY: GateKey = (Cow::Borrowed("/r"), None);
    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn one_goes_first_and_its_reply_decides() {
        let mut throttle = Throttle::default();
        let [a, b, c] = [CallId(1), CallId(2), CallId(3)];
        assert_eq!(throttle.pass(&KEY, a, S(0)), Pass::Go);
        throttle.close(KEY, a, S(0), S(5));
        assert_eq!(throttle.pass(&KEY, b, S(1)), Pass::Wait(S(4)));
        assert_eq!(throttle.pass(&(Cow::Borrowed("/other"), None), c, S(1)), Pass::Go);
        // The one that was told is the first to go, also where another asks before it.
        assert_eq!(throttle.pass(&KEY, b, S(5)), Pass::Park);
        assert_eq!(throttle.pass(&KEY, a, S(5)), Pass::Go);
        assert_eq!(throttle.pass(&KEY, c, S(6)), Pass::Park);
        throttle.close(KEY, a, S(6), S(2));
        assert_eq!(throttle.pass(&KEY, b, S(7)), Pass::Wait(S(1)));
        throttle.leave(&KEY, a);
        assert_eq!(throttle.pass(&KEY, c, S(8)), Pass::Park);
        assert_eq!(throttle.pass(&KEY, b, S(8)), Pass::Go);
        throttle.open(&KEY, b, S(8));
        assert_eq!(throttle.pass(&KEY, c, S(8)), Pass::Go);
        throttle.open(&KEY, c, S(8));
        assert!(throttle.0.is_empty());
    }

    #[test]
    fn each_that_gets_through_lets_one_more_go() {
        let mut throttle = Throttle::default();
        throttle.close(KEY, CallId(0), S(0), S(1));
        let (mut left, mut out): (VecDeque<u64>, _) = ((0..100).collect(), VecDeque::new());
        let mut widest = 0;
        while !left.is_empty() || !out.is_empty() {
            while let Some(call) = left.front().copied() {
                if throttle.pass(&KEY, CallId(call), S(1)) != Pass::Go {
                    break;
                }
                out.extend(left.pop_front());
            }
            widest = widest.max(out.len());
            throttle.open(&KEY, CallId(out.pop_front().unwrap()), S(1));
        }
        assert!((2..100).contains(&widest) && throttle.0.is_empty(), "{widest}");
    }

    #[test]
    fn a_probe_that_is_given_up_lets_the_next_one_go() {
        let mut throttle = Throttle::default();
        throttle.close(KEY, CallId(1), S(0), S(1));
        assert_eq!(throttle.pass(&KEY, CallId(2), S(0)), Pass::Wait(S(1)));
        assert_eq!(throttle.pass(&KEY, CallId(1), S(1)), Pass::Go);
        throttle.leave(&KEY, CallId(1));
        assert_eq!(throttle.pass(&KEY, CallId(2), S(1)), Pass::Go);
    }
}
