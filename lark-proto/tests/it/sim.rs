//! Adapter, network and virtual clock in one: a call takes a step when it is named or its time has come, and a closure
//! is the service.
//!
//! ```text
//!  start --> Ready --step--> Waiting --(its time, or named)--> Ready        drop_at: from anywhere
//!              ^             InFlight --answer | its time is up--> Ready    Done
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use lark_proto::CallError;
use lark_proto::body::Body;
use lark_proto::error::CallErrorKind;
use lark_proto::session::{
    Broken, CallId, Drive, Outgoing, Permanence, Purpose, Session, Step, TokenRequestId,
};

/// The transport's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection cut")
    }
}

impl std::error::Error for Cut {}

/// What a service does with a request: how long that takes, and what it then does and answers. It is asked for its
/// answer also when nobody waits for it any longer.
pub(crate) struct Reaction<'w> {
    pub(crate) after: Duration,
    pub(crate) answer: Answer<'w>,
}

/// The reply at that time, or after how many bytes of the body the connection broke.
type Answer<'w> = Box<dyn FnOnce(Duration) -> Result<Response<Bytes>, u64> + 'w>;

/// An answer that is known when the request arrives.
pub(crate) fn after<'w>(after: Duration, reply: Response<Bytes>) -> Reaction<'w> {
    Reaction { after, answer: Box::new(move |_| Ok(reply)) }
}

/// A connection that breaks once `pulled` bytes of the body were sent.
pub(crate) fn cut<'w>(after: Duration, pulled: u64) -> Reaction<'w> {
    Reaction { after, answer: Box::new(move |_| Err(pulled)) }
}

/// No answer ever.
pub(crate) fn hangs<'w>() -> Reaction<'w> {
    cut(Duration::from_secs(1_000_000_000), u64::MAX)
}

type Service<'w> = Box<dyn FnMut(Duration, Request<Bytes>) -> Reaction<'w> + 'w>;

pub(crate) struct Sim<'w, O> {
    pub(crate) session: Session,
    /// The time since the start, by which the network and all waits go.
    pub(crate) now: Duration,
    /// What the client's clock shows beyond that.
    pub(crate) skew: i64,
    pub(crate) tasks: Vec<Task<O>>,
    service: Service<'w>,
    /// The transport keeps token requests when their call goes on or is dropped.
    keeps: bool,
    by_id: BTreeMap<CallId, usize>,
    ready: VecDeque<usize>,
    timeline: BTreeMap<(Duration, u64), Due<'w>>,
    exchanges: BTreeMap<u64, Exchange>,
    serial: u64,
    /// Every request: when, its path, and the call that sent it.
    pub(crate) sent: Vec<(Duration, String, usize)>,
    pub(crate) steps: u64,
    pub(crate) wakes: u64,
}

pub(crate) struct Task<O> {
    pub(crate) call: Box<dyn Drive<O, Cut>>,
    pub(crate) state: State<O>,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    /// It takes no steps.
    frozen: bool,
    /// Counts its states, so that an event for an earlier one is passed over.
    turn: u64,
}

#[derive(Debug)]
pub(crate) enum State<O> {
    Fresh,
    Ready,
    Waiting(Duration),
    /// With the serial of the exchange.
    InFlight(u64),
    Done(Result<O, CallError<Cut>>),
    Dropped,
}

struct Exchange {
    task: usize,
    len: u64,
    purpose: Purpose,
}

enum Due<'w> {
    Start(usize),
    Drop(usize),
    Look(usize, u64),
    /// The call has waited for as long as it could.
    Late(u64),
    /// A kept exchange has lasted for as long as it may.
    Lapsed(u64),
    Answer(u64, Answer<'w>),
}

const START: Duration = Duration::from_secs(1_800_000_000);

impl<'w, O> Sim<'w, O> {
    pub(crate) fn new(
        session: Session,
        service: impl FnMut(Duration, Request<Bytes>) -> Reaction<'w> + 'w,
    ) -> Self {
        Self {
            session,
            now: Duration::ZERO,
            skew: 0,
            tasks: Vec::new(),
            service: Box::new(service),
            keeps: false,
            by_id: BTreeMap::new(),
            ready: VecDeque::new(),
            timeline: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            serial: 0,
            sent: Vec::new(),
            steps: 0,
            wakes: 0,
        }
    }

