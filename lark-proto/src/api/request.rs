//! The request of an endpoint: made at once by [`EndpointExt`], or for each send of a call from its [`Draft`].

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};

use crate::api::{Endpoint, Path, Payload, Reply};
use crate::body::Body;
use crate::error::{Error, Invalid};
use crate::site::Site;
use crate::token::Authorizes;

/// The requests and the results of an [`Endpoint`], for callers.
pub trait EndpointExt: Endpoint + Sized {
    /// The request with its exact bytes. The method cannot fail, because the endpoint's values were checked when they
    /// were built. An endpoint with unchecked values, such as [`Raw`](crate::endpoints::Raw), can have an invalid path,
    /// which [`Path::check`] reports.
    ///
    /// `{:?}` of the request masks the token, but [`Bytes`] prints the body. Do not print a token request, because its
    /// body holds the app's secret. The [`Body`] of [`request_streamed`](Self::request_streamed) prints only its
    /// length.
    fn request(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Bytes> {
        self.request_streamed(site, token).map(Body::into_bytes)
    }

    /// The same request, with a body that is encoded while it is read. `Content-Length` is exact, because some
    /// firewalls are reported to refuse a chunked upload.
    fn request_streamed(&self, site: &Site, token: &impl Authorizes<Self::Auth>) -> Request<Body> {
        Draft::of(self).request(site, token.authorization())
    }

    /// Reads a complete reply.
    ///
    /// # Errors
    /// As [`Endpoint::read`].
    fn decode(response: Response<Bytes>) -> Result<Self::Output, Error> {
        Self::read(&Reply::new(response))
    }
}

impl<E: Endpoint> EndpointExt for E {}

/// How many names of headers an endpoint can set. A [`HeaderMap`] panics when a header is added and there is no room:
/// at 24,576 names, or at some 6,600 whose hashes collide.
pub(super) const MAX_HEADERS: usize = 1000;

/// Headers that an endpoint cannot set, because the [`Draft`] or the transport sets them.
const RESERVED: [HeaderName; 5] =
    [AUTHORIZATION, HOST, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING];

/// A request without its site and its token: the parts that an endpoint provides. All requests that are made from it
/// have the same body and share the memory of the image.
pub(crate) struct Draft {
    method: Method,
    path: Path,
    headers: Option<Box<HeaderMap>>,
    payload: Option<Payload>,
}

impl Draft {
    /// The draft of an endpoint's request.
    pub(crate) fn of<E: Endpoint>(endpoint: &E) -> Self {
        Self::new(endpoint.method(), endpoint.path(), endpoint.headers(), endpoint.payload())
    }

    /// A draft with these parts. Reserved names among the `headers` are left out.
    fn new(method: Method, path: Path, headers: HeaderMap, payload: Option<Payload>) -> Self {
        Self { method, path, headers: unreserved(headers), payload }
    }

    /// Returns the error of an invalid path.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        self.path.check()
    }

    /// The length of the body in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.payload.as_ref().map_or(0, |payload| payload.body.len())
    }

    /// Whether the method is safe by RFC 9110 (GET, HEAD, OPTIONS, TRACE), so that the request should change nothing.
    pub(crate) fn is_read(&self) -> bool {
        self.method.is_safe()
    }

    /// Makes the request. The requests of all endpoints and calls get their head here.
    pub(crate) fn request(&self, site: &Site, authorization: Option<HeaderValue>) -> Request<Body> {
        let body = self.payload.as_ref().map(|payload| payload.body.clone());
        let mut request = Request::new(body.unwrap_or_default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = site.uri(&self.path);
        let headers = request.headers_mut();
        if let Some(own) = &self.headers {
            headers.clone_from(own);
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(Payload { content_type, body }) = &self.payload {
            headers.insert(CONTENT_TYPE, content_type.clone());
            headers.insert(CONTENT_LENGTH, body.len().into());
        } else if !self.is_read() && self.method != Method::DELETE {
            headers.insert(CONTENT_LENGTH, 0.into());
        }
        request
    }
}

/// The headers of an endpoint without the reserved ones. `None` for an endpoint without headers, or with too many.
fn unreserved(mut headers: HeaderMap) -> Option<Box<HeaderMap>> {
    if headers.is_empty() || headers.keys_len() > MAX_HEADERS {
        return None;
    }
    for name in &RESERVED {
        headers.remove(name);
    }
    Some(Box::new(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cannot_replace_a_reserved_one() {
        let mut headers: HeaderMap =
            RESERVED.into_iter().map(|name| (name, HeaderValue::from_static("x"))).collect();
        headers.insert("x-own", HeaderValue::from_static("1"));
        let path = Path::new("/x");
        let draft = Draft::new(Method::PATCH, path, headers, Some(Payload::json("{}")));
        let request = draft.request(&Site::LARK, None);
        let headers = request.headers().iter();
        let mut headers: Vec<_> =
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        headers.sort();
        let sent =
            ["content-length: 2", "content-type: application/json; charset=utf-8", "x-own: 1"];
        assert_eq!(headers, sent);
    }

    #[test]
    fn an_endpoint_with_too_many_headers_sends_none_of_them() {
        for (given, sent) in [(1, 1), (1000, 1000), (1001, 0), (24_576, 0)] {
            let mut headers = HeaderMap::new();
            for n in 0..given {
                let name = HeaderName::try_from(format!("x-{n}")).unwrap();
                headers.append(name, HeaderValue::from_static("x"));
            }
            let payload = Some(Payload::json("{}"));
            let draft = Draft::new(Method::POST, Path::new("/x"), headers, payload);
            let request = draft.request(&Site::LARK, Some(HeaderValue::from_static("x")));
            // `Authorization`, `Content-Type` and `Content-Length` are added.
            assert_eq!(request.headers().len(), sent + 3, "{given}");
        }
    }

    #[test]
    fn an_empty_body_has_a_length_only_where_the_method_may_have_a_body() {
        for (method, length) in [
            (Method::GET, None),
            (Method::HEAD, None),
            (Method::OPTIONS, None),
            (Method::TRACE, None),
            (Method::DELETE, None),
            (Method::POST, Some("0")),
            (Method::PUT, Some("0")),
            (Method::PATCH, Some("0")),
        ] {
            let draft = Draft::new(method.clone(), Path::new("/x"), HeaderMap::new(), None);
            let request = draft.request(&Site::LARK, None);
            let sent = request.headers().get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!(sent, length, "{method}");
        }
    }
}
