//! The token of a spreadsheet, and the id of a sheet in it.

use crate::error::{Invalid, InvalidKind};
use crate::text::excerpt;
use crate::values::SpreadsheetLink;
use crate::values::link::Address;
use crate::values::macros::{is_id, text, text_traits};

text! {
    /// The id of a sheet inside a spreadsheet, such as `Q7PlXT`: 1 to 64 letters, digits, `-` or `_`. It stands in the
    /// address bar after `?sheet=`, and is the `sheet_id` that
    /// [Query sheets](https://open.feishu.cn/document/server-docs/docs/sheets-v3/spreadsheet-sheet/query) answers with.
    /// It is not the title on the sheet's tab.
    pub struct SheetId: |text| is_id(text, 64), BadSheetId
}

/// The token of a page of a wiki: 1 to 128 letters, digits, `-` or `_`, such as `wikcnKQ1k3pcuo5uSK4t8Vabcef`.
///
/// It is read from the token itself or from a link `https://<host>/wiki/<token>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WikiToken(String);

impl WikiToken {
    /// The page that `text`, a token or a link, names.
    ///
    /// # Errors
    /// [`InvalidKind::BadWikiToken`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new(InvalidKind::BadWikiToken, text);
        match Address::read(text).map(|address| address.document) {
            Ok(Document::Wiki(token)) => Ok(token),
            // A token tells its kind in its letters only by custom.
            _ if is_id(text, 128) => Ok(Self(text.to_owned())),
            _ => Err(refused()),
        }
    }

    pub(super) fn of_token(token: &str) -> Result<Self, Invalid> {
        if is_id(token, 128) {
            Ok(Self(token.to_owned()))
        } else {
            Err(Invalid::new(InvalidKind::BadWikiToken, token))
        }
    }

    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(WikiToken);

/// The token of a spreadsheet: 1 to 128 letters, digits, `-` or `_`, such as `shtcngNygNfuqhxTBf588jwgWbJ`.
///
/// It is read from the token itself or from a link to the spreadsheet, as the
/// [vendor's page](https://open.feishu.cn/document/faq/trouble-shooting/how-to-get-docs-tokens) shows it. A link that
/// names a sheet too is refused, because the sheet would be lost: [`SpreadsheetLink`] keeps it.
///
/// A token that is clearly another kind's is refused by its kind's name. Tokens of both forms in use say their kind:
/// the older ones by their first letters (`shtcn..` is a spreadsheet, `bascn..` a base), the newer ones by their
/// letters at the positions 4, 9, 14, 19 and 24, counted from 0 (`SXBTsMufdhz9hstO0yblvRLXg8b` spells `shtlg`). The
/// service documents neither, so a token without a known kind is taken, and [`any_kind`](Self::any_kind) takes every
/// token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpreadsheetToken(String);

impl SpreadsheetToken {
    /// The spreadsheet that `text`, a token or a link, names.
    ///
    /// # Errors
    /// [`InvalidKind::UnexpectedSheet`] for a link that names a sheet too, and those of [`SpreadsheetLink::new`].
    ///
    /// ```
    /// use lark_proto::values::SpreadsheetToken;
    /// let token = "bascnCMII2ORuEjIDXvVecCKNEc";
    /// let error = SpreadsheetToken::new(token).unwrap_err();
    /// let text = format!("`{token}` is a base, which is not a spreadsheet");
    /// assert_eq!(error.to_string(), text);
    /// ```
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let link = SpreadsheetLink::new(text)?;
        if link.sheet().is_some() {
            return Err(Invalid::new(InvalidKind::UnexpectedSheet, link.token().as_str()));
        }
        Ok(link.token().clone())
    }

    /// The token `token`, whatever kind it seems to be.
    ///
    /// Reading the value's text back, from JSON for instance, refuses it again where [`SpreadsheetToken::new`] does.
    ///
    /// # Errors
    /// [`InvalidKind::BadSpreadsheetToken`].
    pub fn any_kind(token: &str) -> Result<Self, Invalid> {
        if is_id(token, 128) {
            Ok(Self(token.to_owned()))
        } else {
            Err(Invalid::new(InvalidKind::BadSpreadsheetToken, token))
        }
    }

    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_traits!(SpreadsheetToken);

