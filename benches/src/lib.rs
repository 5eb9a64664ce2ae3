//! What the benchmarks share: images, the ways in which a transport reads a body, and measurements in turns.

pub mod server;
pub mod turns;

use std::hint::black_box;
use std::io::Read;
use std::time::Duration;

use bytes::Buf;
use criterion::Criterion;
use lark_proto::body::{Body, ImageEncoding, Multipart};
use lark_proto::values::SpreadsheetToken;
use lark_proto::{Image, SheetCell, TenantToken, WriteSheetImage};

/// The size of the main tables.
pub const MAIN: usize = 10_000_000;

/// Pseudo-random bytes, the same in every run (xorshift64), that begin as a GIF does.
#[must_use]
pub fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[7]
    };
    b"GIF89a".iter().copied().chain(std::iter::repeat_with(&mut next)).take(len).collect()
}

/// An image that is nothing but boundaries of the series that forms choose from.
///
/// # Panics
/// Never, as long as `len` is that of at least one boundary.
#[must_use]
pub fn boundaries(len: usize) -> Image {
    let series = (0..).flat_map(|n| format!("--lark_{n:064x}").into_bytes());
    Image::any_format(series.take(len).collect::<Vec<_>>(), "bin").expect("not empty")
}

/// An image of [`random_bytes`].
///
/// # Panics
/// `len` is less than a GIF's head.
#[must_use]
pub fn image(len: usize) -> Image {
    Image::new(random_bytes(len)).expect("it begins as a GIF does")
}

/// Some token.
///
/// # Panics
/// Never.
#[must_use]
pub fn token() -> TenantToken {
    TenantToken::new("t-7f1b").expect("a token is made of these characters")
}

/// A cell write of `image`, to `spreadsheet`.
///
/// # Panics
/// `spreadsheet` is no token, or `image` too large.
#[must_use]
pub fn write_to(spreadsheet: &str, image: &Image) -> WriteSheetImage {
    let spreadsheet: SpreadsheetToken = spreadsheet.parse().expect("a spreadsheet's token");
    let cell: SheetCell = "Q7PlXT!H7".parse().expect("a cell");
    WriteSheetImage::new(spreadsheet, cell, image.clone()).expect("an image for cells")
}

/// A cell write of `image` in an encoding.
#[must_use]
pub fn write(image: &Image, encoding: ImageEncoding) -> WriteSheetImage {
    write_to("shtcnabc", image).with_encoding(encoding)
}

/// The form of an upload, of any size: [`PutImage`](lark_proto::PutImage) stops at 10 MiB.
#[must_use]
pub fn form(image: &Image) -> Multipart {
    let form = Multipart::new().text("image_type", "message");
    form.file("image", "image.gif", "image/gif", image.bytes().clone())
}

/// Reads a body as a transport does that takes [`bytes::Bytes`].
pub fn drain(mut body: Body) {
    while let Some(chunk) = body.next_chunk() {
        black_box(chunk);
    }
}

/// Reads a body as a transport does that has a buffer of its own.
pub fn read(body: Body, buffer: &mut [u8]) {
    let mut reader = body.reader();
    // Reading from memory does not fail.
    while reader.read(buffer).is_ok_and(|count| count > 0) {
        black_box(&mut *buffer);
    }
}

/// Criterion, with times that keep the whole of it to minutes.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}
