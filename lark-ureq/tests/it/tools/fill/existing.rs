//! Cells that hold something, and runs that write nothing.

use lark_proto::fake::{FakeLark, FakeSheet, Fault, Route};
use lark_ureq::FakeServer;
use serde_json::json;

use super::{LINK, column, fail_writes, fill, fill_sheet, filled, refusal, writes};
use crate::tools::support::{Folder, picture, setup};

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

/// A text in A1, and an image in A2: `picture(99)`.
fn with_contents() -> FakeServer {
    let (server, folder) = setup();
    let photos = folder.write("photos/a.gif", picture(99));
    let photos = photos.parent().unwrap();
    let output = fill_sheet(&server).args([LINK, "--from", "A2"]).args([photos]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    server.with(|lark| lark.set_text(SPREADSHEET, "Q7PlXT!A1", "a price"));
    server
}

#[test]
fn cells_that_hold_something_are_overwritten() {
    let server = with_contents();
    let folder = Folder::new();
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(3));
    let line = "2 of the cells were not empty and were overwritten. --skip-filled leaves such cells as they are\n";
    assert_eq!(output.stdout.split_once('\n').unwrap().1, line);
    // A cell that an earlier run has filled is not written again.
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.stdout.split_once('\n').unwrap().1, "3 arrived in earlier runs\n");
}

