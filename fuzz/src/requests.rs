//! Requests with any text as their values.

use bytes::Bytes;
use http::Request;
use lark_proto::endpoints::{
    AddDimension, GetAppToken, GetImage, GetStoreTenantToken, GetTenantToken, GetWikiNode,
    QuerySheets, ReadCells, ReplyImage, ResendAppTicket, SendImage, UpdateDimension,
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
use serde_json::Value;

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
    request
}
