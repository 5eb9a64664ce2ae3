//! Bad input of `fill_sheet` and `send_images`: one line that names the cause, an exit code, and nothing is lost.

use std::fs;
use std::time::Duration;

use lark_proto::fake::{Break, FakeLark, Fault, Route, StoredCell};
use lark_ureq::FakeServer;

use crate::tools::support::{Folder, Output, Tool, picture, wait_until};

const LINK: &str = "https://x.feishu.cn/sheets/shtcngNygNfuqhxTBf588jwgWbJ";

/// A server, and a folder whose pictures go into it.
struct Case {
    server: FakeServer,
    folder: Folder,
}

impl Case {
    fn new() -> Self {
        Self { server: FakeServer::start().unwrap(), folder: Folder::new() }
    }

    /// With `count` pictures.
    fn with_pictures(count: usize) -> Self {
        let case = Self::new();
        case.folder.pictures(count);
        case
    }

    /// `fill_sheet` or `send_images` on the folder.
    fn tool(&self, name: &str, options: &[&str]) -> Tool {
        let receiver = if name == "fill_sheet" { LINK } else { FakeLark::CHAT };
        let photos = self.folder.path("").join("photos");
        Tool::new(name, &self.server).args([receiver]).args([photos]).args(options)
    }

    /// `fill_sheet` on a table with these bytes.
    fn fill_table(&self, bytes: impl AsRef<[u8]>) -> Output {
        let table = self.folder.write("table.csv", bytes);
        Tool::new("fill_sheet", &self.server).args([table]).run()
    }

    /// The cells that hold pictures, or the messages, as `Q7PlXT!A1 1`, or `1` for `picture(1)`. In any order.
    fn arrived(&self) -> Vec<String> {
        let number = |bytes: &[u8]| (1..=100).find(|number| bytes == picture(*number)).unwrap_or(0);
        let mut arrived = self.server.with(|lark| {
            let cell = |(range, cell): (&str, &StoredCell)| {
                let (cell_name, _) = range.split_once(':').unwrap();
                format!("{cell_name} {}", number(&cell.bytes))
            };
            let cells = lark.cells(FakeLark::SPREADSHEET).map(cell);
            let image = |key: &str| number(&lark.image(key).unwrap().bytes).to_string();
            cells.chain(lark.messages().map(|sent| image(&sent.image_key))).collect::<Vec<_>>()
        });
        arrived.sort();
        arrived
    }

    /// How many pictures and messages were sent, refused ones among them.
    fn writes(&self) -> usize {
        let routes = [Route::ValuesImage, Route::Messages];
        self.server.with(|lark| routes.map(|route| lark.begun(route)).iter().sum())
    }

    /// The lines on stderr, with `DIR` for the folder.
    fn stderr(&self, output: &Output) -> String {
        let folder = self.folder.path("").canonicalize().unwrap();
        output.stderr.replace(folder.to_str().unwrap(), "DIR")
    }

    /// The run was refused with this one line, and nothing was sent.
    fn assert_refused(&self, output: &Output, line: &str) {
        assert_eq!(output.code(), Some(2), "{output:?}");
        assert_eq!(self.stderr(output), format!("{line}\n"));
        assert_eq!((&*output.stdout, self.writes()), ("", 0), "{output:?}");
    }
}

/// The pictures that have arrived after a run of `name` with `count` pictures, all of which are there.
fn all(name: &str, count: usize) -> Vec<String> {
    let numbers = 1..=count;
    match name {
        "fill_sheet" => numbers.map(|number| format!("Q7PlXT!A{number} {number}")).collect(),
        _ => numbers.map(|number| number.to_string()).collect(),
    }
}

const TOOLS: [&str; 2] = ["fill_sheet", "send_images"];

#[test]
fn a_folder_without_pictures_is_refused() {
    const PICTURES: &str = "a picture is a file with one of the extensions png, jpg, jpeg, jfif, gif, bmp, tif, tiff, \
        webp, heic, heif, ico, bpg";
    for name in TOOLS {
        let case = Case::new();
        let refused = |problem: &str| {
            let output = case.tool(name, &[]).run();
            case.assert_refused(&output, &format!("{name}: DIR/photos: {problem}"));
        };
        refused(&fs::read_dir("no/folder").unwrap_err().to_string());
        let file = case.folder.write("photos", picture(1));
        let output = case.tool(name, &[]).run();
        let line = format!("{name}: DIR/photos is a file, and a folder is needed");
        case.assert_refused(&output, &line);
        fs::remove_file(file).unwrap();
        case.folder.path("photos/inner/a.png");
        refused(&format!("no picture in this folder, and 0 other files; {PICTURES}"));
        case.folder.write("photos/notes.txt", "a");
        case.folder.write("photos/.hidden.png", picture(1));
        refused(&format!("no picture in this folder, and 1 other files; {PICTURES}"));
        server_is_untouched(&case);
        case.folder.pictures(1);
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 1));
    }
}

