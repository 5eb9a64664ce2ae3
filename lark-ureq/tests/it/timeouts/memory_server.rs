//! A server in memory, which ureq reaches by a transport without a socket and without a thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use lark_proto::fake::http1::{self, Requests};
use lark_ureq::Clock;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// The time that a reply takes by the clock, and the reply.
type Reaction = (Duration, Response<Bytes>);

/// Reacts to a request as soon as it has arrived, given the time.
type Service = Box<dyn FnMut(Duration, &Request<Bytes>) -> Reaction + Send>;

/// A server whose connections hand their requests to a service of the test. It also records the timeouts of ureq.
#[derive(Clone)]
pub(super) struct MemoryServer(Arc<Mutex<State>>);

struct State {
    clock: Clock,
    service: Service,
    longest_timeouts: BTreeMap<String, Duration>,
    socket_timeouts: BTreeSet<(&'static str, Duration)>,
    /// The lengths of the writes, and the time that each of them takes.
    writes: Vec<usize>,
    write_time: Duration,
}

impl fmt::Debug for MemoryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryServer").finish_non_exhaustive()
    }
}

impl MemoryServer {
    pub(super) fn new(
        clock: &Clock,
        service: impl FnMut(Duration, &Request<Bytes>) -> Reaction + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            clock: clock.clone(),
            service: Box::new(service),
            longest_timeouts: BTreeMap::new(),
            socket_timeouts: BTreeSet::new(),
            writes: Vec::new(),
            write_time: Duration::ZERO,
        })))
    }

    /// An agent whose connections all lead to the server, whatever the host.
    pub(super) fn agent(&self) -> ureq::Agent {
        self.agent_with(ureq::Agent::config_builder().proxy(None).build())
    }

    /// As [`agent`](Self::agent), with the settings `config`.
    pub(super) fn agent_with(&self, config: ureq::config::Config) -> ureq::Agent {
        ureq::Agent::with_parts(config, self.clone(), AnyHost)
    }

    /// The longest timeout so far that ureq had for each reason.
    pub(super) fn longest_timeouts(&self) -> BTreeMap<String, Duration> {
        self.state().longest_timeouts.clone()
    }

    /// The timeouts of reads and writes that ureq would have set on a socket since the last call of this method.
    pub(super) fn take_socket_timeouts(&self) -> BTreeSet<(&'static str, Duration)> {
        std::mem::take(&mut self.state().socket_timeouts)
    }

    /// Sets the time that each write takes.
    pub(super) fn set_write_time(&self, time: Duration) {
        self.state().write_time = time;
    }

    /// The lengths of the writes since the last call of this method.
    pub(super) fn take_writes(&self) -> Vec<usize> {
        std::mem::take(&mut self.state().writes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn record(&mut self, timeout: NextTimeout) {
        let longest = self.longest_timeouts.entry(timeout.reason.to_string()).or_default();
        *longest = (*longest).max(*timeout.after);
    }
}

/// Finds an address for every host.
#[derive(Debug)]
struct AnyHost;

impl Resolver for AnyHost {
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

impl Connector for MemoryServer {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        self.state().record(details.timeout);
        let clock = self.state().clock.clone();
        let buffers = LazyBuffers::new(1 << 16, 1 << 16);
        let requests = Requests::new();
        let reply = (Duration::ZERO, Bytes::new());
        Ok(Some(Connection { server: self.clone(), clock, buffers, requests, reply }))
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    server: MemoryServer,
    clock: Clock,
    buffers: LazyBuffers,
    requests: Requests,
    /// The time until the reply, and its bytes.
    reply: (Duration, Bytes),
}

/// The timeout in whole seconds that ureq was given: a part of it has passed by ureq's own clock, which goes on while
/// virtual time stands still.
pub(super) fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let mut server = self.server.state();
        server.socket_timeouts.insert(("write", *timeout.for_write().after));
        server.record(timeout);
        server.writes.push(amount);
        self.clock.sleep(server.write_time);
        self.requests.push(&self.buffers.output()[..amount]);
        if let Some(request) = self.requests.request().unwrap() {
            let (time, reply) = (server.service)(self.clock.elapsed(), &request);
            self.reply = (time, http1::reply(&reply));
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let read = timeout.for_read();
        let mut server = self.server.state();
        server.socket_timeouts.insert(("read", *read.after));
        server.record(timeout);
        drop(server);
        let (time, reply) = &mut self.reply;
        if *time >= *read.after {
            self.clock.sleep(whole(*read.after));
            return Err(ureq::Error::Timeout(read.reason));
        }
        self.clock.sleep(std::mem::take(time));
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
