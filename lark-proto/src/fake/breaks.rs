//! How a connection breaks, if a test asks for it.

use std::time::Duration;

/// How the connection that carries a request fails.
///
/// The fake has no connections: the server or the transport around it asks
/// [`InFlight::breaks`](super::InFlight::breaks) when the head has arrived, and obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Break {
    /// It closes when the head has arrived. Nothing of the body is read or carried out.
    BeforeBody,
    /// It closes when about half of the body has arrived. Nothing is carried out.
    DuringBody,
    /// The request is carried out, and it closes without a byte of the reply.
    AfterBody,
    /// The request is carried out, and it closes after half of the reply's body.
    CutReply,
    /// The request is carried out, and its reply is held back for this time.
    SlowReply(Duration),
}
