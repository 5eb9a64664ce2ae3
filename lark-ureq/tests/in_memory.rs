//! The client without a socket.

mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use lark_proto::endpoints::{Payload, Reply};
use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::token::TenantOnly;
use lark_proto::{App, Endpoint, Image, Limits, PutImage, Site, WriteSheetImage};
use lark_ureq::{Client, Clock};
use memory::Memory;

fn client(memory: &Arc<Mutex<Memory>>) -> Client {
    client_over(memory::agent(memory))
}

fn client_over(agent: ureq::Agent) -> Client {
    Client::with_agent(site(), app(), agent)
}

fn site() -> Site {
    Site::custom("http://127.0.0.1:1").unwrap()
}

fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

fn put() -> PutImage {
    PutImage::message(Image::new(&b"GIF89a.."[..]).unwrap()).unwrap()
}

#[test]
fn an_agents_own_transport_carries_the_whole_job() {
    let memory = Arc::default();
    let client = client(&memory);
    let image = Image::new(&b"GIF89a.."[..]).unwrap();
    let key = client.call(&PutImage::message(image.clone()).unwrap()).unwrap();
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
    client.call(&WriteSheetImage::new(spreadsheet, cell, image).unwrap()).unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.lark.image(key.as_str()).unwrap().bytes, "GIF89a..");
    let range = format!("{}!A1:A1", FakeLark::SHEET);
    assert_eq!(memory.lark.cell(FakeLark::SPREADSHEET, &range).unwrap().bytes, "GIF89a..");
}

#[test]
fn timeouts_grow_with_the_body() {
    let timeouts = |len: usize| {
        let memory = Arc::default();
        let image = Image::any_format(vec![7; len], "bin").unwrap();
        client(&memory).call(&PutImage::message(image).unwrap()).unwrap();
        let mut timeouts = memory.lock().unwrap().timeouts.clone();
        timeouts.remove("global"); // the call's own limits, which end the others
        timeouts.into_iter().map(|(reason, longest)| (reason, longest.as_secs_f64().ceil()))
    };
    let expected = |send: f64, answer: f64| {
        let fixed = [("connect", 10.0), ("send request", 30.0)];
        let grown = [("send body", send), ("receive response", answer)];
        BTreeMap::from_iter(fixed.into_iter().chain(grown).map(|(r, s)| (r.to_owned(), s)))
    };
    assert_eq!(BTreeMap::from_iter(timeouts(1)), expected(30.0, 120.0));
    assert_eq!(BTreeMap::from_iter(timeouts(10 << 20)), expected(190.0, 280.0));
}

#[test]
fn the_kernel_is_told_one_timeout_for_all_writes_and_one_for_all_reads() {
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let (client, seconds) = (client(&memory), Duration::from_secs);
    // The token is fetched within a minute of its own.
    client.call(&put()).unwrap();
    memory.lock().unwrap().told.clear();
    client.call(&put()).unwrap();
    client.call(&put()).unwrap();
    let told = [("read", seconds(119)), ("write", seconds(29))];
    assert_eq!(std::mem::take(&mut memory.lock().unwrap().told), told.into());

    let image = Image::any_format(vec![7; 10 << 20], "bin").unwrap();
    client.call(&PutImage::message(image).unwrap()).unwrap();
    let mut told = std::mem::take(&mut memory.lock().unwrap().told);
    let body = [("read", seconds(119 + 160)), ("write", seconds(29 + 160))];
    assert!(body.iter().all(|told_once| told.remove(told_once)), "{told:?}");
    assert!(told.len() == 1 && told.iter().all(|(_, head)| *head <= seconds(30)), "{told:?}");
}

#[test]
fn a_longer_timeout_of_the_agent_is_kept() {
    let clock = Clock::simulated();
    let mut memory = Memory { clock: clock.clone(), ..Memory::default() };
    memory.lark.fail_next_on(Route::ImageV4Put, Break::SlowReply(Duration::from_secs(200)));
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_recv_response(Some(Duration::from_secs(300)))
        .build();
    let agent = memory::agent_with(config, &Arc::new(Mutex::new(memory)));
    let client = Client::with_clock(site(), app(), agent, clock.clone());
    client.with_limits(Limits::one_attempt()).call(&put()).unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(200));
}

