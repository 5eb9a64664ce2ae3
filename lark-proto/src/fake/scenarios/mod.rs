//! What every client has to get through: how the service or the connection fails, how the call ends
//! then, and how many requests it took.
//!
//! The list says nothing about the transport. A client runs a scenario in six steps:
//!
//! 1. A new [`FakeLark`], and a new client of [`app`](Scenario::app) with the [`ticket`](Scenario::ticket)
//!    and the [`limits`](Scenario::limits).
//! 2. If the scenario [`is_warm`](Scenario::is_warm), its [`call`](Scenario::call), which succeeds.
//! 3. [`prepare`](Scenario::prepare) on the fake.
//! 4. The call, in the [`tenant`](Scenario::tenant) if there is one, over something that obeys
//!    [`InFlight::breaks`](super::InFlight::breaks).
//! 5. [`check`](Scenario::check) on its result and the fake.
//! 6. If the client [`recovers`](Scenario::recovers), the fake's [`app_ticket`](FakeLark::app_ticket)
//!    given to a client of a store app, and the call once more, which succeeds.

mod list;

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::{FakeLark, Route};
use crate::code::Code;
use crate::endpoints::{PutImage, WriteSheetImage};
use crate::error::{CallError, Error, Failure};
use crate::session::{Limits, WaitFor};
use crate::values::{App, AppTicket, Image, TenantKey};

pub use list::all;

/// One scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// What happens in it.
    pub name: &'static str,
    /// The client's app.
    pub app: App,
    /// The ticket that a client of a store app is given.
    pub ticket: Option<AppTicket>,
    /// The tenant that the call is made in, for a store app.
    pub tenant: Option<TenantKey>,
    /// The client's limits.
    pub limits: Limits,
    /// What is called.
    pub call: Target,
    /// The same call is made once before it is prepared, so that there is a token.
    pub is_warm: bool,
    /// How long the call waits in all for a better moment: exactly what the service says, or what a
    /// jitter leaves of the client's own wait. [`SlowReply`](super::Break::SlowReply) comes on top.
    pub waits: RangeInclusive<Duration>,
    /// How the call ends.
    pub expected: Expected,
    /// How many requests the fake has answered then, those of a warm call among them; none to any
    /// other route.
    pub requests: Vec<(Route, usize)>,
    /// The same call succeeds afterwards. It may have to wait first.
    pub recovers: bool,
    image: Image,
    prepare: fn(&mut FakeLark),
}

/// The call of a [`Scenario`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// An upload.
    PutImage(PutImage),
    /// A cell write, which has a lane.
    WriteSheetImage(WriteSheetImage),
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// It succeeds, and the fake has the image.
    Success,
    /// It fails.
    Failure {
        /// The [path](Route::path) of the route that the error names.
        route: Cow<'static, str>,
        /// The kind of the error.
        trouble: Trouble,
    },
}

/// A [`Failure`] without what differs between transports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// [`Failure::NoApp`].
    NoApp,
    /// [`Failure::NoTenant`].
    NoTenant,
    /// [`Failure::ForeignTenant`].
    ForeignTenant,
    /// [`Failure::NoTicket`].
    NoTicket,
    /// [`Failure::Deadline`].
    Deadline,
    /// [`Failure::Queued`].
    Queued(WaitFor),
    /// [`Failure::Transport`], or [`Failure::TokenRequest`].
    Transport,
    /// [`Failure::TooLarge`].
    TooLarge,
    /// [`Failure::Lark`] with a code.
    Refused {
        /// The code.
        code: Code,
        /// The permissions that the error names.
        scopes: Vec<String>,
    },
    /// [`Failure::Lark`] with a reply that could not be read.
    Unreadable(StatusCode),
}

impl Scenario {
    /// Has the fake fail, break or refuse as the scenario says.
    pub fn prepare(&self, lark: &mut FakeLark) {
        (self.prepare)(lark);
    }

    /// Compares the call's `result` and the requests that `lark` saw with what the scenario says. An
    /// error of the service's has to bring the status and the log id of the last reply of its route.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check<T>(
        &self,
        result: Result<(), &CallError<T>>,
        lark: &FakeLark,
    ) -> Result<(), String> {
        let found = match &result {
            Ok(()) => Expected::Success,
            Err(error) => {
                Expected::Failure { route: error.route.clone(), trouble: Trouble::of(&error.kind) }
            }
        };
        self.same("the end", &self.expected, &found)?;
        let seen = |route: Option<Route>| lark.requests().iter().filter(move |r| r.route == route);
        let counts = self.requests.iter().map(|(route, _)| (*route, seen(Some(*route)).count()));
        self.same("the requests", &self.requests, &counts.collect())?;
        let listed: usize = self.requests.iter().map(|(_, count)| count).sum();
        self.same("the number of all requests", &listed, &lark.requests().len())?;
        match result.map_err(|error| (&error.route, error.lark())) {
            Ok(()) => self.same("that the image is there", &true, &self.is_stored(lark)),
            Err((_, None)) => Ok(()),
            Err((route, Some(error))) => {
                let last =
                    lark.requests().iter().rfind(|r| r.route.is_some_and(|r| r.path() == *route));
                let last = last.map(|last| (last.status, last.log_id.as_deref()));
                let status = match error {
                    Error::Api(api) => api.status,
                    Error::Unreadable(reply) => reply.status,
                };
                self.same("status and log id", &last, &Some((status, error.log_id())))
            }
        }
    }

    fn is_stored(&self, lark: &FakeLark) -> bool {
        let image = self.image.bytes();
        match &self.call {
            Target::PutImage(_) => lark.images().any(|(_, stored)| stored.bytes == image),
            Target::WriteSheetImage(_) => {
                lark.cells(FakeLark::SPREADSHEET).any(|(_, cell)| cell.bytes == image)
            }
        }
    }

    fn same<V: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        expected: &V,
        found: &V,
    ) -> Result<(), String> {
        if expected == found {
            return Ok(());
        }
        Err(format!("{}: {what}: expected {expected:?}, found {found:?}", self.name))
    }
}

impl Trouble {
    fn of<T>(failure: &Failure<T>) -> Self {
        match failure {
            Failure::NoApp => Self::NoApp,
            Failure::NoTenant => Self::NoTenant,
            Failure::ForeignTenant => Self::ForeignTenant,
            Failure::NoTicket => Self::NoTicket,
            Failure::Deadline => Self::Deadline,
            Failure::Queued(reason) => Self::Queued(*reason),
            Failure::Transport(_) | Failure::TokenRequest(_) => Self::Transport,
            Failure::TooLarge { .. } => Self::TooLarge,
            Failure::Lark(Error::Unreadable(reply)) => Self::Unreadable(reply.status),
            Failure::Lark(Error::Api(api)) => {
                let scopes = api.permission_violations.iter();
                let scopes = scopes.map(|violation| violation.scope.clone()).collect();
                Self::Refused { code: api.code, scopes }
            }
        }
    }
}
