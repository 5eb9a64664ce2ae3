//! The tokens of spreadsheets and of pages of a wiki, and the links from which they are read.

use crate::error::{Invalid, InvalidKind};
use crate::text::{base64, percent_decoded, trimmed};
use crate::values::document_kind::{DocumentKind, not_a_spreadsheet};
use crate::values::macros::text_traits;
use crate::values::rules::is_id;
use crate::values::{SheetId, cell};

/// The token of a page of a wiki: 1 to 128 letters, digits, `-` or `_`, such as `wikcnKQ1k3pcuo5uSK4t8Vabcef`.
///
/// It is read from the token itself, or from a link `https://<host>/wiki/<token>`.
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
            // The vendor does not document the letters of the kinds, so a token with any letters is accepted.
            _ if is_id(text, 128) => Ok(Self(text.to_owned())),
            _ => Err(refused()),
        }
    }

    fn of_token(token: &str) -> Result<Self, Invalid> {
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
/// names a sheet too is refused, because the sheet would be lost: [`SpreadsheetLink`](crate::SpreadsheetLink) keeps it.
///
/// The token of a document of another kind is refused, and the error names the kind. Five letters of a token spell the
/// kind: in older tokens the first five (`shtcn..` is a spreadsheet, `bascn..` a base), in newer ones those at the
/// positions 4, 9, 14, 19 and 24, counted from 0 (`SXBTsMufdhz9hstO0yblvRLXg8b` spells `shtlg`). The vendor documents
/// neither form, so a token of no known kind is accepted here, and [`any_kind`](Self::any_kind) accepts every token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let address = Address::read(text)?;
        let token = address.document.spreadsheet()?;
        if address.sheet.is_some() {
            return Err(Invalid::new(InvalidKind::UnexpectedSheet, token.as_str()));
        }
        Ok(token)
    }

    /// The token `token`, whatever its letters say about the kind of the document.
    ///
    /// The value may not be readable from its own text, for example from JSON, because that calls
    /// [`SpreadsheetToken::new`].
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

/// A document that is a spreadsheet or a page of a wiki, as far as its token tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    Spreadsheet(SpreadsheetToken),
    Wiki(WikiToken),
}

impl Document {
    fn of_token(token: &str) -> Result<Self, Invalid> {
        let spreadsheet = SpreadsheetToken::any_kind(token)?;
        match DocumentKind::of_token(token) {
            None | Some(DocumentKind::Spreadsheet) => Ok(Self::Spreadsheet(spreadsheet)),
            Some(DocumentKind::Wiki) => Ok(Self::Wiki(WikiToken(spreadsheet.0))),
            Some(DocumentKind::Other(name)) => Err(not_a_spreadsheet(token, name)),
        }
    }

    /// The spreadsheet, for a caller that does not ask the service for the document behind a page of a wiki.
    pub(super) fn spreadsheet(self) -> Result<SpreadsheetToken, Invalid> {
        match self {
            Self::Spreadsheet(token) => Ok(token),
            Self::Wiki(page) => Err(Invalid::new(InvalidKind::WikiNode, page.as_str())),
        }
    }
}

/// The parts of a link or a token.
pub(crate) struct Address {
    /// `https://host`, or empty if the text has no host.
    pub(super) origin: String,
    pub(crate) document: Document,
    pub(crate) sheet: Option<SheetId>,
    /// The selected range without its sheet; empty if the text has no range, or a range that cannot be read.
    pub(crate) range: String,
}

impl Address {
    pub(crate) fn read(text: &str) -> Result<Self, Invalid> {
        let text = trimmed(text);
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let text = trimmed(inner.unwrap_or(text));
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (origin, path_kind, token) = if address.contains('/') {
            split(address)?
        } else {
            (String::new(), DocumentKind::Spreadsheet, address)
        };
        let (token, embedded) = token
            .split_once('_')
            .filter(|(token, sheet)| is_long(token) && !sheet.is_empty())
            .map_or((token, None), |(token, sheet)| (token, Some(sheet)));
        let document = match path_kind {
            DocumentKind::Wiki => Document::Wiki(WikiToken::of_token(token)?),
            _ => Document::of_token(token)?,
        };

        let mut sheet = embedded.map(SheetId::new).transpose()?;
        let mut range = None;
        for pair in query.split('&').chain(fragment.split('&')) {
            // A link that was copied from HTML has `&amp;` for `&`.
            let pair = pair.strip_prefix("amp;").unwrap_or(pair);
            match pair.split_once('=') {
                Some((name, id)) if is_sheet(name) && !id.is_empty() => {
                    set_sheet(&mut sheet, sheet_id(id)?)?;
                }
                Some(("range", value)) => range = read_range(value),
                _ => {}
            }
        }
        let anchor = fragment.split('&').find(|part| !part.is_empty() && !part.contains('='));
        if let (None, Some(id)) = (&sheet, anchor) {
            sheet = Some(sheet_id(id)?);
        }
        let range = range.unwrap_or_default();
        let range = match range.split_once(['!', '！']) {
            Some((id, cell)) => {
                let id = id.strip_suffix('\\').unwrap_or(id);
                set_sheet(&mut sheet, SheetId::new(id)?)?;
                cell.to_owned()
            }
            None => range,
        };
        Ok(Self { origin, document, sheet, range })
    }
}

