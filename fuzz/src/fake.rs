//! Requests to the fake.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use lark_proto::fake::{FakeLark, FakeSheet, Fault, Route, TokenKind};
use serde_json::{Map, Value, json};

use crate::input::{input, short};
use crate::{controls, readers};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    requests: Vec<Ask<'a>>,
    /// The image of each request.
    image: &'a [u8],
}

#[derive(Arbitrary, Debug)]
struct Ask<'a> {
    route: u8,
    /// The values in the path and in the query.
    values: [Text<'a>; 2],
    query: Vec<(Text<'a>, Text<'a>)>,
    token: u8,
    content: Content<'a>,
    control: Option<Control>,
    seconds: u8,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    None,
    Any(&'a str, &'a [u8]),
    Json(Vec<(Text<'a>, Json<'a>)>),
    Form(Vec<(Text<'a>, Option<&'a str>, &'a [u8])>),
    /// A form with the image.
    Upload(bool),
    /// A cell write with the image.
    Write {
        range: Text<'a>,
        is_base64: bool,
    },
}

#[derive(Arbitrary, Debug)]
enum Json<'a> {
    Text(Text<'a>),
    Number(i64),
    Bool(bool),
    Null,
    Bytes(&'a [u8]),
    Object(Text<'a>, Text<'a>),
}

/// Something that a test does to the fake between two requests.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Control {
    Fail(u8),
    RevokeTokens,
    RefuseBase64,
    RateLimit(u8),
    RenewTicket,
    ExpireIn(u16),
}

/// A free text, or one that the fake knows.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Text<'a>(u8, &'a str);

const WORDS: [&str; 46] = [
    FakeLark::APP_ID,
    FakeLark::APP_SECRET,
    FakeLark::STORE_APP_ID,
    FakeLark::STORE_APP_SECRET,
    FakeLark::APP_TICKET,
    FakeLark::TENANT_KEY,
    FakeLark::SPREADSHEET,
    FakeLark::SHEET,
    FakeLark::WIKI_NODE,
    FakeLark::CHAT,
    FakeLark::OPEN_ID,
    "app_id",
    "app_secret",
    "app_ticket",
    "app_access_token",
    "tenant_key",
    "image",
    "image_type",
    "message",
    "avatar",
    "range",
    "name",
    "a.png",
    "Q7PlXT!B2:B2",
    "Q7PlXT!A1:C3",
    "Hidden!A1:A1",
    "msg_type",
    "content",
    "receive_id",
    "receive_id_type",
    "open_id",
    "chat_id",
    "uuid",
    "reply_in_thread",
    "dimension",
    "dimensionRange",
    "dimensionProperties",
    "sheetId",
    "majorDimension",
    "ROWS",
    "valueRenderOption",
    "token",
    "obj_type",
    "extra",
    "om_1",
    "{\"image_key\":\"img_1\"}",
];

impl<'a> Text<'a> {
    fn as_str(&self) -> &'a str {
        WORDS.get(usize::from(self.0)).copied().unwrap_or_else(|| short(self.1, 200))
    }
}

const ROUTES: [Route; 16] = [
    Route::TenantAccessToken,
    Route::AppAccessToken,
    Route::StoreTenantAccessToken,
    Route::ResendAppTicket,
    Route::ImageV4Put,
    Route::ImV1Images,
    Route::ImV1Image,
    Route::ValuesImage,
    Route::Values,
    Route::SheetsQuery,
    Route::AddDimension,
    Route::UpdateDimension,
    Route::Messages,
    Route::MessageReply,
    Route::MediaDownload,
    Route::WikiNode,
];

/// Sends any requests to the fake. It never panics, and answers each with a reply of bounded length. What it accepts,
/// an independent reader reads too: `serde_json` and multer read the image that the fake has stored.
pub fn fake(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let mut fake = FakeLark::new();
    fake.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(2000));
    fake.add_token(TokenKind::App, "a-1", UNIX_EPOCH + Duration::from_secs(2000));
    fake.add_token(TokenKind::User, "u-1", UNIX_EPOCH + Duration::from_secs(500));
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("Hidden").title("图").rows(5).hidden());
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("Base").base());
    fake.set_text(FakeLark::SPREADSHEET, "Q7PlXT!A1", "text");
    controls::prepare(&mut fake);
    let mut now = UNIX_EPOCH;
    let mut last_key = String::new();
    for ask in input.requests.iter().take(20) {
        now += Duration::from_secs(ask.seconds.into());
        if let Some(control) = ask.control {
            set(&mut fake, control);
        }
        let Some(request) = request(ask, input.image, &last_key) else { continue };
        let mut copy = fake.clone();
        let reply = fake.handle(now, request.clone());
        controls::assert_own_route(&request, &reply, now);
        controls::assert_record(&fake, &request, &reply);
        controls::assert_below_path(copy.clone(), now, &request, &reply);
        assert_same_reply(&mut copy, now, request.clone(), &reply);
        assert_accepted(&request, &reply, &fake);
        let body: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
        for name in ["image_key", "message_id"] {
            if let Some(key) = body["data"][name].as_str() {
                last_key = key.to_owned();
            }
        }
    }
    assert_eq!(fake.requests().iter().filter(|seen| seen.route.is_some()).count(), {
        ROUTES.iter().chain([&controls::OWN]).map(|route| fake.count(*route)).sum::<usize>()
    });
    for route in ROUTES {
        assert_eq!(fake.begun(route), fake.count(route), "no connection broke");
    }
    controls::assert_forgets(fake);
    for value in input.requests.iter().take(3).flat_map(|ask| ask.values) {
        controls::additions(value.as_str(), input.image);
    }
}

