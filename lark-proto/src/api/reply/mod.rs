//! Reads replies as results or errors. The code in the service's envelope decides between them, whatever the HTTP
//! status.

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

pub(crate) use fields::{AtMost, Record, TEXT, Text, lenient, read};

/// A complete reply.
///
/// Its success depends on the code in the service's envelope and not on the HTTP status: the service sends the same
/// failure with 200, 400 and 429.
pub struct Reply {
    response: Response<Bytes>,
    secrets: Secrets,
}

impl Reply {
    /// A reply as the transport received it, with its whole body.
    #[must_use]
    pub fn new(response: Response<Bytes>) -> Self {
        Self::with_secrets(response, Secrets::default())
    }

    /// The reply to a request that carried `secrets`, which no error of the reply shows.
    pub(crate) fn with_secrets(response: Response<Bytes>, secrets: Secrets) -> Self {
        Self { response, secrets }
    }

    /// The HTTP status. The code and not the status distinguishes a success from a failure.
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

    /// The id that Lark's support asks for: the header `X-Tt-Logid`, else `log_id` or `logid` in the body, else the
    /// older header `X-Request-Id`.
    #[must_use]
    pub fn log_id(&self) -> Option<String> {
        envelope::log_id(self.headers(), self.envelope().ok().as_ref(), &self.secrets)
    }

    /// The result in the envelope's `data`. Its strings may be borrowed from the body.
    ///
    /// # Errors
    /// [`Error::Api`] if the code is not 0, [`Error::Unreadable`] if there is no envelope or `data` is not a `T`.
    pub fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let envelope = self.success()?;
        let data = envelope.data.map_or("", RawValue::get);
        // serde would also read a struct from an array, which Lark never sends.
        if !data.starts_with('{') {
            return Err(self.unreadable("`data` is not a JSON object"));
        }
        serde_json::from_slice(data.as_bytes())
            .map_err(|error| self.unreadable(format!("`data`: {error}")))
    }

    /// Checks that the reply is a success, and does not read its `data`.
    ///
    /// # Errors
    /// As [`Reply::data`].
    pub fn ok(&self) -> Result<(), Error> {
        self.success().map(|_| ())
    }

    /// The result beside the code, at the top level of the envelope. The endpoints that issue tokens put it there.
    ///
    /// # Errors
    /// As [`Reply::data`].
    pub fn top_level<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        self.success().map_err(Error::of_token_request)?;
        self.whole()
    }

    /// As [`Reply::top_level`], for a `T` that contains a token. A reply with a 2xx status and the token is a success
    /// even if it has no `code`.
    pub(crate) fn granted<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let has_no_code = self.envelope().is_ok_and(|envelope| envelope.code.is_none());
        if has_no_code && self.status().is_success() { self.whole() } else { self.top_level() }
    }

    /// The result in the whole body.
    fn whole<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(self.body()).map_err(|error| self.unreadable(error.to_string()))
    }

    /// The result in the envelope's `data`, of any JSON type. Absent `data`, `null` and `{}` count as equal: a `T` that
    /// cannot be read from one of them is read from another.
    pub(crate) fn any_data<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let data = self.success()?.data.map_or("null", RawValue::get);
        let parsed = serde_json::from_slice(data.as_bytes()).or_else(|error| {
            let other = match data {
                "null" => "{}",
                _ if is_empty_object(data) => "null",
                _ => return Err(error),
            };
            serde_json::from_slice(other.as_bytes()).map_err(|_| error)
        });
        parsed.map_err(|error| self.unreadable(format!("`data`: {error}")))
    }

    /// The error of a reply that does not have the documented content. `reason` says what is wrong.
    #[must_use]
    pub fn unreadable(&self, reason: impl Into<String>) -> Error {
        let reply = Unreadable::new(&self.response, self.log_id(), &reason.into(), &self.secrets);
        Error::Unreadable(Box::new(reply))
    }

    /// A text of the reply that an error may quote, cut and cleared of secrets as the texts of an error are.
    pub(crate) fn cleared(&self, text: &str) -> String {
        self.secrets.clear(text.as_bytes(), TEXT)
    }

    fn envelope(&self) -> Result<Envelope<'_>, String> {
        Envelope::new(self.body())
    }

    /// The envelope of a reply with code 0.
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

/// Shows the status and the length of the body. The body itself may hold a token.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status(), self.body().len())
    }
}

/// Whether `json` is `{}`, with or without white space inside.
fn is_empty_object(json: &str) -> bool {
    let inner = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_shows_its_status_and_length_and_no_byte() {
        let reply = Reply::new(Response::new(Bytes::from("t-secret")));
        assert_eq!(format!("{reply:?}"), "Reply(200 OK, 8 bytes)");
    }
}
