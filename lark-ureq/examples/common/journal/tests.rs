//! Tests of the journal's format, and of journals that a crash has cut.

mod any_bytes;

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Detail {
    held: Option<String>,
}

type Opened = Result<Journal<Detail>, String>;

const RUN: &str = "fill_sheet https://open.feishu.cn cli_a1b2";

const HEADER: &str =
    r#"{"record":"run","version":1,"run":"fill_sheet https://open.feishu.cn cli_a1b2"}"#;

/// The lines about the picture `a.png` in the cell A1.
const BEGIN: &str = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
const DONE: &str = r#"{"record":"done","item":"A1"}"#;
const FAILED: &str = r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":false}"#;
const FAILED_AGAIN: &str =
    r#"{"record":"failed","item":"A1","file":"a.png","why":"w","again":true}"#;

fn open(path: &Path) -> Opened {
    Journal::open(path, RUN, false)
}

/// A new folder for the files of a test, which is removed with them.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lark-journal-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        // Some systems keep temporary files below a symbolic link.
        Self(path.canonicalize().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system removes the rest with its other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
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

/// The entries of the journal as `item: file state`, sorted.
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
    // Some file systems leave zeros in place of the last bytes. Each case waits for the disk, so they run side by side.
    std::thread::scope(|scope| {
        for zeros in [0, 1, 4096] {
            let path = folder.path(&format!("cut{zeros}.journal"));
            let whole = &whole;
            scope.spawn(move || {
                for cut in 0..=whole.len() {
                    check_cut(&path, &whole[..cut], zeros);
                }
            });
        }
    });
}

/// Checks that a journal that consists of `start` and these zeros is read as its whole lines, and goes on after them.
fn check_cut(path: &Path, start: &[u8], zeros: usize) {
    let cut = start.len();
    let lines = start.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    fs::write(path, &start[..lines]).unwrap();
    let expected = shown(Journal::open(path, RUN, true)).unwrap();
    fs::write(path, [start, &vec![0; zeros]].concat()).unwrap();

    let opened = open(path).unwrap();
    opened.begin("A4", "d.png", identity(), held(None)).unwrap();
    assert_eq!(shown(Ok(opened)).unwrap(), expected, "{cut}");
    let lines = if lines == 0 { journal(&[]) } else { start[..lines].to_vec() };
    let last = "{\"record\":\"begin\",\"item\":\"A4\",\"file\":\"d.png\",\"bytes\":3,\"modified\":5,\"hash\":\"h\",\"held\":null}\n";
    assert_eq!(fs::read(path).unwrap(), [&lines, last.as_bytes()].concat(), "{cut}");
}

