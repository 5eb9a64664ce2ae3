//! Endpoints that a test adds: which one answers a request, and what its closure gets.

use super::*;

const UPLOAD: Route = Route::Own { method: "POST", path: "/open-apis/drive/v1/:kind/upload" };
const UPLOAD_MEDIA: Route =
    Route::Own { method: "POST", path: "/open-apis/drive/v1/medias/upload" };
/// A path that [`UPLOAD`] matches and [`UPLOAD_MEDIA`] does not.
const FILE_PATH: &str = "/open-apis/drive/v1/files/upload";

const TABLES: Route =
    Route::Own { method: "POST", path: "/open-apis/bitable/v1/apps/:app_token/tables/:table_id" };

fn tables(token: Option<&str>) -> Request<Bytes> {
    let path = "/open-apis/bitable/v1/apps/b%2F1/tables/t1/?user_id_type=open%5Fid";
    with_token(post(path, JSON, r#"{"name":"Photos"}"#), token)
}

fn get_wiki_node() -> Request<Bytes> {
    let path = format!("{}?token={}", Route::WikiNode.path(), FakeLark::WIKI_NODE);
    let mut request = post(&path, JSON, "");
    *request.method_mut() = Method::GET;
    request
}

/// Adds an endpoint whose answer is `name`.
fn add_named(fake: &mut FakeLark, route: Route, name: &'static str) {
    fake.add_route(route, move |_| Ok(name));
}

/// The `data` of the reply to a request without a body; `None` for a 404.
fn data(fake: &mut FakeLark, method: &str, path: &str) -> Option<String> {
    let mut request = post(path, JSON, "");
    *request.method_mut() = method.parse().unwrap();
    at(&fake.handle(now(), request), "/data").as_str().map(str::to_owned)
}

/// The values and the query of [`tables`], and its body.
fn echo(request: &RouteRequest<'_>) -> Result<Value, Fault> {
    let body: Value = request.json()?;
    let values = ["app_token", "table_id", "absent"].map(|name| request.value(name));
    Ok(json!({"values": values, "query": request.query("user_id_type"), "body": body}))
}

#[test]
fn the_matching_endpoint_that_was_added_last_answers() {
    for (first, second) in [(UPLOAD_MEDIA, UPLOAD), (UPLOAD, UPLOAD_MEDIA)] {
        let mut fake = fake();
        add_named(&mut fake, first, "first");
        add_named(&mut fake, second, "second");
        let found = data(&mut fake, "POST", UPLOAD_MEDIA.path());
        assert_eq!(found.as_deref(), Some("second"));
        assert_eq!([fake.count(first), fake.count(second)], [0, 1]);
        let only = if first == UPLOAD { "first" } else { "second" };
        assert_eq!(data(&mut fake, "POST", FILE_PATH).as_deref(), Some(only));
    }
}

#[test]
fn an_endpoint_that_is_added_again_comes_before_the_others() {
    let mut fake = fake();
    add_named(&mut fake, UPLOAD, "first");
    add_named(&mut fake, UPLOAD_MEDIA, "second");
    add_named(&mut fake, UPLOAD, "third");
    let found = data(&mut fake, "POST", UPLOAD_MEDIA.path());
    assert_eq!(found.as_deref(), Some("third"));
}

#[test]
fn a_closure_for_a_route_of_the_fake_replaces_its_answer() {
    let mut fake = fake();
    assert_eq!(at(&fake.handle(now(), get_wiki_node()), "/data/node/obj_type"), "sheet");
    fake.add_route(Route::WikiNode, |request| Ok(json!({"asked": request.query("token")})));
    let reply = fake.handle(now(), get_wiki_node());
    assert_eq!(at(&reply, "/data"), json!({"asked": FakeLark::WIKI_NODE}));
    assert_eq!(fake.count(Route::WikiNode), 2);
    let others = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&others), (200, Some(0)));
}

#[test]
fn a_replaced_answer_still_needs_a_token() {
    let mut fake = fake();
    fake.add_route(Route::WikiNode, |_| Ok(()));
    let refused = fake.handle(now(), with_token(get_wiki_node(), None));
    assert_eq!(verdict(&refused).1, Some(99991661));
}

