//! Images, and the rules that they are checked by.

use lark_proto::error::InvalidKind;
use lark_proto::values::{ImageFormat, ImageRules};
use lark_proto::{Image, Invalid, WriteSheetImage};

/// Makes an image of any bytes and any extension, and checks it by rules just above and just below its size and its
/// resolution. It passes exactly the rules whose numbers it does not exceed.
pub(crate) fn images(bytes: &[u8], extension: &str) {
    let is_extension = (1..=16).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let image = Image::any_format(bytes.to_vec(), extension);
    assert_eq!(image.is_ok(), is_extension && !bytes.is_empty(), "{extension:?}");
    let Ok(image) = Image::any_format(bytes.to_vec(), "BIN") else { return };
    let format = ImageFormat::sniff(bytes);
    assert_eq!(image.format(), format);
    assert_eq!(image.extension(), format.map_or("bin", ImageFormat::extension));
    assert_eq!(format!("{image:?}"), format!("Image({format:?}, {} bytes)", bytes.len()));
    let len = bytes.len() as u64;
    sizes(&image, len);
    let any = ImageRules::ANY;
    let accepted = image.check(&any.with_formats(&[ImageFormat::Png, ImageFormat::Gif]));
    assert_eq!(
        kind(accepted),
        match format {
            None => Some(InvalidKind::UnknownImageFormat),
            Some(ImageFormat::Png | ImageFormat::Gif) => None,
            Some(_) => Some(InvalidKind::FormatNotAccepted),
        }
    );
    resolutions(&image);
    // Each rule for avatars is at least as strict as the one for messages.
    assert!(image.check(&ImageRules::AVATAR).is_err() || image.check(&ImageRules::MESSAGE).is_ok());
}

fn kind(checked: Result<(), Invalid>) -> Option<InvalidKind> {
    checked.err().map(|error| error.kind())
}

/// Checks the limits of the rules, and the limit that the image has of its own.
fn sizes(image: &Image, len: u64) {
    let any = ImageRules::ANY;
    let own = |max| image.clone().with_max_bytes(max);
    let write = |image| {
        WriteSheetImage::new("sht".parse().unwrap(), "a!A1".parse().unwrap(), image).map(|_| ())
    };
    let is_ico = image.format() == Some(ImageFormat::Ico);
    let written = is_ico.then_some(InvalidKind::FormatNotAccepted);
    let too_large = Some(InvalidKind::ImageTooLarge);
    assert_eq!(kind(image.check(&any)), None);
    assert_eq!(kind(image.check(&any.with_max_bytes(len))), None);
    assert_eq!(kind(image.check(&any.with_max_bytes(len - 1))), too_large);
    // A lower limit is kept.
    assert_eq!(kind(image.check(&any.with_max_bytes(len - 1).with_max_bytes(len))), too_large);
    assert_eq!(kind(write(own(len))), written);
    assert_eq!(kind(write(own(len - 1))), too_large);
    if image.check(&ImageRules::CELL).is_ok() {
        assert_eq!(kind(own(len).check(&ImageRules::CELL)), None);
        assert_eq!(kind(own(len - 1).check(&ImageRules::CELL)), too_large);
        // The image's own limit counts in place of a default only.
        assert_eq!(kind(own(len - 1).check(&ImageRules::CELL.with_max_bytes(len))), None);
    }
}

/// Checks the limits of the resolution, which is read here for two of the formats.
fn resolutions(image: &Image) {
    let check = |width, height| kind(image.check(&ImageRules::ANY.with_max_pixels(width, height)));
    let Some(bytes) = header(image) else {
        let odd = [InvalidKind::TooManyPixels, InvalidKind::UnreadableResolution];
        return assert!(check(1000, 1000).is_none_or(|kind| odd.contains(&kind)));
    };
    let [width, height] = bytes;
    if width == 0 || height == 0 {
        return assert_eq!(check(1000, 1000), Some(InvalidKind::UnreadableResolution));
    }
    assert_eq!(check(width, height), None, "{width} x {height}");
    assert_eq!(check(width - 1, height), Some(InvalidKind::TooManyPixels));
    assert_eq!(check(width, height - 1), Some(InvalidKind::TooManyPixels));
}

/// The width and the height in the header of a GIF or of a PNG. A file of fewer than twelve bytes has no image, and the
/// crate imagesize does not read it.
fn header(image: &Image) -> Option<[u32; 2]> {
    let bytes = image.bytes();
    bytes.get(11)?;
    match image.format()? {
        ImageFormat::Gif => {
            let [a, b, c, d] = *bytes.get(6..10)? else { return None };
            Some([[a, b], [c, d]].map(|side| u16::from_le_bytes(side).into()))
        }
        ImageFormat::Png if bytes.get(12..16)? == b"IHDR" => {
            let [a, b, c, d, e, f, g, h] = *bytes.get(16..24)? else { return None };
            Some([[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes))
        }
        _ => None,
    }
}
