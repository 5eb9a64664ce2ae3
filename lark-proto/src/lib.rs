//! x
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod body;
mod code;
mod endpoint;
mod endpoints;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod json_bytes;
mod multipart;
mod path;
mod reply;
mod retry;
mod rule;
mod site;
mod token;
mod values;
pub mod wire;

pub use body::Body;
pub use code::{Class, Code};
pub use endpoint::{Endpoint, EndpointExt, Payload, WithLogId};
pub use endpoints::{
    PutImage, SheetImageWritten, TenantGrant, TenantTokenRequest, WriteSheetImage,
};
pub use error::{
    ApiError, CallError, Error, Failure, FieldViolation, Invalid, PermissionViolation, Unreadable,
};
pub use json_bytes::ImageEncoding;
pub use multipart::{Boundary, Multipart};
pub use path::Path;
pub use reply::Reply;
pub use retry::Advice;
pub use rule::Rule;
pub use site::Site;
pub use token::{
    Auth, Authorizes, NoAuth, NoToken, TenantOnly, TenantOrUser, TenantToken, UserToken,
};
pub use values::{
    App, AppId, AppSecret, FileName, Image, ImageFormat, ImageKey, SheetCell, SheetId,
    SpreadsheetLink, SpreadsheetToken,
};
