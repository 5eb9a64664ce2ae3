//! Downloads of an uploaded image by its key, and of a cell's image by its file token.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use super::spreadsheets::Spreadsheet;
use super::upload::{ImageKind, StoredImage};
use crate::fake::readers::json::object;
use crate::fake::reply::{Refusal, ReplyDraft};
use crate::fake::route::Target;
use crate::values::ImageFormat;

/// The image with this key. `app` is the app whose token was sent, if the fake knows it.
pub(crate) fn image(
    images: &BTreeMap<String, StoredImage>,
    key: &str,
    app: Option<&str>,
) -> Result<ReplyDraft, Refusal> {
    let Some(image) = images.get(key) else {
        return Err(Refusal::with_400(234001, "Invalid request param: no image has this key"));
    };
    if image.kind == ImageKind::Avatar {
        return Err(Refusal::with_400(234001, "Invalid request param: the image is an avatar"));
    }
    if let (Some(owner), Some(app)) = (image.app_id, app) {
        if owner != app {
            return Err(Refusal::with_400(234008, "The app is not the resource sender."));
        }
    }
    Ok(file(&image.bytes, &image.file_name))
}

/// The image of the cell that has the file token in the path.
pub(crate) fn media(
    spreadsheets: &BTreeMap<String, Spreadsheet>,
    target: &Target,
) -> Result<ReplyDraft, Refusal> {
    let is_object = |text: &str| object::<Map<String, Value>>(text.as_bytes()).is_ok();
    if target.query("extra").is_some_and(|extra| !is_object(extra)) {
        return Err(Refusal::with_400(1061002, "params error: extra is not a JSON object"));
    }
    let mut cells = spreadsheets.values().flat_map(|spreadsheet| spreadsheet.cells().values());
    let Some(cell) = cells.find(|cell| cell.file_token == target.value(0)) else {
        let status = StatusCode::NOT_FOUND;
        return Err(Refusal { status, ..Refusal::with_400(1061003, "not found.") });
    };
    Ok(file(&cell.bytes, &cell.name))
}

fn file(bytes: &Bytes, name: &str) -> ReplyDraft {
    let format = ImageFormat::sniff(bytes);
    let content_type = format.map_or("application/octet-stream", ImageFormat::media_type);
    ReplyDraft::File { bytes: bytes.clone(), content_type: content_type.into(), name: name.into() }
}
