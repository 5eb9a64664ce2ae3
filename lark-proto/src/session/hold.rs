//! Why a call does not send its request now.

use std::sync::Arc;
use std::time::Duration;

use super::moment::Moment;
use super::step::Outgoing;
use crate::error::{Error, Invalid, WaitFor};

/// Why a call does not send its request now.
pub(super) enum Hold {
    /// The call sends this token request first, to this route.
    Send(Box<Outgoing>, &'static str),
    /// The call waits until this time, or until it is woken.
    Wait { until: Moment, reason: WaitFor },
    /// The call ends.
    End(Ending),
}

/// Why a call ends without a reply to its own request.
pub(super) enum Ending {
    /// The request has no valid path.
    Invalid(Invalid),
    /// The deadline passed while the call waited.
    Late(WaitFor),
    /// The time to the deadline is too short for another attempt.
    NoTimeLeft,
    /// The service's reply to another call applies to this call too.
    Shared(Error),
    /// The session cannot get a token.
    NoToken(TokenFailure),
    /// The session has no app, and the caller supplied no token.
    NoApp,
    /// The session's app is a store app, and the call names no tenant.
    NoTenant,
    /// The session's app is a custom app, and the call names a tenant.
    ForeignTenant,
}

/// Why the session could not get a token.
#[derive(Clone, Debug)]
pub(super) struct TokenFailure {
    /// The route of the token request.
    pub(super) route: &'static str,
    pub(super) reason: Reason,
    /// The time of the failure.
    pub(super) at: Moment,
}

#[derive(Clone, Debug)]
pub(super) enum Reason {
    Lark(Error),
    /// The transport's error as text. The error itself belongs to the call that sent the request.
    Transport(Arc<str>),
    TimedOut,
    TooLarge(u64),
    NoTicket,
}

impl TokenFailure {
    /// The failure of a call that ends with it at `now`: the wait that the service asked for is the rest of that wait,
    /// and `at_least` this long.
    pub(super) fn later(&self, now: Moment, at_least: Duration) -> Self {
        let mut later = self.clone();
        if let Reason::Lark(error) = &mut later.reason {
            if let Some(wait) = error.retry_after_mut() {
                *wait = wait.saturating_sub(now.since(self.at)).max(at_least);
            }
        }
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::session::test_time::{at, secs};

    fn refusal(code: u32) -> Error {
        let reply = format!(r#"{{"code":{code}}}"#);
        Reply::new(http::Response::new(reply.into())).ok().unwrap_err()
    }

    #[test]
    fn only_a_refusal_with_a_requested_wait_gets_the_rest_of_the_wait() {
        let rest = |error: Error| {
            let failure = TokenFailure { route: "/token", reason: Reason::Lark(error), at: at(10) };
            let Reason::Lark(error) = failure.later(at(16), secs(1)).reason else { panic!() };
            error.api().and_then(|api| api.retry_after)
        };
        let limited = |wait| refusal(99_991_400).with_retry_after(secs(wait));
        assert_eq!(rest(limited(9)), Some(secs(3)));
        assert_eq!(rest(limited(6)), Some(secs(1)));
        assert_eq!(rest(refusal(99_991_400)), None);
        assert_eq!(rest(refusal(10_014)), None);
    }
}
