//! A cell that a user names by a link and the title of a sheet, and the state machine that finds it.
//!
//! A user has a link from the address bar and sees the title on a tab, but a request takes a spreadsheet's token and a
//! sheet's id. [`Place`] is the cell as the user names it. [`Resolve`] asks the service for the rest: for the
//! spreadsheet on a page of a wiki, and for the list of sheets. It does not need the list if only the link names the
//! sheet, because the link has the sheet's id. The clients run it with `client.resolve(&place)`.
//!
//! ```
//! use lark_proto::place::{Ask, Place, Resolve};
//!
//! // The link has both ids, so no request is needed, and nothing is checked.
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

mod resolve;

use crate::endpoints::{Sheet, Sheets};
use crate::error::{Invalid, InvalidKind};
use crate::text::trimmed;
use crate::values::{Address, Document, SheetCell, SheetId, cell};

pub use resolve::{Ask, Located, Resolve};

/// A cell that a user names: a link or a token, and a cell that may have the title of its sheet before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "title")]
#[doc(alias = "wiki")]
#[doc(alias = "知识库")]
pub struct Place {
    document: Document,
    tab: Tab,
    column: u32,
    row: u32,
    beyond_grid: bool,
}

/// The sheet of a [`Place`], as the user names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Tab {
    /// No sheet is named, so it is the first visible one.
    FirstVisible,
    /// The id in a link.
    Id(SheetId),
    /// A text that is an id or a title.
    IdOrTitle(String),
    /// A title in quotes.
    Title(String),
}

impl Place {
    /// The place in the document that `document` names, at `cell`.
    ///
    /// `document` is a link as [`SpreadsheetLink`](crate::SpreadsheetLink) reads it, the link of a page of a wiki, or a
    /// token. `cell` has one of these forms:
    /// * `H7`: the cell is on the sheet of the link, or on the first visible sheet if the link names none.
    /// * `Q7PlXT!H7` or `Price list!H7`: it is on the sheet with this id or, if there is none, with this title.
    /// * `'Q7PlXT'!H7`: it is on the sheet with this title. As in a formula, `''` stands for a quote.
    /// * The empty text: it is the cell that is selected in the link.
    ///
    /// The last `!` separates the sheet from the cell. If `cell` names a sheet, the sheet of the link is ignored.
    ///
    /// # Errors
    /// The errors of [`SpreadsheetLink::new`](crate::SpreadsheetLink::new) except
    /// [`WikiNode`](InvalidKind::WikiNode); the errors of [`SheetCell::in_sheet`];
    /// [`InvalidKind::MissingSheetId`] for an empty title; [`InvalidKind::NoCellNamed`].
    pub fn new(document: &str, cell: &str) -> Result<Self, Invalid> {
        let Address { document: named, sheet, range, .. } = Address::parse(document)?;
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
        let (column, row) = cell::parse_a1(text).map_err(|kind| Invalid::new(kind, text))?;
        // A cell beyond the largest sheet is refused here, before a request is made.
        SheetCell::at(SheetId::new("0")?, column, row)?;
        let tab = tab.unwrap_or_else(|| sheet.map_or(Tab::FirstVisible, Tab::Id));
        Ok(Self { document: named, tab, column, row, beyond_grid: false })
    }

    /// The place `rows` rows below this one.
    ///
    /// # Errors
    /// [`InvalidKind::OutsideSheet`].
    pub fn below(&self, rows: u32) -> Result<Self, Invalid> {
        let row = self.row.saturating_add(rows);
        SheetCell::at(SheetId::new("0")?, self.column, row)?;
        Ok(Self { row, ..self.clone() })
    }

    /// The same place, but its cell may be outside of the sheet's present grid. The list of sheets is then always
    /// requested, and [`Located::growth`] returns the requests that add the missing rows and columns:
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

    /// The sheet and the cell in a spreadsheet whose sheets are known.
    ///
    /// # Errors
    /// [`InvalidKind::NoSuchSheet`], [`InvalidKind::EqualTitles`], [`InvalidKind::NoVisibleSheet`], and the errors of
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

/// Reads the name of a sheet before the `!`. An error quotes `text`.
fn read_name(name: &str, text: &str) -> Result<Tab, Invalid> {
    // In double quotes, a shell passes `\!` with the backslash.
    let name = name.strip_suffix('\\').unwrap_or(name);
    let quoted = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    match quoted {
        _ if name.is_empty() => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
        Some("") => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
        Some(title) => Ok(Tab::Title(title.replace("''", "'"))),
        None => Ok(Tab::IdOrTitle(name.to_owned())),
    }
}
