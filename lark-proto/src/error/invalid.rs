//! The error of a value that is refused before anything is sent.

use std::fmt;

use crate::text::{Secrets, without_user_info};

/// The error of a value that was refused when it was built. It has a [kind](InvalidKind) and a text that quotes the
/// wrong part of the value, shortened. It never quotes a secret.
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
    /// The text of the error quotes `part`, which must not hold a secret. The user info of a URL and every text that
    /// looks like a token are masked, in case they were entered in the wrong place.
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

/// Each kind with its text, in which `{}` stands for the wrong part. The text is also the documentation of the kind.
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
    BadExtension: "`{}` is not the extension of a file name: use 1 to 16 letters or digits, without the dot";
    EmptyFileName: "the file name `{}` has nothing before its extension";
    LongFileName: "the file name has {} bytes; at most 255 are allowed";
    BadFileNameCharacter: "a file name cannot contain {}";
    MissingSheetId: "`{}` does not name the sheet: put the id of the sheet in front, as in `Q7PlXT!H7`";
    BadSheetId: "`{}` is not a sheet's id: use the id after `?sheet=` in the address bar of the browser, not the title of the tab";
    SeveralCells: "an image goes into one cell, but `{}` is a range";
    BadCell: "`{}` is not a cell: a cell is letters and a number, as in `H7`";
    ColumnZero: "column 0 of row {} does not exist: columns are counted from 1";
    RowZero: "`{}` is in row 0: rows are counted from 1";
    OutsideSheet: "`{}` is beyond the last cell that a sheet can have, SEZ5000000";
    BadSpreadsheetToken: "`{}` is not a spreadsheet's token: a token has 1 to 128 letters, digits, `-` or `_`";
    NotASpreadsheet: "{}, which is not a spreadsheet";
    UnexpectedSheet: "only the spreadsheet is needed here, without a sheet: use `{}`";
    SeveralSheets: "the link names two sheets, {}: leave one out";
    WikiNode: "`{}` names a page of a wiki and not the spreadsheet behind it: resolve the page with a `Place`";
    BadWikiToken: "`{}` is not a page of a wiki: use its token (1 to 128 letters, digits, `-` or `_`) or its link, such as `https://x.feishu.cn/wiki/<token>`";
    WikiPageOfAnotherKind: "the page of the wiki shows a `{}`, which is not a spreadsheet";
    NoSuchSheet: "no sheet has the id or the title `{}`";
    EqualTitles: "several sheets have this title ({}): name one by its id";
    NoCells: "the tab `{}` is a base, which has no cells: name another sheet";
    OutsideGrid: "{} is outside of the sheet: add rows or columns first";
    CornersOfTwoSheets: "the corners of a range must be on one sheet, but {} are on two";
    BadDimensionCount: "{} cannot be added: one request adds 1 to 5,000";
    BadDimensionRange: "the size cannot be set for {}";
    ZeroPixels: "a size of 0 pixels would hide {}";
    NoVisibleSheet: "no sheet is named, and the spreadsheet has no visible sheet: name a sheet by its id or title";
    NoCellNamed: "`{}` names no cell: add one, such as `H7`";
    BadSpreadsheetLink: "`{}` is not a link to a spreadsheet, such as `https://x.feishu.cn/sheets/<token>`";
    BadImageKey: "`{}` is not an image key: a key has 1 to 256 visible ASCII characters and no part `.` or `..` between slashes or backslashes";
    BadFileToken: "`{}` is not the token of a file: a token has 1 to 128 letters, digits, `-` or `_`";
    BadExtra: "`{}` is not a value of `extra`: use a JSON object of at most 4096 bytes";
    BadReceiver: "`{}` is not the id of a receiver of this kind: a group's id begins with `oc_`, an open id with `ou_`, a union id with `on_`, a user id (`user_id:..`) is visible ASCII, and a mail address has an `@`";
    BadMessageId: "`{}` is not a message's id, which begins with `om_`";
    BadMessageUuid: "`{}` is not a message's uuid: use 1 to 50 characters without control characters and without spaces at the ends";
    BadToken: "the access token is malformed ({}): use 1 to 4096 visible ASCII characters, without `Bearer`";
    BadAppId: "`{}` is not an app id: an app id has 1 to 128 visible ASCII characters";
    BadAppSecret: "the app secret is malformed ({}): use 1 to 256 visible ASCII characters";
    BadTenantKey: "`{}` is not a tenant key: a tenant key has 1 to 128 visible ASCII characters";
    BadAppTicket: "the app ticket is malformed ({}): use 1 to 1024 visible ASCII characters";
    BadTicketEvent: "the event is not an `app_ticket` event ({}): it needs the fields `token`, `event.type`, `event.app_id` and `event.app_ticket`";
    EncryptedEvent: "the event is encrypted ({}): decrypt it with the app's Encrypt Key first, or remove that key from the app's settings";
    WrongVerificationToken: "the event does not carry the app's verification token: compare the configured token with the Verification Token in the developer console";
    DamagedToken: "the exported token is damaged ({}): the client fetches a new one when a call needs it";
    ForeignToken: "the exported token belongs to another app, site or tenant: the client fetches a new one when a call needs it";
    ExpiredToken: "the exported token has expired: the client fetches a new one when a call needs it";
    RefusedToken: "the service has refused the exported token: the client fetches a new one when a call needs it";
    BadSite: "`{}` is not a site: use `https://host`, with the port and the path of the site if it has them, without a query or fragment";
    SiteWithApis: "`{}` ends in `/open-apis`: leave that part out, because each request adds it";
    InsecureSite: "`{}` is not on this machine, so its address must begin with `https://`";
    BadProxy: "`{}` is not a proxy: use `http://host:port` or `socks5://host:port`, with `user:password@` before the host if the proxy asks for them";
    UnsupportedProxy: "the client does not support the proxy `{}`: use another proxy";
    BadUserAgent: "`{}` is not a user agent: use visible ASCII characters and spaces";
    BadRoots: "the trusted certificates cannot be used: {}";
    EmptyProxyVariable: "the environment variable `{}` is empty: unset it, or set it to a proxy";
    ForeignSite: "`{}` is not a host of Lark or Feishu: configure a private deployment as a custom site";
    BadPath: "the request has no valid path: {}";
    BadBoundary: "`{}` is not a boundary: use 1 to 70 characters of the set in RFC 2046, without a space at the end";
    BoundaryInPart: "the boundary `{}` occurs in a part of the form: choose another boundary";
    NotARequest: "the bytes are not a complete HTTP/1.1 request: {}";
    ForeignRequest: "the request is for `{}`, which is another site";
    NotJson: "the value cannot be written as JSON: {}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_info_of_a_url_is_masked() {
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
    fn a_text_is_one_line_without_rust_identifiers() {
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
            "the exported token is damaged (134 bytes): the client fetches a new one when a call needs it"
        );
        assert_eq!(text(InvalidKind::EmptyImage, ""), "the image file is empty");
        assert_eq!(text(InvalidKind::RowZero, "{}"), "`{}` is in row 0: rows are counted from 1");
    }
}
