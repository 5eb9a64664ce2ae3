//! The fake as a service, in virtual time.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame};
use hyper::rt::Timer;
use hyper::service::Service;
use lark_hyper::{Client, FakeTransport, TransportError};
use lark_proto::endpoints::Quota;
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};
use lark_proto::place::Place;
use lark_proto::session::Phase;
use lark_proto::{App, Image, Limits, Site, WriteSheetImage};
use serde_json::json;

use crate::support::sim::{RealNow, Sim};
use crate::support::{app, put, secs, token, write};

/// A fake with the token `t-1`, and a client that sends each request once.
fn start(
    timer: impl Timer + Clone + Send + Sync + 'static,
) -> (FakeTransport, Client<FakeTransport>) {
    let fake = FakeTransport::new(timer.clone());
    fake.with(|lark| lark.add_token(TokenKind::Tenant, "t-1", fake.now() + secs(3600)));
    let client = Client::with_service(Site::LARK, App::None, fake.clone(), timer);
    (fake, client.with_limits(Limits::one_attempt()))
}

/// The time that `calls` writes take, which is that of the waits for the quota.
fn time_of_writes(calls: usize, prepare: impl FnOnce(&Client<FakeTransport>)) -> Duration {
    let sim = Sim::new("a quota");
    let (_, client) = start(sim.time.clone());
    prepare(&client);
    for _ in 0..calls {
        sim.run(client.call_as(&token(), &write())).unwrap();
    }
    sim.elapsed()
}

#[test]
fn a_quota_that_is_set_is_kept() {
    let quota = Quota::NONE.and_per_minute(1);
    let time = time_of_writes(2, |client| client.set_quota(Route::ValuesImage.path(), quota));
    assert_eq!(time.as_secs(), 61);
}

#[test]
fn the_documented_quota_is_kept_unless_quotas_are_off() {
    assert_ne!(time_of_writes(101, |_| {}), secs(0));
    assert_eq!(time_of_writes(101, |client| client.keep_quotas(false)), secs(0));
}

#[test]
fn a_connection_fault_ends_a_request_at_its_place() {
    for (fault, end, answered, seconds) in [
        (ConnectionFault::BeforeBody, Some("before the body"), 0, 0),
        (ConnectionFault::DuringBody, Some("during the body"), 0, 0),
        (ConnectionFault::AfterBody, Some("after the body"), 1, 0),
        (ConnectionFault::CutReply, Some("during the reply"), 1, 0),
        (ConnectionFault::SlowReply(secs(20)), None, 1, 20),
        (ConnectionFault::SlowReply(secs(120)), None, 1, 120),
    ] {
        let sim = Sim::new("a connection fault");
        let (fake, client) = start(sim.time.clone());
        fake.with(|lark| lark.fail_next(fault));
        let result = sim.run(client.call_as(&token(), &write()));
        match (result.map_err(|error| error.kind), end) {
            (Ok(_), None) => {}
            (Err(CallErrorKind::Transport(TransportError::Failed(error))), Some(end)) => {
                let error = error.downcast::<io::Error>().unwrap();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                assert!(error.to_string().contains(end), "{fault:?}: {error}");
            }
            (result, _) => panic!("{fault:?}: {result:?}"),
        }
        assert_eq!(fake.with(|lark| lark.count(Route::ValuesImage)), answered, "{fault:?}");
        assert_eq!(sim.elapsed(), secs(seconds), "{fault:?}");
        // The spreadsheet is free again.
        sim.run(client.call_as(&token(), &write())).unwrap();
    }
}

#[test]
fn a_reply_that_is_slower_than_the_requests_phases_is_a_timeout() {
    let sim = Sim::new("a timeout");
    let (fake, client) = start(sim.time.clone());
    fake.with(|lark| lark.fail_next(ConnectionFault::SlowReply(Duration::MAX)));
    let error = sim.run(client.call_as(&token(), &write())).unwrap_err();
    let timeout = TransportError::Timeout(Phase::RecvResponse);
    let CallErrorKind::Transport(found) = error.kind else { panic!("{error:?}") };
    assert_eq!(format!("{found:?}"), format!("{timeout:?}"));
    assert_eq!(sim.elapsed(), secs(120));
}

/// A body that is always pending.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Pending
    }
}

#[test]
fn a_request_whose_future_is_dropped_leaves_its_spreadsheet_free() {
    let sim = Sim::new("a dropped request");
    let (fake, client) = start(sim.time.clone());
    let path = Route::ValuesImage.path().replace(":spreadsheetToken", FakeLark::SPREADSHEET);
    let request = Request::post(path).header("authorization", "Bearer t-1");
    let mut begun = Box::pin(fake.call(request.body(Never).unwrap()));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(context).is_pending());
    let busy = sim.run(client.call_as(&token(), &write())).unwrap_err();
    assert!(busy.to_string().contains("90217"), "{busy}");
    drop(begun);
    sim.run(client.call_as(&token(), &write())).unwrap();
}

