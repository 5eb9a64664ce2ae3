//! Sessions, calls, and the replies of a service.

mod rate_windows;

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use lark_proto::endpoints::{Raw, Resend};
use lark_proto::error::Code;
use lark_proto::fake::FakeLark;
use lark_proto::session::{Call, Purpose, Session, Step};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, CallError, Image, ImageKey, PutImage, Site, TenantToken, WriteSheetImage};
use serde::de::IgnoredAny;

use crate::sim::{Cut, Reaction, Sim, after, clock};

pub(crate) use rate_windows::RateWindows;

/// The ends of the paths.
pub(crate) const TOKEN: &str = "/tenant_access_token/internal";
pub(crate) const TENANT_TOKEN: &str = "/v3/tenant_access_token";
pub(crate) const APP_TOKEN: &str = "/app_access_token";
pub(crate) const RESEND: &str = "/app_ticket/resend";
pub(crate) const PUT: &str = "/image/v4/put/";

/// The tenants that have installed the store app.
pub(crate) const ONE: &str = FakeLark::TENANT_KEY;
pub(crate) const OTHER: &str = "0a1b2c3d4e5f6071";

/// Transports: one that ends a token request with its call, and one that keeps it in flight.
pub(crate) const BOTH: [bool; 2] = [false, true];

/// The time that a refusal takes.
pub(crate) const REFUSAL: Duration = millis(50);

/// The header with the seconds after which a rate limit ends.
pub(crate) const RESET: &str = "x-ogw-ratelimit-reset";

pub(crate) type Uploaded = Result<ImageKey, CallError<Cut>>;

static UPLOAD: LazyLock<PutImage> =
    LazyLock::new(|| PutImage::message(Image::new("GIF89a").unwrap()).unwrap());

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn custom() -> Session {
    Session::new(Site::LARK, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap())
}

/// A store app's session without a ticket.
pub(crate) fn store() -> Session {
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    Session::new(Site::LARK, app)
}

pub(crate) fn with_ticket() -> Session {
    let mut session = store();
    session.set_app_ticket(ticket(FakeLark::APP_TICKET));
    session
}

pub(crate) fn ticket(text: &str) -> AppTicket {
    AppTicket::new(text).unwrap()
}

pub(crate) fn tenant(key: &str) -> TenantKey {
    TenantKey::new(key).unwrap()
}

/// A call with an upload that may be sent again.
pub(crate) fn call() -> Call<ImageKey, Cut> {
    Call::new(&*UPLOAD)
}

pub(crate) fn call_for(key: &str) -> Call<ImageKey, Cut> {
    Call::for_tenant(tenant(key), &*UPLOAD)
}

/// A token of the caller's, for which the session sends no token request.
pub(crate) fn given() -> TenantToken {
    TenantToken::new("t-given").unwrap()
}

/// A request with a body that may be sent again.
pub(crate) fn upload() -> Raw<IgnoredAny> {
    unsafe_upload().with_resend(Resend::Safe)
}

/// A request with a body that must not be sent again.
pub(crate) fn unsafe_upload() -> Raw<IgnoredAny> {
    Raw::new(Method::POST, "/open-apis/im/v1/images").with_json("0123456789").unwrap()
}

/// A write of an image to the `number`th spreadsheet.
pub(crate) fn write(number: usize, image: &str) -> WriteSheetImage {
    let image = Image::new(format!("GIF89a{image}")).unwrap();
    let spreadsheet = format!("shtcn{number:06}").parse().unwrap();
    WriteSheetImage::new(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image).unwrap()
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// A reply without a code.
pub(crate) fn page(status: u16) -> Response<Bytes> {
    answer(status, "<html>")
}

/// The reply that grants a tenant access token or an app access token.
pub(crate) fn granted(token: &str, expire: u64) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    answer(200, format!(r#"{{"code":0,{tokens},"expire":{expire}}}"#))
}

/// A success that every other endpoint of these tests can read.
pub(crate) fn success() -> Response<Bytes> {
    answer(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

/// A token for a token request, and a success for any other request.
pub(crate) fn good(request: &Request<Bytes>) -> Response<Bytes> {
    if is_fetch(request) { granted("t-1", 7200) } else { success() }
}

pub(crate) fn is_fetch(request: &Request<Bytes>) -> bool {
    request.uri().path().contains("/auth/")
}

pub(crate) fn refusal(status: u16, code: i64) -> Response<Bytes> {
    answer(status, format!(r#"{{"code":{code},"msg":"no"}}"#))
}

/// A rate-limit refusal of the route, with the seconds to wait.
pub(crate) fn limited(reset: &str) -> Response<Bytes> {
    with(refusal(429, Code::RATE_LIMITED.0), RESET, reset)
}

pub(crate) fn with(
    mut reply: Response<Bytes>,
    header: &'static str,
    value: &str,
) -> Response<Bytes> {
    reply.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    reply
}

/// A service that answers token requests by `auth`, which gets their number, and takes an image in 100 ms.
pub(crate) fn simulate<'w>(
    session: Session,
    keeps: bool,
    mut auth: impl FnMut(usize, Duration, Request<Bytes>) -> Reaction<'w> + 'w,
) -> Sim<'w, ImageKey> {
    let mut fetches = 0;
    let sim = Sim::new(session, move |now, request| {
        if !is_fetch(&request) {
            return after(millis(100), success());
        }
        fetches += 1;
        auth(fetches, now, request)
    });
    sim.keeping(keeps)
}

/// A session with a token from time zero on; `auth` answers the later token requests.
pub(crate) fn warm<'w>(
    keeps: bool,
    expire: u64,
    mut auth: impl FnMut(usize, Duration, Request<Bytes>) -> Reaction<'w> + 'w,
) -> Sim<'w, ImageKey> {
    let mut sim = simulate(custom(), keeps, move |number, now, request| match number {
        1 => after(millis(100), granted("t-1", expire)),
        _ => auth(number - 1, now, request),
    });
    sim.finish(call()).as_ref().unwrap();
    sim
}

/// The fake as the service; it answers in 100 ms.
pub(crate) fn with_fake(
    session: Session,
    keeps: bool,
    lark: &RefCell<FakeLark>,
) -> Sim<'_, ImageKey> {
    let sim = Sim::new(session, |now, request| {
        after(millis(100), lark.borrow_mut().handle(clock(now), request))
    });
    sim.keeping(keeps)
}

/// The text of a token of the custom app, or of the store app in `ONE`.
pub(crate) fn exported(session: Session, now: SystemTime, token: &str, expire: u64) -> String {
    let key = matches!(session.app(), App::Store { .. }).then(|| tenant(ONE));
    export(session, now, key.as_ref(), token, expire).unwrap()
}

/// The text of a token that is fetched and exported at `now`; `None` if the session exports no token.
pub(crate) fn export(
    mut session: Session,
    now: SystemTime,
    key: Option<&TenantKey>,
    token: &str,
    expire: u64,
) -> Option<String> {
    let mut call: Call<ImageKey, Cut> = match key {
        Some(key) => Call::for_tenant(key.clone(), &*UPLOAD),
        None => call(),
    };
    while let Step::Send(outgoing) = call.next(&mut session, now) {
        if outgoing.purpose == Purpose::Call {
            break;
        }
        let parsed = call.read(granted(token, expire));
        call.received(&mut session, now, parsed);
    }
    session.export_token(now, now, key)
}

pub(crate) fn code(result: &Uploaded) -> Option<Code> {
    Some(result.as_ref().err()?.lark()?.api()?.code)
}
