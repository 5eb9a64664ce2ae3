//! The replies that are a success.

use lark_proto::endpoints::{
    GetAppToken, GetTenantToken, ResendAppTicket, SheetImageWritten, WithLogId,
};
use lark_proto::{EndpointExt, PutImage, WriteSheetImage};

use super::{DATA, TOKEN, data, reply, unreadable};

/// The success of a write whose `data` has these fields, under a log id.
fn written(log_id: &str, fields: &str) -> (SheetImageWritten, Option<String>) {
    let body = format!(r#"{{"code":0,"data":{fields}}}"#);
    WithLogId::<WriteSheetImage>::decode(reply(200, &[("x-tt-logid", log_id)], body)).unwrap()
}

#[test]
fn code_0_is_a_success_under_any_status() {
    for status in [200, 204, 302, 400, 401, 429, 500, 503] {
        let decode = |body: &str| reply(status, &[], body.to_owned());
        let sheet = decode(&format!(r#"{{"code":0,"error":{{"message":"m"}},"data":{DATA}}}"#));
        assert_eq!(WriteSheetImage::decode(sheet).unwrap().spreadsheet_token, "sht");
        let image = PutImage::decode(decode(r#" {"data":{"image_key":"img_1"},"code":0} "#));
        assert_eq!(image.unwrap().as_str(), "img_1");
        let grant = GetTenantToken::decode(decode(TOKEN)).unwrap();
        assert_eq!((grant.token.expose_secret(), grant.expires_in.as_secs()), ("t-SECRET", 7140));
    }
}

#[test]
fn a_reply_is_read_with_its_log_id() {
    let both = [("x-request-id", "R"), ("x-tt-logid", "T")];
    let token = reply(200, &both, TOKEN);
    let (_, log_id) = WithLogId::<GetTenantToken>::decode(token.clone()).unwrap();
    assert_eq!(log_id.as_deref(), Some("T"));
    assert_eq!(WithLogId::<PutImage>::decode(token).unwrap_err().log_id(), Some("T"));
    let sheet = reply(200, &both[..1], format!(r#"{{"log_id":"B","code":0,"data":{DATA}}}"#));
    let (written, log_id) = WithLogId::<WriteSheetImage>::decode(sheet).unwrap();
    assert_eq!((written.revision, log_id.as_deref()), (Some(80), Some("B")));
    assert_eq!(WithLogId::<WriteSheetImage>::decode(data(DATA)).unwrap().1, None);
}

#[test]
fn a_token_without_a_code_is_a_success_of_a_token_request_only() {
    let get = |status, body: &str| GetTenantToken::decode(reply(status, &[], body.to_owned()));
    let grant = get(200, r#"{"tenant_access_token":"t-1","expire":60}"#).unwrap();
    assert_eq!((grant.token.expose_secret(), grant.expires_in.as_secs()), ("t-1", 60));
    let app = reply(200, &[], r#"{"msg":"ok","code":null,"app_access_token":"a-1","expire":60}"#);
    assert_eq!(GetAppToken::decode(app).unwrap().token.expose_secret(), "a-1");
    for (status, body) in [
        (500, r#"{"tenant_access_token":"t-1"}"#),
        (200, r#"{"tenant_access_token":""}"#),
        (200, r#"{"tenant_access_token":null}"#),
        (200, r#"{"tenant_access_token":"t-1","code":"0"}"#),
        (200, r#"{"app_access_token":"t-1"}"#),
        (200, "{}"),
    ] {
        unreadable(&get(status, body).unwrap_err());
    }
    let put = reply(200, &[], r#"{"data":{"image_key":"img"}}"#);
    unreadable(&PutImage::decode(put).unwrap_err());
    unreadable(&ResendAppTicket::decode(reply(200, &[], "{}")).unwrap_err());
}

#[test]
fn the_texts_of_a_success_are_truncated() {
    let long = "x".repeat(2000);
    let fields = format!(r#"{{"spreadsheetToken":"{long}","updateRange":"{long}"}}"#);
    let (sheet, log_id) = written(&long, &fields);
    let cut = |max| format!("{}…", &long[..max]);
    assert_eq!((sheet.spreadsheet_token, sheet.range), (cut(1024), Some(cut(1024))));
    assert_eq!(log_id, Some(cut(128)));
}

#[test]
fn control_characters_of_a_success_become_spaces() {
    let fields = r#"{"spreadsheetToken":"a\u001bb\u202ec","updatedRange":"Q!A1\r\n"}"#;
    let (sheet, _) = written("L", fields);
    assert_eq!((&*sheet.spreadsheet_token, sheet.range.as_deref()), ("a b c", Some("Q!A1  ")));
}
