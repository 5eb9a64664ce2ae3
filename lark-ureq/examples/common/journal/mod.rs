//! The journal of a run. It records the beginning and the end of each item, so that an interrupted run goes on where it
//! stopped.
//!
//! It is a text file to which lines of JSON are appended. A line is on the disk before the run goes on:
//!
//! ```text
//! {"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A2:A2","file":"a.png","bytes":..,"modified":..,"hash":"..","held":null}
//! {"record":"done","item":"shtcnabc Q7PlXT!A2:A2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","bytes":..,"modified":..,"hash":"..","held":"boxc.."}
//! {"record":"failed","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","why":"code 90204 ..","again":false}
//! ```
//!
//! An item that was begun and did not end may have been carried out. Of several lines about an item the last one
//! counts. A last line that was cut by a crash is ignored, and is removed unless a dry run opens the journal. Readers
//! ignore members that they do not know, so a change that an earlier reader would misread needs another version.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs4::{FileExt, TryLockError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the format. Another version is refused.
const VERSION: u32 = 1;

/// The size of the largest journal that is read, in bytes. It has room for some 3,000,000 pictures, more than the
/// largest table names.
const MAX_BYTES: u64 = 1 << 30;

/// A crash leaves at most this many zeros in place of the first line.
const MAX_ZEROS: usize = 4096;

/// The journal of a run. `D` is what the tool has to know about an item that was begun.
pub(crate) struct Journal<D> {
    path: PathBuf,
    pub(crate) entries: HashMap<String, Entry<D>>,
    /// The open file, or the error of the first failed write. After that error the file may end with a partial line, so
    /// nothing more is appended.
    file: Mutex<Result<File, String>>,
}

/// The state of an item when the journal was opened, and the picture that belongs to it.
pub(crate) struct Entry<D> {
    pub(crate) file: String,
    /// Identifies the picture that was begun last. `None` after a failure, because a failed picture is not compared.
    pub(crate) identity: Option<Identity>,
    pub(crate) state: State<D>,
}

pub(crate) enum State<D> {
    /// It was begun, and its end is not known.
    Begun(D),
    Done,
    /// It was refused, and is tried again only with `--retry-failed`.
    Failed,
}

/// Identifies a picture, because its file may hold another one later.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The length of the file.
    pub(crate) bytes: u64,
    /// When the file was changed, in nanoseconds since 1970.
    pub(crate) modified: u64,
    /// FNV-1a of the bytes, 16 hexadecimal digits: it is the same in each build of a tool.
    pub(crate) hash: String,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    record: String,
    version: u32,
    /// Another version of the format may lack it.
    #[serde(default)]
    run: String,
}

/// A line below the first.
#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Record<D> {
    Begin {
        item: String,
        file: String,
        #[serde(flatten)]
        identity: Identity,
        #[serde(flatten)]
        detail: D,
    },
    Done {
        item: String,
    },
    Failed {
        item: String,
        file: String,
        why: String,
        /// The item was not carried out, and the next run tries it again: it is as if it had never been begun.
        #[serde(default)]
        again: bool,
    },
}

/// The path of a tool's journal, beside its input, which is a folder or a file.
pub(crate) fn beside(input: &Path, tool: &str) -> PathBuf {
    // The name of a folder such as `.` is in its full path only.
    let input = input.canonicalize().unwrap_or_else(|_| input.to_owned());
    let mut name = OsString::from(input.file_name().unwrap_or_default());
    name.push(format!(".{tool}.journal"));
    input.parent().unwrap_or(Path::new("")).join(name)
}

