//! A session, its adapter, the network and a virtual clock.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::AUTHORIZATION;
use lark_proto::body::Body;
use lark_proto::error::Outcome;
use lark_proto::session::{AnyCall, CallId, Outgoing, Purpose, Session, Step, TokenRequestId};
use lark_proto::values::AppTicket;
use lark_proto::{App, Site};

use super::quotas::{self, Quotas};
use super::work::{self, Cut, Output, Plan, assert_discreet, assert_events, assert_text};
use super::{Answer, Setup};
use crate::errors;

/// The time after which the session counts a token request as failed.
const LAPSES: Duration = Duration::from_secs(61);
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Execution {
    setup: Setup,
    pub(super) session: Session,
    quotas: Quotas,
    pub(super) tasks: Vec<Task>,
    by_id: HashMap<CallId, usize>,
    /// Token requests that go on without their calls.
    pub(super) kept: Vec<TokenRequestId>,
    /// Token requests in flight.
    pub(super) fetches: HashMap<TokenRequestId, Fetch>,
    /// When each granted token expires.
    pub(super) granted: HashMap<String, Duration>,
    pub(super) grants: u32,
    /// The real time, which waits follow.
    pub(super) real: Duration,
    /// The adapter's clock, which may be set.
    clock: SystemTime,
    /// The clock at the session's last step, and the sum of its forward steps.
    last: SystemTime,
    pub(super) now: Duration,
}

/// A token of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    App,
    Tenant(bool),
}

/// A token request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    slot: Slot,
    pub(super) sent: Duration,
    /// Whether it asks for the ticket of a store app.
    is_resend: bool,
}

pub(super) struct Task {
    pub(super) plan: Plan,
    pub(super) call: Box<dyn AnyCall<Output, Cut>>,
    pub(super) state: State,
    deadline: Option<Duration>,
    /// The secrets of the request in flight.
    pub(super) secrets: String,
    pub(super) sends: u32,
    pub(super) spent: u32,
    pub(super) is_unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// The call waits until this real time.
    Waiting(Duration),
    InFlight {
        fetch: Option<TokenRequestId>,
        until: Duration,
        len: usize,
    },
    Over,
}

impl Execution {
    pub(super) fn new(setup: Setup) -> Self {
        let app = if setup.is_store { App::store } else { App::custom };
        let app = app("cli_a", work::APP_SECRET).unwrap();
        let mut session = Session::new(Site::LARK, app.clone());
        assert_eq!((session.site(), session.app()), (&Site::LARK, &app));
        let quotas = Quotas::set(&mut session, setup.jitter);
        let clock = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut execution = Self {
            setup,
            session,
            quotas,
            tasks: Vec::new(),
            by_id: HashMap::new(),
            kept: Vec::new(),
            fetches: HashMap::new(),
            granted: HashMap::new(),
            grants: 0,
            real: Duration::ZERO,
            clock,
            last: clock,
            now: Duration::ZERO,
        };
        if setup.has_ticket {
            execution.set_ticket();
        }
        execution
    }

    pub(super) fn start(&mut self, plan: Plan) {
        let call = plan.call(self.setup);
        self.tasks.push(Task {
            plan,
            call,
            state: State::Ready,
            deadline: None,
            secrets: String::new(),
            sends: 0,
            spent: 0,
            is_unknown: false,
        });
        self.step(self.tasks.len() - 1);
    }

    /// The clock, which the session sees now.
    pub(super) fn tick(&mut self) -> SystemTime {
        self.now += self.clock.duration_since(self.last).unwrap_or_default();
        self.last = self.clock;
        self.clock
    }

    pub(super) fn pick(&self, at: u8, is: impl Fn(State) -> bool) -> Option<usize> {
        let fit: Vec<usize> =
            (0..self.tasks.len()).filter(|at| is(self.tasks[*at].state)).collect();
        fit.get(usize::from(at) % fit.len().max(1)).copied()
    }

    /// Steps any call that is not over, also one that waits or has a request in flight.
    pub(super) fn step_any(&mut self, at: u8) {
        if let Some(at) = self.pick(at, |state| state != State::Over) {
            self.step(at);
        }
    }

