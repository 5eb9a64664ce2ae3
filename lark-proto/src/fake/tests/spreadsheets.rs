//! Spreadsheets and wikis.

use super::*;
use crate::api::{Endpoint, EndpointExt};
use crate::endpoints::{
    AddDimension, CellContent, GetWikiNode, QuerySheets, ReadCells, SheetKind, UpdateDimension,
    WriteSheetImage,
};
use crate::error::Error;
use crate::site::Site;
use crate::token::{TenantOrUser, TenantToken};
use crate::values::{Image, SheetCell, SheetId, SpreadsheetToken};

/// The fake's answer to the endpoint's request.
fn send<E: Endpoint<Auth = TenantOrUser>>(
    fake: &mut FakeLark,
    endpoint: &E,
) -> Result<E::Output, Error> {
    let request = endpoint.request(&Site::FEISHU, &TenantToken::new("t-x").unwrap());
    E::decode(fake.handle(now(), request))
}

fn code<T>(result: Result<T, Error>) -> i64 {
    result.map_or_else(|error| error.api().map_or(-1, |api| api.code.0), |_| 0)
}

fn get(fake: &mut FakeLark, path: &str) -> Response<Bytes> {
    let mut request = post(path, JSON, "");
    *request.method_mut() = Method::GET;
    fake.handle(now(), request)
}

fn spreadsheet() -> SpreadsheetToken {
    FakeLark::SPREADSHEET.parse().unwrap()
}

/// A cell of the fake's first sheet.
fn in_sheet(cell: &str) -> SheetCell {
    SheetCell::in_sheet(FakeLark::SHEET.parse().unwrap(), cell).unwrap()
}

fn write(cell: &str) -> WriteSheetImage {
    let image = Image::new("GIF89a").unwrap();
    WriteSheetImage::new(spreadsheet(), in_sheet(cell), image).unwrap()
}

#[test]
fn a_cell_write_is_answered_with_its_revision() {
    let mut fake = fake();
    for revision in [1, 2] {
        let data = json!({
            "revision": revision,
            "spreadsheetToken": FakeLark::SPREADSHEET,
            "updateRange": "Q7PlXT!H7:H7",
        });
        let expected = json!({"code": 0, "data": data, "msg": "success"});
        let mut request = post(CELL_PATH, JSON, CELL);
        set(&mut request, CONTENT_LENGTH, &CELL.len().to_string());
        assert_eq!(body(&fake.handle(now(), request)), expected);
    }
    assert_eq!(fake.count(Route::ValuesImage), 2);
}

#[test]
fn a_cell_holds_the_image_that_was_written_last() {
    let mut fake = fake();
    for _ in 0..2 {
        fake.handle(now(), post(CELL_PATH, JSON, CELL));
    }
    let cell = StoredCell {
        bytes: Bytes::from_static(&[1, 2]),
        name: "a.png".to_owned(),
        revision: 2,
        file_token: format!("box{}000002", FakeLark::SPREADSHEET),
    };
    assert_eq!(fake.cell(FakeLark::SPREADSHEET, "Q7PlXT!H7:H7"), Some(&cell));
    assert!(fake.cells(FakeLark::SPREADSHEET).eq([("Q7PlXT!H7:H7", &cell)]));
}

/// A path and a body that is refused there, with the code.
fn refused_writes() -> [(String, String, i64); 6] {
    let path = CELL_PATH.to_owned();
    [
        (path.replace("shtcn", "wikcn"), CELL.to_owned(), 90214),
        (path.clone(), "x".to_owned(), 90201),
        (path.clone(), "[]".to_owned(), 90204),
        (path.clone(), CELL.replace(":H7", ""), 90202),
        (path.clone(), CELL.replace("Q7PlXT", "Sheet1"), 90215),
        (path, CELL.replace("a.png", "a"), 90204),
    ]
}

#[test]
fn a_cell_write_is_refused_with_the_code_of_its_mistake() {
    for (path, content, code) in refused_writes() {
        let response = fake().handle(now(), post(&path, JSON, content.clone()));
        assert_eq!(verdict(&response), (200, Some(code)), "{content}");
    }
}

