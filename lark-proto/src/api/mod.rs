//! The trait [`Endpoint`], and the types from which any endpoint is made. The endpoints themselves are in
//! [`endpoints`](crate::endpoints), which is also the public path of these types.

mod quota;
mod raw;
mod reply;
mod request;
mod resend;
mod with_log_id;

use http::{HeaderMap, Method};

use crate::error::Error;
use crate::token::Auth;

pub use crate::body::payload::Payload;
pub use crate::path::Path;
pub use quota::Quota;
pub use raw::Raw;
pub use reply::Reply;
pub(crate) use reply::{AtMost, Record, TEXT, Text, lenient, read};
pub(crate) use request::Draft;
pub use request::EndpointExt;
pub use resend::Resend;
pub use with_log_id::WithLogId;

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
    /// are reserved: the crate or the transport sets them, and values given here are ignored. An endpoint
    /// with more than 1,000 names sends none of them.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// Whether the request may be sent again after a send whose outcome is unknown. The default follows the method:
    /// GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent by RFC 9110.
    #[doc(alias = "idempotent")]
    #[doc(alias = "retry")]
    fn resend(&self) -> Resend {
        Resend::for_method(&self.method())
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

    /// The secrets in the payload. The service may quote them, and an error of a call shows `***` in their place. The
    /// default is none.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
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
