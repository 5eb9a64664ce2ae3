//! The id of a sheet, and one cell of it.

use crate::error::{Invalid, InvalidKind};
use crate::text::trimmed;
use crate::values::charset::is_id;
use crate::values::macros::{text, text_traits};

text! {
    /// The id of a sheet in a spreadsheet, such as `Q7PlXT`: 1 to 64 letters, digits, `-` or `_`. The address bar shows
    /// it after `?sheet=`, and [Query
    /// sheets](https://open.feishu.cn/document/server-docs/docs/sheets-v3/spreadsheet-sheet/query) returns it as
    /// `sheet_id`. It is not the title on the sheet's tab.
    #[doc(alias = "工作表")]
    pub struct SheetId: |text| is_id(text, 64), BadSheetId
}

/// One cell, in the form that the service takes: `Q7PlXT!H7:H7`, with the sheet's id before the `!`.
///
/// It is read from `Q7PlXT!H7` or `Q7PlXT!H7:H7`, with the column in upper or lower case; the case of the id is kept.
/// Three other spellings are read too: the full-width `！` and `：` of Chinese input methods, the `\!` that a shell needs
/// in quotes, and the `$H$7` of formulas.
/// The text before the `!` is always taken for an id, because the service takes ids only. The title of a sheet's tab is
/// refused if it cannot be an id, such as `Price list`; `Sheet1` is accepted as an id.
///
/// Cells are ordered by sheet, row and column, so that `H10` comes after `H9`.
///
/// ```
/// use lark_proto::SheetCell;
/// let cell: SheetCell = "Q7PlXT！h7".parse()?;
/// assert_eq!(cell.as_str(), "Q7PlXT!H7:H7");
/// assert_eq!(cell.below(1)?.as_str(), "Q7PlXT!H8:H8");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "单元格")]
pub struct SheetCell {
    // The order of the fields is the order of cells.
    sheet: SheetId,
    row: u32,
    column: u32,
    /// The range that the service takes.
    text: String,
}

impl SheetCell {
    /// The last column that a sheet can have, SEZ.
    pub(crate) const LAST_COLUMN: u32 = 13_000;
    /// The last row that a sheet can have.
    pub(crate) const LAST_ROW: u32 = 5_000_000;

    /// The cell that `text`, such as `Q7PlXT!H7`, names.
    ///
    /// # Errors
    /// [`InvalidKind::MissingSheetId`], [`InvalidKind::BadSheetId`], and the errors of [`SheetCell::in_sheet`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let text = trimmed(text);
        match text.split_once(['!', '！']) {
            None | Some(("" | "\\", _)) => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
            Some((sheet, cell)) => {
                let sheet = sheet.strip_suffix('\\').unwrap_or(sheet);
                Self::in_sheet(SheetId::new(sheet)?, cell)
            }
        }
    }

    /// The cell that `cell`, such as `H7`, names in `sheet`.
    ///
    /// # Errors
    /// [`InvalidKind::SeveralCells`], [`InvalidKind::BadCell`], [`InvalidKind::RowZero`],
    /// [`InvalidKind::OutsideSheet`].
    pub fn in_sheet(sheet: SheetId, cell: &str) -> Result<Self, Invalid> {
        let (column, row) = parse_a1(cell).map_err(|kind| Invalid::new(kind, cell))?;
        Self::at(sheet, column, row)
    }

    /// The cell of `sheet` in a column and a row, which are counted from 1: `H7` is column 8, row 7.
    ///
    /// # Errors
    /// [`InvalidKind::ColumnZero`], [`InvalidKind::RowZero`], [`InvalidKind::OutsideSheet`].
    pub fn at(sheet: SheetId, column: u32, row: u32) -> Result<Self, Invalid> {
        if column == 0 {
            return Err(Invalid::new(InvalidKind::ColumnZero, row.to_string()));
        }
        let cell = format!("{}{row}", letters(column));
        let refused = |kind| Err(Invalid::new(kind, &cell));
        if row == 0 {
            return refused(InvalidKind::RowZero);
        }
        if column > Self::LAST_COLUMN || row > Self::LAST_ROW {
            return refused(InvalidKind::OutsideSheet);
        }
        let text = format!("{sheet}!{cell}:{cell}");
        Ok(Self { sheet, row, column, text })
    }

    /// The cell `rows` rows below this one.
    ///
    /// # Errors
    /// [`InvalidKind::OutsideSheet`].
    pub fn below(&self, rows: u32) -> Result<Self, Invalid> {
        Self::at(self.sheet.clone(), self.column, self.row.saturating_add(rows))
    }

    /// The cell `columns` columns to the right of this one.
    ///
    /// # Errors
    /// [`InvalidKind::OutsideSheet`].
    pub fn right(&self, columns: u32) -> Result<Self, Invalid> {
        Self::at(self.sheet.clone(), self.column.saturating_add(columns), self.row)
    }

    /// The sheet that the cell is on.
    #[must_use]
    pub fn sheet(&self) -> &SheetId {
        &self.sheet
    }

    /// The column's number: 1 for `A`, 27 for `AA`.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }

    /// The row's number, counted from 1.
    #[must_use]
    pub fn row(&self) -> u32 {
        self.row
    }

    /// The column and the row, such as `H7`.
    #[must_use]
    pub fn cell(&self) -> &str {
        self.text.rsplit_once(':').map_or("", |(_, cell)| cell)
    }

    /// The range that the service takes, such as `Q7PlXT!H7:H7`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_traits!(SheetCell);

