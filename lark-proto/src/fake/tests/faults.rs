//! Faults that a test asks for, and the replies of the edge.

use super::*;

fn upload() -> Request<Bytes> {
    post(IM_PATH, FORM, good_form())
}

#[test]
fn a_fault_answers_a_request_in_place_of_the_service() {
    let code = |status, code| Fault::Code { status, code, msg: "m".into() };
    let limit = |reset: Option<&str>| Fault::RateLimited {
        status: StatusCode::TOO_MANY_REQUESTS,
        reset: reset.map(str::to_owned),
    };
    let odd = Response::new(Bytes::from_static(b"odd"));
    let reset = "x-ogw-ratelimit-reset";
    for (fault, status, code, (name, value)) in [
        (code(StatusCode::OK, 99991663), 200, Some(99991663), ("content-type", Some(JSON))),
        (limit(Some("1e400")), 429, Some(99991400), (reset, Some("1e400"))),
        // No header can hold this value.
        (limit(Some("a\nb")), 429, Some(99991400), (reset, None)),
        (limit(None), 429, Some(99991400), (reset, None)),
        (Fault::PlainNotFound, 404, None, ("content-type", Some("text/plain"))),
        (Fault::from(odd), 200, None, ("content-type", None)),
        (
            code(StatusCode::INTERNAL_SERVER_ERROR, 2200),
            500,
            Some(2200),
            ("x-ogw-ratelimit-limit", None),
        ),
    ] {
        let mut fake = fake();
        fake.fail_next(fault.clone());
        let response = fake.handle(now(), upload());
        assert_eq!(verdict(&response), (status, code), "{fault:?}");
        assert_eq!(header(&response, name), value, "{fault:?}");
        assert_eq!(fake.requests().last().and_then(|seen| seen.code), code, "{fault:?}");
    }
}

#[test]
fn a_fault_is_for_one_request() {
    let mut fake = fake();
    fake.fail_next(Fault::PlainNotFound);
    fake.fail_next(Fault::code(500, 2200, "m"));
    let codes = [(); 3].map(|()| verdict(&fake.handle(now(), upload())));
    assert_eq!(codes, [(404, None), (500, Some(2200)), (200, Some(0))]);
}

#[test]
fn a_fault_for_another_route_stays_in_the_queue() {
    let mut fake = fake();
    fake.fail_next_on(Route::ValuesImage, Fault::PlainNotFound);
    fake.fail_next(Fault::code(500, 2200, "m"));
    assert_eq!(verdict(&fake.handle(now(), upload())), (500, Some(2200)));
    let write = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&write), (404, None));
}

#[test]
fn a_request_that_a_fault_answers_is_not_carried_out() {
    for fault in [
        Fault::EdgeHtml(StatusCode::BAD_GATEWAY),
        Fault::code(200, 99991663, "m"),
        Fault::rate_limited(1),
        Fault::PlainNotFound,
        Fault::from(Response::new(Bytes::new())),
    ] {
        let mut fake = fake();
        fake.fail_next(fault.clone());
        fake.fail_next(fault.clone());
        fake.handle(now(), upload());
        fake.handle(now(), post(CELL_PATH, JSON, CELL));
        assert_eq!(fake.images().count(), 0, "{fault:?}");
        assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), 0, "{fault:?}");
    }
}

#[test]
fn the_page_of_the_edge_is_html() {
    let mut fake = fake();
    fake.fail_next(Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
    let response = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(header(&response, "content-type"), Some("text/html"));
    assert!(response.body().starts_with(b"<html>"));
}

#[test]
fn a_request_whose_reply_is_truncated_is_carried_out() {
    let mut fake = fake();
    fake.fail_next(Fault::TruncatedJson);
    let response = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&response), (200, None));
    assert!(response.body().starts_with(b"{\"code\":0,"));
    assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), 1);
}

#[test]
fn a_missing_permission_is_named_as_seen_live() {
    let mut fake = fake();
    fake.fail_next(Fault::Permission(vec!["drive:drive".into(), "sheets:spreadsheet".into()]));
    let response = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&response), (400, Some(99991672)));
    let kind = "action_scope_required";
    let expected = json!([
        {"subject": "drive:drive", "type": kind},
        {"subject": "sheets:spreadsheet", "type": kind},
    ]);
    assert_eq!(at(&response, "/error/permission_violations"), expected);
    let seen = fake.requests().last().unwrap();
    assert_eq!(at(&response, "/error/log_id").as_str(), seen.log_id.as_deref());
}

#[test]
fn the_edge_refuses_a_body_that_is_framed_wrongly() {
    let chunked = HeaderName::from_static("transfer-encoding");
    for (name, value, status) in [
        (CONTENT_LENGTH, "53", 200),
        (CONTENT_LENGTH, "52", 400),
        (CONTENT_LENGTH, "+53", 400),
        (CONTENT_LENGTH, "", 400),
        (CONTENT_LENGTH, "53, 53", 400),
        (chunked, "chunked", 400),
    ] {
        let mut request = post(CELL_PATH, JSON, CELL);
        set(&mut request, name, value);
        let mut fake = fake();
        let response = fake.handle(now(), request);
        assert_eq!(response.status().as_u16(), status, "{value}");
        assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), usize::from(status == 200));
        let is_html = header(&response, "content-type") == Some("text/html");
        assert_eq!(is_html, status == 400);
    }
}

#[test]
fn a_method_that_the_route_does_not_have_is_not_found() {
    let mut request = post(CELL_PATH, JSON, CELL);
    *request.method_mut() = Method::PUT;
    let mut fake = fake();
    let response = fake.handle(now(), request);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.body(), "404 page not found");
    assert_eq!(fake.requests().first().map(|seen| seen.route), Some(None));
}
