//! The faults that the server's requests meet: one in twenty, of every kind in turn by chance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use lark_benches::soak::mix;
use lark_proto::fake::{ConnectionFault, Failure, Fault, Route};

/// One request in this many meets a fault.
const ONE_IN: u64 = 20;
/// A rate limit is one of the kinds for one fault in this many, because the client sends fewer requests after each.
const RATE_LIMITS_ONE_IN: u64 = 4;

/// The kinds of faults, and how often each was met.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    met: [AtomicU64; KINDS.len()],
}

/// A kind of fault.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The connection closes when the head has arrived.
    BeforeBody,
    /// The connection closes within the body.
    DuringBody,
    /// The connection closes before the reply.
    AfterBody,
    /// The connection closes within the reply.
    CutReply,
    /// The reply comes after one to four seconds.
    Slow,
    /// The token is refused, as one that was revoked.
    TokenRefused,
    /// The gateway's rate limit, with this HTTP status and these seconds until its reset.
    RateLimit(u16, Option<&'static str>),
    /// A refusal of a busy document, which only a cell write gets.
    Busy(i64),
    /// An error of the edge, without JSON, with these seconds of `retry-after`.
    Edge(u16, Option<&'static str>),
    /// The edge's HTML page.
    Html(u16),
    /// The request is carried out, and the reply has half of its JSON.
    TruncatedJson,
    /// The service's own failure, which leaves open whether the request was carried out.
    ServiceFailure,
    /// A permanent refusal: the app lacks a scope.
    Permission,
    /// A permanent refusal: no such route.
    NotFound,
}

const KINDS: [Kind; 29] = [
    Kind::BeforeBody,
    Kind::DuringBody,
    Kind::AfterBody,
    Kind::CutReply,
    Kind::Slow,
    Kind::TokenRefused,
    Kind::RateLimit(429, Some("1")),
    Kind::RateLimit(429, None),
    Kind::RateLimit(400, Some("2")),
    Kind::Busy(90217),
    Kind::Busy(90228),
    Kind::Busy(90235),
    Kind::Busy(90242),
    Kind::Edge(408, None),
    Kind::Edge(429, Some("1")),
    Kind::Edge(500, None),
    Kind::Edge(500, Some("1")),
    Kind::Edge(502, None),
    Kind::Edge(502, Some("1")),
    Kind::Edge(503, None),
    Kind::Edge(503, Some("1")),
    Kind::Edge(504, None),
    Kind::Edge(504, Some("1")),
    Kind::Html(400),
    Kind::Html(502),
    Kind::TruncatedJson,
    Kind::ServiceFailure,
    Kind::Permission,
    Kind::NotFound,
];

impl Faults {
    /// The faults of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, met: [const { AtomicU64::new(0) }; KINDS.len()] }
    }

    /// The fault of the request with this number on `route`.
    pub(crate) fn choose(&self, route: Route, number: usize) -> Option<Failure> {
        let random =
            mix(mix(self.seed ^ number as u64) ^ lark_benches::soak::hash(route.path().as_bytes()));
        if random % ONE_IN != 0 {
            return None;
        }
        let is_write = route == Route::ValuesImage;
        let has_limits = mix(!random) % RATE_LIMITS_ONE_IN == 0;
        let is_for = |(_, kind): &(usize, &Kind)| match kind {
            Kind::Busy(_) => is_write,
            Kind::RateLimit(..) | Kind::Edge(429, _) => has_limits,
            _ => true,
        };
        let fitting: Vec<_> = KINDS.iter().enumerate().filter(is_for).collect();
        let at = (random / ONE_IN).checked_rem(fitting.len() as u64)?;
        let (index, kind) = fitting.get(usize::try_from(at).ok()?)?;
        self.met.get(*index)?.fetch_add(1, Ordering::Relaxed);
        Some(kind.failure(mix(random)))
    }

    /// How often each kind was met, with its name.
    pub(crate) fn met(&self) -> impl Iterator<Item = (u64, String)> {
        let names = KINDS.iter().map(|kind| format!("{kind:?}"));
        self.met.iter().map(|count| count.load(Ordering::Relaxed)).zip(names)
    }
}

impl Kind {
    fn failure(self, random: u64) -> Failure {
        match self {
            Self::BeforeBody => ConnectionFault::BeforeBody.into(),
            Self::DuringBody => ConnectionFault::DuringBody.into(),
            Self::AfterBody => ConnectionFault::AfterBody.into(),
            Self::CutReply => ConnectionFault::CutReply.into(),
            Self::Slow => {
                ConnectionFault::SlowReply(Duration::from_millis(1000 + random % 3000)).into()
            }
            Self::TokenRefused => {
                Fault::code(400, 99991663, "Invalid access token for authorization").into()
            }
            Self::RateLimit(status, reset) => {
                let reset = reset.map(str::to_owned);
                Fault::RateLimited { status: self::status(status), reset }.into()
            }
            Self::Busy(code) => Fault::code(200, code, "the document is busy").into(),
            Self::Edge(status, after) => edge(status, after).into(),
            Self::Html(status) => Fault::EdgeHtml(self::status(status)).into(),
            Self::TruncatedJson => Fault::TruncatedJson.into(),
            Self::ServiceFailure => Fault::code(200, 90203, "Fail").into(),
            Self::Permission => Fault::Permission(vec!["im:resource".into()]).into(),
            Self::NotFound => Fault::PlainNotFound.into(),
        }
    }
}

/// A plain reply of the edge.
fn edge(status: u16, after: Option<&'static str>) -> Fault {
    let mut reply = Response::builder().status(status).header(CONTENT_TYPE, "text/plain");
    if let Some(after) = after {
        reply = reply.header(RETRY_AFTER, after);
    }
    reply.body(Bytes::from_static(b"upstream error")).unwrap_or_default().into()
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or_default()
}
