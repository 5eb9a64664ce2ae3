//! Spreadsheets with images in their cells.

pub(crate) mod body;
pub(crate) mod cell_write;
mod cells;
pub(crate) mod dimensions;
mod sheet;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::{Value, json};

pub use self::sheet::FakeSheet;

use self::cell_write::CellWrite;
#[cfg(test)]
use self::cell_write::SentImage;
use self::cells::Cell;
use crate::fake::reply::Refusal;

/// An image in a cell.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredCell {
    /// The bytes of the image.
    pub bytes: Bytes,
    /// The name of the image in the request.
    pub name: String,
    /// The revision of the spreadsheet after this write.
    pub revision: u64,
    /// The token of the image's file, by which it can be downloaded.
    pub file_token: String,
}

/// Shows the number of bytes, and no byte.
impl fmt::Debug for StoredCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, name, revision, file_token } = self;
        f.debug_struct("StoredCell")
            .field("bytes", &format_args!("{} bytes", bytes.len()))
            .field("name", name)
            .field("revision", revision)
            .field("file_token", file_token)
            .finish()
    }
}

/// The limit of the vendor's command-line tool.
const MAX_IMAGE: usize = 20 * 1024 * 1024;
/// The documented limit of 10 MB for a reply with cells.
const MAX_REPLY: u64 = 10_000_000;
/// The documented maximum number of images in one spreadsheet.
const MAX_IMAGES: usize = 4000;

impl StoredCell {
    /// The cell's value in a reply. The fake does not read the width and the height of the image, and answers 1.
    fn json(&self, spreadsheet: &str, without_file_tokens: bool) -> Value {
        if without_file_tokens {
            return json!([{"id": self.revision, "type": "embed-image"}]);
        }
        let token = &self.file_token;
        let link = format!(
            "https://internal-api-drive-stream.feishu.cn/space/api/box/stream/download/v2/cover/{token}/\
             ?height=1280&mount_node_token={spreadsheet}&mount_point=sheet_image&policy=equal&width=1280"
        );
        json!({
            "fileToken": token,
            "height": 1,
            "link": link,
            "text": "",
            "type": "embed-image",
            "width": 1,
        })
    }
}

/// The documented extensions of names.
const EXTENSIONS: [&str; 11] =
    ["PNG", "JPEG", "JPG", "GIF", "BMP", "JFIF", "EXIF", "TIFF", "BPG", "WEBP", "HEIC"];

#[derive(Clone, Debug, Default)]
pub(crate) struct Spreadsheet {
    sheets: Vec<FakeSheet>,
    cells: BTreeMap<String, StoredCell>,
    texts: BTreeMap<String, String>,
    revision: u64,
    is_busy: bool,
    /// The time at which the reply to the last write is sent, if it is held back.
    busy_until: Option<SystemTime>,
}

impl Spreadsheet {
    /// Adds the sheets that do not exist.
    pub(crate) fn add_sheets(&mut self, ids: &[&str]) {
        for id in ids {
            if self.sheet(id).is_none() {
                self.add_sheet(FakeSheet::new(id));
            }
        }
    }

    /// Adds a sheet after the others, or in place of the sheet with the same id.
    pub(crate) fn add_sheet(&mut self, mut sheet: FakeSheet) {
        let known = self.sheets.iter().position(|known| known.id == sheet.id);
        let index = known.unwrap_or(self.sheets.len());
        let default = || format!("Sheet{}", index + 1);
        sheet.title = Some(sheet.title.unwrap_or_else(default));
        match self.sheets.get_mut(index) {
            Some(known) => *known = sheet,
            None => self.sheets.push(sheet),
        }
    }

    pub(crate) fn sheet(&self, id: &str) -> Option<&FakeSheet> {
        self.sheets.iter().find(|sheet| sheet.id == id)
    }

    /// The reply of Query sheets.
    pub(crate) fn query(&self) -> Value {
        let sheets: Value =
            self.sheets.iter().enumerate().map(|(index, sheet)| sheet.json(index)).collect();
        json!({"code": 0, "data": {"sheets": sheets}, "msg": "success"})
    }