fn server_is_untouched(case: &Case) {
    case.server.with(|lark| assert!(lark.requests().is_empty()));
}

#[test]
fn a_table_is_read_as_spreadsheet_programs_save_it() {
    let rows = format!("spreadsheet,sheet,cell,path\n{LINK},,B1,1.gif\n{LINK},Q7PlXT,B2,2.gif\n");
    let quoted = format!(
        "\"spreadsheet\",\"note\",\"sheet\",\"cell\",\"path\"\n\"{LINK}\",\"two\nlines, \"\"quotes\"\"\",\"\",\"B1\",\
         \"1.gif\"\n\n{LINK},,Q7PlXT,B2, 2.gif \n"
    );
    for (name, table) in [
        ("plain", rows.clone()),
        ("a byte order mark", format!("\u{feff}{rows}")),
        ("CRLF", rows.replace('\n', "\r\n")),
        ("both", format!("\u{feff}{}", rows.replace('\n', "\r\n"))),
        ("quotes", quoted),
        ("semicolons", rows.replace(',', ";")),
        ("blank rows", rows.replace('\n', "\n;;;\n , ,\n;;;\n").replace(',', ";")),
        ("capitals", rows.replace("spreadsheet", "Spreadsheet").replace("path", "PATH")),
        (
            "no sheet",
            format!("spreadsheet,cell,path\n{LINK},B1,1.gif\n,,\n{LINK}?sheet=Q7PlXT,B2,2.gif"),
        ),
        ("tabs", rows.replace(',', "\t")),
        ("no end of line", rows.trim_end().to_owned()),
        (
            "another order",
            format!("path,cell,sheet,spreadsheet\n1.gif,B1,,{LINK}\n2.gif,B2,,{LINK}"),
        ),
    ] {
        let case = Case::new();
        for number in 1..=2 {
            case.folder.write(&format!("{number}.gif"), picture(number));
        }
        let output = case.fill_table(table);
        assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{name}: {output:?}");
        assert_eq!(case.arrived(), ["Q7PlXT!B1 1", "Q7PlXT!B2 2"], "{name}");
    }
}

#[test]
fn a_table_that_cannot_be_read_is_refused_with_its_line() {
    const TITLES: &str = "spreadsheet,sheet,cell,path\n";
    const COLUMNS: &str = "in the first line; it needs spreadsheet, cell, path";
    const UTF_8: &str = "is not in UTF-8: save the table as \"CSV UTF-8\"";
    let good = format!("{LINK},,A1,1.gif\n");
    let row = |row: &str| format!("{TITLES}{good}{row}\n").into_bytes();
    let utf_16 =
        format!("\u{feff}{TITLES}{good}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, problem) in [
        (b"".to_vec(), &*format!("no column `spreadsheet` {COLUMNS}")),
        (b"spreadsheet,sheet,path\na,b,c\n".to_vec(), &format!("no column `cell` {COLUMNS}")),
        (b"SPREADSHEET;Cell\na;b\n".to_vec(), &format!("no column `path` {COLUMNS}")),
        (b"sheet,cell,path\na,b,c\n".to_vec(), &format!("no column `spreadsheet` {COLUMNS}")),
        (good.clone().into_bytes(), &format!("no column `spreadsheet` {COLUMNS}")),
        (TITLES.into(), "no line below the titles"),
        ([TITLES, ",,,\n\n , , ,\n"].concat().into(), "no line below the titles"),
        (row(&format!(",,,\n{LINK},,A0,a")), "line 4: `A0` is in row 0: rows are counted from 1"),
        (row("a,,"), "line 3: 3 fields, and the first line has 4"),
        (utf_16, &format!("line 1 {UTF_8}")),
        ([&row("")[..], b"\xc9\xcc\xc6\xb7\n"].concat(), &format!("line 4 {UTF_8}")),
        (row(&format!("{LINK},,A0,a")), "line 3: `A0` is in row 0: rows are counted from 1"),
        (
            format!("\u{feff}{TITLES}{good}{LINK},,2,a\n").replace('\n', "\r\n").into_bytes(),
            "line 3: `2` is not a cell: a cell is letters and a number, as in `H7`",
        ),
        (row("\n\n\"\n\",,A1,a"), "line 5: `` is not a spreadsheet's token"),
        (row(&format!("\"{LINK}\",\"\n\",B1,a\n{LINK},,B2,")), "line 5: the path is empty"),
        (row(&format!("{LINK},,A2")), "line 3: 3 fields, and the first line has 4"),
        (row(&format!("{LINK},,A2,a,b")), "line 3: 5 fields, and the first line has 4"),
        (
            row("https://x.feishu.cn/docx/doxcnabc,,A2,a"),
            "line 3: `docx/doxcnabc` is a document, which is not a spreadsheet",
        ),
    ] {
        let case = Case::new();
        case.folder.write("1.gif", picture(1));
        let output = case.fill_table(&bytes);
        let (line, text) = (case.stderr(&output), String::from_utf8_lossy(&bytes));
        assert_eq!(output.code(), Some(2), "{line}{text}");
        assert!(line.starts_with(&format!("fill_sheet: DIR/table.csv: {problem}")), "{line}{text}");
        assert_eq!(line.lines().count(), 1, "{line}");
        server_is_untouched(&case);
    }
}

