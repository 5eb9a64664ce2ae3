//! Spreadsheets and wikis: the endpoints of this crate against the fake.

use super::*;
use crate::endpoint::{Endpoint, EndpointExt};
use crate::endpoints::{GetWikiNode, QuerySheets, SheetKind};
use crate::error::Error;
use crate::site::Site;
use crate::token::{TenantOrUser, TenantToken};

/// What the fake answers to the endpoint's request.
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

#[test]
fn the_sheets_of_a_spreadsheet_are_told_as_they_were_added() {
    let mut fake = fake();
    let spreadsheet = FakeLark::SPREADSHEET;
    fake.add_sheet(
        spreadsheet,
        FakeSheet::new("s2").title("It's 50%!").rows(9).columns(8).hidden(),
    );
    fake.add_sheet(spreadsheet, FakeSheet::new("s3").base());
    fake.add_spreadsheet(spreadsheet, &["s4", "s2"]);
    let sheets = send(&mut fake, &QuerySheets::new(spreadsheet.parse().unwrap())).unwrap();
    let told: Vec<_> = sheets
        .iter()
        .map(|sheet| {
            let grid = sheet.grid.map(|grid| (grid.rows, grid.columns));
            (sheet.id.as_str(), sheet.title.as_str(), sheet.is_hidden, sheet.kind, grid)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Q7PlXT", "Sheet1", false, SheetKind::Sheet, Some((200, 20))),
            ("s2", "It's 50%!", true, SheetKind::Sheet, Some((9, 8))),
            ("s3", "Sheet3", false, SheetKind::Base, None),
            ("s4", "Sheet4", false, SheetKind::Sheet, Some((200, 20))),
        ]
    );
    let path = format!("/open-apis/sheets/v3/spreadsheets/{spreadsheet}/sheets/query");
    let sheet = at(&get(&mut fake, &path), "/data/sheets/0");
    let vendors = r#"{"grid_properties":{"column_count":20,"frozen_column_count":0,"frozen_row_count":0,"row_count":200},"hidden":false,"index":0,"resource_type":"sheet","sheet_id":"Q7PlXT","title":"Sheet1"}"#;
    assert_eq!(sheet.to_string(), vendors);
    let other = get(&mut fake, &path.replace("shtcn", "wikcn"));
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
