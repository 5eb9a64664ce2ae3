//! The resolution of an image, from the header of its file.

use std::ops::Range;

use crate::values::ImageFormat;

/// The width and the height in pixels. `None` if the header cannot be read or says 0.
pub(crate) fn read(format: ImageFormat, bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = match format {
        ImageFormat::Bmp => bitmap(bytes)?,
        ImageFormat::Heic => {
            let Range { start, end } = metadata(bytes)?;
            huge_part(bytes.get(start..end)?).or_else(|| header(bytes.get(..end)?))?
        }
        _ => header(bytes)?,
    };
    (width > 0 && height > 0).then_some((width, height))
}

fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(bytes).ok()?;
    Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
}

/// The place of the box `meta` of a HEIC file, which has the resolution. The other boxes are pixels for the most part.
fn metadata(bytes: &[u8]) -> Option<Range<usize>> {
    let mut start = 0;
    loop {
        let [a, b, c, d, name @ ..] = *bytes.get(start..)?.first_chunk::<8>()?;
        let end = match u32::from_be_bytes([a, b, c, d]) {
            0 => bytes.len(),
            len @ 8.. => usize::try_from(len).ok()?.checked_add(start)?,
            _ => return None,
        };
        if name == *b"meta" {
            return Some(start..end);
        }
        start = end;
    }
}

/// The width and the height of a part of a HEIC image that has more pixels than a `u32` counts. The crate imagesize
/// counts them in a `usize`, which overflows on 32 bits.
fn huge_part(metadata: &[u8]) -> Option<(u32, u32)> {
    memchr::memmem::find_iter(metadata, b"ispe").find_map(|at| {
        let [a, b, c, d, e, f, g, h] = *metadata.get(at + 8..)?.first_chunk::<8>()?;
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
