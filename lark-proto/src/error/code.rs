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
    /// The service is busy, locked or broken for the moment: send the request again after a backoff.
    Busy,
    /// Too many requests: send again after the delay that the service names, or with exponential backoff.
    RateLimit,
    /// The document is busy with another operation or being loaded: the same write succeeds later.
    DocumentBusy,
    /// The tenant access token is invalid or expired: get a new one and send once more.
    TenantToken,
    /// The app access token is invalid or expired: get a new one and send once more.
    AppToken,
    /// The user token is invalid, or the request has no token; only the caller can supply another one.
    CallerToken,
    /// The app's id, secret or ticket is wrong, the app is not available in the tenant, or its bot is turned off
    /// ([`NO_BOT`](Code::NO_BOT), [`MESSAGE_NO_BOT`](Code::MESSAGE_NO_BOT), [`IM_NO_BOT`](Code::IM_NO_BOT),
    /// [`BOT_OFF`](Code::BOT_OFF)).
    App,
    /// A scope or a role in the document is missing, or the caller's address is not allowed.
    Permission,
    /// The spreadsheet, sheet, image or route does not exist.
    NotFound,
    /// The request itself is wrong.
    Request,
    /// A limit that a wait does not lift: a size, a count, the month's quota.
    Limit,
    /// The code is not in this table.
    Unknown,
}

/// Each code with its class and, if a person can do more than the service's message says, a hint.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $class:ident $(, $hint:expr)?;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Self = Self($code);)+

            /// What the code means for the caller.
            #[must_use]
            pub fn class(self) -> Class {
                match self.0 {
                    $($code => Class::$class,)+
                    95203..=95209 => Class::Busy,
                    // A user that does not exist; seen to be temporary.
                    20008 => Class::Busy,
                    600 | 1500 | 1642 | 1663 | 5000 | 10101 | 10105 | 10200 | 10500 | 18121
                    | 20050 | 20072 | 45500 | 55001 | 65001 | 91201 | 95001 | 95003 | 95005
                    | 95010 | 95011 | 96001 | 96002 | 96402 | 96403 | 105001 | 131001 | 131009
                    | 1315201 | 1315203 | 1315210 => Class::Busy,
                    11232 | 11233 | 11247 | 1000004 | 1000005 | 1061045 => Class::RateLimit,
                    // A card could not be made of its content; also the code within the text of 230099.
                    11310 => Class::Request,
                    // A policy of the organisation.
                    21000 | 21001 => Class::Permission,
                    // An id of a user, a group or a message that does not exist, or of another app or organisation.
                    99992351..=99992356 | 99992360 | 99992361 | 99992363 | 99992364
                    | 99992381 => Class::NotFound,
                    _ => Class::Unknown,
                }
            }

            /// A hint for the user about the next step, if the service's message does not name it. If a code has two
            /// meanings that only the message tells apart, the hint is for the more frequent one; see
            /// [`ApiError::hint`](crate::error::ApiError::hint).
            #[must_use]
            pub fn hint(self) -> Option<&'static str> {
                match self.0 {
                    $($($code => Some($hint),)?)+
                    _ => None,
                }
            }

            /// The name of the code's constant, if it has one.
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

/// The hint for a refused token request.
pub(super) const CREDENTIALS: &str = "check the app id, the app secret and the site: \
    an app of Feishu is not known at Lark, nor the other way round";
const NO_BOT: &str = "turn on the bot in the app's settings and publish a version of the app";
pub(super) const FILE_ACCESS: &str = "give the app, or the user, the right to download in the document \
    (in the document: ... > More > Add document app; and its setting of who may copy, print and download)";
const DRIVE_FILE: &str =
    "no file has this token: read the cell again, since a new image in it has a new token";
const OWN_IMAGE: &str = "only the app that uploaded an image can send or fetch it, and an avatar not at all: \
    upload it again with this app, for messages";
const TENANT_STORAGE: &str =
    "the organisation stores its files by itself, and an administrator of it has to mend that";
const SHEET_ID: &str = "name the sheet by its id, which follows `?sheet=` in the address bar: \
    the title on its tab is not the id";