/// Whether `token` is long enough for a token of the service, which has at least 22 letters and digits.
fn is_long(token: &str) -> bool {
    token.len() >= 20 && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Splits a link into its origin, which is empty if it has no host, the kind of the document, and the token.
fn split(address: &str) -> Result<(String, DocumentKind, &str), Invalid> {
    // The part before an `@` may be a password, so errors do not quote it.
    let shown = address.rsplit('@').next().unwrap_or_default();
    let refused = |kind| Invalid::new(kind, shown);
    let no_link = || refused(InvalidKind::BadSpreadsheetLink);
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), address),
    };
    let (host, path) = rest.split_once('/').ok_or_else(no_link)?;
    let origin = if address.starts_with('/') {
        String::new()
    } else if matches!(&*scheme, "https" | "http") && is_host(host) {
        format!("{scheme}://{}", host.to_ascii_lowercase())
    } else {
        return Err(no_link());
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix("space/").unwrap_or(path);
    match DocumentKind::of_path(path) {
        Some((DocumentKind::Other(kind), _)) => Err(not_a_spreadsheet(path, kind)),
        Some((kind, token)) if !token.contains('/') => Ok((origin, kind, token)),
        _ => Err(no_link()),
    }
}

/// Whether `host`, with or without a port, consists of characters that a host may have. The host itself is not checked,
/// because no request is sent to it.
fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    host.bytes().all(is_allowed) && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a parameter of this name is the sheet's id: `sheet`, and the names that the id has in the service's API.
fn is_sheet(name: &str) -> bool {
    ["sheet", "sheetId", "sheet_id"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Sets `sheet`, and refuses a link that names two sheets.
fn set_sheet(sheet: &mut Option<SheetId>, id: SheetId) -> Result<(), Invalid> {
    match sheet {
        Some(other) if *other != id => {
            Err(Invalid::new(InvalidKind::SeveralSheets, format!("`{other}` and `{id}`")))
        }
        _ => {
            *sheet = Some(id);
            Ok(())
        }
    }
}

fn sheet_id(escaped: &str) -> Result<SheetId, Invalid> {
    let id =
        percent_decoded(escaped).ok_or_else(|| Invalid::new(InvalidKind::BadSheetId, escaped))?;
    SheetId::new(&id)
}

/// The range in plain text. The service writes it in base64, but links with plain text exist too. Plain text may be valid
/// base64 by chance, so the decoded text counts only if it contains a `:`.
fn read_range(escaped: &str) -> Option<String> {
    let plain = percent_decoded(escaped)?;
    if cell::read(&plain).is_ok() {
        return Some(plain);
    }
    Some(base64::decoded(&plain).filter(|range| range.contains(':')).unwrap_or(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_wiki_token_has_1_to_128_letters_digits_hyphens_and_underscores() {
        for good in ["w", "a-_9", "shtcnabc", &"w".repeat(128)] {
            assert_eq!(WikiToken::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "w w", "图", "https://x.feishu.cn/sheets/shtcnA", &"w".repeat(129)] {
            assert_eq!(WikiToken::new(bad).unwrap_err().kind(), InvalidKind::BadWikiToken, "{bad}");
        }
    }

    #[test]
    fn a_token_that_names_no_other_kind_is_accepted() {
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
            // The newer form decides, whatever the first letters are.
            "bascsefghhijkltmnopcqrstnuv",
            // From the vendor's pages, without the letters of a kind.
            "MRLOWBf6J47ZUjmwYRsN8utLEoY",
            "Iow7sNNEphp3WbtnbCscPqabcef",
            // Other letters after the three of a kind.
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
