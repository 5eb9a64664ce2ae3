//! Failures by chance, of every kind that the fake has.

use std::collections::HashSet;
use std::time::Duration;

use lark_proto::fake::{ConnectionFault, Failure, Fault, Route};
use lark_proto::http::{Response, StatusCode};

/// The longest time for which a reply is held back by chance.
const SLOW: Duration = Duration::from_secs(2);

/// Fails some requests, and the same ones in each run of a test.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) seed: u64,
    /// How many of a thousand requests fail.
    pub(crate) per_mille: u64,
}

impl Chance {
    /// The failure of the request to `route` with this number, if it fails.
    pub(crate) fn failure(self, route: Route, number: usize) -> Option<Failure> {
        self.kind(route, number).map(|kind| kinds(route).swap_remove(kind))
    }

    /// Whether every kind of failure is among those of the first requests to `route`.
    pub(crate) fn has_all_kinds(self, route: Route, requests: usize) -> bool {
        let met: HashSet<usize> =
            (1..=requests).filter_map(|number| self.kind(route, number)).collect();
        met.len() == kinds(route).len()
    }

    /// The place of the failure among the kinds.
    fn kind(self, route: Route, number: usize) -> Option<usize> {
        let seed = route.path().bytes().fold(self.seed, |seed, byte| mix(seed ^ u64::from(byte)));
        let mut random = Random(mix(seed ^ number as u64));
        let fails = random.below(1000) < self.per_mille;
        fails.then(|| usize::try_from(random.below(kinds(route).len() as u64)).unwrap())
    }

    /// Whether the client got the whole answer to the request with this number, late or not.
    pub(crate) fn lets_pass(self, route: Route, number: usize) -> bool {
        matches!(
            self.failure(route, number),
            None | Some(Failure::Connection(ConnectionFault::SlowReply(_)))
        )
    }
}

/// The failures that a request to `route` may have.
fn kinds(route: Route) -> Vec<Failure> {
    let garbage = Response::new(b"\xff\0{\"code\":0".as_slice().into());
    let mut kinds: Vec<Failure> = vec![
        ConnectionFault::BeforeBody.into(),
        ConnectionFault::DuringBody.into(),
        ConnectionFault::AfterBody.into(),
        ConnectionFault::CutReply.into(),
        ConnectionFault::SlowReply(SLOW).into(),
        Fault::rate_limited(1).into(),
        Fault::RateLimited { status: StatusCode::BAD_REQUEST, reset: None }.into(),
        Fault::EdgeHtml(StatusCode::BAD_REQUEST).into(),
        Fault::EdgeHtml(StatusCode::BAD_GATEWAY).into(),
        Fault::EdgeHtml(StatusCode::GATEWAY_TIMEOUT).into(),
        Fault::PlainNotFound.into(),
        Fault::TruncatedJson.into(),
        Fault::from(garbage).into(),
        // The service is busy; the app's address is not allowed.
        Fault::code(500, 2200, "Internal Error").into(),
        Fault::code(400, 99991401, "ip is denied by app setting").into(),
    ];
    if route == Route::TenantAccessToken {
        kinds.push(Fault::code(400, 10014, "app secret invalid").into());
        return kinds;
    }
    kinds.push(Fault::code(400, 99991663, "Invalid access token for authorization").into());
    kinds.push(Fault::Permission(vec!["sheets:spreadsheet".into(), "im:message".into()]).into());
    let codes: &[(u16, i64, &'static str)] = match route {
        Route::ImV1Images | Route::Messages => &[
            (400, 230020, "trigger the rate limit of the chat"),
            (400, 230049, "the message is being sent"),
            (400, 230001, "invalid request parameter"),
            (400, 230002, "the bot is not in the chat"),
        ],
        _ => &[
            (200, 90217, "too many requests"),
            (200, 90235, "the document is busy"),
            (200, 90203, "server error"),
            (200, 90204, "WrongRequestBody"),
            (200, 90213, "no permission"),
            (403, 91403, "Forbidden"),
        ],
    };
    kinds.extend(codes.iter().map(|(status, code, msg)| Fault::code(*status, *code, *msg).into()));
    kinds
}

/// Numbers that look random, by splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 to `end`, which is not among them.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % end
    }
}

fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
