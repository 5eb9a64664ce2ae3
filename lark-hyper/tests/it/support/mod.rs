//! Helpers that several modules of tests use.

pub(crate) mod child;
pub(crate) mod packages;
pub(crate) mod pausing;
pub(crate) mod peers;
pub(crate) mod pipe;
pub(crate) mod sim;
pub(crate) mod tls;

use std::time::Duration;

use lark_proto::fake::FakeLark;
use lark_proto::{App, Image, PutImage, TenantToken, WriteSheetImage};

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The custom app that the fake knows.
pub(crate) fn app() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

/// A token of the caller's.
pub(crate) fn token() -> TenantToken {
    TenantToken::new("t-1").unwrap()
}

/// An upload of a small image.
pub(crate) fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a..").unwrap()).unwrap()
}

/// A write of a small image to a cell of the fake's spreadsheet.
pub(crate) fn write() -> WriteSheetImage {
    let cell = format!("{}!H7", FakeLark::SHEET).parse().unwrap();
    let image = Image::new("GIF89a..").unwrap();
    WriteSheetImage::new(FakeLark::SPREADSHEET.parse().unwrap(), cell, image).unwrap()
}