pub(super) fn not_a_spreadsheet(token: &str, kind: &str) -> Invalid {
    // Shortened here, so that the kind's name is not cut off.
    let token = excerpt(token.as_bytes(), 30);
    Invalid::new(InvalidKind::NotASpreadsheet, format!("`{token}` is {kind}"))
}

/// The document that a token names, which is not clearly of another kind than a spreadsheet or a page of a wiki.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    Spreadsheet(SpreadsheetToken),
    Wiki(WikiToken),
}

impl Document {
    pub(super) fn of_token(token: &str) -> Result<Self, Invalid> {
        let spreadsheet = SpreadsheetToken::any_kind(token)?;
        match Kind::of_token(token) {
            None | Some(Kind::Spreadsheet) => Ok(Self::Spreadsheet(spreadsheet)),
            Some(Kind::Wiki) => Ok(Self::Wiki(WikiToken(spreadsheet.0))),
            Some(Kind::Other(name)) => Err(not_a_spreadsheet(token, name)),
        }
    }
}

/// The kind of document that a token or a link's path names.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Spreadsheet,
    Wiki,
    Other(&'static str),
}

/// Each kind with the three letters that its tokens carry, and the paths of its links.
const KINDS: [(Kind, &[&str], &[&str]); 8] = [
    (Kind::Spreadsheet, &["sht"], &["sheets", "sheet", "spreadsheets"]),
    (Kind::Wiki, &["wik"], &["wiki"]),
    (Kind::Other("a document"), &["doc", "dox"], &["docx", "docs", "doc"]),
    (Kind::Other("a base"), &["bas"], &["base", "bitable"]),
    (Kind::Other("a folder"), &["fld", "nod"], &["drive/folder", "folder"]),
    (Kind::Other("a file"), &["box"], &["file"]),
    (Kind::Other("a mind note"), &["bmn"], &["mindnotes", "mindnote"]),
    (Kind::Other("a presentation"), &["sld", "ppt"], &["slides"]),
];

/// The two letters after the kind's three, in tokens in use: they stand for the site that issued the token.
const UNITS: [&str; 4] = ["cn", "us", "lg", "k4"];