#[test]
fn a_replaced_answer_has_no_other_check_of_the_fake() {
    let mut fake = fake();
    fake.add_route(Route::ImageV4Put, |_| Ok("any token"));
    fake.add_token(TokenKind::User, "u-1", now() + Duration::from_secs(60));
    let upload = with_token(post(Route::ImageV4Put.path(), JSON, "{}"), Some("u-1"));
    assert_eq!(at(&fake.handle(now(), upload), "/data"), "any token");

    // The spreadsheet does not exist, and a write does not occupy one.
    fake.add_route(Route::ValuesImage, |_| Ok("any write"));
    let write = || post("/open-apis/sheets/v2/spreadsheets/shtcnOther/values_image", JSON, "{}");
    let (head, ()) = write().map(drop).into_parts();
    let first = fake.begin(now(), &head);
    assert_eq!(at(&fake.handle(now(), write()), "/data"), "any write");
    assert_eq!(at(&fake.finish(now(), first, b"{}"), "/data"), "any write");
}

#[test]
fn a_write_frees_its_spreadsheet_also_if_its_route_is_replaced_meanwhile() {
    let mut fake = fake();
    let (head, ()) = post(CELL_PATH, JSON, CELL).map(drop).into_parts();
    let write = fake.begin(now(), &head);
    let occupied = fake.begin(now(), &head);
    assert_eq!(verdict(&fake.finish(now(), occupied, CELL.as_bytes())), (200, Some(90217)));
    fake.add_route(Route::ValuesImage, |_| Ok(()));
    fake.abandon(write);
    let add = r#"{"dimension":{"sheetId":"Q7PlXT","majorDimension":"ROWS","length":1}}"#;
    let path = CELL_PATH.replace("values_image", "dimension_range");
    assert_eq!(verdict(&fake.handle(now(), post(&path, JSON, add))), (200, Some(0)));
}

#[test]
fn an_added_endpoint_comes_before_one_of_the_fake_with_the_same_path() {
    let mut fake = fake();
    let own = Route::Own { method: "POST", path: Route::ImV1Images.path() };
    fake.add_route(own, |request| Ok(request.body().len()));
    let reply = fake.handle(now(), post(IM_PATH, FORM, good_form()));
    assert_eq!(at(&reply, "/data"), json!(good_form().len()));
    assert_eq!((fake.count(own), fake.count(Route::ImV1Images)), (1, 0));
}

#[test]
fn a_method_is_the_same_in_any_case() {
    for (own, sent, is_found) in [
        ("post", "POST", true),
        ("Post", "POST", true),
        ("POST", "post", true),
        ("DELETE", "DELETE", true),
        ("delete", "POST", false),
    ] {
        let mut fake = fake();
        add_named(&mut fake, Route::Own { method: own, path: UPLOAD.path() }, "own");
        assert_eq!(data(&mut fake, sent, FILE_PATH).is_some(), is_found, "{own} {sent}");
    }
}

#[test]
fn a_closure_gets_the_values_and_the_query_decoded() {
    let mut fake = fake();
    fake.add_route(TABLES, echo);
    let reply = fake.handle(now(), tables(Some("t-x")));
    let body = json!({"name": "Photos"});
    let data = json!({"values": ["b/1", "t1", null], "query": "open_id", "body": body});
    assert_eq!(super::body(&reply), json!({"code": 0, "data": data, "msg": "success"}));
}

#[test]
fn a_request_to_an_added_endpoint_is_recorded_with_its_route() {
    let mut fake = fake();
    fake.add_route(TABLES, echo);
    fake.handle(now(), tables(Some("t-x")));
    let last = fake.requests().last().map(|seen| (seen.route, seen.code));
    assert_eq!(last, Some((Some(TABLES), Some(0))));
    assert_eq!(fake.count(TABLES), 1);
}

