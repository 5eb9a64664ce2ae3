//! The error of a whole call.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::advice::Advice;
use super::api::ApiError;
use super::code::Class;
use super::failed_reply::{Error, Outcome};
use super::invalid::Invalid;
use crate::text::excerpt;

/// The error of a whole call, as an adapter returns it. `T` is the transport's own error.
///
/// A call may send a token request before its own request. The error names the route of the request that failed.
#[derive(Debug)]
#[non_exhaustive]
#[doc(alias = "failure")]
pub struct CallError<T> {
    /// The [`route`](crate::Endpoint::route) of the request that failed. Empty for [`CallError::invalid`], which is not
    /// the failure of a request.
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
    /// The endpoint's [`path`](crate::Endpoint::path) is invalid, or the replies of the service show that the
    /// [`Place`](crate::place::Place) does not exist.
    Invalid(Invalid),
    /// The call needs the app's credentials, and the client has none.
    NoApp,
    /// A store app has one token for each tenant, and the call names no tenant.
    NoTenant,
    /// A custom app belongs to one tenant, and the call names a tenant.
    ForeignTenant,
    /// A store app needs an `app_ticket` to get a token, and the session has none, or one that the service refused. The
    /// session has asked the service to push a new one. When the event arrives, pass the ticket to
    /// [`Session::set_app_ticket`](crate::session::Session::set_app_ticket).
    NoTicket,
    /// The deadline passed while the call's own request, or the token request that it sent, was in flight, or before
    /// the call sent either. [`CallError::outcome`] tells whether the call's own request may have been carried out.
    Deadline,
    /// The call timed out while it stood in a queue: for its [turn](WaitFor::Turn), for a [token](WaitFor::Token) or
    /// for the [rate limit](WaitFor::Rate) of its route. Its deadline passed, or, for a token, the token requests got
    /// no result. The reason is never [`WaitFor::Backoff`], because a call whose earlier send failed ends with that
    /// failure. It is never [`WaitFor::Reply`], because a call that waits for its reply ends with
    /// [`Deadline`](Self::Deadline).
    Queued(WaitFor),
    /// The transport failed.
    Transport(T),
    /// The transport failed during a token request that another call sent. The value is the text of the transport's
    /// error.
    TokenRequest(Arc<str>),
    /// The reply is longer than the endpoint's [`reply_limit`](crate::Endpoint::reply_limit), or than the limit that
    /// the client was given in its place.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The service refused the request, or its reply could not be read.
    Lark(Error),
}

/// The reason why a call waits, for [`CallErrorKind::Queued`] and for the events of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// The call's turn: another call writes to the same document.
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
            Self::Turn => "its turn to write to the document",
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

    /// The error of an invalid value or of a [`Place`](crate::place::Place) that does not exist. No request failed, so
    /// the route is empty.
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

    /// Whether the call's own request may have been carried out. All sends of the request count, not only the last one.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The failure of an earlier send whose outcome is unknown, if there was one. [`kind`](Self::kind) is the failure
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

    /// How long the service asked to wait, if the call ended with a reply of the service. If the reply came to another
    /// call, this is the part of the wait that is left.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.lark()?.retry_after()
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

    /// The error that the service described, with its code. `None` for a reply that cannot be read, which
    /// [`lark`](Self::lark) returns.
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
            Self::NoApp => f.write_str(
                "the client has no app id and secret: configure them, or give the call a token",
            ),
            Self::NoTenant => f.write_str(
                "the call names no tenant: name it with `for_tenant`, because a store app has a \
                 token for each tenant",
            ),
            Self::ForeignTenant => f.write_str(
                "the call names a tenant: leave it out, because a custom app belongs to one tenant",
            ),
            Self::NoTicket => f.write_str(
                "the store app has no valid app ticket: pass the client the ticket of the next \
                 `app_ticket` event of the service",
            ),
            Self::Deadline => f.write_str("the deadline passed before a reply arrived"),
            Self::Queued(reason) => {
                write!(f, "the call timed out while it waited for {reason}")
            }
            Self::Transport(error) => f.write_str(&chain(error)),
            Self::TokenRequest(text) => f.write_str(text),
            Self::TooLarge { limit } => write!(f, "the reply is longer than {limit} bytes"),
            Self::Lark(error) => error.fmt(f),
        }
    }
}

/// One line: the route, the failure and, if one is known, the next step.
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

/// [`source`](StdError::source) is `None`, because the text contains the causes. The transport's own error is in
/// [`CallError::kind`].
impl<T: StdError> StdError for CallError<T> {}

