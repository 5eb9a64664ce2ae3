//! The cells that the pictures go into.

use std::time::{Duration, SystemTime};

use lark_proto::fake::{ConnectionFault, FakeLark, FakeSheet, Fault, Route};

use super::{LINK, column, fill, fill_sheet, filled, slow_writes, writes};
use crate::tools::support::{Tool, picture, setup};

const SPREADSHEET: &str = FakeLark::SPREADSHEET;

#[test]
fn pictures_of_a_folder_go_down_by_their_numbers_and_without_regard_to_capitals() {
    let (server, folder) = setup();
    for (name, number) in [
        ("photo10.gif", 10),
        ("photo2.GIF", 2),
        ("photo1.png", 1),
        ("another.gif", 3),
        (".photo4.gif", 4),
        ("photo5.txt", 5),
        ("photo6", 6),
        ("older/photo7.gif", 7),
        ("folder.gif/photo8.gif", 8),
        ("B.png", 11),
        ("IMG_3.jpg", 12),
        ("img_2.jpg", 13),
        ("a.png", 14),
    ] {
        folder.write(&format!("photos/{name}"), picture(number));
    }
    let output = fill_sheet(&server).args([LINK]).args([folder.path("photos")]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let in_order = (1..).zip([14, 3, 11, 13, 12, 1, 2, 10]);
    let expected: Vec<_> =
        in_order.map(|(row, number)| format!("Q7PlXT!A{row} photo{number}")).collect();
    assert_eq!(filled(&server, SPREADSHEET), expected);
    // The image's format decides, not the file's extension.
    let name = server.with(|lark| lark.cell(SPREADSHEET, "Q7PlXT!A6").unwrap().name.clone());
    assert_eq!(name, "photo1.gif");
}

#[test]
fn the_first_cell_is_that_of_from_or_the_selected_one_of_the_link_or_a1() {
    let wiki = format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE);
    let sheet = format!("{LINK}?sheet=0bdf12");
    // `range` is H7:H7.
    let selected = format!("{LINK}?sheet=0bdf12&range=SDc6SDc%3D");
    for (link, from, expected) in [
        (LINK, None, "Q7PlXT!A1"),
        (LINK, Some("B2"), "Q7PlXT!B2"),
        (LINK, Some("Price list!B2"), "0bdf12!B2"),
        (LINK, Some("0bdf12!B2"), "0bdf12!B2"),
        (SPREADSHEET, None, "Q7PlXT!A1"),
        (&sheet, None, "0bdf12!A1"),
        (&sheet, Some("c3"), "0bdf12!C3"),
        (&sheet, Some("Q7PlXT!B2"), "Q7PlXT!B2"),
        (&selected, None, "0bdf12!H7"),
        (&selected, Some("B2"), "0bdf12!B2"),
        (&wiki, None, "Q7PlXT!A1"),
        (&wiki, Some("Price list!B2"), "0bdf12!B2"),
    ] {
        let (server, folder) = setup();
        let prices = FakeSheet::new("0bdf12").title("Price list");
        server.with(|lark| lark.add_sheet(SPREADSHEET, prices));
        let from = from.into_iter().flat_map(|from| ["--from", from]);
        let photos = folder.pictures(1);
        let output = fill_sheet(&server).args([link]).args(from).args([photos]).run();
        assert_eq!(output.code(), Some(0), "{link}: {output:?}");
        assert_eq!(filled(&server, SPREADSHEET), [format!("{expected} photo1")], "{link}");
    }
}

