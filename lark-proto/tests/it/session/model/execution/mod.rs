//! The execution of a schedule: the session, its adapter, the network, the fake, the clock of the service and that of
//! the client. In contrast to the simulator, the schedule chooses every event: which call takes a step, which reply
//! arrives, where a connection breaks, and how the clocks advance.
//!
//! ```text
//!  start --> Ready --step--> Waiting  --(its wait is over | woken)--> Ready
//!                        --> InFlight --(deliver | cut)-------------> Ready
//!                        --> Done
//!  drop_call: from any of these states but Done to Dropped
//! ```
//!
//! `kept` are the token requests whose calls went on without them or were dropped. `orphans` are the requests that were
//! sent whole before their connection broke; the service carries them out later.
//!
//! `step` has the steps of a call, `answer` the outcomes of its requests, `events` the events beside the calls, and
//! `end` the end of a schedule.

mod answer;
mod end;
mod events;
mod step;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use lark_proto::CallError;
use lark_proto::endpoints::Quota;
use lark_proto::error::WaitFor;
use lark_proto::fake::{FakeLark, FakeSheet, Fault, InFlight, Route, TokenKind};
use lark_proto::session::{AnyCall, CallId, Session, TokenRequestId};

use super::ledger::{Ledger, ODD_APP, ODD_TENANT, Rate, SECRETS};
use super::work::{SPREADSHEETS, TENANTS, Work, Written, user_token};
use crate::fixtures::{APP_TOKEN, PUT, RESEND, TENANT_TOKEN, TOKEN, custom, store};
use crate::sim::{Cut, Random, clock};

pub(crate) use end::fresh;

const SECOND: Duration = Duration::from_secs(1);
/// The time for which a write that was sent whole and not answered may still run.
const IN_DOUBT_TIME: Duration = Duration::from_secs(60);
/// The longest backoff between two attempts.
const BACKOFF: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) is_store: bool,
    pub(crate) has_ticket: bool,
    /// Whether the adapter keeps a token request in flight when its call goes on or is dropped.
    pub(crate) keeps: bool,
    /// The quota of each route.
    pub(crate) quota: Option<Rate>,
    /// After each action, each waiting call is stepped with a probability of one in `pokes`, or never if this is 0.
    pub(crate) pokes: u64,
    /// Whether the texts of calls, steps and errors are searched for secrets, which takes a third of the time.
    pub(crate) reads_texts: bool,
    pub(crate) seed: u64,
}

impl Setup {
    fn assert_discreet(self, value: &impl std::fmt::Debug) {
        if self.reads_texts {
            let text = format!("{value:?}");
            assert!(!holds_secret(&text), "a secret is shown: {text}");
        }
    }
}

pub(crate) struct Execution<'w> {
    pub(crate) session: Session,
    pub(crate) lark: FakeLark,
    pub(crate) setup: Setup,
    random: Random,
    /// The clock of the service, by which the adapter waits too.
    pub(crate) real: SystemTime,
    /// The clock of the client, which may be set.
    pub(crate) clock: SystemTime,
    pub(crate) tasks: Vec<Task<'w>>,
    /// The tasks that have not ended.
    pub(crate) live: Vec<usize>,
    by_id: BTreeMap<CallId, usize>,
    pub(crate) kept: Vec<Exchange>,
    orphans: Vec<Exchange>,
    faults: Vec<(Route, Fault)>,
    lanes: [Lane; SPREADSHEETS.len()],
    exports: Vec<Export>,
    ledger: Ledger,
}

/// A call and the model's account of it.
pub(crate) struct Task<'w> {
    pub(crate) work: &'w Work,
    pub(crate) state: State,
    /// The call takes no step, like a future that is kept and not polled.
    pub(crate) is_frozen: bool,
    call: Box<dyn AnyCall<Written, Cut>>,
    started: Option<Duration>,
    deadline: Duration,
    /// The end of the last wait by the session's clock.
    wait_ends: Duration,
    reason: Option<WaitFor>,
    /// The time since which the call has been able to take its next step.
    ready_since: Duration,
    sends: u32,
    attempts: u32,
    sent: Duration,
    took: Duration,
    /// The generation of the token in flight, and the token.
    credential: (u64, String),
    /// Whether its last connection broke.
    broke: bool,
    /// The call must not send before this time.
    rests_until: Duration,
    /// The time since which a call without a lane has been answered as busy.
    busy_since: Option<Duration>,
    /// Whether a request may have been carried out.
    is_unknown: bool,
}

pub(crate) enum State {
    Ready,
    Waiting(SystemTime),
    InFlight(Box<Exchange>),
    Done(Result<Written, CallError<Cut>>),
    Dropped,
}

/// A request in flight.
pub(crate) struct Exchange {
    at_service: InFlight,
    body: Bytes,
    /// The time until which the call waits for the reply; `keep_until` is that of the adapter.
    pub(crate) until: SystemTime,
    keep_until: SystemTime,
    fetch: Option<TokenRequestId>,
}

impl Exchange {
    pub(crate) fn is_token_request(&self) -> bool {
        self.fetch.is_some()
    }
}

