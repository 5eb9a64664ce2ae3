//! Tests for every client: each [`Scenario`] says how the service or the connection fails, how the call ends, how long
//! it takes, and how many requests are sent.
//!
//! A scenario is the same for every transport. A client runs it in six steps:
//!
//! 1. A client of a store app gets the scenario's [`ticket`](Scenario::ticket).
//! 2. If the scenario [`is_warm`](Scenario::is_warm), its [`call`](Scenario::call) is made once, and succeeds.
//! 3. The fake is [prepared](Scenario::prepare).
//! 4. The call is made.
//! 5. Its result, and the requests that the fake has seen, are [checked](Scenario::check).
//! 6. A client of a store app gets the fake's latest [ticket](FakeLark::app_ticket), and the call is made once more: it
//!    succeeds if the client [`recovers`](Scenario::recovers).
//!
//! [`Run`] does all this but the call itself, so that a test of a client, blocking or async, is one loop:
//!
//! ```
//! use lark_proto::fake::FakeLark;
//! use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
//! # use std::convert::Infallible;
//! # use std::sync::{Arc, Mutex};
//! # use lark_proto::{CallError, Limits, Site};
//! # use lark_proto::body::Body;
//! # use lark_proto::session::{Call, Session, Step};
//! # use lark_proto::values::{AppTicket, TenantKey};
//! # struct Client(Mutex<Session>, Limits, Option<TenantKey>, Arc<Mutex<FakeLark>>);
//! # impl Client {
//! #     fn new(scenario: &Scenario, lark: &Arc<Mutex<FakeLark>>) -> Self {
//! #         let session = Session::new(Site::LARK, scenario.app.clone());
//! #         Self(Mutex::new(session), scenario.limits, scenario.tenant.clone(), lark.clone())
//! #     }
//! #     fn set_app_ticket(&self, ticket: AppTicket) {
//! #         self.0.lock().unwrap().set_app_ticket(ticket);
//! #     }
//! #     fn call(&self, target: &scenarios::Target) -> Result<(), CallError<Infallible>> {
//! #         let mut session = self.0.lock().unwrap();
//! #         let call = match &self.2 {
//! #             Some(tenant) => Call::for_tenant(tenant.clone(), target),
//! #             None => Call::new(target),
//! #         };
//! #         let (mut call, mut now) = (call.with_limits(self.1), std::time::UNIX_EPOCH);
//! #         loop {
//! #             match call.next(&mut session, now) {
//! #                 Step::Send(outgoing) => {
//! #                     let request = outgoing.request.map(Body::into_bytes);
//! #                     let parsed = call.read(self.3.lock().unwrap().handle(now, request));
//! #                     call.received(&mut session, now, parsed);
//! #                 }
//! #                 Step::Wait(time) => now += time,
//! #                 Step::Done(result) => return result,
//! #             }
//! #         }
//! #     }
//! # }
//!
//! /// The differences between the run and the scenario; none if the client
//! /// is correct.
//! fn run(scenario: &Scenario) -> Vec<String> {
//!     let lark = Arc::new(Mutex::new(FakeLark::new()));
//!     // With the scenario's app, limits and tenant. Its transport obeys
//!     // `InFlight::breaks`.
//!     let client = Client::new(scenario, &lark);
//!     let mut run = Run::new(scenario);
//!     loop {
//!         // Not in the head of the `match`, where the fake would stay locked
//!         // during the call.
//!         let next = run.next(&mut lark.lock().unwrap());
//!         match next {
//!             Next::Ticket(ticket) => client.set_app_ticket(ticket),
//!             Next::Call => run.called(&client.call(&scenario.call)),
//!             Next::Done(wrong) => return wrong,
//!         }
//!     }
//! }
//! # for name in ["first token", "rate limit as 429, with the header", "ticket refused", "no app"] {
//! #     let all = scenarios::all().unwrap();
//! #     let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
//! #     assert_eq!(run(scenario), Vec::<String>::new());
//! # }
//! ```

mod list;
mod run;

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde::de::IgnoredAny;

use super::{FakeLark, Route};
use crate::body::Payload;
use crate::endpoint::{Endpoint, Quota, Resend};
use crate::endpoints::{
    AddDimension, GetImage, PutImage, Raw, ReadCells, SendImage, WriteSheetImage,
};
use crate::error::{CallError, CallErrorKind, Code, Error, InvalidKind, Outcome, WaitFor};
use crate::path::Path;
use crate::reply::Reply;
use crate::session::Limits;
use crate::token::TenantOnly;
use crate::values::{App, AppTicket, Image, ImageFormat, TenantKey};

pub use list::all;
pub use run::{Next, Run};

/// One scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// The name of the scenario: a few words that say what happens. No other scenario in the list has it.
    pub name: &'static str,
    /// The client's app.
    pub app: App,
    /// The ticket that a client of a store app is given first.
    pub ticket: Option<AppTicket>,
    /// The tenant that the call is made for, with a store app.
    pub tenant: Option<TenantKey>,
    /// The client's limits.
    pub limits: Limits,
    /// The endpoint that is called.
    pub call: Target,
    /// The call is made once before the fake is prepared, so that the client has a token.
    pub is_warm: bool,
    /// How long the call lasts where only waits and [`SlowReply`](super::Break::SlowReply) take time, as on a virtual
    /// clock. It is a range where the client's own backoff has jitter. The recovery (step 6) may take some time too.
    pub lasts: RangeInclusive<Duration>,
    /// How the call ends.
    pub expected: Expected,
    /// How many requests the fake has answered on each route when the call ends, including those of a warm call. Routes
    /// that are not listed have none.
    pub requests: Vec<(Route, usize)>,
    /// Whether the same call succeeds afterwards.
    pub recovers: bool,
    image: Image,
    prepare: fn(&mut FakeLark),
}

