//! Read the contents of cells of a sheet.

use std::collections::BTreeMap;
use std::fmt;

use http::Method;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::api::{AtMost, Endpoint, Path, Quota, Record, Reply, TEXT, Text, lenient, read};
use crate::error::{Error, Invalid, InvalidKind};
use crate::text::excerpt;
use crate::token::TenantOrUser;
use crate::values::{FileToken, SheetCell, SpreadsheetToken};

/// Reads the contents of cells of a sheet: images and texts.
///
/// * Route: `GET /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values/:range`.
/// * Token: tenant or user access token, with one of the scopes `drive:drive`, `drive:drive:readonly`,
///   `sheets:spreadsheet` and `sheets:spreadsheet:readonly`, and the right to read the document.
/// * Limits: 100 requests a second. A reply has at most 10 MB. This crate reads at most 250,000 cells that are not
///   empty.
/// * Documentation: <https://open.feishu.cn/document/ukTMukTMukTM/ugTMzUjL4EzM14COxMTN>. Question 8 of
///   <https://open.feishu.cn/document/ukTMukTMukTM/uATMzUjLwEzM14CMxMTN/guide/sheets-faq> documents a cell with an
///   image.
///
/// The request has no parameter `valueRenderOption`, because with some of its values the service leaves out the token
/// of an image's file. An image that floats over the sheet is in no cell.
///
/// # Errors
/// [`Code::SHEET_RANGE`](crate::error::Code::SHEET_RANGE),
/// [`Code::SHEET_PERMISSION`](crate::error::Code::SHEET_PERMISSION),
/// [`Code::SPREADSHEET_NOT_FOUND`](crate::error::Code::SPREADSHEET_NOT_FOUND),
/// [`Code::SHEET_NOT_FOUND`](crate::error::Code::SHEET_NOT_FOUND),
/// [`Code::SHEET_LARGE_RESPONSE`](crate::error::Code::SHEET_LARGE_RESPONSE).
///
/// ```
/// use lark_proto::endpoints::{EndpointExt, ReadCells};
/// use lark_proto::{Site, UserToken};
///
/// let read = ReadCells::cell("shtcnabc".parse()?, &"Q7PlXT!H7".parse()?);
/// let request = read.request(&Site::FEISHU, &UserToken::new("u-7f1b")?);
/// let path = "/open-apis/sheets/v2/spreadsheets/shtcnabc/values/";
/// assert_eq!(request.uri().path(), format!("{path}Q7PlXT%21H7%3AH7"));
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "values")]
#[doc(alias = "range")]
#[doc(alias = "valueRange")]
#[doc(alias = "读取单个范围")]
pub struct ReadCells {
    spreadsheet: SpreadsheetToken,
    range: String,
}

impl ReadCells {
    /// Reads one cell, which is the [first](Cells::first) one in the reply.
    #[must_use]
    pub fn cell(spreadsheet: SpreadsheetToken, cell: &SheetCell) -> Self {
        Self { spreadsheet, range: cell.as_str().to_owned() }
    }

    /// Reads the rectangle between two cells of one sheet, which may be any two opposite corners.
    ///
    /// # Errors
    /// [`InvalidKind::CornersOfTwoSheets`].
    pub fn range(
        spreadsheet: SpreadsheetToken,
        from: &SheetCell,
        to: &SheetCell,
    ) -> Result<Self, Invalid> {
        if from.sheet() != to.sheet() {
            let corners = format!("`{from}` and `{to}`");
            return Err(Invalid::new(InvalidKind::CornersOfTwoSheets, corners));
        }
        let corner = |pick: fn(u32, u32) -> u32| {
            let column = pick(from.column(), to.column());
            SheetCell::at(from.sheet().clone(), column, pick(from.row(), to.row()))
        };
        let first = corner(u32::min)?;
        let last = corner(u32::max)?;
        let range = format!("{}!{}:{}", first.sheet(), first.cell(), last.cell());
        Ok(Self { spreadsheet, range })
    }
}

/// The maximum number of cells that are read. A reply of 10 MB can have millions of cells, and each needs twenty times
/// the memory of its text.
const MAX_FILLED: usize = 250_000;
/// The maximum number of segments of a cell that are read. A cell with more of them has [`CellContent::Other`].
const MAX_SEGMENTS: usize = 10_000;
/// The maximum number of cells that are read in one row: the columns of the widest sheet.
const MAX_COLUMNS: usize = SheetCell::LAST_COLUMN as usize;

/// The contents of the cells of a rectangle. Cells that are missing in the reply are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cells {
    /// The cells that are not empty, by row and column, which are counted from 0.
    filled: BTreeMap<(u32, u32), CellContent>,
}

