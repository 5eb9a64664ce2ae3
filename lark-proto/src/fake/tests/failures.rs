//! Failures that a test asks for: breaks that `exchange` obeys, and failures that a closure chooses.

use std::sync::{Arc, Mutex};

use super::*;

fn write() -> Request<Bytes> {
    post(CELL_PATH, JSON, CELL)
}

/// The code of the reply to a write to a cell.
fn code(fake: &mut FakeLark) -> Option<i64> {
    verdict(&fake.handle(now(), write())).1
}

#[test]
fn an_exchange_obeys_a_break() {
    let time = Duration::from_secs(20);
    for (how, expected, is_carried_out) in [
        (None, Ok(Duration::ZERO), true),
        (Some(Break::BeforeBody), Err(Break::BeforeBody), false),
        (Some(Break::DuringBody), Err(Break::DuringBody), false),
        (Some(Break::AfterBody), Err(Break::AfterBody), true),
        (Some(Break::CutReply), Err(Break::CutReply), true),
        (Some(Break::SlowReply(time)), Ok(time), true),
    ] {
        let mut fake = fake();
        how.into_iter().for_each(|how| fake.fail_next(how));
        let result = fake.exchange(now(), write());
        if let Ok((reply, _)) = &result {
            assert_eq!(verdict(reply), (200, Some(0)), "{how:?}");
        }
        assert_eq!(result.map(|(_, time)| time), expected, "{how:?}");
        let carried_out = usize::from(is_carried_out);
        assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), carried_out, "{how:?}");
        let counts = (fake.begun(Route::ValuesImage), fake.count(Route::ValuesImage));
        assert_eq!(counts, (1, carried_out), "{how:?}");
        // The spreadsheet is free again.
        let later = now() + time;
        assert_eq!(verdict(&fake.handle(later, write())), (200, Some(0)), "{how:?}");
    }
}

#[test]
fn a_write_whose_reply_is_held_back_occupies_its_spreadsheet() {
    let (mut fake, time) = (fake(), Duration::from_secs(20));
    fake.fail_next(Break::SlowReply(time));
    let codes = [Duration::ZERO, time - Duration::from_nanos(1), time].map(|since| {
        let (reply, _) = fake.exchange(now() + since, write()).unwrap();
        verdict(&reply).1
    });
    assert_eq!(codes, [Some(0), Some(90217), Some(0)]);
    // A request that is handled at once is not held back.
    fake.fail_next(Break::SlowReply(time));
    assert_eq!([code(&mut fake), code(&mut fake)], [Some(0), Some(0)]);
}

#[test]
fn a_request_has_begun_when_its_head_has_arrived() {
    let mut fake = fake();
    let (head, body) = write().into_parts();
    let flight = fake.begin(now(), &head);
    let counts = |fake: &FakeLark| (fake.begun(Route::ValuesImage), fake.count(Route::ValuesImage));
    assert_eq!(counts(&fake), (1, 0));
    let _ = fake.finish(now(), flight, &body);
    assert_eq!(counts(&fake), (1, 1));
    let flight = fake.begin(now(), &head);
    fake.abandon(flight);
    assert_eq!(counts(&fake), (2, 1));
    assert_eq!(fake.begun(Route::ImageV4Put), 0);
}

#[test]
fn a_closure_chooses_the_failure_of_a_request_that_takes_none_from_the_queue() {
    let mut fake = fake();
    let asked: Arc<Mutex<Vec<_>>> = Arc::default();
    let asks = asked.clone();
    fake.fail_when(move |route, number| {
        asks.lock().unwrap().push((route, number));
        (route == Route::ValuesImage && number % 2 == 0)
            .then(|| Fault::code(403, 91403, "Forbidden").into())
    });
    fake.fail_next_on(Route::ValuesImage, Fault::code(200, 90235, "queued"));
    let codes = [(); 4].map(|()| code(&mut fake));
    assert_eq!(codes, [Some(90235), Some(91403), Some(0), Some(91403)]);
    // Each route has numbers of its own, and a path without a route has none.
    assert_eq!(verdict(&fake.handle(now(), post(IM_PATH, FORM, good_form()))).0, 200);
    assert_eq!(verdict(&fake.handle(now(), post("/nowhere", FORM, good_form()))).0, 404);
    let cell = Route::ValuesImage;
    let numbers = [(cell, 2), (cell, 3), (cell, 4), (Route::ImV1Images, 1)];
    assert_eq!(*asked.lock().unwrap(), numbers);
    let recorded: Vec<usize> = fake.requests_to(cell).map(|seen| seen.number).collect();
    assert_eq!(recorded, [1, 2, 3, 4]);
    assert_eq!(fake.begun(cell), 4);
}

#[test]
fn a_chosen_break_is_obeyed_and_a_later_closure_replaces_an_earlier_one() {
    let mut fake = fake();
    fake.fail_when(|_, _| Some(Break::AfterBody.into()));
    assert_eq!(fake.exchange(now(), write()).unwrap_err(), Break::AfterBody);
    let mut clone = fake.clone();
    fake.fail_when(|_, number| (number == 3).then_some(Break::CutReply.into()));
    assert_eq!(fake.exchange(now(), write()).unwrap().1, Duration::ZERO);
    assert_eq!(fake.exchange(now(), write()).unwrap_err(), Break::CutReply);
    assert_eq!(clone.exchange(now(), write()).unwrap_err(), Break::AfterBody);
}

#[test]
fn the_endpoints_are_below_the_base_path() {
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
fn the_cells_of_a_spreadsheet_do_not_borrow_its_token() {
    let mut fake = fake();
    assert_eq!(code(&mut fake), Some(0));
    let token = || FakeLark::SPREADSHEET.to_owned();
    let ranges = fake.cells(&token()).map(|(range, _)| range);
    assert!(ranges.eq(["Q7PlXT!H7:H7"]));
}
