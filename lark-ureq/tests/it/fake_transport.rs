//! `FakeTransport`, the fake Lark in place of a connection.

use std::any::Any;
use std::io::{self, ErrorKind, Read};
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, UNIX_EPOCH};

use lark_proto::endpoints::Quota;
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};
use lark_proto::place::Place;
use lark_proto::{App, EndpointExt, Limits, Site};
use lark_ureq::{CallError, Client, Clock, FakeServer, FakeTransport};
use serde_json::json;
use ureq::SendBody;

use crate::support::{app, put, secs, token, write};

/// A fake with a token that is valid for `time`.
fn valid_for(clock: &Clock, time: Duration) -> FakeTransport {
    let fake = FakeTransport::new(clock.clone());
    let expires = fake.now() + time;
    fake.with(|lark| lark.add_token(TokenKind::Tenant, "t-1", expires));
    fake
}

#[test]
fn a_connection_fault_ends_a_call_as_it_does_over_a_socket() {
    let kind = |error: &CallError| match &error.kind {
        CallErrorKind::Transport(ureq::Error::Io(error)) => error.kind(),
        other => panic!("{other:?}"),
    };
    // With `BeforeBody`, the fake reads nothing of the body before the connection breaks. Over a socket, the kernel
    // takes the first bytes.
    let unknown = [Outcome::Unknown; 2];
    let not_sent = [Outcome::NotSent, Outcome::Unknown];
    for (fault, expected, outcomes, stored) in [
        (ConnectionFault::BeforeBody, ErrorKind::ConnectionReset, not_sent, 0),
        (ConnectionFault::DuringBody, ErrorKind::ConnectionReset, unknown, 0),
        (ConnectionFault::AfterBody, ErrorKind::UnexpectedEof, unknown, 1),
        (ConnectionFault::CutReply, ErrorKind::UnexpectedEof, unknown, 1),
    ] {
        let fake = FakeTransport::new(Clock::default());
        let server = FakeServer::start().unwrap();
        fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, fault));
        server.with(|lark| lark.fail_next_on(Route::ImageV4Put, fault));
        let without = Client::with_agent(Site::LARK, app(), fake.agent());
        let over = Client::new(server.site().clone(), app());
        let [without, over] = [without, over]
            .map(|client| client.with_limits(Limits::one_attempt()).call(&put()).unwrap_err());
        assert_eq!(kind(&without), expected, "{fault:?}");
        assert_eq!([without.outcome(), over.outcome()], outcomes, "{fault:?}");
        let stored_by = |lark: &mut FakeLark| lark.images().count();
        assert_eq!([fake.with(stored_by), server.with(stored_by)], [stored; 2], "{fault:?}");
        // The kernel's error depends on how much of the body has arrived when the server closes.
        if stored > 0 {
            assert_eq!(over.to_string(), without.to_string());
        }
    }
}

/// A body whose slice holds the bytes that were not read yet. After its last byte it fails with the error, if there is
/// one.
struct Counted<'a>(&'a [u8], Option<ErrorKind>);

impl Read for Counted<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.1 {
            Some(kind) if self.0.is_empty() => Err(kind.into()),
            _ => self.0.read(to),
        }
    }
}