impl<D: Serialize + DeserializeOwned> Journal<D> {
    /// Opens the journal of the run that `run` names, or begins it. A dry run reads the journal as it is, also while
    /// another run writes it, and cannot append to it. The error says in one line why that cannot be done.
    pub(crate) fn open(path: &Path, run: &str, is_dry: bool) -> Result<Self, String> {
        let about = |problem: &dyn Display| format!("the journal {} {problem}", path.display());
        let not_opened = |error: io::Error| {
            about(&format_args!("cannot be opened: {error}. Name another place with --journal"))
        };
        // Reading a device or a named pipe may never end.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(not_opened(io::Error::other("it is not a regular file")));
        }
        // The file is not opened in append mode, because some systems cannot truncate such a file.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(!is_dry).create(!is_dry).truncate(false);
        let mut file = match options.open(path) {
            Err(error) if is_dry && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::dry(path, HashMap::new()));
            }
            opened => opened.map_err(not_opened)?,
        };
        if !is_dry {
            FileExt::try_lock(&file).map_err(|error| match error {
                TryLockError::WouldBlock => about(&"is in use by another run at the moment"),
                TryLockError::Error(error) => about(&format_args!("cannot be locked: {error}")),
            })?;
        }
        if file.metadata().map_err(not_opened)?.len() > MAX_BYTES {
            return Err(about(&"has more than 1 GiB. Name another one with --journal"));
        }
        let mut bytes = Vec::new();
        // Another run may append to it meanwhile.
        (&file).take(MAX_BYTES).read_to_end(&mut bytes).map_err(not_opened)?;
        let (entries, whole) = read(&bytes, run).map_err(|problem| about(&problem))?;
        if is_dry {
            return Ok(Self::dry(path, entries));
        }
        if whole < bytes.len() {
            let end = u64::try_from(whole).unwrap_or(u64::MAX);
            let cut = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
            cut.map_err(|error| about(&format_args!("cannot be written: {error}")))?;
        }
        let journal = Self { path: path.to_owned(), entries, file: Mutex::new(Ok(file)) };
        if whole == 0 {
            let record = "run".to_owned();
            let run = run.to_owned();
            journal.append(&Header { record, version: VERSION, run })?;
        }
        journal.sync_folder();
        Ok(journal)
    }

    /// A journal that takes no line.
    fn dry(path: &Path, entries: Entries<D>) -> Self {
        let file = Mutex::new(Err("a dry run writes no journal".to_owned()));
        Self { path: path.to_owned(), entries, file }
    }

    /// The entry of `item` when the journal was opened. It is an error if the entry belongs to another picture than
    /// `file`.
    pub(crate) fn entry(&self, item: &str, file: &str) -> Result<Option<&Entry<D>>, String> {
        match self.entries.get(item) {
            Some(entry) if entry.file != file => Err(self.moved(item, &entry.file, file)),
            entry => Ok(entry),
        }
    }

    /// The error for a picture in a cell, or a cell for a picture, that was another one when the journal was opened.
    pub(crate) fn moved(&self, of: &str, was: &str, now: &str) -> String {
        format!(
            "{of} was for {was} when the run began, and would be for {now} now: pictures were added, renamed or \
             removed, or another cell is the first. Undo that, or name a new journal with --journal, \
             which writes all pictures again (the old one is {})",
            self.path.display()
        )
    }

    /// Records that `item` is about to be sent, which is the picture of this identity.
    pub(crate) fn begin(
        &self,
        item: &str,
        file: &str,
        identity: Identity,
        detail: D,
    ) -> Result<(), String> {
        let item = item.to_owned();
        let file = file.to_owned();
        self.append(&Record::Begin { item, file, identity, detail })
    }

    /// Records that `item` was carried out.
    pub(crate) fn done(&self, item: &str) -> Result<(), String> {
        self.append(&Record::<D>::Done { item: item.to_owned() })
    }

    /// Records that `item` was not carried out, and whether the next run tries it `again` without `--retry-failed`.
    pub(crate) fn failed(
        &self,
        item: &str,
        file: &str,
        why: &str,
        again: bool,
    ) -> Result<(), String> {
        let item = item.to_owned();
        let file = file.to_owned();
        let why = why.to_owned();
        self.append(&Record::<D>::Failed { item, file, why, again })
    }

    /// Appends a line and waits until it is on the disk. After an error nothing is appended any more.
    fn append(&self, record: &impl Serialize) -> Result<(), String> {
        let mut line = serde_json::to_string(record).map_err(|error| error.to_string())?;
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let open = file.as_mut().map_err(|reason| reason.clone())?;
        let written = open.write_all(line.as_bytes()).and_then(|()| open.sync_data());
        written.map_err(|error| {
            let path = self.path.display();
            let reason = format!("the journal {path} cannot be written: {error}");
            *file = Err(reason.clone());
            reason
        })
    }

    /// Syncs the folder, so that the entry of a new journal survives a crash.
    fn sync_folder(&self) {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let opened = File::open(folder.unwrap_or(Path::new(".")));
        // A system that cannot open a folder as a file keeps the entry without this.
        let _ = opened.and_then(|folder| folder.sync_all());
    }
}

