//! The uploader on lark-channel, which supports only the two real sites.

use lark_channel::lark_openapi::{OpenApiClient, ReqwestOpenApiTransport};
use lark_channel::{ChannelConfig, MediaUpload, MediaUploader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (_site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let config = ChannelConfig::new("cli_a1b2", "secret");
    let uploader = MediaUploader::new(OpenApiClient::new(config, ReqwestOpenApiTransport::new()));
    let put = uploader.upload(MediaUpload::image(std::fs::read(file)?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(put)?.key());
    Ok(())
}
