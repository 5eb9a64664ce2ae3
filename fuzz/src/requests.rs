//! Requests with any text as their values.

use bytes::Bytes;
use http::Request;
use lark_proto::endpoints::{
    AddDimension, GetAppToken, GetImage, GetStoreTenantToken, GetTenantToken, GetWikiNode,
    QuerySheets, ReadCells, ReplyImage, Resend, ResendAppTicket, SendImage, UpdateDimension,
    WithLogId,
};
use lark_proto::token::{AppToken, Authorizes, NoToken};
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileName, MessageId, MessageUuid, Receiver, SpreadsheetToken,
    TenantKey, WikiToken,
};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{
    Endpoint, EndpointExt, Image, ImageKey, PutImage, SheetCell, Site, TenantToken, UserToken,
    WriteSheetImage,
};
use serde_json::{Value, json};

use crate::cell_write::SheetBody;
use crate::http1::{assert_same, reads_back};

/// Makes every request with `text` as each value that it can be, and with a plain value otherwise.
pub(crate) fn requests(text: &str) {
    let site = Site::custom(text).unwrap_or(Site::LARK);
    let tenant = TenantToken::new(text).unwrap_or_else(|_| TenantToken::new("t").unwrap());
    let user = UserToken::new(text).unwrap_or_else(|_| UserToken::new("u").unwrap());
    let id = AppId::new(text).unwrap_or_else(|_| AppId::new("cli").unwrap());
    let secret = AppSecret::new(text).unwrap_or_else(|_| AppSecret::new("s").unwrap());
    let spreadsheet: SpreadsheetToken = text.parse().unwrap_or_else(|_| "sht".parse().unwrap());
    let cell: SheetCell = text.parse().unwrap_or_else(|_| "a!A1".parse().unwrap());

    let ticket = AppTicket::new(text).unwrap_or_else(|_| AppTicket::new("x").unwrap());
    let app_token = AppToken::new(text).unwrap_or_else(|_| AppToken::new("a").unwrap());
    let key = TenantKey::new(text).unwrap_or_else(|_| TenantKey::new("k").unwrap());

    request(&GetAppToken::new(id.clone(), secret.clone(), ticket), &site, &NoToken);
    request(&GetStoreTenantToken::new(app_token, key), &site, &NoToken);
    request(&ResendAppTicket::new(id.clone(), secret.clone()), &site, &NoToken);
    request(&GetTenantToken::new(id, secret), &site, &NoToken);
    request(&QuerySheets::new(spreadsheet.clone()), &site, &user);
    request(&ReadCells::cell(spreadsheet.clone(), &cell), &site, &user);
    let corner = SheetCell::at(cell.sheet().clone(), 1, 1).unwrap();
    let range = ReadCells::range(spreadsheet.clone(), &cell, &corner).unwrap();
    request(&range, &site, &user);
    let sheet = cell.sheet().clone();
    let add = AddDimension::rows(spreadsheet.clone(), sheet.clone(), 1 + cell.row() % 5000);
    request(&add.unwrap(), &site, &user);
    let column = cell.column();
    let set = UpdateDimension::column_width(spreadsheet.clone(), sheet, column..=column, 9);
    request(&set.unwrap(), &site, &user);
    heights(&spreadsheet, &cell, &site, &user);
    if let Ok(node) = text.parse::<WikiToken>() {
        request(&GetWikiNode::new(node), &site, &user);
    }
    if let Ok(key) = text.parse::<ImageKey>() {
        request(&GetImage::new(key), &site, &tenant);
    }
    messages(text, &site, &user);
    for image in ["GIF89a", "\u{0}\u{0}\u{1}\u{0}\u{1}\u{0}", "?"] {
        let image = Image::any_format(image, "bin").unwrap();
        request(&PutImage::avatar(image.clone()).unwrap(), &site, &tenant);
        let lossy = FileName::lossy(text, &image);
        assert_eq!((lossy.as_ref(), json!(lossy)), (lossy.as_str(), json!(lossy.as_str())));
        assert_eq!(FileName::new(lossy.as_str(), &image), Ok(lossy));
        let name = FileName::new(text, &image);
        if let Ok(name) = &name {
            assert_eq!(FileName::new(name.as_str(), &image).as_ref(), Ok(name));
        }
        let write = WriteSheetImage::new(spreadsheet.clone(), cell.clone(), image);
        if let (Ok(write), Ok(name)) = (write, name) {
            let body = request(&write.with_name(text).unwrap(), &site, &user).into_body();
            let body: SheetBody = serde_json::from_slice(&body).unwrap();
            assert_eq!((body.range, body.name), (cell.to_string(), name.as_str().to_owned()));
        }
    }
}

