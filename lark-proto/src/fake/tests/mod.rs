//! The fake from outside: requests in, replies and stored state out.

mod connection;
mod controls;
mod downloads;
mod failures;
mod faults;
mod messages;
mod own;
mod sheets;
mod uploads;
mod work;

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
const CELL: &str = r#"{"range":"Q7PlXT!H7:H7","image":[1,2],"name":"a.png"}"#;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A fake that knows the tokens `t-x`, `XXXX` (tenant), `u-x` (user) and `a-x` (app), and expired twins.
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

fn good_form() -> String {
    let file = "name=image; filename=a.png\r\nContent-Type: image/gif";
    form(&[("name=image_type", "avatar"), (file, "GIF89a")])
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// What stands at this JSON pointer of the reply.
fn at(response: &Response<Bytes>, pointer: &str) -> Value {
    body(response).pointer(pointer).cloned().unwrap_or_default()
}

/// Status and code.
fn verdict(response: &Response<Bytes>) -> (u16, Option<i64>) {
    (response.status().as_u16(), at(response, "/code").as_i64())
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The requests in a folder of `tests`, with the names of their files.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let requests = paths.filter(|path| path.extension().is_some_and(|e| e == "bin" || e == "http"));
    let files = requests.map(|path| (path.display().to_string(), std::fs::read(path).unwrap()));
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn the_happy_path() {
    let mut fake = FakeLark::new();
    let app = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET}).to_string();
    let mut request = post(TOKEN_PATH, JSON, app);
    request.headers_mut().remove(AUTHORIZATION);
    let response = fake.handle(now(), request);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some(JSON));
    assert_eq!(header(&response, "x-tt-logid"), Some("20260101000000000000000000000001"));
    let token = at(&response, "/tenant_access_token").as_str().unwrap_or_default().to_owned();
    let expected = json!({"code": 0, "expire": 7200, "msg": "ok", "tenant_access_token": token});
    assert_eq!(body(&response), expected);

    let mut send = |path, content_type, content: &str| {
        let mut request = post(path, content_type, content.to_owned());
        request.headers_mut().remove(AUTHORIZATION);
        set(&mut request, AUTHORIZATION, &format!("Bearer {token}"));
        set(&mut request, CONTENT_LENGTH, &content.len().to_string());
        body(&fake.handle(now(), request))
    };
    let v4 = "fd3a475a-0c27-4071-a9a6-000000000001";
    let im = "img_v3_02k1_fd3a475a-0c27-4071-a9a6-000000000002g";
    let form = good_form();
    let expected = json!({"code": 0, "data": {"image_key": v4}, "msg": "ok"});
    assert_eq!(send(V4_PATH, FORM, &form), expected);
    let expected = json!({"code": 0, "data": {"image_key": im}, "msg": "success"});
    assert_eq!(send(IM_PATH, FORM, &form), expected);
    for revision in [1, 2] {
        let data = json!({
            "revision": revision,
            "spreadsheetToken": FakeLark::SPREADSHEET,
            "updateRange": "Q7PlXT!H7:H7",
        });
        let expected = json!({"code": 0, "data": data, "msg": "success"});
        assert_eq!(send(CELL_PATH, JSON, CELL), expected);
    }

    let image = StoredImage {
        kind: ImageKind::Avatar,
        bytes: Bytes::from_static(b"GIF89a"),
        file_name: "a.png".to_owned(),
        content_type: Some("image/gif".to_owned()),
        app_id: Some(FakeLark::APP_ID),
    };
    assert_eq!((fake.image(v4), fake.image(im)), (Some(&image), Some(&image)));
    assert_eq!(fake.images().count(), 2);
    let cell = StoredCell {
        bytes: Bytes::from_static(&[1, 2]),
        name: "a.png".to_owned(),
        revision: 2,
        file_token: format!("box{}000002", FakeLark::SPREADSHEET),
    };
    assert_eq!(fake.cell(FakeLark::SPREADSHEET, "Q7PlXT!H7:H7"), Some(&cell));
    assert!(fake.cells(FakeLark::SPREADSHEET).eq([("Q7PlXT!H7:H7", &cell)]));
    assert_eq!((fake.count(Route::TenantAccessToken), fake.count(Route::ValuesImage)), (1, 2));
    let last = fake.requests().last().and_then(|seen| seen.token.as_deref());
    assert_eq!(last, Some(token.as_str()));
}

