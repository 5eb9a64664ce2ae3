//! How far a failure reaches: a picture, a spreadsheet or the run.

use std::time::Duration;

use lark_proto::fake::{ConnectionFault, FakeLark, FakeSheet, Fault, Route, TokenKind};
use lark_proto::{EndpointExt, Image, TenantToken, WriteSheetImage};
use lark_ureq::FakeServer;

use super::{LINK, column, damaged_reply, fail_writes, fill, fill_sheet, filled, refusal, writes};
use crate::tools::support::{Folder, Output, picture, setup};

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

/// Runs the tool on a column of three pictures in each of these spreadsheets.
fn fill_all(server: &FakeServer, folder: &Folder, spreadsheets: &[&str]) -> Output {
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for number in 1..=3 {
        folder.write(&format!("{number}.gif"), picture(number));
        for spreadsheet in spreadsheets {
            server.with(|lark| lark.add_spreadsheet(spreadsheet, &["Q7PlXT"]));
            table += &format!("{spreadsheet},,A{number},{number}.gif\n");
        }
    }
    fill_sheet(server).args([folder.write("table.csv", table)]).run()
}

#[test]
fn a_refused_picture_is_passed_over() {
    for code in [90204, 90202, 90227] {
        let (server, folder) = setup();
        fail_writes(&server, move |number| (number == 2).then(|| refusal(code)));
        let output = fill(&server, &folder, 3, &[]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), [column(3)[0].clone(), column(3)[2].clone()]);
        assert!(output.stdout.starts_with("2 arrived, 1 failed, in "), "{output:?}");
    }
}

#[test]
fn a_refused_spreadsheet_ends_its_lane_and_no_other() {
    for (status, code) in [(200, 90213), (403, 91403), (200, 90219)] {
        let (server, folder) = setup();
        fail_writes(&server, move |number| {
            (number == 1).then(|| Fault::code(status, code, "refused by the test").into())
        });
        let output = fill_all(&server, &folder, &["shtcn1", "shtcn2"]);
        assert_eq!(output.code(), Some(1), "{output:?}");
        let lengths = ["shtcn1", "shtcn2"].map(|token| filled(&server, token).len());
        assert!([[0, 3], [3, 0]].contains(&lengths), "{lengths:?}");
        assert_eq!(writes(&server), 4);
        assert!(output.stdout.starts_with("3 arrived, 3 still to do, in "), "{output:?}");

        fail_writes(&server, |_| None);
        let output = fill_all(&server, &folder, &["shtcn1", "shtcn2"]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(writes(&server), 7);
    }
}

#[test]
fn a_spreadsheet_that_is_not_found_ends_its_lane_and_no_other() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_spreadsheet("shtcn1", &["Q7PlXT"]);
        let missing = Fault::code(400, 1310214, "Path param :spreadsheet_token is not exist");
        lark.fail_next_on(Route::SheetsQuery, missing);
    });
    let output = fill_all(&server, &folder, &["shtcn1", "shtcn2"]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(["shtcn1", "shtcn2"].map(|token| filled(&server, token).len()), [0, 3]);
    assert!(output.stdout.starts_with("3 arrived, 3 still to do, in "), "{output:?}");
}

#[test]
fn a_refused_app_ends_the_run_and_the_same_command_finishes() {
    for (on_write, code) in [(99991663, "code 10014"), (99991401, "code 99991401")] {
        let (server, folder) = setup();
        let choose = move |route, number| match (route, number) {
            (Route::ValuesImage, 3..) => Some(Fault::code(400, on_write, "denied").into()),
            // The token is refused in the middle of the run, and then the secret.
            (Route::TenantAccessToken, 2..) => Some(Fault::code(400, 10014, "secret").into()),
            _ => None,
        };
        server.with(|lark| lark.fail_when(choose));
        let output = fill(&server, &folder, 5, &[]);
        assert_eq!(output.code(), Some(3), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(2));
        assert_eq!(writes(&server), 3);
        let last = output.stdout.lines().last().unwrap();
        let again = "The same command goes on where it stopped.";
        assert!(last.starts_with(&format!("The run ended early: {code}")), "{output:?}");
        assert!(last.ends_with(again), "{output:?}");

        server.with(|lark| lark.fail_when(|_, _| None));
        let output = fill(&server, &folder, 5, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(5));
        assert_eq!(writes(&server), 6);
    }
}

#[test]
fn after_a_refusal_of_the_app_no_further_document_is_read() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for number in 1..=4 {
        folder.write(&format!("{number}.gif"), picture(number));
        table += &format!("shtcn{number},,A1,{number}.gif\n");
    }
    let table = folder.write("table.csv", table);
    let denied = |route, _| match route {
        Route::SheetsQuery => Some(Fault::code(400, 99991401, "ip denied").into()),
        _ => None,
    };
    server.with(|lark| lark.fail_when(denied));
    let secret = FakeLark::APP_SECRET;
    for (secret, code) in [(secret, "code 99991401"), (&"x".repeat(32), "code 10014")] {
        for (options, start) in [(&["--dry-run"][..], "shtcn1: "), (&[], "The run ended early: ")] {
            let tool = fill_sheet(&server).args([&table]).args(options);
            let output = tool.env("LARK_APP_SECRET", secret).run();
            assert_eq!(output.code(), Some(3), "{output:?}");
            let line = output.stdout.lines().find(|line| line.starts_with(start)).unwrap();
            assert!(line.contains(code), "{output:?}");
        }
    }
    assert_eq!(server.with(|lark| lark.count(Route::SheetsQuery)), 2);
}

