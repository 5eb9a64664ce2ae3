//! Bad input of `fill_sheet` and `send_images`: one line names the cause, and the exit code tells that nothing was
//! lost.

mod any_table;
mod files;
mod journals;
mod tables;
mod texts;

use std::fs;

use lark_proto::fake::{FakeLark, Route, StoredCell};
use lark_ureq::FakeServer;

use super::support::{Folder, Output, Tool, picture};

const LINK: &str = "https://x.feishu.cn/sheets/shtcngNygNfuqhxTBf588jwgWbJ";

const TOOLS: [&str; 2] = ["fill_sheet", "send_images"];

/// A server, and a folder whose pictures go into it.
struct Case {
    server: FakeServer,
    folder: Folder,
}

impl Case {
    fn new() -> Self {
        Self { server: FakeServer::start().unwrap(), folder: Folder::new() }
    }

    /// A case with `count` pictures in the folder.
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

    /// The pictures that have arrived, sorted: `picture(1)` is `Q7PlXT!A1 1` in a cell, and `1` as a message.
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

    /// The number of writes and messages so far, refused ones included.
    fn writes(&self) -> usize {
        let routes = [Route::ValuesImage, Route::Messages];
        self.server.with(|lark| routes.map(|route| lark.begun(route)).iter().sum())
    }

    /// The lines on stderr, with `DIR` in place of the folder.
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

    /// No request has arrived at the server.
    fn assert_untouched(&self) {
        self.server.with(|lark| assert!(lark.requests().is_empty()));
    }
}

/// The pictures that have arrived after a whole run of `name` with `count` pictures.
fn all(name: &str, count: usize) -> Vec<String> {
    let numbers = 1..=count;
    match name {
        "fill_sheet" => numbers.map(|number| format!("Q7PlXT!A{number} {number}")).collect(),
        _ => numbers.map(|number| number.to_string()).collect(),
    }
}

/// The system's text for a file that does not exist.
fn not_found() -> String {
    fs::read("none.gif").unwrap_err().to_string()
}