/// A token that another session exported.
#[derive(Clone)]
struct Export {
    tenant: usize,
    text: String,
    token: String,
    expires: SystemTime,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// The end of the time in which the service answers as busy, the code of the answer, and its `retry-after`.
    busy: Option<(SystemTime, i64, Option<u64>)>,
    /// The time since which the session has known that the document is busy.
    busy_since: Option<Duration>,
    in_doubt_until: Duration,
}

impl<'w> Execution<'w> {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = clock(Duration::ZERO);
        let far = now + Duration::from_secs(1_000_000_000);
        let mut lark = FakeLark::new();
        for spreadsheet in SPREADSHEETS {
            // Each call writes to a row of its own.
            lark.add_sheet(spreadsheet, FakeSheet::new(FakeLark::SHEET).rows(100_000));
        }
        lark.add_tenant(TENANTS[1]);
        lark.add_token(TokenKind::Tenant, ODD_TENANT, far);
        lark.add_token(TokenKind::App, ODD_APP, far);
        for user in 0..2 {
            lark.add_token(TokenKind::User, &user_token(user), far);
        }
        let mut session = if setup.is_store { store() } else { custom() };
        if let Some((second, minute)) = setup.quota {
            let count = |count| u32::try_from(count).unwrap();
            let quota = Quota::per_second(count(second)).and_per_minute(count(minute));
            for route in [Route::ImageV4Put, Route::ImV1Images, Route::ValuesImage] {
                session.set_quota(route.path(), quota);
            }
        }
        let mut execution = Self {
            session,
            lark,
            setup,
            random: Random(setup.seed),
            real: now,
            clock: now,
            tasks: Vec::new(),
            live: Vec::new(),
            by_id: BTreeMap::new(),
            kept: Vec::new(),
            orphans: Vec::new(),
            faults: Vec::new(),
            lanes: [Lane::default(); SPREADSHEETS.len()],
            exports: Vec::new(),
            ledger: Ledger::new(now, setup.is_store, setup.quota),
        };
        if setup.has_ticket {
            execution.set_ticket(true);
        }
        execution
    }

    pub(crate) fn start(&mut self, work: &'w Work) -> usize {
        let jitter = self.random.below(u64::MAX);
        self.tasks.push(Task {
            work,
            state: State::Ready,
            is_frozen: false,
            call: work.call(self.setup.is_store, jitter),
            started: None,
            deadline: Duration::MAX,
            wait_ends: Duration::ZERO,
            reason: None,
            ready_since: Duration::ZERO,
            sends: 0,
            attempts: 0,
            sent: Duration::ZERO,
            took: Duration::ZERO,
            credential: (0, String::new()),
            broke: false,
            rests_until: Duration::ZERO,
            busy_since: None,
            is_unknown: false,
        });
        let at = self.tasks.len() - 1;
        self.live.push(at);
        at
    }

    /// The live tasks that take steps and whose state matches.
    pub(crate) fn polled(&self, state: impl Fn(&State) -> bool) -> Vec<usize> {
        let is = |at: &usize| !self.tasks[*at].is_frozen && state(&self.tasks[*at].state);
        self.live.iter().copied().filter(is).collect()
    }

    /// Removes an ended task.
    fn leave(&mut self, at: usize) {
        self.live.retain(|other| *other != at);
        self.empty_lanes();
    }

    /// Forgets that the document of a lane was busy, if no call is left in the lane.
    fn empty_lanes(&mut self) {
        for (sheet, lane) in self.lanes.iter_mut().enumerate() {
            let is_in = |at: &usize| {
                let task = &self.tasks[*at];
                task.work.sheet() == Some(sheet) && task.call.id().is_some()
            };
            if !self.live.iter().any(is_in) {
                lane.busy_since = None;
            }
        }
    }

    /// Moves the calls that the session wakes to the state `Ready`.
    fn wake(&mut self) {
        self.setup.assert_discreet(&self.session);
        let woken: Vec<CallId> = self.session.woken().collect();
        let now = self.ledger.now();
        for id in woken {
            let at = self.by_id[&id];
            let task = &mut self.tasks[at];
            assert_eq!(task.call.id(), Some(id), "call {at} is woken after its end");
            match &task.state {
                State::Waiting(_) => {
                    task.ready_since = now;
                    task.state = State::Ready;
                }
                State::InFlight(exchange) if self.setup.keeps && exchange.fetch.is_some() => {
                    let exchange = self.take_exchange(at);
                    self.kept.push(exchange);
                }
                _ => {}
            }
        }
    }
}

fn route(path: &str) -> Route {
    match path {
        _ if path.ends_with("/values_image") => Route::ValuesImage,
        _ if path.ends_with(TOKEN) => Route::TenantAccessToken,
        _ if path.ends_with(TENANT_TOKEN) => Route::StoreTenantAccessToken,
        _ if path.ends_with(APP_TOKEN) => Route::AppAccessToken,
        _ if path.ends_with(RESEND) => Route::ResendAppTicket,
        _ if path.ends_with(PUT) => Route::ImageV4Put,
        _ => Route::ImV1Images,
    }
}

fn holds_secret(text: &str) -> bool {
    SECRETS.iter().any(|secret| text.contains(secret))
}
