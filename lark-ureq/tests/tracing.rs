//! What the feature `tracing` shows of a client's work, and what it never does.

mod memory;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lark_proto::fake::{Break, FakeLark, Fault, Route, TokenKind};
use lark_proto::{App, AppTicket, Image, PutImage, Site, TenantKey, WriteSheetImage};
use lark_ureq::Client;
use lark_ureq::ureq::http::StatusCode;
use memory::Memory;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

const IMAGE: &str = "GIF89a-these-are-the-images-bytes";
const SITE: &str = "http://127.0.0.1:1";

/// A writer that keeps all events, a line each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Held by each test: what the `tracing` crate remembers of who listens is the whole process's.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events of every level and crate that `work` causes on this thread.
fn events(work: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .without_time()
        .with_writer(move || writer.clone());
    let guard = subscriber.set_default();
    work();
    drop(guard);
    let bytes = log.0.lock().unwrap();
    std::str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
}

fn put() -> PutImage {
    PutImage::message(Image::new(IMAGE).unwrap()).unwrap()
}

fn write() -> WriteSheetImage {
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let image = Image::new(IMAGE).unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}

fn custom(memory: &Arc<Mutex<Memory>>) -> Client {
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    Client::with_agent(Site::custom(SITE).unwrap(), app, memory::agent(memory))
}

/// There is a line for each of `expected`, in this order, and it holds these words.
fn assert_lines(lines: &[String], expected: &[&[&str]]) {
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, words) in lines.iter().zip(expected) {
        for word in *words {
            assert!(line.contains(word), "no {word} in {line}");
        }
    }
}

fn assert_hidden(lines: &[String], secrets: &[&str]) {
    for secret in secrets {
        assert!(!secret.is_empty());
        assert!(lines.iter().all(|line| !line.contains(secret)), "{secret} in {lines:#?}");
    }
}

/// The tokens that requests came with.
fn tokens(lark: &FakeLark) -> Vec<&str> {
    lark.requests().iter().filter_map(|seen| seen.token.as_deref()).collect()
}

const PUT: &str = "route=\"/open-apis/image/v4/put/\"";
const TOKEN: &str = "route=\"/open-apis/auth/v3/tenant_access_token/internal\"";
const WRITE: &str = "route=\"/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image\"";

#[test]
fn requests_waits_and_failures_are_events_without_secrets() {
    let _turn = turn();
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let lark = |change: &dyn Fn(&mut FakeLark)| change(&mut memory.lock().unwrap().lark);
    let client = custom(&memory);
    let lines = events(|| {
        let reset = Some("0.01".to_owned());
        let status = StatusCode::TOO_MANY_REQUESTS;
        let limited = Fault::RateLimited { status, reset };
        lark(&|lark| lark.fail_next_on(Route::ImageV4Put, limited.clone()));
        client.call(&put()).unwrap();

        lark(&|lark| lark.revoke_tokens(TokenKind::Tenant));
        client.call(&put()).unwrap();

        let denied = Fault::Permission(vec!["sheets:spreadsheet".into()]);
        lark(&|lark| lark.fail_next_on(Route::ValuesImage, denied.clone()));
        client.call(&write()).unwrap_err();
    });

    let memory = memory.lock().unwrap();
    let requests = memory.lark.requests();
    let log_id = |code: i64| {
        let seen = requests.iter().find(|seen| seen.code == Some(code)).unwrap();
        format!("log_id=\"{}\"", seen.log_id.as_deref().unwrap())
    };
    let [limited, refused, denied] = [99_991_400, 99_991_663, 99_991_672].map(log_id);
    assert_lines(
        &lines,
        &[
            &["DEBUG", "send", TOKEN, "attempt=1"],
            &["DEBUG", "send", PUT, "attempt=1"],
            &["WARN", "going on", PUT, "attempt=1", "code=99991400", &limited],
            &["DEBUG", "wait", PUT, "time="],
            &["DEBUG", "send", PUT, "attempt=2"],
            &["DEBUG", "done", PUT, "attempt=2"],
            &["DEBUG", "send", PUT, "attempt=1"],
            &["WARN", "going on", PUT, "attempt=1", "code=99991663", &refused],
            &["DEBUG", "send", TOKEN, "attempt=1"],
            &["DEBUG", "send", PUT, "attempt=2"],
            &["DEBUG", "done", PUT, "attempt=2"],
            &["DEBUG", "send", WRITE, "attempt=1"],
            &["WARN", "failed", WRITE, "attempt=1", "code=99991672", &denied, "sheets:spreadsheet"],
        ],
    );
    let tokens = tokens(&memory.lark);
    assert!(tokens.first() != tokens.last() && tokens.len() == 5);
    assert_hidden(&lines, &tokens);
    assert_hidden(&lines, &[FakeLark::APP_SECRET, IMAGE, "GIF89a", FakeLark::SPREADSHEET]);
}

