//! A scenario, and how its call ends.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::scenario_call::ScenarioCall;
use crate::error::{CallError, CallErrorKind, Code, Error, InvalidKind, Outcome, WaitFor};
use crate::fake::lark::FakeLark;
use crate::fake::route::Route;
use crate::session::Limits;
use crate::values::{App, AppTicket, Image, TenantKey};

/// A test that every client should pass.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// The name of the scenario, which is the rule that it tests. No two scenarios have the same name.
    pub name: &'static str,
    /// The client's app.
    pub app: App,
    /// The ticket that the client of a store app gets first.
    pub ticket: Option<AppTicket>,
    /// The tenant that the call is made for, with a store app.
    pub tenant: Option<TenantKey>,
    /// The client's limits.
    pub limits: Limits,
    /// The endpoint that is called.
    pub call: ScenarioCall,
    /// Whether the call is made once before the fake is prepared, so that the client has a token.
    pub is_warm: bool,
    /// How long the call lasts on a virtual clock, on which only waits and
    /// [`SlowReply`](crate::fake::ConnectionFault::SlowReply) take time. It is a range because the client's backoff has
    /// jitter. The second call (step 6) is not included.
    pub lasts: RangeInclusive<Duration>,
    /// How the call ends.
    pub expected: Expected,
    /// How many requests the fake has answered on each route when the call ends, including those of the warm call. A
    /// route that is not listed has none.
    pub requests: Vec<(Route, usize)>,
    /// Whether the same call succeeds afterwards.
    pub recovers: bool,
    /// The image that the call writes or reads.
    pub(super) image: Image,
    pub(super) prepare: fn(&mut FakeLark),
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The call succeeds, and the fake has the image, exactly one message with the image, or the added rows.
    Success,
    /// The call fails.
    Failure {
        /// The [path](Route::path) of the route that the error names.
        route: Cow<'static, str>,
        /// The kind of the error.
        error: ExpectedError,
        /// Whether the call's own request may have been carried out.
        outcome: Outcome,
    },
}

/// The kind of a [`CallErrorKind`], without the error of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedError {
    /// [`CallErrorKind::Invalid`].
    Invalid(InvalidKind),
    /// [`CallErrorKind::NoApp`].
    NoApp,
    /// [`CallErrorKind::NoTenant`].
    NoTenant,
    /// [`CallErrorKind::ForeignTenant`].
    ForeignTenant,
    /// [`CallErrorKind::NoTicket`].
    NoTicket,
    /// [`CallErrorKind::Deadline`].
    Deadline,
    /// [`CallErrorKind::Queued`].
    Queued(WaitFor),
    /// [`CallErrorKind::Transport`], or [`CallErrorKind::TokenRequest`].
    Transport,
    /// [`CallErrorKind::TooLarge`].
    TooLarge,
    /// [`CallErrorKind::Lark`] with a code.
    Refused {
        /// The code.
        code: Code,
        /// The permissions that the error names.
        scopes: Vec<String>,
    },
    /// [`CallErrorKind::Lark`] with a reply that could not be read.
    Unreadable(StatusCode),
}

/// The end of a call, without the transport's type.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: Expected,
    /// The status and the log id of the service's error.
    reply: Option<(StatusCode, Option<String>)>,
}

impl Scenario {
    /// Prepares the fake: adds images, queues failures, and revokes tokens.
    pub fn prepare(&self, lark: &mut FakeLark) {
        (self.prepare)(lark);
    }

    /// Compares the `result` of the call and the requests that `lark` has answered with the scenario. An error of the
    /// service must have the HTTP status and the log id of the last reply on its route.
    ///
    /// # Errors
    /// The text names the first difference.
    pub fn check<T>(
        &self,
        result: &Result<(), CallError<T>>,
        lark: &FakeLark,
    ) -> Result<(), String> {
        self.compare(&Ended::of(result), lark)
    }

    pub(super) fn compare(&self, ended: &Ended, lark: &FakeLark) -> Result<(), String> {
        self.same("the end", &self.expected, &ended.how)?;
        let counts = self.requests.iter().map(|(route, _)| (*route, lark.count(*route)));
        self.same("the requests", &self.requests, &counts.collect())?;
        let listed: usize = self.requests.iter().map(|(_, count)| count).sum();
        self.same("the number of all requests", &listed, &lark.requests().len())?;
        let Expected::Failure { route, .. } = &ended.how else {
            return self.same("the image is stored", &true, &self.is_stored(lark));
        };
        let Some(reply) = &ended.reply else { return Ok(()) };
        let mut seen = lark.requests().iter().rev();
        let last = seen.find(|seen| seen.route.is_some_and(|of| of.path() == *route));
        let last = last.map(|last| (last.status, last.log_id.clone()));
        self.same("status and log id", &last.as_ref(), &Some(reply))
    }

    fn is_stored(&self, lark: &FakeLark) -> bool {
        let image = self.image.bytes();
        match &self.call {
            ScenarioCall::PutImage(_) | ScenarioCall::GetImage(_) | ScenarioCall::Unsafe(_) => {
                lark.images().any(|(_, stored)| stored.bytes == image)
            }
            ScenarioCall::ReadCells(_) => true,
            ScenarioCall::AddDimension(_) => {
                let sheet = lark.sheet(FakeLark::SPREADSHEET, FakeLark::SHEET);
                sheet.is_some_and(|sheet| sheet.grid().0 > 200)
            }
            ScenarioCall::WriteSheetImage(_) => {
                lark.cells(FakeLark::SPREADSHEET).any(|(_, cell)| cell.bytes == image)
            }
            ScenarioCall::SendImage(_) => {
                let stored = |key: &str| lark.image(key).map(|stored| &stored.bytes);
                let keys = lark.messages().map(|message| &message.image_key);
                keys.filter(|key| stored(key) == Some(image)).count() == 1
            }
        }
    }

    fn same<V: PartialEq + fmt::Debug>(
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

impl Ended {
    pub(super) fn of<T>(result: &Result<(), CallError<T>>) -> Self {
        match result {
            Ok(()) => Self { how: Expected::Success, reply: None },
            Err(error) => Self {
                how: Expected::Failure {
                    route: error.route.clone(),
                    error: ExpectedError::of(&error.kind),
                    outcome: error.outcome(),
                },
                reply: error.lark().map(|e| (e.status(), e.log_id().map(str::to_owned))),
            },
        }
    }
}

impl ExpectedError {
    fn of<T>(failure: &CallErrorKind<T>) -> Self {
        match failure {
            CallErrorKind::Invalid(invalid) => Self::Invalid(invalid.kind()),
            CallErrorKind::NoApp => Self::NoApp,
            CallErrorKind::NoTenant => Self::NoTenant,
            CallErrorKind::ForeignTenant => Self::ForeignTenant,
            CallErrorKind::NoTicket => Self::NoTicket,
            CallErrorKind::Deadline => Self::Deadline,
            CallErrorKind::Queued(reason) => Self::Queued(*reason),
            CallErrorKind::Transport(_) | CallErrorKind::TokenRequest(_) => Self::Transport,
            CallErrorKind::TooLarge { .. } => Self::TooLarge,
            CallErrorKind::Lark(Error::Unreadable(reply)) => Self::Unreadable(reply.status),
            CallErrorKind::Lark(Error::Api(api)) => {
                let scopes = api.permission_violations.iter();
                let scopes = scopes.map(|violation| violation.scope.clone()).collect();
                Self::Refused { code: api.code, scopes }
            }
        }
    }
}
