//! An error that the service described in its envelope.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::advice::{self, Advice};
use super::code::{CREDENTIALS, Class, Code};
use super::scopes::link_for;

/// An error that the service described. Its texts are bounded and free of control characters. The secrets of the
/// request, which the service may quote, are replaced by `***`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// Lark's code. A known code decides what the error means, because the service sends the same failure with several
    /// HTTP statuses. The status decides only for a code of [`Class::Unknown`]: after 429 a call sends the request
    /// again, after 408 and 5xx only if the request is idempotent, and after any other status it does not.
    pub code: Code,
    /// The service's text for the error. It may change; compare `code` instead.
    pub msg: String,
    /// The HTTP status of the reply.
    pub status: StatusCode,
    /// The id that Lark's support asks for.
    pub log_id: Option<String>,
    /// How long the service asks to wait: the smaller of `x-ogw-ratelimit-reset` and `Retry-After`. A date in the
    /// latter counts from the reply's `Date`. If a call ends because the service rate-limited another call,
    /// this is the rest of the wait.
    pub retry_after: Option<Duration>,
    /// `error.message`, or `error` itself if it is a string.
    pub detail: Option<String>,
    /// The permissions that are missing. If the service does not list them, they are read from its message.
    pub permission_violations: Vec<PermissionViolation>,
    /// The request's fields that the gateway refused.
    pub field_violations: Vec<FieldViolation>,
    /// The service's own hint, with a link to its log.
    pub troubleshooter: Option<String>,
    /// The link to the page where a missing scope is added to the app. If the service sends no link, a call that uses a
    /// token of its session's app adds it.
    pub grant_link: Option<String>,
    pub(crate) class: Class,
    pub(crate) is_of_token_request: bool,
}

impl ApiError {
    /// The class of the error: [`Code::class`], unless the endpoint has given the code another one by
    /// [`Error::with_class`](super::Error::with_class).
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// See [`Error::advice`](super::Error::advice).
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.class {
            Class::ServiceFailure | Class::RateLimit | Class::DocumentBusy => {
                Advice::Again { after: self.retry_after }
            }
            Class::TenantToken | Class::AppToken => Advice::RenewToken,
            Class::Unknown => advice::by_status(self.status, self.retry_after),
            _ => Advice::GiveUp,
        }
    }

    /// Whether a permission is missing: the error has [`Class::Permission`], or the service lists missing permissions.
    #[must_use]
    #[doc(alias = "权限")]
    pub fn is_permission(&self) -> bool {
        self.class == Class::Permission || !self.permission_violations.is_empty()
    }

    /// Whether the request exceeded a rate limit of the gateway or the service. A [busy](Class::DocumentBusy) document
    /// does not count as a rate limit, whatever the status, and neither does the [monthly quota](Code::QUOTA_USED_UP),
    /// although the service sends it with HTTP 429.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        match self.class {
            Class::RateLimit => true,
            Class::ServiceFailure | Class::Unknown => self.status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }

    /// A hint for the user about the next step, if one is known: [`Code::hint`], except for a code with two meanings.
    /// The message, or whether the reply answers a token request, decides between the two meanings.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.code {
            Code::USER_TOKEN_INVALID if self.says("token not support") => {
                Some("this endpoint takes no user token: send the request with a token of the app")
            }
            _ if self.is_of_older_endpoint() => Some(
                "this older endpoint does not work across organisations: use the one under `im/v1`, \
                 for images `im/v1/images`",
            ),
            Code::SHEET_BODY if !self.says("image format") => None,
            Code::INTERNAL if self.is_of_token_request => Some(CREDENTIALS),
            Code::INVALID_PARAM if !self.is_of_token_request => None,
            code => code.hint(),
        }
    }

    /// Whether the endpoint refuses all calls of this app, because it is an older one that does not work across
    /// organisations.
    pub(super) fn is_of_older_endpoint(&self) -> bool {
        self.code == Code::MESSAGE_FORBIDDEN && self.says("historical version")
    }

    fn says(&self, words: &str) -> bool {
        self.msg.to_ascii_lowercase().contains(words)
    }

    /// Makes the link to the page where the missing scopes are added to `app`, if the service sent no link.
    pub(super) fn make_grant_link(&mut self, site: &str, app: Option<&str>) {
        let is_scope = matches!(self.code, Code::SCOPE_MISSING | Code::USER_SCOPE_MISSING);
        if let (true, None, Some(app)) = (is_scope, &self.grant_link, app) {
            let scopes = self.permission_violations.iter().map(|missing| &*missing.scope);
            self.grant_link = link_for(site, app, scopes);
        }
    }

    /// Whether the service refused the tenant or app token, so that the call needs a new one.
    #[must_use]
    pub fn is_token_refused(&self) -> bool {
        matches!(self.class, Class::TenantToken | Class::AppToken)
    }
}

