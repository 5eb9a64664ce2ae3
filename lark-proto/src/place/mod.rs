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

mod resolve;

use crate::endpoints::{Sheet, Sheets};
use crate::error::{Invalid, InvalidKind};
use crate::text::trimmed;
use crate::values::{Address, Document, SheetCell, SheetId, cell};

pub use resolve::{Ask, Located, Resolve};

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
