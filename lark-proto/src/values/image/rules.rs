//! The formats, sizes and resolutions of images that an endpoint accepts, and the check against them.

use super::Image;
use super::format::ImageFormat::{self, Bmp, Bpg, Gif, Heic, Ico, Jpeg, Png, Tiff, Webp};
use super::format::unknown_format;
#[cfg(feature = "imagesize")]
use super::resolution;
use crate::error::{Invalid, InvalidKind};

/// The formats, the size and the resolution that an image may have: the documented ones for a kind of image, or those
/// that the caller chooses. Only [`Image::check`] applies all of them. The constructors of requests check the
/// documented or default size, and [`WriteSheetImage`](crate::WriteSheetImage) also refuses ICO.
///
/// The resolution is checked with the feature `imagesize` only. Without that feature every resolution is accepted.
///
/// ```
/// use lark_proto::values::ImageRules;
/// use lark_proto::Image;
///
/// // 2001 x 1 pixels
/// let gif = Image::new(&b"GIF89a\xd1\x07\x01\0\0\0\0;"[..])?;
/// gif.check(&ImageRules::CELL)?;
/// # #[cfg(feature = "imagesize")] {
/// let error = gif.check(&ImageRules::MESSAGE).unwrap_err();
/// let text = "the image has too many pixels: 2000 x 2000 at most, \
///             this GIF has 2001 x 1";
/// assert_eq!(error.to_string(), text);
/// # }
/// let small = ImageRules::CELL.with_max_bytes(10);
/// assert!(gif.check(&small).is_err());
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageRules {
    /// `None` accepts every format, including those that this crate does not know.
    formats: Option<&'static [ImageFormat]>,
    max_bytes: MaxBytes,
    max_pixels: (u32, u32),
    max_gif_pixels: (u32, u32),
}

/// The maximum size of an image in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MaxBytes {
    /// A limit that [`Image::with_max_bytes`] does not change.
    Fixed(u64),
    /// A default of this crate, which [`Image::with_max_bytes`] replaces.
    Default(u64),
}

const UNLIMITED: (u32, u32) = (u32::MAX, u32::MAX);

impl ImageRules {
    /// The maximum size of an upload in bytes, for messages and avatars alike.
    pub(crate) const UPLOAD_MAX_BYTES: u64 = 10 * 1024 * 1024;
    /// This crate's default for the maximum size of a cell's image in bytes.
    pub(crate) const CELL_MAX_BYTES: u64 = 20 * 1024 * 1024;

    /// Any format, size and resolution: the starting point for rules that the caller chooses.
    pub const ANY: Self = Self {
        formats: None,
        max_bytes: MaxBytes::Fixed(u64::MAX),
        max_pixels: UNLIMITED,
        max_gif_pixels: UNLIMITED,
    };

    /// An image for messages: JPEG, PNG, WEBP, GIF, BMP, ICO, TIFF or HEIC with at most 10 MiB. A GIF has at most
    /// 2000 x 2000 pixels, any other image at most 12000 x 12000.
    ///
    /// Documentation: <https://open.feishu.cn/document/server-docs/im-v1/image/create>. Lark's edition of this page
    /// does not list HEIC. These are the rules of [`CreateImage`](crate::CreateImage); the page of the older
    /// [`PutImage`](crate::PutImage) names the size only.
    pub const MESSAGE: Self = Self {
        formats: Some(&[Jpeg, Png, Webp, Gif, Bmp, Ico, Tiff, Heic]),
        max_bytes: MaxBytes::Fixed(Self::UPLOAD_MAX_BYTES),
        max_pixels: (12_000, 12_000),
        max_gif_pixels: (2_000, 2_000),
    };

    /// An image as an avatar: as for [messages](Self::MESSAGE), but with at most 4096 x 4096 pixels, and 2000 x 2000
    /// for a GIF.
    ///
    /// The vendor's page does not say which of the two limits a GIF as an avatar has; this crate takes the lower one.
    pub const AVATAR: Self = Self::MESSAGE.with_max_pixels(4_096, 4_096);

