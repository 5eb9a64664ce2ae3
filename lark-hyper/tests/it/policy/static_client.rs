//! A client in a static, which outlives the runtimes that its calls run on.

use std::sync::OnceLock;
use std::time::Duration;

use lark_hyper::{Client, FakeServer};
use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::{App, Image, PutImage};
use tokio::runtime::Builder;

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()
}

/// Begins a call on a runtime that ends after `millis` milliseconds.
fn begin_on_a_runtime_that_ends(client: &'static Client, millis: u64) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.spawn(async { client.call(&put()).await });
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(millis)).await });
}

#[test]
fn a_client_works_on_the_next_runtime_after_one_ended_in_the_middle_of_a_token_request() {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let server = FakeServer::start().unwrap();
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    let client = CLIENT.get_or_init(|| Client::new(server.site().clone(), app));
    for millis in [0, 1, 5, 20, 50] {
        let slow = Break::SlowReply(Duration::from_secs(2));
        server.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
        begin_on_a_runtime_that_ends(client, millis);
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.call(&put())).unwrap();
    assert_eq!(server.with(|lark| lark.images().count()), 1);
}
