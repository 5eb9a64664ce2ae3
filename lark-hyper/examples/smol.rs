//! The client on the runtime smol. It needs a closure that opens a connection for each request.
//!
//! `cargo run -p lark-hyper --example smol` uploads an image and writes it into a cell at the same time, against a fake
//! Lark on loopback. The client does not use tokio.

use std::error::Error;
use std::process::ExitCode;

use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use lark_hyper::{Client, FakeServer, RequestBody, TransportError};
use lark_proto::fake::FakeLark;
use lark_proto::{App, Image, PutImage, WriteSheetImage};
use smol::net::TcpStream;
use smol_hyper::rt::{FuturesIo, SmolTimer};

fn main() -> ExitCode {
    let Err(error) = smol::block_on(run()) else { return ExitCode::SUCCESS };
    eprintln!("smol: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let service = service_fn(async |request| Ok::<_, TransportError>(send(request).await?));
    let client = Client::with_service(server.site().clone(), app, service, SmolTimer::new());

    let image = Image::new(&include_bytes!("sample.png")[..])?;
    let cell = format!("{}!H7", FakeLark::SHEET).parse()?;
    let put = PutImage::message(image.clone())?;
    let write = WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone())?;
    let (key, written) = smol::future::try_zip(client.call(&put), client.call(&write)).await?;
    let range = written.range.ok_or("the reply names no cell")?;
    println!("upload     image key {key}");
    println!("cell       {range}");

    let stored = server.with(|lark| lark.image(key.as_str()).cloned());
    let stored = stored.ok_or("the fake has no such image")?;
    let in_cell = server.with(|lark| lark.cell(FakeLark::SPREADSHEET, &range).cloned());
    let in_cell = in_cell.ok_or("the fake's cell is empty")?;
    if [&stored.bytes, &in_cell.bytes] != [image.bytes(); 2] {
        return Err("the fake holds other bytes than were sent".into());
    }
    println!("read back  both, byte for byte what was sent");
    Ok(())
}

/// Sends a request on a connection of its own. The connection ends with the reply, or when this future is dropped.
async fn send(
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
    let uri = std::mem::take(request.uri_mut()).into_parts();
    // For the real service, TLS goes between the stream and the connection.
    if uri.scheme != Some(Scheme::HTTP) {
        return Err("this example has no TLS".into());
    }
    let host = uri.authority.ok_or("the URI names no host")?;
    // hyper sends the URI as it is and adds no header. HTTP/1 needs the path alone, and the host in a header.
    *request.uri_mut() = Uri::from(uri.path_and_query.unwrap_or(PathAndQuery::from_static("/")));
    request.headers_mut().insert(HOST, HeaderValue::from_str(host.as_str())?);

    let address = format!("{}:{}", host.host(), host.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(FuturesIo::new(stream)).await?;
    // An error of the connection is the error of the request as well.
    smol::spawn(connection).detach();
    Ok(sender.send_request(request).await?)
}