#[test]
fn a_link_to_another_kind_of_document_is_refused() {
    let case = Case::with_pictures(1);
    let tool = Tool::new("fill_sheet", &case.server).args(["https://x.feishu.cn/docx/doxcnabc"]);
    let output = tool.args([case.folder.path("").join("photos")]).run();
    let line = "fill_sheet: `docx/doxcnabc` is a document, which is not a spreadsheet";
    case.assert_refused(&output, line);
    server_is_untouched(&case);
}

#[test]
fn two_rows_for_one_cell_are_refused() {
    let case = Case::new();
    let table = format!("spreadsheet,sheet,cell,path\n{LINK},,A1,1.gif\n{LINK},Q7PlXT,A1,2.gif\n");
    let output = case.fill_table(table);
    let line = "fill_sheet: 2.gif: an earlier picture has the same cell, Q7PlXT!A1:A1";
    case.assert_refused(&output, line);
}

#[test]
fn a_link_without_access_leaves_its_pictures_to_the_next_run() {
    for (route, code) in [
        (Route::SheetsQuery, 91403),
        (Route::Values, 90213),
        (Route::AddDimension, 90213),
        (Route::ValuesImage, 90213),
    ] {
        let case = Case::with_pictures(2);
        // The sheet has 200 rows.
        let options = if route == Route::AddDimension { &["--from", "A200"][..] } else { &[] };
        case.server.with(|lark| lark.fail_next_on(route, Fault::code(403, code, "Forbidden")));
        let output = case.tool("fill_sheet", options).run();
        assert_eq!(output.code(), Some(1), "{route:?} {output:?}");
        let start = if route == Route::ValuesImage { "photo1.gif" } else { LINK };
        assert!(output.stderr.starts_with(&format!("{start}: code {code} ")), "{output:?}");
        assert!(output.stderr.contains("the right to edit the document"), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stdout.starts_with("0 arrived, 2 still to do, in "), "{output:?}");
        assert_eq!(case.tool("fill_sheet", options).run().code(), Some(0));
        assert_eq!(case.arrived().len(), 2);
    }
}

#[test]
fn a_file_that_is_no_picture_is_passed_over_until_it_is_one() {
    for name in TOOLS {
        for (bytes, problem) in [
            (&b""[..], "the image file is empty"),
            (
                b"<!DOCTYPE html><html>",
                "the file is a web page, which was saved in place of a picture\n",
            ),
            (b"hello", "the file begins with `hello` and is not a PNG"),
            (b"<svg>", "SVG is not accepted"),
        ] {
            let case = Case::with_pictures(3);
            case.folder.write("photos/photo2.gif", bytes);
            // The journal does not keep the failure, since another look at the file costs nothing.
            for line in ["2 arrived, 1 failed, in ", "0 arrived, 1 failed, in "] {
                let output = case.tool(name, &[]).run();
                assert_eq!(output.code(), Some(1), "{output:?}");
                assert!(output.stderr.starts_with(&format!("photo2.gif: {problem}")), "{output:?}");
                assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
                assert!(output.stdout.starts_with(line), "{output:?}");
                assert!(!output.stdout.contains("--retry-failed"), "{output:?}");
            }
            case.folder.pictures(3);
            assert_eq!(case.tool(name, &[]).run().code(), Some(0));
            assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
        }
    }
}

