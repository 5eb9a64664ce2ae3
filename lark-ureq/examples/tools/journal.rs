//! The journal of a run: what was begun and what became of it, so that an interrupted run goes on where it stopped.
//!
//! It is a text file to which lines of JSON are appended. A line is on the disk before the run goes on:
//!
//! ```text
//! {"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A2:A2","file":"a.png","held":null}
//! {"record":"done","item":"shtcnabc Q7PlXT!A2:A2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","held":"boxcnabc"}
//! {"record":"failed","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","why":"code 90204 .."}
//! ```
//!
//! An item that was begun and did not end may have been carried out. Of several lines about an item the last one
//! counts. A last line that was cut by a crash is removed when the journal is opened.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
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
    /// `None` after a write that failed: the file may end with half a line.
    file: Mutex<Option<File>>,
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
    Failed,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Record<D> {
    Run {
        version: u32,
        run: String,
    },
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
    },
}

/// The version of a journal, which is read before anything else of it.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl<D: Serialize + DeserializeOwned> Journal<D> {
    /// Opens the journal of the run that `run` names, or begins it. The error says in one line why that cannot be done.
    pub(crate) fn open(path: &Path, run: &str) -> Result<Self, String> {
        let about = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| format!("the journal {}", about(&error)))?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(about(&"another run uses this journal at the moment"));
            }
            Err(TryLockError::Error(error)) => return Err(about(&error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| about(&error))?;
        let (records, whole) = records(&bytes).map_err(|problem| about(&problem))?;
        if whole < bytes.len() {
            let end = u64::try_from(whole).unwrap_or(u64::MAX);
            file.set_len(end).map_err(|error| about(&error))?;
        }
        let mut journal =
            Self { entries: HashMap::new(), file: Mutex::new(Some(file)), path: path.to_owned() };
        if records.is_empty() {
            journal.append(&Record::Run { version: VERSION, run: run.to_owned() })?;
            journal.keep_name();
        }
        for record in records {
            journal.take(record, run).map_err(|problem| about(&problem))?;
        }
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
        self.append(&Record::Done { item: item.to_owned() })
    }

    /// Records that `item` was refused, which is tried again only on demand.
    pub(crate) fn failed(&self, item: &str, file: &str, why: &str) -> Result<(), String> {
        let (item, file, why) = (item.to_owned(), file.to_owned(), why.to_owned());
        self.append(&Record::Failed { item, file, why })
    }

    /// Appends a line and waits until it is on the disk. After an error nothing is appended any more.
    fn append(&self, record: &Record<D>) -> Result<(), String> {
        let mut line = serde_json::to_string(record).map_err(|error| error.to_string())?;
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *file else {
            return Err(format!("{}: an earlier line could not be written", self.path.display()));
        };
        let written = open.write_all(line.as_bytes()).and_then(|()| open.sync_data());
        written.map_err(|error| {
            *file = None;
            format!("{}: the journal cannot be written: {error}", self.path.display())
        })
    }

    /// Waits until the name of a new journal is on the disk as well, where a folder can be opened as a file.
    fn keep_name(&self) {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let opened = File::open(folder.unwrap_or(Path::new(".")));
        // A system that cannot do so keeps names without it.
        let _ = opened.and_then(|folder| folder.sync_all());
    }

    fn take(&mut self, record: Record<D>, run: &str) -> Result<(), String> {
        let (item, file, state) = match record {
            Record::Run { run: other, .. } if other != run => {
                return Err(format!(
                    "this is the journal of another run, `{other}`, and not of `{run}`. Name another one with --journal"
                ));
            }
            Record::Run { .. } => return Ok(()),
            Record::Begin { item, file, detail } => (item, file, State::Begun(detail)),
            Record::Done { item } => match self.entries.remove(&item) {
                Some(begun) => (item, begun.file, State::Done),
                None => return Err(format!("{item} ends and was never begun")),
            },
            Record::Failed { item, file, .. } => (item, file, State::Failed),
        };
        self.entries.insert(item, Entry { file, state });
        Ok(())
    }
}

/// The records, and the length of the whole lines that they are in.
fn records<D: DeserializeOwned>(bytes: &[u8]) -> Result<(Vec<Record<D>>, usize), String> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut records = Vec::new();
    let mut whole = 0;
    for (at, line) in lines.iter().enumerate() {
        let is_first = at == 0;
        let is_last = at + 1 == lines.len();
        let is_whole = line.ends_with(b"\n");
        if is_first && is_whole {
            match serde_json::from_slice(line) {
                Ok(Version { version: VERSION }) => {}
                Ok(Version { version }) => {
                    return Err(format!(
                        "this journal has version {version}, and this tool reads version {VERSION}. Use the tool that \
                         wrote it, or name another journal with --journal"
                    ));
                }
                Err(_) => return Err("this is no journal; it is left as it is".to_owned()),
            }
        }
        let record = serde_json::from_slice(line);
        match record {
            Ok(record) if is_whole && is_first == matches!(record, Record::Run { .. }) => {
                records.push(record);
                whole += line.len();
            }
            // A crash leaves a part of the last line, or zeros in its place.
            _ if is_last && (!is_first || is_part_of_header(line)) => break,
            _ => {
                return Err(format!("line {} is damaged; the journal is left as it is", at + 1));
            }
        }
    }
    Ok((records, whole))
}

/// Whether a file with this single line can be a journal that was cut in its first line. Any other file is not touched.
fn is_part_of_header(line: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"record\":\"run\",\"version\":";
    line.starts_with(BEGINNING) || BEGINNING.starts_with(line)
}
