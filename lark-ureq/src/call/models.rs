//! Models of calls on several threads. Each is run in every order that loom finds, with the client's own session, and
//! with a function in place of the agent. A thread that nothing wakes is a deadlock, since the time of a model moves
//! only where the model moves it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use lark_proto::endpoints::Raw;
use lark_proto::error::CallErrorKind;
use lark_proto::session::Session;
use lark_proto::{App, Limits, Site, TenantToken};
use loom::thread::{JoinHandle, yield_now};
use serde::de::IgnoredAny;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::*;
use crate::Clock;
use crate::sync::modelled::{self, advance, assert_covered, count, explore};

type Raws = Call<IgnoredAny, ureq::Error>;

const TEN: Duration = Duration::from_secs(10);
const TOKEN: &str = r#"{"code":0,"tenant_access_token":"t-2","expire":7200}"#;

fn shared(clock: Clock) -> Arc<SharedSession> {
    let session = Session::new(Site::LARK, App::custom("cli_x", "secret").unwrap());
    Arc::new(SharedSession::new(session, clock))
}

fn raw(lane: &str) -> Raw<IgnoredAny> {
    Raw::new(Method::POST, "/open-apis/sheets/v2/spreadsheets").with_serial_key(lane)
}

/// A write in `lane` with a token of its own.
fn write(lane: &str) -> Raws {
    Call::with_token(&TenantToken::new("t-1").unwrap(), &raw(lane))
}

/// A write in a lane of its own that needs the session's token.
fn needs_token(lane: &str) -> Raws {
    Call::new(&raw(lane))
}

fn answer(outgoing: &Outgoing) -> Received {
    let body = if outgoing.purpose == Purpose::Call { r#"{"code":0}"# } else { TOKEN };
    Ok(Response::new(Bytes::from(body)))
}

/// Runs `call` on this thread as the client does.
fn run(session: &SharedSession, call: Raws) -> Result<IgnoredAny, CallError> {
    CallGuard { call, session }.run(|outgoing| answer(&outgoing))
}

/// Takes the first step of `call`, which is to send its request.
fn sent(session: &SharedSession, call: Raws) -> CallGuard<'_, IgnoredAny> {
    let mut guard = CallGuard { call, session };
    assert!(matches!(guard.next(), Step::Send(_)));
    guard
}

