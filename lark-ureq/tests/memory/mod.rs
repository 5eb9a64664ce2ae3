//! ureq over a transport in memory: each connection hands its requests to the fake, and breaks when the fake is
//! told to have it break. No socket, no thread, and no time passes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
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
        Ok(Some(Connection { memory, buffers, request: Vec::new(), out: None, reply: None }))
    }
}

#[derive(Debug)]
struct Connection {
    memory: Arc<Mutex<Memory>>,
    buffers: LazyBuffers,
    /// What has arrived of the request that is under way: its head until that is complete, then its body.
    request: Vec<u8>,
    /// The request whose head has arrived, and the length of its body.
    out: Option<(InFlight, usize)>,
    /// The reply that is under way, and what happens when it has been read.
    reply: Option<(Bytes, Option<Break>)>,
}

fn reset() -> ureq::Error {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

impl Connection {
    fn head_arrived(&mut self, end: usize) {
        let body = self.request.split_off(end + 4);
        let head = std::mem::replace(&mut self.request, body);
        let head = std::str::from_utf8(&head[..end]).unwrap();
        let mut lines = head.lines();
        let mut request = http::Request::post(lines.next().unwrap().split(' ').nth(1).unwrap());
        let mut len = 0;
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            if name.eq_ignore_ascii_case("content-length") {
                len = value.parse().unwrap();
            }
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        self.out = Some((self.memory.lock().unwrap().lark.begin(NOW, &head), len));
    }

    fn body_arrived(&mut self, flight: InFlight) {
        let how = flight.breaks();
        let body = std::mem::take(&mut self.request);
        let reply = self.memory.lock().unwrap().lark.finish(NOW, flight, &body);
        let mut text = format!("HTTP/1.1 {}\r\n", reply.status());
        for (name, value) in reply.headers() {
            text += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        let len = reply.body().len();
        text += &format!("content-length: {len}\r\n\r\n");
        let shown = if how == Some(Break::CutReply) { len / 2 } else { len };
        let reply = [text.as_bytes(), &reply.body()[..shown]].concat();
        self.reply = Some((reply.into(), how));
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
        self.request.extend_from_slice(&self.buffers.output()[..amount]);
        let end = self.request.windows(4).position(|window| window == b"\r\n\r\n");
        if let (None, Some(end)) = (&self.out, end) {
            self.head_arrived(end);
        }
        if let Some((flight, len)) = self.out.take() {
            let enough = match flight.breaks() {
                Some(Break::BeforeBody) => true,
                Some(Break::DuringBody) => self.request.len() >= len / 2,
                _ => false,
            };
            if enough {
                self.memory.lock().unwrap().lark.abandon(flight);
                return Err(reset());
            }
            match self.request.len() == len {
                true => self.body_arrived(flight),
                false => self.out = Some((flight, len)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let told = ("read", *timeout.for_read().after);
        self.memory.lock().unwrap().told.insert(told);
        self.memory.lock().unwrap().saw(timeout);
        let Some((reply, how)) = &mut self.reply else { return Err(reset()) };
        match how {
            Some(Break::AfterBody) => return Err(reset()),
            Some(Break::CutReply) if reply.is_empty() => return Err(reset()),
            Some(Break::SlowReply(time)) if *time >= *timeout.after => {
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
        self.out.is_none()
    }
}
