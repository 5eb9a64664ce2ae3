//! The state of one token: valid, due for renewal, requested, paused.
//!
//! ```text
//!           a request is sent             granted         last 29
//!  (absent) -----------------> requested ---------> valid ---------> due
//!    ^  ^                          |                |  ^   minutes    |
//!    |  |  failed: after a pause   |                |  |              |
//!    |  +--------------------------+                |  +--------------+
//!    |                                              |   one call renews:
//!    +----------------------------------------------+   granted, failed
//!                  refused or expired
//! ```
//!
//! The vendor documents (see [`GetTenantToken`](crate::endpoints::GetTenantToken)) that the service grants the same
//! token again until 30 minutes before the token expires, and then a new one; both are valid. A refusal is reported
//! with the generation of the token, so that ten refusals of one token lead to one request.

use std::time::Duration;

use super::failure_kind::FailureKind;
use crate::session::backoff::backoff;
use crate::session::hold::TokenFailure;
use crate::session::moment::Moment;
use crate::session::step::TokenRequestId;

/// A token is due for renewal when it expires in this time or less. More than 30 minutes before, the service would
/// grant the same token again. The window is a minute shorter, as a margin for the time that the grant itself took.
const RENEWAL_WINDOW: Duration = Duration::from_secs(29 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a token that replaced a refused one is trusted if it is another token. If the service refuses each token,
/// the session requests one in this time.
const TRUST: Duration = Duration::from_secs(5);
/// The least pause because of a wait that the service asked for. Such a wait is no failure of the series, so that
/// without this limit a service that asks for a millisecond would get requests until the deadlines of the calls.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause because of a wait that the service asked for.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// The pause after the permanent failure of a token request.
const PERMANENT_FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// The number of failed requests that ends a series.
const MAX_ATTEMPTS: u32 = 4;
/// The number of refused tokens that a slot remembers, so that they are not imported again.
const MAX_REMEMBERED: usize = 8;
/// The time for which calls wait for a ticket that the service agreed to push. The ticket is reported to arrive after
/// about two minutes.
const TICKET_WAIT: Duration = Duration::from_secs(150);
/// The time after which the service is asked to push the ticket again, because a push can be lost.
const TICKET_RESEND_AFTER: Duration = Duration::from_secs(300);

/// A token, and the request that gets the next one.
#[derive(Debug)]
pub(super) struct Slot<T> {
    held: Option<HeldToken<T>>,
    /// The number of the token that was held last. No two tokens of a session have the same number, so that a late
    /// refusal of an old token does not drop a newer one.
    generation: u64,
    /// The tokens that the service refused last, and the times when they expire.
    refused: Vec<(T, Moment)>,
    /// Whether the next granted token replaces a refused one.
    replaces: bool,
    /// The request in flight.
    request: Option<TokenRequestId>,
    /// Whether the connection of the last request broke.
    connection_broke: bool,
    /// The number of failed requests in this series. It counts only while there is no valid token.
    failures: u32,
    pause: Option<Pause>,
    /// The earliest time of the next renewal.
    renew_after: Moment,
    /// The number of renewals that have failed since the last token was granted or imported.
    failed_renewals: u32,
}

#[derive(Debug)]
struct HeldToken<T> {
    token: T,
    expires: Moment,
    /// A token that replaced a refused one is kept if it is refused before this time.
    trusted_until: Moment,
}

/// A period in which no token request is sent.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub(super) until: Moment,
    /// The time until which a call waits if its limits allow that; a call whose limits do not allow it ends at once. If
    /// the failure ends every call whatever its limits, this is the time of the failure. In a backoff, every call waits
    /// until `until`, whatever its limits.
    pub(super) wait_until: Moment,
    /// The failure with which a call ends if it does not wait. `None` for a backoff, in which every call waits.
    pub(super) failure: Option<TokenFailure>,
}