#[test]
fn requests_of_foreign_clients() {
    let noise = [
        197, 236, 196, 4, 75, 13, 180, 149, 166, 3, 11, 214, 145, 107, 181, 233, 128, 41, 170, 45,
        37, 60, 56, 175, 53, 67, 175, 60, 92, 28, 128, 48,
    ];
    // The captured image is noise: its uploads are given the signature of a JPEG.
    let image = [b"\xff\xd8\xff", &noise[3..]].concat();
    for (name, mut bytes) in files("captures") {
        let mut fake = fake();
        fake.add_spreadsheet("shtcnX", &["Q7PlXT"]);
        let raw = bytes.windows(noise.len()).position(|window| window == noise);
        if let Some(at) = raw {
            bytes[at..at + noise.len()].copy_from_slice(&image);
        }
        let response = fake.handle(now(), http1::request(&bytes).unwrap());
        // This client sends a part without Content-Type to the newer endpoint.
        let is_refused = name.contains("lark-channel-upload");
        let expected = if is_refused { (400, Some(99992402)) } else { (200, Some(0)) };
        assert_eq!(verdict(&response), expected, "{name}: {:?}", response.body());
        let stored: Vec<_> = fake.images().map(|(_, image)| &image.bytes[..]).collect();
        let written: Vec<_> = fake.cells("shtcnX").map(|(_, cell)| &cell.bytes[..]).collect();
        let expected: &[&[u8]] = match raw {
            _ if is_refused => &[],
            Some(_) => &[&image],
            None => &[&noise],
        };
        assert_eq!([stored, written].concat(), expected, "{name}");
    }
}

#[test]
fn who_may_do_what() {
    let refused = |code| (400, Some(code));
    let ok = (200, Some(0));
    for (authorization, v4, im, cell) in [
        ("Bearer t-x", ok, ok, ok),
        ("Bearer XXXX", ok, ok, ok),
        ("Bearer u-x", refused(99991668), ok, ok),
        ("Bearer t-old", refused(99991663), refused(99991663), refused(99991663)),
        ("Bearer t-none", refused(99991663), refused(99991663), refused(99991663)),
        ("Bearer eyJold", refused(99991668), refused(99991677), refused(99991677)),
        ("Bearer eyJnone", refused(99991668), refused(99991668), refused(99991668)),
        ("Bearer u-none", refused(99991668), refused(99991668), refused(99991668)),
        ("Bearer a-none", refused(99991671), refused(99991671), refused(99991671)),
        ("Bearer a-x", refused(99991671), refused(99991671), refused(99991671)),
        ("Bearer ", refused(99991661), refused(99991661), refused(99991661)),
        ("t-x", refused(99991661), refused(99991661), refused(99991661)),
        ("", refused(99991661), refused(99991661), refused(99991661)),
    ] {
        for (path, content_type, content, expected) in [
            (V4_PATH, FORM, good_form(), v4),
            (IM_PATH, FORM, good_form(), im),
            (CELL_PATH, JSON, CELL.to_owned(), cell),
        ] {
            // A refused token hides what is wrong with the body.
            let content = if expected == ok { content } else { String::new() };
            let mut request = post(path, content_type, content);
            request.headers_mut().remove(AUTHORIZATION);
            if !authorization.is_empty() {
                set(&mut request, AUTHORIZATION, authorization);
            }
            let response = fake().handle(now(), request);
            assert_eq!(verdict(&response), expected, "{authorization} {path}");
            let log_id = at(&response, "/error/log_id");
            let expected = header(&response, "x-tt-logid").filter(|_| expected != ok);
            assert_eq!(log_id.as_str(), expected, "{authorization} {path}");
        }
    }
}

