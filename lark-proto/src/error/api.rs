//! The errors of a reply: the service refused the request, or the reply cannot be read.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::advice::{self, Advice};
use super::code::{CREDENTIALS, Class, Code, FILE_ACCESS};
use super::scopes::link_for;
use crate::text::Secrets;

/// Why a reply is not the result that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with a code other than 0.
    Api(Box<ApiError>),
    /// The reply is not what the endpoint documents: HTML from the edge, truncated JSON, a missing field. A status 4xx
    /// other than 408, such as of an HTML page with 400 or a plain 404, is a refusal; with any other status it is not
    /// known whether the request took effect.
    Unreadable(Box<Unreadable>),
}

/// Whether a failed request was carried out, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The request was not carried out: it was not sent, or the connection broke before a byte of its body was sent.
    NotSent,
    /// The service answered that it did not carry out the request.
    Refused,
    /// The request may have been carried out.
    Unknown,
}

impl Error {
    /// Whether the request may have been carried out although it failed. This is unknown after an internal failure of
    /// the service ([`Class::Busy`]) and, with a code of [`Class::Unknown`], after HTTP 408 and 5xx. After a reply that
    /// cannot be read it is unknown with 408 and every status other than 4xx. All other failures are refusals.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let unknown = match self {
            Self::Api(error) => match error.class {
                Class::Busy => true,
                Class::Unknown => {
                    error.status == StatusCode::REQUEST_TIMEOUT || error.status.is_server_error()
                }
                _ => false,
            },
            Self::Unreadable(reply) => {
                reply.status == StatusCode::REQUEST_TIMEOUT || !reply.status.is_client_error()
            }
        };
        if unknown { Outcome::Unknown } else { Outcome::Refused }
    }

    /// What to do next, from the reply alone. The policy of a whole call (how often, for how long,
    /// whether a second send is harmless) is the caller's.
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

    /// The HTTP status. It says what went wrong only if there is no known code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Api(error) => error.status,
            Self::Unreadable(reply) => reply.status,
        }
    }

    /// The same error with `wait`, the rest of the delay that the service asked for, in place of the original delay.
    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        match &mut self {
            Self::Api(error) => error.retry_after = Some(wait),
            Self::Unreadable(reply) => reply.retry_after = Some(wait),
        }
        self
    }

    /// The same error of a call at the base URL `site`, with the hint and the link that need the site, or the id of
    /// the app whose token the call uses.
    pub(crate) fn in_call(mut self, site: &str, app: Option<&str>) -> Self {
        match &mut self {
            Self::Api(error) => error.make_grant_link(site, app),
            Self::Unreadable(reply) => {
                if reply.hint.as_ref().is_some_and(|hint| hint.ends_with(NO_ROUTE)) {
                    reply.hint = Some(format!("{site} {NO_ROUTE}"));
                }
            }
        }
        self
    }

    /// The error of a reply that had to be a file. If it has no body, its status alone tells what is wrong.
    pub(crate) fn of_file(mut self) -> Self {
        if let Self::Unreadable(reply) = &mut self {
            if let Some(hint) = file_hint(reply.status).filter(|_| reply.excerpt.trim().is_empty())
            {
                reply.hint = Some(hint.to_owned());
                reply.is_about_file = true;
            }
        }
        self
    }

    /// The error of a reply to a token request.
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

    /// The error that the service described, if it did.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            Self::Unreadable(_) => None,
        }
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

/// An error that the service described. Its texts are bounded and free of control characters, and of the secrets that
/// the service may quote from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// Lark's code. A known code decides what the error means, because the same failure comes with several HTTP
    /// statuses; the status decides only for a code of [`Class::Unknown`]: with 429 the request is sent again later,
    /// with 408 and 5xx only if it is idempotent, with any other status not.
    pub code: Code,
    /// The service's text for the error. It may change; compare `code` instead.
    pub msg: String,
    /// The HTTP status of the reply.
    pub status: StatusCode,
    /// The id that Lark's support asks for.
    pub log_id: Option<String>,
    /// How long the service asks to wait: the smaller of `x-ogw-ratelimit-reset` and `Retry-After`. A date in the
    /// latter counts from the reply's `Date`. In the error of a call that ends because of the rate refusal of another
    /// call, it is the time that is left.
    pub retry_after: Option<Duration>,
    /// `error.message`, or `error` itself where it is a string.
    pub detail: Option<String>,
    /// The permissions that are missing. Where the service does not list them, those that its message names.
    pub permission_violations: Vec<PermissionViolation>,
    /// The request's fields that the gateway refused.
    pub field_violations: Vec<FieldViolation>,
    /// The service's own hint, with a link to its log.
    pub troubleshooter: Option<String>,
    /// The page where a missing scope is added to the app: from the service's message, or made by a call that uses the
    /// token of its session's app.
    pub grant_link: Option<String>,
    pub(crate) class: Class,
    pub(crate) is_of_token_request: bool,
}

