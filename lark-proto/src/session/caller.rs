//! The call that takes a step, and the credential that it uses.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use super::limits::Limits;
use super::moment::Moment;
use super::queue::CallId;
use crate::values::TenantKey;

/// The longest time for which renewals hold up one call, all of them together.
const MAX_RENEWAL_TIME: Duration = Duration::from_secs(2);

/// Whose token a call uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Credential {
    /// The session's token; for a store app, that of the tenant.
    Session(Option<TenantKey>),
    /// A token that was supplied with the call.
    Supplied(Option<HeaderValue>),
}

/// Shows no token.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(tenant) => f.debug_tuple("Session").field(tenant).finish(),
            Self::Supplied(_) => f.write_str("Supplied(***)"),
        }
    }
}

/// The call that takes a step.
pub(super) struct Caller<'a> {
    pub(super) id: CallId,
    pub(super) deadline: Moment,
    pub(super) limits: &'a Limits,
    pub(super) jitter: u64,
    /// The time until which renewals may hold up the call. It is set when the call first finds its tenant's token due
    /// for renewal, even if another call drives that renewal, or when it first drives a renewal of the app token.
    pub(super) renewal_deadline: &'a mut Option<Moment>,
}

impl Caller<'_> {
    /// Whether the call may still drive a renewal.
    pub(super) fn may_renew(&self, now: Moment) -> bool {
        self.renewal_deadline.is_none_or(|deadline| now < deadline)
    }

    /// The time until which renewals may hold up the call: [`MAX_RENEWAL_TIME`] after the first call of this method, or
    /// half of the time to the call's deadline if that is less.
    pub(super) fn renewal_deadline(&mut self, now: Moment) -> Moment {
        let longest = MAX_RENEWAL_TIME.min(self.deadline.since(now) / 2);
        *self.renewal_deadline.get_or_insert(now.saturating_add(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_time::{NANO, secs};

    #[test]
    fn the_debug_text_of_a_credential_shows_no_token() {
        let supplied = Credential::Supplied(Some(HeaderValue::from_static("Bearer t-1")));
        assert_eq!(format!("{supplied:?}"), "Supplied(***)");
        assert_eq!(format!("{:?}", Credential::Session(None)), "Session(None)");
    }

    #[test]
    fn renewals_hold_up_a_call_for_two_seconds_or_half_of_the_time_to_its_deadline() {
        let four = secs(4);
        for (left, expected) in [
            (Duration::ZERO, Duration::ZERO),
            (secs(1), secs(1) / 2),
            (four - NANO, (four - NANO) / 2),
            (four, secs(2)),
            (four + NANO, secs(2)),
            (Duration::MAX, secs(2)),
        ] {
            let now = Moment(secs(100));
            let mut caller = Caller {
                id: CallId(1),
                deadline: now.saturating_add(left),
                limits: &Limits::default(),
                jitter: 0,
                renewal_deadline: &mut None,
            };
            assert_eq!(caller.renewal_deadline(now), now + expected, "{left:?}");
            // The deadline of the first renewal holds for later ones too.
            assert_eq!(caller.renewal_deadline(now + secs(1)), now + expected, "{left:?}");
        }
    }

    #[test]
    fn a_call_may_drive_a_renewal_until_its_renewal_deadline() {
        let mut caller = Caller {
            id: CallId(1),
            deadline: Moment(secs(600)),
            limits: &Limits::default(),
            jitter: 0,
            renewal_deadline: &mut None,
        };
        assert!(caller.may_renew(Moment(secs(599))));
        let deadline = caller.renewal_deadline(Moment(secs(10)));
        let times = [deadline - NANO, deadline, deadline + NANO];
        assert_eq!(times.map(|now| caller.may_renew(now)), [true, false, false]);
    }
}
