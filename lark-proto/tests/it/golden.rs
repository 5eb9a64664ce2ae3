//! The bytes of every request, for the values of the vendor's examples. A changed golden file is a change on the wire,
//! and the changelog has an entry for it under "Bytes".
//!
//! `GOLDEN=write cargo test -p lark-proto --test it golden::` writes the golden files.

use std::path::Path;

use bytes::Bytes;
use lark_proto::body::ImageEncoding;
use lark_proto::endpoints::{
    AddDimension, DownloadMedia, GetAppToken, GetImage, GetStoreTenantToken, GetTenantToken,
    GetWikiNode, QuerySheets, ReadCells, ResendAppTicket, UpdateDimension,
};
use lark_proto::token::{AppToken, NoToken};
use lark_proto::values::{
    AppId, AppSecret, AppTicket, ImageKey, MessageId, MessageUuid, Receiver, SpreadsheetToken,
    TenantKey,
};
use lark_proto::{
    CreateImage, EndpointExt, Image, PutImage, ReplyImage, SendImage, Site, TenantToken,
    WriteSheetImage, wire,
};

/// The body of the vendor's cURL sample for `values_image`.
const SAMPLE: &str = include_str!("../golden/write-sheet-image.sample.json");

fn sample_image() -> Image {
    let sample: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
    let bytes: Vec<u8> = serde_json::from_value(sample["image"].clone()).unwrap();
    Image::new(bytes).unwrap()
}

fn token() -> TenantToken {
    TenantToken::new("t-e346617a4acfc3a11d4ed24dca0d0c0fc8e0067e").unwrap()
}

fn spreadsheet() -> SpreadsheetToken {
    "shtcngNygNfuqhxTBf588jwgWbJ".parse().unwrap()
}

fn write() -> WriteSheetImage {
    WriteSheetImage::new(spreadsheet(), "Q7PlXT!H7:H7".parse().unwrap(), sample_image())
        .and_then(|write| write.with_name("test.png"))
        .unwrap()
}

/// Compares a request to one of the vendor's sites with its golden file.
fn check(name: &str, request: http::Request<Bytes>) {
    let site = format!("https://{}", request.uri().host().unwrap()).parse().unwrap();
    check_at(&site, name, request);
}

fn check_at(site: &Site, name: &str, request: http::Request<Bytes>) {
    let bytes = wire::http1(request.clone(), wire::HeaderSecrets::Shown);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    #[expect(clippy::disallowed_methods, reason = "the variable asks for new golden files")]
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(bytes.escape_ascii().to_string(), golden.escape_ascii().to_string(), "{name}");
    let read = wire::parse(&golden, site).unwrap();
    let (head, body) = request.into_parts();
    assert_eq!((read.method(), read.uri()), (&head.method, &head.uri), "{name}");
    assert_eq!((read.headers(), read.body()), (&head.headers, &body), "{name}");
}

#[test]
fn an_upload_for_a_message_or_an_avatar_matches_its_golden_file() {
    let request = |put: PutImage| put.request(&Site::LARK, &token());
    check("put-image-message.http", request(PutImage::message(sample_image()).unwrap()));
    check("put-image-avatar.http", request(PutImage::avatar(sample_image()).unwrap()));
}

#[test]
fn an_upload_by_im_v1_matches_its_golden_file() {
    let create = CreateImage::message(sample_image()).unwrap();
    check("create-image.http", create.request(&Site::LARK, &token()));
}

/// The key and the file token are those of the vendor's pages.
#[test]
fn a_download_matches_its_golden_file() {
    let key = "img_8d5181ca-0aed-40f0-b0d1-b1452132afbg".parse().unwrap();
    check("get-image.http", GetImage::new(key).request(&Site::LARK, &token()));

    let media = DownloadMedia::new("UeZNbAxAIojSuRxarT1ccsabcef".parse().unwrap());
    check("download-media.http", media.request(&Site::LARK, &token()));
    let extra = r#"{"bitablePerm":{"tableId":"tblO6OeNZxfabcef","attachments":{"fld32zZi5I":{"rec0BuOHq":["boxbcsQNT0JsmrztOnX530abcef"]}}}}"#;
    let media = DownloadMedia::new("boxbcsQNT0JsmrztOnX530abcef".parse().unwrap());
    let media = media.with_extra(extra).unwrap();
    check("download-media-extra.http", media.request(&Site::LARK, &token()));
}

#[test]
fn a_write_in_either_encoding_matches_its_golden_file() {
    check("write-sheet-image.http", write().request(&Site::LARK, &token()));
    let base64 = write().with_encoding(ImageEncoding::Base64).request(&Site::LARK, &token());
    check("write-sheet-image-base64.http", base64);
}

/// The tokens and ids are those of the vendor's pages.
#[test]
fn a_request_about_a_spreadsheet_matches_its_golden_file() {
    let sheet = || "2jm6f6".parse().unwrap();
    let query = QuerySheets::new(spreadsheet());
    check("query-sheets.http", query.request(&Site::FEISHU, &token()));
    let node = GetWikiNode::new("wikcnKQ1k3pcuo5uSK4t8Vabcef".parse().unwrap());
    check("get-wiki-node.http", node.request(&Site::FEISHU, &token()));

    let [from, to] = ["Q7PlXT!H7", "Q7PlXT!A1"].map(|cell| cell.parse().unwrap());
    let read = ReadCells::cell(spreadsheet(), &from);
    check("read-cells.http", read.request(&Site::FEISHU, &token()));
    let read = ReadCells::range(spreadsheet(), &from, &to).unwrap();
    check("read-cells-range.http", read.request(&Site::FEISHU, &token()));

    check("add-dimension.http", add_rows());
    let set = UpdateDimension::row_height(spreadsheet(), sheet(), 1..=3, 50).unwrap();
    check("update-dimension-rows.http", set.request(&Site::FEISHU, &token()));
    let set = UpdateDimension::column_width(spreadsheet(), sheet(), 8..=8, 120).unwrap();
    check("update-dimension-columns.http", set.request(&Site::FEISHU, &token()));
}

