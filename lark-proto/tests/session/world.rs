//! Adapter, network, service and clock in one, where a test decides what happens next.
//!
//! ```text
//!  start --> Ready --step--> Waiting --(time)--> Ready        Parked --(time, or another call moved)--> Ready
//!              ^               InFlight --deliver | cut--> Ready        Done        cancel: from anywhere
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lark_proto::fake::{FakeLark, InFlight, TokenKind};
use lark_proto::{CallError, Failure, Limits, Session, Step};

use crate::watch::{Heard, Ticket, Watch};
use crate::work::{Cut, Machine, Work, Written, lark, session};

pub(crate) struct World<'w> {
    pub(crate) session: Session,
    pub(crate) lark: FakeLark,
    /// The service's clock, by which sleeping goes as well.
    pub(crate) real: SystemTime,
    /// The client's, which may be set.
    pub(crate) clock: SystemTime,
    pub(crate) tasks: Vec<Task<'w>>,
    /// The tasks that are not over.
    pub(crate) live: Vec<usize>,
    watch: Watch,
    turns: usize,
}

/// A call and what became of it.
pub(crate) struct Task<'w> {
    pub(crate) work: &'w Work,
    pub(crate) state: State,
    limits: Limits,
    machine: Box<dyn Machine + 'w>,
    /// How often the call's own request was sent.
    pub(crate) sends: u32,
    /// How often a request for a token came to nothing and there was none to go on with.
    failed_fetches: u32,
    token_refusals: u32,
    /// How often a body was cut off.
    cuts: u32,
    /// A byte of the body has been pulled.
    spent: bool,
    /// Its place in the order of first steps.
    turn: Option<usize>,
    /// Its last step was to park.
    queues: bool,
}

pub(crate) enum State {
    Ready,
    Waiting(SystemTime),
    Parked(SystemTime),
    InFlight(Box<Flight>),
    Done(Result<Written, CallError<Cut>>),
    Cancelled,
}

pub(crate) struct Flight {
    exchange: InFlight,
    body: Bytes,
    until: SystemTime,
    ticket: Ticket,
    pub(crate) is_fetch: bool,
}

