//! A web service on axum. A form takes a link, a cell and a picture, and the service writes the picture into the cell.
//!
//! `cargo run -p lark-hyper --example axum` serves the form on loopback with a fake Lark behind it, posts pictures and
//! checks the answers. With `-- --listen 127.0.0.1:8080`, `LARK_APP_ID` and `LARK_APP_SECRET` it uses the real service.
//! `LARK_SITE` is `lark` (the default), `feishu` or a URL. Everyone who can reach the form writes with the permissions
//! of the app, so that a real service needs a login in front of the form.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, routing};
use lark_hyper::{CallError, Client, FakeServer};
use lark_proto::error::{ApiError, CallErrorKind, Class, Concerns, InvalidKind, Outcome, WaitFor};
use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};
use lark_proto::place::Place;
use lark_proto::{App, Image, Invalid, Limits, Site, WriteSheetImage};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The size of the largest form: a picture of 20 MiB, the limit of a cell, and its place.
const FORM_BYTES: usize = (20 << 20) + (64 << 10);

const FORM: &str = r#"<!doctype html><form method="post" enctype="multipart/form-data">
<input name="link" placeholder="link of a spreadsheet or a wiki page" required>
<input name="cell" placeholder="Price list!H7; or empty, for the cell of the link">
<input name="picture" type="file" required> <button>Write</button></form>"#;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        [] => check().await,
        ["--listen", address] => listen(address).await,
        _ => Err("usage: axum [--listen ADDRESS]".into()),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("axum: {error}");
    ExitCode::FAILURE
}

async fn listen(address: &str) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
    let var = |name| std::env::var(name).map_err(|_| format!("{name} is not set, or not in UTF-8"));
    let site = std::env::var_os("LARK_SITE").map_or(Ok("lark".into()), |_| var("LARK_SITE"))?;
    let site = site.parse().or_else(|_| Site::custom(&site))?;
    let client = Client::new(site, App::custom(&var("LARK_APP_ID")?, &var("LARK_APP_SECRET")?)?);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Reverse proxies often have a timeout of a minute.
    Ok(axum::serve(listener, router(client, Duration::from_secs(45))).await?)
}

/// The state that all handlers share. Clones of the client share its token, its queues and its rate limits.
#[derive(Clone)]
struct Shared {
    client: Client,
    /// The time limit for a whole request, from its head to the answer.
    within: Duration,
}

fn router(client: Client, within: Duration) -> Router {
    Router::new()
        .route("/", routing::get(Html(FORM)).post(write_picture))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .with_state(Shared { client, within })
}

/// Answers a posted form. If the connection closes, axum drops this future, and the call leaves its queue.
async fn write_picture(
    State(Shared { client, within }): State<Shared>,
    form: Multipart,
) -> Result<Response, Failure> {
    let deadline = Instant::now() + within;
    // The calls get the time that is left. A rate limit that lasts longer is an error at once.
    let in_time = |client: Client| {
        let left = deadline.saturating_duration_since(Instant::now());
        client.with_limits(Limits::default().total(left).longest_wait(left))
    };
    let late = |_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the form took too long to arrive");
    let (link, cell, name, picture) = timeout_at(deadline, read(form)).await.map_err(late)??;
    let place = Place::new(&link, &cell)?;
    let image = Image::new(picture)?;
    let found = in_time(client.clone()).resolve(&place).await?;
    let write = WriteSheetImage::new(found.spreadsheet, found.cell, image)?;
    let written = in_time(client).call(&write.with_lossy_name(&name)).await?;
    Ok(json_text(&json!({"range": written.range})).into_response())
}

/// The link, the cell, the picture's name and the picture. A missing field is read as an empty one, which is refused
/// later.
async fn read(mut form: Multipart) -> Result<(String, String, String, Bytes), MultipartError> {
    let (mut link, mut cell, mut name, mut picture) = Default::default();
    while let Some(field) = form.next_field().await? {
        match field.name() {
            Some("link") => link = field.text().await?,
            Some("cell") => cell = field.text().await?,
            Some("picture") => {
                name = field.file_name().unwrap_or_default().to_owned();
                picture = field.bytes().await?;
            }
            _ => {}
        }
    }
    Ok((link, cell, name, picture))
}

