//! Sessions, calls, and the replies of a service by hand.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use lark_proto::error::Code;
use lark_proto::fake::FakeLark;
use lark_proto::session::{Call, Session};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, CallError, Image, ImageKey, PutImage, Site};

use crate::sim::{Cut, Reaction, Sim, after};

/// The ends of the paths.
pub(crate) const TOKEN: &str = "/tenant_access_token/internal";
pub(crate) const TENANT_TOKEN: &str = "/v3/tenant_access_token";
pub(crate) const APP_TOKEN: &str = "/app_access_token";
pub(crate) const RESEND: &str = "/app_ticket/resend";
pub(crate) const PUT: &str = "/image/v4/put/";

/// The tenants that have the store app.
pub(crate) const ONE: &str = FakeLark::TENANT_KEY;
pub(crate) const OTHER: &str = "0a1b2c3d4e5f6071";

/// Without and with a transport that keeps token requests.
pub(crate) const BOTH: [bool; 2] = [false, true];

pub(crate) type Uploaded = Result<ImageKey, CallError<Cut>>;

static UPLOAD: LazyLock<PutImage> =
    LazyLock::new(|| PutImage::message(Image::new("GIF89a").unwrap()).unwrap());

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The time of the wall clock at `now` of a simulation.
pub(crate) fn clock(now: Duration) -> SystemTime {
    UNIX_EPOCH + secs(1_800_000_000) + now
}

pub(crate) fn custom() -> Session {
    Session::new(Site::LARK, App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap())
}

/// Without a ticket.
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

pub(crate) fn call() -> Call<ImageKey, Cut> {
    Call::new(&*UPLOAD)
}

pub(crate) fn call_for(key: &str) -> Call<ImageKey, Cut> {
    Call::for_tenant(tenant(key), &*UPLOAD)
}

fn json(status: u16, body: String) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// A token of either kind.
pub(crate) fn granted(token: &str, expire: u64) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    json(200, format!(r#"{{"code":0,{tokens},"expire":{expire}}}"#))
}

pub(crate) fn stored() -> Response<Bytes> {
    json(200, r#"{"code":0,"data":{"image_key":"img_1"}}"#.into())
}

pub(crate) fn refusal(status: u16, code: i64) -> Response<Bytes> {
    json(status, format!(r#"{{"code":{code},"msg":"no"}}"#))
}

/// The refusal of a rate, which asks to wait for so many seconds.
pub(crate) fn told(seconds: u64) -> Response<Bytes> {
    let mut reply = refusal(429, Code::RATE_LIMITED.0);
    reply.headers_mut().insert("x-ogw-ratelimit-reset", seconds.into());
    reply
}

pub(crate) fn page(status: u16) -> Response<Bytes> {
    json(status, "<html>".into())
}

/// A service that answers token requests by `auth`, which is told their number, and takes an image in 100 ms.
pub(crate) fn simulate<'w>(
    session: Session,
    keeps: bool,
    mut auth: impl FnMut(usize, Duration, Request<Bytes>) -> Reaction<'w> + 'w,
) -> Sim<'w, ImageKey> {
    let mut asked = 0;
    let sim = Sim::new(session, move |now, request| {
        if !request.uri().path().contains("/auth/") {
            return after(millis(100), stored());
        }
        asked += 1;
        auth(asked, now, request)
    });
    if keeps { sim.keeping() } else { sim }
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
    if keeps { sim.keeping() } else { sim }
}

/// A session that has a token from time zero on, after which `auth` answers.
pub(crate) fn warm<'w>(
    keeps: bool,
    expire: u64,
    mut auth: impl FnMut(usize, Duration, Request<Bytes>) -> Reaction<'w> + 'w,
) -> Sim<'w, ImageKey> {
    let mut sim = simulate(custom(), keeps, move |number, now, request| match number {
        1 => after(millis(100), granted("t-1", expire)),
        _ => auth(number - 1, now, request),
    });
    finish(&mut sim, call()).as_ref().unwrap();
    sim
}

/// Runs one call to its end.
pub(crate) fn finish<'s, 'w>(
    sim: &'s mut Sim<'w, ImageKey>,
    call: Call<ImageKey, Cut>,
) -> &'s Uploaded {
    let task = sim.start(call.boxed());
    sim.run();
    sim.result(task)
}

/// The text of a token of the custom app, or of the store app in `ONE`.
pub(crate) fn exported(mut session: Session, now: SystemTime, token: &str, expire: u64) -> String {
    let key = matches!(session.app(), App::Store { .. }).then(|| tenant(ONE));
    let mut call = match &key {
        Some(key) => Call::for_tenant(key.clone(), &*UPLOAD),
        None => call(),
    };
    while session.export_token(now, now, key.as_ref()).is_none() {
        let _request = call.next(&mut session, now);
        let parsed = call.read(granted(token, expire));
        call.received(&mut session, now, parsed);
    }
    session.export_token(now, now, key.as_ref()).unwrap()
}

pub(crate) fn code(result: &Uploaded) -> Option<Code> {
    Some(result.as_ref().err()?.lark()?.api()?.code)
}
