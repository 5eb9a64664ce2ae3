//! An image, its format, and the check against the rules of an endpoint.

mod format;
#[cfg(any(feature = "fake", feature = "imagesize"))]
pub(crate) mod resolution;
mod rules;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use format::unknown_format;

use crate::error::{Invalid, InvalidKind};

pub use format::ImageFormat;
pub use rules::ImageRules;

/// The bytes of an image file, at least one, and its format.
///
/// The format is read from the first bytes and not from a file name. [`Image::new`] accepts the formats that Lark
/// lists. [`Image::any_format`] accepts every other format, with the extension of its files. Each image therefore has
/// an [extension](Image::extension), and the file name in a request ends in it or in another spelling of it, such as
/// `jpeg` for `jpg`. The rest of the file is not read, so a file that is damaged after its first bytes is accepted.
///
/// A clone shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
#[doc(alias = "图片")]
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

    /// An image of any format, for a format that this crate does not know.
    ///
    /// `extension` is the extension of files of this format without the dot, such as `avif`. It is converted to lower
    /// case. The service reads the format from the extension of the file name, so an image is never sent without one:
    /// the default name is `image` with the extension. If the first bytes are those of a known format, that format's
    /// extension is used instead.
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

    /// The format; `None` for an image of [any format](Self::any_format) whose first bytes this crate does not know.
    #[must_use]
    pub fn format(&self) -> Option<ImageFormat> {
        self.format
    }

    /// The extension of the image's file name, without the dot.
    #[must_use]
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Sets the maximum size of this image in bytes, instead of this crate's default.
    /// [`WriteSheetImage`](crate::WriteSheetImage), for which the vendor documents no limit, refuses a larger image. A
    /// documented limit, such as that of [`PutImage`](crate::PutImage), does not change.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    pub(crate) fn max_bytes(&self) -> Option<u64> {
        self.max_bytes
    }

    /// The format's media type; `application/octet-stream` if the format is not known.
    pub(crate) fn media_type(&self) -> &'static str {
        self.format.map_or("application/octet-stream", ImageFormat::media_type)
    }

    /// This image, if it has at most `limit` bytes. Its own limit is removed, so that two values that send the same
    /// request are equal.
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

/// A size for an error text: `20 MiB`, `23.4 MiB`, or in bytes below 1 MiB. Tenths are rounded up, so that a size above
/// the limit is also shown as a larger number.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_refused() {
        for empty in [Image::new(""), Image::any_format("", "png")] {
            assert_eq!(empty.unwrap_err().kind(), InvalidKind::EmptyImage);
        }
    }

    #[test]
    fn an_image_shows_its_format_and_length_and_no_byte() {
        let image = Image::new("GIF89a..").unwrap();
        assert_eq!(format!("{image:?}"), "Image(Some(Gif), 8 bytes)");
    }

    #[test]
    fn a_size_is_shown_in_bytes_or_in_tenths_of_a_mebibyte_rounded_up() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            ((1 << 20) - 1, "1048575 bytes"),
            (1 << 20, "1 MiB"),
            ((1 << 20) + 1, "1.1 MiB"),
            (10 << 20, "10 MiB"),
            (24_536_678, "23.4 MiB"),
            ((20 << 20) - 1, "20 MiB"),
            (u64::MAX, "17592186044416 MiB"),
        ] {
            assert_eq!(mebibytes(bytes), shown);
        }
    }
}
