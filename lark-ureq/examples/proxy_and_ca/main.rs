//! A client behind a company's proxy, whose certificates come from the company's own authority.
//!
//! Without the variables below, it reaches a fake Lark through a proxy, both on loopback. With `LARK_SITE` (`lark`,
//! `feishu` or a URL), `LARK_APP_ID` and `LARK_APP_SECRET` it gets a token from the real service, through the proxy in
//! `LARK_PROXY`, trusting the certificates in the file `LARK_CA` beside the default ones. Both are optional: without
//! `LARK_PROXY` the client uses the proxy of the environment, for example `HTTPS_PROXY`.

mod corporate_network;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use corporate_network::CorporateNetwork;
use lark_proto::endpoints::GetTenantToken;
use lark_proto::fake::FakeLark;
use lark_proto::network::Proxy;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{App, Site};
use lark_ureq::Client;

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("proxy_and_ca: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(site) = variable("LARK_SITE") else { return on_loopback() };
    let site = site.parse().or_else(|_| Site::custom(&site))?;
    let id = variable("LARK_APP_ID").ok_or("LARK_APP_ID is not set")?;
    let secret = variable("LARK_APP_SECRET").ok_or("LARK_APP_SECRET is not set")?;
    let mut builder = Client::builder(site, App::None);
    if let Some(url) = variable("LARK_PROXY") {
        builder = builder.proxy(Proxy::new(&url)?);
    }
    if let Some(path) = variable("LARK_CA") {
        builder = builder.extra_roots(&std::fs::read(path)?);
    }
    get_token(&builder.build()?, &id, &secret)
}

fn on_loopback() -> Result<(), Box<dyn Error>> {
    let network = CorporateNetwork::start()?;
    // No resolver knows the host: only the proxy leads there.
    let site = Site::custom("https://lark.corp.example/feishu")?;
    let client = Client::builder(site, App::None)
        .proxy(Proxy::new(&format!("http://{}", network.proxy))?)
        .roots(network.authority_pem.as_bytes())
        .build()?;
    get_token(&client, FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let asked = network.asked.recv()?;
    writeln!(std::io::stdout(), "proxy      asked for {asked}")?;
    Ok(())
}

/// Gets a token, which every program does first. It shows that the network, the app's id and its secret are right.
fn get_token(client: &Client, id: &str, secret: &str) -> Result<(), Box<dyn Error>> {
    let get = GetTenantToken::new(AppId::new(id)?, AppSecret::new(secret)?);
    let grant = client.call_as(&NoToken, &get)?;
    let minutes = grant.expires_in.as_secs() / 60;
    writeln!(std::io::stdout(), "token      for {id}, good for {minutes} minutes")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
