//! The trait [`Endpoint`], and the types [`Resend`] and [`Quota`] of its properties.

use std::time::Duration;

use http::{HeaderMap, Method};

use crate::body::Payload;
use crate::error::Error;
use crate::path::Path;
use crate::reply::Reply;
use crate::token::Auth;

/// One of Lark's endpoints, with the values of one request. Implement this trait to add an endpoint that this crate
/// lacks. Every adapter accepts the new type. For a single call, use [`Raw`](crate::endpoints::Raw), which needs no new
/// type.
///
/// ```
/// use http::Method;
/// use lark_proto::endpoints::{Endpoint, EndpointExt, Path, Reply};
/// use lark_proto::token::TenantOrUser;
/// use lark_proto::{Error, Invalid, Site, UserToken};
///
/// /// Turns a wiki node's token into the document behind it.
/// struct GetNode(String);
///
/// #[derive(serde::Deserialize)]
/// struct Found { node: Node }
/// #[derive(serde::Deserialize)]
/// struct Node { obj_type: String, obj_token: String }
///
/// impl Endpoint for GetNode {
///     type Auth = TenantOrUser;
///     type Output = Node;
///
///     fn method(&self) -> Method {
///         Method::GET
///     }
///     fn route(&self) -> &str {
///         "/open-apis/wiki/v2/spaces/get_node"
///     }
///     fn path(&self) -> Path {
///         Path::new(self.route()).query("token", &self.0)
///     }
///     fn read(reply: &Reply) -> Result<Node, Error> {
///         Ok(reply.data::<Found>()?.node)
///     }
/// }
///
/// let token = UserToken::new("u-0")?;
/// let request = GetNode("wikcnX".into()).request(&Site::FEISHU, &token);
/// let path = "/open-apis/wiki/v2/spaces/get_node?token=wikcnX";
/// assert_eq!(request.uri().path_and_query().unwrap(), path);
/// # Ok::<(), Invalid>(())
/// ```
pub trait Endpoint {
    /// The tokens that the endpoint accepts: [`TenantOnly`](crate::token::TenantOnly),
    /// [`TenantOrUser`](crate::token::TenantOrUser) or [`NoAuth`](crate::token::NoAuth).
    type Auth: Auth;
    /// The result of a success.
    type Output;

    /// The HTTP method.
    fn method(&self) -> Method;

    /// The path as the vendor documents it, with `:name` in place of each value. Errors name the endpoint by its route,
    /// and calls with the same route share a rate limit.
    fn route(&self) -> &str;

    /// The route with its values, and the query. [`Path`] documents the values that make it invalid.
    fn path(&self) -> Path {
        Path::new(self.route())
    }

    /// The body, if the request has one.
    fn payload(&self) -> Option<Payload> {
        None
    }

    /// Additional headers. The names `Authorization`, `Host`, `Content-Length`, `Content-Type` and `Transfer-Encoding`
    /// are reserved: the request sets them itself and ignores the values given here.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// Whether the request may be sent again after a send whose outcome is unknown. The default follows the method:
    /// GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent by RFC 9110.
    #[doc(alias = "idempotent")]
    #[doc(alias = "retry")]
    fn resend(&self) -> Resend {
        Resend::of(&self.method())
    }

    /// The key of calls that must not overlap. A session never has two calls with the same key in flight, whatever
    /// their endpoints. A spreadsheet takes only serial writes, so a write has the token of its spreadsheet as its key.
    /// For another document, any text may be the key. Reads have none.
    #[doc(alias = "lane")]
    #[doc(alias = "lock")]
    fn serial_key(&self) -> Option<&str> {
        None
    }

    /// The rate limit that the vendor documents. The default is none.
    fn quota(&self) -> Quota {
        Quota::NONE
    }

    /// The maximum length of the reply's body in bytes. The default is 1 MiB.
    fn reply_limit(&self) -> u64 {
        REPLY_LIMIT
    }

    /// Reads the reply. Most endpoints use [`Reply::data`], an endpoint that issues tokens [`Reply::top_level`], an
    /// endpoint that answers with a file [`Reply::binary`].
    ///
    /// # Errors
    /// [`Error::Api`] with the service's code, or [`Error::Unreadable`]. The error decides whether the call sends the
    /// request again. [`Error::with_class`] gives a meaning to a code that only this endpoint has.
    fn read(reply: &Reply) -> Result<Self::Output, Error>;
}