#[test]
fn a_refused_cell_write_does_not_increase_the_revision() {
    let mut fake = fake();
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
    for (path, content, _) in refused_writes() {
        fake.handle(now(), post(&path, JSON, content));
    }
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
    assert_eq!(fake.cells(FakeLark::SPREADSHEET).map(|(_, cell)| cell.revision).max(), Some(2));
}

#[test]
fn the_sheets_of_a_spreadsheet_are_listed_as_they_were_added() {
    let mut fake = fake();
    let spreadsheet = FakeLark::SPREADSHEET;
    fake.add_sheet(
        spreadsheet,
        FakeSheet::new("s2").title("It's 50%!").rows(9).columns(8).hidden(),
    );
    fake.add_sheet(spreadsheet, FakeSheet::new("s3").base());
    fake.add_spreadsheet(spreadsheet, &["s4", "s2"]);
    let sheets = send(&mut fake, &QuerySheets::new(self::spreadsheet())).unwrap();
    let listed: Vec<_> = sheets
        .iter()
        .map(|sheet| {
            let grid = sheet.grid.map(|grid| (grid.rows, grid.columns));
            (sheet.id.as_str(), sheet.title.as_str(), sheet.is_hidden, sheet.kind, grid)
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("Q7PlXT", "Sheet1", false, SheetKind::Sheet, Some((200, 20))),
            ("s2", "It's 50%!", true, SheetKind::Sheet, Some((9, 8))),
            ("s3", "Sheet3", false, SheetKind::Base, None),
            ("s4", "Sheet4", false, SheetKind::Sheet, Some((200, 20))),
        ]
    );
}

/// The path of the list of the first spreadsheet's sheets.
fn query_path() -> String {
    format!("/open-apis/sheets/v3/spreadsheets/{}/sheets/query", FakeLark::SPREADSHEET)
}

#[test]
fn a_sheet_is_listed_in_the_form_of_the_vendors_sample() {
    let path = query_path();
    let mut fake = fake();
    let sheet = at(&get(&mut fake, &path), "/data/sheets/0");
    let vendors = r#"{"grid_properties":{"column_count":20,"frozen_column_count":0,"frozen_row_count":0,"row_count":200},"hidden":false,"index":0,"resource_type":"sheet","sheet_id":"Q7PlXT","title":"Sheet1"}"#;
    assert_eq!(sheet.to_string(), vendors);
}

#[test]
fn the_sheets_of_an_unknown_spreadsheet_are_refused() {
    let other = get(&mut fake(), &query_path().replace("shtcn", "wikcn"));
    assert_eq!(verdict(&other), (400, Some(1310214)));
    assert_eq!(at(&other, "/msg"), "Path param :spreadsheet_token is not exist");
}

#[test]
fn a_page_of_a_wiki_leads_to_its_document() {
    let mut fake = fake();
    fake.add_wiki_node("wikcnDoc", "docx", "doxcn1");
    let mut node = |token: &str| send(&mut fake, &GetWikiNode::new(token.parse().unwrap()));
    let sheet = node(FakeLark::WIKI_NODE).unwrap();
    assert_eq!(sheet.spreadsheet().unwrap().as_str(), FakeLark::SPREADSHEET);
    assert_eq!(sheet.title.as_deref(), Some("Page"));
    let document = node("wikcnDoc").unwrap();
    assert_eq!((&*document.obj_type, &*document.obj_token), ("docx", "doxcn1"));
    assert_eq!(code(node("wikcnNone")), 131005);
}

