//! The rights of the app: its bot, its scopes, the document, the chat.

use std::time::Duration;

use lark_proto::endpoints::{CellContent, Endpoint, Raw, ReadCells, Reply};
use lark_proto::error::{CallErrorKind, Class, Code};
use lark_proto::http::Method;
use lark_proto::place::Place;
use lark_proto::token::TenantOnly;
use lark_proto::values::Receiver;
use lark_proto::{Error, Image, Invalid, Limits, WriteSheetImage};
use lark_ureq::{CallError, Client};
use serde::Deserialize;

use super::report::Verdict;
use crate::tools::account::Account;

/// The jobs that the app has to be able to do.
#[derive(Clone, Copy)]
pub(crate) struct Jobs {
    pub(crate) cells: bool,
    pub(crate) wiki: bool,
    pub(crate) messages: bool,
}

const BOT: &str = "add the feature Bot to the app and release a version";

/// The app's own bot.
struct BotInfo;

/// The bot stands beside the code. Some clients read it from `data`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WithBot {
    bot: Option<Bot>,
    data: Option<Box<WithBot>>,
}

#[derive(Deserialize)]
struct Bot {
    #[serde(default)]
    activate_status: Option<i64>,
    #[serde(default)]
    app_name: String,
}

impl Endpoint for BotInfo {
    type Auth = TenantOnly;
    type Output = Bot;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/bot/v3/info"
    }

    fn read(reply: &Reply) -> Result<Bot, Error> {
        // Before the rest, whose errors are those of a request for a token.
        reply.ok()?;
        let WithBot { bot, data } = reply.top_level()?;
        let bot = bot.or_else(|| data?.bot);
        bot.ok_or_else(|| reply.unreadable("no `bot`"))
    }
}

