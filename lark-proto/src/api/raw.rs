//! A single call without a type for its endpoint.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::request::MAX_HEADERS;
use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::error::{Error, Invalid, InvalidKind};
use crate::token::TenantOrUser;

/// A call to any endpoint whose reply is the usual JSON envelope. The envelope's `data` is read as a `T`. The request
/// has a JSON body, a multipart form or no body.
///
/// * Route: the caller passes it as the vendor documents it, with `:name` for each value.
/// * Token: tenant or user access token.
/// * Limits: no quota, unless [`with_quota`](Self::with_quota) sets one. A reply has at most 1 MiB.
///
/// `data` may be any JSON. If it is missing, `null` or `{}`, the `T` is read from `null` or from `{}`, whichever it
/// accepts. `()`, an [`Option`], a struct without required fields and a [`serde_json::Value`] accept one of them. Any
/// other `data` is an error for `()`, and is ignored by [`serde::de::IgnoredAny`].
///
/// # Errors
/// The codes of the endpoint, which its page of the vendor's documentation lists;
/// [`CallErrorKind::Invalid`](crate::error::CallErrorKind::Invalid) for a call whose [`Path`] is invalid.
///
/// ```
/// use http::Method;
/// use lark_proto::{EndpointExt, Site, TenantToken};
/// use lark_proto::endpoints::Raw;
///
/// #[derive(serde::Deserialize)]
/// struct Found { find_result: Cells }
/// #[derive(serde::Deserialize)]
/// struct Cells { matched_cells: Vec<String> }
///
/// let route = "/open-apis/sheets/v3/spreadsheets/:spreadsheet_token\
///              /sheets/:sheet_id/find";
/// let find = Raw::<Found>::new(Method::POST, route)
///     .segment("shtcnabc")
///     .segment("Q7PlXT")
///     .with_json(&serde_json::json!({
///         "find_condition": {"range": "Q7PlXT!A1:H20"},
///         "find": "total",
///     }))?;
/// let request = find.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// let path = "/open-apis/sheets/v3/spreadsheets/shtcnabc/sheets/Q7PlXT/find";
/// assert_eq!(request.uri().path(), path);
/// assert_eq!(
///     request.body(),
///     r#"{"find":"total","find_condition":{"range":"Q7PlXT!A1:H20"}}"#,
/// );
///
/// let reply = r#"{"code":0,"data":{"find_result":{"matched_cells":["A1"]}}}"#;
/// let found = Raw::<Found>::decode(http::Response::new(reply.into()))?;
/// assert_eq!(found.find_result.matched_cells, ["A1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "custom")]
#[doc(alias = "request")]
pub struct Raw<T> {
    method: Method,
    route: Cow<'static, str>,
    path: Path,
    payload: Option<Payload>,
    headers: HeaderMap,
    resend: Option<Resend>,
    serial_key: Option<String>,
    quota: Quota,
    output: PhantomData<fn() -> T>,
}

impl<T> Raw<T> {
    /// A call without values, query and body.
    #[must_use]
    pub fn new(method: Method, route: impl Into<Cow<'static, str>>) -> Self {
        let route = route.into();
        Self {
            method,
            path: Path::new(&route),
            route,
            payload: None,
            headers: HeaderMap::new(),
            resend: None,
            serial_key: None,
            quota: Quota::NONE,
            output: PhantomData,
        }
    }

    /// Fills in the next `:name` of the route, as [`Path::segment`]. If a value is empty, `.` or `..`, or a placeholder
    /// has no value, the path is invalid, and a call fails before it sends a request.
    #[must_use]
    pub fn segment(mut self, value: &str) -> Self {
        self.path = self.path.segment(value);
        self
    }

    /// Adds `name=value` to the query, as [`Path::query`].
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.path = self.path.query(name, value);
        self
    }

    /// Sets the body: `value` as compact JSON.
    ///
    /// # Errors
    /// [`InvalidKind::NotJson`], for example for a map whose keys are not strings.
    pub fn with_json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, Invalid> {
        let text = serde_json::to_vec(value)
            .map_err(|error| Invalid::new(InvalidKind::NotJson, error.to_string()))?;
        Ok(self.with_payload(Payload::json(text)))
    }

    /// Sets the body: [`Payload::json`] for JSON text, [`Multipart::payload`](crate::body::Multipart::payload) for a
    /// form.
    #[must_use]
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Adds a header. Headers that [`Endpoint::headers`] lists as reserved are not sent, and neither is a header whose
    /// name is not among the first 1,000.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if self.headers.keys_len() < MAX_HEADERS || self.headers.contains_key(&name) {
            self.headers.append(name, value);
        }
        self
    }

    /// Sets [`Endpoint::resend`] instead of the default for the method.
    #[must_use]
    pub fn with_resend(mut self, resend: Resend) -> Self {
        self.resend = Some(resend);
        self
    }

    /// The value that was set, or the default for the method.
    fn resends(&self) -> Resend {
        self.resend.unwrap_or(Resend::for_method(&self.method))
    }

    /// Sets [`Endpoint::serial_key`]: a spreadsheet's token, for a write to it.
    #[must_use]
    pub fn with_serial_key(mut self, serial_key: impl Into<String>) -> Self {
        self.serial_key = Some(serial_key.into());
        self
    }

    /// Sets [`Endpoint::quota`].
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }
}