/// The request of the vendor's sample.
fn add_rows() -> http::Request<Bytes> {
    let add = AddDimension::rows(spreadsheet(), "2jm6f6".parse().unwrap(), 8).unwrap();
    add.request(&Site::FEISHU, &token())
}

#[test]
fn the_json_of_added_rows_is_that_of_the_sample() {
    let sample = r#"{ "dimension":{ "sheetId":"2jm6f6", "majorDimension":"ROWS", "length":8 } }"#;
    assert_eq!(json(add_rows().body()), json(sample.as_bytes()));
}

fn json(text: &[u8]) -> serde_json::Value {
    serde_json::from_slice(text).unwrap()
}

/// The id and secret of the vendor's pages.
fn app() -> (AppId, AppSecret) {
    (AppId::new("cli_slkdjalasdkjasd").unwrap(), AppSecret::new("dskLLdkasdjlasdKK").unwrap())
}

#[test]
fn a_request_for_a_tenant_token_matches_its_golden_file() {
    let (id, secret) = app();
    let get = GetTenantToken::new(id, secret);
    check("tenant-token.http", get.request(&Site::FEISHU, &NoToken));
}

#[test]
fn a_base_path_comes_before_the_route() {
    let (id, secret) = app();
    let site = Site::custom("https://gw.corp.example/feishu").unwrap();
    let get = GetTenantToken::new(id, secret).request(&site, &NoToken);
    check_at(&site, "tenant-token-base-path.http", get);
    let write = write().request(&site, &token());
    check_at(&site, "write-sheet-image-base-path.http", write);
}

#[test]
fn a_request_for_an_app_token_matches_its_golden_file() {
    let (id, secret) = app();
    let get = GetAppToken::new(id, secret, AppTicket::new("dskLLdkasd").unwrap());
    check("app-token.http", get.request(&Site::LARK, &NoToken));
}

#[test]
fn a_request_for_a_tenant_token_of_a_store_app_matches_its_golden_file() {
    let token = AppToken::new("a-32bd8551db2f081cbfd26293f27516390b9feb04").unwrap();
    let get = GetStoreTenantToken::new(token, TenantKey::new("73658811060f175d").unwrap());
    check("store-tenant-token.http", get.request(&Site::LARK, &NoToken));
}

#[test]
fn a_request_for_the_ticket_matches_its_golden_file() {
    let (id, secret) = app();
    let ask = ResendAppTicket::new(id, secret);
    check("app-ticket-resend.http", ask.request(&Site::LARK, &NoToken));
}

#[test]
fn the_json_of_a_write_is_that_of_the_sample() {
    let ours = write().request(&Site::LARK, &token()).into_body();
    assert_eq!(json(&ours), json(SAMPLE.as_bytes()));
}

/// The sample on the pages of both endpoints.
fn uuid() -> MessageUuid {
    MessageUuid::new("选填，每次调用前请更换，如a0d69e20-1dd1-458b-k525-dfeca4015204").unwrap()
}

/// The sample on the vendor's page about the content of messages.
fn key() -> ImageKey {
    ImageKey::new("img_v2_xxx").unwrap()
}

#[test]
fn a_message_to_each_kind_of_receiver_matches_its_golden_file() {
    for (name, receiver) in [
        ("send-image-chat.http", Receiver::chat("oc_84983ff6516d731e5b5f68d4ea2e1da5")),
        ("send-image-user.http", Receiver::open_id("ou_7d8a6e6df7621556ce0d21922b676706ccs")),
        ("send-image-email.http", Receiver::email("xxxx@example.com")),
    ] {
        let send = SendImage::new(receiver.unwrap(), key(), uuid());
        check(name, send.request(&Site::FEISHU, &token()));
    }
}

#[test]
fn a_reply_matches_its_golden_file() {
    let message = MessageId::new("om_xxxxxx").unwrap();
    let reply = ReplyImage::new(message, key(), uuid());
    check("reply-image.http", reply.request(&Site::FEISHU, &token()));
    let reply = reply.in_thread(true);
    check("reply-image-thread.http", reply.request(&Site::FEISHU, &token()));
}

/// The sample is on the vendor's page about the content of messages.
#[test]
fn the_content_of_a_message_is_that_of_the_sample() {
    let sample = r#"{
    "receive_id": "oc_xxx",
    "content": "{\"image_key\": \"img_v2_xxx\"}",
    "msg_type": "image"
}"#;
    let send = SendImage::new(Receiver::chat("oc_xxx").unwrap(), key(), uuid());
    let ours = send.request(&Site::FEISHU, &token()).into_body();
    let read = |text: &[u8]| {
        let mut body: serde_json::Value = serde_json::from_slice(text).unwrap();
        let content: serde_json::Value =
            serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
        body["content"] = content;
        body.as_object_mut().unwrap().remove("uuid");
        body
    };
    assert_eq!(read(&ours), read(sample.as_bytes()));
}
