//! The endpoints, and the trait [`Endpoint`].
//!
//! | endpoint | what it does | one of these scopes |
//! |---|---|---|
//! | [`WriteSheetImage`] | writes an image into a cell | `sheets:spreadsheet`, `drive:drive` |
//! | [`QuerySheets`] | lists the sheets of a spreadsheet | `sheets:spreadsheet`, `sheets:spreadsheet:readonly`, `drive:drive`, `drive:drive:readonly` |
//! | [`ReadCells`] | tells whether a cell holds an image, a text or nothing | as [`QuerySheets`] |
//! | [`AddDimension`] | adds rows or columns to a sheet | as [`WriteSheetImage`] |
//! | [`UpdateDimension`] | sets the height of rows or the width of columns | as [`WriteSheetImage`] |
//! | [`DownloadMedia`] | downloads a file of a document, such as a cell's image | as [`QuerySheets`], `docs:document.media:download` and others |
//! | [`GetWikiNode`] | gets the document on a page of a wiki | `wiki:node:read`, `wiki:wiki`, `wiki:wiki:readonly` |
//! | [`CreateImage`] | uploads an image for messages or as an avatar | `im:resource`, `im:resource:upload`; bot |
//! | [`PutImage`] | uploads an image to the older endpoint | the vendor's page names none; bot |
//! | [`GetImage`] | downloads an uploaded image | none; bot |
//! | [`SendImage`] | sends an uploaded image to a group or a user | `im:message`, `im:message:send_as_bot`; bot |
//! | [`ReplyImage`] | replies to a message with an uploaded image | as [`SendImage`] |
//! | [`GetTenantToken`] | issues a tenant access token of a custom app | none |
//! | [`GetAppToken`] | issues an app access token of a store app | none |
//! | [`GetStoreTenantToken`] | issues a tenant access token of a store app | none |
//! | [`ResendAppTicket`] | makes the service push the ticket of a store app again | none |
//!
//! "Bot" means that the app needs the feature "Bot". The clients fetch and renew the tokens themselves.
//!
//! To add an endpoint, implement [`Endpoint`]. A single call needs no type of its own: see [`Raw`].

// Each file is an endpoint with the same parts: the documentation with a link to the vendor's page, the struct, its
// constructors, `impl Endpoint`, and in most files tests, with the vendor's sample reply if the page has one. `shared`
// has the parts that several endpoints have in common. The trait and the types of its methods are in `crate::api`.
mod add_dimension;
mod create_image;
mod download_media;
mod get_app_token;
mod get_image;
mod get_store_tenant_token;
mod get_tenant_token;
mod get_wiki_node;
mod put_image;
mod query_sheets;
mod read_cells;
mod reply_image;
mod resend_app_ticket;
mod send_image;
mod shared;
mod update_dimension;
mod write_sheet_image;

