//! Which picture goes into which cell.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use lark_proto::endpoints::{QuerySheets, Sheet, Sheets};
use lark_proto::error::InvalidKind;
use lark_proto::place::{Ask, Place, Resolve};
use lark_proto::values::SpreadsheetToken;
use lark_proto::{SheetCell, Site, SpreadsheetLink};
use lark_ureq::{CallError, Client};
use serde::{Deserialize, Serialize};

use crate::common::failure::{Failure, Reach};
use crate::common::journal::{Entry, Journal, State};
use crate::common::pictures;
use crate::common::run::{EarlierRuns, OUTAGE_FAILURES, Todo};

/// A picture, and its cell as a person named it.
pub(crate) struct Wanted {
    document: String,
    place: Place,
    path: PathBuf,
    /// The name of the picture in the output.
    file: String,
}

impl Wanted {
    /// Refuses a document of Feishu for an app of Lark, and the other way round.
    pub(crate) fn check_site(&self, site: &Site) -> Result<(), String> {
        let address = self.document.split_once("://").map_or(&*self.document, |(_, rest)| rest);
        let host = address.split('/').next().unwrap_or_default();
        let other = if *site == Site::LARK && host.ends_with(".feishu.cn") {
            "feishu"
        } else if *site == Site::FEISHU && host.ends_with(".larksuite.com") {
            "lark"
        } else {
            return Ok(());
        };
        Err(format!("{host} is a host of another site: set LARK_SITE={other}"))
    }
}

/// A picture and its resolved cell.
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) file: String,
    pub(crate) cell: SheetCell,
    /// As the journal names it.
    pub(crate) item: String,
    /// The content of the cell before an earlier write whose outcome is unknown.
    pub(crate) begun: Option<Held>,
}

/// The state of a cell before a write, as the journal records it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The file token of the image that the cell held; empty for an image without a token.
    pub(crate) held: Option<String>,
}

/// The pictures of one spreadsheet, which are written one after the other.
pub(crate) struct Lane {
    pub(crate) spreadsheet: SpreadsheetToken,
    pub(crate) sheets: Sheets,
    pub(crate) jobs: Vec<Job>,
    /// The document as the user named it.
    pub(crate) document: String,
}

impl Lane {
    /// A cell as a person names it, with the title of its sheet.
    pub(crate) fn place(&self, cell: &SheetCell) -> String {
        let sheet = self.sheets.by_id(cell.sheet().as_str());
        sheet.map_or(cell.to_string(), |sheet| format!("{}!{}", sheet.title, cell.cell()))
    }

    /// How many rows the sheets lack for these cells.
    pub(crate) fn missing_rows(&self, cells: &[&SheetCell]) -> usize {
        let missing = |sheet: &Sheet| {
            let rows = sheet.grid?.rows;
            let on_sheet = cells.iter().filter(|cell| *cell.sheet() == sheet.id);
            on_sheet.map(|cell| cell.row().saturating_sub(rows)).max()
        };
        let missing: u32 = self.sheets.iter().filter_map(missing).sum();
        usize::try_from(missing).unwrap_or(usize::MAX)
    }
}

/// The pictures of a folder, one below the other from the cell that `from` or the link names, or from `A1`.
pub(crate) fn from_folder(
    link: &str,
    from: Option<&str>,
    folder: &Path,
) -> Result<Vec<Wanted>, String> {
    let place = match from {
        Some(from) => Place::new(link, from),
        None => match Place::new(link, "") {
            Err(error) if error.kind() == InvalidKind::NoCellNamed => Place::new(link, "A1"),
            selected => selected,
        },
    };
    let place = place.map_err(|error| match error.kind() {
        InvalidKind::SeveralCells => format!("{error}. Name the first cell with --from"),
        _ => error.to_string(),
    })?;
    let place = place.beyond_grid();
    let pictures = pictures::in_folder(folder)?;
    let wanted = (0..).zip(pictures).map(|(row, path)| {
        let file = pictures::name(&path);
        let place = place.below(row).map_err(|error| format!("{file}: {error}"))?;
        Ok(Wanted { document: link.to_owned(), place, path, file })
    });
    wanted.collect()
}

/// A row of a table. The other columns are ignored.
#[derive(Deserialize)]
struct Row {
    spreadsheet: String,
    #[serde(default)]
    sheet: String,
    cell: String,
    path: PathBuf,
}

/// The columns that a table needs. The column `sheet` may be left out.
const COLUMNS: [&str; 3] = ["spreadsheet", "cell", "path"];

/// The size of the largest table that is read, in bytes.
const MAX_TABLE: u64 = 64 << 20;

