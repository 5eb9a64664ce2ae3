//! The client over `FakeTransport`, without a socket.

use std::sync::{Condvar, Mutex, OnceLock};
use std::thread;

use lark_proto::endpoints::{Payload, Reply};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::token::TenantOnly;
use lark_proto::{Endpoint, Site};
use lark_ureq::{Client, Clock, FakeTransport};

use crate::support::{app, put, secs};

fn fake() -> FakeTransport {
    FakeTransport::new(Clock::default())
}

fn client(fake: &FakeTransport) -> Client {
    Client::with_agent(Site::LARK, app(), fake.agent())
}

#[test]
fn a_client_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Client>();
}

#[test]
fn first_calls_of_a_thousand_threads_share_one_token() {
    let fake = fake();
    let client = client(&fake);
    thread::scope(|scope| {
        for _ in 0..1000 {
            let small = thread::Builder::new().stack_size(256 * 1024);
            small.spawn_scoped(scope, || client.call(&put()).unwrap()).unwrap();
        }
    });
    let counts =
        |lark: &mut FakeLark| (lark.count(Route::TenantAccessToken), lark.images().count());
    assert_eq!(fake.with(counts), (1, 1000));
}

#[test]
fn a_client_with_an_imported_token_fetches_none() {
    let fake = fake();
    let one = client(&fake);
    assert_eq!(one.export_token(), None);
    one.call(&put()).unwrap();
    let text = one.export_token().unwrap();

    let other = client(&fake);
    other.import_token(&text).unwrap();
    other.call(&put()).unwrap();
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

#[test]
fn a_damaged_token_is_not_imported() {
    let fake = fake();
    let one = client(&fake);
    one.call(&put()).unwrap();
    let text = one.export_token().unwrap();

    let other = client(&fake);
    other.import_token(&text[1..]).unwrap_err();
    other.call(&put()).unwrap();
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 2);
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
    let fake = fake();
    let client = CLIENT.get_or_init(|| client(&fake));
    assert!(client.call(&Own).unwrap());
}

/// The replies that are being read, of an endpoint that waits for four of them.
static READING: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());

#[test]
fn replies_are_read_at_the_same_time() {
    struct Waits;
    impl Endpoint for Waits {
        type Auth = TenantOnly;
        type Output = bool;
        fn method(&self) -> http::Method {
            http::Method::GET
        }
        fn route(&self) -> &str {
            "/open-apis/own"
        }
        fn read(_: &Reply) -> Result<bool, lark_proto::Error> {
            let (reading, changed) = &READING;
            let mut reading = reading.lock().unwrap();
            *reading += 1;
            changed.notify_all();
            let waited = changed.wait_timeout_while(reading, secs(10), |reading| *reading < 4);
            Ok(!waited.unwrap().1.timed_out())
        }
    }
    let fake = fake();
    let client = client(&fake);
    let are_four = || client.call(&Waits).unwrap();
    let are_four = thread::scope(|scope| {
        let calls = [(); 4].map(|()| scope.spawn(are_four));
        calls.map(|call| call.join().unwrap())
    });
    assert_eq!(are_four, [true; 4]);
}
