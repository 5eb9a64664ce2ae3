//! A cell as a person names it, and the machine that finds it.
//!
//! A person has a link from the address bar and the title on a tab; the requests take a spreadsheet's token and a
//! sheet's id. [`Place`] reads what the person has, and [`Resolve`] asks the service for what is missing: for the
//! spreadsheet behind a page of a wiki, and for the sheets where one is named by its title or not at all. The clients
//! run it: `client.resolve(&place)`.
//!
//! ```
//! use lark_proto::place::{Ask, Place, Resolve};
//!
//! // Everything is named by its id, so nothing is asked and checked.
//! let link = "https://x.feishu.cn/sheets/shtcnabc?sheet=Q7PlXT";
//! let place = Place::new(link, "H7")?;
//! let Ask::Done(found) = Resolve::new(&place).next()? else { panic!() };
//! assert_eq!(found.spreadsheet.as_str(), "shtcnabc");
//! assert_eq!(found.cell.as_str(), "Q7PlXT!H7:H7");
//!
//! let link = "https://x.feishu.cn/wiki/wikcnabc";
//! let place = Place::new(link, "Price list!H7")?;
//! assert!(matches!(Resolve::new(&place).next()?, Ask::Node(_)));
//! # Ok::<(), lark_proto::Invalid>(())
//! ```

use crate::endpoints::{AddDimension, GetWikiNode, Grid, QuerySheets, Sheet, Sheets, WikiNode};
use crate::error::{Invalid, InvalidKind};
use crate::text::trimmed;
use crate::values::{Address, Document, SheetCell, SheetId, SpreadsheetToken, cell};

/// A cell as a person names it: a link or a token, and a cell that may be written with the title of its sheet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "title")]
#[doc(alias = "wiki")]
pub struct Place {
    document: Document,
    tab: Tab,
    column: u32,
    row: u32,
    beyond_grid: bool,
}

/// How the sheet of a [`Place`] is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Tab {
    /// Not at all.
    FirstVisible,
    /// By an id, from a link.
    Id(SheetId),
    /// By a text that is an id or a title.
    IdOrTitle(String),
    /// By a title in quotes.
    Title(String),
}

impl Place {
    /// The place in the document that `document` names, at `cell`.
    ///
    /// `document` is a link as [`SpreadsheetLink`](crate::SpreadsheetLink) reads it, the link of a page of a wiki, or a
    /// token. `cell` is one of
    /// * `H7`: on the sheet of the link, or on the first visible sheet if the link names none;
    /// * `Q7PlXT!H7` or `Price list!H7`: on the sheet with this id or, if there is none, with this title;
    /// * `'Q7PlXT'!H7`: on the sheet with this title. As in a formula, `''` stands for a quote;
    /// * nothing: the cell that is selected in the link.
    ///
    /// The last `!` separates the sheet from the cell. A sheet that `cell` names counts, and not that of the link.
    ///
    /// # Errors
    /// The errors of [`SpreadsheetLink::new`](crate::SpreadsheetLink::new) but for
    /// [`WikiNode`](InvalidKind::WikiNode); those of [`SheetCell::in_sheet`];
    /// [`InvalidKind::MissingSheetId`] for an empty title; [`InvalidKind::NoCellNamed`].
    pub fn new(document: &str, cell: &str) -> Result<Self, Invalid> {
        let Address { document: named, sheet, range, .. } = Address::read(document)?;
        let text = trimmed(cell);
        let (tab, text) = match text.rsplit_once(['!', '！']) {
            Some((name, cell)) => (Some(read_name(name, text)?), cell),
            None => (None, text),
        };
        let text = match text {
            "" if range.is_empty() || tab.is_some() => {
                let shown = if tab.is_some() { cell } else { document };
                return Err(Invalid::new(InvalidKind::NoCellNamed, shown));
            }
            "" => &range,
            text => text,
        };
        let (column, row) = cell::read(text).map_err(|kind| Invalid::new(kind, text))?;
        // A cell beyond the largest sheet is refused before anything is asked.
        SheetCell::at(SheetId::new("0")?, column, row)?;
        let tab = tab.unwrap_or_else(|| sheet.map_or(Tab::FirstVisible, Tab::Id));
        Ok(Self { document: named, tab, column, row, beyond_grid: false })
    }

