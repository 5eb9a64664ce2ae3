//! Connections that are cut one after another, at seeded bytes, with retries.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use lark_hyper::Pool;
use lark_proto::error::Outcome;
use lark_proto::{App, Limits, Site};
use lark_ureq::{Clock, ureq};

use super::callers::{CALLERS, Caller, Client, Kind};
use super::proxy::{Action, Carried, Fault, Place, head_len};
use super::subjects::{Subject, Visitor, visit_all};
use super::{Random, Rig, each, probe};

/// The number of plans of faults for each endpoint and client.
const PLANS: u64 = 50;
/// The number of times that a request is sent at most.
const ATTEMPTS: usize = 4;
/// The size of ureq's buffers. A build without optimisation takes long to fill those of the default size with zeros.
const BUFFER: usize = 16 << 10;

/// One call of an endpoint, of which a client and the faults of its connections are known.
type Call = Box<dyn FnOnce(&Rig) + Send>;

#[derive(Default)]
struct Calls(Vec<Call>);

impl Visitor for Calls {
    fn visit<S: Subject>(&mut self, name: &'static str) {
        for caller in CALLERS {
            let (whole, _) = probe::<S>(caller);
            for seed in 0..PLANS {
                let faults = plan(seed, &whole);
                let context = format!("{caller:?} {name} {seed} {faults:?}");
                let whole = whole.clone();
                self.0
                    .push(Box::new(move |rig| check::<S>(rig, caller, &whole, &faults, &context)));
            }
        }
    }
}

/// The cuts of one to five connections in a row.
fn plan(seed: u64, whole: &Carried) -> Vec<Fault> {
    let mut random = Random(seed);
    let count = 1 + random.below(ATTEMPTS + 1);
    let cut = |_| {
        let offset = random.below(whole.request.len() + whole.reply.len());
        // The last byte of a reply is always missing.
        let place = match offset.checked_sub(whole.request.len()) {
            None => Place::Request(offset),
            Some(offset) => Place::Reply(offset),
        };
        let action = if random.below(2) == 0 { Action::Finish } else { Action::Reset };
        Fault { place, action }
    };
    (0..count).map(cut).collect()
}

fn check<S: Subject>(rig: &Rig, caller: Caller, whole: &Carried, faults: &[Fault], context: &str) {
    rig.plan(faults.iter().cloned());
    let call = S::sample(&rig.known);
    let result = client(caller, &rig.proxy.site()).call(&S::token(), &call);
    let carried_out = rig.carried_out(S::ROUTE);
    let connections = rig.proxy.connections().len();
    assert!(connections <= ATTEMPTS, "{context}: {connections} connections");
    // How often the request arrived whole before a cut.
    let cut_whole = faults.iter().take(connections).filter(|fault| match fault.place {
        Place::Request(_) => false,
        Place::Reply(_) => true,
    });
    let cut_whole = cut_whole.count();
    match result {
        Ok(output) => {
            assert_eq!(connections, faults.len() + 1, "{context}");
            assert_eq!(carried_out, cut_whole + 1, "{context}");
            assert!(rig.server.with(|lark| call.is_right(&output, lark)), "{context}: {output:?}");
        }
        Err(failed) => {
            assert_eq!(failed.kind, Kind::Transport, "{context}: {failed:?}");
            assert_eq!(carried_out, cut_whole, "{context}");
            let is_read = call.method() == http::Method::GET;
            let may_be_unsent = is_read || carried_out == 0;
            assert!(may_be_unsent || failed.outcome == Outcome::Unknown, "{context}: {failed:?}");
            assert!(!is_read || failed.outcome == Outcome::NotSent, "{context}: {failed:?}");
            if S::IS_RESENT {
                assert_eq!(connections, ATTEMPTS, "{context}: {failed:?}");
                assert!(faults.len() >= ATTEMPTS, "{context}: {failed:?}");
            }
        }
    }
    if !S::IS_RESENT {
        assert!(carried_out <= 1, "{context}: carried out {carried_out} times");
        // It is sent again only while no byte of its body was sent.
        let sent = rig.proxy.connections();
        let begun = sent.iter().filter(|sent| sent.request.len() > head_len(&whole.request));
        assert!(begun.count() <= 1, "{context}");
    }
}

/// A client whose waits take no time, or a twentieth of it.
fn client(caller: Caller, site: &Site) -> Client {
    let limits = Limits::default().attempts(u32::try_from(ATTEMPTS).unwrap());
    match caller {
        Caller::Ureq => {
            let agent = ureq::Agent::config_builder()
                .proxy(None)
                .input_buffer_size(BUFFER)
                .output_buffer_size(BUFFER)
                .build()
                .into();
            let clock = Clock::simulated();
            let client = lark_ureq::Client::with_clock(site.clone(), App::None, agent, clock);
            Client::Ureq(client.with_limits(limits))
        }
        Caller::Hyper => {
            let timer = Fast::start();
            let client =
                lark_hyper::Client::with_service(site.clone(), App::None, Pool::new(), timer);
            Client::Hyper(Box::new(client.with_limits(limits)))
        }
    }
}

/// A timer whose time passes twenty times as fast.
struct Fast {
    timer: TokioTimer,
    start: Instant,
}

impl Fast {
    const SPEED: u32 = 20;

    fn start() -> Self {
        let timer = TokioTimer::new();
        Self { start: timer.now(), timer }
    }
}

impl Timer for Fast {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep(duration / Self::SPEED)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        self.start + self.timer.now().duration_since(self.start) * Self::SPEED
    }
}

impl fmt::Debug for Fast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fast")
    }
}

#[test]
fn a_call_whose_connections_are_cut_is_carried_out_or_ends_with_a_true_outcome() {
    let mut calls = Calls::default();
    visit_all(&mut calls);
    each(calls.0, |rig, call| call(rig));
}
