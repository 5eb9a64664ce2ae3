//! The reaction of a service to a request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lark_proto::error::CallErrorKind;
use lark_proto::session::Permanence;

/// The transport's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection cut")
    }
}

impl std::error::Error for Cut {}

/// The outcome of a request, and the time after which it is known. The closure that makes the outcome runs even if the
/// call has ended by then, because the service still acts on the request.
pub(crate) struct Reaction<'w> {
    pub(crate) after: Duration,
    pub(crate) outcome: MakeOutcome<'w>,
}

/// Makes the outcome at the time that it is given.
type MakeOutcome<'w> = Box<dyn FnOnce(Duration) -> Result<Response<Bytes>, Failure> + 'w>;

/// The end of an exchange without a reply.
pub(crate) struct Failure {
    pub(crate) kind: CallErrorKind<Cut>,
    /// How many bytes of the body the transport had taken. A number above the length of the body stands for all of it.
    pub(crate) pulled: u64,
    pub(crate) permanence: Permanence,
}

impl Failure {
    /// A connection that broke after `pulled` bytes of the body. The failure is transient, so the next connection may
    /// succeed.
    pub(crate) fn cut(pulled: u64) -> Self {
        let kind = CallErrorKind::Transport(Cut);
        Self { kind, pulled, permanence: Permanence::Transient }
    }

    /// A call or a token request that lasted until its deadline.
    pub(crate) fn deadline() -> Self {
        let kind = CallErrorKind::Deadline;
        Self { kind, pulled: u64::MAX, permanence: Permanence::Transient }
    }
}

/// A reply that is fixed when the request arrives, and is delivered after the time `after`.
pub(crate) fn after<'w>(after: Duration, reply: Response<Bytes>) -> Reaction<'w> {
    Reaction { after, outcome: Box::new(move |_| Ok(reply)) }
}

/// An exchange that ends without a reply.
pub(crate) fn fails<'w>(after: Duration, failure: Failure) -> Reaction<'w> {
    Reaction { after, outcome: Box::new(move |_| Err(failure)) }
}

/// A connection that breaks after `pulled` bytes of the body.
pub(crate) fn cut<'w>(after: Duration, pulled: u64) -> Reaction<'w> {
    fails(after, Failure::cut(pulled))
}

/// A service that never answers.
pub(crate) fn hangs<'w>() -> Reaction<'w> {
    cut(Duration::from_secs(1_000_000_000), u64::MAX)
}
