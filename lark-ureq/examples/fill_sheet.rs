//! Writes pictures into cells of spreadsheets: a folder into a column, or a table of pictures and cells.
//!
//! ```text
//! fill_sheet 'https://x.feishu.cn/sheets/shtcnabc?sheet=Q7PlXT' --from B2 photos/
//! fill_sheet pictures.csv
//! ```
//!
//! It writes one picture after the other into a spreadsheet, and into several spreadsheets at once. A journal beside
//! the folder or the table records what was begun and what has arrived, so that the same command goes on after an
//! interruption, and writes no picture again that has arrived. `--help` lists options and exit codes.

mod common {
    pub(crate) mod account;
    pub(crate) mod failure;
    pub(crate) mod journal;
    pub(crate) mod pictures;
    pub(crate) mod progress;
    pub(crate) mod run;
    pub(crate) mod start;
}
mod fill_sheet_parts {
    pub(crate) mod contents;
    pub(crate) mod encoding;
    pub(crate) mod grid;
    pub(crate) mod lane;
    pub(crate) mod plan;
    pub(crate) mod preview;
}

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::account::{Account, VARIABLES};
use common::journal::{self, Journal};
use common::run::{EXIT_CODES, Run};
use common::start::{print, start};
use fill_sheet_parts::encoding::Encoding;
use fill_sheet_parts::lane::Filling;
use fill_sheet_parts::plan::{self, Plan};
use fill_sheet_parts::preview;
use lark_proto::Limits;

const USAGE: &str = "\
usage: fill_sheet LINK [--from CELL] FOLDER [options]
       fill_sheet TABLE.csv [options]

The pictures of FOLDER go into a column of the spreadsheet, in the order of their names, from CELL down; without --from,
from the cell that is selected in LINK, or from A1. TABLE.csv has a line of titles, and the columns
`spreadsheet` (a link or a token), `sheet` (title or id; if empty, that of the link or the first), `cell` and `path`.

Options:
    --from CELL        `B2`, or `Price list!B2` on the sheet with this title
    --row-height N     sets the height of the rows to N pixels
    --skip-filled      leaves cells that hold something as they are
    --retry-failed     also tries the pictures that the service refused in an earlier run
    --base64           sends images in base64, 37 % of the bytes, if the tenant takes it; for a slow link
    --threads N        how many spreadsheets are written at once, 8 by default
    --dry-run          checks pictures and cells, and writes nothing
    --journal PATH     keeps the journal at PATH, not beside the folder or the table
    --help             prints this text";

fn main() -> ExitCode {
    let help = format!("{USAGE}\n\n{VARIABLES}\n\n{EXIT_CODES}");
    start("fill_sheet", &help, Options::read, fill)
}

