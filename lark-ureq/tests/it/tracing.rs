//! The events of the feature `tracing`.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route, TokenKind};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Image, PutImage, Site, WriteSheetImage};
use lark_ureq::ureq::http::StatusCode;
use lark_ureq::{Client, Clock, FakeTransport};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::{app, secs};

const IMAGE: &str = "GIF89a-these-are-the-images-bytes";

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

/// Makes `subscriber` the default of this thread until the result is dropped.
///
/// The `tracing` crate caches for the whole process whether a subscriber takes an event. With only one subscriber, the
/// thread that reaches the event first decides, and that may be a thread of another test without a subscriber. A second
/// subscriber, which takes no event, makes the crate ask all subscribers.
fn set_default(subscriber: impl SubscriberInitExt) -> (impl Sized, impl Sized) {
    let silent = tracing_subscriber::fmt().with_max_level(LevelFilter::OFF).set_default();
    // The first guard is dropped first, as it has to be.
    (subscriber.set_default(), silent)
}

/// The events of every level and crate that `work` causes on this thread.
fn events(work: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .without_time()
        .with_writer(move || writer.clone());
    let guard = set_default(subscriber);
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

fn fake() -> FakeTransport {
    FakeTransport::new(Clock::default())
}

fn custom(fake: &FakeTransport) -> Client {
    Client::with_agent(Site::LARK, app(), fake.agent())
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

const PUT: &str = "route=/open-apis/image/v4/put/";
const TOKEN: &str = "route=/open-apis/auth/v3/tenant_access_token/internal";
const WRITE: &str = "route=/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image";

#[test]
fn requests_refusals_and_waits_are_events_without_secrets() {
    let fake = fake();
    let client = custom(&fake);
    let lines = events(|| {
        client.call(&put()).unwrap();

        fake.with(|lark| lark.revoke_tokens(TokenKind::Tenant));
        client.call(&put()).unwrap();

        let denied = Fault::Permission(vec!["sheets:spreadsheet".into()]);
        fake.with(|lark| lark.fail_next_on(Route::ValuesImage, denied.clone()));
        client.call(&write()).unwrap_err();

        let reset = Some("0.01".to_owned());
        let status = StatusCode::TOO_MANY_REQUESTS;
        let limited = Fault::RateLimited { status, reset };
        fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limited.clone()));
        client.call(&put()).unwrap();
    });

    let lark = fake.with(|lark| lark.clone());
    let requests = lark.requests();
    let log_id = |code: i64| {
        let seen = requests.iter().find(|seen| seen.code == Some(code)).unwrap();
        format!("log_id=\"{}\"", seen.log_id.as_deref().unwrap())
    };
    let [limited, refused, denied] = [99_991_400, 99_991_663, 99_991_672].map(log_id);
    assert_lines(
        &lines,
        &[
            &["DEBUG", ": token request", TOKEN],
            &["DEBUG", ": request", PUT, "send=1", "len="],
            &["DEBUG", ": done", PUT, "took=", "sends=1"],
            &["DEBUG", ": request", PUT, "send=1"],
            &["WARN", ": refused", PUT, "code=99991663", &refused, "call_continues=true"],
            &["DEBUG", ": token request", TOKEN],
            &["DEBUG", ": request", PUT, "send=2"],
            &["DEBUG", ": done", PUT, "sends=2"],
            &["DEBUG", ": request", WRITE, "send=1"],
            &[
                "WARN",
                ": refused",
                WRITE,
                "status=400",
                "code=99991672",
                &denied,
                "call_continues=false",
            ],
            &["DEBUG", ": done", WRITE, "sends=1"],
            &["DEBUG", ": request", PUT, "send=1"],
            &[
                "WARN",
                ": refused",
                PUT,
                "status=429",
                "code=99991400",
                &limited,
                "call_continues=true",
            ],
            &["DEBUG", ": wait", "reason=", "time="],
            &["DEBUG", ": request", PUT, "send=2"],
            &["DEBUG", ": done", PUT, "sends=2"],
        ],
    );
    let tokens = tokens(&lark);
    assert!(tokens.first() != tokens.last() && tokens.len() == 6);
    assert_hidden(&lines, &tokens);
    assert_hidden(&lines, &[FakeLark::APP_SECRET, IMAGE, "GIF89a", FakeLark::SPREADSHEET]);
}

#[test]
fn a_refused_token_request_is_an_event_of_its_route() {
    let fake = fake();
    let secret = "wrongwrongwrongwrongwrongwrong00";
    let app = App::custom(FakeLark::APP_ID, secret).unwrap();
    let client = Client::with_agent(Site::LARK, app, fake.agent());
    let lines = events(|| drop(client.call(&put()).unwrap_err()));
    assert_lines(
        &lines,
        &[
            &["DEBUG", ": token request", TOKEN],
            &["WARN", ": refused", TOKEN, "code=10014", "log_id="],
            &["DEBUG", ": done", PUT, "sends=0"],
        ],
    );
    assert_hidden(&lines, &[secret, IMAGE]);
}

