//! The uploader on lark-hyper with tokio.

use lark_hyper::Client;
use lark_hyper::lark_proto::{App, Image, PutImage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let client = Client::new(site.parse()?, App::custom("cli_a1b2", "secret")?);
    let image = Image::new(std::fs::read(file)?)?;
    let put = PutImage::message(image)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(client.call(&put))?);
    Ok(())
}
