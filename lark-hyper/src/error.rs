//! Why there is no reply.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

/// Why a call failed; `T` is the error of its client's service.
pub type CallError<T = TransportError> = lark_proto::CallError<T>;

/// Why a service has no reply, where it can be several things: the error of [`Pool`](crate::Pool), and a ready one for
/// services of a caller's own. Where errors come boxed, `?` makes it, or a stack's `.map_err(TransportError::Failed)`:
/// unlike a box it is an [`Error`], and so is the [`CallError`] around it.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// It took too long.
    Timeout(Timeout),
    /// The connection could not be made or broke, or a middleware refused.
    Failed(Box<dyn Error + Send + Sync>),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// To find the host, to connect and to send the first byte of the body.
    Connect,
    /// To send the body.
    SendBody,
    /// To get the head of the reply.
    RecvResponse,
    /// To get the reply's body.
    RecvBody,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting took too long",
            Self::SendBody => "sending the body took too long",
            Self::RecvResponse => "the answer took too long",
            Self::RecvBody => "the answer's body took too long",
        })
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Timeout(_) => None,
            // Its own text is this one's.
            Self::Failed(error) => error.source(),
        }
    }
}

impl From<Box<dyn Error + Send + Sync>> for TransportError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for TransportError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// For bodies that cannot fail.
impl From<Infallible> for TransportError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<hyper::Error> for TransportError {
    fn from(error: hyper::Error) -> Self {
        Self::Failed(error.into())
    }
}
