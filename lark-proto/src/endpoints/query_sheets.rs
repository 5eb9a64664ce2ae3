//! List the sheets of a spreadsheet.

use http::Method;
use serde::Deserialize;

use crate::api::{AtMost, Endpoint, Path, Quota, Record, Reply, TEXT, Text, lenient};
use crate::error::{Error, Invalid, InvalidKind};
use crate::text::excerpt;
use crate::token::TenantOrUser;
use crate::values::{SheetCell, SheetId, SpreadsheetToken};

/// Lists the sheets of a spreadsheet with their ids, titles and sizes.
///
/// * Route: `GET /open-apis/sheets/v3/spreadsheets/:spreadsheet_token/sheets/query`.
/// * Token: tenant or user access token, with one of the scopes `drive:drive`, `drive:drive:readonly`,
///   `sheets:spreadsheet` and `sheets:spreadsheet:readonly`, and the right to read the document.
/// * Limits: 100 requests a minute. A spreadsheet has at most 300 sheets, and the reply has all of them. This crate
///   reads at most 10,000.
/// * Documentation: <https://open.feishu.cn/document/server-docs/docs/sheets-v3/spreadsheet-sheet/query>.
///
/// # Errors
/// [`Code::SHEET_V3_PERMISSION`](crate::error::Code::SHEET_V3_PERMISSION),
/// [`Code::SHEET_V3_NOT_FOUND`](crate::error::Code::SHEET_V3_NOT_FOUND),
/// [`Code::SHEET_V3_DELETED`](crate::error::Code::SHEET_V3_DELETED),
/// [`Code::SHEET_V3_PARAMETER`](crate::error::Code::SHEET_V3_PARAMETER).
///
/// ```
/// use lark_proto::endpoints::{EndpointExt, QuerySheets};
/// use lark_proto::{Site, UserToken};
///
/// let query = QuerySheets::new("shtcnabc".parse()?);
/// let request = query.request(&Site::FEISHU, &UserToken::new("u-7f1b")?);
/// let path = "/open-apis/sheets/v3/spreadsheets/shtcnabc/sheets/query";
/// assert_eq!(request.uri().path(), path);
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "sheets/query")]
#[doc(alias = "sheet_id")]
#[doc(alias = "获取工作表")]
#[doc(alias = "工作表")]
pub struct QuerySheets {
    spreadsheet: SpreadsheetToken,
}

impl QuerySheets {
    /// Lists the sheets of `spreadsheet`.
    #[must_use]
    pub fn new(spreadsheet: SpreadsheetToken) -> Self {
        Self { spreadsheet }
    }
}

/// The sheets of a spreadsheet, in the order of their tabs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sheets(Vec<Sheet>);

/// A sheet of a spreadsheet: one of its tabs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Sheet {
    /// The id of the sheet in requests.
    pub id: SheetId,
    /// The title on the sheet's tab, free of control characters.
    pub title: String,
    /// Whether the tab is hidden.
    pub is_hidden: bool,
    /// The kind of the tab.
    pub kind: SheetKind,
    /// The size of the sheet, if the reply contains it. The reply does not contain the size of a base.
    pub grid: Option<Grid>,
}

/// The kind of a tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SheetKind {
    /// A sheet with cells.
    Sheet,
    /// A base, which has no cells.
    Base,
    /// Another kind.
    Other,
}

/// The present size of a sheet. A new sheet has 200 rows and 20 columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Grid {
    /// The number of rows.
    pub rows: u32,
    /// The number of columns.
    pub columns: u32,
}

/// The maximum number of sheets that are read. A spreadsheet has 300, by the vendor's page, and 16 MiB could hold a
/// million of them, each of which needs ten times the memory of its text.
const MAX_SHEETS: usize = 10_000;
/// The maximum number of sheet ids in an error.
const SHOWN: usize = 5;

