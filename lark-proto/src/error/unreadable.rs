//! A reply that is not what the endpoint documents.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

use super::advice;
use super::code::{FILE_ACCESS, FILE_PARAM};
use crate::text::Secrets;

/// A reply that the endpoint cannot read. Its texts have `***` in place of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `Content-Type`, shortened.
    pub content_type: Option<String>,
    /// The reason why the reply cannot be read.
    pub reason: String,
    /// The beginning of the body, at most 256 bytes, cut between characters.
    pub excerpt: String,
    /// The id that Lark's support asks for.
    pub log_id: Option<String>,
    /// How long the service asks to wait: see [`ApiError::retry_after`](super::ApiError::retry_after).
    pub retry_after: Option<Duration>,
    hint: Option<String>,
    /// Whether the status refers to the requested file, and not to the route.
    pub(super) is_about_file: bool,
}

/// The hint on a download that was refused without a body.
fn file_hint(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        400 => Some(FILE_PARAM),
        403 => Some(FILE_ACCESS),
        404 => Some("the file does not exist: it was deleted, or its key or token is wrong"),
        _ => None,
    }
}

/// The hint on a route that does not exist, after the name of the site.
const NO_ROUTE: &str = "does not know this route: check the host of the site; \
    an older private deployment lacks newer routes";

impl Unreadable {
    /// A hint for the user about the next step, if one is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error of a `response` that cannot be read for this `reason`.
    pub(crate) fn new(
        response: &Response<Bytes>,
        log_id: Option<String>,
        reason: &str,
        secrets: &Secrets,
    ) -> Self {
        let status = response.status();
        let body = response.body();
        let content_type = response.headers().get(CONTENT_TYPE);
        // The service's own errors are JSON. Plain text or HTML comes from a gateway, or from another server.
        let is_no_route =
            status == StatusCode::NOT_FOUND && !body.trim_ascii_start().starts_with(b"{");
        Self {
            status,
            content_type: content_type.map(|value| secrets.clear(value.as_bytes(), 60)),
            reason: secrets.clear(reason.as_bytes(), 200),
            excerpt: secrets.clear(body, 256),
            log_id,
            retry_after: advice::after(response.headers()),
            hint: is_no_route.then(|| format!("the site {NO_ROUTE}")),
            is_about_file: false,
        }
    }

    /// Names the site in the hint on a missing route.
    pub(super) fn name_site(&mut self, site: &str) {
        if self.hint.as_ref().is_some_and(|hint| hint.ends_with(NO_ROUTE)) {
            self.hint = Some(format!("{site} {NO_ROUTE}"));
        }
    }

    /// Explains the status of a reply without a body that should have been a file.
    pub(super) fn explain_for_file(&mut self) {
        if !self.excerpt.trim().is_empty() {
            return;
        }
        if let Some(hint) = file_hint(self.status) {
            self.hint = Some(hint.to_owned());
            self.is_about_file = true;
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content_type = self.content_type.as_deref().unwrap_or("no content type");
        write!(f, "unreadable reply (HTTP {}, {content_type}): ", self.status.as_u16())?;
        match &*self.excerpt {
            "" => write!(f, "{}; the body is empty", self.reason)?,
            excerpt => write!(f, "{}; the body begins with `{excerpt}`", self.reason)?,
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
    use super::super::failed_reply::Error;

    fn hint(status: u16, body: &str) -> Option<String> {
        let error = Error::of_reply(status, body).in_call("https://gw.example/feishu", None);
        let Error::Unreadable(reply) = error else { panic!("{error}") };
        reply.hint().map(str::to_owned)
    }

    #[test]
    fn a_404_that_is_not_a_json_object_is_a_missing_route_of_the_site() {
        for body in ["404 page not found", "<html>", "", "[]"] {
            let hint = hint(404, body).unwrap_or_default();
            let expected = "https://gw.example/feishu does not know this route";
            assert!(hint.starts_with(expected), "{body}: {hint}");
        }
        for (status, body) in [(404, " \n{}"), (400, "<html>"), (405, "")] {
            assert_eq!(hint(status, body), None, "{status} {body}");
        }
    }

    #[test]
    fn each_text_is_bounded() {
        let mut response = http::Response::new("x".repeat(1000).into());
        let content_type = "y".repeat(100).parse().unwrap();
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        let reason = "z".repeat(300);
        let Error::Unreadable(reply) = crate::api::Reply::new(response).unreadable(reason) else {
            panic!()
        };
        for (text, max) in [
            (&reply.excerpt, 256),
            (&reply.reason, 200),
            (reply.content_type.as_ref().unwrap(), 60),
        ] {
            assert_eq!(text.chars().count(), max + 1, "{text}");
            assert!(text.ends_with('…'), "{text}");
        }
    }
}
