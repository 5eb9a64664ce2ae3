//! The service's envelope `{"code":0,"msg":"..","data":{..},"error":{..}}`, and the error that it describes.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{TEXT, read, string, text};
use crate::error::{
    ApiError, Code, FieldViolation, MAX_LINK_LEN, PermissionViolation, after, link_in, scopes_in,
};
use crate::text::Secrets;

/// The maximum length of a log id in bytes. A longer one is cut.
const MAX_LOG_ID_LEN: usize = 128;
/// The maximum length in bytes of the message in which the missing scopes and their link are searched for.
const MAX_SCOPES_LEN: usize = 32 * 1024;
/// The maximum number of violations of each kind that are read.
const MAX_VIOLATIONS: usize = 32;

/// The envelope with its fields as unread JSON. Each field is read where it is needed, so that a field of an unexpected
/// type does not hide the others.
#[derive(serde::Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    logid: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope in `body`. The error is the reason why there is none.
    pub(super) fn new(body: &'a [u8]) -> Result<Self, String> {
        let body = body.trim_ascii_start();
        if !body.starts_with(b"{") {
            return Err("not a JSON object".into());
        }
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    /// The fields of `error`.
    fn error(&self) -> Object<'a> {
        self.error.map(Object::new).unwrap_or_default()
    }

    /// The id that Lark's support asks for, from the body alone.
    fn log_id(&self) -> Option<String> {
        let error = self.error();
        let of_error = |name| string(error.get(name)?);
        of_error("log_id")
            .or_else(|| of_error("logid"))
            .or_else(|| self.log_id.and_then(string))
            .or_else(|| self.logid.and_then(string))
    }

    /// The error of a `response` whose envelope has this `code`.
    pub(super) fn api_error(
        &self,
        code: Code,
        response: &Response<Bytes>,
        secrets: &Secrets,
    ) -> ApiError {
        let error = self.error();
        let permission = |item: Object<'_>| {
            Some(PermissionViolation {
                scope: item.text("scope", secrets).or_else(|| item.text("subject", secrets))?,
                kind: item.text("type", secrets),
                url: item.text("url", secrets),
            })
        };
        let field = |item: Object<'_>| {
            Some(FieldViolation {
                field: item.text("field", secrets)?,
                description: item.text("description", secrets).unwrap_or_default(),
            })
        };
        let permissions = error.list("permission_violations").into_iter();
        let fields = error.list("field_violations").into_iter();
        let msg = self.msg.and_then(read::<String>).unwrap_or_default();
        let mut api_error = ApiError {
            code,
            msg: secrets.clear(msg.as_bytes(), TEXT),
            status: response.status(),
            log_id: log_id(response.headers(), Some(self), secrets),
            retry_after: after(response.headers()),
            detail: error
                .text("message", secrets)
                .or_else(|| self.error.and_then(|error| text(error, secrets))),
            permission_violations: permissions.filter_map(permission).collect(),
            field_violations: fields.filter_map(field).collect(),
            troubleshooter: error.text("troubleshooter", secrets),
            grant_link: None,
            class: code.class(),
            is_of_token_request: false,
        };
        if matches!(code, Code::SCOPE_MISSING | Code::USER_SCOPE_MISSING) {
            read_scopes(&msg, &mut api_error, secrets);
        }
        api_error
    }
}

/// Reads the link that grants the missing scopes, and the scopes themselves if the service does not list them. Both are
/// read from the message `msg` before it is cut for the error, because the link is at its end. If `msg` has
/// no link, the first whole link of a violation is used.
fn read_scopes(msg: &str, error: &mut ApiError, secrets: &Secrets) {
    // The parts of a secret that is cut at a comma or a bracket would not be recognised.
    let msg = &*secrets.clear(msg.as_bytes(), MAX_SCOPES_LEN);
    let clear = |text: &str| secrets.clear(text.as_bytes(), MAX_LINK_LEN);
    let is_whole = |url: &&String| url.starts_with("https://") && !url.ends_with('…');
    let of_violations = || {
        let mut urls = error.permission_violations.iter().filter_map(|it| it.url.as_ref());
        urls.find(is_whole).cloned()
    };
    let is_cut = |link: &&str| msg.strip_suffix('…').is_some_and(|msg| msg.ends_with(*link));
    let in_msg = link_in(msg).filter(|link| !is_cut(link));
    error.grant_link = in_msg.map(clear).or_else(of_violations);
    if error.permission_violations.is_empty() {
        let missing =
            |scope: &str| PermissionViolation { scope: clear(scope), kind: None, url: None };
        let scopes = scopes_in(msg, in_msg).take(MAX_VIOLATIONS);
        error.permission_violations = scopes.map(missing).collect();
    }
}

/// The log id of a reply: the header `X-Tt-Logid`, else the one in the body, else the older header `X-Request-Id`.
pub(super) fn log_id(
    headers: &HeaderMap,
    envelope: Option<&Envelope<'_>>,
    secrets: &Secrets,
) -> Option<String> {
    let clear = |id: &str| secrets.clear(id.as_bytes(), MAX_LOG_ID_LEN);
    let in_header = |name| {
        let id = headers.get(name)?.to_str().ok().filter(|id| !id.is_empty())?;
        Some(clear(id))
    };
    let in_body = || Some(clear(&envelope?.log_id()?));
    in_header("x-tt-logid").or_else(in_body).or_else(|| in_header("x-request-id"))
}

/// A JSON object with its known fields as unread JSON. If two fields have the same name, the last one counts. Other
/// fields take no memory, however many there are.
#[derive(Clone, Copy, Default)]
pub(super) struct Object<'a>([Option<&'a RawValue>; NAMES.len()]);

/// The names of the fields that are read from an object.
const NAMES: [&str; 13] = [
    "code",
    "description",
    "field",
    "field_violations",
    "log_id",
    "logid",
    "message",
    "permission_violations",
    "scope",
    "subject",
    "troubleshooter",
    "type",
    "url",
];

impl<'a> Object<'a> {
    /// The fields of `json`; none if it is not an object.
    pub(super) fn new(json: &'a RawValue) -> Self {
        read(json).unwrap_or_default()
    }

    /// The field of this name, which is one of [`NAMES`].
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let at = NAMES.iter().position(|known| *known == name)?;
        *self.0.get(at)?
    }

    /// A field that is a string and not empty, cut to [`TEXT`] bytes and cleared of `secrets`.
    fn text(&self, name: &str, secrets: &Secrets) -> Option<String> {
        text(self.get(name)?, secrets)
    }

    /// The first objects in a field that is an array, at most [`MAX_VIOLATIONS`].
    fn list(&self, name: &str) -> Vec<Object<'a>> {
        self.get(name).and_then(read).map(|First(items)| items).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Self, A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value()?;
            let known = NAMES.iter().zip(&mut self.0).find(|(known, _)| **known == name);
            known.into_iter().for_each(|(_, field)| *field = Some(value));
        }
        Ok(self)
    }
}

/// The first [`MAX_VIOLATIONS`] items of an array, each of which has no fields if it is not an object.
struct First<'a>(Vec<Object<'a>>);

impl<'de> Deserialize<'de> for First<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(First(Vec::new()))
    }
}

impl<'de> Visitor<'de> for First<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self, A::Error> {
        while self.0.len() < MAX_VIOLATIONS {
            let Some(item) = items.next_element()? else { return Ok(self) };
            self.0.push(Object::new(item));
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}
