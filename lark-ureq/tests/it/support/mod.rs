//! The values and servers that tests of several subjects share.

#[cfg(feature = "tls")]
pub(crate) mod untrusted_server;

use std::time::Duration;

use lark_proto::fake::FakeLark;
use lark_proto::{App, Image, PutImage, TenantToken, WriteSheetImage};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The custom app that a fake Lark knows.
pub(crate) fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

/// A token that a fake Lark knows only after a test has added it.
pub(crate) fn token() -> TenantToken {
    TenantToken::new("t-1").unwrap()
}

pub(crate) fn image() -> Image {
    Image::new("GIF89a..").unwrap()
}

/// An upload of `image`.
pub(crate) fn put() -> PutImage {
    PutImage::message(image()).unwrap()
}

/// A write of `image` into the cell A1 of the sheet that a fake Lark has.
pub(crate) fn write() -> WriteSheetImage {
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image()).unwrap()
}
