//! The builder of a scenario: methods that set the app and the limits, prepare the fake, and state the expected result.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use crate::error::{Code, Invalid, Outcome};
use crate::fake::lark::FakeLark;
use crate::fake::route::Route;
use crate::fake::scenarios::scenario::{Expected, ExpectedError, Scenario};
use crate::fake::scenarios::scenario_call::ScenarioCall;
use crate::session::Limits;
use crate::values::{App, AppTicket, Image, TenantKey};

impl Scenario {
    /// A call that succeeds at once.
    pub(super) fn new(
        name: &'static str,
        call: ScenarioCall,
        image: Image,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            name,
            app: App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?,
            ticket: None,
            tenant: None,
            limits: Limits::default(),
            call,
            is_warm: false,
            lasts: Duration::ZERO..=Duration::ZERO,
            expected: Expected::Success,
            requests: Vec::new(),
            recovers: true,
            image,
            prepare: |_| (),
        })
    }

    /// Makes the call with this app.
    pub(super) fn with_app(self, app: App) -> Self {
        Self { app, ..self }
    }

    /// Makes the call with the store app.
    pub(super) fn store(self) -> Result<Self, Invalid> {
        Ok(Self {
            app: App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET)?,
            ticket: Some(AppTicket::new(FakeLark::APP_TICKET)?),
            tenant: Some(TenantKey::new(FakeLark::TENANT_KEY)?),
            ..self
        })
    }

    /// Makes the call once before the fake is prepared.
    pub(super) fn warm(self) -> Self {
        Self { is_warm: true, ..self }
    }

    /// Makes the call within these limits.
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Prepares the fake with this function.
    pub(super) fn prepared(self, prepare: fn(&mut FakeLark)) -> Self {
        Self { prepare, ..self }
    }

    /// States how many requests the fake answers on each route.
    pub(super) fn requests(self, requests: &[(Route, usize)]) -> Self {
        Self { requests: requests.to_vec(), ..self }
    }

    /// States how long the call lasts, in milliseconds.
    pub(super) fn lasts(self, millis: RangeInclusive<u64>) -> Self {
        let [least, most] = [*millis.start(), *millis.end()].map(Duration::from_millis);
        Self { lasts: least..=most, ..self }
    }

    /// States how the call fails. The same call succeeds afterwards.
    pub(super) fn fails(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// States how the call fails. The same call fails afterwards too.
    pub(super) fn fails_for_good(self, expected: Expected) -> Self {
        Self { expected, recovers: false, ..self }
    }
}

/// The call fails at a request to `route`.
pub(super) fn failed(outcome: Outcome, route: Route, error: ExpectedError) -> Expected {
    Expected::Failure { route: route.path().into(), error, outcome }
}

/// The call ends before its own request was sent.
pub(super) fn not_sent(route: Route, error: ExpectedError) -> Expected {
    failed(Outcome::NotSent, route, error)
}

/// The service refuses the call's own request.
pub(super) fn refused(route: Route, code: i64) -> Expected {
    failed(Outcome::Refused, route, api(code))
}

/// A refusal with this code.
pub(super) fn api(code: i64) -> ExpectedError {
    ExpectedError::Refused { code: Code(code), scopes: Vec::new() }
}

/// A reply with this HTTP status that is not JSON from the service.
pub(super) fn unreadable(http: u16) -> ExpectedError {
    ExpectedError::Unreadable(StatusCode::from_u16(http).unwrap_or(StatusCode::OK))
}