/// Sets the height of rows from this cell's on. Exactly the rows of the largest sheet are accepted, at most 5,000 of
/// them at once.
fn heights(spreadsheet: &SpreadsheetToken, cell: &SheetCell, site: &Site, user: &UserToken) {
    let first = cell.row();
    for count in [1, 1 + cell.column() % 5_000, 5_000, 5_001] {
        let last = first - 1 + count;
        let sheet = cell.sheet().clone();
        let set = UpdateDimension::row_height(spreadsheet.clone(), sheet, first..=last, 9);
        assert_eq!(set.is_ok(), count <= 5_000 && last <= 5_000_000, "{first} to {last}");
        let Ok(set) = set else { continue };
        let body: Value = serde_json::from_slice(request(&set, site, user).body()).unwrap();
        let rows = json!({
            "sheetId": cell.sheet(), "majorDimension": "ROWS", "startIndex": first, "endIndex": last,
        });
        assert_eq!(body, json!({"dimension": rows, "dimensionProperties": {"fixedSize": 9}}));
    }
}

/// Makes a message and a reply with `text` as each value that it can be.
fn messages(text: &str, site: &Site, token: &UserToken) {
    let key = ImageKey::new(text).unwrap_or_else(|_| ImageKey::new("img").unwrap());
    let uuid = MessageUuid::new(text).unwrap_or_else(|_| MessageUuid::new("u").unwrap());
    let to = Receiver::new(text).unwrap_or_else(|_| Receiver::chat("oc_a").unwrap());
    let id = MessageId::new(text).unwrap_or_else(|_| MessageId::new("om_a").unwrap());
    let send = SendImage::new(to.clone(), key.clone(), uuid.clone());
    let reply = ReplyImage::new(id, key.clone(), uuid.clone()).in_thread(true);
    for body in [request(&send, site, token).into_body(), request(&reply, site, token).into_body()]
    {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
        assert_eq!(content["image_key"], key.as_str());
        assert_eq!(body["uuid"], uuid.as_str());
        assert!(body.get("receive_id").is_none_or(|id| id == to.id()));
    }
}

/// Checks what an endpoint says of its requests. With the log id of the reply it is the same endpoint.
fn as_documented<E: Endpoint>(endpoint: &E, request: &Request<Bytes>) {
    let is_write = !matches!(request.method().as_str(), "GET" | "HEAD");
    let is_in_sheet = endpoint.route().contains("/spreadsheets/");
    assert_eq!(endpoint.serial_key().is_some(), is_write && is_in_sheet, "{}", endpoint.route());
    if let Some(key) = endpoint.serial_key() {
        assert!(request.uri().path().contains(&format!("/{key}/")), "{key}: {}", request.uri());
    }
    assert!(is_write || endpoint.resend() == Resend::Safe);
    assert!((1 << 20..1 << 30).contains(&endpoint.reply_limit()));
    let same = WithLogId(endpoint);
    assert_eq!((same.method(), same.route()), (endpoint.method(), endpoint.route()));
    assert_eq!((same.path(), same.payload()), (endpoint.path(), endpoint.payload()));
    assert_eq!((same.headers(), same.resend()), (endpoint.headers(), endpoint.resend()));
    assert_eq!((same.serial_key(), same.quota()), (endpoint.serial_key(), endpoint.quota()));
    assert_eq!(same.reply_limit(), endpoint.reply_limit());
}

/// Makes the request of an endpoint, and checks that no value adds a line to its head or leads to another site.
fn request<E: Endpoint>(
    endpoint: &E,
    site: &Site,
    token: &impl Authorizes<E::Auth>,
) -> Request<Bytes> {
    let request = endpoint.request(site, token);
    let path = request.uri().to_string().strip_prefix(site.as_str()).map(str::to_owned);
    assert!(path.is_some_and(|path| path.starts_with("/open-apis/")), "{}", request.uri());
    let head = wire::head(&request, HeaderSecrets::Shown);
    let lines = head.split(|byte| *byte == b'\n').count();
    // The request line, `Host`, the headers, the empty line and what follows it.
    assert_eq!(lines, request.headers().len() + 4);
    let curl = wire::curl(&request, "-", HeaderSecrets::default());
    assert_eq!(curl.ends_with("--data-binary '@-'\n"), !request.body().is_empty());
    reads_back(request.clone());
    let stored = wire::http1(request.clone(), HeaderSecrets::Shown);
    assert_same(&wire::parse(&stored, site).unwrap(), &request);
    as_documented(endpoint, &request);
    request
}
