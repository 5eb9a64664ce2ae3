//! Calls that share a token.

use std::iter::repeat_n;

use lark_hyper::{Client, FakeServer, FakeTransport};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{FakeLark, RecordedRequest, Route, TokenKind};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, PutImage};
use tokio::time::sleep;

use super::services::{Counted, all, begin, client, counts, ends, slow};
use crate::support::{app, millis, put};

/// The routes of a store app's tokens.
const STORE: [Route; 3] =
    [Route::AppAccessToken, Route::StoreTenantAccessToken, Route::ResendAppTicket];
/// The key of a second tenant.
const OTHER: &str = "0a1b2c3d4e5f6071";

fn puts(count: usize) -> impl Iterator<Item = PutImage> {
    repeat_n(put(), count)
}

/// Makes a thousand first calls, and returns how many of their uploads were in flight at a time.
async fn a_thousand_in_memory() -> usize {
    let fake = slow(millis(10));
    let counted = Counted::new(fake.clone());
    let in_flight = counted.counts.clone();
    all(begin(&client(counted, app()), puts(1000))).await;
    assert_eq!(counts(&fake, [Route::TenantAccessToken, Route::ImageV4Put]), [1, 1000]);
    assert_eq!(fake.with(|lark| lark.images().count()), 1000);
    let in_flight = in_flight.lock().unwrap();
    in_flight[Route::ImageV4Put.path()].most
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_calls_wait_for_one_token_and_then_upload_at_the_same_time() {
    assert_eq!(a_thousand_in_memory().await, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_first_calls_on_two_threads_share_one_token() {
    a_thousand_in_memory().await;
}

/// Makes a hundred first calls. Each needs two descriptors, of which a process may have few.
async fn a_hundred_over_loopback() {
    let server = FakeServer::start().unwrap();
    all(begin(&Client::new(server.site().clone(), app()), puts(100))).await;
    let routes = [Route::TenantAccessToken, Route::ImageV4Put];
    let counts = server.with(|lark| (routes.map(|route| lark.count(route)), lark.images().count()));
    assert_eq!(counts, ([1, 100], 100));
}

#[tokio::test]
async fn a_hundred_first_calls_over_loopback_share_one_token() {
    a_hundred_over_loopback().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_calls_over_loopback_on_two_threads_share_one_token() {
    a_hundred_over_loopback().await;
}

#[tokio::test(start_paused = true)]
async fn ten_refusals_of_a_token_lead_to_one_new_token() {
    let fake = slow(millis(10));
    let client = client(fake.clone(), app());
    client.call(&put()).await.unwrap();
    fake.with(|lark| lark.revoke_tokens(TokenKind::Tenant));
    all(begin(&client, puts(10))).await;
    let is_refused = |request: &&RecordedRequest| request.code != Some(0);
    let refused = fake.with(|lark| lark.requests().iter().filter(is_refused).count());
    assert_eq!(refused, 10, "all uploads were in flight with the old token");
    assert_eq!(counts(&fake, [Route::TenantAccessToken, Route::ImageV4Put]), [2, 1 + 10 + 10]);
}

#[tokio::test(start_paused = true)]
async fn an_imported_token_serves_the_calls_that_wait_for_one() {
    let fake = slow(millis(100));
    let [other, client] = [(); 2].map(|()| client(fake.clone(), app()));
    other.call(&put()).await.unwrap();
    let calls = begin(&client, puts(10));
    sleep(millis(50)).await;
    client.import_token(&other.export_token().unwrap()).unwrap();
    sleep(millis(101)).await;
    // No call waits for the end of the token request, not even the one that sent it.
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), 10);
    all(calls).await;
    assert_eq!(counts(&fake, [Route::TenantAccessToken, Route::ImageV4Put]), [2, 1 + 10]);
}

/// A client of the store app, without a tenant.
fn store(fake: &FakeTransport) -> Client<FakeTransport> {
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    client(fake.clone(), app)
}

fn give_ticket(fake: &FakeTransport, client: &Client<FakeTransport>) {
    client.set_app_ticket(fake.with(|lark| AppTicket::new(lark.app_ticket()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn tenants_share_the_apps_token_and_the_clones_of_a_tenant_share_the_tenants() {
    let fake = slow(millis(10));
    fake.with(|lark| lark.add_tenant(OTHER));
    let client = store(&fake);
    give_ticket(&fake, &client);
    let clones = [FakeLark::TENANT_KEY, OTHER]
        .map(|key| client.clone().for_tenant(TenantKey::new(key).unwrap()));
    for _ in 0..2 {
        let calls = clones.iter().flat_map(|clone| begin(clone, puts(10))).collect();
        all(calls).await;
        assert_eq!(counts(&fake, STORE), [1, 2, 0]);
    }
    assert_eq!(fake.with(|lark| lark.images().count()), 40);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_is_set_during_the_request_for_one_serves_the_calls_that_wait() {
    let fake = slow(millis(100));
    let client = store(&fake).for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    let calls = begin(&client, puts(10));
    sleep(millis(50)).await;
    give_ticket(&fake, &client);
    all(calls).await;
    assert_eq!(counts(&fake, STORE), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn calls_without_a_ticket_fail_after_one_request_for_it() {
    let fake = slow(millis(10));
    let client = store(&fake).for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    for end in ends(begin(&client, puts(10))).await {
        let error = end.unwrap_err();
        assert!(matches!(error.kind, CallErrorKind::NoTicket), "{error}");
    }
    assert_eq!(counts(&fake, STORE), [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn calls_succeed_with_a_ticket_that_comes_after_others_failed_without_one() {
    let fake = slow(millis(10));
    let client = store(&fake).for_tenant(TenantKey::new(FakeLark::TENANT_KEY).unwrap());
    ends(begin(&client, puts(10))).await;
    give_ticket(&fake, &client);
    all(begin(&client, puts(10))).await;
    assert_eq!(counts(&fake, STORE), [1, 1, 1]);
}
