//! Why a call failed.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::api::{ApiError, Error, Outcome};
use super::{Advice, Class, Invalid};
use crate::text::excerpt;

/// Why a whole call failed, as an adapter returns it; `T` is the transport's own error.
///
/// A call may make more than one request (the token's comes first), so it names the route that failed.
#[derive(Debug)]
#[non_exhaustive]
#[doc(alias = "failure")]
pub struct CallError<T> {
    /// The [`route`](crate::Endpoint::route) of the request that failed. Empty for an [`Invalid`] value.
    pub route: Cow<'static, str>,
    /// The kind of the failure.
    pub kind: CallErrorKind<T>,
    outcome: Outcome,
    unknown: Option<Box<CallErrorKind<T>>>,
}

/// The kind of failure of a [`CallError`].
#[derive(Debug)]
#[non_exhaustive]
pub enum CallErrorKind<T> {
    /// The endpoint's [`path`](crate::Endpoint::path) is invalid, or what the service told shows that there is no such
    /// [`Place`](crate::place::Place).
    Invalid(Invalid),
    /// The call needs the app's credentials and the client has none.
    NoApp,
    /// A store app has one token for each tenant, and the call names no tenant.
    NoTenant,
    /// A custom app belongs to one tenant, and the call names a tenant.
    ForeignTenant,
    /// A store app needs an `app_ticket` to get a token, and has none, or one that the service refused. The session has
    /// asked the service to push it: pass it to [`Session::set_app_ticket`](crate::session::Session::set_app_ticket)
    /// when the event arrives.
    NoTicket,
    /// The deadline passed while the call's own request or the token request that it sent was in flight, or before the
    /// call had time to send either. [`CallError::outcome`] tells whether its own request may have been carried out.
    Deadline,
    /// The deadline passed while the call stood in a queue: for its [turn](WaitFor::Turn), for a
    /// [token](WaitFor::Token) or for the [rate limit](WaitFor::Rate) of its route. A call of which an earlier send has
    /// failed ends with that failure instead, so the reason is never [`WaitFor::Backoff`]; it is never
    /// [`WaitFor::Reply`] either, for which there is [`Deadline`](Self::Deadline).
    Queued(WaitFor),
    /// The transport failed.
    Transport(T),
    /// The transport failed during a token request that another call sent. This is the text of the transport's error.
    TokenRequest(Arc<str>),
    /// The reply was longer than the client reads.
    TooLarge {
        /// The client's limit in bytes.
        limit: u64,
    },
    /// The service refused the request, or its reply could not be read.
    Lark(Error),
}

/// The reason why a call waits, for [`CallErrorKind::Queued`] and for the events of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// The lane: another call writes to the same spreadsheet.
    Turn,
    /// A token.
    Token,
    /// The rate limit of the route: the service asked to wait, or a quota is used up.
    Rate,
    /// The backoff between two attempts.
    Backoff,
    /// The reply.
    #[default]
    Reply,
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turn => "its turn on the spreadsheet",
            Self::Token => "a token",
            Self::Rate => "the route's rate limit",
            Self::Backoff => "the next attempt",
            Self::Reply => "the reply",
        })
    }
}

impl<T> CallError<T> {
    /// The error of a request to `route`, for adapters. The outcome follows from `kind`.
    pub fn new(route: impl Into<Cow<'static, str>>, kind: CallErrorKind<T>) -> Self {
        let outcome = match &kind {
            CallErrorKind::Deadline
            | CallErrorKind::Transport(_)
            | CallErrorKind::TooLarge { .. } => Outcome::Unknown,
            CallErrorKind::Lark(error) => error.outcome(),
            _ => Outcome::NotSent,
        };
        Self { route: route.into(), kind, outcome, unknown: None }
    }

    /// The error of a value for which no request is made, so that the route is empty.
    #[must_use]
    pub fn invalid(invalid: Invalid) -> Self {
        Self::new("", CallErrorKind::Invalid(invalid))
    }

    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// The same error for a call of which an earlier send failed with an unknown outcome.
    pub(crate) fn after(self, unknown: CallErrorKind<T>) -> Self {
        Self { outcome: Outcome::Unknown, unknown: Some(Box::new(unknown)), ..self }
    }

    /// Whether the call's own request may have been carried out. All of its sends count, not only the last.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The failure of an earlier send whose outcome is unknown, if there was one; [`kind`](Self::kind) is the failure
    /// that ended the call.
    #[must_use]
    pub fn earlier(&self) -> Option<&CallErrorKind<T>> {
        self.unknown.as_deref()
    }

    /// The error of the reply, if the service answered.
    #[must_use]
    pub fn lark(&self) -> Option<&Error> {
        match &self.kind {
            CallErrorKind::Lark(error) => Some(error),
            _ => None,
        }
    }

    /// The advice of the reply, if the call ended with one. The call has followed the advice within its limits.
    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        self.lark().map(Error::advice)
    }

    /// How long the service asked to wait, if the call ended with its reply. The call of another thread may have got
    /// the reply: then it is the time that is left.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.lark()? {
            Error::Api(error) => error.retry_after,
            Error::Unreadable(reply) => reply.retry_after,
        }
    }

    /// The id that Lark's support asks for, if the call ended with a reply that carried one.
    #[must_use]
    pub fn log_id(&self) -> Option<&str> {
        self.lark().and_then(Error::log_id)
    }

    /// The class of the service's error, if the call ended with one.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.api().map(ApiError::class)
    }

    /// The error that the service described, with its code; [`lark`](Self::lark) also has a reply that cannot be read.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        self.lark()?.api()
    }
}

/// One line, with the causes of the transport's error.
impl<T: StdError> fmt::Display for CallErrorKind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::NoApp => {
                f.write_str("the client has no app id and secret, and the call no token")
            }
            Self::NoTenant => f.write_str("the app is a store app, and the call names no tenant"),
            Self::ForeignTenant => {
                f.write_str("the app belongs to one tenant, and the call names a tenant")
            }
            Self::NoTicket => f.write_str(
                "the app has no valid app_ticket, which the service pushes to a store app",
            ),
            Self::Deadline => f.write_str("the deadline passed before a reply arrived"),
            Self::Queued(reason) => {
                write!(f, "the deadline passed while the call waited for {reason}")
            }
            Self::Transport(error) => f.write_str(&chain(error)),
            Self::TokenRequest(text) => f.write_str(text),
            Self::TooLarge { limit } => write!(f, "the reply is longer than {limit} bytes"),
            Self::Lark(error) => error.fmt(f),
        }
    }
}

/// One line: the route, what went wrong, and what to do about it if that is known.
impl<T: StdError> fmt::Display for CallError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.route.is_empty() {
            write!(f, "{}: ", self.route)?;
        }
        self.kind.fmt(f)?;
        match &self.unknown {
            Some(unknown) => write!(f, "; an earlier attempt may have been carried out: {unknown}"),
            None => Ok(()),
        }
    }
}

/// [`source`](StdError::source) is `None`, because the text holds the causes already; the transport's own error is in
/// [`CallError::kind`].
impl<T: StdError> StdError for CallError<T> {}

/// An error and its causes in one line of at most 1,024 bytes. A cause whose text the line already contains is left
/// out.
fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    // The bound is for an error of the transport that is its own cause.
    for _ in 0..16 {
        let Some(error) = cause else { break };
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    excerpt(line.as_bytes(), 1024)
}
