//! The list.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use super::{Expected, Scenario, Target, Trouble};
use crate::body::Multipart;
use crate::endpoints::{
    AddDimension, GetImage, PutImage, Raw, ReadCells, SendImage, WriteSheetImage,
};
use crate::error::{Code, Invalid, Outcome};
use crate::fake::Route::{
    AddDimension as Rows, AppAccessToken as AppToken, ImV1Image as Download, ImV1Images as Once,
    ImageV4Put as Put, Messages as Message, ResendAppTicket as Resend,
    StoreTenantAccessToken as InTenant, TenantAccessToken as Token, Values, ValuesImage as Cell,
};
use crate::fake::{Break, FakeLark, Fault, ImageKind, Route, StoredImage, TokenKind};
use crate::session::Limits;
use crate::values::{App, AppTicket, Image, ImageKey, MessageUuid, Receiver, TenantKey};

/// The backoff after a first failure, in milliseconds: jitter takes off up to a half.
const BACKOFF: RangeInclusive<u64> = 250..=500;
/// The backoff after a second failure.
const SECOND_BACKOFF: RangeInclusive<u64> = 500..=1000;
/// The wait that the service names in most scenarios.
const NAMED: RangeInclusive<u64> = 50..=50;
/// Two attempts: enough to see that there is no third.
const TWO: Limits = Limits::one_attempt().attempts(2);
/// Enough for a reply on loopback.
const SECOND: Limits = Limits::one_attempt().total(Duration::from_secs(1));

/// All scenarios. None lasts longer than [2.1 s](field@Scenario::lasts), and few longer than half a second, since some
/// clients run them in real time.
///
/// # Errors
/// There are none: each value of the list is valid.
pub fn all() -> Result<Vec<Scenario>, Invalid> {
    let lists = [
        tokens()?,
        token_requests()?,
        rate_limits()?,
        busy_documents()?,
        replies()?,
        connections()?,
        downloads()?,
        spreadsheets()?,
        unsafe_calls()?,
        store_app()?,
        messages()?,
    ];
    Ok(lists.into_iter().flatten().collect())
}

fn tokens() -> Result<Vec<Scenario>, Invalid> {
    Ok(vec![
        put("first token")?.takes(&[(Token, 1), (Put, 1)]),
        put("ok")?.warm().takes(&[(Token, 1), (Put, 2)]),
        write("ok, a cell")?.warm().takes(&[(Token, 1), (Cell, 2)]),
        once("ok, an unsafe call")?.takes(&[(Token, 1), (Once, 1)]),
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
                fail(lark, Put, &[code(400, 99991663), code(400, 99991663)]);
            })
            .takes(&[(Token, 2), (Put, 4)])
            .lasts(SECOND_BACKOFF),
        // The service hands out the same token again, and refuses it again.
        put("token refused although fresh")?
            .by(|lark| fail(lark, Put, &[code(200, 99991663), code(200, 99991663)]))
            .takes(&[(Token, 2), (Put, 3)])
            .lasts(SECOND_BACKOFF),
        put("token refused at each attempt")?
            .within(TWO)
            .by(|lark| fail(lark, Put, &[code(200, 99991663), code(200, 99991663)]))
            .takes(&[(Token, 2), (Put, 2)])
            .fails(refused(Put, 99991663)),
        put("token revoked, with one attempt")?
            .warm()
            .within(Limits::one_attempt())
            .by(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .takes(&[(Token, 1), (Put, 2)])
            .fails(refused(Put, 99991663)),
    ])
}

