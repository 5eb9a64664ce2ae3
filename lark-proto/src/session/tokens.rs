//! Token life: which token a call may use, and which call fetches the next one.
//!
//! ```text
//!          fetch                last 29 minutes            renewed
//!  (none) -------> fresh ------------------------> renewing -------> fresh (one generation on)
//!    ^               |                                |
//!    +---------------+--------------------------------+   refused or at its end
//! ```
//! The service hands out the same token until 30 minutes before its end, then a new one beside it, so one
//! call renews in that window while the others use the old token. A refused token is dropped by its generation:
//! ten refusals of it cause one fetch. If that brings the very same token, its refusals are the endpoint's error for
//! the next minute, and no reason to fetch again.

use std::time::Duration;

use super::CallId;
use crate::error::Error;

/// Renewal begins so long before the end: inside the service's 30 minutes by a margin for the time that the
/// grant itself took, or the service would hand out the old token again.
const WINDOW: Duration = Duration::from_secs(29 * 60);
/// A token just handed out is taken to be good for so long, whatever its `expire` says; and a renewal that
/// failed or brought nothing new is not tried again sooner.
const MINUTE: Duration = Duration::from_secs(60);
/// For so long after the service refused a fetch for good, it is not asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// A place for a token that is fetched when it is needed.
#[derive(Debug)]
pub(crate) struct Slot<K> {
    held: Option<Held<K>>,
    /// Counts the grants.
    generation: u64,
    /// The call that is fetching.
    fetcher: Option<CallId>,
    /// No renewal before this.
    renew_after: Duration,
    /// No fetch at all before this: the service asked for a pause.
    fetch_after: Duration,
    /// Counts the fetches that failed.
    failures: u32,
    /// The token that was refused last.
    refused: Option<K>,
    /// The service's last word on a fetch, and until when it stands.
    verdict: Option<(Error, Duration)>,
}

#[derive(Debug)]
struct Held<K> {
    token: K,
    ends: Duration,
    /// It was handed out again after a refusal, so until then a further refusal is not the token's fault.
    confirmed: Duration,
}

/// What a call does about a token.
#[derive(Debug)]
pub(crate) enum Plan<K> {
    /// Use it; the number is its generation.
    Use(K, u64),
    /// Fetch one: no other call does.
    Fetch,
    /// Wait for the call that fetches.
    Park,
    /// Wait for so long: the service asked for it.
    Wait(Duration),
    /// The service has just refused to give one.
    Refused(Error),
}

impl<K> Default for Slot<K> {
    fn default() -> Self {
        Self {
            held: None,
            generation: 0,
            fetcher: None,
            renew_after: Duration::ZERO,
            fetch_after: Duration::ZERO,
            failures: 0,
            refused: None,
            verdict: None,
        }
    }
}

impl<K: Clone + PartialEq> Slot<K> {
    pub(crate) fn plan(&mut self, call: CallId, now: Duration) -> Plan<K> {
        if self.fetcher == Some(call) && self.is_good(now) {
            self.fetcher = None;
        }
        // One past its end is kept: its refusal may still be under way.
        let good = self.held.as_ref().filter(|held| held.ends > now);
        match (good, self.fetcher) {
            (Some(held), fetcher) => {
                let due = held.ends.saturating_sub(now) <= WINDOW && now >= self.renew_after;
                if due && fetcher.is_none() {
                    self.fetcher = Some(call);
                    return Plan::Fetch;
                }
                Plan::Use(held.token.clone(), self.generation)
            }
            (None, Some(other)) if other != call => Plan::Park,
            (None, _) => match &self.verdict {
                Some((error, until)) if now < *until => Plan::Refused(error.clone()),
                _ if now < self.fetch_after => Plan::Wait(self.fetch_after - now),
                _ => {
                    self.fetcher = Some(call);
                    Plan::Fetch
                }
            },
        }
    }

    /// There is a token that has not reached its end.
    pub(crate) fn is_good(&self, now: Duration) -> bool {
        self.held.as_ref().is_some_and(|held| held.ends > now)
    }

    /// The service gave `token` for `life`, in answer to a request of `sent`.
    pub(crate) fn granted(&mut self, token: K, life: Duration, sent: Duration) {
        let again = self.refused.take().is_some_and(|refused| refused == token);
        let confirmed = if again { sent.saturating_add(MINUTE) } else { Duration::ZERO };
        self.held = Some(Held { token, ends: sent.saturating_add(life.max(MINUTE)), confirmed });
        self.generation += 1;
        self.renew_after = sent.saturating_add(MINUTE);
        self.fetcher = None;
        self.verdict = None;
    }

    /// Takes over a token from elsewhere that is good for `life`, unless the one at hand lasts longer.
    pub(crate) fn import(&mut self, token: K, now: Duration, life: Duration) {
        let ends = now.saturating_add(life);
        if self.held.as_ref().is_none_or(|held| held.ends < ends) {
            self.held = Some(Held { token, ends, confirmed: Duration::ZERO });
            self.generation += 1;
            self.verdict = None;
        }
    }

    /// The fetch of `call` came to nothing; `verdict` is what the service said, if it did.
    pub(crate) fn failed(&mut self, call: CallId, verdict: Option<Error>, now: Duration) {
        self.leave(call);
        self.renew_after = now.saturating_add(MINUTE);
        if verdict.is_some() && !self.is_good(now) {
            self.verdict = verdict.map(|error| (error, now.saturating_add(PAUSE)));
        }
    }

