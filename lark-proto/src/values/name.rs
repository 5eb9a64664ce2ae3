//! The name that an image gets in a cell.

use crate::error::{Invalid, InvalidKind};
use crate::text::misleads;
use crate::values::{Image, ImageFormat};

/// A file name whose extension says the image's real format: the service reads the format from the name,
/// and answers one without an extension with 90204 "Image format is unknown".
///
/// A missing extension is added and a wrong one is corrected, silently: `photo` and `photo.jpg` with a PNG
/// inside both become `photo.png`. An extension that is no image format's is part of the name:
/// `v1.2` becomes `v1.2.png`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The name `name` for `image`, with the right extension. White space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidKind::EmptyFileName`], [`InvalidKind::LongFileName`], [`InvalidKind::BadFileNameCharacter`].
    ///
    /// ```
    /// use lark_proto::Image;
    /// use lark_proto::values::FileName;
    /// let gif = Image::new("GIF89a..")?;
    /// for name in ["测试", "测试.gif", "测试.png", "测试."] {
    ///     assert_eq!(FileName::new(name, &gif)?.as_str(), "测试.gif");
    /// }
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    pub fn new(name: &str, image: &Image) -> Result<Self, Invalid> {
        let refused = |rule| Err(Invalid::new(rule, name));
        if name.contains(|c: char| c.is_control() || misleads(c) || c == '/' || c == '\\') {
            return refused(InvalidKind::BadFileNameCharacter);
        }
        let name = name.trim();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let right = image.extension();
        let name = match (image.format(), ImageFormat::of_extension(extension)) {
            (Some(format), Some((promised, true))) if promised == format => name.to_owned(),
            _ if extension.eq_ignore_ascii_case(right) => name.to_owned(),
            (_, Some(_)) => format!("{stem}.{right}"),
            (_, None) if extension.is_empty() => format!("{stem}.{right}"),
            (_, None) => format!("{name}.{right}"),
        };
        let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
        if stem.trim_matches(|c: char| c == '.' || c.is_whitespace()).is_empty() {
            return refused(InvalidKind::EmptyFileName);
        }
        if name.len() > 255 {
            return refused(InvalidKind::LongFileName);
        }
        Ok(Self(name))
    }

    /// `image` with the image's extension, such as `image.png`.
    pub(crate) fn default_for(image: &Image) -> Self {
        Self(format!("image.{}", image.extension()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format() {
        let png = Image::new(&b"\x89PNG\r\n\x1a\n"[..]).unwrap();
        let jpeg = Image::new(&b"\xff\xd8\xff"[..]).unwrap();
        for (name, image, expected) in [
            ("test.png", &png, "test.png"),
            ("TEST.PNG", &png, "TEST.PNG"),
            ("test", &png, "test.png"),
            ("test.", &png, "test.png"),
            (" test.jpg ", &png, "test.png"),
            ("test.tar.gz", &png, "test.tar.gz.png"),
            ("v1.2", &png, "v1.2.png"),
            ("a.jpeg", &jpeg, "a.jpeg"),
            ("a.JFIF", &jpeg, "a.JFIF"),
            ("a.jpe", &jpeg, "a.jpg"),
            ("图 \"1\"", &jpeg, "图 \"1\".jpg"),
            (".hidden", &jpeg, ".hidden.jpg"),
        ] {
            assert_eq!(FileName::new(name, image).unwrap().as_str(), expected);
        }
        assert_eq!(FileName::default_for(&jpeg).as_str(), "image.jpg");
    }

    #[test]
    fn nonsense_is_refused_by_its_rule() {
        let png = Image::new(&b"\x89PNG\r\n\x1a\n"[..]).unwrap();
        for (name, rule) in [
            ("", InvalidKind::EmptyFileName),
            (" \u{3000}", InvalidKind::EmptyFileName),
            (".png", InvalidKind::EmptyFileName),
            ("..", InvalidKind::EmptyFileName),
            (". .jpg", InvalidKind::EmptyFileName),
            ("a/b.png", InvalidKind::BadFileNameCharacter),
            ("..\\b.png", InvalidKind::BadFileNameCharacter),
            ("a\r\nb.png", InvalidKind::BadFileNameCharacter),
            ("a\0.png", InvalidKind::BadFileNameCharacter),
            ("a\u{202e}gnp.exe", InvalidKind::BadFileNameCharacter),
            ("\n", InvalidKind::BadFileNameCharacter),
            (&"a".repeat(252), InvalidKind::LongFileName),
        ] {
            assert_eq!(FileName::new(name, &png).expect_err(name).kind(), rule, "{name:?}");
        }
        assert_eq!(FileName::new(&"a".repeat(251), &png).unwrap().as_str().len(), 255);
    }

    #[test]
    fn an_image_of_any_format_brings_its_extension() {
        let avif = Image::any_format("....ftypavif", "avif").unwrap();
        for (name, expected) in [
            ("a.avif", "a.avif"),
            ("a.AVIF", "a.AVIF"),
            ("a", "a.avif"),
            ("a.", "a.avif"),
            ("a.png", "a.avif"),
            ("v1.2", "v1.2.avif"),
        ] {
            assert_eq!(FileName::new(name, &avif).unwrap().as_str(), expected);
        }
        assert_eq!(FileName::default_for(&avif).as_str(), "image.avif");
        for bad in ["", ".png", "p ng", "图", &"x".repeat(17)] {
            let error = Image::any_format("....", bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadExtension, "{bad}");
        }
    }
}
