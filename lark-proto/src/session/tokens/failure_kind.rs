//! The kinds of the failures of token requests.

use std::time::Duration;

use crate::error::{Advice, Error};

/// Why a token request returned no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Another attempt may succeed. This is any failure that no other variant covers.
    Transient,
    /// The service asked to wait for this time.
    RetryAfter(Duration),
    /// The same request would fail again: the service's code says so, or the transport's failure is permanent.
    Permanent,
    /// The request was for the ticket, and the service agreed to push it.
    TicketRequested,
}

impl FailureKind {
    /// The kind of the failure of a request that the service refused with `error`. Not used if the refusal drops an app
    /// token or a ticket.
    pub(super) fn of(error: &Error) -> Self {
        match (error, error.advice()) {
            (_, Advice::Again { after: Some(wait) }) => Self::RetryAfter(wait),
            (Error::Api(_), Advice::GiveUp) => Self::Permanent,
            _ => Self::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::*;
    use crate::api::Reply;

    fn kind(code: u32, wait: Option<u32>) -> FailureKind {
        let mut reply = Response::new(Bytes::from(format!(r#"{{"code":{code}}}"#)));
        if let Some(wait) = wait {
            reply.headers_mut().insert("x-ogw-ratelimit-reset", wait.into());
        }
        FailureKind::of(&Reply::new(reply).ok().unwrap_err())
    }

    #[test]
    fn a_wait_of_zero_counts_as_none() {
        assert_eq!(kind(99_991_400, None), FailureKind::Transient);
        assert_eq!(kind(99_991_400, Some(0)), FailureKind::Transient);
        let second = Duration::from_secs(1);
        assert_eq!(kind(99_991_400, Some(1)), FailureKind::RetryAfter(second));
    }

    #[test]
    fn a_wrong_secret_is_a_permanent_failure() {
        assert_eq!(kind(10_014, None), FailureKind::Permanent);
    }

    #[test]
    fn an_unreadable_reply_is_a_transient_failure() {
        let reply = Reply::new(Response::new(Bytes::from("<html>")));
        assert_eq!(FailureKind::of(&reply.ok().unwrap_err()), FailureKind::Transient);
    }
}
