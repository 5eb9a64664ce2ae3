//! Lark's codes as named constants, each with its class. Sources: the vendor's generic table of
//! server errors, the endpoint's own page, or, where a line says so, what the live service sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A code of Lark's; 0 is success, every other one a failure whatever the HTTP status.
///
/// Codes are open-ended: one that this table lacks has [`Class::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub i64);

/// What a code means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The service is busy, locked or broken for the moment: again after a pause.
    Busy,
    /// Too many requests: again after the pause that the service names, or a growing one.
    RateLimit,
    /// The document is busy with another operation or being loaded: the same write succeeds later.
    DocumentBusy,
    /// The tenant access token is invalid or expired: get a new one, once.
    TenantToken,
    /// The app access token is invalid or expired: get a new one, once.
    AppToken,
    /// The caller's user token, or the lack of any token; only the caller can supply another.
    CallerToken,
    /// App id, secret, ticket or the app's state in the tenant.
    App,
    /// A scope, a role in the document, or an address that is not allowed.
    Permission,
    /// The spreadsheet, sheet, image or route does not exist.
    NotFound,
    /// The request itself is wrong.
    Request,
    /// A limit that waiting does not lift: size, count, monthly quota.
    Limit,
    /// Not in this table.
    Unknown,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $class:ident;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Self = Self($code);)+

            /// What the code means for the caller.
            #[must_use]
            pub fn class(self) -> Class {
                match self.0 {
                    $($code => Class::$class,)+
                    95203..=95209 => Class::Busy,
                    600 | 1500 | 1642 | 1663 | 5000 | 10101 | 10105 | 10200 | 10500 | 18121
                    | 20050 | 20072 | 45500 | 55001 | 65001 | 91201 | 95001 | 95003 | 95005
                    | 95010 | 95011 | 96001 | 96002 | 96402 | 96403 | 105001 | 131001 | 131009
                    | 230049 | 1315201 | 1315203 | 1315210 => Class::Busy,
                    11232 | 11233 | 11247 | 1000004 | 1000005 | 1061045 => Class::RateLimit,
                    _ => Class::Unknown,
                }
            }

            /// The constant's name, for those that have one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    // The gateway.
    /// Too many requests to one API by one app in one tenant; HTTP 429, at older APIs 400.
    RATE_LIMITED = 99991400, RateLimit;
    /// The caller's address is not on the app's allow-list.
    ADDRESS_NOT_ALLOWED = 99991401, Permission;
    /// The month's quota of calls is used up.
    QUOTA_USED_UP = 99991403, Limit;
    /// App id or secret wrong.
    APP_UNKNOWN = 99991543, App;
    /// No token, or one without `Bearer `; seen as HTTP 400.
    TOKEN_MISSING = 99991661, CallerToken;
    /// The app is disabled.
    APP_DISABLED = 99991662, App;
    /// Tenant token invalid or expired; seen as HTTP 400 and as 200, never as 401.
    TENANT_TOKEN_INVALID = 99991663, TenantToken;
    /// App token invalid.
    APP_TOKEN_INVALID = 99991664, AppToken;
    /// Tenant token of no tenant.
    TENANT_CODE_INVALID = 99991665, TenantToken;
    /// User token invalid, or the API takes no user tokens; seen as HTTP 400.
    USER_TOKEN_INVALID = 99991668, CallerToken;
    /// Refresh token invalid.
    REFRESH_TOKEN_INVALID = 99991669, CallerToken;
    /// The token begins with neither `t-` nor `u-`.
    TOKEN_FORM = 99991671, CallerToken;
    /// The app lacks a scope; `permission_violations` names it.
    SCOPE_MISSING = 99991672, Permission;
    /// The app is not available in the tenant.
    APP_UNAVAILABLE = 99991673, App;
    /// The token lacks a permission.
    TOKEN_PERMISSION = 99991676, Permission;
    /// User token expired.
    USER_TOKEN_EXPIRED = 99991677, CallerToken;
    /// The user did not grant the scope.
    USER_SCOPE_MISSING = 99991679, Permission;
    /// A field failed the gateway's validation; `field_violations` names it.
    FIELD_VALIDATION = 99992402, Request;
    /// The service failed, also when it is called too much.
    INTERNAL = 2200, Busy;
    /// The request is malformed.
    BAD_REQUEST = 9499, Request;
    /// The interface is retired.
    OFFLINE = 30005, NotFound;

    // Token endpoints.
    /// A parameter is missing or malformed; seen as HTTP 200.
    INVALID_PARAM = 10003, Request;
    /// App id not authorized.
    APP_UNAUTHORIZED = 10005, App;
    /// The app access token could not be had, often for lack of a valid `app_ticket`.
    APP_TOKEN_FAILED = 10012, App;
    /// The tenant access token could not be had.
    TENANT_TOKEN_FAILED = 10013, App;
    /// The live service's words: app secret invalid, app id not exists.
    APP_SECRET_INVALID = 10014, App;
    /// App secret wrong.
    APP_SECRET_WRONG = 10015, App;
    /// A custom app has no `app_ticket` to resend.
    TICKET_RESEND_FAILED = 10016, App;

    // image/v4 and bots.
    /// The app has no bot.
    NO_BOT = 11205, App;
    /// The form has no `image` file.
    IMAGE_MISSING = 11214, Request;
    /// The image belongs to another app.
    IMAGE_FOREIGN = 11221, Permission;
    /// No image has this key.
    IMAGE_KEY_UNKNOWN = 11227, NotFound;
    /// The bot is not turned on.
    BOT_OFF = 11240, App;
    /// The image could not be stored: check the parameters.
    IMAGE_UPLOAD_FAILED = 18033, Request;
    /// `image_key` is missing.
    IMAGE_KEY_MISSING = 18035, Request;

    // im/v1, HTTP 400.
    /// Too many messages to one user or group.
    MESSAGE_RATE_LIMITED = 230020, RateLimit;
    /// Writing has stopped for the moment.
    META_WRITING_STOPPED = 232096, Busy;
    /// A parameter is wrong; also what an image part without a file name gets.
    IM_INVALID_PARAM = 234001, Request;
    /// Not authorized; HTTP 401.
    IM_UNAUTHORIZED = 234002, Permission;
    /// The image was deleted.
    IM_IMAGE_DELETED = 234005, NotFound;
    /// The file is too large.
    IM_TOO_LARGE = 234006, Limit;
    /// The app's bot is not enabled.
    IM_NO_BOT = 234007, App;
    /// Another app uploaded it.
    IM_FOREIGN = 234008, Permission;
    /// The file is empty.
    IM_EMPTY = 234010, Request;
    /// The image's format is not recognised.
    IM_FORMAT = 234011, Request;
    /// The image has too many pixels.
    IM_RESOLUTION = 234039, Limit;

    // sheets v2.
    /// The body is not JSON.
    SHEET_JSON = 90201, Request;
    /// The range is wrong; a cell is `<sheet id>!H7:H7`.
    SHEET_RANGE = 90202, Request;
    /// An internal failure.
    SHEET_FAILED = 90203, Busy;
    /// A parameter is wrong; also "Image format is unknown" when the name has no suffix.
    SHEET_BODY = 90204, Request;
    /// The sheet's id is wrong.
    SHEET_ID_WRONG = 90211, NotFound;
    /// The row or column is wrong.
    SHEET_ROW_OR_COLUMN = 90212, Request;
    /// The app may not edit the spreadsheet.
    SHEET_PERMISSION = 90213, Permission;
    /// No spreadsheet has this token.
    SPREADSHEET_NOT_FOUND = 90214, NotFound;
    /// No sheet has this id.
    SHEET_NOT_FOUND = 90215, NotFound;
    /// A parameter is empty, or the request changed nothing.
    SHEET_NO_CHANGE = 90216, Request;
    /// Too many requests; also what overlapping writes on one document get.
    SHEET_TOO_MANY = 90217, DocumentBusy;
    /// The cell is protected.
    SHEET_LOCKED_CELL = 90218, Permission;
    /// The sheet has too many cells.
    SHEET_CELL_EXCESS = 90219, Limit;
    /// The reply would be too large.
    SHEET_LARGE_RESPONSE = 90221, Limit;
    /// The cell is too large.
    SHEET_LARGE_CELL = 90222, Limit;
    /// A limit was exceeded, such as 4,000 images in one spreadsheet.
    SHEET_EXCESS = 90226, Limit;
    /// The request is too large.
    SHEET_LARGE_REQUEST = 90227, Limit;
    /// The spreadsheet is being imported.
    SHEET_IMPORTING = 90228, DocumentBusy;
    /// A parameter in the URL is wrong.
    SHEET_URL = 90229, Request;
    /// The previous operation on the document is not finished.
    SHEET_RETRY_LATER = 90235, DocumentBusy;
    /// The document's data is being loaded.
    SHEET_LOADING = 90242, DocumentBusy;

    // sheets v3.
    /// As 90213.
    SHEET_V3_PERMISSION = 1310213, Permission;
    /// As 90214.
    SHEET_V3_NOT_FOUND = 1310214, NotFound;
    /// As 90217.
    SHEET_V3_TOO_MANY = 1310217, DocumentBusy;
    /// As 90235.
    SHEET_V3_RETRY_LATER = 1310235, DocumentBusy;
    /// As 90242.
    SHEET_V3_LOADING = 1310242, DocumentBusy;
    /// More than 4,000 images in one spreadsheet.
    SHEET_V3_IMAGE_EXCESS = 1310247, Limit;
    /// The spreadsheet was deleted.
    SHEET_V3_DELETED = 1310249, NotFound;

    // Cloud documents.
    /// The document does not exist; also what a wiki node's token gets.
    DOCUMENT_NOT_FOUND = 91402, NotFound;
    /// The document may not be used.
    DOCUMENT_FORBIDDEN = 91403, Permission;
    /// The document wants a login.
    DOCUMENT_LOGIN = 91404, Permission;
}

