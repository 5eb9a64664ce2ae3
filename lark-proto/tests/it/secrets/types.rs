//! The printed form of each public type.
//!
//! The sources are searched for public types, so that a new one is added to one of the lists here.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, Response};
use lark_proto::body::{Body, Multipart};
use lark_proto::endpoints::{
    AppTicketEvent, DownloadMedia, GetAppToken, GetImage, GetStoreTenantToken, GetTenantToken,
    Payload, Raw, Reply, ResendAppTicket, WithLogId,
};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::http1::Requests;
use lark_proto::fake::scenarios::{self, Next, Run};
use lark_proto::fake::{
    Connection, Failure, FakeLark, Fault, ImageKind, Route, ServerStep, TokenKind,
};
use lark_proto::network::{ClientBuilder, FromSettings, Proxy, Settings};
use lark_proto::session::{Call, Limits, Permanence, Session, Step, TransportFailure};
use lark_proto::token::AppToken;
use lark_proto::values::{AppId, AppSecret, AppTicket, TenantKey};
use lark_proto::{
    App, CallError, CreateImage, EndpointExt, Image, PutImage, Site, TenantToken, UserToken,
    WriteSheetImage,
};
use serde_json::json;

use crate::sim::Cut;

const SECRET: &str = "s3cret-Mark0-0000";
const TICKET: &str = "t1cket-Mark1-1111";
const TENANT: &str = "t-Mark2-2222aaaa3333";
const USER: &str = "u-Mark3-3333aaaa4444";
const APP: &str = "a-Mark4-4444aaaa5555";
const IMAGE: &str = "GIF89a-Mark5-5555";
const PASSWORD: &str = "Mark6pass6666";

/// The forms in which a printed value could show `secret`.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let list = |form: fn(&u8) -> String, separator: &str| {
        bytes.iter().map(form).collect::<Vec<_>>().join(separator)
    };
    vec![
        secret.to_owned(),
        list(u8::to_string, ", "),
        list(u8::to_string, ",\n    "),
        list(|byte| format!("{byte:02x}"), ""),
        list(|byte| format!("{byte:02x}"), " "),
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret),
    ]
}

