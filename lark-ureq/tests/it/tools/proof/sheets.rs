//! `fill_sheet` with a table of pictures for several spreadsheets.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use lark_proto::fake::{ConnectionFault, FakeLark, FakeSheet, RecordedRequest, Route, TokenKind};
use lark_proto::{App, EndpointExt, Image, Limits, Site, TenantToken, WriteSheetImage};
use lark_ureq::{Client, FakeServer};

use super::chance::{Chance, Random};
use super::{Course, Figures, check_journal, moments, persist};
use crate::tools::support::{Folder, Tool, picture};

/// Pictures for spreadsheets, and a service that takes them.
#[derive(Clone, Copy)]
struct Sheets {
    pictures: usize,
    spreadsheets: usize,
    /// This many cells hold another image at the start.
    filled: usize,
    /// The time that a write to a cell takes.
    pace: Duration,
    /// The rate limit of writes.
    per_second: u32,
    chance: Chance,
}

impl Sheets {
    /// The spreadsheet and the cell of a picture, which are counted from 0.
    fn place(&self, number: usize) -> (String, String) {
        let row = number / self.spreadsheets + 2;
        (spreadsheet(number % self.spreadsheets), format!("B{row}"))
    }

    /// The write of an image into the cell of a picture.
    fn write(&self, number: usize, image: Vec<u8>) -> WriteSheetImage {
        let (spreadsheet, cell) = self.place(number);
        let cell = format!("s1!{cell}").parse().unwrap();
        WriteSheetImage::new(spreadsheet.parse().unwrap(), cell, Image::new(image).unwrap())
            .unwrap()
    }

    /// A service whose sheets have this number of rows.
    fn serve(self, rows: u32) -> FakeServer {
        let Self { pace, chance, .. } = self;
        let mut lark = FakeLark::new();
        for number in 0..self.spreadsheets {
            lark.add_sheet(&spreadsheet(number), FakeSheet::new("s1").rows(rows));
        }
        lark.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(1));
        for number in 0..self.filled {
            let write = self.write(number, picture(self.pictures));
            let request = write.request(&Site::LARK, &TenantToken::new("t-1").unwrap());
            WriteSheetImage::decode(lark.handle(UNIX_EPOCH, request)).unwrap();
        }
        lark.rate_limit(Route::ValuesImage, self.per_second);
        lark.fail_when(move |route, number| {
            let slow =
                || (route == Route::ValuesImage).then(|| ConnectionFault::SlowReply(pace).into());
            chance.failure(route, number).or_else(slow)
        });
        FakeServer::start_on(0, lark).unwrap()
    }

    /// Writes the pictures and the table of their places.
    fn table(&self, folder: &Folder) -> PathBuf {
        let mut table = String::from("spreadsheet,sheet,cell,path\n");
        for number in 0..self.pictures {
            let (spreadsheet, cell) = self.place(number);
            let path = format!("photos/{number}.gif");
            folder.write(&path, picture(number));
            writeln!(table, "{spreadsheet},s1,{cell},{path}").unwrap();
        }
        folder.write("pictures.csv", table)
    }

    /// Fills the spreadsheets, with kills at random moments.
    fn fill(&self, server: &FakeServer, table: &Path, kills: usize) -> Course {
        let mut random = Random(self.chance.seed);
        let kills = moments(kills, self.pictures, &mut random);
        let tool = || Tool::new("fill_sheet", server).args([table]).args(["--retry-failed"]);
        let begun = || server.with(|lark| lark.begun(Route::ValuesImage));
        persist(tool, begun, &kills, self.pace, &mut random)
    }

    /// Checks that each picture is in its cell, and nothing in any other.
    fn check_cells(&self, server: &FakeServer) {
        server.with(|lark| {
            for number in 0..self.pictures {
                let (spreadsheet, cell) = self.place(number);
                let stored = lark.cell(&spreadsheet, &format!("s1!{cell}"));
                assert_eq!(stored.unwrap().bytes, picture(number), "{spreadsheet} {cell}");
            }
            let cells = |number| lark.cells(&spreadsheet(number)).count();
            let cells: usize = (0..self.spreadsheets).map(cells).sum();
            assert_eq!(cells, self.pictures);
        });
    }

    /// Checks that no write to a cell follows one that was answered with success over a whole connection.
    fn check_writes(&self, server: &FakeServer) {
        server.with(|lark| {
            // Each cell has a picture of its own, so that the body tells the cell.
            let cell = |seen: &RecordedRequest| (seen.uri.clone(), seen.body_len, seen.body_hash);
            let mut finished = HashSet::new();
            for seen in lark.requests_to(Route::ValuesImage) {
                assert!(!finished.contains(&cell(seen)), "written again: {seen:?}");
                if seen.code == Some(0) && self.chance.lets_pass(Route::ValuesImage, seen.number) {
                    finished.insert(cell(seen));
                }
            }
        });
    }

    /// One picture after the other, and each request once. Returns how many pictures did not arrive.
    fn naive(&self, server: &FakeServer) -> usize {
        let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
        let client = Client::new(server.site().clone(), app).with_limits(Limits::one_attempt());
        let fails = |number: &usize| client.call(&self.write(*number, picture(*number))).is_err();
        (0..self.pictures).filter(fails).count()
    }
}

