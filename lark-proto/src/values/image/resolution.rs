//! The resolution of an image, from the header of its file.

use crate::values::ImageFormat;

/// The width and the height in pixels. `None` if the header cannot be read or says 0.
pub(crate) fn read(format: ImageFormat, bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = match format {
        ImageFormat::Bmp => bitmap(bytes)?,
        ImageFormat::Heic if usize::BITS < 64 => huge_part(bytes).or_else(|| header(bytes))?,
        _ => header(bytes)?,
    };
    (width > 0 && height > 0).then_some((width, height))
}

fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(bytes).ok()?;
    Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
}

/// The width and the height of a part of a HEIC file that has more pixels than a `u32` counts. The crate imagesize
/// counts them in a `usize`, which overflows on 32 bits. The search covers the whole file, so that the pixels of one file
/// in some hundreds hold such a part by chance, and other processors do not search.
fn huge_part(bytes: &[u8]) -> Option<(u32, u32)> {
    memchr::memmem::find_iter(bytes, b"ispe").find_map(|at| {
        let [a, b, c, d, e, f, g, h] = *bytes.get(at + 8..)?.first_chunk::<8>()?;
        let (width, height) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        width.checked_mul(height).is_none().then_some((width, height))
    })
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
