//! ureq over a transport in memory: each connection hands its requests to the fake, and breaks when the fake is
//! told to have it break. No socket, no thread, and no time passes, except before a timeout.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lark_proto::fake::http1::{self, Requests};
use lark_proto::fake::{Break, FakeLark, InFlight};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// The fake's clock, which stands still.
pub(crate) const NOW: SystemTime = UNIX_EPOCH;

/// The fake, the longest timeout that ureq gave for each reason, and all of which it would tell the kernel.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) lark: FakeLark,
    pub(crate) timeouts: BTreeMap<String, Duration>,
    pub(crate) told: BTreeSet<(&'static str, Duration)>,
}

impl Memory {
    fn saw(&mut self, timeout: NextTimeout) {
        let longest = self.timeouts.entry(timeout.reason.to_string()).or_default();
        *longest = (*longest).max(*timeout.after);
    }
}

/// An agent whose connections all lead to `memory`, whatever the host.
pub(crate) fn agent(memory: &Arc<Mutex<Memory>>) -> ureq::Agent {
    agent_with(ureq::Agent::config_builder().proxy(None).build(), memory)
}

/// The same with settings of the test's.
pub(crate) fn agent_with(config: ureq::config::Config, memory: &Arc<Mutex<Memory>>) -> ureq::Agent {
    ureq::Agent::with_parts(config, ToMemory(memory.clone()), DefaultResolver::default())
}

#[derive(Debug)]
struct ToMemory(Arc<Mutex<Memory>>);

impl Connector for ToMemory {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        self.0.lock().unwrap().saw(details.timeout);
        let memory = self.0.clone();
        let buffers = LazyBuffers::new(1 << 16, 1 << 16);
        Ok(Some(Connection {
            memory,
            buffers,
            requests: Requests::new(),
            flight: None,
            reply: None,
        }))
    }
}

#[derive(Debug)]
struct Connection {
    memory: Arc<Mutex<Memory>>,
    buffers: LazyBuffers,
    requests: Requests,
    /// The request whose head has arrived.
    flight: Option<InFlight>,
    /// The reply that is under way, and what happens when it has been read.
    reply: Option<(Bytes, Option<Break>)>,
}

fn reset() -> ureq::Error {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

impl Connection {
    fn body_arrived(&mut self, flight: InFlight, body: &[u8]) {
        let how = flight.breaks();
        let reply = self.memory.lock().unwrap().lark.finish(NOW, flight, body);
        let mut bytes = http1::reply(&reply);
        if how == Some(Break::CutReply) {
            bytes.truncate(bytes.len() - reply.body().len().div_ceil(2));
        }
        self.reply = Some((bytes, how));
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let told = ("write", *timeout.for_write().after);
        self.memory.lock().unwrap().told.insert(told);
        self.memory.lock().unwrap().saw(timeout);
        self.requests.push(&self.buffers.output()[..amount]);
        if self.flight.is_none() {
            let begin = |head| self.memory.lock().unwrap().lark.begin(NOW, head);
            self.flight = self.requests.head().unwrap().map(begin);
        }
        let Some(flight) = self.flight.take() else { return Ok(()) };
        let is_broken = match flight.breaks() {
            Some(Break::BeforeBody) => true,
            Some(Break::DuringBody) => self.requests.arrived() >= self.requests.missing(),
            _ => false,
        };
        if is_broken {
            self.memory.lock().unwrap().lark.abandon(flight);
            return Err(reset());
        }
        match self.requests.request().unwrap() {
            Some(request) => self.body_arrived(flight, request.body()),
            None => self.flight = Some(flight),
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "a timeout takes its time")]
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let told = ("read", *timeout.for_read().after);
        self.memory.lock().unwrap().told.insert(told);
        self.memory.lock().unwrap().saw(timeout);
        let Some((reply, how)) = &mut self.reply else { return Err(reset()) };
        match how {
            Some(Break::AfterBody) => return Err(reset()),
            Some(Break::CutReply) if reply.is_empty() => return Err(reset()),
            Some(Break::SlowReply(time)) if *time >= *timeout.after => {
                thread::sleep(*timeout.after);
                return Err(ureq::Error::Timeout(timeout.reason));
            }
            _ => {}
        }
        let buffer = self.buffers.input_append_buf();
        let chunk = reply.split_to(reply.len().min(buffer.len()));
        buffer[..chunk.len()].copy_from_slice(&chunk);
        self.buffers.input_appended(chunk.len());
        Ok(!chunk.is_empty())
    }

    fn is_open(&mut self) -> bool {
        self.flight.is_none()
    }
}
