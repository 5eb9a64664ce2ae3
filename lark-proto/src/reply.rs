//! Replies: Lark's envelope `{"code":0,"msg":"..","data":{..},"error":{..}}`, whatever the HTTP status.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::error::{
    ApiError, Code, Error, FieldViolation, LINK, PermissionViolation, Unreadable, after, link_in,
    scopes_in,
};
use crate::text::{Secrets, excerpt};
use crate::values::ImageFormat;
use crate::values::macros::TextVisitor;

/// A reply, received whole.
///
/// The code in the envelope decides and the HTTP status never does: Lark sends the same failure with 200,
/// 400 and 429.
pub struct Reply {
    response: Response<Bytes>,
    secrets: Secrets,
}

/// The envelope's outline: what it holds is read only where it is asked for, so that one field of an
/// odd type does not hide the others.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
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

/// A JSON object of which each field is read only where it is asked for; of two with the same name the
/// last counts.
#[derive(Default)]
struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Empty for anything else than an object; an error's details are of no fixed form.
    fn new(json: &'a RawValue) -> Self {
        Self(if json.get().starts_with('{') {
            read(json).unwrap_or_default()
        } else {
            BTreeMap::new()
        })
    }

    /// A field that is a string and not empty, cleared of `secrets`.
    fn text(&self, name: &str, secrets: &Secrets) -> Option<String> {
        text(self.0.get(name)?, secrets)
    }

    /// The objects in a field that is an array.
    fn list(&self, name: &str) -> Vec<Object<'a>> {
        let items: Option<Vec<&RawValue>> = self.0.get(name).and_then(|json| read(json));
        items.unwrap_or_default().into_iter().take(VIOLATIONS).map(Object::new).collect()
    }
}

