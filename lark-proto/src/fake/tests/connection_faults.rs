//! Connection faults that a test asks for, and failures that a closure chooses.

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
fn an_exchange_obeys_a_connection_fault() {
    let time = Duration::from_secs(20);
    for (fault, expected, is_carried_out) in [
        (None, Ok(Duration::ZERO), true),
        (Some(ConnectionFault::BeforeBody), Err(ConnectionFault::BeforeBody), false),
        (Some(ConnectionFault::DuringBody), Err(ConnectionFault::DuringBody), false),
        (Some(ConnectionFault::AfterBody), Err(ConnectionFault::AfterBody), true),
        (Some(ConnectionFault::CutReply), Err(ConnectionFault::CutReply), true),
        (Some(ConnectionFault::SlowReply(time)), Ok(time), true),
    ] {
        let mut fake = fake();
        fault.into_iter().for_each(|fault| fake.fail_next(fault));
        let result = fake.exchange(now(), write());
        if let Ok((reply, _)) = &result {
            assert_eq!(verdict(reply), (200, Some(0)), "{fault:?}");
        }
        assert_eq!(result.map(|(_, time)| time), expected, "{fault:?}");
        let carried_out = usize::from(is_carried_out);
        assert_eq!(fake.cells(FakeLark::SPREADSHEET).count(), carried_out, "{fault:?}");
        let counts = (fake.begun(Route::ValuesImage), fake.count(Route::ValuesImage));
        assert_eq!(counts, (1, carried_out), "{fault:?}");
    }
}

#[test]
fn a_spreadsheet_is_free_again_after_a_connection_fault() {
    let time = Duration::from_secs(20);
    for fault in [
        ConnectionFault::BeforeBody,
        ConnectionFault::DuringBody,
        ConnectionFault::AfterBody,
        ConnectionFault::CutReply,
        ConnectionFault::SlowReply(time),
    ] {
        let mut fake = fake();
        fake.fail_next(fault);
        let _ = fake.exchange(now(), write());
        let later = now() + time;
        assert_eq!(verdict(&fake.handle(later, write())), (200, Some(0)), "{fault:?}");
    }
}

/// The routes and numbers of the requests for which a closure was called.
type Asked = Arc<Mutex<Vec<(Route, usize)>>>;

/// A fake in which a closure answers every second request to a route with 91403.
fn with_closure() -> (FakeLark, Asked) {
    let mut fake = fake();
    let asked = Asked::default();
    let asks = asked.clone();
    fake.fail_when(move |route, number| {
        asks.lock().unwrap().push((route, number));
        (number % 2 == 0).then(|| Fault::code(403, 91403, "Forbidden").into())
    });
    (fake, asked)
}

#[test]
fn a_closure_chooses_the_failure_of_a_request_that_takes_none_from_the_queue() {
    let (mut fake, asked) = with_closure();
    let route = Route::ValuesImage;
    fake.fail_next_on(route, Fault::code(200, 90235, "queued"));
    let codes = [(); 4].map(|()| code(&mut fake));
    assert_eq!(codes, [Some(90235), Some(91403), Some(0), Some(91403)]);
    assert_eq!(*asked.lock().unwrap(), [(route, 2), (route, 3), (route, 4)]);
}

#[test]
fn each_route_numbers_its_requests_from_one() {
    let (mut fake, asked) = with_closure();
    let route = Route::ValuesImage;
    code(&mut fake);
    code(&mut fake);
    assert_eq!(verdict(&fake.handle(now(), post(IM_PATH, FORM, good_form()))).0, 200);
    assert_eq!(*asked.lock().unwrap(), [(route, 1), (route, 2), (Route::ImV1Images, 1)]);
    assert!(fake.requests_to(route).map(|seen| seen.number).eq([1, 2]));
    assert_eq!(fake.begun(route), 2);
}

#[test]
fn a_request_without_a_route_has_no_number() {
    let (mut fake, asked) = with_closure();
    assert_eq!(verdict(&fake.handle(now(), post("/nowhere", FORM, good_form()))).0, 404);
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(fake.requests()[0].number, 0);
}

#[test]
fn a_chosen_connection_fault_is_obeyed() {
    let mut fake = fake();
    fake.fail_when(|_, _| Some(ConnectionFault::AfterBody.into()));
    assert_eq!(fake.exchange(now(), write()).unwrap_err(), ConnectionFault::AfterBody);
}

#[test]
fn a_later_closure_replaces_an_earlier_one() {
    let mut fake = fake();
    fake.fail_when(|_, _| Some(ConnectionFault::AfterBody.into()));
    fake.fail_when(|_, number| (number == 2).then_some(ConnectionFault::CutReply.into()));
    assert_eq!(fake.exchange(now(), write()).unwrap().1, Duration::ZERO);
    assert_eq!(fake.exchange(now(), write()).unwrap_err(), ConnectionFault::CutReply);
}

#[test]
fn a_clone_keeps_its_closure_when_the_original_gets_another_one() {
    let mut fake = fake();
    fake.fail_when(|_, _| Some(ConnectionFault::AfterBody.into()));
    let mut clone = fake.clone();
    fake.fail_when(|_, _| None);
    assert_eq!(fake.exchange(now(), write()).unwrap().1, Duration::ZERO);
    assert_eq!(clone.exchange(now(), write()).unwrap_err(), ConnectionFault::AfterBody);
}

/// The heads of an upload and of a cell write.
fn two_heads() -> [http::request::Parts; 2] {
    [post(IM_PATH, FORM, ""), post(CELL_PATH, JSON, "")].map(|request| request.into_parts().0)
}

#[test]
fn a_connection_fault_is_for_one_request() {
    let mut fake = fake();
    fake.fail_next_on(Route::ValuesImage, ConnectionFault::CutReply);
    fake.fail_next(ConnectionFault::BeforeBody);
    let [upload, cell] = two_heads();
    for (head, fault) in [
        (&upload, Some(ConnectionFault::BeforeBody)),
        (&cell, Some(ConnectionFault::CutReply)),
        (&cell, None),
        (&upload, None),
    ] {
        let flight = fake.begin(now(), head);
        assert_eq!(flight.connection_fault(), fault);
        fake.abandon(flight);
    }
}

#[test]
fn handle_takes_a_connection_fault_from_the_queue_and_ignores_it() {
    let mut fake = fake();
    fake.fail_next(ConnectionFault::AfterBody);
    assert_eq!(verdict(&fake.handle(now(), write())), (200, Some(0)));
    assert_eq!(fake.exchange(now(), write()).unwrap().1, Duration::ZERO);
}