#[test]
fn a_place_that_is_no_single_cell_is_refused_before_anything_is_sent() {
    // `range` is B2:D5.
    let several = format!("{LINK}?sheet=Q7PlXT&range=QjI6RDU%3D");
    for (link, from, reason) in [
        (&*several, None, "`B2:D5` is a range"),
        (LINK, Some("B2:D5"), "`B2:D5` is a range"),
        (LINK, Some("B"), "`B` is not a cell"),
        (LINK, Some("A5000000"), "photo2.gif: `A5000001` is beyond the last cell"),
        ("https://x.feishu.cn/docx/doxcnabc", None, "which is not a spreadsheet"),
    ] {
        let (server, folder) = setup();
        let from = from.into_iter().flat_map(|from| ["--from", from]);
        let photos = folder.pictures(2);
        let output = fill_sheet(&server).args([link]).args(from).args([photos]).run();
        assert_eq!(output.code(), Some(2), "{link}: {output:?}");
        assert!(output.stderr.contains(reason), "{link}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{link}: {output:?}");
        assert!(server.with(|lark| lark.requests().is_empty()));
    }
}

#[test]
fn a_table_names_spreadsheets_and_sheets_by_any_of_their_names() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("0bdf12").title("Price list"));
        lark.add_spreadsheet("shtcnother", &["s1", "s2"]);
    });
    for number in 1..=7 {
        folder.write(&format!("pictures/{number}.gif"), picture(number));
    }
    let absolute = folder.path("pictures/7.gif");
    let wiki = FakeLark::WIKI_NODE;
    let table = format!(
        "number,path,cell,sheet,spreadsheet\n\
         1,pictures/1.gif,A1,,{LINK}\n\
         2,pictures/2.gif,B2,Price list,{LINK}\n\
         3,pictures/3.gif,C3,0bdf12,{SPREADSHEET}\n\
         4,pictures/4.gif,D4,,{LINK}?sheet=0bdf12\n\
         5,pictures/5.gif,E5,,https://x.feishu.cn/wiki/{wiki}\n\
         6,pictures/6.gif,,,{LINK}?sheet=0bdf12&range=F6\n\
         7,{},A1,Sheet2,shtcnother\n",
        absolute.display()
    );
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args([table]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let expected = [
        "Q7PlXT!A1 photo1",
        "0bdf12!B2 photo2",
        "0bdf12!C3 photo3",
        "0bdf12!D4 photo4",
        "Q7PlXT!E5 photo5",
        "0bdf12!F6 photo6",
    ];
    assert_eq!(filled(&server, SPREADSHEET), expected);
    assert_eq!(filled(&server, "shtcnother"), ["s2!A1 photo7"]);
    assert!(folder.path("table.csv.fill_sheet.journal").exists());
}

#[test]
fn a_sheet_with_cells_is_found_behind_a_base_and_a_removed_sheet() {
    for link in [LINK.to_owned(), format!("{LINK}?sheet=gone00")] {
        let (server, folder) = setup();
        server.with(|lark| {
            lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").title("Tasks").base());
            lark.add_sheet(SPREADSHEET, FakeSheet::new("0bdf12").title("Price list"));
        });
        let photos = folder.pictures(1);
        let from = ["--from", "Price list!B2"];
        let output = fill_sheet(&server).args([&link]).args(from).args([photos]).run();
        assert_eq!(output.code(), Some(0), "{link}: {output:?}");
        assert_eq!(filled(&server, SPREADSHEET), ["0bdf12!B2 photo1"], "{link}");
        let output = Tool::new("doctor", &server).args(["--write", "Price list!B3", &link]).run();
        assert_eq!(output.code(), Some(0), "{link}: {output:?}");
    }
}

