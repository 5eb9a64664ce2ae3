//! The name that an image gets in a cell.

use crate::error::{Invalid, Rule};
use crate::text::misleads;
use crate::values::{Image, ImageFormat};

/// A file name whose suffix says the image's real format: the service reads the format from the name,
/// and answers one without a suffix with 90204 "Image format is unknown".
///
/// A missing suffix is added and a wrong one is corrected, silently: `photo` and `photo.jpg` with a PNG
/// inside both become `photo.png`. A suffix that is no image format's is part of the name:
/// `v1.2` becomes `v1.2.png`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The name `name` for `image`, with the right suffix. White space around it is dropped.
    ///
    /// The name of an unchecked image whose format is not known keeps the suffix it has.
    ///
    /// # Errors
    /// [`Rule::EmptyName`], [`Rule::LongName`], [`Rule::NameCharacter`], and, for an unchecked image,
    /// [`Rule::NameWithoutSuffix`].
    ///
    /// ```
    /// use lark_proto::{FileName, Image};
    /// let gif = Image::new("GIF89a..")?;
    /// for name in ["测试", "测试.gif", "测试.png", "测试."] {
    ///     assert_eq!(FileName::new(name, &gif)?.as_str(), "测试.gif");
    /// }
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    pub fn new(name: &str, image: &Image) -> Result<Self, Invalid> {
        let refused = |rule| Err(Invalid::new(rule, name));
        if name.contains(|c: char| c.is_control() || misleads(c) || c == '/' || c == '\\') {
            return refused(Rule::NameCharacter);
        }
        let name = name.trim();
        let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
        let name = match (image.format(), ImageFormat::of_suffix(suffix)) {
            (Some(format), Some((promised, true))) if promised == format => name.to_owned(),
            (Some(format), Some(_)) => format!("{stem}.{}", format.suffix()),
            (Some(format), None) if suffix.is_empty() => format!("{stem}.{}", format.suffix()),
            (Some(format), None) => format!("{name}.{}", format.suffix()),
            (None, _) if suffix.is_empty() => return refused(Rule::NameWithoutSuffix),
            (None, _) => name.to_owned(),
        };
        let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
        if stem.trim_matches(|c: char| c == '.' || c.is_whitespace()).is_empty() {
            return refused(Rule::EmptyName);
        }
        if name.len() > 255 {
            return refused(Rule::LongName);
        }
        Ok(Self(name))
    }

    /// `image.png`, after the image's format; `image.bin` for one that is not known, which an upload takes and
    /// a cell does not.
    pub(crate) fn default_for(image: &Image) -> Self {
        Self(format!("image.{}", image.format().map_or("bin", ImageFormat::suffix)))
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
    fn the_suffix_says_the_format() {
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
            ("", Rule::EmptyName),
            (" \u{3000}", Rule::EmptyName),
            (".png", Rule::EmptyName),
            ("..", Rule::EmptyName),
            (". .jpg", Rule::EmptyName),
            ("a/b.png", Rule::NameCharacter),
            ("..\\b.png", Rule::NameCharacter),
            ("a\r\nb.png", Rule::NameCharacter),
            ("a\0.png", Rule::NameCharacter),
            ("a\u{202e}gnp.exe", Rule::NameCharacter),
            ("\n", Rule::NameCharacter),
            (&"a".repeat(252), Rule::LongName),
        ] {
            assert_eq!(FileName::new(name, &png).expect_err(name).rule(), rule, "{name:?}");
        }
        assert_eq!(FileName::new(&"a".repeat(251), &png).unwrap().as_str().len(), 255);
    }

    #[test]
    fn an_unchecked_image_keeps_its_suffix() {
        let avif = Image::unchecked("....ftypavif").unwrap();
        assert_eq!(FileName::new("a.avif", &avif).unwrap().as_str(), "a.avif");
        for name in ["a", "a.", "a. "] {
            assert_eq!(FileName::new(name, &avif).unwrap_err().rule(), Rule::NameWithoutSuffix);
        }
    }
}
