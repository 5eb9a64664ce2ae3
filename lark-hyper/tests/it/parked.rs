//! A call that waits for another goes on as soon as it can, and not just when the other is over.

#[path = "support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use http::StatusCode;
use hyper::rt::Timer;
use lark_hyper::{Client, FakeTransport};
use lark_proto::error::{CallErrorKind, WaitFor};
use lark_proto::fake::{Break, FakeLark, Fault, Route, TokenKind};
use lark_proto::{App, Image, Limits, PutImage, Site, WriteSheetImage};

use time::Executor;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn client(fake: &FakeTransport, executor: &Executor) -> Client<FakeTransport> {
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    Client::with_service(Site::LARK, app, fake.clone(), executor.time.clone())
}

fn put() -> PutImage {
    PutImage::message(Image::new(&b"GIF89a.."[..]).unwrap()).unwrap()
}

fn write() -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    let image = Image::new(&b"GIF89a.."[..]).unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}

/// The next upload is refused, and told to wait for so many seconds.
fn limit(fake: &FakeTransport, seconds: u64) {
    let reset = Some(seconds.to_string());
    let limit = Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset };
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limit));
}

#[test]
fn a_token_serves_others_while_its_fetcher_waits_for_something_else() {
    let executor = Executor::new("a token");
    let (time, fake) = (&executor.time, FakeTransport::new(executor.time.clone()));
    let client = client(&fake, &executor);
    executor.run(client.call(&put())).unwrap();
    limit(&fake, 30);
    executor.run_all(vec![
        Box::pin(async { drop(client.call(&put()).await.unwrap()) }),
        Box::pin(async {
            time.sleep(SECONDS(2)).await;
            fake.with(|lark| {
                lark.revoke_tokens(TokenKind::Tenant);
                lark.fail_next_on(Route::TenantAccessToken, Break::SlowReply(SECONDS(2)));
            });
            client.clone().with_limits(Limits::one_attempt()).call(&write()).await.unwrap_err();
            client.call(&put()).await.unwrap();
            assert!(time.elapsed() >= SECONDS(30));
        }),
        Box::pin(async {
            time.sleep(SECONDS(3)).await;
            client.call(&write()).await.unwrap();
            assert_eq!(time.elapsed(), SECONDS(4));
        }),
    ]);
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 2);
}

#[test]
fn a_gate_lets_the_next_call_pass_while_a_reply_is_slow() {
    let executor = Executor::new("a gate");
    let (time, fake) = (&executor.time, FakeTransport::new(executor.time.clone()));
    let client = client(&fake, &executor);
    executor.run(client.call(&put())).unwrap();
    limit(&fake, 1);
    // The reply to the request that is sent in place of the refused one.
    let slow = Break::SlowReply(SECONDS(30));
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, slow));
    let ends = RefCell::new(Vec::new());
    let end = || ends.borrow_mut().push(time.elapsed().as_millis());
    // The last to come is polled first each time.
    executor.run_all(vec![
        Box::pin(async {
            time.sleep(SECONDS(1) / 2).await;
            client.call(&put()).await.unwrap();
            end();
        }),
        Box::pin(async {
            time.sleep(SECONDS(1) / 4).await;
            client.call(&put()).await.unwrap();
            end();
        }),
        Box::pin(async {
            client.call(&put()).await.unwrap();
            end();
        }),
    ]);
    assert_eq!(ends.into_inner(), [1200, 1400, 31_000]);
}

#[test]
fn an_imported_token_serves_those_who_wait_for_one() {
    let executor = Executor::new("an imported token");
    let (time, fake) = (&executor.time, FakeTransport::new(executor.time.clone()));
    let (other, client) = (client(&fake, &executor), client(&fake, &executor));
    executor.run(other.call(&put())).unwrap();
    let slow = Break::SlowReply(SECONDS(30));
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
    executor.run_all(vec![
        Box::pin(async { drop(client.call(&put()).await.unwrap()) }),
        Box::pin(async {
            client.call(&put()).await.unwrap();
            assert_eq!(time.elapsed(), SECONDS(5));
        }),
        Box::pin(async {
            time.sleep(SECONDS(5)).await;
            client.import_token(&other.export_token().unwrap()).unwrap();
        }),
    ]);
}

#[test]
fn who_waits_for_another_call_has_limits_of_its_own() {
    let executor = Executor::new("limits");
    let (time, fake) = (&executor.time, FakeTransport::new(executor.time.clone()));
    let client = client(&fake, &executor);
    let slow = Break::SlowReply(SECONDS(30));
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    let limits = Limits::default().total(SECONDS(10));
    executor.run_all(vec![
        Box::pin(async { drop(client.call(&write()).await.unwrap()) }),
        Box::pin(async {
            let error = client.clone().with_limits(limits).call(&write()).await.unwrap_err();
            assert!(matches!(error.kind, CallErrorKind::Queued(WaitFor::Turn)), "{error:?}");
            assert_eq!(time.elapsed(), SECONDS(10));
        }),
    ]);
}

/// A waker that uses the client at once, where it is woken.
struct Using<F> {
    client: F,
    times: AtomicUsize,
}

impl<F: Fn() + Send + Sync> Wake for Using<F> {
    fn wake(self: Arc<Self>) {
        (self.client)();
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_may_call_the_client() {
    let executor = Executor::new("a waker");
    let fake = FakeTransport::new(executor.time.clone());
    let client = client(&fake, &executor);
    executor.run(client.call(&put())).unwrap();
    let slow = Break::SlowReply(SECONDS(1));
    fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    let (used, write) = (client.clone(), write());
    let using =
        Arc::new(Using { client: move || drop(used.export_token()), times: AtomicUsize::new(0) });
    let waker = Waker::from(using.clone());
    let mut context = Context::from_waker(&waker);
    let mut first = Box::pin(client.call(&write));
    let mut second = pin!(client.call(&write));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    let before = using.times.load(Ordering::Relaxed);
    drop(first);
    assert!(using.times.load(Ordering::Relaxed) > before, "the second call is named");
}
