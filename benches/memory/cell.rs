//! The body of a cell write, as a caller without a client for it writes it down.

pub const PATH: &str = "/open-apis/sheets/v2/spreadsheets/shtcnabc/values_image";

#[derive(serde::Serialize)]
pub struct Write<'a> {
    range: &'a str,
    image: &'a [u8],
    name: &'a str,
}

impl<'a> Write<'a> {
    pub fn new(image: &'a [u8]) -> Self {
        Self { range: "Q7PlXT!H7:H7", image, name: "image.gif" }
    }
}
