//! ureq's own timeouts and calls of the socket, seen by a transport of the test's.



use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use lark_proto::fake::{Break, FakeLark, Route};
use lark_proto::{App, Image, Limits, PutImage, Site, TenantToken, WriteSheetImage};
use lark_ureq::{Client, Clock, FakeTransport};
use crate::support::memory::{self, Memory};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A transport to `lark`, whose replies to uploads take `takes`.
fn to_lark(clock: &Clock, lark: FakeLark, takes: Duration) -> Arc<Mutex<Memory>> {
    let lark = Mutex::new(lark);
    Memory::new(clock, move |elapsed, request| {
        let is_upload = request.uri().path() == Route::ImageV4Put.path();
        let reply = lark.lock().unwrap().handle(UNIX_EPOCH + elapsed, request.clone());
        (if is_upload { takes } else { Duration::ZERO }, Some(reply))
    })
}

fn at_once() -> Arc<Mutex<Memory>> {
    to_lark(&Clock::default(), FakeLark::new(), Duration::ZERO)
}

fn client(memory: &Arc<Mutex<Memory>>) -> Client {
    client_over(memory::agent(memory), &Clock::default())
}

fn client_over(agent: Agent, clock: &Clock) -> Client {
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    Client::with_clock(Site::custom("http://127.0.0.1:1").unwrap(), app, agent, clock.clone())
}

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()
}

fn put_of(len: usize) -> PutImage {
    PutImage::message(Image::any_format(vec![7; len], "bin").unwrap()).unwrap()
}

#[test]
fn an_agents_own_transport_carries_the_whole_job() {
    let client = client(&at_once());
    let image = Image::new("GIF89a..").unwrap();
    client.call(&PutImage::message(image.clone()).unwrap()).unwrap();
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
    let written = client.call(&WriteSheetImage::new(spreadsheet, cell, image).unwrap()).unwrap();
    assert_eq!(written.range.unwrap().to_string(), format!("{}!A1:A1", FakeLark::SHEET));
}

#[test]
fn timeouts_grow_with_the_body() {
    let timeouts = |len: usize| {
        let memory = at_once();
        client(&memory).call(&put_of(len)).unwrap();
        let mut timeouts = memory.lock().unwrap().timeouts.clone();
        timeouts.remove("global"); // the call's own limits, which end the others
        timeouts.into_iter().map(|(reason, longest)| (reason, longest.as_secs_f64().ceil()))
    };
    let expected = |send: f64, answer: f64| {
        let fixed = [("connect", 10.0), ("send request", 30.0)];
        let grown = [("send body", send), ("receive response", answer)];
        BTreeMap::from_iter(fixed.into_iter().chain(grown).map(|(r, s)| (r.to_owned(), s)))
    };
    assert_eq!(BTreeMap::from_iter(timeouts(1)), expected(30.0, 120.0));
    assert_eq!(BTreeMap::from_iter(timeouts(10 << 20)), expected(190.0, 280.0));
}

#[test]
fn the_kernel_is_told_one_timeout_for_all_writes_and_one_for_all_reads() {
    let memory = at_once();
    let client = client(&memory);
    // The token is fetched within a minute of its own.
    client.call(&put()).unwrap();
    memory.lock().unwrap().told.clear();
    client.call(&put()).unwrap();
    client.call(&put()).unwrap();
    let told = [("read", secs(119)), ("write", secs(29))];
    assert_eq!(std::mem::take(&mut memory.lock().unwrap().told), told.into());

    client.call(&put_of(10 << 20)).unwrap();
    let mut told = std::mem::take(&mut memory.lock().unwrap().told);
    let body = [("read", secs(119 + 160)), ("write", secs(29 + 160))];
    assert!(body.iter().all(|told_once| told.remove(told_once)), "{told:?}");
    assert!(told.len() == 1 && told.iter().all(|(_, head)| *head <= secs(30)), "{told:?}");
}