fn spreadsheet(number: usize) -> String {
    format!("shtcnproof{number}")
}

/// Fills the spreadsheets and checks everything.
fn prove(sheets: Sheets, kills: usize) -> (FakeServer, Course) {
    let server = sheets.serve(20);
    let folder = Folder::new();
    let table = sheets.table(&folder);
    let course = sheets.fill(&server, &table, kills);
    assert_eq!(course.kills, kills);
    sheets.check_cells(&server);
    sheets.check_writes(&server);
    check_journal(&folder.path("pictures.csv.fill_sheet.journal"), sheets.pictures);
    (server, course)
}

#[test]
fn every_picture_arrives_and_no_finished_cell_is_written_again() {
    let sheets = Sheets {
        pictures: 150,
        spreadsheets: 4,
        filled: 40,
        pace: Duration::from_millis(5),
        per_second: 60,
        chance: Chance { seed: 16, per_mille: 100 },
    };
    let (server, course) = prove(sheets, 3);
    println!("{}", Figures::of("`fill_sheet`", course, &server, sheets.chance, 0));
}

/// The figures of the tool without failures, and of the tool and the naive loop with failures.
pub(crate) fn figures() -> Vec<Figures> {
    let ideal = Sheets {
        pictures: 5000,
        spreadsheets: 8,
        filled: 0,
        pace: Duration::from_millis(50),
        per_second: u32::MAX,
        chance: Chance { seed: 16, per_mille: 0 },
    };
    let mut courses = [(); 3].map(|()| prove(ideal, 0));
    courses.sort_by_key(|(_, course)| course.time);
    let [_, (server, course), _] = courses;
    let least = ideal.pace.as_secs_f64() * (ideal.pictures / ideal.spreadsheets) as f64;
    let ratio = course.time.as_secs_f64() / least;
    let name = format!("`fill_sheet`, no failures: {ratio:.2} times the {least} s of the writes");
    let without = Figures::of(&name, course, &server, ideal.chance, 0);

    let chance = Chance { seed: 16, per_mille: 30 };
    assert!(chance.has_all_kinds(Route::ValuesImage, ideal.pictures));
    let sheets = Sheets { per_second: 100, chance, ..ideal };
    let (server, course) = prove(sheets, 3);
    let with = Figures::of("`fill_sheet`, killed three times", course, &server, chance, 0);

    let server = sheets.serve(1000);
    let start = Instant::now();
    let failed = sheets.naive(&server);
    let naive = Course { time: start.elapsed(), runs: 1, kills: 0 };
    let name = "one after the other, no retry";
    let naive = Figures::of(name, naive, &server, chance, failed);
    vec![without, with, naive]
}
