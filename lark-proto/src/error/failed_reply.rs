//! The error of a failed reply: one that the service described, or a reply that cannot be read.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::advice::{self, Advice};
use super::api::ApiError;
use super::code::{Class, Code};
use super::unreadable::Unreadable;

/// The error of a reply that is not the expected result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with a code other than 0.
    Api(Box<ApiError>),
    /// The reply is not what the endpoint documents: a page of a proxy, truncated JSON, a missing field.
    Unreadable(Box<Unreadable>),
}

/// Whether a failed request was carried out, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The request changed nothing: it was not sent, the transport failed before a byte of its body was sent, or the
    /// transport failed during a read without a body.
    NotSent,
    /// The service answered that it did not carry out the request.
    Refused,
    /// The request may have been carried out.
    Unknown,
}

impl Error {
    /// Whether the request may have been carried out although it failed. The outcome is [`Outcome::Unknown`]
    ///
    /// * after an internal failure of the service ([`Class::ServiceFailure`]),
    /// * after 90235 and 1310235, which can also mean that this request took the service too long,
    /// * after HTTP 408 or 5xx with a code of [`Class::Unknown`],
    /// * after a reply that cannot be read, unless its status is 4xx other than 408.
    ///
    /// All other failures are refusals.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let is_unknown = match self {
            Self::Api(error) => match error.class {
                Class::ServiceFailure => true,
                Class::DocumentBusy => {
                    matches!(error.code, Code::SHEET_RETRY_LATER | Code::SHEET_V3_RETRY_LATER)
                }
                Class::Unknown => {
                    error.status == StatusCode::REQUEST_TIMEOUT || error.status.is_server_error()
                }
                _ => false,
            },
            Self::Unreadable(reply) => {
                reply.status == StatusCode::REQUEST_TIMEOUT || !reply.status.is_client_error()
            }
        };
        if is_unknown { Outcome::Unknown } else { Outcome::Refused }
    }

    /// The next step that the reply alone suggests. The caller decides how often and for how long it tries again, and
    /// whether the request is idempotent.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Api(error) => error.advice(),
            Self::Unreadable(reply) => advice::by_status(reply.status, reply.retry_after),
        }
    }

    /// The same error with another class if it has this code, for the [`read`](crate::Endpoint::read) of an endpoint
    /// whose codes this crate does not know. The class decides whether a call waits, sends the request again or ends.
    ///
    /// ```
    /// use lark_proto::Error;
    /// use lark_proto::endpoints::Reply;
    /// use lark_proto::error::{Class, Code};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Created { record_id: String }
    ///
    /// fn read(reply: &Reply) -> Result<Created, Error> {
    ///     let read = reply.data();
    ///     read.map_err(|error| error.with_class(Code(1254290), Class::RateLimit))
    /// }
    ///
    /// let reply = r#"{"code":1254290,"msg":"TooManyRequest"}"#;
    /// let reply = Reply::new(http::Response::new(reply.into()));
    /// let error = read(&reply).err().unwrap();
    /// assert!(error.api().unwrap().is_rate_limit());
    /// ```
    #[must_use]
    pub fn with_class(mut self, code: Code, class: Class) -> Self {
        if let Self::Api(error) = &mut self {
            if error.code == code {
                error.class = class;
            }
        }
        self
    }

    /// The HTTP status. A known code has precedence over it: see [`ApiError::code`].
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Api(error) => error.status,
            Self::Unreadable(reply) => reply.status,
        }
    }

    /// How long the service asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after,
            Self::Unreadable(reply) => reply.retry_after,
        }
    }

    /// How long the service asks to wait, to be replaced by the rest of that wait when the error is reported later.
    pub(crate) fn retry_after_mut(&mut self) -> Option<&mut Duration> {
        match self {
            Self::Api(error) => error.retry_after.as_mut(),
            Self::Unreadable(reply) => reply.retry_after.as_mut(),
        }
    }

    /// The same error of a service that asks to wait so long.
    #[cfg(test)]
    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        match &mut self {
            Self::Api(error) => error.retry_after = Some(wait),
            Self::Unreadable(reply) => reply.retry_after = Some(wait),
        }
        self
    }

    /// The same error, completed with what the call knows. The hint on a missing route names the base URL `site`. The
    /// error of a missing scope gets the link to the page of `app`, which is the id of the app whose token the call
    /// uses.
    pub(crate) fn in_call(mut self, site: &str, app: Option<&str>) -> Self {
        match &mut self {
            Self::Api(error) => error.make_grant_link(site, app),
            Self::Unreadable(reply) => reply.name_site(site),
        }
        self
    }

    /// The same error, for a reply that should have been a file. If the reply has no body, the status alone decides on
    /// the hint.
    pub(crate) fn of_file(mut self) -> Self {
        if let Self::Unreadable(reply) = &mut self {
            reply.explain_for_file();
        }
        self
    }

    /// The same error, for a reply to a token request.
    pub(crate) fn of_token_request(mut self) -> Self {
        if let Self::Api(error) = &mut self {
            error.is_of_token_request = true;
        }
        self
    }

    /// The id that Lark's support asks for, if the reply carried one.
    #[must_use]
    pub fn log_id(&self) -> Option<&str> {
        match self {
            Self::Api(error) => error.log_id.as_deref(),
            Self::Unreadable(reply) => reply.log_id.as_deref(),
        }
    }

    /// The error that the service described; `None` for a reply that cannot be read.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            Self::Unreadable(_) => None,
        }
    }

    /// The error of a reply with this status and body, for tests.
    #[cfg(test)]
    pub(super) fn of_reply(status: u16, body: &str) -> Self {
        let mut response = http::Response::new(body.to_owned().into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        crate::api::Reply::new(response).ok().unwrap_err()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Unreadable(reply) => reply.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_gives_a_class_to_one_code() {
        let own = Code(1254290);
        for (body, class, advice) in [
            (r#"{"code":1254290}"#, Class::RateLimit, Advice::Again { after: None }),
            (r#"{"code":1254291}"#, Class::Unknown, Advice::GiveUp),
            (r#"{"code":99991663}"#, Class::TenantToken, Advice::RenewToken),
        ] {
            let error = Error::of_reply(200, body).with_class(own, Class::RateLimit);
            assert_eq!(error.api().unwrap().class(), class, "{body}");
            assert_eq!(error.advice(), advice, "{body}");
        }
    }

    #[test]
    fn an_endpoint_may_replace_the_class_of_a_known_code() {
        let error = Error::of_reply(200, r#"{"code":99991663}"#);
        let error = error.with_class(Code::TENANT_TOKEN_INVALID, Class::Request);
        assert_eq!(error.advice(), Advice::GiveUp);
    }

    #[test]
    fn a_reply_without_a_code_keeps_the_advice_of_its_status() {
        let error = Error::of_reply(502, "<html>").with_class(Code(1254290), Class::Request);
        assert_eq!(error.advice(), Advice::Again { after: None });
    }

    #[test]
    fn the_outcome_is_unknown_unless_the_service_says_that_it_refused() {
        use Outcome::{Refused, Unknown};
        for (status, body, outcome) in [
            // A known code decides, whatever the status.
            (200, r#"{"code":90202}"#, Refused),
            (500, r#"{"code":90202}"#, Refused),
            (500, r#"{"code":90217}"#, Refused),
            (200, r#"{"code":90235}"#, Unknown),
            (400, r#"{"code":1310235}"#, Unknown),
            (200, r#"{"code":90228}"#, Refused),
            (429, r#"{"code":99991400}"#, Refused),
            (400, r#"{"code":99991663}"#, Refused),
            (200, r#"{"code":2200}"#, Unknown),
            (400, r#"{"code":90203}"#, Unknown),
            (429, r#"{"code":1315201}"#, Unknown),
            // With another code the status decides.
            (200, r#"{"code":42}"#, Refused),
            (400, r#"{"code":42}"#, Refused),
            (408, r#"{"code":42}"#, Unknown),
            (429, r#"{"code":42}"#, Refused),
            (499, r#"{"code":42}"#, Refused),
            (500, r#"{"code":42}"#, Unknown),
            (504, r#"{"code":-1}"#, Unknown),
            (599, r#"{"code":42}"#, Unknown),
            (600, r#"{"code":42}"#, Refused),
            // Without a code the status decides, too.
            (200, "", Unknown),
            (200, r#"{"code":"0"}"#, Unknown),
            (302, "", Unknown),
            (399, "", Unknown),
            (400, "<html>", Refused),
            (404, "404 page not found", Refused),
            (408, "", Unknown),
            (413, "", Refused),
            (429, "", Refused),
            (499, "", Refused),
            (500, "", Unknown),
            (502, "<html>", Unknown),
            (503, "{}", Unknown),
            (600, "", Unknown),
        ] {
            assert_eq!(Error::of_reply(status, body).outcome(), outcome, "{status} {body}");
        }
    }
}
