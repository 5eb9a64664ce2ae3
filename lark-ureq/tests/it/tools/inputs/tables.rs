//! Tables, and the links in them.

use lark_proto::fake::{Fault, Route};

use super::{Case, LINK};
use crate::tools::support::{Tool, picture};

#[test]
fn a_table_is_read_as_spreadsheet_programs_save_it() {
    let rows = format!("spreadsheet,sheet,cell,path\n{LINK},,B1,1.gif\n{LINK},Q7PlXT,B2,2.gif\n");
    let quoted = format!(
        "\"spreadsheet\",\"note\",\"sheet\",\"cell\",\"path\"\n\"{LINK}\",\"two\nlines, \"\"quotes\"\"\",\"\",\"B1\",\
         \"1.gif\"\n\n{LINK},,Q7PlXT,B2, 2.gif \n"
    );
    for (name, table) in [
        ("plain", rows.clone()),
        ("a byte order mark", format!("\u{feff}{rows}")),
        ("CRLF", rows.replace('\n', "\r\n")),
        ("both", format!("\u{feff}{}", rows.replace('\n', "\r\n"))),
        ("quotes", quoted),
        ("semicolons", rows.replace(',', ";")),
        ("blank rows", rows.replace('\n', "\n;;;\n , ,\n;;;\n").replace(',', ";")),
        ("capitals", rows.replace("spreadsheet", "Spreadsheet").replace("path", "PATH")),
        (
            "no sheet",
            format!("spreadsheet,cell,path\n{LINK},B1,1.gif\n,,\n{LINK}?sheet=Q7PlXT,B2,2.gif"),
        ),
        ("tabs", rows.replace(',', "\t")),
        ("no end of line", rows.trim_end().to_owned()),
        (
            "another order",
            format!("path,cell,sheet,spreadsheet\n1.gif,B1,,{LINK}\n2.gif,B2,,{LINK}"),
        ),
    ] {
        let case = Case::new();
        for number in 1..=2 {
            case.folder.write(&format!("{number}.gif"), picture(number));
        }
        let output = case.fill_table(table);
        assert_eq!((output.code(), &*output.stderr), (Some(0), ""), "{name}: {output:?}");
        assert_eq!(case.arrived(), ["Q7PlXT!B1 1", "Q7PlXT!B2 2"], "{name}");
    }
}

#[test]
fn a_table_that_cannot_be_read_is_refused_with_its_line() {
    const TITLES: &str = "spreadsheet,sheet,cell,path\n";
    const COLUMNS: &str = "in the first line; it needs spreadsheet, cell, path";
    const UTF_8: &str = "is not in UTF-8: save the table as \"CSV UTF-8\"";
    let good = format!("{LINK},,A1,1.gif\n");
    let row = |row: &str| format!("{TITLES}{good}{row}\n").into_bytes();
    let utf_16 =
        format!("\u{feff}{TITLES}{good}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, problem) in [
        (b"".to_vec(), &*format!("no column `spreadsheet` {COLUMNS}")),
        (b"spreadsheet,sheet,path\na,b,c\n".to_vec(), &format!("no column `cell` {COLUMNS}")),
        (b"SPREADSHEET;Cell\na;b\n".to_vec(), &format!("no column `path` {COLUMNS}")),
        (b"sheet,cell,path\na,b,c\n".to_vec(), &format!("no column `spreadsheet` {COLUMNS}")),
        (good.clone().into_bytes(), &format!("no column `spreadsheet` {COLUMNS}")),
        (TITLES.into(), "no line below the titles"),
        ([TITLES, ",,,\n\n , , ,\n"].concat().into(), "no line below the titles"),
        (row(&format!(",,,\n{LINK},,A0,a")), "line 4: `A0` is in row 0: rows are counted from 1"),
        (row("a,,"), "line 3: 3 fields, and the first line has 4"),
        (utf_16, &format!("line 1 {UTF_8}")),
        ([&row("")[..], b"\xc9\xcc\xc6\xb7\n"].concat(), &format!("line 4 {UTF_8}")),
        (row(&format!("{LINK},,A0,a")), "line 3: `A0` is in row 0: rows are counted from 1"),
        (
            format!("\u{feff}{TITLES}{good}{LINK},,2,a\n").replace('\n', "\r\n").into_bytes(),
            "line 3: `2` is not a cell: a cell is letters and a number, as in `H7`",
        ),
        (row("\n\n\"\n\",,A1,a"), "line 5: `` is not a spreadsheet's token"),
        (row(&format!("\"{LINK}\",\"\n\",B1,a\n{LINK},,B2,")), "line 5: the path is empty"),
        (row(&format!("{LINK},,A2")), "line 3: 3 fields, and the first line has 4"),
        (row(&format!("{LINK},,A2,a,b")), "line 3: 5 fields, and the first line has 4"),
        (
            row("https://x.feishu.cn/docx/doxcnabc,,A2,a"),
            "line 3: `docx/doxcnabc` is a document, which is not a spreadsheet",
        ),
    ] {
        let case = Case::new();
        case.folder.write("1.gif", picture(1));
        let output = case.fill_table(&bytes);
        let line = case.stderr(&output);
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(output.code(), Some(2), "{line}{text}");
        assert!(line.starts_with(&format!("fill_sheet: DIR/table.csv: {problem}")), "{line}{text}");
        assert_eq!(line.lines().count(), 1, "{line}");
        case.assert_untouched();
    }
}

#[test]
fn a_link_to_another_kind_of_document_is_refused() {
    let case = Case::with_pictures(1);
    let tool = Tool::new("fill_sheet", &case.server).args(["https://x.feishu.cn/docx/doxcnabc"]);
    let output = tool.args([case.folder.path("").join("photos")]).run();
    let line = "fill_sheet: `docx/doxcnabc` is a document, which is not a spreadsheet";
    case.assert_refused(&output, line);
    case.assert_untouched();
}

#[test]
fn a_link_without_access_leaves_its_pictures_to_the_next_run() {
    for (route, code) in [
        (Route::SheetsQuery, 91403),
        (Route::Values, 90213),
        (Route::AddDimension, 90213),
        (Route::ValuesImage, 90213),
    ] {
        let case = Case::with_pictures(2);
        // The sheet has 200 rows.
        let options = if route == Route::AddDimension { &["--from", "A200"][..] } else { &[] };
        case.server.with(|lark| lark.fail_next_on(route, Fault::code(403, code, "Forbidden")));
        let output = case.tool("fill_sheet", options).run();
        assert_eq!(output.code(), Some(1), "{route:?} {output:?}");
        let start = if route == Route::ValuesImage { "photo1.gif" } else { LINK };
        assert!(output.stderr.starts_with(&format!("{start}: code {code} ")), "{output:?}");
        assert!(output.stderr.contains("the app needs access to the document"), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stdout.starts_with("0 arrived, 2 still to do, in "), "{output:?}");
        assert_eq!(case.tool("fill_sheet", options).run().code(), Some(0));
        assert_eq!(case.arrived().len(), 2);
    }
}