/// Runs the tool. The error is one line, the reason why the run could not start.
fn fill(options: &Options) -> Result<ExitCode, String> {
    let wanted = match &options.input {
        Input::Folder { link, folder } => plan::from_folder(link, options.from.as_deref(), folder)?,
        Input::Table(table) => plan::from_table(table)?,
    };
    let account = Account::from_env()?;
    wanted.iter().try_for_each(|wanted| wanted.check_site(&account.site))?;
    // The run is unattended, so a call waits out rate limits.
    let limits = Limits::default().longest_wait(minutes(10)).total(minutes(20));
    let client = account.builder().limits(limits).build().map_err(|error| error.to_string())?;
    let mut plan = Plan::find(&client, wanted)?;

    let path = options.journal.clone().unwrap_or_else(|| options.input.journal());
    let name = format!("fill_sheet {} {}", account.site, account.app_id);
    let journal = Journal::open(&path, &name, options.dry_run)?;
    let is_folder = matches!(options.input, Input::Folder { .. });
    let earlier = plan.resume(&journal, options.retry_failed, is_folder)?;
    let filling = Filling {
        client,
        encoding: Encoding::new(options.base64),
        row_height: options.row_height,
        skip_filled: options.skip_filled,
        skipped: AtomicUsize::new(0),
        replaced: AtomicUsize::new(0),
    };
    if options.dry_run {
        return Ok(preview::show(&filling, &plan, &earlier));
    }
    let run = Run::start(journal, plan.len(), earlier)?;
    for (document, failure) in plan.unresolved {
        run.fail(None, &document, failure);
    }
    for (file, failure) in plan.without_sheet {
        run.fail(Some(&file), &file, failure);
    }
    let threads = usize::from(options.threads).min(plan.lanes.len());
    let shared = Arc::new((filling, Mutex::new(VecDeque::from(plan.lanes))));
    let tasks = (0..threads).map(|_| {
        let shared = shared.clone();
        move |run: &Run<_>| {
            let (filling, lanes) = &*shared;
            let next = || lanes.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some(lane) = next().filter(|_| !run.is_over()) {
                filling.fill(&lane, run);
            }
        }
    });
    run.work(tasks.collect());
    let (filling, _) = &*shared;
    let code = run.finish(filling.skipped.load(Ordering::Relaxed));
    let replaced = filling.replaced.load(Ordering::Relaxed);
    if replaced > 0 {
        print(&format!(
            "{replaced} of the cells were not empty and were overwritten. --skip-filled leaves such cells as they are"
        ));
    }
    Ok(code)
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

struct Options {
    input: Input,
    from: Option<String>,
    journal: Option<PathBuf>,
    row_height: Option<u16>,
    threads: u16,
    skip_filled: bool,
    retry_failed: bool,
    base64: bool,
    dry_run: bool,
}

enum Input {
    Folder { link: String, folder: PathBuf },
    Table(PathBuf),
}

impl Input {
    /// The journal's path, beside the folder or the table.
    fn journal(&self) -> PathBuf {
        let input = match self {
            Self::Folder { folder, .. } => folder,
            Self::Table(table) => table,
        };
        journal::beside(input, "fill_sheet")
    }
}

impl Options {
    /// The options of the command line, or `None` if only the help text is asked for.
    fn read() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};

        let mut operands = Vec::new();
        let mut options = Self {
            input: Input::Table(PathBuf::new()),
            from: None,
            journal: None,
            row_height: None,
            threads: 8,
            skip_filled: false,
            retry_failed: false,
            base64: false,
            dry_run: false,
        };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("from") => options.from = Some(arguments.value()?.string()?),
                Long("journal") => options.journal = Some(arguments.value()?.into()),
                Long("row-height") => {
                    options.row_height = Some(number("--row-height", &arguments.value()?)?);
                }
                Long("threads") => options.threads = number("--threads", &arguments.value()?)?,
                Long("skip-filled") => options.skip_filled = true,
                Long("retry-failed") => options.retry_failed = true,
                Long("base64") => options.base64 = true,
                Long("dry-run") => options.dry_run = true,
                Value(value) => operands.push(value),
                _ => return Err(argument.unexpected()),
            }
        }
        let is_link = |text: &OsString| text.to_string_lossy().contains("://");
        options.input = match &operands[..] {
            [_, folder] if is_link(folder) => {
                return Err("the link comes first, and the folder after it".into());
            }
            [link, folder] => Input::Folder { link: link.clone().string()?, folder: folder.into() },
            [link] if is_link(link) => return Err("a folder is needed beside the link".into()),
            [folder] if Path::new(folder).is_dir() => {
                return Err("the link of a spreadsheet is needed before the folder".into());
            }
            [_] if options.from.is_some() => {
                return Err("--from is for a folder; a table names its cells".into());
            }
            [table] => Input::Table(table.into()),
            [] => return Err("a link and a folder are needed, or a table".into()),
            [..] => {
                let count = operands.len();
                let quotes = "a name with blanks and a link need quotes";
                return Err(
                    format!("a link and a folder are needed, not {count} names: {quotes}").into()
                );
            }
        };
        Ok(Some(options))
    }
}

/// The value of an option that takes a number from 1 on.
fn number(option: &str, value: &OsStr) -> Result<u16, lexopt::Error> {
    let value = value.to_string_lossy();
    let number = value.parse().ok().filter(|number| *number > 0);
    let most = u16::MAX;
    number.ok_or_else(|| format!("{option} takes a number from 1 to {most}, not `{value}`").into())
}