pub use crate::api::{Endpoint, EndpointExt, Path, Payload, Quota, Raw, Reply, Resend, WithLogId};
pub use crate::app_ticket_event::AppTicketEvent;
pub use add_dimension::{AddDimension, DimensionAdded};
pub use create_image::CreateImage;
pub use download_media::DownloadMedia;
pub use get_app_token::GetAppToken;
pub use get_image::GetImage;
pub use get_store_tenant_token::GetStoreTenantToken;
pub use get_tenant_token::GetTenantToken;
pub use get_wiki_node::{GetWikiNode, WikiNode};
pub use put_image::PutImage;
pub use query_sheets::{Grid, QuerySheets, Sheet, SheetKind, Sheets};
pub use read_cells::{CellContent, Cells, ReadCells};
pub use reply_image::ReplyImage;
pub use resend_app_ticket::ResendAppTicket;
pub use send_image::SendImage;
pub use shared::download::Download;
pub use shared::grant::Grant;
pub use shared::message::MessageSent;
pub use update_dimension::UpdateDimension;
pub use write_sheet_image::{SheetImageWritten, WriteSheetImage};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Image;
    use crate::token::AppToken;
    use crate::values::{AppId, AppSecret, AppTicket, ImageKey, MessageUuid, TenantKey};

    fn properties(endpoint: &impl Endpoint) -> (Resend, Option<&str>, Quota, u64) {
        (endpoint.resend(), endpoint.serial_key(), endpoint.quota(), endpoint.reply_limit())
    }

    #[test]
    fn a_token_request_is_idempotent_and_has_no_quota() {
        let id = || AppId::new("cli_a").unwrap();
        let secret = || AppSecret::new("s").unwrap();
        let ticket = AppTicket::new("t").unwrap();
        let tenant = TenantKey::new("k").unwrap();
        let app_token = AppToken::new("a-1").unwrap();
        let expected = (Resend::Safe, None, Quota::NONE, 1 << 20);
        assert_eq!(properties(&GetTenantToken::new(id(), secret())), expected);
        assert_eq!(properties(&GetAppToken::new(id(), secret(), ticket)), expected);
        assert_eq!(properties(&GetStoreTenantToken::new(app_token, tenant)), expected);
        assert_eq!(properties(&ResendAppTicket::new(id(), secret())), expected);
    }

    #[test]
    fn a_write_to_a_spreadsheet_has_its_serial_key_and_100_requests_a_second() {
        let quota = Quota::per_second(100);
        let sheet = || "s".parse().unwrap();
        let spreadsheet = || "sht".parse().unwrap();
        let image = Image::new("GIF89a").unwrap();
        let write = WriteSheetImage::new(spreadsheet(), "s!A1".parse().unwrap(), image).unwrap();
        assert_eq!(properties(&write), (Resend::Safe, Some("sht"), quota, 1 << 20));
        let add = AddDimension::rows(spreadsheet(), sheet(), 1).unwrap();
        assert_eq!(properties(&add), (Resend::Unsafe, Some("sht"), quota, 1 << 20));
        let update = UpdateDimension::row_height(spreadsheet(), sheet(), 1..=1, 1).unwrap();
        assert_eq!(properties(&update), (Resend::Safe, Some("sht"), quota, 1 << 20));
    }

    #[test]
    fn a_read_has_the_quota_of_its_page_and_a_reply_limit_of_this_crate() {
        let sheets = QuerySheets::new("sht".parse().unwrap());
        assert_eq!(properties(&sheets), (Resend::Safe, None, Quota::per_minute(100), 16 << 20));
        let cells = ReadCells::cell("sht".parse().unwrap(), &"s!A1".parse().unwrap());
        assert_eq!(properties(&cells), (Resend::Safe, None, Quota::per_second(100), 12 << 20));
        let node = GetWikiNode::new("wik".parse().unwrap());
        assert_eq!(properties(&node), (Resend::Safe, None, Quota::per_minute(100), 1 << 20));
        let image = GetImage::new("img".parse().unwrap());
        let quota = Quota::per_second(50).and_per_minute(1000);
        assert_eq!(properties(&image), (Resend::Safe, None, quota, 20 << 20));
        let media = DownloadMedia::new("box".parse().unwrap());
        assert_eq!(properties(&media), (Resend::Safe, None, Quota::per_second(5), 20 << 20));
    }

    #[test]
    fn an_upload_is_always_idempotent_and_a_message_is_idempotent_for_an_hour() {
        let quota = Quota::per_second(50).and_per_minute(1000);
        let image = || Image::new("GIF89a").unwrap();
        let create = CreateImage::message(image()).unwrap();
        assert_eq!(properties(&create), (Resend::Safe, None, quota, 1 << 20));
        let put = PutImage::message(image()).unwrap();
        assert_eq!(properties(&put), (Resend::Safe, None, Quota::NONE, 1 << 20));

        let key = || ImageKey::new("img").unwrap();
        let uuid = || MessageUuid::new("u").unwrap();
        let for_an_hour = Resend::SafeFor(Duration::from_secs(3600));
        let send = SendImage::new("oc_a".parse().unwrap(), key(), uuid());
        assert_eq!(properties(&send), (for_an_hour, None, quota, 1 << 20));
        let reply = ReplyImage::new("om_a".parse().unwrap(), key(), uuid());
        assert_eq!(properties(&reply), (for_an_hour, None, quota, 1 << 20));
    }
}