/// The printed forms, by the name of the type.
#[derive(Default)]
struct Printed(Vec<(&'static str, String)>);

impl Printed {
    fn add(&mut self, name: &'static str, value: &dyn Debug) {
        self.0.push((name, format!("{value:?}\n{value:#?}")));
    }
}

fn image() -> Image {
    Image::new(IMAGE).unwrap()
}

fn put() -> PutImage {
    PutImage::message(image()).unwrap()
}

fn id() -> AppId {
    AppId::new("cli_x").unwrap()
}

fn secret() -> AppSecret {
    AppSecret::new(SECRET).unwrap()
}

fn ticket() -> AppTicket {
    AppTicket::new(TICKET).unwrap()
}

fn app_token() -> AppToken {
    AppToken::new(APP).unwrap()
}

fn tenant_key() -> TenantKey {
    TenantKey::new("key").unwrap()
}

fn reply(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}

/// The reply to a token request.
fn grant() -> Response<Bytes> {
    let body = json!({"code": 0, "tenant_access_token": TENANT, "app_access_token": APP});
    reply(body.to_string())
}

fn print_values(printed: &mut Printed) {
    printed.add("App", &App::custom("cli_x", SECRET).unwrap());
    printed.add("AppSecret", &secret());
    printed.add("AppTicket", &ticket());
    printed.add("TenantToken", &TenantToken::new(TENANT).unwrap());
    printed.add("UserToken", &UserToken::new(USER).unwrap());
    printed.add("AppToken", &app_token());
    printed.add("Image", &image());
    printed.add("Proxy", &Proxy::new(&format!("http://u:{PASSWORD}@host:1")).unwrap());
    let event = json!({"token": "v", "event": {"type": "app_ticket", "app_id": "cli_x", "app_ticket": TICKET}});
    let event = AppTicketEvent::parse(event.to_string().as_bytes(), "v").unwrap();
    printed.add("AppTicketEvent", &event);
    // A secret at the place of another value is masked in the error.
    for misplaced in [TENANT, USER, APP] {
        printed.add("Invalid", &AppId::new(&format!("{misplaced} {misplaced}")).unwrap_err());
        printed.add("Invalid", &Site::custom(&format!("https://u:{PASSWORD}@h")).unwrap_err());
        printed.add("Invalid", &Proxy::new(&format!("ftp://u:{PASSWORD}@h")).unwrap_err());
    }
}

fn print_endpoints(printed: &mut Printed) {
    printed.add("GetTenantToken", &GetTenantToken::new(id(), secret()));
    printed.add("GetAppToken", &GetAppToken::new(id(), secret(), ticket()));
    printed.add("GetStoreTenantToken", &GetStoreTenantToken::new(app_token(), tenant_key()));
    printed.add("ResendAppTicket", &ResendAppTicket::new(id(), secret()));
    printed.add("Grant", &GetTenantToken::decode(grant()).unwrap());
    printed.add("Grant", &GetAppToken::decode(grant()).unwrap());
    printed.add("PutImage", &put());
    printed.add("CreateImage", &CreateImage::message(image()).unwrap());
    let cell = "a!A1".parse().unwrap();
    printed.add(
        "WriteSheetImage",
        &WriteSheetImage::new("sht".parse().unwrap(), cell, image()).unwrap(),
    );
    printed.add("WithLogId", &WithLogId(&put()));
    let media = DownloadMedia::new("box".parse().unwrap());
    printed.add("DownloadMedia", &media.with_extra("{}").unwrap());
    printed.add("Download", &GetImage::decode(reply(IMAGE)).unwrap());
    let raw: Raw<()> = Raw::new(Method::POST, "/open-apis/:x")
        .segment(TENANT)
        .query("token", USER)
        .with_json(&json!({"secret": SECRET}))
        .unwrap()
        .with_header(http::header::COOKIE, SECRET.parse().unwrap());
    printed.add("Raw", &raw);
    printed.add("Reply", &Reply::new(grant()));
    let refusal = json!({"code": 10014, "msg": format!("app_secret={SECRET}")}).to_string();
    printed.add("Error", &Reply::new(reply(refusal)).ok().unwrap_err());
    let form = Multipart::new().text("x", SECRET).file("f", "f.gif", "image/gif", IMAGE.into());
    printed.add("Multipart", &form);
    printed.add("Payload", &form.payload());
    printed.add("Payload", &Payload::json(SECRET.to_owned()));
    printed.add("Body", &Body::from(Bytes::from(SECRET)));
    let request = put().request_streamed(&Site::LARK, &TenantToken::new(TENANT).unwrap());
    printed.add("Body", &request);
}

/// A client that keeps its settings.
struct Kept(Settings);

impl FromSettings for Kept {
    fn from_settings(settings: Settings) -> Result<Self, lark_proto::Invalid> {
        Ok(Self(settings))
    }
}

fn print_network(printed: &mut Printed) {
    let proxy = Proxy::new(&format!("http://u:{PASSWORD}@host:1")).unwrap();
    let app = App::custom("cli_x", SECRET).unwrap();
    let builder: ClientBuilder<Kept> = ClientBuilder::new(Site::LARK, app).proxy(proxy);
    printed.add("ClientBuilder", &builder);
    printed.add("Settings", &builder.build().unwrap().0);
}

fn print_session(printed: &mut Printed) {
    let mut session = Session::new(Site::LARK, App::store("cli_x", SECRET).unwrap());
    session.set_app_ticket(ticket());
    let call = || {
        let call = Call::<_, Cut>::for_tenant(tenant_key(), &put());
        call.with_events().with_limits(Limits::one_attempt())
    };
    let mut calls = [call(), call()];
    let mut ended = Vec::new();
    for _ in 0..6 {
        for call in &mut calls {
            let step = call.next(&mut session, UNIX_EPOCH);
            printed.add("Session", &session);
            printed.add("Step", &step);
            match step {
                Step::Send(outgoing) => {
                    printed.add("Outgoing", &outgoing);
                    let is_token_request = outgoing.request.uri().path().contains("/auth/");
                    let quoting = || reply(format!("{TENANT} {SECRET} {APP} {TICKET}"));
                    let parsed = call.read(if is_token_request { grant() } else { quoting() });
                    printed.add("ParsedReply", &parsed);
                    let shown = format!("{parsed:?}");
                    assert_eq!(shown.contains("Token(200 OK, "), is_token_request, "{shown}");
                    assert_eq!(shown.contains("Call(Err("), !is_token_request, "{shown}");
                    call.received(&mut session, UNIX_EPOCH, parsed);
                }
                Step::Wait(_) => {}
                Step::Done(result) => ended.extend(result.err()),
            }
            printed.add("Call", call);
            printed.add("Session", &session);
            printed.add("Event", &call.events());
        }
    }
    let is_reply = |error: &&CallError<Cut>| matches!(error.kind, CallErrorKind::Lark(_));
    let error = ended.iter().find(is_reply).expect("the reply to an upload");
    printed.add("CallError", error);
    printed.add("CallErrorKind", &error.kind);
    printed.add("Unreadable", &error.lark());
    let kind = CallErrorKind::<Cut>::TooLarge { limit: 1 };
    printed.add("TransportFailure", &TransportFailure::new(kind, 0, Permanence::Transient));

    let refusal = json!({"code": 1, "msg": TENANT, "error": {
        "permission_violations": [{"scope": TENANT}], "field_violations": [{"field": TENANT}],
    }});
    let error = Reply::new(reply(refusal.to_string())).ok().unwrap_err();
    let api = error.api().unwrap();
    printed.add("ApiError", api);
    printed.add("PermissionViolation", &api.permission_violations);
    printed.add("FieldViolation", &api.field_violations);
    let token = TenantToken::new(TENANT).unwrap();
    let mut call = Call::<_, Cut>::with_token(&token, &put()).with_limits(Limits::one_attempt());
    printed.add("Call", &call);
    drop(call.next(&mut session, UNIX_EPOCH));
    printed.add("Call", &call);
    printed.add("Session", &session);
}

fn print_fake(printed: &mut Printed) {
    let mut lark = FakeLark::new();
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    lark.add_token(TokenKind::Tenant, TENANT, far);
    lark.add_image(ImageKind::Message, IMAGE);
    lark.fail_next_on(Route::WikiNode, Fault::from(grant()));
    lark.add_route(Route::Own { method: "POST", path: "/open-apis/own" }, |request| {
        let printed = format!("{request:?}\n{request:#?}\n{:?}", request.form().map_err(drop));
        Ok(json!({"printed": printed}))
    });
    let token = TenantToken::new(TENANT).unwrap();
    let form = Multipart::new().text("x", SECRET).file("f", "f.gif", "image/gif", IMAGE.into());
    let own: Raw<serde_json::Value> =
        Raw::new(Method::POST, "/open-apis/own").with_payload(form.payload());
    let request = own.request(&Site::LARK, &token);
    let answer = lark.handle(UNIX_EPOCH, request);
    let answer = String::from_utf8(answer.into_body().to_vec()).unwrap();
    assert!(answer.contains("RouteRequest") && answer.contains("FormPart"), "{answer}");
    printed.0.push(("RouteRequest", answer.clone()));
    printed.0.push(("FormPart", answer));

    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let write =
        WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image()).unwrap();
    let request = write.request(&Site::LARK, &token);
    let stored = lark_proto::wire::http1(request.clone(), lark_proto::wire::HeaderSecrets::Shown);
    let (head, body) = request.into_parts();
    let flight = lark.begin(UNIX_EPOCH, &head);
    printed.add("InFlight", &flight);
    drop(lark.finish(UNIX_EPOCH, flight, &body));
    printed.add("RecordedRequest", &lark.requests());
    assert!(lark.requests().iter().all(|seen| seen.token.as_deref() == Some(TENANT)));
    printed.add("FakeLark", &lark);
    printed.add("StoredImage", &lark.images().collect::<Vec<_>>());
    printed.add("StoredCell", &lark.cells(FakeLark::SPREADSHEET).collect::<Vec<_>>());
    printed.add("Fault", &Fault::from(grant()));
    printed.add("Failure", &Failure::from(Fault::from(grant())));
    printed.add("ServerStep", &ServerStep::Write(grant().into_body()));

    let mut requests = Requests::new();
    let mut connection = Connection::new();
    for piece in stored.chunks(stored.len() / 2 + 1) {
        requests.push(piece);
        printed.add("Requests", &requests);
        connection.push(piece);
        printed.add("Connection", &connection);
        printed.add("Connection", &connection.next(&mut lark, UNIX_EPOCH));
        printed.add("Connection", &connection);
    }
    requests.push(format!("POST /x HTTP/1.1\r\nAuthorization: {TENANT}\0\r\n\r\n").as_bytes());
    printed.add("Malformed", &requests.request().map(drop));
    printed.add("Malformed", &requests.end());
}

fn print_scenarios(printed: &mut Printed) {
    for mut scenario in scenarios::all().unwrap() {
        scenario.app = App::store("cli_x", SECRET).unwrap();
        scenario.ticket = Some(ticket());
        printed.add("Scenario", &scenario);
        printed.add("ScenarioCall", &scenario.call);
        let mut run = Run::new(&scenario);
        let next = run.next(&mut FakeLark::new());
        assert!(matches!(next, Next::Ticket(_)));
        printed.add("Next", &next);
        printed.add("Run", &run);
    }
}

/// The types that hold no secret: ids, numbers, names, and the contents of replies that are neither a token nor an
/// image.
const PLAIN: &str = "
    AddDimension Advice AppId Ask Boundary CallId CellContent Cells Class Code Concerns ConnectionFault
    DimensionAdded Expected ExpectedError FakeSheet FileName FileToken GetImage GetWikiNode Grid HeaderSecrets
    ImageEncoding ImageFormat ImageKey ImageKind ImageRules InvalidKind Limits Located MessageId MessageSent
    MessageUuid NoAuth NoToken Outcome Path Permanence Phase Place Purpose QuerySheets Quota ReadCells Receiver
    ReplyImage Resend Resolve Roots Route SendImage SentImageEncoding Sheet SheetCell SheetId SheetImageWritten
    SheetKind Sheets Site SpreadsheetLink SpreadsheetToken StoredMessage TenantKey TenantOnly TenantOrUser Timeouts
    TokenKind TokenRequestId UpdateDimension WaitFor WikiNode WikiToken
";

/// The names after `pub struct` and `pub enum` in the files below `folder`.
fn public_types(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            public_types(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let declared = source.lines().filter_map(|line| {
                let rest = line.trim_start().strip_prefix("pub ")?;
                rest.strip_prefix("struct ").or(rest.strip_prefix("enum "))
            });
            let name = |rest: &str| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                rest[..end].to_owned()
            };
            names.extend(declared.map(name).filter(|name| !name.is_empty()));
        }
    }
}

