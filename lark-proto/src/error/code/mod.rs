//! The table of Lark's codes: for each its class, for most a name, and, if a person can act on the code, a hint.
//!
//! The sources are the vendor's general list of server errors and the page of each endpoint. A line that says "seen"
//! reports what the live service sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A code of Lark's. 0 is success; every other code is a failure, whatever the HTTP status.
///
/// The table of codes is not complete: a code that it lacks has [`Class::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[doc(alias = "错误码")]
pub struct Code(pub i64);

/// The meaning of a code for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The service failed temporarily, because it is busy, locked or broken: send the request again after a backoff.
    /// The request may have been carried out.
    ServiceFailure,
    /// Too many requests: send the request again after the delay that the service names, or with exponential backoff.
    RateLimit,
    /// The document is busy with another operation or is being loaded: send the same write again later. After
    /// [`Code::SHEET_RETRY_LATER`] and [`Code::SHEET_V3_RETRY_LATER`], the request may have been carried out.
    DocumentBusy,
    /// The tenant access token is invalid or expired: fetch a new one and send the request again.
    TenantToken,
    /// The app access token is invalid or expired: fetch a new one and send the request again.
    AppToken,
    /// The user token is invalid, or the request has no token; only the caller can supply another one.
    CallerToken,
    /// The app's id, secret or ticket is wrong, the app is not available in the tenant, or it has no bot
    /// ([`NO_BOT`](Code::NO_BOT), [`MESSAGE_NO_BOT`](Code::MESSAGE_NO_BOT), [`IM_NO_BOT`](Code::IM_NO_BOT),
    /// [`BOT_OFF`](Code::BOT_OFF)).
    App,
    /// The request is not allowed: a scope or the access to the document, image or receiver is missing, the caller's
    /// address is not allowed, or the settings or the storage of the organisation prevent the request.
    Permission,
    /// The document, sheet, image, message, receiver or route does not exist.
    NotFound,
    /// The request itself is wrong.
    Request,
    /// The request exceeds a size, a count or the monthly quota, so a retry would fail too.
    Limit,
    /// The table of codes lacks the code.
    Unknown,
}

/// Each code with its class and, if a person can do more than the service's message says, a hint on the next step.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $class:ident $(, $hint:expr)?;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Self = Self($code);)+

            /// The meaning of the code for the caller.
            #[must_use]
            pub fn class(self) -> Class {
                match self.0 {
                    $($code => Class::$class,)+
                    95203..=95209 => Class::ServiceFailure,
                    // "The user does not exist", which was seen to be temporary.
                    20008 => Class::ServiceFailure,
                    600 | 1500 | 1642 | 1663 | 5000 | 10101 | 10105 | 10200 | 10500 | 18121
                    | 20050 | 20072 | 45500 | 55001 | 65001 | 91201 | 95001 | 95003 | 95005
                    | 95010 | 95011 | 96001 | 96002 | 96402 | 96403 | 105001 | 131001 | 131009
                    | 1315201 | 1315203 | 1315210 => Class::ServiceFailure,
                    11232 | 11233 | 11247 | 1000004 | 1000005 | 1061045 => Class::RateLimit,
                    // The content of a card is invalid; the text of 230099 quotes this code.
                    11310 => Class::Request,
                    // A policy of the organisation refuses the request.
                    21000 | 21001 => Class::Permission,
                    // The id of a user, a group or a message is unknown, or belongs to another app or organisation.
                    99992351..=99992356 | 99992360 | 99992361 | 99992363 | 99992364
                    | 99992381 => Class::NotFound,
                    _ => Class::Unknown,
                }
            }

            /// A hint for the user about the next step, if one is known. For a code with two meanings,
            /// [`ApiError::hint`](crate::error::ApiError::hint) can give another hint, by the service's message or by
            /// whether the reply answers a token request.
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

/// The hint on a refused token request.
pub(super) const CREDENTIALS: &str = "check the app id, the app secret, whether the app is enabled, and the site: \
    an app of Feishu does not exist at Lark, and an app of Lark does not exist at Feishu";
/// The hint on a download that the app or the user has no right to.
pub(super) const FILE_ACCESS: &str = "give the app, or the user, the right to download from the document: \
    add the app in the document under ... > More > Add document app, \
    and check the setting for who may copy, print and download";
/// The hint on a download with a wrong parameter.
pub(super) const FILE_PARAM: &str = "check that the key or token is that of a file; \
    a file in a base with advanced permissions also needs `extra`";
