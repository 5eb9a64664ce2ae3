//! The values of a request. Each type documents a rule, and its constructors are the only place that refuses a value
//! that breaks it.

mod app;
mod cell;
mod image;
mod image_rules;
mod key;
mod link;
pub(crate) mod macros;
mod name;
mod spreadsheet;

pub use app::{App, AppId, AppSecret, AppTicket, TenantKey};
pub use cell::SheetCell;
pub use image::{Image, ImageFormat};
pub use image_rules::ImageRules;
pub use key::ImageKey;
pub use link::SpreadsheetLink;
pub use name::FileName;
pub use spreadsheet::{SheetId, SpreadsheetToken};
