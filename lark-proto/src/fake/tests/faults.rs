//! What goes wrong: overlapping writes, failures and breaks that were asked for, the edge.

use super::*;

#[test]
fn writes_of_one_spreadsheet_must_not_overlap() {
    let mut fake = fake();
    fake.add_spreadsheet("other", &["Q7PlXT"]);
    let other = CELL_PATH.replace(FakeLark::SPREADSHEET, "other");
    let (head, content) = post(CELL_PATH, JSON, CELL).into_parts();
    let (upload, _) = post(IM_PATH, FORM, "").into_parts();

    let first = fake.begin(now(), &head);
    let second = fake.begin(now(), &head);
    let elsewhere = fake.begin(now(), &post(&other, JSON, "").into_parts().0);
    let image = fake.begin(now(), &upload);
    let reply = fake.finish(now(), second, &content);
    assert_eq!(verdict(&reply), (200, Some(90217)));
    let third = fake.begin(now(), &head);
    for (flight, content, code) in [
        (first, &*content, 0),
        (third, &*content, 90217),
        (elsewhere, &*content, 0),
        (image, good_form().as_bytes(), 0),
    ] {
        assert_eq!(verdict(&fake.finish(now(), flight, content)), (200, Some(code)));
    }

    let broken = fake.begin(now(), &head);
    let refused = fake.begin(now(), &head);
    fake.abandon(broken);
    let next = fake.begin(now(), &head);
    fake.abandon(refused);
    let overlapping = fake.begin(now(), &head);
    assert_eq!(verdict(&fake.finish(now(), overlapping, &content)), (200, Some(90217)));
    assert_eq!(verdict(&fake.finish(now(), next, &content)), (200, Some(0)));
    assert_eq!(fake.count(Route::ValuesImage), 6, "the abandoned do not count");

    fake.fail_next(Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
    let failing = fake.begin(now(), &head);
    let overlapping = fake.begin(now(), &head);
    assert_eq!(fake.finish(now(), failing, &content).status(), StatusCode::BAD_GATEWAY);
    assert_eq!(verdict(&fake.finish(now(), overlapping, &content)), (200, Some(90217)));
}

#[test]
fn failures() {
    let mut fake = fake();
    let code = |status, code| Fault::Code { status, code, msg: "m".into() };
    let odd = Response::new(Bytes::from_static(b"odd"));
    fake.fail_next_on(Route::ValuesImage, Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
    fake.fail_next(code(StatusCode::OK, 99991663));
    for reset in [Some("1e400".to_owned()), Some("a\nb".to_owned()), None] {
        fake.fail_next(Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset });
    }
    fake.fail_next(Fault::PlainNotFound);
    fake.fail_next(Fault::from(odd));
    fake.fail_next(code(StatusCode::INTERNAL_SERVER_ERROR, 2200));

    let none = ("content-type", None);
    let reset = "x-ogw-ratelimit-reset";
    for (status, code, (name, value)) in [
        (200, Some(99991663), ("content-type", Some(JSON))),
        (429, Some(99991400), (reset, Some("1e400"))),
        (429, Some(99991400), (reset, None)),
        (429, Some(99991400), (reset, None)),
        (404, None, ("content-type", Some("text/plain"))),
        (200, None, none),
        (500, Some(2200), ("x-ogw-ratelimit-limit", None)),
        (200, Some(0), ("content-type", Some(JSON))),
    ] {
        let response = fake.handle(now(), post(IM_PATH, FORM, good_form()));
        assert_eq!(verdict(&response), (status, code));
        assert_eq!(header(&response, name), value, "{name}");
        assert_eq!(fake.requests().last().and_then(|seen| seen.code), code);
    }
    assert_eq!(fake.images().count(), 1, "only the one that was not made to fail");

    let response = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(header(&response, "content-type"), Some("text/html"));
    assert!(response.body().starts_with(b"<html>"));
    assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), 0);

    fake.fail_next(Fault::TruncatedJson);
    let response = fake.handle(now(), post(CELL_PATH, JSON, CELL));
    assert_eq!(verdict(&response), (200, None));
    assert!(response.body().starts_with(b"{\"code\":0,"));
    assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), 1, "it was carried out");
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
fn a_break_is_for_one_request_and_left_to_the_connection() {
    let mut fake = fake();
    fake.fail_next_on(Route::ValuesImage, Break::CutReply);
    fake.fail_next(Break::BeforeBody);
    let (upload, _) = post(IM_PATH, FORM, "").into_parts();
    let (cell, _) = post(CELL_PATH, JSON, "").into_parts();
    for (head, how) in [
        (&upload, Some(Break::BeforeBody)),
        (&cell, Some(Break::CutReply)),
        (&cell, None),
        (&upload, None),
    ] {
        let flight = fake.begin(now(), head);
        assert_eq!(flight.breaks(), how);
        fake.abandon(flight);
    }
    fake.fail_next(Break::AfterBody);
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
}

#[test]
fn the_edge_and_the_mux() {
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
    let mut request = post(CELL_PATH, JSON, CELL);
    *request.method_mut() = Method::PUT;
    let mut fake = fake();
    let response = fake.handle(now(), request);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.body(), "404 page not found");
    assert_eq!(fake.requests().first().map(|seen| seen.route), Some(None));
}
