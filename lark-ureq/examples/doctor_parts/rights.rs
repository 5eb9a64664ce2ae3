//! The rights of the app: its bot, its scopes, the document, the chat.

use std::time::Duration;

use lark_proto::endpoints::{CellContent, Endpoint, Raw, ReadCells, Reply};
use lark_proto::error::{Class, Code};
use lark_proto::http::{Method, StatusCode};
use lark_proto::place::Place;
use lark_proto::token::TenantOnly;
use lark_proto::values::Receiver;
use lark_proto::{Error, Image, Invalid, Limits, SheetCell, WriteSheetImage};
use lark_ureq::{CallError, Client};
use serde::Deserialize;

use crate::common::account::Account;
use crate::doctor_parts::report::Verdict;

/// The jobs that the app has to be able to do.
#[derive(Clone, Copy)]
pub(crate) struct Jobs {
    pub(crate) cells: bool,
    pub(crate) wiki: bool,
    pub(crate) messages: bool,
}

const BOT: &str = "add the feature Bot to the app and release a version";

/// The number of characters of the bot's name that are shown.
const LONGEST_NAME: usize = 60;

/// The app's own bot.
struct BotInfo;

/// The reply has the bot beside the code. Some clients read it from `data`.
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
    app_name: Option<String>,
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
        // The code is checked first, because `top_level` reports errors like those of a token request.
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
        Err(error) => match error.lark() {
            Some(refusal) if refusal.status() == StatusCode::NOT_FOUND => {
                return Verdict::Skipped(format!("the service cannot tell ({})", shortly(refusal)));
            }
            _ if error.class() == Some(Class::Unknown) => {
                return Verdict::Failed(format!("if the app has no bot, {BOT}: {error}"));
            }
            _ => return Verdict::Failed(error.to_string()),
        },
    };
    let name: String = bot.app_name.unwrap_or_default().chars().take(LONGEST_NAME).collect();
    let name = if name.is_empty() { "the bot".to_owned() } else { format!("the bot `{name}`") };
    let problem = match bot.activate_status {
        None | Some(2) => return Verdict::Passed(format!("{name} is on")),
        Some(0) => "is not in use yet: release a version of the app",
        Some(1) => "was turned off by an administrator of the organisation",
        Some(3) => "is installed and not on: an administrator has to turn it on",
        Some(4) => "has an upgrade that an administrator has to turn on",
        Some(5) => "is off, because its licence has expired",
        Some(6) => "is off, because the organisation's plan has expired or does not include it",
        Some(_) => "is off",
    };
    let status = bot.activate_status.unwrap_or_default();
    Verdict::Failed(format!("{name} {problem} (activate_status {status})"))
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

// `sheets:spreadsheet:write_only` is not on the vendor's page; the vendor's command-line tool asks for it.
const CELLS: Need =
    ("write into cells", &["sheets:spreadsheet", "drive:drive", "sheets:spreadsheet:write_only"]);
const WIKI: Need =
    ("find a page of a wiki", &["wiki:node:read", "wiki:wiki:readonly", "wiki:wiki"]);
const UPLOAD: Need = ("upload images", &["im:resource:upload", "im:resource"]);
const SEND: Need = ("send messages", &["im:message:send_as_bot", "im:message"]);

/// Whether the app has a scope for each of the jobs.
pub(crate) fn scopes(client: &Client, account: &Account, jobs: Jobs) -> Verdict {
    let list = Raw::<Scopes>::new(Method::GET, "/open-apis/application/v6/scopes");
    let listed = match client.call(&list) {
        Ok(listed) => listed.scopes,
        Err(error) => match error.lark() {
            // The service does not tell, or a private deployment lacks the route.
            Some(refusal) => {
                let text = "the service does not list them; if a scope is missing, the error of a request names it";
                return Verdict::Skipped(format!("{text} ({})", shortly(refusal)));
            }
            None => return Verdict::Failed(error.to_string()),
        },
    };
    let mut needs = Vec::new();
    needs.extend(jobs.cells.then_some(CELLS));
    needs.extend(jobs.wiki.then_some(WIKI));
    needs.extend(jobs.messages.then_some([UPLOAD, SEND]).into_iter().flatten());
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let mut to_add = Vec::new();
    for (job, any_of) in needs {
        let mut fitting = listed.iter().filter(|scope| scope.is_one_of(any_of));
        match fitting.clone().find(|scope| scope.grant_status == 1).or(fitting.next()) {
            Some(scope) if scope.grant_status == 1 => found.push(scope.scope_name.as_str()),
            Some(Scope { scope_name, .. }) => {
                missing.push(format!("to {job}, `{scope_name}` is added and not in effect yet"));
            }
            None => {
                missing.push(format!("to {job}, the app lacks `{}`", any_of.join("` or `")));
                to_add.extend(any_of.first().copied());
            }
        }
    }
    if missing.is_empty() {
        return Verdict::Passed(found.join(", "));
    }
    let site = &account.site;
    let app = &account.app_id;
    let to_add = to_add.join(",");
    let page = format!("{site}/app/{app}/auth?q={to_add}&op_from=openapi&token_type=tenant");
    let add = if to_add.is_empty() { String::new() } else { format!("add it at {page} and ") };
    let release = "release a new version of the app, with which it takes effect";
    Verdict::Failed(format!("{}: {add}{release}", missing.join("; ")))
}