/// The pictures of a table in CSV with a line of titles. Paths start from the table's folder.
pub(crate) fn from_table(table: &Path) -> Result<Vec<Wanted>, String> {
    let about = |problem: &dyn std::fmt::Display| format!("{}: {problem}", table.display());
    let bytes = pictures::read_file(table, MAX_TABLE).map_err(|error| about(&error))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        about(&format_args!("line {line} is not in UTF-8: save the table as \"CSV UTF-8\""))
    })?;
    // The separator depends on the country in which the table was saved.
    let first = text.lines().next().unwrap_or_default().as_bytes();
    let separator = [b',', b';', b'\t'].into_iter().find(|byte| first.contains(byte));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .delimiter(separator.unwrap_or(b','))
        .flexible(true)
        .from_reader(bytes);
    let titles = reader.headers().map_err(|error| about(&error))?;
    let titles: csv::StringRecord = titles.iter().map(str::to_lowercase).collect();
    if let Some(missing) =
        COLUMNS.iter().find(|column| !titles.iter().any(|title| title == **column))
    {
        return Err(about(&format_args!(
            "no column `{missing}` in the first line; it needs {}",
            COLUMNS.join(", ")
        )));
    }
    let folder = table.parent().unwrap_or(Path::new(""));
    let mut wanted = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| about(&error))?;
        let start = row.position().map_or(0, csv::Position::byte);
        let about = |problem: &dyn std::fmt::Display| {
            let line = line_at(bytes, usize::try_from(start).unwrap_or(usize::MAX));
            about(&format_args!("line {line}: {problem}"))
        };
        if row.iter().all(str::is_empty) {
            continue;
        }
        let fields = row.len();
        let columns = titles.len();
        if fields != columns {
            return Err(about(&format_args!("{fields} fields, and the first line has {columns}")));
        }
        let row: Row = row.deserialize(Some(&titles)).map_err(|error| about(&error))?;
        if row.path.as_os_str().is_empty() {
            return Err(about(&"the path is empty"));
        }
        let cell =
            if row.sheet.is_empty() { row.cell } else { format!("{}!{}", row.sheet, row.cell) };
        let place = Place::new(&row.spreadsheet, &cell).map_err(|error| about(&error))?;
        wanted.push(Wanted {
            document: row.spreadsheet,
            place: place.beyond_grid(),
            file: row.path.display().to_string(),
            path: folder.join(row.path),
        });
    }
    if wanted.is_empty() {
        return Err(about(&"no line below the titles"));
    }
    Ok(wanted)
}

/// The number of the line on which the record at byte `start` begins. Line ends before the record are skipped.
fn line_at(text: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| [b'\r', b'\n'].contains(byte);
    let ends = text.iter().skip(start).take_while(|byte| is_end(byte)).count();
    1 + text.iter().take(start + ends).filter(|byte| **byte == b'\n').count()
}

/// The spreadsheet, the sheet and the column of an item of the journal, such as `shtcnabc Q7PlXT!A2:A2`.
fn column(item: &str) -> &str {
    let (first, _) = item.rsplit_once(':').unwrap_or((item, ""));
    first.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The spreadsheet of a document, and its sheets. The sheets that the link and the pictures name are looked for later,
/// so that one that is missing concerns only its pictures.
fn sheets_of(
    client: &Client,
    document: &str,
    any: &Place,
) -> Result<(SpreadsheetToken, Sheets), CallError> {
    let spreadsheet = match Resolve::new(any).next() {
        Ok(Ask::Node(get)) => client.call(&get)?.spreadsheet(),
        _ => SpreadsheetLink::new(document).map(|link| link.token().clone()),
    };
    let spreadsheet = spreadsheet.map_err(CallError::invalid)?;
    let sheets = client.call(&QuerySheets::new(spreadsheet.clone()))?;
    Ok((spreadsheet, sheets))
}

/// The pictures by spreadsheet, and what cannot be written.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) lanes: Vec<Lane>,
    /// Documents that could not be resolved, and why.
    pub(crate) unresolved: Vec<(String, Failure)>,
    /// The number of pictures for these documents.
    unreachable: usize,
    /// Requests in a row that failed because of the service or the network.
    doubtful_in_a_row: u32,
    /// Pictures whose sheet does not exist.
    pub(crate) without_sheet: Vec<(String, Failure)>,
}

