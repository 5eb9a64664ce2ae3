//! The uploader on feishu-sdk.

use feishu_sdk::Client;
use feishu_sdk::api::ImImageUploadBody;
use feishu_sdk::core::{Config, RequestOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let client = Client::new(Config::builder("cli_a1b2", "secret").base_url(site).build())?;
    let body = ImImageUploadBody::new("message", "image.png");
    let image = std::fs::read(file)?;
    let images = client.im_v1_image();
    let put = images.upload_image(&body, image, RequestOptions::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reply = runtime.block_on(put)?;
    println!("{}", reply.data.and_then(|data| data.image_key).ok_or("refused")?);
    Ok(())
}