const NO_FILE: &str =
    "no file has this token: read the cell again, because each new image in a cell has a new token";
const NO_BOT: &str = "turn on the bot in the app's settings and publish a version of the app";
const FOREIGN_IMAGE: &str = "only the app that uploaded an image can send or fetch it, \
    and no app can send or fetch an avatar: upload the image again with this app, as an image for messages";
const ENCRYPTION_KEY: &str =
    "ask an administrator of the organisation to restore its encryption key";
const TENANT_STORAGE: &str =
    "the organisation's own storage failed: ask an administrator of the organisation to repair it";
const SHEET_ID: &str = "name the sheet by its id, which follows `?sheet=` in the address bar of the browser: \
    the title on the tab is not the id";
const DOCUMENT_ACCESS: &str = "the app needs access to the document in addition to its scopes \
    (for a write, the right to edit it): add the app in the document under ... > More > Add document \
    app; if it is not listed there, share the document with a group that its bot is in, or, in a \
    wiki, add it to the members of the space";
const DOCUMENT_TOKEN: &str = "check that the token is the spreadsheet's own and not that of a wiki page, \
    that the document is not at the other brand (Lark or Feishu), and that it is shared with the app";
const TOO_MANY: &str = "there were too many requests to the spreadsheet, or two writes overlapped: \
    send fewer, and one write after another";
const RETRY_LATER: &str = "another operation on the spreadsheet is still running, or this one took too \
    long: wait a minute, and send less at once";
const NO_THREAD: &str = "send the reply without a thread";