    fn step(&mut self, at: usize) {
        let clock = self.tick();
        let now = self.now;
        let task = &mut self.tasks[at];
        let deadline = *task.deadline.get_or_insert(now + task.plan.total());
        let before = task.state;
        let step = task.call.next(&mut self.session, clock);
        if let Some(id) = task.call.id() {
            self.by_id.insert(id, at);
        }
        assert_discreet(&step);
        assert_discreet(&task.call);
        assert_events(&task.call.events());
        if let Step::Wait(_) | Step::Send(_) = step {
            assert!(now < deadline, "call {at} goes on after its deadline");
        }
        let in_flight = match before {
            State::InFlight { fetch, .. } => Some(fetch),
            _ => None,
        };
        match step {
            Step::Wait(time) => {
                assert!(!time.is_zero(), "a wait of zero");
                let slack = if in_flight.is_some() { SECOND } else { Duration::ZERO };
                assert!(now + time <= deadline + slack, "call {at} waits beyond its deadline");
                if in_flight.is_none() {
                    task.state = State::Waiting(self.real + time);
                }
            }
            Step::Send(outgoing) => {
                assert!(in_flight != Some(None), "call {at} is sent twice at once");
                self.keep(in_flight.flatten());
                self.send(at, outgoing, deadline);
            }
            Step::Done(result) => {
                task.state = State::Over;
                assert!(task.call.id().is_none(), "call {at} is over and has an id");
                if let Err(error) = &result {
                    assert_discreet(error);
                    assert_text(&error.to_string());
                    assert!(!error.to_string().contains(char::is_control));
                    errors::passes_on(error);
                    let outcome = error.outcome();
                    assert!(task.sends > 0 || outcome == Outcome::NotSent, "{error:?}");
                    assert!(!task.is_unknown || outcome == Outcome::Unknown, "{error:?}");
                }
                self.keep(in_flight.flatten());
            }
        }
        self.wake();
    }

    /// Goes on with a token request whose call no longer waits for it, or gives it up.
    pub(super) fn keep(&mut self, fetch: Option<TokenRequestId>) {
        let Some(fetch) = fetch else { return };
        if self.setup.keeps {
            self.kept.push(fetch);
        } else {
            let clock = self.tick();
            self.session.token_dropped(fetch, clock);
            self.fetches.remove(&fetch);
        }
    }

    fn send(&mut self, at: usize, outgoing: Outgoing, deadline: Duration) {
        let now = self.now;
        let left = deadline - now;
        let Outgoing { request, purpose, call_timeout, timeouts, .. } = outgoing;
        quotas::assert_timeouts(timeouts);
        assert!(!call_timeout.is_zero() && call_timeout <= left, "{call_timeout:?} of {left:?}");
        let (head, body) = request.map(Body::into_bytes).into_parts();
        let fetch = match purpose {
            Purpose::Token(id) => {
                let slot = match head.uri.path() {
                    path if path.contains("app_access_token") || path.contains("app_ticket") => {
                        Slot::App
                    }
                    _ => Slot::Tenant(self.setup.is_store && self.tasks[at].plan.tenant),
                };
                let is_other = |other: &Fetch| other.slot == slot && now < other.sent + LAPSES;
                let has_other = self.fetches.values().any(is_other);
                assert!(!has_other, "two requests for one token are in flight");
                assert!(!self.tasks[at].plan.has_own_token(), "a request for an unneeded token");
                let is_resend = head.uri.path().contains("app_ticket");
                self.tasks[at].secrets = work::secrets_in(&body);
                self.fetches.insert(id, Fetch { slot, sent: now, is_resend });
                assert_eq!(self.tasks[at].call.token_request(), Some(id));
                Some(id)
            }
            _ => {
                self.assert_own(at, &head);
                self.quotas.sent(&head, now);
                let task = &mut self.tasks[at];
                task.secrets =
                    String::from_utf8_lossy(head.headers[AUTHORIZATION].as_bytes()).into();
                task.sends += 1;
                task.spent += 1;
                assert_eq!(task.call.sends(), task.sends);
                None
            }
        };
        let until = self.real + call_timeout;
        self.tasks[at].state = State::InFlight { fetch, until, len: body.len() };
    }

