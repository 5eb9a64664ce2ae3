//! The token of a spreadsheet, which is read from its text or from a link.

use crate::error::{Invalid, InvalidKind};
use crate::values::charset::is_id;
use crate::values::link::Address;
use crate::values::macros::text_traits;

/// The token of a spreadsheet: 1 to 128 letters, digits, `-` or `_`, such as `shtcngNygNfuqhxTBf588jwgWbJ`.
///
/// It is read from the token itself or from a link to the spreadsheet, as the
/// [vendor's page](https://open.feishu.cn/document/faq/trouble-shooting/how-to-get-docs-tokens) shows it. A link that
/// names a sheet too is refused, because the sheet would be lost: [`SpreadsheetLink`](crate::SpreadsheetLink) keeps it.
///
/// The token of a document of another kind is refused, and the error names the kind. Five letters of a token spell the
/// kind: in older tokens the first five (`shtcn..` is a spreadsheet, `bascn..` a base), in newer ones those at the
/// positions 4, 9, 14, 19 and 24, counted from 0 (`SXBTsMufdhz9hstO0yblvRLXg8b` spells `shtlg`). The vendor documents
/// neither form, so a token of no known kind is accepted here, and [`any_kind`](Self::any_kind) accepts every token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "电子表格")]
pub struct SpreadsheetToken(String);

impl SpreadsheetToken {
    /// The spreadsheet that `text`, a token or a link, names.
    ///
    /// # Errors
    /// [`InvalidKind::UnexpectedSheet`] for a link that names a sheet too, and the errors of
    /// [`SpreadsheetLink::new`](crate::SpreadsheetLink::new).
    ///
    /// ```
    /// use lark_proto::values::SpreadsheetToken;
    /// let token = "bascnCMII2ORuEjIDXvVecCKNEc";
    /// let error = SpreadsheetToken::new(token).unwrap_err();
    /// let text = format!("`{token}` is a base, which is not a spreadsheet");
    /// assert_eq!(error.to_string(), text);
    /// ```
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let address = Address::parse(text)?;
        let token = address.document.spreadsheet()?;
        if address.sheet.is_some() {
            return Err(Invalid::new(InvalidKind::UnexpectedSheet, token.as_str()));
        }
        Ok(token)
    }

    /// The token `token`, whatever its letters say about the kind of the document.
    ///
    /// [`SpreadsheetToken::new`] may refuse the text of this value. The value can then be written as JSON, for example,
    /// but not read back.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::WikiToken;

    #[test]
    fn a_token_is_read_from_its_text_or_from_a_link() {
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
    }

    #[test]
    fn a_link_with_a_sheet_is_not_a_token() {
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
    }

    #[test]
    fn a_token_of_another_kind_is_refused_with_the_name_of_the_kind() {
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
        let long = format!("local_office_{}", "x".repeat(100));
        let error = SpreadsheetToken::new(&long).unwrap_err().to_string();
        assert!(error.ends_with("…` is an Office file, which is not a spreadsheet"), "{error}");
    }

    #[test]
    fn the_token_of_a_wiki_page_is_not_that_of_a_spreadsheet() {
        for wiki in ["wikcnKQ1k3p", "wikusKQ1k3p", "EBkYwuVYbivkJUkOtZVcMjXPnYe"] {
            let error = SpreadsheetToken::new(wiki).expect_err(wiki);
            assert_eq!(error.kind(), InvalidKind::WikiNode, "{wiki}");
            assert_eq!(WikiToken::new(wiki).unwrap().as_str(), wiki);
        }
    }

    #[test]
    fn a_token_that_names_no_other_kind_is_accepted() {
        for token in [
            "shtcngNygNfuqhxTBf588jwgWbJ",
            "shtcnVYCBeYWNam9sQZaNO",
            "shtusX0gWFaNl4YZOatQQyN2VSe",
            "shtcnabc",
            "shtcn_test",
            "sht",
            "s",
            // The newer form: `shtlg`, `shtcn` and `shtk4`.
            "SXBTsMufdhz9hstO0yblvRLXg8b",
            "Qd5JsUX0ehhqO9thXcGlyAIYg9g",
            "abcdsefghhijkltmnopcqrstnuv",
            "abcdsefghhijkltmnopkqrst4uv",
            // It is enough that one form names a spreadsheet: the first letters `basus` name a base.
            "basusefghhijkltmnopcqrstnuv",
            // From the vendor's pages, without the letters of a kind.
            "MRLOWBf6J47ZUjmwYRsN8utLEoY",
            "Iow7sNNEphp3WbtnbCscPqabcef",
            // The three letters of a kind are not followed by the two letters of a site.
            "basxxabc",
            "documents",
            "box-1",
            "wiki",
            // `OFL0X` is not at the positions of the newer form, or is not complete.
            "OFL0Xaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaOaaaaFaaaaLaaaa0aaaa",
        ] {
            assert_eq!(SpreadsheetToken::new(token).expect(token).as_str(), token);
        }
    }

    #[test]
    fn a_spreadsheet_token_has_1_to_128_letters_digits_hyphens_and_underscores() {
        for good in ["s", "a-_9", &"x".repeat(128)] {
            assert_eq!(SpreadsheetToken::any_kind(good).unwrap().as_str(), good);
        }
        for bad in ["", "sht cn", "https://x.feishu.cn/sheets/shtcn", &"x".repeat(129)] {
            let error = SpreadsheetToken::any_kind(bad).expect_err(bad);
            assert_eq!(error.kind(), InvalidKind::BadSpreadsheetToken, "{bad}");
        }
    }
}
