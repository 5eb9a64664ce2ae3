//! Writes the meaning of a reply as plain JSON: the result of its endpoint, or the error.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use lark_proto::endpoints::{
    AddDimension, CellContent, Cells, Download, DownloadMedia, EndpointExt, GetAppToken, GetImage,
    GetStoreTenantToken, GetTenantToken, GetWikiNode, Grant, MessageSent, QuerySheets, Raw,
    ReadCells, ResendAppTicket, Sheets, UpdateDimension,
};
use lark_proto::error::{Advice, Error};
use lark_proto::values::{FileToken, MessageId};
use lark_proto::{
    CreateImage, ImageKey, PutImage, ReplyImage, SendImage, TenantToken, WriteSheetImage,
};
use serde_json::{Value, json};

use crate::json::{bytes, snake};

/// The result or the error that the endpoint `name` reads from `reply`.
pub(crate) fn read(name: &str, reply: Response<Bytes>) -> Value {
    let result = match name {
        "put_image" => PutImage::decode(reply).map(|key| image_key(&key)),
        "create_image" => CreateImage::decode(reply).map(|key| image_key(&key)),
        "get_image" => GetImage::decode(reply).map(|file| download(&file)),
        "download_media" => DownloadMedia::decode(reply).map(|file| download(&file)),
        "write_sheet_image" => WriteSheetImage::decode(reply).map(|written| {
            json!({
                "spreadsheet_token": written.spreadsheet_token,
                "range": written.range,
                "revision": written.revision,
            })
        }),
        "query_sheets" => QuerySheets::decode(reply).map(|it| sheets(&it)),
        "read_cells" => ReadCells::decode(reply).map(|it| cells(&it)),
        "add_dimension" => AddDimension::decode(reply).map(|added| json!({ "count": added.count })),
        "update_dimension" => UpdateDimension::decode(reply).map(|()| json!({})),
        "get_wiki_node" => GetWikiNode::decode(reply).map(|node| {
            json!({
                "obj_token": node.obj_token, "obj_type": node.obj_type, "title": node.title,
                "space_id": node.space_id,
            })
        }),
        "send_image" => SendImage::decode(reply).map(|it| message(&it)),
        "reply_image" => ReplyImage::decode(reply).map(|it| message(&it)),
        "get_tenant_token" => GetTenantToken::decode(reply).map(|it| tenant_grant(&it)),
        "get_store_tenant_token" => GetStoreTenantToken::decode(reply).map(|it| tenant_grant(&it)),
        "get_app_token" => {
            GetAppToken::decode(reply).map(|it| grant(it.token.expose_secret(), it.expires_in))
        }
        "resend_app_ticket" => ResendAppTicket::decode(reply).map(|()| json!({})),
        "raw" => Raw::<Value>::decode(reply).map(|data| json!({ "data": data })),
        other => panic!("there is no endpoint `{other}`"),
    };
    match result {
        Ok(result) => json!({ "result": result }),
        Err(error) => json!({ "error": in_json(&error) }),
    }
}

fn image_key(key: &ImageKey) -> Value {
    json!({ "image_key": key.as_str() })
}

fn download(file: &Download) -> Value {
    json!({
        "bytes": bytes(&file.bytes),
        "content_type": file.content_type,
        "file_name": file.file_name,
    })
}

fn sheets(sheets: &Sheets) -> Value {
    let sheet = |sheet: &lark_proto::endpoints::Sheet| {
        let grid = sheet.grid.map(|grid| json!({ "rows": grid.rows, "columns": grid.columns }));
        json!({
            "id": sheet.id.as_str(), "title": sheet.title, "is_hidden": sheet.is_hidden,
            "kind": snake(sheet.kind), "grid": grid,
        })
    };
    json!({ "sheets": sheets.iter().map(sheet).collect::<Vec<_>>() })
}

/// The cells that are not empty.
fn cells(cells: &Cells) -> Value {
    let cell = |((rows_below, columns_right), content): ((u32, u32), &CellContent)| {
        let mut shown = json!({ "rows_below": rows_below, "columns_right": columns_right });
        match content {
            CellContent::Text(text) => {
                shown["kind"] = "text".into();
                shown["text"] = text.as_str().into();
            }
            CellContent::Image { file_token, .. } => {
                shown["kind"] = "image".into();
                shown["file_token"] = file_token.as_ref().map(FileToken::as_str).into();
            }
            _ => shown["kind"] = "other".into(),
        }
        shown
    };
    json!({ "cells": cells.iter().map(cell).collect::<Vec<_>>() })
}

fn message(sent: &MessageSent) -> Value {
    let time = sent.create_time.map(|time| time.duration_since(UNIX_EPOCH).unwrap());
    json!({
        "message_id": sent.message_id.as_str(),
        "chat_id": sent.chat_id,
        "create_time_ms": time.map(milliseconds),
        "parent_id": sent.parent_id.as_ref().map(MessageId::as_str),
        "root_id": sent.root_id.as_ref().map(MessageId::as_str),
        "thread_id": sent.thread_id,
    })
}

fn tenant_grant(granted: &Grant<TenantToken>) -> Value {
    grant(granted.token.expose_secret(), granted.expires_in)
}

fn grant(token: &str, expires_in: Duration) -> Value {
    json!({ "token": token, "expires_in_ms": milliseconds(expires_in) })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn in_json(error: &Error) -> Value {
    let mut shown = match error {
        Error::Api(api) => {
            let permissions = api
                .permission_violations
                .iter()
                .map(|it| json!({ "scope": it.scope, "kind": it.kind, "url": it.url }));
            let fields = api
                .field_violations
                .iter()
                .map(|it| json!({ "field": it.field, "description": it.description }));
            json!({
                "kind": "api",
                "code": api.code.0,
                "class": snake(api.class()),
                "message": api.msg,
                "detail": api.detail,
                "permission_violations": permissions.collect::<Vec<_>>(),
                "field_violations": fields.collect::<Vec<_>>(),
                "grant_link": api.grant_link,
                "troubleshooter": api.troubleshooter,
                "is_permission": api.is_permission(),
                "is_rate_limit": api.is_rate_limit(),
                "retry_after_ms": api.retry_after.map(milliseconds),
            })
        }
        Error::Unreadable(reply) => json!({
            "kind": "unreadable",
            "content_type": reply.content_type,
            "excerpt": reply.excerpt,
            "retry_after_ms": reply.retry_after.map(milliseconds),
        }),
        other => panic!("{other}"),
    };
    shown["advice"] = match error.advice() {
        Advice::GiveUp => "give_up".into(),
        Advice::RenewToken => "renew_token".into(),
        Advice::Again { .. } => "again".into(),
        other => panic!("{other:?}"),
    };
    shown["outcome"] = snake(error.outcome()).into();
    shown["log_id"] = error.log_id().into();
    shown
}
