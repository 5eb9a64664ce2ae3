//! A client behind a company's proxy, whose certificates come from the company's own authority.
//!
//! Without the variables below, it reaches a fake Lark through a proxy, both on loopback. With `LARK_SITE` (`lark`,
//! `feishu` or a URL), `LARK_APP_ID` and `LARK_APP_SECRET` it gets a token from the real service.
//!
//! `LARK_PROXY` names the proxy, and `LARK_CA` a file with certificates that are trusted in addition to the default
//! ones. Both are optional. Without `LARK_PROXY` the client uses the proxy of the environment, for example
//! `HTTPS_PROXY`.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use lark_hyper::{Client, FakeServer};
use lark_proto::endpoints::GetTenantToken;
use lark_proto::fake::FakeLark;
use lark_proto::network::Proxy;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{App, Site};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("async_proxy_and_ca: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some(site) = variable("LARK_SITE") else { return on_loopback().await };
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
    get_token(&builder.build()?, &id, &secret).await
}

async fn on_loopback() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    let own = rcgen::generate_simple_self_signed(["lark.corp.example".to_owned()])?;
    let gateway = gateway(&own, server.address()).await?;
    let proxy = proxy(gateway).await?;
    // No resolver knows this host, so that it can be reached through the proxy alone.
    let client = Client::builder(Site::custom("https://lark.corp.example")?, App::None)
        .proxy(Proxy::new(&format!("http://{proxy}"))?)
        .roots(own.cert.pem().as_bytes())
        .build()?;
    get_token(&client, FakeLark::APP_ID, FakeLark::APP_SECRET).await
}

/// Gets a token, which every program does first. It shows that the network, the app's id and its secret are right.
async fn get_token(client: &Client, id: &str, secret: &str) -> Result<(), Box<dyn Error>> {
    let get = GetTenantToken::new(AppId::new(id)?, AppSecret::new(secret)?);
    let grant = client.call_as(&NoToken, &get).await?;
    println!("token      for {id}, good for {} minutes", grant.expires_in.as_secs() / 60);
    Ok(())
}

/// Starts a gateway on loopback, which has the certificate `own`, ends TLS, and forwards the bytes to `server`.
async fn gateway(
    own: &rcgen::CertifiedKey<rcgen::KeyPair>,
    server: SocketAddr,
) -> Result<SocketAddr, Box<dyn Error>> {
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let tls = TlsAcceptor::from(Arc::new(config));
    let address = listen(move |stream| {
        let tls = tls.clone();
        async move {
            let mut stream = tls.accept(stream).await?;
            copy_bidirectional(&mut stream, &mut TcpStream::connect(server).await?).await?;
            Ok(())
        }
    });
    Ok(address.await?)
}

/// Starts a proxy on loopback, which opens a tunnel to `server` for any host.
async fn proxy(server: SocketAddr) -> io::Result<SocketAddr> {
    listen(move |stream| async move {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        println!("proxy      asked for {}", head.split(' ').nth(1).unwrap_or_default());
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut stream, &mut TcpStream::connect(server).await?).await?;
        Ok(())
    })
    .await
}

/// Listens on loopback, and calls `handle` for each connection in a task of its own.
async fn listen<H, F>(handle: H) -> io::Result<SocketAddr>
where
    H: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handling = handle(stream);
            tokio::spawn(async move {
                if let Err(error) = handling.await {
                    eprintln!("async_proxy_and_ca: a connection broke: {error}");
                }
            });
        }
    });
    Ok(address)
}

#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
