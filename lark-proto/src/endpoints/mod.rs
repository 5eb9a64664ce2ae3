//! One file per endpoint, all of the same five parts: what it is and where the vendor says so, the
//! struct, its constructor, `impl Endpoint`, and tests from the vendor's own example.

mod app_ticket;
mod app_token;
mod put_image;
mod raw;
mod store_tenant_token;
mod tenant_token;
mod write_sheet_image;

use std::time::Duration;

use crate::endpoint::Payload;
use crate::error::Error;
use crate::reply::{Reply, lenient};

pub use app_ticket::{AppTicketEvent, AppTicketResend};
pub use app_token::{AppGrant, AppTokenRequest};
pub use put_image::PutImage;
pub use raw::Raw;
pub use store_tenant_token::StoreTenantTokenRequest;
pub use tenant_token::{TenantGrant, TenantTokenRequest};
pub use write_sheet_image::{SheetImageWritten, WriteSheetImage};

/// A compact JSON object of strings, in this order.
fn json_strings<const N: usize>(fields: [(&str, &str); N]) -> Payload {
    let field = |(name, value): (&str, &str)| format!("\"{name}\":{}", json_string(value));
    Payload::json(format!("{{{}}}", fields.map(field).join(",")))
}

/// `text` in the quotes and escapes of JSON.
fn json_string(text: &str) -> String {
    // A string can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// The longest life of a token that Lark documents, in seconds.
const LONGEST_LIFE: f64 = 7200.0;

/// `expire` beside a token: its remaining seconds. An absurd value is brought into 0 to 7,200.
fn expires_in(reply: &Reply) -> Result<Duration, Error> {
    #[derive(serde::Deserialize)]
    struct Flat {
        #[serde(default, deserialize_with = "lenient")]
        expire: Option<f64>,
    }
    let seconds = reply.flat::<Flat>()?.expire.unwrap_or(0.0).clamp(0.0, LONGEST_LIFE);
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
