//! Adapter, network, service and clocks in one, where a schedule decides what happens next.
//!
//! ```text
//!  start --> Ready --step--> Waiting --(its time, or named)--> Ready        drop_call: from any state
//!              ^             InFlight --deliver | cut--> Ready      Over
//! ```
//!
//! A token request may be detached from its call, which then goes on beside it (`kept`); a request that was sent whole
//! and lost its connection is carried out later (`orphans`).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use lark_proto::fake::{FakeLark, Fault, InFlight, Route, TokenKind};
use lark_proto::{
    Advice, App, AppTicket, Body, Call, CallError, CallId, Class, Code, Error, Event, Failure,
    FetchId, Image, Outcome, Outgoing, Permanence, Purpose, PutImage, Quota, Rule, Session, Site,
    Step, WaitFor,
};

use super::watch::{Key, ODD_APP, ODD_TENANT, Rate, SECRETS, Watch};
use super::work::{
    Account, Bounds, Kind, Machine, Plan, SPREADSHEETS, TENANTS, Work, Written, tenant, user_token,
};
use crate::sim::Cut;

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
    machine: Box<dyn Machine + 'w>,
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
    fetch: Option<FetchId>,
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

/// What a request came to, as the model reads it.
enum Answer<'a> {
    Success,
    Refused(&'a Error),
    Broken { pulled: u64, is_whole: bool, is_final: bool },
}

/// What the call has to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ends,
    GoesOn,
    Either,
}

