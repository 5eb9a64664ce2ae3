//! The journal of a run: what was begun and what became of it, so that an interrupted run goes on where it stopped.
//!
//! It is a text file to which lines of JSON are appended. A line is on the disk before the run goes on:
//!
//! ```text
//! {"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A2:A2","file":"a.png","held":null}
//! {"record":"done","item":"shtcnabc Q7PlXT!A2:A2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","held":"boxcnabc"}
//! {"record":"failed","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","why":"code 90204 ..","again":false}
//! ```
//!
//! An item that was begun and did not end may have been carried out. Of several lines about an item the last one
//! counts. A last line that was cut by a crash is removed when the journal is opened. Members that a reader does not
//! know are passed over, so a change that an earlier reader would misread takes another version.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs4::{FileExt, TryLockError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the format. Another version is refused.
const VERSION: u32 = 1;

/// The journal of a run. `D` is what the tool has to know about an item that was begun.
pub(crate) struct Journal<D> {
    path: PathBuf,
    entries: HashMap<String, Entry<D>>,
    /// After a write that failed it is the reason: the file may end with half a line, so nothing follows it.
    file: Mutex<Result<File, String>>,
}

/// What the journal knew about an item when it was opened, and the picture that is meant for it.
struct Entry<D> {
    file: String,
    state: State<D>,
}

pub(crate) enum State<D> {
    /// It was begun, and its end is not known.
    Begun(D),
    Done,
    /// It was refused, and is tried again only on demand.
    Failed,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    record: String,
    version: u32,
    /// Another version may do without it.
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
    /// Opens the journal of the run that `run` names, or begins it. The error says in one line why that cannot be done.
    pub(crate) fn open(path: &Path, run: &str) -> Result<Self, String> {
        let about = |problem: &dyn Display| format!("the journal {} {problem}", path.display());
        let not_opened = |error: std::io::Error| {
            about(&format_args!("cannot be opened: {error}. Name another place with --journal"))
        };
        // Not opened for appending: some systems let no such file be cut.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(not_opened)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(about(&"is in use by another run at the moment"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(about(&format_args!("cannot be locked: {error}")));
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(not_opened)?;
        let (entries, whole) = read(&bytes, run).map_err(|problem| about(&problem))?;
        if whole < bytes.len() {
            let end = u64::try_from(whole).unwrap_or(u64::MAX);
            let cut = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
            cut.map_err(|error| about(&format_args!("cannot be written: {error}")))?;
        }
        let journal = Self { path: path.to_owned(), entries, file: Mutex::new(Ok(file)) };
        if whole == 0 {
            let (record, run) = ("run".to_owned(), run.to_owned());
            journal.append(&Header { record, version: VERSION, run })?;
        }
        journal.keep_name();
        Ok(journal)
    }

    /// What was known about `item` when the journal was opened. It is an error if another picture than `file` was meant
    /// for it.
    pub(crate) fn entry(&self, item: &str, file: &str) -> Result<Option<&State<D>>, String> {
        match self.entries.get(item) {
            Some(entry) if entry.file != file => Err(format!(
                "{}: {item} was meant for {}, and is now for {file}: the pictures or the place have changed since the \
                 run began. Name a new journal with --journal",
                self.path.display(),
                entry.file
            )),
            entry => Ok(entry.map(|entry| &entry.state)),
        }
    }

    /// Records that `item` is about to be sent.
    pub(crate) fn begin(&self, item: &str, file: &str, detail: D) -> Result<(), String> {
        let (item, file) = (item.to_owned(), file.to_owned());
        self.append(&Record::Begin { item, file, detail })
    }

    /// Records that `item` was carried out.
    pub(crate) fn done(&self, item: &str) -> Result<(), String> {
        self.append(&Record::<D>::Done { item: item.to_owned() })
    }

    /// Records that `item` was not carried out, and whether the next run tries it `again` without being told to.
    pub(crate) fn failed(
        &self,
        item: &str,
        file: &str,
        why: &str,
        again: bool,
    ) -> Result<(), String> {
        let (item, file, why) = (item.to_owned(), file.to_owned(), why.to_owned());
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

    /// Waits until the name of the journal is on the disk as well, where a folder can be opened as a file.
    fn keep_name(&self) {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let opened = File::open(folder.unwrap_or(Path::new(".")));
        // A system that cannot do so keeps names without it.
        let _ = opened.and_then(|folder| folder.sync_all());
    }
}

type Entries<D> = HashMap<String, Entry<D>>;

/// The entries of a journal, and the length of its whole lines. The error goes on after the journal's name.
fn read<D: DeserializeOwned>(bytes: &[u8], run: &str) -> Result<(Entries<D>, usize), String> {
    let mut entries = HashMap::new();
    let mut whole = 0;
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A crash leaves a part of the last line, or zeros in its place. All lines before were on the disk.
        let is_last = whole + line.len() == bytes.len();
        let is_torn = is_last && (!line.ends_with(b"\n") || line.contains(&0));
        match at {
            0 if is_torn && is_part_of_header(line) => break,
            0 => check_header(line, run)?,
            _ if is_torn => break,
            _ => {
                let taken = serde_json::from_slice(line).ok().and_then(|it| take(&mut entries, it));
                let damaged = || format!("is damaged in line {}; it is left as it is", at + 1);
                taken.ok_or_else(damaged)?;
            }
        }
        whole += line.len();
    }
    Ok((entries, whole))
}

/// Whether a file with this single line can be a journal that was cut in its first line. Any other file is not touched.
fn is_part_of_header(line: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"record\":\"run\",\"version\":";
    let written = line.iter().take_while(|byte| **byte != 0).count();
    let (text, zeros) = line.split_at(written);
    let is_beginning = text.starts_with(BEGINNING) || BEGINNING.starts_with(text);
    is_beginning && zeros.iter().all(|byte| *byte == 0)
}

fn check_header(line: &[u8], run: &str) -> Result<(), String> {
    match serde_json::from_slice::<Header>(line) {
        Ok(header) if header.record == "run" => {
            if header.version != VERSION {
                return Err(format!(
                    "has version {}, and this tool reads version {VERSION}. Use the tool that wrote it, or name \
                     another journal with --journal",
                    header.version
                ));
            }
            if header.run != run {
                return Err(format!(
                    "is that of another run, `{}`, and not of `{run}`. Name another one with --journal",
                    header.run
                ));
            }
            Ok(())
        }
        _ => {
            Err("is no journal; the file is left as it is. Name another one with --journal".into())
        }
    }
}

/// Adds a line to the entries. It is `None` for an item that ends and was never begun.
fn take<D>(entries: &mut Entries<D>, record: Record<D>) -> Option<()> {
    let (item, file, state) = match record {
        Record::Begin { item, file, detail } => (item, file, State::Begun(detail)),
        Record::Done { item } => {
            let file = entries.remove(&item)?.file;
            (item, file, State::Done)
        }
        Record::Failed { item, again: true, .. } => {
            entries.remove(&item);
            return Some(());
        }
        Record::Failed { item, file, .. } => (item, file, State::Failed),
    };
    entries.insert(item, Entry { file, state });
    Some(())
}