    /// The same column, `rows` rows further down, for a list of places.
    ///
    /// # Errors
    /// [`InvalidKind::OutsideSheet`].
    pub fn below(&self, rows: u32) -> Result<Self, Invalid> {
        let row = self.row.saturating_add(rows);
        SheetCell::at(SheetId::new("0")?, self.column, row)?;
        Ok(Self { row, ..self.clone() })
    }

    /// The same place, whose cell may be outside of the sheet's present grid. The service is asked for the sheets in
    /// any case, and [`Located::growth`] adds the rows and columns that are missing:
    ///
    /// ```
    /// # use lark_proto::place::{Ask, Place, Resolve};
    /// # use lark_proto::endpoints::{EndpointExt, QuerySheets};
    /// let place = Place::new("shtcnabc", "Photos!B6250")?.beyond_grid();
    /// # let mut resolve = Resolve::new(&place);
    /// # let reply = r#"{"code":0,"data":{"sheets":[{"sheet_id":"a","title":"Photos","index":0,
    /// #     "grid_properties":{"row_count":200,"column_count":20}}]}}"#;
    /// # resolve.sheets(QuerySheets::decode(http::Response::new(reply.into())).unwrap());
    /// # let Ask::Done(found) = resolve.next()? else { panic!() };
    /// // let found = client.resolve(&place)?;
    /// for add in found.growth() {
    ///     println!("{add:?}"); // client.call(&add)?;
    /// }
    /// assert_eq!(found.growth().len(), 2); // 5,000 rows and 1,050 rows
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    #[must_use]
    pub fn beyond_grid(self) -> Self {
        Self { beyond_grid: true, ..self }
    }

    /// The place in a spreadsheet whose sheets are known, without a question.
    ///
    /// # Errors
    /// [`InvalidKind::NoSuchSheet`], [`InvalidKind::EqualTitles`], [`InvalidKind::NoVisibleSheet`], and those of
    /// [`Sheet::cell`].
    pub fn among(&self, sheets: &Sheets) -> Result<(Sheet, SheetCell), Invalid> {
        let sheet = match &self.tab {
            Tab::FirstVisible => sheets
                .first_visible()
                .ok_or_else(|| Invalid::new(InvalidKind::NoVisibleSheet, ""))?,
            Tab::Id(id) => sheets
                .by_id(id.as_str())
                .ok_or_else(|| Invalid::new(InvalidKind::NoSuchSheet, id.as_str()))?,
            Tab::IdOrTitle(name) => match sheets.by_id(name) {
                Some(sheet) => sheet,
                None => sheets.by_title(name)?,
            },
            Tab::Title(title) => sheets.by_title(title)?,
        };
        let cell = if self.beyond_grid {
            sheet.cell_beyond_grid(self.column, self.row)?
        } else {
            sheet.cell(self.column, self.row)?
        };
        Ok((sheet.clone(), cell))
    }
}

/// The sheet's name before the `!`; `text` is quoted in the error.
fn read_name(name: &str, text: &str) -> Result<Tab, Invalid> {
    // Shells leave the backslash of `\!`.
    let name = name.strip_suffix('\\').unwrap_or(name);
    let quoted = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    match quoted {
        _ if name.is_empty() => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
        Some("") => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
        Some(title) => Ok(Tab::Title(title.replace("''", "'"))),
        None => Ok(Tab::IdOrTitle(name.to_owned())),
    }
}

/// A [`Place`] that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The spreadsheet.
    pub spreadsheet: SpreadsheetToken,
    /// The cell.
    pub cell: SheetCell,
    /// The page of the wiki that led to the spreadsheet.
    pub node: Option<WikiNode>,
    /// The sheet that the cell is on, where the service was asked for the sheets.
    pub sheet: Option<Sheet>,
    /// All sheets of the spreadsheet, where the service was asked for them: [`Place::among`] finds further places in
    /// them.
    pub sheets: Option<Sheets>,
}