#[test]
fn a_broken_connection_is_an_event_with_its_cause() {
    let fake = fake();
    let client = custom(&fake);
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, ConnectionFault::CutReply));
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, ConnectionFault::BeforeBody));
    let lines = events(|| drop(client.call(&put()).unwrap()));
    assert_lines(
        &lines,
        &[
            &["DEBUG", ": token request", TOKEN],
            &["WARN", ": failed", TOKEN, "error=\"io: Peer disconnected\"", "call_continues=true"],
            &["DEBUG", ": wait", "reason=a token", "time="],
            &["DEBUG", ": token request", TOKEN],
            &["DEBUG", ": request", PUT, "send=1"],
            &["WARN", ": failed", PUT, "error=\"io: connection reset\"", "call_continues=true"],
            &["DEBUG", ": wait", "reason=the next attempt", "time="],
            &["DEBUG", ": request", PUT, "send=2"],
            &["DEBUG", ": done", PUT, "sends=2"],
        ],
    );
    fake.with(|lark| assert_hidden(&lines, &tokens(lark)));
}

#[test]
fn a_store_apps_tickets_and_tokens_are_hidden_too() {
    let fake = fake();
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let client = Client::with_agent(Site::LARK, app, fake.agent())
        .for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    let lines = events(|| {
        client.set_app_ticket(AppTicket::new("a-ticket-of-yesterday").unwrap());
        client.call(&put()).unwrap_err();
        client.set_app_ticket(AppTicket::new(FakeLark::APP_TICKET).unwrap());
        client.call(&put()).unwrap();
    });
    let app_token = "route=/open-apis/auth/v3/app_access_token";
    let resend = "route=/open-apis/auth/v3/app_ticket/resend";
    let tenant_token = "route=/open-apis/auth/v3/tenant_access_token";
    assert_lines(
        &lines,
        &[
            &[": token request", app_token],
            &["WARN", ": refused", app_token, "code=10012", "log_id="],
            &[": token request", resend],
            &[": done", PUT, "sends=0"],
            &[": token request", app_token],
            &[": token request", tenant_token],
            &[": request", PUT],
            &[": done", PUT],
        ],
    );
    fake.with(|lark| assert_hidden(&lines, &tokens(lark)));
    assert_hidden(&lines, &["a-ticket-of-yesterday", FakeLark::APP_TICKET]);
    // The fake's app tokens begin like the vendor's example.
    assert_hidden(&lines, &[FakeLark::STORE_APP_SECRET, "a-32bd8551db", "t-e346617a", "GIF89a"]);
}

#[test]
fn a_subscriber_may_use_the_client() {
    /// Calls the client for each line.
    struct Calls(Client);
    impl io::Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.export_token());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let fake = fake();
    let client = custom(&fake);
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, ConnectionFault::CutReply));
    let calls = client.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || Calls(calls.clone()));
    let _guard = set_default(subscriber);
    client.call(&put()).unwrap();
}

/// Runs `on_wait` for the first line that tells of a wait.
struct OnWait<F>(Arc<Mutex<Option<F>>>);

impl<F: FnOnce()> io::Write for OnWait<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.windows(6).any(|word| word == b": wait") {
            let on_wait = self.0.lock().unwrap().take();
            if let Some(on_wait) = on_wait {
                on_wait();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `work` with a subscriber of this thread that runs `on_wait` once.
fn with_on_wait(on_wait: impl FnOnce() + Send + 'static, work: impl FnOnce()) {
    let on_wait = Arc::new(Mutex::new(Some(on_wait)));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || OnWait(on_wait.clone()));
    let _guard = set_default(subscriber);
    work();
}

/// A client whose first token takes five seconds.
fn slow_token() -> (Client, Clock) {
    let clock = Clock::simulated();
    let fake = FakeTransport::new(clock.clone());
    let slow = ConnectionFault::SlowReply(secs(5));
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
    (Client::with_clock(Site::LARK, app(), fake.agent(), clock.clone()), clock)
}

#[test]
fn a_call_is_woken_also_if_a_subscribers_call_waits_on_its_thread() {
    let (client, clock) = slow_token();
    clock.run([0, 1].map(|number| {
        let (client, clock, nested) = (client.clone(), clock.clone(), client.clone());
        move || {
            clock.sleep(secs(number));
            // The second call waits for the token, and so does that of its subscriber.
            with_on_wait(
                move || drop(nested.call(&put()).unwrap()),
                || drop(client.call(&put()).unwrap()),
            );
            assert_eq!(clock.elapsed(), secs(5));
        }
    }));
}

#[test]
fn the_time_of_a_subscriber_is_part_of_the_wait() {
    let clock = Clock::simulated();
    let fake = FakeTransport::new(clock.clone());
    let limited = Fault::RateLimited { status: StatusCode::OK, reset: Some("4".to_owned()) };
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limited));
    let client = Client::with_clock(Site::LARK, app(), fake.agent(), clock.clone());
    let (slow, slept) = (clock.clone(), Arc::new(Mutex::new(secs(0))));
    let at = slept.clone();
    let on_wait = move || {
        slow.sleep(secs(3));
        *at.lock().unwrap() = slow.elapsed();
    };
    with_on_wait(on_wait, || drop(client.call(&put()).unwrap()));
    assert_eq!((*slept.lock().unwrap(), clock.elapsed()), (secs(3), secs(4)));
}

#[test]
fn a_panic_in_a_subscriber_does_not_block_the_next_call() {
    let (client, clock) = slow_token();
    clock.run([0, 1, 2].map(|number| {
        let client = client.clone();
        let clock = clock.clone();
        move || {
            clock.sleep(secs(number));
            if number != 1 {
                client.call(&write()).unwrap();
                return;
            }
            // This call is second in the lane.
            let call = || drop(client.call(&write()));
            let call = || with_on_wait(|| panic::resume_unwind(Box::new("as asked for")), call);
            panic::catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        }
    }));
    assert_eq!(clock.elapsed(), secs(5));
}
