//! Places that a user names, and the replies by which they are found.

use arbitrary::Arbitrary;
use lark_proto::endpoints::{
    AddDimension, EndpointExt, GetWikiNode, QuerySheets, Sheets, WikiNode,
};
use lark_proto::place::{Ask, Located, Place, Resolve};
use lark_proto::{Endpoint, Site, UserToken};
use serde_json::json;

use crate::errors;
use crate::input::{input, short};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    document: Document<'a>,
    beyond_grid: bool,
    below: u32,
    node: (u8, &'a str),
    sheets: Vec<Tab<'a>>,
    /// The text of the cell.
    cell: &'a str,
}

#[derive(Arbitrary, Debug)]
enum Document<'a> {
    Any(&'a str),
    Token,
    /// A link to a sheet with this number, with a range or without.
    Link(u8, Option<&'a str>),
    Wiki(Option<u8>),
}

#[derive(Arbitrary, Debug)]
struct Tab<'a> {
    /// The number of the id: several tabs may have one id.
    id: u8,
    title: &'a str,
    is_hidden: bool,
    is_base: bool,
    grid: Option<(u32, u32)>,
}

const SPREADSHEET: &str = "shtcnabc";

/// Finds any place by any replies. At most two requests are asked for, the cell that is found is the one that the user
/// named, it is in the grid of a sheet of the list or the requests for more rows and columns reach it, and an error has
/// a bounded text without control characters.
pub fn place(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let link = match input.document {
        Document::Any(text) => short(text, 400).to_owned(),
        Document::Token => SPREADSHEET.to_owned(),
        Document::Link(sheet, range) => {
            let range = range.map_or(String::new(), |range| format!("&range={range}"));
            format!("https://x.feishu.cn/sheets/{SPREADSHEET}?sheet={}{range}", id(sheet))
        }
        Document::Wiki(sheet) => {
            let sheet = sheet.map_or(String::new(), |sheet| format!("?sheet={}", id(sheet)));
            format!("https://x.feishu.cn/wiki/wikcnabc{sheet}")
        }
    };
    let place = match Place::new(&link, short(input.cell, 200)) {
        Ok(place) => place,
        Err(error) => return assert_text(&error),
    };
    let place = if input.beyond_grid { place.beyond_grid() } else { place };
    let place = match place.below(input.below % 10_000) {
        Ok(place) => place,
        Err(error) => return assert_text(&error),
    };
    let named = Named::of(short(input.cell, 200));
    let (kind, token) = input.node;
    let kind = ["sheet", "docx", "bitable", "\u{1b}[31m"][usize::from(kind % 4)];
    let node = node(kind, short(token, 60));
    let sheets = sheets(&input.sheets);
    let Some((found, has_node)) = resolve(&place, &node, &sheets) else { return };

    let sheet = found.cell.sheet();
    let spreadsheet = if has_node { node.obj_token.trim() } else { SPREADSHEET };
    if !matches!(input.document, Document::Any(_)) {
        assert_eq!(found.spreadsheet.as_str(), spreadsheet);
    }
    if let Some(Named { sheet: name, column, row }) = named {
        let row = row + input.below % 10_000;
        assert_eq!((found.cell.column(), found.cell.row()), (column, row));
        let title = found.sheet.as_ref().map_or("", |tab| tab.title.trim());
        assert!(name.is_none_or(|name| name == title || name == sheet.as_str()), "{name:?}");
    }
    assert_eq!(found.node.is_some(), has_node);
    assert_eq!(found.sheets.is_some(), found.sheet.is_some());
    if let Some(tab) = &found.sheet {
        assert_eq!(&tab.id, sheet);
        assert!(sheets.iter().any(|other| other == tab), "a sheet that the list does not have");
        let (among, cell) = place.among(&sheets).unwrap();
        assert_eq!((&among, &cell), (tab, &found.cell));
        assert!(!input.beyond_grid || found.sheets.is_some());
    }
    growth(&found, input.beyond_grid);
    // The place that is found is a place of its own, at the same cell.
    let again = Place::new(found.spreadsheet.as_str(), found.cell.as_str());
    if let (Ok(again), Some(_)) = (again, &found.sheet) {
        let again = if input.beyond_grid { again.beyond_grid() } else { again };
        let by_id =
            sheets.by_id(sheet.as_str()).map(|tab| again.among(&sheets).map(|it| (it, tab)));
        if let Some(Ok(((_, cell), _))) = by_id {
            assert_eq!(cell, found.cell);
        }
    }
}

/// The sheet and the cell that a text such as `H7` or `Prices!H7` names. This parser shares no code with the library,
/// and reads simple texts only.
struct Named<'a> {
    sheet: Option<&'a str>,
    column: u32,
    row: u32,
}

