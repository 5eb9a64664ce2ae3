//! Calls of any endpoint, without a type for it.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lark_proto::endpoints::{Payload, Quota, Raw, Resend};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{Endpoint, EndpointExt, Site, UserToken};
use serde_json::Value;

use crate::controls::decoded;
use crate::views::body;

const ROUTE: &str = "/open-apis/any/:one/of/:other";
const RESERVED: [HeaderName; 5] =
    [AUTHORIZATION, HOST, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING];

/// The parts of a call.
pub(crate) struct Parts<'a> {
    pub(crate) method: Method,
    pub(crate) values: [&'a str; 2],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Makes a call of these parts. Exactly a value that is empty or has a dot segment makes its path invalid. httparse
/// reads each part from the request as it was given, and the endpoint says what it was told.
pub(crate) fn raw(parts: &Parts<'_>) {
    let Parts { method, values: [one, other], headers, body: content } = parts;
    let text = String::from_utf8_lossy(content).into_owned();
    let mut raw = Raw::<Value>::new(method.clone(), ROUTE).segment(one).segment(other);
    raw = raw.query(one, other).query(&text, "");
    for (name, value) in *headers {
        raw = raw.with_header(name.clone(), value.clone());
    }
    let media_type = HeaderValue::from_static("application/x-any");
    let payload = Payload::new(media_type, content.to_vec());
    let bytes = raw.clone().with_payload(payload);
    let json = raw.clone().with_json(&text).unwrap();
    assert!(raw != bytes && bytes.clone() == bytes && raw.payload().is_none());
    settings(&raw);

    let is_invalid = |value: &&str| {
        value.is_empty() || value.split(['/', '\\']).any(|part| part == "." || part == "..")
    };
    let is_long = one.len() + other.len() + content.len() > 2000;
    if bytes.path().check().is_err() {
        assert!(is_long || [*one, *other].iter().any(is_invalid), "{one:?}, {other:?}");
        return;
    }
    assert!(![*one, *other].iter().any(is_invalid), "{one:?}, {other:?}");
    let expected = [one, other, one, other, &*text, ""].map(str::to_owned);
    for (call, media_type, content) in [
        (&raw, None, Vec::new()),
        (&bytes, Some("application/x-any"), content.to_vec()),
        (&json, Some("application/json; charset=utf-8"), serde_json::to_vec(&text).unwrap()),
    ] {
        let token = UserToken::new("u-1").unwrap();
        // A request without a body may have no length.
        assert!(media_type.is_none() || body(call, &token, 7) == content, "another body");
        let stored = wire::http1(call.request(&Site::LARK, &token), HeaderSecrets::Shown);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut read = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(end)) = read.parse(&stored) else {
            panic!("httparse: {}", String::from_utf8_lossy(&stored))
        };
        assert!(stored[end..] == content, "httparse leaves another body");
        assert_eq!(read.method, Some(method.as_str()));
        assert_eq!(values_of(read.path.unwrap()), expected);
        fields_of(&read, headers, media_type);
    }
}

/// The values in the path and in the query of a target.
fn values_of(target: &str) -> [String; 6] {
    let (path, query) = target.split_once('?').unwrap();
    let segments: Vec<&str> = path.split('/').collect();
    let ["", "open-apis", "any", one, "of", other] = segments[..] else { panic!("{target}") };
    let pairs: Vec<&str> = query.split(['&', '=']).collect();
    let [a, b, c, d] = pairs[..] else { panic!("{target}") };
    [one, other, a, b, c, d].map(decoded)
}

/// Checks that the caller's headers are sent, except for the reserved ones, which the library sets.
fn fields_of(read: &httparse::Request<'_, '_>, headers: &HeaderMap, media_type: Option<&str>) {
    let is_reserved = |name: &str| RESERVED.iter().any(|reserved| reserved == name);
    let mut own: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !is_reserved(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().trim_ascii().to_vec()))
        .collect();
    let fields = read.headers.iter();
    let mut sent: Vec<_> = fields
        .map(|field| (field.name.to_ascii_lowercase(), field.value.trim_ascii().to_vec()))
        .filter(|(name, _)| !is_reserved(name))
        .collect();
    own.sort();
    sent.sort();
    assert_eq!(sent, own);
    let reserved = |name: HeaderName| {
        let mut values = read.headers.iter().filter(move |field| name == field.name);
        let value = values.next().map(|field| String::from_utf8_lossy(field.value));
        assert!(values.next().is_none(), "two values");
        value
    };
    assert_eq!(reserved(AUTHORIZATION).as_deref(), Some("Bearer u-1"));
    assert_eq!(reserved(CONTENT_TYPE).as_deref(), media_type);
    assert_eq!(reserved(HOST).as_deref(), Some("open.larksuite.com"));
    assert_eq!(reserved(TRANSFER_ENCODING), None);
}

/// Checks the settings of a call, which change no byte of its request.
fn settings(raw: &Raw<Value>) {
    let is_idempotent = raw.method().is_idempotent();
    assert_eq!(raw.resend(), if is_idempotent { Resend::Safe } else { Resend::Unsafe });
    assert_eq!((raw.serial_key(), raw.quota(), raw.route()), (None, Quota::NONE, ROUTE));
    let other = if is_idempotent { Resend::Unsafe } else { Resend::Safe };
    let set =
        raw.clone().with_resend(other).with_serial_key("doc").with_quota(Quota::per_second(9));
    assert_eq!((set.resend(), set.serial_key()), (other, Some("doc")));
    assert!(set.quota() == Quota::per_second(9) && set != *raw);
    assert!(set.path() == raw.path() && set.payload() == raw.payload());
    assert_eq!(set.headers(), raw.headers());
    assert_eq!(format!("{raw:?}"), format!("Raw({} {ROUTE})", raw.method()));
}