/// An error and its causes in one line, cut after 1,024 bytes. A cause is left out if the line contains its text
/// already.
fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    // A faulty transport may have an error that is its own cause.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An error of a transport with its causes.
    #[derive(Debug)]
    struct Broken(&'static str, Option<Box<Broken>>);

    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Broken {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    /// An error that is its own cause.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }

    impl StdError for Endless {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self)
        }
    }

    fn broken(texts: &[&'static str]) -> Broken {
        let (first, causes) = texts.split_first().unwrap();
        let cause = if causes.is_empty() { None } else { Some(Box::new(broken(causes))) };
        Broken(first, cause)
    }

    #[test]
    fn the_outcome_is_unknown_only_after_a_send() {
        let refused = || Error::of_reply(200, r#"{"code":90202}"#);
        let failed = || Error::of_reply(200, r#"{"code":90203}"#);
        for (kind, outcome) in [
            (CallErrorKind::NoApp, Outcome::NotSent),
            (CallErrorKind::NoTenant, Outcome::NotSent),
            (CallErrorKind::ForeignTenant, Outcome::NotSent),
            (CallErrorKind::NoTicket, Outcome::NotSent),
            (CallErrorKind::Queued(WaitFor::Turn), Outcome::NotSent),
            (CallErrorKind::TokenRequest("cut".into()), Outcome::NotSent),
            (CallErrorKind::Deadline, Outcome::Unknown),
            (CallErrorKind::Transport(Endless), Outcome::Unknown),
            (CallErrorKind::TooLarge { limit: 9 }, Outcome::Unknown),
            (CallErrorKind::Lark(refused()), Outcome::Refused),
            (CallErrorKind::Lark(failed()), Outcome::Unknown),
        ] {
            let error = CallError::new("/x", kind);
            assert_eq!(error.outcome(), outcome, "{error}");
        }
    }

    #[test]
    fn the_advice_of_an_error_is_that_of_the_services_reply() {
        let busy = Error::of_reply(200, r#"{"code":90217}"#);
        let expected = busy.advice();
        assert_eq!(
            CallError::<Endless>::new("/x", CallErrorKind::Lark(busy)).advice(),
            Some(expected)
        );
        assert_eq!(CallError::<Endless>::new("/x", CallErrorKind::Deadline).advice(), None);
    }

    #[test]
    fn an_earlier_send_makes_the_outcome_unknown() {
        let refused = CallErrorKind::Lark(Error::of_reply(200, r#"{"code":90202}"#));
        let error = CallError::new("/x", refused).after(CallErrorKind::Transport(Endless));
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(matches!(error.earlier(), Some(CallErrorKind::Transport(Endless))));
        let text = error.to_string();
        assert!(text.starts_with("/x: code 90202 "), "{text}");
        assert!(
            text.ends_with("; an earlier attempt may have been carried out: endless"),
            "{text}"
        );
    }

    #[test]
    fn the_text_of_a_queued_call_names_its_queue() {
        for (reason, text) in [
            (
                WaitFor::Turn,
                "the call timed out while it waited for its turn to write to the document",
            ),
            (WaitFor::Token, "the call timed out while it waited for a token"),
            (WaitFor::Rate, "the call timed out while it waited for the route's rate limit"),
        ] {
            let kind: CallErrorKind<Endless> = CallErrorKind::Queued(reason);
            assert_eq!(kind.to_string(), text);
        }
    }

    #[test]
    fn the_text_of_a_transport_error_has_each_cause_once() {
        for (texts, line) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["reset: b", "b", "c"], "reset: b: c"),
            (&["a", "a", "a"], "a"),
        ] {
            let kind = CallErrorKind::Transport(broken(texts));
            assert_eq!(kind.to_string(), line);
        }
    }

    #[test]
    fn the_text_of_a_transport_error_is_cut_after_1024_bytes_and_has_at_most_16_causes() {
        assert_eq!(CallErrorKind::Transport(Endless).to_string(), "endless");
        let long = |len: usize| Broken("x".repeat(len).leak(), None);
        assert_eq!(CallErrorKind::Transport(long(1024)).to_string(), "x".repeat(1024));
        let cut = CallErrorKind::Transport(long(1025)).to_string();
        assert_eq!(cut, "x".repeat(1024) + "…");
        let digits: Vec<&str> = (0..20).map(|at| &"abcdefghijklmnopqrst"[at..=at]).collect();
        let text = CallErrorKind::Transport(broken(&digits)).to_string();
        assert!(text.ends_with(": q") && text.starts_with("a: b"), "{text}");
    }
}
