//! The fake as a service, on virtual time.

#[path = "support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

use std::io;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant, UNIX_EPOCH};

use hyper::rt::{Sleep, Timer};
use lark_hyper::{Client, FakeTransport, TransportError};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{Break, FakeLark, Route, TokenKind};
use lark_proto::session::Phase;
use lark_proto::{App, Image, Limits, Site, TenantToken, WriteSheetImage};

use time::{Executor, Time};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn write() -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    let image = Image::new("GIF89a..").unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}

/// A fake with the token `t-1`, and a client that sends each request once.
fn start(
    timer: impl Timer + Clone + Send + Sync + 'static,
) -> (FakeTransport, Client<FakeTransport>) {
    let fake = FakeTransport::new(timer.clone());
    fake.with(|lark| lark.add_token(TokenKind::Tenant, "t-1", fake.now() + SECONDS(3600)));
    let client = Client::with_service(Site::LARK, App::None, fake.clone(), timer);
    (fake, client.with_limits(Limits::one_attempt()))
}

#[test]
fn a_break_ends_a_request_at_its_place() {
    let token = TenantToken::new("t-1").unwrap();
    for (how, end, answered, seconds) in [
        (Break::BeforeBody, Some("before the body"), 0, 0),
        (Break::DuringBody, Some("during the body"), 0, 0),
        (Break::AfterBody, Some("after the body"), 1, 0),
        (Break::CutReply, Some("during the reply"), 1, 0),
        (Break::SlowReply(SECONDS(20)), None, 1, 20),
    ] {
        let executor = Executor::new("a break");
        let (fake, client) = start(executor.time.clone());
        fake.with(|lark| lark.fail_next(how));
        let result = executor.run(client.call_as(&token, &write()));
        match (result.map_err(|error| error.kind), end) {
            (Ok(_), None) => {}
            (Err(CallErrorKind::Transport(TransportError::Failed(error))), Some(end)) => {
                let error = error.downcast::<io::Error>().unwrap();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                assert!(error.to_string().contains(end), "{how:?}: {error}");
            }
            (result, _) => panic!("{how:?}: {result:?}"),
        }
        assert_eq!(fake.with(|lark| lark.count(Route::ValuesImage)), answered, "{how:?}");
        assert_eq!(executor.time.elapsed(), SECONDS(seconds), "{how:?}");
        // The spreadsheet is free again.
        executor.run(client.call_as(&token, &write())).unwrap();
    }
}

#[test]
fn a_reply_that_is_slower_than_the_requests_phases_is_a_timeout() {
    let executor = Executor::new("a timeout");
    let (fake, client) = start(executor.time.clone());
    fake.with(|lark| lark.fail_next(Break::SlowReply(Duration::MAX)));
    let token = TenantToken::new("t-1").unwrap();
    let error = executor.run(client.call_as(&token, &write())).unwrap_err();
    let timeout = TransportError::Timeout(Phase::RecvResponse);
    let CallErrorKind::Transport(found) = error.kind else { panic!("{error:?}") };
    assert_eq!(format!("{found:?}"), format!("{timeout:?}"));
    assert_eq!(executor.time.elapsed(), SECONDS(120));
}

/// A body whose bytes never come.
struct Never;

impl hyper::body::Body for Never {
    type Data = bytes::Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, io::Error>>> {
        std::task::Poll::Pending
    }
}

#[test]
fn a_request_whose_future_is_dropped_leaves_its_spreadsheet_free() {
    let executor = Executor::new("a dropped request");
    let (fake, client) = start(executor.time.clone());
    let token = TenantToken::new("t-1").unwrap();
    let path = Route::ValuesImage.path().replace(":spreadsheetToken", FakeLark::SPREADSHEET);
    let request = http::Request::post(path).header("authorization", "Bearer t-1");
    let mut begun = Box::pin(hyper::service::Service::call(&fake, request.body(Never).unwrap()));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(context).is_pending());
    let busy = executor.run(client.call_as(&token, &write())).unwrap_err();
    assert!(busy.to_string().contains("90217"), "{busy}");
    drop(begun);
    executor.run(client.call_as(&token, &write())).unwrap();
}

/// A virtual timer that keeps the default of [`Timer::now`].
#[derive(Clone)]
struct RealNow(Time);

impl Timer for RealNow {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(deadline.saturating_duration_since(self.now()))
    }
}

#[test]
fn the_fakes_time_starts_with_2026_and_moves_with_a_slow_reply() {
    fn moved(executor: &Executor, timer: impl Timer + Clone + Send + Sync + 'static) -> Duration {
        let (fake, client) = start(timer);
        let start = UNIX_EPOCH + SECONDS(1_767_225_600);
        assert!(fake.now().duration_since(start).unwrap() < SECONDS(10));
        fake.with(|lark| lark.fail_next(Break::SlowReply(SECONDS(60))));
        let token = TenantToken::new("t-1").unwrap();
        executor.run(client.call_as(&token, &write())).unwrap();
        fake.now().duration_since(start).unwrap()
    }
    let executor = Executor::new("a timer");
    assert_eq!(moved(&executor, executor.time.clone()), SECONDS(60));
    let moved = moved(&executor, RealNow(executor.time.clone()));
    assert!((SECONDS(60)..SECONDS(70)).contains(&moved), "{moved:?}");
}

#[test]
fn clones_share_the_fake_that_was_prepared() {
    let executor = Executor::new("clones");
    let mut lark = FakeLark::new();
    lark.add_spreadsheet("shtcnPrepared", &["s1"]);
    let fake = FakeTransport::with_lark(executor.time.clone(), lark);
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    let client = Client::with_service(Site::LARK, app, fake.clone(), executor.time.clone());
    let (spreadsheet, cell) = ("shtcnPrepared".parse().unwrap(), "s1!A1".parse().unwrap());
    let image = Image::new("GIF89a..").unwrap();
    executor.run(client.call(&WriteSheetImage::new(spreadsheet, cell, image).unwrap())).unwrap();
    assert_eq!(fake.with(|lark| lark.cells("shtcnPrepared").count()), 1);
}
