//! The format of an image, which is read from its first bytes.

use crate::error::{Invalid, InvalidKind};

/// The image formats that Lark lists. Not every endpoint takes all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, with a JFIF, an Exif or no header.
    Jpeg,
    /// Graphics Interchange Format.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF, in either byte order.
    Tiff,
    /// Better Portable Graphics.
    Bpg,
    /// WebP, lossy or lossless.
    Webp,
    /// HEIC: an image in HEVC in a HEIF container.
    Heic,
    /// Windows icon.
    Ico,
}

impl ImageFormat {
    /// The format of a file that begins with `bytes`, by its signature.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Self::Png,
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            // A text may begin with `BM` too, so the size of the header must be one of those in use.
            [b'B', b'M', _, _, _, _, _, _, _, _, _, _, _, _, header, 0, 0, 0, ..]
                if [12, 16, 40, 52, 56, 64, 108, 124].contains(header) =>
            {
                Self::Bmp
            }
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Self::Tiff,
            [b'B', b'P', b'G', 0xfb, ..] => Self::Bpg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Webp,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] if has_brand(bytes, is_hevc) => Self::Heic,
            // The header has two reserved bytes, the type (1 for an icon, 2 for a cursor), and the number of images.
            [0, 0, 1, 0, low, high, ..] if (*low, *high) != (0, 0) => Self::Ico,
            _ => return None,
        })
    }

    /// The usual extension of a file of this format, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::Bpg => "bpg",
            Self::Webp => "webp",
            Self::Heic => "heic",
            Self::Ico => "ico",
        }
    }

    /// The format's name in an error, such as `PNG`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Jpeg => "JPEG".to_owned(),
            other => other.extension().to_ascii_uppercase(),
        }
    }

    /// The format of files with this extension, and whether the vendor's documents list this spelling.
    pub(crate) fn of_extension(extension: &str) -> Option<(Self, bool)> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "png" => (Self::Png, true),
            "jpg" | "jpeg" | "jfif" | "exif" => (Self::Jpeg, true),
            "gif" => (Self::Gif, true),
            "bmp" => (Self::Bmp, true),
            "tiff" => (Self::Tiff, true),
            "bpg" => (Self::Bpg, true),
            "webp" => (Self::Webp, true),
            "heic" => (Self::Heic, true),
            "ico" => (Self::Ico, true),
            "tif" => (Self::Tiff, false),
            "heif" => (Self::Heic, false),
            "jpe" => (Self::Jpeg, false),
            "dib" => (Self::Bmp, false),
            _ => return None,
        })
    }

    /// The media type, such as `image/png`.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Bpg => "image/bpg",
            Self::Webp => "image/webp",
            Self::Heic => "image/heic",
            Self::Ico => "image/x-icon",
        }
    }
}

/// Whether a file begins with a `ftyp` box of a brand for which `is_wanted` holds. The box has the major brand, a
/// version and the compatible brands. The major brand `mif1` stands for HEIC and for AVIF, so with it one of the
/// compatible brands decides.
fn has_brand(bytes: &[u8], is_wanted: fn(&[u8]) -> bool) -> bool {
    let [a, b, c, d, b'f', b't', b'y', b'p', rest @ ..] = bytes else {
        return false;
    };
    let len = u32::from_be_bytes([*a, *b, *c, *d]).saturating_sub(8);
    let brands = rest.get(..usize::try_from(len).unwrap_or(usize::MAX)).unwrap_or(rest);
    let compatible = brands.get(8..).unwrap_or_default();
    match brands.get(..4) {
        Some(b"mif1" | b"msf1") => compatible.chunks(4).any(is_wanted),
        Some(major) => is_wanted(major),
        None => false,
    }
}

/// Whether a brand is one of those for HEVC in a HEIF container.
fn is_hevc(brand: &[u8]) -> bool {
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"]
        .iter()
        .any(|known| *known == brand)
}

/// The error for a file in none of the formats that Lark lists. It names SVG and AVIF, and quotes the first bytes of
/// any other file.
pub(super) fn unknown_format(bytes: &[u8]) -> Invalid {
    let avif = |brand: &[u8]| brand == b"avif" || brand == b"avis";
    if is_svg(bytes) {
        Invalid::new(InvalidKind::FormatNotAccepted, "SVG")
    } else if has_brand(bytes, avif) {
        Invalid::new(InvalidKind::FormatNotAccepted, "AVIF")
    } else {
        let start = bytes.get(..16).unwrap_or(bytes).escape_ascii();
        Invalid::new(InvalidKind::UnknownImageFormat, start.to_string())
    }
}

