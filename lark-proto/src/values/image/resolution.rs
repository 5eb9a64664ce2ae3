//! The resolution of an image, from the header of its file.

use crate::values::ImageFormat;

/// The width and the height in pixels. `None` if the header cannot be read or says 0.
pub(crate) fn read(format: ImageFormat, bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = if format == ImageFormat::Bmp {
        bitmap(bytes)?
    } else {
        let size = imagesize::blob_size(bytes).ok()?;
        (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?)
    };
    (width > 0 && height > 0).then_some((width, height))
}

/// The width and the height of a Windows bitmap. The crate imagesize knows neither the header of 12 bytes, which has
/// them in 16 bits each, nor the negative height of an image that is stored from top to bottom.
fn bitmap(bytes: &[u8]) -> Option<(u32, u32)> {
    let [a, b, c, d, e, f, g, h] = *bytes.get(18..)?.first_chunk::<8>()?;
    if bytes.get(14) == Some(&12) {
        Some((u16::from_le_bytes([a, b]).into(), u16::from_le_bytes([c, d]).into()))
    } else {
        let sides = [[a, b, c, d], [e, f, g, h]];
        Some(sides.map(|side| i32::from_le_bytes(side).unsigned_abs()).into())
    }
}
