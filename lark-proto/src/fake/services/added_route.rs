//! Endpoints that a test adds to the fake.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fake::failures::Fault;
use crate::fake::gateway::TokenKind;
use crate::fake::readers::header;
use crate::fake::readers::json::object;
use crate::fake::readers::multipart::{self, FormPart};
use crate::fake::reply::{Refusal, ReplyDraft};
use crate::fake::route::{Route, Target};
use crate::text::excerpt;

/// A request to an endpoint that a test has added; see [`FakeLark::add_route`](crate::fake::FakeLark::add_route).
#[derive(Clone, Copy)]
pub struct RouteRequest<'a> {
    pub(crate) now: SystemTime,
    pub(crate) target: &'a Target,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) token_kind: Option<TokenKind>,
}

/// Shows the route and the length of the body. The headers and the body may be secret.
impl fmt::Debug for RouteRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteRequest")
            .field("route", &self.target.route)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("token_kind", &self.token_kind)
            .finish_non_exhaustive()
    }
}

impl<'a> RouteRequest<'a> {
    /// The value in the path in place of `:name` in the pattern, decoded.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let segments = self.target.route.path().split('/');
        let mut placeholders = segments.filter_map(|segment| segment.strip_prefix(':'));
        placeholders.position(|placeholder| placeholder == name).map(|at| self.target.value(at))
    }

    /// The first value of this name in the query, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&'a str> {
        self.target.query(name)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// The media type is not JSON, or `T` cannot be read from the body as one object. The fault has the code that the
    /// service gives an unreadable body, 9499, and the reason.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        header::expect_json(self.headers).map_err(unreadable)?;
        object(self.body).map_err(unreadable)
    }

    /// The parts of a `multipart/form-data` body, in the order of the body.
    ///
    /// # Errors
    /// The media type is another one, or the body breaks a rule of RFC 7578. The fault has the code 9499 and the
    /// reason.
    pub fn form(&self) -> Result<Vec<FormPart<'a>>, Fault> {
        let boundary = multipart::boundary(self.headers).map_err(unreadable)?;
        multipart::read(self.body, &boundary).map_err(unreadable)
    }

    /// The kind of the request's token, if the fake knows the token.
    #[must_use]
    pub fn token_kind(&self) -> Option<TokenKind> {
        self.token_kind
    }

    /// The time at which the body was complete, by the clock of the test.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }
}

/// The refusal that the service gives a body that it cannot read.
fn unreadable(error: impl fmt::Display) -> Fault {
    let text = format!("Bad Request: {error}");
    Fault::code(400, 9499, excerpt(text.as_bytes(), Refusal::MAX_TEXT))
}

/// The closure of an endpoint, whose output is the whole JSON document.
type Handler = dyn Fn(&RouteRequest<'_>) -> Result<Value, Fault> + Send + Sync;

/// An endpoint that a test has added.
#[derive(Clone)]
pub(crate) struct AddedRoute {
    pub(crate) route: Route,
    pub(crate) needs_token: bool,
    handler: Arc<Handler>,
}

impl AddedRoute {
    pub(crate) fn new<R: Serialize>(
        route: Route,
        needs_token: bool,
        handler: impl Fn(&RouteRequest<'_>) -> Result<R, Fault> + Send + Sync + 'static,
    ) -> Self {
        let handler = move |request: &RouteRequest<'_>| {
            let data = serde_json::to_value(handler(request)?);
            let data = data.map_err(|error| Fault::code(500, 1, error.to_string()))?;
            Ok(json!({"code": 0, "data": data, "msg": "success"}))
        };
        Self { route, needs_token, handler: Arc::new(handler) }
    }

    /// Has the closure answer a request. `log_id` is that of the reply.
    pub(crate) fn answer(&self, request: &RouteRequest<'_>, log_id: &str) -> ReplyDraft {
        match (self.handler)(request) {
            Ok(document) => ReplyDraft::Json(document),
            Err(fault) => {
                let success = || Ok(json!({"code": 0, "data": {}, "msg": "success"}).into());
                ReplyDraft::Ready(fault.reply(success, log_id))
            }
        }
    }
}

impl fmt::Debug for AddedRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddedRoute")
            .field("route", &self.route)
            .field("needs_token", &self.needs_token)
            .finish_non_exhaustive()
    }
}
