//! The settings that a test makes on the fake, and the records that it reads.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use lark_proto::endpoints::{GetStoreTenantToken, GetWikiNode, SendImage};
use lark_proto::fake::{FakeLark, FakeSheet, ImageKind, Route, RouteRequest, TokenKind};
use lark_proto::token::{AppToken, NoToken};
use lark_proto::values::{MessageUuid, Receiver, TenantKey, WikiToken};
use lark_proto::{EndpointExt, ImageKey, Site, TenantToken};
use serde_json::{Value, json};

/// An endpoint that the fake does not have by itself.
pub(crate) const OWN: Route =
    Route::Own { method: "POST", path: "/open-apis/own/:first/of/:second" };

/// Adds the endpoint, which answers with all that it gets to see, and a sheet of another size.
pub(crate) fn prepare(fake: &mut FakeLark) {
    fake.add_route(OWN, |request| {
        assert_length(request, request.body().len());
        Ok(json!({
            "values": [request.value("first"), request.value("second"), request.value("third")],
            "query": request.query("name"),
            "token": request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap()),
            "kind": format!("{:?}", request.token_kind()),
            "body": request.body(),
            "json": json_of(request),
            "seconds": request.now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
        }))
    });
    fake.add_sheet(FakeLark::SPREADSHEET, FakeSheet::new("Wide").rows(4).columns(3));
    let wide = fake.sheet(FakeLark::SPREADSHEET, "Wide").map(FakeSheet::grid);
    assert_eq!(wide, Some((4, 3)));
}

fn json_of(request: &RouteRequest<'_>) -> Value {
    request.json().unwrap_or_default()
}

/// Checks that the endpoint saw the request that was sent.
pub(crate) fn assert_own_route(request: &Request<Bytes>, reply: &Response<Bytes>, now: SystemTime) {
    let Some(path) = request.uri().path().strip_prefix("/open-apis/own/") else { return };
    let reply: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
    let data = &reply["data"];
    let Some(values) = data["values"].as_array() else { return };
    let sent: Vec<Value> = path.split("/of/").map(|value| decoded(value).into()).collect();
    assert_eq!((&values[..2], &values[2]), (&sent[..], &Value::Null), "{path}");
    let query = request.uri().query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("name="));
    assert_eq!(data["query"], json!(named.map(decoded)), "{query}");
    let token = request.headers()[AUTHORIZATION].to_str().unwrap();
    assert_eq!(data["token"], token);
    let kind = if token == "Bearer u-1" { TokenKind::User } else { TokenKind::Tenant };
    assert_eq!(data["kind"], format!("{:?}", Some(kind)), "{token}");
    assert_eq!(data["body"], json!(&request.body()[..]));
    assert_eq!(data["seconds"], now.duration_since(UNIX_EPOCH).unwrap().as_secs());
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    assert!(data["json"].is_null() || data["json"] == body, "{data}");
}

