//! The values of a request. Each type documents a rule, and its constructors are the only place that refuses a value
//! that breaks it.

mod app;
pub(crate) mod cell;
mod document_kind;
mod file_name;
mod image;
mod image_rules;
mod key;
mod link;
pub(crate) mod macros;
mod message;
#[cfg(any(feature = "fake", feature = "imagesize"))]
pub(crate) mod resolution;
mod rules;
mod spreadsheet;
#[cfg(test)]
pub(crate) mod tests;

pub use app::{App, AppId, AppSecret, AppTicket, TenantKey};
pub use cell::{SheetCell, SheetId};
pub use file_name::FileName;
pub use image::{Image, ImageFormat};
pub use image_rules::ImageRules;
pub use key::{FileToken, ImageKey};
pub use link::SpreadsheetLink;
pub use message::{MessageId, MessageUuid, Receiver};
pub(crate) use spreadsheet::{Address, Document};
pub use spreadsheet::{SpreadsheetToken, WikiToken};