#[test]
fn skip_filled_leaves_texts_and_images_until_a_run_without_it() {
    let server = with_contents();
    let folder = Folder::new();
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
    let server = with_contents();
    let folder = Folder::new();
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
    let server = with_contents();
    let folder = Folder::new();
    for (option, pictures, verb, text, image) in [
        ("--dry-run", "3 pictures", "overwritten", "over other content", "over an image"),
        ("--skip-filled", "1 picture", "skipped", "skipped", "skipped"),
    ] {
        let output = fill(&server, &folder, 3, &["--dry-run", "--row-height", "9", option]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        let expected = format!(
            "Sheet1!A1  photo1.gif, {text}\n\
             Sheet1!A2  photo2.gif, {image}\n\
             Sheet1!A3  photo3.gif\n\
             {LINK}: {pictures} to write; 2 filled cells would be {verb}; 0 rows would be added; the spreadsheet \
             holds 1 of 4000 images\n\
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
fn a_dry_run_counts_the_rows_that_the_sheets_lack() {
    let (server, folder) = setup();
    let prices = FakeSheet::new("0bdf12").title("Price list").rows(2);
    server.with(|lark| lark.add_sheet(SPREADSHEET, prices));
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    folder.write("1.gif", picture(1));
    // The first sheet has 200 rows.
    for place in ["Price list,A2", "Price list,C5", "Price list,B4", ",A1", ",A201"] {
        table += &format!("{LINK},{place},1.gif\n");
    }
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args([table]).args(["--dry-run"]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let expected = format!(
        "Price list!A2  1.gif\nPrice list!C5  1.gif\nPrice list!B4  1.gif\nSheet1!A1  1.gif\nSheet1!A201  1.gif\n\
         {LINK}: 5 pictures to write; 0 filled cells would be overwritten; 4 rows would be added; the spreadsheet holds \
         0 of 4000 images\n\
         no problem found\n"
    );
    assert_eq!(output.stdout, expected);
    let output = fill(&server, &folder, 3, &["--dry-run", "--from", "A199"]);
    assert!(output.stdout.contains("; 1 row would be added; "), "{output:?}");
}

#[test]
fn copies_of_an_image_in_several_cells_count_once() {
    let (server, folder) = setup();
    let image = |token: &str| json!([{"type": "embed-image", "fileToken": token}]);
    let unnamed = || json!([{"type": "embed-image"}]);
    let values =
        json!([[image("boxA"), image("boxB"), image("boxA")], ["text", unnamed(), unnamed()]]);
    let reply = json!({"code": 0, "data": {"valueRange": {"values": values}}}).to_string();
    server.with(|lark| {
        lark.fail_when(move |route, _| {
            let reply = http::Response::new(reply.clone().into());
            (route == Route::Values).then(|| Fault::from(reply).into())
        });
    });
    let output = fill(&server, &folder, 1, &["--dry-run"]);
    assert!(output.stdout.contains("; the spreadsheet holds 4 of 4000 images\n"), "{output:?}");
}

#[test]
fn a_picture_over_one_of_two_copies_adds_an_image_and_one_over_the_last_does_not() {
    let (server, folder) = setup();
    let image = |token: &str| json!([{"type": "embed-image", "fileToken": token}]);
    let copy = |row| if row < 2 { image("box") } else { json!(null) };
    let row = |row: usize| json!([copy(row), image(&format!("box{row}"))]);
    let values: Vec<_> = (0..3999).map(row).collect();
    let reply = json!({"code": 0, "data": {"valueRange": {"values": values}}}).to_string();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").rows(3999).columns(2));
        lark.fail_when(move |route, _| {
            let reply = http::Response::new(reply.clone().into());
            (route == Route::Values).then(|| Fault::from(reply).into())
        });
    });
    let output = fill(&server, &folder, 2, &["--dry-run"]);
    assert!(output.stdout.contains("; the spreadsheet holds 4000 of 4000 images\n"), "{output:?}");
    assert!(output.stdout.contains("no room for 1 picture, because"), "{output:?}");
}

#[test]
fn a_dry_run_lists_the_problems_and_has_the_exit_code_of_the_run() {
    let (server, folder) = setup();
    folder.write("1.gif", picture(1));
    folder.write("2.gif", "<html>");
    let table = format!(
        "spreadsheet,sheet,cell,path\n{LINK},,A1,1.gif\n{LINK},,A2,2.gif\n{LINK},,A3,3.gif\n\
         {LINK},Nowhere,A4,1.gif\nshtcnmissing,,A5,1.gif\n"
    );
    let table = folder.write("table.csv", table);
    let dry = fill_sheet(&server).args([&table]).args(["--dry-run"]).run();
    assert_eq!(dry.code(), Some(1), "{dry:?}");
    assert!(dry.stdout.starts_with("Sheet1!A1  1.gif\n"), "{dry:?}");
    for problem in [
        "2.gif: the file is a web page",
        "3.gif: ",
        "(os error 2)",
        "\n1.gif: no sheet has the id or the title `Nowhere`; the sheets are `Sheet1`\n",
        "shtcnmissing: code 1310214",
        "4 problems found",
    ] {
        assert!(dry.stdout.contains(problem), "{problem}: {dry:?}");
    }
    let run = fill_sheet(&server).args([table]).run();
    assert_eq!(run.code(), dry.code(), "{run:?}");
}

#[test]
fn a_dry_run_leaves_out_what_earlier_runs_have_done() {
    let (server, folder) = setup();
    fail_writes(&server, |number| (number == 2).then(|| refusal(90204)));
    assert_eq!(fill(&server, &folder, 3, &[]).code(), Some(1));
    let output = fill(&server, &folder, 3, &["--dry-run"]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(
        output.stdout,
        "2 arrived in earlier runs\n1 refused in earlier runs: photo2.gif. --retry-failed tries them again\nno problem found\n"
    );
    let output = fill(&server, &folder, 3, &["--dry-run", "--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with("Sheet1!A2  photo2.gif\n"), "{output:?}");
    assert!(output.stdout.contains(": 1 picture to write; 0 filled cells"), "{output:?}");
    assert_eq!(writes(&server), 3);
}

#[test]
fn failed_pictures_are_tried_again_on_demand_only() {
    let (server, folder) = setup();
    fail_writes(&server, |number| (number == 2).then(|| refusal(90204)));
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("2 arrived, 1 failed, in "), "{output:?}");

    let output = fill(&server, &folder, 3, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(writes(&server), 3);
    assert_eq!(
        output.stdout.split_once('\n').unwrap().1,
        "2 arrived in earlier runs\n1 refused in earlier runs: photo2.gif. --retry-failed tries them again\n"
    );

    let output = fill(&server, &folder, 3, &["--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(writes(&server), 4);
    let output = fill(&server, &folder, 3, &["--retry-failed"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(output.stdout.contains("\n3 arrived in earlier runs\n"), "{output:?}");
    assert_eq!(writes(&server), 4);
}

#[test]
fn a_block_that_is_too_large_is_read_in_halves() {
    let refused = Fault::code(200, 90221, "TooLargeResponse: above 10 MB");
    // Longer than the reply to any read of cells may be.
    let long = Fault::from(http::Response::new(vec![b' '; 40 << 20].into()));
    for (fault, count) in [(&refused, 1), (&refused, 2), (&refused, 3), (&long, 1)] {
        let (server, folder) = setup();
        server.with(|lark| {
            // The halves of the 200 rows meet at rows 100 and 101, and two quarters at rows 50 and 51.
            for row in [50, 51, 100, 101, 200] {
                lark.set_text(SPREADSHEET, &format!("Q7PlXT!A{row}"), "a price");
            }
            (0..count).for_each(|_| lark.fail_next_on(Route::Values, fault.clone()));
        });
        let mut table = "spreadsheet,cell,path\n".to_owned();
        for (number, row) in (1..).zip([49, 50, 51, 52, 99, 100, 101, 102, 200]) {
            folder.write(&format!("{number}.gif"), picture(number));
            table += &format!("{LINK},A{row},{number}.gif\n");
        }
        let table = folder.write("table.csv", table);
        let output = fill_sheet(&server).args([table]).args(["--skip-filled"]).run();
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert!(output.stdout.starts_with("4 arrived, 5 skipped, in "), "{output:?}");
        let expected = [(49, 1), (52, 4), (99, 5), (102, 8)];
        let expected = expected.map(|(row, number)| format!("Q7PlXT!A{row} photo{number}"));
        assert_eq!(filled(&server, SPREADSHEET), expected);
        assert_eq!(server.with(|lark| lark.count(Route::Values)), 1 + 2 * count);
    }
}