#[test]
fn first_calls_of_a_thousand_threads_get_one_token() {
    let memory = Arc::default();
    let client = client(&memory);
    thread::scope(|scope| {
        for _ in 0..1000 {
            let small = thread::Builder::new().stack_size(256 * 1024);
            small.spawn_scoped(scope, || client.call(&put()).unwrap()).unwrap();
        }
    });
    let memory = memory.lock().unwrap();
    assert_eq!(memory.lark.count(Route::TenantAccessToken), 1);
    assert_eq!(memory.lark.images().count(), 1000);
}

#[test]
fn an_exported_token_spares_the_next_client_a_fetch() {
    let memory = Arc::default();
    let one = client(&memory);
    assert_eq!(one.export_token(), None);
    one.call(&put()).unwrap();
    let text = one.export_token().unwrap();

    let other = client(&memory);
    other.import_token(&text).unwrap();
    other.call(&put()).unwrap();
    assert_eq!(memory.lock().unwrap().lark.count(Route::TenantAccessToken), 1);

    let damaged = client(&memory);
    damaged.import_token(&text[1..]).unwrap_err();
    damaged.call(&put()).unwrap();
    assert_eq!(memory.lock().unwrap().lark.count(Route::TenantAccessToken), 2);
}

#[test]
fn a_panic_in_a_middleware_leaves_nothing_held() {
    struct Panics(Mutex<bool>);
    impl ureq::middleware::Middleware for Panics {
        fn handle(
            &self,
            request: http::Request<ureq::SendBody>,
            next: ureq::middleware::MiddlewareNext,
        ) -> Result<http::Response<ureq::Body>, ureq::Error> {
            if std::mem::replace(&mut *self.0.lock().unwrap(), false) {
                std::panic::resume_unwind(Box::new("as asked for"));
            }
            next.handle(request)
        }
    }
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let config = ureq::Agent::config_builder().proxy(None).middleware(Panics(Mutex::new(true)));
    let client = client_over(memory::agent_with(config.build(), &memory));
    // It panics while it fetches the token; the next call fetches it instead of waiting for ever.
    thread::scope(|scope| scope.spawn(|| client.call(&put())).join().unwrap_err());
    client.call(&put()).unwrap();
}

#[test]
fn a_call_without_end_is_no_overflow() {
    let memory = Arc::default();
    let limits = Limits::default().total(Duration::MAX);
    client(&memory).with_limits(limits).call(&put()).unwrap();
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::MAX))
        .timeout_recv_response(Some(Duration::MAX))
        .build();
    client_over(memory::agent_with(config, &memory)).with_limits(limits).call(&put()).unwrap();
}

#[test]
fn an_endpoints_code_may_use_the_client() {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    struct Own;
    impl Endpoint for Own {
        type Auth = TenantOnly;
        type Output = bool;
        fn method(&self) -> http::Method {
            http::Method::POST
        }
        fn route(&self) -> &str {
            "/open-apis/own"
        }
        fn payload(&self) -> Option<Payload> {
            CLIENT.get().unwrap().export_token().map(Payload::json)
        }
        fn read(_: &Reply) -> Result<bool, lark_proto::Error> {
            let client = CLIENT.get().unwrap();
            Ok(client.export_token().is_some() && client.call(&put()).is_ok())
        }
    }
    let memory = Arc::default();
    let client = CLIENT.get_or_init(|| client(&memory));
    assert!(client.call(&Own).unwrap());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test takes the time")]
fn replies_are_read_at_the_same_time() {
    struct Slow;
    impl Endpoint for Slow {
        type Auth = TenantOnly;
        type Output = ();
        fn method(&self) -> http::Method {
            http::Method::GET
        }
        fn route(&self) -> &str {
            "/open-apis/own"
        }
        fn read(_: &Reply) -> Result<(), lark_proto::Error> {
            thread::sleep(Duration::from_millis(300));
            Ok(())
        }
    }
    let memory = Arc::default();
    let client = client(&memory);
    client.call(&put()).unwrap();
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.call(&Slow).unwrap());
        }
    });
    let took = start.elapsed();
    // One after the other they take 1.2 s.
    assert!(Duration::from_millis(300) <= took && took < Duration::from_millis(900), "{took:?}");
}
