//! The state of one token: held, due for renewal, requested, paused.
//!
//! ```text
//!           a request is sent         granted        last 29    due: one
//!  (absent) -----------------> (asked) ------> good --minutes-> call renews
//!      ^                          |             ^  |                 |
//!      |  failed: after a pause   |             |  | granted, failed |
//!      +--------------------------+             +--|-----------------+
//!      |                                           | refused, or at its end
//!      +-------------------------------------------+
//! ```
//!
//! The service documents (see [`GetTenantToken`](crate::endpoints::GetTenantToken)) that it grants the same token again
//! until 30 minutes before the token expires, then a new one; both stay valid. A refusal names the generation of the
//! token, so that ten refusals of one token cause one request.

use std::time::Duration;

use super::token_request::Cause;
use super::{CallId, Caller, TokenRequestId, Woken, backoff};

/// A token is due for renewal this long before it expires. Earlier than 30 minutes before, the service would grant the
/// same token again; one minute is a margin for the time that the grant itself took.
const RENEWAL_WINDOW: Duration = Duration::from_secs(29 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// The longest wait that the session keeps between two token requests because the service named it.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// The pause after a token request that was refused for good.
const REFUSAL_PAUSE: Duration = Duration::from_secs(5);
/// The failed requests that end a series.
const MAX_TRIES: u32 = 4;
/// How many refused tokens are remembered, so that they are not imported.
const MAX_REMEMBERED: usize = 8;
/// How long calls wait for a ticket that the service agreed to push: it is reported to arrive after about two minutes.
const TICKET_WAIT: Duration = Duration::from_secs(150);
/// When the service is asked to push the ticket again, because a push can be lost.
const TICKET_RESEND_AFTER: Duration = Duration::from_secs(300);

/// The longest that renewals hold up one call, all of them together.
const MAX_HOLD_UP: Duration = Duration::from_secs(2);

impl Caller<'_> {
    /// Whether the call may still drive a renewal.
    pub(super) fn may_renew(&self, now: Duration) -> bool {
        self.renews_until.is_none_or(|until| now < until)
    }

    /// Until when renewals may hold up the call: for [`MAX_HOLD_UP`], or half of the time to its deadline if that is
    /// less, counted from the first time that this is asked.
    pub(super) fn renews_until(&mut self, now: Duration) -> Duration {
        let held_up = MAX_HOLD_UP.min(self.deadline.saturating_sub(now) / 2);
        *self.renews_until.get_or_insert(now.saturating_add(held_up))
    }
}

/// A token, and the request that gets the next one.
#[derive(Debug)]
pub(super) struct Slot<K> {
    held: Option<Held<K>>,
    /// The number of the token that was held last. No two tokens of a session have the same number, so that a late
    /// refusal of an old token does not drop a newer one.
    generation: u64,
    /// The tokens that the service refused last, and when they would have expired.
    refused: Vec<(K, Duration)>,
    /// The next grant replaces a refused token.
    replaces: bool,
    request: Option<Sent>,
    /// The connection of the last request broke.
    broke: bool,
    /// The failed requests of this series, while there is no token.
    failures: u32,
    pause: Option<Pause>,
    /// When the next renewal may be sent.
    renew_after: Duration,
    /// How many renewals have failed in a row.
    renewals: u32,
}

#[derive(Debug)]
struct Held<K> {
    token: K,
    ends: Duration,
    /// The token replaced a refused one: if it is refused before this time, it is kept.
    trusted_until: Duration,
}

/// A token request in flight.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: TokenRequestId,
    /// The call that sent the request or, once that has ended, the first call that waits for it. The driver is woken at
    /// the outcome; in a renewal it waits for it.
    pub(super) driver: Option<CallId>,
    pub(super) at: Duration,
    /// When the request counts as failed if nothing was reported of it.
    pub(super) lapses: Duration,
    pub(super) jitter: u64,
}

impl Sent {
    /// If `call`, which has ended, was the driver, makes `next` the driver.
    pub(super) fn hand_over(&mut self, call: CallId, next: Option<CallId>, woken: &mut Woken) {
        if self.driver == Some(call) {
            self.driver = next;
            woken.extend(next);
        }
    }
}

/// A time in which no token request is sent.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub(super) until: Duration,
    /// Until when a call waits if its `Limits::longest_wait` allows for it. Not used without a `cause`: every call then
    /// waits.
    pub(super) patient_until: Duration,
    /// The reason, with which the calls that do not wait end. `None` for a backoff.
    pub(super) cause: Option<Cause>,
}