impl<'w> World<'w> {
    pub(crate) fn new() -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            session: session(),
            lark: lark(),
            real: now,
            clock: now,
            tasks: Vec::new(),
            live: Vec::new(),
            watch: Watch::new(now),
            turns: 0,
        }
    }

    pub(crate) fn start(&mut self, work: &'w Work, limits: Limits) -> usize {
        let machine = work.call(&self.session, limits);
        self.tasks.push(Task {
            work,
            state: State::Ready,
            limits,
            machine,
            sends: 0,
            failed_fetches: 0,
            token_refusals: 0,
            cuts: 0,
            spent: false,
            turn: None,
            queues: false,
        });
        self.live.push(self.tasks.len() - 1);
        self.tasks.len() - 1
    }

    /// Those of the live tasks.
    pub(crate) fn having(&self, state: impl Fn(&State) -> bool) -> Vec<usize> {
        self.live.iter().copied().filter(|&at| state(&self.tasks[at].state)).collect()
    }

    /// One step of a call. One that is parked, and was neither woken nor is late, can do nothing but park again.
    pub(crate) fn step(&mut self, at: usize) {
        self.watch.sees(self.clock);
        self.turns += 1;
        let task = &mut self.tasks[at];
        task.turn.get_or_insert(self.turns);
        let machine = &mut task.machine;
        let was_parked = matches!(task.state, State::Parked(_));
        let step = machine.next(&mut self.session, self.clock);
        assert_eq!(machine.attempts(), task.sends + u32::from(is_request(&step)), "attempts");
        task.state = match step {
            Step::Wait(time) => {
                assert!(!time.is_zero(), "a wait for nothing");
                State::Waiting(self.real + time)
            }
            Step::Park(time) => State::Parked(self.real + time),
            Step::Done(result) => {
                self.live.retain(|other| *other != at);
                State::Done(result)
            }
            Step::Send { request, within } => {
                let (head, body) = request.map(lark_proto::Body::into_bytes).into_parts();
                let token = head.headers.get("authorization").map(|it| it.to_str().unwrap());
                let ticket = match token.and_then(|it| it.strip_prefix("Bearer ")) {
                    None => {
                        task.may_fetch();
                        self.watch.fetch_sent()
                    }
                    Some(token) => {
                        task.sends += 1;
                        let ticket = self.watch.request_sent(task.work.route(), token);
                        task.may_send();
                        ticket
                    }
                };
                let (is_fetch, until) = (token.is_none(), self.real + within);
                let exchange = self.lark.begin(self.real, &head);
                State::InFlight(Box::new(Flight { exchange, body, until, ticket, is_fetch }))
            }
        };
        task.queues = matches!(task.state, State::Parked(_));
        if !task.queues {
            let own = matches!(&task.state, State::InFlight(flight) if !flight.is_fetch);
            let excused = !own && !matches!(task.state, State::Waiting(_));
            assert!(!was_parked || excused, "{at} could go on, but nobody woke it");
            if own {
                self.assert_lane(at);
            }
            self.wake();
        }
        self.assert_somebody_moves();
    }

    /// The service answers and the reply arrives; after the call's time, it is too late for either.
    pub(crate) fn deliver(&mut self, at: usize) {
        let flight = self.take_flight(at);
        if self.real >= flight.until {
            let pulled = flight.body.len();
            return self.break_off(at, flight, Failure::Deadline, pulled);
        }
        self.watch.sees(self.clock);
        let Flight { exchange, body, ticket, is_fetch, .. } = flight;
        let reply = self.lark.finish(self.real, exchange, &body);
        let task = &mut self.tasks[at];
        let heard = self.watch.reply(&ticket, &reply, task.limits.longest_wait);
        if is_fetch {
            task.failed_fetches += u32::from(heard != Heard::Granted && !self.watch.has_token());
        } else {
            task.spent = true;
            task.token_refusals += u32::from(heard == Heard::TokenRefused);
        }
        task.machine.received(&mut self.session, self.clock, reply);
        self.wake();
    }

    /// The connection breaks after `pulled` bytes of the body; once all are pulled, the service has acted on them.
    pub(crate) fn cut(&mut self, at: usize, pulled: usize) {
        let flight = self.take_flight(at);
        let pulled = pulled.min(flight.body.len());
        self.break_off(at, flight, Failure::Transport(Cut), pulled);
    }

    fn break_off(&mut self, at: usize, flight: Flight, why: Failure<Cut>, pulled: usize) {
        self.watch.sees(self.clock);
        self.watch.lost(&flight.ticket);
        let len = flight.body.len();
        let task = &mut self.tasks[at];
        if flight.is_fetch {
            task.failed_fetches += u32::from(!self.watch.has_token());
        } else {
            task.spent |= pulled > 0;
            task.cuts += u32::from(pulled > 0 && pulled < len);
        }
        if pulled == len {
            let _lost = self.lark.finish(self.real, flight.exchange, &flight.body);
        } else {
            self.lark.abandon(flight.exchange);
        }
        task.machine.broken(&mut self.session, self.clock, why, pulled as u64);
        self.wake();
    }

    fn take_flight(&mut self, at: usize) -> Flight {
        match std::mem::replace(&mut self.tasks[at].state, State::Ready) {
            State::InFlight(flight) => *flight,
            _ => panic!("{at} is not in flight"),
        }
    }

    pub(crate) fn cancel(&mut self, at: usize) {
        self.watch.sees(self.clock);
        let task = &mut self.tasks[at];
        if let State::InFlight(flight) = std::mem::replace(&mut task.state, State::Cancelled) {
            self.watch.lost(&flight.ticket);
            self.lark.abandon(flight.exchange);
        }
        task.machine.cancel(&mut self.session);
        let step = task.machine.next(&mut self.session, self.clock);
        assert!(matches!(step, Step::Done(Err(_))), "a call that goes on after it was cancelled");
        self.live.retain(|other| *other != at);
        self.wake();
        self.assert_somebody_moves();
    }

    /// Time passes, for everybody.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.real += time;
        self.clock += time;
        for &at in &self.live {
            let state = &mut self.tasks[at].state;
            let (State::Waiting(until) | State::Parked(until)) = state else { continue };
            if *until <= self.real {
                *state = State::Ready;
            }
        }
    }

    pub(crate) fn pass_secs(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// The service forgets the token that it gave last.
    pub(crate) fn revoke(&mut self) {
        if let Some(token) = self.watch.token() {
            self.lark.add_token(TokenKind::Tenant, token, UNIX_EPOCH);
        }
    }

    fn wake(&mut self) {
        for &at in &self.live {
            let state = &mut self.tasks[at].state;
            if matches!(state, State::Parked(_)) {
                *state = State::Ready;
            }
        }
    }

    /// Steps and delivers in the order of the calls, and lets time pass where there is nothing else to do, until
    /// every call has ended.
    pub(crate) fn run(&mut self) {
        let mut steps = 0;
        while !self.live.is_empty() {
            self.settle();
            for at in self.having(|state| matches!(state, State::InFlight(_))) {
                self.deliver(at);
            }
            if self.having(|state| matches!(state, State::Ready)).is_empty() {
                let until = self.live.iter().filter_map(|&at| match self.tasks[at].state {
                    State::Waiting(until) | State::Parked(until) => Some(until),
                    _ => None,
                });
                if let Some(until) = until.min() {
                    self.pass(until.duration_since(self.real).unwrap_or_default());
                }
            }
            steps += 1;
            assert!(steps < 100 * self.tasks.len() + 100, "some call does not end");
        }
        assert!(self.session.is_idle(), "something is held by nobody");
    }

    /// Steps whoever can be stepped, until all wait, are parked or have a request out.
    pub(crate) fn settle(&mut self) {
        loop {
            let ready = self.having(|state| matches!(state, State::Ready));
            if ready.is_empty() {
                return;
            }
            for at in ready {
                if matches!(self.tasks[at].state, State::Ready) {
                    self.step(at);
                }
            }
        }
    }

    pub(crate) fn result(&self, at: usize) -> &Result<Written, CallError<Cut>> {
        match &self.tasks[at].state {
            State::Done(result) => result,
            _ => panic!("{at} has not ended"),
        }
    }

    pub(crate) fn flight(&self, at: usize) -> Option<&Flight> {
        match &self.tasks[at].state {
            State::InFlight(flight) => Some(flight),
            _ => None,
        }
    }

    /// What calls say that they wrote is there, and what must not be written twice is not.
    pub(crate) fn assert_stored(&self) {
        for task in &self.tasks {
            if let State::Done(Ok(written)) = &task.state {
                assert!(task.work.is_stored(written, &self.lark), "{written:?} is not there");
            }
            let twice = task.work.is_once() && task.work.stored(&self.lark) > 1;
            assert!(!twice, "{:?} was written twice", task.work);
        }
    }

    /// Nobody else writes there, and nobody waits for that who came before.
    fn assert_lane(&self, at: usize) {
        let Some(lane) = self.tasks[at].work.lane() else { return };
        for &other in self.live.iter().filter(|&&other| other != at) {
            let task = &self.tasks[other];
            if task.work.lane() != Some(lane) {
                continue;
            }
            assert!(!task.queues || task.turn > self.tasks[at].turn, "{at} overtakes {other}");
            let overlaps = matches!(&task.state, State::InFlight(flight) if !flight.is_fetch);
            assert!(!overlaps, "{at} and {other} write to {lane} at once");
        }
    }

    /// Whoever is parked has somebody to wait for.
    fn assert_somebody_moves(&self) {
        let stuck = self.live.iter().all(|&at| matches!(self.tasks[at].state, State::Parked(_)));
        assert!(self.live.is_empty() || !stuck, "all who are left are parked");
    }
}

fn is_request(step: &Step<Written, Cut>) -> bool {
    matches!(step, Step::Send { request, .. } if request.headers().contains_key("authorization"))
}

impl Task<'_> {
    /// Whether its own request may go out (once more); called when it does.
    fn may_send(&self) {
        assert!(self.sends <= self.limits.attempts.max(1), "an attempt beyond the limits");
        assert!(!(self.work.is_once() && self.spent), "a second send of what must not be repeated");
        assert!(self.cuts <= 1, "an upload that was cut off twice is sent again");
        assert!(self.token_refusals <= 1, "a token renewed twice for one call");
    }

    /// Whether it may send a request for a token.
    fn may_fetch(&self) {
        assert!(self.failed_fetches < self.limits.attempts.max(1), "fetches beyond the limits");
    }
}

impl Flight {
    /// The length of the body.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }
}
