//! A web service on axum: a form takes the link of a cell and a picture, and the picture goes into that cell.
//!
//! `cargo run -p lark-hyper --example axum` serves it on loopback over a fake Lark, posts pictures to it and checks the
//! answers. With `-- --listen 127.0.0.1:8080`, `LARK_APP_ID` and `LARK_APP_SECRET` it uses the real service;
//! `LARK_SITE` is `lark` unless it says `feishu` or a URL. Everyone who can reach the form writes with the app's
//! rights, so it needs a login in front of it.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::{BoxError, Router, routing};
use lark_hyper::{CallError, Client, FakeServer};
use lark_proto::error::{Advice, ApiError, CallErrorKind, Concerns, Outcome};
use lark_proto::fake::{Break, FakeLark, Fault, Route};
use lark_proto::{App, Image, Invalid, Limits, Site, SpreadsheetLink, WriteSheetImage};
use reqwest::multipart::{Form, Part};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower::ServiceBuilder;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A status, and the text that the person reads.
type Failure = (StatusCode, String);

/// The largest form: a picture of 20 MiB, the most that goes into a cell, and its link.
const FORM_BYTES: usize = (20 << 20) + (64 << 10);

const FORM: &str = r#"<!doctype html><form method="post" enctype="multipart/form-data">
<input name="link" placeholder="link of a cell" required>
<input name="picture" type="file" required> <button>Write</button></form>"#;

const NO_CELL: &str = "the link names no cell: copy the link of a single cell";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        [] => check().await,
        ["--listen", address] => listen(address).await,
        _ => Err("the arguments are none, or --listen and an address".into()),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("axum: {error}");
    ExitCode::FAILURE
}

async fn listen(address: &str) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
    let var = |name| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let site = std::env::var_os("LARK_SITE").map_or(Ok("lark".into()), |_| var("LARK_SITE"))?;
    let site = site.parse().or_else(|_| Site::custom(&site))?;
    let client = Client::new(site, App::custom(&var("LARK_APP_ID")?, &var("LARK_APP_SECRET")?)?);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Gateways often give up after a minute.
    Ok(axum::serve(listener, router(client, Duration::from_secs(45))).await?)
}

/// The state that all handlers share. Clones of the client share its token, its lanes and its rate limits.
#[derive(Clone)]
struct Shared {
    client: Client,
    within: Duration,
}

/// Each post is answered `within` this time, with the reason if the call failed. The longer time-out around it gives no
/// reason: it ends only a post whose form does not arrive in time.
fn router(client: Client, within: Duration) -> Router {
    let too_slow = async |_: BoxError| StatusCode::REQUEST_TIMEOUT;
    let time_out = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(too_slow))
        .timeout(within + Duration::from_secs(5));
    Router::new()
        .route("/", routing::get(Html(FORM)).post(write_picture))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(time_out)
        .with_state(Shared { client, within })
}

/// If the connection closes, axum drops this future, and the call leaves its queue.
async fn write_picture(
    State(Shared { client, within }): State<Shared>,
    form: Multipart,
) -> Result<String, Failure> {
    let deadline = Instant::now() + within;
    let unread = |error: MultipartError| (error.status(), error.body_text());
    let invalid = |error: Invalid| (StatusCode::BAD_REQUEST, error.to_string());
    let (link, name, picture) = read(form).await.map_err(unread)?;
    let link = SpreadsheetLink::new(&link).map_err(invalid)?;
    let no_cell = || (StatusCode::BAD_REQUEST, NO_CELL.to_owned());
    let cell = link.cell().ok_or_else(no_cell)?.clone();
    let image = Image::new(picture).map_err(invalid)?;
    let write = WriteSheetImage::new(link.token().clone(), cell, image).map_err(invalid)?;
    let write = write.with_lossy_name(&name);
    // The call gets the rest of the time, since the form took some of it to arrive.
    let left = deadline.saturating_duration_since(Instant::now());
    let client = client.with_limits(Limits::default().total(left));
    let written = client.call(&write).await.map_err(|error| failed(&error))?;
    Ok(format!("The picture is in {}.", written.range.as_deref().unwrap_or("its cell")))
}

/// The link, the picture's name and the picture. A field that is missing is empty, which is refused further on.
async fn read(mut form: Multipart) -> Result<(String, String, axum::body::Bytes), MultipartError> {
    let (mut link, mut name, mut picture) = Default::default();
    while let Some(field) = form.next_field().await? {
        match field.name() {
            Some("link") => link = field.text().await?,
            Some("picture") => {
                name = field.file_name().unwrap_or_default().to_owned();
                picture = field.bytes().await?;
            }
            _ => {}
        }
    }
    Ok((link, name, picture))
}

