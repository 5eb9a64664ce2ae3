//! The failures that a test asks for, and the queue from which requests take them.

mod fault;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::fault::Fault;

use super::route::Route;

/// A failure of one request; see [`FakeLark::fail_next`](crate::fake::FakeLark::fail_next).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The request gets another reply.
    Fault(Fault),
    /// The connection fails.
    Connection(ConnectionFault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ConnectionFault> for Failure {
    fn from(fault: ConnectionFault) -> Self {
        Self::Connection(fault)
    }
}

/// How the connection of a request fails.
///
/// The fake has no connections. The server or the transport around it calls
/// [`InFlight::connection_fault`](crate::fake::InFlight::connection_fault) when the head has arrived, and then makes
/// the connection fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// The connection closes when the head has arrived. The body is not read, and the request is not carried out.
    BeforeBody,
    /// The connection closes when about half of the body has arrived. The request is not carried out.
    DuringBody,
    /// The request is carried out, and the connection closes before the reply.
    AfterBody,
    /// The request is carried out, and the connection closes after half of the reply's body.
    CutReply,
    /// The request is carried out, and its reply is held back for this time. A write occupies its spreadsheet until
    /// then.
    SlowReply(Duration),
}

/// The requests that a failure is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FailureTarget {
    Any,
    /// Any request but a token request.
    Calls,
    Route(Route),
}

/// Chooses the failure of a request from its route and its number on the route.
type Choose = dyn Fn(Route, usize) -> Option<Failure> + Send + Sync;

/// The failures that a test has asked for.
#[derive(Clone, Default)]
pub(crate) struct Failures {
    /// The failures that no request has taken yet, the oldest first.
    queue: VecDeque<(FailureTarget, Failure)>,
    choose: Option<Arc<Choose>>,
}

impl Failures {
    pub(crate) fn push(&mut self, target: FailureTarget, failure: Failure) {
        self.queue.push_back((target, failure));
    }

    pub(crate) fn choose(
        &mut self,
        choose: impl Fn(Route, usize) -> Option<Failure> + Send + Sync + 'static,
    ) {
        self.choose = Some(Arc::new(choose));
    }

    /// Takes the oldest failure that is for `route`. If there is none, the test's closure chooses, from the route
    /// and the `number` of the request.
    pub(crate) fn take(&mut self, route: Route, number: usize) -> Option<Failure> {
        let is_target = |target: &FailureTarget| match target {
            FailureTarget::Any => true,
            FailureTarget::Calls => !route.is_auth(),
            FailureTarget::Route(only) => *only == route,
        };
        let at = self.queue.iter().position(|(target, _)| is_target(target));
        match at.and_then(|at| self.queue.remove(at)) {
            Some((_, failure)) => Some(failure),
            None => self.choose.as_ref().and_then(|choose| choose(route, number)),
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").field("queue", &self.queue).finish_non_exhaustive()
    }
}
