//! Cells that hold something, and runs that write nothing.

use lark_proto::fake::{FakeLark, Route};
use lark_ureq::FakeServer;

use super::{LINK, column, fail_writes, fill, fill_sheet, filled, refusal, writes};
use crate::support::{Folder, picture};

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

/// A text in A1, and an image in A2: `picture(99)`.
fn with_contents() -> FakeServer {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    let photos = folder.write("photos/a.gif", picture(99));
    let photos = photos.parent().unwrap();
    let output = fill_sheet(&server).args([LINK, "--from", "A2"]).args([photos]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    server.with(|lark| lark.set_text(SPREADSHEET, "Q7PlXT!A1", "a price"));
    server
}

#[test]
fn cells_that_hold_something_are_overwritten() {
    let (server, folder) = (with_contents(), Folder::new());
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(3));
}

#[test]
fn skip_filled_leaves_texts_and_images_until_a_run_without_it() {
    let (server, folder) = (with_contents(), Folder::new());
    let output = fill(&server, &folder, 3, &["--skip-filled"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 2 skipped, in "), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), ["Q7PlXT!A2 photo99", "Q7PlXT!A3 photo3"]);

    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    let expected = ["Q7PlXT!A3 photo3", "Q7PlXT!A1 photo1", "Q7PlXT!A2 photo2"];
    assert_eq!(filled(&server, SPREADSHEET), expected);
}

#[test]
fn skip_filled_leaves_the_cell_of_a_write_that_was_not_carried_out() {
    let (server, folder) = (with_contents(), Folder::new());
    // The overwriting of A2 is begun, and remains of unknown outcome.
    let page = super::damaged_reply();
    fail_writes(&server, move |number| (number > 2).then(|| page.clone()));
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    fail_writes(&server, |_| None);
    let output = fill(&server, &folder, 3, &["--skip-filled"]);
    assert!(output.stdout.starts_with("1 arrived, 1 skipped, in "), "{output:?}");
    let expected = ["Q7PlXT!A2 photo99", "Q7PlXT!A1 photo1", "Q7PlXT!A3 photo3"];
    assert_eq!(filled(&server, SPREADSHEET), expected);
}

#[test]
fn a_dry_run_writes_nothing_and_keeps_no_journal() {
    let (server, folder) = (with_contents(), Folder::new());
    for (option, verb) in [("--dry-run", "overwritten"), ("--skip-filled", "skipped")] {
        let output = fill(&server, &folder, 3, &["--dry-run", "--row-height", "9", option]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        let expected = format!(
            "{LINK}: 3 pictures to write; 2 filled cells would be {verb}; the spreadsheet holds 1 image\n\
             no problem found\n"
        );
        assert_eq!(output.stdout, expected);
    }
    assert_eq!(writes(&server), 1);
    server.with(|lark| {
        for route in [Route::AddDimension, Route::UpdateDimension] {
            assert_eq!(lark.begun(route), 0);
        }
    });
    assert!(!folder.path("photos.fill_sheet.journal").exists());
}

#[test]
fn a_dry_run_lists_the_problems_and_has_the_exit_code_of_the_run() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    folder.write("1.gif", picture(1));
    folder.write("2.gif", "<html>");
    let table = format!(
        "spreadsheet,sheet,cell,path\n{LINK},,A1,1.gif\n{LINK},,A2,2.gif\n{LINK},,A3,3.gif\n\
         {LINK},Nowhere,A4,1.gif\nshtcnmissing,,A5,1.gif\n"
    );
    let table = folder.write("table.csv", table);
    let dry = fill_sheet(&server).args([&table]).args(["--dry-run"]).run();
    assert_eq!(dry.code(), Some(1), "{dry:?}");
    for problem in [
        "2.gif: the file begins with `<html>` and is not",
        "3.gif: ",
        "(os error 2)",
        "1.gif: no sheet has the id or the title `Nowhere`",
        "shtcnmissing: code 1310214",
        "4 problems found",
    ] {
        assert!(dry.stdout.contains(problem), "{problem}: {dry:?}");
    }
    let run = fill_sheet(&server).args([table]).run();
    assert_eq!(run.code(), dry.code(), "{run:?}");
}

#[test]
fn a_dry_run_knows_what_earlier_runs_have_done() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    fail_writes(&server, |number| (number == 2).then(|| refusal(90204)));
    assert_eq!(fill(&server, &folder, 3, &[]).code(), Some(1));
    let output = fill(&server, &folder, 3, &["--dry-run"]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(
        output.stdout,
        "2 arrived in earlier runs\n1 failed in earlier runs: see --retry-failed\nno problem found\n"
    );
    let output = fill(&server, &folder, 3, &["--dry-run", "--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.contains(": 1 picture to write; 0 filled cells"), "{output:?}");
    assert_eq!(writes(&server), 3);
}

#[test]
fn failed_pictures_are_tried_again_on_demand_only() {
    let (server, folder) = (FakeServer::start().unwrap(), Folder::new());
    fail_writes(&server, |number| (number == 2).then(|| refusal(90204)));
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("2 arrived, 1 failed, in "), "{output:?}");

    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(writes(&server), 3);
    assert_eq!(
        output.stdout.split_once('\n').unwrap().1,
        "2 arrived in earlier runs\n1 failed in earlier runs: see --retry-failed\n"
    );

    let output = fill(&server, &folder, 3, &["--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(writes(&server), 4);
    let output = fill(&server, &folder, 3, &["--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.contains("\n3 arrived in earlier runs\n"), "{output:?}");
    assert_eq!(writes(&server), 4);
}
