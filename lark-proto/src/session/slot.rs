//! One token's life.
//!
//! ```text
//!            a request is sent            granted             last 29 minutes
//!  (absent) ------------------> (asked) ----------> good ----------------------> due, one call renews
//!      ^                          |                  ^  |                          |
//!      |   failed: after a pause  |                  |  |  refused, or at its end  |
//!      +--------------------------+                  +--|--- granted, or failed ---+
//!      +------------------------------------------------+
//! ```
//!
//! The service hands out the same token until 30 minutes before its end, then a new one beside it; both are valid. A
//! refused token is dropped by its generation, so that ten refusals of it cause one request.

use std::time::Duration;

use super::tokens::Cause;
use super::{CallId, FetchId, backoff};

/// Renewal begins so long before the end: within the service's 30 minutes by a margin for the time that the grant
/// itself took, or the service would hand out the old token again.
const WINDOW: Duration = Duration::from_secs(29 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// The longest that the session leaves a token's route alone because the service said so.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// After the service refused a request for good, it is not asked again for so long.
const REFUSED: Duration = Duration::from_secs(5);
/// The requests of one series of tries.
const TRIES: u32 = 4;
/// A ticket that the service agreed to push arrives after about two minutes; a push can be lost.
const TICKET_ARRIVES: Duration = Duration::from_secs(150);
const TICKET_IS_LOST: Duration = Duration::from_secs(300);

/// A token, and the request that gets the next one.
#[derive(Debug)]
pub(super) struct Slot<K> {
    held: Option<Held<K>>,
    /// The number of the token that is held, or was last.
    generation: u64,
    /// The token that the service refused last, and when its life would have ended.
    refused: Option<(K, Duration)>,
    /// The next grant replaces a refused token.
    replaces: bool,
    request: Option<Sent>,
    /// The failed requests of this series, while there is no token.
    failures: u32,
    pause: Option<Pause>,
    /// No renewal before this time, and the requests that have failed in a row.
    renew_after: Duration,
    renewals: u32,
}

#[derive(Debug)]
struct Held<K> {
    token: K,
    ends: Duration,
    /// It replaced a refused token, so a refusal before this time is the service's fault.
    trusted_until: Duration,
}

/// A token request in flight.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: FetchId,
    /// The call that sends it or, if that has gone, one that waits for it; `None` if no call does.
    pub(super) driver: Option<CallId>,
    pub(super) at: Duration,
    /// Without an answer until then, it is taken for lost.
    pub(super) lapses: Duration,
    pub(super) jitter: u64,
}

/// Why no request is sent for a while.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub(super) until: Duration,
    /// A call waits as long as this if its limits allow for it; without a word of the service's it always waits.
    pub(super) patient_until: Duration,
    pub(super) word: Option<Cause>,
}

/// What became of a token request that brought no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// It broke, took too long, or was answered with 408, 5xx or nonsense.
    Failed,
    /// The service said to wait.
    Told(Duration),
    /// The service refused for good.
    Refused,
    /// The service agreed to push a ticket.
    TicketAsked,
}

/// What a refusal of a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token was dropped: go on with the next one.
    Replace,
    /// It came fresh from the service in place of a refused one: the service is wrong, and is asked again later.
    Stays,
}

impl<K> Default for Slot<K> {
    fn default() -> Self {
        Self {
            held: None,
            generation: 0,
            refused: None,
            replaces: false,
            request: None,
            failures: 0,
            pause: None,
            renew_after: Duration::ZERO,
            renewals: 0,
        }
    }
}

impl<K: Clone + PartialEq> Slot<K> {
    /// The token, if it has not reached its end. One past its end is kept: its refusal may still be on its way.
    pub(super) fn good(&self, now: Duration) -> Option<(&K, u64)> {
        let held = self.held.as_ref().filter(|held| held.ends > now)?;
        Some((&held.token, self.generation))
    }