#[test]
fn a_page_of_a_wiki_is_found_by_its_token_or_by_that_of_its_document() {
    let mut fake = fake();
    fake.add_wiki_node("wikcnDoc", "docx", "doxcn1");
    let path = "/open-apis/wiki/v2/spaces/get_node";
    for (query, expected) in [
        (format!("?token={}", FakeLark::WIKI_NODE), (200, Some(0))),
        ("?token=wikcnDoc&obj_type=wiki".to_owned(), (200, Some(0))),
        ("?obj_type=docx&token=doxcn1".to_owned(), (200, Some(0))),
        ("?obj_type=sheet&token=doxcn1".to_owned(), (400, Some(131005))),
        ("?obj_type=docx&token=wikcnDoc".to_owned(), (400, Some(131005))),
        ("?token=doxcn1".to_owned(), (400, Some(131005))),
        ("?token=wikcnDoc&obj_type=board".to_owned(), (400, Some(131002))),
        ("?token=".to_owned(), (400, Some(131002))),
        (format!("?token={}", "x".repeat(1000)), (400, Some(131002))),
        (String::new(), (400, Some(131002))),
    ] {
        let reply = get(&mut fake, &format!("{path}{query}"));
        assert_eq!(verdict(&reply), expected, "{query}");
    }
}

#[test]
fn cells_are_read_as_they_were_written() {
    let mut fake = fake();
    fake.set_text(FakeLark::SPREADSHEET, "Q7PlXT!A1", "Name");
    fake.set_text(FakeLark::SPREADSHEET, "Q7PlXT!b2:B2", "replaced");
    fake.set_text(FakeLark::SPREADSHEET, "Q7PlXT!A201", "outside");
    send(&mut fake, &write("B2")).unwrap();
    send(&mut fake, &write("C2")).unwrap();
    fake.set_text(FakeLark::SPREADSHEET, "Q7PlXT!C2", "=A1");
    let read = ReadCells::range(spreadsheet(), &in_sheet("C2"), &in_sheet("A1")).unwrap();
    let cells = send(&mut fake, &read).unwrap();
    let stored = fake.cell(FakeLark::SPREADSHEET, "Q7PlXT!B2:B2").unwrap();
    let image = CellContent::Image { file_token: stored.file_token.parse().ok() };
    let text = |text: &str| CellContent::Text(text.to_owned());
    let rows = [0, 1].map(|row| [0, 1, 2].map(|column| cells.get(row, column).clone()));
    let empty = || CellContent::Empty;
    assert_eq!(rows, [[text("Name"), empty(), empty()], [empty(), image.clone(), text("=A1")]]);
    let one = send(&mut fake, &ReadCells::cell(spreadsheet(), &in_sheet("B2"))).unwrap();
    assert_eq!(one.first(), &image);
    assert_eq!(code(send(&mut fake, &ReadCells::cell(spreadsheet(), &in_sheet("A201")))), 90202);
}

#[test]
fn a_range_to_read_is_refused_with_the_code_of_its_mistake() {
    let mut fake = fake();
    let sheet = FakeSheet::new("large").rows(5_000_000).columns(13_000);
    fake.add_sheet(FakeLark::SPREADSHEET, sheet);
    fake.set_text(FakeLark::SPREADSHEET, "large!A1", &"x".repeat(10_000_000));
    let path = format!("/open-apis/sheets/v2/spreadsheets/{}/values/", FakeLark::SPREADSHEET);
    for (range, expected) in [
        ("Q7PlXT!A1:B2", 0),
        ("Q7PlXT%21a1%3AT200", 0),
        ("Q7PlXT!B2:A1", 90202),
        ("Q7PlXT!A2:B1", 90202),
        ("Q7PlXT!A1", 90202),
        ("Q7PlXT!A1:U1", 90202),
        ("Q7PlXT!A:B", 90202),
        ("Q7PlXT", 90215),
        ("Sheet1!A1:B2", 90215),
        ("large!A2:SEZ3", 0),
        ("large!A2:SEZ200", 90221),
        ("large!A1:A1", 90221),
        ("Q7PlXT!A1:B2?valueRenderOption=UnformattedValue", 0),
        ("Q7PlXT!A1:B2?valueRenderOption=toString", 90229),
    ] {
        let reply = get(&mut fake, &format!("{path}{range}"));
        assert_eq!(verdict(&reply), (200, Some(expected)), "{range}");
    }
    let elsewhere = path.replace("shtcn", "wikcn") + "Q7PlXT!A1:B2";
    assert_eq!(verdict(&get(&mut fake, &elsewhere)), (200, Some(90214)));
}

