//! Runs that were interrupted, and writes of unknown outcome.

#![expect(clippy::disallowed_methods, reason = "the program under test uses the real clock")]

use std::time::{Duration, Instant};

use lark_proto::fake::{ConnectionFault, FakeLark, Fault, RecordedRequest, Route};
use lark_ureq::FakeServer;

use super::{
    LINK, column, damaged_reply, fail_writes, fill, fill_sheet, filled, slow_writes, wait_until,
    writes,
};
use crate::tools::support::{Folder, Running, picture, setup};

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

/// Starts a run with `count` pictures.
fn start(server: &FakeServer, folder: &Folder, count: usize) -> Running {
    fill_sheet(server).args([LINK]).args([folder.pictures(count)]).start()
}

/// Puts another picture into the first cell if `held`. Returns the number of writes.
fn put_before(server: &FakeServer, folder: &Folder, held: bool) -> usize {
    if held {
        let photo = folder.write("before/a.gif", picture(99));
        let output = fill_sheet(server).args([LINK]).args([photo.parent().unwrap()]).run();
        assert_eq!(output.code(), Some(0), "{output:?}");
    }
    usize::from(held)
}

/// Waits until this many pictures are in their cells. If replies are slow, the last picture has no reply yet.
fn wait_for_pictures(server: &FakeServer, count: usize) {
    wait_until(server, |lark| lark.cells(SPREADSHEET).count() >= count);
}

#[test]
fn a_killed_run_goes_on_and_writes_no_picture_twice() {
    let (server, folder) = setup();
    slow_writes(&server, 1500);
    for pictures in [2, 4] {
        let run = start(&server, &folder, 6);
        wait_for_pictures(&server, pictures);
        let output = run.kill();
        assert_eq!(output.code(), None, "{output:?}");
    }
    slow_writes(&server, 0);
    let output = fill(&server, &folder, 6, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(6));
    // The last picture of each run had arrived, and the run was killed before the reply.
    let is_write = |seen: &&RecordedRequest| seen.code == Some(0);
    let written = server.with(|lark| lark.requests_to(Route::ValuesImage).filter(is_write).count());
    assert_eq!(written, 6);
    assert!(output.stdout.contains("\n3 arrived in earlier runs\n"), "{output:?}");
}

/// A file that is no picture has no line in the journal, so its cell looks as if it were free.
#[test]
fn a_file_that_is_removed_after_a_run_moves_no_picture_to_its_cell() {
    let (server, folder) = setup();
    folder.write("photos/a.gif", picture(1));
    let page = folder.write("photos/b.gif", "<html>");
    folder.write("photos/c.gif", picture(3));
    let run = || fill_sheet(&server).args([LINK]).args([folder.path("photos")]).run();
    assert_eq!(run().code(), Some(1));
    std::fs::remove_file(page).unwrap();
    let output = run();
    assert_eq!(output.code(), Some(2), "{output:?}");
    let text = format!(
        "c.gif was for {SPREADSHEET} Q7PlXT!A3:A3 when the run began, and would be for {SPREADSHEET} Q7PlXT!A2:A2 now"
    );
    assert!(output.stderr.contains(&text), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), ["Q7PlXT!A1 photo1", "Q7PlXT!A3 photo3"]);

    // A picture takes the place of the file that was none.
    folder.write("photos/b2.gif", picture(2));
    assert_eq!(run().code(), Some(0));
    assert_eq!(filled(&server, SPREADSHEET)[2..], ["Q7PlXT!A2 photo2"]);

    // Another column is another place. Other cells of the column are refused, and the first run goes on.
    for (from, code) in [("B1", 0), ("A9", 2), ("A1", 0)] {
        let again = fill_sheet(&server).args([LINK]).args([folder.path("photos")]);
        let output = again.args(["--from", from]).run();
        assert_eq!(output.code(), Some(code), "{from}: {output:?}");
    }
    let expected = ["Q7PlXT!B1 photo1", "Q7PlXT!B2 photo2", "Q7PlXT!B3 photo3"];
    assert_eq!(filled(&server, SPREADSHEET)[3..], expected);
}

