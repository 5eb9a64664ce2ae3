//! The calls that scenarios make. Each function returns a scenario in which the call succeeds at once.

use http::Method;

use crate::body::Multipart;
use crate::endpoints::{
    AddDimension, GetImage, PutImage, Raw, ReadCells, SendImage, WriteSheetImage,
};
use crate::error::Invalid;
use crate::fake::lark::FakeLark;
use crate::fake::route::Route;
use crate::fake::scenarios::scenario::Scenario;
use crate::fake::scenarios::scenario_call::ScenarioCall;
use crate::fake::services::ImageKind;
use crate::values::{Image, ImageKey, MessageUuid, Receiver};

/// The image of most calls.
const IMAGE: &[u8] = b"GIF89a..";

/// An upload.
pub(super) fn put(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(IMAGE)?;
    Scenario::new(name, ScenarioCall::PutImage(PutImage::message(image.clone())?), image)
}

/// An upload that is not idempotent.
pub(super) fn put_unsafe(name: &'static str) -> Result<Scenario, Invalid> {
    let image = Image::new(IMAGE)?;
    let form = Multipart::new().text("image_type", "message").file(
        "image",
        "image.gif",
        "image/gif",
        image.bytes().clone(),
    );
    let upload = Raw::new(Method::POST, Route::ImV1Images.path()).with_payload(form.payload());
    Scenario::new(name, ScenarioCall::Unsafe(upload), image)
}

/// A message with an image, which [`add_image`] adds to the fake.
pub(super) fn send(name: &'static str) -> Result<Scenario, Invalid> {
    let chat = Receiver::chat(FakeLark::CHAT)?;
    let send = SendImage::new(chat, key_of_first_image()?, MessageUuid::new("scenario")?);
    Scenario::new(name, ScenarioCall::SendImage(send), Image::new(IMAGE)?)
}

/// A download of an image, which [`add_image_of`] adds to the fake.
pub(super) fn get(name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    let get = GetImage::new(key_of_first_image()?);
    Scenario::new(name, ScenarioCall::GetImage(get), Image::new(image_of(pixels))?)
}

/// A cell write.
pub(super) fn write(name: &'static str) -> Result<Scenario, Invalid> {
    write_of(name, b"..")
}

/// A cell write of an image with these bytes after its signature.
pub(super) fn write_of(name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    write_to("H7", name, pixels)
}

/// A cell write to `cell`.
pub(super) fn write_to(cell: &str, name: &'static str, pixels: &[u8]) -> Result<Scenario, Invalid> {
    let image = Image::new(image_of(pixels))?;
    let cell = format!("{}!{cell}", FakeLark::SHEET).parse()?;
    let write = WriteSheetImage::new(FakeLark::SPREADSHEET.parse()?, cell, image.clone())?;
    Scenario::new(name, ScenarioCall::WriteSheetImage(write), image)
}

/// A read of one cell.
pub(super) fn read(name: &'static str) -> Result<Scenario, Invalid> {
    let cell = format!("{}!H7", FakeLark::SHEET).parse()?;
    let read = ReadCells::cell(FakeLark::SPREADSHEET.parse()?, &cell);
    Scenario::new(name, ScenarioCall::ReadCells(read), Image::new(IMAGE)?)
}

/// A request to add rows.
pub(super) fn add_rows(name: &'static str) -> Result<Scenario, Invalid> {
    let add = AddDimension::rows(FakeLark::SPREADSHEET.parse()?, FakeLark::SHEET.parse()?, 8)?;
    Scenario::new(name, ScenarioCall::AddDimension(add), Image::new(IMAGE)?)
}

/// Adds the image that [`send`] sends.
pub(super) fn add_image(lark: &mut FakeLark) {
    lark.add_image(ImageKind::Message, IMAGE);
}

/// Adds the image that [`get`] downloads.
pub(super) fn add_image_of(lark: &mut FakeLark, pixels: &[u8]) {
    lark.add_image(ImageKind::Message, image_of(pixels));
}

/// The key that every new fake gives to its first image.
fn key_of_first_image() -> Result<ImageKey, Invalid> {
    ImageKey::new(&FakeLark::new().add_image(ImageKind::Message, IMAGE))
}

fn image_of(pixels: &[u8]) -> Vec<u8> {
    [b"GIF89a", pixels].concat()
}
