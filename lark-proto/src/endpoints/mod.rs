//! The trait of an [`Endpoint`], and the endpoints.
//!
//! To add an endpoint, implement [`Endpoint`]; for a single call without a type, use [`Raw`].

// One file per endpoint, all of the same five parts: its documentation with the vendor's page, the struct, its
// constructor, `impl Endpoint`, and tests from the vendor's own example.
mod add_dimension;
mod app_ticket;
mod app_token;
mod create_image;
mod download;
mod download_media;
mod get_image;
mod get_wiki_node;
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
mod write_sheet_image;

use std::borrow::Cow;
use std::time::Duration;

use crate::error::{Error, Invalid};
use crate::reply::lenient;
use crate::token::TenantToken;

pub use crate::body::Payload;
pub use crate::endpoint::{Endpoint, EndpointExt, Quota, Resend, WithLogId};
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
pub use write_sheet_image::{SheetImageWritten, WriteSheetImage};

/// A compact JSON object of strings, in this order.
fn json_strings<const N: usize>(fields: [(&str, &str); N]) -> Payload {
    let field = |(name, value): (&str, &str)| format!("\"{name}\":{}", json_string(value));
    Payload::json(format!("{{{}}}", fields.map(field).join(",")))
}

/// `text` in the quotes and escapes of JSON.
fn json_string(text: &str) -> String {
    // Serialising a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// A token of the type `K`, and its remaining life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant<K> {
    /// The token.
    pub token: K,
    /// How long the token is valid, from the time when the request was sent: at most two hours, which is the longest
    /// life that Lark documents; zero if the service does not say.
    pub expires_in: Duration,
}

impl<K> Grant<K> {
    /// The longest life of a token that Lark documents, in seconds.
    const LONGEST_LIFE: f64 = 7200.0;

    /// `token` with the `expire` beside it: its remaining seconds, clamped to 0 to 7,200.
    fn read(reply: &Reply, token: Result<K, Invalid>) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        struct TopLevel {
            #[serde(default, deserialize_with = "lenient")]
            expire: Option<f64>,
        }
        let token = token.map_err(|invalid| reply.unreadable(invalid.to_string()))?;
        let seconds = reply.granted::<TopLevel>()?.expire.unwrap_or(0.0);
        let seconds = seconds.clamp(0.0, Self::LONGEST_LIFE);
        Ok(Self { token, expires_in: Duration::try_from_secs_f64(seconds).unwrap_or_default() })
    }
}

/// The reply of either endpoint that hands out tenant access tokens.
fn tenant_grant(reply: &Reply) -> Result<Grant<TenantToken>, Error> {
    #[derive(serde::Deserialize)]
    struct TopLevel<'a> {
        #[serde(borrow)]
        tenant_access_token: Cow<'a, str>,
    }
    let token = reply.granted::<TopLevel<'_>>()?.tenant_access_token;
    Grant::read(reply, TenantToken::new(&token))
}
