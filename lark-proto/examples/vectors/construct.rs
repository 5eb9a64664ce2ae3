//! Values from the inputs of a case: the constructors of the crate by name, with their results as plain JSON.

use http::Response;
use lark_proto::body::Boundary;
use lark_proto::endpoints::{
    AppTicketEvent, Endpoint, GetWikiNode, Path, QuerySheets, Sheets, WikiNode,
};
use lark_proto::network::{ClientBuilder, FromSettings, Proxy, Settings};
use lark_proto::place::{Ask, Located, Place, Resolve};
use lark_proto::token::AppToken;
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileName, FileToken, ImageRules, MessageId, MessageUuid, Receiver,
    SheetId, SpreadsheetToken, TenantKey, WikiToken,
};
use lark_proto::wire;
use lark_proto::{
    App, EndpointExt, Image, ImageKey, Invalid, SheetCell, Site, SpreadsheetLink, TenantToken,
    UserToken,
};
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::json::{bytes, snake};
use crate::with_endpoint::{Tokens, Visit, is_endpoint, with_endpoint};

/// The value that the constructor `name` makes from `inputs`.
pub(crate) fn construct(name: &str, inputs: &Value) -> Result<Value, Invalid> {
    let inputs = Inputs(inputs);
    if is_endpoint(name) {
        return with_endpoint(name, inputs, Accepted);
    }
    let text = || inputs.text("text");
    Ok(match name {
        "spreadsheet_token" => json!({ "text": SpreadsheetToken::new(text())?.as_str() }),
        "spreadsheet_token_of_any_kind" => {
            json!({ "text": SpreadsheetToken::any_kind(text())?.as_str() })
        }
        "spreadsheet_link" => {
            let link = SpreadsheetLink::new(text())?;
            json!({
                "link": link.as_str(),
                "spreadsheet": link.token().as_str(),
                "sheet": link.sheet().map(SheetId::as_str),
                "cell": link.cell().map(SheetCell::cell),
            })
        }
        "wiki_token" => json!({ "text": WikiToken::new(text())?.as_str() }),
        "sheet_id" => json!({ "text": SheetId::new(text())?.as_str() }),
        "sheet_cell" => shown_cell(&SheetCell::new(text())?),
        "sheet_cell_at" => {
            let sheet = SheetId::new(inputs.text("sheet"))?;
            let cell = SheetCell::at(sheet, inputs.number("column"), inputs.number("row"))?;
            shown_cell(&cell)
        }
        "image" => shown_image(&inputs.image()?),
        "image_for_rules" => {
            let image = inputs.image()?;
            image.check(match inputs.text("rules") {
                "message" => &ImageRules::MESSAGE,
                "avatar" => &ImageRules::AVATAR,
                _ => &ImageRules::CELL,
            })?;
            shown_image(&image)
        }
        "file_name" => json!({ "text": FileName::new(text(), &inputs.image()?)?.as_str() }),
        "lossy_file_name" => json!({ "text": FileName::lossy(text(), &inputs.image()?).as_str() }),
        "image_key" => json!({ "text": ImageKey::new(text())?.as_str() }),
        "file_token" => json!({ "text": FileToken::new(text())?.as_str() }),
        "message_id" => json!({ "text": MessageId::new(text())?.as_str() }),
        "message_uuid" => json!({ "text": MessageUuid::new(text())?.as_str() }),
        "receiver" => shown_receiver(&Receiver::new(text())?),
        "chat_receiver" => shown_receiver(&Receiver::chat(text())?),
        "open_id_receiver" => shown_receiver(&Receiver::open_id(text())?),
        "union_id_receiver" => shown_receiver(&Receiver::union_id(text())?),
        "user_id_receiver" => shown_receiver(&Receiver::user_id(text())?),
        "email_receiver" => shown_receiver(&Receiver::email(text())?),
        "tenant_token" => json!({ "text": TenantToken::new(text())?.expose_secret() }),
        "user_token" => json!({ "text": UserToken::new(text())?.expose_secret() }),
        "app_token" => json!({ "text": AppToken::new(text())?.expose_secret() }),
        "app_id" => json!({ "text": AppId::new(text())?.as_str() }),
        "app_secret" => json!({ "text": AppSecret::new(text())?.expose_secret() }),
        "app_ticket" => json!({ "text": AppTicket::new(text())?.expose_secret() }),
        "tenant_key" => json!({ "text": TenantKey::new(text())?.as_str() }),
        "app_ticket_event" => {
            let event = inputs.bytes("event");
            let event = AppTicketEvent::parse(&event, inputs.text("verification_token"))?;
            json!({ "app_id": event.app_id.as_str(), "app_ticket": event.ticket.expose_secret() })
        }
        "site" => shown_site(&Site::new(text())?),
        "custom_site" => shown_site(&Site::custom(text())?),
        "insecure_site" => shown_site(&Site::insecure(text())?),
        "proxy" => {
            let proxy = Proxy::new(text())?;
            let authorization = proxy.authorization();
            json!({
                "kind": if proxy.is_socks5() { "socks5" } else { "http" },
                "host": proxy.host(),
                "port": proxy.port(),
                "authorization": authorization.map(|it| it.to_str().unwrap().to_owned()),
            })
        }
        "user_agent" => {
            let builder = ClientBuilder::<UserAgent>::new(Site::LARK, App::None);
            json!({ "text": builder.user_agent(text()).build()?.0 })
        }
        "boundary" => json!({ "text": Boundary::new(text())?.as_str() }),
        "path" => {
            let mut path = Path::new(inputs.text("route"));
            for value in inputs.list("values") {
                path = path.segment(value.as_str().unwrap());
            }
            for pair in inputs.list("query") {
                path = path.query(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            }
            path.check()?;
            json!({ "text": path.to_string() })
        }
        "wiki_node_spreadsheet" => {
            json!({ "text": node(inputs.0).spreadsheet()?.as_str() })
        }
        "place" => place(inputs)?,
        "stored_request" => {
            let site = Site::custom(inputs.text("site"))?;
            let request = wire::parse(&inputs.bytes("bytes"), &site)?;
            json!({
                "method": request.method().as_str(),
                "url": request.uri().to_string(),
                "body": bytes(request.body()),
            })
        }
        other => panic!("there is no constructor `{other}`"),
    })
}

/// An endpoint as a value: it was accepted. Its request is in another file.
struct Accepted;

impl Visit for Accepted {
    type Output = Value;

    fn visit<E: Endpoint>(self, endpoint: &E) -> Value
    where
        E::Auth: Tokens,
    {
        json!({ "target": endpoint.path().to_string() })
    }
}

/// A client that has a `User-Agent` and nothing else.
struct UserAgent(String);

impl FromSettings for UserAgent {
    fn from_settings(settings: Settings) -> Result<Self, Invalid> {
        let value = settings.user_agent("default")?;
        Ok(Self(value.to_str().unwrap().to_owned()))
    }
}

fn shown_cell(cell: &SheetCell) -> Value {
    json!({
        "range": cell.as_str(),
        "sheet": cell.sheet().as_str(),
        "column": cell.column(),
        "row": cell.row(),
    })
}

fn shown_image(image: &Image) -> Value {
    json!({
        "format": image.format().map(snake),
        "extension": image.extension(),
        "byte_count": image.bytes().len(),
    })
}

fn shown_receiver(receiver: &Receiver) -> Value {
    json!({ "id": receiver.id(), "id_type": receiver.id_type() })
}

fn shown_site(site: &Site) -> Value {
    json!({
        "url": site.as_str(),
        "host": site.host(),
        "port": site.port(),
        "base_path": site.base_path(),
    })
}

fn node(fields: &Value) -> WikiNode {
    let reply = json!({ "code": 0, "data": { "node": fields } });
    GetWikiNode::decode(Response::new(reply.to_string().into())).unwrap()
}

fn sheets(list: &Value) -> Sheets {
    let reply = json!({ "code": 0, "data": { "sheets": list } });
    QuerySheets::decode(Response::new(reply.to_string().into())).unwrap()
}

/// A place, and what it needs next: the document on a page of a wiki, the list of sheets, or nothing.
fn place(inputs: Inputs<'_>) -> Result<Value, Invalid> {
    let place = Place::new(inputs.text("document"), inputs.text("cell"))?;
    let place = if inputs.flag("beyond_grid") { place.beyond_grid() } else { place };
    let mut resolve = Resolve::new(&place);
    if let Some(fields) = inputs.optional("node") {
        resolve.node(node(fields));
    }
    if let Some(list) = inputs.optional("sheets") {
        resolve.sheets(sheets(list));
    }
    Ok(match resolve.next()? {
        Ask::Node(get) => json!({ "needs": "get_wiki_node", "target": get.path().to_string() }),
        Ask::Sheets(query) => {
            json!({ "needs": "query_sheets", "target": query.path().to_string() })
        }
        Ask::Done(found) => located(&found),
    })
}

fn located(found: &Located) -> Value {
    let adds = found.growth();
    let bodies = adds.iter().map(|add| {
        let request = add.request(&Site::LARK, &TenantToken::new("t-1").unwrap());
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        json!({
            "dimension": body["dimension"]["majorDimension"].as_str().unwrap().to_lowercase(),
            "count": body["dimension"]["length"],
        })
    });
    json!({
        "needs": null,
        "spreadsheet": found.spreadsheet.as_str(),
        "range": found.cell.as_str(),
        "growth": bodies.collect::<Vec<_>>(),
    })
}
