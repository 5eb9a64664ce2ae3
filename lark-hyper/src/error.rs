//! The errors of calls and of the pool.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;

use lark_proto::session::Phase;

/// Why a call failed; `T` is the error of its client's service.
pub type CallError<T = TransportError> = lark_proto::CallError<T>;

/// Why a service has no reply: the error of [`Pool`](crate::Pool), which your own services can use too. A boxed error
/// converts into it by `?`, or with `map_err(TransportError::Failed)` of a tower `ServiceBuilder`. Unlike a box it is
/// an [`Error`], and so is the [`CallError`] around it.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// A phase of the exchange took too long.
    Timeout(Phase),
    /// The connection could not be made or broke, or a middleware refused the request.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(phase) => write!(f, "{phase} took too long"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Timeout(_) => None,
            // `Display` shows the text of `error` already.
            Self::Failed(error) => error.source(),
        }
    }
}

impl From<Box<dyn Error + Send + Sync>> for TransportError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The conversion that the error of a body needs, for bodies that cannot fail.
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

/// An error and its causes, including those that `source` skips because the error shows their text as its own.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // The number is bounded, because the causes of a faulty service's error may have no end.
    successors(Some(error), |&error| cause(error)).take(16)
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(TransportError::Failed(inner)) = error.downcast_ref() {
        return Some(&**inner);
    }
    if let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref) {
        return Some(inner);
    }
    error.source()
}