/// Reports the reply to the request in flight.
fn end(mut guard: CallGuard<'_, IgnoredAny>) {
    guard.answered(Ok(Response::new(Bytes::from(r#"{"code":0}"#))));
    assert!(matches!(guard.next(), Step::Done(Ok(_))));
}

fn spawn(
    session: &Arc<SharedSession>,
    work: impl FnOnce(&SharedSession) + Send + 'static,
) -> JoinHandle<()> {
    let session = session.clone();
    modelled::spawn(move || work(&session))
}

#[test]
fn calls_in_one_lane_send_one_at_a_time_and_all_of_them_do() {
    explore("lane", None, || {
        let session = shared(Clock::default());
        let sending = Arc::new(AtomicBool::new(false));
        let work = |sending: Arc<AtomicBool>| {
            move |session: &SharedSession| {
                let mut guard = CallGuard { call: write("x"), session };
                let result = guard.run(|outgoing| {
                    assert!(!sending.swap(true, Ordering::Relaxed), "two calls send at once");
                    yield_now();
                    sending.store(false, Ordering::Relaxed);
                    answer(&outgoing)
                });
                assert!(result.is_ok());
            }
        };
        let threads = [(); 2].map(|()| spawn(&session, work(sending.clone())));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_call_that_is_woken_between_its_step_and_its_park_goes_on() {
    static COUNTS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    explore("before the park", None, || {
        let session = shared(Clock::default());
        let freed = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let first = sent(&session, write("x"));
        let is_freed = freed.clone();
        let second = spawn(&session, move |session| {
            let mut guard = CallGuard { call: write("x"), session };
            let step = session.next(&mut guard.call);
            let Step::Wait(time) = step else {
                return count(&COUNTS[0]);
            };
            let early = is_freed.load(Ordering::Relaxed);
            count(&COUNTS[if early { 1 } else { 2 }]);
            session.park(guard.call.id(), time, &[]);
            assert!(guard.run(|outgoing| answer(&outgoing)).is_ok());
        });
        end(first);
        freed.store(true, Ordering::Relaxed);
        second.join().unwrap();
    });
    assert_covered(&COUNTS);
}

#[test]
fn a_call_whose_time_is_over_as_it_is_woken_leaves_the_lane_to_the_next_one() {
    static COUNTS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    explore("timeout", Some(2), || {
        let session = shared(Clock::default());
        let first = sent(&session, write("x"));
        let mut second = write("x").with_limits(Limits::default().total(TEN));
        assert!(matches!(session.next(&mut second), Step::Wait(_)));
        let mut third = write("x");
        assert!(matches!(session.next(&mut third), Step::Wait(_)));
        let timer = modelled::spawn(|| advance(TEN));
        let second = spawn(&session, move |session| match run(session, second) {
            Ok(_) => count(&COUNTS[0]),
            Err(error) => {
                assert!(matches!(error.kind, CallErrorKind::Queued { .. }), "{error}");
                count(&COUNTS[1]);
            }
        });
        let third = spawn(&session, move |session| assert!(run(session, third).is_ok()));
        end(first);
        for thread in [timer, second, third] {
            thread.join().unwrap();
        }
    });
    assert_covered(&COUNTS);
}

#[test]
fn a_call_that_ends_in_simulated_time_when_its_lane_is_freed_leaves_it_to_the_next_one() {
    explore("timeout in simulated time", Some(2), || {
        let clock = Clock::simulated();
        let session = shared(clock.clone());
        let first = sent(&session, write("x"));
        let mut running = clock.start(3).into_iter();
        let (here, on_second, on_third) = (running.next(), running.next(), running.next());
        let second = spawn(&session, move |session| {
            let _running = on_second;
            let call = write("x").with_limits(Limits::default().total(TEN));
            let error = run(session, call).unwrap_err();
            assert!(matches!(error.kind, CallErrorKind::Queued { .. }), "{error}");
        });
        let third = spawn(&session, move |session| {
            let _running = on_third;
            assert!(run(session, write("x")).is_ok());
        });
        clock.sleep(TEN);
        end(first);
        drop(here);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(clock.elapsed(), TEN);
    });
}

#[test]
fn a_call_that_is_cancelled_as_it_is_woken_leaves_the_lane_to_the_next_one() {
    explore("cancelled", Some(3), || {
        let session = shared(Clock::default());
        let first = sent(&session, write("x"));
        let second = spawn(&session, |session| {
            // As by the panic of a subscriber, between the step and the park.
            let mut guard = CallGuard { call: write("x"), session };
            let _step = session.next(&mut guard.call);
        });
        let third = spawn(&session, |session| assert!(run(session, write("x")).is_ok()));
        end(first);
        for thread in [second, third] {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_call_that_is_cancelled_during_its_token_request_leaves_the_request_to_the_next_one() {
    explore("token", Some(3), || {
        let session = shared(Clock::default());
        let driver = sent(&session, needs_token("x"));
        let threads = ["y", "z"].map(|lane| {
            spawn(&session, move |session| assert!(run(session, needs_token(lane)).is_ok()))
        });
        drop(driver);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A writer of events that uses the session once.
#[derive(Clone)]
struct Reenters(Arc<std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>>);

impl io::Write for Reenters {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let work = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.into_iter().for_each(|work| work());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first and the second write are in flight on one thread, which ends them in this order. Another thread waits for
/// the first one, and its subscriber makes a call that waits for the second one: that call parks the same thread.
#[test]
fn a_subscriber_may_call_the_client_while_the_call_of_its_thread_is_woken() {
    let work = Reenters(Arc::default());
    let writer = work.clone();
    // loom has events of its own, in the middle of which a model cannot go on.
    let only = Targets::new().with_target("lark_proto", LevelFilter::TRACE);
    let layer = tracing_subscriber::fmt::layer().without_time().with_writer(move || writer.clone());
    let silent = tracing_subscriber::fmt().with_max_level(LevelFilter::OFF).set_default();
    let guard = tracing_subscriber::registry().with(layer).with(only).set_default();
    static NESTED: AtomicUsize = AtomicUsize::new(0);
    explore("subscriber", Some(4), move || {
        let session = shared(Clock::default());
        let first = sent(&session, write("x"));
        let second = sent(&session, write("y"));
        let inner = session.clone();
        *work.0.lock().unwrap() = Some(Box::new(move || {
            assert!(run(&inner, write("y")).is_ok());
            count(&NESTED);
        }));
        let outer = spawn(&session, |session| {
            assert!(run(session, write("x").with_events()).is_ok());
        });
        end(first);
        end(second);
        outer.join().unwrap();
        *work.0.lock().unwrap() = None;
    });
    drop((guard, silent));
    assert_covered(std::slice::from_ref(&NESTED));
}
