//! The model's account of one token.

use std::time::Duration;

use lark_proto::session::TokenRequestId;

use super::{Kind, LONGEST_PAUSE, MINUTE};

/// The account of one token.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) held: Option<Held>,
    pub(super) generation: u64,
    /// The tokens that the service refused.
    pub(super) refused: Vec<Refused>,
    /// Whether the next grant replaces a refused token. The session keeps the granted token for 5 s even if the service
    /// refuses it, or for a minute if it is a refused one.
    pub(super) replaces: bool,
    pub(super) in_flight: Option<Fetch>,
    /// The call whose connection broke during a token request, if no token request was sent since.
    pub(super) broke: Option<usize>,
    /// The time before which no request may be sent, and the reason.
    pub(super) not_before: (Duration, &'static str),
    /// The time before which no renewal may be sent.
    pub(super) renew_after: Duration,
    /// The number of renewals that failed in a row.
    pub(super) renewals: u32,
    /// The number of failed requests since the session had a token.
    pub(super) failures: u32,
    /// Whether the session may have seen an event in another order than the model. The next grant ends this.
    pub(super) is_unsure: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: String,
    pub(super) expires: Duration,
    /// A refusal before this time does not count.
    pub(super) trusted_until: Duration,
    /// Whether the session may have forgotten the refused token that this one replaces, so that a refusal counts.
    pub(super) is_trust_unsure: bool,
}

#[derive(Debug)]
pub(super) struct Refused {
    pub(super) token: String,
    pub(super) expires: Duration,
    pub(super) is_sure: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) id: TokenRequestId,
    pub(super) kind: Kind,
    pub(super) sent: Duration,
    /// The call that sent the request; `tenant` is its tenant.
    pub(super) call: usize,
    pub(super) tenant: usize,
    /// The ticket in a request for the app's token; `generation` is that of the app's token in a request for a tenant's
    /// token.
    pub(super) ticket: String,
    pub(super) generation: u64,
}

impl Slot {
    pub(super) fn valid(&self, now: Duration) -> Option<&Held> {
        self.held.as_ref().filter(|held| now < held.expires)
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.held = Some(held);
        self.generation += 1;
        (self.failures, self.renewals) = (0, 0);
        self.not_before = (Duration::ZERO, "");
    }

    pub(super) fn granted(&mut self, token: String, life: Duration, sent: Duration, now: Duration) {
        let in_a_minute = sent + MINUTE;
        let is_old = self.refused.last().is_some_and(|refused| refused.expires <= now);
        let again = self.refused.iter().rposition(|refused| refused.token == token);
        // The session remembers the last eight refused tokens until they expire.
        let is_forgotten = |at: usize| {
            let refused = &self.refused[at];
            !refused.is_sure || refused.expires <= now || self.refused.len() - at > 8
        };
        let is_again_unsure = again.is_some_and(is_forgotten);
        let is_trust_unsure = self.is_unsure || self.replaces && (is_old || is_again_unsure);
        let replaces = std::mem::take(&mut self.replaces) || self.is_unsure;
        let trusted_until = match (replaces, again) {
            (false, _) => Duration::ZERO,
            (true, None) => sent + Duration::from_secs(5),
            (true, Some(_)) => in_a_minute,
        };
        self.refused.retain(|refused| refused.token != token);
        self.hold(Held { token, expires: sent + life.max(MINUTE), trusted_until, is_trust_unsure });
        self.renew_after = in_a_minute;
        self.is_unsure = false;
    }

    /// Accounts for a refusal of `token`, which has this generation. Returns whether the session no longer holds the
    /// token: it keeps a trusted one.
    pub(super) fn refuse(&mut self, generation: u64, token: &str, now: Duration) -> bool {
        let Some(held) = self.held.take_if(|_| generation == self.generation) else { return true };
        let is_trusted = now < held.trusted_until;
        self.is_unsure |= is_trusted && held.is_trust_unsure;
        if !is_trusted || self.is_unsure {
            let token = token.to_owned();
            let expires = held.expires;
            let is_sure = !self.is_unsure;
            self.refused.push(Refused { token, expires, is_sure });
        }
        if is_trusted {
            self.held = Some(held);
        } else {
            self.replaces = true;
        }
        !is_trusted
    }

    pub(super) fn failed(&mut self, now: Duration, setback: Setback) {
        let is_valid = self.valid(now).is_some();
        if is_valid {
            self.renewal_failed(now);
        }
        self.not_before = match setback {
            Setback::Told(wait) => (now + wait.min(LONGEST_PAUSE), "the service asked for a wait"),
            Setback::Asked => (now + Duration::from_secs(300), "the ticket was asked for"),
            Setback::Refused if !is_valid => {
                (now + Duration::from_secs(5), "the request was refused permanently")
            }
            Setback::Failed if !is_valid => {
                // After the fourth failure the next series begins at once. The session may count fewer failures than
                // the model, because it forgets an idle slot; it then waits for a backoff.
                self.failures += 1;
                let wait = Duration::from_millis(if self.failures >= 4 { 0 } else { 250 });
                (now + wait, "the last request failed")
            }
            Setback::Refused | Setback::Failed => (Duration::ZERO, ""),
        };
    }

    /// Puts off the next renewal by 1, 2, 4 or 8 minutes.
    pub(super) fn renewal_failed(&mut self, now: Duration) {
        self.renew_after = now + MINUTE * (1 << self.renewals.min(3));
        self.renewals += 1;
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Setback {
    Failed,
    Told(Duration),
    Refused,
    Asked,
}