impl<T: DeserializeOwned> Endpoint for Raw<T> {
    type Auth = TenantOrUser;
    type Output = T;

    fn method(&self) -> Method {
        self.method.clone()
    }

    fn route(&self) -> &str {
        &self.route
    }

    fn path(&self) -> Path {
        self.path.clone()
    }

    fn payload(&self) -> Option<Payload> {
        self.payload.clone()
    }

    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn resend(&self) -> Resend {
        self.resends()
    }

    fn serial_key(&self) -> Option<&str> {
        self.serial_key.as_deref()
    }

    fn quota(&self) -> Quota {
        self.quota
    }

    fn read(reply: &Reply) -> Result<T, Error> {
        reply.any_data()
    }
}

/// The clone shares the bytes of the body.
impl<T> Clone for Raw<T> {
    fn clone(&self) -> Self {
        Self {
            method: self.method.clone(),
            route: self.route.clone(),
            path: self.path.clone(),
            payload: self.payload.clone(),
            headers: self.headers.clone(),
            resend: self.resend,
            serial_key: self.serial_key.clone(),
            quota: self.quota,
            output: PhantomData,
        }
    }
}

/// Two calls are equal if they send the same request, may be sent again in the same cases, and have the same serial key
/// and quota.
impl<T> PartialEq for Raw<T> {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method
            && self.route == other.route
            && self.path == other.path
            && self.payload == other.payload
            && self.headers == other.headers
            && self.resends() == other.resends()
            && self.serial_key == other.serial_key
            && self.quota == other.quota
    }
}

impl<T> Eq for Raw<T> {}

