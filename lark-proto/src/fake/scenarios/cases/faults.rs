//! The faults that scenarios ask the fake for.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::fake::failures::Fault;
use crate::fake::lark::FakeLark;
use crate::fake::route::Route;

/// Queues `faults` for the next requests to `route`, one for each request.
pub(super) fn fail(lark: &mut FakeLark, route: Route, faults: &[Fault]) {
    for fault in faults {
        lark.fail_next_on(route, fault.clone());
    }
}

/// The HTML page of the edge.
pub(super) fn page(http: u16) -> Fault {
    Fault::EdgeHtml(status(http))
}

/// A refusal with a code.
pub(super) fn code(http: u16, code: i64) -> Fault {
    Fault::Code { status: status(http), code, msg: "as asked for".into() }
}

/// The gateway's rate limit, with a `x-ogw-ratelimit-reset` if there is a `reset`.
pub(super) fn limit(http: u16, reset: Option<&str>) -> Fault {
    Fault::RateLimited { status: status(http), reset: reset.map(str::to_owned) }
}

/// A refusal with both headers that name a wait.
pub(super) fn code_with_waits(
    http: u16,
    code: i64,
    reset: &'static str,
    retry_after: &'static str,
) -> Fault {
    let body = format!(r#"{{"code":{code},"msg":"as asked for"}}"#);
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = status(http);
    let headers = reply.headers_mut();
    headers.insert("x-ogw-ratelimit-reset", HeaderValue::from_static(reset));
    headers.insert("retry-after", HeaderValue::from_static(retry_after));
    Fault::from(reply)
}

fn status(http: u16) -> StatusCode {
    StatusCode::from_u16(http).unwrap_or(StatusCode::OK)
}
