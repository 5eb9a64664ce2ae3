//! Journals of other runs, journals that are damaged, and places that take no journal.

use std::fs;
use std::time::Duration;

use lark_proto::fake::{ConnectionFault, FakeLark, Route};

use super::{Case, TOOLS, all};
use crate::tools::support::{picture, wait_until};

#[test]
fn a_journal_that_is_not_of_this_run_is_left_as_it_is() {
    for name in TOOLS {
        let case = Case::with_pictures(2);
        let journal = case.folder.path("a.journal");
        let site = case.server.site();
        let app = FakeLark::APP_ID;
        let run = |tool: &str, site: &str, app: &str| match tool {
            "fill_sheet" => format!("fill_sheet {site} {app}"),
            _ => format!("send_images {site} {app} {}", FakeLark::CHAT),
        };
        let header = |version, run: &str| {
            format!("{{\"record\":\"run\",\"version\":{version},\"run\":\"{run}\"}}\n").into_bytes()
        };
        let this = run(name, site.as_str(), app);
        let other = |other: &str| {
            format!(
                "is that of another run, `{other}`, and not of `{this}`. Name another one with --journal"
            )
        };
        let other_tool = run(other_name(name), site.as_str(), app);
        let other_app = run(name, site.as_str(), "cli_other");
        let other_site = run(name, "https://open.feishu.cn", app);
        // Of `fill_sheet` it is another run, since no run of it names a chat.
        let other_chat = this.replace(FakeLark::CHAT, "") + "oc_other";
        let done = b"{\"record\":\"done\",\"item\":\"a\"}\n";
        let begin =
            b"{\"record\":\"begin\",\"item\":\"a\",\"file\":\"a\",\"held\":null,\"uuid\":\"a\",\
            \"image_key\":\"img_a\",\"time\":1}\n";
        let failed = b"{\"record\":\"failed\",\"item\":\"a\",\"file\":\"a\",\"why\":\"b\"}\n";
        let with = |run: &str, lines: &[&[u8]]| [&header(1, run)[..], &lines.concat()].concat();
        for (bytes, problem) in [
            (with(&other_tool, &[begin, done]), other(&other_tool)),
            (with(&other_app, &[begin]), other(&other_app)),
            (with(&other_site, &[failed, begin]), other(&other_site)),
            (with(&other_chat, &[begin, done, b"{\"record\":\"be"]), other(&other_chat)),
            (with(&other_app, &[b"no line\n"]), other(&other_app)),
            (with(&other_app, &[done]), other(&other_app)),
            (
                header(2, &this),
                "has version 2, and this tool reads version 1. Use the tool that wrote it, or name another journal \
                 with --journal"
                    .to_owned(),
            ),
            (
                [&header(1, &this)[..], b"no line\n", &header(1, &this)].concat(),
                "is damaged in line 2. Restore it from a backup, or name another one with --journal, which sends all \
                 pictures again"
                    .to_owned(),
            ),
            (
                picture(1),
                "is no journal; the file is left as it is. Name another one with --journal".to_owned(),
            ),
        ] {
            fs::write(&journal, &bytes).unwrap();
            let options = ["--journal", journal.to_str().unwrap()];
            let with_dry_run = if name == "fill_sheet" { &["--dry-run"][..] } else { &[] };
            for option in [&[][..], with_dry_run] {
                let output = case.tool(name, &[&options, option].concat()).run();
                case.assert_refused(&output, &format!("{name}: the journal DIR/a.journal {problem}"));
                assert_eq!(fs::read(&journal).unwrap(), bytes);
            }
        }
    }
}

fn other_name(name: &str) -> &'static str {
    if name == "fill_sheet" { "send_images" } else { "fill_sheet" }
}

#[test]
fn a_journal_of_another_run_in_which_nothing_has_arrived_is_taken_over() {
    let failed = |again: bool| {
        format!(
            "{{\"record\":\"failed\",\"item\":\"a\",\"file\":\"a\",\"why\":\"b\",\"again\":{again}}}\n"
        )
    };
    let torn = "{\"record\":\"begin\",\"item\":\"a";
    for name in TOOLS {
        for lines in ["", &failed(true), &failed(false), torn, &(failed(true) + torn)] {
            let case = Case::with_pictures(2);
            let header = "{\"record\":\"run\",\"version\":1,\"run\":\"of another site\"}\n";
            let file = format!("photos.{name}.journal");
            let journal = case.folder.write(&file, format!("{header}{lines}"));
            let output = case.tool(name, &[]).run();
            assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{lines}: {output:?}");
            assert_eq!(case.arrived(), all(name, 2));
            let text = fs::read_to_string(&journal).unwrap();
            let start = format!("{{\"record\":\"run\",\"version\":1,\"run\":\"{name} ");
            assert!(text.starts_with(&start) && !text.contains("another site"), "{text}");
            assert_eq!(text.lines().count(), 5, "{text}");
        }
    }
}

