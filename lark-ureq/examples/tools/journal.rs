//! The journal of a run: what was begun and what became of it, so that an interrupted run goes on where it stopped.
//!
//! It is a text file to which lines of JSON are appended. A line is on the disk before the run goes on:
//!
//! ```text
//! {"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A2:A2","file":"a.png","bytes":..,"modified":..,"hash":"..","held":null}
//! {"record":"done","item":"shtcnabc Q7PlXT!A2:A2"}
//! {"record":"begin","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","bytes":..,"modified":..,"hash":"..","held":"boxcnabc"}
//! {"record":"failed","item":"shtcnabc Q7PlXT!A3:A3","file":"b.png","why":"code 90204 ..","again":false}
//! ```
//!
//! An item that was begun and did not end may have been carried out. Of several lines about an item the last one
//! counts. A last line that was cut by a crash is ignored, and is removed unless a dry run opens the journal. Members that a reader does not
//! know are passed over, so a change that an earlier reader would misread takes another version.

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

/// No larger file is read: it would be the journal of some 200,000 pictures.
const MAX_BYTES: u64 = 64 << 20;

/// A crash leaves at most this many zeros in place of the first line.
const MAX_ZEROS: usize = 4096;

/// The journal of a run. `D` is what the tool has to know about an item that was begun.
pub(crate) struct Journal<D> {
    path: PathBuf,
    entries: HashMap<String, Entry<D>>,
    /// The open file, or the error of the first failed write. After that error the file may end with a partial line, so
    /// nothing more is appended.
    file: Mutex<Result<File, String>>,
}

/// What the journal knew about an item when it was opened, and the picture that is meant for it.
pub(crate) struct Entry<D> {
    file: String,
    /// Identifies the picture that was begun last. `None` after a failure, because a failed picture is not compared.
    pub(crate) identity: Option<Identity>,
    pub(crate) state: State<D>,
}

pub(crate) enum State<D> {
    /// It was begun, and its end is not known.
    Begun(D),
    Done,
    /// It was refused, and is tried again only on demand.
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
        let mut bytes = Vec::new();
        let mut most = (&file).take(MAX_BYTES + 1);
        let length = most.read_to_end(&mut bytes).map_err(not_opened)?;
        if u64::try_from(length).unwrap_or(u64::MAX) > MAX_BYTES {
            return Err(about(&"has more than 64 MiB. Name another one with --journal"));
        }
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
            let (record, run) = ("run".to_owned(), run.to_owned());
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

    /// What was known about `item` when the journal was opened. It is an error if another picture than `file` was meant
    /// for it.
    pub(crate) fn entry(&self, item: &str, file: &str) -> Result<Option<&Entry<D>>, String> {
        match self.entries.get(item) {
            Some(entry) if entry.file != file => Err(format!(
                "{item} was for {} when the run began, and would be for {file} now: pictures were added, renamed or \
                 removed, or another cell is the first. Undo that, or have all of them written again by a new \
                 journal (the old one is {})",
                entry.file,
                self.path.display()
            )),
            entry => Ok(entry),
        }
    }

