//! One file per endpoint, all of the same five parts: what it is and where the vendor says so, the
//! struct, its constructor, `impl Endpoint`, and tests from the vendor's own example.

mod put_image;
mod tenant_token;
mod write_sheet_image;

pub use put_image::PutImage;
pub use tenant_token::{TenantGrant, TenantTokenRequest};
pub use write_sheet_image::{SheetImageWritten, WriteSheetImage};
