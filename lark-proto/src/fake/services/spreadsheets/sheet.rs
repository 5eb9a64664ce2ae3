//! A sheet of a spreadsheet: its tab and its grid.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cells::Cell;

/// A sheet to be added with [`FakeLark::add_sheet`](crate::fake::FakeLark::add_sheet).
///
/// ```
/// use lark_proto::fake::{FakeLark, FakeSheet};
///
/// let mut lark = FakeLark::new();
/// let sheet = FakeSheet::new("0bdf12").title("Photos").rows(9).columns(8);
/// lark.add_sheet(FakeLark::SPREADSHEET, sheet);
/// let grid = lark.sheet(FakeLark::SPREADSHEET, "0bdf12").map(FakeSheet::grid);
/// assert_eq!(grid, Some((9, 8)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeSheet {
    pub(crate) id: String,
    /// The title. `None` stands for the service's own: `Sheet1`, `Sheet2` and so on.
    pub(crate) title: Option<String>,
    /// Whether it is a base, which has no cells.
    pub(crate) is_base: bool,
    is_hidden: bool,
    rows: u32,
    columns: u32,
    /// The heights in pixels of the rows for which one was set.
    pub(crate) heights: BTreeMap<u32, u32>,
    /// The widths in pixels of the columns for which one was set.
    pub(crate) widths: BTreeMap<u32, u32>,
}

impl FakeSheet {
    /// A visible sheet of the default size, 200 rows and 20 columns. Its title is `Sheet` and the number of its tab.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: None,
            is_base: false,
            is_hidden: false,
            rows: 200,
            columns: 20,
            heights: BTreeMap::new(),
            widths: BTreeMap::new(),
        }
    }

    /// The title on the tab.
    #[must_use]
    pub fn title(self, title: &str) -> Self {
        Self { title: Some(title.to_owned()), ..self }
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(self, rows: u32) -> Self {
        Self { rows, ..self }
    }

    /// The number of columns.
    #[must_use]
    pub fn columns(self, columns: u32) -> Self {
        Self { columns, ..self }
    }

    /// Hides the tab.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { is_hidden: true, ..self }
    }

    /// Makes the tab a base, which has no cells.
    #[must_use]
    pub fn base(self) -> Self {
        Self { is_base: true, ..self }
    }

    /// The number of rows, and the number of columns.
    #[must_use]
    pub fn grid(&self) -> (u32, u32) {
        (self.rows, self.columns)
    }

    /// The height of a row in pixels, if one was set.
    #[must_use]
    pub fn row_height(&self, row: u32) -> Option<u32> {
        self.heights.get(&row).copied()
    }

    /// The width of a column in pixels, if one was set.
    #[must_use]
    pub fn column_width(&self, column: u32) -> Option<u32> {
        self.widths.get(&column).copied()
    }

    pub(crate) fn set_grid(&mut self, rows: u32, columns: u32) {
        self.rows = rows;
        self.columns = columns;
    }

    /// Whether the cell is in the grid.
    pub(crate) fn has(&self, (column, row): Cell) -> bool {
        (1..=self.columns).contains(&column) && (1..=self.rows).contains(&row)
    }

    /// The sheet in the reply of Query sheets.
    pub(crate) fn json(&self, index: usize) -> Value {
        let mut tab = json!({
            "sheet_id": self.id,
            "title": self.title,
            "index": index,
            "hidden": self.is_hidden,
            "resource_type": if self.is_base { "bitable" } else { "sheet" },
        });
        if let (false, Some(tab)) = (self.is_base, tab.as_object_mut()) {
            let grid = json!({
                "frozen_row_count": 0,
                "frozen_column_count": 0,
                "row_count": self.rows,
                "column_count": self.columns,
            });
            tab.insert("grid_properties".to_owned(), grid);
        }
        tab
    }
}
