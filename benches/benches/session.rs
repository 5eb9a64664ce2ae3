//! The cost of a state machine without a network: all steps of a single call with a tiny image in a session that has
//! its token, and of many calls that wait for the same thing. Requests are made, and nothing is sent.
#![expect(missing_docs, reason = "criterion's macros write items without a comment")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use http::Response;
use lark_benches::{UPLOADED, WRITTEN, criterion, image, write_to};
use lark_proto::session::{Call, CallId, Purpose, Session, Step};
use lark_proto::token::Authorizes;
use lark_proto::{App, Endpoint, Limits, PutImage, Site, TenantToken, WriteSheetImage};

const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-7f1b","expire":7200}"#;
const REFUSED: &str = r#"{"code":99991400,"msg":"request trigger frequency limit"}"#;

const ALIVE: [usize; 2] = [1, 1000];
const WAITING: [usize; 3] = [1_000, 10_000, 100_000];

/// The time between a request and its reply.
const REPLY: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Running<O> = Call<O, io::Error>;

fn reply(json: &'static str) -> Response<Bytes> {
    Response::new(Bytes::from_static(json.as_bytes()))
}

fn session() -> Session {
    let mut session = Session::new(Site::LARK, App::custom("cli_a1b2", "secret").unwrap());
    session.keep_quotas(false);
    session
}

/// A session that has its token.
fn warm() -> Session {
    let mut session = session();
    let put = put();
    let mut call = Call::new(&put);
    send(&mut session, &mut call);
    receive(&mut session, &mut call, TOKEN);
    send(&mut session, &mut call);
    finish(&mut session, &mut call, UPLOADED);
    session
}

fn put() -> PutImage {
    PutImage::message(image(100)).unwrap()
}

/// Cell writes, each to a spreadsheet of its own.
fn writes(spreadsheets: usize) -> Vec<WriteSheetImage> {
    let image = image(100);
    (0..spreadsheets).map(|n| write_to(&format!("shtcn{n:06}"), &image)).collect()
}

/// Takes a step of the call, which has to send a request.
fn send<O>(session: &mut Session, call: &mut Running<O>) {
    let step = call.next(session, SystemTime::UNIX_EPOCH);
    assert!(matches!(step, Step::Send(_)), "a request is sent");
}

fn receive<O>(session: &mut Session, call: &mut Running<O>, json: &'static str) {
    let parsed = call.read(reply(json));
    call.received(session, SystemTime::UNIX_EPOCH, parsed);
}

/// Receives the reply, and takes the last step of the call.
fn finish<O>(session: &mut Session, call: &mut Running<O>, json: &'static str) {
    receive(session, call, json);
    let step = call.next(session, SystemTime::UNIX_EPOCH);
    assert!(matches!(step, Step::Done(Ok(_))), "the call succeeds");
}

/// Measures all steps of a call, while `others` are in flight.
fn single<E: Endpoint>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    endpoint: &E,
    others: &[&E],
    json: &'static str,
) where
    TenantToken: Authorizes<E::Auth>,
{
    for alive in ALIVE {
        let mut session = warm();
        let others = others.iter().take(alive - 1);
        let mut others: Vec<Running<_>> = others.map(|other| Call::new(*other)).collect();
        others.iter_mut().for_each(|call| send(&mut session, call));
        group.bench_function(BenchmarkId::new(name, alive), |b| {
            b.iter(|| {
                let mut call = Call::new(endpoint);
                send(&mut session, &mut call);
                finish(&mut session, &mut call, json);
            });
        });
    }
}

fn single_calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("session, all steps of a call, by calls in flight");
    let put = put();
    single(&mut group, "upload", &put, &vec![&put; ALIVE[1]], UPLOADED);
    let writes = writes(ALIVE[1]);
    let others: Vec<&WriteSheetImage> = writes.iter().skip(1).collect();
    single(&mut group, "cell write", &writes[0], &others, WRITTEN);
}

/// A single-threaded adapter on a virtual clock. Every request is answered after [`REPLY`], in the order of the
/// requests.
struct Adapter<O> {
    session: Session,
    now: Duration,
    calls: Vec<Running<O>>,
    by_id: HashMap<CallId, usize>,
    ready: VecDeque<usize>,
    waits: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The time until which each call waits. An entry of `waits` with another time is out of date.
    until: Vec<Duration>,
    in_flight: VecDeque<(Duration, usize, &'static str)>,
    json: &'static str,
    /// How many of the calls' own requests are answered before one is refused by a rate limit.
    refuses: Option<usize>,
}

impl<O> Adapter<O> {
    fn new(session: Session, json: &'static str) -> Self {
        Self {
            session,
            now: Duration::ZERO,
            calls: Vec::new(),
            by_id: HashMap::new(),
            ready: VecDeque::new(),
            waits: BinaryHeap::new(),
            until: Vec::new(),
            in_flight: VecDeque::new(),
            json,
            refuses: None,
        }
    }