fn token_requests() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 2), (Put, 1)];
    Ok(vec![
        put("token request answered 500")?
            .by(|lark| lark.fail_next_on(Token, page(500)))
            .takes(&twice)
            .lasts(BACKOFF),
        put("token request answered 503 with an unknown code")?
            .by(|lark| lark.fail_next_on(Token, code(503, 42)))
            .takes(&twice)
            .lasts(BACKOFF),
        put("half of the token's JSON")?
            .by(|lark| lark.fail_next_on(Token, Fault::TruncatedJson))
            .takes(&twice)
            .lasts(BACKOFF),
        put("reset after the token request")?
            .by(|lark| lark.fail_next_on(Token, Break::AfterBody))
            .takes(&twice)
            .lasts(BACKOFF),
        // A caller's limits are about its own request.
        put("reset after the token request, with one attempt")?
            .within(Limits::one_attempt())
            .by(|lark| lark.fail_next_on(Token, Break::AfterBody))
            .takes(&twice)
            .lasts(BACKOFF),
        put("rate limit of the token's route")?
            .by(|lark| lark.fail_next_on(Token, limit(429, Some("0.05"))))
            .takes(&twice)
            .lasts(NAMED),
        put("rate limit of the token's route for an hour")?
            .by(|lark| lark.fail_next_on(Token, limit(429, Some("3600"))))
            .takes(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(99991400))),
        put("slow token past the deadline")?
            .within(SECOND)
            .by(|lark| lark.fail_next_on(Token, Break::SlowReply(Duration::from_millis(1500))))
            .takes(&[(Token, 1)])
            .lasts(1000..=1000)
            .fails(not_sent(Token, Trouble::Deadline)),
        put("wrong app secret")?
            .of(App::custom(FakeLark::APP_ID, "wrong")?)
            .takes(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(10014))),
        put("unknown app")?
            .of(App::custom("cli_0", "wrong")?)
            .takes(&[(Token, 1)])
            .fails_for_good(not_sent(Token, api(10014))),
        put("no app")?.of(App::None).fails_for_good(not_sent(Put, Trouble::NoApp)),
    ])
}

fn rate_limits() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Put, 2)];
    Ok(vec![
        put("rate limit as 429, with the header")?
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("0.05"))))
            .takes(&twice)
            .lasts(NAMED),
        put("rate limit as 400, with the header")?
            .by(|lark| lark.fail_next_on(Put, limit(400, Some("0.05"))))
            .takes(&twice)
            .lasts(NAMED),
        put("rate limit as 429, without the header")?
            .by(|lark| lark.fail_next_on(Put, limit(429, None)))
            .takes(&twice)
            .lasts(BACKOFF),
        put("rate limit as 400, without the header")?
            .by(|lark| lark.fail_next_on(Put, limit(400, None)))
            .takes(&twice)
            .lasts(BACKOFF),
        put("rate limit, with a header that cannot be read")?
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("soon"))))
            .takes(&twice)
            .lasts(BACKOFF),
        put("rate limit, with two headers that disagree")?
            .by(|lark| lark.fail_next_on(Put, reply(429, 99991400, "120", "0.05")))
            .takes(&twice)
            .lasts(NAMED),
        put("rate limit as a page of the edge")?
            .by(|lark| lark.fail_next_on(Put, page(429)))
            .takes(&twice)
            .lasts(BACKOFF),
        // A rate refusal costs no attempt. After the first one the route takes five requests a second.
        put("rate limit again and again")?
            .within(TWO)
            .by(|lark| fail(lark, Put, &[limit(429, Some("0.05")), limit(429, Some("0.05"))]))
            .takes(&[(Token, 1), (Put, 3)])
            .lasts(250..=250),
        put("rate limit, with one attempt")?
            .within(Limits::one_attempt())
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("0.05"))))
            .takes(&[(Token, 1), (Put, 1)])
            .fails(refused(Put, 99991400)),
        put("rate limit for longer than the call waits")?
            .within(Limits::default().longest_wait(Duration::from_millis(50)))
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("3600"))))
            .takes(&[(Token, 1), (Put, 1)])
            .fails_for_good(refused(Put, 99991400)),
        put("rate limit past the deadline")?
            .within(SECOND.total(Duration::from_secs(10)).attempts(2))
            .by(|lark| lark.fail_next_on(Put, limit(429, Some("30"))))
            .takes(&[(Token, 1), (Put, 1)])
            .fails_for_good(refused(Put, 99991400)),
    ])
}

