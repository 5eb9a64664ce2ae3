//! One cell of one sheet.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::error::InvalidKind;
use crate::values::SheetId;

/// One cell, in the form that the service takes: `Q7PlXT!H7:H7`, with the sheet's id before the `!`.
///
/// Parsed from `Q7PlXT!H7` or `Q7PlXT!H7:H7`, with `!`, the full-width `！`, or the `\!` that shells
/// leave; letters may be of either case.
///
/// ```
/// use lark_proto::SheetCell;
/// let cell: SheetCell = "Q7PlXT！h7".parse()?;
/// assert_eq!(cell.to_string(), "Q7PlXT!H7:H7");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SheetCell {
    sheet: SheetId,
    /// Upper-case letters and a number, such as `H7`.
    cell: String,
}

impl SheetCell {
    /// The cell `cell`, such as `H7`, of the sheet `sheet`.
    ///
    /// # Errors
    /// [`InvalidKind::SeveralCells`], [`InvalidKind::BadCell`], [`InvalidKind::RowZero`], [`InvalidKind::OutsideSheet`].
    pub fn new(sheet: SheetId, cell: &str) -> Result<Self, Invalid> {
        let refused = |rule| Err(Invalid::new(rule, cell));
        let (start, end) = cell.split_once(':').unwrap_or((cell, cell));
        if !start.eq_ignore_ascii_case(end) {
            return refused(InvalidKind::SeveralCells);
        }
        let letters = start.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(start.len());
        let (column, row) = start.split_at(letters);
        if column.is_empty() || row.is_empty() || !row.bytes().all(|b| b.is_ascii_digit()) {
            return refused(InvalidKind::BadCell);
        }
        match row.trim_start_matches('0') {
            "" => return refused(InvalidKind::RowZero),
            number if number.len() < row.len() => return refused(InvalidKind::BadCell),
            _ => {}
        }
        let column = column.to_ascii_uppercase();
        // A..Z, AA..: a number to the base 26 whose digits are 1 to 26.
        let number = column.bytes().try_fold(0_u32, |number, letter| {
            number.checked_mul(26)?.checked_add(u32::from(letter - b'A') + 1)
        });
        let row_number = row.parse::<u32>().ok();
        if number.is_none_or(|n| n > 13_000) || row_number.is_none_or(|n| n > 5_000_000) {
            return refused(InvalidKind::OutsideSheet);
        }
        Ok(Self { sheet, cell: column + row })
    }

    /// The sheet that the cell is on.
    #[must_use]
    pub fn sheet(&self) -> &SheetId {
        &self.sheet
    }

    /// Column and row, such as `H7`.
    #[must_use]
    pub fn cell(&self) -> &str {
        &self.cell
    }
}

/// # Errors
/// [`InvalidKind::MissingSheetId`], [`InvalidKind::BadSheetId`], and those of [`SheetCell::new`].
impl FromStr for SheetCell {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        match text.split_once(['!', '！']) {
            None | Some(("" | "\\", _)) => Err(Invalid::new(InvalidKind::MissingSheetId, text)),
            Some((sheet, cell)) => {
                Self::new(sheet.strip_suffix('\\').unwrap_or(sheet).parse()?, cell)
            }
        }
    }
}

/// The range that the service takes, such as `Q7PlXT!H7:H7`.
impl fmt::Display for SheetCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!{cell}:{cell}", self.sheet, cell = self.cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_normal_form() {
        for text in [
            "Q7PlXT!H7",
            "Q7PlXT!H7:H7",
            "Q7PlXT！H7",
            "Q7PlXT！h7:H7",
            "Q7PlXT\\!H7",
            " Q7PlXT!h7\n",
        ] {
            assert_eq!(text.parse::<SheetCell>().unwrap().to_string(), "Q7PlXT!H7:H7", "{text}");
        }
        let last: SheetCell = "a!SEZ5000000".parse().unwrap();
        assert_eq!((last.sheet().as_str(), last.cell()), ("a", "SEZ5000000"));
    }

    #[test]
    fn nonsense_is_refused_by_its_rule() {
        for (text, rule) in [
            ("H7", InvalidKind::MissingSheetId),
            ("H7:H7", InvalidKind::MissingSheetId),
            ("!H7", InvalidKind::MissingSheetId),
            ("\\!H7", InvalidKind::MissingSheetId),
            ("", InvalidKind::MissingSheetId),
            ("My sheet!H7", InvalidKind::BadSheetId),
            ("'a'!H7", InvalidKind::BadSheetId),
            ("a!A1:B2", InvalidKind::SeveralCells),
            ("a!A1:A2", InvalidKind::SeveralCells),
            ("a!A:B", InvalidKind::SeveralCells),
            ("a!A2:B", InvalidKind::SeveralCells),
            ("a!A1:A1:A1", InvalidKind::SeveralCells),
            ("a!A0", InvalidKind::RowZero),
            ("a!A00:A00", InvalidKind::RowZero),
            ("a!A07", InvalidKind::BadCell),
            ("a!", InvalidKind::BadCell),
            ("a!A", InvalidKind::BadCell),
            ("a!7", InvalidKind::BadCell),
            ("a!7A", InvalidKind::BadCell),
            ("a!$A$7", InvalidKind::BadCell),
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
            assert_eq!(text.parse::<SheetCell>().expect_err(text).kind(), rule, "{text}");
        }
    }
}
