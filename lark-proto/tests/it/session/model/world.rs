//! Adapter, network, service and clocks in one, where a schedule decides what happens next.
//!
//! ```text
//!  start --> Ready --step--> Waiting --(its time, or named)--> Ready        drop_call: from any state
//!              ^             InFlight --deliver | cut--> Ready      Over
//! ```
//!
//! A token request may be detached from its call, which then goes on beside it (`kept`); a request that was sent whole
//! and lost its connection is carried out later (`orphans`).
//!
//! `step` is what a call does next, `answer` what becomes of its request, `events` what happens beside the calls, and
//! `finish` how a schedule ends.

mod answer;
mod events;
mod finish;
mod step;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lark_proto::endpoints::Quota;
use lark_proto::error::WaitFor;
use lark_proto::fake::{FakeLark, FakeSheet, Fault, InFlight, Route, TokenKind};
use lark_proto::session::{CallId, Session, TokenRequestId};
use lark_proto::{App, CallError, Site};

use super::watch::{ODD_APP, ODD_TENANT, Rate, SECRETS, Watch};
use super::work::{Machine, SPREADSHEETS, TENANTS, Work, Written, user_token};
use crate::sim::Cut;

pub(crate) use answer::is_gates;
pub(crate) use finish::fresh;

const SECOND: Duration = Duration::from_secs(1);
/// A write that was sent whole and not answered may still be running for this time.
const UNSETTLED: Duration = Duration::from_secs(60);
/// The longest wait between two attempts that the service did not name.
const BACKOFF: Duration = Duration::from_secs(8);
/// The longest that a named time between two requests is kept.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) is_store: bool,
    pub(crate) has_ticket: bool,
    /// The adapter keeps token requests when their call goes on or is dropped.
    pub(crate) keeps: bool,
    /// The quota of each route.
    pub(crate) quota: Option<Rate>,
    /// After each event one waiting call in so many is stepped; none if this is 0.
    pub(crate) pokes: u64,
    pub(crate) seed: u64,
}

pub(crate) struct World<'w> {
    pub(crate) session: Session,
    pub(crate) lark: FakeLark,
    setup: Setup,
    dice: Dice,
    /// The service's clock, by which the adapter waits as well.
    pub(crate) real: SystemTime,
    /// The client's clock, which may be set.
    pub(crate) clock: SystemTime,
    pub(crate) tasks: Vec<Task<'w>>,
    /// The tasks that are not over.
    pub(crate) live: Vec<usize>,
    by_id: BTreeMap<CallId, usize>,
    pub(crate) kept: Vec<Exchange>,
    orphans: Vec<Exchange>,
    faults: Vec<(Route, Fault)>,
    lanes: [Lane; SPREADSHEETS.len()],
    exports: Vec<(usize, String, String, SystemTime)>,
    watch: Watch,
}

/// A call and the model's account of it.
pub(crate) struct Task<'w> {
    pub(crate) work: &'w Work,
    pub(crate) state: State,
    /// The call takes no step and reads no reply, like a future that is not polled.
    pub(crate) is_frozen: bool,
    machine: Box<dyn Machine>,
    started: Option<Duration>,
    deadline: Duration,
    /// The end of the last wait, and its reason.
    told: Duration,
    reason: Option<WaitFor>,
    /// Since when the call could have taken a step.
    ready_since: Duration,
    sends: u32,
    attempts: u32,
    sent: Duration,
    took: Duration,
    /// The generation of its token, and the token.
    credential: (u64, String),
    /// Its last connection broke.
    broke: bool,
    /// No send before this time.
    rests_until: Duration,
    /// Since when a call without a lane has been answered busy.
    busy_since: Option<Duration>,
    /// A request may have been carried out.
    is_unknown: bool,
}

pub(crate) enum State {
    Ready,
    Waiting(SystemTime),
    InFlight(Box<Exchange>),
    Done(Result<Written, CallError<Cut>>),
    Dropped,
}

/// A request on its way.
pub(crate) struct Exchange {
    at_service: InFlight,
    body: Bytes,
    /// How long the call waits for it, and how long the adapter does.
    until: SystemTime,
    keep_until: SystemTime,
    fetch: Option<TokenRequestId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// Until when the service answers busy, with this code and header.
    busy: Option<(SystemTime, i64, Option<u64>)>,
    /// Since when the session knows the document to be busy.
    busy_since: Option<Duration>,
    unsettled_until: Duration,
}

