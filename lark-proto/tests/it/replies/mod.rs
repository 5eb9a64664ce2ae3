//! Replies of the service, well-formed and malformed, and the results that the endpoints read from them. Most tests are
//! tables: a row has a reply and, after `=>`, its result in words.

mod downloads;
mod errors;
mod hints;
mod limits;
mod links;
mod messages;
mod sheets;
mod success;
mod tokens;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use lark_proto::endpoints::{GetTenantToken, GetWikiNode, QuerySheets, ReadCells};
use lark_proto::error::{Advice, Unreadable};
use lark_proto::session::{Call, Limits, Session};
use lark_proto::{
    App, CallError, CreateImage, EndpointExt, Error, Image, ImageKey, PutImage, SendImage, Site,
    TenantToken, WriteSheetImage,
};

use crate::sim::{Cut, Sim, after};

const DATA: &str = r#"{"spreadsheetToken":"sht","updateRange":"Q!A1:A1","revision":80}"#;
const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-SECRET","expire":7140}"#;

fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        reply.headers_mut().append(name.parse::<HeaderName>().unwrap(), value);
    }
    reply
}

/// The error that every endpoint reads from a reply. Its text names the status, has no control character and is
/// bounded.
fn error(reply: &Response<Bytes>) -> Error {
    let sheet = WriteSheetImage::decode(reply.clone()).unwrap_err();
    let image = PutImage::decode(reply.clone()).unwrap_err();
    let token = GetTenantToken::decode(reply.clone()).unwrap_err();
    let created = CreateImage::decode(reply.clone()).unwrap_err();
    assert_eq!(created.to_string(), image.to_string());
    let message = SendImage::decode(reply.clone()).unwrap_err();
    let sheets = QuerySheets::decode(reply.clone()).unwrap_err();
    let node = GetWikiNode::decode(reply.clone()).unwrap_err();
    let cells = ReadCells::decode(reply.clone()).unwrap_err();
    for other in [image, token, message, sheets, node, cells] {
        assert_eq!(in_words(&other), in_words(&sheet));
    }
    let shown = sheet.to_string();
    let status = reply.status().as_u16();
    assert!(shown.contains(&format!("(HTTP {status}")), "{shown}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(shown.len() < 128 * 1024, "{} bytes", shown.len());
    sheet
}

fn unreadable(error: &Error) -> &Unreadable {
    match error {
        Error::Unreadable(reply) => reply,
        other => panic!("{other}"),
    }
}

/// An error in words: the code and its class, or the content type; the advice; the message or the excerpt; the other
/// details.
fn in_words(error: &Error) -> String {
    let (advice, again) = match error.advice() {
        Advice::Again { after } => ("Again", Some(after)),
        Advice::RenewToken => ("Renew", None),
        Advice::GiveUp => ("GiveUp", None),
        other => panic!("{other:?}"),
    };
    let mut details = Vec::new();
    let (first, after) = if let Some(api) = error.api() {
        let or = |text: &Option<String>| text.clone().unwrap_or("-".into());
        details.extend(api.detail.iter().map(|detail| format!("detail {detail}")));
        let scopes = api.permission_violations.iter();
        details.extend(scopes.map(|v| format!("scope {} {} {}", v.scope, or(&v.kind), or(&v.url))));
        let fields = api.field_violations.iter();
        details.extend(fields.map(|v| format!("field {}: {}", v.field, v.description)));
        details.extend(api.troubleshooter.iter().map(|hint| format!("hint {hint}")));
        let first = format!("{} {:?}, {advice}, `{}`", api.code.0, api.code.class(), api.msg);
        (first, api.retry_after)
    } else {
        let Unreadable { content_type, excerpt, retry_after, .. } = unreadable(error);
        let content_type = content_type.as_deref().unwrap_or("-");
        (format!("unreadable, {content_type}, {advice}, `{excerpt}`"), *retry_after)
    };
    assert!(again.is_none_or(|again| again == after), "{again:?} {after:?}");
    let after = after.map(|wait| format!("after {wait:?}"));
    let log_id = error.log_id().map(|id| format!("log {id}"));
    [first].into_iter().chain(after).chain(log_id).chain(details).collect::<Vec<_>>().join(", ")
}

/// Checks every row of a table, and shows all rows that differ.
fn check(table: &str, tell: impl Fn(&str) -> String) {
    let rows = table.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    let wrong = rows.filter_map(|row| {
        let (given, want) = row.split_once("=> ").unwrap();
        let got = tell(given.trim_end());
        (got != want).then(|| format!("{row}\n  got {got}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn data(data: &str) -> Response<Bytes> {
    reply(200, &[], format!(r#"{{"code":0,"msg":"ok","data":{data}}}"#))
}

/// The error of a call of one attempt, with this token or with the session's own, that gets these replies in turn.
fn call_error(token: Option<&TenantToken>, replies: &[&Response<Bytes>]) -> CallError<Cut> {
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let session = Session::new(Site::FEISHU, App::custom("cli_x", "hidden-1234").unwrap());
    let call = match token {
        Some(token) => Call::with_token(token, &put),
        None => Call::new(&put),
    };
    let mut replies = replies.iter().cycle();
    let mut sim: Sim<'_, ImageKey> =
        Sim::new(session, |_, _| after(Duration::ZERO, (*replies.next().unwrap()).clone()));
    sim.start(call.with_limits(Limits::one_attempt()).boxed());
    sim.run();
    sim.take_last_result().unwrap_err()
}