#[test]
fn the_fakes_time_starts_with_2026_and_moves_with_a_slow_reply() {
    fn moved(sim: &Sim, timer: impl Timer + Clone + Send + Sync + 'static) -> Duration {
        let (fake, client) = start(timer);
        let start = UNIX_EPOCH + secs(1_767_225_600);
        assert!(fake.now().duration_since(start).unwrap() < secs(10));
        fake.with(|lark| lark.fail_next(ConnectionFault::SlowReply(secs(60))));
        sim.run(client.call_as(&token(), &write())).unwrap();
        fake.now().duration_since(start).unwrap()
    }
    let sim = Sim::new("a timer");
    assert_eq!(moved(&sim, sim.time.clone()), secs(60));
    let moved = moved(&sim, RealNow(sim.time.clone()));
    assert!((secs(60)..secs(70)).contains(&moved), "{moved:?}");
}

#[test]
fn clones_share_the_fake_that_was_prepared() {
    let sim = Sim::new("clones");
    let mut lark = FakeLark::new();
    lark.add_spreadsheet("shtcnPrepared", &["s1"]);
    let fake = FakeTransport::with_lark(sim.time.clone(), lark);
    let client = Client::with_service(Site::LARK, app(), fake.clone(), sim.time.clone());
    let spreadsheet = "shtcnPrepared".parse().unwrap();
    let cell = "s1!A1".parse().unwrap();
    let image = Image::new("GIF89a..").unwrap();
    sim.run(client.call(&WriteSheetImage::new(spreadsheet, cell, image).unwrap())).unwrap();
    assert_eq!(fake.with(|lark| lark.cells("shtcnPrepared").count()), 1);
}

#[test]
fn a_panic_of_a_closure_passes_on_to_the_caller_and_leaves_the_spreadsheet_free() {
    let sim = Sim::new("a panic");
    let (fake, client) = start(sim.time.clone());
    fake.with(|lark| {
        lark.add_route(Route::ValuesImage, |request| -> Result<usize, _> {
            panic::resume_unwind(Box::new(request.body().len()))
        });
    });
    let call = AssertUnwindSafe(|| sim.run(client.call_as(&token(), &write())));
    let payload = panic::catch_unwind(call).unwrap_err();
    assert!(payload.downcast_ref::<usize>().is_some_and(|len| *len > 0));
    fake.with(|lark| {
        lark.add_route(Route::ValuesImage, |_| Ok(json!({"spreadsheetToken": "shtcnabc"})));
    });
    let written = sim.run(client.call_as(&token(), &write())).unwrap();
    assert_eq!(written.spreadsheet_token, "shtcnabc");
}

#[test]
fn with_the_same_jitter_a_call_takes_the_same_time_in_every_run() {
    let run = |jitter| {
        let sim = Sim::new("a backoff");
        let (fake, client) = start(sim.time.clone());
        let client = client.with_limits(Limits::default()).with_jitter(jitter);
        fake.with(|lark| {
            lark.fail_when(|_, number| (number <= 3).then_some(ConnectionFault::AfterBody.into()));
        });
        sim.run(client.call_as(&token(), &put())).unwrap();
        sim.elapsed()
    };
    let runs = [run(0), run(0), run(7), run(7)];
    // The backoff is half a second, one and two, each shortened by up to a half.
    assert!((secs(1)..secs(4)).contains(&runs[0]), "{runs:?}");
    assert!(runs[0] == runs[1] && runs[2] == runs[3] && runs[1] != runs[2], "{runs:?}");
}

#[test]
fn the_calls_of_a_resolve_share_one_deadline() {
    let link = format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE);
    let place = Place::new(&link, "Sheet1!H7").unwrap();
    for (total, seconds, is_found) in [(41, 40, true), (30, 30, false), (10, 10, false)] {
        for is_own in [true, false] {
            let sim = Sim::new("a deadline");
            let time = sim.time.clone();
            let (fake, _) = start(time.clone());
            let client = Client::with_service(Site::LARK, app(), fake.clone(), time.clone());
            let client = client.with_limits(Limits::default().total(secs(total)));
            fake.with(|lark| {
                lark.fail_next_on(Route::WikiNode, ConnectionFault::SlowReply(secs(20)));
                lark.fail_next_on(Route::SheetsQuery, ConnectionFault::SlowReply(secs(20)));
            });
            let found = if is_own {
                sim.run(client.resolve(&place))
            } else {
                sim.run(client.resolve_as(&token(), &place))
            };
            assert_eq!(sim.elapsed(), secs(seconds), "{total} {is_own}");
            match found {
                Ok(found) => assert!(is_found, "{found:?}"),
                Err(error) => {
                    assert!(
                        !is_found && matches!(error.kind, CallErrorKind::Deadline),
                        "{error:?}"
                    );
                }
            }
        }
    }
}
