//! The uploader on hyper alone, over a socket of std.

mod form;
mod raw_hyper;
mod socket;

fn main() -> Result<(), raw_hyper::Error> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let image = std::fs::read(file)?;
    println!("{}", socket::block_on(raw_hyper::upload(&site, &image, socket::send))?);
    Ok(())
}
