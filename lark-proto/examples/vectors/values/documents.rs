//! Spreadsheets, pages of wikis, sheets, cells and places.

use serde_json::json;

use super::{Row, lengths, texts};

pub(super) fn spreadsheets() -> Vec<Row> {
    let token = "shtcngNygNfuqhxTBf588jwgWbJ";
    let tokens = [
        token,
        "shtcnabc",
        " shtcnabc\r\n",
        "\u{feff}shtcnabc\u{200b}",
        "a-b_c",
        "SXBTsMufdhz9hstO0yblvRLXg8b",
        "https://x.feishu.cn/sheets/shtcnabc",
        "<https://X.larksuite.com/sheets/shtcnabc/>",
        "",
        "sht/abc",
        "表格",
        "bascnCMII2ORuEjIDXvVecCKNEc",
        "doccnabc",
        "fldcnabc",
        "boxcnabc",
        "bmncnabc",
        "wikcnKQ1k3pcuo5uSK4t8Vabcef",
        "fake_office_abc",
        "aaaaObbbbFccccLdddd0eeeeXff",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=Q7PlXT",
        "https://x.feishu.cn/sheets/abc#Q7PlXT",
        "https://x.feishu.cn/wiki/wikcnabc",
        "https://x.feishu.cn/docx/doxcnabc",
        "https://user:password@x.feishu.cn/wrong",
        "t-caecc734c2e3328a62489fe0648c4b98/",
    ];
    let links = [
        "shtcnabc",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=Q7PlXT",
        "https://x.feishu.cn/sheets/shtcnabc?table=a&amp;sheet=Q7PlXT",
        "https://x.feishu.cn/sheets/shtcnabc#sheet=Q7PlXT",
        "x.feishu.cn/space/sheet/shtcnabc?range=SDc6SDc%3D#giDk9k",
        "/sheets/shtcnabc?sheetId=giDk9k&range=H7",
        "http://x.larkoffice.com:8080/spreadsheets/shtcnabc?sheet_id=a&range=A1:B2",
        "https://x.feishu.cn/sheets/shtcnabc?range=giDk9k%21C3",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a&range=%E5%9B%BE",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a&range=QTE6QTF%3D",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=&range=A1",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a#b",
        "SXBTsMufdhz9hstO0yblvRLXg8b_giDk9k",
        "shtcn_abc",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a&sheetId=b",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a&range=b%21A1",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=Price%20list",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=%zz",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=%ff",
        "https://x.feishu.cn/sheets/shtcnabc?sheet=a&range=%zz",
        "https://x.feishu.cn",
        "https://x.feishu.cn/sheets/",
        "https://x.feishu.cn/sheets/a/b",
        "ftp://x.feishu.cn/sheets/shtcnabc",
        "https://x.feishu.cn/other/shtcnabc",
        "https://飞书.cn/sheets/shtcnabc",
        "https://x.feishu.cn/wiki/wikcnabc?sheet=a",
        "https://x.feishu.cn/base/bascnabc",
        "https://x.feishu.cn/drive/folder/fldcnabc",
        "https://x.feishu.cn/file/boxcnabc",
        "https://x.feishu.cn/mindnotes/bmncnabc",
        "https://x.feishu.cn/slides/sldcnabc",
    ];
    let pages = [
        "wikcnKQ1k3pcuo5uSK4t8Vabcef",
        "https://x.feishu.cn/wiki/wikcnabc?sheet=a",
        "shtcnabc",
        "",
        "https://x.feishu.cn/sheets/shtcnabc",
        "a b",
    ];
    [
        texts("spreadsheet_token", &tokens),
        lengths("spreadsheet_token", "", 128),
        texts("spreadsheet_token_of_any_kind", &["bascnabc", "wikcnabc", " a", ""]),
        texts("spreadsheet_link", &links),
        texts("wiki_token", &pages),
        vec![
            ("wiki_node_spreadsheet", json!({ "obj_type": "sheet", "obj_token": "shtcnabc" })),
            ("wiki_node_spreadsheet", json!({ "obj_type": "bitable", "obj_token": "bascnabc" })),
            ("wiki_node_spreadsheet", json!({ "obj_type": "sheet", "obj_token": "a b" })),
        ],
    ]
    .concat()
}