#[test]
fn an_endpoint_that_was_not_added_is_not_found() {
    let mut fake = fake();
    assert_eq!(fake.handle(now(), tables(Some("t-x"))).status(), StatusCode::NOT_FOUND);
    fake.add_route(TABLES, echo);
    let mut get = tables(Some("t-x"));
    *get.method_mut() = Method::GET;
    assert_eq!(fake.handle(now(), get).status(), StatusCode::NOT_FOUND);
}

#[test]
fn an_added_endpoint_needs_a_token_unless_it_is_open() {
    let mut checked = fake();
    checked.add_route(TABLES, echo);
    let mut open = fake();
    open.add_open_route(TABLES, echo);
    for (token, code) in [
        (None, 99991661),
        (Some("t-old"), 99991663),
        (Some("a-x"), 99991671),
        (Some("t-x"), 0),
        (Some("u-x"), 0),
    ] {
        let found =
            [&mut checked, &mut open].map(|fake| verdict(&fake.handle(now(), tables(token))).1);
        assert_eq!(found, [Some(code), Some(0)], "{token:?}");
    }
}

#[test]
fn a_closure_answers_with_any_fault() {
    let mut fake = fake();
    fake.add_route(TABLES, |_| Err::<(), _>(Fault::code(400, 1254001, "WrongRequestBody")));
    assert_eq!(verdict(&fake.handle(now(), tables(Some("t-x")))), (400, Some(1254001)));
    fake.add_route(TABLES, |_| Err::<(), _>(Fault::from(Response::new("odd".into()))));
    assert_eq!(fake.handle(now(), tables(Some("t-x"))).body(), "odd");
}

#[test]
fn a_body_that_is_not_json_is_refused_with_the_reason() {
    let mut fake = fake();
    fake.add_route(TABLES, echo);
    let mut text = tables(Some("t-x"));
    text.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let refused = fake.handle(now(), text);
    assert_eq!(verdict(&refused), (400, Some(9499)));
    assert!(at(&refused, "/msg").as_str().unwrap().contains("Content-Type"));
}

/// A fake with [`UPLOAD`], which answers with the parts of its form.
fn with_upload() -> FakeLark {
    let mut fake = fake();
    fake.add_route(UPLOAD, |request| {
        let parts = request.form()?;
        let part = |part: &FormPart<'_>| {
            let content = String::from_utf8_lossy(part.content).into_owned();
            json!([part.name, part.file_name, part.content_type, content])
        };
        Ok(parts.iter().map(part).collect::<Vec<_>>())
    });
    fake
}

#[test]
fn a_closure_gets_the_parts_of_a_form() {
    let reply = with_upload().handle(now(), post(FILE_PATH, FORM, good_form()));
    let parts =
        json!([["image_type", null, null, "avatar"], ["image", "a.png", "image/gif", "GIF89a"]]);
    assert_eq!(at(&reply, "/data"), parts);
}

#[test]
fn a_body_that_is_not_a_form_is_refused_with_the_reason() {
    for (content_type, body, reason) in [
        (JSON, good_form(), "application/json"),
        ("multipart/form-data", good_form(), "no boundary"),
        ("multipart/form-data; boundary=c", good_form(), "does not start with the boundary"),
        (FORM, good_form().replace("--b--\r\n", ""), "Bad Request: "),
    ] {
        let reply = with_upload().handle(now(), post(FILE_PATH, content_type, body));
        assert_eq!(verdict(&reply), (400, Some(9499)), "{content_type}");
        let msg = at(&reply, "/msg").as_str().unwrap().to_owned();
        assert!(msg.contains(reason), "{msg}");
    }
}

#[test]
fn a_closure_gets_the_kind_of_the_requests_token() {
    let mut fake = fake();
    fake.add_open_route(UPLOAD, |request| Ok(format!("{:?}", request.token_kind())));
    for (token, kind) in [
        (Some("t-x"), "Some(Tenant)"),
        (Some("u-x"), "Some(User)"),
        (Some("a-x"), "Some(App)"),
        (Some("t-unknown"), "None"),
        (None, "None"),
    ] {
        let request = with_token(post(FILE_PATH, JSON, ""), token);
        assert_eq!(at(&fake.handle(now(), request), "/data"), kind, "{token:?}");
    }
}