/// The answer to a request that failed: the HTTP status, `Retry-After` and the body.
struct Failure(StatusCode, Option<Duration>, Value);

impl Failure {
    fn new(status: StatusCode, message: &str) -> Self {
        Self(status, None, json!({"code": null, "message": message, "log_id": null}))
    }
}

/// The HTTP status, from which a client of this service decides what to do.
fn status(error: &CallError) -> StatusCode {
    if error.api().is_some_and(ApiError::is_permission) {
        return StatusCode::FORBIDDEN;
    }
    let is_rate = error.lark().is_some_and(|error| error.status() == StatusCode::TOO_MANY_REQUESTS);
    match (&error.kind, error.class()) {
        (CallErrorKind::Invalid(it), _) if it.kind() == InvalidKind::NoSuchSheet => {
            StatusCode::NOT_FOUND
        }
        (CallErrorKind::Invalid(_), _) => StatusCode::BAD_REQUEST,
        (CallErrorKind::Queued(WaitFor::Turn | WaitFor::Rate), _) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (CallErrorKind::Deadline | CallErrorKind::Queued(_), _) => StatusCode::GATEWAY_TIMEOUT,
        (_, Some(Class::NotFound)) => StatusCode::NOT_FOUND,
        (_, Some(Class::ServiceFailure | Class::DocumentBusy | Class::RateLimit)) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        // Lark refuses the picture or the cell. A monthly quota that is used up concerns everything, and gets another
        // status.
        (_, Some(Class::Request | Class::Limit)) if error.concerns() != Concerns::Everything => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        (_, None | Some(Class::Unknown)) if is_rate => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// The message is the text of the error, which names a missing scope and the page where it can be added.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        if error.concerns() == Concerns::Everything {
            // The operator has to repair the app, its scopes or the network.
            eprintln!("axum: {error}");
        }
        let mut message = error.to_string();
        if error.outcome() == Outcome::Unknown {
            message += "; the cell may hold the picture all the same";
        }
        let status = status(&error);
        let code = error.api().map(|api| api.code);
        let wait = error.retry_after().unwrap_or(Duration::from_secs(10));
        let wait = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(wait);
        Self(status, wait, json!({"code": code, "message": message, "log_id": error.log_id()}))
    }
}

impl From<Invalid> for Failure {
    fn from(error: Invalid) -> Self {
        CallError::invalid(error).into()
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Self {
        Self::new(error.status(), &error.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, wait, body) = self;
        let seconds = wait.map(|wait| wait.as_secs_f64().ceil().max(1.0).to_string());
        let retry_after = seconds.map(|seconds| [(header::RETRY_AFTER, seconds)]);
        (status, retry_after, json_text(&body)).into_response()
    }
}

fn json_text(value: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

/// Posts pictures to the service over loopback and checks its answers.
async fn check() -> Result<()> {
    let fake = FakeServer::start()?;
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let client = Client::new(fake.site().clone(), app);
    let within = Duration::from_secs(2);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, router(client.clone(), within)).into_future());

    let sheet =
        format!("https://x.feishu.cn/sheets/{}?sheet={}", FakeLark::SPREADSHEET, FakeLark::SHEET);
    let wiki =
        format!("https://x.feishu.cn/wiki/{}?sheet={}", FakeLark::WIKI_NODE, FakeLark::SHEET);
    let selected = format!("{sheet}&range=SDc6SDc%3D"); // H7:H7, as a copied link has it
    // A byte after the end of a PNG is not shown. Here it makes the pictures differ.
    let sample = &include_bytes!("sample.png")[..];
    let pictures = [7, 8, 9].map(|row| [sample, &[row]].concat());
    let places = [(&*selected, ""), (&*sheet, "H8"), (&*wiki, "H9")];
    let post_to = async |at: usize| post(&url, places[at], &pictures[at]).await;