    pub(crate) fn count_failure(&mut self) {
        self.failures = self.failures.wrapping_add(1);
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// No call is to fetch for so long.
    pub(crate) fn pause(&mut self, pause: Duration, now: Duration) {
        self.fetch_after = now.saturating_add(pause);
    }

    /// What `call` was to fetch cannot be had now; what there is may still be good.
    pub(crate) fn give_up(&mut self, call: CallId, now: Duration) -> Option<(K, u64)> {
        self.failed(call, None, now);
        let held = self.held.as_ref().filter(|held| held.ends > now)?;
        Some((held.token.clone(), self.generation))
    }

    /// What the service said last no longer stands.
    pub(crate) fn forgive(&mut self) {
        self.verdict = None;
    }

    /// `call` fetches no longer.
    pub(crate) fn leave(&mut self, call: CallId) {
        if self.fetcher == Some(call) {
            self.fetcher = None;
        }
    }

    /// The service refused the token of `generation`; whether there is reason to try with another.
    pub(crate) fn refused(&mut self, generation: u64, now: Duration) -> bool {
        if generation != self.generation {
            return true;
        }
        match self.held.take() {
            Some(held) if now < held.confirmed => {
                self.held = Some(held);
                false
            }
            Some(held) => {
                self.refused = Some(held.token);
                true
            }
            None => true,
        }
    }

    /// `generation` is the one at hand, and was not refused before.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        self.held.is_some() && generation == self.generation
    }

    /// The generation at hand.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The token and its end.
    pub(crate) fn held(&self) -> Option<(&K, Duration)> {
        self.held.as_ref().map(|held| (&held.token, held.ends))
    }

    pub(crate) fn is_fetched(&self) -> bool {
        self.fetcher.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: CallId = CallId(1);
    const B: CallId = CallId(2);

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    fn used(plan: Plan<&'static str>) -> (&'static str, u64) {
        match plan {
            Plan::Use(token, generation) => (token, generation),
            other => panic!("{other:?}"),
        }
    }

    fn granted(token: &'static str) -> Slot<&'static str> {
        let mut slot = Slot::default();
        assert!(matches!(slot.plan(A, minutes(0)), Plan::Fetch));
        slot.granted(token, minutes(120), minutes(0));
        slot
    }

    #[test]
    fn one_call_fetches_and_the_others_wait() {
        let mut slot = Slot::default();
        assert!(matches!(slot.plan(A, minutes(0)), Plan::Fetch));
        assert!(matches!(slot.plan(B, minutes(0)), Plan::Park));
        assert!(matches!(slot.plan(A, minutes(0)), Plan::Fetch), "its own fetch, tried again");
        slot.leave(A);
        assert!(matches!(slot.plan(B, minutes(0)), Plan::Fetch));
        slot.granted("t1", minutes(120), minutes(0));
        assert_eq!(used(slot.plan(A, minutes(1))), ("t1", 1));
    }

    #[test]
    fn one_call_renews_and_the_others_go_on() {
        let mut slot = granted("t1");
        assert_eq!(used(slot.plan(A, minutes(90))), ("t1", 1), "the service would give it again");
        assert!(matches!(slot.plan(A, minutes(91)), Plan::Fetch));
        assert_eq!(used(slot.plan(B, minutes(91))), ("t1", 1));
        slot.failed(A, None, minutes(91));
        assert_eq!(used(slot.plan(A, minutes(91))), ("t1", 1), "not at once again");
        assert!(matches!(slot.plan(B, minutes(92)), Plan::Fetch));
        slot.granted("t2", minutes(120), minutes(92));
        assert_eq!(used(slot.plan(A, minutes(93))), ("t2", 2));
    }

    #[test]
    fn no_token_is_used_past_its_end() {
        let mut slot = granted("t1");
        assert!(matches!(slot.plan(A, minutes(119)), Plan::Fetch));
        assert_eq!(used(slot.plan(B, minutes(119))), ("t1", 1));
        assert!(matches!(slot.plan(B, minutes(120)), Plan::Park));
    }

    #[test]
    fn refusals_of_one_token_cause_one_fetch() {
        let mut slot = granted("t1");
        assert!(slot.refused(1, minutes(1)) && slot.refused(1, minutes(1)));
        assert!(matches!(slot.plan(A, minutes(1)), Plan::Fetch));
        slot.granted("t2", minutes(120), minutes(1));
        assert!(slot.refused(1, minutes(1)), "a late refusal of the old one");
        assert_eq!(used(slot.plan(B, minutes(1))), ("t2", 2));
    }

    #[test]
    fn a_token_that_comes_back_is_not_fetched_again() {
        let mut slot = granted("t1");
        assert!(slot.refused(1, minutes(1)));
        assert!(matches!(slot.plan(A, minutes(1)), Plan::Fetch));
        slot.granted("t1", minutes(119), minutes(1));
        assert!(!slot.refused(2, minutes(1)), "then it is not the token");
        assert_eq!(used(slot.plan(A, minutes(1))), ("t1", 2));
        assert!(slot.refused(2, minutes(2)), "later it may be: it was revoked");
        assert!(matches!(slot.plan(A, minutes(2)), Plan::Fetch));
    }

    #[test]
    fn an_absurd_life_costs_a_fetch_a_minute_at_most() {
        let mut slot = Slot::default();
        slot.granted("t1", Duration::ZERO, minutes(0));
        assert_eq!(used(slot.plan(A, Duration::from_secs(59))), ("t1", 1));
        assert!(matches!(slot.plan(A, minutes(1)), Plan::Fetch));
    }
}
