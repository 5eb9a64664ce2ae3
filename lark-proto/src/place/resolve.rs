//! The state machine that finds a [`Place`].

use super::{Document, Place, Tab};
use crate::endpoints::{AddDimension, GetWikiNode, Grid, QuerySheets, Sheet, Sheets, WikiNode};
use crate::error::Invalid;
use crate::values::{SheetCell, SpreadsheetToken};

/// A [`Place`] that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The spreadsheet.
    pub spreadsheet: SpreadsheetToken,
    /// The cell.
    pub cell: SheetCell,
    /// The page of the wiki, if the link was one to a wiki.
    pub node: Option<WikiNode>,
    /// The sheet of the cell, if the list of sheets was requested.
    pub sheet: Option<Sheet>,
    /// All sheets of the spreadsheet, if the list was requested. [`Place::among`] finds further places in it.
    pub sheets: Option<Sheets>,
}

impl Located {
    /// The requests that add the rows and columns up to the cell. There are none if the cell is in the sheet's grid, or
    /// if the grid is not known. A call with one of them is not repeated after an unknown outcome; resolve the place
    /// again to learn the new grid.
    #[must_use]
    pub fn growth(&self) -> Vec<AddDimension> {
        let grid = self.sheet.as_ref().and_then(|sheet| sheet.grid);
        let Some(Grid { rows, columns }) = grid else { return Vec::new() };
        let at_once = AddDimension::MAX_COUNT;
        let counts = |missing: u32| {
            let requests = 0..missing.div_ceil(at_once);
            requests.map(move |number| (missing - number * at_once).min(at_once))
        };
        let spreadsheet = &self.spreadsheet;
        let sheet = self.cell.sheet();
        let rows = counts(self.cell.row().saturating_sub(rows))
            .map(|count| AddDimension::rows(spreadsheet.clone(), sheet.clone(), count));
        let columns = counts(self.cell.column().saturating_sub(columns))
            .map(|count| AddDimension::columns(spreadsheet.clone(), sheet.clone(), count));
        rows.chain(columns).filter_map(Result::ok).collect()
    }
}

/// Finds a [`Place`] with at most two requests.
///
/// [`next`](Self::next) returns the next request, whose result the caller passes to [`node`](Self::node) or
/// [`sheets`](Self::sheets), until `next` returns the place.
#[derive(Clone, Debug)]
pub struct Resolve<'a> {
    place: &'a Place,
    node: Option<WikiNode>,
    sheets: Option<Sheets>,
}

/// The next step of a [`Resolve`].
#[derive(Clone, Debug)]
pub enum Ask {
    /// Call this endpoint and pass its result to [`Resolve::node`].
    Node(GetWikiNode),
    /// Call this endpoint and pass its result to [`Resolve::sheets`].
    Sheets(QuerySheets),
    /// The place is found.
    Done(Box<Located>),
}

impl<'a> Resolve<'a> {
    /// Starts to look for `place`.
    #[must_use]
    pub fn new(place: &'a Place) -> Self {
        Self { place, node: None, sheets: None }
    }

    /// The next request, or the place.
    ///
    /// # Errors
    /// [`WikiPageOfAnotherKind`](crate::error::InvalidKind::WikiPageOfAnotherKind), and the errors of [`Place::among`].
    pub fn next(&self) -> Result<Ask, Invalid> {
        let spreadsheet = match (&self.place.document, &self.node) {
            (Document::Spreadsheet(token), _) => token.clone(),
            (Document::Wiki(_), Some(node)) => node.spreadsheet()?,
            (Document::Wiki(token), None) => return Ok(Ask::Node(GetWikiNode::new(token.clone()))),
        };
        let (sheet, cell) = match (&self.place.tab, &self.sheets) {
            (_, Some(sheets)) => {
                let (sheet, cell) = self.place.among(sheets)?;
                (Some(sheet), cell)
            }
            (Tab::Id(id), None) if !self.place.beyond_grid => {
                (None, SheetCell::at(id.clone(), self.place.column, self.place.row)?)
            }
            (_, None) => return Ok(Ask::Sheets(QuerySheets::new(spreadsheet))),
        };
        Ok(Ask::Done(Box::new(Located {
            spreadsheet,
            cell,
            node: self.node.clone(),
            sheet,
            sheets: self.sheets.clone(),
        })))
    }

    /// Takes the result of [`Ask::Node`].
    pub fn node(&mut self, node: WikiNode) {
        self.node = Some(node);
    }

