//! A link to a spreadsheet, in the forms in which people copy it.

mod address;
mod document_kind;

use crate::error::Invalid;
use crate::text::base64;
use crate::values::macros::text_traits;
use crate::values::{SheetCell, SheetId, SpreadsheetToken};

pub(crate) use address::{Address, Document};

/// A link to a spreadsheet, with the sheet and the cell that it names, or the spreadsheet's token alone.
///
/// The vendor's [pages](https://open.feishu.cn/document/faq/trouble-shooting/how-to-get-docs-tokens) show
/// `https://<tenant>.feishu.cn/sheets/<token>?sheet=<sheet id>`. Other forms are in use and are read too:
/// * the paths `/sheet/..`, `/spreadsheets/..` and, in older links, `/space/sheet/..`;
/// * the sheet in the fragment, as `#sheet=<sheet id>` or `#<sheet id>`;
/// * the selected cell in `range=`, in plain text or, as the service writes it, in base64 (`SDc6SDc%3D` is `H7:H7`);
/// * a link without a scheme or without a host (`/sheets/<token>`), and a link in `<` and `>`, white space or invisible
///   characters;
/// * `<token>_<sheet id>`, which names a sheet that is embedded in a document. A text counts as this form if it has at
///   least 20 letters and digits before the `_`.
///
/// A host of ASCII letters, digits and `.-_:[]` is accepted without another check, because no request is sent to it. A
/// sheet in the link is never ignored: a sheet that cannot be read is an error, and so are two different sheets. A part
/// of the fragment without `=`, as in `#giDk9k`, counts as a sheet only if neither a `sheet=` nor the token names one.
///
/// The value's text is the link in the vendor's form, without the rest of the query. Links with different hosts are
/// different values, even if they lead to the same spreadsheet.
///
/// ```
/// use lark_proto::SpreadsheetLink;
/// let text = "x.feishu.cn/space/sheet/shtcnabc?range=SDc6SDc%3D#giDk9k";
/// let link: SpreadsheetLink = text.parse()?;
/// assert_eq!(link.token().as_str(), "shtcnabc");
/// assert_eq!(link.sheet().map(|sheet| sheet.as_str()), Some("giDk9k"));
/// assert_eq!(link.cell().map(|cell| cell.cell()), Some("H7"));
/// let (path, query) = link.as_str().split_once('?').unwrap();
/// assert_eq!(path, "https://x.feishu.cn/sheets/shtcnabc");
/// assert_eq!(query, "sheet=giDk9k&range=SDc6SDc%3D");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "url")]
pub struct SpreadsheetLink {
    text: String,
    token: SpreadsheetToken,
    sheet: Option<SheetId>,
    cell: Option<SheetCell>,
}

impl SpreadsheetLink {
    /// Reads `text`, which is a link or a token.
    ///
    /// # Errors
    /// [`WikiNode`](crate::error::InvalidKind::WikiNode) for the link or the token of a page of a wiki, which is not
    /// the token of the spreadsheet on that page; [`NotASpreadsheet`](crate::error::InvalidKind::NotASpreadsheet) for
    /// the link or the token of a document of another kind;
    /// [`BadSpreadsheetLink`](crate::error::InvalidKind::BadSpreadsheetLink),
    /// [`BadSpreadsheetToken`](crate::error::InvalidKind::BadSpreadsheetToken),
    /// [`BadSheetId`](crate::error::InvalidKind::BadSheetId),
    /// [`SeveralSheets`](crate::error::InvalidKind::SeveralSheets).
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let Address { origin, document, sheet, range, .. } = Address::parse(text)?;
        let token = document.spreadsheet()?;
        let cell = sheet.clone().and_then(|sheet| SheetCell::in_sheet(sheet, &range).ok());
        Ok(Self {
            text: written(&origin, &token, sheet.as_ref(), cell.as_ref()),
            token,
            sheet,
            cell,
        })
    }

    /// The spreadsheet.
    #[must_use]
    pub fn token(&self) -> &SpreadsheetToken {
        &self.token
    }

    /// The sheet, if the link names one.
    #[must_use]
    pub fn sheet(&self) -> Option<&SheetId> {
        self.sheet.as_ref()
    }

    /// The cell, if the link names a sheet and one cell of it. A range of several cells, whole rows or whole columns,
    /// which were selected when the link was copied, is ignored.
    #[must_use]
    pub fn cell(&self) -> Option<&SheetCell> {
        self.cell.as_ref()
    }

    /// The link in the vendor's form, such as `https://x.feishu.cn/sheets/shtcnabc?sheet=giDk9k`, or `/sheets/shtcnabc`
    /// without a host.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_traits!(SpreadsheetLink);

