//! Replies that a test asks for in place of the service's.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::fake::reply::{Detail, Refusal, Reply, ReplyDraft};

/// A reply in place of the service's.
///
/// The request is not carried out, except with [`TruncatedJson`](Self::TruncatedJson). A request whose body is framed
/// wrongly gets the page of the edge in place of the fault.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// A JSON refusal. The service sends most codes with 200 or 400, and a few with 401, 403, 429 or 5xx.
    Code {
        /// The HTTP status.
        status: StatusCode,
        /// `code` in the body, for example 99991663 or 90235.
        code: i64,
        /// `msg` in the body.
        msg: Cow<'static, str>,
    },
    /// The gateway's rate limit, code 99991400. It is documented with HTTP 429, and with 400 for older APIs.
    RateLimited {
        /// The HTTP status.
        status: StatusCode,
        /// The value of `x-ogw-ratelimit-reset`, which is documented as seconds. It is sent unchanged if a header can
        /// hold it, together with `x-ogw-ratelimit-limit: 100`. `None` sends neither header.
        reset: Option<String>,
    },
    /// The gateway's refusal of an app that lacks a scope, code 99991672 with HTTP 400. Any one of these scopes would
    /// suffice. `error.permission_violations` lists them, in the form seen live.
    Permission(Vec<Cow<'static, str>>),
    /// The HTML page of the edge. It was seen with 400 for malformed uploads, and with 502 after a minute.
    EdgeHtml(StatusCode),
    /// HTTP 404 in plain text, as for a route that does not exist.
    PlainNotFound,
    /// The request is carried out, and the reply has only the first half of its body.
    TruncatedJson,
    /// Any other reply. [`Fault::from`] makes it from a response.
    Reply(Box<Response<Bytes>>),
}

/// Shows the status and the length of a [`Fault::Reply`], whose body may hold a token.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { status, code, msg } => f
                .debug_struct("Code")
                .field("status", status)
                .field("code", code)
                .field("msg", msg)
                .finish(),
            Self::RateLimited { status, reset } => {
                f.debug_struct("RateLimited").field("status", status).field("reset", reset).finish()
            }
            Self::Permission(scopes) => f.debug_tuple("Permission").field(scopes).finish(),
            Self::EdgeHtml(status) => f.debug_tuple("EdgeHtml").field(status).finish(),
            Self::PlainNotFound => f.write_str("PlainNotFound"),
            Self::TruncatedJson => f.write_str("TruncatedJson"),
            Self::Reply(reply) => {
                write!(f, "Reply({}, {} bytes)", reply.status(), reply.body().len())
            }
        }
    }
}

impl From<Response<Bytes>> for Fault {
    fn from(response: Response<Bytes>) -> Self {
        Self::Reply(Box::new(response))
    }
}

impl Fault {
    /// A JSON refusal with this HTTP status. The service sends most codes with 200 or 400. A number that is not an HTTP
    /// status is replaced by 500.
    #[must_use]
    pub fn code(status: u16, code: i64, msg: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Code { status, code, msg: msg.into() }
    }

    /// The gateway's rate limit with HTTP 429, which names the seconds until the next request is allowed.
    #[must_use]
    pub fn rate_limited(seconds: u32) -> Self {
        let reset = Some(seconds.to_string());
        Self::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset }
    }

    /// The reply. `outcome` carries the request out. It is called only for [`TruncatedJson`](Self::TruncatedJson).
    pub(crate) fn reply(
        self,
        outcome: impl FnOnce() -> Result<ReplyDraft, Refusal>,
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
