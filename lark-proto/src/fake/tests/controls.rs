//! The controls that a test has: the queue of failures, rate limits, base64, the base path, and the names of cells.

use super::*;

const TABLES: Route = Route::Own { method: "POST", path: "/open-apis/bitable/v1/apps/:app/tables" };

fn tables() -> Request<Bytes> {
    post("/open-apis/bitable/v1/apps/b/tables", JSON, "{}")
}

fn token_request() -> Request<Bytes> {
    let app = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET}).to_string();
    let mut request = post(TOKEN_PATH, JSON, app);
    request.headers_mut().remove(AUTHORIZATION);
    request
}

#[test]
fn a_failure_is_taken_by_the_first_request_that_it_is_meant_for() {
    let mut fake = fake();
    fake.add_route(TABLES, |_| Ok(()));
    fake.fail_next_call(Fault::code(400, 1, "call"));
    fake.fail_next_on(TABLES, Fault::code(200, 90202, "own"));
    fake.fail_next(Fault::code(400, 2, "any"));
    let cell = || post(CELL_PATH, JSON, CELL);
    for (request, expected) in [
        (token_request(), (400, Some(2))),
        (token_request(), (200, Some(0))),
        (tables(), (400, Some(1))),
        (cell(), (200, Some(0))),
        (tables(), (200, Some(90202))),
        (tables(), (200, Some(0))),
    ] {
        assert_eq!(verdict(&fake.handle(now(), request)), expected);
    }
}

#[test]
fn a_rate_limit_starts_again_at_each_full_second() {
    let mut fake = fake();
    fake.rate_limit(Route::ValuesImage, 2);
    let at = |millis| now() + Duration::from_millis(millis);
    let verdicts = [0, 500, 999, 1000, 1001, 1999].map(|millis| {
        let reply = fake.handle(at(millis), post(CELL_PATH, JSON, CELL));
        let names = ["x-ogw-ratelimit-limit", "x-ogw-ratelimit-reset"];
        let [limit, reset] = names.map(|name| header(&reply, name).map(str::to_owned));
        (verdict(&reply).0, limit.zip(reset))
    });
    let limited = (429, Some(("2".to_owned(), "1".to_owned())));
    let good = (200, None);
    let expected = [&good, &good, &limited, &good, &good, &limited];
    assert_eq!(verdicts.each_ref(), expected);
}

#[test]
fn a_rate_limit_holds_only_for_its_route() {
    let mut fake = fake();
    fake.rate_limit(Route::ValuesImage, 0);
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))).0, 429);
    assert_eq!(verdict(&fake.handle(now(), post(IM_PATH, FORM, good_form()))).0, 200);
}

#[test]
fn a_write_above_the_rate_limit_does_not_occupy_its_spreadsheet() {
    let mut fake = fake();
    fake.rate_limit(Route::ValuesImage, 1);
    let later = now() + Duration::from_secs(1);
    for (time, expected) in [(now(), 0), (now(), 99991400), (later, 0)] {
        let reply = fake.handle(time, post(CELL_PATH, JSON, CELL));
        assert_eq!(at(&reply, "/code"), expected);
    }
}

#[test]
fn base64_is_refused_after_the_test_asks_for_it() {
    let mut fake = fake();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, BASE64))), (200, Some(0)));
    fake.refuse_base64();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, BASE64))), (400, Some(90204)));
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
    // The key may be escaped, and another object may have it too.
    let escaped = BASE64.replacen("\"image\"", "\"im\\u0061ge\"", 1);
    assert_ne!(escaped, BASE64);
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, escaped))), (400, Some(90204)));
    let nested = CELL.replacen('{', r#"{"x":{"image":""},"#, 1);
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, nested))), (200, Some(0)));
}

#[test]
fn a_cell_is_found_by_its_name_or_by_its_range() {
    let mut fake = fake();
    fake.handle(now(), post(CELL_PATH, JSON, CELL));
    for (name, is_found) in [
        ("Q7PlXT!H7", true),
        ("Q7PlXT!h7", true),
        ("Q7PlXT!H7:H7", true),
        ("Q7PlXT!H8", false),
        ("H7", false),
        ("Q7PlXT!H7:H8", false),
    ] {
        assert_eq!(fake.cell(FakeLark::SPREADSHEET, name).is_some(), is_found, "{name}");
    }
}

#[test]
fn endpoints_are_found_only_below_the_base_path() {
    for (base, path, is_found) in [
        ("", IM_PATH.to_owned(), true),
        ("/", IM_PATH.to_owned(), true),
        ("/feishu", format!("/feishu{IM_PATH}"), true),
        ("/feishu/", format!("/feishu{IM_PATH}"), true),
        ("feishu", format!("/feishu{IM_PATH}/"), true),
        ("/a/b", format!("/a/b{IM_PATH}"), true),
        ("/feishu", IM_PATH.to_owned(), false),
        ("/feishu", format!("/feishu2{IM_PATH}"), false),
        ("/feishu", format!("/a/feishu{IM_PATH}"), false),
        ("/feishu", "/feishu".to_owned(), false),
        ("", format!("/feishu{IM_PATH}"), false),
    ] {
        let mut fake = fake();
        fake.set_base_path(base);
        let found = verdict(&fake.handle(now(), post(&path, FORM, good_form())));
        let expected = if is_found { (200, Some(0)) } else { (404, None) };
        assert_eq!(found, expected, "{path} below {base:?}");
        assert_eq!(fake.count(Route::ImV1Images), usize::from(is_found), "{path}");
    }
}

#[test]
fn an_iterator_of_cells_does_not_borrow_the_spreadsheets_token() {
    let mut fake = fake();
    fake.handle(now(), post(CELL_PATH, JSON, CELL));
    let token = || FakeLark::SPREADSHEET.to_owned();
    let ranges = fake.cells(&token()).map(|(range, _)| range);
    assert!(ranges.eq(["Q7PlXT!H7:H7"]));
}
