//! The report of a request that got no reply.

use std::error::Error;
use std::sync::Arc;

use crate::error::CallErrorKind;

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