    /// It is time to ask for the next token, and nothing speaks against it.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let in_window = |held: &Held<K>| held.ends.saturating_sub(now) <= WINDOW;
        self.held.as_ref().is_some_and(in_window)
            && now >= self.renew_after
            && self.pause(now).is_none()
    }

    /// No request for the sake of a renewal before this time.
    pub(super) fn renew_after(&self) -> Duration {
        self.renew_after
    }

    pub(super) fn request(&self) -> Option<&Sent> {
        self.request.as_ref()
    }

    pub(super) fn request_mut(&mut self) -> Option<&mut Sent> {
        self.request.as_mut()
    }

    pub(super) fn pause(&self, now: Duration) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| now < pause.until)
    }

    pub(super) fn begin(&mut self, request: Sent) {
        self.request = Some(request);
    }

    /// The service gave `token` for `life`, counted from when its request was sent. No other token of the session has had
    /// this `generation`.
    pub(super) fn granted(&mut self, token: K, generation: u64, life: Duration, sent: Duration) {
        let in_a_minute = sent.saturating_add(MINUTE);
        let replaces = std::mem::take(&mut self.replaces);
        let trusted_until = if replaces { in_a_minute } else { Duration::ZERO };
        self.hold(token, generation, sent.saturating_add(life.max(MINUTE)), trusted_until);
        self.request = None;
        self.renew_after = in_a_minute;
    }

    fn hold(&mut self, token: K, generation: u64, ends: Duration, trusted_until: Duration) {
        if self.was_refused(&token) {
            self.refused = None;
        }
        self.held = Some(Held { token, ends, trusted_until });
        self.generation = generation;
        (self.failures, self.renewals, self.pause) = (0, 0, None);
    }

    /// The request in flight brought no token, and for whom it was `word` says why. True if the series of tries is
    /// over, so that all that waited end with that word.
    pub(super) fn failed(&mut self, setback: Setback, word: Cause, now: Duration) -> bool {
        let jitter = self.request.take().map_or(0, |request| request.jitter);
        let pause = |wait: Duration, patience: Duration, word: Option<Cause>| {
            let (until, patient_until) = (now.saturating_add(wait), now.saturating_add(patience));
            Some(Pause { until, patient_until, word })
        };
        self.renewal_failed(now);
        if self.good(now).is_some() {
            self.pause = match setback {
                Setback::Told(wait) => {
                    pause(wait.min(LONGEST_PAUSE), wait.min(LONGEST_PAUSE), Some(word))
                }
                Setback::TicketAsked => pause(TICKET_IS_LOST, TICKET_ARRIVES, Some(word)),
                Setback::Failed | Setback::Refused => None,
            };
            return false;
        }
        let is_over;
        (is_over, self.pause) = match setback {
            Setback::Failed => {
                self.failures += 1;
                let wait = backoff(self.failures, jitter);
                let is_over = self.failures >= TRIES;
                (is_over, if is_over { None } else { pause(wait, wait, None) })
            }
            Setback::Told(wait) if wait <= LONGEST_PAUSE => (false, pause(wait, wait, Some(word))),
            Setback::Told(_) => (true, pause(LONGEST_PAUSE, Duration::ZERO, Some(word))),
            Setback::Refused => (true, pause(REFUSED, Duration::ZERO, Some(word))),
            Setback::TicketAsked => (false, pause(TICKET_IS_LOST, TICKET_ARRIVES, Some(word))),
        };
        if is_over {
            self.failures = 0;
        }
        is_over
    }

    /// Counts a request that brought no token as a renewal, also where there was no token: a token may be imported, and
    /// the app's token is asked for to renew a tenant's.
    fn renewal_failed(&mut self, now: Duration) {
        // After 1, 2, 4, 8 minutes.
        self.renew_after = now.saturating_add(MINUTE * (1 << self.renewals.min(3)));
        self.renewals = self.renewals.saturating_add(1);
    }

    /// The request in flight was given up. A renewal counts as tried; a first token's request is sent anew by whoever
    /// comes next.
    pub(super) fn dropped(&mut self, now: Duration) {
        self.request = None;
        self.renewal_failed(now);
    }

    /// What stood in the way of a request is gone: the next one may go at once.
    pub(super) fn resume(&mut self) {
        (self.request, self.pause) = (None, None);
    }

    /// The ticket that calls wait for is there, or a word of the service's no longer stands.
    pub(super) fn forgive(&mut self) {
        (self.failures, self.pause) = (0, None);
    }

    /// The service refused the token of `generation`.
    pub(super) fn refuse(&mut self, generation: u64, now: Duration) -> Refusal {
        if generation != self.generation {
            return Refusal::Replace;
        }
        match self.held.take() {
            Some(held) if now < held.trusted_until => {
                self.held = Some(held);
                Refusal::Stays
            }
            Some(held) => {
                self.refused = Some((held.token, held.ends));
                self.replaces = true;
                Refusal::Replace
            }
            None => Refusal::Replace,
        }
    }

    /// Takes over a token from elsewhere that is good for `life`, unless the one at hand lasts longer. False if the
    /// service has refused it.
    pub(super) fn import(
        &mut self,
        token: K,
        generation: u64,
        now: Duration,
        life: Duration,
    ) -> bool {
        if self.was_refused(&token) {
            return false;
        }
        let ends = now.saturating_add(life);
        if self.held.as_ref().is_none_or(|held| held.ends < ends) {
            self.hold(token, generation, ends, Duration::ZERO);
        }
        true
    }

    fn was_refused(&self, token: &K) -> bool {
        self.refused.as_ref().is_some_and(|(refused, _)| refused == token)
    }

    /// The token of `generation` is at hand, and was not refused.
    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.held.is_some() && generation == self.generation
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The token and its end.
    pub(super) fn held(&self) -> Option<(&K, Duration)> {
        self.held.as_ref().map(|held| (&held.token, held.ends))
    }

    /// There is nothing to remember.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        let refused = self.refused.as_ref().is_some_and(|(_, ends)| *ends > now);
        let asked = self.request.is_some() || self.pause(now).is_some();
        !asked && !refused && self.good(now).is_none()
    }
}
