//! The values of a request. Each type documents a rule, and its constructors are the only place that refuses a value
//! that breaks it.

mod app;
pub(crate) mod cell;
mod image;
mod image_rules;
mod key;
mod link;
pub(crate) mod macros;
mod message;
mod name;
mod spreadsheet;

pub use app::{App, AppId, AppSecret, AppTicket, TenantKey};
pub use cell::SheetCell;
pub use image::{Image, ImageFormat};
pub use image_rules::ImageRules;
#[cfg(feature = "fake")]
pub(crate) use image_rules::resolution;
pub use key::{FileToken, ImageKey};
pub(crate) use link::Address;
pub use link::SpreadsheetLink;
pub use message::{MessageId, MessageUuid, Receiver};
pub use name::FileName;
pub(crate) use spreadsheet::Document;
pub use spreadsheet::{SheetId, SpreadsheetToken, WikiToken};