/// The most bytes of each of an error's texts that are kept.
pub(crate) const TEXT: usize = 1024;
/// The most bytes of a log id that are kept.
const LOG_ID: usize = 128;
/// The most violations that are kept.
const VIOLATIONS: usize = 32;

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
        self.log_id_in(self.envelope().ok().as_ref())
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

    /// The bytes of an endpoint that answers with a file, such as an image's download.
    ///
    /// A success is a 2xx status with any bytes but these:
    ///
    /// * The service's envelope, a JSON object with an integer `code`. Its code counts here as elsewhere, whatever the
    ///   status: the service was seen to send errors with HTTP 200. A JSON object without such a code is a file.
    /// * A web page, which proxies answer with: HTML by its content type or its beginning. A body that begins like a
    ///   picture is a picture, whatever the content type, and HTML with a `Content-Disposition` is a file.
    ///
    /// # Errors
    /// [`Error::Api`] if the body is an envelope with a code other than 0; [`Error::Unreadable`] if it is one with code
    /// 0, if it is a page or empty, and for any other status. The service was seen to refuse a download with HTTP 400
    /// or 403 and no body: [`Unreadable::hint`] then says what the status means.
    pub fn binary(&self) -> Result<Bytes, Error> {
        // Not `envelope`, which refuses an object with two codes.
        let object: Option<&RawValue> = serde_json::from_slice(self.body()).ok();
        let object = object.map(Object::new).unwrap_or_default();
        if object.0.get("code").is_some_and(|code| read::<i64>(code).is_some()) {
            self.success()?;
            return Err(self.unreadable("code 0 in place of a file"));
        }
        if !self.status().is_success() {
            return Err(self.unreadable("neither a file nor an error of the service").of_file());
        }
        if self.body().is_empty() {
            return Err(self.unreadable("an empty file"));
        }
        if self.is_page() {
            return Err(self.unreadable("a web page in place of a file"));
        }
        Ok(self.body().clone())
    }

    /// Whether the body is HTML, and neither a picture under a wrong content type nor a file that was asked for.
    fn is_page(&self) -> bool {
        let body = self.body();
        if ImageFormat::sniff(body).is_some() || self.headers().contains_key(CONTENT_DISPOSITION) {
            return false;
        }
        let begins = |text: &[u8], start: &str| {
            text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start.as_bytes()))
        };
        let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start();
        let content_type = self.headers().get(CONTENT_TYPE);
        content_type.is_some_and(|value| begins(value.as_bytes(), "text/html"))
            || begins(text, "<html")
            || begins(text, "<!doctype html")
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
        let body = self.body().trim_ascii_start();
        if !body.starts_with(b"{") {
            return Err("not a JSON object".into());
        }
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    fn success(&self) -> Result<Envelope<'_>, Error> {
        let envelope = self.envelope().map_err(|reason| self.unreadable(reason))?;
        match envelope.code.and_then(read) {
            Some(0) => Ok(envelope),
            Some(code) => Err(Error::Api(Box::new(self.api_error(Code(code), &envelope)))),
            None => Err(self.unreadable("`code` is not an integer")),
        }
    }

    fn api_error(&self, code: Code, envelope: &Envelope<'_>) -> ApiError {
        let error = envelope.error.map(Object::new).unwrap_or_default();
        let secrets = &self.secrets;
        let permission = |item: Object<'_>| {
            let scope = item.text("scope", secrets).or_else(|| item.text("subject", secrets))?;
            let (kind, url) = (item.text("type", secrets), item.text("url", secrets));
            Some(PermissionViolation { scope, kind, url })
        };
        let field = |item: Object<'_>| {
            let description = item.text("description", secrets).unwrap_or_default();
            Some(FieldViolation { field: item.text("field", secrets)?, description })
        };
        let permissions = error.list("permission_violations").into_iter();
        let fields = error.list("field_violations").into_iter();
        let msg = envelope.msg.and_then(read::<String>).unwrap_or_default();
        let mut api_error = ApiError {
            code,
            msg: secrets.clear(msg.as_bytes(), TEXT),
            status: self.status(),
            log_id: self.log_id_in(Some(envelope)),
            retry_after: after(self.headers()),
            detail: error
                .text("message", secrets)
                .or_else(|| envelope.error.and_then(|text| self::text(text, secrets))),
            permission_violations: permissions.filter_map(permission).collect(),
            field_violations: fields.filter_map(field).collect(),
            troubleshooter: error.text("troubleshooter", secrets),
            grant_link: None,
            class: code.class(),
            is_of_token_request: false,
        };
        if matches!(code, Code::SCOPE_MISSING | Code::USER_SCOPE_MISSING) {
            self.read_scopes(&msg, &mut api_error);
        }
        api_error
    }

    /// Reads the link that grants the missing scopes, and the scopes themselves where the service does not list them,
    /// from the whole message: the link is at its end.
    fn read_scopes(&self, msg: &str, error: &mut ApiError) {
        let clear = |text: &str| self.secrets.clear(text.as_bytes(), LINK);
        let is_whole = |url: &&String| url.starts_with("https://") && !url.ends_with('…');
        let of_violations = || {
            let urls = error.permission_violations.iter().filter_map(|it| it.url.as_ref());
            urls.into_iter().find(is_whole).cloned()
        };
        let in_msg = link_in(msg);
        error.grant_link = in_msg.map(clear).or_else(of_violations);
        if error.permission_violations.is_empty() {
            let missing =
                |scope: &str| PermissionViolation { scope: clear(scope), kind: None, url: None };
            let scopes = scopes_in(msg, in_msg).take(VIOLATIONS);
            error.permission_violations = scopes.map(missing).collect();
        }
    }

    fn log_id_in(&self, envelope: Option<&Envelope<'_>>) -> Option<String> {
        let secrets = &self.secrets;
        let header = |name| {
            let id = self.headers().get(name)?.to_str().ok().filter(|id| !id.is_empty())?;
            Some(secrets.clear(id.as_bytes(), LOG_ID))
        };
        let body = || {
            let envelope = envelope?;
            let error = envelope.error.map(Object::new).unwrap_or_default();
            let inner = error.0.get("log_id").copied().and_then(string);
            inner
                .or_else(|| error.0.get("logid").copied().and_then(string))
                .or_else(|| envelope.log_id.and_then(string))
                .or_else(|| envelope.logid.and_then(string))
                .map(|id| secrets.clear(id.as_bytes(), LOG_ID))
        };
        header("x-tt-logid").or_else(body).or_else(|| header("x-request-id"))
    }
}

/// Without the body, which may hold a token.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status(), self.body().len())
    }
}

/// A string that is not empty, cut to [`TEXT`] bytes and cleared of `secrets`.
fn text(json: &RawValue, secrets: &Secrets) -> Option<String> {
    string(json).map(|text| secrets.clear(text.as_bytes(), TEXT))
}

/// A string that is not empty.
fn string(json: &RawValue) -> Option<String> {
    read::<String>(json).filter(|text| !text.is_empty())
}

/// A text of a success, bounded and cleaned as those of an error are.
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(|text| Ok(Self(excerpt(text.as_bytes(), TEXT)))))
    }
}