/// The outcome of a token request that brought no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// The request failed in a way that may pass: anything that no other variant covers.
    Failed,
    /// The service asked to wait for this time, which is not zero.
    Told(Duration),
    /// The same request would fail again: the service's code says so, or the transport's failure is permanent.
    Refused,
    /// The request was for the ticket, and the service agreed to push it.
    TicketAsked,
}

/// What a refusal of a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token was dropped: the request is sent again with the next one.
    Replace,
    /// The token replaced a refused one within the last minute and is kept: the request is sent again after a backoff.
    Stays,
}

impl<K> Default for Slot<K> {
    fn default() -> Self {
        Self {
            held: None,
            generation: 0,
            refused: Vec::new(),
            replaces: false,
            request: None,
            broke: false,
            failures: 0,
            pause: None,
            renew_after: Duration::ZERO,
            renewals: 0,
        }
    }
}

impl<K: Clone + PartialEq> Slot<K> {
    /// The token, if it has not expired. An expired one is kept, because a request that it was sent with may still be
    /// refused.
    pub(super) fn good(&self, now: Duration) -> Option<(&K, u64)> {
        let held = self.held.as_ref().filter(|held| held.ends > now)?;
        Some((&held.token, self.generation))
    }

    /// Whether the token is due for renewal, and neither a failed renewal nor a pause puts that off.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let in_window = |held: &Held<K>| held.ends.saturating_sub(now) <= RENEWAL_WINDOW;
        self.held.as_ref().is_some_and(in_window)
            && now >= self.renew_after
            && self.pause(now).is_none()
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

    /// Records that a request is sent. Returns whether it needs a fresh connection, because that of the last one broke.
    pub(super) fn begin(&mut self, request: Sent) -> bool {
        self.request = Some(request);
        std::mem::take(&mut self.broke)
    }

    pub(super) fn broke(&mut self) {
        self.broke = true;
    }

    /// Takes the token that the service granted for `life`, counted from when the request was sent; less than a minute
    /// counts as a minute. Returns the driver of the request.
    pub(super) fn granted(&mut self, token: K, life: Duration) -> Option<CallId> {
        let Sent { id, driver, at, .. } = self.request.take()?;
        let in_a_minute = at.saturating_add(MINUTE);
        let replaces = std::mem::take(&mut self.replaces);
        let trusted_until = if replaces { in_a_minute } else { Duration::ZERO };
        self.refused.retain(|(refused, _)| *refused != token);
        self.hold(Held { token, ends: at.saturating_add(life.max(MINUTE)), trusted_until }, id);
        self.renew_after = in_a_minute;
        driver
    }

    fn hold(&mut self, held: Held<K>, TokenRequestId(generation): TokenRequestId) {
        (self.held, self.generation) = (Some(held), generation);
        (self.failures, self.renewals, self.pause) = (0, 0, None);
    }

    /// Records that the request in flight brought no token, for the reason `cause`. Returns whether this ends the
    /// series, so that all calls that wait for the token end with that reason.
    pub(super) fn failed(&mut self, setback: Setback, cause: Cause, now: Duration) -> bool {
        let jitter = self.request.take().map_or(0, |request| request.jitter);
        let pause = |wait: Duration, patience: Duration, cause: Option<Cause>| {
            let (until, patient_until) = (now.saturating_add(wait), now.saturating_add(patience));
            Some(Pause { until, patient_until, cause })
        };
        if self.good(now).is_some() {
            self.renewal_failed(now);
            self.pause = match setback {
                Setback::Told(wait) => pause(wait.min(MAX_PAUSE), wait.min(MAX_PAUSE), Some(cause)),
                Setback::TicketAsked => pause(TICKET_RESEND_AFTER, TICKET_WAIT, Some(cause)),
                Setback::Failed | Setback::Refused => None,
            };
            return false;
        }
        let is_over;
        (is_over, self.pause) = match setback {
            Setback::Failed => {
                self.failures += 1;
                let wait = backoff(self.failures, jitter);
                let is_over = self.failures >= MAX_TRIES;
                (is_over, if is_over { None } else { pause(wait, wait, None) })
            }
            Setback::Told(wait) if wait <= MAX_PAUSE => (false, pause(wait, wait, Some(cause))),
            Setback::Told(_) => (true, pause(MAX_PAUSE, Duration::ZERO, Some(cause))),
            Setback::Refused => (true, pause(REFUSAL_PAUSE, Duration::ZERO, Some(cause))),
            Setback::TicketAsked => (false, pause(TICKET_RESEND_AFTER, TICKET_WAIT, Some(cause))),
        };
        if is_over {
            self.failures = 0;
        }
        is_over
    }