    pub(crate) fn cells(&self) -> &BTreeMap<String, StoredCell> {
        &self.cells
    }

    /// Occupies the spreadsheet for a write, unless another write occupies it.
    pub(crate) fn occupy(&mut self, now: SystemTime) -> Result<(), Refusal> {
        if self.is_busy || self.busy_until.is_some_and(|end| now < end) {
            let msg = "TooManyRequest: another write to this spreadsheet is not finished";
            return Err(Refusal::with_200(90217, msg));
        }
        self.is_busy = true;
        Ok(())
    }

    /// Frees the spreadsheet, at `end` if there is one.
    pub(crate) fn release(&mut self, end: Option<SystemTime>) {
        self.is_busy = false;
        self.busy_until = end;
    }

    /// Writes an image into a cell.
    pub(crate) fn write(&mut self, token: &str, write: CellWrite) -> Result<Value, Refusal> {
        let range = self.normal_range(&write.range)?;
        if write.image.bytes.is_empty() {
            return Err(Refusal::with_200(90204, "WrongRequestBody: image is empty"));
        }
        let extension = write.name.rsplit_once('.').map(|(_, extension)| extension);
        if !extension
            .is_some_and(|extension| EXTENSIONS.iter().any(|s| s.eq_ignore_ascii_case(extension)))
        {
            return Err(Refusal::with_200(90204, "Image format is unknown"));
        }
        if write.image.bytes.len() > MAX_IMAGE {
            return Err(Refusal::with_200(90227, "TooLargeRequest: image is above 20 MiB"));
        }
        if self.cells.len() >= MAX_IMAGES && !self.cells.contains_key(&range) {
            return Err(Refusal::with_200(90226, "ExcessLimit: 4000 images in one spreadsheet"));
        }
        self.revision = self.revision.saturating_add(1);
        let data = json!({
            "revision": self.revision,
            "spreadsheetToken": token,
            "updateRange": &range,
        });
        let CellWrite { image, name, .. } = write;
        let file_token = format!("box{token}{:06}", self.revision);
        let cell =
            StoredCell { bytes: image.bytes.into(), name, revision: self.revision, file_token };
        self.texts.remove(&range);
        self.cells.insert(range, cell);
        Ok(json!({"code": 0, "data": data, "msg": "success"}))
    }