/// The maximum number of violations of each kind that the text of an error lists. The fields of the error have the
/// others too.
const MAX_LISTED: usize = 3;

/// Writes how many of `all` violations are not listed.
fn more(f: &mut fmt::Formatter<'_>, all: usize, noun: &str) -> fmt::Result {
    match all.saturating_sub(MAX_LISTED) {
        0 => Ok(()),
        1 => write!(f, "; 1 more {noun}"),
        rest => write!(f, "; {rest} more {noun}s"),
    }
}

/// Whether `text` contains `scope` as a whole, and not only as a part of a longer scope.
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
        for violation in self.field_violations.iter().take(MAX_LISTED) {
            write!(f, "; field `{}`", violation.field)?;
            if !violation.description.is_empty() {
                write!(f, ": {}", violation.description)?;
            }
        }
        more(f, self.field_violations.len(), "field")?;
        let is_told = |scope: &str| has_word(&self.msg, scope) || has_word(detail, scope);
        let scopes = self.permission_violations.iter().map(|violation| &*violation.scope);
        let scopes: Vec<_> = scopes.filter(|scope| !is_told(scope)).collect();
        for scope in scopes.iter().take(MAX_LISTED) {
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

/// A missing permission. The service sends it in the documented form or in another one, which was seen live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionViolation {
    /// The scope, such as `drive:drive`: `scope` in the documented form, `subject` in the form seen live.
    pub scope: String,
    /// `type` in the form seen live, such as `action_scope_required`; the documented form has none.
    pub kind: Option<String>,
    /// `url` in the documented form: the link to the page where the permission is granted.
    pub url: Option<String>,
}

/// A field of the request that the gateway refused (code 99992402). The value of the field is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The field's name.
    pub field: String,
    /// The service's description of the error.
    pub description: String,
}

#[cfg(test)]
mod tests {
    use super::super::failed_reply::Error;
    use super::*;

    fn api(status: u16, body: &str) -> ApiError {
        Error::of_reply(status, body).api().unwrap().clone()
    }