/// The column and the row of `H7`, `$H$7` or `H7:H7`.
pub(crate) fn parse_a1(cell: &str) -> Result<(u32, u32), InvalidKind> {
    let corners = cell.split_once([':', '：']).unwrap_or((cell, cell));
    let start = corners.0.to_ascii_uppercase();
    let end = corners.1.to_ascii_uppercase();
    let is_all = |corner: &str, is_of: fn(&u8) -> bool| {
        let corner = corner.strip_prefix('$').unwrap_or(corner);
        !corner.is_empty() && corner.bytes().all(|byte| is_of(&byte))
    };
    // `H:H` is a whole column, and `7:7` is a whole row.
    let is_line = is_all(&end, u8::is_ascii_uppercase) || is_all(&end, u8::is_ascii_digit);
    let is_range = cell.contains([':', '：']) && !start.is_empty() && !end.is_empty();
    if is_range && (is_line || start.replace('$', "") != end.replace('$', "")) {
        return Err(InvalidKind::SeveralCells);
    }
    read_corner(&end)?;
    read_corner(&start)
}

/// The column and the row of `H7` or `$H$7`.
fn read_corner(corner: &str) -> Result<(u32, u32), InvalidKind> {
    let corner = corner.strip_prefix('$').unwrap_or(corner);
    let end = corner.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(corner.len());
    let (column, row) = corner.split_at(end);
    let row = row.strip_prefix('$').unwrap_or(row);
    if column.is_empty() || row.is_empty() || !row.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidKind::BadCell);
    }
    match row.trim_start_matches('0') {
        "" => return Err(InvalidKind::RowZero),
        number if number.len() < row.len() => return Err(InvalidKind::BadCell),
        _ => {}
    }
    // The letters are a number in base 26 with the digits 1 to 26: after Z comes AA.
    let column = column.bytes().try_fold(0_u32, |number, letter| {
        number.checked_mul(26)?.checked_add(u32::from(letter - b'A') + 1)
    });
    let row = row.parse::<u32>().ok();
    column.zip(row).ok_or(InvalidKind::OutsideSheet)
}

