//! An endpoint: what makes a request of it and a result of the reply.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};

use crate::body::Body;
use crate::error::Error;
use crate::path::Path;
use crate::reply::Reply;
use crate::retry::Repeat;
use crate::site::Site;
use crate::token::{Auth, Authorizes};

/// One of Lark's endpoints, with the values of one request. Small and without generics: implement it to
/// add an endpoint that this crate lacks; every adapter then takes it.
///
/// ```
/// use lark_proto::*;
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
///     const METHOD: http::Method = http::Method::GET;
///     const ROUTE: &'static str = "/open-apis/wiki/v2/spaces/get_node";
///
///     fn path(&self) -> Path {
///         Path::of(Self::ROUTE).query("token", &self.0)
///     }
///     fn read(reply: &Reply) -> Result<Node, Error> {
///         Ok(reply.data::<Found>()?.node)
///     }
/// }
///
/// let token = UserToken::new("u-0")?;
/// let request = GetNode("wikcnX".into()).request(&Site::FEISHU, &token);
/// assert_eq!(request.uri(), "https://open.feishu.cn/open-apis/wiki/v2/spaces/get_node?token=wikcnX");
/// # Ok::<(), Invalid>(())
/// ```
pub trait Endpoint {
    /// The tokens it accepts: [`TenantOnly`](crate::TenantOnly), [`TenantOrUser`](crate::TenantOrUser)
    /// or [`NoAuth`](crate::NoAuth).
    type Auth: Auth;
    /// What a success gives.
    type Output;
    /// The HTTP method.
    const METHOD: Method;
    /// The path as the vendor documents it, with `:name` where a value goes; names the endpoint in
    /// errors.
    const ROUTE: &'static str;

    /// The route with its values.
    fn path(&self) -> Path {
        Path::of(Self::ROUTE)
    }

    /// The body, for endpoints that have one.
    fn payload(&self) -> Option<Payload> {
        None
    }

    /// Whether a second send is harmless. A safe method's is; for others say so where it holds.
    fn repeat(&self) -> Repeat {
        if Self::METHOD.is_safe() { Repeat::Harmless } else { Repeat::Forbidden }
    }

    /// Calls with the same lane go one after the other: a spreadsheet takes only serial writes. Reads have
    /// none.
    fn lane(&self) -> Option<&str> {
        None
    }

    /// Reads the reply: [`Reply::data`] for most endpoints, [`Reply::flat`] for those that hand out tokens.
    ///
    /// # Errors
    /// [`Error::Api`] with the service's code, or [`Error::Unreadable`].
    fn read(reply: &Reply) -> Result<Self::Output, Error>;
}

/// A body and its media type.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The `Content-Type`.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Body,
}

impl Payload {
    /// JSON text, with the content type that Lark documents as a fixed value.
    #[must_use]
    pub fn json(text: impl Into<Body>) -> Self {
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        Self { content_type, body: text.into() }
    }
}

/// What callers do with an [`Endpoint`].
pub trait EndpointExt: Endpoint + Sized {
    /// The request with its exact bytes. It cannot fail: what could be wrong was refused when the
    /// endpoint's values were built.
    fn request(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Bytes> {
        self.request_streamed(site, token).map(Body::into_bytes)
    }

    /// The same request, with a body that is encoded while it is read. `Content-Length` is exact:
    /// Lark's edge is reported to refuse chunked uploads.
    fn request_streamed(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Body> {
        request(self, site, token.authorization(), self.payload())
    }

    /// Reads a reply that was received whole.
    ///
    /// # Errors
    /// As [`Endpoint::read`].
    fn decode(response: Response<Bytes>) -> Result<Self::Output, Error> {
        Self::read(&Reply::new(response))
    }
}

impl<E: Endpoint> EndpointExt for E {}

/// The one place that writes a request's head.
pub(crate) fn request<E: Endpoint>(
    endpoint: &E,
    site: &Site,
    authorization: Option<HeaderValue>,
    payload: Option<Payload>,
) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = E::METHOD;
    *request.uri_mut() = site.uri(&endpoint.path());
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    if let Some(Payload { content_type, body }) = payload {
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        *request.body_mut() = body;
    } else if !E::METHOD.is_safe() && E::METHOD != Method::DELETE {
        request.headers_mut().insert(CONTENT_LENGTH, 0.into());
    }
    request
}

/// An endpoint whose success also carries the log id, for those who keep it: wrap any endpoint in it.
#[derive(Clone, Copy, Debug)]
pub struct WithLogId<'a, E>(pub &'a E);

impl<E: Endpoint> Endpoint for WithLogId<'_, E> {
    type Auth = E::Auth;
    type Output = (E::Output, Option<String>);
    const METHOD: Method = E::METHOD;
    const ROUTE: &'static str = E::ROUTE;

    fn path(&self) -> Path {
        self.0.path()
    }

    fn payload(&self) -> Option<Payload> {
        self.0.payload()
    }

    fn repeat(&self) -> Repeat {
        self.0.repeat()
    }

    fn lane(&self) -> Option<&str> {
        self.0.lane()
    }

    fn read(reply: &Reply) -> Result<Self::Output, Error> {
        Ok((E::read(reply)?, reply.log_id()))
    }
}