    /// Puts off the next renewal by 1, 2, 4, and then 8 minutes each time.
    pub(super) fn renewal_failed(&mut self, now: Duration) {
        self.renew_after = now.saturating_add(MINUTE * (1 << self.renewals.min(3)));
        self.renewals = self.renewals.saturating_add(1);
    }

    /// Records that the request in flight was given up. A renewal counts as failed; the request for a first token is
    /// sent anew by the next call. Returns the driver of the request.
    pub(super) fn dropped(&mut self, now: Duration) -> Option<CallId> {
        let driver = self.request.take().and_then(|request| request.driver);
        if self.good(now).is_some() {
            self.renewal_failed(now);
        }
        driver
    }

    /// Ends the request in flight and the pause, so that the next request may be sent at once.
    pub(super) fn resume(&mut self) {
        (self.request, self.pause) = (None, None);
    }

    /// Ends the pause and begins a new series.
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
                self.refused.retain(|(_, ends)| *ends > now);
                if self.refused.len() >= MAX_REMEMBERED {
                    self.refused.remove(0);
                }
                self.refused.push((held.token, held.ends));
                self.replaces = true;
                Refusal::Replace
            }
            None => Refusal::Replace,
        }
    }

    /// Takes an imported token that expires at `ends`, unless the held one lasts longer. Returns false if the service
    /// has refused it.
    pub(super) fn import(&mut self, token: K, ends: Duration, id: TokenRequestId) -> bool {
        if self.refused.iter().any(|(refused, _)| *refused == token) {
            return false;
        }
        if self.held.as_ref().is_none_or(|held| held.ends < ends) {
            self.hold(Held { token, ends, trusted_until: Duration::ZERO }, id);
            self.replaces = false;
        }
        true
    }

    /// Whether the token of `generation` is held, and was not refused.
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

    /// Whether there is nothing to keep: no valid or refused token, no request and no pause, and no renewal is put off,
    /// which would be put off for an imported token too.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        let refused = self.refused.iter().any(|(_, ends)| *ends > now);
        let asked = self.request.is_some() || self.pause(now).is_some();
        !asked && !refused && self.good(now).is_none() && now >= self.renew_after
    }
}

#[cfg(test)]
mod tests {
    use super::super::token_request::Reason;
    use super::*;

    const HOURS: Duration = Duration::from_secs(7200);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn cause() -> Cause {
        Cause { route: "/token", why: Reason::NoTicket }
    }

