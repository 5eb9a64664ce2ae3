//! Downloads.

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n...";
const MEDIA_PATH: &str = "/open-apis/drive/v1/medias";

fn get(path: &str, token: &str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = path.parse().unwrap();
    set(&mut request, AUTHORIZATION, &format!("Bearer {token}"));
    request
}

/// The reply to an upload of `content` with this token.
fn upload(fake: &mut FakeLark, token: &str, kind: &str, content: &[u8]) -> Response<Bytes> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=image_type\r\n\r\n{kind}\r\n\
         --b\r\nContent-Disposition: form-data; name=image; \
         filename=\"图 \\\"1\\\".png\"\r\nContent-Type: image/png\r\n\r\n"
    );
    let form = [head.as_bytes(), content, b"\r\n--b--\r\n"].concat();
    let request = with_token(post(IM_PATH, FORM, form), Some(token));
    fake.handle(now(), request)
}

/// The key of an image after its upload.
fn uploaded(fake: &mut FakeLark, token: &str, kind: &str, content: &[u8]) -> String {
    let response = upload(fake, token, kind, content);
    at(&response, "/data/image_key").as_str().unwrap().to_owned()
}

/// A header of a downloaded file, which may have non-ASCII text.
fn file_header<'r>(response: &'r Response<Bytes>, name: &str) -> &'r str {
    std::str::from_utf8(response.headers()[name].as_bytes()).unwrap()
}

#[test]
fn an_image_is_downloaded_by_its_key_with_its_media_type_and_name() {
    let mut fake = fake();
    for (content, content_type) in [(PNG, "image/png"), (b"GIF89a", "image/gif")] {
        let key = uploaded(&mut fake, "t-x", "message", content);
        let response = fake.handle(now(), get(&format!("{IM_PATH}/{key}"), "t-x"));
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, content));
        assert_eq!(file_header(&response, "content-type"), content_type);
        let disposition = r#"attachment; filename="图 \"1\".png""#;
        assert_eq!(file_header(&response, "content-disposition"), disposition);
    }
}

#[test]
fn a_download_is_recorded_with_code_0() {
    let mut fake = fake();
    let key = uploaded(&mut fake, "t-x", "message", PNG);
    fake.handle(now(), get(&format!("{IM_PATH}/{key}"), "t-x"));
    let seen = fake.requests().last().unwrap();
    assert_eq!((seen.route, seen.code), (Some(Route::ImV1Image), Some(0)));
}

#[test]
fn a_download_request_may_have_a_body() {
    let mut fake = fake();
    let key = uploaded(&mut fake, "t-x", "message", PNG);
    let bytes = format!(
        "GET {IM_PATH}/{key} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t-x\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let request = http1::request(bytes.as_bytes()).unwrap();
    assert_eq!(fake.handle(now(), request).body(), PNG);
}

#[test]
fn a_download_is_refused_with_the_code_of_its_mistake() {
    let mut fake = fake();
    let avatar = uploaded(&mut fake, "t-x", "avatar", PNG);
    let message = uploaded(&mut fake, "t-x", "message", PNG);
    let write = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&write), (200, Some(0)));
    let cell = fake.cell(FakeLark::SPREADSHEET, "Q7PlXT!H7:H7").unwrap().file_token.clone();
    for (path, token, expected) in [
        (format!("{IM_PATH}/{message}"), "t-old", (400, Some(99991663))),
        (format!("{IM_PATH}/{message}"), "u-x", (400, Some(99991668))),
        (format!("{IM_PATH}/{avatar}"), "t-x", (400, Some(234001))),
        (format!("{IM_PATH}/img_v3_none"), "t-x", (400, Some(234001))),
        (format!("{IM_PATH}/{cell}"), "t-x", (400, Some(234001))),
        (format!("{MEDIA_PATH}/{cell}/download"), "u-none", (400, Some(99991668))),
        (format!("{MEDIA_PATH}/{message}/download"), "t-x", (404, Some(1061003))),
        (format!("{MEDIA_PATH}/{cell}/download?extra="), "t-x", (400, Some(1061002))),
        (format!("{MEDIA_PATH}/{cell}/download?extra=%7B"), "t-x", (400, Some(1061002))),
        (format!("{MEDIA_PATH}/{cell}/download?extra=%5B%5D"), "t-x", (400, Some(1061002))),
        (format!("{MEDIA_PATH}/{cell}"), "t-x", (404, None)),
    ] {
        let response = fake.handle(now(), get(&path, token));
        assert_eq!(verdict(&response), expected, "{path} {token}");
    }
}

#[test]
fn only_the_app_that_uploaded_an_image_downloads_it() {
    let mut fake = fake();
    let [custom, store] = app_tokens(&mut fake);
    let key = uploaded(&mut fake, &custom, "message", PNG);
    assert_eq!(fake.image(&key).unwrap().app_id, Some(FakeLark::APP_ID));
    let mut code = |token: &str| {
        let response = fake.handle(now(), get(&format!("{IM_PATH}/{key}"), token));
        (response.status().as_u16(), at(&response, "/code").as_i64())
    };
    assert_eq!(code(&custom), (200, None));
    assert_eq!(code(&store), (400, Some(234008)));
    assert_eq!(code("t-x"), (200, None), "the app of a token that a test added is not known");
}

#[test]
fn a_cells_image_is_downloaded_by_its_file_token_until_it_is_replaced() {
    let mut fake = fake();
    let written = |fake: &mut FakeLark| {
        assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
        fake.cell(FakeLark::SPREADSHEET, "Q7PlXT!H7:H7").unwrap().file_token.clone()
    };
    let first = written(&mut fake);
    let path = format!("{MEDIA_PATH}/{first}/download");
    for query in ["", "?extra=%7B%7D"] {
        let response = fake.handle(now(), get(&format!("{path}{query}"), "u-x"));
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &[1, 2][..]));
        assert_eq!(file_header(&response, "content-type"), "application/octet-stream");
        assert_eq!(file_header(&response, "content-disposition"), "attachment; filename=\"a.png\"");
    }
    assert_ne!(written(&mut fake), first);
    assert_eq!(verdict(&fake.handle(now(), get(&path, "u-x"))), (404, Some(1061003)));
}