#[test]
fn a_request_for_a_token_that_fails_is_an_event_of_its_route() {
    let _turn = turn();
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let secret = "wrongwrongwrongwrongwrongwrong00";
    let app = App::custom(FakeLark::APP_ID, secret).unwrap();
    let agent = memory::agent(&memory);
    let client = Client::with_agent(Site::custom(SITE).unwrap(), app, agent);
    let lines = events(|| drop(client.call(&put()).unwrap_err()));
    assert_lines(
        &lines,
        &[
            &["DEBUG", "send", TOKEN, "attempt=1"],
            &["WARN", "failed", TOKEN, "attempt=0", "code=10014", "log_id="],
        ],
    );
    assert_hidden(&lines, &[secret, IMAGE]);
}

#[test]
fn a_broken_connection_is_an_event_with_its_cause() {
    let _turn = turn();
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let client = custom(&memory);
    client.call(&put()).unwrap();
    memory.lock().unwrap().lark.break_next_on(Route::ImageV4Put, Break::BeforeBody);
    let lines = events(|| drop(client.call(&put()).unwrap()));
    assert_lines(
        &lines,
        &[
            &["send", PUT, "attempt=1"],
            &["WARN", "going on", PUT, "attempt=1", "the transport failed: "],
            &["wait", PUT, "time="],
            &["send", PUT, "attempt=2"],
            &["done", PUT, "attempt=2"],
        ],
    );
    assert_hidden(&lines, &tokens(&memory.lock().unwrap().lark));
}

#[test]
fn a_store_apps_tickets_and_tokens_are_hidden_too() {
    let _turn = turn();
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let agent = memory::agent(&memory);
    let client = Client::with_agent(Site::custom(SITE).unwrap(), app, agent)
        .for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    let lines = events(|| {
        client.set_app_ticket(AppTicket::new("a-ticket-of-yesterday").unwrap());
        client.call(&put()).unwrap_err();
        client.set_app_ticket(AppTicket::new(FakeLark::APP_TICKET).unwrap());
        client.call(&put()).unwrap();
    });
    let app_token = "route=\"/open-apis/auth/v3/app_access_token\"";
    let resend = "route=\"/open-apis/auth/v3/app_ticket/resend\"";
    let tenant_token = "route=\"/open-apis/auth/v3/tenant_access_token\"";
    assert_lines(
        &lines,
        &[
            &["send", app_token],
            &["WARN", "going on", app_token, "code=10012", "log_id="],
            &["send", resend],
            &["WARN", "failed", "app_ticket"],
            &["send", app_token],
            &["send", tenant_token],
            &["send", PUT],
            &["done", PUT],
        ],
    );
    let memory = memory.lock().unwrap();
    assert_hidden(&lines, &tokens(&memory.lark));
    assert_hidden(&lines, &["a-ticket-of-yesterday", FakeLark::APP_TICKET]);
    // The fake's app tokens begin like the vendor's example.
    assert_hidden(&lines, &[FakeLark::STORE_APP_SECRET, "a-32bd8551db", "t-e346617a", "GIF89a"]);
}
