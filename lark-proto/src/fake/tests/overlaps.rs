//! Requests that overlap in time.

use http::request::Parts;

use super::*;

/// The head of a cell write.
fn write_head() -> Parts {
    post(CELL_PATH, JSON, "").into_parts().0
}

/// The code of the reply to a request with this body.
fn finish(fake: &mut FakeLark, flight: InFlight, body: &str) -> Option<i64> {
    let reply = fake.finish(now(), flight, body.as_bytes());
    assert_eq!(reply.status(), StatusCode::OK);
    at(&reply, "/code").as_i64()
}

#[test]
fn a_write_that_begins_during_another_is_refused() {
    let mut fake = fake();
    let first = fake.begin(now(), &write_head());
    let second = fake.begin(now(), &write_head());
    assert_eq!(finish(&mut fake, second, CELL), Some(90217));
    let third = fake.begin(now(), &write_head());
    assert_eq!(finish(&mut fake, first, CELL), Some(0));
    assert_eq!(finish(&mut fake, third, CELL), Some(90217));
    let fourth = fake.begin(now(), &write_head());
    assert_eq!(finish(&mut fake, fourth, CELL), Some(0));
}

#[test]
fn requests_to_other_documents_may_overlap_with_a_write() {
    let mut fake = fake();
    fake.add_spreadsheet("other", &["Q7PlXT"]);
    let other = CELL_PATH.replace(FakeLark::SPREADSHEET, "other");
    let write = fake.begin(now(), &write_head());
    let elsewhere = fake.begin(now(), &post(&other, JSON, "").into_parts().0);
    let upload = fake.begin(now(), &post(IM_PATH, FORM, "").into_parts().0);
    assert_eq!(finish(&mut fake, elsewhere, CELL), Some(0));
    assert_eq!(finish(&mut fake, upload, &good_form()), Some(0));
    assert_eq!(finish(&mut fake, write, CELL), Some(0));
}

#[test]
fn an_abandoned_write_frees_its_spreadsheet() {
    let mut fake = fake();
    let broken = fake.begin(now(), &write_head());
    fake.abandon(broken);
    let next = fake.begin(now(), &write_head());
    assert_eq!(finish(&mut fake, next, CELL), Some(0));
    assert_eq!(fake.count(Route::ValuesImage), 1, "the abandoned write does not count");
}

#[test]
fn an_abandoned_write_that_was_refused_frees_nothing() {
    let mut fake = fake();
    let write = fake.begin(now(), &write_head());
    let refused = fake.begin(now(), &write_head());
    fake.abandon(refused);
    let overlapping = fake.begin(now(), &write_head());
    assert_eq!(finish(&mut fake, overlapping, CELL), Some(90217));
    assert_eq!(finish(&mut fake, write, CELL), Some(0));
}

#[test]
fn a_write_that_a_fault_answers_occupies_its_spreadsheet() {
    let mut fake = fake();
    fake.fail_next(Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
    let failing = fake.begin(now(), &write_head());
    let overlapping = fake.begin(now(), &write_head());
    let reply = fake.finish(now(), failing, CELL.as_bytes());
    assert_eq!(reply.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(finish(&mut fake, overlapping, CELL), Some(90217));
}

#[test]
fn a_write_whose_reply_is_held_back_occupies_its_spreadsheet() {
    let mut fake = fake();
    let time = Duration::from_secs(20);
    fake.fail_next(ConnectionFault::SlowReply(time));
    let codes = [Duration::ZERO, time - Duration::from_nanos(1), time].map(|since| {
        let (reply, _) = fake.exchange(now() + since, post(CELL_PATH, JSON, CELL)).unwrap();
        verdict(&reply).1
    });
    assert_eq!(codes, [Some(0), Some(90217), Some(0)]);
}

#[test]
fn handle_does_not_hold_a_reply_back() {
    let mut fake = fake();
    fake.fail_next(ConnectionFault::SlowReply(Duration::from_secs(20)));
    for _ in 0..2 {
        let reply = fake.handle(now(), post(CELL_PATH, JSON, CELL));
        assert_eq!(verdict(&reply), (200, Some(0)));
    }
}

#[test]
fn a_request_has_begun_when_its_head_has_arrived() {
    let mut fake = fake();
    let counts = |fake: &FakeLark| (fake.begun(Route::ValuesImage), fake.count(Route::ValuesImage));
    let flight = fake.begin(now(), &write_head());
    assert_eq!(counts(&fake), (1, 0));
    assert_eq!(finish(&mut fake, flight, CELL), Some(0));
    assert_eq!(counts(&fake), (1, 1));
    let flight = fake.begin(now(), &write_head());
    fake.abandon(flight);
    assert_eq!(counts(&fake), (2, 1));
    assert_eq!(fake.begun(Route::ImageV4Put), 0);
}
