//! Texts of the input in the output.

use super::{Case, LINK, TOOLS, not_found};
use crate::tools::support::{Output, picture};

#[test]
fn no_character_in_the_output_controls_the_terminal_or_misleads_the_reader() {
    const PATH: &str = "a\u{1b}[31m\u{202e}\u{200b}b.gif";
    let case = Case::new();
    case.folder.write("1.gif", picture(1));
    let table = format!("spreadsheet,cell,path\n{LINK},A1,1.gif\n{LINK},A2,{PATH}\n");
    let output = case.fill_table(&table);
    assert_eq!(output.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr, format!("a [31m  b.gif: {}\n", not_found()));
    assert!(output.stdout.contains("\n          a [31m  b.gif\n"), "{output:?}");

    let output = case.fill_table(format!("spreadsheet,cell,path\n{LINK}\u{1b}[31m\u{202e},A1,a\n"));
    assert_eq!(output.code(), Some(2), "{output:?}");
    assert!(is_plain(&output), "{output:?}");

    let run = "\\u001b[31m\u{202e}\\u0085x";
    let lines = format!(
        "{{\"record\":\"run\",\"version\":1,\"run\":\"{run}\"}}\n{{\"record\":\"done\",\"item\":\"a\"}}\n"
    );
    let journal = case.folder.write("a.journal", lines);
    case.folder.pictures(1);
    for name in TOOLS {
        let output = case.tool(name, &["--journal", journal.to_str().unwrap()]).run();
        assert_eq!(output.code(), Some(2), "{output:?}");
        assert!(output.stderr.contains("is that of another run, ` [31m  x`, and "), "{output:?}");
        assert!(is_plain(&output), "{output:?}");
    }
}

fn is_plain(output: &Output) -> bool {
    let text = output.stdout.clone() + &output.stderr;
    let is_bad = |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{200b}'].contains(&c));
    !text.contains(is_bad)
}