#[test]
fn a_sheet_that_does_not_exist_is_refused_in_one_line_with_the_titles_of_those_that_do() {
    let (server, folder) = setup();
    server.with(|lark| lark.add_sheet(SPREADSHEET, FakeSheet::new("0bdf12").title("Price list")));
    let photos = folder.pictures(2);
    let rows = [1, 2].map(|row| format!("{LINK},Nowhere,A{row},photos/photo{row}.gif\n"));
    let table = format!("spreadsheet,sheet,cell,path\n{}", rows.concat());
    let table = folder.write("table.csv", table);
    for tool in [
        fill_sheet(&server).args([LINK, "--from", "Nowhere!B2"]).args([&photos]),
        fill_sheet(&server).args([LINK, "--from", "Nowhere!B2", "--dry-run"]).args([&photos]),
        fill_sheet(&server).args([&table]),
    ] {
        let output = tool.run();
        assert_eq!((output.code(), &*output.stdout), (Some(2), ""), "{output:?}");
        let start = "fill_sheet: no sheet has the id or the title `Nowhere`";
        let end = "; the sheets are `Sheet1`, `Price list`\n";
        assert!(output.stderr.starts_with(start) && output.stderr.ends_with(end), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    }
    assert!(!folder.path("photos.fill_sheet.journal").exists());
    // Where another picture has its sheet, a run writes that one.
    let table =
        format!("spreadsheet,sheet,cell,path\n{}{}", rows[0], rows[1].replace("Nowhere", ""));
    let output = fill_sheet(&server).args([folder.write("table.csv", table)]).run();
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with("1 arrived, 1 failed, in "), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), ["Q7PlXT!A2 photo2"]);
}

#[test]
fn two_pictures_for_one_cell_are_refused() {
    for (document, sheet, cell) in [(LINK, "Q7PlXT", "B2"), (SPREADSHEET, "Sheet1", "$B$2")] {
        let (server, folder) = setup();
        let rows = format!("{LINK},,B2,1.gif\n{document},{sheet},{cell},2.gif\n");
        let table = folder.write("table.csv", format!("spreadsheet,sheet,cell,path\n{rows}"));
        let output = fill_sheet(&server).args([table]).run();
        assert_eq!((output.code(), &*output.stdout), (Some(2), ""), "{output:?}");
        let line = "fill_sheet: 2.gif: an earlier picture has the same cell, Q7PlXT!B2:B2\n";
        assert_eq!(output.stderr, line);
        assert_eq!(writes(&server), 0);
    }
}

#[test]
fn the_sheets_of_a_document_are_asked_for_once() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for number in 1..=5 {
        folder.write(&format!("{number}.gif"), picture(number));
        table += &format!("{LINK}?sheet=Q7PlXT&range=A{number},,,{number}.gif\n");
    }
    let output = fill_sheet(&server).args([folder.write("table.csv", table)]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(5));
    // Once more to see whether rows are missing.
    assert_eq!(server.with(|lark| lark.count(Route::SheetsQuery)), 2);
}

#[test]
fn writes_to_a_document_go_one_after_the_other_and_documents_overlap() {
    const SLOW: Duration = Duration::from_millis(150);
    let (server, folder) = setup();
    server.with(|lark| lark.add_spreadsheet("shtcnother", &["s1"]));
    slow_writes(&server, 150);
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for number in 1..=4 {
        folder.write(&format!("{number}.gif"), picture(number));
        // Three texts that name the same spreadsheet, and another spreadsheet.
        for (document, column) in
            [(LINK, "A"), (SPREADSHEET, "B"), (FakeLark::WIKI_NODE, "C"), ("shtcnother", "A")]
        {
            table += &format!("{document},,{column}{number},{number}.gif\n");
        }
    }
    let output = fill_sheet(&server).args([folder.write("table.csv", table)]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let (one, other) = server.with(|lark| {
        assert!(lark.requests_to(Route::ValuesImage).all(|seen| seen.code == Some(0)));
        // Each spreadsheet is read once.
        assert_eq!(lark.count(Route::Values), 2);
        let times = |token: &str| {
            let to = lark.requests_to(Route::ValuesImage);
            let to = to.filter(|seen| seen.uri.path().contains(token));
            to.map(|seen| seen.time).collect::<Vec<_>>()
        };
        (times(SPREADSHEET), times("shtcnother"))
    });
    assert_eq!((one.len(), other.len()), (12, 4));
    for times in [&one, &other] {
        assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + SLOW), "{times:?}");
    }
    let overlap = |a: &SystemTime| other.iter().any(|b| *a < *b + SLOW && *b < *a + SLOW);
    assert!(one.iter().any(overlap), "{one:?} {other:?}");
}

