//! Writes on one spreadsheet, which are sent one after the other, and writes on several, which do not wait for each
//! other.

use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeServer, Pool};
use lark_proto::fake::{ConnectionFault, FakeLark, Route};
use lark_proto::{Image, Limits, WriteSheetImage};

use super::services::{Counted, Counts, all, begin, client, slow};
use crate::support::{app, millis};

fn spreadsheet(number: usize) -> String {
    format!("shtcnTogether{number}")
}

fn write(number: usize, row: usize) -> WriteSheetImage {
    let cell = format!("{}!A{row}", FakeLark::SHEET).parse().unwrap();
    let image = Image::new("GIF89a..").unwrap();
    WriteSheetImage::new(spreadsheet(number).parse().unwrap(), cell, image).unwrap()
}

/// Three writes on each of fifty spreadsheets.
fn writes() -> impl Iterator<Item = WriteSheetImage> {
    (1..=3).flat_map(|row| (0..50).map(move |number| write(number, row)))
}

/// Checks that the fake carried out each write once, never two at a time on one spreadsheet, and many at a time in all.
fn check(lark: &FakeLark, counts: &Counts) {
    assert_eq!(lark.count(Route::ValuesImage), 150);
    // A write that overlaps another is refused.
    assert!(lark.requests().iter().all(|request| request.code == Some(0)));
    let counts = counts.lock().unwrap();
    for number in 0..50 {
        assert_eq!(lark.cells(&spreadsheet(number)).count(), 3);
        let path = Route::ValuesImage.path().replace(":spreadsheetToken", &spreadsheet(number));
        assert_eq!(counts[&path].most, 1, "{path}");
    }
    assert!(counts["*"].most > 10, "{counts:?}");
}

fn add_spreadsheets(lark: &mut FakeLark) {
    for number in 0..50 {
        lark.add_spreadsheet(&spreadsheet(number), &[FakeLark::SHEET]);
    }
}

async fn fifty_in_memory() {
    let fake = slow(millis(20));
    fake.with(add_spreadsheets);
    let counted = Counted::new(fake.clone());
    let counts = counted.counts.clone();
    let client = client(counted, app()).with_limits(Limits::one_attempt());
    all(begin(&client, writes())).await;
    fake.with(|lark| check(lark, &counts));
}

#[tokio::test(start_paused = true)]
async fn writes_on_fifty_spreadsheets_overlap_in_paused_time() {
    fifty_in_memory().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_on_fifty_spreadsheets_overlap_on_two_threads() {
    fifty_in_memory().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_on_fifty_spreadsheets_overlap_over_loopback() {
    let server = FakeServer::start().unwrap();
    server.with(add_spreadsheets);
    for _ in writes() {
        let slow = ConnectionFault::SlowReply(millis(50));
        server.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    }
    let counted = Counted::new(Pool::new());
    let counts = counted.counts.clone();
    let client = Client::with_service(server.site().clone(), app(), counted, TokioTimer::new());
    all(begin(&client.with_limits(Limits::one_attempt()), writes())).await;
    server.with(|lark| check(lark, &counts));
}

#[tokio::test(start_paused = true)]
async fn writes_on_one_spreadsheet_are_sent_one_by_one_in_the_order_in_which_they_began() {
    let fake = slow(millis(20));
    fake.with(add_spreadsheets);
    let counted = Counted::new(fake);
    let counts = counted.counts.clone();
    let client = client(counted, app());
    let written = all(begin(&client, (1..=100).map(|row| write(7, row)))).await;
    let revisions: Vec<_> = written.into_iter().filter_map(|written| written.revision).collect();
    assert_eq!(revisions, Vec::from_iter(1..=100));
    assert_eq!(counts.lock().unwrap()["*"].most, 1);
}