codes! {
    // The gateway.
    /// Too many requests to one API by one app in one tenant; HTTP 429, at older APIs 400.
    RATE_LIMITED = 99991400, RateLimit;
    /// The caller's address is not on the app's allow-list.
    ADDRESS_NOT_ALLOWED = 99991401, Permission,
        "the app accepts requests only from certain IP addresses: add the address of this machine, or of its proxy, to the allow-list in the app's security settings";
    /// The monthly quota of calls is used up.
    QUOTA_USED_UP = 99991403, Limit,
        "the organisation has used up its quota of calls for this month: wait for the next month, or ask an administrator to extend the plan";
    /// The app id or the app secret is wrong.
    APP_UNKNOWN = 99991543, App, CREDENTIALS;
    /// The request has no token, or one without `Bearer `; seen as HTTP 400.
    TOKEN_MISSING = 99991661, CallerToken;
    /// The app is disabled.
    APP_DISABLED = 99991662, App;
    /// The tenant token is invalid or expired; seen as HTTP 400 and as 200, never as 401.
    TENANT_TOKEN_INVALID = 99991663, TenantToken;
    /// The app token is invalid.
    APP_TOKEN_INVALID = 99991664, AppToken;
    /// The tenant token belongs to no tenant.
    TENANT_CODE_INVALID = 99991665, TenantToken;
    /// The user token is invalid, or the endpoint takes no user tokens; seen as HTTP 400.
    USER_TOKEN_INVALID = 99991668, CallerToken,
        "the user's token is wrong or has expired: the user has to log in again";
    /// The refresh token is invalid.
    REFRESH_TOKEN_INVALID = 99991669, CallerToken;
    /// The token begins with neither `t-` nor `u-`.
    TOKEN_FORM = 99991671, CallerToken;
    /// The app lacks a scope; `permission_violations` names it.
    SCOPE_MISSING = 99991672, Permission,
        "add one of the missing scopes to the app, and publish a version of the app to put the scope into effect";
    /// The app is not available in the tenant.
    APP_UNAVAILABLE = 99991673, App;
    /// The token lacks a permission.
    TOKEN_PERMISSION = 99991676, Permission;
    /// The user token has expired.
    USER_TOKEN_EXPIRED = 99991677, CallerToken;
    /// The user did not grant the scope.
    USER_SCOPE_MISSING = 99991679, Permission,
        "add the missing scope to the app, publish a version of the app, and let the user log in again to grant it";
    /// A field failed the gateway's validation; `field_violations` names it.
    FIELD_VALIDATION = 99992402, Request;
    /// The service failed, or there were too many requests.
    INTERNAL = 2200, ServiceFailure;
    /// The request is malformed.
    BAD_REQUEST = 9499, Request;
    /// The endpoint is retired.
    OFFLINE = 30005, NotFound;

    // Token endpoints.
    /// A parameter is missing or malformed; seen as HTTP 200.
    INVALID_PARAM = 10003, Request, CREDENTIALS;
    /// The app id is not authorized.
    APP_UNAUTHORIZED = 10005, App;
    /// The app access token was not issued, often for lack of a valid `app_ticket`.
    APP_TOKEN_FAILED = 10012, App;
    /// The tenant access token was not issued.
    TENANT_TOKEN_FAILED = 10013, App;
    /// The app secret or the app id is wrong; seen as "app secret invalid" and "app id not exists".
    APP_SECRET_INVALID = 10014, App, CREDENTIALS;
    /// The app secret is wrong.
    APP_SECRET_WRONG = 10015, App, CREDENTIALS;
    /// A custom app has no `app_ticket` to resend.
    TICKET_RESEND_FAILED = 10016, App;

    // image/v4 and bots.
    /// The app has no bot.
    NO_BOT = 11205, App, NO_BOT;
    /// The form has no `image` file.
    IMAGE_MISSING = 11214, Request;
    /// The image belongs to another app.
    IMAGE_FOREIGN = 11221, Permission, FOREIGN_IMAGE;
    /// No image has this key.
    IMAGE_KEY_UNKNOWN = 11227, NotFound;
    /// The bot is not turned on.
    BOT_OFF = 11240, App, NO_BOT;
    /// The image could not be stored; a parameter may be wrong.
    IMAGE_UPLOAD_FAILED = 18033, Request;
    /// `image_key` is missing.
    IMAGE_KEY_MISSING = 18035, Request;

    // im/v1, HTTP 400.
    /// Too many messages to one user or group.
    MESSAGE_RATE_LIMITED = 230020, RateLimit;
    /// Writes are suspended for some time.
    META_WRITING_STOPPED = 232096, ServiceFailure;
    /// A parameter is wrong, or the image has no file name.
    IM_INVALID_PARAM = 234001, Request,
        "check the parameters: an upload needs a file name with an extension, and the type `message` or `avatar`; a download needs the key of an image for messages";
    /// The request is not authorized; HTTP 401.
    IM_UNAUTHORIZED = 234002, Permission;
    /// The image was deleted.
    IM_IMAGE_DELETED = 234005, NotFound,
        "upload the image again and use its new key";
    /// The file is too large.
    IM_TOO_LARGE = 234006, Limit,
        "the service accepts images of at most 10 MB: shrink the image, or save it as JPEG";
    /// The app's bot is not enabled.
    IM_NO_BOT = 234007, App, NO_BOT;
    /// Another app uploaded the image.
    IM_FOREIGN = 234008, Permission, FOREIGN_IMAGE;
    /// The file is empty.
    IM_EMPTY = 234010, Request;
    /// The image's format is not recognised.
    IM_FORMAT = 234011, Request,
        "the service does not know the image's format: save the image as PNG or JPEG";
    /// The image has too many pixels.
    IM_RESOLUTION = 234039, Limit,
        "shrink the image to at most 12,000 by 12,000 pixels, a GIF to 2,000 by 2,000, an avatar to 4,096 by 4,096";
    /// The key with which the organisation's data is encrypted was deleted.
    IM_TENANT_KEY_DELETED = 234041, Permission, ENCRYPTION_KEY;
    /// The organisation's own storage failed.
    IM_TENANT_STORAGE = 234042, Permission, TENANT_STORAGE;

    // Messages.
    /// A card names an image that the app cannot use.
    CARD_IMAGE_KEYS = 200570, Request;
    /// A parameter is wrong; the message names it after `ext=`.
    MESSAGE_PARAM = 230001, Request,
        "check the parameter after `ext=`: it is the receiver's id, or the content, whose image key has to come from an upload for messages";
    /// The bot is not in the group.
    BOT_NOT_IN_GROUP = 230002, Permission,
        "add the app's bot to the group";
    /// The app has no bot.
    MESSAGE_NO_BOT = 230006, App, NO_BOT;
    /// The message to reply to was recalled.
    MESSAGE_RECALLED = 230011, NotFound;
    /// The user is outside of the app's availability.
    USER_UNAVAILABLE = 230013, Permission,
        "the user is outside of the app's availability: extend the availability in the app's settings and publish a version of the app";
    /// The image or file was uploaded by another app.
    MESSAGE_IMAGE_FOREIGN = 230017, Permission, FOREIGN_IMAGE;
    /// The group's settings do not allow the message.
    GROUP_SETTINGS = 230018, Permission,
        "only certain members may speak in the group: ask its owner or an administrator to add the bot to these members";
    /// The topic does not exist.
    TOPIC_NOT_FOUND = 230019, NotFound;
    /// The content has sensitive information.
    MESSAGE_SENSITIVE = 230022, Request;
    /// The content is too long.
    MESSAGE_TOO_LONG = 230025, Limit;
    /// The user has not authorised the app, or an old API was called across tenants.
    MESSAGE_FORBIDDEN = 230027, Permission,
        "ask the user to authorise the app, or check the app's rights in the group";
    /// The organisation's data loss prevention refused the message.
    MESSAGE_AUDIT = 230028, Request;
    /// The user has left the organisation.
    USER_RESIGNED = 230029, NotFound;
    /// The receiver's id does not exist, or is not of the kind that `receive_id_type` names.
    RECEIVER_INVALID = 230034, NotFound,
        "check the receiver's id and its type: a user has a different open id in each app, and an id is not known in another organisation";
    /// The app may not send messages to this receiver.
    MESSAGE_DENIED = 230035, Permission,
        "the group is muted, the receiver has blocked the bot, or the organisation restricts messages: ask the group's owner or an administrator to allow the bot's messages";
    /// The key that encrypts the organisation's messages was deleted.
    TENANT_CRYPT_KEY_DELETED = 230036, Permission, ENCRYPTION_KEY;
    /// This endpoint cannot send messages to a chat with a user of another organisation.
    CROSS_TENANT_CHAT = 230038, Permission;
    /// A request with the same uuid is being carried out.
    MESSAGE_BEING_SENT = 230049, ServiceFailure,
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
    GROUP_WITHOUT_THREADS = 230071, Request, NO_THREAD;
    /// The aggregated message allows no reply in a thread.
    MESSAGE_WITHOUT_THREADS = 230072, Request, NO_THREAD;
    /// The chat is secret and takes no messages of apps.
    SECRET_CHAT = 230075, Permission;
    /// The content of the card is invalid.
    CARD_CONTENT = 230099, Request;
    /// The app can only reply for now, and cannot send messages to users.
    MESSAGES_TO_USERS_OFF = 230101, Permission;
    /// The message to reply to is about to destroy itself.
    MESSAGE_SELF_DESTRUCTS = 230111, Request;
    /// The message to reply to does not exist, or was deleted.
    MESSAGE_NOT_FOUND = 231003, NotFound;
    /// The group was dissolved.
    CHAT_DISSOLVED = 232009, NotFound;

    // drive/v1: files of documents, with HTTP 200 or the status that the line names.
    /// The service failed; HTTP 200 or 500.
    DRIVE_FAILED = 1061001, ServiceFailure;
    /// A parameter is wrong; HTTP 400.
    DRIVE_PARAM = 1061002, Request,
        FILE_PARAM;
    /// No file has this token; HTTP 404.
    DRIVE_NOT_FOUND = 1061003, NotFound, NO_FILE;
    /// The app or the user may not download; HTTP 403.
    DRIVE_FORBIDDEN = 1061004, Permission, FILE_ACCESS;
    /// The request is not authorized; HTTP 401.
    DRIVE_UNAUTHORIZED = 1061005, Permission;
    /// The service timed out.
    DRIVE_TIMEOUT = 1061006, ServiceFailure;
    /// The file was deleted; HTTP 404.
    DRIVE_DELETED = 1061007, NotFound, NO_FILE;
    /// The app lacks a scope; HTTP 403.
    DRIVE_SCOPE_MISSING = 1061073, Permission,
        "add the scope `sheets:spreadsheet:readonly`, `drive:drive:readonly` or `docs:document.media:download` to the app and publish a version of the app";

    // sheets v2.
    /// The body is not JSON.
    SHEET_JSON = 90201, Request;
    /// The range is wrong; a cell is `<sheet id>!H7:H7`.
    SHEET_RANGE = 90202, Request,
        "the cell may lie outside the sheet's present grid (a new sheet has 200 rows and 20 columns): add rows or columns first; the range has the form `<sheet id>!H7:H7`";
    /// The service failed.
    SHEET_FAILED = 90203, ServiceFailure;
    /// A parameter is wrong. The message is "Image format is unknown" for an image's name without an extension.
    SHEET_BODY = 90204, Request,
        "the image's name may lack its extension, such as `.png`, or have one that does not fit the image";
    /// The sheet's id is wrong.
    SHEET_ID_WRONG = 90211, NotFound, SHEET_ID;
    /// The row or column is wrong.
    SHEET_ROW_OR_COLUMN = 90212, Request,
        "the rows or columns may lie outside the sheet's present grid: add rows or columns first";
    /// The app has no access to the spreadsheet, or may not edit it.
    SHEET_PERMISSION = 90213, Permission, DOCUMENT_ACCESS;
    /// No spreadsheet has this token.
    SPREADSHEET_NOT_FOUND = 90214, NotFound, DOCUMENT_TOKEN;
    /// No sheet has this id.
    SHEET_NOT_FOUND = 90215, NotFound, SHEET_ID;
    /// A parameter is empty, or the request changed nothing.
    SHEET_NO_CHANGE = 90216, Request;
    /// There were too many requests, or two writes to one document overlapped.
    SHEET_TOO_MANY = 90217, DocumentBusy, TOO_MANY;
    /// The cell is protected.
    SHEET_LOCKED_CELL = 90218, Permission;
    /// The sheet has too many cells.
    SHEET_CELL_EXCESS = 90219, Limit,
        "a sheet has at most 13,000 columns and 5,000,000 cells: use another sheet";
    /// The reply would be too large.
    SHEET_LARGE_RESPONSE = 90221, Limit,
        "a reply has at most 10 MB: read fewer cells at once";
    /// The cell is too large.
    SHEET_LARGE_CELL = 90222, Limit;
    /// A limit was exceeded, such as 4,000 different images in one spreadsheet.
    SHEET_EXCESS = 90226, Limit;
    /// The request is too large.
    SHEET_LARGE_REQUEST = 90227, Limit;
    /// The spreadsheet is being imported.
    SHEET_IMPORTING = 90228, DocumentBusy;
    /// A parameter in the URL is wrong.
    SHEET_URL = 90229, Request;
    /// The previous operation on the document is not finished, or the service's time for this one has passed.
    SHEET_RETRY_LATER = 90235, DocumentBusy, RETRY_LATER;
    /// The document's data is being loaded.
    SHEET_LOADING = 90242, DocumentBusy;

    // sheets v3.
    /// The app has no access to the spreadsheet, or may not edit it; 90213 in sheets v2.
    SHEET_V3_PERMISSION = 1310213, Permission, DOCUMENT_ACCESS;
    /// No spreadsheet has this token; 90214 in sheets v2.
    SHEET_V3_NOT_FOUND = 1310214, NotFound, DOCUMENT_TOKEN;
    /// There were too many requests, or two writes to one document overlapped; 90217 in sheets v2.
    SHEET_V3_TOO_MANY = 1310217, DocumentBusy, TOO_MANY;
    /// The previous operation on the document is not finished, or the service's time for this one has passed; 90235 in
    /// sheets v2.
    SHEET_V3_RETRY_LATER = 1310235, DocumentBusy, RETRY_LATER;
    /// The document's data is being loaded; 90242 in sheets v2.
    SHEET_V3_LOADING = 1310242, DocumentBusy;
    /// The spreadsheet would have more than 4,000 different images.
    SHEET_V3_IMAGE_EXCESS = 1310247, Limit,
        "a spreadsheet holds at most 4,000 different images: remove some, or use another spreadsheet";
    /// The spreadsheet was deleted.
    SHEET_V3_DELETED = 1310249, NotFound;
    /// A parameter is wrong.
    SHEET_V3_PARAMETER = 1310251, Request;

    // Cloud documents.
    /// The document does not exist, or the token is that of a wiki node.
    DOCUMENT_NOT_FOUND = 91402, NotFound, DOCUMENT_TOKEN;
    /// The app may not use the document.
    DOCUMENT_FORBIDDEN = 91403, Permission, DOCUMENT_ACCESS;
    /// The document requires a login.
    DOCUMENT_LOGIN = 91404, Permission;
    /// A parameter is wrong.
    WIKI_PARAMETER = 131002, Request;
    /// The user is not known.
    WIKI_USER = 131004, Permission;
    /// The wiki has no such node.
    WIKI_NODE_NOT_FOUND = 131005, NotFound,
        "no page of the wiki has this token: check the link and the site, because a page of Feishu does not exist at Lark, and a page of Lark does not exist at Feishu";
    /// The app may not use the wiki's space or node.
    WIKI_FORBIDDEN = 131006, Permission,
        "give the app access to the wiki: add it, or a group that its bot is in, to the members of the space";
    /// The document belongs to another tenant.
    CROSS_TENANT = 1064510, Permission;
    /// The document belongs to the other brand, Lark or Feishu.
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
mod tests;
