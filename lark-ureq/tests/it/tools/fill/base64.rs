//! Images in base64, which not every tenant accepts.

use lark_proto::fake::{FakeLark, Fault, Route, SentImageEncoding};
use lark_ureq::FakeServer;

use super::{LINK, column, fill, fill_sheet, filled};
use crate::tools::support::{picture, setup};

const NOTE: &str = "refuses images in base64";

/// The encodings of the images in the order of the requests.
fn encodings(server: &FakeServer) -> Vec<SentImageEncoding> {
    server.with(|lark| {
        lark.requests_to(Route::ValuesImage).map(|seen| seen.image_encoding.unwrap()).collect()
    })
}

#[test]
fn images_go_as_numbers_without_the_option() {
    let (server, folder) = setup();
    assert_eq!(fill(&server, &folder, 2, &[]).code(), Some(0));
    assert_eq!(encodings(&server), [SentImageEncoding::Numbers; 2]);
}

#[test]
fn base64_that_is_accepted_is_the_encoding_of_all_images() {
    let (server, folder) = setup();
    let output = fill(&server, &folder, 4, &["--base64"]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    assert!(!output.stdout.contains(NOTE), "{output:?}");
    assert_eq!(encodings(&server), [SentImageEncoding::Base64; 4]);
    assert_eq!(filled(&server, FakeLark::SPREADSHEET), column(4));
}

#[test]
fn documents_overlap_after_the_first_picture_in_base64() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    folder.write("1.gif", picture(1));
    for document in ["shtcn1", "shtcn2"] {
        server.with(|lark| lark.add_spreadsheet(document, &["s1"]));
        for row in 1..=3 {
            table += &format!("{document},,A{row},1.gif\n");
        }
    }
    super::slow_writes(&server, 300);
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args([table]).args(["--base64"]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let mut times = server.with(|lark| {
        lark.requests_to(Route::ValuesImage).map(|seen| seen.time).collect::<Vec<_>>()
    });
    // They are recorded in the order of their ends.
    times.sort_unstable();
    let pauses = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap().as_millis());
    let pauses: Vec<_> = pauses.collect();
    // If all pictures went one after the other, no pause would be shorter than 300 ms.
    assert!(pauses[0] >= 300 && pauses[1..].iter().any(|pause| *pause < 300), "{pauses:?}");
}

#[test]
fn base64_that_is_refused_is_tried_once_for_all_spreadsheets() {
    let (server, folder) = setup();
    let mut table = "spreadsheet,sheet,cell,path\n".to_owned();
    folder.write("1.gif", picture(1));
    server.with(|lark| {
        lark.refuse_base64();
        for number in 1..=6 {
            lark.add_spreadsheet(&format!("shtcn{number}"), &["s1"]);
            table += &format!("shtcn{number},,A1,1.gif\nshtcn{number},,A2,1.gif\n");
        }
    });
    let table = folder.write("table.csv", table);
    let output = fill_sheet(&server).args([table]).args(["--base64"]).run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let encodings = encodings(&server);
    assert_eq!(encodings[0], SentImageEncoding::Base64);
    assert_eq!(encodings[1..], [SentImageEncoding::Numbers; 12]);
    assert_eq!(output.stdout.matches(NOTE).count(), 1, "{output:?}");
}

#[test]
fn a_picture_that_is_refused_in_both_encodings_does_not_settle_the_encoding() {
    for (is_refused, expected) in [
        // The first picture goes in both encodings, and the others in the one that the tenant accepts.
        (
            false,
            &[
                SentImageEncoding::Base64,
                SentImageEncoding::Numbers,
                SentImageEncoding::Base64,
                SentImageEncoding::Base64,
            ][..],
        ),
        (
            true,
            &[
                SentImageEncoding::Base64,
                SentImageEncoding::Numbers,
                SentImageEncoding::Base64,
                SentImageEncoding::Numbers,
                SentImageEncoding::Numbers,
            ],
        ),
    ] {
        let (server, folder) = setup();
        if is_refused {
            server.with(FakeLark::refuse_base64);
        }
        super::fail_writes(&server, |number| (number <= 2).then(|| super::refusal(90204)));
        let output = fill_sheet(&server).args([LINK, "--base64"]).args([folder.pictures(3)]).run();
        assert_eq!(output.code(), Some(1), "{output:?}");
        assert_eq!(encodings(&server), expected);
        assert_eq!(output.stdout.contains(NOTE), is_refused, "{output:?}");
        assert_eq!(filled(&server, FakeLark::SPREADSHEET), column(3)[1..]);
    }
}

#[test]
fn a_first_write_of_unknown_outcome_does_not_settle_the_encoding() {
    const BASE64: SentImageEncoding = SentImageEncoding::Base64;
    let lost = super::damaged_reply();
    let carried_out = Fault::TruncatedJson.into();
    for (failure, is_refused, expected) in [
        // It is not in its cell, and is written again.
        (&lost, false, &[BASE64, BASE64, BASE64][..]),
        (&lost, true, &[BASE64, BASE64, SentImageEncoding::Numbers, SentImageEncoding::Numbers]),
        // It is in its cell, and the next picture tests base64.
        (&carried_out, false, &[BASE64, BASE64]),
    ] {
        let (server, folder) = setup();
        if is_refused {
            server.with(FakeLark::refuse_base64);
        }
        let failure = failure.clone();
        super::fail_writes(&server, move |number| (number == 1).then(|| failure.clone()));
        let output = fill(&server, &folder, 2, &["--base64"]);
        assert_eq!(output.code(), Some(0), "{output:?}");
        assert_eq!(encodings(&server), expected);
        assert_eq!(output.stdout.contains(NOTE), is_refused, "{output:?}");
        assert_eq!(filled(&server, FakeLark::SPREADSHEET), column(2));
    }
}
