//! One cell of one sheet.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::error::Rule;
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
    /// [`Rule::SeveralCells`], [`Rule::CellForm`], [`Rule::RowZero`], [`Rule::OutsideSheet`].
    pub fn new(sheet: SheetId, cell: &str) -> Result<Self, Invalid> {
        let refused = |rule| Err(Invalid::new(rule, cell));
        let (start, end) = cell.split_once(':').unwrap_or((cell, cell));
        if !start.eq_ignore_ascii_case(end) {
            return refused(Rule::SeveralCells);
        }
        let letters = start.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(start.len());
        let (column, row) = start.split_at(letters);
        if column.is_empty() || row.is_empty() || !row.bytes().all(|b| b.is_ascii_digit()) {
            return refused(Rule::CellForm);
        }
        match row.trim_start_matches('0') {
            "" => return refused(Rule::RowZero),
            number if number.len() < row.len() => return refused(Rule::CellForm),
            _ => {}
        }
        let column = column.to_ascii_uppercase();
        // A..Z, AA..: a number to the base 26 whose digits are 1 to 26.
        let number = column.bytes().try_fold(0_u32, |number, letter| {
            number.checked_mul(26)?.checked_add(u32::from(letter - b'A') + 1)
        });
        let row_number = row.parse::<u32>().ok();
        if number.is_none_or(|n| n > 13_000) || row_number.is_none_or(|n| n > 5_000_000) {
            return refused(Rule::OutsideSheet);
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
/// [`Rule::MissingSheetId`], [`Rule::SheetId`], and those of [`SheetCell::new`].
impl FromStr for SheetCell {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        match text.split_once(['!', '！']) {
            None | Some(("" | "\\", _)) => Err(Invalid::new(Rule::MissingSheetId, text)),
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
            ("H7", Rule::MissingSheetId),
            ("H7:H7", Rule::MissingSheetId),
            ("!H7", Rule::MissingSheetId),
            ("\\!H7", Rule::MissingSheetId),
            ("", Rule::MissingSheetId),
            ("My sheet!H7", Rule::SheetId),
            ("'a'!H7", Rule::SheetId),
            ("a!A1:B2", Rule::SeveralCells),
            ("a!A1:A2", Rule::SeveralCells),
            ("a!A:B", Rule::SeveralCells),
            ("a!A2:B", Rule::SeveralCells),
            ("a!A1:A1:A1", Rule::SeveralCells),
            ("a!A0", Rule::RowZero),
            ("a!A00:A00", Rule::RowZero),
            ("a!A07", Rule::CellForm),
            ("a!", Rule::CellForm),
            ("a!A", Rule::CellForm),
            ("a!7", Rule::CellForm),
            ("a!7A", Rule::CellForm),
            ("a!$A$7", Rule::CellForm),
            ("a!A-7", Rule::CellForm),
            ("a! A7", Rule::CellForm),
            ("a!A7!", Rule::CellForm),
            ("a!Ａ7", Rule::CellForm),
            ("a!A7\r\nX", Rule::CellForm),
            ("a!SFA1", Rule::OutsideSheet),
            ("a!AAAAAAAAAAAAAAAAAAAA1", Rule::OutsideSheet),
            ("a!A5000001", Rule::OutsideSheet),
            ("a!A99999999999999999999", Rule::OutsideSheet),
        ] {
            assert_eq!(text.parse::<SheetCell>().expect_err(text).rule(), rule, "{text}");
        }
    }
}