    /// With a transport that keeps token requests.
    pub(crate) fn keeping(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// What the client's clock shows.
    pub(crate) fn clock(&self) -> SystemTime {
        let at = UNIX_EPOCH + START + self.now;
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { at - skew } else { at + skew }
    }

    /// Has a call take its first step at `at`.
    pub(crate) fn start_at(&mut self, at: Duration, call: Box<dyn Drive<O, Cut>>) -> usize {
        self.tasks.push(Task {
            call,
            state: State::Fresh,
            started: at,
            ended: at,
            frozen: false,
            turn: 0,
        });
        let task = self.tasks.len() - 1;
        self.schedule(at, Due::Start(task));
        task
    }

    /// Has a call take its first step now.
    pub(crate) fn start(&mut self, call: Box<dyn Drive<O, Cut>>) -> usize {
        self.start_at(self.now, call)
    }

    /// Has the caller give up at `at`, if the call is not over by then.
    pub(crate) fn drop_at(&mut self, at: Duration, task: usize) {
        self.schedule(at, Due::Drop(task));
    }

    /// The call takes no step any longer, as a future that is kept and not polled.
    pub(crate) fn freeze(&mut self, task: usize) {
        self.tasks[task].frozen = true;
    }

    pub(crate) fn result(&self, task: usize) -> &Result<O, CallError<Cut>> {
        match &self.tasks[task].state {
            State::Done(result) => result,
            _ => panic!("call {task} has not ended at {:?}", self.now),
        }
    }

    pub(crate) fn took(&self, task: usize) -> Duration {
        self.tasks[task].ended - self.tasks[task].started
    }

    /// How many requests went to paths that end so.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.sent.iter().filter(|(_, sent, _)| sent.ends_with(path)).count()
    }

    /// Whether a call is out of the way: over, dropped, or frozen for good.
    fn is_over(task: &Task<O>) -> bool {
        matches!(task.state, State::Done(_) | State::Dropped) || task.frozen
    }

    /// Until every call has ended.
    pub(crate) fn run(&mut self) {
        let mut over = 0;
        loop {
            over += self.tasks[over..].iter().take_while(|task| Self::is_over(task)).count();
            if over == self.tasks.len() {
                break;
            }
            assert!(self.turn(), "nothing happens any longer, and a call has not ended");
        }
    }

    /// Everything that happens before `end`, which is then the time.
    pub(crate) fn run_until(&mut self, end: Duration) {
        self.settle();
        while self.timeline.first_key_value().is_some_and(|((at, _), _)| *at < end) {
            self.turn();
        }
        self.now = self.now.max(end);
    }

    /// The next event, and the steps that follow from it. False if there is none.
    fn turn(&mut self) -> bool {
        self.settle();
        let Some(((at, _), due)) = self.timeline.pop_first() else { return false };
        self.now = self.now.max(at);
        match due {
            Due::Start(task) => self.make_ready(task),
            Due::Drop(task) => self.give_up(task),
            Due::Look(task, turn) => {
                if self.tasks[task].turn == turn {
                    self.make_ready(task);
                }
            }
            Due::Late(serial) => self.late(serial),
            Due::Lapsed(serial) => {
                if let Some(Exchange { purpose: Purpose::Token(id), .. }) =
                    self.exchanges.remove(&serial)
                {
                    let late =
                        Broken::<Cut>::new(CallErrorKind::Deadline, 0, Permanence::Transient);
                    let now = self.clock();
                    self.session.token_broken(id, now, &late);
                    self.wake();
                }
            }
            Due::Answer(serial, answer) => {
                let answer = answer(self.now);
                self.answered(serial, answer);
            }
        }
        self.settle();
        true
    }

    /// Steps whoever may, until all wait for time or for the network.
    pub(crate) fn settle(&mut self) {
        while let Some(task) = self.ready.pop_front() {
            if matches!(self.tasks[task].state, State::Ready) && !self.tasks[task].frozen {
                self.step(task);
            }
        }
    }

    fn schedule(&mut self, at: Duration, due: Due<'w>) {
        self.serial += 1;
        self.timeline.insert((at, self.serial), due);
    }

    fn set(&mut self, task: usize, state: State<O>) {
        self.tasks[task].state = state;
        self.tasks[task].turn += 1;
    }

    fn make_ready(&mut self, task: usize) {
        if matches!(self.tasks[task].state, State::Fresh | State::Waiting(_)) {
            self.set(task, State::Ready);
            self.ready.push_back(task);
        }
    }