/// The effect of the service's refusal of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum RefusedToken {
    /// The token was dropped. The call's request is sent again with the next token.
    Dropped,
    /// The token was kept, because it has just replaced a refused one. The call's request is sent again after a
    /// backoff.
    Kept,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            held: None,
            generation: 0,
            refused: Vec::new(),
            replaces: false,
            request: None,
            connection_broke: false,
            failures: 0,
            pause: None,
            renew_after: Moment::START,
            failed_renewals: 0,
        }
    }
}

impl<T: Clone + PartialEq> Slot<T> {
    /// The token and its generation, if it has not expired. An expired token stays in the slot, because the service may
    /// still refuse a request that was sent with it.
    pub(super) fn valid(&self, now: Moment) -> Option<(&T, u64)> {
        let held = self.held.as_ref().filter(|held| held.expires > now)?;
        Some((&held.token, self.generation))
    }

    /// Whether the token is due for renewal, and neither a failed renewal nor a pause puts that off.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        let in_window = |held: &HeldToken<T>| held.expires.since(now) <= RENEWAL_WINDOW;
        self.held.as_ref().is_some_and(in_window)
            && now >= self.renew_after
            && self.pause(now).is_none()
    }

    pub(super) fn request(&self) -> Option<TokenRequestId> {
        self.request
    }

    pub(super) fn pause(&self, now: Moment) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| now < pause.until)
    }

    /// Notes that a request is sent. Returns whether it needs a fresh connection, because that of the last one broke.
    pub(super) fn begin(&mut self, request: TokenRequestId) -> bool {
        self.request = Some(request);
        std::mem::take(&mut self.connection_broke)
    }

    pub(super) fn connection_broke(&mut self) {
        self.connection_broke = true;
    }

    /// Takes the token that the service granted for `life`, counted from `sent_at`, when the request was sent. Less
    /// than a minute counts as a minute.
    pub(super) fn granted(&mut self, token: T, life: Duration, sent_at: Moment) {
        let Some(id) = self.request.take() else { return };
        let in_a_minute = sent_at.saturating_add(MINUTE);
        let expires = sent_at.saturating_add(life.max(MINUTE));
        let is_refused = self.refused.iter().any(|(refused, _)| *refused == token);
        let trusted_until = match (std::mem::take(&mut self.replaces), is_refused) {
            (false, _) => Moment::START,
            (true, false) => sent_at.saturating_add(TRUST),
            (true, true) => in_a_minute,
        };
        self.refused.retain(|(refused, _)| *refused != token);
        self.hold(HeldToken { token, expires, trusted_until }, id);
        self.renew_after = in_a_minute;
    }

    fn hold(&mut self, held: HeldToken<T>, TokenRequestId(generation): TokenRequestId) {
        self.held = Some(held);
        self.generation = generation;
        self.failures = 0;
        self.failed_renewals = 0;
        self.pause = None;
    }

    /// Notes that the request in flight, which was sent with `jitter`, returned no token. Returns whether this ends the
    /// series, so that all calls that wait for the token end with `failure`.
    pub(super) fn failed(
        &mut self,
        kind: FailureKind,
        failure: TokenFailure,
        jitter: u64,
        now: Moment,
    ) -> bool {
        self.request = None;
        let pause = |wait: Duration, call_wait: Duration, failure: Option<TokenFailure>| {
            let until = now.saturating_add(wait);
            let wait_until = now.saturating_add(call_wait);
            Some(Pause { until, wait_until, failure })
        };
        if self.valid(now).is_some() {
            self.renewal_failed(now);
            self.pause = match kind {
                FailureKind::RetryAfter(wait) => {
                    let wait = wait.clamp(MIN_PAUSE, MAX_PAUSE);
                    pause(wait, wait, Some(failure))
                }
                FailureKind::TicketRequested => {
                    pause(TICKET_RESEND_AFTER, TICKET_WAIT, Some(failure))
                }
                FailureKind::Transient | FailureKind::Permanent => None,
            };
            return false;
        }
        let (is_over, pause) = match kind {
            FailureKind::Transient if self.failures + 1 >= MAX_ATTEMPTS => (true, None),
            FailureKind::Transient => {
                self.failures += 1;
                let wait = backoff(self.failures, jitter);
                (false, pause(wait, wait, None))
            }
            FailureKind::RetryAfter(wait) if wait <= MAX_PAUSE => {
                let wait = wait.max(MIN_PAUSE);
                (false, pause(wait, wait, Some(failure)))
            }
            FailureKind::RetryAfter(_) => (true, pause(MAX_PAUSE, Duration::ZERO, Some(failure))),
            FailureKind::Permanent => {
                (true, pause(PERMANENT_FAILURE_PAUSE, Duration::ZERO, Some(failure)))
            }
            FailureKind::TicketRequested => {
                (false, pause(TICKET_RESEND_AFTER, TICKET_WAIT, Some(failure)))
            }
        };
        self.pause = pause;
        if is_over {
            self.failures = 0;
        }
        is_over
    }

    /// Puts off the next renewal: by 1, 2, 4, and then 8 minutes after each failure.
    pub(super) fn renewal_failed(&mut self, now: Moment) {
        self.renew_after = now.saturating_add(MINUTE * (1 << self.failed_renewals.min(3)));
        self.failed_renewals = self.failed_renewals.saturating_add(1);
    }

    /// Notes that the request in flight was given up. A renewal counts as failed; the request for a first token is sent
    /// again by the next call.
    pub(super) fn dropped(&mut self, now: Moment) {
        self.request = None;
        if self.valid(now).is_some() {
            self.renewal_failed(now);
        }
    }

    /// Ends the request in flight and the pause, so that the next request may be sent at once.
    pub(super) fn end_request(&mut self) {
        self.request = None;
        self.pause = None;
    }

    /// Ends the pause and begins a new series.
    pub(super) fn begin_series(&mut self) {
        self.failures = 0;
        self.pause = None;
    }

    /// Notes that the service refused the token of `generation`.
    pub(super) fn refuse(&mut self, generation: u64, now: Moment) -> RefusedToken {
        if generation != self.generation {
            return RefusedToken::Dropped;
        }
        match self.held.take() {
            Some(held) if now < held.trusted_until => {
                self.held = Some(held);
                RefusedToken::Kept
            }
            Some(held) => {
                self.refused.retain(|(_, expires)| *expires > now);
                if self.refused.len() >= MAX_REMEMBERED {
                    self.refused.remove(0);
                }
                self.refused.push((held.token, held.expires));
                self.replaces = true;
                RefusedToken::Dropped
            }
            None => RefusedToken::Dropped,
        }
    }

    /// Takes an imported token, unless the held one expires later. Returns false if the service has refused it.
    pub(super) fn import(&mut self, token: T, expires: Moment, id: TokenRequestId) -> bool {
        if self.refused.iter().any(|(refused, _)| *refused == token) {
            return false;
        }
        if self.held.as_ref().is_none_or(|held| held.expires < expires) {
            self.hold(HeldToken { token, expires, trusted_until: Moment::START }, id);
            self.replaces = false;
        }
        true
    }

    /// Whether the slot holds the token of `generation`, and the service has not refused it.
    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.held.is_some() && generation == self.generation
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The token and the time when it expires.
    pub(super) fn held(&self) -> Option<(&T, Moment)> {
        self.held.as_ref().map(|held| (&held.token, held.expires))
    }

    /// Whether there is nothing to keep: no valid token, no unexpired refused token, no request and no pause, and
    /// `renew_after` has passed. Until then `renew_after` is kept, because it also applies to a token that is imported
    /// later.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let has_refused = self.refused.iter().any(|(_, expires)| *expires > now);
        self.valid(now).is_none()
            && !has_refused
            && self.request.is_none()
            && self.pause(now).is_none()
            && now >= self.renew_after
    }
}

#[cfg(test)]
mod tests;
