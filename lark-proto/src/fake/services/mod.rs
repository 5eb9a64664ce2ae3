//! The services behind the gateway. Each keeps its state and answers the requests to its routes.

mod added_route;
mod apps;
pub(crate) mod download;
pub(crate) mod messages;
pub(crate) mod spreadsheets;
pub(crate) mod upload;
mod wiki;

pub use self::added_route::RouteRequest;
pub use self::messages::StoredMessage;
pub use self::spreadsheets::{FakeSheet, StoredCell};
pub use self::upload::{ImageKind, StoredImage};

pub(crate) use self::added_route::AddedRoute;
pub(crate) use self::apps::{Apps, Credentials};
pub(crate) use self::messages::{Ids, Messages};
pub(crate) use self::spreadsheets::Spreadsheet;
pub(crate) use self::wiki::Wiki;
