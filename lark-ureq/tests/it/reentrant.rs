//! Code of the caller's that runs when something is dropped, and that calls the client.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use lark_proto::Site;
use lark_proto::fake::{ConnectionFault, Route};
use lark_ureq::{Client, Clock, FakeTransport};
use ureq::middleware::MiddlewareNext;
use ureq::{Agent, SendBody};

use crate::support::{app, put};

type Hook = Box<dyn Fn() + Send + Sync>;

/// Runs a check when its last clone is dropped.
#[derive(Clone)]
struct OnDrop(#[expect(dead_code, reason = "it is only dropped")] Arc<Check>);

struct Check(Arc<OnceLock<Hook>>);

impl Drop for Check {
    fn drop(&mut self) {
        self.0.get().unwrap()();
    }
}

impl fmt::Debug for OnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDrop")
    }
}

impl fmt::Display for OnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a guard")
    }
}

impl std::error::Error for OnDrop {}

#[test]
fn a_guard_in_a_reply_or_an_error_is_dropped_while_the_client_is_not_locked() {
    let clock = Clock::simulated();
    let fake = FakeTransport::new(clock.clone());
    let check = Arc::new(OnceLock::<Hook>::new());
    let hook = check.clone();
    let guarded = move |request: http::Request<SendBody<'_>>, next: MiddlewareNext<'_>| {
        let guard = OnDrop(Arc::new(Check(hook.clone())));
        match next.handle(request) {
            Ok(mut reply) => {
                reply.extensions_mut().insert(guard);
                Ok(reply)
            }
            Err(_) => Err(ureq::Error::Other(guard.into())),
        }
    };
    let config = Agent::config_builder().proxy(None).middleware(guarded).middleware(fake.clone());
    let client = Client::with_clock(Site::LARK, app(), config.build().into(), clock);
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = drops.clone();
    let checked = client.clone();
    let set = check.set(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let client = checked.clone();
        let (sender, uses) = mpsc::channel();
        thread::spawn(move || sender.send(client.export_token()));
        uses.recv_timeout(Duration::from_secs(10)).expect("the client is locked");
    }));
    assert!(set.is_ok());
    fake.with(|lark| {
        for route in [Route::TenantAccessToken, Route::ImageV4Put].repeat(2) {
            lark.fail_next_on(route, ConnectionFault::BeforeBody);
        }
    });
    client.call(&put()).unwrap();
    // Three token requests and three uploads, of which two each fail.
    assert_eq!(drops.load(Ordering::Relaxed), 6);
}
