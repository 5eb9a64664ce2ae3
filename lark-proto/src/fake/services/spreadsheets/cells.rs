//! The addresses of cells.

/// A column and a row, both counted from 1.
pub(crate) type Cell = (u32, u32);

/// The documented limit of columns in a sheet.
pub(crate) const MAX_COLUMN: u32 = 13_000;
/// The documented limit of cells in a sheet, and so of rows.
pub(crate) const MAX_ROW: u32 = 5_000_000;

/// Reads an address: letters, then the number of a row without leading zeros, within the largest documented sheet.
pub(crate) fn cell(text: &str) -> Option<Cell> {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let column = letters.chars().try_fold(0_u32, |column, letter| {
        let digit = letter.is_ascii_alphabetic().then(|| letter.to_digit(36))??;
        Some(column * 26 + digit - 9).filter(|column| *column <= MAX_COLUMN)
    })?;
    let row = text.strip_prefix(letters).filter(|row| !row.starts_with('0'))?;
    let row = row.parse::<u32>().ok()?;
    (column > 0 && row <= MAX_ROW).then_some((column, row))
}

/// The normal form of a cell: its range, `Q7PlXT!H7:H7`.
pub(crate) fn normal(sheet: &str, (column, row): Cell) -> String {
    let mut letters = String::new();
    let mut rest = column;
    while rest > 0 {
        let letter = char::from_digit((rest - 1) % 26 + 10, 36);
        letters.extend(letter.map(|letter| letter.to_ascii_uppercase()));
        rest = (rest - 1) / 26;
    }
    let letters: String = letters.chars().rev().collect();
    format!("{sheet}!{letters}{row}:{letters}{row}")
}

/// The cell that a normal form names. It is `None` for a cell of another sheet.
pub(crate) fn of_normal(sheet: &str, text: &str) -> Option<Cell> {
    let (_, text) = text.strip_prefix(sheet)?.strip_prefix('!')?.split_once(':')?;
    cell(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_within_the_limits_is_read_and_written_in_upper_case() {
        for (text, expected) in [
            ("A1", Some((1, 1))),
            ("h7", Some((8, 7))),
            ("Z9", Some((26, 9))),
            ("AA10", Some((27, 10))),
            ("SEZ5000000", Some((13_000, 5_000_000))),
            ("SFA1", None),
            ("A5000001", None),
            ("A0", None),
            ("A01", None),
            ("A", None),
            ("1", None),
            ("", None),
            ("Ä1", None),
        ] {
            let found = cell(text);
            assert_eq!(found, expected, "{text}");
            if let Some(found) = found {
                let text = text.to_ascii_uppercase();
                let normal = normal("s", found);
                assert_eq!(normal, format!("s!{text}:{text}"));
                assert_eq!((of_normal("s", &normal), of_normal("", &normal)), (Some(found), None));
            }
        }
    }
}