    /// A slot, and the number of the next request.
    struct Life(Slot<&'static str>, u64);

    impl Life {
        fn new() -> Self {
            Self(Slot::default(), 1)
        }

        fn ask(&mut self, at: u64) {
            let (id, driver) = (TokenRequestId(self.1), Some(CallId(1)));
            self.1 += 1;
            self.0.begin(Sent { id, driver, at: secs(at), lapses: secs(at + 61), jitter: 0 });
        }

        fn get(&mut self, at: u64, token: &'static str, life: Duration) -> u64 {
            self.ask(at);
            assert_eq!(self.0.granted(token, life), Some(CallId(1)));
            self.0.generation()
        }

        fn fail(&mut self, at: u64, setback: Setback) -> bool {
            self.ask(at);
            self.0.failed(setback, cause(), secs(at))
        }

        /// Until when no request is sent, and until when a patient call waits for that.
        fn pause(&self, at: u64) -> Option<(Duration, Duration)> {
            self.0.pause(secs(at)).map(|pause| (pause.until, pause.patient_until))
        }
    }

    #[test]
    fn a_token_is_good_until_its_end_and_due_for_its_last_29_minutes() {
        let mut life = Life::new();
        life.get(0, "t-1", HOURS);
        let times = [0, 5459, 5460, 7199, 7200];
        let good = times.map(|at| life.0.good(secs(at)).is_some());
        assert_eq!(good, [true, true, true, true, false]);
        assert_eq!(times.map(|at| life.0.is_due(secs(at))), [false, false, true, true, true]);
    }

    #[test]
    fn a_life_is_a_minute_at_least_and_no_renewal_comes_in_its_first_minute() {
        let mut life = Life::new();
        life.get(0, "t-1", Duration::ZERO);
        assert!(life.0.good(secs(59)).is_some() && life.0.good(secs(60)).is_none());
        assert!(!life.0.is_due(secs(59)));
    }

    #[test]
    fn the_fourth_failure_ends_a_series_and_the_next_one_begins_at_once() {
        let mut life = Life::new();
        for _ in 0..2 {
            for failures in 1..MAX_TRIES {
                assert!(!life.fail(10, Setback::Failed));
                let until = secs(10) + backoff(failures, 0);
                assert_eq!(life.pause(10), Some((until, until)));
            }
            assert!(life.fail(10, Setback::Failed));
            assert_eq!(life.pause(10), None);
        }
    }

    #[test]
    fn each_setback_pauses_the_requests_for_its_own_time() {
        for (setback, is_over, pause) in [
            (Setback::Told(secs(7)), false, (7, 7)),
            (Setback::Told(secs(120)), false, (120, 120)),
            (Setback::Told(secs(121)), true, (120, 0)),
            (Setback::Refused, true, (5, 0)),
            (Setback::TicketAsked, false, (300, 150)),
        ] {
            let mut life = Life::new();
            assert_eq!(life.fail(0, setback), is_over, "{setback:?}");
            assert_eq!(life.pause(0), Some((secs(pause.0), secs(pause.1))), "{setback:?}");
            assert_eq!(life.pause(pause.0), None);
        }
    }

    #[test]
    fn a_failed_renewal_is_retried_after_1_2_4_and_then_each_8_minutes() {
        for setback in [Setback::Failed, Setback::Refused, Setback::Told(secs(1))] {
            let mut life = Life::new();
            life.get(0, "t-1", HOURS);
            let mut at = 5460;
            for minutes in [1, 2, 4, 8, 8] {
                assert!(!life.fail(at, setback));
                at += 60 * minutes;
                assert!(!life.0.is_due(secs(at - 1)) && life.0.is_due(secs(at)));
            }
        }
    }

    #[test]
    fn a_dropped_renewal_counts_as_tried_and_a_dropped_first_request_does_not() {
        let mut life = Life::new();
        life.ask(0);
        life.0.dropped(secs(0));
        assert!(life.0.request().is_none() && life.pause(0).is_none());
        life.get(0, "t-1", HOURS);
        life.ask(6000);
        life.0.dropped(secs(6000));
        assert!(!life.0.is_due(secs(6059)) && life.0.is_due(secs(6060)));
    }

    #[test]
    fn a_refusal_drops_the_token_of_its_generation_and_no_other() {
        let mut life = Life::new();
        let old = life.get(0, "t-1", HOURS);
        let new = life.get(5460, "t-2", HOURS);
        assert_eq!(life.0.refuse(old, secs(5460)), Refusal::Replace);
        assert!(life.0.is_current(new));
        assert_eq!(life.0.refuse(new, secs(5460)), Refusal::Replace);
        assert!(!life.0.is_current(new) && life.0.good(secs(5460)).is_none());
    }

    #[test]
    fn a_token_that_came_in_place_of_a_refused_one_stays_for_a_minute() {
        let mut life = Life::new();
        let refused = life.get(0, "t-1", HOURS);
        life.0.refuse(refused, secs(1));
        let again = life.get(1, "t-1", HOURS);
        assert_eq!(life.0.refuse(again, secs(60)), Refusal::Stays);
        assert_eq!(life.0.refuse(again, secs(61)), Refusal::Replace);
    }

    #[test]
    fn an_import_is_taken_if_it_lasts_longer_and_was_not_refused() {
        let mut life = Life::new();
        let refused = life.get(0, "t-1", HOURS);
        life.0.refuse(refused, secs(0));
        assert!(!life.0.import("t-1", secs(9000), TokenRequestId(8)));
        assert!(life.0.import("t-2", secs(9000), TokenRequestId(9)));
        assert!(life.0.import("t-3", secs(9000), TokenRequestId(10)));
        assert_eq!(life.0.held(), Some((&"t-2", secs(9000))));
        assert_eq!(life.0.generation(), 9);
    }

    #[test]
    fn a_renewal_that_is_put_off_stays_so_after_the_end_of_the_token() {
        let mut life = Life::new();
        assert!(life.0.import("t-1", secs(30), TokenRequestId(9)));
        life.fail(17, Setback::Failed);
        assert!(!life.0.is_idle(secs(76)), "the session would forget it");
        assert!(life.0.import("t-2", secs(90), TokenRequestId(10)));
        assert!(!life.0.is_due(secs(76)) && life.0.is_due(secs(77)));
        assert!(life.0.is_idle(secs(90)));
    }

    #[test]
    fn the_refused_tokens_are_remembered_until_their_ends() {
        let mut life = Life::new();
        for number in 0..20 {
            let token = ["a", "b", "c"][number % 3];
            let generation = life.get(0, token, HOURS);
            life.0.refuse(generation, secs(100));
        }
        assert!(life.0.refused.len() <= MAX_REMEMBERED);
        assert!(!life.0.is_idle(secs(7199)) && life.0.is_idle(secs(7200)));
    }
}
