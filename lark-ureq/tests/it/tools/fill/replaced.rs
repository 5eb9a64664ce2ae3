//! Files that changed after their pictures were written.

use std::fs;
use std::path::{Path, PathBuf};

use lark_proto::fake::FakeLark;
use lark_ureq::FakeServer;

use super::{LINK, fill_sheet, writes};
use crate::tools::support::{Folder, Output, picture, setup};

/// Two pictures, and a table that puts them into A1 and A2.
fn table(folder: &Folder) -> PathBuf {
    folder.pictures(2);
    let rows = [1, 2].map(|number| format!("{LINK},A{number},photos/photo{number}.gif\n"));
    folder.write("table.csv", format!("spreadsheet,cell,path\n{}", rows.concat()))
}

/// Runs the tool on the table.
fn fill(server: &FakeServer, table: &Path) -> Output {
    let output = fill_sheet(server).args([table]).run();
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{output:?}");
    output
}

/// The picture in a cell of the column A.
fn in_row(server: &FakeServer, row: usize) -> Vec<u8> {
    let cell = format!("Q7PlXT!A{row}:A{row}");
    server.with(|lark| lark.cell(FakeLark::SPREADSHEET, &cell).unwrap().bytes.to_vec())
}

#[test]
fn a_picture_that_has_replaced_one_of_a_table_is_written_into_its_cell() {
    let (server, folder) = setup();
    let table = table(&folder);
    fill(&server, &table);
    folder.write("photos/photo1.gif", picture(7));
    let output = fill(&server, &table);
    assert!(output.stdout.starts_with("1 arrived, in "), "{output:?}");
    assert_eq!((in_row(&server, 1), in_row(&server, 2)), (picture(7), picture(2)));
    assert_eq!(writes(&server), 3);
}

#[test]
fn a_picture_that_has_arrived_stays_arrived_without_its_file() {
    let (server, folder) = setup();
    let table = table(&folder);
    fill(&server, &table);
    fs::remove_file(folder.path("photos/photo1.gif")).unwrap();
    let output = fill(&server, &table);
    assert!(output.stdout.contains("2 arrived in earlier runs"), "{output:?}");
    assert_eq!(writes(&server), 2);
}

#[test]
fn a_picture_that_has_replaced_one_of_unknown_outcome_is_written_into_its_cell() {
    let (server, folder) = setup();
    let table = table(&folder);
    fill(&server, &table);
    folder.write("photos/photo1.gif", picture(7));
    fill(&server, &table);
    // The journal as a run leaves it that is killed before the last reply.
    let journal = folder.path("table.csv.fill_sheet.journal");
    let text = fs::read_to_string(&journal).unwrap();
    let whole = text.trim_end().rfind('\n').unwrap();
    fs::write(&journal, &text[..=whole]).unwrap();
    folder.write("photos/photo1.gif", picture(8));
    fill(&server, &table);
    assert_eq!((in_row(&server, 1), writes(&server)), (picture(8), 4));
}
