//! The throttle: when one call is told to wait, the others to the same route and tenant wait with it.
//!
//! ```text
//!            told to wait              the time is up            its reply
//!   (open) ---------------> closed ---------------------> probing ---------> (open)
//!                             ^         the first one goes    |  told again
//!                             +-------------------------------+
//! ```
//! One probe and not all at once: a burst would be refused again, and each refusal costs an attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{CallId, TenantKey};

/// A route, for one tenant: what the service counts by.
pub(crate) type GateKey = (&'static str, Option<TenantKey>);

/// The gates that are not open.
#[derive(Debug, Default)]
pub(crate) struct Throttle(BTreeMap<GateKey, Gate>);

#[derive(Debug)]
struct Gate {
    /// Closed until then, on the session's clock.
    until: Duration,
    /// Those who wait; ids count up, so that the first is the one that came first.
    queue: BTreeSet<CallId>,
    /// The one whose reply decides.
    probe: Option<CallId>,
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
        if gate.probe.is_some() || gate.queue.first() != Some(&call) {
            return Pass::Park;
        }
        gate.queue.remove(&call);
        gate.probe = Some(call);
        Pass::Go
    }

    /// The service told `call` to wait for `wait`.
    pub(crate) fn close(&mut self, key: GateKey, call: CallId, now: Duration, wait: Duration) {
        let until = now.saturating_add(wait);
        let gate = self.0.entry(key).or_insert(Gate { until, queue: BTreeSet::new(), probe: None });
        gate.until = gate.until.max(until);
        gate.queue.insert(call);
        if gate.probe == Some(call) {
            gate.probe = None;
        }
    }

    /// The service took the request of `call`, or refused it for a reason of its own. If another was told to
    /// wait meanwhile, that stands.
    pub(crate) fn open(&mut self, key: &GateKey, call: CallId, now: Duration) {
        let Some(gate) = self.0.get_mut(key).filter(|gate| gate.probe == Some(call)) else {
            return;
        };
        gate.probe = None;
        if gate.until <= now {
            self.0.remove(key);
        }
    }

    /// `call` is over, for whatever reason.
    pub(crate) fn leave(&mut self, key: &GateKey, call: CallId) {
        let Some(gate) = self.0.get_mut(key) else { return };
        gate.queue.remove(&call);
        if gate.probe == Some(call) {
            gate.probe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: GateKey = ("/r", None);
    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn one_goes_first_and_its_reply_decides() {
        let mut throttle = Throttle::default();
        let [a, b, c] = [CallId(1), CallId(2), CallId(3)];
        assert_eq!(throttle.pass(&KEY, a, S(0)), Pass::Go);
        throttle.close(KEY, a, S(0), S(5));
        assert_eq!(throttle.pass(&KEY, b, S(1)), Pass::Wait(S(4)));
        assert_eq!(throttle.pass(&("/other", None), c, S(1)), Pass::Go);
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
        assert!(throttle.0.is_empty());
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