#[test]
fn a_journal_is_used_by_one_run_at_a_time() {
    for (name, route) in TOOLS.into_iter().zip([Route::Values, Route::Messages]) {
        let case = Case::with_pictures(2);
        let slow = ConnectionFault::SlowReply(Duration::from_secs(60));
        case.server.with(|lark| lark.fail_next_on(route, slow));
        let running = case.tool(name, &[]).start();
        wait_until(&case.server, |lark| lark.count(route) == 1);
        let output = case.tool(name, &[]).run();
        let journal = format!("the journal DIR/photos.{name}.journal");
        let line = format!("{name}: {journal} is in use by another run at the moment\n");
        assert_eq!((output.code(), case.stderr(&output)), (Some(2), line));
        // The journal is free as soon as its run has ended.
        running.kill();
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_journal_that_cannot_be_created_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    for name in TOOLS {
        let case = Case::with_pictures(1);
        let closed = case.folder.path("closed/a").parent().unwrap().to_owned();
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
        // An administrator may write there all the same.
        let is_closed = fs::write(closed.join("a"), "").is_err();
        let closed = if is_closed { closed.join("a.journal") } else { "/proc/a.journal".into() };
        for journal in [closed, case.folder.path("").join("no/a.journal"), case.folder.path("")] {
            let journal = journal.to_str().unwrap();
            let output = case.tool(name, &["--journal", journal]).run();
            let start = format!("{name}: the journal {journal} cannot be opened: ");
            assert!(output.stderr.starts_with(&start), "{output:?}");
            assert!(output.stderr.ends_with(". Name another place with --journal\n"), "{output:?}");
            assert_eq!((output.code(), output.stderr.lines().count()), (Some(2), 1), "{output:?}");
            assert_eq!(case.writes(), 0);
        }
        assert_eq!(case.tool(name, &[]).run().code(), Some(0));
        assert_eq!(case.arrived(), all(name, 1));
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_sent_after_the_journal_cannot_be_written() {
    const FULL: &str = "cannot be written: File too large (os error 27)";
    for name in TOOLS {
        let mut ends = [0, 0];
        // The length of the names decides which line is the one that does not fit.
        for padding in (0..100).step_by(9) {
            let case = Case::new();
            let photo = |number| format!("photos/{number}{}.gif", "a".repeat(padding));
            for number in 1..=9 {
                case.folder.write(&photo(number), picture(number));
            }
            let output = case.tool(name, &[]).on_full_disk().run();
            assert_eq!(output.code(), Some(3), "{output:?}");
            let reason = format!("the journal DIR/photos.{name}.journal {FULL}");
            let arrived = case.arrived().len();
            assert!(arrived < 9, "{output:?}");
            assert_eq!(case.writes(), arrived, "{output:?}");
            assert_eq!(output.stderr, "");
            let folder = case.folder.path("").canonicalize().unwrap();
            let stdout = output.stdout.replace(folder.to_str().unwrap(), "DIR");
            assert!(stdout.contains(&format!("\nThe run ended early: {reason}")), "{stdout}");
            let journal = fs::read(case.folder.path(&format!("photos.{name}.journal"))).unwrap();
            assert!([512, 1024].contains(&journal.len()), "{}", journal.len());
            // The line that did not fit says that a picture was begun, or that it has arrived.
            let whole = journal.split_inclusive(|byte| *byte == b'\n');
            let whole = whole.filter(|line| line.ends_with(b"\n"));
            let done = whole.filter(|line| line.starts_with(b"{\"record\":\"done\"")).count();
            let is_arrived = done < arrived;
            if !is_arrived {
                let file = photo(arrived + 1).replace("photos/", "");
                assert!(stdout.contains(&format!("\n          {file}\n")), "{stdout}");
            }
            ends[usize::from(is_arrived)] += 1;

            let output = case.tool(name, &[]).run();
            assert_eq!(output.code(), Some(0), "{output:?}");
            assert_eq!(case.arrived(), all(name, 9));
            // A message of which nothing is known is sent again with its uuid; a picture is found in its cell.
            let again = usize::from(is_arrived && name == "send_images");
            assert_eq!(case.writes(), 9 + again);
        }
        assert!(ends.iter().all(|count| *count > 0), "{ends:?}");
    }
}