/// The content of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CellContent {
    /// The cell is empty.
    Empty,
    /// Text, a number, a date as a number of days, `true` or `false`, or a formula: the first 1,024 bytes, free of
    /// control characters.
    Text(String),
    /// One or more images, with or without text.
    #[non_exhaustive]
    Image {
        /// The token of the file of the first image that has one.
        file_token: Option<FileToken>,
    },
    /// Any other content, such as an attachment.
    Other,
}

impl Cells {
    /// The content of the cell that is `rows_below` rows below the rectangle's first cell and `columns_right` columns
    /// to the right of it. A cell outside of the rectangle is [`CellContent::Empty`].
    #[must_use]
    pub fn get(&self, rows_below: u32, columns_right: u32) -> &CellContent {
        self.filled.get(&(rows_below, columns_right)).unwrap_or(&CellContent::Empty)
    }

    /// Each cell that is not empty, with the number of rows below the rectangle's first cell and of columns to the
    /// right of it, row by row.
    pub fn iter(&self) -> impl Iterator<Item = ((u32, u32), &CellContent)> {
        self.filled.iter().map(|(&place, content)| (place, content))
    }

    /// The content of the rectangle's first cell, which is the only one after [`ReadCells::cell`].
    #[must_use]
    pub fn first(&self) -> &CellContent {
        self.get(0, 0)
    }
}

impl CellContent {
    fn of(text: String) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    /// Reads a cell. In JSON, an object is one segment of the content, and an array is several.
    fn read(cell: &RawValue) -> Self {
        let json = cell.get();
        match json.as_bytes().first() {
            Some(b'n') => Self::Empty,
            Some(b'"') => read(cell).map_or(Self::Other, |Text(text)| Self::of(text)),
            Some(b'{') => Self::of_segments(&[cell]),
            Some(b'[') => read(cell).map_or(Self::Other, |AtMost::<_, MAX_SEGMENTS>(segments)| {
                Self::of_segments(&segments)
            }),
            _ => Self::of(excerpt(json.as_bytes(), TEXT)),
        }
    }

    fn of_segments(segments: &[&RawValue]) -> Self {
        let segments: Vec<Segment> = segments.iter().map(|json| Segment::read(json)).collect();
        if segments.iter().any(Segment::is_image) {
            let mut images = segments.into_iter().filter(Segment::is_image);
            return Self::Image { file_token: images.find_map(|image| image.file_token) };
        }
        let texts: Option<Vec<String>> = segments.into_iter().map(Segment::into_text).collect();
        texts.map_or(Self::Other, |texts| Self::of(excerpt(texts.concat().as_bytes(), TEXT)))
    }
}

/// A part of a cell's content.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Text>,
    #[serde(default, deserialize_with = "lenient")]
    text: Option<Text>,
    #[serde(default, deserialize_with = "lenient")]
    file_token: Option<FileToken>,
}

impl Segment {
    /// Reads a segment. JSON that is not an object is a segment without a type.
    fn read(json: &RawValue) -> Self {
        read::<Record<Self>>(json).map(|segment| segment.0).unwrap_or_default()
    }

    fn is_image(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.0 == "embed-image")
    }

    /// The text of a segment that has text only.
    fn into_text(self) -> Option<String> {
        let kind = self.kind.as_ref().map_or("text", |kind| kind.0.as_str());
        let is_text = matches!(kind, "text" | "url" | "mention" | "formula");
        self.text.filter(|_| is_text).map(|text| text.0)
    }
}

impl Endpoint for ReadCells {
    type Auth = TenantOrUser;
    type Output = Cells;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values/:range"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.spreadsheet.as_str()).segment(&self.range)
    }

    fn quota(&self) -> Quota {
        Quota::per_second(100)
    }

    /// The documented 10 MB of cells, with room for the envelope.
    fn reply_limit(&self) -> u64 {
        12 * 1024 * 1024
    }

    fn read(reply: &Reply) -> Result<Cells, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            value_range: Record<ValueRange>,
        }
        #[derive(Deserialize)]
        struct ValueRange {
            #[serde(default)]
            values: Option<Rows>,
        }
        let rows = reply.data::<Data>()?.value_range.0.values;
        Ok(rows.map(|rows| rows.0).unwrap_or_default())
    }
}