#[test]
fn of_several_lines_about_an_item_the_last_one_counts() {
    let begin = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":"box"}"#;
    let newer = r#"{"record":"begin","item":"A1","file":"a.png","bytes":3,"modified":5,"hash":"h","held":null,"size":[1]}"#;
    let other = r#"{"record":"begin","item":"A2","file":"b.png","bytes":3,"modified":5,"hash":"h","held":null}"#;
    let folder = Folder::new();
    for (lines, expected) in [
        (&[][..], &[][..]),
        (&[begin], &[r#"A1: a.png begun Some("box")"#]),
        (&[begin, BEGIN], &["A1: a.png begun None"]),
        (&[begin, DONE], &["A1: a.png done"]),
        (&[begin, DONE, DONE], &["A1: a.png done"]),
        (&[begin, FAILED], &["A1: a.png failed"]),
        (&[FAILED], &["A1: a.png failed"]),
        (&[FAILED, BEGIN], &["A1: a.png begun None"]),
        (&[FAILED, begin, DONE], &["A1: a.png done"]),
        (&[begin, FAILED_AGAIN], &[]),
        (&[FAILED_AGAIN], &[]),
        (&[begin, FAILED_AGAIN, BEGIN], &["A1: a.png begun None"]),
        (&[newer], &["A1: a.png begun None"]),
        (&[begin, other, DONE], &["A1: a.png done", "A2: b.png begun None"]),
    ] {
        let path = folder.write("a.journal", journal(lines));
        assert_eq!(shown(open(&path)).unwrap(), expected, "{lines:?}");
        assert_eq!(fs::read(&path).unwrap(), journal(lines), "{lines:?}");
    }
}

#[test]
fn a_file_that_is_refused_is_left_as_it_is() {
    let message = r#"{"record":"begin","item":"a","file":"a","bytes":3,"modified":5,"hash":"h","uuid":"u","image_key":"k","time":1}"#;
    let header = |name: &str, value: &str| HEADER.replace(name, value).into_bytes();
    let others = |name: &str, value: &str, lines: &[&str]| {
        let lines = [&[&*HEADER.replace(name, value)], lines].concat().join("\n");
        format!("{lines}\n").into_bytes()
    };
    let folder = Folder::new();
    for (bytes, problem) in [
        (journal(&["{\"record\":\"done\",\"it", BEGIN]), "is damaged in line 2. "),
        (journal(&[BEGIN, "\0\0\0", DONE]), "is damaged in line 3. "),
        (journal(&[BEGIN, ""]), "is damaged in line 3. "),
        // The last line is complete, so a crash cannot have damaged it.
        (journal(&[BEGIN, "{\"record\":\"done\""]), "is damaged in line 3. "),
        (journal(&[BEGIN, r#"{"record":"paused","item":"A1"}"#]), "is damaged in line 3. "),
        (journal(&[BEGIN, HEADER]), "is damaged in line 3. "),
        (journal(&[DONE]), "is damaged in line 2. "),
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
            others("a1b2", "b", &[BEGIN]),
            "is that of another run, `fill_sheet https://open.feishu.cn cli_b`, ",
        ),
        (others("a1b2", "b", &[BEGIN, FAILED, BEGIN]), "is that of another run, "),
        (others("open.feishu.cn", "other", &[BEGIN, DONE]), "is that of another run, "),
        (others("a1b2", "b", &["{}"]), "is that of another run, "),
        // The run is also compared if the last line is cut.
        ([&others("a1b2", "b", &[BEGIN])[..], b"{\"rec"].concat(), "is that of another run, "),
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
    let folder = Folder::new();
    for (name, value) in [("open.feishu.cn", "other"), ("a1b2", "b"), ("fill_sheet", "send_images")]
    {
        for lines in [
            &[][..],
            &[FAILED],
            &[FAILED_AGAIN],
            &[BEGIN, FAILED],
            &[BEGIN, FAILED_AGAIN],
            &["{\"record\":\"begin\",\"item\":\"A2"],
        ] {
            let header = HEADER.replace(name, value);
            let text = [&[&*header], lines].concat().join("\n");
            // Only a last line that was cut has no line end.
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
        (MAX_BYTES + 1, Err(" has more than 1 GiB. Name another one with --journal")),
        (64 << 20, Ok(vec![])),
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
    let folder = Folder::new();
    let path = folder.path("a.journal");
    let dry = || Journal::<Detail>::open(&path, RUN, true);
    assert_eq!(shown(dry()), Ok(vec![]));
    assert!(!path.exists());
    let others = format!("{}\n", HEADER.replace("a1b2", "b")).into_bytes();
    let torn = [&journal(&[BEGIN])[..], b"{\"record\":\"done"].concat();
    for (bytes, expected) in
        [(vec![], &[][..]), (vec![0; 10], &[]), (others, &[]), (torn, &["A1: a.png begun None"])]
    {
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
    let names = ["\"quoted\"", "two\nlines\r\n", "\\", "图片", "\u{fffd}\0\u{7f}", "\u{2028}", ""];
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
    let anew = r#"{"record":"begin","item":"A1","file":"a.png","bytes":4,"modified":6,"hash":"i","held":null}"#;
    let folder = Folder::new();
    for (lines, hash) in [
        (&[BEGIN][..], Some("h")),
        (&[BEGIN, DONE], Some("h")),
        (&[BEGIN, DONE, DONE], Some("h")),
        (&[BEGIN, DONE, anew], Some("i")),
        (&[BEGIN, anew, DONE], Some("i")),
        (&[BEGIN, FAILED], None),
        (&[BEGIN, FAILED, anew], Some("i")),
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
    let path = folder.write("a.journal", journal(&[BEGIN]));
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
fn the_journal_is_beside_the_input() {
    let folder = Folder::new();
    let photos = folder.path("photos");
    fs::create_dir(&photos).unwrap();
    let expected = folder.path("photos.fill_sheet.journal");
    for input in [photos.clone(), photos.join("."), photos.join("../photos/")] {
        assert_eq!(beside(&input, "fill_sheet"), expected, "{}", input.display());
    }
    let missing = Path::new("no/folder");
    assert_eq!(beside(missing, "t"), Path::new("no/folder.t.journal"));
}