#[test]
fn an_outage_ends_the_run_and_the_same_command_finishes() {
    let (server, folder) = setup();
    let bad_gateway = http::StatusCode::BAD_GATEWAY;
    fail_writes(&server, move |number| (number > 3).then(|| Fault::EdgeHtml(bad_gateway).into()));
    let spreadsheets = ["shtcn1", "shtcn2", "shtcn3"];
    let output = fill_all(&server, &folder, &spreadsheets);
    assert_eq!(output.code(), Some(3), "{output:?}");
    // Each of three pictures was sent four times, read back and sent four times more; and two lanes may have been at
    // their next picture when the third failed.
    let during = writes(&server) - 3;
    assert!((3 * 8..=5 * 8).contains(&during), "{during}");
    let reason = "The run ended early: 3 failures of the service in a row, the last: an answer that is not the \
        service's (HTTP 502). The same command goes on where it stopped.\n";
    assert!(output.stdout.contains(reason), "{output:?}");

    fail_writes(&server, |_| None);
    let output = fill_all(&server, &folder, &spreadsheets);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(writes(&server), 3 + during + 6);
    for spreadsheet in spreadsheets {
        // The pictures that the service failed come after the others.
        let mut filled = filled(&server, spreadsheet);
        filled.sort();
        assert_eq!(filled, column(3));
    }
}

#[test]
fn a_service_that_cannot_be_reached_ends_the_run() {
    let (server, folder) = setup();
    server.with(|lark| lark.fail_when(|_, _| Some(ConnectionFault::BeforeBody.into())));
    let output = fill(&server, &folder, 2, &[]);
    assert_eq!(output.code(), Some(3), "{output:?}");
    assert_eq!(writes(&server), 0);
    // The summary reports it, and no other line does.
    assert_eq!(output.stderr, "");
    let reason = "The run ended early: the service cannot be reached; `doctor` finds out why: ";
    assert!(output.stdout.contains(reason), "{output:?}");
}

#[test]
fn replies_that_cannot_be_read_end_the_run() {
    let (server, folder) = setup();
    fail_writes(&server, |_| Some(damaged_reply()));
    let output = fill(&server, &folder, 9, &[]);
    assert_eq!(output.code(), Some(3), "{output:?}");
    assert_eq!(writes(&server), 3 * 2);
    assert!(output.stdout.starts_with("0 arrived, 9 still to do, in "), "{output:?}");
}

#[test]
fn a_lane_ends_when_its_spreadsheet_holds_4000_images() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").rows(3999).columns(1));
        let now = std::time::UNIX_EPOCH;
        lark.add_token(TokenKind::Tenant, "t-1", now + Duration::from_secs(9));
        for row in 1..=3998 {
            let cell = format!("Q7PlXT!A{row}").parse().unwrap();
            let image = Image::new("GIF89a..").unwrap();
            let write = WriteSheetImage::new(SPREADSHEET.parse().unwrap(), cell, image).unwrap();
            let token = TenantToken::new("t-1").unwrap();
            lark.handle(now, write.request(&lark_proto::Site::LARK, &token));
        }
        assert_eq!(lark.cells(SPREADSHEET).count(), 3998);
    });
    // The first picture goes into a cell that holds an image, and the second file is not a picture.
    folder.write("photos/photo2.gif", "<html>");
    let photos = folder.pictures(6);
    folder.write("photos/photo2.gif", "<html>");
    let options = [LINK, "--from", "A3998"];
    for (written, left) in [(3, 2), (0, 3)] {
        let before = writes(&server);
        let output = fill_sheet(&server).args(options).args([&photos]).run();
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert_eq!(writes(&server), before + written);
        let line = "the spreadsheet holds 4,000 different images, and the service takes no more";
        assert_eq!(output.stderr.matches(line).count(), 1, "{output:?}");
        assert_eq!(output.stdout.matches(line).count(), 1, "{output:?}");
        assert!(output.stdout.contains(&format!(" {left} still to do, in ")), "{output:?}");
    }
    let last = filled(&server, SPREADSHEET);
    let expected = ["Q7PlXT!A3998 photo1", "Q7PlXT!A4000 photo3", "Q7PlXT!A4001 photo4"];
    assert_eq!(last[last.len() - 3..], expected);

    let dry = fill_sheet(&server).args(options).args([&photos]).args(["--dry-run"]).run();
    assert_eq!(dry.code(), Some(1), "{dry:?}");
    assert!(dry.stdout.contains("no room for 2 pictures, because"), "{dry:?}");
}

#[test]
fn a_spreadsheet_that_says_it_is_full_ends_its_lane() {
    // Images that float above the cells count too, and no request tells how many there are.
    let (server, folder) = setup();
    fail_writes(&server, |number| (number == 2).then(|| refusal(1310247)));
    let output = fill(&server, &folder, 4, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(writes(&server), 2);
}