/// The system's text for a file that does not exist.
fn not_found() -> String {
    fs::read("none.gif").unwrap_err().to_string()
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_passed_over_until_it_can() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    for name in TOOLS {
        for kind in ["to nothing", "to itself", "closed"] {
            let case = Case::with_pictures(3);
            let photo = case.folder.path("photos/photo2.gif");
            if kind == "closed" {
                fs::set_permissions(&photo, PermissionsExt::from_mode(0o000)).unwrap();
            } else {
                let target = if kind == "to itself" { &photo } else { &case.folder.path("none") };
                fs::remove_file(&photo).unwrap();
                symlink(target, &photo).unwrap();
            }
            // An administrator may read a closed file.
            if let Err(error) = fs::read(&photo) {
                for line in ["2 arrived, 1 failed, in ", "0 arrived, 1 failed, in "] {
                    let output = case.tool(name, &[]).run();
                    assert_eq!(output.code(), Some(1), "{kind}: {output:?}");
                    assert_eq!(output.stderr, format!("photo2.gif: {error}\n"));
                    assert!(output.stdout.starts_with(line), "{output:?}");
                }
            }
            fs::remove_file(&photo).unwrap();
            case.folder.pictures(3);
            assert_eq!(case.tool(name, &[]).run().code(), Some(0));
            assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
        }
    }
}

#[test]
fn a_file_that_vanishes_during_the_run_is_passed_over_until_it_is_back() {
    for (name, route) in TOOLS.into_iter().zip([Route::ValuesImage, Route::Messages]) {
        let case = Case::with_pictures(3);
        let slow = Break::SlowReply(Duration::from_secs(3));
        case.server.with(|lark| lark.fail_next_on(route, slow));
        let running = case.tool(name, &[]).start();
        wait_until(&case.server, |lark| lark.begun(route) == 1);
        fs::remove_file(case.folder.path("photos/photo2.gif")).unwrap();
        let output = running.wait();
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert_eq!(output.stderr, format!("photo2.gif: {}\n", not_found()));
        assert!(output.stdout.starts_with("2 arrived, 1 failed, in "), "{output:?}");
        case.folder.pictures(3);
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!((case.arrived(), case.writes()), (all(name, 3), 3), "{name}");
    }
}

#[test]
fn a_file_of_a_table_that_never_existed_is_passed_over() {
    let case = Case::new();
    case.folder.write("1.gif", picture(1));
    let table = format!("spreadsheet,sheet,cell,path\n{LINK},,A2,a/2.gif\n{LINK},,A1,1.gif\n");
    let output = case.fill_table(&table);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr, format!("a/2.gif: {}\n", not_found()));
    case.folder.write("a/2.gif", picture(2));
    assert_eq!(case.fill_table(&table).code(), Some(0));
    assert_eq!((case.arrived(), case.writes()), (all("fill_sheet", 2), 2));
}

