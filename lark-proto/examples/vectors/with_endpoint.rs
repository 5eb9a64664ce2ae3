//! The endpoints by name: each is made from the inputs of a case and shown to a visitor, which is generic.

use bytes::Bytes;
use http::{Method, Request};
use lark_proto::body::{Boundary, ImageEncoding};
use lark_proto::endpoints::{
    AddDimension, DownloadMedia, Endpoint, EndpointExt, GetAppToken, GetImage, GetStoreTenantToken,
    GetTenantToken, GetWikiNode, Payload, QuerySheets, Raw, ReadCells, ResendAppTicket,
    UpdateDimension,
};
use lark_proto::token::{AppToken, Auth, NoAuth, NoToken, TenantOnly, TenantOrUser};
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileToken, MessageId, MessageUuid, Receiver, SheetId,
    SpreadsheetToken, TenantKey, WikiToken,
};
use lark_proto::{
    CreateImage, ImageKey, Invalid, PutImage, ReplyImage, SendImage, SheetCell, Site, TenantToken,
    UserToken, WriteSheetImage,
};
use serde_json::Value;

use crate::inputs::Inputs;

/// The token of a request.
pub(crate) enum Token {
    None,
    Tenant(TenantToken),
    User(UserToken),
}

/// The tokens that an endpoint accepts.
pub(crate) trait Tokens: Auth + Sized {
    /// The kinds of token, by the names that the vectors give them.
    const KINDS: &'static [&'static str];

    fn request<E: Endpoint<Auth = Self>>(
        endpoint: &E,
        site: &Site,
        token: &Token,
    ) -> Request<Bytes>;
}

impl Tokens for NoAuth {
    const KINDS: &'static [&'static str] = &[];

    fn request<E: Endpoint<Auth = Self>>(endpoint: &E, site: &Site, _: &Token) -> Request<Bytes> {
        endpoint.request(site, &NoToken)
    }
}

impl Tokens for TenantOnly {
    const KINDS: &'static [&'static str] = &["tenant"];

    fn request<E: Endpoint<Auth = Self>>(
        endpoint: &E,
        site: &Site,
        token: &Token,
    ) -> Request<Bytes> {
        match token {
            Token::Tenant(token) => endpoint.request(site, token),
            _ => panic!("{} takes a tenant token", endpoint.route()),
        }
    }
}

impl Tokens for TenantOrUser {
    const KINDS: &'static [&'static str] = &["tenant", "user"];

    fn request<E: Endpoint<Auth = Self>>(
        endpoint: &E,
        site: &Site,
        token: &Token,
    ) -> Request<Bytes> {
        match token {
            Token::Tenant(token) => endpoint.request(site, token),
            Token::User(token) => endpoint.request(site, token),
            Token::None => panic!("{} takes a token", endpoint.route()),
        }
    }
}

/// A function of any endpoint.
pub(crate) trait Visit {
    type Output;

    fn visit<E: Endpoint>(self, endpoint: &E) -> Self::Output
    where
        E::Auth: Tokens;
}