#[test]
fn a_dry_run_after_a_killed_run_knows_the_picture_that_has_arrived() {
    let (server, folder) = setup();
    slow_writes(&server, 60_000);
    let run = start(&server, &folder, 2);
    wait_for_pictures(&server, 1);
    run.kill();
    slow_writes(&server, 0);
    let output = fill(&server, &folder, 2, &["--dry-run"]);
    let expected = format!(
        "Sheet1!A1  photo1.gif, has arrived\nSheet1!A2  photo2.gif\n\
         {LINK}: 1 picture to write; 0 filled cells would be overwritten; 0 rows would be added; the spreadsheet holds \
         1 of 4000 images\n\
         no problem found\n"
    );
    assert_eq!(output.stdout, expected);
}

#[cfg(unix)]
#[test]
fn ctrl_c_or_sigterm_ends_the_run_after_the_writes_that_are_in_flight() {
    for signal in ["-INT", "-TERM"] {
        let (server, folder) = setup();
        let slow = ConnectionFault::SlowReply(Duration::from_secs(3));
        fail_writes(&server, move |number| (number == 2).then(|| slow.into()));
        let run = start(&server, &folder, 6);
        wait_for_pictures(&server, 2);
        run.signal(signal);
        let output = run.wait();
        assert_eq!(output.code(), Some(130), "{signal}: {output:?}");
        assert_eq!(writes(&server), 2);
        let waits = "Interrupted: requests in flight have ten seconds to finish. Ctrl-C again ends the run at once.\n";
        assert_eq!(output.stderr, waits);
        assert!(output.stdout.starts_with("2 arrived, 4 still to do, in "), "{output:?}");
        let last = "Interrupted. The same command goes on where the run stopped.";
        assert_eq!(output.stdout.lines().last(), Some(last));

        let output = fill(&server, &folder, 6, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(6));
        assert_eq!(writes(&server), 6);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_begins_no_write_that_waits_for_the_test_of_base64() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    folder.write("1.gif", picture(1));
    for document in [SPREADSHEET, "shtcnother"] {
        server.with(|lark| lark.add_spreadsheet(document, &["s1"]));
        table += &format!("{document},,A1,1.gif\n");
    }
    slow_writes(&server, 3000);
    let table = folder.write("table.csv", table);
    let run = fill_sheet(&server).args([table]).args(["--base64"]).start();
    wait_until(&server, |lark| lark.begun(Route::ValuesImage) == 1);
    run.interrupt();
    let output = run.wait();
    assert_eq!(output.code(), Some(130), "{output:?}");
    assert_eq!(writes(&server), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_before_the_first_picture_changes_nothing() {
    let (server, folder) = setup();
    let slow = ConnectionFault::SlowReply(Duration::from_secs(3));
    server.with(|lark| lark.fail_next_on(Route::Values, slow));
    let photos = folder.pictures(2);
    let options = ["--from", "A200", "--row-height", "9"];
    let run = fill_sheet(&server).args([LINK]).args([photos]).args(options).start();
    wait_until(&server, |lark| lark.count(Route::Values) == 1);
    run.interrupt();
    assert_eq!(run.wait().code(), Some(130));
    server.with(|lark| {
        let changes = [Route::AddDimension, Route::UpdateDimension, Route::ValuesImage];
        assert_eq!(changes.map(|route| lark.begun(route)), [0; 3]);
    });
}

/// Starts a run with two pictures, and returns when the first one is written and its reply is a minute away.
#[cfg(unix)]
fn start_without_reply(server: &FakeServer, folder: &Folder) -> Running {
    slow_writes(server, 60_000);
    let run = start(server, folder, 2);
    wait_for_pictures(server, 1);
    run
}

#[cfg(unix)]
#[test]
fn ctrl_c_waits_for_ten_seconds_at_most() {
    let (server, folder) = setup();
    let run = start_without_reply(&server, &folder);
    let since = Instant::now();
    run.interrupt();
    let output = run.wait();
    assert_eq!(output.code(), Some(130), "{output:?}");
    assert!(output.stdout.starts_with("0 arrived, 2 still to do, in "), "{output:?}");
    let time = since.elapsed();
    assert!((9..40).contains(&time.as_secs()), "{time:?}");
    assert_eq!(writes(&server), 1);
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_the_run_at_once() {
    let (server, folder) = setup();
    let run = start_without_reply(&server, &folder);
    let since = Instant::now();
    // Two signals that arrive together are one to the program.
    run.interrupt();
    std::thread::sleep(Duration::from_millis(300));
    run.interrupt();
    let output = run.wait();
    assert_eq!(output.code(), Some(130), "{output:?}");
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert_eq!(writes(&server), 1);
}

#[test]
fn a_write_whose_reply_is_damaged_is_read_back_and_not_written_again() {
    // The cell is empty before, or holds an image.
    for held in [false, true] {
        let (server, folder) = setup();
        let before = put_before(&server, &folder, held);
        server.with(|lark| lark.fail_next_on(Route::ValuesImage, Fault::TruncatedJson));
        let output = fill(&server, &folder, 2, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(2));
        assert_eq!(writes(&server), before + 2);
    }
}

#[test]
fn a_write_that_is_not_in_its_cell_is_written_again() {
    for held in [false, true] {
        let (server, folder) = setup();
        let before = put_before(&server, &folder, held);
        fail_writes(&server, move |number| (number == before + 1).then(damaged_reply));
        let output = fill(&server, &folder, 2, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(2));
        assert_eq!(writes(&server), before + 3);
    }
}

#[test]
fn a_write_whose_every_reply_is_lost_is_read_back() {
    let (server, folder) = setup();
    fail_writes(&server, |number| (number <= 4).then_some(ConnectionFault::AfterBody.into()));
    let output = fill(&server, &folder, 2, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    // The four attempts of the client, and the second picture.
    assert_eq!(writes(&server), 5);
}

#[test]
fn a_write_that_cannot_be_read_back_is_open_and_not_failed() {
    let (server, folder) = setup();
    server.with(|lark| {
        // The reading of the sheet before the first write goes through.
        lark.fail_when(|route, number| match (route, number) {
            (Route::ValuesImage, 1) => Some(Fault::TruncatedJson.into()),
            (Route::Values, 2) => Some(Fault::code(200, 90202, "wrong range").into()),
            _ => None,
        });
    });
    let output = fill(&server, &folder, 2, &[]);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 1 still to do, in "), "{output:?}");
    let output = fill(&server, &folder, 2, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(writes(&server), 2);
}

#[test]
fn a_write_that_a_killed_run_began_is_written_again_if_the_cell_is_as_before() {
    for held in [false, true] {
        let (server, folder) = setup();
        let before = put_before(&server, &folder, held);
        fail_writes(&server, |_| Some(ConnectionFault::BeforeBody.into()));
        let run = start(&server, &folder, 1);
        wait_until(&server, |lark| lark.begun(Route::ValuesImage) > before);
        run.kill();
        fail_writes(&server, |_| None);
        let output = fill(&server, &folder, 1, &[]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(1));
    }
}

#[test]
fn a_write_that_a_killed_run_began_is_not_written_again_if_the_cell_holds_another_image() {
    for held in [false, true] {
        let (server, folder) = setup();
        let before = put_before(&server, &folder, held);
        slow_writes(&server, 5000);
        let run = start(&server, &folder, 1);
        wait_until(&server, |lark| lark.count(Route::ValuesImage) > before);
        run.kill();
        let output = fill(&server, &folder, 1, &["--skip-filled"]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert!(output.stdout.starts_with("1 arrived, in "), "{output:?}");
        assert_eq!(filled(&server, SPREADSHEET), column(1));
        assert_eq!(writes(&server), before + 1);
    }
}
