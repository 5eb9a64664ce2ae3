//! Pictures for which the service fails each time, among others that it accepts.

use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};

use super::{column, damaged_reply, fail_writes, fill, filled, refusal, writes};
use crate::tools::support::setup;

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

#[test]
fn a_picture_that_breaks_its_connection_each_time_blocks_no_other() {
    let (server, folder) = setup();
    // Four attempts, and four more because the cell is empty.
    fail_writes(&server, |number| (number <= 8).then(|| ConnectionFault::DuringBody.into()));
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("2 arrived, 1 still to do, in "), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(3)[1..]);
}

#[test]
fn pictures_of_an_outage_are_tried_after_the_others() {
    let (server, folder) = setup();
    // Two writes for each of the first three pictures.
    fail_writes(&server, |number| (number <= 6).then(damaged_reply));
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(3), "{output:?}");
    assert!(output.stdout.starts_with("0 arrived, 5 still to do, in "), "{output:?}");
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    let places = column(5);
    assert_eq!(filled(&server, SPREADSHEET), [&places[3..], &places[..3]].concat());
}

#[test]
fn failures_with_a_refusal_between_them_are_no_outage() {
    let (server, folder) = setup();
    fail_writes(&server, |number| match number {
        1..=4 | 6..=9 => Some(damaged_reply()),
        5 => Some(refusal(90204)),
        _ => None,
    });
    let output = fill(&server, &folder, 6, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 1 failed, 4 still to do, in "), "{output:?}");
}

#[test]
fn a_picture_that_may_have_arrived_stays_open_if_it_is_refused_later() {
    let (server, folder) = setup();
    let empty = r#"{"code":0,"msg":"success","data":{"valueRange":{"values":[[null]]}}}"#;
    let mut empty = http::Response::new(empty.into());
    empty.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let empty = Fault::from(empty);
    server.with(|lark| {
        lark.fail_when(move |route, number| match (route, number) {
            // The write is carried out, and the cell does not show it yet.
            (Route::ValuesImage, 1) => Some(Fault::TruncatedJson.into()),
            (Route::Values, 2) => Some(empty.clone().into()),
            (Route::ValuesImage, 2) => Some(refusal(90204)),
            _ => None,
        });
    });
    let output = fill(&server, &folder, 1, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("0 arrived, 1 still to do, in "), "{output:?}");
    let output = fill(&server, &folder, 1, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, in "), "{output:?}");
    assert_eq!((filled(&server, SPREADSHEET), writes(&server)), (column(1), 2));
}
