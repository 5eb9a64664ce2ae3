//! What the tests' services answer, and two services: one that counts requests in fixed windows, one whose documents
//! take one write at a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use lark_proto::endpoints::{Raw, Resend};
use lark_proto::session::Session;
use lark_proto::{App, Image, Site, TenantToken, WriteSheetImage};

use serde::de::IgnoredAny;

use crate::sim::{Reaction, after};

pub(crate) const RESET: &str = "x-ogw-ratelimit-reset";

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long a refusal takes.
pub(crate) const REFUSAL: Duration = millis(50);

pub(crate) fn session() -> Session {
    Session::new(Site::LARK, App::custom("cli_x", "s").unwrap())
}

/// A token of the caller's, so that no token is fetched.
pub(crate) fn given() -> TenantToken {
    TenantToken::new("t-given").unwrap()
}

/// A request with a body that may be sent again.
pub(crate) fn upload() -> Raw<IgnoredAny> {
    unsafe_upload().with_resend(Resend::Safe)
}

/// A request with a body that may not.
pub(crate) fn unsafe_upload() -> Raw<IgnoredAny> {
    Raw::new(Method::POST, "/open-apis/im/v1/images").with_json("0123456789").unwrap()
}

/// A write of an image to the `number`th spreadsheet.
pub(crate) fn write(number: usize, image: &str) -> WriteSheetImage {
    let image = Image::new(format!("GIF89a{image}")).unwrap();
    let spreadsheet = format!("shtcn{number:06}").parse().unwrap();
    WriteSheetImage::new(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image).unwrap()
}

pub(crate) fn answer(status: u16, body: &str) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from(body.to_owned()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}

/// A success: a token where one is asked for, else what every endpoint of these tests can read.
pub(crate) fn good(request: &Request<Bytes>) -> Response<Bytes> {
    if is_fetch(request) { token("t-1") } else { done() }
}

pub(crate) fn done() -> Response<Bytes> {
    answer(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

/// A success whose `data` is empty.
pub(crate) fn ok() -> Response<Bytes> {
    answer(200, r#"{"code":0,"data":{}}"#)
}

pub(crate) fn token(token: &str) -> Response<Bytes> {
    answer(200, &format!(r#"{{"code":0,"tenant_access_token":"{token}","expire":7200}}"#))
}

pub(crate) fn is_fetch(request: &Request<Bytes>) -> bool {
    request.uri().path().contains("/auth/")
}

pub(crate) fn refusal(status: u16, code: i64) -> Response<Bytes> {
    answer(status, &format!(r#"{{"code":{code},"msg":"refused"}}"#))
}

/// A refusal for the rate of the route, which names a wait.
pub(crate) fn limited(reset: &str) -> Response<Bytes> {
    with(refusal(429, 99_991_400), RESET, reset)
}

pub(crate) fn with(
    mut reply: Response<Bytes>,
    header: &'static str,
    value: &str,
) -> Response<Bytes> {
    reply.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    reply
}

/// Pseudo-random numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A service that takes so many requests in each second and minute of its own clock.
pub(crate) struct Windows {
    second: u32,
    minute: u32,
    /// The age of both windows at the start.
    phase: Duration,
    /// The status of a refusal.
    status: u16,
    taken: BTreeMap<(Duration, u64), u32>,
    /// When each request that was refused arrived.
    pub(crate) refused: Vec<Duration>,
    pub(crate) admitted: u32,
}

impl Windows {
    pub(crate) fn new(second: u32, minute: u32, phase: Duration) -> Self {
        let (taken, refused) = (BTreeMap::new(), Vec::new());
        Self { second, minute, phase, status: 429, taken, refused, admitted: 0 }
    }

    /// A service that refuses with HTTP 400, as older APIs do.
    pub(crate) fn refusing_with(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Takes a request that arrives at `now` and is answered with success after `takes`, or refuses it.
    pub(crate) fn react<'w>(&mut self, now: Duration, takes: Duration) -> Reaction<'w> {
        let at = now + self.phase;
        let counts = [(secs(1), self.second), (secs(60), self.minute)].map(|(span, limit)| {
            let number = u64::try_from(at.as_nanos() / span.as_nanos()).unwrap();
            (span, number, limit)
        });
        let mut full = counts.iter().filter(|(span, number, limit)| {
            self.taken.get(&(*span, *number)).is_some_and(|taken| taken >= limit)
        });
        // The window that takes the longest to end.
        if let Some((span, number, _)) = full.next_back() {
            self.refused.push(now);
            let end = *span * u32::try_from(number + 1).unwrap();
            let reset = (end - at).as_secs_f64().ceil();
            let refusal = with(refusal(self.status, 99_991_400), RESET, &reset.to_string());
            return after(REFUSAL, refusal);
        }
        for (span, number, _) in counts {
            *self.taken.entry((span, number)).or_default() += 1;
        }
        self.admitted += 1;
        after(takes, done())
    }
}

/// A service whose documents take one write at a time. A write that has begun goes on whatever becomes of its
/// connection.
#[derive(Default)]
pub(crate) struct Documents(RefCell<BTreeMap<String, Vec<Written>>>);

/// A write: until when it occupies its document, and its request.
struct Written {
    ends: Duration,
    body: Bytes,
}

impl Documents {
    /// Begins a write that takes `takes`. False if the document is occupied.
    pub(crate) fn begin(&self, now: Duration, request: &Request<Bytes>, takes: Duration) -> bool {
        let mut documents = self.0.borrow_mut();
        let writes = documents.entry(request.uri().path().to_owned()).or_default();
        if writes.last().is_some_and(|last| now < last.ends) {
            return false;
        }
        writes.push(Written { ends: now + takes, body: request.body().clone() });
        true
    }

    /// A write that takes `takes`, or a refusal with `code`.
    pub(crate) fn react<'w>(
        &self,
        now: Duration,
        request: &Request<Bytes>,
        takes: Duration,
        code: i64,
    ) -> Reaction<'w> {
        if self.begin(now, request, takes) {
            after(takes, done())
        } else {
            after(REFUSAL, refusal(200, code))
        }
    }

    /// The body of the last write that has completed, of the only document.
    pub(crate) fn cell(&self, now: Duration) -> Option<Bytes> {
        let documents = self.0.borrow();
        let writes = documents.values().next()?;
        writes.iter().rfind(|write| write.ends <= now).map(|write| write.body.clone())
    }
}
