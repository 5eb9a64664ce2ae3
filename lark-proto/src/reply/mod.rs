//! Replies, read as results or errors. The code in the service's envelope decides, whatever the HTTP status.

mod envelope;
mod fields;
mod file;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::de::{Deserialize, DeserializeOwned};
use serde_json::value::RawValue;

use envelope::Envelope;

use crate::error::{Code, Error, Unreadable};
use crate::text::Secrets;

pub(crate) use fields::{TEXT, Text, lenient, read};

/// A reply, received whole.
///
/// The code in the envelope decides and the HTTP status never does: Lark sends the same failure with 200,
/// 400 and 429.
pub struct Reply {
    response: Response<Bytes>,
    secrets: Secrets,
}

impl Reply {
    /// A reply as the transport received it, body and all.
    #[must_use]
    pub fn new(response: Response<Bytes>) -> Self {
        Self::to(Secrets::default(), response)
    }

    /// The reply to a request that carried `secrets`, which no error of the reply shows.
    pub(crate) fn to(secrets: Secrets, response: Response<Bytes>) -> Self {
        Self { response, secrets }
    }

    /// The HTTP status. It does not tell success from failure; the code does.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The body as it was received.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.response.body()
    }

    /// The id that Lark's support asks for: the header `X-Tt-Logid`, else the body's `log_id` or
    /// `logid`, else the older header `X-Request-Id`.
    #[must_use]
    pub fn log_id(&self) -> Option<String> {
        envelope::log_id(self.headers(), self.envelope().ok().as_ref(), &self.secrets)
    }

    /// The result in the envelope's `data`; its strings may be borrowed from the body.
    ///
    /// # Errors
    /// [`Error::Api`] if the code is not 0, [`Error::Unreadable`] if there is no envelope or its
    /// `data` is not a `T`.
    pub fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let envelope = self.success()?;
        let data = envelope.data.map_or("", RawValue::get);
        // serde would also read a struct from an array, which Lark never sends.
        if !data.starts_with('{') {
            return Err(self.unreadable("`data` is not an object"));
        }
        serde_json::from_str(data).map_err(|error| self.unreadable(format!("`data`: {error}")))
    }

    /// A success without a result.
    ///
    /// # Errors
    /// As [`Reply::data`].
    pub fn ok(&self) -> Result<(), Error> {
        self.success().map(|_| ())
    }

    /// The result beside the code, at the top level, where the endpoints that hand out tokens put it.
    ///
    /// # Errors
    /// As [`Reply::data`].
    pub fn top_level<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        self.success().map_err(Error::of_token_request)?;
        self.whole()
    }

    /// As [`Reply::top_level`], for a `T` with a token in it: a reply with the token is a success also where it has no
    /// `code`.
    pub(crate) fn granted<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let has_no_code = self.envelope().is_ok_and(|envelope| envelope.code.is_none());
        if has_no_code && self.status().is_success() { self.whole() } else { self.top_level() }
    }

    fn whole<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(self.body()).map_err(|error| self.unreadable(error.to_string()))
    }

    /// The result in the envelope's `data`, of any JSON type; `data` that is absent, `null` or `{}` is all the same,
    /// and is read as the one or the other.
    pub(crate) fn any_data<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let data = self.success()?.data.map_or("null", RawValue::get);
        let parsed = serde_json::from_str(data).or_else(|error| {
            let other = match data {
                "null" => "{}",
                _ if is_empty_object(data) => "null",
                _ => return Err(error),
            };
            serde_json::from_str(other).map_err(|_| error)
        });
        parsed.map_err(|error| self.unreadable(format!("`data`: {error}")))
    }

    /// The error of a reply that has code 0 and yet not what the endpoint documents.
    #[must_use]
    pub fn unreadable(&self, reason: impl Into<String>) -> Error {
        let (log_id, reason) = (self.log_id(), reason.into());
        let (status, headers, body) = (self.status(), self.headers(), self.body());
        let reply = Unreadable::new(status, headers, body, log_id, &reason, &self.secrets);
        Error::Unreadable(Box::new(reply))
    }

    fn envelope(&self) -> Result<Envelope<'_>, String> {
        Envelope::new(self.body())
    }

    fn success(&self) -> Result<Envelope<'_>, Error> {
        let envelope = self.envelope().map_err(|reason| self.unreadable(reason))?;
        match envelope.code.and_then(read) {
            Some(0) => Ok(envelope),
            Some(code) => {
                let error = envelope.api_error(Code(code), &self.response, &self.secrets);
                Err(Error::Api(Box::new(error)))
            }
            None => Err(self.unreadable("`code` is not an integer")),
        }
    }
}

/// Without the body, which may hold a token.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status(), self.body().len())
    }
}

/// `{}`, with any space inside.
fn is_empty_object(json: &str) -> bool {
    let inner = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}
