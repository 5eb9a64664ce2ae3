//! Why a call does not send its request now.

use std::sync::Arc;
use std::time::Duration;

use super::moment::Moment;
use super::step::Outgoing;
use crate::error::{Advice, Error, Invalid, WaitFor};

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
    /// Sets the wait that the service asked for to `wait`, the rest of the pause.
    pub(super) fn with_retry_after(self, wait: Duration) -> Self {
        match self.reason {
            Reason::Lark(error) if matches!(error.advice(), Advice::Again { after: Some(_) }) => {
                Self { reason: Reason::Lark(error.with_retry_after(wait)), ..self }
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::session::test_time::secs;

    fn refusal(code: u32) -> Error {
        let reply = format!(r#"{{"code":{code}}}"#);
        Reply::new(http::Response::new(reply.into())).ok().unwrap_err()
    }

    #[test]
    fn only_a_refusal_with_a_requested_wait_gets_the_rest_of_the_wait() {
        let rest = |error: Error| {
            let failure = TokenFailure { route: "/token", reason: Reason::Lark(error) };
            let Reason::Lark(error) = failure.with_retry_after(secs(3)).reason else { panic!() };
            error.api().and_then(|api| api.retry_after)
        };
        let limited = refusal(99_991_400).with_retry_after(secs(9));
        assert_eq!(rest(limited), Some(secs(3)));
        assert_eq!(rest(refusal(99_991_400)), None);
        assert_eq!(rest(refusal(10_014)), None);
    }
}