#[test]
fn threads_limit_the_documents_that_are_written_at_once() {
    let (server, folder) = setup();
    server.with(|lark| lark.add_spreadsheet("shtcnother", &["s1"]));
    slow_writes(&server, 20);
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for number in 1..=3 {
        folder.write(&format!("{number}.gif"), picture(number));
        for document in [LINK, "shtcnother"] {
            table += &format!("{document},,A{number},{number}.gif\n");
        }
    }
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args(["--threads", "1"]).args([table]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let in_order = server.with(|lark| {
        let paths = lark.requests_to(Route::ValuesImage).map(|seen| seen.uri.path().to_owned());
        paths.collect::<Vec<_>>()
    });
    assert!(in_order[..3].iter().all(|path| path.contains(SPREADSHEET)), "{in_order:?}");
    assert!(in_order[3..].iter().all(|path| path.contains("shtcnother")), "{in_order:?}");
}

#[test]
fn missing_rows_are_added_once_although_the_reply_is_lost() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").rows(2));
        lark.fail_next_on(Route::AddDimension, ConnectionFault::AfterBody);
    });
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), column(5));
    server.with(|lark| {
        assert_eq!(lark.sheet(SPREADSHEET, "Q7PlXT").unwrap().grid(), (5, 20));
        assert_eq!(lark.begun(Route::AddDimension), 1);
    });
}

#[test]
fn missing_rows_are_added_again_if_the_lost_request_was_not_carried_out() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").rows(2));
        lark.fail_next_on(Route::AddDimension, ConnectionFault::DuringBody);
    });
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    server.with(|lark| {
        assert_eq!(lark.sheet(SPREADSHEET, "Q7PlXT").unwrap().grid(), (5, 20));
        assert_eq!(lark.begun(Route::AddDimension), 2);
    });
}

#[test]
fn missing_rows_are_added_when_the_document_is_no_longer_busy() {
    let (server, folder) = setup();
    server.with(|lark| {
        lark.add_sheet(SPREADSHEET, FakeSheet::new("Q7PlXT").rows(2));
        lark.fail_next_on(Route::AddDimension, Fault::code(200, 90235, "queued"));
        lark.fail_next_on(Route::AddDimension, Fault::code(200, 90235, "queued"));
    });
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    server.with(|lark| {
        assert_eq!(lark.sheet(SPREADSHEET, "Q7PlXT").unwrap().grid(), (5, 20));
        assert_eq!(lark.begun(Route::AddDimension), 3);
    });
}

#[test]
fn missing_columns_are_added_and_rows_that_exist_are_not() {
    let (server, folder) = setup();
    let output = fill(&server, &folder, 2, &["--from", "Z199"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert_eq!(filled(&server, SPREADSHEET), ["Q7PlXT!Z199 photo1", "Q7PlXT!Z200 photo2"]);
    let grid = server.with(|lark| lark.sheet(SPREADSHEET, "Q7PlXT").unwrap().grid());
    assert_eq!(grid, (200, 26));
}

#[test]
fn row_height_is_set_for_rows_with_pictures_only() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    for (number, cell) in [(1, "A2"), (2, "B2"), (3, "A3"), (4, "A201")] {
        folder.write(&format!("{number}.gif"), picture(number));
        table += &format!("{LINK},,{cell},{number}.gif\n");
    }
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args([table]).args(["--row-height", "120"]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    server.with(|lark| {
        let sheet = lark.sheet(SPREADSHEET, "Q7PlXT").unwrap();
        let heights = [1, 2, 3, 4, 201].map(|row| sheet.row_height(row));
        assert_eq!(heights, [None, Some(120), Some(120), None, Some(120)]);
        assert_eq!(sheet.grid(), (201, 20));
    });
}
