//! The dimensions of a sheet: rows and columns, with the limits and the names that their endpoints share.

use crate::values::SheetCell;

/// Rows or columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dimension {
    Rows,
    Columns,
}

impl Dimension {
    /// The maximum number of rows or columns that one request adds or changes.
    pub(crate) const MAX_COUNT: u32 = 5000;

    /// The maximum number of rows or columns in a sheet.
    pub(crate) fn largest(self) -> u32 {
        match self {
            Self::Rows => SheetCell::LAST_ROW,
            Self::Columns => SheetCell::LAST_COLUMN,
        }
    }

    /// The name in requests.
    pub(crate) fn major(self) -> &'static str {
        match self {
            Self::Rows => "ROWS",
            Self::Columns => "COLUMNS",
        }
    }

    /// The name in error texts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Columns => "columns",
        }
    }
}