/// Whether the app has a bot that is on.
pub(crate) fn bot(client: &Client) -> Verdict {
    let bot = match client.call(&BotInfo) {
        Ok(bot) => bot,
        Err(error) if error.class() == Some(Class::Unknown) => {
            return Verdict::Failed(format!("{error}; if the app has no bot, {BOT}"));
        }
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    let problem = match bot.activate_status {
        None | Some(2) => return Verdict::Passed(format!("`{}` is on", bot.app_name)),
        Some(0) => "is not in use yet: release a version of the app",
        Some(1) => "was turned off by an administrator of the organisation",
        Some(3) => "is installed and not on: an administrator has to turn it on",
        Some(4) => "has an upgrade that an administrator has to turn on",
        Some(5) => "is off, because its licence has expired",
        Some(6) => "is off, because the organisation's plan has expired or does not include it",
        Some(_) => "is off",
    };
    let status = bot.activate_status.unwrap_or_default();
    Verdict::Failed(format!("`{}` {problem} (activate_status {status})", bot.app_name))
}

#[derive(Deserialize)]
struct Scopes {
    #[serde(default)]
    scopes: Vec<Scope>,
}

#[derive(Deserialize)]
struct Scope {
    scope_name: String,
    #[serde(default)]
    scope_type: Option<String>,
    #[serde(default)]
    grant_status: i64,
}

/// A job, and the scopes of which one suffices. The first one is the narrowest that serves all of the tools.
type Need = (&'static str, &'static [&'static str]);

const CELLS: Need = ("write into cells", &["sheets:spreadsheet", "drive:drive"]);
const WIKI: Need =
    ("find a page of a wiki", &["wiki:node:read", "wiki:wiki:readonly", "wiki:wiki"]);
const UPLOAD: Need = ("upload images", &["im:resource:upload", "im:resource"]);
const SEND: Need = ("send messages", &["im:message:send_as_bot", "im:message"]);

/// Whether the app has a scope for each of the jobs.
pub(crate) fn scopes(client: &Client, account: &Account, jobs: Jobs) -> Verdict {
    let list = Raw::<Scopes>::new(Method::GET, "/open-apis/application/v6/scopes");
    let listed = match client.call(&list) {
        Ok(listed) => listed.scopes,
        // The service or a private deployment does not tell.
        Err(error) if error.lark().is_some() => {
            return Verdict::Skipped(format!(
                "they cannot be listed, and the requests tell which are missing ({error})"
            ));
        }
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    let needs =
        [(jobs.cells, CELLS), (jobs.wiki, WIKI), (jobs.messages, UPLOAD), (jobs.messages, SEND)];
    let needs = needs.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, need)| need);
    let is_tenants =
        |scope: &&Scope| scope.scope_type.as_deref().is_none_or(|kind| kind == "tenant");
    let (mut found, mut missing, mut to_add) = (Vec::new(), Vec::new(), Vec::new());
    for (job, any_of) in needs {
        let fitting = || {
            listed.iter().filter(is_tenants).filter(|scope| any_of.contains(&&*scope.scope_name))
        };
        if let Some(scope) = fitting().find(|scope| scope.grant_status == 1) {
            found.push(scope.scope_name.as_str());
        } else if let Some(scope) = fitting().next() {
            missing.push(format!("`{}` to {job} is added and not in effect yet", scope.scope_name));
        } else {
            missing.push(format!("none of `{}` is there to {job}", any_of.join("`, `")));
            to_add.extend(any_of.first().copied());
        }
    }
    if missing.is_empty() {
        return Verdict::Passed(found.join(", "));
    }
    let missing = missing.join("; ");
    let add = if to_add.is_empty() {
        String::new()
    } else {
        let (site, app, scopes) = (&account.site, &account.app_id, to_add.join(","));
        format!("add it at {site}/app/{app}/auth?q={scopes}&op_from=openapi&token_type=tenant and ")
    };
    Verdict::Failed(format!(
        "{missing}: {add}release a new version of the app, with which it takes effect"
    ))
}

/// Reads the first cell.
pub(crate) fn read(client: &Client, first: &Place) -> Verdict {
    let read = || {
        let found = client.resolve(first)?;
        client.call(&ReadCells::cell(found.spreadsheet.clone(), &found.cell))?;
        Ok(format!("the app can read the spreadsheet {}", found.spreadsheet))
    };
    Verdict::from(read().map_err(|error: CallError| error.to_string()))
}

/// Writes a picture into a cell and reads it back.
pub(crate) fn write(client: &Client, place: &Place) -> Verdict {
    Verdict::from(write_and_read(client, place))
}

fn write_and_read(client: &Client, place: &Place) -> Result<String, String> {
    let text = |error: CallError| error.to_string();
    let refused = |error: Invalid| error.to_string();
    let found = client.resolve(place).map_err(text)?;
    let (spreadsheet, cell) = (found.spreadsheet, found.cell);
    let read = ReadCells::cell(spreadsheet.clone(), &cell);
    match client.call(&read).map_err(text)?.first() {
        CellContent::Empty | CellContent::Image { .. } => {}
        _ => return Err(format!("{cell} is not empty, and was left as it is: name an empty cell")),
    }
    let picture = Image::new(&include_bytes!("../sample.png")[..]).map_err(refused)?;
    let write = WriteSheetImage::new(spreadsheet, cell.clone(), picture).map_err(refused)?;
    // A write into a cell can take a minute.
    let patient = client.clone().with_limits(Limits::default().total(Duration::from_secs(90)));
    patient.call(&write.with_name("doctor").map_err(refused)?).map_err(text)?;
    match client.call(&read).map_err(text)?.first() {
        CellContent::Image { .. } => {
            Ok(format!("a picture is in {cell} now, written and read back"))
        }
        _ => Err(format!("the service accepted a picture for {cell}, and the cell holds none")),
    }
}

#[derive(Deserialize)]
struct Membership {
    is_in_chat: bool,
}

/// Whether the bot is in the chat.
pub(crate) fn chat(client: &Client, receiver: &Receiver) -> Verdict {
    if receiver.id_type() != "chat_id" {
        let text = format!("only a message tells whether {} can get one", receiver.as_str());
        return Verdict::Skipped(text);
    }
    let route = "/open-apis/im/v1/chats/:chat_id/members/is_in_chat";
    let ask = Raw::<Membership>::new(Method::GET, route).segment(receiver.id());
    let error = match client.call(&ask) {
        Ok(Membership { is_in_chat: true }) => {
            return Verdict::Passed(format!("the bot is in {}", receiver.id()));
        }
        Ok(Membership { is_in_chat: false }) => {
            let text = "the bot is not in the group: add it in the group's settings";
            return Verdict::Failed(text.into());
        }
        Err(error) => error,
    };
    let code = error.api().map(|api| api.code);
    if code == Some(Code::SCOPE_MISSING) {
        let text = format!("a scope is missing that a message does not need ({error})");
        return Verdict::Skipped(text);
    }
    if matches!(&error.kind, CallErrorKind::Lark(Error::Unreadable(reply)) if reply.status == 404) {
        return Verdict::Skipped(format!("this site cannot tell ({error})"));
    }
    let advice = match code {
        Some(Code(232006)) => "; no group has this id",
        Some(Code(232010)) => "; the group is of another organisation",
        Some(Code(232011)) => "; add the bot in the group's settings",
        Some(Code(232025)) => "; add the feature Bot to the app and release a version",
        Some(Code(232034)) => "; an administrator of the organisation has to enable the app",
        _ => "",
    };
    Verdict::Failed(format!("{error}{advice}"))
}
