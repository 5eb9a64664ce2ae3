//! Failures that a test asks for.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::fake::reply::{Answer, Detail, Refusal, Reply};

/// The answer to a request in place of its own.
///
/// A request that fails so is not carried out, except with [`TruncatedJson`](Self::TruncatedJson). A request
/// that is framed wrongly gets the edge's page all the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// A JSON refusal; the service sends most codes with 200 or 400, a few with 401, 403, 429, 5xx.
    Code {
        /// The HTTP status.
        status: StatusCode,
        /// `code` in the body, such as 99991663 or 90235.
        code: i64,
        /// `msg` in the body.
        msg: Cow<'static, str>,
    },
    /// The gateway's rate limit, code 99991400: documented with status 429, and 400 on older APIs.
    RateLimited {
        /// The HTTP status.
        status: StatusCode,
        /// The value of `x-ogw-ratelimit-reset`, documented as seconds and sent unchanged if a header can hold
        /// it; `x-ogw-ratelimit-limit: 100` comes with it. `None` sends neither header.
        reset: Option<String>,
    },
    /// The gateway's refusal of an app that lacks a scope, code 99991672 with HTTP 400: any one of
    /// these scopes suffices. They come as `error.permission_violations` in the form seen live.
    Permission(Vec<Cow<'static, str>>),
    /// The HTML page of the edge, seen with 400 for malformed uploads and 502 after a minute.
    EdgeHtml(StatusCode),
    /// HTTP 404 in plain text, as for a route that does not exist.
    PlainNotFound,
    /// The request is carried out, and the second half of the reply's body is lost.
    TruncatedJson,
    /// Any other reply. [`Fault::from`] makes it from a response.
    Reply(Box<Response<Bytes>>),
}

impl From<Response<Bytes>> for Fault {
    fn from(response: Response<Bytes>) -> Self {
        Self::Reply(Box::new(response))
    }
}

impl Fault {
    /// A JSON refusal with this HTTP status. The service sends most codes with 200 or 400. A number that is no status
    /// stands for 500.
    #[must_use]
    pub fn code(status: u16, code: i64, msg: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Code { status, code, msg: msg.into() }
    }

    /// The gateway's rate limit, which names this time until the next request is allowed.
    #[must_use]
    pub fn rate_limited(seconds: u32) -> Self {
        let reset = Some(seconds.to_string());
        Self::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset }
    }

    /// The reply; only a failure after the fact asks for the request's true `outcome`.
    pub(crate) fn reply(
        self,
        outcome: impl FnOnce() -> Result<Answer, Refusal>,
        log_id: &str,
    ) -> Reply {
        match self {
            Self::Code { status, code, msg } => {
                Reply::refused(Refusal { status, code, msg, detail: Detail::None }, log_id)
            }
            Self::RateLimited { status, reset } => {
                let headers = |reset| Detail::RateLimit { limit: 100, reset };
                let detail = reset.map_or(Detail::None, headers);
                Reply::refused(Refusal::rate_limited(status, detail), log_id)
            }
            Self::Permission(scopes) => Reply::permission(&scopes, log_id),
            Self::EdgeHtml(status) => Reply::edge(status),
            Self::PlainNotFound => Reply::not_found(),
            Self::TruncatedJson => Reply::of(outcome(), log_id).truncated(),
            Self::Reply(response) => Reply { code: None, response: *response },
        }
    }
}