/// The error's line, which ends with a hint if there is one, and what has become of the cell.
fn failed(error: &CallError) -> Failure {
    let concerns = error.concerns();
    let advice = error.lark().map(lark_proto::Error::advice);
    let is_permission = error.api().is_some_and(ApiError::is_permission);
    let status = match (&error.kind, advice) {
        (CallErrorKind::Deadline, _) => StatusCode::GATEWAY_TIMEOUT,
        // Another write to the spreadsheet, a busy document, a rate limit.
        (CallErrorKind::Queued(_), _) | (_, Some(Advice::Again { .. })) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ if concerns == Concerns::Everything => StatusCode::BAD_GATEWAY,
        _ if is_permission => StatusCode::FORBIDDEN,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    if concerns == Concerns::Everything {
        // The app, its scopes or the network: the operator can mend it, and the person cannot.
        eprintln!("axum: {error}");
    }
    let next = match error.outcome() {
        Outcome::Unknown => "The cell may hold the picture all the same: look before you retry.",
        _ if status == StatusCode::SERVICE_UNAVAILABLE => "Nothing was written: retry in a minute.",
        _ => "Nothing was written.",
    };
    (status, format!("{error}\n{next}"))
}

/// Posts pictures to the service over loopback and checks its answers.
async fn check() -> Result<()> {
    let fake = FakeServer::start()?;
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let client = Client::new(fake.site().clone(), app);
    let within = Duration::from_secs(2);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, router(client, within)).into_future());

    // The ranges H7:H7, H8:H8 and H9:H9, as a copied link has them.
    let links = ["SDc6SDc%3D", "SDg6SDg%3D", "SDk6SDk%3D"].map(|range| {
        let (token, sheet) = (FakeLark::SPREADSHEET, FakeLark::SHEET);
        format!("https://x.feishu.cn/sheets/{token}?sheet={sheet}&range={range}")
    });
    // A byte behind a PNG's end is not shown; here it tells the pictures apart.
    let sample = &include_bytes!("../../lark-ureq/examples/sample.png")[..];
    let pictures = [7, 8, 9].map(|row| [sample, &[row]].concat());
    let post_to = async |at: usize| post(&url, &links[at], &pictures[at]).await;

    let (h7, h8, h9) = tokio::try_join!(post_to(0), post_to(1), post_to(2))?;
    for answer in [h7, h8, h9] {
        show("written", answer, StatusCode::OK)?;
    }
    for (row, picture) in (7..).zip(&pictures) {
        let range = format!("{}!H{row}:H{row}", FakeLark::SHEET);
        let cell = fake.with(|lark| lark.cell(FakeLark::SPREADSHEET, &range).cloned());
        let cell = cell.ok_or("the fake's cell is empty")?;
        if cell.bytes != *picture {
            return Err("the fake holds other bytes than were sent".into());
        }
    }
    // The fake refuses a write that arrives during another, and the client would send it again.
    let routes = [Route::TenantAccessToken, Route::ValuesImage];
    let counts = fake.with(|lark| routes.map(|route| lark.count(route)));
    if counts != [1, 3] {
        return Err(format!("the requests for tokens and to cells were {counts:?}").into());
    }
    println!("read back  all three, byte for byte what was sent, after one token and three writes");

    let wiki = "https://x.feishu.cn/wiki/wikcnabc?sheet=Q7PlXT";
    show("link", post(&url, wiki, sample).await?, StatusCode::BAD_REQUEST)?;

    let fault = Fault::Code { status: StatusCode::OK, code: 90213, msg: "NoPermission".into() };
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, fault));
    show("refused", post_to(0).await?, StatusCode::FORBIDDEN)?;

    // The service does not answer the first of two writes, and the second one waits for its turn.
    let slow = Break::SlowReply(Duration::from_secs(60));
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    let begun = Instant::now();
    let (one, other) = tokio::try_join!(post_to(0), post_to(1))?;
    let took = begun.elapsed();
    let (queued, sent) = if one.0 < other.0 { (one, other) } else { (other, one) };
    show("slow", sent, StatusCode::GATEWAY_TIMEOUT)?;
    show("queued", queued, StatusCode::SERVICE_UNAVAILABLE)?;
    println!("in time    both after {took:.1?}, of {within:?}");
    if took > within + Duration::from_secs(1) {
        return Err("the answers came after their deadline".into());
    }
    Ok(())
}

/// Posts the form as a browser does.
async fn post(url: &str, link: &str, picture: &[u8]) -> Result<(StatusCode, String)> {
    let file = Part::bytes(picture.to_owned()).file_name("sample.png");
    let form = Form::new().text("link", link.to_owned()).part("picture", file);
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let reply = browser.post(url).multipart(form).send().await?;
    Ok((reply.status(), reply.text().await?))
}

/// Prints an answer, which has to have the status `expected`.
fn show(what: &str, (status, text): (StatusCode, String), expected: StatusCode) -> Result<()> {
    println!("{what:10} {} {}", status.as_u16(), text.replace('\n', "\n               "));
    if status == expected { Ok(()) } else { Err(format!("the status should be {expected}").into()) }
}
