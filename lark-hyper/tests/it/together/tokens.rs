//! Calls that share a token.

use std::iter::repeat_n;
use std::time::Duration;

use hyper_util::rt::TokioTimer;
use lark_hyper::{Client, FakeServer};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{FakeLark, Route, TokenKind};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Image, PutImage, Site};
use tokio::time::sleep;

use crate::services::{Slow, all, app, begin, ends};

const STORE: [Route; 3] =
    [Route::AppAccessToken, Route::StoreTenantAccessToken, Route::ResendAppTicket];
const OTHER: &str = "0a1b2c3d4e5f6071";

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()
}

fn puts(count: usize) -> impl Iterator<Item = PutImage> {
    repeat_n(put(), count)
}

/// Gives how many images were on their way at once.
async fn a_thousand_in_memory() -> usize {
    let (slow, counted) = Slow::counted(10);
    let counts = counted.counts.clone();
    let client = Client::with_service(Site::LARK, app(), counted, TokioTimer::new());
    all(begin(&client, puts(1000))).await;
    assert_eq!(slow.counts([Route::TenantAccessToken, Route::ImageV4Put]), [1, 1000]);
    assert_eq!(slow.lark().images().count(), 1000);
    let counts = counts.lock().unwrap();
    counts[Route::ImageV4Put.path()].most
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_calls_get_one_token_and_go_on_when_it_is_there() {
    assert_eq!(a_thousand_in_memory().await, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_first_calls_on_two_threads_get_one_token() {
    a_thousand_in_memory().await;
}

/// Two descriptors each, of which a process may have few.
async fn a_hundred_over_loopback() {
    let server = FakeServer::start().unwrap();
    all(begin(&Client::new(server.site().clone(), app()), puts(100))).await;
    let routes = [Route::TenantAccessToken, Route::ImageV4Put];
    let counts = server.with(|lark| (routes.map(|route| lark.count(route)), lark.images().count()));
    assert_eq!(counts, ([1, 100], 100));
}

#[tokio::test]
async fn a_hundred_first_calls_over_loopback_get_one_token() {
    a_hundred_over_loopback().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_calls_over_loopback_on_two_threads_get_one_token() {
    a_hundred_over_loopback().await;
}

#[tokio::test(start_paused = true)]
async fn ten_refusals_of_a_token_get_one_other() {
    let slow = Slow::new(10);
    let client = slow.client(app());
    client.call(&put()).await.unwrap();
    slow.lark().revoke_tokens(TokenKind::Tenant);
    all(begin(&client, puts(10))).await;
    let refused = |lark: &FakeLark| lark.requests().iter().filter(|r| r.code != Some(0)).count();
    assert_eq!(refused(&slow.lark()), 10, "all were on their way with the old one");
    assert_eq!(slow.counts([Route::TenantAccessToken, Route::ImageV4Put]), [2, 1 + 10 + 10]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_by_hand_is_for_those_who_wait() {
    let slow = Slow::new(100);
    let other = slow.client(app());
    other.call(&put()).await.unwrap();
    let client = slow.client(app());
    let calls = begin(&client, puts(10));
    sleep(Duration::from_millis(50)).await;
    client.import_token(&other.export_token().unwrap()).unwrap();
    sleep(Duration::from_millis(101)).await;
    // They do not wait for the end of the token request, nor does the call that sent it.
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), 10);
    all(calls).await;
    assert_eq!(slow.counts([Route::TenantAccessToken, Route::ImageV4Put]), [2, 1 + 10]);
}

/// A client of the store app, which still has to be told the tenant.
fn store(slow: &Slow) -> Client<Slow> {
    slow.client(App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap())
}

fn give_ticket(slow: &Slow, client: &Client<Slow>) {
    client.set_app_ticket(AppTicket::new(slow.lark().app_ticket()).unwrap());
}

#[tokio::test(start_paused = true)]
async fn tenants_share_the_apps_token_and_their_clones_their_own() {
    let slow = Slow::new(10);
    slow.lark().add_tenant(OTHER);
    let client = store(&slow);
    give_ticket(&slow, &client);
    let clones = [FakeLark::TENANT_KEY, OTHER]
        .map(|key| client.clone().for_tenant(TenantKey::new(key).unwrap()));
    for _ in 0..2 {
        let calls = clones.iter().flat_map(|clone| begin(clone, puts(10))).collect();
        all(calls).await;
        assert_eq!(slow.counts(STORE), [1, 2, 0]);
    }
    assert_eq!(slow.lark().images().count(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_comes_while_it_is_asked_for_is_for_those_who_wait() {
    let slow = Slow::new(100);
    let client = store(&slow).for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    let calls = begin(&client, puts(10));
    sleep(Duration::from_millis(50)).await;
    give_ticket(&slow, &client);
    all(calls).await;
    assert_eq!(slow.counts(STORE), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn without_a_ticket_one_call_asks_for_it_and_all_end() {
    let slow = Slow::new(10);
    let client = store(&slow).for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    for end in ends(begin(&client, puts(10))).await {
        let error = end.unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::NoTicket), "{error}");
    }
    assert_eq!(slow.counts(STORE), [0, 0, 1]);
    give_ticket(&slow, &client);
    all(begin(&client, puts(10))).await;
    assert_eq!(slow.counts(STORE), [1, 1, 1]);
}