impl Sheets {
    /// The sheets in the order of their tabs.
    pub fn iter(&self) -> impl Iterator<Item = &Sheet> {
        self.0.iter()
    }

    /// The sheet with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Sheet> {
        self.iter().find(|sheet| sheet.id.as_str() == id)
    }

    /// The sheet with this title on its tab, hidden or not.
    ///
    /// # Errors
    /// [`InvalidKind::NoSuchSheet`]; [`InvalidKind::EqualTitles`], with the ids, if several sheets have the title.
    pub fn by_title(&self, title: &str) -> Result<&Sheet, Invalid> {
        // Titles in the reply are shortened and cleaned in the same way.
        let cleaned = excerpt(title.as_bytes(), TEXT);
        let equal: Vec<_> = self.iter().filter(|sheet| sheet.title == cleaned).collect();
        match equal[..] {
            [] => Err(Invalid::new(InvalidKind::NoSuchSheet, title)),
            [only] => Ok(only),
            [..] => {
                let ids: Vec<_> = equal.iter().take(SHOWN).map(|sheet| sheet.id.as_str()).collect();
                let mut part = ids.join(", ");
                let further = equal.len() - ids.len();
                if further > 0 {
                    part += &format!(" and {further} more");
                }
                Err(Invalid::new(InvalidKind::EqualTitles, part))
            }
        }
    }

    /// The first tab that is not hidden.
    #[must_use]
    pub fn first_visible(&self) -> Option<&Sheet> {
        self.iter().find(|sheet| !sheet.is_hidden)
    }
}

impl Sheet {
    /// The cell in a column and a row, which are counted from 1.
    ///
    /// # Errors
    /// [`InvalidKind::NoCells`] for a base; [`InvalidKind::OutsideGrid`], with the size of the sheet; the errors of
    /// [`SheetCell::at`].
    pub fn cell(&self, column: u32, row: u32) -> Result<SheetCell, Invalid> {
        let cell = self.cell_beyond_grid(column, row)?;
        match self.grid {
            Some(Grid { rows, columns }) if row > rows || column > columns => {
                let outside = format!("`{}` (rows: {rows}, columns: {columns})", cell.cell());
                Err(Invalid::new(InvalidKind::OutsideGrid, outside))
            }
            _ => Ok(cell),
        }
    }

    /// The cell in a column and a row, which may be outside of the present grid.
    pub(crate) fn cell_beyond_grid(&self, column: u32, row: u32) -> Result<SheetCell, Invalid> {
        if self.kind == SheetKind::Base {
            return Err(Invalid::new(InvalidKind::NoCells, &self.title));
        }
        SheetCell::at(self.id.clone(), column, row)
    }
}