    #[test]
    fn a_text_holds_each_part_of_the_error_once() {
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
            assert_eq!(api(200, body).to_string(), expected, "{body}");
        }
    }

    #[test]
    fn a_rate_limit_is_a_code_of_its_class_or_a_429_without_another_meaning() {
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
            assert_eq!(api(status, body).is_rate_limit(), is, "{status} {body}");
        }
    }

    #[test]
    fn a_missing_permission_is_a_code_of_its_class_or_a_listed_violation() {
        let violation = r#""error":{"permission_violations":[{"subject":"a:b"}]}"#;
        let unnamed = r#""error":{"permission_violations":[{"type":"x"}]}"#;
        for (code, more, is) in [
            (90213, "", true),
            (99991672, "", true),
            (99991663, "", false),
            (11205, "", false),
            (42, "", false),
            (42, violation, true),
            (90202, violation, true),
            (42, unnamed, false),
        ] {
            let separator = if more.is_empty() { "" } else { "," };
            let body = format!(r#"{{"code":{code}{separator}{more}}}"#);
            assert_eq!(api(400, &body).is_permission(), is, "{body}");
        }
    }

    #[test]
    fn a_refused_token_is_one_that_a_session_can_fetch_anew() {
        for (code, is) in [
            (99991663, true),
            (99991664, true),
            (99991665, true),
            (99991661, false),
            (99991668, false),
            (99991672, false),
            (10014, false),
            (42, false),
        ] {
            assert_eq!(api(401, &format!(r#"{{"code":{code}}}"#)).is_token_refused(), is, "{code}");
        }
    }

    #[test]
    fn the_class_decides_on_the_advice() {
        let again = Advice::Again { after: None };
        for (code, advice) in [
            (90203, again),
            (99991400, again),
            (90217, again),
            (99991663, Advice::RenewToken),
            (99991664, Advice::RenewToken),
            (99991661, Advice::GiveUp),
            (11205, Advice::GiveUp),
            (90213, Advice::GiveUp),
            (90215, Advice::GiveUp),
            (90202, Advice::GiveUp),
            (99991403, Advice::GiveUp),
        ] {
            for status in [200, 400, 429, 503] {
                let error = api(status, &format!(r#"{{"code":{code}}}"#));
                assert_eq!(error.advice(), advice, "{code} {status}");
            }
        }
    }

    #[test]
    fn the_status_decides_on_the_advice_for_an_unknown_code() {
        for (status, advice) in [
            (200, Advice::GiveUp),
            (400, Advice::GiveUp),
            (408, Advice::Again { after: None }),
            (429, Advice::Again { after: None }),
            (503, Advice::Again { after: None }),
        ] {
            assert_eq!(api(status, r#"{"code":42}"#).advice(), advice, "{status}");
        }
    }

    #[test]
    fn the_message_selects_the_hint_of_a_code_with_two_meanings() {
        let hint =
            |code: i64, msg: &str| api(400, &format!(r#"{{"code":{code},"msg":"{msg}"}}"#)).hint();
        let says = |hint: Option<&str>, words: &str| hint.is_some_and(|hint| hint.contains(words));
        assert!(says(hint(99991668, "Token not support: x"), "takes no user token"));
        assert!(says(hint(99991668, "x"), "log in again"));
        assert!(says(hint(230027, "The historical version of x"), "`im/v1/images`"));
        assert!(says(hint(230027, "x"), "authorise"));
        assert!(says(hint(90204, "Image format is unknown"), "extension"));
        assert_eq!(hint(90204, "WrongRequestBody: image[1]"), None);
    }

    #[test]
    fn the_credentials_are_suspected_only_after_a_token_request() {
        for code in [2200, 10003] {
            let error = Error::of_reply(400, &format!(r#"{{"code":{code}}}"#));
            assert_eq!(error.api().unwrap().hint(), None, "{code}");
            let error = error.of_token_request();
            assert_eq!(error.api().unwrap().hint(), Some(CREDENTIALS), "{code}");
        }
    }

    #[test]
    fn only_a_missing_scope_gets_a_link_of_its_app() {
        let link = |body: &str, app: Option<&str>| {
            let error = Error::of_reply(400, body).in_call("https://open.feishu.cn", app);
            error.api().unwrap().grant_link.clone()
        };
        let page = Some("https://open.feishu.cn/app/cli_x/auth".to_owned());
        assert_eq!(link(r#"{"code":99991672}"#, Some("cli_x")), page);
        assert_eq!(link(r#"{"code":99991679}"#, Some("cli_x")), page);
        assert_eq!(link(r#"{"code":99991672}"#, None), None);
        assert_eq!(link(r#"{"code":90213}"#, Some("cli_x")), None);
        let own = "https://x.example/app/cli_y/auth";
        let body = format!(r#"{{"code":99991672,"msg":"see {own}"}}"#);
        assert_eq!(link(&body, Some("cli_x")).as_deref(), Some(own));
    }
}