impl Kind {
    /// The kind that a token's letters name, if they name one.
    fn of_token(token: &str) -> Option<Self> {
        let first: String = token.chars().take(5).collect();
        let spread: String = token.chars().skip(4).step_by(5).take(5).collect();
        if ["fake_office_", "local_office_"].iter().any(|start| token.starts_with(start))
            || spread == "OFL0X"
        {
            return Some(Self::Other("an Office file"));
        }
        // A spreadsheet comes first in the table: a token that is one in either form counts as one.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_itself_or_from_a_link_without_a_sheet() {
        for text in [
            "shtcngNyg",
            "shtcngNyg\n",
            "HTTPS://x.feishu.cn/sheets/shtcngNyg",
            "https://x.feishu.cn/sheets/shtcngNyg",
            "https://x.feishu.cn/sheets/shtcngNyg/",
            "https://x.feishu.cn/sheets/shtcngNyg#",
            "x.feishu.cn/sheets/shtcngNyg?from=from_copylink",
            "<https://x.feishu.cn/sheets/shtcngNyg>",
            " https://x.larksuite.com/sheets/shtcngNyg?sheet=\n",
        ] {
            assert_eq!(SpreadsheetToken::new(text).unwrap().as_str(), "shtcngNyg", "{text}");
        }
        for text in [
            "https://x.feishu.cn/sheets/shtcngNyg?sheet=giDk9k",
            "https://x.feishu.cn/space/sheet/shtcngNyg#giDk9k",
            "shtcngNygNfuqhxTBf588jwgWbJ_giDk9k",
        ] {
            let error = SpreadsheetToken::new(text).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::UnexpectedSheet, "{text}");
            assert!(error.to_string().contains("`shtcngNyg"), "{error}");
        }
    }

    #[test]
    fn a_text_that_is_neither_a_token_nor_a_link_is_refused() {
        for (text, kind) in [
            ("", InvalidKind::BadSpreadsheetToken),
            ("sht cn", InvalidKind::BadSpreadsheetToken),
            ("../sheets", InvalidKind::BadSpreadsheetLink),
            ("sht\r\ncn", InvalidKind::BadSpreadsheetToken),
            (&"x".repeat(129), InvalidKind::BadSpreadsheetToken),
        ] {
            assert_eq!(SpreadsheetToken::new(text).unwrap_err().kind(), kind, "{text}");
        }
        assert_eq!("工作表1".parse::<SheetId>().unwrap_err().kind(), InvalidKind::BadSheetId);
    }

    #[test]
    fn a_token_that_is_clearly_another_kinds_is_refused_by_the_kinds_name() {
        for (token, kind) in [
            ("doccnwQPpbd02NPH7gikvHKIxEc", "a document"),
            ("docusQPpbd02NPH7gikvHK", "a document"),
            ("doxcnXDUZUUc72xEHHnrCrTOLrf", "a document"),
            ("NG0Od5GOyo6oefxch2NlpiImg3f", "a document"),
            ("bascnCMII2ORuEjIDXvVecCKNEc", "a base"),
            ("basusabc", "a base"),
            ("ZiSYbHFEVaHLWEsRIMslelXIgIb", "a base"),
            ("ZiSYbHFEVaHLWEsRIMskelXI4Ib", "a base"),
            ("fldcnGAAbYc", "a folder"),
            ("nodcnGAAbYc", "a folder"),
            ("boxcnajTX2Hol9ApYjamrJOyi1d", "a file"),
            ("bmncnORD1oRB5gtJjcITTmsWMHG", "a mind note"),
            ("E5ZVbaxDCmGtVxnlauFcBAJjn1d", "a mind note"),
            ("sldcnlg6qvLb6zE9bQ09yjGeHbc", "a presentation"),
            ("abcdpefghpijkltmnopcqrstnuv", "a presentation"),
            ("fake_office_abc123", "an Office file"),
            ("local_office_abc123", "an Office file"),
            ("FS7VORzoOFgtecLxz4q0qiKuXQE", "an Office file"),
            ("aaaaOaaaaFaaaaLaaaa0aaaaX", "an Office file"),
        ] {
            let error = SpreadsheetToken::new(token).expect_err(token);
            assert_eq!(error.kind(), InvalidKind::NotASpreadsheet, "{token}");
            let text = format!("`{token}` is {kind}, which is not a spreadsheet");
            assert_eq!(error.to_string(), text);
            assert_eq!(SpreadsheetToken::any_kind(token).unwrap().as_str(), token);
        }
        for wiki in ["wikcnKQ1k3p", "wikusKQ1k3p", "EBkYwuVYbivkJUkOtZVcMjXPnYe"] {
            let error = SpreadsheetToken::new(wiki).expect_err(wiki);
            assert_eq!(error.kind(), InvalidKind::WikiNode, "{wiki}");
        }
        let long = format!("local_office_{}", "x".repeat(100));
        let error = SpreadsheetToken::new(&long).unwrap_err().to_string();
        assert!(error.ends_with("…` is an Office file, which is not a spreadsheet"), "{error}");
    }

    #[test]
    fn a_token_that_may_be_a_spreadsheets_is_taken() {
        for token in [
            "shtcngNygNfuqhxTBf588jwgWbJ",
            "shtcnVYCBeYWNam9sQZaNO",
            "shtusX0gWFaNl4YZOatQQyN2VSe",
            "shtcnabc",
            "sht",
            "s",
            // The newer form: `shtlg`, `shtcn` and `shtk4`.
            "SXBTsMufdhz9hstO0yblvRLXg8b",
            "Qd5JsUX0ehhqO9thXcGlyAIYg9g",
            "abcdsefghhijkltmnopcqrstnuv",
            "abcdsefghhijkltmnopkqrst4uv",
            // A spreadsheet's in the newer form, whatever its first letters are.
            "bascsefghhijkltmnopcqrstnuv",
            // From the vendor's pages, without the letters of a kind.
            "MRLOWBf6J47ZUjmwYRsN8utLEoY",
            "Iow7sNNEphp3WbtnbCscPqabcef",
            // With unknown letters after the kind's, or a word that begins like a kind's letters.
            "basxxabc",
            "documents",
            "box-1",
            "wiki",
            "OFL0Xaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaOaaaaFaaaaLaaaa0aaaa",
            "shtcn_test",
        ] {
            assert_eq!(SpreadsheetToken::new(token).expect(token).as_str(), token);
        }
        for bad in ["", "sht cn", "https://x.feishu.cn/sheets/shtcn", &"x".repeat(129)] {
            let error = SpreadsheetToken::any_kind(bad).expect_err(bad);
            assert_eq!(error.kind(), InvalidKind::BadSpreadsheetToken, "{bad}");
        }
    }
}
