//! The token of one tenant, and the calls that wait for it.

use super::slot::{Pause, Slot};
use crate::session::hold::TokenFailure;
use crate::session::moment::Moment;
use crate::session::queue::{Queue, WakeList};
use crate::token::TenantToken;

#[derive(Debug, Default)]
pub(super) struct TenantEntry {
    pub(super) slot: Slot<TenantToken>,
    /// The calls that wait for the token.
    pub(super) queue: Queue,
    /// The number of series of requests that have failed. A call ends when this number is greater than it was when
    /// the call joined the queue.
    pub(super) series: u64,
    /// The failure that ended the last series, while calls wait.
    pub(super) failure: Option<TokenFailure>,
}

impl TenantEntry {
    /// Whether there is nothing to keep.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.queue.is_empty() && self.slot.is_idle(now)
    }

    /// Wakes the first two calls, because a request may be sent now, or at another time than the one they wait for. The
    /// second is woken in case the first takes no step.
    pub(super) fn wake_first_two(&self, woken: &mut WakeList) {
        woken.extend(self.queue.keys().take(2));
    }

    /// Wakes the calls whose limits do not allow them to wait until `pause.wait_until`, so that they end.
    pub(super) fn wake_over_limit(&self, pause: &Pause, now: Moment, woken: &mut WakeList) {
        let wait = pause.wait_until.since(now);
        if pause.failure.is_some() {
            let over_limit = self.queue.iter().filter(|(_, waiter)| waiter.longest_wait < wait);
            woken.extend(over_limit.map(|(call, _)| call));
        }
    }

    /// Ends the series and wakes all calls, which end with `failure`.
    pub(super) fn end_series(&mut self, failure: TokenFailure, woken: &mut WakeList) {
        self.series += 1;
        self.failure = Some(failure);
        woken.extend(self.queue.keys());
    }

    /// Empties the queue and wakes all of its calls, because there is a token.
    pub(super) fn wake_all(&mut self, woken: &mut WakeList) {
        woken.extend(std::mem::take(&mut self.queue).into_keys());
        self.failure = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::queue::{CallId, Waiter};
    use crate::session::step::TokenRequestId;

    #[test]
    fn a_tenant_with_a_call_that_waits_for_its_token_is_not_idle() {
        let mut tenant = TenantEntry::default();
        assert!(tenant.is_idle(Moment::START));
        let waiter = Waiter { since: Moment::START, number: 0, longest_wait: Duration::ZERO };
        tenant.queue.insert(CallId(1), waiter);
        assert!(!tenant.is_idle(Moment::START));
    }

    #[test]
    fn a_tenant_with_a_token_is_not_idle() {
        let mut tenant = TenantEntry::default();
        let token = TenantToken::new("t-1").unwrap();
        let expires = Moment(Duration::from_secs(10));
        tenant.slot.import(token, expires, TokenRequestId(1));
        assert!(!tenant.is_idle(Moment::START));
        assert!(tenant.is_idle(expires));
    }
}