impl ApiError {
    /// The class of the error: [`Code::class`], unless the endpoint has given the code another one by
    /// [`Error::with_class`].
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// See [`Error::advice`].
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.class {
            Class::Busy | Class::RateLimit | Class::DocumentBusy => {
                Advice::Again { after: self.retry_after }
            }
            Class::TenantToken | Class::AppToken => Advice::RenewToken,
            Class::Unknown => advice::by_status(self.status, self.retry_after),
            _ => Advice::GiveUp,
        }
    }

    /// The app or user lacks a scope, or the app is no collaborator of the document.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.class == Class::Permission || !self.permission_violations.is_empty()
    }

    /// Too many requests, by a limit of the gateway or the service. A document that is [busy](Class::DocumentBusy) is
    /// no rate limit, whatever the status; nor is the [month's quota](Code::QUOTA_USED_UP), which comes with HTTP 429.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        match self.class {
            Class::RateLimit => true,
            Class::Busy | Class::Unknown => self.status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }

    /// A hint for the user about the next step, if the service's message does not name it. If the code has two
    /// meanings, the message decides between them; otherwise the hint is [`Code::hint`].
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let says = |words: &str| self.msg.to_ascii_lowercase().contains(words);
        match self.code {
            Code::USER_TOKEN_INVALID if says("token not support") => {
                Some("this request takes no user's token: send it with the app's own")
            }
            Code::MESSAGE_FORBIDDEN if says("historical version") => Some(
                "this old interface does not work across organisations: use the newer `im/v1` one, \
                 for images `im/v1/images`",
            ),
            Code::INTERNAL if self.is_of_token_request => Some(CREDENTIALS),
            Code::INVALID_PARAM if !self.is_of_token_request => None,
            code => code.hint(),
        }
    }

    fn make_grant_link(&mut self, site: &str, app: Option<&str>) {
        let is_scope = matches!(self.code, Code::SCOPE_MISSING | Code::USER_SCOPE_MISSING);
        if let (true, None, Some(app)) = (is_scope, &self.grant_link, app) {
            let scopes = self.permission_violations.iter().map(|missing| &*missing.scope);
            self.grant_link = link_for(site, app, scopes);
        }
    }

    /// The service refused the tenant or app token; a new one may help.
    #[must_use]
    pub fn is_token_refused(&self) -> bool {
        matches!(self.class, Class::TenantToken | Class::AppToken)
    }
}

/// How many violations of each kind the text of an error lists; the fields have all of them.
const SHOWN: usize = 3;

/// Says how many of `all` are not listed.
fn more(f: &mut fmt::Formatter<'_>, all: usize, what: &str) -> fmt::Result {
    match all.saturating_sub(SHOWN) {
        0 => Ok(()),
        1 => write!(f, "; 1 more {what}"),
        rest => write!(f, "; {rest} more {what}s"),
    }
}