impl Code {
    /// What a person can do about it, where the service's own words do not say.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::SHEET_PERMISSION | Self::SHEET_V3_PERMISSION | Self::DOCUMENT_FORBIDDEN => Some(
                "scopes are not enough: add the app to the document \
                 (in the document: ... > More > Add document app)",
            ),
            Self::SPREADSHEET_NOT_FOUND | Self::SHEET_V3_NOT_FOUND | Self::DOCUMENT_NOT_FOUND => {
                Some("is it a wiki node's token? that is not the spreadsheet's")
            }
            Self::APP_SECRET_INVALID | Self::INVALID_PARAM => {
                Some("an app belongs to one site: Lark or Feishu")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_clears_by_itself_is_retried_and_no_other() {
        let retried = "600 1500 1642 1663 2200 5000 10101 10105 10200 10500 45500 55001 65001 90203 \
            90217 90228 90235 90242 91201 95001 95003 95005 95010 95011 95203 95204 95205 95206 \
            95207 95208 95209 96001 96002 96402 96403 105001 11232 11233 11247 18121 1000004 \
            1000005 99991400 230020 230049 232096 131001 131009 1061045 1310217 1310235 1310242 \
            1315201 1315203 1315210 20050 20072";
        let listed: Vec<i64> = retried.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let busy = [90217, 90228, 90235, 90242, 1310217, 1310235, 1310242];
        for code in (0..1_400_000).chain(99_990_000..100_000_000) {
            let class = Code(code).class();
            let again = matches!(class, Class::Busy | Class::RateLimit | Class::DocumentBusy);
            assert_eq!(again, listed.contains(&code), "{code}");
            assert_eq!(class == Class::DocumentBusy, busy.contains(&code), "{code}");
        }
    }
}