#[test]
fn a_call_without_end_is_no_overflow() {
    let limits = Limits::default().total(Duration::MAX);
    client(&at_once()).with_limits(limits).call(&put()).unwrap();
    let config = Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::MAX))
        .timeout_recv_response(Some(Duration::MAX));
    let agent = memory::agent_with(config.build(), &at_once());
    client_over(agent, &Clock::default()).with_limits(limits).call(&put()).unwrap();
}

/// The settings of an agent.
type Set = fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>;

/// An upload of `len` bytes whose reply takes 200 seconds, with ureq's own timeouts or those that `FakeTransport`
/// keeps: how it ends, and after how long.
fn slow_upload(set: Set, limits: Limits, len: usize, fakes: bool) -> (String, Duration) {
    let clock = Clock::simulated();
    let config = set(Agent::config_builder().proxy(None));
    let mut lark = FakeLark::new();
    let until = UNIX_EPOCH + secs(1 << 32);
    lark.add_token(lark_proto::fake::TokenKind::Tenant, "t-1", until);
    let agent = if fakes {
        lark.fail_next(Break::SlowReply(secs(200)));
        let fake = FakeTransport::with_lark(clock.clone(), lark);
        config.middleware(fake).build().into()
    } else {
        memory::agent_with(config.build(), &to_lark(&clock, lark, secs(200)))
    };
    let client = client_over(agent, &clock).with_limits(limits);
    let end = client.call_as(&TenantToken::new("t-1").unwrap(), &put_of(len));
    let end = end.map_or_else(|error| format!("{:?}", error.kind), |_| "done".to_owned());
    (end, clock.elapsed())
}

#[test]
fn a_slow_reply_of_the_fake_ends_as_by_ureqs_own_timeouts() {
    let (once, of) = (Limits::one_attempt(), |limits: Limits, seconds| limits.total(secs(seconds)));
    let cases: [(Set, Limits, usize, &str, u64); 13] = [
        (|set| set, once, 1, "Transport(Timeout(RecvResponse))", 119),
        (|set| set, once, 10 << 20, "done", 200),
        (|set| set, of(once, 50), 1, "Deadline", 50),
        (|set| set.timeout_recv_response(Some(secs(300))), once, 1, "done", 200),
        (
            |set| set.timeout_recv_response(Some(secs(5))),
            once,
            1,
            "Transport(Timeout(RecvResponse))",
            5,
        ),
        (|set| set.timeout_recv_response(Some(Duration::MAX)), of(once, 100), 1, "Deadline", 100),
        (|set| set.timeout_global(Some(secs(50))), once, 1, "Transport(Timeout(Global))", 50),
        (|set| set.timeout_global(Some(secs(50))), of(once, 40), 1, "Deadline", 40),
        (|set| set.timeout_per_call(Some(secs(40))), once, 1, "Transport(Timeout(PerCall))", 40),
        (|set| set.timeout_per_read(Some(secs(30))), once, 1, "Transport(Timeout(PerRead))", 30),
        (
            |set| set.timeout_recv_response(Some(secs(50))).timeout_per_read(Some(secs(50))),
            once,
            1,
            "Transport(Timeout(RecvResponse))",
            50,
        ),
        (
            |set| set.timeout_recv_response(Some(secs(50))).timeout_per_call(Some(secs(50))),
            once,
            1,
            "Transport(Timeout(PerCall))",
            50,
        ),
        (
            |set| set.timeout_global(Some(secs(50))).timeout_per_call(Some(secs(50))),
            once,
            1,
            "Transport(Timeout(Global))",
            50,
        ),
    ];
    for (case, (set, limits, len, end, seconds)) in cases.into_iter().enumerate() {
        for fakes in [false, true] {
            let found = slow_upload(set, limits, len, fakes);
            assert_eq!(found, (end.to_owned(), secs(seconds)), "case {case}, {fakes}");
        }
    }
}