/// `{}`, with any space inside.
fn is_empty_object(json: &str) -> bool {
    let inner = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// The value if it has the expected type.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// An optional field, which is absent if it has another type than documented, so that a success does not fail over an
/// optional detail.
pub(crate) fn lenient<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.and_then(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, content_type: &str, body: &[u8]) -> Reply {
        let response = Response::builder().status(status).header("content-type", content_type);
        Reply::new(response.body(Bytes::copy_from_slice(body)).unwrap())
    }

    #[test]
    fn a_file_is_a_2xx_reply_without_an_envelope() {
        const IMAGE: &str = "image/png";
        const JSON: &str = "application/json; charset=utf-8";
        for (status, content_type, body, found) in [
            (200, IMAGE, "GIF89a", "file"),
            (206, IMAGE, "GIF89a", "file"),
            (200, JSON, "GIF89a", "file"),
            (200, "text/html", "GIF89a", "file"),
            (200, "text/plain", "page", "file"),
            (200, IMAGE, "<svg><html>", "file"),
            (200, "image/svg+xml", "<!DOCTYPE svg PUBLIC>", "file"),
            // The body begins like an envelope, but is none.
            (200, IMAGE, "{", "file"),
            (200, IMAGE, "{\"code\":42", "file"),
            (200, IMAGE, "{\"code\":42}}", "file"),
            (200, JSON, "{}", "file"),
            (200, JSON, "{\"code\":\"42\"}", "file"),
            (200, JSON, "[42]", "file"),
            // An envelope, whatever the status and the content type.
            (200, JSON, "{\"code\":42}", "code 42"),
            (200, IMAGE, "{\"code\":42}", "code 42"),
            (200, IMAGE, " \n{\"msg\":\"m\",\"code\":42} ", "code 42"),
            (404, JSON, "{\"code\":234005,\"msg\":\"m\"}", "code 234005"),
            (500, "text/html", "{\"code\":42}", "code 42"),
            (200, JSON, "{\"code\":0,\"data\":{}}", "unreadable"),
            (200, IMAGE, "{\"code\":0}", "unreadable"),
            (404, JSON, "{\"code\":0}", "unreadable"),
            (200, JSON, "{\"code\":42,\"code\":0}", "unreadable"),
            (200, JSON, "{\"code\":42,\"msg\":1,\"msg\":2}", "unreadable"),
            // A page, by its content type or its beginning.
            (200, "text/html", "<html>", "unreadable"),
            (200, "Text/HTML; charset=utf-8", "please log in", "unreadable"),
            (206, IMAGE, "<html>", "unreadable"),
            (200, IMAGE, "\u{feff} \r\n<!DOCTYPE html>", "unreadable"),
            (200, JSON, "<HTML lang=en>", "unreadable"),
            // The body is empty, or the status is no success.
            (200, IMAGE, "", "unreadable"),
            (204, IMAGE, "", "unreadable"),
            (403, IMAGE, "", "unreadable"),
            (400, IMAGE, "GIF89a", "unreadable"),
            (302, IMAGE, "GIF89a", "unreadable"),
            (404, "text/plain", "404 page not found", "unreadable"),
            (502, "text/html", "<html>", "unreadable"),
            (500, JSON, "{}", "unreadable"),
        ] {
            let told = match reply(status, content_type, body.as_bytes()).binary() {
                Ok(file) => {
                    assert_eq!(file, body);
                    "file".to_owned()
                }
                Err(Error::Api(api)) => format!("code {}", api.code.0),
                Err(Error::Unreadable(reply)) => {
                    assert_eq!(reply.status, status);
                    "unreadable".to_owned()
                }
            };
            assert_eq!(told, found, "{status} {content_type} {body}");
        }
        let image = b"\x89PNG\r\n\x1a\n\0\xff";
        assert_eq!(reply(200, IMAGE, image).binary().unwrap(), &image[..]);
    }

    #[test]
    fn a_web_page_that_is_sent_as_a_file_is_a_file() {
        let mut page = reply(200, "text/html", b"<html>");
        let disposition = http::HeaderValue::from_static("attachment; filename=\"a.html\"");
        page.response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
        assert_eq!(page.binary().unwrap(), "<html>");
    }

    #[test]
    fn a_refused_download_without_a_body_is_explained_by_its_status() {
        for (status, body, words) in [
            (400, "", "`extra`"),
            (403, "", "right to download"),
            (403, " \r\n", "right to download"),
            (404, "", "was deleted"),
            (404, "404 page not found", "does not know this route"),
            (403, "<html>", ""),
            (500, "", ""),
        ] {
            let error = reply(status, "text/plain", body.as_bytes()).binary().unwrap_err();
            let Error::Unreadable(refused) = &error else { panic!("{error}") };
            let hint = refused.hint().unwrap_or_default();
            assert!(
                hint.contains(words) && hint.is_empty() == words.is_empty(),
                "{status}: {hint}"
            );
            assert!(error.to_string().contains(hint), "{error}");
            let again = matches!(error.advice(), crate::error::Advice::Again { .. });
            assert_eq!(again, status == 500, "{error}");
        }
    }

    #[test]
    fn a_file_is_not_copied() {
        let body = Bytes::from_static(b"GIF89a");
        let file = Reply::new(Response::new(body.clone())).binary().unwrap();
        assert_eq!(file.as_ptr_range(), body.as_ptr_range());
    }
}
