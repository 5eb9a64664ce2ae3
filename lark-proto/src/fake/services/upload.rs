//! The uploads to `image/v4/put` and `im/v1/images`, which have the same form and different codes.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use crate::fake::readers::multipart::{self, FormPart};
use crate::fake::reply::Refusal;
use crate::fake::route::Route;
use crate::values::ImageFormat::{self, Bmp, Gif, Heic, Ico, Jpeg, Png, Tiff, Webp};
use crate::values::image::resolution;

/// The use of an uploaded image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageKind {
    /// For messages; `image_type` was `message`.
    Message,
    /// For avatars; `image_type` was `avatar`.
    Avatar,
}

/// An uploaded image.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredImage {
    /// The use of the image.
    pub kind: ImageKind,
    /// The bytes of the image.
    pub bytes: Bytes,
    /// The `filename` of its part.
    pub file_name: String,
    /// The `Content-Type` of its part. Only `image/v4/put` accepts a part without one.
    pub content_type: Option<String>,
    /// The app that uploaded it, if the fake issued the token of the upload.
    pub app_id: Option<&'static str>,
}

/// Shows the number of bytes, and no byte.
impl fmt::Debug for StoredImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, bytes, file_name, content_type, app_id } = self;
        f.debug_struct("StoredImage")
            .field("kind", kind)
            .field("bytes", &format_args!("{} bytes", bytes.len()))
            .field("file_name", file_name)
            .field("content_type", content_type)
            .field("app_id", app_id)
            .finish()
    }
}

/// The documented limit of 10 MB.
const MAX_IMAGE: usize = 10 * 1024 * 1024;
/// The documented formats of `im/v1/images`.
const FORMATS: [ImageFormat; 8] = [Png, Jpeg, Gif, Webp, Bmp, Ico, Tiff, Heic];
/// The documented limits of the width and the height in pixels: of a GIF, of an avatar, and of any other image.
const MAX_GIF_SIDE: u32 = 2000;
const MAX_AVATAR_SIDE: u32 = 4096;
const MAX_SIDE: u32 = 12_000;

/// The code of each kind of mistake.
struct Codes {
    absent: i64,
    empty: i64,
    large: i64,
    malformed: i64,
}

const V4: Codes = Codes { absent: 11214, empty: 11214, large: 18033, malformed: 18033 };
const IM: Codes = Codes { absent: 234001, empty: 234010, large: 234006, malformed: 234001 };

/// Reads the form of an upload.
pub(crate) fn read(
    route: Route,
    headers: &HeaderMap,
    body: &[u8],
    app_id: Option<&'static str>,
) -> Result<StoredImage, Refusal> {
    let codes = if route == Route::ImageV4Put { V4 } else { IM };
    let malformed = |error: String| Refusal::with_400(codes.malformed, error);

    let boundary = multipart::boundary(headers).map_err(malformed)?;
    let parts = multipart::read(body, &boundary).map_err(malformed)?;
    let image_type = only(&parts, "image_type").map_err(malformed)?;
    let image = only(&parts, "image").map_err(malformed)?;

    let Some(image) = image else {
        return Err(Refusal::with_400(codes.absent, "image is missing"));
    };
    // Servers treat a part without a file name as a text field.
    let Some(file_name) = image.file_name.as_ref().filter(|name| !name.is_empty()) else {
        return Err(Refusal::with_400(codes.absent, "image has no filename, so it is not a file"));
    };
    if route == Route::ImV1Images && image.content_type.is_none() {
        return Err(Refusal::field("image", "the part has no Content-Type"));
    }
    if image.content.is_empty() {
        return Err(Refusal::with_400(codes.empty, "image is empty"));
    }
    if image.content.len() > MAX_IMAGE {
        return Err(Refusal::with_400(codes.large, "image is above 10 MiB"));
    }
    let kind = match image_type {
        None => Err("image_type is missing"),
        Some(part) if part.file_name.is_some() => Err("image_type is a file"),
        Some(FormPart { content: b"message", .. }) => Ok(ImageKind::Message),
        Some(FormPart { content: b"avatar", .. }) => Ok(ImageKind::Avatar),
        Some(_) => Err("image_type is neither message nor avatar"),
    };
    let kind = kind.map_err(|error| malformed(error.to_owned()))?;
    if route == Route::ImV1Images {
        check(kind, image.content)?;
    }
    Ok(StoredImage {
        kind,
        bytes: Bytes::copy_from_slice(image.content),
        file_name: file_name.clone(),
        content_type: image.content_type.clone(),
        app_id,
    })
}

/// Checks the format and the resolution, which are documented for `im/v1/images` only.
fn check(kind: ImageKind, image: &[u8]) -> Result<(), Refusal> {
    let found = ImageFormat::sniff(image).filter(|format| FORMATS.contains(format));
    let Some(format) = found else {
        return Err(Refusal::with_400(234011, "Can't regonnize the image format"));
    };
    let max = match (format, kind) {
        (Gif, _) => MAX_GIF_SIDE,
        (_, ImageKind::Avatar) => MAX_AVATAR_SIDE,
        (_, ImageKind::Message) => MAX_SIDE,
    };
    match resolution::read(format, image) {
        Some((width, height)) if width > max || height > max => {
            let msg = format!(
                "Image resolution exceeds limit: {width} x {height} pixels, {max} x {max} at most"
            );
            Err(Refusal::with_400(234039, msg))
        }
        _ => Ok(()),
    }
}

/// The key of the next image after `stored` others, and the `msg` of its reply.
pub(crate) fn key(route: Route, stored: usize) -> (String, &'static str) {
    let number = stored.saturating_add(1);
    let uuid = format!("fd3a475a-0c27-4071-a9a6-{number:012x}");
    if route == Route::ImageV4Put {
        (uuid, "ok")
    } else {
        (format!("img_v3_02k1_{uuid}g"), "success")
    }
}

/// The part with this name, if there is one. Two are an error.
fn only<'p, 'b>(parts: &'p [FormPart<'b>], name: &str) -> Result<Option<&'p FormPart<'b>>, String> {
    let mut named = parts.iter().filter(|part| part.name == name);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(format!("{name} comes twice")),
        (part, None) => Ok(part),
    }
}
