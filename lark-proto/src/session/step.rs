//! What a call tells its adapter to do, and what the adapter tells it in return.

use std::time::Duration;

use http::Request;

use super::FetchId;
use crate::body::Body;
use crate::error::CallError;

/// What an adapter is to do next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
#[must_use = "a step that is not taken leaves the call where it is"]
pub enum Step<O, T> {
    /// Send a request, and tell the call what became of it: [`Call::received`] or [`Call::broken`].
    Send(Outgoing),
    /// Come back after this time, or when [`Session::woken`] names the call.
    Wait(Duration),
    /// The call is over.
    Done(Result<O, CallError<T>>),
}

/// A request, and how the transport is to carry it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// The request. Its URI is absolute and its `Content-Length` exact.
    pub request: Request<Body>,
    /// Whose request it is.
    pub purpose: Purpose,
    /// How long the call waits for the reply. After that time the call wants to hear [`Failure::Deadline`], or, where
    /// the adapter keeps a token request, is asked for its next step.
    pub within: Duration,
    /// How long the exchange may take altogether. It differs from `within` for a token request, which serves others too:
    /// an adapter that keeps exchanges lets it run on when its call goes on or is dropped.
    pub keep_for: Duration,
    /// The longest that each part of the exchange may take.
    pub phases: Phases,
    /// The longest reply in bytes. For a longer one the call wants to hear [`Failure::TooLarge`].
    pub reply_limit: u64,
    /// The last connection broke: open a new one, since others in the pool may be as dead.
    pub fresh_connection: bool,
}

/// Whose request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The call's own.
    Call,
    /// The session's, for a token. What becomes of it is told by [`Call::received`] or [`Call::broken`] as for the
    /// call's own, or, where it outlives the call, by [`Session::token_received`], [`Session::token_broken`] or
    /// [`Session::token_dropped`].
    Token(FetchId),
}

/// The longest that each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// To find the host's address: 10 s.
    pub resolve: Duration,
    /// To connect, TLS included: 10 s.
    pub connect: Duration,
    /// To send the request's head: 30 s.
    pub head: Duration,
    /// To send the body: 30 s, and a second for each 64 KiB.
    pub body: Duration,
    /// For the service to answer: two minutes, and a second for each 64 KiB. A cell write may take it one.
    pub answer: Duration,
    /// To receive the reply's body: 30 s.
    pub reply: Duration,
}

impl Phases {
    pub(super) fn of(len: u64) -> Self {
        // 64 KiB a second is less than any link that uploads images should have.
        let upload = Duration::from_secs(len >> 16);
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30) + upload,
            answer: Duration::from_secs(120) + upload,
            reply: Duration::from_secs(30),
        }
    }
}

/// Whether a failure of the transport may pass. Only the adapter knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// A connection that could not be made or broke, a timeout: another try may get through.
    Passing,
    /// A certificate that is not trusted, a request that the transport refuses: the next try ends in the same way.
    Permanent,
}