/// Equal requests to equal fakes get equal replies, also in two steps and over a connection.
fn assert_same_reply(
    fake: &mut FakeLark,
    now: SystemTime,
    request: Request<Bytes>,
    reply: &Response<Bytes>,
) {
    let mut other = fake.clone();
    let (again, wait) = other.exchange(now, request.clone()).unwrap();
    assert_eq!(wait, Duration::ZERO);
    assert_eq!((again.status(), again.headers()), (reply.status(), reply.headers()));
    assert!(again.body() == reply.body());
    let (head, _) = request.into_parts();
    let abandoned = fake.begin(now, &head);
    let shown = format!("{fake:?} {abandoned:?}");
    assert!(!shown.contains("Bearer") && shown.len() < 65_536, "{shown}");
    let images = fake.images().count();
    fake.abandon(abandoned);
    assert_eq!(fake.images().count(), images, "an abandoned request stores nothing");
    for (range, cell) in fake.cells(FakeLark::SPREADSHEET) {
        assert_eq!(fake.cell(FakeLark::SPREADSHEET, range), Some(cell));
    }
}

fn set(fake: &mut FakeLark, control: Control) {
    match control {
        Control::Fail(choice) => {
            let fault = match choice % 5 {
                0 => Fault::code(400, 90_217, "busy"),
                1 => Fault::rate_limited(3),
                2 => Fault::EdgeHtml(http::StatusCode::BAD_GATEWAY),
                3 => Fault::PlainNotFound,
                _ => Fault::TruncatedJson,
            };
            match choice / 5 % 4 {
                0 => fake.fail_next_call(fault),
                1 => fake.fail_next(fault),
                2 => fake.fail_next_on(ROUTES[usize::from(choice) % ROUTES.len()], fault),
                _ => fake.fail_when(|_, number| {
                    let own = Fault::from(Response::new(Bytes::from("own")));
                    assert_eq!(format!("{own:?}"), "Reply(200 OK, 3 bytes)");
                    (number % 2 == 0).then(|| own.into())
                }),
            }
        }
        Control::RevokeTokens => fake.revoke_tokens(TokenKind::User),
        Control::RefuseBase64 => fake.refuse_base64(),
        Control::RateLimit(240..) => fake.revoke_token(),
        Control::RateLimit(route) => {
            fake.rate_limit(ROUTES[usize::from(route) % ROUTES.len()], 1);
        }
        Control::RenewTicket => fake.renew_app_ticket(),
        Control::ExpireIn(life) => fake.expire_in(Duration::from_secs(life.into())),
    }
}