fn busy_documents() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Cell, 2)];
    Ok(vec![
        write("document busy, 90217")?
            .by(|lark| lark.fail_next_on(Cell, code(200, 90217)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("document busy, 90228")?
            .by(|lark| lark.fail_next_on(Cell, code(200, 90228)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("document busy, 90235")?
            .by(|lark| lark.fail_next_on(Cell, code(400, 90235)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("document busy, 90242")?
            .by(|lark| lark.fail_next_on(Cell, code(200, 90242)))
            .takes(&twice)
            .lasts(BACKOFF),
        // The time bounds it, not the attempts.
        write("document busy for more often than there are attempts")?
            .within(TWO)
            .by(|lark| {
                let busy = || reply(400, 90235, "0.05", "0.05");
                fail(lark, Cell, &[busy(), busy(), busy(), busy()]);
            })
            .takes(&[(Token, 1), (Cell, 5)])
            .lasts(200..=200),
        write("document busy for longer than the call waits")?
            .within(Limits::default().busy(Duration::from_millis(200)))
            .by(|lark| fail(lark, Cell, &[code(200, 90217), code(400, 90235)]))
            .takes(&twice)
            .lasts(200..=200)
            .fails(refused(Cell, 90235)),
        write("document busy, with one attempt")?
            .within(Limits::one_attempt())
            .by(|lark| lark.fail_next_on(Cell, code(200, 90217)))
            .takes(&[(Token, 1), (Cell, 1)])
            .fails(refused(Cell, 90217)),
    ])
}

fn replies() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Cell, 1)];
    let twice = [(Token, 1), (Cell, 2)];
    let scopes = ["drive:drive", "sheets:spreadsheet"].map(str::to_owned).to_vec();
    Ok(vec![
        write("page of the edge as 400")?
            .by(|lark| lark.fail_next_on(Cell, page(400)))
            .takes(&once)
            .fails(failed(Outcome::Refused, Cell, unreadable(400))),
        write("page of the edge as 408")?
            .by(|lark| lark.fail_next_on(Cell, page(408)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("page of the edge as 500")?
            .by(|lark| lark.fail_next_on(Cell, page(500)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("page of the edge as 500 again and again")?
            .within(TWO)
            .by(|lark| fail(lark, Cell, &[page(500), page(500)]))
            .takes(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, unreadable(500))),
        // The write may still be running: it is given two seconds, and what it makes of the document costs no attempt.
        write("page of the edge as 502, and the document is busy with the write")?
            .within(TWO)
            .by(|lark| fail(lark, Cell, &[page(502), reply(200, 90217, "0.05", "0.05")]))
            .takes(&[(Token, 1), (Cell, 3)])
            .lasts(2050..=2050),
        write("500 with an unknown code")?
            .by(|lark| lark.fail_next_on(Cell, code(500, 42)))
            .takes(&twice)
            .lasts(BACKOFF),
        write("400 with an unknown code")?
            .by(|lark| lark.fail_next_on(Cell, code(400, 42)))
            .takes(&once)
            .fails(refused(Cell, 42)),
        // Whether the first send was carried out is not known, and the refusal of the second does not tell.
        write("refused after an unknown code as 500")?
            .by(|lark| fail(lark, Cell, &[code(500, 42), code(400, 42)]))
            .takes(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, api(42))),
        write("route not found")?
            .by(|lark| lark.fail_next_on(Cell, Fault::PlainNotFound))
            .takes(&once)
            .fails(failed(Outcome::Refused, Cell, unreadable(404))),
        write("half of the JSON")?
            .by(|lark| lark.fail_next_on(Cell, Fault::TruncatedJson))
            .takes(&once)
            .fails(failed(Outcome::Unknown, Cell, unreadable(200))),
        write("huge reply")?
            .by(|lark| {
                let huge = Bytes::from(vec![b' '; (1 << 20) + 1]);
                lark.fail_next_on(Cell, Fault::from(Response::new(huge)));
            })
            .takes(&once)
            .fails(failed(Outcome::Unknown, Cell, Trouble::TooLarge)),
        write("permission missing")?
            .by(|lark| {
                let scopes = ["drive:drive", "sheets:spreadsheet"].map(Into::into).to_vec();
                lark.fail_next_on(Cell, Fault::Permission(scopes));
            })
            .takes(&once)
            .fails(failed(
                Outcome::Refused,
                Cell,
                Trouble::Refused { code: Code::SCOPE_MISSING, scopes },
            )),
    ])
}

fn connections() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Cell, 1)];
    let twice = [(Token, 1), (Cell, 2)];
    // Long enough to come in many pieces: a short one would have arrived before it breaks.
    let long = [200; 300_000];
    Ok(vec![
        write("reset before the body")?
            .by(|lark| lark.fail_next_on(Cell, Break::BeforeBody))
            .takes(&once)
            .lasts(BACKOFF),
        write_of("reset during the body", &long)?
            .by(|lark| lark.fail_next_on(Cell, Break::DuringBody))
            .takes(&once)
            .lasts(BACKOFF),
        write_of("reset during the body, twice", &long)?
            .by(|lark| {
                lark.fail_next_on(Cell, Break::DuringBody);
                lark.fail_next_on(Cell, Break::DuringBody);
            })
            .takes(&once)
            .lasts(750..=1500),
        write("reset after the body")?
            .by(|lark| lark.fail_next_on(Cell, Break::AfterBody))
            .takes(&twice)
            .lasts(BACKOFF),
        write("reset again and again")?
            .within(TWO)
            .by(|lark| {
                lark.fail_next_on(Cell, Break::AfterBody);
                lark.fail_next_on(Cell, Break::AfterBody);
            })
            .takes(&twice)
            .lasts(BACKOFF)
            .fails(failed(Outcome::Unknown, Cell, Trouble::Transport)),
        write("reply cut short")?
            .by(|lark| lark.fail_next_on(Cell, Break::CutReply))
            .takes(&twice)
            .lasts(BACKOFF),
        write("slow reply in time")?
            .by(|lark| lark.fail_next_on(Cell, Break::SlowReply(Duration::from_millis(50))))
            .takes(&once)
            .lasts(50..=50),
        write("slow reply past the deadline")?
            .within(SECOND)
            .by(|lark| lark.fail_next_on(Cell, Break::SlowReply(Duration::from_secs(30))))
            .takes(&once)
            .lasts(1000..=1000)
            .fails(failed(Outcome::Unknown, Cell, Trouble::Deadline)),
    ])
}

fn downloads() -> Result<Vec<Scenario>, Invalid> {
    let once = [(Token, 1), (Download, 1)];
    let twice = [(Token, 1), (Download, 2)];
    Ok(vec![
        get("ok, a download above 1 MiB", &[b'.'; LONG])?
            .by(|lark| store(lark, &[b'.'; LONG]))
            .takes(&once),
        get("a download whose reply is cut short", b"..")?
            .by(|lark| {
                store(lark, b"..");
                lark.fail_next_on(Download, Break::CutReply);
            })
            .takes(&twice)
            .lasts(BACKOFF),
        get("a download refused as 200", b"..")?
            .by(|lark| {
                store(lark, b"..");
                lark.fail_next_on(Download, code(200, 234008));
            })
            .takes(&once)
            .fails(refused(Download, 234008)),
        get("a download refused without a body", b"..")?
            .by(|lark| {
                store(lark, b"..");
                let mut empty = Response::default();
                *empty.status_mut() = StatusCode::FORBIDDEN;
                lark.fail_next_on(Download, Fault::from(empty));
            })
            .takes(&once)
            .fails(failed(Outcome::Refused, Download, unreadable(403))),
        get("a page of the edge as 200 in place of a download", b"..")?
            .by(|lark| {
                store(lark, b"..");
                lark.fail_next_on(Download, page(200));
            })
            .takes(&once)
            .fails(failed(Outcome::Unknown, Download, unreadable(200))),
    ])
}

fn spreadsheets() -> Result<Vec<Scenario>, Invalid> {
    Ok(vec![
        read("ok, cells are read")?.takes(&[(Token, 1), (Values, 1)]),
        read("cells are read from a sheet that is not there")?
            .by(|lark| lark.fail_next_on(Values, code(400, 90215)))
            .takes(&[(Token, 1), (Values, 1)])
            .fails(refused(Values, 90215)),
        read("cells whose reply is cut short")?
            .by(|lark| lark.fail_next_on(Values, Break::CutReply))
            .takes(&[(Token, 1), (Values, 2)])
            .lasts(BACKOFF),
        write_to("H201", "a cell outside of the grid", b"..")?
            .takes(&[(Token, 1), (Cell, 1)])
            .fails_for_good(refused(Cell, 90202)),
        add("ok, rows are added")?.takes(&[(Token, 1), (Rows, 1)]),
        add("rows are added while the document is busy")?
            .by(|lark| lark.fail_next_on(Rows, code(200, 90217)))
            .takes(&[(Token, 1), (Rows, 2)])
            .lasts(BACKOFF),
        // They may have been added, and a second send would add as many again.
        add("rows are added, and the reply is lost")?
            .by(|lark| lark.fail_next_on(Rows, Break::AfterBody))
            .takes(&[(Token, 1), (Rows, 1)])
            .fails(failed(Outcome::Unknown, Rows, Trouble::Transport)),
    ])
}

/// A refusal that shows that nothing was done is followed by a second send, and nothing else is.
fn unsafe_calls() -> Result<Vec<Scenario>, Invalid> {
    let single = [(Token, 1), (Once, 1)];
    let twice = [(Token, 1), (Once, 2)];
    Ok(vec![
        once("token refused, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, code(400, 99991663)))
            .takes(&[(Token, 2), (Once, 2)]),
        once("rate limit, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, limit(429, Some("0.05"))))
            .takes(&twice)
            .lasts(NAMED),
        once("rate limit as a page of the edge, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, page(429)))
            .takes(&twice)
            .lasts(BACKOFF),
        once("page of the edge as 502, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, page(502)))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Once, unreadable(502))),
        once("500 with an unknown code, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, code(500, 42)))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Once, api(42))),
        once("reset after the body, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, Break::AfterBody))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Once, Trouble::Transport)),
        once("reply cut short, an unsafe call")?
            .by(|lark| lark.fail_next_on(Once, Break::CutReply))
            .takes(&single)
            .fails(failed(Outcome::Unknown, Once, Trouble::Transport)),
    ])
}

fn store_app() -> Result<Vec<Scenario>, Invalid> {
    let custom = App::store(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let no_ticket = || not_sent(AppToken, Trouble::NoTicket);
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
        put("store app, app token request answered 500")?
            .store()?
            .by(|lark| lark.fail_next_on(AppToken, page(500)))
            .takes(&[(AppToken, 2), (InTenant, 1), (Put, 1)])
            .lasts(BACKOFF),
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
            .fails_for_good(not_sent(Resend, api(10016))),
        Scenario { tenant: None, ..put("no tenant")?.store()? }
            .fails_for_good(not_sent(Put, Trouble::NoTenant)),
        Scenario { tenant: Some(TenantKey::new("0")?), ..put("tenant without the app")?.store()? }
            .takes(&[(AppToken, 1), (InTenant, 1)])
            .fails_for_good(not_sent(InTenant, api(10013))),
        Scenario { tenant: Some(TenantKey::new("0")?), ..put("tenant of a custom app")? }
            .fails_for_good(not_sent(Put, Trouble::ForeignTenant)),
    ])
}

/// A message is sent once, whatever becomes of the replies: the service knows its uuid.
fn messages() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Message, 2)];
    Ok(vec![
        send("ok, a message")?.by(upload).takes(&[(Token, 1), (Message, 1)]),
        send("reset after the body, a message")?
            .by(|lark| {
                upload(lark);
                lark.fail_next_on(Message, Break::AfterBody);
            })
            .takes(&twice)
            .lasts(BACKOFF),
        send("reply cut short, a message")?
            .by(|lark| {
                upload(lark);
                lark.fail_next_on(Message, Break::CutReply);
            })
            .takes(&twice)
            .lasts(BACKOFF),
        send("the same message is being sent")?
            .by(|lark| {
                upload(lark);
                lark.fail_next_on(Message, code(400, 230049));
            })
            .takes(&twice)
            .lasts(BACKOFF),
        send("bot not in the group")?
            .by(|lark| {
                upload(lark);
                lark.fail_next_on(Message, code(400, 230002));
            })
            .takes(&[(Token, 1), (Message, 1)])
            .fails(refused(Message, 230002)),
        // Without the upload, the key is nobody's.
        send("message with the key of another app's image")?
            .takes(&[(Token, 1), (Message, 1)])
            .fails_for_good(refused(Message, 230017)),
    ])
}

fn put(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(&b"GIF89a.."[..])?;
    Scenario::new(name, Target::PutImage(PutImage::message(image.clone())?), image)
}

fn once(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(&b"GIF89a.."[..])?;
    let form = Multipart::new().text("image_type", "message").file(
        "image",
        "image.gif",
        "image/gif",
        image.bytes().clone(),
    );
    let upload = Raw::new(Method::POST, Once.path()).with_payload(form.payload());
    Scenario::new(name, Target::Unsafe(upload), image)
}

/// The image of the messages.
const IMAGE: &[u8] = b"GIF89a..";

/// Adds the image of the messages.
fn upload(lark: &mut FakeLark) {
    lark.add_image(ImageKind::Message, IMAGE);
}

fn send(name: &'static str) -> Result<Scenario, Invalid> {
    // A fake gives the same key to its first image.
    let key = ImageKey::new(&FakeLark::new().add_image(ImageKind::Message, IMAGE))?;
    let send = SendImage::new(Receiver::chat(FakeLark::CHAT)?, key, MessageUuid::new(name)?);
    Scenario::new(name, Target::SendImage(send), Image::new(IMAGE)?)
}

fn write(name: &'static str) -> Result<Scenario, Invalid> {
    write_of(name, b"..")
}

fn write_of(name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    write_to("H7", name, pixels)
}

fn write_to(cell: &str, name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    let image = Image::new([b"GIF89a", pixels].concat())?;
    let cell = format!("{}!{cell}", FakeLark::SHEET).parse()?;
    let write = WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone())?;
    Scenario::new(name, Target::WriteSheetImage(write), image)
}

fn read(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(&b"GIF89a.."[..])?;
    let cell = format!("{}!H7", FakeLark::SHEET).parse()?;
    let read = ReadCells::cell(FakeLark::SPREADSHEET.parse()?, &cell);
    Scenario::new(name, Target::ReadCells(read), image)
}

fn add(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(&b"GIF89a.."[..])?;
    let add = AddDimension::rows(FakeLark::SPREADSHEET.parse()?, FakeLark::SHEET.parse()?, 8)?;
    Scenario::new(name, Target::AddDimension(add), image)
}

/// The key of the image that is downloaded.
const KEY: &str = "img_v3_02k1_scenario";
/// More than the default limit of a reply.
const LONG: usize = (1 << 20) + 1;

fn get(name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    let image = Image::new([b"GIF89a", pixels].concat())?;
    Scenario::new(name, Target::GetImage(GetImage::new(KEY.parse()?)), image)
}

fn store(lark: &mut FakeLark, pixels: &[u8]) {
    let image = StoredImage {
        kind: ImageKind::Message,
        bytes: [b"GIF89a", pixels].concat().into(),
        file_name: "image.gif".to_owned(),
        content_type: None,
        app_id: None,
    };
    lark.images.insert(KEY.to_owned(), image);
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
            lasts: Duration::ZERO..=Duration::ZERO,
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

    fn lasts(self, millis: RangeInclusive<u64>) -> Self {
        let [least, most] = [*millis.start(), *millis.end()].map(Duration::from_millis);
        Self { lasts: least..=most, ..self }
    }

    fn fails(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    fn fails_for_good(self, expected: Expected) -> Self {
        Self { expected, recovers: false, ..self }
    }
}

fn failed(outcome: Outcome, route: Route, trouble: Trouble) -> Expected {
    Expected::Failure { route: route.path().into(), trouble, outcome }
}

/// The call ends before its own request was sent.
fn not_sent(route: Route, trouble: Trouble) -> Expected {
    failed(Outcome::NotSent, route, trouble)
}

/// The service refuses the call's own request.
fn refused(route: Route, code: i64) -> Expected {
    failed(Outcome::Refused, route, api(code))
}

fn api(code: i64) -> Trouble {
    Trouble::Refused { code: Code(code), scopes: Vec::new() }
}

fn unreadable(http: u16) -> Trouble {
    Trouble::Unreadable(status(http))
}

/// Has the next requests to `route` fail, one after the other.
fn fail(lark: &mut FakeLark, route: Route, faults: &[Fault]) {
    for fault in faults {
        lark.fail_next_on(route, fault.clone());
    }
}

fn page(http: u16) -> Fault {
    Fault::EdgeHtml(status(http))
}

fn code(http: u16, code: i64) -> Fault {
    Fault::Code { status: status(http), code, msg: "as asked for".into() }
}

fn limit(http: u16, reset: Option<&str>) -> Fault {
    Fault::RateLimited { status: status(http), reset: reset.map(str::to_owned) }
}

/// A refusal with both headers that name a wait.
fn reply(http: u16, code: i64, reset: &'static str, retry_after: &'static str) -> Fault {
    let mut reply = Response::new(format!(r#"{{"code":{code},"msg":"as asked for"}}"#).into());
    *reply.status_mut() = status(http);
    let header = http::HeaderValue::from_static;
    reply.headers_mut().insert("x-ogw-ratelimit-reset", header(reset));
    reply.headers_mut().insert("retry-after", header(retry_after));
    Fault::from(reply)
}

fn status(http: u16) -> StatusCode {
    StatusCode::from_u16(http).unwrap_or(StatusCode::OK)
}
