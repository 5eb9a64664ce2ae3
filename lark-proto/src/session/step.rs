//! The steps of a call: what its adapter does next, and how.

use std::time::Duration;

use http::Request;

use super::timeouts::Timeouts;
use crate::body::Body;
use crate::error::CallError;

/// The next action of a call's adapter.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
#[must_use = "a call makes no progress if its step is ignored"]
pub enum Step<O, T> {
    /// Send the request, then report its result with [`Call::received`](super::Call::received) or
    /// [`Call::failed`](super::Call::failed).
    Send(Outgoing),
    /// Take the next step after this time, which is a day at most, or as soon as
    /// [`Session::woken`](super::Session::woken) returns the call.
    Wait(Duration),
    /// The call is over.
    Done(Result<O, CallError<T>>),
}

/// A request, and how the transport sends it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// The request. Its URI is absolute and its `Content-Length` exact.
    pub request: Request<Body>,
    /// Whether it is the call's own request or a token request.
    pub purpose: Purpose,
    /// The longest time that the call waits for the reply. After this time, end the exchange and report
    /// [`CallErrorKind::Deadline`](crate::error::CallErrorKind::Deadline), or keep a token request in flight: see
    /// `exchange_timeout`.
    pub call_timeout: Duration,
    /// The longest time that the whole exchange may take. For the call's own request it is `call_timeout`. For a token
    /// request it is a minute. `call_timeout` is less than that if the call's deadline is sooner, or if the call renews
    /// a token that is still valid, for which it waits for two seconds at most.
    ///
    /// An adapter that can run an exchange independently of its call does not end a token request after `call_timeout`,
    /// because other calls wait for the token too. It takes the call's next step, keeps the request in flight until
    /// `exchange_timeout` has passed, and then reports
    /// [`CallErrorKind::Deadline`](crate::error::CallErrorKind::Deadline). [`Purpose::Token`] says how to report the
    /// result.
    pub exchange_timeout: Duration,
    /// The timeout of each phase of the exchange.
    pub timeouts: Timeouts,
    /// The maximum length of the reply's body in bytes. Report a longer reply as
    /// [`CallErrorKind::TooLarge`](crate::error::CallErrorKind::TooLarge).
    pub reply_limit: u64,
    /// Whether to open a new connection. This is set after the last connection broke, because idle connections in the
    /// pool may be broken too.
    pub fresh_connection: bool,
}

/// Whether a request is the call's own or a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The call's own request.
    Call,
    /// A token request of the session. Report its result as that of the call's own request, with
    /// [`Call::received`](super::Call::received) or [`Call::failed`](super::Call::failed). If the call has ended, or
    /// has sent another request in the meantime, report the result with
    /// [`Session::token_received`](super::Session::token_received),
    /// [`Session::token_failed`](super::Session::token_failed) or
    /// [`Session::token_dropped`](super::Session::token_dropped).
    Token(TokenRequestId),
}

/// The id of a token request in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenRequestId(pub(super) u64);
