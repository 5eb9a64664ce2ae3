//! The kind of a document, by its token or by the path of a link to it.

use crate::error::{Invalid, InvalidKind};
use crate::text::excerpt;

/// The kind of document that a token or a link's path names.
#[derive(Clone, Copy)]
pub(super) enum DocumentKind {
    Spreadsheet,
    Wiki,
    Other(&'static str),
}

/// Each kind with the three letters that its tokens carry, and the paths of its links.
const KINDS: [(DocumentKind, &[&str], &[&str]); 8] = [
    (DocumentKind::Spreadsheet, &["sht"], &["sheets", "sheet", "spreadsheets"]),
    (DocumentKind::Wiki, &["wik"], &["wiki"]),
    (DocumentKind::Other("a document"), &["doc", "dox"], &["docx", "docs", "doc"]),
    (DocumentKind::Other("a base"), &["bas"], &["base", "bitable"]),
    (DocumentKind::Other("a folder"), &["fld", "nod"], &["drive/folder", "folder"]),
    (DocumentKind::Other("a file"), &["box"], &["file"]),
    (DocumentKind::Other("a mind note"), &["bmn"], &["mindnotes", "mindnote"]),
    (DocumentKind::Other("a presentation"), &["sld", "ppt"], &["slides"]),
];

/// The two letters after the three of the kind. They name the site that issued the token.
const UNITS: [&str; 4] = ["cn", "us", "lg", "k4"];

impl DocumentKind {
    /// The kind that the letters of a token name; `None` for a token of another form.
    pub(super) fn of_token(token: &str) -> Option<Self> {
        let first: String = token.chars().take(5).collect();
        let spread: String = token.chars().skip(4).step_by(5).take(5).collect();
        if ["fake_office_", "local_office_"].iter().any(|start| token.starts_with(start))
            || spread == "OFL0X"
        {
            return Some(Self::Other("an Office file"));
        }
        // Spreadsheets are first in the table, so a token counts as a spreadsheet if either form of its letters names
        // that kind.
        KINDS.into_iter().find_map(|(kind, letters, _)| {
            let says = |word: &str| {
                let unit = letters.iter().find_map(|letters| word.strip_prefix(letters));
                unit.is_some_and(|unit| UNITS.contains(&unit))
            };
            (says(&spread) || says(&first)).then_some(kind)
        })
    }

    /// The kind that a link's path names, and the rest of the path, which is the token.
    pub(super) fn of_path(path: &str) -> Option<(Self, &str)> {
        KINDS.into_iter().find_map(|(kind, _, paths)| {
            let token = |start: &&str| path.strip_prefix(start)?.strip_prefix('/');
            paths.iter().find_map(token).map(|token| (kind, token))
        })
    }
}

pub(super) fn not_a_spreadsheet(token: &str, kind: &str) -> Invalid {
    // The token is shortened here, so that the limit of an error text does not cut off the kind's name.
    let token = excerpt(token.as_bytes(), 30);
    Invalid::new(InvalidKind::NotASpreadsheet, format!("`{token}` is {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_link_names_a_kind() {
        for (path, kind) in [
            ("sheets/t", "a spreadsheet"),
            ("sheet/t", "a spreadsheet"),
            ("spreadsheets/t", "a spreadsheet"),
            ("wiki/t", "a page of a wiki"),
            ("docx/t", "a document"),
            ("docs/t", "a document"),
            ("doc/t", "a document"),
            ("base/t", "a base"),
            ("bitable/t", "a base"),
            ("drive/folder/t", "a folder"),
            ("folder/t", "a folder"),
            ("file/t", "a file"),
            ("mindnotes/t", "a mind note"),
            ("mindnote/t", "a mind note"),
            ("slides/t", "a presentation"),
        ] {
            let (found, token) = DocumentKind::of_path(path).expect(path);
            let found = match found {
                DocumentKind::Spreadsheet => "a spreadsheet",
                DocumentKind::Wiki => "a page of a wiki",
                DocumentKind::Other(kind) => kind,
            };
            assert_eq!((found, token), (kind, "t"), "{path}");
        }
        for path in ["", "sheets", "sheetsx/t", "x/sheets/t", "Sheets/t", "drive/t"] {
            assert!(DocumentKind::of_path(path).is_none(), "{path}");
        }
    }
}