#[test]
fn a_journal_that_is_not_of_this_run_is_left_as_it_is() {
    for name in TOOLS {
        let case = Case::with_pictures(2);
        let journal = case.folder.path("a.journal");
        let (site, app) = (case.server.site(), FakeLark::APP_ID);
        let run = |tool: &str, site: &str, app: &str| match tool {
            "fill_sheet" => format!("fill_sheet {site} {app}"),
            _ => format!("send_images {site} {app} {}", FakeLark::CHAT),
        };
        let header = |version, run: &str| {
            format!("{{\"record\":\"run\",\"version\":{version},\"run\":\"{run}\"}}\n").into_bytes()
        };
        let this = run(name, site.as_str(), app);
        let other = |other: &str| {
            format!(
                "is that of another run, `{other}`, and not of `{this}`. Name another one with --journal"
            )
        };
        let other_tool = run(other_name(name), site.as_str(), app);
        let other_app = run(name, site.as_str(), "cli_other");
        let other_site = run(name, "https://open.feishu.cn", app);
        // Of `fill_sheet` it is another run, since no run of it names a chat.
        let other_chat = this.replace(FakeLark::CHAT, "") + "oc_other";
        let done = b"{\"record\":\"done\",\"item\":\"a\"}\n";
        let begin =
            b"{\"record\":\"begin\",\"item\":\"a\",\"file\":\"a\",\"held\":null,\"uuid\":\"a\",\
            \"image_key\":\"img_a\",\"time\":1}\n";
        let failed = b"{\"record\":\"failed\",\"item\":\"a\",\"file\":\"a\",\"why\":\"b\"}\n";
        let with = |run: &str, lines: &[&[u8]]| [&header(1, run)[..], &lines.concat()].concat();
        for (bytes, problem) in [
            (with(&other_tool, &[begin, done]), other(&other_tool)),
            (with(&other_app, &[begin]), other(&other_app)),
            (with(&other_site, &[failed, begin]), other(&other_site)),
            (with(&other_chat, &[begin, done, b"{\"record\":\"be"]), other(&other_chat)),
            (with(&other_app, &[b"no line\n"]), other(&other_app)),
            (with(&other_app, &[done]), other(&other_app)),
            (
                header(2, &this),
                "has version 2, and this tool reads version 1. Use the tool that wrote it, or name another journal \
                 with --journal"
                    .to_owned(),
            ),
            (
                [&header(1, &this)[..], b"no line\n", &header(1, &this)].concat(),
                "is damaged in line 2. Restore it from a backup, or name another one with --journal, which sends all \
                 pictures again"
                    .to_owned(),
            ),
            (
                picture(1),
                "is no journal; the file is left as it is. Name another one with --journal".to_owned(),
            ),
        ] {
            fs::write(&journal, &bytes).unwrap();
            let options = ["--journal", journal.to_str().unwrap()];
            let with_dry_run = if name == "fill_sheet" { &["--dry-run"][..] } else { &[] };
            for option in [&[][..], with_dry_run] {
                let output = case.tool(name, &[&options, option].concat()).run();
                case.assert_refused(&output, &format!("{name}: the journal DIR/a.journal {problem}"));
                assert_eq!(fs::read(&journal).unwrap(), bytes);
            }
        }
    }
}

#[test]
fn a_journal_of_another_run_in_which_nothing_has_arrived_is_taken_over() {
    let failed = |again: bool| {
        format!(
            "{{\"record\":\"failed\",\"item\":\"a\",\"file\":\"a\",\"why\":\"b\",\"again\":{again}}}\n"
        )
    };
    let torn = "{\"record\":\"begin\",\"item\":\"a";
    for name in TOOLS {
        for lines in ["", &failed(true), &failed(false), torn, &(failed(true) + torn)] {
            let case = Case::with_pictures(2);
            let header = "{\"record\":\"run\",\"version\":1,\"run\":\"of another site\"}\n";
            let file = format!("photos.{name}.journal");
            let journal = case.folder.write(&file, format!("{header}{lines}"));
            let output = case.tool(name, &[]).run();
            assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{lines}: {output:?}");
            assert_eq!(case.arrived(), all(name, 2));
            let text = fs::read_to_string(&journal).unwrap();
            let start = format!("{{\"record\":\"run\",\"version\":1,\"run\":\"{name} ");
            assert!(text.starts_with(&start) && !text.contains("another site"), "{text}");
            assert_eq!(text.lines().count(), 5, "{text}");
        }
    }
}

#[test]
fn no_character_in_the_output_controls_the_terminal_or_misleads_the_reader() {
    const PATH: &str = "a\u{1b}[31m\u{202e}\u{200b}b.gif";
    let case = Case::new();
    case.folder.write("1.gif", picture(1));
    let table = format!("spreadsheet,cell,path\n{LINK},A1,1.gif\n{LINK},A2,{PATH}\n");
    let output = case.fill_table(&table);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr, format!("a [31m  b.gif: {}\n", not_found()));
    assert!(output.stdout.contains("\n          a [31m  b.gif\n"), "{output:?}");

    let output = case.fill_table(format!("spreadsheet,cell,path\n{LINK}\u{1b}[31m\u{202e},A1,a\n"));
    assert_eq!(output.code(), Some(2), "{output:?}");
    assert!(is_plain(&output), "{output:?}");

    let run = "\\u001b[31m\u{202e}\\u0085x";
    let lines = format!(
        "{{\"record\":\"run\",\"version\":1,\"run\":\"{run}\"}}\n{{\"record\":\"done\",\"item\":\"a\"}}\n"
    );
    let journal = case.folder.write("a.journal", lines);
    case.folder.pictures(1);
    for name in TOOLS {
        let output = case.tool(name, &["--journal", journal.to_str().unwrap()]).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        assert!(output.stderr.contains("is that of another run, ` [31m  x`, and "), "{output:?}");
        assert!(is_plain(&output), "{output:?}");
    }
}

