//! The records of the requests that the fake has answered.

use super::*;

/// A fake that was sent an upload with the token `t-x` and, a second later, the same upload and another one with the
/// token `t-second`.
fn with_three_uploads() -> FakeLark {
    let mut fake = fake();
    fake.handle(now(), post(IM_PATH, FORM, good_form()));
    let later = now() + Duration::from_secs(1);
    for body in [good_form(), good_form() + " "] {
        let mut request = post(IM_PATH, FORM, body);
        set(&mut request, AUTHORIZATION, "Bearer t-second");
        fake.handle(later, request);
    }
    fake
}

#[test]
fn a_request_is_recorded_with_its_head_and_the_encoding_of_its_image() {
    let fake = with_three_uploads();
    let [first, second, _] = fake.requests() else { panic!() };
    assert_eq!((&first.method, first.uri.path()), (&Method::POST, IM_PATH));
    assert_eq!(first.headers.get(CONTENT_TYPE).unwrap(), FORM);
    assert_eq!(first.image_encoding, Some(SentImageEncoding::Multipart));
    assert_eq!(first.body_len, good_form().len());
    assert_eq!(first.time, now());
    assert_eq!(second.time, now() + Duration::from_secs(1));
}

#[test]
fn a_recorded_token_is_masked_in_the_headers() {
    let fake = with_three_uploads();
    assert_eq!(fake.requests()[0].token.as_deref(), Some("t-x"));
    for seen in fake.requests() {
        let authorization: Vec<_> = seen.headers.get_all(AUTHORIZATION).iter().collect();
        assert!(!authorization.is_empty());
        assert!(authorization.iter().all(|value| *value == "Bearer ***"), "{authorization:?}");
    }
}

#[test]
fn the_attempts_of_requests_with_the_same_body_are_counted() {
    let fake = with_three_uploads();
    let attempts = fake.requests().iter().map(|seen| seen.attempt);
    assert!(attempts.eq([1, 2, 1]));
}

#[test]
fn forgotten_requests_are_not_listed_and_their_log_ids_do_not_come_again() {
    let mut fake = with_three_uploads();
    let log_ids = |fake: &FakeLark| -> Vec<_> {
        fake.requests().iter().map(|seen| seen.log_id.clone().unwrap()).collect()
    };
    let before = log_ids(&fake);
    fake.forget_requests();
    assert_eq!((fake.requests().len(), fake.count(Route::ImV1Images)), (0, 0));
    for _ in 0..3 {
        fake.handle(now(), post(IM_PATH, FORM, good_form()));
        fake.forget_requests();
    }
    fake.handle(now(), post(IM_PATH, FORM, good_form()));
    let [seen] = fake.requests() else { panic!() };
    assert_eq!((seen.attempt, seen.number), (1, 7));
    assert_eq!(log_ids(&fake).len(), 1);
    assert!(!before.contains(&log_ids(&fake)[0]), "{before:?}");
    assert_eq!(fake.begun(Route::ImV1Images), 7);
}

#[test]
fn a_record_recognises_the_body_of_its_request() {
    let fake = with_three_uploads();
    let has_body = fake.requests().iter().map(|seen| seen.has_body(good_form().as_bytes()));
    assert!(has_body.eq([true, true, false]));
}

#[test]
fn the_encoding_of_a_cells_image_is_recorded_whether_or_not_it_is_accepted() {
    let mut fake = fake();
    fake.handle(now(), post(CELL_PATH, JSON, BASE64));
    fake.refuse_base64();
    fake.handle(now(), post(CELL_PATH, JSON, BASE64));
    fake.handle(now(), post(CELL_PATH, JSON, CELL));
    let encodings = fake.requests().iter().filter_map(|seen| seen.image_encoding);
    assert!(encodings.eq([
        SentImageEncoding::Base64,
        SentImageEncoding::Base64,
        SentImageEncoding::Numbers
    ]));
}
