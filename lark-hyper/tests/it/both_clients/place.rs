//! A cell by a pasted link and a title, with both clients and the same server.

use std::collections::BTreeMap;
use std::time::SystemTime;

use lark_hyper::FakeServer;
use lark_proto::fake::{FakeLark, FakeSheet, Route, TokenKind};
use lark_proto::place::{Located, Place};
use lark_proto::{App, Image, UserToken, WriteSheetImage};
use tokio::runtime::Builder;

use crate::support::app;

/// A server whose one spreadsheet has a second sheet, "Price list" with 9 rows and 8 columns, and a base.
fn server() -> FakeServer {
    let server = FakeServer::start().unwrap();
    server.with(|lark| {
        let sheet = FakeSheet::new("pr1ces").title("Price list").rows(9).columns(8);
        lark.add_sheet(FakeLark::SPREADSHEET, sheet);
        lark.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("b4se00").title("Tasks").base());
        lark.add_wiki_node("wikcnDocument", "docx", "doxcnA");
    });
    server
}

/// The outcome of each client, with the text of its error, and the number of its requests without those for tokens.
fn found(server: &FakeServer, place: &Place) -> [(Result<Located, String>, usize); 2] {
    let asked = || server.with(|lark| lark.count(Route::WikiNode) + lark.count(Route::SheetsQuery));
    let counted = |find: &dyn Fn() -> Result<Located, String>| {
        let before = asked();
        (find(), asked() - before)
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let blocking = lark_ureq::Client::new(server.site().clone(), app());
    let on_hyper = lark_hyper::Client::new(server.site().clone(), app());
    [
        counted(&|| blocking.resolve(place).map_err(|error| error.to_string())),
        counted(&|| runtime.block_on(on_hyper.resolve(place)).map_err(|error| error.to_string())),
    ]
}

#[test]
fn a_place_is_found_with_as_few_requests_as_possible() {
    let server = server();
    let wiki = format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE);
    let sheet = format!("https://x.feishu.cn/sheets/{}", FakeLark::SPREADSHEET);
    let with_id = format!("{sheet}?sheet={}", FakeLark::SHEET);
    for (document, cell, range, requests) in [
        (&wiki, "Price list!H7", "pr1ces!H7:H7", 2),
        (&sheet, "pr1ces!H7", "pr1ces!H7:H7", 1),
        (&sheet, "B2", "Q7PlXT!B2:B2", 1),
        (&with_id, "B2", "Q7PlXT!B2:B2", 0),
    ] {
        for (found, asked) in found(&server, &Place::new(document, cell).unwrap()) {
            let found = found.unwrap();
            assert_eq!(found.spreadsheet.as_str(), FakeLark::SPREADSHEET);
            assert_eq!((found.cell.as_str(), asked), (range, requests), "{document} {cell}");
        }
    }
}

#[test]
fn a_place_that_does_not_exist_is_refused_before_anything_is_written() {
    let server = server();
    let wiki = format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE);
    let document = "https://x.feishu.cn/wiki/wikcnDocument".to_owned();
    for (link, cell, text) in [
        (&wiki, "Prices!H7", "no sheet has the id or the title `Prices`"),
        (&wiki, "Tasks!A1", "the tab `Tasks` is a base, which has no cells: name another sheet"),
        (
            &wiki,
            "Price list!H10",
            "`H10` (rows: 9, columns: 8) is outside of the sheet: add rows or columns first",
        ),
        (&document, "A1", "the page of the wiki shows a `docx`, which is not a spreadsheet"),
    ] {
        for (found, _) in found(&server, &Place::new(link, cell).unwrap()) {
            assert_eq!(found.unwrap_err(), text, "{link} {cell}");
        }
    }
    let missing = Place::new("https://x.feishu.cn/wiki/wikcnMissing", "A1").unwrap();
    for (found, _) in found(&server, &missing) {
        assert!(found.as_ref().is_err_and(|text| text.contains("131005")), "{found:?}");
    }
}

#[test]
fn further_cells_are_found_in_the_list_of_sheets_that_resolve_as_returned() {
    let server = server();
    let far = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    server.with(|lark| lark.add_token(TokenKind::User, "u-1", far));
    let token = UserToken::new("u-1").unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let blocking = lark_ureq::Client::new(server.site().clone(), App::None);
    let on_hyper = lark_hyper::Client::new(server.site().clone(), App::None);
    let place = Place::new(FakeLark::SPREADSHEET, "Price list!A1").unwrap();
    let mut written = BTreeMap::new();
    for (row, found) in [
        (1, blocking.resolve_as(&token, &place).unwrap()),
        (2, runtime.block_on(on_hyper.resolve_as(&token, &place)).unwrap()),
    ] {
        let below = place.below(row).unwrap();
        let (sheet, cell) = below.among(found.sheets.as_ref().unwrap()).unwrap();
        assert_eq!(sheet.title, "Price list");
        let image = Image::new(format!("GIF89a{row}")).unwrap();
        let write = WriteSheetImage::new(found.spreadsheet, cell.clone(), image.clone()).unwrap();
        blocking.call_as(&token, &write).unwrap();
        written.insert(cell.to_string(), image.bytes().clone());
    }
    let stored: BTreeMap<_, _> = server.with(|lark| {
        let cells = lark.cells(FakeLark::SPREADSHEET);
        cells.map(|(cell, image)| (cell.to_owned(), image.bytes.clone())).collect()
    });
    assert_eq!(stored, written);
    assert_eq!(written.keys().collect::<Vec<_>>(), ["pr1ces!A2:A2", "pr1ces!A3:A3"]);
}