#[test]
fn an_image_that_is_read_as_text_comes_without_its_file_token() {
    let mut fake = fake();
    send(&mut fake, &write("B2")).unwrap();
    let path =
        format!("/open-apis/sheets/v2/spreadsheets/{}/values/Q7PlXT!B2:B2", FakeLark::SPREADSHEET);
    let stub = get(&mut fake, &format!("{path}?valueRenderOption=ToString"));
    let cell = at(&stub, "/data/valueRange/values/0/0");
    assert_eq!(cell.to_string(), r#"[{"id":1,"type":"embed-image"}]"#);
}

#[test]
fn an_image_is_read_in_the_form_of_the_vendors_sample() {
    let mut fake = fake();
    send(&mut fake, &write("B2")).unwrap();
    let path =
        format!("/open-apis/sheets/v2/spreadsheets/{}/values/Q7PlXT!B2:B2", FakeLark::SPREADSHEET);
    let whole = at(&get(&mut fake, &path), "/data");
    let token = "boxshtcngNygNfuqhxTBf588jwgWbJ000001";
    let link = format!(
        "https://internal-api-drive-stream.feishu.cn/space/api/box/stream/download/v2/cover/{token}/?height=1280&mount_node_token=shtcngNygNfuqhxTBf588jwgWbJ&mount_point=sheet_image&policy=equal&width=1280"
    );
    let cell = json!({"fileToken": token, "height": 1, "link": link, "text": "", "type": "embed-image", "width": 1});
    let value_range = json!({"majorDimension": "ROWS", "range": "Q7PlXT!B2:B2", "revision": 1, "values": [[cell]]});
    let expected = json!({"revision": 1, "spreadsheetToken": FakeLark::SPREADSHEET, "valueRange": value_range});
    assert_eq!(whole, expected);
}

fn sheet() -> SheetId {
    FakeLark::SHEET.parse().unwrap()
}

fn add_row(fake: &mut FakeLark) -> Option<u32> {
    send(fake, &AddDimension::rows(spreadsheet(), sheet(), 1).unwrap()).unwrap().count
}

fn add_column(fake: &mut FakeLark) -> Option<u32> {
    send(fake, &AddDimension::columns(spreadsheet(), sheet(), 1).unwrap()).unwrap().count
}

#[test]
fn a_cell_in_a_row_or_column_that_was_added_can_be_written() {
    let mut fake = fake();
    assert_eq!(code(send(&mut fake, &write("A201"))), 90202);
    assert_eq!(add_row(&mut fake), Some(1));
    send(&mut fake, &write("A201")).unwrap();

    assert_eq!(code(send(&mut fake, &write("U1"))), 90202);
    assert_eq!(add_column(&mut fake), Some(1));
    send(&mut fake, &write("U1")).unwrap();
    let read = ReadCells::cell(spreadsheet(), &in_sheet("U1"));
    assert!(matches!(send(&mut fake, &read).unwrap().first(), CellContent::Image { .. }));
}

#[test]
fn added_rows_increase_the_revision() {
    let mut fake = fake();
    add_row(&mut fake);
    assert_eq!(send(&mut fake, &write("A201")).unwrap().revision, Some(2));
}

#[test]
fn a_row_or_column_that_was_added_can_be_sized() {
    let mut fake = fake();
    add_row(&mut fake);
    add_column(&mut fake);
    let height =
        |last| UpdateDimension::row_height(spreadsheet(), sheet(), 200..=last, 120).unwrap();
    send(&mut fake, &height(201)).unwrap();
    assert_eq!(code(send(&mut fake, &height(202))), 90212);
    let width = UpdateDimension::column_width(spreadsheet(), sheet(), 21..=21, 80).unwrap();
    send(&mut fake, &width).unwrap();

    let sheet = fake.sheet(FakeLark::SPREADSHEET, FakeLark::SHEET).unwrap();
    assert_eq!(sheet.grid(), (201, 21));
    assert_eq!([199, 200, 201].map(|row| sheet.row_height(row)), [None, Some(120), Some(120)]);
    assert_eq!([20, 21].map(|column| sheet.column_width(column)), [None, Some(80)]);
}

#[test]
fn a_change_of_rows_or_columns_is_refused_with_the_code_of_its_mistake() {
    let mut fake = fake();
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("full").rows(384).columns(13_000));
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("tall").rows(5001));
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("base").base());
    let path =
        format!("/open-apis/sheets/v2/spreadsheets/{}/dimension_range", FakeLark::SPREADSHEET);
    let add = r#"{"dimension":{"sheetId":"S","majorDimension":"M","length":N}}"#;
    let update = r#"{"dimension":{"sheetId":"S","majorDimension":"M","startIndex":N},"dimensionProperties":{"fixedSize":P}}"#;
    for (method, form, [sheet, major, number, pixels], expected) in [
        (Method::POST, add, ["Q7PlXT", "ROWS", "5000", ""], 0),
        (Method::POST, add, ["Q7PlXT", "ROWS", "0", ""], 90204),
        (Method::POST, add, ["Q7PlXT", "ROWS", "5001", ""], 90204),
        (Method::POST, add, ["Q7PlXT", "ROWS", "-1", ""], 90204),
        (Method::POST, add, ["Q7PlXT", "ROWS", "\"1\"", ""], 90204),
        (Method::POST, add, ["Q7PlXT", "rows", "1", ""], 90204),
        (Method::POST, add, ["Q7PlXT", "ROWS", "1", ""], 0),
        (Method::POST, add, ["Sheet1", "ROWS", "1", ""], 90215),
        (Method::POST, add, ["base", "ROWS", "1", ""], 90215),
        (Method::POST, add, ["full", "ROWS", "1", ""], 90219),
        (Method::POST, add, ["full", "COLUMNS", "1", ""], 90226),
        (Method::POST, add, ["full", "ROWS", "", ""], 90201),
        (Method::POST, r#"{"dimension":["S","M",1]}"#, ["Q7PlXT", "ROWS", "", ""], 90204),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "1,\"endIndex\":3", "50"], 0),
        (Method::PUT, update, ["Q7PlXT", "COLUMNS", "20,\"endIndex\":20", "0"], 0),
        (Method::PUT, update, ["Q7PlXT", "COLUMNS", "20,\"endIndex\":21", "50"], 90212),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "0,\"endIndex\":3", "50"], 90212),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "3,\"endIndex\":1", "50"], 90212),
        (Method::PUT, update, ["tall", "ROWS", "1,\"endIndex\":5000", "50"], 0),
        (Method::PUT, update, ["tall", "ROWS", "1,\"endIndex\":5001", "50"], 90204),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "1", "50"], 90204),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "1,\"endIndex\":3", "null"], 90204),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "1,\"endIndex\":3", "null,\"visible\":true"], 0),
        (Method::PUT, update, ["Q7PlXT", "ROWS", "1,\"endIndex\":3", "-1"], 90204),
        (Method::PUT, update, ["H7", "ROWS", "1,\"endIndex\":3", "50"], 90215),
    ] {
        let body = form.replace(":N", &format!(":{number}")).replace(":P", &format!(":{pixels}"));
        let body =
            body.replace("\"S\"", &format!("{sheet:?}")).replace("\"M\"", &format!("{major:?}"));
        let mut request = post(&path, JSON, body.clone());
        *request.method_mut() = method;
        let reply = fake.handle(now(), request);
        assert_eq!(verdict(&reply), (200, Some(expected)), "{body}: {:?}", reply.body());
    }
    let grid = |id| fake.sheet(FakeLark::SPREADSHEET, id).map(FakeSheet::grid);
    assert_eq!((grid("Q7PlXT"), grid("full")), (Some((5201, 20)), Some((384, 13_000))));
    let elsewhere = post(&path.replace("shtcn", "wikcn"), JSON, add);
    assert_eq!(verdict(&fake.handle(now(), elsewhere)), (200, Some(90214)));
}
