//! The list.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Expected, Scenario, Target, Trouble};
use crate::code::Code;
use crate::endpoints::{PutImage, WriteSheetImage};
use crate::error::Invalid;
use crate::fake::Route::{
    AppAccessToken as AppToken, AppTicketResend as Resend, ImageV4Put as Put,
    StoreTenantAccessToken as InTenant, TenantAccessToken as Token, ValuesImage as Cell,
};
use crate::fake::{Break, FakeLark, Fault, Route, TokenKind};
use crate::session::Limits;
use crate::values::{App, AppTicket, Image, TenantKey};

/// The wait after a first failure for which the service names none: half of it is jitter.
const BACKOFF: RangeInclusive<u64> = 250..=500;
/// The wait that the service names.
const NAMED: RangeInclusive<u64> = 50..=50;
/// Two sends: enough to see that there is no third.
const TWO: Limits = Limits::one_attempt().attempts(2);
/// Enough for a reply on loopback, and soon over.
const SECOND: Limits = Limits::one_attempt().total(Duration::from_secs(1));

/// All scenarios.
///
/// # Errors
/// None of its values is invalid, so that it has none.
pub fn all() -> Result<Vec<Scenario>, Invalid> {
    let lists = [tokens()?, limits()?, replies()?, connections()?, store_app()?];
    Ok(lists.into_iter().flatten().collect())
}

fn tokens() -> Result<Vec<Scenario>, Invalid> {
    Ok(vec![
        put("first token")?.takes(&[(Token, 1), (Put, 1)]),
        put("ok")?.warm().takes(&[(Token, 1), (Put, 2)]),
        write("ok, a cell")?.warm().takes(&[(Token, 1), (Cell, 2)]),
        put("token revoked")?
            .warm()
            .by(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .takes(&[(Token, 2), (Put, 3)]),
        put("token refused as 200")?
            .by(|lark| lark.fail_next_on(Put, code(200, 99991663)))
            .takes(&[(Token, 2), (Put, 2)]),
        put("token refused as 400")?
            .by(|lark| lark.fail_next_on(Put, code(400, 99991663)))
            .takes(&[(Token, 2), (Put, 2)]),
        write("token refused as 401")?
            .by(|lark| lark.fail_next_on(Cell, code(401, 99991663)))
            .takes(&[(Token, 2), (Cell, 2)]),
        put("token refused twice")?
            .warm()
            .by(|lark| {
                lark.revoke_tokens(TokenKind::Tenant);
                lark.fail_next_on(Put, code(400, 99991663));
                lark.fail_next_on(Put, code(400, 99991663));
            })
            .takes(&[(Token, 2), (Put, 3)])
            .fails(refused(Put, 99991663)),
        // The service hands the same token out again, and refuses it again.
        put("token revoked, without a second send")?
            .warm()
            .within(Limits::one_attempt())
            .by(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .takes(&[(Token, 1), (Put, 2)])
            .fails(refused(Put, 99991663)),
        put("token refused although fresh")?
            .by(|lark| {
                lark.fail_next_on(Put, code(200, 99991663));
                lark.fail_next_on(Put, code(200, 99991663));
            })
            .takes(&[(Token, 2), (Put, 2)])
            .fails(refused(Put, 99991663)),
        put("wrong app secret")?
            .of(App::custom(FakeLark::APP_ID, "wrong")?)
            .takes(&[(Token, 1)])
            .fails_for_good(refused(Token, 10014)),
        put("unknown app")?
            .of(App::custom("cli_0", "wrong")?)
            .takes(&[(Token, 1)])
            .fails_for_good(refused(Token, 10014)),
        put("no app")?.of(App::None).fails_for_good(failure(Put, Trouble::NoApp)),
    ])
}

fn limits() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Put, 2)];
    Ok(vec![
        put("rate limit as 429, with the header")?
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("0.05"))))
            .takes(&twice)
            .waits(NAMED),
        put("rate limit as 400, with the header")?
            .by(|lark| lark.fail_next_on(Put, limit(400, Some("0.05"))))
            .takes(&twice)
            .waits(NAMED),
        put("rate limit as 429, without the header")?
            .by(|lark| lark.fail_next_on(Put, limit(429, None)))
            .takes(&twice)
            .waits(BACKOFF),
        put("rate limit as 400, without the header")?
            .by(|lark| lark.fail_next_on(Put, limit(400, None)))
            .takes(&twice)
            .waits(BACKOFF),
        put("rate limit, with a header that says nothing")?
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("soon"))))
            .takes(&twice)
            .waits(BACKOFF),
        put("rate limit as a page of the edge")?
            .by(|lark| lark.fail_next_on(Put, Fault::EdgeHtml(StatusCode::TOO_MANY_REQUESTS)))
            .takes(&twice)
            .waits(BACKOFF),
        write("rate limit of the document, 90217")?
            .by(|lark| lark.fail_next_on(Cell, code(200, 90217)))
            .takes(&[(Token, 1), (Cell, 2)])
            .waits(BACKOFF),
        write("rate limit of the document, 90235")?
            .by(|lark| lark.fail_next_on(Cell, code(400, 90235)))
            .takes(&[(Token, 1), (Cell, 2)])
            .waits(BACKOFF),
        put("rate limit of the token's route")?
            .by(|lark| lark.fail_next_on(Token, limit(429, Some("0.05"))))
            .takes(&[(Token, 2), (Put, 1)])
            .waits(NAMED),
        put("rate limit again and again")?
            .within(TWO)
            .by(|lark| {
                lark.fail_next_on(Put, limit(429, Some("0.05")));
                lark.fail_next_on(Put, limit(429, Some("0.05")));
            })
            .takes(&twice)
            .waits(NAMED)
            .fails(refused(Put, 99991400)),
        put("rate limit for longer than a call waits")?
            .within(Limits::default().longest_wait(Duration::from_millis(50)))
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("3600"))))
            .takes(&[(Token, 1), (Put, 1)])
            .fails(refused(Put, 99991400)),
    ])
}