#[test]
fn no_public_type_prints_a_secret() {
    let mut printed = Printed::default();
    print_values(&mut printed);
    print_endpoints(&mut printed);
    print_network(&mut printed);
    print_session(&mut printed);
    print_fake(&mut printed);
    print_scenarios(&mut printed);
    let mut wrong = String::new();
    for secret in [SECRET, TICKET, TENANT, USER, APP, IMAGE, PASSWORD] {
        for (name, text) in &printed.0 {
            if let Some(form) = forms(secret).into_iter().find(|form| text.contains(&**form)) {
                writeln!(wrong, "{name} shows {secret} as {form}: {text}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");

    let mut declared = BTreeSet::new();
    public_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut declared);
    let listed = printed.0.iter().map(|(name, _)| *name).chain(PLAIN.split_whitespace());
    let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
    assert_eq!(declared, listed);
}

/// The printed forms that the documentation names as exceptions.
#[test]
fn the_exceptions_print_the_body() {
    let id = AppId::new("cli_x").unwrap();
    let request: Request<Bytes> =
        GetTenantToken::new(id, secret()).request(&Site::LARK, &lark_proto::token::NoToken);
    assert!(format!("{request:?}").contains(SECRET));
    let hidden = lark_proto::wire::http1(request, lark_proto::wire::HeaderSecrets::Hidden);
    assert!(String::from_utf8_lossy(&hidden).contains(SECRET));
}