/// The endpoint that a [`Scenario`] calls. It is an [`Endpoint`] itself, with the output `()`, so that a client can
/// call it without a `match`.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a scenario has one, and the list is short")]
#[non_exhaustive]
pub enum Target {
    /// An upload, which may be sent again.
    PutImage(PutImage),
    /// A cell write, which has a lane and may be sent again.
    WriteSheetImage(WriteSheetImage),
    /// A download, which may be sent again and has a limit of its own for the reply.
    GetImage(GetImage),
    /// A message, which may be sent again because it has a uuid.
    SendImage(SendImage),
    /// A read of cells, whose path is percent-encoded.
    ReadCells(ReadCells),
    /// Added rows, which have a lane and must not be sent again once they may have been added.
    AddDimension(AddDimension),
    /// An upload that must not be sent again once it may have been carried out.
    Unsafe(Raw<IgnoredAny>),
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// It succeeds, and the fake has the image, the one message with the image, or the rows that were added.
    Success,
    /// It fails.
    Failure {
        /// The [path](Route::path) of the route that the error names.
        route: Cow<'static, str>,
        /// The kind of the error.
        trouble: Trouble,
        /// Whether the call's own request may have been carried out.
        outcome: Outcome,
    },
}

/// The kind of a [`CallErrorKind`], without the error of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
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
struct Ended {
    how: Expected,
    /// The status and the log id of the service's error.
    reply: Option<(StatusCode, Option<String>)>,
}

impl Scenario {
    /// Queues the scenario's faults and breaks in the fake, and revokes what the scenario revokes.
    pub fn prepare(&self, lark: &mut FakeLark) {
        (self.prepare)(lark);
    }

    /// Compares the `result` of the call and the requests that `lark` has answered with the scenario. An error of the
    /// service has to carry the status and the log id of the last reply on its route.
    ///
    /// # Errors
    /// A text that names the first difference.
    pub fn check<T>(
        &self,
        result: &Result<(), CallError<T>>,
        lark: &FakeLark,
    ) -> Result<(), String> {
        self.compare(&Ended::of(result), lark)
    }

    fn compare(&self, ended: &Ended, lark: &FakeLark) -> Result<(), String> {
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
            Target::PutImage(_) | Target::GetImage(_) | Target::Unsafe(_) => {
                lark.images().any(|(_, stored)| stored.bytes == image)
            }
            Target::ReadCells(_) => true,
            Target::AddDimension(_) => {
                let sheet = lark.sheet(FakeLark::SPREADSHEET, FakeLark::SHEET);
                sheet.is_some_and(|sheet| sheet.grid().0 > 200)
            }
            Target::WriteSheetImage(_) => {
                lark.cells(FakeLark::SPREADSHEET).any(|(_, cell)| cell.bytes == image)
            }
            Target::SendImage(_) => {
                let stored = |key: &str| lark.image(key).map(|stored| &stored.bytes);
                let keys = lark.messages().map(|message| &message.image_key);
                keys.filter(|key| stored(key) == Some(image)).count() == 1
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

/// Asks the endpoint in a target for one of its properties.
macro_rules! ask {
    ($target:ident, $property:ident) => {
        match $target {
            Target::PutImage(call) => Endpoint::$property(call),
            Target::WriteSheetImage(call) => Endpoint::$property(call),
            Target::GetImage(call) => Endpoint::$property(call),
            Target::SendImage(call) => Endpoint::$property(call),
            Target::ReadCells(call) => Endpoint::$property(call),
            Target::AddDimension(call) => Endpoint::$property(call),
            Target::Unsafe(call) => Endpoint::$property(call),
        }
    };
}

impl Endpoint for Target {
    type Auth = TenantOnly;
    type Output = ();

    fn method(&self) -> Method {
        ask!(self, method)
    }

    fn route(&self) -> &str {
        ask!(self, route)
    }

    fn path(&self) -> Path {
        ask!(self, path)
    }

    fn payload(&self) -> Option<Payload> {
        ask!(self, payload)
    }

    fn headers(&self) -> HeaderMap {
        ask!(self, headers)
    }

    fn resend(&self) -> Resend {
        ask!(self, resend)
    }

    fn serial_key(&self) -> Option<&str> {
        ask!(self, serial_key)
    }

    fn quota(&self) -> Quota {
        ask!(self, quota)
    }

    fn reply_limit(&self) -> u64 {
        ask!(self, reply_limit)
    }

    /// Accepts a picture, and any success whose reply has `data`.
    fn read(reply: &Reply) -> Result<(), Error> {
        if ImageFormat::sniff(reply.body()).is_some() {
            return GetImage::read(reply).map(drop);
        }
        reply.data::<IgnoredAny>().map(drop)
    }
}

impl Ended {
    fn of<T>(result: &Result<(), CallError<T>>) -> Self {
        match result {
            Ok(()) => Self { how: Expected::Success, reply: None },
            Err(error) => Self {
                how: Expected::Failure {
                    route: error.route.clone(),
                    trouble: Trouble::of(&error.kind),
                    outcome: error.outcome(),
                },
                reply: error.lark().map(|e| (e.status(), e.log_id().map(str::to_owned))),
            },
        }
    }
}

impl Trouble {
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