/// The rows of a reply, which are read one by one, so that only one row at a time takes the memory of its empty cells.
struct Rows(Cells);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor).map(Self)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Cells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Cells, A::Error> {
        let mut filled = BTreeMap::new();
        let mut row = 0;
        while let Some(cells) = rows.next_element::<&RawValue>()? {
            let cells: Option<AtMost<&RawValue, MAX_COLUMNS>> =
                serde_json::from_slice(cells.get().as_bytes()).map_err(A::Error::custom)?;
            for (column, cell) in (0..).zip(cells.map(|cells| cells.0).unwrap_or_default()) {
                let content = CellContent::read(cell);
                if content == CellContent::Empty {
                    continue;
                }
                filled.insert((row, column), content);
                if filled.len() > MAX_FILLED {
                    return Err(A::Error::custom("more than 250,000 cells are not empty"));
                }
            }
            row += 1;
        }
        Ok(Cells { filled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;

    fn cells(range: &str) -> Result<Cells, Error> {
        let body = format!(r#"{{"code":0,"msg":"success","data":{{"valueRange":{range}}}}}"#);
        ReadCells::decode(http::Response::new(body.into()))
    }

    fn text(text: &str) -> CellContent {
        CellContent::Text(text.to_owned())
    }

    fn image(file_token: Option<&str>) -> CellContent {
        CellContent::Image { file_token: file_token.map(|token| token.parse().unwrap()) }
    }

    #[test]
    fn a_reply_with_too_many_cells_is_unreadable() {
        let row = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        // Rows of 10,000 cells, and one row with the rest.
        let of = |count: usize| {
            let rows = vec![row(10_000); count / 10_000].join(",");
            cells(&format!(r#"{{"values":[{rows},null,{}]}}"#, row(count % 10_000)))
        };
        assert_eq!(of(MAX_FILLED - 1).unwrap().get(25, 9_998), &text("1"));
        assert_eq!(of(MAX_FILLED).unwrap().iter().count(), MAX_FILLED);
        let error = of(MAX_FILLED + 1).unwrap_err().to_string();
        assert!(error.contains("more than 250,000 cells"), "{error}");
        for (count, is_read) in [(12_999, true), (13_000, true), (13_001, false)] {
            let one = cells(&format!(r#"{{"values":[{}]}}"#, row(count)));
            assert_eq!(one.is_ok_and(|cells| cells.iter().count() == count), is_read, "{count}");
        }
    }

    #[test]
    fn at_most_10_000_segments_of_a_cell_are_read() {
        for (count, is_read) in [(9_999, true), (10_000, true), (10_001, false)] {
            let segments = vec![r#"{"text":"a"}"#; count].join(",");
            let cells = cells(&format!(r#"{{"values":[[[{segments}]]]}}"#)).unwrap();
            assert_eq!(matches!(cells.first(), CellContent::Text(_)), is_read, "{count}");
            assert_eq!(*cells.first() == CellContent::Other, !is_read, "{count}");
        }
    }

    #[test]
    fn the_vendors_sample_replies_are_read() {
        let texts = r#"{"code":0,"data":{"revision":7,"spreadsheetToken":"XUMasQlMYhOnMbt5htXc96h0nOg","valueRange":
            {"majorDimension":"ROWS","range":"Q7PlXT!A1:B2","revision":7,
            "values":[["单元格A1","单元格B1"],["单元格A2","单元格B2"]]}},"msg":"success"}"#;
        let read = ReadCells::decode(http::Response::new(texts.into())).unwrap();
        assert_eq!(read.first(), &text("单元格A1"));
        assert_eq!((read.get(0, 1), read.get(1, 0)), (&text("单元格B1"), &text("单元格A2")));
        assert_eq!((read.get(1, 1), read.get(2, 0)), (&text("单元格B2"), &CellContent::Empty));

        let picture = r#"{"code":0,"data":{"revision":112,"spreadsheetToken":"XUMasQlMYhOnMbt5htXc96abcef","valueRange":
            {"majorDimension":"ROWS","range":"2jm6f6!B1:B1","revision":112,"values":[[
            {"fileToken":"UeZNbAxAIojSuRxarT1ccsabcef","height":1994,"link":"https://internal-api-drive-stream.feishu.cn/space/api/box/stream/download/v2/cover/UeZNbAxAIojSuRxarT1ccsabcef/?height=1280&mount_node_token=Iow7sNNEphp3WbtnbCscPqQPnTd&mount_point=sheet_image&policy=equal&width=1280","text":"","type":"embed-image","width":3278}
            ]]}},"msg":"success"}"#;
        let read = ReadCells::decode(http::Response::new(picture.into())).unwrap();
        assert_eq!(read.first(), &image(Some("UeZNbAxAIojSuRxarT1ccsabcef")));
    }

    #[test]
    fn the_json_of_a_cell_is_read_as_its_content() {
        let long = "图".repeat(1000);
        for (json, content) in [
            ("null", CellContent::Empty),
            (r#""""#, CellContent::Empty),
            ("[]", CellContent::Empty),
            (r#"[{"type":"text","text":""}]"#, CellContent::Empty),
            (r#"" ""#, text(" ")),
            (r#""a\u0000b\nc""#, text("a b c")),
            (&format!("\"{long}\""), text(&format!("{}…", "图".repeat(341)))),
            ("45123.50", text("45123.50")),
            ("-0", text("-0")),
            ("1e999", text("1e999")),
            ("true", text("true")),
            ("false", text("false")),
            (r#""=A2*B2""#, text("=A2*B2")),
            (r#"{"type":"formula","text":"=A1"}"#, text("=A1")),
            (r#"[{"link":"https://google.com/","text":"Google","type":"url"}]"#, text("Google")),
            (r#"[{"text":"@x","type":"mention"},{"text":" y","type":"text"}]"#, text("@x y")),
            (r#"[{"text":"a","segmentStyle":{"bold":true}}]"#, text("a")),
            (
                r#"[{"type":"text","text":"a"},{"type":"attachment","text":"b"}]"#,
                CellContent::Other,
            ),
            (r#"[{"fileToken":"t","text":"invoice.pdf","type":"attachment"}]"#, CellContent::Other),
            (r#"{"type":"multipleValue","values":["a"]}"#, CellContent::Other),
            (r#"{"type":"text"}"#, CellContent::Other),
            (r#"{"type":"image","image":{"image_token":"t"}}"#, CellContent::Other),
            ("{}", CellContent::Other),
            (r#"["embed-image","a","t"]"#, CellContent::Other),
            (r#"[["embed-image","a","t"]]"#, CellContent::Other),
            ("[null]", CellContent::Other),
            (r#""\ud800""#, CellContent::Other),
            (r#"{"type":"embed-image","fileToken":"abc123"}"#, image(Some("abc123"))),
            (r#"[{"id":207,"type":"embed-image"}]"#, image(None)),
            (r#"{"type":"embed-image","fileToken":"a b"}"#, image(None)),
            (r#"{"type":"embed-image","fileToken":7}"#, image(None)),
            (
                r#"[{"type":"text","text":"a"},{"type":"embed-image"},
                {"type":"embed-image","fileToken":"t1"},{"type":"embed-image","fileToken":"t2"}]"#,
                image(Some("t1")),
            ),
        ] {
            let read = cells(&format!(r#"{{"values":[[{json}]]}}"#)).unwrap();
            assert_eq!(read.first(), &content, "{json}");
        }
    }

    #[test]
    fn a_cell_that_is_missing_in_the_reply_is_empty() {
        for range in [
            r#"{"range":"","values":[]}"#,
            r#"{"range":"","values":null}"#,
            r#"{"range":""}"#,
            "{}",
            r#"{"values":[[]]}"#,
            r#"{"values":[null,[null,null]]}"#,
        ] {
            assert_eq!(cells(range).unwrap(), Cells::default(), "{range}");
        }
        let short = cells(r#"{"values":[["a"],[],["b","c"]]}"#).unwrap();
        let column = |column| [0, 1, 2, 3].map(|row| short.get(row, column).clone());
        let empty = || CellContent::Empty;
        assert_eq!(column(0), [text("a"), empty(), text("b"), empty()]);
        assert_eq!(column(1), [empty(), empty(), text("c"), empty()]);
    }

    #[test]
    fn a_reply_without_rows_of_cells_is_unreadable() {
        for range in
            ["null", "7", "[]", r#"{"values":{}}"#, r#"{"values":["a"]}"#, r#"{"values":7}"#]
        {
            assert!(matches!(cells(range), Err(Error::Unreadable(_))), "{range}");
        }
    }

    #[test]
    fn a_range_has_its_first_and_last_cell_whichever_corners_are_given() {
        let range = |from: &str, to: &str| {
            let spreadsheet = "sht".parse().unwrap();
            let read = ReadCells::range(spreadsheet, &from.parse().unwrap(), &to.parse().unwrap());
            read.unwrap().range
        };
        for (from, to) in
            [("s!H7", "s!AA9"), ("s!AA9", "s!H7"), ("s!H9", "s!AA7"), ("s!AA7", "s!H9")]
        {
            assert_eq!(range(from, to), "s!H7:AA9", "{from} {to}");
        }
        assert_eq!(range("s!H7", "s!H7"), "s!H7:H7");
    }

    #[test]
    fn corners_on_two_sheets_are_refused() {
        let from = "s!A1".parse().unwrap();
        let to = "t!A1".parse().unwrap();
        let error = ReadCells::range("sht".parse().unwrap(), &from, &to).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::CornersOfTwoSheets);
        let text =
            "the corners of a range must be on one sheet, but `s!A1:A1` and `t!A1:A1` are on two";
        assert_eq!(error.to_string(), text);
    }
}
