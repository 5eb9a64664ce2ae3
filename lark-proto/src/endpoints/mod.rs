//! The trait of an [`Endpoint`], and the endpoints.
//!
//! To add an endpoint, implement [`Endpoint`]; for a single call without a type, use [`Raw`].

// One file per endpoint, all of the same five parts: its documentation with the vendor's page, the struct, its
// constructor, `impl Endpoint`, and tests from the vendor's own example.
mod add_dimension;
mod app_ticket;
mod app_token;
mod create_image;
mod dimension;
mod download;
mod download_media;
mod get_image;
mod get_wiki_node;
mod grant;
mod message;
mod put_image;
mod query_sheets;
mod raw;
mod read_cells;
mod reply_image;
mod send_image;
mod store_tenant_token;
mod tenant_token;
mod update_dimension;
mod upload;
mod with_log_id;
mod write_sheet_image;

pub use crate::body::Payload;
pub use crate::endpoint::{Endpoint, EndpointExt, Quota, Resend};
pub use crate::path::Path;
pub use crate::reply::Reply;
pub use add_dimension::{AddDimension, DimensionAdded};
pub use app_ticket::{AppTicketEvent, ResendAppTicket};
pub use app_token::GetAppToken;
pub use create_image::CreateImage;
pub use download::Download;
pub use download_media::DownloadMedia;
pub use get_image::GetImage;
pub use get_wiki_node::{GetWikiNode, WikiNode};
pub use grant::Grant;
pub use message::MessageSent;
pub use put_image::PutImage;
pub use query_sheets::{Grid, QuerySheets, Sheet, SheetKind, Sheets};
pub use raw::Raw;
pub use read_cells::{CellContent, Cells, ReadCells};
pub use reply_image::ReplyImage;
pub use send_image::SendImage;
pub use store_tenant_token::GetStoreTenantToken;
pub use tenant_token::GetTenantToken;
pub use update_dimension::UpdateDimension;
pub use with_log_id::WithLogId;
pub use write_sheet_image::{SheetImageWritten, WriteSheetImage};
