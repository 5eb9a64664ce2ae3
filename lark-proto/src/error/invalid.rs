//! Values that are refused before anything is sent.

use std::fmt;

use crate::text::excerpt;

/// A value that was refused when it was built: which [`Rule`] it breaks and the offending part,
/// shortened. Secrets are never quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    rule: Rule,
    part: String,
}

impl Invalid {
    /// `part` is quoted in the message, so it must not hold a secret.
    pub(crate) fn new(rule: Rule, part: impl AsRef<[u8]>) -> Self {
        Self { rule, part: excerpt(part.as_ref(), 60) }
    }

    /// The rule that the value breaks.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (got `{}`)", self.rule, self.part)
    }
}

impl std::error::Error for Invalid {}

/// A rule that an [`Invalid`](crate::Invalid) value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// An image has at least one byte.
    EmptyImage,
    /// An image has at most this many bytes at this endpoint.
    ImageTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// An image begins as one of the formats that Lark lists.
    UnknownImageFormat,
    /// A cell takes the formats that its document lists; ICO is not among them.
    NotForCells,
    /// A file name has something before its suffix.
    EmptyName,
    /// A file name has at most 255 bytes.
    LongName,
    /// A file name has no path separator, no control character and none that hides or turns the others.
    NameCharacter,
    /// The service takes the format from the name's suffix; an unchecked image cannot supply one.
    NameWithoutSuffix,
    /// A cell is addressed with the id of its sheet.
    MissingSheetId,
    /// A sheet id is the one in the address bar (`?sheet=`), not the tab's title.
    SheetId,
    /// An image goes into one cell, not a range of several.
    SeveralCells,
    /// A cell is a column's letters and a row's number.
    CellForm,
    /// Rows count from 1.
    RowZero,
    /// Lark's sheets end at column SEZ (13,000) and row 5,000,000.
    OutsideSheet,
    /// A spreadsheet token is 1 to 128 letters, digits, `-` or `_`.
    SpreadsheetToken,
    /// A wiki link names a node, not the spreadsheet behind it.
    WikiLink,
    /// A link to a spreadsheet is `https://<tenant>/sheets/<token>`.
    NotASpreadsheetLink,
    /// An image key is 1 to 256 visible ASCII characters.
    ImageKey,
    /// A token is 1 to 4,096 visible ASCII characters, without `Bearer`.
    Token,
    /// An app id is 1 to 128 visible ASCII characters.
    AppId,
    /// An app secret is 1 to 256 visible ASCII characters.
    AppSecret,
    /// A tenant key is 1 to 128 visible ASCII characters.
    TenantKey,
    /// An app ticket is 1 to 1,024 visible ASCII characters.
    AppTicket,
    /// An `app_ticket` event is JSON of the documented form.
    TicketEvent,
    /// An event that is encrypted has to be decrypted first.
    EncryptedEvent,
    /// An event carries the app's verification token.
    VerificationToken,
    /// An exported token is complete and unchanged.
    DamagedToken,
    /// An exported token belongs to this app, site and tenant.
    ForeignToken,
    /// An exported token has not expired.
    StaleToken,
    /// The service has not refused the exported token.
    RefusedToken,
    /// A site is `https://host` or `https://host:port`.
    SiteForm,
    /// Only a loopback site may do without TLS.
    SiteInsecure,
    /// A host that is not Lark's must be asked for by name, so that a slip cannot leak a secret.
    SiteForeign,
    /// A boundary is 1 to 70 characters of RFC 2046's set, the last one no space.
    BoundaryForm,
    /// A boundary occurs in no part.
    BoundaryInPart,
    /// A value for a JSON body can be serialised: the keys of its maps are strings, among others.
    Json,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyImage => "an image has at least one byte",
            Self::ImageTooLarge { limit } => {
                return write!(f, "an image has at most {limit} bytes here");
            }
            Self::UnknownImageFormat => {
                "an image begins as PNG, JPEG, GIF, BMP, TIFF, BPG, WEBP, HEIC or ICO; \
                 `Image::unchecked` takes anything"
            }
            Self::NotForCells => "a cell takes PNG, JPEG, GIF, BMP, TIFF, BPG, WEBP or HEIC",
            Self::EmptyName => "a file name has something before its suffix",
            Self::LongName => "a file name has at most 255 bytes",
            Self::NameCharacter => "a file name has no path separator and no control or invisible character",
            Self::NameWithoutSuffix => {
                "the name of an unchecked image has a suffix that says its format, as in `photo.png`"
            }
            Self::MissingSheetId => "a cell is addressed with its sheet's id, as in `Q7PlXT!H7`",
            Self::SheetId => {
                "a sheet id is 1 to 64 letters, digits, `-` or `_`: the one after `?sheet=` \
                 in the address bar, not the tab's title"
            }
            Self::SeveralCells => "an image goes into one cell",
            Self::CellForm => "a cell is a column's letters and a row's number, as in `H7`",
            Self::RowZero => "rows count from 1",
            Self::OutsideSheet => "a sheet ends at column SEZ and row 5000000",
            Self::SpreadsheetToken => "a spreadsheet token is 1 to 128 letters, digits, `-` or `_`",
            Self::WikiLink => {
                "a wiki link names a node, not a spreadsheet: ask `wiki/v2/spaces/get_node` \
                 for its `obj_token` and use that"
            }
            Self::NotASpreadsheetLink => {
                "a link to a spreadsheet is `https://<tenant>/sheets/<token>`"
            }
            Self::ImageKey => "an image key is 1 to 256 visible ASCII characters",
            Self::Token => "a token is 1 to 4096 visible ASCII characters, without `Bearer`",
            Self::AppId => "an app id is 1 to 128 visible ASCII characters",
            Self::AppSecret => "an app secret is 1 to 256 visible ASCII characters",
            Self::TenantKey => "a tenant key is 1 to 128 visible ASCII characters",
            Self::AppTicket => "an app ticket is 1 to 1024 visible ASCII characters",
            Self::TicketEvent => {
                "an app_ticket event is JSON with `token`, `event.type`, `event.app_id` and \
                 `event.app_ticket`"
            }
            Self::EncryptedEvent => {
                "the event is encrypted: decrypt it with the app's Encrypt Key, or remove that key"
            }
            Self::VerificationToken => "an event carries the app's verification token",
            Self::DamagedToken => "the exported token is damaged",
            Self::ForeignToken => "the exported token is of another app, site or tenant",
            Self::StaleToken => "the exported token has expired",
            Self::RefusedToken => "the service has refused the exported token; the session gets another one",
            Self::SiteForm => "a site is `https://host` or `https://host:port` and nothing more",
            Self::SiteInsecure => "a site is https; http is for loopback only",
            Self::SiteForeign => "the host is not Lark's; `Site::custom` takes any",
            Self::BoundaryForm => {
                "a boundary is 1 to 70 characters of RFC 2046's set, the last one no space"
            }
            Self::BoundaryInPart => "the boundary occurs in a part of the form",
            Self::Json => "the value cannot be written as JSON",
        })
    }
}