/// The letters of a column's number.
fn letters(mut column: u32) -> String {
    let mut letters = Vec::new();
    while column > 0 {
        column -= 1;
        letters.extend(char::from_digit(column % 26 + 10, 36));
        column /= 26;
    }
    letters.iter().rev().map(char::to_ascii_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_cell_are_read_as_one_form() {
        for text in [
            "Q7PlXT!H7",
            "Q7PlXT!H7:H7",
            "Q7PlXT！H7",
            "Q7PlXT！h7:H7",
            "Q7PlXT\\!H7",
            " Q7PlXT!h7\n",
            "\u{feff}Q7PlXT!H7\u{200b}",
            "Q7PlXT!H7：H7",
            "Q7PlXT！h7：h7",
            "Q7PlXT!$H$7",
            "Q7PlXT!$h7",
            "Q7PlXT!H$7",
            "Q7PlXT\\！$H$7:H7",
        ] {
            assert_eq!(text.parse::<SheetCell>().unwrap().to_string(), "Q7PlXT!H7:H7", "{text}");
        }
        let last: SheetCell = "a!SEZ5000000".parse().unwrap();
        assert_eq!((last.sheet().as_str(), last.cell()), ("a", "SEZ5000000"));
    }

    #[test]
    fn a_sheet_id_has_1_to_64_letters_digits_hyphens_and_underscores() {
        for good in ["a", "Q7PlXT", "a-_9", &"s".repeat(64)] {
            assert_eq!(SheetId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a!", "工作表1", &"s".repeat(65)] {
            assert_eq!(SheetId::new(bad).unwrap_err().kind(), InvalidKind::BadSheetId, "{bad}");
        }
    }

    #[test]
    fn a_text_that_is_not_one_cell_is_refused() {
        for (text, kind) in [
            ("H7", InvalidKind::MissingSheetId),
            ("H7:H7", InvalidKind::MissingSheetId),
            ("!H7", InvalidKind::MissingSheetId),
            ("\\!H7", InvalidKind::MissingSheetId),
            ("", InvalidKind::MissingSheetId),
            ("My sheet!H7", InvalidKind::BadSheetId),
            ("'a'!H7", InvalidKind::BadSheetId),
            ("a!A1:B2", InvalidKind::SeveralCells),
            ("a!A1：A2", InvalidKind::SeveralCells),
            ("a!$A$1:$A$2", InvalidKind::SeveralCells),
            ("a!A1:A2", InvalidKind::SeveralCells),
            ("a!A:B", InvalidKind::SeveralCells),
            ("a!A2:B", InvalidKind::SeveralCells),
            ("a!A1:A1:A1", InvalidKind::SeveralCells),
            ("a!H:H", InvalidKind::SeveralCells),
            ("a!$h：$H", InvalidKind::SeveralCells),
            ("a!7:7", InvalidKind::SeveralCells),
            ("a!A1:", InvalidKind::BadCell),
            ("a!:A1", InvalidKind::BadCell),
            ("a!:", InvalidKind::BadCell),
            ("a!A0", InvalidKind::RowZero),
            ("a!A00:A00", InvalidKind::RowZero),
            ("a!A07", InvalidKind::BadCell),
            ("a!", InvalidKind::BadCell),
            ("a!A", InvalidKind::BadCell),
            ("a!7", InvalidKind::BadCell),
            ("a!7A", InvalidKind::BadCell),
            ("a!$$A7", InvalidKind::BadCell),
            ("a!A7$", InvalidKind::BadCell),
            ("a!A7:A7$", InvalidKind::BadCell),
            ("a!$7", InvalidKind::BadCell),
            ("a!A$$7", InvalidKind::BadCell),
            ("a!A-7", InvalidKind::BadCell),
            ("a! A7", InvalidKind::BadCell),
            ("a!A7!", InvalidKind::BadCell),
            ("a!Ａ7", InvalidKind::BadCell),
            ("a!A7\r\nX", InvalidKind::BadCell),
            ("a!SFA1", InvalidKind::OutsideSheet),
            ("a!AAAAAAAAAAAAAAAAAAAA1", InvalidKind::OutsideSheet),
            ("a!A5000001", InvalidKind::OutsideSheet),
            ("a!A99999999999999999999", InvalidKind::OutsideSheet),
        ] {
            assert_eq!(text.parse::<SheetCell>().expect_err(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_column_and_a_row_name_one_cell() {
        let sheet = SheetId::new("s").unwrap();
        for (column, row, cell) in [
            (1, 1, "A1"),
            (26, 9, "Z9"),
            (27, 10, "AA10"),
            (52, 1, "AZ1"),
            (702, 1, "ZZ1"),
            (703, 1, "AAA1"),
            (13_000, 5_000_000, "SEZ5000000"),
        ] {
            let at = SheetCell::at(sheet.clone(), column, row).unwrap();
            assert_eq!((at.cell(), at.column(), at.row()), (cell, column, row));
            assert_eq!(SheetCell::in_sheet(sheet.clone(), cell), Ok(at));
        }
        for column in 1..=13_000 {
            let at = SheetCell::at(sheet.clone(), column, 1).unwrap();
            assert_eq!(at.as_str().parse::<SheetCell>(), Ok(at), "column {column}");
        }
    }

    #[test]
    fn a_column_or_row_that_no_sheet_has_is_refused() {
        let sheet = SheetId::new("s").unwrap();
        for (column, row, kind, text) in [
            (0, 7, InvalidKind::ColumnZero, "column 0 of row 7 does not exist"),
            (8, 0, InvalidKind::RowZero, "`H0`"),
            (13_001, 1, InvalidKind::OutsideSheet, "`SFA1`"),
            (1, 5_000_001, InvalidKind::OutsideSheet, "`A5000001`"),
            (u32::MAX, u32::MAX, InvalidKind::OutsideSheet, "`MWLQKWU4294967295`"),
        ] {
            let error = SheetCell::at(sheet.clone(), column, row).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_neighbour_is_on_the_same_sheet_or_refused() {
        let cell: SheetCell = "s!Z9".parse().unwrap();
        assert_eq!(cell.below(0), Ok(cell.clone()));
        assert_eq!(cell.below(1).unwrap().as_str(), "s!Z10:Z10");
        assert_eq!(cell.right(2).unwrap().as_str(), "s!AB9:AB9");
        for outside in
            [cell.below(4_999_992), cell.below(u32::MAX), cell.right(12_975), cell.right(u32::MAX)]
        {
            assert_eq!(outside.unwrap_err().kind(), InvalidKind::OutsideSheet);
        }
        assert_eq!(cell.below(4_999_991).unwrap().row(), 5_000_000);
        assert_eq!(cell.right(12_974).unwrap().cell(), "SEZ9");
    }

    #[test]
    fn cells_are_ordered_by_sheet_row_and_column() {
        let ordered = ["a!H9", "a!Z9", "a!AA9", "a!A10", "a!H10", "b!A1"];
        let mut cells: Vec<SheetCell> = ordered.iter().map(|text| text.parse().unwrap()).collect();
        cells.reverse();
        cells.sort();
        let names = cells.iter().map(|cell| format!("{}!{}", cell.sheet(), cell.cell()));
        assert_eq!(names.collect::<Vec<_>>(), ordered);
    }
}
