//! The client without a socket: ureq over a transport that hands each request to the fake Lark in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use lark_proto::fake::FakeLark;
use lark_proto::{App, Image, PutImage, Site, WriteSheetImage};
use lark_ureq::Client;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// The fake, and the longest timeout that ureq gave for each reason.
#[derive(Debug, Default)]
struct Memory {
    lark: FakeLark,
    timeouts: BTreeMap<String, Duration>,
}

impl Memory {
    fn saw(&mut self, timeout: NextTimeout) {
        let longest = self.timeouts.entry(timeout.reason.to_string()).or_default();
        *longest = (*longest).max(*timeout.after);
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
        let buffers = LazyBuffers::new(1 << 16, 1 << 16);
        Ok(Some(Connection { memory, buffers, request: Vec::new(), reply: Bytes::new() }))
    }
}

#[derive(Debug)]
struct Connection {
    memory: Arc<Mutex<Memory>>,
    buffers: LazyBuffers,
    request: Vec<u8>,
    reply: Bytes,
}

impl Connection {
    /// What the fake answers, as HTTP/1.1.
    fn answer(&mut self) -> Bytes {
        let request = std::mem::take(&mut self.request);
        let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&request[..end]).unwrap();
        let mut lines = head.lines();
        let target = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut parsed = http::Request::post(target);
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            parsed = parsed.header(name, value);
        }
        let parsed = parsed.body(Bytes::copy_from_slice(&request[end + 4..])).unwrap();
        let reply = self.memory.lock().unwrap().lark.handle(UNIX_EPOCH, parsed);
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n",
            reply.status(),
            reply.body().len()
        );
        [head.as_bytes(), reply.body()].concat().into()
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.memory.lock().unwrap().saw(timeout);
        self.request.extend_from_slice(&self.buffers.output()[..amount]);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.memory.lock().unwrap().saw(timeout);
        if self.reply.is_empty() {
            self.reply = self.answer();
        }
        let buffer = self.buffers.input_append_buf();
        let chunk = self.reply.split_to(self.reply.len().min(buffer.len()));
        buffer[..chunk.len()].copy_from_slice(&chunk);
        self.buffers.input_appended(chunk.len());
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        true
    }
}

fn client(memory: &Arc<Mutex<Memory>>) -> Client {
    let config = ureq::Agent::config_builder().proxy(None).build();
    let connector = ToMemory(memory.clone());
    let agent = ureq::Agent::with_parts(config, connector, DefaultResolver::default());
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    Client::with_agent(Site::custom("http://127.0.0.1:1").unwrap(), app, agent)
}

#[test]
fn an_agents_own_transport_carries_the_whole_job() {
    let memory = Arc::default();
    let client = client(&memory);
    let image = Image::new(&b"GIF89a.."[..]).unwrap();
    let key = client.call(&PutImage::message(image.clone()).unwrap()).unwrap();
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
    client.call(&WriteSheetImage::new(spreadsheet, cell, image).unwrap()).unwrap();

    let memory = memory.lock().unwrap();
    assert_eq!(memory.lark.image(key.as_str()).unwrap().bytes, "GIF89a..");
    let range = format!("{}!A1:A1", FakeLark::SHEET);
    assert_eq!(memory.lark.cell(FakeLark::SPREADSHEET, &range).unwrap().bytes, "GIF89a..");
}

#[test]
fn timeouts_grow_with_the_body() {
    let timeouts = |len: usize| {
        let memory = Arc::default();
        let image = Image::unchecked(vec![7; len]).unwrap();
        client(&memory).call(&PutImage::message(image).unwrap()).unwrap();
        let timeouts = memory.lock().unwrap().timeouts.clone();
        timeouts.into_iter().map(|(reason, longest)| (reason, longest.as_secs_f64().ceil()))
    };
    let expected = |send: f64, answer: f64| {
        let fixed = [("connect", 10.0), ("send request", 30.0)];
        let grown = [("send body", send), ("receive response", answer)];
        BTreeMap::from_iter(fixed.into_iter().chain(grown).map(|(r, s)| (r.to_owned(), s)))
    };
    assert_eq!(BTreeMap::from_iter(timeouts(1)), expected(30.0, 120.0));
    assert_eq!(BTreeMap::from_iter(timeouts(10 << 20)), expected(190.0, 280.0));
}
