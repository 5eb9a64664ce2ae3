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

/// A server's words at the end of an HTTP/2 connection, which may quote a request, are left out.
impl From<hyper::Error> for TransportError {
    fn from(error: hyper::Error) -> Self {
        Self::Failed(without_debug_data(error.into()))
    }
}

/// `error` or, if a cause of it shows the debug data of a frame GOAWAY, the texts of its causes without the data. A
/// server may quote a request with its token there, and h2 shows the data in the text and in the printed form of its
/// error.
pub(crate) fn without_debug_data(
    error: Box<dyn Error + Send + Sync>,
) -> Box<dyn Error + Send + Sync> {
    let texts: Vec<String> = causes(&*error).map(ToString::to_string).collect();
    if !texts.iter().any(|text| debug_data(text).is_some()) {
        return error;
    }
    let texts = texts.into_iter().rev().fold(None, |cause, mut text| {
        text.truncate(debug_data(&text).unwrap_or(text.len()));
        Some(Box::new(Texts { text, cause }))
    });
    texts.map_or(error, |texts| texts)
}

/// The place in the text of an error of h2 where the debug data of a frame GOAWAY begins.
fn debug_data(text: &str) -> Option<usize> {
    if text.starts_with("connection error ") { text.find(" (b\"") } else { None }
}

/// The texts of an error and its causes.
#[derive(Debug)]
struct Texts {
    text: String,
    cause: Option<Box<Self>>,
}

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Texts {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_its_debug_data_keeps_the_rest_of_each_text() {
        let texts = ["http2 error", "connection error received: not a result (b\"Bearer t-1\")"];
        let error = texts
            .into_iter()
            .rev()
            .fold(None, |cause, text| Some(Box::new(Texts { text: text.to_owned(), cause })));
        let error = without_debug_data(error.unwrap());
        let kept: Vec<String> = causes(&*error).map(ToString::to_string).collect();
        assert_eq!(kept, ["http2 error", "connection error received: not a result"]);
    }
}
