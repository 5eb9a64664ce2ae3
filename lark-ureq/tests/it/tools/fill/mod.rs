//! `fill_sheet` against the fake: one test for each rule.

mod base64;
mod blocked;
mod existing;
mod failures;
mod options;
mod places;
mod replaced;
mod resume;
mod summary;

use std::time::Duration;

use lark_proto::fake::{ConnectionFault, Failure, Fault, Route, StoredCell};
use lark_ureq::FakeServer;

use crate::tools::support::{Folder, Output, Tool, picture, wait_until};

/// The spreadsheet that the fake has from the start.
const LINK: &str = "https://x.feishu.cn/sheets/shtcngNygNfuqhxTBf588jwgWbJ";

fn fill_sheet(server: &FakeServer) -> Tool {
    Tool::new("fill_sheet", server)
}

/// Runs the tool with `options` on `count` pictures, from A1 down.
fn fill(server: &FakeServer, folder: &Folder, count: usize, options: &[&str]) -> Output {
    fill_sheet(server).args([LINK]).args([folder.pictures(count)]).args(options).run()
}

/// The cells that hold pictures, in the order of their last writes: `Q7PlXT!A1 photo3` holds `picture(3)`.
fn filled(server: &FakeServer, spreadsheet: &str) -> Vec<String> {
    server.with(|lark| {
        let mut cells: Vec<(&str, &StoredCell)> = lark.cells(spreadsheet).collect();
        cells.sort_by_key(|(_, cell)| cell.revision);
        let name = |(range, cell): (&str, &StoredCell)| {
            let (place, _) = range.split_once(':').unwrap();
            let number = (1..=100).find(|number| cell.bytes == picture(*number));
            format!("{place} photo{}", number.unwrap_or_default())
        };
        cells.into_iter().map(name).collect()
    })
}

/// The first `count` pictures from A1 down.
fn column(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("Q7PlXT!A{number} photo{number}")).collect()
}

/// How many writes of pictures have begun.
fn writes(server: &FakeServer) -> usize {
    server.with(|lark| lark.begun(Route::ValuesImage))
}

/// Fails writes of pictures, which are counted from 1, until this is called again.
fn fail_writes(
    server: &FakeServer,
    choose: impl Fn(usize) -> Option<Failure> + Send + Sync + 'static,
) {
    let writes_only = move |route, number| match route {
        Route::ValuesImage => choose(number),
        _ => None,
    };
    server.with(|lark| lark.fail_when(writes_only));
}

/// Delays the reply to each write of a picture.
fn slow_writes(server: &FakeServer, millis: u64) {
    let slow = ConnectionFault::SlowReply(Duration::from_millis(millis));
    fail_writes(server, move |_| Some(slow.into()));
}

/// A refusal of the service.
fn refusal(code: i64) -> Failure {
    Fault::code(200, code, "refused by the test").into()
}

/// A reply that is no JSON. The write is not carried out, and the client does not learn its outcome.
fn damaged_reply() -> Failure {
    Fault::from(http::Response::new("{".into())).into()
}