type Entries<D> = HashMap<String, Entry<D>>;

/// The entries of a journal, and the length of its whole lines. The error goes on after the journal's name.
fn read<D: DeserializeOwned>(bytes: &[u8], run: &str) -> Result<(Entries<D>, usize), String> {
    let mut entries = HashMap::new();
    let mut other = None;
    let mut whole = 0;
    let of_another = |other: &str| {
        format!(
            "is that of another run, `{other}`, and not of `{run}`. Name another one with --journal"
        )
    };
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A crash leaves a part of the last line, or zeros in its place. All lines before were on the disk.
        let is_last = whole + line.len() == bytes.len();
        let is_torn = is_last && (!line.ends_with(b"\n") || line.contains(&0));
        if is_torn && (at > 0 || is_part_of_header(line)) {
            break;
        }
        if at == 0 {
            other = Some(run_of(line)?).filter(|other| other != run);
        } else if apply(&mut entries, line).is_none() {
            return Err(other.map_or_else(|| damaged_in(at + 1), |other| of_another(&other)));
        }
        whole += line.len();
    }
    match other {
        None => Ok((entries, whole)),
        Some(other) if entries.values().any(|entry| !matches!(entry.state, State::Failed)) => {
            Err(of_another(&other))
        }
        // No picture of the other run has arrived, for example because of a wrong site or chat, so the journal is
        // started again.
        Some(_) => Ok((HashMap::new(), 0)),
    }
}

fn damaged_in(line: usize) -> String {
    format!(
        "is damaged in line {line}. Restore it from a backup, or name another one with --journal, which sends all \
         pictures again"
    )
}

/// Whether a file with this single line can be a journal that was cut in its first line. Any other file is not touched.
fn is_part_of_header(line: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"record\":\"run\",\"version\":";
    let written = line.iter().take_while(|byte| **byte != 0).count();
    let (text, zeros) = line.split_at(written);
    let is_beginning = text.starts_with(BEGINNING) || BEGINNING.starts_with(text);
    is_beginning && zeros.len() <= MAX_ZEROS && zeros.iter().all(|byte| *byte == 0)
}

/// The run that the first line names.
fn run_of(line: &[u8]) -> Result<String, String> {
    match serde_json::from_slice::<Header>(line) {
        Ok(Header { record, version: VERSION, run }) if record == "run" => Ok(run),
        Ok(Header { record, version, .. }) if record == "run" => Err(format!(
            "has version {version}, and this tool reads version {VERSION}. Use the tool that wrote it, or name \
             another journal with --journal"
        )),
        _ => {
            Err("is no journal; the file is left as it is. Name another one with --journal".into())
        }
    }
}

/// Applies a line to the entries. Returns `None` for a line that is no record, and for a `done` of an item without an
/// entry.
fn apply<D: DeserializeOwned>(entries: &mut Entries<D>, line: &[u8]) -> Option<()> {
    let (item, entry) = match serde_json::from_slice(line).ok()? {
        Record::Begin { item, file, identity, detail } => {
            (item, Entry { file, identity: Some(identity), state: State::Begun(detail) })
        }
        Record::Done { item } => {
            let begun = entries.remove(&item)?;
            (item, Entry { state: State::Done, ..begun })
        }
        Record::Failed { item, again: true, .. } => {
            entries.remove(&item);
            return Some(());
        }
        Record::Failed { item, file, .. } => {
            (item, Entry { file, identity: None, state: State::Failed })
        }
    };
    entries.insert(item, entry);
    Some(())
}

#[cfg(test)]
mod tests;
