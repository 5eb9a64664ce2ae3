//! The texts of a run: its summary, and its progress if stderr is no terminal.

use lark_proto::fake::{FakeLark, Route};

use super::{LINK, fail_writes, fill, fill_sheet, refusal, slow_writes};
use crate::tools::support::{Output, setup};

/// The summary, without the time in its first line.
fn summary(output: &Output) -> String {
    let (first, others) = output.stdout.split_once('\n').unwrap();
    let (first, time) = first.rsplit_once(", in ").unwrap();
    assert!(time.ends_with(" seconds") || time.ends_with(" second"), "{time}");
    format!("{first}\n{others}")
}

#[test]
fn the_summary_groups_failures_by_their_cause() {
    let (server, folder) = setup();
    fail_writes(&server, |number| match number {
        1 | 3 | 4 | 5 => Some(refusal(90204)),
        6 => Some(refusal(90213)),
        _ => None,
    });
    folder.pictures(8);
    folder.write("photos/photo2.gif", "<!DOCTYPE html>");
    let output = fill_sheet(&server).args([LINK]).args([folder.path("photos")]).run();
    assert_eq!(output.code(), Some(1), "{output:?}");
    let ids = server.with(|lark| {
        let refused = lark.requests_to(Route::ValuesImage).filter(|seen| seen.code != Some(0));
        refused.map(|seen| seen.log_id.clone().unwrap()).collect::<Vec<_>>()
    });
    let [a, b, c, _, d] = &ids[..] else { panic!("{ids:?}") };
    let expected = [
        "1 arrived, 5 failed, 2 still to do",
        "      4 x code 90204 SHEET_BODY (HTTP 200): refused by the test",
        "          photo1.gif, photo4.gif, photo5.gif and 1 more",
        &format!("          log ids: {a}, {b}, {c} and 1 more"),
        "      1 x the file is a web page, which was saved in place of a picture",
        "          photo2.gif",
        "      1 x code 90213 SHEET_PERMISSION (HTTP 200): refused by the test; the app needs access to \
         the document in addition to its scopes (for a write, the right to edit it): add the app in the document \
         under ... > More > Add document app; if it is not listed there, share the document with a group that its bot is in, or, in a wiki, add it to the \
         members of the space",
        "          photo7.gif",
        &format!("          log ids: {d}"),
        "--retry-failed tries the refused pictures again.",
    ];
    assert_eq!(summary(&output).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_run_without_a_terminal_writes_lines_of_progress() {
    let (server, folder) = setup();
    slow_writes(&server, 400);
    let output = fill(&server, &folder, 5, &[]);
    assert_eq!(output.code(), Some(0), "{output:?}");
    let line = output.progress.first().map(String::as_str).unwrap_or_default();
    for text in [" of 5 pictures, ", " a second, ", " left"] {
        assert!(line.contains(text), "{output:?}");
    }
    // The lines are fewer than the pictures.
    assert!((1..5).contains(&output.progress.len()), "{output:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn a_run_without_failures_says_nothing_on_stderr() {
    let (server, folder) = setup();
    let output = fill(&server, &folder, 3, &[]);
    assert_eq!((output.code(), &*output.stderr), (Some(0), ""));
    assert_eq!(summary(&output), "3 arrived\n");
}

#[test]
fn secrets_are_in_no_output_and_in_no_journal() {
    let secret = FakeLark::APP_SECRET;
    let (server, folder) = setup();
    fail_writes(&server, |number| match number {
        2 => Some(refusal(90204)),
        4 => Some(refusal(99991663)),
        5 => Some(refusal(99991401)),
        _ => None,
    });
    let mut texts = String::new();
    for options in [&["--dry-run"][..], &[], &["--retry-failed"]] {
        let output = fill(&server, &folder, 6, options);
        texts += &output.stdout;
        texts += &output.stderr;
    }
    let journal = folder.path("photos.fill_sheet.journal");
    texts += &std::fs::read_to_string(&journal).unwrap();
    // Values that cannot be sent.
    for wrong in [format!("{secret}\u{e9}"), format!("{secret} ").repeat(9)] {
        let tool = fill_sheet(&server).args([LINK]).args([folder.path("photos")]);
        let output = tool.env("LARK_APP_SECRET", wrong).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        texts += &output.stderr;
    }
    let tokens = server.with(|lark| {
        lark.requests().iter().filter_map(|seen| seen.token.clone()).collect::<Vec<_>>()
    });
    assert!(tokens.len() > 9, "{tokens:?}");
    for hidden in tokens.iter().map(String::as_str).chain([secret]) {
        assert!(!texts.contains(hidden), "{texts}");
    }
    assert!(texts.contains("\"record\":\"done\""), "{texts}");
}
