//! Lark's and Feishu's image endpoints without I/O: typed requests become [`http::Request`]s with exact,
//! reproducible bytes, and replies become typed results or errors.
//!
//! ```text
//!  values             Endpoint               Body                     any transport             Endpoint
//!  Image, SheetCell   path() + payload()     segments, exact length   lark-ureq, your own       read()
//!  (validated) -----> (cannot fail) -------> http::Request<Body> ---> ........................> http::Response<Bytes> --> Output | Error
//!    Invalid                                   | into_bytes                                                                |
//!                                              v                                                                           v
//!                                            http::Request<Bytes>                                                        advice()
//! ```
//!
//! * What can be wrong is refused where a value is built, with the [`Rule`] that it breaks. From there on making a
//!   request cannot fail.
//! * A known code in a reply decides, whatever the HTTP status: the service answers failures with 200, 400 and 429
//!   alike.
//! * Nothing here knows the network, the time or a random number. The same values give the same bytes.
//!
//! ```
//! use lark_proto::{EndpointExt, Image, Site, TenantToken, WriteSheetImage};
//!
//! let image = Image::new("GIF89a..")?;
//! let write = WriteSheetImage::new("shtcnabc".parse()?, "Q7PlXT!H7".parse()?, image)?.named("photo")?;
//! let request = write.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
//! // .. any HTTP client sends it, and what comes back is a response like this one:
//! let reply = r#"{"code":0,"data":{"spreadsheetToken":"shtcnabc","revision":80},"msg":"success"}"#;
//! let written = WriteSheetImage::decode(http::Response::new(reply.into()))?;
//! assert_eq!(written.revision, Some(80));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A whole call, from its token to its result, is a [`Call`] of a [`Session`]: token life, retries, waits and turns as a
//! machine that any transport obeys.
//!
//! The endpoints: [`PutImage`], [`WriteSheetImage`], and those that hand out tokens: [`TenantTokenRequest`],
//! [`AppTokenRequest`], [`StoreTenantTokenRequest`], [`AppTicketResend`]. An [`Endpoint`] of your own is a few lines, and
//! a one-off call is a [`Raw`]. With the feature `fake`, `fake::FakeLark` is a strict Lark in memory to test against.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod body;
mod endpoint;
mod endpoints;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod path;
mod reply;
mod session;
mod site;
mod text;
mod token;
mod values;
pub mod wire;

pub use body::{Body, Boundary, ImageEncoding, Multipart};
pub use endpoint::{Endpoint, EndpointExt, Payload, Quota, Resend, WithLogId};
pub use endpoints::{
    AppGrant, AppTicketEvent, AppTicketResend, AppTokenRequest, PutImage, Raw, SheetImageWritten,
    StoreTenantTokenRequest, TenantGrant, TenantTokenRequest, WriteSheetImage,
};
pub use error::{
    Advice, ApiError, CallError, Class, Code, Error, Failure, FieldViolation, Invalid, Outcome,
    PermissionViolation, Rule, Unreadable, WaitFor,
};
pub use path::Path;
pub use reply::Reply;
pub use session::{
    Call, CallId, Drive, Event, FetchId, Heard, Limits, Outgoing, Permanence, Phases, Purpose,
    Session, Step,
};
pub use site::Site;
pub use token::{
    AppToken, Auth, Authorizes, NoAuth, NoToken, TenantOnly, TenantOrUser, TenantToken, UserToken,
};
pub use values::{
    App, AppId, AppSecret, AppTicket, FileName, Image, ImageFormat, ImageKey, SheetCell, SheetId,
    SpreadsheetLink, SpreadsheetToken, TenantKey,
};