fn replies() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Cell, 1)];
    let scopes = ["drive:drive", "sheets:spreadsheet"].map(str::to_owned).to_vec();
    Ok(vec![
        write("page of the edge as 400")?
            .by(|lark| lark.fail_next_on(Cell, Fault::EdgeHtml(StatusCode::BAD_REQUEST)))
            .takes(&once)
            .fails(failure(Cell, Trouble::Unreadable(StatusCode::BAD_REQUEST))),
        write("page of the edge as 502")?
            .by(|lark| lark.fail_next_on(Cell, Fault::EdgeHtml(StatusCode::BAD_GATEWAY)))
            .takes(&[(Token, 1), (Cell, 2)])
            .waits(BACKOFF),
        write("page of the edge as 502 again and again")?
            .within(TWO)
            .by(|lark| {
                lark.fail_next_on(Cell, Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
                lark.fail_next_on(Cell, Fault::EdgeHtml(StatusCode::BAD_GATEWAY));
            })
            .takes(&[(Token, 1), (Cell, 2)])
            .waits(BACKOFF)
            .fails(failure(Cell, Trouble::Unreadable(StatusCode::BAD_GATEWAY))),
        write("route not found")?
            .by(|lark| lark.fail_next_on(Cell, Fault::PlainNotFound))
            .takes(&once)
            .fails(failure(Cell, Trouble::Unreadable(StatusCode::NOT_FOUND))),
        write("half of the JSON")?
            .by(|lark| lark.fail_next_on(Cell, Fault::TruncatedJson))
            .takes(&once)
            .fails(failure(Cell, Trouble::Unreadable(StatusCode::OK))),
        write("huge reply")?
            .by(|lark| {
                let huge = Bytes::from(vec![b' '; (1 << 20) + 1]);
                lark.fail_next_on(Cell, Fault::Reply(Response::new(huge)));
            })
            .takes(&once)
            .fails(failure(Cell, Trouble::TooLarge)),
        write("permission missing")?
            .by(|lark| {
                let scopes = ["drive:drive", "sheets:spreadsheet"].map(Into::into).to_vec();
                lark.fail_next_on(Cell, Fault::Permission(scopes));
            })
            .takes(&once)
            .fails(failure(Cell, Trouble::Refused { code: Code::SCOPE_MISSING, scopes })),
    ])
}

fn connections() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Cell, 2)];
    Ok(vec![
        write("reset before the body")?
            .by(|lark| lark.break_next_on(Cell, Break::BeforeBody))
            .takes(&[(Token, 1), (Cell, 1)])
            .waits(BACKOFF),
        // So long that it comes in many pieces: a short one would be there as a whole before it breaks.
        write_of("reset during the body", &[200; 300_000])?
            .by(|lark| lark.break_next_on(Cell, Break::DuringBody))
            .takes(&[(Token, 1), (Cell, 1)])
            .waits(BACKOFF),
        write("reset after the body")?
            .by(|lark| lark.break_next_on(Cell, Break::AfterBody))
            .takes(&twice)
            .waits(BACKOFF),
        put("reset after the token's request")?
            .by(|lark| lark.break_next_on(Token, Break::AfterBody))
            .takes(&[(Token, 2), (Put, 1)])
            .waits(BACKOFF),
        write("reset again and again")?
            .within(TWO)
            .by(|lark| {
                lark.break_next_on(Cell, Break::AfterBody);
                lark.break_next_on(Cell, Break::AfterBody);
            })
            .takes(&twice)
            .waits(BACKOFF)
            .fails(failure(Cell, Trouble::Transport)),
        write("reply cut short")?
            .by(|lark| lark.break_next_on(Cell, Break::CutReply))
            .takes(&twice)
            .waits(BACKOFF),
        write("slow reply in time")?
            .by(|lark| lark.break_next_on(Cell, Break::SlowReply(Duration::from_millis(50))))
            .takes(&[(Token, 1), (Cell, 1)]),
        write("slow reply past the deadline")?
            .within(SECOND)
            .by(|lark| lark.break_next_on(Cell, Break::SlowReply(Duration::from_secs(30))))
            .takes(&[(Token, 1), (Cell, 1)])
            .fails(failure(Cell, Trouble::Deadline)),
        put("slow token past the deadline")?
            .within(SECOND)
            .by(|lark| lark.break_next_on(Token, Break::SlowReply(Duration::from_secs(30))))
            .takes(&[(Token, 1)])
            .fails(failure(Token, Trouble::Deadline)),
    ])
}

