//! Token requests, and the check of the token in a request.

use std::time::UNIX_EPOCH;

use super::*;

/// The status and the body of the reply to a token request.
fn ask(lark: &mut FakeLark, minute: u64, route: Route, body: &Value) -> (u16, Value) {
    let mut request = post(route.path(), "application/json", body.to_string());
    request.headers_mut().remove(AUTHORIZATION);
    let now = UNIX_EPOCH + Duration::from_secs(60 * minute);
    let reply = lark.handle(now, request);
    (reply.status().as_u16(), serde_json::from_slice(reply.body()).unwrap())
}

/// The status and the code of the reply to a token request.
fn ask_code(lark: &mut FakeLark, minute: u64, route: Route, body: &Value) -> (u16, i64) {
    let (status, body) = ask(lark, minute, route, body);
    (status, body["code"].as_i64().unwrap())
}

fn custom_app() -> Value {
    json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET})
}

fn store_app() -> Value {
    json!({"app_id": FakeLark::STORE_APP_ID, "app_secret": FakeLark::STORE_APP_SECRET,
        "app_ticket": FakeLark::APP_TICKET})
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = value.into();
    body
}

/// A fake with a second tenant, and an app token of its store app.
fn with_two_tenants() -> (FakeLark, String) {
    let mut lark = FakeLark::new();
    lark.add_tenant("other");
    let (_, app) = ask(&mut lark, 0, Route::AppAccessToken, &store_app());
    let token = app["app_access_token"].as_str().unwrap().to_owned();
    (lark, token)
}

/// The token of a tenant, and the seconds until it expires.
fn tenant_token(lark: &mut FakeLark, minute: u64, app_token: &str, key: &str) -> (String, Value) {
    let body = json!({"app_access_token": app_token, "tenant_key": key});
    let (_, reply) = ask(lark, minute, Route::StoreTenantAccessToken, &body);
    (reply["tenant_access_token"].as_str().unwrap().to_owned(), reply["expire"].clone())
}

#[test]
fn a_custom_apps_token_is_answered_as_documented() {
    let mut fake = FakeLark::new();
    let mut request = post(TOKEN_PATH, JSON, custom_app().to_string());
    request.headers_mut().remove(AUTHORIZATION);
    let response = fake.handle(now(), request);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some(JSON));
    assert_eq!(header(&response, "x-tt-logid"), Some("20260101000000000000000000000001"));
    let token = at(&response, "/tenant_access_token").as_str().unwrap().to_owned();
    let expected = json!({"code": 0, "expire": 7200, "msg": "ok", "tenant_access_token": token});
    assert_eq!(body(&response), expected);
    assert_eq!(fake.count(Route::TenantAccessToken), 1);
}

#[test]
fn an_issued_token_is_accepted_by_an_endpoint() {
    let mut fake = FakeLark::new();
    let response = fake.handle(now(), post(TOKEN_PATH, JSON, custom_app().to_string()));
    let token = at(&response, "/tenant_access_token").as_str().unwrap().to_owned();
    let write = with_token(post(CELL_PATH, JSON, CELL), Some(&token));
    assert_eq!(verdict(&fake.handle(now(), write)), (200, Some(0)));
    let last = fake.requests().last().and_then(|seen| seen.token.as_deref());
    assert_eq!(last, Some(token.as_str()));
}

#[test]
fn a_token_request_has_the_media_type_of_json_or_none() {
    for (media_type, code) in [
        (None, 0),
        (Some("application/json; charset=utf-8"), 0),
        (Some("text/plain"), 10003),
        (Some("application/x-www-form-urlencoded"), 10003),
    ] {
        let mut request = Request::post(Route::TenantAccessToken.path());
        if let Some(media_type) = media_type {
            request = request.header(CONTENT_TYPE, media_type);
        }
        let request = request.body(Bytes::from(custom_app().to_string())).unwrap();
        let reply = FakeLark::new().handle(UNIX_EPOCH, request);
        assert_eq!(at(&reply, "/code"), code, "{media_type:?}");
    }
}