    /// Adds a call that takes its first step at `at`.
    fn start<E: Endpoint<Output = O>>(&mut self, at: Duration, endpoint: &E)
    where
        TenantToken: Authorizes<E::Auth>,
    {
        self.waits.push(Reverse((at, self.calls.len())));
        self.until.push(at);
        self.calls.push(Call::new(endpoint).with_limits(Limits::default().total(DAY)));
    }

    /// Drives all calls until they are over.
    ///
    /// # Panics
    /// If no call can go on.
    fn run(&mut self) {
        let mut left = self.calls.len();
        while left > 0 {
            if let Some(call) = self.ready.pop_front() {
                left -= usize::from(self.step(call));
                continue;
            }
            let wait = self.waits.peek().map_or(Duration::MAX, |Reverse((at, _))| *at);
            match self.in_flight.front() {
                Some((at, ..)) if *at <= wait => self.receive(),
                _ => {
                    let Reverse((at, call)) = self.waits.pop().expect("a call can go on");
                    if self.until[call] == at {
                        self.now = self.now.max(at);
                        self.ready.push_back(call);
                    }
                }
            }
        }
    }

    /// Takes a step of a call, and returns whether the call is over.
    fn step(&mut self, call: usize) -> bool {
        self.until[call] = Duration::MAX;
        let step = self.calls[call].next(&mut self.session, SystemTime::UNIX_EPOCH + self.now);
        if let Some(id) = self.calls[call].id() {
            self.by_id.insert(id, call);
        }
        let is_over = match step {
            Step::Send(outgoing) => {
                let json = match outgoing.purpose {
                    Purpose::Token(_) => TOKEN,
                    _ => self.answer(),
                };
                self.in_flight.push_back((self.now + REPLY, call, json));
                false
            }
            Step::Wait(time) => {
                // A call that would wait until its deadline is woken earlier.
                if time < DAY / 2 {
                    self.until[call] = self.now + time;
                    self.waits.push(Reverse((self.now + time, call)));
                }
                false
            }
            Step::Done(result) => {
                assert!(result.is_ok(), "the call succeeds");
                true
            }
        };
        self.wake();
        is_over
    }

    fn answer(&mut self) -> &'static str {
        let is_refused = self.refuses == Some(0);
        self.refuses = self.refuses.and_then(|left| left.checked_sub(1));
        if is_refused { REFUSED } else { self.json }
    }

    fn receive(&mut self) {
        let Some((at, call, json)) = self.in_flight.pop_front() else { return };
        self.now = self.now.max(at);
        let mut reply = reply(json);
        if json == REFUSED {
            reply.headers_mut().insert("x-ogw-ratelimit-reset", 1.into());
        }
        let parsed = self.calls[call].read(reply);
        self.calls[call].received(&mut self.session, SystemTime::UNIX_EPOCH + self.now, parsed);
        self.ready.push_back(call);
        self.wake();
    }

    fn wake(&mut self) {
        let woken = self.session.woken().filter_map(|id| self.by_id.get(&id));
        self.ready.extend(woken);
    }
}

fn in_lanes(calls: usize, writes: &[WriteSheetImage]) {
    let mut adapter = Adapter::new(warm(), WRITTEN);
    for write in writes.iter().cycle().take(calls) {
        adapter.start(Duration::ZERO, write);
    }
    adapter.run();
}

fn behind_a_first_token(calls: usize, put: &PutImage) {
    let mut adapter = Adapter::new(session(), UPLOADED);
    for _ in 0..calls {
        adapter.start(Duration::ZERO, put);
    }
    adapter.run();
}

/// A twentieth of the calls succeeds, and the next one is refused by a rate limit of one second. The other calls start
/// half a second later, and wait at the gate of the rate limit.
fn at_a_gate(calls: usize, put: &PutImage) {
    let mut adapter = Adapter::new(warm(), UPLOADED);
    adapter.refuses = Some(calls / 20);
    for call in 0..calls {
        adapter.start(if call <= calls / 20 { Duration::ZERO } else { SECOND / 2 }, put);
    }
    adapter.run();
}

/// Measures all steps of many calls that wait for the same thing, from their start to their end.
fn waiting_calls(c: &mut Criterion) {
    let put = put();
    let writes = writes(50);
    let mut group = c.benchmark_group("session, time a call, by calls that wait");
    let mut add = |name: &str, run: &dyn Fn(usize)| {
        for calls in WAITING {
            group.throughput(Throughput::Elements(calls as u64));
            group.bench_function(BenchmarkId::new(name, calls), |b| b.iter(|| run(calls)));
        }
    };
    add("in one lane", &|calls| in_lanes(calls, &writes[..1]));
    add("in 50 lanes", &|calls| in_lanes(calls, &writes));
    add("behind a first token", &|calls| behind_a_first_token(calls, &put));
    add("at a gate", &|calls| at_a_gate(calls, &put));
}

criterion_group!(name = benches; config = criterion(); targets = single_calls, waiting_calls);
criterion_main!(benches);
