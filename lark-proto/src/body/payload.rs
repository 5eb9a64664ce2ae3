//! A request's body with its media type.

use http::HeaderValue;

use super::Body;
use crate::text::json_string;

/// A body and its media type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payload {
    /// The `Content-Type`.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Body,
}

impl Payload {
    /// A body of any media type.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use lark_proto::endpoints::Payload;
    ///
    /// let form = "application/x-www-form-urlencoded";
    /// let payload = Payload::new(HeaderValue::from_static(form), "a=b");
    /// assert_eq!(payload.body.len(), 3);
    /// ```
    #[must_use]
    pub fn new(content_type: HeaderValue, body: impl Into<Body>) -> Self {
        Self { content_type, body: body.into() }
    }

    /// JSON text, with the content type that Lark documents as a fixed value.
    #[must_use]
    pub fn json(text: impl Into<Body>) -> Self {
        Self::new(HeaderValue::from_static("application/json; charset=utf-8"), text)
    }

    /// A compact JSON object of strings, in this order.
    pub(crate) fn json_strings<const N: usize>(fields: [(&str, &str); N]) -> Self {
        let field = |(name, value): (&str, &str)| format!("\"{name}\":{}", json_string(value));
        Self::json(format!("{{{}}}", fields.map(field).join(",")))
    }
}