/// Whether a file begins with the element `svg`, or is XML with this element in its first 1,024 bytes.
fn is_svg(bytes: &[u8]) -> bool {
    let text = bytes.get(..1024).unwrap_or(bytes);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let is_xml = text.starts_with(b"<?xml") && memchr::memmem::find(text, b"<svg").is_some();
    text.starts_with(b"<svg") || is_xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Image;

    #[test]
    fn the_format_is_read_from_the_first_bytes() {
        let bmp =
            |header: u8| [b"BM4\0\0\0\0\0\0\0\x36\0\0\0".as_slice(), &[header, 0, 0, 0]].concat();
        for (bytes, format) in [
            (b"\x89PNG\r\n\x1a\n".to_vec(), Some(ImageFormat::Png)),
            (b"\x89PNG\n\x1a\n".to_vec(), None),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), Some(ImageFormat::Jpeg)),
            (b"\xff\xd8\xff\xe1\0\x10Exif\0".to_vec(), Some(ImageFormat::Jpeg)),
            (b"\xff\xd8".to_vec(), None),
            (b"GIF87a".to_vec(), Some(ImageFormat::Gif)),
            (b"GIF88a".to_vec(), None),
            (bmp(41), None),
            (b"BMW is a car, not a bitmap".to_vec(), None),
            (b"II*\0".to_vec(), Some(ImageFormat::Tiff)),
            (b"MM\0*".to_vec(), Some(ImageFormat::Tiff)),
            (b"BPG\xfb".to_vec(), Some(ImageFormat::Bpg)),
            (b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), Some(ImageFormat::Webp)),
            (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), None),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), Some(ImageFormat::Heic)),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic".to_vec(), Some(ImageFormat::Heic)),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif".to_vec(), None),
            (b"\0\0\0\x10ftypmif1\0\0\0\0mif1heic".to_vec(), None),
            (b"\0\0\0\x18ftypavif\0\0\0\0mif1heic".to_vec(), None),
            (b"\xff\xff\xff\xffftypheic".to_vec(), Some(ImageFormat::Heic)),
            (b"\0\0\0\x04ftypheic".to_vec(), None),
            (b"\0\0\x01\0\x01\0".to_vec(), Some(ImageFormat::Ico)),
            (b"\0\0\x01\0\0\0".to_vec(), None),
            (b"<svg/>".to_vec(), None),
        ] {
            let shown = bytes.escape_ascii().to_string();
            assert_eq!(ImageFormat::sniff(&bytes), format, "{shown}");
            assert_eq!(
                Image::new(bytes.clone()).map(|image| image.format()).ok(),
                format.map(Some)
            );
            assert_eq!(Image::any_format(bytes, "avif").unwrap().format(), format);
        }
        for header in [12, 16, 40, 52, 56, 64, 108, 124] {
            assert_eq!(ImageFormat::sniff(&bmp(header)), Some(ImageFormat::Bmp), "{header}");
        }
        for brand in ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"] {
            let file = format!("\0\0\0\x18ftyp{brand}\0\0\0\0mif1heic");
            assert_eq!(ImageFormat::sniff(file.as_bytes()), Some(ImageFormat::Heic), "{brand}");
        }
    }

    #[test]
    fn a_format_has_an_extension_a_name_and_a_media_type() {
        for (format, extension, name, media_type) in [
            (ImageFormat::Png, "png", "PNG", "image/png"),
            (ImageFormat::Jpeg, "jpg", "JPEG", "image/jpeg"),
            (ImageFormat::Gif, "gif", "GIF", "image/gif"),
            (ImageFormat::Bmp, "bmp", "BMP", "image/bmp"),
            (ImageFormat::Tiff, "tiff", "TIFF", "image/tiff"),
            (ImageFormat::Bpg, "bpg", "BPG", "image/bpg"),
            (ImageFormat::Webp, "webp", "WEBP", "image/webp"),
            (ImageFormat::Heic, "heic", "HEIC", "image/heic"),
            (ImageFormat::Ico, "ico", "ICO", "image/x-icon"),
        ] {
            assert_eq!((format.extension(), &*format.name()), (extension, name));
            assert_eq!(format.media_type(), media_type);
            assert_eq!(ImageFormat::of_extension(extension), Some((format, true)));
        }
    }

    #[test]
    fn a_format_is_known_by_every_spelling_of_its_extension() {
        for (extension, format, is_listed) in [
            ("JPEG", ImageFormat::Jpeg, true),
            ("jfif", ImageFormat::Jpeg, true),
            ("exif", ImageFormat::Jpeg, true),
            ("jpe", ImageFormat::Jpeg, false),
            ("tif", ImageFormat::Tiff, false),
            ("heif", ImageFormat::Heic, false),
            ("dib", ImageFormat::Bmp, false),
        ] {
            assert_eq!(ImageFormat::of_extension(extension), Some((format, is_listed)));
        }
        for other in ["", "svg", "avif", "pn", ".png"] {
            assert_eq!(ImageFormat::of_extension(other), None, "{other}");
        }
    }

    #[test]
    fn the_error_for_a_file_of_another_format_says_what_to_do() {
        let texts = [
            (&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], "SVG is not accepted"),
            (b"\xef\xbb\xbf\r\n <svg/>", "SVG is not accepted"),
            (b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg/>", "SVG is not accepted"),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "AVIF is not accepted"),
            (b"\0\0\0\x18ftypavis\0\0\0\0msf1avis", "AVIF is not accepted"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF is not accepted"),
            (b"\0\0\0\x14ftypmif1\0\0\0\0mif1avif", "the file begins with `"),
            (b"<?xml version=\"1.0\"?><html/>", "the file begins with `<?xml version=\\\""),
            (b"<html><svg/></html>", "the file begins with `<html><svg/></ht` and is not a PNG, "),
            (b"%PDF-1.7", "the file begins with `%PDF-1.7` and is not a PNG, "),
        ];
        for (bytes, start) in texts {
            let text = Image::new(bytes).unwrap_err().to_string();
            assert!(text.starts_with(start), "{text}");
            assert!(text.ends_with(": convert the image to PNG or JPEG"), "{text}");
        }
    }
}