fn request(ask: &Ask<'_>, image: &[u8], last_key: &str) -> Option<Request<Bytes>> {
    let route = match usize::from(ask.route) {
        240.. => controls::OWN,
        choice => ROUTES[choice % ROUTES.len()],
    };
    let mut values = ask.values.iter();
    let mut path = String::new();
    for segment in route.path().split('/').skip(1) {
        let value = match segment.strip_prefix(':') {
            Some(_) => match values.next().map_or("", Text::as_str) {
                "" => escaped(last_key),
                value => escaped(value),
            },
            None => segment.to_owned(),
        };
        path = format!("{path}/{value}");
    }
    let pairs = ask.query.iter().take(8);
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{}={}", escaped(name.as_str()), escaped(value.as_str())))
        .collect();
    if !pairs.is_empty() {
        path = format!("{path}?{}", pairs.join("&"));
    }
    let (content_type, body) = content(&ask.content, image, last_key);
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::from_bytes(route.method().as_bytes()).ok()?;
    *request.uri_mut() = path.parse().ok()?;
    let headers = request.headers_mut();
    let tokens = ["Bearer t-1", "Bearer u-1", "Bearer a-1", "Bearer t-2", "t-1", ""];
    let token = tokens[usize::from(ask.token) % tokens.len()];
    headers.insert(AUTHORIZATION, HeaderValue::from_static(token));
    if let Ok(value) = HeaderValue::from_str(&content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    Some(request)
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The content type and the body.
fn content(content: &Content<'_>, image: &[u8], last_key: &str) -> (String, Vec<u8>) {
    let json_type = "application/json; charset=utf-8".to_owned();
    match content {
        Content::None => (String::new(), Vec::new()),
        Content::Any(content_type, body) => (short(content_type, 100).to_owned(), body.to_vec()),
        Content::Json(members) => {
            let mut object = Map::new();
            for (name, value) in members.iter().take(12) {
                object.insert(name.as_str().to_owned(), value.value(last_key));
            }
            (json_type, Value::Object(object).to_string().into_bytes())
        }
        Content::Form(parts) => {
            let mut form = Vec::new();
            for (name, file_name, value) in parts.iter().take(40) {
                let file_name = file_name.map_or(String::new(), |name| {
                    format!("; filename=\"{}\"\r\nContent-Type: image/png", short(name, 60))
                });
                let head = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"{}\"{file_name}\r\n\r\n",
                    name.as_str()
                );
                form.extend_from_slice(&[head.as_bytes(), value, b"\r\n"].concat());
            }
            form.extend_from_slice(b"--b--\r\n");
            ("multipart/form-data; boundary=b".to_owned(), form)
        }
        Content::Upload(is_avatar) => {
            let kind = if *is_avatar { "avatar" } else { "message" };
            let head = format!(
                "--b\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\n{kind}\r\n--b\r\n\
                 Content-Disposition: form-data; name=\"image\"; filename=\"a.gif\"\r\n\
                 Content-Type: image/gif\r\n\r\n"
            );
            let form = [head.as_bytes(), b"GIF89a\x01\0\x01\0", image, b"\r\n--b--\r\n"].concat();
            ("multipart/form-data; boundary=b".to_owned(), form)
        }
        Content::Write { range, is_base64 } => {
            let image = if *is_base64 { json!(readers::base64(image)) } else { json!(image) };
            let body = json!({"range": range.as_str(), "image": image, "name": "a.png"});
            (json_type, body.to_string().into_bytes())
        }
    }
}

impl Json<'_> {
    fn value(&self, last_key: &str) -> Value {
        match self {
            Self::Text(Text(_, "")) => json!(last_key),
            Self::Text(text) => json!(text.as_str()),
            Self::Number(number) => json!(number),
            Self::Bool(is) => json!(is),
            Self::Null => Value::Null,
            Self::Bytes(bytes) => json!(bytes),
            Self::Object(name, value) => match value.as_str() {
                "content" => json!(json!({"image_key": last_key}).to_string()),
                value => json!({name.as_str(): value, "length": 3, "startIndex": 1, "endIndex": 2}),
            },
        }
    }
}

/// A refusal quotes the beginning of a value at most, and so is much shorter than the longest request.
const MAX_REFUSAL: usize = 4096;

/// Checks the reply to a request. What the fake has accepted, an independent reader reads too.
pub(crate) fn assert_accepted(request: &Request<Bytes>, reply: &Response<Bytes>, fake: &FakeLark) {
    let Ok(read) = serde_json::from_slice::<Value>(reply.body()) else { return };
    let Some(code) = read.get("code").filter(|_| read["log_id"].is_null()) else { return };
    if *code != 0 {
        let len = reply.body().len();
        return assert!(len < MAX_REFUSAL, "a refusal of {len} bytes");
    }
    if fake.requests().last().is_none_or(|seen| seen.code != Some(0)) {
        return;
    }
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let data = &read["data"];
    if let Some(image) = data["image_key"].as_str().and_then(|key| fake.image(key)) {
        let Some(parts) = readers::form(content_type, request.body()) else {
            panic!("multer refuses a form that the fake accepts");
        };
        // multer finds a parameter in lower case only.
        let has_capitals = |name: &[u8]| {
            let is_odd = |part: &[u8]| part.eq_ignore_ascii_case(name) && part != name;
            request.body().windows(name.len()).any(is_odd)
        };
        if has_capitals(b"name=") || has_capitals(b"filename=") {
            return;
        }
        let part = |name: &str| parts.iter().find(|part| part.name == name);
        let file = part("image").unwrap();
        assert!(file.content == image.bytes, "multer reads another image");
        controls::assert_length(image, image.bytes.len());
        assert_eq!(file.file_name.as_ref(), Some(&image.file_name));
        return;
    }
    let is_own = request.uri().path().starts_with("/open-apis/own/");
    if is_own || request.method() == Method::GET {
        return;
    }
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert!(body.is_object(), "the fake accepts {body}");
    if let Some(range) = data["updateRange"].as_str() {
        let spreadsheet = data["spreadsheetToken"].as_str().unwrap();
        let cell = fake.cell(spreadsheet, range).unwrap();
        controls::assert_length(cell, cell.bytes.len());
        match &body["image"] {
            Value::String(text) => assert!(*text == readers::base64(&cell.bytes)),
            list => assert!(*list == json!(cell.bytes.to_vec())),
        }
        assert_eq!(body["name"], *cell.name);
    }
    if let Some(update) = body.get("dimensionProperties") {
        controls::assert_size(fake, request.uri().path(), &body["dimension"], update);
    }
    if let Some(id) = data["message_id"].as_str() {
        let sent = fake.messages().find(|sent| sent.message_id == id).unwrap();
        if body.get("uuid").is_none() {
            let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
            assert_eq!(content["image_key"], *sent.image_key);
        }
    }
}