/// Splitmix64.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) % sides.max(1)
    }
}

impl<'w> World<'w> {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let far = now + Duration::from_secs(1_000_000_000);
        let mut lark = FakeLark::new();
        for spreadsheet in SPREADSHEETS {
            // The calls write into a row each.
            lark.add_sheet(spreadsheet, FakeSheet::new(FakeLark::SHEET).rows(100_000));
        }
        lark.add_tenant(TENANTS[1]);
        lark.add_token(TokenKind::Tenant, ODD_TENANT, far);
        lark.add_token(TokenKind::App, ODD_APP, far);
        for user in 0..2 {
            lark.add_token(TokenKind::User, &user_token(user), far);
        }
        let mut session = session(setup.is_store);
        if let Some((second, minute)) = setup.quota {
            let count = |count| u32::try_from(count).unwrap();
            let quota = Quota::per_second(count(second)).and_per_minute(count(minute));
            for route in [Route::ImageV4Put, Route::ImV1Images, Route::ValuesImage] {
                session.set_quota(route.path(), quota);
            }
        }
        let mut world = Self {
            session,
            lark,
            setup,
            dice: Dice(setup.seed),
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
            watch: Watch::new(now, setup.is_store, setup.quota),
        };
        if setup.has_ticket {
            world.set_ticket(true);
        }
        world
    }

    pub(crate) fn start(&mut self, work: &'w Work) -> usize {
        let jitter = self.dice.below(u64::MAX);
        self.tasks.push(Task {
            work,
            state: State::Ready,
            is_frozen: false,
            machine: work.call(self.setup.is_store, jitter),
            started: None,
            deadline: Duration::MAX,
            told: Duration::ZERO,
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

    /// The live tasks in such a state that are polled.
    pub(crate) fn polled(&self, state: impl Fn(&State) -> bool) -> Vec<usize> {
        let is = |at: &usize| !self.tasks[*at].is_frozen && state(&self.tasks[*at].state);
        self.live.iter().copied().filter(is).collect()
    }

    /// The task is over.
    fn leave(&mut self, at: usize) {
        self.live.retain(|other| *other != at);
        self.empty_lanes();
    }

    /// A lane without a call forgets that its document was busy.
    fn empty_lanes(&mut self) {
        for (sheet, lane) in self.lanes.iter_mut().enumerate() {
            let is_in = |at: &usize| {
                let task = &self.tasks[*at];
                task.work.sheet() == Some(sheet) && task.machine.id().is_some()
            };
            if !self.live.iter().any(is_in) {
                lane.busy_since = None;
            }
        }
    }

    /// The calls that the session names are ready.
    fn wake(&mut self) {
        assert_discreet(&self.session);
        let woken: Vec<CallId> = self.session.woken().collect();
        let now = self.watch.now();
        for id in woken {
            let at = self.by_id[&id];
            let task = &mut self.tasks[at];
            assert_eq!(task.machine.id(), Some(id), "{at} is named and over");
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

fn session(is_store: bool) -> Session {
    let app = if is_store {
        App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET)
    } else {
        App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)
    };
    Session::new(Site::LARK, app.unwrap())
}

fn route(path: &str) -> Route {
    match path {
        _ if path.ends_with("/values_image") => Route::ValuesImage,
        _ if path.ends_with("/tenant_access_token/internal") => Route::TenantAccessToken,
        _ if path.ends_with("/tenant_access_token") => Route::StoreTenantAccessToken,
        _ if path.ends_with("/app_access_token") => Route::AppAccessToken,
        _ if path.ends_with("/app_ticket/resend") => Route::ResendAppTicket,
        _ if path.ends_with("/im/v1/images") => Route::ImV1Images,
        _ => Route::ImageV4Put,
    }
}

fn holds_secret(text: &str) -> bool {
    SECRETS.iter().any(|secret| text.contains(secret))
}

fn assert_discreet(value: &impl std::fmt::Debug) {
    let text = format!("{value:?}");
    assert!(!holds_secret(&text), "a secret is shown: {text}");
}
