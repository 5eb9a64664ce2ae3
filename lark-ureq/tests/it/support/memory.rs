//! ureq over a transport in memory: each connection hands its requests to a service of the test's, and breaks when it
//! is told to. No socket and no thread; the time of a reply passes by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use lark_proto::fake::http1::{self, Requests};
use lark_ureq::Clock;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// The service that answers, the longest timeout that ureq gave for each reason, and all of which it would tell the
/// kernel.
pub(crate) struct Memory {
    clock: Clock,
    service: Service,
    pub(crate) timeouts: BTreeMap<String, Duration>,
    pub(crate) told: BTreeSet<(&'static str, Duration)>,
}

/// A service that is asked as soon as a request has arrived: how long it takes, and then its reply, or `None` if the
/// connection breaks.
type Service = Box<dyn FnMut(Duration, &Request<Bytes>) -> Reaction + Send>;

pub(crate) type Reaction = (Duration, Option<Response<Bytes>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(
        clock: &Clock,
        service: impl FnMut(Duration, &Request<Bytes>) -> Reaction + Send + 'static,
    ) -> Arc<Mutex<Self>> {
        let (timeouts, told) = (BTreeMap::new(), BTreeSet::new());
        let (clock, service) = (clock.clone(), Box::new(service));
        Arc::new(Mutex::new(Self { clock, service, timeouts, told }))
    }

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
    ureq::Agent::with_parts(config, ToMemory(memory.clone()), Nowhere)
}

/// Finds an address for every host.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = ArrayVec::from_fn(|_| ([127, 0, 0, 1], 1).into());
        found.push(([127, 0, 0, 1], 1).into());
        Ok(found)
    }
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
        let clock = memory.lock().unwrap().clock.clone();
        let buffers = LazyBuffers::new(1 << 16, 1 << 16);
        Ok(Some(Connection { memory, clock, buffers, requests: Requests::new(), reply: None }))
    }
}

#[derive(Debug)]
struct Connection {
    memory: Arc<Mutex<Memory>>,
    clock: Clock,
    buffers: LazyBuffers,
    requests: Requests,
    /// How long the reply still takes, and its bytes. After the last one the connection breaks.
    reply: Option<(Duration, Bytes)>,
}

/// The timeout that ureq was given, in whole seconds: a part of it has passed by ureq's own clock, which goes on while
/// simulated time stands still.
fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

fn reset() -> ureq::Error {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
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
        if let Some(request) = self.requests.request().unwrap() {
            let mut memory = self.memory.lock().unwrap();
            let (after, reply) = (memory.service)(self.clock.elapsed(), &request);
            self.reply = Some((after, reply.as_ref().map(http1::reply).unwrap_or_default()));
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let told = ("read", *timeout.for_read().after);
        self.memory.lock().unwrap().told.insert(told);
        self.memory.lock().unwrap().saw(timeout);
        let Some((after, reply)) = &mut self.reply else { return Err(reset()) };
        let timeout = timeout.for_read();
        if *after >= *timeout.after {
            self.clock.sleep(whole(*timeout.after));
            return Err(ureq::Error::Timeout(timeout.reason));
        }
        self.clock.sleep(std::mem::take(after));
        if reply.is_empty() {
            return Err(reset());
        }
        let buffer = self.buffers.input_append_buf();
        let chunk = reply.split_to(reply.len().min(buffer.len()));
        buffer[..chunk.len()].copy_from_slice(&chunk);
        self.buffers.input_appended(chunk.len());
        Ok(!chunk.is_empty())
    }

    fn is_open(&mut self) -> bool {
        true
    }
}