    pub(crate) fn step(&mut self, task: usize) {
        self.steps += 1;
        let now = self.clock();
        let step = self.tasks[task].call.next(&mut self.session, now);
        if let Some(id) = self.tasks[task].call.id() {
            self.by_id.insert(id, task);
        }
        match step {
            Step::Send(outgoing) => self.send(task, outgoing),
            Step::Wait(time) => self.wait(task, time),
            Step::Done(result) => {
                self.tasks[task].ended = self.now;
                self.set(task, State::Done(result));
            }
        }
        self.wake();
    }

    fn wait(&mut self, task: usize, time: Duration) {
        let until = self.now + time;
        self.set(task, State::Waiting(until));
        let turn = self.tasks[task].turn;
        self.schedule(until, Due::Look(task, turn));
    }

    fn send(&mut self, task: usize, outgoing: Outgoing) {
        let Outgoing { request, purpose, within, keep_for, .. } = outgoing;
        self.serial += 1;
        let serial = self.serial;
        let request = request.map(Body::into_bytes);
        let len = request.body().len() as u64;
        self.sent.push((self.now, request.uri().path().to_owned(), task));
        self.exchanges.insert(serial, Exchange { task, len, purpose });
        let Reaction { after, answer } = (self.service)(self.now, request);
        self.schedule(self.now + after, Due::Answer(serial, answer));
        if self.keeps && matches!(purpose, Purpose::Token(_)) {
            self.schedule(self.now + keep_for, Due::Lapsed(serial));
            self.wait(task, within);
        } else {
            self.schedule(self.now + within, Due::Late(serial));
            self.set(task, State::InFlight(serial));
        }
    }

    fn late(&mut self, serial: u64) {
        if let Some(exchange) = self.exchanges.remove(&serial) {
            self.broken(exchange.task, CallErrorKind::Deadline, exchange.len);
        }
    }

    fn answered(&mut self, serial: u64, answer: Result<Response<Bytes>, u64>) {
        let Some(Exchange { task, len, purpose }) = self.exchanges.remove(&serial) else { return };
        let now = self.clock();
        match (purpose, answer) {
            (Purpose::Token(id), answer) if self.keeps => {
                match answer {
                    Ok(reply) => drop(self.session.token_received(id, now, reply)),
                    Err(_) => {
                        let cut =
                            Broken::new(CallErrorKind::Transport(Cut), 0, Permanence::Transient);
                        self.session.token_broken(id, now, &cut);
                    }
                }
                self.wake();
            }
            (_, Ok(reply)) => {
                let call = &mut self.tasks[task].call;
                call.read(reply);
                call.received(&mut self.session, now);
                self.back(task);
            }
            (_, Err(pulled)) => self.broken(task, CallErrorKind::Transport(Cut), pulled.min(len)),
        }
    }

    fn broken(&mut self, task: usize, failure: CallErrorKind<Cut>, pulled: u64) {
        let now = self.clock();
        let broken = Broken::new(failure, pulled, Permanence::Transient);
        self.tasks[task].call.broken(&mut self.session, now, broken);
        self.back(task);
    }

    /// The call has its answer and steps again.
    fn back(&mut self, task: usize) {
        self.set(task, State::Ready);
        self.ready.push_back(task);
        self.wake();
    }

    fn give_up(&mut self, task: usize) {
        if matches!(self.tasks[task].state, State::Done(_) | State::Dropped) {
            return;
        }
        if let State::InFlight(serial) = self.tasks[task].state {
            self.exchanges.remove(&serial);
        }
        let drives: Option<TokenRequestId> = self.tasks[task].call.token_request();
        self.tasks[task].call.cancel(&mut self.session);
        if let Some(id) = drives.filter(|_| !self.keeps) {
            let now = self.clock();
            self.session.token_dropped(id, now);
        }
        self.tasks[task].ended = self.now;
        self.set(task, State::Dropped);
        self.wake();
    }

    /// Lets the calls look again that the session names.
    pub(crate) fn wake(&mut self) {
        for id in self.session.woken() {
            self.wakes += 1;
            let task = self.by_id[&id];
            if matches!(self.tasks[task].state, State::Waiting(_)) {
                self.set(task, State::Ready);
                self.ready.push_back(task);
            }
        }
    }
}