#[test]
fn token_requests() {
    let (id, secret) = (FakeLark::APP_ID, FakeLark::APP_SECRET);
    let good = format!(r#"{{"app_id":"{id}","app_secret":"{secret}"}}"#);
    for (content_type, content, expected) in [
        (JSON, good.replace('{', "{\"other\":1,"), (200, Some(0))),
        ("text/plain", good.clone(), (200, Some(10003))),
        (JSON, good.clone() + "x", (200, Some(10003))),
        (JSON, format!(r#"["{id}","{secret}"]"#), (200, Some(10003))),
        (JSON, format!(r#"{{"app_id":"{id}"}}"#), (200, Some(10003))),
        (JSON, good.replace("cli_", "app_"), (200, Some(10003))),
        (JSON, good.replace(id, "cli_other"), (200, Some(10014))),
        (JSON, good.replace(secret, "x"), (400, Some(10014))),
        (JSON, good.replace(secret, ""), (200, Some(10003))),
    ] {
        let response = fake().handle(now(), post(TOKEN_PATH, content_type, content.clone()));
        assert_eq!(verdict(&response), expected, "{content}");
        if expected.1 == Some(10003) {
            let live: &[u8] = br#"{"code":10003,"data":{},"msg":"invalid param"}"#;
            assert_eq!(response.body(), live);
        }
    }
}

#[test]
fn refused_uploads() {
    let large = format!("GIF89a{}", "\0".repeat(10 * 1024 * 1024 - 6));
    let file = "name=image; filename=a\r\nContent-Type: image/gif";
    let message = ("name=image_type", "message");
    for (parts, v4, im) in [
        (vec![(file, &*large), message, ("name=other", "")], 0, 0),
        (vec![(file, &*(large.clone() + "x")), message], 18033, 234006),
        (vec![(file, ""), message], 11214, 234010),
        (vec![message], 11214, 234001),
        (vec![], 11214, 234001),
        (vec![("name=file; filename=a", "x"), message], 11214, 234001),
        (vec![("name=image", "x"), message], 11214, 234001),
        (vec![("name=image; filename=\"\"", "x"), message], 11214, 234001),
        (vec![(file, "x")], 18033, 234001),
        (vec![(file, "x"), ("name=image_type", "Message")], 18033, 234001),
        (vec![(file, "x"), ("name=image_type; filename=a", "message")], 18033, 234001),
        (vec![(file, "x"), message, message], 18033, 234001),
        (vec![(file, "x"), message, (file, "x")], 18033, 234001),
    ] {
        let content = form(&parts);
        for (path, code) in [(V4_PATH, v4), (IM_PATH, im)] {
            let mut fake = fake();
            let response = fake.handle(now(), post(path, FORM, content.clone()));
            let status = if code == 0 { 200 } else { 400 };
            assert_eq!(verdict(&response), (status, Some(code)), "{:?}", response.body());
            assert_eq!(fake.images().count(), usize::from(code == 0));
        }
    }
    let mut fake = fake();
    let broken = good_form().replace("avatar\r\n", "avatar");
    let response = fake.handle(now(), post(V4_PATH, FORM, broken.clone()));
    assert_eq!(verdict(&response), (400, Some(18033)));
    assert_eq!(at(&response, "/msg"), "missing CRLF before the boundary at byte 62");
    let response = fake.handle(now(), post(IM_PATH, JSON, good_form()));
    assert_eq!(verdict(&response), (400, Some(234001)));
}

#[test]
fn refused_cells() {
    let mut fake = fake();
    let elsewhere = CELL_PATH.replace("shtcn", "wikcn");
    for (path, content, expected) in [
        (CELL_PATH, CELL, (200, Some(0))),
        (&elsewhere, CELL, (200, Some(90214))),
        (CELL_PATH, "x", (200, Some(90201))),
        (CELL_PATH, "[]", (200, Some(90204))),
        (CELL_PATH, &CELL.replace(":H7", ""), (200, Some(90202))),
        (CELL_PATH, &CELL.replace("Q7PlXT", "Sheet1"), (200, Some(90215))),
        (CELL_PATH, &CELL.replace("a.png", "a"), (200, Some(90204))),
        (CELL_PATH, CELL, (200, Some(0))),
    ] {
        let response = fake.handle(now(), post(path, JSON, content.to_owned()));
        assert_eq!(verdict(&response), expected, "{content}");
    }
    assert_eq!(fake.cells(FakeLark::SPREADSHEET).map(|(_, cell)| cell.revision).max(), Some(2));
}
