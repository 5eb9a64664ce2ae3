//! The uploader on hyper alone, with hyper-util's pool, tokio and rustls, which lark-hyper has too.

mod form;
mod raw_hyper;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

fn main() -> Result<(), raw_hyper::Error> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let image = std::fs::read(file)?;
    let tls = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
    let client = Client::builder(TokioExecutor::new()).build(tls.enable_all_versions().build());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let upload =
        raw_hyper::upload(&site, &image, async |request| Ok(client.request(request).await?));
    println!("{}", runtime.block_on(upload)?);
    Ok(())
}
