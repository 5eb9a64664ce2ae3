//! The controls that a test has: endpoints of its own, rate limits, the life of tokens, records of requests.

use super::*;

const TABLES_PATH: &str = "/open-apis/bitable/v1/apps/:app_token/tables/:table_id";
const TABLES: Route = Route::Own { method: "POST", path: TABLES_PATH };

fn tables(token: Option<&str>) -> Request<Bytes> {
    let path = "/open-apis/bitable/v1/apps/b%2F1/tables/t1/?user_id_type=open%5Fid";
    let mut request = post(path, JSON, r#"{"name":"Photos"}"#);
    request.headers_mut().remove(AUTHORIZATION);
    if let Some(token) = token {
        set(&mut request, AUTHORIZATION, &format!("Bearer {token}"));
    }
    request
}

fn token_request() -> Request<Bytes> {
    let app = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET}).to_string();
    let mut request = post(TOKEN_PATH, JSON, app);
    request.headers_mut().remove(AUTHORIZATION);
    request
}

fn echo(request: &RouteRequest<'_>) -> Result<Value, Fault> {
    let body: Value = request.json()?;
    let values = ["app_token", "table_id", "absent"].map(|name| request.value(name));
    Ok(json!({"values": values, "query": request.query("user_id_type"), "body": body}))
}

#[test]
fn an_own_endpoint_gets_its_values_and_its_query_decoded() {
    let mut fake = fake();
    assert_eq!(fake.handle(now(), tables(Some("t-x"))).status(), StatusCode::NOT_FOUND);
    fake.add_route(TABLES, echo);
    let reply = fake.handle(now(), tables(Some("t-x")));
    let body = json!({"name": "Photos"});
    let data = json!({"values": ["b/1", "t1", null], "query": "open_id", "body": body});
    assert_eq!(super::body(&reply), json!({"code": 0, "data": data, "msg": "success"}));
    let last = fake.requests().last().map(|seen| (seen.route, seen.code));
    assert_eq!((last, fake.count(TABLES)), (Some((Some(TABLES), Some(0))), 1));

    let mut get = tables(Some("t-x"));
    *get.method_mut() = Method::GET;
    assert_eq!(fake.handle(now(), get).status(), StatusCode::NOT_FOUND);
}