fn is_plain(output: &Output) -> bool {
    let text = output.stdout.clone() + &output.stderr;
    let is_bad = |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{200b}'].contains(&c));
    !text.contains(is_bad)
}

fn other_name(name: &str) -> &'static str {
    if name == "fill_sheet" { "send_images" } else { "fill_sheet" }
}

#[test]
fn a_journal_is_used_by_one_run_at_a_time() {
    for (name, route) in TOOLS.into_iter().zip([Route::Values, Route::Messages]) {
        let case = Case::with_pictures(2);
        let slow = Break::SlowReply(Duration::from_secs(60));
        case.server.with(|lark| lark.fail_next_on(route, slow));
        let running = case.tool(name, &[]).start();
        wait_until(&case.server, |lark| lark.count(route) == 1);
        let output = case.tool(name, &[]).run();
        let journal = format!("the journal DIR/photos.{name}.journal");
        let line = format!("{name}: {journal} is in use by another run at the moment\n");
        assert_eq!((output.code(), case.stderr(&output)), (Some(2), line));
        // The journal is free as soon as its run has ended.
        running.kill();
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_journal_in_a_place_that_takes_none_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    for name in TOOLS {
        let case = Case::with_pictures(1);
        let closed = case.folder.path("closed/a").parent().unwrap().to_owned();
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
        // An administrator may write there all the same.
        let is_closed = fs::write(closed.join("a"), "").is_err();
        let closed = if is_closed { closed.join("a.journal") } else { "/proc/a.journal".into() };
        for journal in [closed, case.folder.path("").join("no/a.journal"), case.folder.path("")] {
            let journal = journal.to_str().unwrap();
            let output = case.tool(name, &["--journal", journal]).run();
            let start = format!("{name}: the journal {journal} cannot be opened: ");
            assert!(output.stderr.starts_with(&start), "{output:?}");
            assert!(output.stderr.ends_with(". Name another place with --journal\n"), "{output:?}");
            assert_eq!((output.code(), output.stderr.lines().count()), (Some(2), 1), "{output:?}");
            assert_eq!(case.writes(), 0);
        }
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 1));
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_sent_after_the_journal_cannot_be_written() {
    const FULL: &str = "cannot be written: File too large (os error 27)";
    for name in TOOLS {
        let mut ends = [0, 0];
        // The length of the names decides which line is the one that does not fit.
        for padding in (0..100).step_by(9) {
            let case = Case::new();
            let photo = |number| format!("photos/{number}{}.gif", "a".repeat(padding));
            for number in 1..=9 {
                case.folder.write(&photo(number), picture(number));
            }
            let output = case.tool(name, &[]).on_full_disk().run();
            assert_eq!(output.code(), Some(3), "{output:?}");
            let reason = format!("the journal DIR/photos.{name}.journal {FULL}");
            let arrived = case.arrived().len();
            assert!(arrived < 9, "{output:?}");
            assert_eq!(case.writes(), arrived, "{output:?}");
            assert_eq!(output.stderr, "");
            let folder = case.folder.path("").canonicalize().unwrap();
            let stdout = output.stdout.replace(folder.to_str().unwrap(), "DIR");
            assert!(stdout.contains(&format!("\nThe run ended early: {reason}")), "{stdout}");
            let journal = fs::read(case.folder.path(&format!("photos.{name}.journal"))).unwrap();
            assert!([512, 1024].contains(&journal.len()), "{}", journal.len());
            // The line that did not fit says that a picture was begun, or that it has arrived.
            let whole = journal.split_inclusive(|byte| *byte == b'\n');
            let whole = whole.filter(|line| line.ends_with(b"\n"));
            let done = whole.filter(|line| line.starts_with(b"{\"record\":\"done\"")).count();
            let is_arrived = done < arrived;
            if !is_arrived {
                let file = photo(arrived + 1).replace("photos/", "");
                assert!(stdout.contains(&format!("\n          {file}\n")), "{stdout}");
            }
            ends[usize::from(is_arrived)] += 1;

            let output = case.tool(name, &[]).run();
            assert_eq!(output.code(), Some(0), "{output:?}");
            assert_eq!(case.arrived(), all(name, 9));
            // A message of which nothing is known is sent again with its uuid; a picture is found in its cell.
            let again = usize::from(is_arrived && name == "send_images");
            assert_eq!(case.writes(), 9 + again);
        }
        assert!(ends.iter().all(|count| *count > 0), "{ends:?}");
    }
}
