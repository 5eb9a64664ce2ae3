//! Which spreadsheet, and which sheet in it.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::error::InvalidKind;
use crate::values::text::{is_id, text};

/// The token that names a spreadsheet: 1 to 128 letters, digits, `-` or `_`, such as
/// `shtcngNygNfuqhxTBf588jwgWbJ`.
///
/// Parsed from the token itself or from the link in the browser's address bar; a link's sheet id is
/// kept by [`SpreadsheetLink`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadsheetToken(String);

text! {
    /// The id of a sheet inside a spreadsheet, as it stands in the address bar after `?sheet=`: 1 to 64
    /// letters, digits, `-` or `_`. It is not the title on the sheet's tab.
    pub struct SheetId: |text| is_id(text, 64), BadSheetId
}

/// A link to a spreadsheet: `https://<tenant>.feishu.cn/sheets/<token>?sheet=<sheet id>`.
///
/// ```
/// use lark_proto::SpreadsheetLink;
/// let link: SpreadsheetLink = "https://x.feishu.cn/sheets/shtcnabc?sheet=giDk9k".parse()?;
/// assert_eq!(link.token.as_str(), "shtcnabc");
/// assert_eq!(link.sheet.unwrap().as_str(), "giDk9k");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SpreadsheetLink {
    /// The spreadsheet.
    pub token: SpreadsheetToken,
    /// The sheet that is open, if the link says so.
    pub sheet: Option<SheetId>,
}

impl SpreadsheetToken {
    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// # Errors
/// [`InvalidKind::BadSpreadsheetToken`]; for links, those of [`SpreadsheetLink`].
impl FromStr for SpreadsheetToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.contains('/') {
            return text.parse().map(|link: SpreadsheetLink| link.token);
        }
        if !is_id(text, 128) {
            return Err(Invalid::new(InvalidKind::BadSpreadsheetToken, text));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Any tenant's host is taken, a private deployment's too: a link is read here and never followed.
///
/// # Errors
/// [`InvalidKind::WikiNode`] for `/wiki/<node>`, whose token is not the spreadsheet's;
/// [`InvalidKind::BadSpreadsheetLink`], [`InvalidKind::BadSpreadsheetToken`], [`InvalidKind::BadSheetId`].
impl FromStr for SpreadsheetLink {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let no_link = || Invalid::new(InvalidKind::BadSpreadsheetLink, text);
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(no_link)?;
        if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(no_link());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let host_and_path = path.split_once('/').filter(|(host, _)| !host.is_empty());
        let (_, path) = host_and_path.ok_or_else(no_link)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let token = match path.split_once('/') {
            Some(("sheets", token)) if !token.contains('/') => token,
            Some(("wiki", _)) => return Err(Invalid::new(InvalidKind::WikiNode, text)),
            _ => return Err(no_link()),
        };
        let sheet = query.split('&').find_map(|pair| pair.strip_prefix("sheet="));
        let sheet = sheet.filter(|id| !id.is_empty()).map(str::parse).transpose()?;
        Ok(Self { token: token.parse()?, sheet })
    }
}

impl fmt::Display for SpreadsheetToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_itself_or_from_its_link() {
        for (text, sheet) in [
            ("shtcngNyg", None),
            ("shtcngNyg\n", None),
            ("HTTPS://x.feishu.cn/sheets/shtcngNyg", None),
            ("https://x.feishu.cn/sheets/shtcngNyg", None),
            ("https://x.feishu.cn/sheets/shtcngNyg/", None),
            ("https://x.feishu.cn/sheets/shtcngNyg?sheet=giDk9k", Some("giDk9k")),
            ("http://lark.example:80/sheets/shtcngNyg?from=x&sheet=giDk9k&r=1#top", Some("giDk9k")),
            (" https://x.larksuite.com/sheets/shtcngNyg?sheet=\n", None),
        ] {
            assert_eq!(text.parse::<SpreadsheetToken>().unwrap().as_str(), "shtcngNyg", "{text}");
            if text.contains('/') {
                let link: SpreadsheetLink = text.parse().unwrap();
                assert_eq!(link.sheet.as_ref().map(SheetId::as_str), sheet, "{text}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_by_its_rule() {
        for (text, rule) in [
            ("", InvalidKind::BadSpreadsheetToken),
            ("sht cn", InvalidKind::BadSpreadsheetToken),
            ("../sheets", InvalidKind::BadSpreadsheetLink),
            ("x.feishu.cn/sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https:///sheets/shtcn", InvalidKind::BadSpreadsheetLink),
            ("sht\r\ncn", InvalidKind::BadSpreadsheetToken),
            (&"x".repeat(129), InvalidKind::BadSpreadsheetToken),
            ("https://x.feishu.cn/wiki/wikcnKQ1k3p?sheet=giDk9k", InvalidKind::WikiNode),
            ("https://x.feishu.cn/docx/shtcn", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/a/b", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn", InvalidKind::BadSpreadsheetLink),
            ("ftp://x.feishu.cn/sheets/a", InvalidKind::BadSpreadsheetLink),
            ("https://x/sheets/a://b", InvalidKind::BadSpreadsheetLink),
            ("https://x.feishu.cn/sheets/a?sheet=a%20b", InvalidKind::BadSheetId),
        ] {
            assert_eq!(text.parse::<SpreadsheetToken>().unwrap_err().kind(), rule, "{text}");
        }
        assert_eq!("工作表1".parse::<SheetId>().unwrap_err().kind(), InvalidKind::BadSheetId);
    }
}