#[test]
fn an_own_endpoint_checks_the_token_unless_it_is_open() {
    let (mut checked, mut open) = (fake(), fake());
    checked.add_route(TABLES, echo);
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
fn an_own_endpoint_answers_with_any_fault() {
    let mut fake = fake();
    fake.add_route(TABLES, |_| Err::<(), _>(Fault::code(400, 1254001, "WrongRequestBody")));
    assert_eq!(verdict(&fake.handle(now(), tables(Some("t-x")))), (400, Some(1254001)));
    fake.add_route(TABLES, |_| Err::<(), _>(Fault::from(Response::new("odd".into()))));
    assert_eq!(fake.handle(now(), tables(Some("t-x"))).body(), "odd");
    fake.add_route(TABLES, echo);
    let mut text = tables(Some("t-x"));
    text.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let refused = fake.handle(now(), text);
    assert_eq!(verdict(&refused), (400, Some(9499)));
    assert!(at(&refused, "/msg").as_str().unwrap().contains("Content-Type"));
}

#[test]
fn failures_are_taken_in_order_by_the_requests_that_they_are_meant_for() {
    let mut fake = fake();
    fake.add_route(TABLES, echo);
    fake.fail_next_call(Fault::code(400, 1, "call"));
    fake.fail_next_on(TABLES, Fault::code(200, 90202, "own"));
    fake.fail_next(Fault::code(400, 2, "any"));
    let cell = || post(CELL_PATH, JSON, CELL);
    for (request, expected) in [
        (token_request(), (400, Some(2))),
        (token_request(), (200, Some(0))),
        (tables(Some("t-x")), (400, Some(1))),
        (cell(), (200, Some(0))),
        (tables(Some("t-x")), (200, Some(90202))),
        (tables(Some("t-x")), (200, Some(0))),
    ] {
        assert_eq!(verdict(&fake.handle(now(), request)), expected);
    }
}

#[test]
fn an_own_endpoint_takes_the_place_of_the_fakes() {
    let mut fake = fake();
    let own = Route::Own { method: "POST", path: Route::ImV1Images.path() };
    fake.add_route(own, |request| Ok(request.body().len()));
    let reply = fake.handle(now(), post(IM_PATH, FORM, good_form()));
    assert_eq!(at(&reply, "/data"), json!(good_form().len()));
    assert_eq!((fake.count(own), fake.count(Route::ImV1Images)), (1, 0));
}

#[test]
fn a_rate_limit_counts_each_full_second_anew() {
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
    assert_eq!(verdict(&fake.handle(now(), post(IM_PATH, FORM, good_form()))).0, 200);
    // A refused write does not occupy its spreadsheet.
    assert_eq!(verdict(&fake.handle(at(2000), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
}

#[test]
fn a_token_lives_as_long_as_the_test_says() {
    let mut fake = FakeLark::new();
    let fetch = |fake: &mut FakeLark| {
        let reply = fake.handle(now(), token_request());
        let token = at(&reply, "/tenant_access_token").as_str().unwrap().to_owned();
        (token, at(&reply, "/expire").as_u64())
    };
    let (first, expire) = fetch(&mut fake);
    assert_eq!(expire, Some(7200));
    fake.expire_in(Duration::from_secs(60));
    let (second, expire) = fetch(&mut fake);
    assert!(second != first);
    assert_eq!(expire, Some(60));
    let cell = |token: &str| {
        let mut request = post(CELL_PATH, JSON, CELL);
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert(AUTHORIZATION, bearer);
        request
    };
    let later = now() + Duration::from_secs(60);
    assert_eq!(verdict(&fake.handle(later, cell(&second))), (400, Some(99991663)));
    assert_eq!(verdict(&fake.handle(later, cell(&first))), (200, Some(0)));
    fake.revoke_token();
    assert_eq!(verdict(&fake.handle(later, cell(&first))), (400, Some(99991663)));
}

#[test]
fn base64_is_refused_where_a_test_says_so() {
    let base64 = r#"{"range":"Q7PlXT!H7:H7","image":"AQI=","name":"a.png"}"#;
    let mut fake = fake();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, base64))), (200, Some(0)));
    fake.refuse_base64();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, base64))), (400, Some(90204)));
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
    let forms: Vec<_> = fake.requests().iter().filter_map(|seen| seen.image_form).collect();
    assert_eq!(forms, [ImageForm::Base64, ImageForm::Base64, ImageForm::Numbers]);
}

#[test]
fn a_request_is_recorded_without_its_token_in_the_headers() {
    let mut fake = fake();
    fake.handle(now(), post(IM_PATH, FORM, good_form()));
    let later = now() + Duration::from_secs(1);
    for body in [good_form(), good_form() + " "] {
        let mut request = post(IM_PATH, FORM, body);
        set(&mut request, AUTHORIZATION, "Bearer t-second");
        fake.handle(later, request);
    }
    let seen = fake.requests();
    let first = &seen[0];
    assert_eq!((&first.method, first.uri.path()), (&Method::POST, IM_PATH));
    assert_eq!((first.time, first.token.as_deref()), (now(), Some("t-x")));
    assert_eq!((first.body_len, first.image_form), (good_form().len(), Some(ImageForm::Multipart)));
    assert_eq!(first.headers.get(CONTENT_TYPE).unwrap(), FORM);
    for (seen, attempt, is_same) in [(&seen[0], 1, true), (&seen[1], 2, true), (&seen[2], 1, false)]
    {
        let authorization: Vec<_> = seen.headers.get_all(AUTHORIZATION).iter().collect();
        assert!(!authorization.is_empty());
        assert!(authorization.iter().all(|value| *value == "Bearer ***"), "{authorization:?}");
        let found = (seen.attempt, seen.has_body(good_form().as_bytes()));
        assert_eq!(found, (attempt, is_same));
    }
    assert_eq!(seen[1].time, later);
}

#[test]
fn a_cell_is_found_by_its_name_and_by_its_range() {
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
