//! reqwest as the service. The client needs a closure that passes each request to a `reqwest::Client`.
//!
//! `cargo run -p lark-hyper --example reqwest` uploads an image and writes it into a cell at the same time, against a
//! fake Lark on loopback. The connection of the first upload breaks. For the real service, reqwest needs one of its
//! features for TLS.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeServer, FreshConnection, RequestBody};
use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};
use lark_proto::session::Timeouts;
use lark_proto::{App, Image, PutImage, WriteSheetImage};

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("reqwest: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let keeping = http_client(32)?;
    let fresh = http_client(0)?;
    let service = service_fn(move |request: Request<RequestBody>| {
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let http = if is_fresh { &fresh } else { &keeping };
        send(http.clone(), request)
    });
    let client = Client::with_service(server.site().clone(), app, service, TokioTimer::new());

    let image = Image::new(&include_bytes!("sample.png")[..])?;
    let cell = format!("{}!H7", FakeLark::SHEET).parse()?;
    let put = PutImage::message(image.clone())?;
    let write = WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone())?;
    server.with(|lark| lark.fail_next_on(Route::ImageV4Put, ConnectionFault::DuringBody));
    let (key, written) = tokio::try_join!(client.call(&put), client.call(&write))?;
    let range = written.range.ok_or("the reply names no cell")?;
    println!("upload     image key {key}");
    println!("cell       {range}");

    // The fake refuses a chunked body, so that both requests had their exact length.
    let stored = server.with(|lark| lark.image(key.as_str()).cloned());
    let in_cell = server.with(|lark| lark.cell(FakeLark::SPREADSHEET, &range).cloned());
    let stored = stored.ok_or("the fake has no such image")?;
    let in_cell = in_cell.ok_or("the fake's cell is empty")?;
    if [&stored.bytes, &in_cell.bytes] != [image.bytes(); 2] {
        return Err("the fake holds other bytes than were sent".into());
    }
    println!("read back  both, byte for byte what was sent");

    let mut elsewhere = Response::new("".into());
    *elsewhere.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    elsewhere.headers_mut().insert(LOCATION, "https://other.example/".parse()?);
    server.with(|lark| lark.fail_next_on(Route::ImageV4Put, Fault::from(elsewhere)));
    let error = client.call(&put).await.err().ok_or("the redirect was followed")?;
    if error.lark().map(lark_proto::Error::status) != Some(StatusCode::TEMPORARY_REDIRECT) {
        return Err(error.into());
    }
    println!("redirect   {error}");
    Ok(())
}

/// A client of reqwest that keeps up to `idle` connections. It leaves retries and redirects to the call.
fn http_client(idle: usize) -> reqwest::Result<reqwest::Client> {
    let timeouts = Timeouts::for_body_len(0);
    reqwest::Client::builder()
        .connect_timeout(timeouts.resolve + timeouts.connect)
        .pool_max_idle_per_host(idle)
        .pool_idle_timeout(Duration::from_secs(15))
        // A redirect could send the token to another host.
        .redirect(reqwest::redirect::Policy::none())
        // The call decides whether its request is sent again.
        .retry(reqwest::retry::never())
        // Without this line reqwest would use the proxy of the environment.
        .no_proxy()
        .build()
}

/// Sends a request. Its body is encoded while it is sent, and its length is known.
async fn send(
    http: reqwest::Client,
    request: Request<RequestBody>,
) -> reqwest::Result<Response<reqwest::Body>> {
    let timeouts = request.extensions().get::<Timeouts>().copied();
    let mut request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
    // reqwest has one timeout for a whole request, so that an upload that stalls ends later than with a `Pool`.
    *request.timeout_mut() = timeouts.map(|p| {
        p.resolve + p.connect + p.send_request + p.send_body + p.recv_response + p.recv_body
    });
    Ok(http.execute(request).await?.into())
}