const DOCUMENT_ACCESS: &str = "scopes are not enough: give the app the right to edit the document \
    (in the document: ... > More > Add document app); an app that is not found there gets it through a group \
    that its bot is in, in a wiki also through the members of the space";
const DOCUMENT_TOKEN: &str = "the token may be that of a wiki page, which is not the spreadsheet's; \
    or the document is at the other brand, Lark or Feishu, or is not shared with the app";
const DOCUMENT_BUSY: &str = "another change of the spreadsheet is still running: send one write after another, \
    and this one again in a minute";

codes! {
    // The gateway.
    /// Too many requests to one API by one app in one tenant; HTTP 429, at older APIs 400.
    RATE_LIMITED = 99991400, RateLimit;
    /// The caller's address is not on the app's allow-list.
    ADDRESS_NOT_ALLOWED = 99991401, Permission,
        "the app admits certain addresses only: add this machine's, or its proxy's, to the allow-list in the app's security settings";
    /// The month's quota of calls is used up.
    QUOTA_USED_UP = 99991403, Limit,
        "the organisation's calls of this month are used up: wait for the next month, or have an administrator extend the plan";
    /// App id or secret wrong.
    APP_UNKNOWN = 99991543, App, CREDENTIALS;
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
    USER_TOKEN_INVALID = 99991668, CallerToken,
        "the user's token is wrong or has expired: the user has to log in again";
    /// Refresh token invalid.
    REFRESH_TOKEN_INVALID = 99991669, CallerToken;
    /// The token begins with neither `t-` nor `u-`.
    TOKEN_FORM = 99991671, CallerToken;
    /// The app lacks a scope; `permission_violations` names it.
    SCOPE_MISSING = 99991672, Permission,
        "add one of the missing scopes to the app and publish a version of it, with which they take effect";
    /// The app is not available in the tenant.
    APP_UNAVAILABLE = 99991673, App;
    /// The token lacks a permission.
    TOKEN_PERMISSION = 99991676, Permission;
    /// User token expired.
    USER_TOKEN_EXPIRED = 99991677, CallerToken;
    /// The user did not grant the scope.
    USER_SCOPE_MISSING = 99991679, Permission,
        "add the missing scope to the app, publish a version of it, and have the user log in again to grant it";
    /// A field failed the gateway's validation; `field_violations` names it.
    FIELD_VALIDATION = 99992402, Request;
    /// The service failed; also sent for too many requests.
    INTERNAL = 2200, Busy;
    /// The request is malformed.
    BAD_REQUEST = 9499, Request;
    /// The interface is retired.
    OFFLINE = 30005, NotFound;

    // Token endpoints.
    /// A parameter is missing or malformed; seen as HTTP 200.
    INVALID_PARAM = 10003, Request, CREDENTIALS;
    /// App id not authorized.
    APP_UNAUTHORIZED = 10005, App;
    /// The app access token was not issued, often for lack of a valid `app_ticket`.
    APP_TOKEN_FAILED = 10012, App;
    /// The tenant access token was not issued.
    TENANT_TOKEN_FAILED = 10013, App;
    /// App secret or app id wrong; seen as "app secret invalid" and "app id not exists".
    APP_SECRET_INVALID = 10014, App, CREDENTIALS;
    /// App secret wrong.
    APP_SECRET_WRONG = 10015, App, CREDENTIALS;
    /// A custom app has no `app_ticket` to resend.
    TICKET_RESEND_FAILED = 10016, App;

    // image/v4 and bots.
    /// The app has no bot.
    NO_BOT = 11205, App, NO_BOT;
    /// The form has no `image` file.
    IMAGE_MISSING = 11214, Request;
    /// The image belongs to another app.
    IMAGE_FOREIGN = 11221, Permission, OWN_IMAGE;
    /// No image has this key.
    IMAGE_KEY_UNKNOWN = 11227, NotFound;
    /// The bot is not turned on.
    BOT_OFF = 11240, App, NO_BOT;
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
    IM_INVALID_PARAM = 234001, Request,
        "an upload needs a file name with its extension, and the kind `message` or `avatar`; a download needs the key of an image for messages";
    /// Not authorized; HTTP 401.
    IM_UNAUTHORIZED = 234002, Permission;
    /// The image was deleted.
    IM_IMAGE_DELETED = 234005, NotFound,
        "upload the image again: it gets another key";
    /// The file is too large.
    IM_TOO_LARGE = 234006, Limit,
        "an image has at most 10 MB: shrink it, or save it as JPEG";
    /// The app's bot is not enabled.
    IM_NO_BOT = 234007, App, NO_BOT;
    /// Another app uploaded it.
    IM_FOREIGN = 234008, Permission, OWN_IMAGE;
    /// The file is empty.
    IM_EMPTY = 234010, Request;
    /// The image's format is not recognised.
    IM_FORMAT = 234011, Request,
        "the service does not know the image's format: save it as PNG or JPEG";
    /// The image has too many pixels.
    IM_RESOLUTION = 234039, Limit,
        "shrink the picture: 12,000 by 12,000 pixels at most, a GIF 2,000 by 2,000, an avatar 4,096 by 4,096";
    /// The key with which the organisation's data is encrypted was deleted.
    IM_TENANT_KEY_DELETED = 234041, Permission, TENANT_STORAGE;
    /// The organisation's own storage failed.
    IM_TENANT_STORAGE = 234042, Permission, TENANT_STORAGE;

    // Messages.
    /// A card names an image that the app cannot use.
    CARD_IMAGE_KEYS = 200570, Request;
    /// A parameter is wrong; the message names it after `ext=`.
    MESSAGE_PARAM = 230001, Request,
        "the words after `ext=` name the parameter: the receiver's id, or the content, whose image key comes from an upload for messages";
    /// The bot is not in the group.
    BOT_NOT_IN_GROUP = 230002, Permission,
        "add the app's bot to the group";
    /// The app has no bot.
    MESSAGE_NO_BOT = 230006, App, NO_BOT;
    /// The message to reply to was recalled.
    MESSAGE_RECALLED = 230011, NotFound;
    /// The user is outside of the app's availability.
    USER_UNAVAILABLE = 230013, Permission,
        "the user is outside of the app's availability: extend it in the app's settings and publish a version";
    /// The image or file was uploaded by another app.
    MESSAGE_IMAGE_FOREIGN = 230017, Permission, OWN_IMAGE;
    /// The group's settings do not allow it.
    GROUP_SETTINGS = 230018, Permission,
        "the group lets certain members speak only: ask its owner or an administrator to add the bot to them";
    /// The topic does not exist.
    TOPIC_NOT_FOUND = 230019, NotFound;
    /// The content has sensitive information.
    MESSAGE_SENSITIVE = 230022, Request;
    /// The content is too long.
    MESSAGE_TOO_LONG = 230025, Limit;
    /// The user has not authorised the app, or an old API was called across tenants.
    MESSAGE_FORBIDDEN = 230027, Permission,
        "the user has to authorise the app first, or the app lacks a right in the group";
    /// The message did not pass the check against data leaks.
    MESSAGE_AUDIT = 230028, Request;
    /// The user has left the organisation.
    USER_RESIGNED = 230029, NotFound;
    /// The receiver's id does not exist, or is not of the kind that `receive_id_type` names.
    RECEIVER_INVALID = 230034, NotFound,
        "check the receiver's id, and that it is of its kind; a user has another open id in each app, and no id is known in another organisation";
    /// The app may not send messages there.
    MESSAGE_DENIED = 230035, Permission,
        "the group is muted, the receiver has blocked the bot, or the organisation restricts messages: ask the group's owner or an administrator";
    /// The key that encrypts the organisation's messages was deleted.
    TENANT_CRYPT_KEY_DELETED = 230036, Permission,
        "an administrator of the organisation has to restore its encryption key";
    /// The chat with a user of another organisation takes no messages here.
    CROSS_TENANT_CHAT = 230038, Permission;
    /// A request with the same uuid is being carried out.
    MESSAGE_BEING_SENT = 230049, Busy,
        "an earlier request with the same uuid is still running: send this one again later, with the same uuid";
    /// The app cannot see the message to reply to.
    MESSAGE_INVISIBLE = 230050, Permission;
    /// The user has stopped the bot from sending messages.
    BOT_STOPPED_BY_USER = 230053, Permission,
        "only the user can allow the bot's messages again; until then the bot can only reply";
    /// The group shared with another organisation, or the message to reply to, does not allow messages of this type.
    MESSAGE_TYPE_DENIED = 230054, Request;
    /// The key belongs to a file of another type than the message.
    MESSAGE_FILE_TYPE = 230055, Request;
    /// The group does not allow replies in a thread.
    GROUP_WITHOUT_THREADS = 230071, Request,
        "send the reply without a thread";
    /// The aggregated message allows no reply in a thread.
    MESSAGE_WITHOUT_THREADS = 230072, Request,
        "send the reply without a thread";
    /// The chat is a secret one, which takes no messages of apps.
    SECRET_CHAT = 230075, Permission;
    /// The card could not be made of its content.
    CARD_CONTENT = 230099, Request;
    /// The app cannot send messages to users for now, only reply.
    MESSAGES_TO_USERS_OFF = 230101, Permission;
    /// The message to reply to is about to destroy itself.
    MESSAGE_SELF_DESTRUCTS = 230111, Request;
    /// The message to reply to does not exist, or was deleted.
    MESSAGE_NOT_FOUND = 231003, NotFound;
    /// The group was dissolved.
    CHAT_DISSOLVED = 232009, NotFound;

    // Files of documents (drive/v1), with HTTP 200 or the status that the line names.
    /// An internal failure; HTTP 200 or 500.
    DRIVE_FAILED = 1061001, Busy;
    /// A parameter is wrong; HTTP 400.
    DRIVE_PARAM = 1061002, Request,
        "the token may be of something else than a file, or the file needs `extra`, as in a base with advanced permissions";
    /// No file has this token; HTTP 404.
    DRIVE_NOT_FOUND = 1061003, NotFound, DRIVE_FILE;
    /// The app or the user may not download; HTTP 403.
    DRIVE_FORBIDDEN = 1061004, Permission, FILE_ACCESS;
    /// Not authorized; HTTP 401.
    DRIVE_UNAUTHORIZED = 1061005, Permission;
    /// The service timed out.
    DRIVE_TIMEOUT = 1061006, Busy;
    /// The file was deleted; HTTP 404.
    DRIVE_DELETED = 1061007, NotFound, DRIVE_FILE;
    /// The app lacks a scope; HTTP 403.
    DRIVE_SCOPE_MISSING = 1061073, Permission,
        "add the scope `sheets:spreadsheet:readonly`, `drive:drive:readonly` or `docs:document.media:download` to the app and publish a version of it";

    // sheets v2.
    /// The body is not JSON.
    SHEET_JSON = 90201, Request;
    /// The range is wrong; a cell is `<sheet id>!H7:H7`.
    SHEET_RANGE = 90202, Request,
        "the cell may lie outside the sheet's grid as it stands (a new sheet has 200 rows and 20 columns): add rows or columns; the range has the form `<sheet id>!H7:H7`";
    /// An internal failure.
    SHEET_FAILED = 90203, Busy;
    /// A parameter is wrong; also "Image format is unknown" when the name has no extension.
    SHEET_BODY = 90204, Request,
        "the image's name may lack its extension, such as `.png`, or have one that does not fit the image";
    /// The sheet's id is wrong.
    SHEET_ID_WRONG = 90211, NotFound, SHEET_ID;
    /// The row or column is wrong.
    SHEET_ROW_OR_COLUMN = 90212, Request,
        "the rows or columns may lie outside the sheet's grid as it stands: add rows or columns first";
    /// The app may not edit the spreadsheet.
    SHEET_PERMISSION = 90213, Permission, DOCUMENT_ACCESS;
    /// No spreadsheet has this token.
    SPREADSHEET_NOT_FOUND = 90214, NotFound, DOCUMENT_TOKEN;
    /// No sheet has this id.
    SHEET_NOT_FOUND = 90215, NotFound, SHEET_ID;
    /// A parameter is empty, or the request changed nothing.
    SHEET_NO_CHANGE = 90216, Request;
    /// Too many requests; also what overlapping writes on one document get.
    SHEET_TOO_MANY = 90217, DocumentBusy, DOCUMENT_BUSY;
    /// The cell is protected.
    SHEET_LOCKED_CELL = 90218, Permission;
    /// The sheet has too many cells.
    SHEET_CELL_EXCESS = 90219, Limit,
        "a sheet has 13,000 columns and 5,000,000 cells at most: use another sheet";
    /// The reply would be too large.
    SHEET_LARGE_RESPONSE = 90221, Limit,
        "a reply has 10 MB at most: read fewer cells at once";
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
    SHEET_RETRY_LATER = 90235, DocumentBusy, DOCUMENT_BUSY;
    /// The document's data is being loaded.
    SHEET_LOADING = 90242, DocumentBusy;

    // sheets v3.
    /// As 90213.
    SHEET_V3_PERMISSION = 1310213, Permission, DOCUMENT_ACCESS;
    /// As 90214.
    SHEET_V3_NOT_FOUND = 1310214, NotFound, DOCUMENT_TOKEN;
    /// As 90217.
    SHEET_V3_TOO_MANY = 1310217, DocumentBusy, DOCUMENT_BUSY;
    /// As 90235.
    SHEET_V3_RETRY_LATER = 1310235, DocumentBusy, DOCUMENT_BUSY;
    /// As 90242.
    SHEET_V3_LOADING = 1310242, DocumentBusy;
    /// More than 4,000 images in one spreadsheet.
    SHEET_V3_IMAGE_EXCESS = 1310247, Limit,
        "a spreadsheet holds 4,000 images at most: remove some, or use another spreadsheet";
    /// The spreadsheet was deleted.
    SHEET_V3_DELETED = 1310249, NotFound;
    /// A parameter is wrong.
    SHEET_V3_PARAMETER = 1310251, Request;

    // Cloud documents.
    /// The document does not exist; also what a wiki node's token gets.
    DOCUMENT_NOT_FOUND = 91402, NotFound, DOCUMENT_TOKEN;
    /// The document may not be used.
    DOCUMENT_FORBIDDEN = 91403, Permission, DOCUMENT_ACCESS;
    /// The document requires a login.
    DOCUMENT_LOGIN = 91404, Permission;
    /// A parameter is wrong.
    WIKI_PARAMETER = 131002, Request;
    /// The user is not known.
    WIKI_USER = 131004, Permission;
    /// The wiki has no such node.
    WIKI_NODE_NOT_FOUND = 131005, NotFound,
        "no page of the wiki has this token: check the link, and the brand, since a page of Feishu is not found at Lark, nor the other way round";
    /// The wiki's space or node may not be used.
    WIKI_FORBIDDEN = 131006, Permission,
        "give the app access to the wiki: as a member of the space, or through a group of its members that the app's bot is in";
    /// The document is of another tenant.
    CROSS_TENANT = 1064510, Permission;
    /// The document is of the other brand.
    CROSS_BRAND = 1064511, Permission;
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

    /// Code | class | name | words of the hint; `-` for none.
    const CODES: &str = "
90202 | Request | SHEET_RANGE | grid as it stands; `<sheet id>!H7:H7`
90204 | Request | SHEET_BODY | name; extension
90211 | NotFound | SHEET_ID_WRONG | by its id; not the id
90212 | Request | SHEET_ROW_OR_COLUMN | grid as it stands; add rows
90213 | Permission | SHEET_PERMISSION | right to edit; Add document app; group; members of the space
90214 | NotFound | SPREADSHEET_NOT_FOUND | wiki page
90215 | NotFound | SHEET_NOT_FOUND | by its id; title
90217 | DocumentBusy | SHEET_TOO_MANY | one write after another
90219 | Limit | SHEET_CELL_EXCESS | 13,000; 5,000,000; another sheet
90221 | Limit | SHEET_LARGE_RESPONSE | 10 MB; fewer cells
90235 | DocumentBusy | SHEET_RETRY_LATER | still running
91402 | NotFound | DOCUMENT_NOT_FOUND | wiki page; other brand; not shared
91403 | Permission | DOCUMENT_FORBIDDEN | right to edit; group; members of the space
131002 | Request | WIKI_PARAMETER | -
131004 | Permission | WIKI_USER | -
131005 | NotFound | WIKI_NODE_NOT_FOUND | wiki; brand
131006 | Permission | WIKI_FORBIDDEN | member of the space; group
1310213 | Permission | SHEET_V3_PERMISSION | right to edit; group; members of the space
1310214 | NotFound | SHEET_V3_NOT_FOUND | wiki page
1310217 | DocumentBusy | SHEET_V3_TOO_MANY | one write after another
1310235 | DocumentBusy | SHEET_V3_RETRY_LATER | still running
1310247 | Limit | SHEET_V3_IMAGE_EXCESS | 4,000 images
1310249 | NotFound | SHEET_V3_DELETED | -
1310251 | Request | SHEET_V3_PARAMETER | -
1064510 | Permission | CROSS_TENANT | -
1064511 | Permission | CROSS_BRAND | -
99991401 | Permission | ADDRESS_NOT_ALLOWED | allow-list; proxy
99991403 | Limit | QUOTA_USED_UP | next month
99991543 | App | APP_UNKNOWN | app id; app secret; site
99991668 | CallerToken | USER_TOKEN_INVALID | log in again
99991672 | Permission | SCOPE_MISSING | scopes; publish a version
99991679 | Permission | USER_SCOPE_MISSING | scope; publish a version; log in again
99992351 | NotFound | - | -
99992354 | NotFound | - | -
99992356 | NotFound | - | -
99992360 | NotFound | - | -
99992361 | NotFound | - | -
99992363 | NotFound | - | -
99992364 | NotFound | - | -
99992381 | NotFound | - | -
99992402 | Request | FIELD_VALIDATION | -
10003 | Request | INVALID_PARAM | app id; app secret; Feishu; Lark
10014 | App | APP_SECRET_INVALID | app id; app secret; Feishu; Lark
10015 | App | APP_SECRET_WRONG | app id; app secret; Feishu; Lark
2200 | Busy | INTERNAL | -
11205 | App | NO_BOT | bot; publish a version
11221 | Permission | IMAGE_FOREIGN | uploaded
11240 | App | BOT_OFF | bot; publish a version
20008 | Busy | - | -
21000 | Permission | - | -
21001 | Permission | - | -
11310 | Request | - | -
200570 | Request | CARD_IMAGE_KEYS | -
230001 | Request | MESSAGE_PARAM | ext=; receiver; image key
230002 | Permission | BOT_NOT_IN_GROUP | bot to the group
230006 | App | MESSAGE_NO_BOT | bot; publish a version
230011 | NotFound | MESSAGE_RECALLED | -
230013 | Permission | USER_UNAVAILABLE | availability; publish a version
230017 | Permission | MESSAGE_IMAGE_FOREIGN | uploaded; avatar
230018 | Permission | GROUP_SETTINGS | certain members
230019 | NotFound | TOPIC_NOT_FOUND | -
230020 | RateLimit | MESSAGE_RATE_LIMITED | -
230022 | Request | MESSAGE_SENSITIVE | -
230025 | Limit | MESSAGE_TOO_LONG | -
230027 | Permission | MESSAGE_FORBIDDEN | authorise
230028 | Request | MESSAGE_AUDIT | -
230029 | NotFound | USER_RESIGNED | -
230034 | NotFound | RECEIVER_INVALID | of its kind; open id; organisation
230035 | Permission | MESSAGE_DENIED | muted; blocked; owner
230036 | Permission | TENANT_CRYPT_KEY_DELETED | administrator
230038 | Permission | CROSS_TENANT_CHAT | -
230049 | Busy | MESSAGE_BEING_SENT | later; same uuid
230050 | Permission | MESSAGE_INVISIBLE | -
230053 | Permission | BOT_STOPPED_BY_USER | only the user; reply
230054 | Request | MESSAGE_TYPE_DENIED | -
230055 | Request | MESSAGE_FILE_TYPE | -
230071 | Request | GROUP_WITHOUT_THREADS | without a thread
230072 | Request | MESSAGE_WITHOUT_THREADS | without a thread
230075 | Permission | SECRET_CHAT | -
230099 | Request | CARD_CONTENT | -
230101 | Permission | MESSAGES_TO_USERS_OFF | -
234001 | Request | IM_INVALID_PARAM | file name; extension; download; key
234005 | NotFound | IM_IMAGE_DELETED | again
234006 | Limit | IM_TOO_LARGE | 10 MB
230111 | Request | MESSAGE_SELF_DESTRUCTS | -
231003 | NotFound | MESSAGE_NOT_FOUND | -
232009 | NotFound | CHAT_DISSOLVED | -
234007 | App | IM_NO_BOT | bot; publish a version
234008 | Permission | IM_FOREIGN | uploaded
234011 | Request | IM_FORMAT | PNG or JPEG
234039 | Limit | IM_RESOLUTION | 12,000; 2,000; 4,096
234041 | Permission | IM_TENANT_KEY_DELETED | administrator
234042 | Permission | IM_TENANT_STORAGE | administrator
1061001 | Busy | DRIVE_FAILED | -
1061002 | Request | DRIVE_PARAM | `extra`
1061003 | NotFound | DRIVE_NOT_FOUND | token; read the cell again
1061004 | Permission | DRIVE_FORBIDDEN | right to download; Add document app
1061005 | Permission | DRIVE_UNAUTHORIZED | -
1061006 | Busy | DRIVE_TIMEOUT | -
1061007 | NotFound | DRIVE_DELETED | token; read the cell again
1061073 | Permission | DRIVE_SCOPE_MISSING | scope; publish a version
";

    #[test]
    fn a_code_has_its_class_its_name_and_its_hint() {
        for row in CODES.lines().filter(|row| !row.is_empty()) {
            let [code, class, name, words] = row.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let code = Code(code.parse().unwrap());
            assert_eq!(format!("{:?}", code.class()), class, "{row}");
            assert_eq!(code.name(), Some(name).filter(|name| *name != "-"), "{row}");
            match code.hint() {
                None => assert_eq!(words, "-", "{row}"),
                Some(hint) => {
                    let is_said = words.split("; ").all(|words| hint.contains(words));
                    assert!(is_said, "{row}: {hint}");
                }
            }
        }
    }

    #[test]
    fn a_hint_is_a_line_of_plain_text_about_the_next_step() {
        let codes = (0..1_400_000).chain(99_990_000..100_000_000).map(Code);
        let hints: Vec<_> = codes.filter_map(|code| Some((code, code.hint()?))).collect();
        assert!(hints.len() > 30, "{}", hints.len());
        for (code, hint) in hints {
            assert!((20..=300).contains(&hint.len()), "{code}: {hint}");
            assert!(hint.starts_with(|c: char| c.is_ascii_lowercase()), "{code}: {hint}");
            assert!(!hint.ends_with('.') && !hint.contains("::"), "{code}: {hint}");
            assert!(!hint.contains("  ") && !hint.contains(char::is_control), "{code}: {hint}");
        }
    }

    #[test]
    fn every_code_that_clears_by_itself_is_retried_and_no_other() {
        let retried = "600 1500 1642 1663 2200 5000 10101 10105 10200 10500 45500 55001 65001 90203 \
            90217 90228 90235 90242 91201 95001 95003 95005 95010 95011 95203 95204 95205 95206 \
            95207 95208 95209 96001 96002 96402 96403 105001 11232 11233 11247 18121 1000004 \
            1000005 99991400 230020 230049 232096 131001 131009 1061001 1061006 1061045 1310217 1310235 1310242 \
            1315201 1315203 1315210 20050 20072 20008";
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
