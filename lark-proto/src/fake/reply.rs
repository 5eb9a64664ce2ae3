//! The replies of the service.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::text::excerpt;

/// A refusal with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: i64,
    pub(crate) msg: Cow<'static, str>,
    pub(crate) detail: Detail,
}

/// The part of a refusal that only some codes have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    None,
    /// The field that the gateway refused, and what is wrong with it.
    Field(&'static str, Cow<'static, str>),
    /// The headers of the gateway's rate limit.
    RateLimit {
        limit: u32,
        reset: String,
    },
}

impl Refusal {
    /// The longest text of a refusal in bytes. serde quotes the whole of a word that it does not expect.
    pub(crate) const MAX_TEXT: usize = 1024;

    /// The same refusal, with the beginning of a longer text.
    pub(crate) fn shortened(mut self) -> Self {
        if self.msg.len() > Self::MAX_TEXT {
            self.msg = excerpt(self.msg.as_bytes(), Self::MAX_TEXT).into();
        }
        if let Detail::Field(_, description) = &mut self.detail {
            if description.len() > Self::MAX_TEXT {
                *description = excerpt(description.as_bytes(), Self::MAX_TEXT).into();
            }
        }
        self
    }

    pub(crate) fn with_200(code: i64, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::OK, code, msg: msg.into(), detail: Detail::None }
    }

    pub(crate) fn with_400(code: i64, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, msg: msg.into(), detail: Detail::None }
    }

    /// The gateway's refusal of one field.
    pub(crate) fn field(name: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        let detail = Detail::Field(name, description.into());
        Self { detail, ..Self::with_400(99992402, "field validation failed") }
    }

    /// The gateway's refusal of a request above its rate limit.
    pub(crate) fn rate_limited(status: StatusCode, detail: Detail) -> Self {
        Self { status, code: 99991400, msg: "request trigger frequency limit".into(), detail }
    }
}

/// The parts from which the reply to a request that was carried out is made.
#[derive(Debug)]
pub(crate) enum ReplyDraft {
    /// A JSON document with code 0.
    Json(Value),
    /// A file, which a download returns.
    File { bytes: Bytes, content_type: String, name: String },
    /// The reply of an added endpoint whose closure returned a fault.
    Ready(Reply),
}

impl From<Value> for ReplyDraft {
    fn from(document: Value) -> Self {
        Self::Json(document)
    }
}

/// A response, and its code: that in the JSON, 0 for a file, `None` for any other response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: Option<i64>,
    pub(crate) response: Response<Bytes>,
}

impl Reply {
    pub(crate) fn of(outcome: Result<ReplyDraft, Refusal>, log_id: &str) -> Self {
        match outcome {
            Ok(ReplyDraft::Json(body)) => Self::enveloped(StatusCode::OK, 0, &body, log_id),
            Ok(ReplyDraft::File { bytes, content_type, name }) => {
                let mut response = Response::new(bytes);
                insert(&mut response, CONTENT_TYPE.as_str(), &content_type);
                // The name is sent as UTF-8, because the official client for Python fails without `filename`.
                let name = name.replace('\\', r"\\").replace('"', "\\\"");
                let disposition = format!("attachment; filename=\"{name}\"");
                insert(&mut response, CONTENT_DISPOSITION.as_str(), &disposition);
                insert(&mut response, "x-tt-logid", log_id);
                Self { code: Some(0), response }
            }
            Ok(ReplyDraft::Ready(reply)) => reply,
            Err(refusal) => Self::refused(refusal.shortened(), log_id),
        }
    }

    pub(crate) fn refused(Refusal { status, code, msg, detail }: Refusal, log_id: &str) -> Self {
        let mut body = failed(code, &msg, log_id);
        let error = body.get_mut("error").and_then(Value::as_object_mut);
        if let (Some(error), Detail::Field(field, description)) = (error, &detail) {
            let violations = json!([{"field": field, "description": description}]);
            error.insert("field_violations".to_owned(), violations);
        }
        let mut reply = Self::enveloped(status, code, &body, log_id);
        if let Detail::RateLimit { limit, reset } = detail {
            insert(&mut reply.response, "x-ogw-ratelimit-limit", &limit.to_string());
            insert(&mut reply.response, "x-ogw-ratelimit-reset", &reset);
        }
        reply
    }

    /// The gateway's refusal of an app that has none of `scopes`.
    pub(crate) fn permission(scopes: &[Cow<'static, str>], log_id: &str) -> Self {
        let code = 99991672;
        let list = scopes.join(", ");
        let msg = format!("Access denied. One of the following scopes is required: [{list}].");
        let mut body = failed(code, &msg, log_id);
        let violation =
            |scope: &Cow<'static, str>| json!({"subject": scope, "type": "action_scope_required"});
        if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
            let violations = scopes.iter().map(violation).collect();
            error.insert("permission_violations".to_owned(), violations);
        }
        Self::enveloped(StatusCode::BAD_REQUEST, code, &body, log_id)
    }

    fn enveloped(status: StatusCode, code: i64, body: &Value, log_id: &str) -> Self {
        let mut response =
            respond(status, "application/json; charset=utf-8", body.to_string().into());
        insert(&mut response, "x-tt-logid", log_id);
        Self { code: Some(code), response }
    }

    /// The HTML page of the edge, without a code and a log id.
    pub(crate) fn edge(status: StatusCode) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
             <center><h1>{status}</h1></center>\r\n\
             <hr/>Powered by volc-dcdn<hr><center>Tengine</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { code: None, response: respond(status, "text/html", page.into()) }
    }

    /// The reply to a request without a route.
    pub(crate) fn not_found() -> Self {
        let body = Bytes::from_static(b"404 page not found");
        Self { code: None, response: respond(StatusCode::NOT_FOUND, "text/plain", body) }
    }

    /// The reply with the first half of its body.
    pub(crate) fn truncated(mut self) -> Self {
        let body = self.response.body_mut();
        body.truncate(body.len() / 2);
        self
    }
}

/// The log id of the reply that follows `answered` others.
pub(crate) fn log_id(answered: usize) -> String {
    format!("20260101000000{:018X}", answered.saturating_add(1))
}

/// Sets a header, unless `value` cannot be the value of a header.
pub(crate) fn insert(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(name, value);
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The body of a refusal.
fn failed(code: i64, msg: &str, log_id: &str) -> Value {
    match code {
        // This reply was recorded live, with an empty `data`.
        10003 => json!({"code": code, "data": {}, "msg": msg}),
        // The gateway's codes come with the log id in the body as well.
        99_990_000..=99_999_999 => json!({
            "code": code,
            "error": {
                "log_id": log_id,
                "troubleshooter": format!(
                    "排查建议查看(Troubleshooting suggestions): \
                     https://open.feishu.cn/search?from=openapi&log_id={log_id}&code={code}"
                ),
            },
            "msg": msg,
        }),
        _ => json!({"code": code, "msg": msg}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_fake_quotes_the_beginning_of_a_long_word() {
        let word = "a".repeat(5000);
        for refusal in [Refusal::with_200(90204, word.clone()), Refusal::field("f", word.clone())] {
            let reply = Reply::of(Err(refusal), "L1").response;
            let len = reply.body().len();
            assert!((1000..1500).contains(&len), "{len} bytes");
        }
        let short = Refusal::with_200(90204, "a".repeat(Refusal::MAX_TEXT));
        assert_eq!(short.clone().shortened(), short);
    }
}
