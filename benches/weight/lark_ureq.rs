//! The uploader on lark-ureq.

use lark_ureq::Client;
use lark_ureq::lark_proto::{App, Image, PutImage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let client = Client::new(site.parse()?, App::custom("cli_a1b2", "secret")?);
    let image = Image::new(std::fs::read(file)?)?;
    println!("{}", client.call(&PutImage::message(image)?)?);
    Ok(())
}
