//! Connections that stop or become slow at a byte, and a lookup that hangs.

use std::sync::mpsc;
use std::time::Duration;

use lark_hyper::TransportError;
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::session::Phase;
use lark_proto::{App, CreateImage, Image, Limits, Site};

use super::callers::{CALLERS, Caller, Failed, Kind, Setup};
use super::proxy::{Action, Fault, Place, head_len};
use super::subjects::Subject;
use super::{Rig, each, probe};
use crate::support::{put, token};

/// The time of a phase, or of a whole call.
const SHORT: Duration = Duration::from_millis(300);
/// More bytes than a system buffers for a peer that does not read.
const LARGE: usize = 10_000_000;

/// A fault, and the phase that it holds up.
#[derive(Clone, Debug)]
struct Stall {
    fault: Fault,
    phase: Phase,
    is_large: bool,
    is_carried_out: bool,
}

/// Faults in each phase of an exchange with an open connection.
fn stalls(caller: Caller) -> Vec<Stall> {
    let (whole, _) = probe::<CreateImage>(caller);
    let (request, reply) = (whole.request.len(), whole.reply.len());
    let reply_head = head_len(&whole.reply);
    let drip = || Action::Drip(Duration::from_millis(100));
    let mut stalls = Vec::new();
    let mut add = |place, action, phase, is_large| {
        let is_carried_out = matches!(place, Place::Reply(_));
        stalls.push(Stall { fault: Fault { place, action }, phase, is_large, is_carried_out });
    };
    for offset in [0, 1, 1000, LARGE / 100] {
        add(Place::Request(offset), Action::Stall, Phase::SendBody, true);
    }
    add(Place::Request(1000), drip(), Phase::SendBody, true);
    // The system takes the whole of a small request, whether the peer reads it or not.
    for offset in [0, head_len(&whole.request), request - 1] {
        add(Place::Request(offset), Action::Stall, Phase::RecvResponse, false);
    }
    add(Place::Request(0), drip(), Phase::RecvResponse, false);
    for offset in [0, 1, reply_head - 1] {
        add(Place::Reply(offset), Action::Stall, Phase::RecvResponse, false);
    }
    add(Place::Reply(0), drip(), Phase::RecvResponse, false);
    for offset in [reply_head, reply - 1] {
        add(Place::Reply(offset), Action::Stall, Phase::RecvBody, false);
    }
    add(Place::Reply(reply_head), drip(), Phase::RecvBody, false);
    stalls
}

fn cases() -> Vec<(Caller, Stall)> {
    let of = |caller| stalls(caller).into_iter().map(move |stall| (caller, stall));
    CALLERS.into_iter().flat_map(of).collect()
}

/// The failure of a call that stalls, and how often its request was carried out.
fn stalled(caller: Caller, stall: &Stall, setup: &Setup) -> (Failed, usize) {
    let rig = Rig::new();
    rig.plan([stall.fault.clone()]);
    let len = if stall.is_large { LARGE } else { 0 };
    let image = Image::new([b"GIF89a..".as_slice(), &vec![7; len]].concat()).unwrap();
    let call = CreateImage::message(image).unwrap();
    let result = caller.call(&rig.proxy.site(), setup, &CreateImage::token(), &call);
    (result.unwrap_err(), rig.carried_out(CreateImage::ROUTE))
}

/// Makes a call that ends after a time, as `setup` says. On a busy machine a short time may pass before the fault, and
/// the call then gets a longer one.
fn check(caller: Caller, stall: &Stall, setup: impl Fn(Duration) -> Setup, kind: &Kind) {
    for time in [SHORT, 4 * SHORT, 16 * SHORT] {
        let (failed, carried_out) = stalled(caller, stall, &setup(time));
        // A slow request arrives after its client has given up, or never.
        let is_slow = matches!(stall.fault.action, Action::Drip(_)) && !stall.is_carried_out;
        let is_reached = failed.outcome == Outcome::Unknown
            && (is_slow || carried_out == usize::from(stall.is_carried_out));
        if is_reached || time > 4 * SHORT {
            assert_eq!(&failed.kind, kind, "{caller:?} {stall:?}: {failed:?}");
            assert!(is_reached, "{caller:?} {stall:?}: {failed:?}, carried out: {carried_out}");
            return;
        }
    }
}

#[test]
fn a_connection_that_stalls_ends_with_the_timeout_of_its_phase() {
    each(cases(), |_, (caller, stall)| {
        let setup = |time| Setup::once().timeout(stall.phase, time);
        check(caller, &stall, setup, &Kind::Timeout(stall.phase));
    });
}

#[test]
fn a_connection_that_stalls_ends_with_the_deadline_of_its_call() {
    each(cases(), |_, (caller, stall)| {
        let limits = |time| Limits::one_attempt().total(time);
        let setup = |time| Setup { limits: limits(time), ..Setup::once() };
        check(caller, &stall, setup, &Kind::Deadline);
    });
}

#[test]
fn a_slow_request_or_reply_within_its_time_succeeds() {
    let places = [Place::Request(0), Place::Reply(0)];
    let cases = CALLERS.into_iter().flat_map(|caller| places.map(|place| (caller, place)));
    each(cases, |rig, (caller, place)| {
        rig.plan([Fault { place, action: Action::Drip(Duration::from_millis(1)) }]);
        let call = CreateImage::sample(&rig.known);
        let setup = Setup::once();
        let key = caller.call(&rig.proxy.site(), &setup, &CreateImage::token(), &call).unwrap();
        assert!(rig.server.with(|lark| call.is_right(&key, lark)), "{caller:?} {place:?}");
    });
}

/// The system's resolver runs on a thread of the runtime. Here the only such thread is taken.
#[test]
fn a_lookup_that_hangs_ends_with_its_timeout_and_nothing_is_sent() {
    let rig = Rig::new();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let blocked = runtime.spawn_blocking(move || released.recv());
    let site = Site::custom(&format!("http://localhost:{}", rig.proxy.port())).unwrap();
    let client = lark_hyper::Client::builder(site, App::None)
        .no_proxy()
        .timeout(Phase::Resolve, SHORT)
        .limits(Limits::one_attempt())
        .build()
        .unwrap();
    let error = runtime.block_on(client.call_as(&token(), &put())).unwrap_err();
    let kind = &error.kind;
    let is_resolve =
        matches!(kind, CallErrorKind::Transport(TransportError::Timeout(Phase::Resolve)));
    assert!(is_resolve, "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(rig.proxy.connections().is_empty());

    // The next call finds the address.
    release.send(()).unwrap();
    runtime.block_on(blocked).unwrap().unwrap();
    runtime.block_on(client.call_as(&token(), &put())).unwrap();
}