    /// An image in a spreadsheet's cell: PNG, JPEG, GIF, BMP, TIFF, BPG, WEBP or HEIC. The vendor documents neither a
    /// resolution nor a size, so every resolution is accepted, and the maximum size is that of
    /// [`WriteSheetImage`](crate::WriteSheetImage): [`DEFAULT_MAX_BYTES`](crate::WriteSheetImage::DEFAULT_MAX_BYTES) or
    /// the image's own [`with_max_bytes`](Image::with_max_bytes).
    ///
    /// Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/uUDNxYjL1QTM24SN0EjN>. Its newer edition does
    /// not list WEBP.
    pub const CELL: Self = Self {
        formats: Some(&[Png, Jpeg, Gif, Bmp, Tiff, Bpg, Webp, Heic]),
        max_bytes: MaxBytes::Default(Self::CELL_MAX_BYTES),
        ..Self::ANY
    };

    /// Accepts these formats only, such as PNG and JPEG.
    #[must_use]
    pub const fn with_formats(mut self, formats: &'static [ImageFormat]) -> Self {
        self.formats = Some(formats);
        self
    }

    /// Lowers the maximum size of an image to `max_bytes`; a lower limit is kept. [`Image::with_max_bytes`] has no
    /// effect on the resulting rules.
    #[must_use]
    pub const fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        let (MaxBytes::Fixed(limit) | MaxBytes::Default(limit)) = self.max_bytes;
        self.max_bytes = MaxBytes::Fixed(if max_bytes < limit { max_bytes } else { limit });
        self
    }

    /// Lowers the maximum width and height of an image, for all formats; a lower limit, such as that of a GIF for
    /// messages, is kept.
    #[must_use]
    pub const fn with_max_pixels(mut self, width: u32, height: u32) -> Self {
        self.max_pixels = lower(self.max_pixels, (width, height));
        self.max_gif_pixels = lower(self.max_gif_pixels, (width, height));
        self
    }
}

const fn lower(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    (if a.0 < b.0 { a.0 } else { b.0 }, if a.1 < b.1 { a.1 } else { b.1 })
}

impl Image {
    /// Checks this image before it is sent: its format, its size and, with the feature `imagesize`, its resolution,
    /// which is read from the header of the file. The pixels are not decoded, an orientation in Exif data is not
    /// applied, and the padding of a HEIC file is included.
    ///
    /// If the rules limit the resolution and it cannot be read, the image is refused: its header is damaged, or is a
    /// variant that the crate imagesize does not know. The resolution is not checked for BPG and for formats that this
    /// crate does not know.
    ///
    /// # Errors
    /// [`InvalidKind::UnknownImageFormat`], [`InvalidKind::FormatNotAccepted`], [`InvalidKind::ImageTooLarge`],
    /// [`InvalidKind::TooManyPixels`], [`InvalidKind::UnreadableResolution`].
    pub fn check(&self, rules: &ImageRules) -> Result<(), Invalid> {
        if let Some(formats) = rules.formats {
            let format = self.format().ok_or_else(|| unknown_format(self.bytes()))?;
            if !formats.contains(&format) {
                return Err(Invalid::new(InvalidKind::FormatNotAccepted, format.name()));
            }
        }
        let limit = match rules.max_bytes {
            MaxBytes::Fixed(limit) => limit,
            MaxBytes::Default(limit) => self.max_bytes().unwrap_or(limit),
        };
        self.is_at_most(limit)?;
        #[cfg(feature = "imagesize")]
        if let Some(format) = self.format() {
            rules.check_resolution(format, self.bytes())?;
        }
        Ok(())
    }
}