impl Plan {
    /// Asks the service for the sheets of each document.
    pub(crate) fn find(client: &Client, wanted: Vec<Wanted>) -> Result<Self, String> {
        let mut plan = Self::default();
        let mut known: HashMap<Place, Option<usize>> = HashMap::new();
        let mut cells = HashSet::new();
        for Wanted { document, place, path, file } in wanted {
            // Links that differ in the selected cell only are one document.
            let any = Place::new(&document, "A1").map_err(|error| error.to_string())?;
            let lane = match known.get(&any) {
                Some(lane) => *lane,
                None => {
                    let lane = plan.lane_of(client, &document, &any);
                    known.insert(any, lane);
                    lane
                }
            };
            let Some(lane) = lane.and_then(|lane| plan.lanes.get_mut(lane)) else {
                plan.unreachable += 1;
                continue;
            };
            match place.among(&lane.sheets) {
                Ok((_, cell)) => {
                    let item = format!("{} {cell}", lane.spreadsheet);
                    if !cells.insert(item.clone()) {
                        return Err(format!(
                            "{file}: an earlier picture has the same cell, {cell}"
                        ));
                    }
                    lane.jobs.push(Job { path, file, cell, item, begun: None });
                }
                Err(error) => {
                    let titles: Vec<_> =
                        lane.sheets.iter().map(|sheet| format!("`{}`", sheet.title)).collect();
                    let reason = format!("{error}; the sheets are {}", titles.join(", "));
                    plan.without_sheet.push((file, Failure::new(Reach::Unfit, &reason)));
                }
            }
        }
        match &plan.without_sheet[..] {
            // All pictures of a folder have the same sheet.
            [(_, failure), ..] if plan.len() == plan.without_sheet.len() => {
                Err(failure.text.clone())
            }
            _ => Ok(plan),
        }
    }

    /// The index of the document's lane; `None` if the document could not be resolved.
    fn lane_of(&mut self, client: &Client, document: &str, any: &Place) -> Option<usize> {
        if self.unresolved.iter().any(|(_, failure)| failure.reach == Reach::Run) {
            return None;
        }
        let (spreadsheet, sheets) = match sheets_of(client, document, any) {
            Ok(found) => found,
            Err(error) => {
                let mut failure = Failure::from(error);
                if failure.reach == Reach::Doubtful {
                    self.doubtful_in_a_row += 1;
                    let is_outage = self.doubtful_in_a_row >= OUTAGE_FAILURES;
                    failure.reach = if is_outage { Reach::Run } else { Reach::Lane };
                }
                self.unresolved.push((document.to_owned(), failure));
                return None;
            }
        };
        self.doubtful_in_a_row = 0;
        let known = self.lanes.iter().position(|lane| lane.spreadsheet == spreadsheet);
        Some(known.unwrap_or_else(|| {
            self.lanes.push(Lane {
                spreadsheet,
                sheets,
                jobs: Vec::new(),
                document: document.to_owned(),
            });
            self.lanes.len() - 1
        }))
    }

    /// Leaves out what earlier runs have written and, unless they are tried again, the pictures that were refused.
    ///
    /// The order of a folder's pictures decides their cells. It is an error if one that has arrived, or may have, would
    /// go into another cell of its column now.
    pub(crate) fn resume(
        &mut self,
        journal: &Journal<Held>,
        retry_failed: bool,
        is_folder: bool,
    ) -> Result<EarlierRuns, String> {
        let is_sent = |entry: &Entry<_>| is_folder && !matches!(entry.state, State::Failed);
        let sent = journal.entries.iter().filter(|(_, entry)| is_sent(entry));
        let sent: HashMap<_, _> =
            sent.map(|(item, entry)| ((column(item), &*entry.file), item)).collect();
        let mut earlier = EarlierRuns::default();
        for lane in &mut self.lanes {
            let mut pending = Vec::new();
            for mut job in lane.jobs.drain(..) {
                let is_known = journal.entries.contains_key(&job.item);
                if let Some(item) = sent.get(&(column(&job.item), &*job.file)).filter(|_| !is_known)
                {
                    return Err(journal.moved(&job.file, item, &job.item));
                }
                let picture = (&*job.path, &*job.file);
                let Some(todo) = earlier.todo(journal, &job.item, picture, retry_failed)? else {
                    continue;
                };
                // A cell takes the picture that its file holds now.
                if let Todo::Begun(held) = todo {
                    job.begun = Some(held);
                }
                pending.push(job);
            }
            lane.jobs = pending;
        }
        self.lanes.retain(|lane| !lane.jobs.is_empty());
        Ok(earlier)
    }

    /// The number of pictures that this run has to write or to report as failed.
    pub(crate) fn len(&self) -> usize {
        let jobs: usize = self.lanes.iter().map(|lane| lane.jobs.len()).sum();
        jobs + self.without_sheet.len() + self.unreachable
    }
}