impl Endpoint for QuerySheets {
    type Auth = TenantOrUser;
    type Output = Sheets;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/sheets/v3/spreadsheets/:spreadsheet_token/sheets/query"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.spreadsheet.as_str())
    }

    fn quota(&self) -> Quota {
        Quota::per_minute(100)
    }

    /// The reply has about 100 bytes for each range of merged cells, and a sheet may have many such ranges.
    fn reply_limit(&self) -> u64 {
        16 * 1024 * 1024
    }

    fn read(reply: &Reply) -> Result<Sheets, Error> {
        #[derive(Deserialize)]
        struct Data {
            sheets: AtMost<Record<Tab>, MAX_SHEETS>,
        }
        #[derive(Deserialize)]
        struct Tab {
            sheet_id: SheetId,
            #[serde(default, deserialize_with = "lenient")]
            title: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            index: Option<u32>,
            #[serde(default, deserialize_with = "lenient")]
            hidden: Option<bool>,
            #[serde(default, deserialize_with = "lenient")]
            resource_type: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            grid_properties: Option<Record<Size>>,
        }
        #[derive(Deserialize)]
        struct Size {
            row_count: u32,
            column_count: u32,
        }
        let mut tabs = reply.data::<Data>()?.sheets.0;
        // The vendor's page does not specify the order of the sheets.
        tabs.sort_by_key(|Record(tab)| tab.index.unwrap_or(u32::MAX));
        let sheet = |Record(tab): Record<Tab>| Sheet {
            id: tab.sheet_id,
            title: tab.title.map_or(String::new(), |title| title.0),
            is_hidden: tab.hidden.unwrap_or(false),
            kind: match tab.resource_type.as_ref().map(|kind| kind.0.as_str()) {
                Some("sheet") | None => SheetKind::Sheet,
                Some("bitable") => SheetKind::Base,
                Some(_) => SheetKind::Other,
            },
            grid: tab
                .grid_properties
                .map(|Record(size)| Grid { rows: size.row_count, columns: size.column_count }),
        };
        Ok(Sheets(tabs.into_iter().map(sheet).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;

    fn sheets(tabs: &str) -> Result<Sheets, Error> {
        let body = format!(r#"{{"code":0,"msg":"success","data":{{"sheets":{tabs}}}}}"#);
        QuerySheets::decode(http::Response::new(body.into()))
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let sample = r#"[{"sheet_id":"sxj5ws","title":"title","index":0,"hidden":false,
            "grid_properties":{"frozen_row_count":0,"frozen_column_count":0,"row_count":200,"column_count":20},
            "resource_type":"sheet","merges":[{"start_row_index":0,"end_row_index":0,
            "start_column_index":0,"end_column_index":0}]}]"#;
        let sheet = Sheet {
            id: "sxj5ws".parse().unwrap(),
            title: "title".into(),
            is_hidden: false,
            kind: SheetKind::Sheet,
            grid: Some(Grid { rows: 200, columns: 20 }),
        };
        assert_eq!(sheets(sample).unwrap(), Sheets(vec![sheet]));
    }

    #[test]
    fn sheets_are_sorted_by_the_index_of_their_tabs() {
        let tabs = r#"[{"sheet_id":"c"},{"sheet_id":"b","index":1},{"sheet_id":"a","index":0}]"#;
        let sheets = sheets(tabs).unwrap();
        let ids: Vec<_> = sheets.iter().map(|sheet| sheet.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }

    #[test]
    fn a_sheet_with_missing_or_malformed_fields_is_read() {
        let tabs = r##"[{"sheet_id":"a","title":7,"index":-1,"hidden":"x","resource_type":"bitable"},
            {"sheet_id":"b","title":"x\u0000y","resource_type":"#UNSUPPORTED_TYPE","grid_properties":{}},
            {"sheet_id":"c","hidden":true,"resource_type":null,"grid_properties":null}]"##;
        let sheets = sheets(tabs).unwrap();
        let found: Vec<_> =
            sheets.iter().map(|s| (s.title.as_str(), s.is_hidden, s.kind, s.grid)).collect();
        assert_eq!(found[0], ("", false, SheetKind::Base, None));
        assert_eq!((found[1].2, found[1].3), (SheetKind::Other, None));
        assert!(!found[1].0.contains('\0'), "{:?}", found[1].0);
        assert_eq!(found[2], ("", true, SheetKind::Sheet, None));
    }

    #[test]
    fn a_sheet_without_an_id_makes_the_reply_unreadable() {
        for tabs in [r#"[{"title":"a"}]"#, r#"[{"sheet_id":""}]"#, "{}", "null"] {
            assert!(matches!(sheets(tabs), Err(Error::Unreadable(_))), "{tabs}");
        }
    }

    #[test]
    fn at_most_10_000_sheets_are_read() {
        let read = |count| sheets(&format!("[{}]", vec![r#"{"sheet_id":"a"}"#; count].join(",")));
        for count in [9_999, 10_000] {
            assert_eq!(read(count).unwrap().iter().count(), count);
        }
        let refused = read(10_001).unwrap_err().to_string();
        let reason = "invalid length 10001, expected an array of at most 10000 items";
        assert!(refused.contains(reason), "{refused}");
    }

    #[test]
    fn an_empty_list_of_sheets_is_read() {
        assert_eq!(sheets("[]").unwrap(), Sheets::default());
    }

    #[test]
    fn a_title_finds_the_only_sheet_with_it() {
        let long = "图".repeat(100);
        let tabs = format!(
            r#"[{{"sheet_id":"a","title":"One"}},{{"sheet_id":"b","title":"It's 50%!"}},
            {{"sheet_id":"c","title":"Two"}},{{"sheet_id":"d","title":"Two"}},
            {{"sheet_id":"e","title":"{long}"}},{{"sheet_id":"f","title":""}}]"#
        );
        let sheets = sheets(&tabs).unwrap();
        let by_title = |title: &str| {
            let found = sheets.by_title(title).map(|sheet| sheet.id.to_string());
            found.map_err(|error| (error.kind(), error.to_string()))
        };
        for (title, id) in [("One", "a"), ("It's 50%!", "b"), (&*long, "e"), ("", "f")] {
            assert_eq!(by_title(title), Ok(id.to_owned()));
        }
        let error = by_title("Two").unwrap_err();
        assert_eq!(error.0, InvalidKind::EqualTitles);
        assert_eq!(error.1, "several sheets have this title (c, d): name one by its id");
        assert_eq!(by_title("one").unwrap_err().0, InvalidKind::NoSuchSheet);
    }

    #[test]
    fn an_error_lists_at_most_5_ids() {
        let tab = |at| format!(r#"{{"sheet_id":"s{at}","title":"Same"}}"#);
        let tabs: Vec<_> = (0..300).map(tab).collect();
        let sheets = sheets(&format!("[{}]", tabs.join(","))).unwrap();
        let error = sheets.by_title("Same").unwrap_err().to_string();
        let text =
            "several sheets have this title (s0, s1, s2, s3, s4 and 295 more): name one by its id";
        assert_eq!(error, text);
    }

    #[test]
    fn a_cell_outside_of_a_known_grid_is_refused() {
        let tabs = r#"[{"sheet_id":"a","grid_properties":{"row_count":9,"column_count":8}},
            {"sheet_id":"b","grid_properties":{"row_count":0,"column_count":0}},
            {"sheet_id":"c"},{"sheet_id":"d","title":"Tasks","resource_type":"bitable"}]"#;
        let sheets = sheets(tabs).unwrap();
        let cell = |id: &str, column, row| {
            let cell = sheets.by_id(id).unwrap().cell(column, row);
            cell.map(|cell| cell.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(cell("a", 8, 9), Ok("a!H9:H9".into()));
        assert_eq!(cell("c", 8, 5_000_000), Ok("c!H5000000:H5000000".into()));
        for (id, column, row, text) in [
            (
                "a",
                8,
                10,
                "`H10` (rows: 9, columns: 8) is outside of the sheet: add rows or columns first",
            ),
            (
                "a",
                9,
                1,
                "`I1` (rows: 9, columns: 8) is outside of the sheet: add rows or columns first",
            ),
            (
                "b",
                1,
                1,
                "`A1` (rows: 0, columns: 0) is outside of the sheet: add rows or columns first",
            ),
            ("d", 1, 1, "the tab `Tasks` is a base, which has no cells: name another sheet"),
        ] {
            assert_eq!(cell(id, column, row), Err(text.to_owned()));
        }
    }

    #[test]
    fn the_first_visible_sheet_is_the_first_tab_that_is_not_hidden() {
        let tabs = r#"[{"sheet_id":"b","index":1},{"sheet_id":"a","index":0,"hidden":true}]"#;
        let first = |tabs| sheets(tabs).unwrap().first_visible().map(|sheet| sheet.id.to_string());
        assert_eq!(first(tabs).as_deref(), Some("b"));
        assert_eq!(first(r#"[{"sheet_id":"a","hidden":true}]"#), None);
    }
}