    /// Checks the rules for a call's own request.
    fn assert_own(&self, at: usize, head: &http::request::Parts) {
        let task = &self.tasks[at];
        assert!(task.spent < task.plan.attempts().max(1), "call {at} is sent beyond its attempts");
        let is_forbidden = task.plan.is_unsafe() && task.is_unknown;
        assert!(!is_forbidden, "call {at} is sent again after an unknown outcome");
        let token = head.headers[AUTHORIZATION].to_str().unwrap();
        let token = token.strip_prefix("Bearer ").unwrap();
        if task.plan.has_own_token() {
            assert_eq!(token, work::USER_TOKEN);
        } else {
            let expires = self.granted.get(token).copied().unwrap_or_default();
            assert!(self.now < expires, "call {at} has a token that has expired");
        }
        for (other, task) in self.tasks.iter().enumerate().filter(|(other, _)| *other != at) {
            let is_sent = matches!(task.state, State::InFlight { fetch: None, .. });
            let sheet = self.tasks[at].plan.sheet();
            let overlaps = is_sent && sheet.is_some() && task.plan.sheet() == sheet;
            assert!(!overlaps, "calls {at} and {other} write to one spreadsheet at once");
        }
    }

    /// Takes the calls that the session wakes.
    pub(super) fn wake(&mut self) {
        assert_discreet(&self.session);
        let woken: Vec<CallId> = self.session.woken().collect();
        let once: HashSet<CallId> = woken.iter().copied().collect();
        assert_eq!(once.len(), woken.len(), "a call is woken twice");
        for id in woken {
            let task = &mut self.tasks[self.by_id[&id]];
            assert_eq!(task.call.id(), Some(id), "a call is woken after its end");
            if let State::Waiting(_) = task.state {
                task.state = State::Ready;
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.real += time;
        self.clock += time;
        for task in &mut self.tasks {
            if matches!(task.state, State::Waiting(until) if until <= self.real) {
                task.state = State::Ready;
            }
        }
    }

    /// Passes the time until the next wait is over.
    pub(super) fn pass_to_next(&mut self) {
        let until = self.tasks.iter().filter_map(|task| match task.state {
            State::Waiting(until) => Some(until),
            _ => None,
        });
        if let Some(until) = until.min() {
            self.pass(until.saturating_sub(self.real));
        }
    }

    pub(super) fn set_clock(&mut self, seconds: i64) {
        let time = Duration::from_secs(seconds.unsigned_abs());
        self.clock = if seconds < 0 { self.clock - time } else { self.clock + time };
    }

    pub(super) fn set_ticket(&mut self) {
        self.session.set_app_ticket(AppTicket::new(work::TICKET).unwrap());
        // The ticket ends the request for one.
        self.fetches.retain(|_, fetch| !fetch.is_resend);
        self.wake();
    }

    /// Exports the token of a custom app and imports it again.
    pub(super) fn export(&mut self, is_import: bool) {
        let clock = self.tick();
        let Some(token) = self.session.export_token(clock, clock, None) else { return };
        if is_import {
            let result = self.session.import_token(clock, clock, None, &token);
            assert_eq!(result, Ok(()), "a held token is not imported");
        }
        self.wake();
    }

    /// Steps the ready calls until every call waits or has a request in flight.
    pub(super) fn settle(&mut self) {
        for round in 0.. {
            let Some(at) = self.pick(0, |state| state == State::Ready) else { return };
            assert!(round < 10_000, "calls step for ever without a wait");
            self.step(at);
        }
    }

    /// Steps every call to its end: replies arrive at once, and time passes only while all calls wait.
    pub(super) fn finish(mut self) {
        let success = Answer::Success { life: 7200 };
        for round in 0.. {
            assert!(round < 20_000, "a call does not end");
            self.settle();
            let in_flight = |state| matches!(state, State::InFlight { .. });
            if let Some(at) = self.pick(0, in_flight) {
                self.reply(at, &success);
            } else if !self.kept.is_empty() {
                self.end_kept(0, Some(&success));
            } else if self.tasks.iter().all(|task| task.state == State::Over) {
                break;
            } else {
                if self.setup.is_store && round % 16 == 15 {
                    self.set_ticket();
                }
                self.pass_to_next();
            }
        }
        assert!(self.session.is_idle(), "the session keeps something of calls that are over");
        assert!(self.session.woken().next().is_none());
    }
}
