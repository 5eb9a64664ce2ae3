//! Finds out why an app cannot write pictures into a spreadsheet or send them to a chat.
//!
//! ```text
//! doctor [--write CELL] [LINK] [CHAT]
//! ```
//!
//! It checks, in this order: the environment's variables, the proxy, the connection with its certificate, the clock,
//! the app's id and secret, the bot, the scopes, the right to read the document of LINK and, with `--write`, to edit
//! it, and whether the bot is in CHAT. Each check is a line that begins with `✓` if all is well, with `✗` and the next
//! step if not, with `!` for a warning, and with `–` if the check was not made. Without LINK and CHAT the bot and the
//! scopes are checked for spreadsheets and for chats. Only `--write` changes anything.
//!
//! The exit code is 0 if no check failed, 1 if one failed, and 2 for wrong usage, in which case nothing was sent.

mod common {
    pub(crate) mod account;
    pub(crate) mod start;
}
mod doctor_parts {
    pub(crate) mod connection;
    pub(crate) mod report;
    pub(crate) mod rights;
}

use std::process::ExitCode;
use std::time::SystemTime;

use lark_proto::Invalid;
use lark_proto::place::{Ask, Place, Resolve};
use lark_proto::values::Receiver;
use lexopt::Arg;

use common::account::{Account, VARIABLES};
use common::start::start;
use doctor_parts::connection::{self, Network, Probe};
use doctor_parts::report::{Report, Verdict};
use doctor_parts::rights::{self, Jobs};

const USAGE: &str = "usage: doctor [--write CELL] [LINK] [CHAT]";

const HELP: &str = "\
Checks whether an app can write pictures into a spreadsheet and send them to a
chat.

    LINK            the spreadsheet or its page in a wiki: a link or a token
    CHAT            a group, `oc_..`; for a user or a mail address only the
                    bot and the scopes are checked
    --write CELL    tests the right to edit: writes a small picture into the
                    cell, which has to be empty: `B2` or `Price list!B2`

Each line is a check: `✓` passed, `✗` failed, with the next step, `!` a warning,
`–` not checked. Without LINK and CHAT the bot and the scopes are checked for
spreadsheets and for chats.

Exit codes: 0 no check failed, 1 a check failed, 2 wrong usage, nothing was sent
";

fn main() -> ExitCode {
    start("doctor", &format!("{USAGE}\n\n{HELP}\n{VARIABLES}"), Asked::from_args, |asked| {
        let mut report = Report::default();
        examine(asked, &mut report);
        Ok(report.finish())
    })
}

/// Makes the checks in an order in which each one depends only on earlier ones, and stops at a failed check on which
/// all others depend.
fn examine(asked: &Asked, report: &mut Report) {
    let Some((account, probe)) = report.step("environment", environment()) else { return };
    report.hide(probe.secret());
    let Some(network) = report.step("network", Network::of(&account)) else { return };
    let Some(answer) = report.step("connection", network.connect(&probe)) else { return };
    report.line("clock", connection::clock(answer.date.as_deref(), now()));
    let Some(()) = report.step("app", connection::token(&account, answer.token)) else { return };

    let client = &network.client;
    let jobs = asked.jobs();
    let bot = if jobs.messages {
        rights::bot(client)
    } else {
        Verdict::Skipped("only messages need it".into())
    };
    let has_no_bot = matches!(bot, Verdict::Failed(_));
    report.line("bot", bot);
    report.line("scopes", rights::scopes(client, &account, jobs));
    let lacks_scope = report.last_failed("scopes");

    let no_link = || Verdict::Skipped("no LINK is given".into());
    let can_read = match &asked.first {
        Some(first) => {
            report.line("document", rights::read(client, first, asked.named.as_ref(), lacks_scope))
        }
        None => report.line("document", no_link()),
    };
    let edit = match (&asked.first, &asked.write) {
        (None, _) => no_link(),
        (Some(_), _) if !can_read => Verdict::after("document"),
        (Some(_), Some(place)) => rights::write(client, place, lacks_scope),
        (Some(_), None) => {
            Verdict::Skipped("`--write CELL` tests it by a small picture in that cell".into())
        }
    };
    report.line("edit right", edit);
    let chat = match &asked.chat {
        Some(_) if has_no_bot => Verdict::after("bot"),
        Some(receiver) => rights::chat(client, receiver),
        None => Verdict::Skipped("no CHAT is given".into()),
    };
    report.line("chat", chat);
}

/// The account of the environment, and the request that tests it.
fn environment() -> Result<((Account, Probe), String), String> {
    let account = Account::from_env()?;
    let probe = Probe::of(&account.app).ok_or("the app is not a custom one")?;
    let text = format!("app {} at {}", account.app_id, account.site);
    Ok(((account, probe), text))
}

/// The arguments.
#[derive(Default)]
struct Asked {
    /// The first cell of the document.
    first: Option<Place>,
    /// The first cell of the sheet that `--write` names.
    named: Option<Place>,
    /// The cell for the picture.
    write: Option<Place>,
    is_wiki: bool,
    chat: Option<Receiver>,
}

impl Asked {
    /// The arguments of the command line; `None` if they ask for help.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut parser = lexopt::Parser::from_env();
        let mut link = None;
        let mut cell = None;
        let mut chat = None;
        while let Some(arg) = parser.next()? {
            let (kept, value) = match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Long("write") => (&mut cell, parser.value()?.into_string()?),
                Arg::Value(value) => {
                    let value = value.into_string()?;
                    (if is_receiver(&value) { &mut chat } else { &mut link }, value)
                }
                other => return Err(other.unexpected()),
            };
            if kept.replace(value).is_some() {
                return Err("at most one LINK, one CHAT and one CELL can be given".into());
            }
        }
        Self::new(link.as_deref(), cell.as_deref(), chat.as_deref()).map(Some)
    }

    fn new(
        link: Option<&str>,
        cell: Option<&str>,
        chat: Option<&str>,
    ) -> Result<Self, lexopt::Error> {
        let refused = |error: Invalid| lexopt::Error::Custom(error.into());
        let mut asked = Self::default();
        if let Some(link) = link {
            let first = Place::new(link, "A1").map_err(refused)?;
            asked.is_wiki = matches!(Resolve::new(&first).next(), Ok(Ask::Node(_)));
            asked.write = cell.map(|cell| Place::new(link, cell)).transpose().map_err(refused)?;
            let named = cell.and_then(|cell| cell.rsplit_once(['!', '！']));
            let named = named.map(|(sheet, _)| Place::new(link, &format!("{sheet}!A1")));
            asked.named = named.transpose().map_err(refused)?;
            asked.first = Some(first);
        } else if cell.is_some() {
            return Err("`--write` needs a LINK".into());
        }
        asked.chat = chat.map(Receiver::new).transpose().map_err(refused)?;
        Ok(asked)
    }

    /// The jobs that the app has to be able to do: all of them if no argument names one.
    fn jobs(&self) -> Jobs {
        let has_neither = self.first.is_none() && self.chat.is_none();
        Jobs {
            cells: self.first.is_some() || has_neither,
            wiki: self.is_wiki,
            messages: self.chat.is_some() || has_neither,
        }
    }
}

/// Whether an argument is meant as CHAT.
fn is_receiver(text: &str) -> bool {
    text.starts_with("oc_") || (Receiver::new(text).is_ok() && !text.contains('/'))
}

#[expect(clippy::disallowed_methods, reason = "the clock is what is checked")]
fn now() -> SystemTime {
    SystemTime::now()
}
