//! Replies: Lark's envelope `{"code":0,"msg":"..","data":{..},"error":{..}}`, whatever the HTTP status.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::error::{ApiError, Error, FieldViolation, PermissionViolation, Unreadable, excerpt};
use crate::retry;

/// A reply, received whole.
///
/// The code in the envelope decides and the HTTP status never does: Lark sends the same failure with 200,
/// 400 and 429.
#[derive(Debug)]
pub struct Reply {
    response: Response<Bytes>,
}

/// The envelope's outline: what it holds is read only where it is asked for, so that one field of an
/// odd type does not hide the others.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    code: i64,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    logid: Option<&'a RawValue>,
}

/// `error` where it is an object.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Details {
    #[serde(deserialize_with = "lenient")]
    message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    log_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    logid: Option<String>,
    #[serde(deserialize_with = "lenient")]
    troubleshooter: Option<String>,
    #[serde(deserialize_with = "lenient")]
    permission_violations: Option<Vec<Box<RawValue>>>,
    #[serde(deserialize_with = "lenient")]
    field_violations: Option<Vec<Box<RawValue>>>,
}

/// `{"scope","url"}` as documented, `{"type","subject"}` as seen live.
#[derive(serde::Deserialize)]
struct Permission {
    #[serde(default, deserialize_with = "lenient")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

#[derive(serde::Deserialize)]
struct Field {
    #[serde(default, deserialize_with = "lenient")]
    field: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
}

/// What an error's texts are cut to, in bytes.
const TEXT: usize = 1024;
/// How many violations are kept.
const VIOLATIONS: usize = 32;

impl Reply {
    /// A reply as the transport received it, body and all.
    #[must_use]
    pub fn new(response: Response<Bytes>) -> Self {
        Self { response }
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
        self.log_id_in(self.envelope().ok().as_ref())
    }

    /// The result in the envelope's `data`.
    ///
    /// # Errors
    /// [`Error::Api`] if the code is not 0, [`Error::Unreadable`] if there is no envelope or its
    /// `data` is not a `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let envelope = self.success()?;
        let data = envelope.data.map_or("", RawValue::get);
        // serde would also read a struct from an array, which Lark never sends.
        if !data.starts_with('{') {
            return Err(self.unreadable("`data` is not an object"));
        }
        serde_json::from_str(data).map_err(|error| self.unreadable(format!("`data`: {error}")))
    }

    /// The result beside the code, at the top level, where the endpoints that hand out tokens put it.
    ///
    /// # Errors
    /// As [`Reply::data`].
    pub fn flat<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.success()?;
        serde_json::from_slice(self.body()).map_err(|error| self.unreadable(error.to_string()))
    }

    /// The error of a reply that has code 0 and yet not what the endpoint documents.
    #[must_use]
    pub fn unreadable(&self, reason: impl Into<String>) -> Error {
        let log_id = self.log_id();
        let reply = Unreadable::new(self.status(), self.headers(), self.body(), log_id, reason);
        Error::Unreadable(Box::new(reply))
    }

    fn envelope(&self) -> Result<Envelope<'_>, String> {
        let body = self.body().trim_ascii_start();
        if !body.starts_with(b"{") {
            return Err("not a JSON object".into());
        }
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    fn success(&self) -> Result<Envelope<'_>, Error> {
        match self.envelope() {
            Ok(envelope) if envelope.code == 0 => Ok(envelope),
            Ok(envelope) => Err(Error::Api(Box::new(self.api_error(&envelope)))),
            Err(reason) => Err(self.unreadable(reason)),
        }
    }

    fn api_error(&self, envelope: &Envelope<'_>) -> ApiError {
        let text = |text: Option<String>| text.map(|text| excerpt(text.as_bytes(), TEXT));
        let details = details(envelope);
        let permissions = details.permission_violations.unwrap_or_default();
        let fields = details.field_violations.unwrap_or_default();
        ApiError {
            code: Code(envelope.code),
            msg: text(envelope.msg.and_then(read)).unwrap_or_default(),
            status: self.status(),
            log_id: self.log_id_in(Some(envelope)),
            retry_after: retry::after(self.headers()),
            detail: text(details.message.or_else(|| envelope.error.and_then(read))),
            permission_violations: permissions
                .iter()
                .filter_map(|json| {
                    let Permission { scope, subject, url, kind } = read(json)?;
                    let scope = text(scope.or(subject))?;
                    Some(PermissionViolation { scope, kind: text(kind), url: text(url) })
                })
                .take(VIOLATIONS)
                .collect(),
            field_violations: fields
                .iter()
                .filter_map(|json| {
                    let Field { field, description } = read(json)?;
                    let description = text(description).unwrap_or_default();
                    Some(FieldViolation { field: text(field)?, description })
                })
                .take(VIOLATIONS)
                .collect(),
            troubleshooter: text(details.troubleshooter),
        }
    }

    fn log_id_in(&self, envelope: Option<&Envelope<'_>>) -> Option<String> {
        let header = |name| Some(self.headers().get(name)?.to_str().ok()?.to_owned());
        let body = || {
            let envelope = envelope?;
            let Details { log_id, logid, .. } = details(envelope);
            log_id.or(logid).or_else(|| read(envelope.log_id.or(envelope.logid)?))
        };
        let id = header("x-tt-logid").filter(|id| !id.is_empty()).or_else(body);
        let id = id.or_else(|| header("x-request-id")).filter(|id| !id.is_empty())?;
        Some(excerpt(id.as_bytes(), 128))
    }
}

fn details(envelope: &Envelope<'_>) -> Details {
    envelope.error.filter(|error| error.get().starts_with('{')).and_then(read).unwrap_or_default()
}

/// The value if it has the expected type.
fn read<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// An optional field that is absent when it has another type than documented: a success must not be
/// lost, nor an error hidden, by a detail that nobody needs.
pub(crate) fn lenient<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.and_then(read))
}
