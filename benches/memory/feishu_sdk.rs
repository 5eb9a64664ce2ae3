//! The cell write on feishu-sdk, by its call for endpoints that it does not have. The body has to be a `Value`.

mod cell;

use feishu_sdk::Client;
use feishu_sdk::core::{Config, RequestOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("writer SITE FILE")?;
    let client = Client::new(Config::builder("cli_a1b2", "secret").base_url(site).build())?;
    let body = serde_json::to_value(cell::Write::new(&std::fs::read(file)?))?;
    let write = client.post(cell::PATH, vec![], Some(body), RequestOptions::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reply = runtime.block_on(write)?.json_value()?;
    println!("{}", reply["data"]["spreadsheetToken"].as_str().ok_or("refused")?);
    Ok(())
}
