//! The values of a request. Each type documents a rule, and its constructors are the only place that refuses a value
//! that breaks it.

mod app;
pub(crate) mod cell;
mod charset;
mod file_name;
mod file_token;
pub(crate) mod image;
mod image_key;
mod link;
pub(crate) mod macros;
mod message;
mod spreadsheet_token;
#[cfg(test)]
pub(crate) mod tests;
mod wiki_token;

pub use app::{App, AppId, AppSecret, AppTicket, TenantKey};
pub use cell::{SheetCell, SheetId};
pub use file_name::FileName;
pub use file_token::FileToken;
pub use image::{Image, ImageFormat, ImageRules};
pub use image_key::ImageKey;
pub use link::SpreadsheetLink;
pub(crate) use link::{Address, Document};
pub use message::{MessageId, MessageUuid, Receiver};
pub use spreadsheet_token::SpreadsheetToken;
pub use wiki_token::WikiToken;