/// The link in the vendor's form.
fn written(
    origin: &str,
    token: &SpreadsheetToken,
    sheet: Option<&SheetId>,
    cell: Option<&SheetCell>,
) -> String {
    let mut text = format!("{origin}/sheets/{token}");
    if let Some(sheet) = sheet {
        text += &format!("?sheet={sheet}");
    }
    if let Some(cell) = cell {
        let range = base64::encoded(format!("{cell}:{cell}", cell = cell.cell()));
        text += &format!("&range={}", range.replace('=', "%3D"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    /// A text, the link in the vendor's form, its sheet and its cell.
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

    fn check(rows: &[Row<'_>]) {
        for (text, written, sheet, cell) in rows {
            let link = SpreadsheetLink::new(text).expect(text);
            assert_eq!(link.as_str(), *written, "{text}");
            assert_eq!(link.sheet().map(SheetId::as_str), *sheet, "{text}");
            assert_eq!(link.cell().map(SheetCell::cell), *cell, "{text}");
            assert_eq!(link.cell().map(SheetCell::sheet), link.cell().and(link.sheet()), "{text}");
            assert!(written.contains(&format!("/sheets/{}", link.token())), "{text}");
            assert_eq!(SpreadsheetLink::new(link.as_str()), Ok(link), "{text}");
        }
    }

    const PLAIN: &str = "https://x.feishu.cn/sheets/shtcnA";
    const SHEET: &str = "https://x.feishu.cn/sheets/shtcnA?sheet=giDk9k";
    const CELL: &str = "https://x.feishu.cn/sheets/shtcnA?sheet=giDk9k&range=SDc6SDc%3D";

    #[test]
    fn every_path_in_use_is_read() {
        check(&[
            ("https://x.feishu.cn/sheets/shtcnA", PLAIN, None, None),
            ("https://x.feishu.cn/sheets/shtcnA/", PLAIN, None, None),
            ("https://x.feishu.cn/sheet/shtcnA", PLAIN, None, None),
            ("https://x.feishu.cn/spreadsheets/shtcnA", PLAIN, None, None),
            ("https://x.feishu.cn/space/sheet/shtcnA", PLAIN, None, None),
            ("https://x.feishu.cn/space/sheets/shtcnA", PLAIN, None, None),
            ("x.feishu.cn/sheets/shtcnA", PLAIN, None, None),
            ("HTTPS://X.Feishu.CN/sheets/shtcnA", PLAIN, None, None),
            ("<https://x.feishu.cn/sheets/shtcnA>", PLAIN, None, None),
            (" < https://x.feishu.cn/sheets/shtcnA >\n", PLAIN, None, None),
            ("\u{3000}x.feishu.cn/sheets/shtcnA\r\n", PLAIN, None, None),
            (
                "\u{feff}\u{202a}<\u{200b}x.feishu.cn/sheets/shtcnA\u{200b}>\u{202c}",
                PLAIN,
                None,
                None,
            ),
            ("/sheets/shtcnA", "/sheets/shtcnA", None, None),
            ("shtcnA", "/sheets/shtcnA", None, None),
            ("shtcnA?sheet=giDk9k", "/sheets/shtcnA?sheet=giDk9k", Some("giDk9k"), None),
        ]);
    }

    #[test]
    fn every_host_is_read() {
        for host in [
            "http://lark.example:80",
            "https://cgfscmkep8m.sg.larksuite.com",
            "https://rjpl4x6x1094.jp.larksuite.com",
            "https://bytedance.larkoffice.com",
            "https://10.0.0.1:8443",
            "https://[::1]:8443",
            "https://sheets",
            "https://a-b.feishu.cn",
            "https://a_b.feishu.cn",
            "https://xn--fsqu00a.cn",
        ] {
            let text = format!("{host}/sheets/shtcnA");
            check(&[(&text, &text, None, None)]);
        }
    }

    #[test]
    fn a_sheet_is_read_in_every_form_in_use() {
        for end in [
            "?sheet=giDk9k",
            "#sheet=giDk9k",
            "#giDk9k",
            "/?sheet=giDk9k",
            "?from=x&sheet=giDk9k&r=1#top",
            "?from=x&amp;sheet=giDk9k&amp;r=1",
            "?sheet=giDk9k#sheet=giDk9k",
            "?sheet=giDk9k&sheet=giDk9k",
            "?sheet=&sheet=giDk9k",
            "?sheet=#giDk9k",
            "?sheet=gi%44k9k",
            "?sheet=giDk9k&view=a/b",
            "#a=b&giDk9k",
            "?sheet=giDk9k#",
            "?sheet=giDk9k\u{200b}",
            "?Sheet=giDk9k",
            "?sheetId=giDk9k",
            "?sheet_id=giDk9k",
            "#sheetId=giDk9k",
        ] {
            let text = format!("x.feishu.cn/sheets/shtcnA{end}");
            check(&[(&text, SHEET, Some("giDk9k"), None)]);
        }
        check(&[
            (
                "https://x.feishu.cn/space/sheet/shtcnVYCBeYWNam9sQZaNO#295957",
                "https://x.feishu.cn/sheets/shtcnVYCBeYWNam9sQZaNO?sheet=295957",
                Some("295957"),
                None,
            ),
            ("https://x.feishu.cn/sheets/shtcnA?sheet=", PLAIN, None, None),
            ("https://x.feishu.cn/sheets/shtcnA?sheets=a#b=c", PLAIN, None, None),
        ]);
    }

    #[test]
    fn an_embedded_sheet_is_distinguished_from_a_token_by_the_length_before_the_underscore() {
        let embedded = "shtcngNygNfuqhxTBf588jwgWbJ_giDk9k";
        let written = "/sheets/shtcngNygNfuqhxTBf588jwgWbJ?sheet=giDk9k";
        check(&[
            (embedded, written, Some("giDk9k"), None),
            (
                &format!("https://x.feishu.cn/sheets/{embedded}?sheet=giDk9k"),
                &format!("https://x.feishu.cn{written}"),
                Some("giDk9k"),
                None,
            ),
            ("shtcn_test", "/sheets/shtcn_test", None, None),
            ("shtcn45678901234567_a", "/sheets/shtcn45678901234567_a", None, None),
            ("shtcn456789012345678_a", "/sheets/shtcn456789012345678?sheet=a", Some("a"), None),
            ("shtcn456789-12345678_a", "/sheets/shtcn456789-12345678_a", None, None),
            ("shtcn456789012345678_", "/sheets/shtcn456789012345678_", None, None),
        ]);
    }

    #[test]
    fn a_range_of_one_cell_is_read_in_every_form_in_use() {
        for range in [
            "SDc6SDc%3D",
            "SDc6SDc=",
            "SDc6SDc",
            "H7",
            "h7",
            "H7:H7",
            "H7%3AH7",
            "$H$7",
            "%24H%247",
            "giDk9k!H7:H7",
            "giDk9k%21H7",
            "giDk9k%EF%BC%81H7",
            "giDk9k\\!H7",
            "Z2lEazlrIUg3Okg3",
        ] {
            for end in [
                format!("?sheet=giDk9k&range={range}"),
                format!("?range={range}&sheet=giDk9k"),
                format!("?range={range}#giDk9k"),
                format!("#sheet=giDk9k&range={range}"),
                format!("#giDk9k&range={range}"),
            ] {
                let text = format!("https://x.feishu.cn/sheets/shtcnA{end}");
                check(&[(&text, CELL, Some("giDk9k"), Some("H7"))]);
            }
        }
        let text = "https://x.feishu.cn/sheets/shtcnA?range=giDk9k!H7";
        check(&[(text, CELL, Some("giDk9k"), Some("H7"))]);
    }

    #[test]
    fn a_range_of_several_cells_or_an_unreadable_range_is_ignored() {
        // These are `H7:I8`, `3:3` and `A:A` in base64, the same ranges in plain text, and texts that are not ranges.
        for range in [
            "SDc6STg=", "Mzoz", "QTpB", "H7:I8", "H:H", "3:3", "", "%", "%zz", "%ff", "A0", "SFA1",
            "SDc=",
        ] {
            let text = format!("{SHEET}&range={range}");
            check(&[(&text, SHEET, Some("giDk9k"), None)]);
        }
        check(&[("https://x.feishu.cn/sheets/shtcnA?range=H7", PLAIN, None, None)]);
    }

    #[test]
    fn a_range_in_plain_text_is_not_taken_for_base64() {
        for column in (1..=13_000).step_by(5) {
            for row in [6, 41, 104] {
                let cell = SheetCell::at(SheetId::new("s").unwrap(), column, row).unwrap();
                let text = format!("/sheets/A?sheet=s&range={}", cell.cell());
                assert_eq!(SpreadsheetLink::new(&text).unwrap().cell(), Some(&cell));
            }
        }
    }

    #[test]
    fn a_text_that_is_no_link_to_a_spreadsheet_is_refused_and_no_password_is_quoted() {
        for (text, kind) in [
            ("", InvalidKind::BadSpreadsheetToken),
            ("<>", InvalidKind::BadSpreadsheetToken),
            ("x.feishu.cn", InvalidKind::BadSpreadsheetToken),
            ("../sheets", InvalidKind::BadSpreadsheetLink),
            ("../sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("//x.feishu.cn/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https:///sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://x y/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://x~y/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://-/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://飞书.cn/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://user:pass@x.feishu.cn/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://user:pass@x.feishu.cn/wiki/wikcn", InvalidKind::BadSpreadsheetLink),
            ("https://user:pass?x@x.feishu.cn/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://user:pass/x#x@x.feishu.cn/sheets/T", InvalidKind::BadSpreadsheetLink),
            ("user:pass#x@x.feishu.cn/sheets/T", InvalidKind::BadSpreadsheetToken),
            ("user:pass?x@x.feishu.cn/sheets/T?x=a://b", InvalidKind::BadSpreadsheetToken),
            ("https://DOM/user:pass#x@x.feishu.cn/sheets/T", InvalidKind::BadSpreadsheetLink),
            ("user:pass://x#y@x.feishu.cn/sheets/T", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/wiki/wikcnKQ1k3p?sheet=giDk9k", InvalidKind::WikiNode),
            ("x.feishu.cn/wiki/EBkYwuVYbivkJUkOtZVcMjXPnYe", InvalidKind::WikiNode),
            ("https://x.feishu.cn/sheets/wikcnKQ1k3p", InvalidKind::WikiNode),
            ("https://x.feishu.cn/docx/shtcn", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/docx/shtcn?from=a@b", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/space/doc/AHIfC4uV0q95atVGC3zBVh", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/base/Pc9OpwAV4nLdU7lTy71t6Kmmkoz", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/drive/folder/cSJe2JgtFFBw", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/file/ndqUw1kpjnGNNaegyqDyoQD", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/sheets/bascnCMII2ORuEjI", InvalidKind::NotASpreadsheet),
            ("https://x.feishu.cn/drive/home", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/a/b", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/space", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn", InvalidKind::BadSpreadsheetLink),
            ("ftp://x.feishu.cn/sheets/a", InvalidKind::BadSpreadsheetLink),
            ("https://x/sheets/a://b", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/a%20b", InvalidKind::BadSpreadsheetToken),
            ("https://x.feishu.cn/sheets/a\r\nb", InvalidKind::BadSpreadsheetToken),
            ("https://x.feishu.cn/sheets/a?sheet=a%20b", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a?sheet=%zz", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a?sheet=工作表", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a#sheet=a!b", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a#:~:text", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a?range=a%20b!H7", InvalidKind::BadSheetId),
            ("shtcngNygNfuqhxTBf588jwgWbJ_图", InvalidKind::BadSheetId),
            ("https://x.feishu.cn/sheets/a?sheet=b#sheet=c", InvalidKind::SeveralSheets),
            ("https://x.feishu.cn/sheets/a?sheet=b&range=c!H7", InvalidKind::SeveralSheets),
            ("shtcngNygNfuqhxTBf588jwgWbJ_b?sheet=c", InvalidKind::SeveralSheets),
        ] {
            let error = SpreadsheetLink::new(text).expect_err(text);
            assert_eq!(error.kind(), kind, "{text}");
            assert!(!error.to_string().contains("pass"), "{error}");
        }
    }

    #[test]
    fn an_error_names_the_kind_of_the_document_or_both_sheets() {
        for (text, shown) in [
            ("x.cn/docx/UXEA", "`docx/UXEA` is a document, which is not a spreadsheet"),
            (
                "x.cn/sheets/a?sheet=b#sheet=c",
                "the link names two sheets, `b` and `c`: leave one out",
            ),
        ] {
            assert_eq!(SpreadsheetLink::new(text).unwrap_err().to_string(), shown);
        }
    }
}