    /// Takes the result of [`Ask::Sheets`].
    pub fn sheets(&mut self, sheets: Sheets) {
        self.sheets = Some(sheets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::EndpointExt;
    use crate::error::InvalidKind;

    const LINK: &str = "https://x.feishu.cn/sheets/shtcnA";

    fn sheets() -> Sheets {
        let body = r#"{"code":0,"msg":"","data":{"sheets":[
            {"sheet_id":"hidden","title":"Hidden","index":0,"hidden":true},
            {"sheet_id":"Sheet2","title":"Sheet1","index":1,"grid_properties":{"row_count":200,"column_count":20}},
            {"sheet_id":"b00001","title":"Sheet2","index":2},
            {"sheet_id":"c00001","title":"It's 50%! off","index":3},
            {"sheet_id":"d00001","title":"Same","index":4},{"sheet_id":"e00001","title":"Same","index":5},
            {"sheet_id":"f00001","title":"Tasks","index":6,"resource_type":"bitable"}]}}"#;
        QuerySheets::decode(http::Response::new(body.into())).unwrap()
    }

    fn node(obj_type: &str) -> WikiNode {
        let body = format!(
            r#"{{"code":0,"msg":"","data":{{"node":{{"obj_type":"{obj_type}","obj_token":"shtcnB"}}}}}}"#
        );
        GetWikiNode::decode(http::Response::new(body.into())).unwrap()
    }

    /// The requests for a place, and the place or the kind of the error.
    fn resolved(document: &str, cell: &str) -> (String, Result<String, InvalidKind>) {
        let mut asked = String::new();
        let found = Place::new(document, cell).and_then(|place| {
            let mut resolve = Resolve::new(&place);
            loop {
                match resolve.next()? {
                    Ask::Node(_) => {
                        asked += "node ";
                        resolve.node(node("sheet"));
                    }
                    Ask::Sheets(_) => {
                        asked += "sheets ";
                        resolve.sheets(sheets());
                    }
                    Ask::Done(found) => {
                        assert_eq!(found.sheet.is_some(), asked.contains("sheets"));
                        return Ok(format!("{} {}", found.spreadsheet, found.cell));
                    }
                }
            }
        });
        (asked.trim_end().to_owned(), found.map_err(|error| error.kind()))
    }

    #[test]
    fn a_request_is_made_only_for_an_id_that_is_not_known() {
        let sheet = format!("{LINK}?sheet=Q7PlXT");
        let cell = format!("{LINK}?sheet=Q7PlXT&range=SDc6SDc%3D");
        let wiki = "https://x.feishu.cn/wiki/wikcnA";
        for (document, text, asked, found) in [
            (&*sheet, "H7", "", "shtcnA Q7PlXT!H7:H7"),
            (&cell, "", "", "shtcnA Q7PlXT!H7:H7"),
            (&cell, "B2", "", "shtcnA Q7PlXT!B2:B2"),
            ("shtcnA?sheet=Q7PlXT", "$h$7", "", "shtcnA Q7PlXT!H7:H7"),
            (LINK, "H7", "sheets", "shtcnA Sheet2!H7:H7"),
            ("shtcnA", "H7", "sheets", "shtcnA Sheet2!H7:H7"),
            ("shtcnA?range=SDc6SDc%3D", "", "sheets", "shtcnA Sheet2!H7:H7"),
            (LINK, "c00001!H7", "sheets", "shtcnA c00001!H7:H7"),
            (LINK, "Sheet1!H7", "sheets", "shtcnA Sheet2!H7:H7"),
            (&sheet, "Sheet1!H7", "sheets", "shtcnA Sheet2!H7:H7"),
            (wiki, "Sheet1!H7", "node sheets", "shtcnB Sheet2!H7:H7"),
            ("https://x.feishu.cn/wiki/wikcnA?sheet=Q7PlXT", "H7", "node", "shtcnB Q7PlXT!H7:H7"),
            ("wikcnKQ1k3pcuo5uSK4t8Vabcef", "H7", "node sheets", "shtcnB Sheet2!H7:H7"),
        ] {
            assert_eq!(
                resolved(document, text),
                (asked.into(), Ok(found.into())),
                "{document} {text}"
            );
        }
    }

    #[test]
    fn a_cell_beyond_the_grid_is_reached_by_added_rows_and_columns() {
        for (cell, expected) in [
            ("Sheet1!T200", &[][..]),
            ("Sheet1!A201", &["rows 1"]),
            ("Sheet1!A10200", &["rows 5000", "rows 5000"]),
            ("Sheet1!A10201", &["rows 5000", "rows 5000", "rows 1"]),
            ("Sheet1!V250", &["rows 50", "columns 2"]),
            ("c00001!A5000", &[]),
        ] {
            let place = Place::new(LINK, cell).unwrap().beyond_grid();
            let mut resolve = Resolve::new(&place);
            assert!(matches!(resolve.next(), Ok(Ask::Sheets(_))));
            resolve.sheets(sheets());
            let Ok(Ask::Done(found)) = resolve.next() else { panic!("{cell}") };
            let expected: Vec<_> = expected
                .iter()
                .map(|add| {
                    let (word, count) = add.split_once(' ').unwrap();
                    let sheet = found.cell.sheet().clone();
                    let count = count.parse().unwrap();
                    match word {
                        "rows" => AddDimension::rows(found.spreadsheet.clone(), sheet, count),
                        _ => AddDimension::columns(found.spreadsheet.clone(), sheet, count),
                    }
                    .unwrap()
                })
                .collect();
            assert_eq!(found.growth(), expected, "{cell}");
        }
    }

    #[test]
    fn the_sheets_are_requested_for_a_cell_beyond_the_grid_even_if_the_link_has_the_id() {
        let place = Place::new(&format!("{LINK}?sheet=b00001"), "A1").unwrap().beyond_grid();
        assert!(matches!(Resolve::new(&place).next(), Ok(Ask::Sheets(_))));
    }

    #[test]
    fn a_sheet_is_named_by_id_or_title_before_the_last_exclamation_mark() {
        for (text, cell) in [
            // An id has precedence over an equal title. A text in quotes is always a title.
            ("Sheet2!A1", "Sheet2!A1:A1"),
            ("'Sheet2'!A1", "b00001!A1:A1"),
            ("It's 50%! off!A1", "c00001!A1:A1"),
            ("'It''s 50%! off'!A1", "c00001!A1:A1"),
            ("It's 50%! off！a1：A1", "c00001!A1:A1"),
            ("Sheet1\\!A1", "Sheet2!A1:A1"),
            (" Hidden!A1\n", "hidden!A1:A1"),
        ] {
            assert_eq!(resolved(LINK, text).1, Ok(format!("shtcnA {cell}")), "{text}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_found_is_refused_before_the_next_request() {
        let wiki = "https://x.feishu.cn/wiki/wikcnA";
        for (document, text, asked, kind) in [
            (LINK, "", "", InvalidKind::NoCellNamed),
            (LINK, "Sheet1!", "", InvalidKind::NoCellNamed),
            ("shtcnA?range=SDc6SDc%3D", "Sheet1!", "", InvalidKind::NoCellNamed),
            ("shtcnA?range=SDc6Sjg%3D", "", "", InvalidKind::SeveralCells),
            (LINK, "!", "", InvalidKind::MissingSheetId),
            (LINK, "!A1", "", InvalidKind::MissingSheetId),
            (LINK, "''!A1", "", InvalidKind::MissingSheetId),
            (LINK, "Sheet1!A1:B2", "", InvalidKind::SeveralCells),
            (LINK, "Sheet1", "", InvalidKind::OutsideSheet),
            (LINK, "A0", "", InvalidKind::RowZero),
            (LINK, "SFA1", "", InvalidKind::OutsideSheet),
            ("https://x.feishu.cn/docx/doxcnA", "A1", "", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/", "A1", "", InvalidKind::BadSpreadsheetLink),
            (LINK, "Missing!A1", "sheets", InvalidKind::NoSuchSheet),
            (LINK, "sheet1!A1", "sheets", InvalidKind::NoSuchSheet),
            (LINK, "Same!A1", "sheets", InvalidKind::EqualTitles),
            (LINK, "Tasks!A1", "sheets", InvalidKind::NoCells),
            (LINK, "Sheet1!A201", "sheets", InvalidKind::OutsideGrid),
            (LINK, "U1", "sheets", InvalidKind::OutsideGrid),
            (wiki, "U1", "node sheets", InvalidKind::OutsideGrid),
        ] {
            assert_eq!(resolved(document, text), (asked.into(), Err(kind)), "{document} {text}");
        }
    }

    #[test]
    fn a_page_of_a_wiki_without_a_spreadsheet_is_refused() {
        let place = Place::new("https://x.feishu.cn/wiki/wikcnA?sheet=Q7PlXT", "A1").unwrap();
        let mut resolve = Resolve::new(&place);
        resolve.node(node("docx"));
        let text = "the page of the wiki shows a `docx`, which is not a spreadsheet";
        assert_eq!(resolve.next().unwrap_err().to_string(), text);
    }

    #[test]
    fn an_empty_list_has_no_visible_sheet() {
        let body = r#"{"code":0,"msg":"","data":{"sheets":[]}}"#;
        let none = QuerySheets::decode(http::Response::new(body.into())).unwrap();
        let kind = Place::new(LINK, "A1").unwrap().among(&none).unwrap_err().kind();
        assert_eq!(kind, InvalidKind::NoVisibleSheet);
    }

    #[test]
    fn an_empty_list_has_no_sheet_with_an_id() {
        let body = r#"{"code":0,"msg":"","data":{"sheets":[]}}"#;
        let none = QuerySheets::decode(http::Response::new(body.into())).unwrap();
        let sheet = Place::new("shtcnA?sheet=x", "A1").unwrap().among(&none).unwrap_err().kind();
        assert_eq!(sheet, InvalidKind::NoSuchSheet);
    }

    #[test]
    fn further_places_are_found_in_the_same_list() {
        let place = Place::new(LINK, "Sheet1!A1").unwrap();
        let cells = [0, 199, 200].map(|rows| {
            let cell = place.below(rows).unwrap().among(&sheets());
            cell.map(|(_, cell)| cell.to_string()).map_err(|error| error.kind())
        });
        let outside = Err(InvalidKind::OutsideGrid);
        assert_eq!(cells, [Ok("Sheet2!A1:A1".into()), Ok("Sheet2!A200:A200".into()), outside]);
        assert_eq!(place.below(u32::MAX).unwrap_err().kind(), InvalidKind::OutsideSheet);
    }
}