    let answers = tokio::try_join!(post_to(0), post_to(1), post_to(2))?;
    for answer in <[Answer; 3]>::from(answers) {
        show("written", &answer, StatusCode::OK, "range")?;
    }
    for (row, picture) in (7..).zip(&pictures) {
        let range = format!("{}!H{row}:H{row}", FakeLark::SHEET);
        let cell = fake.with(|lark| lark.cell(FakeLark::SPREADSHEET, &range).cloned());
        let cell = cell.ok_or("the fake's cell is empty")?;
        if cell.bytes != *picture {
            return Err("the fake holds other bytes than were sent".into());
        }
    }
    // The fake refuses a write that arrives during another one. Then there would be more than three requests.
    let routes = [Route::TenantAccessToken, Route::ValuesImage];
    let counts = fake.with(|lark| routes.map(|route| lark.count(route)));
    if counts != [1, 3] {
        return Err(format!("the requests for tokens and to cells were {counts:?}").into());
    }
    println!("read back  all three, byte for byte what was sent, after one token and three writes");

    let text = post(&url, places[0], b"no picture").await?;
    show("picture", &text, StatusCode::BAD_REQUEST, "convert the image")?;
    let nowhere = post(&url, (&sheet, "Prices!H7"), sample).await?;
    show("sheet", &nowhere, StatusCode::NOT_FOUND, "Prices")?;
    let refuse = |fault: Fault| fake.with(|lark| lark.fail_next_on(Route::ValuesImage, fault));
    refuse(Fault::code(200, 90214, "SpreadSheet not found"));
    show("document", &post_to(0).await?, StatusCode::NOT_FOUND, "90214")?;
    refuse(Fault::Permission(vec!["sheets:spreadsheet".into()]));
    show("scope", &post_to(0).await?, StatusCode::FORBIDDEN, "/auth?q=sheets:spreadsheet")?;
    refuse(Fault::code(200, 90204, "Wrong Parameter"));
    show("refused", &post_to(0).await?, StatusCode::UNPROCESSABLE_ENTITY, "90204")?;

    // First, the fake does not answer a posted write. Then it does not answer a write with a later deadline, and a
    // posted write has to wait for its turn.
    let slow = || {
        let slow = ConnectionFault::SlowReply(Duration::from_secs(60));
        fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    };
    slow();
    let begun = Instant::now();
    show("slow", &post_to(0).await?, StatusCode::GATEWAY_TIMEOUT, "may hold the picture")?;
    let took = begun.elapsed();
    println!("in time    after {took:.1?}, of {within:?}");
    slow();
    let found = client.resolve(&Place::new(&sheet, "H8")?).await?;
    let longer = WriteSheetImage::new(found.spreadsheet, found.cell, Image::new(sample)?)?;
    let queued = tokio::select! {
        biased;
        written = client.call(&longer) => return Err(format!("{written:?}").into()),
        queued = post_to(1) => queued?,
    };
    show("queued", &queued, StatusCode::SERVICE_UNAVAILABLE, "its turn")?;
    if took > within + Duration::from_secs(1) {
        return Err("the answer came after its deadline".into());
    }
    // This rate limit lasts longer than the deadline allows. The second request is not sent.
    refuse(Fault::rate_limited(7));
    for _ in 0..2 {
        let limited = post_to(0).await?;
        show("limited", &limited, StatusCode::SERVICE_UNAVAILABLE, "99991400")?;
        let wait = limited.retry_after.as_deref().map(str::parse);
        if !matches!(wait, Some(Ok(1..=7))) {
            return Err(format!("the wait was {wait:?}").into());
        }
    }
    Ok(())
}

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    text: String,
}

/// Posts the form as a browser does.
async fn post(url: &str, (link, cell): (&str, &str), picture: &[u8]) -> Result<Answer> {
    let file = Part::bytes(picture.to_owned()).file_name("sample.png");
    let form = Form::new().text("link", link.to_owned()).text("cell", cell.to_owned());
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let reply = browser.post(url).multipart(form.part("picture", file)).send().await?;
    let wait = reply.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    let status = reply.status();
    let retry_after = wait.map(str::to_owned);
    Ok(Answer { status, retry_after, text: reply.text().await? })
}

/// Prints an answer, and checks that it has this status and this word.
fn show(what: &str, answer: &Answer, status: StatusCode, word: &str) -> Result<()> {
    println!("{what:10} {} {}", answer.status.as_u16(), answer.text);
    let is_expected = answer.status == status && answer.text.contains(word);
    if is_expected { Ok(()) } else { Err(format!("it should be {status} with `{word}`").into()) }
}