#[cfg(feature = "imagesize")]
impl ImageRules {
    fn check_resolution(&self, format: ImageFormat, bytes: &[u8]) -> Result<(), Invalid> {
        let max = if format == Gif { self.max_gif_pixels } else { self.max_pixels };
        if max == UNLIMITED || format == Bpg {
            return Ok(());
        }
        let Some((width, height)) = resolution::read(format, bytes) else {
            return Err(Invalid::new(InvalidKind::UnreadableResolution, format.name()));
        };
        let (max_width, max_height) = max;
        if width > max_width || height > max_height {
            let name = format.name();
            let limit = format!("{max_width} x {max_height} at most");
            let part = format!("{limit}, this {name} has {width} x {height}");
            return Err(Invalid::new(InvalidKind::TooManyPixels, part));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::image_files::*;

    fn check(bytes: impl Into<bytes::Bytes>, rules: &ImageRules) -> Result<(), Invalid> {
        Image::any_format(bytes, "bin").unwrap().check(rules)
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn the_resolution_of_every_format_has_the_limits_of_the_page() {
        type Side = fn(u32) -> Vec<u8>;
        let formats: [(&str, Side); 20] = [
            ("PNG", |side| png(side, 1)),
            ("PNG", |side| png(1, side)),
            ("JPEG", |side| jpeg(short(side), 1)),
            ("JPEG", |side| jpeg(1, short(side))),
            ("WEBP", |side| webp_lossy(short(side), 1)),
            ("WEBP", |side| webp_lossy(1, short(side))),
            ("WEBP", |side| webp_lossless(side, 1)),
            ("WEBP", |side| webp_lossless(1, side)),
            ("WEBP", |side| webp_extended(side, 1)),
            ("WEBP", |side| webp_extended(1, side)),
            ("BMP", |side| bmp(side.try_into().unwrap(), -1)),
            ("BMP", |side| bmp(1, side.try_into().unwrap())),
            ("BMP", |side| bmp(1, -i32::try_from(side).unwrap())),
            ("BMP", |side| old_bmp(short(side), 1)),
            ("BMP", |side| old_bmp(1, short(side))),
            ("TIFF", |side| tiff(false, short(side), 1)),
            ("TIFF", |side| tiff(true, 1, side)),
            ("HEIC", |side| heic(side, 1)),
            ("HEIC", |side| heic(1, side)),
            ("GIF", |side| gif(short(side), 1)),
        ];
        for (at, (name, file)) in formats.into_iter().enumerate() {
            let (message, avatar) = if name == "GIF" { (2_000, 2_000) } else { (12_000, 4_096) };
            for (rules, max) in [(ImageRules::MESSAGE, message), (ImageRules::AVATAR, avatar)] {
                assert_eq!(check(file(max), &rules), Ok(()), "{at}: {name}");
                let error = check(file(max + 1), &rules).unwrap_err();
                assert_eq!(error.kind(), InvalidKind::TooManyPixels, "{at}: {name}");
                let text = error.to_string();
                let limit = format!("pixels: {max} x {max} at most, this {name} has ");
                assert!(text.contains(&limit) && text.contains(&(max + 1).to_string()), "{text}");
            }
            assert_eq!(check(file(12_001), &ImageRules::CELL), Ok(()), "{at}: {name}");
        }
    }

    #[test]
    fn each_kind_of_image_has_the_formats_of_its_page() {
        use InvalidKind::{FormatNotAccepted, UnknownImageFormat};
        let bpg = || b"BPG\xfb\0\0\0\0\0\0\0\0".to_vec();
        let svg = || b"<?xml version='1.0'?>\n<svg width='1' height='1'/>".to_vec();
        let avif = || boxed(b"ftyp", b"avif\0\0\0\0mif1avif");
        for (file, message, cell, any) in [
            (png(1, 1), Ok(()), Ok(()), Ok(())),
            (jpeg(1, 1), Ok(()), Ok(()), Ok(())),
            (gif(1, 1), Ok(()), Ok(()), Ok(())),
            (bmp(1, 1), Ok(()), Ok(()), Ok(())),
            (tiff(true, 1, 1), Ok(()), Ok(()), Ok(())),
            (webp_lossless(1, 1), Ok(()), Ok(()), Ok(())),
            (heic(1, 1), Ok(()), Ok(()), Ok(())),
            (ico(1), Ok(()), Err(FormatNotAccepted), Ok(())),
            (bpg(), Err(FormatNotAccepted), Ok(()), Ok(())),
            (svg(), Err(FormatNotAccepted), Err(FormatNotAccepted), Ok(())),
            (avif(), Err(FormatNotAccepted), Err(FormatNotAccepted), Ok(())),
            (b"<html>".to_vec(), Err(UnknownImageFormat), Err(UnknownImageFormat), Ok(())),
        ] {
            let kind = |rules| check(file.clone(), &rules).map_err(|error| error.kind());
            let shown = file.escape_ascii();
            assert_eq!(kind(ImageRules::MESSAGE), message, "{shown}");
            assert_eq!(kind(ImageRules::AVATAR), message, "{shown}");
            assert_eq!(kind(ImageRules::CELL), cell, "{shown}");
            assert_eq!(kind(ImageRules::ANY.with_max_pixels(1, 1)), any, "{shown}");
        }
        let text = |file: Vec<u8>| check(file, &ImageRules::MESSAGE).unwrap_err().to_string();
        assert_eq!(text(bpg()), "BPG is not accepted: convert the image to PNG or JPEG");
        assert_eq!(text(svg()), "SVG is not accepted: convert the image to PNG or JPEG");
        assert_eq!(text(avif()), "AVIF is not accepted: convert the image to PNG or JPEG");
    }

    #[test]
    fn each_kind_of_image_has_the_size_of_its_endpoint() {
        let mut file = png(1, 1);
        file.resize(21 << 20, 0);
        let file = bytes::Bytes::from(file);
        let image = |len: u64| Image::new(file.slice(..usize::try_from(len).unwrap())).unwrap();
        let message = 10 << 20;
        let cell = 20 << 20;
        let lower = ImageRules::CELL.with_max_bytes(100);
        for (image, rules, accepted) in [
            (image(message), ImageRules::MESSAGE, true),
            (image(message + 1), ImageRules::MESSAGE, false),
            (image(message + 1).with_max_bytes(cell), ImageRules::MESSAGE, false),
            (image(message), ImageRules::AVATAR, true),
            (image(message + 1), ImageRules::AVATAR, false),
            (image(cell), ImageRules::CELL, true),
            (image(cell + 1), ImageRules::CELL, false),
            (image(cell + 1).with_max_bytes(cell + 1), ImageRules::CELL, true),
            (image(100).with_max_bytes(99), ImageRules::CELL, false),
            (image(100), lower, true),
            (image(101), lower, false),
            (image(101).with_max_bytes(101), lower, false),
            (image(message + 1), ImageRules::MESSAGE.with_max_bytes(u64::MAX), false),
            (image(cell + 1), ImageRules::ANY, true),
        ] {
            let found = image.check(&rules).map_err(|error| error.kind());
            let expected = if accepted { Ok(()) } else { Err(InvalidKind::ImageTooLarge) };
            assert_eq!(found, expected, "{image:?} {rules:?}");
        }
        let error = image(101).check(&lower).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the image is too large: 100 bytes at most, this has 101 bytes"
        );
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn the_caller_can_only_lower_a_limit() {
        let few = &[Png, Gif];
        let banner = ImageRules::MESSAGE.with_formats(few).with_max_pixels(3_000, 100);
        for (file, rules, expected) in [
            (png(3_000, 100), banner, Ok(())),
            (png(3_001, 100), banner, Err(InvalidKind::TooManyPixels)),
            (png(3_000, 101), banner, Err(InvalidKind::TooManyPixels)),
            (gif(2_000, 100), banner, Ok(())),
            (gif(2_001, 100), banner, Err(InvalidKind::TooManyPixels)),
            (gif(2_000, 101), banner, Err(InvalidKind::TooManyPixels)),
            (jpeg(1, 1), banner, Err(InvalidKind::FormatNotAccepted)),
            (
                png(12_001, 1),
                ImageRules::MESSAGE.with_max_pixels(20_000, 20_000),
                Err(InvalidKind::TooManyPixels),
            ),
            (ico(0), ImageRules::ANY.with_max_pixels(256, 256), Ok(())),
            (ico(0), ImageRules::ANY.with_max_pixels(255, 255), Err(InvalidKind::TooManyPixels)),
        ] {
            let found = check(file.clone(), &rules).map_err(|error| error.kind());
            assert_eq!(found, expected, "{} {rules:?}", file.escape_ascii());
        }
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn a_resolution_that_cannot_be_read_is_refused_where_it_has_a_limit() {
        let first = |file: Vec<u8>, len: usize| file[..len].to_vec();
        for file in [
            first(png(1, 1), 20),
            first(gif(1, 1), 8),
            first(jpeg(1, 1), 24),
            first(webp_lossy(1, 1), 26),
            first(bmp(1, 1), 25),
            first(tiff(false, 1, 1), 20),
            first(heic(1, 1), 60),
            first(heic(1, 1), heic(1, 1).len() - 1),
            first(ico(1), 6),
            png(0, 1),
            gif(1, 0),
            bmp(1, 0),
        ] {
            let shown = file.escape_ascii().to_string();
            let error = check(file.clone(), &ImageRules::MESSAGE).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::UnreadableResolution, "{shown}");
            if Image::new(file.clone()).unwrap().format() != Some(Ico) {
                assert_eq!(check(file, &ImageRules::CELL), Ok(()), "{shown}");
            }
        }
        let error = check(first(png(1, 1), 20), &ImageRules::AVATAR).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the resolution of the PNG file cannot be read: write the file again as PNG or JPEG"
        );
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn a_resolution_of_more_pixels_than_32_bits_count_is_refused() {
        for (width, height) in [(65_536, 65_536), (2, 1 << 31), (u32::MAX, u32::MAX)] {
            let error = check(heic(width, height), &ImageRules::MESSAGE).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::TooManyPixels);
            assert!(error.to_string().contains(&format!("has {width} x {height}")), "{error}");
        }
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn pixels_that_look_like_a_resolution_do_not_count() {
        let file = heic(1, 1);
        let (brands, metadata) = file.split_at(24);
        let to_the_end = [&[0; 4], &metadata[4..]].concat();
        let pixels = boxed(b"mdat", &[&b"ispe"[..], &[0xff; 240]].concat());
        for file in [
            [&file, &pixels[..]].concat(),
            [brands, &pixels, metadata].concat(),
            [brands, &pixels, &to_the_end].concat(),
        ] {
            assert_eq!(check(file, &ImageRules::MESSAGE), Ok(()));
        }
    }

    #[cfg(feature = "imagesize")]
    #[test]
    fn the_check_does_not_panic_on_a_damaged_header() {
        let files = [
            png(9, 9),
            gif(9, 9),
            jpeg(9, 9),
            webp_lossy(9, 9),
            webp_lossless(9, 9),
            webp_extended(9, 9),
            bmp(9, 9),
            old_bmp(9, 9),
            tiff(false, 9, 9),
            tiff(true, 9, 9),
            heic(9, 9),
            ico(9),
        ];
        for file in files {
            for at in 0..file.len() {
                for byte in [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff] {
                    let mut damaged = file.clone();
                    damaged[at] = byte;
                    let _ = check(damaged, &ImageRules::MESSAGE);
                }
                let _ = check([&file[..at], &[0xff; 64]].concat(), &ImageRules::MESSAGE);
                if at > 0 {
                    let _ = check(file[..at].to_vec(), &ImageRules::MESSAGE);
                }
            }
        }
    }
}