/// Whether `text` names `scope` itself, and not only one that begins or ends with it.
fn has_word(text: &str, scope: &str) -> bool {
    let is_outside = |c: char| !c.is_ascii_alphanumeric() && !":._-".contains(c);
    text.match_indices(scope).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + scope.len()..).unwrap_or_default();
        let after = after.strip_prefix(['.', ':']).unwrap_or(after);
        before.chars().next_back().is_none_or(is_outside)
            && after.chars().next().is_none_or(is_outside)
    })
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {} (HTTP {})", self.code, self.status.as_u16())?;
        let detail = self.detail.as_deref().unwrap_or_default();
        let texts = match &*self.msg {
            msg if msg.contains(detail) => [msg, ""],
            msg if detail.contains(msg) => [detail, ""],
            msg => [msg, detail],
        };
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            write!(f, ": {text}")?;
        }
        for violation in self.field_violations.iter().take(SHOWN) {
            write!(f, "; field `{}`", violation.field)?;
            if !violation.description.is_empty() {
                write!(f, ": {}", violation.description)?;
            }
        }
        more(f, self.field_violations.len(), "field")?;
        let is_told = |scope: &str| has_word(&self.msg, scope) || has_word(detail, scope);
        let scopes = self.permission_violations.iter().map(|violation| &*violation.scope);
        let scopes: Vec<_> = scopes.filter(|scope| !is_told(scope)).collect();
        for scope in scopes.iter().take(SHOWN) {
            write!(f, "; missing permission `{scope}`")?;
        }
        more(f, scopes.len(), "permission")?;
        if let Some(hint) = self.hint() {
            write!(f, "; {hint}")?;
        }
        if let Some(link) = self.grant_link.as_ref().filter(|link| !self.msg.contains(*link)) {
            write!(f, ": {link}")?;
        }
        if let Some(log_id) = &self.log_id {
            write!(f, "; log id {log_id}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// A permission that is missing, in either of the forms that Lark sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionViolation {
    /// The scope, such as `drive:drive`: `scope` in the documented form, `subject` in the form seen live.
    pub scope: String,
    /// `type` in the form seen live, such as `action_scope_required`.
    pub kind: Option<String>,
    /// `url` in the documented form: the page where the permission is granted.
    pub url: Option<String>,
}

/// A field of the request that the gateway refused (code 99992402). Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// A reply that could not be read as the endpoint's. Its texts are cleared of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `Content-Type`, shortened.
    pub content_type: Option<String>,
    /// What was expected and not found.
    pub reason: String,
    /// The body's beginning, at most 256 bytes of it, cut between characters.
    pub excerpt: String,
    /// The id that Lark's support asks for.
    pub log_id: Option<String>,
    /// How long the service asks to wait: the smaller of `x-ogw-ratelimit-reset` and `Retry-After`. A date in the
    /// latter counts from the reply's `Date`. In the error of a call that ends because of the rate refusal of another
    /// call, it is the time that is left.
    pub retry_after: Option<Duration>,
    hint: Option<String>,
    /// The status is about the file that was asked for.
    pub(crate) is_about_file: bool,
}

/// The hint for a download that was refused without a word.
fn file_hint(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        400 => Some(
            "the service does not say why: the key or token may be of something else, \
             or the file needs `extra`, as in a base with advanced permissions",
        ),
        403 => Some(FILE_ACCESS),
        404 => Some("there is no such file: it was deleted, or its key or token is wrong"),
        _ => None,
    }
}

/// The hint for a reply with a text of a gateway in place of an error of the service.
const NO_ROUTE: &str = "does not know this route: is it the right host? \
    An older private deployment lacks newer routes";