    /// Records that `item` is about to be sent, which is the picture of this identity.
    pub(crate) fn begin(
        &self,
        item: &str,
        file: &str,
        identity: Identity,
        detail: D,
    ) -> Result<(), String> {
        let (item, file) = (item.to_owned(), file.to_owned());
        self.append(&Record::Begin { item, file, identity, detail })
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
    let (mut entries, mut other) = (HashMap::new(), None);
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
        // In the other run nothing has arrived, such as after a wrong site or chat: the journal begins anew.
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
mod tests {
    use super::*;
    use crate::support::Folder;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Detail {
        held: Option<String>,
    }

    type Opened = Result<Journal<Detail>, String>;

    const RUN: &str = "fill_sheet https://open.feishu.cn cli_a1b2";

    const HEADER: &str =
        r#"{"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}"#;

    /// Opens a journal. Other tests start programs, and a program keeps each file locked that was open in this process,
    /// until its own code begins.
    fn open(path: &Path) -> Opened {
        for _ in 0..1000 {
            match Journal::open(path, RUN, false) {
                Err(error) if error.contains("is in use by another run") => {
                    #[expect(clippy::disallowed_methods, reason = "another process has to go on")]
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                opened => return opened,
            }
        }
        Journal::open(path, RUN, false)
    }

    fn held(held: Option<&str>) -> Detail {
        Detail { held: held.map(str::to_owned) }
    }

    fn identity() -> Identity {
        Identity { bytes: 3, modified: 5, hash: "h".to_owned() }
    }

    /// The bytes of a journal with these lines below the header.
    fn journal(lines: &[&str]) -> Vec<u8> {
        let lines = [&[HEADER], lines].concat().join("\n");
        format!("{lines}\n").into_bytes()
    }

    /// What the journal holds, as `item: file state`, sorted.
    fn shown(opened: Opened) -> Result<Vec<String>, String> {
        let entries = opened?.entries;
        let shown = entries.iter().map(|(item, Entry { file, state, .. })| match state {
            State::Begun(Detail { held }) => format!("{item}: {file} begun {held:?}"),
            State::Done => format!("{item}: {file} done"),
            State::Failed => format!("{item}: {file} failed"),
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        Ok(shown)
    }

    /// A journal as a run writes it.
    fn written(path: &Path) -> Vec<u8> {
        let journal = open(path).unwrap();
        journal.begin("A1", "a.png", identity(), held(None)).unwrap();
        journal.done("A1").unwrap();
        journal.begin("A2", "图.png", identity(), held(Some("box"))).unwrap();
        journal.failed("A2", "图.png", "refused", false).unwrap();
        journal.begin("A3", "c.png", identity(), held(None)).unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn a_run_writes_the_documented_lines() {
        let folder = Folder::new();
        let lines = [
            r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#,
            r#"{"record":"done","item":"A1"}"#,
            r#"{"record":"begin","item":"A2","file":"图.png","bytes":3,"modified":5,"hash":"h","held":"box"}"#,
            r#"{"record":"failed","item":"A2","file":"图.png","why":"refused","again":false}"#,
            r#"{"record":"begin","item":"A3","file":"c.png","bytes":3,"modified":5,"hash":"h","held":null}"#,
        ];
        let bytes = written(&folder.path("a.journal"));
        assert_eq!(String::from_utf8(bytes), String::from_utf8(journal(&lines)));
    }

    #[test]
    fn a_journal_that_was_cut_at_any_byte_holds_its_whole_lines() {
        let folder = Folder::new();
        let whole = written(&folder.path("whole.journal"));
        let path = folder.path("cut.journal");
        for cut in 0..=whole.len() {
            // Some file systems leave zeros where the last bytes were to be.
            for zeros in [0, 1, 4096] {
                let lines =
                    whole[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                fs::write(&path, &whole[..lines]).unwrap();
                let expected = shown(open(&path)).unwrap();
                fs::write(&path, [&whole[..cut], &vec![0; zeros]].concat()).unwrap();

                let opened = open(&path).unwrap();
                opened.begin("A4", "d.png", identity(), held(None)).unwrap();
                assert_eq!(shown(Ok(opened)).unwrap(), expected, "{cut}");
                let lines = if lines == 0 { journal(&[]) } else { whole[..lines].to_vec() };
                let last = "{\"record\":\"begin\",\"item\":\"A4\",\"file\":\"d.png\",\"bytes\":3,\"modified\":5,\"hash\":\"h\",\"held\":null}\n";
                assert_eq!(fs::read(&path).unwrap(), [&lines, last.as_bytes()].concat(), "{cut}");
            }
        }
    }

    #[test]
    fn of_several_lines_about_an_item_the_last_one_counts() {
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":"box"}"#;
        let begin_anew = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let done = r#"{"record":"done","item":"A1"}"#;
        let failed = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":false}"#;
        let left = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":true}"#;
        let newer = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null,"size":[1]}"#;
        let other = r#"{"record":"begin","item":"A2","file":"b.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let folder = Folder::new();
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[begin], &[r#"A1: a.png begun Some("box")"#]),
            (&[begin, begin_anew], &["A1: a.png begun None"]),
            (&[begin, done], &["A1: a.png done"]),
            (&[begin, done, done], &["A1: a.png done"]),
            (&[begin, failed], &["A1: a.png failed"]),
            (&[failed], &["A1: a.png failed"]),
            (&[failed, begin_anew], &["A1: a.png begun None"]),
            (&[failed, begin, done], &["A1: a.png done"]),
            (&[begin, left], &[]),
            (&[left], &[]),
            (&[begin, left, begin_anew], &["A1: a.png begun None"]),
            (&[newer], &["A1: a.png begun None"]),
            (&[begin, other, done], &["A1: a.png done", "A2: b.png begun None"]),
        ] {
            let path = folder.write("a.journal", journal(lines));
            assert_eq!(shown(open(&path)).unwrap(), expected, "{lines:?}");
            assert_eq!(fs::read(&path).unwrap(), journal(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_file_that_is_refused_is_left_as_it_is() {
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let done = r#"{"record":"done","item":"A1"}"#;
        let message = r#"{"record":"begin","item":"a","file":"a","bytes":3,"modified":5,"hash":"h","uuid":"u","image_key":"k","time":1}"#;
        let failed = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":false}"#;
        let header = |name: &str, value: &str| HEADER.replace(name, value).into_bytes();
        let others = |name: &str, value: &str, lines: &[&str]| {
            let lines = [&[&*HEADER.replace(name, value)], lines].concat().join("\n");
            format!("{lines}\n").into_bytes()
        };
        let folder = Folder::new();
        for (bytes, problem) in [
            (journal(&["{\"record\":\"done\",\"it", begin]), "is damaged in line 2. "),
            (journal(&[begin, "\0\0\0", done]), "is damaged in line 3. "),
            (journal(&[begin, ""]), "is damaged in line 3. "),
            // A whole last line was on the disk: no crash has left it so.
            (journal(&[begin, "{\"record\":\"done\""]), "is damaged in line 3. "),
            (journal(&[begin, r#"{"record":"paused","item":"A1"}"#]), "is damaged in line 3. "),
            (journal(&[begin, HEADER]), "is damaged in line 3. "),
            (journal(&[done]), "is damaged in line 2. "),
            ([&b"\xef\xbb\xbf"[..], &journal(&[])].concat(), "is no journal; "),
            (b"\n".to_vec(), "is no journal; "),
            (b"spreadsheet,sheet,cell,path\na,b,c,d\n".to_vec(), "is no journal; "),
            (b"a line without an end".to_vec(), "is no journal; "),
            (b"{\"version\":1}\n".to_vec(), "is no journal; "),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "is no journal; "),
            (b"GIF89a\x01\0\x01\0;".to_vec(), "is no journal; "),
            (b"\0\0\0GIF89a".to_vec(), "is no journal; "),
            (vec![0; 4097], "is no journal; "),
            ([&b"{\"record\":"[..], &[0; 4097]].concat(), "is no journal; "),
            ([header(":1", ":2"), b"\n{\"other\":1}\n".to_vec()].concat(), "has version 2, "),
            (b"{\"record\":\"run\",\"version\":3}\n".to_vec(), "has version 3, "),
            (
                others("a1b2", "b", &[begin]),
                "is that of another run, `fill_sheet https://open.feishu.cn cli_b`, ",
            ),
            (others("a1b2", "b", &[begin, failed, begin]), "is that of another run, "),
            (others("open.feishu.cn", "other", &[begin, done]), "is that of another run, "),
            (others("a1b2", "b", &["{}"]), "is that of another run, "),
            // Also where the last line is torn.
            ([&others("a1b2", "b", &[begin])[..], b"{\"rec"].concat(), "is that of another run, "),
            (
                others("fill_sheet", "send_images", &[message]),
                "is that of another run, `send_images https://open.feishu.cn cli_a1b2`, and not of ",
            ),
        ] {
            let path = folder.write("a.journal", &bytes);
            let error = shown(open(&path)).unwrap_err();
            let text = String::from_utf8_lossy(&bytes);
            let start = format!("the journal {} {problem}", path.display());
            assert!(error.starts_with(&start), "{error}: {text}");
            assert!(!error.contains('\n'), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn the_journal_of_another_run_in_which_nothing_has_arrived_begins_anew() {
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let failed = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":false}"#;
        let left = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":true}"#;
        let folder = Folder::new();
        for (name, value) in
            [("open.feishu.cn", "other"), ("a1b2", "b"), ("fill_sheet", "send_images")]
        {
            for lines in [
                &[][..],
                &[failed],
                &[left],
                &[begin, failed],
                &[begin, left],
                &["{\"record\":\"begin\",\"item\":\"A2"],
            ] {
                let header = HEADER.replace(name, value);
                let text = [&[&*header], lines].concat().join("\n");
                // Only a last line that is torn has no end.
                let end = if text.ends_with('}') { "\n" } else { "" };
                let path = folder.write("a.journal", format!("{text}{end}"));
                assert_eq!(shown(open(&path)), Ok(vec![]), "{text}");
                assert_eq!(fs::read(&path).unwrap(), journal(&[]), "{text}");
            }
        }
    }

    #[test]
    fn a_file_that_is_larger_than_any_journal_is_refused() {
        let folder = Folder::new();
        let path = folder.write("a.journal", journal(&[]));
        for (length, expected) in [
            (MAX_BYTES + 1, Err(" has more than 64 MiB. Name another one with --journal")),
            (MAX_BYTES, Ok(vec![])),
        ] {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(length).unwrap();
            let about = format!("the journal {}", path.display());
            let shown = shown(open(&path));
            let expected = expected.map_err(|problem| format!("{about}{problem}"));
            assert_eq!(shown, expected, "{length}");
        }
        // The zeros are the rest of a line that a crash has cut.
        assert_eq!(fs::read(&path).unwrap(), journal(&[]));
    }

    #[test]
    fn two_runs_do_not_share_a_journal() {
        let folder = Folder::new();
        let path = folder.path("a.journal");
        let first = open(&path).unwrap();
        let error = shown(Journal::open(&path, RUN, false)).unwrap_err();
        assert!(error.ends_with("a.journal is in use by another run at the moment"), "{error}");
        first.begin("A1", "a.png", identity(), held(None)).unwrap();
        drop(first);
        assert_eq!(shown(open(&path)).unwrap(), ["A1: a.png begun None"]);
    }

    #[test]
    fn a_dry_run_reads_a_journal_and_leaves_it_as_it_is() {
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let folder = Folder::new();
        let path = folder.path("a.journal");
        let dry = || Journal::<Detail>::open(&path, RUN, true);
        assert_eq!(shown(dry()), Ok(vec![]));
        assert!(!path.exists());
        let others = format!("{}\n", HEADER.replace("a1b2", "b")).into_bytes();
        let torn = [&journal(&[begin])[..], b"{\"record\":\"done"].concat();
        for (bytes, expected) in [
            (vec![], &[][..]),
            (vec![0; 10], &[]),
            (others, &[]),
            (torn, &["A1: a.png begun None"]),
        ] {
            fs::write(&path, &bytes).unwrap();
            assert_eq!(shown(dry()).unwrap(), expected);
            let error = dry().unwrap().begin("A2", "b.png", identity(), held(None)).unwrap_err();
            assert_eq!(error, "a dry run writes no journal");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        fs::write(&path, b"no journal\n").unwrap();
        assert!(shown(dry()).unwrap_err().contains(" is no journal; "));
        assert!(shown(Journal::open(folder.path("").as_path(), RUN, true)).is_err());
    }

    #[test]
    #[cfg_attr(windows, ignore = "a locked file cannot be read there")]
    fn a_dry_run_reads_the_journal_of_a_run_that_goes_on() {
        let folder = Folder::new();
        let path = folder.path("a.journal");
        let running = open(&path).unwrap();
        running.begin("A1", "a.png", identity(), held(None)).unwrap();
        let dry = Journal::open(&path, RUN, true);
        assert_eq!(shown(dry).unwrap(), ["A1: a.png begun None"]);
        running.done("A1").unwrap();
        drop(running);
        assert_eq!(shown(open(&path)).unwrap(), ["A1: a.png done"]);
    }

    #[test]
    fn after_a_failed_write_nothing_is_appended() {
        let folder = Folder::new();
        let path = folder.write("a.journal", journal(&[]));
        let journal = open(&path).unwrap();
        // A file that was opened for reading takes no write.
        let writable = std::mem::replace(
            &mut *journal.file.lock().unwrap(),
            File::open(&path).map_err(|error| error.to_string()),
        );
        let first = journal.begin("A1", "a.png", identity(), held(None)).unwrap_err();
        assert!(first.contains("a.journal cannot be written: "), "{first}");
        assert_eq!(journal.done("A1"), Err(first.clone()));
        assert_eq!(journal.failed("A1", "a.png", "why", true), Err(first.clone()));
        // No file is left that could take a later line.
        assert_eq!(journal.file.lock().unwrap().as_ref().err(), Some(&first));
        drop((journal, writable));
        assert_eq!(fs::read(&path).unwrap(), self::journal(&[]));
    }

    #[test]
    fn names_of_any_kind_are_read_as_they_were_written() {
        let folder = Folder::new();
        let path = folder.path("a.journal");
        let names =
            ["\"quoted\"", "two\nlines\r\n", "\\", "图片", "\u{fffd}\0\u{7f}", "\u{2028}", ""];
        let journal = open(&path).unwrap();
        for name in names {
            journal.begin(name, name, identity(), held(Some(name))).unwrap();
        }
        drop(journal);
        let journal = open(&path).unwrap();
        for name in names {
            let entry = journal.entry(name, name).unwrap().unwrap();
            assert_eq!(entry.identity.as_ref().unwrap().hash, "h");
            let State::Begun(detail) = &entry.state else { panic!("{name:?}") };
            assert_eq!(*detail, held(Some(name)));
        }
    }

    #[test]
    fn the_hash_is_that_of_the_picture_that_was_begun_last() {
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let anew = r#"{"record":"begin","item":"A1","file":"a.png","bytes":4,"modified":6,"hash":"i","held":null}"#;
        let done = r#"{"record":"done","item":"A1"}"#;
        let failed = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":false}"#;
        let folder = Folder::new();
        for (lines, hash) in [
            (&[begin][..], Some("h")),
            (&[begin, done], Some("h")),
            (&[begin, done, done], Some("h")),
            (&[begin, done, anew], Some("i")),
            (&[begin, anew, done], Some("i")),
            (&[begin, failed], None),
            (&[begin, failed, anew], Some("i")),
        ] {
            let opened = open(&folder.write("a.journal", journal(lines))).unwrap();
            let entry = opened.entry("A1", "a.png").unwrap().unwrap();
            let found = entry.identity.as_ref().map(|identity| &*identity.hash);
            assert_eq!(found, hash, "{lines:?}");
        }
    }

    #[test]
    fn an_item_for_another_picture_is_an_error() {
        let folder = Folder::new();
        let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
        let path = folder.write("a.journal", journal(&[begin]));
        let journal = open(&path).unwrap();
        assert!(matches!(journal.entry("A1", "a.png"), Ok(Some(_))));
        assert!(matches!(journal.entry("A2", "b.png"), Ok(None)));
        let Err(error) = journal.entry("A1", "b.png") else { panic!("it is taken") };
        assert!(
            error.contains("A1 was for a.png when the run began, and would be for b.png now: "),
            "{error}"
        );
    }

    #[test]
    fn the_journal_stands_beside_the_input() {
        let folder = Folder::new();
        let photos = folder.pictures(1);
        let expected = photos.canonicalize().unwrap().with_file_name("photos.fill_sheet.journal");
        for input in [photos.clone(), photos.join("."), photos.join("../photos/")] {
            assert_eq!(beside(&input, "fill_sheet"), expected, "{}", input.display());
        }
        let missing = Path::new("no/folder");
        assert_eq!(beside(missing, "t"), Path::new("no/folder.t.journal"));
    }
}