/// The text with each `%` and its two digits replaced by the byte.
pub(crate) fn decoded(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Checks the record of the last request.
pub(crate) fn assert_record(fake: &FakeLark, request: &Request<Bytes>, reply: &Response<Bytes>) {
    let record = fake.requests().last().unwrap();
    assert_eq!((record.status, &record.method), (reply.status(), request.method()));
    assert!(record.has_body(request.body()));
    assert!(!record.has_body(&[request.body(), &b" "[..]].concat()));
    if let Some(route) = record.route {
        assert_eq!(fake.requests_to(route).last(), Some(record));
    }
    let shown = format!("{record:?}");
    let token = request.headers()[AUTHORIZATION].to_str().unwrap();
    assert!(token.is_empty() || !shown.contains(&format!("{token:?}")), "{shown}");
}

/// Checks that below a path the fake gives the same reply, and that it gives none elsewhere.
pub(crate) fn assert_below_path(
    mut fake: FakeLark,
    now: SystemTime,
    request: &Request<Bytes>,
    reply: &Response<Bytes>,
) {
    fake.set_base_path("feishu/");
    let mut elsewhere = fake.clone();
    assert_eq!(elsewhere.handle(now, request.clone()).status(), 404);
    let mut below = request.clone();
    *below.uri_mut() = format!("/feishu{}", request.uri()).parse().unwrap();
    let other = fake.handle(now, below);
    assert_eq!((other.status(), other.headers()), (reply.status(), reply.headers()));
    assert!(other.body() == reply.body(), "another reply below a path");
}

/// Checks that an accepted size is that of the rows or columns.
pub(crate) fn assert_size(fake: &FakeLark, path: &str, range: &Value, properties: &Value) {
    let spreadsheet = path.split('/').nth(5).unwrap();
    let sheet = fake.sheet(spreadsheet, range["sheetId"].as_str().unwrap()).unwrap();
    let [start, end] = ["startIndex", "endIndex"]
        .map(|name| u32::try_from(range[name].as_u64().unwrap()).unwrap());
    let is_rows = range["majorDimension"] == "ROWS";
    let (rows, columns) = sheet.grid();
    assert!(1 <= start && start <= end && end <= if is_rows { rows } else { columns });
    let Some(pixels) = properties["fixedSize"].as_u64() else { return };
    for at in [start, end] {
        let size = if is_rows { sheet.row_height(at) } else { sheet.column_width(at) };
        assert_eq!(size.map(u64::from), Some(pixels));
    }
}

/// Checks that the value shows how many bytes it has.
pub(crate) fn assert_length(value: &impl Debug, len: usize) {
    let shown = format!("{value:?}");
    assert!(shown.contains(&format!("{len} bytes")), "{shown}");
}

/// Forgets what was recorded and stored.
pub(crate) fn assert_forgets(mut fake: FakeLark) {
    let before = fake.begun(OWN);
    let all = fake.images().count();
    assert_eq!(fake.take_images().len(), all);
    fake.forget_requests();
    assert_eq!((fake.images().count(), fake.requests().len(), fake.count(OWN)), (0, 0, 0));
    assert_eq!(fake.begun(OWN), before);
    let ticket = fake.app_ticket().to_owned();
    fake.renew_app_ticket();
    assert_ne!(fake.app_ticket(), ticket);
}

/// Adds a chat, a tenant, a wiki page and an image under any name. The fake then knows them by their names, and knew
/// none of them before.
pub(crate) fn additions(name: &str, image: &[u8]) {
    let mut fake = FakeLark::default();
    let later = UNIX_EPOCH + Duration::from_secs(60);
    fake.add_token(TokenKind::Tenant, "t-1", later);
    let token = TenantToken::new("t-1").unwrap();
    let key = fake.add_image(ImageKind::Message, image.to_vec());
    assert!(fake.image(&key).is_some_and(|stored| stored.bytes == image));
    if let Ok(chat) = Receiver::chat(name) {
        let key = ImageKey::new(&key).unwrap();
        let send = SendImage::new(chat, key, MessageUuid::new("u").unwrap());
        let send = |fake: &mut FakeLark| {
            SendImage::decode(fake.handle(UNIX_EPOCH, send.request(&Site::LARK, &token)))
        };
        assert_eq!(send(&mut fake).is_ok(), name == FakeLark::CHAT);
        fake.add_chat(name);
        let sent = send(&mut fake).unwrap();
        assert!(fake.messages().any(|stored| *stored.message_id == *sent.message_id.as_str()));
    }
    if let Ok(page) = WikiToken::new(name) {
        let ask = GetWikiNode::new(page);
        let ask = |fake: &mut FakeLark| {
            GetWikiNode::decode(fake.handle(UNIX_EPOCH, ask.request(&Site::LARK, &token)))
        };
        assert_eq!(ask(&mut fake).is_ok(), name == FakeLark::WIKI_NODE);
        fake.add_wiki_node(name, "docx", "doxcn1");
        let node = ask(&mut fake).unwrap();
        assert_eq!((&*node.obj_type, &*node.obj_token), ("docx", "doxcn1"));
    }
    if let Ok(tenant) = TenantKey::new(name) {
        fake.add_token(TokenKind::App, "a-1", later);
        let ask = GetStoreTenantToken::new(AppToken::new("a-1").unwrap(), tenant);
        let ask = |fake: &mut FakeLark| {
            GetStoreTenantToken::decode(fake.handle(UNIX_EPOCH, ask.request(&Site::LARK, &NoToken)))
        };
        assert_eq!(ask(&mut fake).is_ok(), name == FakeLark::TENANT_KEY);
        fake.add_tenant(name);
        assert!(ask(&mut fake).is_ok());
    }
}