#[test]
fn a_token_request_is_one_json_object_with_the_apps_credentials() {
    let good = custom_app().to_string();
    let id = FakeLark::APP_ID;
    let secret = FakeLark::APP_SECRET;
    for (content, expected) in [
        (good.replace('{', "{\"other\":1,"), (200, Some(0))),
        (good.clone() + "x", (200, Some(10003))),
        (format!(r#"["{id}","{secret}"]"#), (200, Some(10003))),
        (format!(r#"{{"app_id":"{id}"}}"#), (200, Some(10003))),
        (good.replace("cli_", "app_"), (200, Some(10003))),
        (good.replace(id, "cli_other"), (200, Some(10014))),
        (good.replace(secret, "x"), (400, Some(10014))),
        (good.replace(secret, ""), (200, Some(10003))),
    ] {
        let response = fake().handle(now(), post(TOKEN_PATH, JSON, content.clone()));
        assert_eq!(verdict(&response), expected, "{content}");
    }
}

#[test]
fn a_token_request_that_cannot_be_read_gets_the_refusal_that_was_recorded_live() {
    let good = custom_app().to_string();
    for (content_type, content) in [
        ("text/plain", good.clone()),
        (JSON, good.clone() + "x"),
        (JSON, format!("[{good}]")),
        (JSON, json!({"app_id": FakeLark::APP_ID}).to_string()),
        (JSON, good.replace("cli_", "app_")),
        (JSON, good.replace(FakeLark::APP_SECRET, "")),
    ] {
        let response = fake().handle(now(), post(TOKEN_PATH, content_type, content.clone()));
        assert_eq!(response.status(), StatusCode::OK, "{content}");
        let live: &[u8] = br#"{"code":10003,"data":{},"msg":"invalid param"}"#;
        assert_eq!(response.body(), live, "{content}");
    }
}

#[test]
fn each_tenant_gets_a_token_of_its_own() {
    let (mut lark, app_token) = with_two_tenants();
    let (one, _) = tenant_token(&mut lark, 1, &app_token, FakeLark::TENANT_KEY);
    let (other, _) = tenant_token(&mut lark, 2, &app_token, "other");
    assert!(app_token.starts_with("a-"), "{app_token}");
    assert!(one.starts_with("t-"), "{one}");
    assert!(other.starts_with("t-"), "{other}");
    assert_ne!(one, other);
}

#[test]
fn a_tenants_token_is_renewed_in_its_last_half_hour() {
    let (mut lark, app_token) = with_two_tenants();
    let (one, _) = tenant_token(&mut lark, 1, &app_token, FakeLark::TENANT_KEY);
    let (other, _) = tenant_token(&mut lark, 2, &app_token, "other");
    let again = tenant_token(&mut lark, 91, &app_token, FakeLark::TENANT_KEY);
    assert_eq!(again, (one.clone(), 1800.into()));
    let (next, expire) = tenant_token(&mut lark, 92, &app_token, FakeLark::TENANT_KEY);
    assert_ne!(next, one);
    assert_eq!(expire, 7200);
    assert_eq!(tenant_token(&mut lark, 92, &app_token, "other"), (other, 1800.into()));
}

#[test]
fn an_app_token_request_needs_the_credentials_of_the_store_app_and_its_ticket() {
    for (body, expected) in [
        (store_app(), (200, 0)),
        (with(store_app(), "app_ticket", "old"), (200, 10012)),
        (with(store_app(), "app_secret", "x"), (400, 10014)),
        (with(store_app(), "app_id", "cli_0"), (200, 10014)),
        (with(store_app(), "app_id", "0"), (200, 10003)),
        (json!({"app_id": "cli_0", "app_secret": "x"}), (200, 10003)),
    ] {
        let found = ask_code(&mut FakeLark::new(), 0, Route::AppAccessToken, &body);
        assert_eq!(found, expected, "{body}");
    }
}

#[test]
fn an_app_token_is_answered_as_documented() {
    let (_, app) = ask(&mut FakeLark::new(), 0, Route::AppAccessToken, &store_app());
    assert_eq!(app["msg"], "success");
    assert_eq!(app["expire"], 7200);
}

#[test]
fn only_the_latest_ticket_is_valid() {
    let mut lark = FakeLark::new();
    lark.renew_app_ticket();
    assert_eq!(ask_code(&mut lark, 0, Route::AppAccessToken, &store_app()), (200, 10012));
    let ticket = lark.app_ticket().to_owned();
    let latest = with(store_app(), "app_ticket", &ticket);
    assert_eq!(ask_code(&mut lark, 0, Route::AppAccessToken, &latest), (200, 0));
}

#[test]
fn a_tenant_token_request_needs_a_valid_app_token_and_a_tenant_with_the_app() {
    let mut lark = FakeLark::new();
    lark.add_token(TokenKind::App, "a-1", UNIX_EPOCH + Duration::from_secs(60));
    lark.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(60));
    for (minute, token, key, expected) in [
        (0, "a-1", FakeLark::TENANT_KEY, (200, 0)),
        (0, "a-1", "other", (200, 10013)),
        (0, "a-2", FakeLark::TENANT_KEY, (400, 99991664)),
        (0, "t-1", FakeLark::TENANT_KEY, (400, 99991664)),
        (1, "a-1", FakeLark::TENANT_KEY, (400, 99991664)),
    ] {
        let body = json!({"app_access_token": token, "tenant_key": key});
        let found = ask_code(&mut lark, minute, Route::StoreTenantAccessToken, &body);
        assert_eq!(found, expected, "{token} {key}");
    }
}

#[test]
fn a_revoked_app_token_is_refused() {
    let mut lark = FakeLark::new();
    lark.add_token(TokenKind::App, "a-1", UNIX_EPOCH + Duration::from_secs(600));
    let body = json!({"app_access_token": "a-1", "tenant_key": FakeLark::TENANT_KEY});
    let route = Route::StoreTenantAccessToken;
    assert_eq!(ask_code(&mut lark, 2, route, &body), (200, 0));
    lark.revoke_tokens(TokenKind::App);
    assert_eq!(ask_code(&mut lark, 2, route, &body), (400, 99991664));
}

#[test]
fn an_app_is_refused_on_the_routes_of_the_other_kind_of_app() {
    let custom = with(custom_app(), "app_ticket", FakeLark::APP_TICKET);
    for (route, of_custom, of_store) in [
        (Route::TenantAccessToken, (200, 0), (200, 10005)),
        (Route::AppAccessToken, (200, 10012), (200, 0)),
        (Route::ResendAppTicket, (200, 10016), (200, 0)),
    ] {
        let lark = &mut FakeLark::new();
        assert_eq!(ask_code(lark, 0, route, &custom), of_custom, "{route:?}");
        assert_eq!(ask_code(lark, 0, route, &store_app()), of_store, "{route:?}");
    }
}

#[test]
fn a_token_request_or_a_resend_leaves_the_ticket_as_it_is() {
    let lark = &mut FakeLark::new();
    for route in [Route::AppAccessToken, Route::ResendAppTicket] {
        assert_eq!(ask_code(lark, 0, route, &store_app()), (200, 0), "{route:?}");
        assert_eq!(lark.app_ticket(), FakeLark::APP_TICKET, "{route:?}");
    }
}

/// The two uploads and the cell write, with a good body each.
fn three_requests() -> [Request<Bytes>; 3] {
    [
        post(V4_PATH, FORM, good_form()),
        post(IM_PATH, FORM, good_form()),
        post(CELL_PATH, JSON, CELL),
    ]
}

/// A status and a code.
type Verdict = (u16, Option<i64>);

/// Values of `Authorization`, and the verdicts on [`three_requests`] with each.
fn verdicts() -> [(&'static str, [Verdict; 3]); 13] {
    let refused = |code| (400, Some(code));
    let ok = (200, Some(0));
    [
        ("Bearer t-x", [ok; 3]),
        ("Bearer XXXX", [ok; 3]),
        ("Bearer u-x", [refused(99991668), ok, ok]),
        ("Bearer t-old", [refused(99991663); 3]),
        ("Bearer t-none", [refused(99991663); 3]),
        ("Bearer eyJold", [refused(99991668), refused(99991677), refused(99991677)]),
        ("Bearer eyJnone", [refused(99991668); 3]),
        ("Bearer u-none", [refused(99991668); 3]),
        ("Bearer a-none", [refused(99991671); 3]),
        ("Bearer a-x", [refused(99991671); 3]),
        ("Bearer ", [refused(99991661); 3]),
        ("t-x", [refused(99991661); 3]),
        ("", [refused(99991661); 3]),
    ]
}

fn authorized(mut request: Request<Bytes>, authorization: &str) -> Request<Bytes> {
    request.headers_mut().remove(AUTHORIZATION);
    if !authorization.is_empty() {
        set(&mut request, AUTHORIZATION, authorization);
    }
    request
}

#[test]
fn a_token_is_accepted_by_the_endpoints_that_take_its_kind() {
    for (authorization, expected) in verdicts() {
        for (request, expected) in three_requests().into_iter().zip(expected) {
            let path = request.uri().path().to_owned();
            let response = fake().handle(now(), authorized(request, authorization));
            assert_eq!(verdict(&response), expected, "{authorization} {path}");
        }
    }
}

#[test]
fn a_token_is_checked_before_the_body() {
    for (authorization, expected) in verdicts() {
        for (request, expected) in three_requests().into_iter().zip(expected) {
            if expected == (200, Some(0)) {
                continue;
            }
            let path = request.uri().path().to_owned();
            let empty = authorized(request.map(|_| Bytes::new()), authorization);
            let response = fake().handle(now(), empty);
            assert_eq!(verdict(&response), expected, "{authorization} {path}");
        }
    }
}

#[test]
fn a_refused_token_has_the_log_id_in_the_body_too() {
    for (authorization, expected) in verdicts() {
        for (request, expected) in three_requests().into_iter().zip(expected) {
            let path = request.uri().path().to_owned();
            let response = fake().handle(now(), authorized(request, authorization));
            let log_id = header(&response, "x-tt-logid");
            assert!(log_id.is_some(), "{authorization} {path}");
            let expected = log_id.filter(|_| expected != (200, Some(0)));
            let found = at(&response, "/error/log_id");
            assert_eq!(found.as_str(), expected, "{authorization} {path}");
        }
    }
}

#[test]
fn tokens_expire_after_the_life_that_the_test_sets() {
    let mut fake = FakeLark::new();
    let fetch = |fake: &mut FakeLark| {
        let reply = fake.handle(now(), post(TOKEN_PATH, JSON, custom_app().to_string()));
        let token = at(&reply, "/tenant_access_token").as_str().unwrap().to_owned();
        (token, at(&reply, "/expire").as_u64())
    };
    let (first, expire) = fetch(&mut fake);
    assert_eq!(expire, Some(7200));
    fake.expire_in(Duration::from_secs(60));
    let (second, expire) = fetch(&mut fake);
    assert_ne!(second, first);
    assert_eq!(expire, Some(60));
    let later = now() + Duration::from_secs(60);
    let mut write = |token: &str| {
        let request = with_token(post(CELL_PATH, JSON, CELL), Some(token));
        verdict(&fake.handle(later, request))
    };
    assert_eq!(write(&second), (400, Some(99991663)));
    assert_eq!(write(&first), (200, Some(0)));
}

#[test]
fn a_token_may_have_any_life() {
    for (life, named) in [
        (Duration::ZERO, 0),
        (Duration::from_secs(7199), 7199),
        (Duration::from_secs(7201), 7201),
        (Duration::from_secs(1 << 40), 1 << 40),
        // The end of this life is later than any time of the system, so the token gets the documented life.
        (Duration::MAX, 7200),
    ] {
        let mut fake = FakeLark::new();
        fake.expire_in(life);
        for _ in 0..2 {
            let reply = fake.handle(now(), post(TOKEN_PATH, JSON, custom_app().to_string()));
            assert_eq!(at(&reply, "/expire").as_u64(), Some(named), "{life:?}");
        }
    }
}

#[test]
fn a_revoked_tenant_token_is_refused() {
    let mut fake = fake();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
    fake.revoke_token();
    let refused = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&refused), (400, Some(99991663)));
}
