//! The policy of calls through the client, its threads and ureq, in simulated time.

mod tokens;
mod writes;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use lark_proto::endpoints::SheetImageWritten;
use lark_proto::error::Code;
use lark_proto::{App, ImageKey, Limits, Site, WriteSheetImage};
use lark_ureq::{CallError, Client, Clock};

use crate::support::memory_server::{MemoryServer, Reaction};
use crate::support::{app, millis, put, secs, token};

/// A client in simulated time, and the time and the path of each request that its service has received.
struct Sim {
    clock: Clock,
    client: Client,
    requests: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Sim {
    /// A client of `app`, whose requests go to `service`.
    fn new(
        app: App,
        mut service: impl FnMut(Duration, &Request<Bytes>) -> Reaction + Send + 'static,
    ) -> Self {
        let clock = Clock::simulated();
        let requests: Arc<Mutex<Vec<_>>> = Arc::default();
        let received = requests.clone();
        let server = MemoryServer::new(&clock, move |now, request| {
            received.lock().unwrap().push((now, request.uri().path().to_owned()));
            service(now, request)
        });
        let site = Site::custom("http://127.0.0.1:1").unwrap();
        let client = Client::with_clock(site, app, server.agent(), clock.clone());
        Self { clock, client, requests }
    }

    /// A client of a custom app. `tokens` answers the token requests, given their number; uploads take 100 ms.
    fn with_token_service(mut tokens: impl FnMut(usize) -> Reaction + Send + 'static) -> Self {
        let mut asked = 0;
        Self::new(app(), move |_, request| {
            if !is_token(request) {
                return (millis(100), Some(stored()));
            }
            asked += 1;
            tokens(asked)
        })
    }

    /// The number of requests so far whose path ends with `end`.
    fn count(&self, end: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|(_, path)| path.ends_with(end)).count()
    }

    /// An upload within `limits`, and how long it took.
    fn upload(&self, limits: Limits) -> (Result<ImageKey, CallError>, Duration) {
        self.timed(|| self.client.clone().with_limits(limits).call(&put()))
    }

    /// A write within `limits`, and how long it took.
    fn write(
        &self,
        write: &WriteSheetImage,
        limits: Limits,
    ) -> (Result<SheetImageWritten, CallError>, Duration) {
        self.timed(|| self.client.clone().with_limits(limits).call_as(&token(), write))
    }

    /// The result of `call`, and how long it took.
    fn timed<R>(&self, call: impl FnOnce() -> R) -> (R, Duration) {
        let start = self.clock.elapsed();
        let result = call();
        (result, self.clock.elapsed() - start)
    }

    /// Runs `task` on `threads` threads, each with its number, and returns the results in this order.
    fn run<R: Send>(&self, threads: u64, task: impl Fn(u64) -> R + Sync) -> Vec<R> {
        let task = &task;
        self.clock.run((0..threads).map(|number| move || task(number)))
    }
}

/// Whether a request is for a token.
fn is_token(request: &Request<Bytes>) -> bool {
    request.uri().path().contains("/auth/")
}

fn reply(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

fn granted(token: &str, expire: u64) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    reply(200, format!(r#"{{"code":0,{tokens},"expire":{expire}}}"#))
}

fn stored() -> Response<Bytes> {
    reply(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

fn refusal(status: u16, code: i64) -> Response<Bytes> {
    reply(status, format!(r#"{{"code":{code},"msg":"no"}}"#))
}

/// The refusal of a request above the route's rate limit, which tells the client to wait for `seconds`.
fn rate_limited(seconds: u64) -> Response<Bytes> {
    let mut reply = refusal(429, Code::RATE_LIMITED.0);
    reply.headers_mut().insert("x-ogw-ratelimit-reset", seconds.into());
    reply
}

/// A request that is never answered.
fn hangs() -> Reaction {
    (secs(1 << 30), None)
}
