//! The command line and the environment.

use super::{LINK, fill_sheet, writes};
use crate::tools::support::{Folder, Tool, setup};

#[test]
fn help_goes_to_stdout_and_names_options_variables_and_exit_codes() {
    for option in ["--help", "-h"] {
        let output = Tool::without_account("fill_sheet").args([option]).run();
        assert_eq!((output.code(), &*output.stderr), (Some(0), ""));
        for text in [
            "usage: fill_sheet LINK [--from CELL] FOLDER",
            "fill_sheet TABLE.csv",
            "--from CELL",
            "--row-height N",
            "--skip-filled",
            "--retry-failed",
            "--base64",
            "--threads N",
            "--dry-run",
            "--journal PATH",
            "LARK_APP_ID, LARK_APP_SECRET",
            "LARK_SITE",
            "    0 ",
            "    1 ",
            "    2 ",
            "    3 ",
            "    130 ",
        ] {
            assert!(output.stdout.contains(text), "{text}: {output:?}");
        }
        assert!(output.stdout.lines().all(|line| line.len() <= 120), "{output:?}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_a_line_that_names_them() {
    for (arguments, reason) in [
        (&[][..], "a link and a folder are needed, or a table"),
        (
            &["https://x.feishu.cn/sheets/shtcn1", "my", "photos"],
            "a link and a folder are needed, not 3 names: a name with blanks and a link need quotes",
        ),
        (&[".", LINK], "the link comes first, and the folder after it"),
        (&[LINK, LINK], "the link comes first, and the folder after it"),
        (&["."], "the link of a spreadsheet is needed before the folder"),
        (&[".", "--from", "A1"], "the link of a spreadsheet is needed before the folder"),
        (&[LINK], "a folder is needed beside the link"),
        (&[LINK, ".", "--unknown"], "invalid option '--unknown'"),
        (&[LINK, ".", "-x"], "invalid option '-x'"),
        (&[LINK, ".", "--from"], "missing argument for option '--from'"),
        (&[LINK, ".", "--dry-run=yes"], "unexpected argument for option '--dry-run': \"yes\""),
        (&["table.csv", "--from", "A1"], "--from is for a folder; a table names its cells"),
        (&[LINK, ".", "--threads", "0"], "--threads takes a number from 1 to 65535, not `0`"),
        (&[LINK, ".", "--threads", "x"], "--threads takes a number from 1 to 65535, not `x`"),
        (&[LINK, ".", "--row-height", "0"], "--row-height takes a number from 1 to 65535, not `0`"),
        (&[LINK, ".", "--row-height=x"], "--row-height takes a number from 1 to 65535, not `x`"),
    ] {
        let output = Tool::without_account("fill_sheet").args(arguments).run();
        assert_eq!((output.code(), &*output.stdout), (Some(2), ""), "{output:?}");
        let expected = format!("fill_sheet: {reason}\nTry `fill_sheet --help`.\n");
        assert_eq!(output.stderr, expected, "{arguments:?}");
    }
}

#[test]
fn an_account_that_is_not_complete_is_refused_before_anything_is_sent() {
    let (server, folder) = setup();
    for (name, value, reason) in [
        ("LARK_APP_ID", "", "LARK_APP_ID is not set: see the app's page \"Credentials"),
        ("LARK_APP_SECRET", "", "LARK_APP_SECRET is not set: see the app's page"),
        ("LARK_SITE", "lrak", "LARK_SITE is `lark`, `feishu` or a URL: "),
    ] {
        let tool = fill_sheet(&server).args([LINK]).args([folder.pictures(1)]);
        let output = tool.env(name, value).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        assert!(output.stderr.starts_with(&format!("fill_sheet: {reason}")), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    }
    assert!(server.with(|lark| lark.requests().is_empty()));
    assert!(!folder.path("photos.fill_sheet.journal").exists());
}

#[test]
fn a_document_of_the_other_site_is_refused_before_anything_is_sent() {
    let folder = Folder::new();
    let photos = folder.pictures(1);
    let table = |link: &str| {
        folder.write("table.csv", format!("spreadsheet,cell,path\n{link},A1,photos/photo1.gif\n"))
    };
    for (site, link, other) in [
        ("", "https://x.feishu.cn/sheets/shtcn1", "feishu"),
        ("lark", "https://x.feishu.cn/wiki/wikcn1", "feishu"),
        ("LARK", "https://x.feishu.cn/sheets/shtcn1", "feishu"),
        ("feishu", "https://x.larksuite.com/sheets/shtcn1", "lark"),
        ("Feishu", "x.sg.larksuite.com/sheets/shtcn1", "lark"),
    ] {
        for arguments in [vec![link.into(), photos.clone()], vec![table(link)]] {
            // No request would leave this computer.
            let tool = Tool::without_account("fill_sheet").env("HTTPS_PROXY", "http://127.0.0.1:9");
            let tool = tool.env("LARK_SITE", site).env("LARK_APP_ID", "cli_a1b2c3d4e5f6a7b8");
            let output = tool.env("LARK_APP_SECRET", "x".repeat(32)).args(arguments).run();
            assert_eq!((output.code(), &*output.stdout), (Some(2), ""), "{link}: {output:?}");
            let host = link.trim_start_matches("https://").split('/').next().unwrap();
            let line = format!("{host} is a host of another site: set LARK_SITE={other}");
            assert_eq!(output.stderr, format!("fill_sheet: {line}\n"));
        }
    }
    assert!(!folder.path("photos.fill_sheet.journal").exists());
}

#[test]
fn a_journal_can_be_anywhere() {
    let (server, folder) = setup();
    let journal = folder.path("elsewhere/run.journal");
    for _ in 0..2 {
        let tool = fill_sheet(&server).args([LINK]).args([folder.pictures(2)]);
        let output = tool.args(["--journal"]).args([&journal]).run();
        assert_eq!(output.code(), Some(0), "{output:?}");
    }
    assert_eq!(writes(&server), 2);
    assert!(journal.exists());
    assert!(!folder.path("photos.fill_sheet.journal").exists());
}