/// A write of which a part is read: a failure of the fake or of the body, the number of bytes that the fake reads, and
/// the error.
type Broken = (Option<ConnectionFault>, Option<ErrorKind>, usize, &'static str);

fn broken_writes(len: usize) -> [Broken; 4] {
    [
        (Some(ConnectionFault::BeforeBody), None, 0, "connection reset"),
        (Some(ConnectionFault::DuringBody), None, len.div_ceil(2), "connection reset"),
        (None, Some(ErrorKind::TimedOut), len, "timed out"),
        (Some(ConnectionFault::AfterBody), None, len, "Peer disconnected"),
    ]
}

/// Sends a write with these failures to the fake. Returns the error and the number of bytes that were read.
fn send_broken(
    fake: &FakeTransport,
    fault: Option<ConnectionFault>,
    fails: Option<ErrorKind>,
) -> (String, usize) {
    if let Some(fault) = fault {
        fake.with(|lark| lark.fail_next(fault));
    }
    let (head, body) = write().request(&Site::LARK, &token()).into_parts();
    let mut counted = Counted(&body, fails);
    let request = http::Request::from_parts(head, SendBody::from_reader(&mut counted));
    let error = fake.agent().run(request).unwrap_err();
    (error.to_string(), body.len() - counted.0.len())
}

fn body_len() -> usize {
    write().request(&Site::LARK, &token()).body().len()
}

#[test]
fn the_fake_reads_the_body_up_to_the_failure() {
    for (fault, fails, read, error) in broken_writes(body_len()) {
        let fake = valid_for(&Clock::default(), secs(3600));
        let found = send_broken(&fake, fault, fails);
        assert_eq!(found, (format!("io: {error}"), read), "{fault:?}");
    }
}

#[test]
fn a_broken_write_leaves_the_spreadsheet_free() {
    for (fault, fails, ..) in broken_writes(body_len()) {
        let fake = valid_for(&Clock::default(), secs(3600));
        send_broken(&fake, fault, fails);
        let client = Client::with_agent(Site::LARK, App::None, fake.agent());
        client.with_limits(Limits::one_attempt()).call_as(&token(), &write()).unwrap();
    }
}

#[test]
fn the_fakes_time_is_that_of_the_clock() {
    let clock = Clock::simulated();
    let fake = valid_for(&clock, secs(60));
    assert_eq!(fake.now(), UNIX_EPOCH + secs(1_767_225_600), "2026-01-01");
    let client = Client::with_clock(Site::LARK, App::None, fake.agent(), clock.clone());
    clock.sleep(secs(59));
    client.call_as(&token(), &put()).unwrap();
    clock.sleep(secs(1));
    let refused = client.call_as(&token(), &put()).unwrap_err();
    assert_eq!(refused.api().unwrap().code, Code::TENANT_TOKEN_INVALID);
}

/// The time that `calls` writes take, which is that of the waits for the quota.
fn time_of_writes(calls: usize, prepare: impl FnOnce(&Client)) -> Duration {
    let clock = Clock::simulated();
    let fake = valid_for(&clock, secs(3600));
    let client = Client::with_clock(Site::LARK, App::None, fake.agent(), clock.clone());
    prepare(&client);
    for _ in 0..calls {
        client.call_as(&token(), &write()).unwrap();
    }
    clock.elapsed()
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
fn a_time_that_system_time_cannot_hold_causes_no_panic() {
    let clock = Clock::simulated();
    let fake = valid_for(&clock, secs(60));
    let client = Client::with_clock(Site::LARK, App::None, fake.agent(), clock.clone());
    clock.sleep(secs(60));
    clock.sleep(Duration::MAX);
    client.call_as(&token(), &put()).unwrap();
}

#[test]
fn a_panic_in_with_leaves_the_fake_usable() {
    let fake = FakeTransport::new(Clock::simulated());
    let clone = fake.clone();
    let with = AssertUnwindSafe(|| clone.with(|_| panic::resume_unwind(Box::new("as asked for"))));
    panic::catch_unwind(with).unwrap_err();
    Client::with_agent(Site::LARK, app(), fake.agent()).call(&put()).unwrap();
    assert_eq!(clone.with(|lark| lark.images().count()), 1);
}

/// Makes a write that a closure of the fake answers with a panic. Returns the fake, the client and the payload of the
/// panic, which is the length of the body.
fn after_a_panic() -> (FakeTransport, Client, Box<dyn Any + Send>) {
    let fake = valid_for(&Clock::default(), secs(3600));
    let client = Client::with_agent(Site::LARK, App::None, fake.agent());
    fake.with(|lark| {
        lark.add_route(Route::ValuesImage, |request| -> Result<usize, _> {
            panic::resume_unwind(Box::new(request.body().len()))
        });
    });
    let call = AssertUnwindSafe(|| client.call_as(&token(), &write()));
    let payload = panic::catch_unwind(call).unwrap_err();
    (fake, client, payload)
}

#[test]
fn a_panic_of_a_closure_reaches_the_caller() {
    let (_, _, payload) = after_a_panic();
    assert!(payload.downcast_ref::<usize>().is_some_and(|len| *len > 0));
}

#[test]
fn a_panic_of_a_closure_leaves_the_spreadsheet_free() {
    let (fake, client, _) = after_a_panic();
    fake.with(|lark| {
        lark.add_route(Route::ValuesImage, |_| Ok(json!({"spreadsheetToken": "shtcnabc"})));
    });
    let once = client.with_limits(Limits::one_attempt());
    assert_eq!(once.call_as(&token(), &write()).unwrap().spreadsheet_token, "shtcnabc");
}

#[test]
fn in_virtual_time_a_call_takes_the_same_time_in_every_run() {
    let run = || {
        let clock = Clock::simulated();
        let fake = valid_for(&clock, secs(3600));
        let client = Client::with_clock(Site::LARK, App::None, fake.agent(), clock.clone());
        fake.with(|lark| {
            lark.fail_when(|_, number| (number <= 3).then_some(ConnectionFault::AfterBody.into()));
        });
        client.call_as(&token(), &put()).unwrap();
        clock.elapsed()
    };
    let runs = [run(), run(), run()];
    // The backoff is half a second, one and two, each shortened by up to a half.
    assert!((secs(1)..secs(4)).contains(&runs[0]), "{runs:?}");
    assert_eq!(runs, [runs[0]; 3]);
}

#[test]
fn the_calls_of_a_resolve_share_one_deadline() {
    let place =
        Place::new(&format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE), "Sheet1!H7");
    let place = place.unwrap();
    for (total, seconds, is_found) in [(41, 40, true), (30, 30, false), (10, 10, false)] {
        for is_own in [true, false] {
            let clock = Clock::simulated();
            let fake = valid_for(&clock, secs(3600));
            let client = Client::with_clock(Site::LARK, app(), fake.agent(), clock.clone());
            fake.with(|lark| {
                lark.fail_next_on(Route::WikiNode, ConnectionFault::SlowReply(secs(20)));
                lark.fail_next_on(Route::SheetsQuery, ConnectionFault::SlowReply(secs(20)));
            });
            let client = client.with_limits(Limits::default().total(secs(total)));
            let found =
                if is_own { client.resolve(&place) } else { client.resolve_as(&token(), &place) };
            assert_eq!(clock.elapsed(), secs(seconds), "{total} {is_own}");
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

#[test]
fn a_site_with_a_base_path_reaches_the_fake_below_that_path() {
    let site = Site::custom("https://gw.corp.example/feishu").unwrap();
    let clock = Clock::simulated();
    let fake = FakeTransport::new(clock.clone());
    let client = Client::with_clock(site, app(), fake.agent(), clock);
    let refused = client.call(&put()).unwrap_err();
    assert_eq!(refused.lark().unwrap().status(), 404);
    fake.with(|lark| lark.set_base_path("/feishu"));
    client.call(&put()).unwrap();
    assert_eq!(fake.with(|lark| lark.count(Route::ImageV4Put)), 1);
}