impl Scope {
    /// Whether it is one of these, for the app's own token.
    fn is_one_of(&self, any_of: &[&str]) -> bool {
        let is_tenants = self.scope_type.as_deref().is_none_or(|kind| kind == "tenant");
        is_tenants && any_of.contains(&&*self.scope_name)
    }
}

/// The code or the HTTP status of a refusal, for a check that was not made.
fn shortly(refusal: &Error) -> String {
    match refusal.api() {
        Some(api) => format!("code {}", api.code),
        None => format!("HTTP {}", refusal.status().as_u16()),
    }
}

/// The failure of a request about the document. The check of the scopes has the reason if it has found one missing.
fn failed(error: &CallError, lacks_scope: bool) -> Verdict {
    if lacks_scope && error.api().is_some_and(|api| api.code == Code::SCOPE_MISSING) {
        Verdict::after("scopes")
    } else {
        Verdict::Failed(error.to_string())
    }
}

/// Reads the first cell of the link's sheet or of the first one. If that fails, for example because the sheet is a base
/// or was removed, reads the one that is `named`.
pub(crate) fn read(
    client: &Client,
    first: &Place,
    named: Option<&Place>,
    lacks_scope: bool,
) -> Verdict {
    let read = |place| {
        let found = client.resolve(place)?;
        client.call(&ReadCells::cell(found.spreadsheet.clone(), &found.cell))?;
        Ok(found.spreadsheet)
    };
    match read(first).or_else(|error| named.map_or(Err(error), read)) {
        Ok(token) => Verdict::Passed(format!("the app can read the spreadsheet {token}")),
        Err(error) => failed(&error, lacks_scope),
    }
}

/// Writes a picture into a cell and reads it back.
pub(crate) fn write(client: &Client, place: &Place, lacks_scope: bool) -> Verdict {
    let written = written(client, place, |error| failed(&error, lacks_scope));
    match written {
        Ok(cell) => Verdict::Passed(format!("a picture is in {cell} now, written and read back")),
        Err(verdict) => verdict,
    }
}

/// Writes the picture, reads it back, and returns its cell.
fn written(
    client: &Client,
    place: &Place,
    failed: impl Fn(CallError) -> Verdict + Copy,
) -> Result<SheetCell, Verdict> {
    let invalid = |error: Invalid| Verdict::Failed(error.to_string());
    let found = client.resolve(place).map_err(failed)?;
    let spreadsheet = found.spreadsheet;
    let cell = found.cell;
    let read = ReadCells::cell(spreadsheet.clone(), &cell);
    match client.call(&read).map_err(failed)?.first() {
        CellContent::Empty => {}
        _ => {
            let text = "is not empty, and was left as it is: name an empty cell";
            return Err(Verdict::Failed(format!("{cell} {text}")));
        }
    }
    let picture = Image::new(&include_bytes!("../sample.png")[..]).map_err(invalid)?;
    let write = WriteSheetImage::new(spreadsheet, cell.clone(), picture).map_err(invalid)?;
    let write = write.with_name("doctor").map_err(invalid)?;
    // A write into a cell can take a minute.
    let patient = client.clone().with_limits(Limits::default().total(Duration::from_secs(90)));
    patient.call(&write).map_err(failed)?;
    match client.call(&read).map_err(failed)?.first() {
        CellContent::Image { .. } => Ok(cell),
        _ => {
            let text = "holds no picture, although the service has accepted one for it";
            Err(Verdict::Failed(format!("{cell} {text}")))
        }
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
    let advice = match code {
        Some(Code::SCOPE_MISSING) => {
            let text = "that needs a scope such as `im:chat:readonly`, which no message needs";
            return Verdict::Skipped(text.into());
        }
        Some(Code(232006)) => "no group has this id: ",
        Some(Code::CHAT_DISSOLVED) => "the group was dissolved: ",
        Some(Code(232010)) => "the group is of another organisation: ",
        Some(Code(232011)) => "add the bot in the group's settings: ",
        Some(Code(232025)) => "add the feature Bot to the app and release a version: ",
        Some(Code(232034)) => "an administrator of the organisation has to enable the app: ",
        Some(_) => "",
        None => match error.lark() {
            Some(refusal) if refusal.status() == StatusCode::NOT_FOUND => {
                return Verdict::Skipped(format!("the service cannot tell ({})", shortly(refusal)));
            }
            _ => "",
        },
    };
    Verdict::Failed(format!("{advice}{error}"))
}