impl Unreadable {
    /// A hint for the user about the next step, if one is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn new(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        log_id: Option<String>,
        reason: &str,
        secrets: &Secrets,
    ) -> Self {
        let content_type = headers.get(http::header::CONTENT_TYPE);
        // The service's own errors are JSON; plain text or HTML is of a gateway or of another server.
        let is_no_route =
            status == StatusCode::NOT_FOUND && !body.trim_ascii_start().starts_with(b"{");
        Self {
            status,
            content_type: content_type.map(|value| secrets.clear(value.as_bytes(), 60)),
            reason: secrets.clear(reason.as_bytes(), 200),
            excerpt: secrets.clear(body, 256),
            log_id,
            retry_after: advice::after(headers),
            hint: is_no_route.then(|| format!("the site {NO_ROUTE}")),
            is_about_file: false,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content_type = self.content_type.as_deref().unwrap_or("no content type");
        write!(f, "unreadable reply (HTTP {}, {content_type}): ", self.status.as_u16())?;
        match &*self.excerpt {
            "" => write!(f, "{}; it is empty", self.reason)?,
            excerpt => write!(f, "{}; it begins `{excerpt}`", self.reason)?,
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        match &self.log_id {
            Some(log_id) => write!(f, "; log id {log_id}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    fn error(status: u16, body: &str) -> Error {
        let mut response = http::Response::new(body.to_owned().into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Reply::new(response).ok().unwrap_err()
    }

    #[test]
    fn an_endpoint_gives_a_class_to_one_code() {
        let own = Code(1254290);
        for (body, class, advice) in [
            (r#"{"code":1254290}"#, Class::RateLimit, Advice::Again { after: None }),
            (r#"{"code":1254291}"#, Class::Unknown, Advice::GiveUp),
            (r#"{"code":99991663}"#, Class::TenantToken, Advice::RenewToken),
        ] {
            let error = error(200, body).with_class(own, Class::RateLimit);
            assert_eq!(error.api().unwrap().class(), class, "{body}");
            assert_eq!(error.advice(), advice, "{body}");
        }
        let error = error(200, r#"{"code":99991663}"#);
        let error = error.with_class(Code::TENANT_TOKEN_INVALID, Class::Request);
        assert_eq!(error.advice(), Advice::GiveUp);
        // A reply without a code keeps the advice of its status.
        let error = self::error(502, "<html>").with_class(own, Class::Request);
        assert_eq!(error.advice(), Advice::Again { after: None });
    }

    #[test]
    fn an_outcome_is_unknown_where_the_service_does_not_say_that_it_refused() {
        use Outcome::{Refused, Unknown};
        for (status, body, outcome) in [
            // A known code decides, whatever the status.
            (200, r#"{"code":90202}"#, Refused),
            (500, r#"{"code":90202}"#, Refused),
            (500, r#"{"code":90217}"#, Refused),
            (200, r#"{"code":90235}"#, Refused),
            (429, r#"{"code":99991400}"#, Refused),
            (400, r#"{"code":99991663}"#, Refused),
            (200, r#"{"code":2200}"#, Unknown),
            (400, r#"{"code":90203}"#, Unknown),
            (429, r#"{"code":1315201}"#, Unknown),
            // With another code, the status.
            (200, r#"{"code":42}"#, Refused),
            (400, r#"{"code":42}"#, Refused),
            (408, r#"{"code":42}"#, Unknown),
            (429, r#"{"code":42}"#, Refused),
            (500, r#"{"code":42}"#, Unknown),
            (504, r#"{"code":-1}"#, Unknown),
            // Without a code, too.
            (200, "", Unknown),
            (200, r#"{"code":"0"}"#, Unknown),
            (302, "", Unknown),
            (400, "<html>", Refused),
            (404, "404 page not found", Refused),
            (408, "", Unknown),
            (413, "", Refused),
            (429, "", Refused),
            (499, "", Refused),
            (502, "<html>", Unknown),
            (503, "{}", Unknown),
            (600, "", Unknown),
        ] {
            assert_eq!(error(status, body).outcome(), outcome, "{status} {body}");
        }
    }

    #[test]
    fn a_text_tells_each_thing_once_and_leaves_nothing_out() {
        for (body, text) in [
            (r#"{"code":42}"#, ""),
            (r#"{"code":42,"msg":"a"}"#, ": a"),
            (r#"{"code":42,"msg":"a","error":"a"}"#, ": a"),
            (r#"{"code":42,"msg":"bad: a","error":{"message":"a"}}"#, ": bad: a"),
            (r#"{"code":42,"msg":"a","error":{"message":"bad: a"}}"#, ": bad: a"),
            (r#"{"code":42,"error":{"message":"b"}}"#, ": b"),
            (r#"{"code":42,"msg":"a","error":{"message":"b"}}"#, ": a: b"),
            (
                r#"{"code":42,"msg":"needs one of [a:b, c:d:e].","error":{"permission_violations":[
                    {"scope":"a:b"},{"scope":"c:d"},{"scope":"c:d:e"},{"scope":"f"}]}}"#,
                ": needs one of [a:b, c:d:e].; missing permission `c:d`; missing permission `f`",
            ),
            (
                r#"{"code":42,"error":{"permission_violations":[
                    {"scope":"a"},{"scope":"b"},{"scope":"c"},{"scope":"d"},{"scope":"e"}]}}"#,
                "; missing permission `a`; missing permission `b`; missing permission `c`; 2 more permissions",
            ),
            (
                r#"{"code":42,"error":{"field_violations":[
                    {"field":"a"},{"field":"b"},{"field":"c"},{"field":"d"}]}}"#,
                "; field `a`; field `b`; field `c`; 1 more field",
            ),
        ] {
            let expected = format!("code 42 (HTTP 200){text}");
            assert_eq!(error(200, body).to_string(), expected, "{body}");
        }
    }

    #[test]
    fn a_busy_document_or_a_used_up_quota_is_no_rate_limit() {
        for (status, body, is) in [
            (400, r#"{"code":99991400}"#, true),
            (429, r#"{"code":42}"#, true),
            (400, r#"{"code":42}"#, false),
            (429, r#"{"code":2200}"#, true),
            (200, r#"{"code":90217}"#, false),
            (429, r#"{"code":90217}"#, false),
            (429, r#"{"code":99991403}"#, false),
            (429, r#"{"code":99991663}"#, false),
        ] {
            assert_eq!(error(status, body).api().unwrap().is_rate_limit(), is, "{status} {body}");
        }
    }
}
