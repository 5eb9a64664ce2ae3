//! Endpoints that a test adds to the fake.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::json::object;
use super::route::Target;
use super::{Fault, FormPart, Route, TokenKind, header, multipart};

/// A request to an endpoint that a test has added with [`FakeLark::add_route`](super::FakeLark::add_route).
#[derive(Clone, Copy, Debug)]
pub struct RouteRequest<'a> {
    pub(super) now: SystemTime,
    pub(super) target: &'a Target,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) token_kind: Option<TokenKind>,
}

impl<'a> RouteRequest<'a> {
    /// The value in the path where the pattern has `:name`, decoded.
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
    /// The media type is not JSON, or the body is not an object that `T` can be read from: the fault is the refusal
    /// that the service gives a body that it cannot read, code 9499, with the reason.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        header::expect_json(self.headers).map_err(unreadable)?;
        object(self.body).map_err(unreadable)
    }

    /// The parts of a `multipart/form-data` body, in their order.
    ///
    /// # Errors
    /// The media type is another one, or the body breaks a rule of RFC 7578: the fault is code 9499, with the reason.
    pub fn form(&self) -> Result<Vec<FormPart<'a>>, Fault> {
        let boundary = multipart::boundary(self.headers).map_err(unreadable)?;
        multipart::read(self.body, &boundary).map_err(unreadable)
    }

    /// Whose token the request has, if the fake knows the token.
    #[must_use]
    pub fn token_kind(&self) -> Option<TokenKind> {
        self.token_kind
    }

    /// The time at which the body was complete.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }
}

/// The refusal that the service gives a body that it cannot read.
fn unreadable(error: impl fmt::Display) -> Fault {
    Fault::code(400, 9499, format!("Bad Request: {error}"))
}

/// The answer of an endpoint that a test has added.
type Handler = dyn Fn(&RouteRequest<'_>) -> Result<Value, Fault> + Send + Sync;

/// An endpoint that a test has added.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) route: Route,
    pub(super) needs_token: bool,
    handler: Arc<Handler>,
}

impl Own {
    pub(super) fn new<R: Serialize>(
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

    pub(super) fn answer(&self, request: &RouteRequest<'_>) -> Result<Value, Fault> {
        (self.handler)(request)
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("route", &self.route)
            .field("needs_token", &self.needs_token)
            .finish_non_exhaustive()
    }
}
