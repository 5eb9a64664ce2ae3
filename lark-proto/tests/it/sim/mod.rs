//! A session, its adapter, the network and a virtual clock. A closure is the service. A call takes its next step when
//! the session wakes it or when its wait is over; `by_hand` is for the calls that a test steps itself.
//!
//! ```text
//!  start --> Ready --step--> Waiting  --(its wait is over | woken)----> Ready
//!                        --> InFlight --(reply | failure | deadline)--> Ready
//!                        --> Done
//!  drop_at: from any of these states but Done to Dropped
//! ```

mod by_hand;
mod network;
mod random;
mod reaction;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Request;
use lark_proto::CallError;
use lark_proto::session::{AnyCall, Call, CallId, Session, Step};

use network::{Due, Exchange};

pub(crate) use by_hand::ByHand;
pub(crate) use random::Random;
pub(crate) use reaction::{Cut, Failure, Reaction, after, cut, fails, hangs};

type Service<'w> = Box<dyn FnMut(Duration, Request<Bytes>) -> Reaction<'w> + 'w>;

pub(crate) struct Sim<'w, O> {
    pub(crate) session: Session,
    /// The time since the start of the simulation, which the network and all waits follow.
    pub(crate) now: Duration,
    /// The seconds by which the client's clock is ahead of that time.
    pub(crate) skew: i64,
    pub(crate) tasks: Vec<Task<O>>,
    service: Service<'w>,
    /// The transport keeps a token request in flight when its call goes on or is dropped.
    keeps: bool,
    by_id: BTreeMap<CallId, usize>,
    ready: VecDeque<usize>,
    timeline: BTreeMap<(Duration, u64), Due<'w>>,
    exchanges: BTreeMap<u64, Exchange>,
    serial: u64,
    pub(crate) sent: Vec<Sent>,
    pub(crate) steps: u64,
    pub(crate) wakes: u64,
}

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    pub(crate) path: String,
    pub(crate) task: usize,
    pub(crate) fresh_connection: bool,
}

/// A call and the adapter's account of it.
pub(crate) struct Task<O> {
    pub(crate) call: Box<dyn AnyCall<O, Cut>>,
    pub(crate) state: State<O>,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    /// The call takes no step.
    frozen: bool,
    /// The number of changes of the state, by which an event for an earlier state is recognised.
    changes: u64,
}

#[derive(Debug)]
pub(crate) enum State<O> {
    Fresh,
    Ready,
    Waiting(Duration),
    /// A request is in flight, in the exchange with this serial number.
    InFlight(u64),
    Done(Result<O, CallError<Cut>>),
    Dropped,
}

/// The client's clock at `now` of a simulation.
pub(crate) fn clock(now: Duration) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000) + now
}

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

    /// The same simulation with a transport that keeps token requests, or with one that does not.
    pub(crate) fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    /// The client's clock.
    pub(crate) fn clock(&self) -> SystemTime {
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { clock(self.now) - skew } else { clock(self.now) + skew }
    }

    /// Has a call take its first step at `at`.
    pub(crate) fn start_at(&mut self, at: Duration, call: Box<dyn AnyCall<O, Cut>>) -> usize {
        self.tasks.push(Task {
            call,
            state: State::Fresh,
            started: at,
            ended: at,
            frozen: false,
            changes: 0,
        });
        let task = self.tasks.len() - 1;
        self.schedule(at, Due::Start(task));
        task
    }

    /// Has a call take its first step now.
    pub(crate) fn start(&mut self, call: Box<dyn AnyCall<O, Cut>>) -> usize {
        self.start_at(self.now, call)
    }

    /// Runs one call to its end.
    pub(crate) fn finish<P>(&mut self, call: Call<P, Cut>) -> &Result<O, CallError<Cut>>
    where
        P: Into<O> + 'static,
    {
        let task = self.start(call.boxed());
        self.run();
        self.result(task)
    }

    /// Has the caller drop the call at `at`, if the call is not over by then.
    pub(crate) fn drop_at(&mut self, at: Duration, task: usize) {
        self.schedule(at, Due::Drop(task));
    }

    /// The call takes no further step, like a future that is kept and not polled.
    pub(crate) fn freeze(&mut self, task: usize) {
        self.tasks[task].frozen = true;
    }

    pub(crate) fn result(&self, task: usize) -> &Result<O, CallError<Cut>> {
        match &self.tasks[task].state {
            State::Done(result) => result,
            _ => panic!("call {task} has not ended at {:?}", self.now),
        }
    }

    /// Takes the result of the call that was started last.
    pub(crate) fn take_last_result(&mut self) -> Result<O, CallError<Cut>> {
        let task = self.tasks.last_mut().unwrap();
        match std::mem::replace(&mut task.state, State::Dropped) {
            State::Done(result) => result,
            _ => panic!("the last call has not ended at {:?}", self.now),
        }
    }

    pub(crate) fn took(&self, task: usize) -> Duration {
        self.tasks[task].ended - self.tasks[task].started
    }

    /// The number of requests to paths that end with `path`.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.sent.iter().filter(|sent| sent.path.ends_with(path)).count()
    }

    /// Whether the run does not have to wait for the call.
    fn is_over(task: &Task<O>) -> bool {
        matches!(task.state, State::Done(_) | State::Dropped) || task.frozen
    }

    /// Runs until every call has ended.
    pub(crate) fn run(&mut self) {
        let mut over = 0;
        loop {
            over += self.tasks[over..].iter().take_while(|task| Self::is_over(task)).count();
            if over == self.tasks.len() {
                break;
            }
            assert!(self.turn(), "no event is due, and a call has not ended");
        }
    }

    /// Runs all events before `end`, which is then the time.
    pub(crate) fn run_until(&mut self, end: Duration) {
        self.settle();
        while self.timeline.first_key_value().is_some_and(|((at, _), _)| *at < end) {
            self.turn();
        }
        self.now = self.now.max(end);
    }

    /// Runs the next event and the steps that follow from it. Returns false if no event is due.
    fn turn(&mut self) -> bool {
        self.settle();
        let Some(((at, _), due)) = self.timeline.pop_first() else { return false };
        self.now = self.now.max(at);
        match due {
            Due::Start(task) => self.make_ready(task),
            Due::Drop(task) => self.give_up(task),
            Due::WaitOver(task, changes) => {
                if self.tasks[task].changes == changes {
                    self.make_ready(task);
                }
            }
            Due::Late(serial) => self.late(serial),
            Due::Outcome(serial, outcome) => {
                let outcome = outcome(self.now);
                self.ended(serial, outcome);
            }
        }
        self.settle();
        true
    }

    /// Steps the ready calls until every call waits or has a request in flight.
    fn settle(&mut self) {
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
        self.tasks[task].changes += 1;
    }

    fn make_ready(&mut self, task: usize) {
        if matches!(self.tasks[task].state, State::Fresh | State::Waiting(_)) {
            self.set(task, State::Ready);
            self.ready.push_back(task);
        }
    }

    /// Steps a call, also one that could still wait.
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
        let changes = self.tasks[task].changes;
        self.schedule(until, Due::WaitOver(task, changes));
    }

    /// Moves the waiting calls that the session wakes to the state `Ready`.
    pub(crate) fn wake(&mut self) {
        for id in self.woken() {
            self.wakes += 1;
            let task = self.by_id[&id];
            if matches!(self.tasks[task].state, State::Waiting(_)) {
                self.set(task, State::Ready);
                self.ready.push_back(task);
            }
        }
    }
}