pub(super) fn cells() -> Vec<Row> {
    let ids = ["Q7PlXT", "Sheet1", "a-_", "", "Price list", "a!b", "表"];
    let cells = [
        "Q7PlXT!H7",
        "Q7PlXT!H7:H7",
        "Q7PlXT!h7:H7",
        "Q7PlXT！$H$7",
        "Q7PlXT\\!H7：h7",
        " \u{200b}Q7PlXT!aa10\n",
        "0!SEZ5000000",
        "0!A1",
        "0!Z1",
        "0!AA1",
        "0!ZZ1",
        "0!AAA1",
        "H7",
        "!H7",
        "\\!H7",
        "Price list!H7",
        "Q7PlXT!H7:J8",
        "Q7PlXT!H:H",
        "Q7PlXT!7:7",
        "Q7PlXT!H7:H",
        "Q7PlXT!H7:",
        "Q7PlXT!:H7",
        "Q7PlXT!",
        "Q7PlXT!7H",
        "Q7PlXT!H07",
        "Q7PlXT!H-7",
        "Q7PlXT!H 7",
        "Q7PlXT!图7",
        "Q7PlXT!$$H7",
        "Q7PlXT!H7!I8",
        "Q7PlXT!H0",
        "Q7PlXT!H000",
        "Q7PlXT!SFA1",
        "Q7PlXT!A5000001",
        "Q7PlXT!A99999999999999999999",
        "Q7PlXT!ZZZZZZZZZZZZ1",
    ];
    let at = |column: u32, row: u32| {
        ("sheet_cell_at", json!({ "sheet": "Q7PlXT", "column": column, "row": row }))
    };
    [
        texts("sheet_id", &ids),
        lengths("sheet_id", "", 64),
        texts("sheet_cell", &cells),
        vec![
            at(8, 7),
            at(13_000, 5_000_000),
            at(0, 7),
            at(0, 0),
            at(8, 0),
            at(13_001, 1),
            at(1, 5_000_001),
        ],
    ]
    .concat()
}

pub(super) fn places() -> Vec<Row> {
    let sheets = json!([
        { "sheet_id": "b2", "title": "Price list", "index": 1 },
        {
            "sheet_id": "a1", "title": "It's", "index": 0, "hidden": true,
            "grid_properties": { "row_count": 200, "column_count": 20 },
        },
        { "sheet_id": "c3", "title": "Twice", "index": 2, "resource_type": "sheet" },
        { "sheet_id": "d4", "title": "Twice", "index": 3 },
        { "sheet_id": "e5", "title": "A base", "index": 4, "resource_type": "bitable" },
    ]);
    let hidden = json!([{ "sheet_id": "a", "title": "T", "index": 0, "hidden": true }]);
    let equal: Vec<_> = (1..=7)
        .map(|index| json!({ "sheet_id": format!("s{index}"), "title": "T", "index": index }))
        .collect();
    let link = "https://x.feishu.cn/sheets/shtcnabc?sheet=a1&range=SDc6SDc%3D";
    let page = "https://x.feishu.cn/wiki/wikcnabc";
    let plain =
        |document: &str, cell: &str| ("place", json!({ "document": document, "cell": cell }));
    let among = |document: &str, cell: &str| {
        ("place", json!({ "document": document, "cell": cell, "sheets": sheets }))
    };
    let beyond = |cell: &str| {
        let document = "shtcnabc";
        let inputs = json!({
            "document": document, "cell": cell, "sheets": sheets, "beyond_grid": true,
        });
        ("place", inputs)
    };
    let node = |kind: &str| {
        let node = json!({ "obj_type": kind, "obj_token": "shtcnabc" });
        let inputs = json!({ "document": page, "cell": "A1", "node": node, "sheets": sheets });
        ("place", inputs)
    };
    vec![
        plain(link, "B2"),
        plain(link, ""),
        plain("shtcnabc", "H7"),
        plain("shtcnabc", "Q7PlXT!H7"),
        plain(page, "Price list!H7"),
        ("place", json!({ "document": link, "cell": "B2", "beyond_grid": true })),
        among("shtcnabc", "H7"),
        among("shtcnabc", "a1!T200"),
        among("shtcnabc", "Price list！$h$7"),
        among(link, "'It''s'!C3"),
        among("shtcnabc", "'a1'!A1"),
        node("sheet"),
        beyond("It's!U6201"),
        beyond("Price list!U6201"),
        among("shtcnabc", "a1!A201"),
        among("shtcnabc", "a1!U1"),
        among("shtcnabc", "None!A1"),
        (
            "place",
            json!({ "document": "shtcnabc", "cell": "X!A1", "sheets": [{ "sheet_id": "a" }] }),
        ),
        among("shtcnabc", "Twice!A1"),
        ("place", json!({ "document": "shtcnabc", "cell": "T!A1", "sheets": equal })),
        among("shtcnabc", "A base!A1"),
        beyond("e5!A1"),
        ("place", json!({ "document": "shtcnabc", "cell": "A1", "sheets": [] })),
        ("place", json!({ "document": "shtcnabc", "cell": "A1", "sheets": hidden })),
        (
            "place",
            json!({
                "document": "https://x.feishu.cn/sheets/shtcnabc?sheet=zz", "cell": "A1",
                "sheets": sheets,
            }),
        ),
        node("docx"),
        plain("shtcnabc", ""),
        plain(link, "b2!"),
        plain("shtcnabc", "!A1"),
        plain("shtcnabc", "''!A1"),
        plain("shtcnabc", "A1:B2"),
        plain("shtcnabc", "A0"),
        plain("shtcnabc", "SFA1"),
        plain("https://x.feishu.cn/docx/doxcnabc", "A1"),
    ]
}
