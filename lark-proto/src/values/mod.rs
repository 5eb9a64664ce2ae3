//! Values that cannot hold nonsense: each type states the rule it holds, and its constructor is the one
//! place that can refuse.

mod app;
mod cell;
mod image;
mod key;
mod link;
pub(crate) mod macros;
mod name;
mod spreadsheet;

pub use crate::proxy::Proxy;
pub use app::{App, AppId, AppSecret, AppTicket, TenantKey};
pub use cell::SheetCell;
pub use image::{Image, ImageFormat};
pub use key::ImageKey;
pub use link::SpreadsheetLink;
pub use name::FileName;
pub use spreadsheet::{SheetId, SpreadsheetToken};