impl<'w> World<'w> {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let far = now + Duration::from_secs(1_000_000_000);
        let mut lark = FakeLark::new();
        for spreadsheet in SPREADSHEETS {
            lark.add_spreadsheet(spreadsheet, &[FakeLark::SHEET]);
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

    /// Steps a call that is ready.
    pub(crate) fn step(&mut self, at: usize) {
        self.look(at, false);
    }

    /// Steps some of the calls that wait: if their time has not come and the session has not named them, they have to
    /// wait on.
    pub(crate) fn poke(&mut self) {
        if self.setup.pokes == 0 {
            return;
        }
        for at in self.polled(|state| matches!(state, State::Waiting(_))) {
            if self.dice.below(self.setup.pokes) == 0 {
                self.poke_call(at);
            }
        }
    }

    /// Steps a call that waits, if it does.
    pub(crate) fn poke_call(&mut self, at: usize) {
        if matches!(self.tasks[at].state, State::Waiting(_)) {
            self.look(at, true);
        }
    }

    fn look(&mut self, at: usize, is_poke: bool) {
        let now = self.watch.sees(self.clock);
        let is_early = is_poke && now < self.tasks[at].told;
        let excuse = if is_early { self.excuse(at) } else { Excuse::default() };
        let task = &mut self.tasks[at];
        if task.started.is_none() {
            task.started = Some(now);
            task.deadline = now + task.work.plan.bounds.total();
        }
        let step = task.machine.next(&mut self.session, self.clock);
        if let Some(id) = task.machine.id() {
            self.by_id.insert(id, at);
        }
        assert_discreet(&step);
        assert_discreet(&task.machine);
        let reason = task.reason.take();
        for event in task.machine.events() {
            assert_discreet(&event);
            if let Event::Waits { reason, .. } = event {
                task.reason = Some(reason);
            }
        }
        if is_early {
            let is_free = match &step {
                Step::Wait(_) => false,
                Step::Send(Outgoing { purpose: Purpose::Token(_), .. }) => {
                    !(reason == Some(WaitFor::Rate)
                        || reason == Some(WaitFor::Token) && excuse.of_token)
                }
                Step::Send(_) => !(reason == Some(WaitFor::Rate) && excuse.of_gate),
                Step::Done(_) => {
                    let is_hopeless = task.sends > 0 && now + task.took > task.deadline;
                    !(is_hopeless || reason == Some(WaitFor::Rate) && excuse.lacks_token)
                }
            };
            let left = task.told.saturating_sub(now);
            assert!(!is_free, "{at} waits for {reason:?}, {left:?} more, and is free: {step:?}");
        }
        let is_over = matches!(step, Step::Done(_));
        assert!(is_over || now < task.deadline, "{at} goes on beyond its total");
        match step {
            Step::Wait(time) => {
                assert!(!time.is_zero(), "{at} waits for no time");
                assert!(now + time <= task.deadline, "{at} waits beyond its total");
                task.told = now + time;
                task.state = State::Waiting(self.real + time);
            }
            Step::Send(outgoing) => self.send(at, outgoing),
            Step::Done(result) => self.done(at, result),
        }
        self.wake();
    }

    /// What would excuse a step of a waiting call that is early.
    fn excuse(&self, at: usize) -> Excuse {
        let now = self.watch.now();
        let work = self.tasks[at].work;
        let lags = |by: Duration, is_ahead: &dyn Fn(&Work) -> bool| {
            self.live.iter().any(|&other| {
                let task = &self.tasks[other];
                let since = match task.state {
                    // By the adapter's clock its time may have come before it has by the client's.
                    State::Ready => Some(task.ready_since.min(now)),
                    State::Waiting(_) => Some(task.told),
                    _ => None,
                };
                let is_late = since.is_some_and(|since| since + by <= now);
                other != at && is_late && task.machine.id().is_some() && is_ahead(task.work)
            })
        };
        let account = work.plan.account;
        let has_token = match account {
            Account::Own(tenant) => self.watch.has_token(tenant),
            Account::User(_) => Some(true),
        };
        let of_gate = |other: &Work| other.plan.account == account && other.route() == work.route();
        // The tenants of a store app wait for the app's token together.
        let of_token = |other: &Work| match other.plan.account {
            Account::Own(_) if self.setup.is_store => true,
            other => other == account,
        };
        let is_stuck = |at: &&usize| {
            let task = &self.tasks[**at];
            let is_lost = match &task.state {
                State::InFlight(exchange) => {
                    exchange.fetch.is_some_and(|id| self.watch.is_lost(id))
                }
                _ => false,
            };
            task.machine.id().is_some() && of_token(task.work) && (task.is_frozen || is_lost)
        };
        let are_stuck = self.live.iter().filter(is_stuck).count() >= 2;
        Excuse {
            lacks_token: has_token != Some(true),
            of_gate: lags(SECOND, &of_gate),
            of_token: has_token != Some(false) || are_stuck || lags(Duration::ZERO, &of_token),
        }
    }

    fn send(&mut self, at: usize, outgoing: Outgoing) {
        let Outgoing { request, purpose, within, keep_for, fresh_connection, .. } = outgoing;
        let now = self.watch.now();
        let work = self.tasks[at].work;
        let (head, body) = request.map(Body::into_bytes).into_parts();
        let route = route(head.uri.path());
        let left = self.tasks[at].deadline - now;
        assert!(!within.is_zero() && within <= left, "{at} may take {within:?} of {left:?}");
        let fetch = match (purpose, work.plan.account) {
            (Purpose::Token(id), Account::Own(tenant)) => {
                if self.watch.has_token(tenant) == Some(true) {
                    assert!(within <= 2 * SECOND, "{at} is held up by a renewal for {within:?}");
                }
                self.watch.fetch_sent(id, at, tenant, route, &body, fresh_connection);
                Some(id)
            }
            (Purpose::Token(_), Account::User(_)) => panic!("{at} has a token of its own"),
            (_, account) => {
                assert_eq!(route, work.route());
                let header = head.headers.get("authorization").unwrap().to_str().unwrap();
                let token = header.strip_prefix("Bearer ").unwrap();
                let generation = self.watch.request_sent(account, route, token);
                self.assert_turn(at);
                let task = &mut self.tasks[at];
                task.credential = (generation, token.to_owned());
                assert!(fresh_connection || !task.broke, "{at} may get a dead connection");
                task.broke = false;
                task.begin(at, now);
                None
            }
        };
        if let Some(fault) = self.fault(route, work) {
            self.lark.fail_next_on(route, fault);
        }
        let at_service = self.lark.begin(self.real, &head);
        let (until, keep_until) = (self.real + within, self.real + keep_for);
        let exchange = Exchange { at_service, body, until, keep_until, fetch };
        self.tasks[at].state = State::InFlight(Box::new(exchange));
    }

    /// No other write to the spreadsheet is in flight, and no call before this one waits for its turn.
    fn assert_turn(&self, at: usize) {
        let Some(sheet) = self.tasks[at].work.sheet() else { return };
        let id = self.tasks[at].machine.id();
        for &other in self.live.iter().filter(|&&other| other != at) {
            let task = &self.tasks[other];
            if task.work.sheet() != Some(sheet) || task.machine.id().is_none() {
                continue;
            }
            assert!(task.machine.id() > id, "{at} overtakes {other} in its lane");
            let is_write = |exchange: &Exchange| exchange.fetch.is_none();
            let overlaps = matches!(&task.state, State::InFlight(it) if is_write(it));
            assert!(!overlaps, "{at} and {other} write to one spreadsheet at once");
        }
    }

    fn fault(&mut self, route: Route, work: &Work) -> Option<Fault> {
        if let Some(place) = self.faults.iter().position(|(of, _)| *of == route) {
            return Some(self.faults.remove(place).1);
        }
        let sheet = work.sheet().filter(|_| route == Route::ValuesImage)?;
        let (until, code, after) = self.lanes[sheet].busy?;
        (self.real < until).then(|| {
            let reply = format!(r#"{{"code":{code},"msg":"busy"}}"#);
            let mut reply = Response::new(reply.into());
            if let Some(after) = after {
                reply.headers_mut().insert("retry-after", after.into());
            }
            Fault::Reply(reply)
        })
    }

    fn done(&mut self, at: usize, result: Result<Written, CallError<Cut>>) {
        let task = &mut self.tasks[at];
        match &result {
            Ok(written) => {
                assert!(task.work.is_stored(written, &self.lark), "{at} reports {written:?}");
            }
            Err(error) => {
                assert_discreet(error);
                assert!(!holds_secret(&error.to_string()), "{error}");
                let is_unknown = error.outcome() == Outcome::Unknown;
                assert_eq!(is_unknown, task.is_unknown, "{at} has the wrong outcome: {error:?}");
                let is_sent = error.outcome() == Outcome::NotSent || task.sends > 0;
                assert!(is_sent, "{at} sent nothing: {error:?}");
            }
        }
        assert!(task.machine.id().is_none(), "{at} is over and has an id");
        task.state = State::Done(result);
        self.leave(at);
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

    /// The reply arrives; after the time of its call it is too late for that.
    pub(crate) fn deliver(&mut self, at: usize) {
        let exchange = self.take_exchange(at);
        if self.real >= exchange.until {
            let len = exchange.body.len();
            return self.break_off(at, exchange, Failure::Deadline, len, true, true);
        }
        self.watch.sees(self.clock);
        let Exchange { at_service, body, fetch, .. } = exchange;
        let reply = self.lark.finish(self.real, at_service, &body);
        if let Some(id) = fetch {
            self.watch.fetch_reply(id, &reply);
            let task = &mut self.tasks[at];
            task.machine.received(&mut self.session, self.clock, reply);
            return self.after_answer(at, None);
        }
        let error = self.tasks[at].work.verdict(&reply).err();
        let answer = error.as_ref().map_or(Answer::Success, Answer::Refused);
        let verdict = self.answered(at, &answer);
        let task = &mut self.tasks[at];
        task.machine.received(&mut self.session, self.clock, reply);
        self.after_answer(at, Some(verdict));
    }

    /// The connection breaks after `pulled` bytes of the body. The service carries out a request that it has whole, now
    /// or later.
    pub(crate) fn cut(&mut self, at: usize, eighths: usize, is_later: bool, is_permanent: bool) {
        let exchange = self.take_exchange(at);
        let pulled = exchange.body.len() * eighths / 8;
        let failure = Failure::Transport(Cut);
        self.break_off(at, exchange, failure, pulled, is_later, is_permanent);
    }

    fn break_off(
        &mut self,
        at: usize,
        exchange: Exchange,
        failure: Failure<Cut>,
        pulled: usize,
        is_later: bool,
        is_final: bool,
    ) {
        self.watch.sees(self.clock);
        let is_whole = pulled == exchange.body.len();
        let is_deadline = matches!(failure, Failure::Deadline);
        let is_permanent = is_final && !is_deadline;
        let pulled = u64::try_from(pulled).unwrap();
        let verdict = match exchange.fetch {
            Some(id) => {
                self.watch.fetch_broken(id, is_deadline, is_permanent);
                None
            }
            None => Some(self.answered(at, &Answer::Broken { pulled, is_whole, is_final })),
        };
        self.lose(exchange, is_whole, is_later);
        let permanence = if is_permanent { Permanence::Permanent } else { Permanence::Passing };
        let task = &mut self.tasks[at];
        task.machine.broken(&mut self.session, self.clock, failure, pulled, permanence);
        self.after_answer(at, verdict);
    }

    /// Nobody waits for the reply any longer.
    fn lose(&mut self, exchange: Exchange, is_whole: bool, is_later: bool) {
        if !is_whole {
            self.lark.abandon(exchange.at_service);
        } else if is_later {
            self.orphans.push(exchange);
        } else {
            let Exchange { at_service, body, .. } = exchange;
            let _lost = self.lark.finish(self.real, at_service, &body);
        }
    }

    /// The service carries out the oldest request that lost its connection.
    pub(crate) fn reap(&mut self) {
        if !self.orphans.is_empty() {
            let exchange = self.orphans.remove(0);
            self.lose(exchange, true, false);
        }
    }

    fn take_exchange(&mut self, at: usize) -> Exchange {
        let task = &mut self.tasks[at];
        task.ready_since = self.watch.now();
        match std::mem::replace(&mut task.state, State::Ready) {
            State::InFlight(exchange) => *exchange,
            _ => panic!("{at} is not in flight"),
        }
    }

    fn after_answer(&mut self, at: usize, verdict: Option<Verdict>) {
        let task = &mut self.tasks[at];
        task.ready_since = self.watch.now();
        if let Some(trouble) = task.machine.trouble() {
            assert_discreet(trouble);
        }
        for event in task.machine.events() {
            assert_discreet(&event);
        }
        let is_over = task.machine.id().is_none();
        match verdict {
            Some(Verdict::Ends) => assert!(is_over, "{at} goes on after an answer that ends it"),
            Some(Verdict::GoesOn) => assert!(!is_over, "{at} ends and could go on"),
            Some(Verdict::Either) => {}
            None => assert!(!is_over, "{at} ends with a token request"),
        }
        self.empty_lanes();
        self.wake();
    }

    /// The model's account of an answer to the call's own request.
    fn answered(&mut self, at: usize, answer: &Answer<'_>) -> Verdict {
        let now = self.watch.now();
        let task = &mut self.tasks[at];
        let Plan { account, bounds, .. } = task.work.plan;
        task.took = now - task.sent;
        let is_whole = match answer {
            Answer::Success => false,
            Answer::Refused(error) => is_gateway(error),
            Answer::Broken { is_whole, .. } => *is_whole,
        };
        let class = match answer {
            Answer::Refused(error) => error.api().map(|api| api.code.class()),
            _ => None,
        };
        let is_busy = class == Some(Class::DocumentBusy);
        let mut busy_since = now;
        if let Some(sheet) = task.work.sheet() {
            let lane = &mut self.lanes[sheet];
            if is_whole {
                lane.unsettled_until = now + UNSETTLED;
            }
            if is_whole || is_documents(answer) {
                lane.busy_since = None;
            }
            if is_busy {
                let since = *lane.busy_since.get_or_insert(now.max(lane.unsettled_until));
                busy_since = since.max(task.started.unwrap_or_default());
            }
        }
        let error = match answer {
            Answer::Success => return Verdict::Ends,
            Answer::Broken { pulled, is_final, .. } => {
                task.broke = true;
                task.is_unknown |= *pulled > 0;
                let ends = *is_final
                    || task.is_unknown && task.work.is_unsafe() && *pulled > 0
                    || task.attempts >= bounds.attempts;
                return task.verdict(ends, now + BACKOFF);
            }
            Answer::Refused(error) => error,
        };
        let is_unknown = error.outcome() == Outcome::Unknown;
        task.is_unknown |= is_unknown;
        self.watch.refused(account, task.work.route(), &task.credential, error);
        let named = match error.advice() {
            Advice::Renew if matches!(account, Account::User(_)) => return Verdict::Ends,
            Advice::Renew => None,
            Advice::Again { after } => after.filter(|after| !after.is_zero()),
            _ => return Verdict::Ends,
        };
        let is_impatient = named.is_some_and(|wait| wait > bounds.longest_wait);
        let is_forbidden = is_unknown && task.work.is_unsafe();
        let mut ends = is_impatient || is_forbidden;
        let mut rests = named.unwrap_or_default();
        let is_rate = class == Some(Class::RateLimit)
            || error.status() == StatusCode::TOO_MANY_REQUESTS
                && matches!(error.advice(), Advice::Again { .. });
        if is_busy {
            ends |= now >= busy_since && bounds.attempts <= 1;
            ends |= now >= busy_since.saturating_add(bounds.busy);
            rests = Duration::ZERO;
            task.attempts -= 1;
        } else if is_rate {
            ends |= bounds.attempts <= 1;
            task.attempts -= 1;
            if is_gates(error) {
                rests = rests.min(LONGEST_PAUSE);
            }
        } else {
            ends |= task.attempts >= bounds.attempts;
            if is_gateway(error) {
                rests = rests.max(2 * SECOND);
            }
        }
        task.rests_until = now + rests;
        task.verdict(ends, now + named.unwrap_or(BACKOFF).max(rests))
    }

    /// The caller gives up. `is_whole`: the service has the whole request, and carries it out later.
    pub(crate) fn drop_call(&mut self, at: usize, is_whole: bool) {
        let task = &mut self.tasks[at];
        let state = std::mem::replace(&mut task.state, State::Dropped);
        task.machine.cancel(&mut self.session);
        assert!(task.machine.id().is_none(), "{at} goes on after it was dropped");
        if let State::InFlight(exchange) = state {
            match (exchange.fetch, task.work.sheet()) {
                (Some(_), _) if self.setup.keeps => self.kept.push(*exchange),
                (Some(id), _) => {
                    self.watch.sees(self.clock);
                    self.watch.fetch_dropped(id);
                    self.session.token_dropped(id, self.clock);
                    self.lose(*exchange, false, false);
                }
                (None, sheet) => {
                    if let Some(sheet) = sheet {
                        self.lanes[sheet].unsettled_until = self.watch.now() + UNSETTLED;
                        self.lanes[sheet].busy_since = None;
                    }
                    self.lose(*exchange, is_whole, true);
                }
            }
        }
        self.leave(at);
        self.wake();
    }

    /// The reply to a token request that is no call's any longer.
    pub(crate) fn deliver_kept(&mut self, at: usize) {
        let Exchange { at_service, body, keep_until, fetch, .. } = self.kept.remove(at);
        let Some(id) = fetch else { return };
        let reply = self.lark.finish(self.real, at_service, &body);
        self.watch.sees(self.clock);
        if self.real >= keep_until {
            self.watch.fetch_broken(id, true, false);
            let late = Failure::<Cut>::Deadline;
            self.session.token_broken(id, self.clock, &late, Permanence::Passing);
        } else {
            self.watch.fetch_reply(id, &reply);
            self.session.token_received(id, self.clock, reply);
        }
        self.wake();
    }

    pub(crate) fn cut_kept(&mut self, at: usize) {
        let exchange = self.kept.remove(at);
        let Some(id) = exchange.fetch else { return };
        self.lose(exchange, false, false);
        self.watch.sees(self.clock);
        self.watch.fetch_broken(id, false, false);
        let cut = Failure::Transport(Cut);
        self.session.token_broken(id, self.clock, &cut, Permanence::Passing);
        self.wake();
    }

    /// Time passes for everybody.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.real += time;
        self.clock += time;
        for at in self.live.clone() {
            let (keeps, real) = (self.setup.keeps, self.real);
            let task = &mut self.tasks[at];
            match &task.state {
                State::Waiting(until) if *until <= real => {
                    task.ready_since = task.told;
                    task.state = State::Ready;
                }
                State::InFlight(exchange)
                    if keeps && exchange.fetch.is_some() && exchange.until <= real =>
                {
                    let is_frozen = task.is_frozen;
                    if !is_frozen {
                        let exchange = self.take_exchange(at);
                        self.kept.push(exchange);
                    }
                }
                _ => {}
            }
        }
    }

    /// The time of the next step that a waiting call takes by itself.
    pub(crate) fn next_due(&self) -> Option<SystemTime> {
        let due = self.live.iter().filter_map(|&at| match &self.tasks[at].state {
            State::Waiting(until) => Some(*until),
            _ => None,
        });
        due.min()
    }

    /// Time passes until a waiting call takes a step by itself.
    pub(crate) fn pass_to_next(&mut self) {
        if let Some(due) = self.next_due() {
            self.pass(due.duration_since(self.real).unwrap_or_default());
        }
    }

    /// The client's clock is set.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let set = if seconds < 0 { self.clock.checked_sub(by) } else { self.clock.checked_add(by) };
        self.clock = set.unwrap_or(self.clock);
    }

    pub(crate) fn fail(&mut self, route: Route, fault: Fault) {
        self.faults.push((route, fault));
    }

    /// The spreadsheet answers busy for this time.
    pub(crate) fn busy(&mut self, sheet: usize, time: Duration, code: i64, after: Option<u64>) {
        self.lanes[sheet].busy = Some((self.real + time, code, after));
    }

    /// The service forgets the tokens of a kind.
    pub(crate) fn revoke(&mut self, kind: TokenKind) {
        self.lark.revoke_tokens(kind);
    }

    /// The service forgets the one token that the session holds.
    pub(crate) fn revoke_held(&mut self, tenant: usize) {
        if let Some(token) = self.watch.token(Key::Tenant(tenant)) {
            self.lark.add_token(TokenKind::Tenant, token, UNIX_EPOCH);
        }
    }

    /// The event with the ticket arrives, or one with a ticket that is not the latest.
    pub(crate) fn set_ticket(&mut self, is_latest: bool) {
        let ticket = if is_latest { self.lark.app_ticket() } else { FakeLark::APP_TICKET };
        self.watch.ticket_set(ticket);
        self.session.set_app_ticket(AppTicket::new(ticket).unwrap());
        self.wake();
    }

    /// A token that another process got, good for `life`, or one from before.
    pub(crate) fn import(&mut self, tenant: usize, life: u64, is_old: bool) {
        let tenant = if self.setup.is_store { tenant } else { 0 };
        if !is_old || self.exports.is_empty() {
            self.export(tenant, life);
        }
        let place = self.dice.below(u64::try_from(self.exports.len()).unwrap());
        let place = if is_old { usize::try_from(place).unwrap() } else { self.exports.len() };
        let export = self.exports.get(place).or(self.exports.last()).cloned();
        let Some((number, text, token, ends)) = export else { return };
        let now = self.watch.sees(self.clock);
        let key = self.setup.is_store.then(|| self::tenant(number));
        let left = ends.duration_since(self.clock).unwrap_or_default();
        let ends = now + left.min(Duration::from_secs(7200));
        match self.session.import_token(self.clock, key.as_ref(), &text) {
            Ok(()) => self.watch.imported(number, &token, ends, true),
            Err(error) if error.rule() == Rule::StaleToken => assert!(left.is_zero(), "{error}"),
            Err(error) => {
                assert_eq!(error.rule(), Rule::RefusedToken);
                assert_discreet(&error);
                self.watch.imported(number, &token, ends, false);
            }
        }
        self.wake();
    }

    /// Has another session of the app get a token and export it.
    fn export(&mut self, tenant: usize, life: u64) {
        let token = format!("t-import-{}", self.exports.len());
        let mut donor = session(self.setup.is_store);
        donor.set_app_ticket(AppTicket::new("ticket").unwrap());
        let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
        let key = self.setup.is_store.then(|| self::tenant(tenant));
        let mut call = match &key {
            Some(key) => Call::<_, Cut>::for_tenant(key.clone(), &put),
            None => Call::new(&put),
        };
        for _ in 0..2 {
            let Step::Send(outgoing) = call.next(&mut donor, self.clock) else { return };
            let reply = if route(outgoing.request.uri().path()) == Route::AppAccessToken {
                r#"{"code":0,"app_access_token":"a-donor","expire":7200}"#.to_owned()
            } else {
                format!(r#"{{"code":0,"tenant_access_token":"{token}","expire":{life}}}"#)
            };
            let heard = call.read(Response::new(reply.into()));
            call.received(&mut donor, self.clock, heard);
            if let Some(text) = donor.export_token(self.clock, key.as_ref()) {
                let since = self.clock.duration_since(UNIX_EPOCH).unwrap_or_default();
                let life = Duration::from_secs(life.clamp(60, 7200));
                let ends = UNIX_EPOCH + Duration::from_secs((since + life).as_secs());
                self.lark.add_token(TokenKind::Tenant, &token, self.real + life);
                return self.exports.push((tenant, text, token, ends));
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

    /// Steps the ready calls until all wait or have a request in flight.
    pub(crate) fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            let ready = self.polled(|state| matches!(state, State::Ready));
            if ready.is_empty() {
                return;
            }
            for at in ready {
                if matches!(self.tasks[at].state, State::Ready) {
                    self.step(at);
                }
            }
            rounds += 1;
            assert!(rounds < 1000, "calls step for ever without a wait");
        }
    }

    /// Steps and delivers until every call has ended; time passes when all wait.
    pub(crate) fn run(&mut self) {
        let mut rounds = 0;
        while !self.live.is_empty() {
            self.settle();
            self.poke();
            for at in self.polled(|state| matches!(state, State::InFlight(_))) {
                if matches!(self.tasks[at].state, State::InFlight(_)) {
                    self.deliver(at);
                }
            }
            while !self.kept.is_empty() {
                self.deliver_kept(0);
            }
            if self.polled(|state| !matches!(state, State::Waiting(_))).is_empty() {
                self.pass_to_next();
            }
            rounds += 1;
            assert!(rounds < 1000 + 300 * self.tasks.len(), "some call does not end");
        }
    }

    /// No more faults: every call ends, and new ones succeed. Then the session forgets what it does not need.
    pub(crate) fn finish(&mut self, fresh: &'w [Work], probe: &'w Work) {
        self.faults.clear();
        for lane in &mut self.lanes {
            lane.busy = None;
        }
        while !self.orphans.is_empty() {
            self.reap();
        }
        for &at in &self.live {
            self.tasks[at].is_frozen = false;
        }
        self.pass(Duration::ZERO);
        self.run();
        while !self.kept.is_empty() {
            self.deliver_kept(0);
        }
        while !self.orphans.is_empty() {
            self.reap();
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");
        self.assert_stored();

        // Every pause is over, but for the one after a ticket was asked for. The session has to see a clock that was set
        // back, since it counts from there.
        self.watch.sees(self.clock);
        let _token = self.session.export_token(self.clock, None);
        self.pass(Duration::from_secs(130));
        if self.setup.is_store {
            self.set_ticket(true);
        }
        let first = self.tasks.len();
        for work in fresh {
            self.start(work);
        }
        self.run();
        for task in &self.tasks[first..] {
            let State::Done(result) = &task.state else { panic!("a call has not ended") };
            assert!(result.is_ok(), "a call without a fault fails: {result:?}");
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");

        self.pass(Duration::from_secs(3 * 60 * 60));
        let probe = self.start(probe);
        self.step(probe);
        let entries = self.session.entries();
        assert!(entries <= 5, "{entries} entries after three hours");
        self.drop_call(probe, false);
        while !self.kept.is_empty() {
            self.deliver_kept(0);
        }
        assert!(self.session.is_idle(), "the session waits for a call that is over");
    }

    /// The outcomes that calls report agree with what the service stored.
    pub(crate) fn assert_stored(&self) {
        for (at, task) in self.tasks.iter().enumerate() {
            let stored = task.work.stored(&self.lark);
            assert!(!task.work.is_unsafe() || stored <= 1, "{at} is stored {stored} times");
            match &task.state {
                State::Done(Ok(_)) => assert!(stored > 0, "{at} succeeds and is not stored"),
                State::Done(Err(error)) if error.outcome() != Outcome::Unknown => {
                    assert_eq!(stored, 0, "{at} is stored all the same: {error:?}");
                }
                _ => {}
            }
        }
    }
}

/// What excuses the step of a waiting call that is early.
#[derive(Clone, Copy, Debug, Default)]
struct Excuse {
    lacks_token: bool,
    /// Another call at the gate has not taken a step for a second.
    of_gate: bool,
    /// Another call may ask for the token, or the token is good and its renewal is due, or two calls that wait for the
    /// token take no steps: the session names two.
    of_token: bool,
}

impl Task<'_> {
    /// The call sends its own request.
    fn begin(&mut self, at: usize, now: Duration) {
        let bounds = self.work.plan.bounds;
        assert!(self.attempts < bounds.attempts.max(1), "{at} sends beyond its attempts");
        if self.sends > 0 {
            assert!(now + self.took <= self.deadline, "{at} begins an attempt that cannot end");
            assert!(now >= self.rests_until, "{at} sends too early");
            let is_forbidden = self.work.is_unsafe() && self.is_unknown;
            assert!(!is_forbidden, "{at} is not idempotent, and is sent again");
        }
        self.sends += 1;
        self.attempts += 1;
        self.sent = now;
        assert_eq!(self.machine.sends(), self.sends, "{at} miscounts its sends");
    }

    /// The call ends, or goes on if it has the time until its next attempt is over.
    fn verdict(&self, ends: bool, latest: Duration) -> Verdict {
        if ends {
            Verdict::Ends
        } else if latest + self.took < self.deadline {
            Verdict::GoesOn
        } else {
            Verdict::Either
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
        _ if path.ends_with("/app_ticket/resend") => Route::AppTicketResend,
        _ if path.ends_with("/im/v1/images") => Route::ImV1Images,
        _ => Route::ImageV4Put,
    }
}

fn is_gateway(error: &Error) -> bool {
    matches!(error.status().as_u16(), 502 | 504)
}

/// The gateway counts requests by route, other limits go by user or group.
pub(crate) fn is_gates(error: &Error) -> bool {
    let code = error.api().map(|api| api.code);
    code == Some(Code::RATE_LIMITED) || error.status() == StatusCode::TOO_MANY_REQUESTS
}

/// The document's own answer, and another one than that it is busy.
fn is_documents(answer: &Answer<'_>) -> bool {
    match answer {
        Answer::Success => true,
        Answer::Refused(Error::Api(api)) => !matches!(
            api.code.class(),
            Class::DocumentBusy | Class::RateLimit | Class::TenantToken | Class::AppToken
        ),
        Answer::Refused(_) | Answer::Broken { .. } => false,
    }
}

fn holds_secret(text: &str) -> bool {
    SECRETS.iter().any(|secret| text.contains(secret))
}

fn assert_discreet(value: &impl std::fmt::Debug) {
    let text = format!("{value:?}");
    assert!(!holds_secret(&text), "a secret is shown: {text}");
}

/// Calls of each kind that this setup allows, from `number` on.
pub(crate) fn fresh(setup: Setup, number: usize) -> Vec<Work> {
    let tenants = if setup.is_store { 2 } else { 1 };
    let own = (0..tenants).map(Account::Own);
    let kinds = [Kind::Put, Kind::Once, Kind::Write(0), Kind::Write(1)];
    let own = own.flat_map(|account| kinds.map(|kind| (kind, account)));
    let users = (0..2).map(|user| (Kind::Write(user), Account::User(user)));
    let plans =
        own.chain(users).map(|(kind, account)| Plan { kind, account, bounds: Bounds::DEFAULT });
    plans.enumerate().map(|(at, plan)| Work::new(number + at, plan)).collect()
}
