//! The trait of an endpoint, with the types of what it tells about its requests.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};

use crate::body::{Body, Payload};
use crate::draft::Draft;
use crate::error::Error;
use crate::path::Path;
use crate::reply::Reply;
use crate::site::Site;
use crate::token::{Auth, Authorizes};

/// One of Lark's endpoints, with the values of one request. Implement it to add an endpoint that this crate
/// lacks: every adapter takes it. A single call needs no type: see [`Raw`](crate::endpoints::Raw).
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

    /// The path as the vendor documents it, with `:name` in place of each value. It names the endpoint in errors,
    /// and calls with the same route share a rate limit.
    fn route(&self) -> &str;

    /// The route with its values, and the query. See [`Path`] for values that make it invalid.
    fn path(&self) -> Path {
        Path::new(self.route())
    }

    /// The body, for endpoints that have one.
    fn payload(&self) -> Option<Payload> {
        None
    }

    /// Further headers. They cannot replace `Authorization`, `Host`, `Content-Length`, `Content-Type` and
    /// `Transfer-Encoding`: headers with these names are left out of the request.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// Whether the request may be sent again when the outcome of the first send is not known. The default follows the
    /// method: GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent by RFC 9110.
    #[doc(alias = "idempotent")]
    #[doc(alias = "retry")]
    fn resend(&self) -> Resend {
        Resend::of(&self.method())
    }

    /// Calls with the same key are sent one at a time, whatever their endpoints: a spreadsheet takes only serial
    /// writes, and its key is its token. Any text may be the key of another document. Reads have none.
    #[doc(alias = "lane")]
    #[doc(alias = "lock")]
    fn serial_key(&self) -> Option<&str> {
        None
    }

    /// The rate limit that the vendor documents.
    fn quota(&self) -> Quota {
        Quota::NONE
    }

    /// The longest reply body that is read, in bytes; by default 1 MiB.
    fn reply_limit(&self) -> u64 {
        REPLY_LIMIT
    }

    /// Reads the reply: with [`Reply::data`] at most endpoints, [`Reply::top_level`] at those that hand out tokens,
    /// [`Reply::binary`] at those that answer with a file.
    ///
    /// # Errors
    /// [`Error::Api`] with the service's code, or [`Error::Unreadable`]. The error decides whether the call sends the
    /// request again; [`Error::with_class`] tells what a code of the endpoint's own means.
    fn read(reply: &Reply) -> Result<Self::Output, Error>;
}

/// The default of [`Endpoint::reply_limit`]: 1 MiB.
pub(crate) const REPLY_LIMIT: u64 = 1024 * 1024;

/// Whether a request is idempotent: whether sending it twice has the same effect as sending it once.
///
/// It matters only after a request whose outcome is not known: the connection broke, a time-out passed, the reply has
/// status 408 or 5xx, or a code of [`Class::Busy`](crate::error::Class::Busy). A request that the service refused may
/// always be sent again. A whole reply that cannot be read, such as damaged JSON with status 200, ends the call,
/// although its outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "idempotent")]
#[doc(alias = "idempotency")]
#[doc(alias = "retry")]
pub enum Resend {
    /// The request is idempotent. That holds for a single writer: of two callers that write different values to the
    /// same cell, either one may be overwritten by the other's second send.
    Safe,
    /// The request is idempotent for this time after it was first sent: the service remembers it by a text of the
    /// caller's, such as the uuid of a message. A call whose outcome is not known ends with this time.
    SafeFor(Duration),
    /// A second send may have a second effect. The request is not sent again after an unknown outcome.
    Unsafe,
}

impl Resend {
    /// The default for a method.
    pub(crate) fn of(method: &Method) -> Self {
        if method.is_idempotent() { Self::Safe } else { Self::Unsafe }
    }
}

/// How many calls to an endpoint the vendor documents for one app in one tenant, per second and per minute.
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

    /// The calls per second, where they are documented.
    pub(crate) const fn calls_per_second(self) -> Option<u32> {
        self.second
    }

    /// The calls per minute, where they are documented.
    pub(crate) const fn calls_per_minute(self) -> Option<u32> {
        self.minute
    }
}

/// A quota of 0 would hold a call back forever.
const fn at_least_one(calls: u32) -> u32 {
    if calls == 0 { 1 } else { calls }
}

/// The requests and the results of an [`Endpoint`], for callers.
pub trait EndpointExt: Endpoint + Sized {
    /// The request with its exact bytes. It cannot fail, because the endpoint's values were checked when they were
    /// built. An endpoint with values that are not checked, such as [`Raw`](crate::endpoints::Raw), can have an invalid
    /// path: [`Path::check`] tells.
    ///
    /// `{:?}` of the request masks its token, which is a sensitive header, but [`Bytes`] prints the body. The body of a
    /// token request holds the app's secret, so do not print such a request; the [`Body`] of
    /// [`request_streamed`](Self::request_streamed) prints its length only.
    fn request(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Bytes> {
        self.request_streamed(site, token).map(Body::into_bytes)
    }

    /// The same request, with a body that is encoded while it is read. `Content-Length` is exact:
    /// Lark's edge is reported to refuse chunked uploads.
    fn request_streamed(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Body> {
        draft(self).request(site, token.authorization())
    }

    /// The result that a complete reply stands for.
    ///
    /// # Errors
    /// As [`Endpoint::read`].
    fn decode(response: Response<Bytes>) -> Result<Self::Output, Error> {
        Self::read(&Reply::new(response))
    }
}

impl<E: Endpoint> EndpointExt for E {}

/// The endpoint's request, without a site and a token.
pub(crate) fn draft<E: Endpoint>(endpoint: &E) -> Draft {
    Draft::new(endpoint.method(), endpoint.path(), endpoint.headers(), endpoint.payload())
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
    fn a_quota_counts_seconds_and_minutes_apart() {
        let calls = |quota: Quota| (quota.calls_per_second(), quota.calls_per_minute());
        assert_eq!(calls(Quota::NONE), (None, None));
        assert_eq!(calls(Quota::per_second(50)), (Some(50), None));
        assert_eq!(calls(Quota::per_minute(1000)), (None, Some(1000)));
        assert_eq!(calls(Quota::per_second(50).and_per_minute(1000)), (Some(50), Some(1000)));
        assert_eq!(calls(Quota::per_second(0).and_per_minute(0)), (Some(1), Some(1)));
    }
}
