//! The failures that a test asks for.

mod fault;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::fault::Fault;

use super::route::Route;

/// A failure of one request, as [`FakeLark::fail_next`](crate::fake::FakeLark::fail_next) takes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The service answers something else.
    Fault(Fault),
    /// The connection fails.
    Break(Break),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Break> for Failure {
    fn from(how: Break) -> Self {
        Self::Break(how)
    }
}

/// How the connection that carries a request fails.
///
/// The fake has no connections: the server or the transport around it asks
/// [`InFlight::breaks`](crate::fake::InFlight::breaks) when the head has arrived, and obeys.
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
    /// The request is carried out, and its reply is held back for this time, during which a write occupies its
    /// spreadsheet.
    SlowReply(Duration),
}

/// The requests that a failure is meant for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meant {
    Any,
    /// Any but the requests that fetch a token.
    Calls,
    Route(Route),
}

/// Chooses the failure of a request from its route and its number on the route.
type Choose = dyn Fn(Route, usize) -> Option<Failure> + Send + Sync;

/// The failures that a test asks for.
#[derive(Clone, Default)]
pub(crate) struct Failures {
    /// The failures that no request has taken so far, the oldest first.
    queue: VecDeque<(Meant, Failure)>,
    choose: Option<Arc<Choose>>,
}

impl Failures {
    pub(crate) fn push(&mut self, meant: Meant, failure: Failure) {
        self.queue.push_back((meant, failure));
    }

    pub(crate) fn choose(
        &mut self,
        choose: impl Fn(Route, usize) -> Option<Failure> + Send + Sync + 'static,
    ) {
        self.choose = Some(Arc::new(choose));
    }

    /// Takes the oldest failure that is meant for `route`. Without one, the failure is chosen from the request's
    /// `number` on the route.
    pub(crate) fn take(&mut self, route: Route, number: usize) -> Option<Failure> {
        let is_meant = |meant: &Meant| match meant {
            Meant::Any => true,
            Meant::Calls => !route.is_auth(),
            Meant::Route(only) => *only == route,
        };
        let at = self.queue.iter().position(|(meant, _)| is_meant(meant));
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
