//! The cell write on lark-ureq.

use lark_ureq::Client;
use lark_ureq::lark_proto::{App, Image, WriteSheetImage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("writer SITE FILE")?;
    let client = Client::new(site.parse()?, App::custom("cli_a1b2", "secret")?);
    let image = Image::new(std::fs::read(file)?)?;
    let write = WriteSheetImage::new("shtcnabc".parse()?, "Q7PlXT!H7".parse()?, image)?;
    println!("{}", client.call(&write)?.spreadsheet_token);
    Ok(())
}
