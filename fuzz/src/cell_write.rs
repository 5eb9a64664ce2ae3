//! Images in the body of a cell write.

use arbitrary::Arbitrary;
use lark_proto::body::ImageEncoding;
use lark_proto::values::FileName;
use lark_proto::{Image, SheetCell, UserToken, WriteSheetImage};
use serde::Deserialize;
use serde_json::Value;

use crate::input::{input, short};
use crate::readers::base64;
use crate::views::body;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// The last four bits, plus one: how often the image is repeated, so that it is encoded in several pieces.
    times: u8,
    /// The length of the pieces in which the body is read.
    step: u16,
    column: u32,
    row: u32,
    name: &'a str,
    image: &'a [u8],
}

/// The body of a cell write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetBody<T = Value> {
    pub(crate) range: String,
    pub(crate) image: T,
    pub(crate) name: String,
}

/// The number of bytes that the AVX2 encoder leaves to the portable one.
const PORTABLE: usize = 15;

/// Writes any image into a cell, in both encodings. `serde_json` reads the image, the cell and the name from the body,
/// and the AVX2 encoder writes the same text as the portable one.
pub fn cell_write(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let image = input.image.repeat(1 + usize::from(input.times % 16));
    let Ok(value) = Image::any_format(image.clone(), "bin") else { return };
    let sheet = "Q7PlXT".parse().unwrap();
    let Ok(cell) = SheetCell::at(sheet, input.column, input.row) else { return };
    let name = FileName::lossy(short(input.name, 300), &value);
    // The service takes no icons.
    let Some(write) = write(value, cell.clone()) else { return };
    let lossy = write.clone().with_lossy_name(short(input.name, 300));
    let write = write.with_name(name.as_str()).unwrap();
    assert_eq!(lossy, write, "another lossy name");
    let token = UserToken::new("u").unwrap();
    let step = usize::from(input.step);

    let numbers = body(&write, &token, step);
    let read: SheetBody<Vec<u8>> = serde_json::from_slice(&numbers).unwrap();
    assert!(read.image == image, "not the image's numbers");
    assert_eq!((read.range, &*read.name), (cell.to_string(), name.as_str()));
    assert!(array(&numbers) == portable(&image), "not the portable encoder's text");

    let write = write.with_encoding(ImageEncoding::Base64);
    let read = body(&write, &token, step);
    let read: SheetBody<String> = serde_json::from_slice(&read).unwrap();
    assert!(read.image == base64(&image), "not the image's base64");
    assert_eq!((read.range, &*read.name), (cell.to_string(), name.as_str()));
}

fn write(image: Image, cell: SheetCell) -> Option<WriteSheetImage> {
    WriteSheetImage::new("sht".parse().unwrap(), cell, image).ok()
}

/// The text between the brackets of the image's array.
fn array(body: &[u8]) -> &[u8] {
    let start = body.windows(9).position(|window| window == b"\"image\":[").unwrap() + 9;
    let len = body[start..].iter().position(|byte| *byte == b']').unwrap();
    &body[start..start + len]
}

/// The text that the portable encoder makes of the image: it is the only one that encodes images of so few bytes.
fn portable(image: &[u8]) -> Vec<u8> {
    let token = UserToken::new("u").unwrap();
    let cell: SheetCell = "a!A1".parse().unwrap();
    let mut text = Vec::new();
    // The text of a repeated image repeats too, so that the pieces of a long image need not be encoded one by one.
    let mut known = std::collections::HashMap::new();
    for piece in image.chunks(PORTABLE) {
        let encoded = known.entry(piece).or_insert_with(|| {
            let image = Image::any_format(piece.to_vec(), "bin").unwrap();
            match write(image, cell.clone()) {
                Some(write) => array(&body(&write, &token, 1)).to_vec(),
                None => {
                    let numbers: Vec<_> = piece.iter().map(ToString::to_string).collect();
                    numbers.join(",").into_bytes()
                }
            }
        });
        text.extend_from_slice(encoded);
        text.push(b',');
    }
    text.pop();
    text
}