impl<'a> Named<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (sheet, cell) = match text.split_once('!') {
            Some((sheet, cell)) => (Some(sheet), cell),
            None => (None, text),
        };
        let digits = cell.find(|it: char| it.is_ascii_digit())?;
        let (letters, digits) = cell.split_at(digits);
        let is_simple = sheet.is_none_or(|name| name.bytes().all(|it| it.is_ascii_alphanumeric()))
            && sheet != Some("")
            && letters.bytes().all(|it| it.is_ascii_uppercase())
            && digits.bytes().all(|it| it.is_ascii_digit())
            && (1..=3).contains(&letters.len())
            && digits.len() <= 7;
        if !is_simple {
            return None;
        }
        let column = letters.bytes().fold(0, |column, it| 26 * column + u32::from(it - b'A') + 1);
        Some(Self { sheet, column, row: digits.parse().ok()? })
    }
}

fn id(number: u8) -> String {
    format!("Sh{}", number % 8)
}

/// Takes the steps to the place; `None` if it cannot be found. Also returns whether the wiki was asked.
fn resolve(place: &Place, node: &WikiNode, sheets: &Sheets) -> Option<(Located, bool)> {
    let mut resolve = Resolve::new(place);
    let mut has_node = false;
    let mut has_sheets = false;
    loop {
        match resolve.next() {
            Err(error) => {
                assert_text(&error);
                return None;
            }
            Ok(Ask::Done(found)) => return Some((*found, has_node)),
            Ok(Ask::Node(ask)) => {
                assert!(!has_node && !has_sheets, "the wiki is asked twice, or late");
                has_node = true;
                assert_request(&ask);
                resolve.node(node.clone());
            }
            Ok(Ask::Sheets(ask)) => {
                assert!(!has_sheets, "the sheets are asked for twice");
                has_sheets = true;
                assert_request(&ask);
                resolve.sheets(sheets.clone());
            }
        }
    }
}

fn assert_request<E: Endpoint<Auth = lark_proto::token::TenantOrUser>>(endpoint: &E) {
    let request = endpoint.request(&Site::LARK, &UserToken::new("u").unwrap());
    assert_eq!(request.uri().host(), Some("open.larksuite.com"));
    assert_eq!(endpoint.path().check(), Ok(()));
}

/// Checks that the requests of the growth add exactly what the grid lacks.
fn growth(found: &Located, beyond_grid: bool) {
    let growth = found.growth();
    let grid = found.sheet.as_ref().and_then(|sheet| sheet.grid);
    let Some(grid) = grid else { return assert!(growth.is_empty()) };
    let missing = |needs: u32, has: u32| u64::from(needs.saturating_sub(has));
    let rows = missing(found.cell.row(), grid.rows);
    let columns = missing(found.cell.column(), grid.columns);
    assert!(beyond_grid || rows + columns == 0, "a cell outside of the grid is found");
    let token = UserToken::new("u").unwrap();
    let mut added = [0, 0];
    for add in &growth {
        let body = add.request(&Site::LARK, &token).into_body();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let dimension = &body["dimension"];
        assert_eq!(dimension["sheetId"], found.cell.sheet().as_str());
        let length = dimension["length"].as_u64().unwrap();
        assert!((1..=u64::from(AddDimension::MAX_COUNT)).contains(&length));
        added[usize::from(dimension["majorDimension"] == "COLUMNS")] += length;
    }
    assert_eq!(added, [rows, columns]);
}

fn node(kind: &str, token: &str) -> WikiNode {
    let token = if token.is_empty() { SPREADSHEET } else { token };
    let node = json!({"obj_type": kind, "obj_token": token, "title": token});
    let reply = json!({"code": 0, "data": {"node": node}}).to_string();
    GetWikiNode::decode(http::Response::new(reply.into())).unwrap()
}

fn sheets(tabs: &[Tab<'_>]) -> Sheets {
    let sheet = |tab: &Tab<'_>| {
        let kind = if tab.is_base { "bitable" } else { "sheet" };
        let mut sheet = json!({
            "sheet_id": id(tab.id), "title": short(tab.title, 100), "hidden": tab.is_hidden,
            "resource_type": kind, "index": 0,
        });
        if let Some((rows, columns)) = tab.grid {
            sheet["grid_properties"] = json!({"row_count": rows, "column_count": columns});
        }
        sheet
    };
    let sheets: Vec<_> = tabs.iter().take(20).map(sheet).collect();
    let reply = json!({"code": 0, "data": {"sheets": sheets}}).to_string();
    QuerySheets::decode(http::Response::new(reply.into())).unwrap()
}

fn assert_text(error: &lark_proto::Invalid) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 2048, "{text:?}");
    errors::invalid(error);
}
