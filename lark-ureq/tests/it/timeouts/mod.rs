//! The timeouts that the client gives to ureq, as a server in memory sees them.

mod lookups;
mod memory_server;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};
use lark_proto::{Image, Limits, PutImage, Site};
use lark_ureq::{Client, Clock, FakeTransport};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use memory_server::{MemoryServer, whole};

use crate::support::{app, put, secs, token, write};

/// A server that hands the requests to `lark`, and takes this time for the reply to an upload.
fn server_of(clock: &Clock, lark: FakeLark, upload: Duration) -> MemoryServer {
    let lark = Mutex::new(lark);
    MemoryServer::new(clock, move |elapsed, request| {
        let is_upload = request.uri().path() == Route::ImageV4Put.path();
        let reply = lark.lock().unwrap().handle(UNIX_EPOCH + elapsed, request.clone());
        (if is_upload { upload } else { Duration::ZERO }, reply)
    })
}

/// A server whose replies take no time.
fn prompt_server() -> MemoryServer {
    server_of(&Clock::default(), FakeLark::new(), Duration::ZERO)
}

fn client(server: &MemoryServer) -> Client {
    client_over(server.agent(), &Clock::default())
}

fn client_over(agent: Agent, clock: &Clock) -> Client {
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    Client::with_clock(site, app(), agent, clock.clone())
}

/// An upload of an image of this length.
fn put_of(len: usize) -> PutImage {
    PutImage::message(Image::any_format(vec![7; len], "bin").unwrap()).unwrap()
}

#[test]
fn a_client_uploads_and_writes_over_an_agents_own_transport() {
    let client = client(&prompt_server());
    client.call(&put()).unwrap();
    let written = client.call(&write()).unwrap();
    assert_eq!(written.range.unwrap().to_string(), format!("{}!A1:A1", FakeLark::SHEET));
}

#[test]
fn timeouts_grow_with_the_body() {
    let timeouts = |len: usize| {
        let server = prompt_server();
        client(&server).call(&put_of(len)).unwrap();
        let mut timeouts = server.longest_timeouts();
        // The deadline of the call ends every phase.
        timeouts.remove("global");
        timeouts.into_iter().map(|(reason, longest)| (reason, longest.as_secs_f64().ceil()))
    };
    let expected = |send_body: f64, recv_response: f64| {
        let fixed = [("connect", 10.0), ("send request", 30.0)];
        let grown = [("send body", send_body), ("receive response", recv_response)];
        BTreeMap::from_iter(fixed.into_iter().chain(grown).map(|(r, s)| (r.to_owned(), s)))
    };
    assert_eq!(BTreeMap::from_iter(timeouts(1)), expected(30.0, 120.0));
    assert_eq!(BTreeMap::from_iter(timeouts(10 << 20)), expected(190.0, 280.0));
}

#[test]
fn a_socket_has_one_timeout_for_all_writes_and_one_for_all_reads() {
    let server = prompt_server();
    let client = client(&server);
    // The first call also fetches the token, within a minute.
    client.call(&put()).unwrap();
    server.take_socket_timeouts();
    client.call(&put()).unwrap();
    client.call(&put()).unwrap();
    let expected = [("read", secs(119)), ("write", secs(29))];
    assert_eq!(server.take_socket_timeouts(), expected.into());

    client.call(&put_of(10 << 20)).unwrap();
    let mut timeouts = server.take_socket_timeouts();
    let body = [("read", secs(119 + 160)), ("write", secs(29 + 160))];
    assert!(body.iter().all(|timeout| timeouts.remove(timeout)), "{timeouts:?}");
    // The head has a timeout of its own.
    let is_head = |(_, timeout): &(_, Duration)| *timeout <= secs(30);
    assert!(timeouts.len() == 1 && timeouts.iter().all(is_head), "{timeouts:?}");
}

