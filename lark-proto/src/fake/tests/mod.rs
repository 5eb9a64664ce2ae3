//! Tests of the fake through its public interface: requests go in, replies and stored state come out.

mod added_routes;
mod connection_faults;
mod controls;
mod downloads;
mod faults;
mod http1_bytes;
mod limits;
mod linear_time;
mod messages;
mod overlaps;
mod recorded_clients;
mod records;
mod spreadsheets;
mod tokens;
mod uploads;

use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::*;

const TOKEN_PATH: &str = "/open-apis/auth/v3/tenant_access_token/internal";
const V4_PATH: &str = "/open-apis/image/v4/put/";
const IM_PATH: &str = "/open-apis/im/v1/images";
const CELL_PATH: &str =
    "/open-apis/sheets/v2/spreadsheets/shtcngNygNfuqhxTBf588jwgWbJ/values_image";
const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "multipart/form-data; boundary=b";
/// A cell write.
const CELL: &str = r#"{"range":"Q7PlXT!H7:H7","image":[1,2],"name":"a.png"}"#;
/// The same cell write in base64.
const BASE64: &str = r#"{"range":"Q7PlXT!H7:H7","image":"AQI=","name":"a.png"}"#;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A fake with the valid tokens `t-x`, `XXXX` (tenant), `u-x` (user) and `a-x` (app), and the expired tokens `t-old`
/// (tenant) and `eyJold` (user).
fn fake() -> FakeLark {
    let mut fake = FakeLark::new();
    let end = now() + Duration::from_secs(60);
    fake.add_token(TokenKind::Tenant, "t-x", end);
    fake.add_token(TokenKind::Tenant, "XXXX", end);
    fake.add_token(TokenKind::User, "u-x", end);
    fake.add_token(TokenKind::App, "a-x", end);
    fake.add_token(TokenKind::Tenant, "t-old", now());
    fake.add_token(TokenKind::User, "eyJold", now());
    fake
}

/// A POST with the token `t-x`.
fn post(path: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap_or_default();
    set(&mut request, AUTHORIZATION, "Bearer t-x");
    set(&mut request, CONTENT_TYPE, content_type);
    request
}

fn set(request: &mut Request<Bytes>, name: HeaderName, value: &str) {
    request.headers_mut().extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
}

/// The request with this token in place of its own, or without a token.
fn with_token(mut request: Request<Bytes>, token: Option<&str>) -> Request<Bytes> {
    request.headers_mut().remove(AUTHORIZATION);
    if let Some(token) = token {
        set(&mut request, AUTHORIZATION, &format!("Bearer {token}"));
    }
    request
}

/// Tenant access tokens of the custom app and of the store app.
fn app_tokens(fake: &mut FakeLark) -> [String; 2] {
    let mut fetch = |route: Route, body: Value, name| {
        let reply = fake.handle(now(), post(route.path(), JSON, body.to_string()));
        at(&reply, name).as_str().unwrap().to_owned()
    };
    let app = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET});
    let custom = fetch(Route::TenantAccessToken, app, "/tenant_access_token");
    let app = json!({"app_id": FakeLark::STORE_APP_ID, "app_secret": FakeLark::STORE_APP_SECRET,
        "app_ticket": FakeLark::APP_TICKET});
    let app = fetch(Route::AppAccessToken, app, "/app_access_token");
    let tenant = json!({"app_access_token": app, "tenant_key": FakeLark::TENANT_KEY});
    let store = fetch(Route::StoreTenantAccessToken, tenant, "/tenant_access_token");
    [custom, store]
}

/// A form of these parts, each with the parameters of its `Content-Disposition` and its content.
fn form(parts: &[(&str, &str)]) -> String {
    let mut lines = Vec::new();
    for (params, content) in parts {
        lines.extend([
            "--b\r\nContent-Disposition: form-data; ",
            params,
            "\r\n\r\n",
            content,
            "\r\n",
        ]);
    }
    lines.concat() + "--b--\r\n"
}

/// The form of an upload, an avatar in GIF.
fn good_form() -> String {
    let file = "name=image; filename=a.png\r\nContent-Type: image/gif";
    form(&[("name=image_type", "avatar"), (file, "GIF89a")])
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// The value at this JSON pointer of the reply; null if there is none.
fn at(response: &Response<Bytes>, pointer: &str) -> Value {
    body(response).pointer(pointer).cloned().unwrap_or_default()
}

/// The status and the code of the reply.
fn verdict(response: &Response<Bytes>) -> (u16, Option<i64>) {
    (response.status().as_u16(), at(response, "/code").as_i64())
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The requests in a folder of the crate's `tests`, with the paths of their files.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let requests = paths.filter(|path| path.extension().is_some_and(|e| e == "bin" || e == "http"));
    let files = requests.map(|path| (path.display().to_string(), std::fs::read(path).unwrap()));
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty());
    files
}
