//! Writes on one spreadsheet, which go one after the other, and on others, which do not wait for them.

use std::time::Duration;

use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeServer, Pool};
use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::{Image, Limits, Site, WriteSheetImage};

use crate::services::{Counted, Counts, Slow, all, app, begin};

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

/// Every write took place, once, none beside another on its spreadsheet, and beside many on others.
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
    let (slow, counted) = Slow::counted(20);
    let counts = counted.counts.clone();
    add_spreadsheets(&mut slow.lark());
    let client = Client::with_service(Site::LARK, app(), counted, TokioTimer::new());
    all(begin(&client.with_limits(Limits::one_attempt()), writes())).await;
    check(&slow.lark(), &counts);
}

#[tokio::test(start_paused = true)]
async fn fifty_spreadsheets_are_written_side_by_side() {
    fifty_in_memory().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_spreadsheets_are_written_side_by_side_on_two_threads() {
    fifty_in_memory().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_spreadsheets_are_written_side_by_side_over_loopback() {
    let server = FakeServer::start().unwrap();
    server.with(add_spreadsheets);
    for _ in writes() {
        let slow = Break::SlowReply(Duration::from_millis(50));
        server.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    }
    let counted = Counted::new(Pool::new());
    let counts = counted.counts.clone();
    let client = Client::with_service(server.site().clone(), app(), counted, TokioTimer::new());
    all(begin(&client.with_limits(Limits::one_attempt()), writes())).await;
    server.with(|lark| check(lark, &counts));
}

#[tokio::test(start_paused = true)]
async fn writes_on_one_spreadsheet_go_in_the_order_in_which_they_began() {
    let (slow, counted) = Slow::counted(20);
    let counts = counted.counts.clone();
    add_spreadsheets(&mut slow.lark());
    let client = Client::with_service(Site::LARK, app(), counted, TokioTimer::new());
    let written = all(begin(&client, (1..=100).map(|row| write(7, row)))).await;
    let revisions: Vec<_> = written.into_iter().filter_map(|written| written.revision).collect();
    assert_eq!(revisions, Vec::from_iter(1..=100));
    assert_eq!(counts.lock().unwrap()["*"].most, 1);
}