/// The default of [`Endpoint::reply_limit`]: 1 MiB.
pub(crate) const REPLY_LIMIT: u64 = 1024 * 1024;

/// Whether a request is idempotent: whether sending it twice has the same effect as sending it once.
///
/// This matters only after a send whose outcome is unknown: the connection broke, a timeout passed, or the reply has
/// status 408 or 5xx or a code of [`Class::Busy`](crate::error::Class::Busy). A request that the service refused may be
/// sent again in any case. A complete reply that cannot be read, such as damaged JSON with status 200, ends the call,
/// although its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "idempotent")]
#[doc(alias = "idempotency")]
#[doc(alias = "retry")]
pub enum Resend {
    /// The request is idempotent, as long as there is a single writer. If two callers write different values to the
    /// same cell, a second send of either call may overwrite the value of the other.
    Safe,
    /// The request is idempotent for this time after its first send: the service recognises it by a text of the caller,
    /// such as the uuid of a message. A call whose outcome is still unknown ends when this time is over.
    SafeFor(Duration),
    /// The request is not idempotent: a second send may have a second effect. After an unknown outcome the request is
    /// not sent again.
    Unsafe,
}

impl Resend {
    /// The default for a request with this method.
    pub(crate) fn of(method: &Method) -> Self {
        if method.is_idempotent() { Self::Safe } else { Self::Unsafe }
    }
}

/// The documented quota of an endpoint: the calls of one app in one tenant, per second and per minute.
///
/// ```
/// use lark_proto::endpoints::Quota;
///
/// const SEARCH: Quota = Quota::per_second(50).and_per_minute(1000);
/// assert_ne!(SEARCH, Quota::per_minute(1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "rate_limit")]
#[doc(alias = "qps")]
pub struct Quota {
    second: Option<u32>,
    minute: Option<u32>,
}

impl Quota {
    /// No documented quota.
    pub const NONE: Self = Self { second: None, minute: None };

    /// `calls` per second. 0 counts as 1.
    #[must_use]
    pub const fn per_second(calls: u32) -> Self {
        Self { second: Some(at_least_one(calls)), ..Self::NONE }
    }

    /// `calls` per minute. 0 counts as 1.
    #[must_use]
    pub const fn per_minute(calls: u32) -> Self {
        Self::NONE.and_per_minute(calls)
    }

    /// The same quota with at most `calls` per minute. 0 counts as 1.
    #[must_use]
    pub const fn and_per_minute(self, calls: u32) -> Self {
        Self { minute: Some(at_least_one(calls)), ..self }
    }

    /// The calls per second, if the quota limits them.
    pub(crate) const fn calls_per_second(self) -> Option<u32> {
        self.second
    }

    /// The calls per minute, if the quota limits them.
    pub(crate) const fn calls_per_minute(self) -> Option<u32> {
        self.minute
    }
}

/// A quota of 0 would delay a call forever.
const fn at_least_one(calls: u32) -> u32 {
    if calls == 0 { 1 } else { calls }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::NoAuth;

    /// An endpoint that overrides nothing.
    struct Plain(Method);

    impl Endpoint for Plain {
        type Auth = NoAuth;
        type Output = ();

        fn method(&self) -> Method {
            self.0.clone()
        }

        fn route(&self) -> &str {
            "/plain"
        }

        fn read(reply: &Reply) -> Result<(), Error> {
            reply.ok()
        }
    }

    #[test]
    fn a_resend_is_safe_by_default_where_the_method_is_idempotent() {
        let safe = |method| Plain(method).resend() == Resend::Safe;
        assert_eq!(
            [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST, Method::PATCH]
                .map(safe),
            [true, true, true, true, false, false]
        );
    }

    #[test]
    fn a_quota_limits_the_calls_per_second_and_per_minute_separately() {
        let calls = |quota: Quota| (quota.calls_per_second(), quota.calls_per_minute());
        assert_eq!(calls(Quota::NONE), (None, None));
        assert_eq!(calls(Quota::per_second(50)), (Some(50), None));
        assert_eq!(calls(Quota::per_minute(1000)), (None, Some(1000)));
        assert_eq!(calls(Quota::per_second(50).and_per_minute(1000)), (Some(50), Some(1000)));
        assert_eq!(calls(Quota::per_second(0).and_per_minute(0)), (Some(1), Some(1)));
    }
}
