//! The steps of a call: what its adapter does next, and how.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Request;

use crate::body::Body;
use crate::error::{CallError, CallErrorKind};

/// The next action of a call's adapter.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a request is moved once, to the transport")]
#[must_use = "a call makes no progress if its step is ignored"]
pub enum Step<O, T> {
    /// Send the request, then report its outcome with [`Call::received`](super::Call::received) or
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
    /// [`CallErrorKind::Deadline`], or keep a token request in flight: see `keep_for`.
    pub within: Duration,
    /// The longest time that the whole exchange may take. For the call's own request it is `within`. For a token
    /// request it is a minute. `within` is less than that if the call's deadline is sooner, or if the call renews a
    /// token that is still valid, for which it waits for two seconds at most.
    ///
    /// An adapter that can run an exchange independently of its call does not end a token request after `within`,
    /// because other calls wait for the token too. It takes the call's next step, keeps the request in flight until
    /// `keep_for` is over, and then reports [`CallErrorKind::Deadline`]. [`Purpose::Token`] says how to report the
    /// outcome.
    pub keep_for: Duration,
    /// The timeout of each phase of the exchange.
    pub timeouts: Timeouts,
    /// The maximum length of the reply's body in bytes. Report a longer reply as [`CallErrorKind::TooLarge`].
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
    /// A token request of the session. Report its outcome as that of the call's own request, with
    /// [`Call::received`](super::Call::received) or [`Call::failed`](super::Call::failed). If the call has ended or has
    /// sent its own request in the meantime, report the outcome with
    /// [`Session::token_received`](super::Session::token_received),
    /// [`Session::token_failed`](super::Session::token_failed) or
    /// [`Session::token_dropped`](super::Session::token_dropped).
    Token(TokenRequestId),
}

/// The id of a token request in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenRequestId(pub(super) u64);

/// The timeout of each [`Phase`] of an exchange.
///
/// A phase that takes longer is a failure of the transport: report [`CallErrorKind::Transport`] with the transport's
/// timeout error, and [`Permanence::Transient`]. [`CallErrorKind::Deadline`] is only for the end of
/// [`Outgoing::within`], whatever the phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The timeout for resolving the host name: 10 s.
    pub resolve: Duration,
    /// The timeout for connecting, including the tunnel of a proxy and TLS: 10 s.
    pub connect: Duration,
    /// The timeout for sending the request's head: 30 s.
    pub send_request: Duration,
    /// The timeout for sending the body: 30 s, and a second for each 64 KiB of the body.
    pub send_body: Duration,
    /// The timeout for the head of the reply: two minutes, and a second for each 64 KiB of the request's body. The
    /// service can take a minute to write a cell.
    pub recv_response: Duration,
    /// The timeout for receiving the reply's body: 30 s.
    pub recv_body: Duration,
}

impl Timeouts {
    /// The timeouts of a request whose body has `len` bytes.
    #[must_use]
    pub fn for_body_len(len: u64) -> Self {
        // The slowest supported upload has a rate of 64 KiB per second.
        let upload = Duration::from_secs(len >> 16);
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            send_request: Duration::from_secs(30),
            send_body: Duration::from_secs(30) + upload,
            recv_response: Duration::from_secs(120) + upload,
            recv_body: Duration::from_secs(30),
        }
    }

    /// The same timeouts, except that of `phase`, which is `time`.
    #[must_use]
    pub fn with(mut self, phase: Phase, time: Duration) -> Self {
        *match phase {
            Phase::Resolve => &mut self.resolve,
            Phase::Connect => &mut self.connect,
            Phase::SendRequest => &mut self.send_request,
            Phase::SendBody => &mut self.send_body,
            Phase::RecvResponse => &mut self.recv_response,
            Phase::RecvBody => &mut self.recv_body,
        } = time;
        self
    }

    /// The timeout of `phase`.
    #[must_use]
    pub fn get(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Resolve => self.resolve,
            Phase::Connect => self.connect,
            Phase::SendRequest => self.send_request,
            Phase::SendBody => self.send_body,
            Phase::RecvResponse => self.recv_response,
            Phase::RecvBody => self.recv_body,
        }
    }
}

/// A part of an exchange that has its own timeout. The names are those of ureq's timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resolving the host name.
    Resolve,
    /// Connecting: TCP, the tunnel of a proxy, and TLS.
    Connect,
    /// Sending the request's head.
    SendRequest,
    /// Sending the request's body.
    SendBody,
    /// Waiting for the head of the reply.
    RecvResponse,
    /// Receiving the reply's body.
    RecvBody,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host name",
            Self::Connect => "connecting",
            Self::SendRequest => "sending the request's head",
            Self::SendBody => "sending the request's body",
            Self::RecvResponse => "the server's reply",
            Self::RecvBody => "receiving the reply's body",
        })
    }
}

/// Why a request got no reply: the transport failed, the deadline passed, or the reply was too long. The failure is
/// formatted as text when this value is made, so that no code of the transport runs while the session is locked.
#[derive(Debug)]
pub struct TransportFailure<T> {
    pub(super) kind: CallErrorKind<T>,
    /// The failure in one line.
    pub(super) text: Arc<str>,
    pub(super) pulled: u64,
    pub(super) permanence: Permanence,
}

impl<T: Error> TransportFailure<T> {
    /// Makes the report of a failure.
    ///
    /// * `kind` is [`Transport`](CallErrorKind::Transport), [`Deadline`](CallErrorKind::Deadline) or
    ///   [`TooLarge`](CallErrorKind::TooLarge).
    /// * `pulled` is the number of bytes that the transport has taken from the body, whether it sent them or not. If it
    ///   is 0, the request counts as not sent. The exception is a write without a body, for which 0 is the only
    ///   possible value: it counts as possibly carried out.
    /// * `permanence` is that of the transport's error. With any other failure, pass [`Permanence::Transient`].
    #[must_use]
    pub fn new(kind: CallErrorKind<T>, pulled: u64, permanence: Permanence) -> Self {
        let text = kind.to_string().into();
        Self { kind, text, pulled, permanence }
    }
}

/// Whether an error of the transport is transient. The adapter decides that by the type of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// Another attempt may succeed: the connection failed or broke, or there was a timeout.
    Transient,
    /// Another attempt would fail in the same way: the certificate is not trusted, or the transport refuses the
    /// request.
    Permanent,
}
