//! Gates: each one limits the rate of the requests to one route, for one tenant or for one token that the caller
//! supplied.
//!
//! The service counts requests in windows of a second and of a minute. A gate keeps a documented [`Quota`] by counting
//! the requests in a sliding window, so that the service does not have to refuse a request. If the service refuses one
//! nevertheless, the gate closes for a while and then reopens at a lower rate.

mod gate;
mod sliding_window;
mod throttle;

use std::time::Duration;

use gate::Gate;

use super::caller::{Caller, Credential};
use super::hold::Hold;
use super::moment::Moment;
use super::queue::{CallId, WakeList};
use super::sorted_map::SortedMap;
use crate::api::Quota;
use crate::error::Error;

/// The longest time for which one refusal closes a gate, whatever wait the service asked for.
const MAX_PAUSE: Duration = Duration::from_secs(120);

/// The gates in use.
#[derive(Debug, Default)]
pub(super) struct Gates {
    gates: SortedMap<Credential, SortedMap<Box<str>, Gate>>,
    /// The quotas that the caller has set by route, in place of the documented ones.
    quotas: Vec<(Box<str>, Quota)>,
    /// Whether the documented quotas are ignored.
    unlimited: bool,
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

    /// The quota that applies to a route whose documented quota is `documented`.
    fn quota(&self, route: &str, documented: Quota) -> Quota {
        match self.quotas.iter().find(|(of, _)| **of == *route) {
            Some((_, quota)) => *quota,
            None if self.unlimited => Quota::NONE,
            None => documented,
        }
    }

    fn get(&mut self, credential: &Credential, route: &str) -> Option<&mut Gate> {
        self.gates.get_mut(credential)?.get_mut(route)
    }

    fn get_or_create(&mut self, credential: &Credential, route: &str, now: Moment) -> &mut Gate {
        let routes = self.gates.get_or_insert(credential, SortedMap::new);
        routes.get_or_insert(route, || Gate::new(now))
    }

    /// Lets the call pass, which then sends its request at once. The error is the time until which the call waits, or
    /// the refusal with which it ends.
    pub(super) fn pass(
        &mut self,
        credential: &Credential,
        route: &str,
        quota: Quota,
        caller: &Caller<'_>,
        now: Moment,
        woken: &mut WakeList,
    ) -> Result<(), Hold> {
        let quota = self.quota(route, quota);
        let gate = self.get_or_create(credential, route, now);
        gate.pass(caller.id, caller.limits.longest_wait, quota, now, woken)
    }

    /// Notes that the service rate-limited a request. `wait` is the wait that the service asked for, or a
    /// backoff if it asked for none. Returns `wait`, or two minutes if that is less.
    pub(super) fn refused(
        &mut self,
        credential: &Credential,
        route: &str,
        wait: Duration,
        error: &Error,
        now: Moment,
        woken: &mut WakeList,
    ) -> Duration {
        let wait = wait.min(MAX_PAUSE);
        // A sweep may have dropped the gate while the request was in flight.
        self.get_or_create(credential, route, now).refused(wait, error, now, woken);
        wait
    }

    /// Takes `call` out of the queue, if it is there.
    pub(super) fn leave(
        &mut self,
        credential: &Credential,
        route: &str,
        quota: Quota,
        call: CallId,
        now: Moment,
        woken: &mut WakeList,
    ) {
        let quota = self.quota(route, quota);
        if let Some(gate) = self.get(credential, route) {
            gate.leave(call, quota, now, woken);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.gates.values().map(SortedMap::len).sum()
    }

    pub(super) fn sweep(&mut self, now: Moment) {
        self.gates.retain(|routes| {
            routes.retain(|gate| !gate.is_idle(now));
            !routes.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::session::limits::Limits;

    fn own() -> Credential {
        Credential::Session(None)
    }

    fn pass(gates: &mut Gates, call: u64, route: &str, quota: Quota, now: Moment) -> bool {
        let caller = Caller {
            id: CallId(call),
            deadline: Moment::NEVER,
            limits: &Limits::default(),
            jitter: 0,
            renewal_deadline: &mut None,
        };
        gates.pass(&own(), route, quota, &caller, now, &mut WakeList::default()).is_ok()
    }

    #[test]
    fn a_sweep_drops_only_the_gates_that_are_idle() {
        let mut gates = Gates::default();
        assert!(pass(&mut gates, 1, "/a", Quota::NONE, Moment::START));
        assert!(pass(&mut gates, 2, "/b", Quota::NONE, Moment(Duration::from_secs(10))));
        gates.sweep(Moment(Duration::from_secs(10)));
        assert_eq!(gates.len(), 1);
        assert!(gates.get(&own(), "/b").is_some());
        gates.sweep(Moment(Duration::from_secs(20)));
        assert_eq!(gates.len(), 0);
        assert!(gates.gates.is_empty());
    }

    #[test]
    fn a_refusal_closes_a_gate_for_two_minutes_at_most() {
        let longest = Duration::from_secs(120);
        let nano = Duration::from_nanos(1);
        let error = Reply::new(http::Response::new(r#"{"code":99991400}"#.into()));
        let error = error.ok().unwrap_err();
        for (wait, expected) in
            [(longest - nano, longest - nano), (longest, longest), (longest + nano, longest)]
        {
            let mut gates = Gates::default();
            let now = Moment::START;
            let closes = gates.refused(&own(), "/a", wait, &error, now, &mut WakeList::default());
            assert_eq!(closes, expected);
            assert!(!pass(&mut gates, 1, "/a", Quota::NONE, Moment(expected - nano)));
            assert!(pass(&mut gates, 1, "/a", Quota::NONE, Moment(expected)));
        }
    }

    #[test]
    fn a_quota_that_is_set_replaces_the_documented_one() {
        let mut gates = Gates::new(true);
        let documented = Quota::per_second(1);
        assert_eq!(gates.quota("/a", documented), Quota::NONE);
        gates.set_unlimited(false);
        assert_eq!(gates.quota("/a", documented), documented);
        for calls in [2, 3] {
            gates.set_quota("/a", Quota::per_second(calls));
            assert_eq!(gates.quota("/a", documented), Quota::per_second(calls));
            assert_eq!(gates.quota("/b", documented), documented);
        }
        gates.set_unlimited(true);
        assert_eq!(gates.quota("/a", documented), Quota::per_second(3));
    }
}
