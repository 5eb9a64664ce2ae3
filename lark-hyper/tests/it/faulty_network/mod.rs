//! Faults on the wire, for both clients. A [`proxy`] in front of the fake cuts, delays, repeats or changes a reply or
//! a request at one byte, and the records of the fake tell whether the outcome of the call is right.

mod callers;
mod changes;
mod cuts;
mod duplicates;
mod http2;
mod proxy;
mod replies;
mod retries;
mod stalls;
mod subjects;
mod tls;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use lark_proto::fake::{FakeLark, RecordedRequest, Route, TokenKind};
use lark_ureq::FakeServer;

use callers::{Caller, Setup};
use proxy::{Carried, Fault, Proxy, pause_for};
use subjects::{Known, Subject};

/// Longer than any deadline of these tests, with slack for a busy machine. A call that does not end within this time
/// fails its test.
const WATCHDOG: Duration = Duration::from_secs(60);
/// More threads than cores, because a call mostly waits.
const THREADS: usize = 8;

/// A fake that knows the token `t-1`, and a proxy in front of it.
struct Rig {
    server: FakeServer,
    /// The state of the fake before a call.
    prepared: FakeLark,
    known: Known,
    proxy: Proxy,
}

impl Rig {
    fn new() -> Self {
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        let mut prepared = FakeLark::new();
        prepared.add_token(TokenKind::Tenant, "t-1", far);
        let known = Known::prepare(&mut prepared);
        let server = FakeServer::start_on(0, prepared.clone()).unwrap();
        let proxy = Proxy::start(server.address());
        Self { server, prepared, known, proxy }
    }

    /// Gives one fault to each of the next connections, to a fake that has seen no call yet.
    fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.server.with(|lark| *lark = self.prepared.clone());
        self.proxy.plan(faults);
    }

    /// How often a request to `route` was carried out.
    fn carried_out(&self, route: Route) -> usize {
        self.count(|seen| seen.route == Some(route) && seen.code == Some(0))
    }

    /// Waits until a request to `route` was carried out. On a busy machine, a client with a short timeout can give up
    /// before the fake has read its request.
    fn wait_for(&self, route: Route) {
        for _ in 0..200 {
            if self.carried_out(route) > 0 {
                return;
            }
            pause_for(Duration::from_millis(100));
        }
    }

    /// How many requests to any route were carried out.
    fn all_carried_out(&self) -> usize {
        self.count(|seen| seen.code == Some(0))
    }

    fn count(&self, is_counted: impl Fn(&RecordedRequest) -> bool) -> usize {
        let count =
            |lark: &FakeLark| lark.requests().iter().filter(|seen| is_counted(seen)).count();
        self.server.with(|lark| count(lark)) - count(&self.prepared)
    }
}

/// The bytes of a call over a connection without a fault, and its result.
fn probe<S: Subject>(caller: Caller) -> (Carried, S::Output) {
    let rig = Rig::new();
    let call = S::sample(&rig.known);
    let output = caller.call(&rig.proxy.site(), &Setup::once(), &S::token(), &call).unwrap();
    assert!(rig.server.with(|lark| call.is_right(&output, lark)), "{output:?}");
    let [carried] = &rig.proxy.connections()[..] else { panic!("one connection") };
    (carried.clone(), output)
}

/// Runs `work` for each item, on several threads that have a [`Rig`] each. Fails if an item takes longer than
/// [`WATCHDOG`].
fn each<T: Send + 'static>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(&Rig, T) + Send + Sync + 'static,
) {
    let items: Vec<T> = items.into_iter().collect();
    let count = items.len();
    let work = Arc::new(work);
    let items = Arc::new(Mutex::new(items.into_iter()));
    let (sender, done) = mpsc::channel();
    for _ in 0..THREADS.min(count) {
        let (items, work, sender) = (items.clone(), work.clone(), sender.clone());
        thread::spawn(move || {
            let rig = Rig::new();
            loop {
                let item = items.lock().unwrap().next();
                let Some(item) = item else { return };
                let result = catch_unwind(AssertUnwindSafe(|| work(&rig, item)));
                // A test that has failed receives nothing.
                let _ = sender.send(result);
            }
        });
    }
    for _ in 0..count {
        let result = done.recv_timeout(WATCHDOG).expect("each call ends by its deadline");
        result.unwrap_or_else(|panic| resume_unwind(panic));
    }
}

/// The generator splitmix64, with its state.
struct Random(u64);

impl Random {
    /// A number below `bound`, or 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap_or_default()
    }
}