    /// Changes a sheet, and increases the revision of the spreadsheet.
    pub(crate) fn change(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut FakeSheet) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        let found = self.sheets.iter_mut().find(|sheet| sheet.id == id && !sheet.is_base);
        let sheet = found.ok_or_else(|| Refusal::with_200(90215, "sheetId not found"))?;
        let reply = change(sheet)?;
        self.revision = self.revision.saturating_add(1);
        Ok(reply)
    }

    /// The image in a cell, which is named by its address or by its range.
    pub(crate) fn cell(&self, cell: &str) -> Option<&StoredCell> {
        self.cells.get(cell).or_else(|| self.cells.get(&self.normal_cell(cell)?))
    }

    /// The normal form of a range of one cell, or of an address like `Q7PlXT!A1`.
    fn normal_cell(&self, cell: &str) -> Option<String> {
        let whole = |(sheet, cell): (&str, &str)| format!("{sheet}!{cell}:{cell}");
        let range = cell.split_once('!').filter(|_| !cell.contains(':')).map(whole);
        self.normal_range(range.as_deref().unwrap_or(cell)).ok()
    }

    /// Puts text into a cell, in place of its content.
    pub(crate) fn set_text(&mut self, cell: &str, text: &str) {
        if let Some(range) = self.normal_cell(cell) {
            self.cells.remove(&range);
            self.texts.insert(range, text.to_owned());
        }
    }

    /// The cells of a range, row by row. With `without_file_tokens`, images come without the tokens of their files.
    pub(crate) fn values(
        &self,
        token: &str,
        range: &str,
        without_file_tokens: bool,
    ) -> Result<Value, Refusal> {
        let (sheet, first, last) = self.corners(range)?;
        if first.0 > last.0 || first.1 > last.1 {
            return Err(wrong_range(range));
        }
        let cells = u64::from(last.0 - first.0 + 1) * u64::from(last.1 - first.1 + 1);
        let too_large = || Refusal::with_200(90221, "TooLargeResponse: above 10 MB");
        // An empty cell takes the five bytes of `null,`.
        if cells > MAX_REPLY / 5 {
            return Err(too_large());
        }
        let width = usize::try_from(last.0 - first.0 + 1).unwrap_or_default();
        let mut values: Vec<Vec<Value>> = Vec::new();
        values.extend((first.1..=last.1).map(|_| vec![Value::Null; width]));
        let mut put = |at: &str, value: &dyn Fn() -> Value| {
            let place = cells::of_normal(&sheet.id, at).and_then(|(column, row)| {
                let row = values.get_mut(usize::try_from(row.checked_sub(first.1)?).ok()?)?;
                row.get_mut(usize::try_from(column.checked_sub(first.0)?).ok()?)
            });
            if let Some(place) = place {
                *place = value();
            }
        };
        for (at, image) in &self.cells {
            put(at, &|| image.json(token, without_file_tokens));
        }
        for (at, text) in &self.texts {
            put(at, &|| text.as_str().into());
        }
        let data = json!({
            "revision": self.revision,
            "spreadsheetToken": token,
            "valueRange": {
                "majorDimension": "ROWS",
                "range": range,
                "revision": self.revision,
                "values": values,
            },
        });
        if data.to_string().len() as u64 > MAX_REPLY {
            return Err(too_large());
        }
        Ok(json!({"code": 0, "data": data, "msg": "success"}))
    }

    /// The normal form of a range of one cell: `<sheetId>!<cell>:<cell>`, with the column in upper case.
    fn normal_range(&self, range: &str) -> Result<String, Refusal> {
        let (sheet, first, last) = self.corners(range)?;
        if first != last {
            return Err(wrong_range(range));
        }
        Ok(cells::normal(&sheet.id, first))
    }

    /// The sheet of a range, and its two corners, which are in the grid of the sheet.
    fn corners(&self, range: &str) -> Result<(&FakeSheet, Cell, Cell), Refusal> {
        let found = range.split_once('!').and_then(|(id, cells)| Some((self.sheet(id)?, cells)));
        let Some((sheet, cells)) = found else {
            return Err(Refusal::with_200(90215, "sheetId not found"));
        };
        if sheet.is_base {
            return Err(Refusal::with_200(90215, "sheetId not found: a base has no cells"));
        }
        let corner = |text| cells::cell(text).filter(|cell| sheet.has(*cell));
        let corners =
            cells.split_once(':').and_then(|(first, last)| corner(first).zip(corner(last)));
        let (first, last) = corners.ok_or_else(|| wrong_range(range))?;
        Ok((sheet, first, last))
    }
}