impl Located {
    /// The requests that add the rows and columns up to the cell, if it is outside of the sheet's grid; none if it is
    /// inside, or if the grid is not known. A request that fails with an unknown outcome is not repeated: resolve the
    /// place again.
    #[must_use]
    pub fn growth(&self) -> Vec<AddDimension> {
        let grid = self.sheet.as_ref().and_then(|sheet| sheet.grid);
        let Some(Grid { rows, columns }) = grid else { return Vec::new() };
        let at_once = AddDimension::MAX_COUNT;
        let counts = |missing: u32| {
            let requests = 0..missing.div_ceil(at_once);
            requests.map(move |number| (missing - number * at_once).min(at_once))
        };
        let (spreadsheet, sheet) = (&self.spreadsheet, self.cell.sheet());
        let rows = counts(self.cell.row().saturating_sub(rows))
            .map(|count| AddDimension::rows(spreadsheet.clone(), sheet.clone(), count));
        let columns = counts(self.cell.column().saturating_sub(columns))
            .map(|count| AddDimension::columns(spreadsheet.clone(), sheet.clone(), count));
        rows.chain(columns).filter_map(Result::ok).collect()
    }
}

/// Finds a [`Place`], with two questions to the service at most.
///
/// Take the [`next`](Self::next) question, answer it with [`node`](Self::node) or [`sheets`](Self::sheets), and so on
/// until it is done.
#[derive(Clone, Debug)]
pub struct Resolve<'a> {
    place: &'a Place,
    node: Option<WikiNode>,
    sheets: Option<Sheets>,
}

/// The next step of a [`Resolve`].
#[derive(Clone, Debug)]
pub enum Ask {
    /// Which document is behind a page of a wiki.
    Node(GetWikiNode),
    /// Which sheets the spreadsheet has.
    Sheets(QuerySheets),
    /// Nothing: the place is found.
    Done(Box<Located>),
}

impl<'a> Resolve<'a> {
    /// A machine that has not asked yet.
    #[must_use]
    pub fn new(place: &'a Place) -> Self {
        Self { place, node: None, sheets: None }
    }

    /// The next question, or the place.
    ///
    /// # Errors
    /// [`InvalidKind::WikiPageOfAnotherKind`], and those of [`Place::among`].
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
        let (node, sheets) = (self.node.clone(), self.sheets.clone());
        Ok(Ask::Done(Box::new(Located { spreadsheet, cell, node, sheet, sheets })))
    }

    /// Answers [`Ask::Node`].
    pub fn node(&mut self, node: WikiNode) {
        self.node = Some(node);
    }

    /// Answers [`Ask::Sheets`].
    pub fn sheets(&mut self, sheets: Sheets) {
        self.sheets = Some(sheets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::EndpointExt;

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

    /// The questions that are asked for a place, and the place or the kind of the error.
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
    fn only_what_is_not_known_is_asked() {
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
                    let (sheet, count) = (found.cell.sheet().clone(), count.parse().unwrap());
                    match word {
                        "rows" => AddDimension::rows(found.spreadsheet.clone(), sheet, count),
                        _ => AddDimension::columns(found.spreadsheet.clone(), sheet, count),
                    }
                    .unwrap()
                })
                .collect();
            assert_eq!(found.growth(), expected, "{cell}");
        }
        // The sheets are asked for also where the link has the sheet's id.
        let place = Place::new(&format!("{LINK}?sheet=b00001"), "A1").unwrap().beyond_grid();
        assert!(matches!(Resolve::new(&place).next(), Ok(Ask::Sheets(_))));
    }

    #[test]
    fn a_sheet_is_named_by_id_or_title_before_the_last_exclamation_mark() {
        for (text, cell) in [
            // An id wins over an equal title, and quotes make it a title.
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
    fn what_cannot_be_found_is_refused_as_early_as_possible() {
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
    fn a_page_of_a_wiki_has_to_show_a_spreadsheet() {
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
        let sheet = Place::new("shtcnA?sheet=x", "A1").unwrap().among(&none).unwrap_err().kind();
        assert_eq!(sheet, InvalidKind::NoSuchSheet);
    }

    #[test]
    fn a_kept_list_serves_for_further_places() {
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