/// ureq checks the deadline only between two writes.
#[test]
fn a_connection_that_is_slow_to_take_a_body_gets_it_in_short_writes() {
    let clock = Clock::simulated();
    let mut lark = FakeLark::new();
    lark.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + secs(1 << 32));
    let server = server_of(&clock, lark, Duration::ZERO);
    let client = client_over(server.agent(), &clock);
    client.call_as(&token(), &put_of(1 << 20)).unwrap();
    assert_eq!(server.take_writes().into_iter().max(), Some(64 << 10));
    server.set_write_time(secs(1));
    client.call_as(&token(), &put_of(1 << 18)).unwrap();
    // The head is the first write.
    let body = server.take_writes().split_off(1);
    assert_eq!(body[..3], [16 << 10, 8 << 10, 4 << 10]);
    assert!(body[3..].iter().all(|len| *len <= 4 << 10), "{body:?}");
}

#[test]
fn a_call_without_a_deadline_overflows_no_timeout() {
    let limits = Limits::default().total(Duration::MAX);
    client(&prompt_server()).with_limits(limits).call(&put()).unwrap();
}

#[test]
fn a_timeout_of_an_agent_is_at_most_a_day() {
    let config = Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::MAX))
        .timeout_per_call(Some(Duration::MAX))
        .timeout_recv_response(Some(Duration::MAX));
    let server = prompt_server();
    let agent = server.agent_with(config.build());
    let limits = Limits::default().total(Duration::MAX);
    client_over(agent, &Clock::default()).with_limits(limits).call(&put()).unwrap();
    // Of equal timeouts, ureq names the first.
    let timeouts = server.longest_timeouts();
    let longest = timeouts.into_iter().max_by_key(|(_, time)| *time).unwrap();
    assert_eq!((&*longest.0, whole(longest.1)), ("global", secs(24 * 3600)));
}

/// Sets the settings of an agent.
type Set = fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>;

/// The end of an upload of `len` bytes whose reply takes 200 seconds, and the time until then. The timeouts are those
/// of `FakeTransport` if `is_fake`, else ureq's own.
fn slow_upload(set: Set, limits: Limits, len: usize, is_fake: bool) -> (String, Duration) {
    let clock = Clock::simulated();
    let config = set(Agent::config_builder().proxy(None));
    let mut lark = FakeLark::new();
    let until = UNIX_EPOCH + secs(1 << 32);
    lark.add_token(TokenKind::Tenant, "t-1", until);
    let agent = if is_fake {
        lark.fail_next(ConnectionFault::SlowReply(secs(200)));
        let fake = FakeTransport::with_lark(clock.clone(), lark);
        config.middleware(fake).build().into()
    } else {
        server_of(&clock, lark, secs(200)).agent_with(config.build())
    };
    let client = client_over(agent, &clock).with_limits(limits);
    let end = client.call_as(&token(), &put_of(len));
    let end = end.map_or_else(|error| format!("{:?}", error.kind), |_| "done".to_owned());
    (end, clock.elapsed())
}

#[test]
fn a_slow_reply_of_the_fake_ends_as_the_timeouts_of_ureq_end_it() {
    let once = Limits::one_attempt();
    let of = |limits: Limits, seconds| limits.total(secs(seconds));
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
        for is_fake in [false, true] {
            let found = slow_upload(set, limits, len, is_fake);
            assert_eq!(found, (end.to_owned(), secs(seconds)), "case {case}, {is_fake}");
        }
    }
}

#[test]
fn a_renewal_that_hangs_delays_its_call_by_two_seconds() {
    let clock = Clock::simulated();
    let fake = FakeTransport::new(clock.clone());
    let client = client_over(fake.agent(), &clock);
    client.call(&put()).unwrap();
    // The token expires in 28 minutes.
    clock.sleep(secs(7200 - 28 * 60));
    let start = clock.elapsed();
    let hangs = ConnectionFault::SlowReply(Duration::MAX);
    fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, hangs));
    for _ in 0..2 {
        client.call(&put()).unwrap();
        assert_eq!(clock.elapsed() - start, secs(2));
    }
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 2);
}