fn store_app() -> Result<Vec<Scenario>, Invalid> {
    let custom = App::store(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let no_ticket = || failure(AppToken, Trouble::NoTicket);
    Ok(vec![
        put("store app")?.store()?.takes(&[(AppToken, 1), (InTenant, 1), (Put, 1)]),
        put("store app, tenant token revoked")?
            .store()?
            .warm()
            .by(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .takes(&[(AppToken, 1), (InTenant, 2), (Put, 3)]),
        put("store app, both tokens revoked")?
            .store()?
            .warm()
            .by(|lark| {
                lark.revoke_tokens(TokenKind::App);
                lark.revoke_tokens(TokenKind::Tenant);
            })
            .takes(&[(AppToken, 2), (InTenant, 3), (Put, 3)]),
        put("ticket refused")?
            .store()?
            .by(FakeLark::renew_app_ticket)
            .takes(&[(AppToken, 1), (Resend, 1)])
            .fails(no_ticket()),
        Scenario { ticket: None, ..put("no ticket yet")?.store()? }
            .takes(&[(Resend, 1)])
            .fails(no_ticket()),
        Scenario { ticket: None, ..put("custom app taken for a store app")?.store()? }
            .of(custom)
            .takes(&[(Resend, 1)])
            .fails_for_good(refused(Resend, 10016)),
        Scenario { tenant: None, ..put("no tenant")?.store()? }
            .fails_for_good(failure(Put, Trouble::NoTenant)),
        Scenario { tenant: Some(TenantKey::new("0")?), ..put("tenant without the app")?.store()? }
            .takes(&[(AppToken, 1), (InTenant, 1)])
            .fails_for_good(refused(InTenant, 10013)),
    ])
}

fn put(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(&b"GIF89a.."[..])?;
    Scenario::new(name, Target::PutImage(PutImage::message(image.clone())?), image)
}

fn write(name: &'static str) -> Result<Scenario, Invalid> {
    write_of(name, b"..")
}

fn write_of(name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    let image = Image::new([b"GIF89a", pixels].concat())?;
    let cell = format!("{}!H7", FakeLark::SHEET).parse()?;
    let write = WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone())?;
    Scenario::new(name, Target::WriteSheetImage(write), image)
}

impl Scenario {
    /// A call that succeeds at once.
    fn new(name: &'static str, call: Target, image: Image) -> Result<Self, Invalid> {
        Ok(Self {
            name,
            app: App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?,
            ticket: None,
            tenant: None,
            limits: Limits::default(),
            call,
            is_warm: false,
            waits: Duration::ZERO..=Duration::ZERO,
            expected: Expected::Success,
            requests: Vec::new(),
            recovers: true,
            image,
            prepare: |_| (),
        })
    }

    fn of(self, app: App) -> Self {
        Self { app, ..self }
    }

    fn store(self) -> Result<Self, Invalid> {
        Ok(Self {
            app: App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET)?,
            ticket: Some(AppTicket::new(FakeLark::APP_TICKET)?),
            tenant: Some(TenantKey::new(FakeLark::TENANT_KEY)?),
            ..self
        })
    }

    fn warm(self) -> Self {
        Self { is_warm: true, ..self }
    }

    fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn by(self, prepare: fn(&mut FakeLark)) -> Self {
        Self { prepare, ..self }
    }

    fn takes(self, requests: &[(Route, usize)]) -> Self {
        Self { requests: requests.to_vec(), ..self }
    }

    fn waits(self, millis: RangeInclusive<u64>) -> Self {
        let [least, most] = [*millis.start(), *millis.end()].map(Duration::from_millis);
        Self { waits: least..=most, ..self }
    }

    fn fails(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    fn fails_for_good(self, expected: Expected) -> Self {
        Self { expected, recovers: false, ..self }
    }
}

fn failure(route: Route, trouble: Trouble) -> Expected {
    Expected::Failure { route: route.path().into(), trouble }
}

fn refused(route: Route, code: i64) -> Expected {
    failure(route, Trouble::Refused { code: Code(code), scopes: Vec::new() })
}

fn code(http: u16, code: i64) -> Fault {
    Fault::Code { status: status(http), code, msg: "as asked for".into() }
}

fn limit(http: u16, reset: Option<&str>) -> Fault {
    Fault::RateLimited { status: status(http), reset: reset.map(str::to_owned) }
}

fn status(http: u16) -> StatusCode {
    StatusCode::from_u16(http).unwrap_or(StatusCode::OK)
}