/// Shows the method and the route. The values may be secret and are not shown.
impl<T> fmt::Debug for Raw<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} {})", self.method, self.route)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
    use serde::de::IgnoredAny;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::EndpointExt;
    use crate::site::Site;
    use crate::token::TenantToken;
    use crate::wire;

    const ROUTE: &str = "/open-apis/x/:id/y/:name";

    fn raw(method: Method) -> Raw<IgnoredAny> {
        Raw::new(method, ROUTE).segment("a/b").segment("图")
    }

    fn bytes(raw: &Raw<IgnoredAny>) -> String {
        let request = raw.request(&Site::LARK, &TenantToken::new("t-1").unwrap());
        String::from_utf8(wire::http1(request, wire::HeaderSecrets::Shown).into()).unwrap()
    }

    #[test]
    fn a_request_has_the_method_path_query_headers_and_json_that_were_set() {
        let raw = raw(Method::POST)
            .query("page", "2")
            .query("q", "x&y")
            .with_header(HeaderName::from_static("x-own"), HeaderValue::from_static("1"))
            .with_header(HeaderName::from_static("x-own"), HeaderValue::from_static("2"))
            .with_json(&json!({"a": 1, "b": ["c"]}))
            .unwrap();
        assert_eq!(
            bytes(&raw),
            "POST /open-apis/x/a%2Fb/y/%E5%9B%BE?page=2&q=x%26y HTTP/1.1\r\n\
             Host: open.larksuite.com\r\n\
             Authorization: Bearer t-1\r\n\
             Content-Type: application/json; charset=utf-8\r\n\
             Content-Length: 17\r\n\
             X-Own: 1\r\nX-Own: 2\r\n\r\n\
             {\"a\":1,\"b\":[\"c\"]}"
        );
        assert_eq!(raw.route(), ROUTE);
        assert_eq!(format!("{raw:?}"), "Raw(POST /open-apis/x/:id/y/:name)");
    }

    #[test]
    fn a_header_beyond_the_first_thousand_names_is_not_sent() {
        let names = (0..1002).chain([0]).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
        let value = HeaderValue::from_static("1");
        let full = names.fold(raw(Method::GET), |raw, name| raw.with_header(name, value.clone()));
        let bytes = bytes(&full);
        assert_eq!(bytes.matches("\r\nX-").count(), 1001);
        assert!(bytes.contains("\r\nX-0: 1\r\nX-0: 1\r\n"), "a further value of a name is sent");
        assert!(bytes.contains("\r\nX-999: 1\r\n") && !bytes.contains("X-1000"));
    }

    #[test]
    fn a_request_without_a_body_has_a_content_length_if_its_method_may_have_a_body() {
        let head = " /open-apis/x/a%2Fb/y/%E5%9B%BE HTTP/1.1\r\nHost: open.larksuite.com\r\n\
            Authorization: Bearer t-1\r\n";
        assert_eq!(bytes(&raw(Method::GET)), format!("GET{head}\r\n"));
        assert_eq!(bytes(&raw(Method::PUT)), format!("PUT{head}Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn a_header_cannot_replace_a_reserved_one() {
        let plain = || raw(Method::POST).with_payload(Payload::json("{}"));
        let own = [AUTHORIZATION, HOST, CONTENT_LENGTH, CONTENT_TYPE];
        let forged = own
            .into_iter()
            .fold(plain(), |raw, name| raw.with_header(name, HeaderValue::from_static("forged")));
        assert_eq!(bytes(&forged), bytes(&plain()));
    }

    #[test]
    fn the_method_decides_whether_a_call_is_idempotent_unless_the_caller_does() {
        for (raw, resend) in [
            (raw(Method::POST), Resend::Unsafe),
            (raw(Method::PATCH), Resend::Unsafe),
            (raw(Method::GET), Resend::Safe),
            (raw(Method::DELETE), Resend::Safe),
            (raw(Method::POST).with_resend(Resend::Safe), Resend::Safe),
            (raw(Method::GET).with_resend(Resend::Unsafe), Resend::Unsafe),
        ] {
            assert_eq!(Endpoint::resend(&raw), resend, "{raw:?}");
        }
    }

    #[test]
    fn the_caller_sets_the_serial_key_and_the_quota() {
        let raw = raw(Method::PUT);
        assert_eq!((Endpoint::serial_key(&raw), Endpoint::quota(&raw)), (None, Quota::NONE));
        let raw = raw.with_serial_key("sht").with_quota(Quota::per_minute(3));
        assert_eq!(
            (Endpoint::serial_key(&raw), Endpoint::quota(&raw)),
            (Some("sht"), Quota::per_minute(3))
        );
    }

    #[test]
    fn calls_are_equal_if_they_send_the_same_request_under_the_same_rules() {
        let plain = || raw(Method::POST);
        let name = HeaderName::from_static("x-own");
        let one = HeaderValue::from_static("1");
        let different = [
            plain(),
            raw(Method::PUT),
            Raw::new(Method::POST, "/open-apis/x/:id/z/:name").segment("a/b").segment("图"),
            Raw::new(Method::POST, ROUTE).segment("a/b").segment("c"),
            plain().query("a", "b"),
            plain().with_payload(Payload::json("{}")),
            plain().with_payload(Payload::json("[]")),
            plain().with_payload(Payload::new(HeaderValue::from_static("text/plain"), "{}")),
            plain().with_header(name.clone(), one.clone()),
            plain().with_header(name.clone(), one.clone()).with_header(name, one),
            plain().with_resend(Resend::Safe),
            plain().with_serial_key("sht"),
            plain().with_quota(Quota::per_minute(3)),
        ];
        for (at, call) in different.iter().enumerate() {
            let equal: Vec<_> = (0..different.len()).filter(|it| different[*it] == *call).collect();
            assert_eq!(equal, [at]);
            assert_eq!(call.clone(), *call);
        }
        assert_eq!(plain().with_resend(Resend::Unsafe), plain(), "the method's default");
        let object = plain().with_json(&json!({})).unwrap();
        assert_eq!(object, plain().with_payload(Payload::json("{}")));
    }

    #[test]
    fn a_value_that_json_cannot_hold_is_refused() {
        let error = raw(Method::POST).with_json(&BTreeMap::from([((1, 2), 3)])).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::NotJson);
        assert_eq!(error.to_string(), "the value cannot be written as JSON: key must be a string");
    }

    /// The output of a reply with this text after its code; `None` if it cannot be read as a `T`.
    fn read<T: DeserializeOwned>(data: &str) -> Option<T> {
        let reply = format!(r#"{{"code":0{data}}}"#);
        Raw::<T>::decode(http::Response::new(reply.into())).ok()
    }

    #[test]
    fn empty_data_is_read_as_null_or_as_an_empty_object() {
        #[derive(serde::Deserialize)]
        struct Optional {
            a: Option<i64>,
        }
        #[derive(serde::Deserialize)]
        struct Required {
            #[expect(dead_code, reason = "only whether it is there matters")]
            a: i64,
        }
        for empty in ["", r#","data":null"#, r#","data":{}"#, r#","data": { } "#] {
            assert_eq!(read::<()>(empty), Some(()), "{empty}");
            assert!(read::<IgnoredAny>(empty).is_some(), "{empty}");
            assert!(read::<Value>(empty).is_some(), "{empty}");
            assert!(read::<Optional>(empty).is_some_and(|it| it.a.is_none()), "{empty}");
            assert!(read::<Option<Required>>(empty).is_some_and(|it| it.is_none()), "{empty}");
            assert!(read::<Required>(empty).is_none(), "{empty}");
        }
        assert_eq!(read(""), Some(Value::Null));
        assert_eq!(read(r#","data":{}"#), Some(json!({})));
    }

    #[test]
    fn data_may_be_any_json() {
        assert_eq!(read(r#","data":{"a":[1]}"#), Some(json!({"a": [1]})));
        assert_eq!(read(r#","data":[1,2]"#), Some([1, 2]));
        assert_eq!(read(r#","data":"a""#), Some("a".to_owned()));
        assert_eq!(read::<()>(r#","data":{"a":1}"#), None);
        assert!(read::<IgnoredAny>(r#","data":{"a":1}"#).is_some());
        assert_eq!(read::<Option<[i64; 1]>>(r#","data":["a"]"#), None);
    }
}