/// Whether `name` is an endpoint.
pub(crate) fn is_endpoint(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The names of the endpoints.
pub(crate) const NAMES: [&str; 17] = [
    "write_sheet_image",
    "query_sheets",
    "read_cells",
    "add_dimension",
    "update_dimension",
    "download_media",
    "get_wiki_node",
    "put_image",
    "create_image",
    "get_image",
    "send_image",
    "reply_image",
    "get_tenant_token",
    "get_app_token",
    "get_store_tenant_token",
    "resend_app_ticket",
    "raw",
];

/// Makes the endpoint `name` from its inputs, and shows it to the visitor.
pub(crate) fn with_endpoint<V: Visit>(
    name: &str,
    inputs: Inputs<'_>,
    visitor: V,
) -> Result<V::Output, Invalid> {
    let text = |name| inputs.text(name);
    let spreadsheet = || SpreadsheetToken::new(text("spreadsheet"));
    let sheet = || SheetId::new(text("sheet"));
    let cell = |name| SheetCell::new(text(name));
    let key = || ImageKey::new(text("image_key"));
    let uuid = || MessageUuid::new(text("uuid"));
    let app_id = || AppId::new(text("app_id"));
    let secret = || AppSecret::new(text("app_secret"));
    Ok(match name {
        "put_image" => {
            let put = match text("image_type") {
                "message" => PutImage::message(inputs.image()?)?,
                _ => PutImage::avatar(inputs.image()?)?,
            };
            visitor.visit(&match inputs.optional_text("boundary") {
                Some(boundary) => put.with_boundary(&Boundary::new(boundary)?)?,
                None => put,
            })
        }
        "create_image" => {
            let create = match text("image_type") {
                "message" => CreateImage::message(inputs.image()?)?,
                _ => CreateImage::avatar(inputs.image()?)?,
            };
            visitor.visit(&match inputs.optional_text("boundary") {
                Some(boundary) => create.with_boundary(&Boundary::new(boundary)?)?,
                None => create,
            })
        }
        "write_sheet_image" => visitor.visit(&write(inputs, spreadsheet()?, cell("cell")?)?),
        "read_cells" => visitor.visit(&if inputs.optional("cell").is_some() {
            ReadCells::cell(spreadsheet()?, &cell("cell")?)
        } else {
            ReadCells::range(spreadsheet()?, &cell("from")?, &cell("to")?)?
        }),
        "query_sheets" => visitor.visit(&QuerySheets::new(spreadsheet()?)),
        "add_dimension" => visitor.visit(&match text("dimension") {
            "rows" => AddDimension::rows(spreadsheet()?, sheet()?, inputs.number("count"))?,
            _ => AddDimension::columns(spreadsheet()?, sheet()?, inputs.number("count"))?,
        }),
        "update_dimension" => {
            let range = inputs.number("first")..=inputs.number("last");
            let pixels = inputs.number("pixels");
            visitor.visit(&match text("dimension") {
                "rows" => UpdateDimension::row_height(spreadsheet()?, sheet()?, range, pixels)?,
                _ => UpdateDimension::column_width(spreadsheet()?, sheet()?, range, pixels)?,
            })
        }
        "download_media" => {
            let get = DownloadMedia::new(FileToken::new(text("file_token"))?);
            visitor.visit(&match inputs.optional_text("extra") {
                Some(extra) => get.with_extra(extra)?,
                None => get,
            })
        }
        "get_image" => visitor.visit(&GetImage::new(key()?)),
        "get_wiki_node" => visitor.visit(&GetWikiNode::new(WikiToken::new(text("wiki_token"))?)),
        "send_image" => {
            visitor.visit(&SendImage::new(Receiver::new(text("receiver"))?, key()?, uuid()?))
        }
        "reply_image" => {
            let reply = ReplyImage::new(MessageId::new(text("message_id"))?, key()?, uuid()?);
            visitor.visit(&reply.in_thread(inputs.flag("in_thread")))
        }
        "get_tenant_token" => visitor.visit(&GetTenantToken::new(app_id()?, secret()?)),
        "get_app_token" => {
            let ticket = AppTicket::new(text("app_ticket"))?;
            visitor.visit(&GetAppToken::new(app_id()?, secret()?, ticket))
        }
        "get_store_tenant_token" => {
            let token = AppToken::new(text("app_access_token"))?;
            visitor.visit(&GetStoreTenantToken::new(token, TenantKey::new(text("tenant_key"))?))
        }
        "resend_app_ticket" => visitor.visit(&ResendAppTicket::new(app_id()?, secret()?)),
        "raw" => visitor.visit(&raw(inputs)),
        other => panic!("there is no endpoint `{other}`"),
    })
}

fn write(
    inputs: Inputs<'_>,
    spreadsheet: SpreadsheetToken,
    cell: SheetCell,
) -> Result<WriteSheetImage, Invalid> {
    let mut write = WriteSheetImage::new(spreadsheet, cell, inputs.image()?)?;
    if let Some(name) = inputs.optional_text("name") {
        write = write.with_name(name)?;
    }
    if let Some(name) = inputs.optional_text("lossy_name") {
        write = write.with_lossy_name(name);
    }
    Ok(match inputs.optional_text("encoding") {
        Some("base64") => write.with_encoding(ImageEncoding::Base64),
        _ => write,
    })
}

fn raw(inputs: Inputs<'_>) -> Raw<Value> {
    let method = Method::from_bytes(inputs.text("method").as_bytes()).unwrap();
    let mut raw = Raw::new(method, inputs.text("route").to_owned());
    for value in inputs.list("values") {
        raw = raw.segment(value.as_str().unwrap());
    }
    for pair in inputs.list("query") {
        raw = raw.query(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    for header in inputs.list("headers") {
        let (name, value) = header.as_str().unwrap().split_once(": ").unwrap();
        raw = raw.with_header(name.parse().unwrap(), value.parse().unwrap());
    }
    match inputs.optional_text("json_text") {
        Some(json) => raw.with_payload(Payload::json(json.to_owned())),
        None => raw,
    }
}
