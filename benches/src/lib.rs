//! The parts that the benchmarks share: images, requests, replies, readers of bodies, and interleaved measurements.

pub mod interleaved;
pub mod server;
pub mod soak;

use std::hint::black_box;
use std::io::Read;
use std::time::Duration;

use bytes::Buf;
use criterion::Criterion;
use lark_proto::body::{Body, ImageEncoding, Multipart};
use lark_proto::values::SpreadsheetToken;
use lark_proto::{Image, SheetCell, TenantToken, WriteSheetImage};

/// The size of the image in the main tables, in bytes.
pub const MAIN_IMAGE_LEN: usize = 10_000_000;

/// The reply to an upload.
pub const UPLOADED: &str =
    r#"{"code":0,"data":{"image_key":"fd3a475a-0c27-4071-a9a6-8712b84b0cb6"},"msg":"ok"}"#;
/// The reply to a cell write.
pub const WRITTEN: &str = r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcnabc","updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#;

/// Pseudo-random bytes with the signature of a GIF. They are the same in every run (xorshift64).
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

/// An image that consists of the boundaries that a form tries one after the other.
///
/// # Panics
/// `len` is 0.
#[must_use]
pub fn boundaries(len: usize) -> Image {
    let series = (0..).flat_map(|n| format!("--lark_{n:064x}").into_bytes());
    Image::any_format(series.take(len).collect::<Vec<_>>(), "bin").expect("not empty")
}

/// An image of [`random_bytes`].
///
/// # Panics
/// `len` is less than the length of a GIF's signature.
#[must_use]
pub fn image(len: usize) -> Image {
    Image::new(random_bytes(len)).expect("it begins as a GIF does")
}

/// A tenant access token.
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
/// `spreadsheet` is not a token, or `image` is too large.
#[must_use]
pub fn write_to(spreadsheet: &str, image: &Image) -> WriteSheetImage {
    let spreadsheet: SpreadsheetToken = spreadsheet.parse().expect("a spreadsheet's token");
    let cell: SheetCell = "Q7PlXT!H7".parse().expect("a cell");
    WriteSheetImage::new(spreadsheet, cell, image.clone()).expect("an image for cells")
}

/// A cell write of `image` in this encoding.
#[must_use]
pub fn write(image: &Image, encoding: ImageEncoding) -> WriteSheetImage {
    write_to("shtcnabc", image).with_encoding(encoding)
}

/// The form of an upload of any size. [`PutImage`](lark_proto::PutImage) has a limit of 10 MiB.
#[must_use]
pub fn form(image: &Image) -> Multipart {
    let form = Multipart::new().text("image_type", "message");
    form.file("image", "image.gif", "image/gif", image.bytes().clone())
}

/// Reads a body like a transport that takes [`bytes::Bytes`].
///
/// # Panics
/// If the body has another length than it says.
pub fn drain(mut body: Body) {
    let mut left = body.len();
    while let Some(chunk) = body.next_chunk() {
        left -= chunk.len() as u64;
        black_box(chunk);
    }
    assert_eq!(left, 0, "the body is read whole");
}

/// Reads a body like a transport that has a buffer of its own.
///
/// # Panics
/// If the body has another length than it says.
pub fn read(body: Body, buffer: &mut [u8]) {
    let mut left = body.len();
    let mut reader = body.reader();
    loop {
        let count = reader.read(buffer).expect("reading from memory does not fail");
        if count == 0 {
            break;
        }
        left -= count as u64;
        black_box(&mut *buffer);
    }
    assert_eq!(left, 0, "the body is read whole");
}

/// Criterion, with measuring times that keep all benchmarks within minutes.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

/// The code of the repository's README. It is tested here, because no published package holds that file.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The code of the repository's README in Chinese.
#[cfg(doctest)]
#[doc = include_str!("../../README.zh-CN.md")]
struct ReadmeInChinese;
