//! An image, and its format, which its first bytes tell.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::error::{Invalid, InvalidKind};

/// The bytes of an image file, at least one, and its format.
///
/// The format comes from the first bytes, not from a file name: [`Image::new`] takes the formats that Lark lists, and
/// [`Image::any_format`] takes every other one with the extension of its files. Each image therefore has an
/// [extension](Image::extension), and is sent with a file name that ends in this one or in another spelling of it, such
/// as `jpeg` for `jpg`. The rest of the file is not read, so a file that is damaged after its first bytes is accepted
/// here.
///
/// A clone shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Image {
    bytes: Bytes,
    format: Option<ImageFormat>,
    extension: Cow<'static, str>,
    max_bytes: Option<u64>,
}

impl Image {
    /// An image in one of the formats that Lark lists, see [`ImageFormat`].
    ///
    /// # Errors
    /// [`InvalidKind::EmptyImage`], [`InvalidKind::UnknownImageFormat`]; [`InvalidKind::FormatNotAccepted`] for SVG and
    /// AVIF, which Lark does not list.
    ///
    /// ```
    /// use lark_proto::Image;
    /// use lark_proto::values::ImageFormat;
    /// let image = Image::new(&b"GIF89a\x01\0\x01\0\0\0\0;"[..])?;
    /// assert_eq!(image.format(), Some(ImageFormat::Gif));
    /// assert!(Image::new(&b"<html>"[..]).is_err());
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Invalid> {
        let bytes = not_empty(bytes.into())?;
        let format = ImageFormat::sniff(&bytes).ok_or_else(|| unknown_format(&bytes))?;
        Ok(Self {
            bytes,
            format: Some(format),
            extension: format.extension().into(),
            max_bytes: None,
        })
    }

    /// An image of any format, such as one that the service accepts and this crate does not know.
    ///
    /// The `extension` is the one that files of this format have, such as `avif`, without the dot; its letters become
    /// lower case. The service reads the format from the file name's extension, so the image is never sent without one:
    /// its default name is `image` with the extension. An extension that contradicts the first bytes is ignored.
    ///
    /// # Errors
    /// [`InvalidKind::EmptyImage`], [`InvalidKind::BadExtension`].
    ///
    /// ```
    /// use lark_proto::Image;
    /// let image = Image::any_format("....ftypavif", "avif")?;
    /// assert_eq!((image.format(), image.extension()), (None, "avif"));
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    pub fn any_format(bytes: impl Into<Bytes>, extension: &str) -> Result<Self, Invalid> {
        let bytes = not_empty(bytes.into())?;
        let is_extension = (1..=16).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_extension {
            return Err(Invalid::new(InvalidKind::BadExtension, extension));
        }
        let format = ImageFormat::sniff(&bytes);
        let extension = match format {
            Some(format) => format.extension().into(),
            None => extension.to_ascii_lowercase().into(),
        };
        Ok(Self { bytes, format, extension, max_bytes: None })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The format; `None` for an image of [any format](Self::any_format) whose first bytes are not known here.
    #[must_use]
    pub fn format(&self) -> Option<ImageFormat> {
        self.format
    }

    /// The extension of the image's file name, without the dot.
    #[must_use]
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Sets how many bytes this image may have at an endpoint for which the vendor documents no limit, in place of this
    /// crate's default: [`WriteSheetImage`](crate::WriteSheetImage) refuses a larger image. A documented limit, such as
    /// that of [`PutImage`](crate::PutImage), stays as it is.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    pub(crate) fn max_bytes(&self) -> Option<u64> {
        self.max_bytes
    }

    /// The format's media type; `application/octet-stream` where the format is not known.
    pub(crate) fn media_type(&self) -> &'static str {
        self.format.map_or("application/octet-stream", ImageFormat::media_type)
    }

    /// This image if it has at most `limit` bytes, without its own limit, so that equal requests are equal.
    pub(crate) fn at_most(self, limit: u64) -> Result<Self, Invalid> {
        self.is_at_most(limit)?;
        Ok(Self { max_bytes: None, ..self })
    }

    /// Refuses an image of more than `limit` bytes.
    pub(super) fn is_at_most(&self, limit: u64) -> Result<(), Invalid> {
        let len = self.bytes.len() as u64;
        if len > limit {
            let part = format!("{} at most, this has {}", mebibytes(limit), mebibytes(len));
            return Err(Invalid::new(InvalidKind::ImageTooLarge, part));
        }
        Ok(())
    }
}

fn not_empty(bytes: Bytes) -> Result<Bytes, Invalid> {
    if bytes.is_empty() {
        return Err(Invalid::new(InvalidKind::EmptyImage, ""));
    }
    Ok(bytes)
}

/// The error for a file in none of the formats that Lark lists: by name where its first bytes tell the name.
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

/// Whether a text begins with the element `svg`, or is XML with such an element near its beginning.
fn is_svg(bytes: &[u8]) -> bool {
    let text = bytes.get(..1024).unwrap_or(bytes);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let is_xml = text.starts_with(b"<?xml") && memchr::memmem::find(text, b"<svg").is_some();
    text.starts_with(b"<svg") || is_xml
}

/// A number of bytes for a person to read: `20 MiB`, `23.4 MiB`, or in bytes below 1 MiB. Tenths are rounded up, so
/// that a size above a limit is also shown above it.
fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1024 * 1024;
    if bytes < MEBIBYTE {
        return format!("{bytes} bytes");
    }
    let tenths = (bytes / MEBIBYTE) * 10 + (bytes % MEBIBYTE * 10).div_ceil(MEBIBYTE);
    match tenths % 10 {
        0 => format!("{} MiB", tenths / 10),
        tenth => format!("{}.{tenth} MiB", tenths / 10),
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({:?}, {} bytes)", self.format, self.bytes.len())
    }
}

/// The image formats that Lark lists. Not every endpoint takes all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG, with a JFIF, an Exif or no header.
    Jpeg,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF, of either byte order.
    Tiff,
    /// Better Portable Graphics.
    Bpg,
    /// WebP.
    Webp,
    /// HEIC: HEIF with HEVC inside.
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
            // The two letters are too common, so the size of the header has to be one of those in use.
            [b'B', b'M', _, _, _, _, _, _, _, _, _, _, _, _, header, 0, 0, 0, ..]
                if [12, 16, 40, 52, 56, 64, 108, 124].contains(header) =>
            {
                Self::Bmp
            }
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Self::Tiff,
            [b'B', b'P', b'G', 0xfb, ..] => Self::Bpg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Webp,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] if has_brand(bytes, is_hevc) => Self::Heic,
            // Reserved, type 1 (a cursor is 2), at least one image.
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

    /// The format that an extension stands for, and whether the service lists this spelling of it.
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

/// Whether a file begins with a `ftyp` box of a brand that `is_wanted`. The box has the major brand, its version, then
/// the compatible brands. The major brand `mif1` is used for HEIC and for AVIF, so one of the compatible brands
/// decides.
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

/// Whether a brand is that of HEIF with HEVC inside.
fn is_hevc(brand: &[u8]) -> bool {
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"]
        .iter()
        .any(|known| *known == brand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
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
            (bmp(40), Some(ImageFormat::Bmp)),
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
        for empty in [Image::new(""), Image::any_format("", "png")] {
            assert_eq!(empty.unwrap_err().kind(), InvalidKind::EmptyImage);
        }
    }

    #[test]
    fn a_file_of_no_listed_format_is_refused_with_what_to_do() {
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
