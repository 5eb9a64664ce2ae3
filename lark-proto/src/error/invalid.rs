//! Values that are refused before anything is sent.

use std::fmt;

use crate::text::{Secrets, without_user_info};

/// A value that was refused when it was built: its [`InvalidKind`], and a text that quotes the part that is wrong,
/// shortened. Secrets are never quoted.
///
/// ```
/// use lark_proto::SheetCell;
/// use lark_proto::error::InvalidKind;
///
/// let error = "Q7PlXT!H7:J8".parse::<SheetCell>().unwrap_err();
/// assert_eq!(error.kind(), InvalidKind::SeveralCells);
/// let text = "an image goes into one cell, but `H7:J8` is a range";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    kind: InvalidKind,
    part: String,
}

impl Invalid {
    /// `part` is quoted in the message, so it must not hold a secret. The user and password of a URL are left out, and
    /// so is what looks like a token, in case it was entered in the wrong place.
    pub(crate) fn new(kind: InvalidKind, part: impl AsRef<[u8]>) -> Self {
        let part = without_user_info(part.as_ref());
        Self { kind, part: Secrets::default().clear(&part, 60) }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> InvalidKind {
        self.kind
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.kind.text();
        match text.split_once("{}") {
            Some((before, after)) => write!(f, "{before}{}{after}", self.part),
            None => f.write_str(text),
        }
    }
}

impl std::error::Error for Invalid {}

/// Each kind with its text, where `{}` stands for the part that is wrong. The text is the kind's documentation too.
macro_rules! kinds {
    ($($name:ident: $text:literal;)+) => {
        /// The kind of an [`Invalid`] error. In its text, `{}` stands for the invalid part of the value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum InvalidKind {
            $(#[doc = $text] $name,)+
        }

        impl InvalidKind {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),+];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    EmptyImage: "the image file is empty";
    ImageTooLarge: "the image is too large: {}";
    UnknownImageFormat: "the file begins with `{}` and is not a PNG, JPEG, GIF, BMP, TIFF, BPG, WEBP, HEIC or ICO image: convert the image to PNG or JPEG";
    FormatNotAccepted: "{} is not accepted: convert the image to PNG or JPEG";
    TooManyPixels: "the image has too many pixels: {}";
    UnreadableResolution: "the resolution of the {} file cannot be read: write the file again as PNG or JPEG";
    BadExtension: "`{}` is not a file name's extension: 1 to 16 letters or digits, without the dot";
    EmptyFileName: "the file name `{}` has nothing before its extension";
    LongFileName: "the file name has {} bytes; at most 255 are allowed";
    BadFileNameCharacter: "a file name cannot contain {}";
    MissingSheetId: "`{}` does not name the sheet: its id goes in front, as in `Q7PlXT!H7`";
    BadSheetId: "`{}` is not a sheet's id: the id stands after `?sheet=` in the address bar, it is not the title of the tab";
    SeveralCells: "an image goes into one cell, but `{}` is a range";
    BadCell: "`{}` is not a cell: a cell is letters and a number, as in `H7`";
    ColumnZero: "column 0 of row {} does not exist: columns are counted from 1";
    RowZero: "`{}` is in row 0: rows are counted from 1";
    OutsideSheet: "`{}` is beyond the last cell that a sheet can have, SEZ5000000";
    BadSpreadsheetToken: "`{}` is not a spreadsheet's token: 1 to 128 letters, digits, `-` or `_`";
    NotASpreadsheet: "{}, which is not a spreadsheet";
    UnexpectedSheet: "only the spreadsheet is needed here, without a sheet: use `{}`";
    SeveralSheets: "the link names two sheets, {}";
    WikiNode: "`{}` names a page of a wiki, not the spreadsheet behind it, whose token this needs: the service tells it for the page";
    BadWikiToken: "`{}` is not a page of a wiki: its token has 1 to 128 letters, digits, `-` or `_`, its link is `https://x.feishu.cn/wiki/<token>`";
    WikiPageOfAnotherKind: "the page of the wiki shows a `{}`, which is not a spreadsheet";
    NoSuchSheet: "no sheet has the id or the title `{}`";
    EqualTitles: "several sheets have this title ({}): name one by its id";
    NoCells: "the tab `{}` is a base, which has no cells";
    OutsideGrid: "{} is outside of the sheet: add rows or columns first";
    CornersOfTwoSheets: "the corners of a range are on one sheet, but these are on two: {}";
    BadDimensionCount: "{} cannot be added: 1 to 5,000 are, in one request";
    BadDimensionRange: "the size cannot be set for {}";
    ZeroPixels: "a size of 0 pixels would hide {}";
    NoVisibleSheet: "no sheet is named, and the spreadsheet has no visible one";
    NoCellNamed: "`{}` names no cell, such as `H7`";
    BadSpreadsheetLink: "`{}` is not a link to a spreadsheet, such as `https://x.feishu.cn/sheets/<token>`";
    BadImageKey: "`{}` is not an image key: 1 to 256 visible ASCII characters, without a path's `.` or `..`";
    BadFileToken: "`{}` is not the token of a file: 1 to 128 letters, digits, `-` or `_`";
    BadExtra: "`{}` is not a JSON object of at most 4096 bytes, as `extra` has to be";
    BadReceiver: "`{}` is not the id of a receiver that is taken here: a group's begins with `oc_`, an open id with `ou_`, a union id with `on_`; a user id is written as `user_id:` and the id";
    BadMessageId: "`{}` is not a message's id, which begins with `om_`";
    BadMessageUuid: "`{}` is not a message's uuid: 1 to 50 characters, none of them a control character, without space at either end";
    BadToken: "the access token is not 1 to 4096 visible ASCII characters without `Bearer`: {}";
    BadAppId: "`{}` is not an app id: 1 to 128 visible ASCII characters";
    BadAppSecret: "the app secret is not 1 to 256 visible ASCII characters: {}";
    BadTenantKey: "`{}` is not a tenant key: 1 to 128 visible ASCII characters";
    BadAppTicket: "the app ticket is not 1 to 1024 visible ASCII characters: {}";
    BadTicketEvent: "the event is not an `app_ticket` event ({}): it has `token`, `event.type`, `event.app_id` and `event.app_ticket`";
    EncryptedEvent: "the event is encrypted ({}): decrypt it with the app's Encrypt Key first, or remove that key";
    WrongVerificationToken: "the event does not carry the app's verification token ({})";
    DamagedToken: "the exported token is damaged ({})";
    ForeignToken: "the exported token is of another app, site or tenant";
    ExpiredToken: "the exported token has expired";
    RefusedToken: "the service has refused the exported token: a new one is fetched when a call needs it";
    BadSite: "`{}` is not a site: `https://host`, with a port or a path if it has one, and nothing more";
    SiteWithApis: "`{}` is written without `/open-apis`, which each request adds";
    InsecureSite: "`{}` is not on this machine, so its address must begin with `https://`";
    BadProxy: "`{}` is not a proxy: `http://host:port` or `socks5://host:port`, with `user:password@` if it asks for them";
    BadUserAgent: "`{}` is not a user agent: visible ASCII characters and spaces";
    BadRoots: "the certificates to be trusted cannot be read: {}";
    EmptyProxyVariable: "the environment's variable `{}` is empty: unset it, or let it name a proxy";
    ForeignSite: "`{}` is not a host of Lark or Feishu: only a custom site has another host";
    BadPath: "the request has no valid path: {}";
    BadBoundary: "`{}` is not a boundary: 1 to 70 characters of RFC 2046's set, the last one no space";
    BoundaryInPart: "the boundary `{}` occurs in a part of the form";
    NotARequest: "the bytes are not a complete HTTP/1.1 request: {}";
    ForeignRequest: "the request is for `{}`, which is another site";
    NotJson: "the value cannot be written as JSON: {}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_info_of_a_url_is_quoted() {
        let shown = |part: &str| Invalid::new(InvalidKind::BadSpreadsheetLink, part).part;
        for (part, quoted) in [
            ("https://user:pass@x.feishu.cn/wrong", "https://***@x.feishu.cn/wrong"),
            ("https://user:p@ss@x.feishu.cn/wrong", "https://***@x.feishu.cn/wrong"),
            ("https://user:pa/ss@x.feishu.cn/wrong", "https://***@x.feishu.cn/wrong"),
            ("https://pass@x.feishu.cn/wrong", "https://***@x.feishu.cn/wrong"),
            ("HTTPS://user:pass@x.feishu.cn", "HTTPS://***@x.feishu.cn"),
            ("user:pass@x.feishu.cn/wrong", "***@x.feishu.cn/wrong"),
            ("<https://user:pass@x.feishu.cn>", "<https://***@x.feishu.cn>"),
            ("https://x.feishu.cn/sheets/", "https://x.feishu.cn/sheets/"),
            ("Q7PlXT!H7@", "Q7PlXT!H7@"),
            ("a@x.example", "a@x.example"),
            ("t-caecc734c2e3328a62489fe0648c4b98", "***"),
        ] {
            assert_eq!(shown(part), quoted, "{part}");
        }
        let link = "https://user:pass@x.feishu.cn/wrong";
        for error in [
            link.parse::<crate::SpreadsheetLink>().unwrap_err(),
            link.parse::<crate::values::SpreadsheetToken>().unwrap_err(),
            link.parse::<crate::Site>().unwrap_err(),
            crate::Site::custom(link).unwrap_err(),
        ] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("pass") && !shown.contains("user"), "{shown}");
        }
    }

    #[test]
    fn a_text_is_one_line_without_names_of_code() {
        for kind in InvalidKind::ALL {
            let text = kind.text();
            assert!(!text.contains("::") && !text.contains("()"), "{text}");
            assert!(text.matches("{}").count() <= 1 && !text.contains('\n'), "{text}");
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        }
    }

    #[test]
    fn a_text_quotes_the_part_in_its_place() {
        let text = |kind, part: &str| Invalid::new(kind, part).to_string();
        assert_eq!(
            text(InvalidKind::DamagedToken, "134 bytes"),
            "the exported token is damaged (134 bytes)"
        );
        assert_eq!(text(InvalidKind::EmptyImage, ""), "the image file is empty");
        assert_eq!(text(InvalidKind::RowZero, "{}"), "`{}` is in row 0: rows are counted from 1");
    }
}