fn wrong_range(range: &str) -> Refusal {
    let shown: String = range.chars().take(100).collect();
    Refusal::with_200(90202, format!("wrong range={shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(range: &str, image: &[u8], name: &str) -> CellWrite {
        let image = SentImage { bytes: image.to_vec(), is_base64: false };
        CellWrite { range: range.to_owned(), image, name: name.to_owned() }
    }

    #[test]
    fn a_range_of_one_cell_in_the_grid_has_a_normal_form() {
        let mut spreadsheet = Spreadsheet::default();
        spreadsheet.add_sheet(FakeSheet::new("s1").rows(5_000_000).columns(13_000));
        spreadsheet.add_sheets(&["s1", "s2"]);
        spreadsheet.add_sheet(FakeSheet::new("s3").base());
        for (range, normal) in [
            ("s1!A1:A1", Ok("s1!A1:A1")),
            ("s1!h7:H7", Ok("s1!H7:H7")),
            ("s1!SEZ5000000:SEZ5000000", Ok("s1!SEZ5000000:SEZ5000000")),
            ("s1!SFA1:SFA1", Err(90202)),
            ("s1!ZZZZZZZZZZZZZ1:ZZZZZZZZZZZZZ1", Err(90202)),
            ("s1!A5000001:A5000001", Err(90202)),
            ("s1!A99999999999:A99999999999", Err(90202)),
            ("s1!A1", Err(90202)),
            ("s1!A1:B2", Err(90202)),
            ("s1!A0:A0", Err(90202)),
            ("s1!A01:A01", Err(90202)),
            ("s1!A:A", Err(90202)),
            ("s1!1:1", Err(90202)),
            ("s1!:", Err(90202)),
            ("s1!Ä1:Ä1", Err(90202)),
            ("s1!A1:A1:A1", Err(90202)),
            ("s1! A1:A1", Err(90202)),
            ("s2!T200:T200", Ok("s2!T200:T200")),
            ("s2!T201:T201", Err(90202)),
            ("s2!U200:U200", Err(90202)),
            ("s3!A1:A1", Err(90215)),
            ("Sheet2!A1:A1", Err(90215)),
            ("s1", Err(90215)),
            ("A1:A1", Err(90215)),
            ("!A1:A1", Err(90215)),
            ("S1!A1:A1", Err(90215)),
            ("s1！A1:A1", Err(90215)),
            ("s1\\!A1:A1", Err(90215)),
        ] {
            let found = spreadsheet.normal_range(range).map_err(|refusal| refusal.code);
            assert_eq!(found.as_deref(), normal.as_deref(), "{range}");
        }
    }

    #[test]
    fn the_refusal_of_a_range_names_the_range() {
        let refusal = with_sheet().normal_range("s1!P60").err();
        assert_eq!(refusal, Some(Refusal::with_200(90202, "wrong range=s1!P60")));
    }

    /// The code of the reply to a write to `s1!A1`; 0 for success.
    fn code(spreadsheet: &mut Spreadsheet, image: &[u8], name: &str) -> i64 {
        let reply = spreadsheet.write("t", write("s1!A1:A1", image, name));
        reply.map_or_else(|refusal| refusal.code, |_| 0)
    }

    /// A spreadsheet with one sheet, `s1`.
    fn with_sheet() -> Spreadsheet {
        let mut spreadsheet = Spreadsheet::default();
        spreadsheet.add_sheets(&["s1"]);
        spreadsheet
    }

    #[test]
    fn a_name_ends_in_a_documented_extension() {
        for (name, expected) in [
            ("a.png", 0),
            ("a.b.HeIc", 0),
            ("a.webp", 0),
            ("png", 90204),
            ("a.png ", 90204),
            ("a.svg", 90204),
        ] {
            assert_eq!(code(&mut with_sheet(), b"x", name), expected, "{name}");
        }
    }

    #[test]
    fn an_image_has_a_byte_at_least_and_twenty_mebibytes_at_most() {
        let largest = vec![0; MAX_IMAGE];
        let larger = vec![0; MAX_IMAGE + 1];
        for (image, expected) in [(&b""[..], 90204), (b"x", 0), (&largest, 0), (&larger, 90227)] {
            assert_eq!(code(&mut with_sheet(), image, "a.png"), expected, "{}", image.len());
        }
    }

    #[test]
    fn each_write_that_is_carried_out_increases_the_revision() {
        let mut spreadsheet = with_sheet();
        for (name, revision) in [("a.png", 1), ("a.svg", 1), ("a.gif", 2)] {
            code(&mut spreadsheet, b"x", name);
            assert_eq!(spreadsheet.revision, revision, "{name}");
        }
    }

    #[test]
    fn a_spreadsheet_has_four_thousand_images_at_most() {
        let mut spreadsheet = Spreadsheet::default();
        spreadsheet.add_sheet(FakeSheet::new("s1").rows(5000));
        let mut put = |row: usize| {
            let range = format!("s1!A{row}:A{row}");
            spreadsheet.write("t", write(&range, b"x", "a.png")).err().map(|refusal| refusal.code)
        };
        assert!((1..=4000).all(|row| put(row).is_none()));
        assert_eq!((put(4001), put(4000)), (Some(90226), None));
    }
}
