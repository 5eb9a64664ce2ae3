//! The uploader on openlark.

use open_lark::Client;
use open_lark::communication::im::v1::image::{create::CreateImageRequest, models::ImageType};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let client = Client::builder().app_id("cli_a1b2").app_secret("secret").base_url(site);
    let client = client.allow_custom_base_url(true).build()?;
    let put = CreateImageRequest::new(client.api_config().clone()).image_type(ImageType::Message);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(put.execute(std::fs::read(file)?))?.image_key);
    Ok(())
}
