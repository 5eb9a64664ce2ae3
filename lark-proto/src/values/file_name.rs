//! The file name of an image.

use crate::error::{Invalid, InvalidKind};
use crate::text::{is_joiner, is_variation_selector, misleads};
use crate::values::macros::shown_traits;
use crate::values::{Image, ImageFormat};

/// A file name with the extension of the image's format. The service reads the format from the name, and refuses a name
/// without an extension with the code 90204, "Image format is unknown".
///
/// A missing extension is added, and that of another [`ImageFormat`] is replaced, without an error: for a PNG, `photo`
/// and `photo.jpg` both become `photo.png`. Any other extension is part of the name: `v1.2` becomes `v1.2.png`, and
/// `a.svg` becomes `a.svg.png`.
///
/// A name has 1 to 255 bytes. It has no `/`, no `\`, no control character, and no character that is invisible, looks
/// blank or changes the direction of the text. The invisible, blank and direction-changing characters are those of
/// Unicode's general categories Cf, Zl and Zp, those with the property `Default_Ignorable_Code_Point`, and a few more,
/// such as the blank pattern of Braille. Two kinds of them occur in ordinary words, so they are allowed inside a name:
/// the joiners U+200C and U+200D (Persian, Indic scripts, joined emoji), and the variation selectors (emoji in colour,
/// ideographs in Japanese names, Mongolian).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// The maximum length of a name in bytes, which is that of most file systems.
const MAX_BYTES: usize = 255;
/// The longest extension that a name keeps when it is cut, in bytes.
const LONGEST_EXTENSION: usize = 16;

impl FileName {
    /// `name` with the extension for `image`. Spaces around it are removed; a line break or another control character
    /// there is refused, as anywhere in the name.
    ///
    /// [`FileName::lossy`] is for a name that must not cause an error, such as the name of an uploaded file.
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
        let bad_character = |part: String| Invalid::new(InvalidKind::BadFileNameCharacter, part);
        if let Some(c) = name.chars().find(|c| is_refused(*c)) {
            return Err(bad_character(describe(c)));
        }
        let (stem, extension) = split(name.trim(), image);
        if is_blank(stem) {
            return Err(Invalid::new(InvalidKind::EmptyFileName, name));
        }
        if let Some(c) = stem.chars().next().filter(|c| is_joiner(*c) || is_variation_selector(*c))
        {
            return Err(bad_character(format!("U+{:04X} at its start", u32::from(c))));
        }
        if let Some(c) = stem.chars().next_back().filter(|c| is_joiner(*c)) {
            return Err(bad_character(format!("U+{:04X} before its extension", u32::from(c))));
        }
        let name = format!("{stem}.{extension}");
        if name.len() > MAX_BYTES {
            return Err(Invalid::new(InvalidKind::LongFileName, name.len().to_string()));
        }
        Ok(Self(name))
    }

    /// A name for `image` from any text, such as a path or the file name that a browser sends with an upload. The
    /// result is that of [`FileName::new`] if it accepts the text, unless Windows reserves the name for a device
    /// (`CON`, `NUL`, `COM1`).
    ///
    /// Only the last part of a path is used. Control characters, U+2028 and U+2029 become spaces, and the other
    /// characters that are not allowed are removed. A name of more than 255 bytes is cut between characters before its
    /// extension. If the result is empty or the name of a device, the name is `image` with the image's extension.
    ///
    /// ```
    /// use lark_proto::Image;
    /// use lark_proto::values::FileName;
    /// let gif = Image::new("GIF89a..")?;
    /// for (text, name) in [
    ///     ("C:\\fakepath\\a.gif", "a.gif"),
    ///     ("/home/x/a.jpg", "a.gif"),
    ///     (".png", "image.gif"),
    ///     ("", "image.gif"),
    /// ] {
    ///     assert_eq!(FileName::lossy(text, &gif).as_str(), name);
    /// }
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    #[must_use]
    pub fn lossy(text: &str, image: &Image) -> Self {
        let name = last_part(text);
        let (stem, extension) = split(name.trim(), image);
        let stem = stem.trim_start_matches(|c: char| {
            c.is_whitespace() || is_joiner(c) || is_variation_selector(c)
        });
        let room = MAX_BYTES.saturating_sub(".".len() + extension.len());
        let stem = cut(stem, room).trim_end_matches(is_joiner);
        if is_blank(stem) || is_device(stem) {
            return Self::default_for(image);
        }
        Self(format!("{stem}.{extension}"))
    }

    /// A name of at most 255 bytes under which a file can be stored on any system, from a name that a server sends. It
    /// is the last part of a path, without the characters that are not allowed in a name, with `_` for the characters
    /// that Windows does not allow, and without dots and spaces around it. The result is `None` if nothing is left or
    /// the name is that of a Windows device.
    pub(crate) fn storable(text: &str) -> Option<String> {
        let is_edge = |c: char| c == '.' || c.is_whitespace() || is_joiner(c);
        let name = last_part(text).replace([':', '*', '?', '"', '<', '>', '|'], "_");
        let name = name.trim_start_matches(|c| is_edge(c) || is_variation_selector(c));
        let name = name.trim_end_matches(is_edge);
        if name.is_empty() || is_device(name) {
            return None;
        }
        if name.len() <= MAX_BYTES {
            return Some(name.to_owned());
        }
        let dot = name.rfind('.').filter(|dot| name.len() - dot <= 1 + LONGEST_EXTENSION);
        let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
        let stem = cut(stem, MAX_BYTES.saturating_sub(extension.len())).trim_end_matches(is_edge);
        if stem.is_empty() || is_device(stem) { None } else { Some(format!("{stem}{extension}")) }
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

shown_traits!(FileName);

/// The last part of a path, with spaces for control characters, U+2028 and U+2029, and without the other characters
/// that are not allowed.
fn last_part(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).find(|part| !part.trim().is_empty());
    let replaced = |c: char| match c {
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => Some(' '),
        c if misleads(c) => None,
        c => Some(c),
    };
    last.unwrap_or_default().chars().filter_map(replaced).collect()
}

/// Splits `name` into its stem and an extension for `image`. The extension of `name` is kept if it is one of the
/// image's format. An extension of no image format is a part of the stem.
fn split<'a>(name: &'a str, image: &'a Image) -> (&'a str, &'a str) {
    let right = image.extension();
    let Some((stem, extension)) = name.rsplit_once('.') else { return (name, right) };
    match (image.format(), ImageFormat::of_extension(extension)) {
        (Some(format), Some((promised, true))) if promised == format => (stem, extension),
        _ if extension.eq_ignore_ascii_case(right) => (stem, extension),
        (_, Some(_)) => (stem, right),
        _ if extension.is_empty() => (stem, right),
        _ => (name, right),
    }
}

/// Whether `c` is not allowed in a name.
fn is_refused(c: char) -> bool {
    c == '/' || c == '\\' || c.is_control() || misleads(c)
}

/// A refused character as an error quotes it.
fn describe(c: char) -> String {
    if c == '/' || c == '\\' {
        return format!("`{c}`");
    }
    let kind =
        if c.is_control() { "a control character" } else { "an invisible or formatting character" };
    format!("U+{:04X} ({kind})", u32::from(c))
}

/// Whether `stem` has only dots, spaces, joiners and variation selectors, which are not visible alone.
fn is_blank(stem: &str) -> bool {
    let is_seen =
        |c: char| c != '.' && !c.is_whitespace() && !is_joiner(c) && !is_variation_selector(c);
    !stem.contains(is_seen)
}

/// Whether Windows reserves the name for a device. The extension does not matter.
fn is_device(stem: &str) -> bool {
    let name = stem.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let port = name.strip_prefix("COM").or_else(|| name.strip_prefix("LPT"));
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&name.as_str())
        || port.is_some_and(|port| {
            let mut digits = port.chars();
            // Windows also reserves the names with a superscript digit.
            matches!((digits.next(), digits.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
        })
}

/// The beginning of `stem` with at most `max` bytes. The cut is neither between characters that ZWJ joins nor before a
/// variation selector.
fn cut(stem: &str, max: usize) -> &str {
    const ZWJ: char = '\u{200d}';
    if stem.len() <= max {
        return stem;
    }
    let mut end = 0;
    let mut before = None;
    for (at, c) in stem.char_indices().take_while(|(at, _)| *at <= max) {
        if c != ZWJ && before != Some(ZWJ) && !is_variation_selector(c) {
            end = at;
        }
        before = Some(c);
    }
    stem.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png() -> Image {
        Image::new(&b"\x89PNG\r\n\x1a\n"[..]).unwrap()
    }

    #[test]
    fn a_name_gets_the_extension_of_the_images_format() {
        let png = png();
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
            ("می\u{200c}خواهم", &png, "می\u{200c}خواهم.png"),
            ("👩\u{200d}👧.png", &png, "👩\u{200d}👧.png"),
            ("❤\u{fe0f}.png", &png, "❤\u{fe0f}.png"),
            ("渡邉\u{e0101}.png", &png, "渡邉\u{e0101}.png"),
        ] {
            assert_eq!(FileName::new(name, image).unwrap().as_str(), expected);
        }
        assert_eq!(FileName::default_for(&jpeg).as_str(), "image.jpg");
    }

    #[test]
    fn an_empty_long_or_misleading_name_is_refused() {
        let png = png();
        for (name, kind) in [
            ("", InvalidKind::EmptyFileName),
            (" \u{3000}", InvalidKind::EmptyFileName),
            (".png", InvalidKind::EmptyFileName),
            ("\u{200d}\u{fe0f}.png", InvalidKind::EmptyFileName),
            ("..", InvalidKind::EmptyFileName),
            (". .jpg", InvalidKind::EmptyFileName),
            ("a/b.png", InvalidKind::BadFileNameCharacter),
            ("..\\b.png", InvalidKind::BadFileNameCharacter),
            ("a\r\nb.png", InvalidKind::BadFileNameCharacter),
            ("a\0.png", InvalidKind::BadFileNameCharacter),
            ("a\u{202e}gnp.exe", InvalidKind::BadFileNameCharacter),
            ("\n", InvalidKind::BadFileNameCharacter),
            ("a\u{2028}b", InvalidKind::BadFileNameCharacter),
            ("a\u{2029}b", InvalidKind::BadFileNameCharacter),
            ("a\u{ad}b", InvalidKind::BadFileNameCharacter),
            ("a\u{feff}", InvalidKind::BadFileNameCharacter),
            ("a\u{e0061}", InvalidKind::BadFileNameCharacter),
            ("\u{115f}", InvalidKind::BadFileNameCharacter),
            ("\u{1160}", InvalidKind::BadFileNameCharacter),
            ("\u{3164}", InvalidKind::BadFileNameCharacter),
            ("\u{ffa0}", InvalidKind::BadFileNameCharacter),
            ("\u{2800}", InvalidKind::BadFileNameCharacter),
            ("a\u{17b4}", InvalidKind::BadFileNameCharacter),
            ("\u{200c}a", InvalidKind::BadFileNameCharacter),
            ("a\u{200d}.png", InvalidKind::BadFileNameCharacter),
            ("a.png\u{200c}", InvalidKind::BadFileNameCharacter),
            ("\u{fe0f}a.png", InvalidKind::BadFileNameCharacter),
            (&"a".repeat(252), InvalidKind::LongFileName),
        ] {
            assert_eq!(FileName::new(name, &png).expect_err(name).kind(), kind, "{name:?}");
        }
        assert_eq!(FileName::new(&"a".repeat(251), &png).unwrap().as_str().len(), 255);
    }

    #[test]
    fn an_error_names_the_character_or_the_length() {
        for (name, text) in [
            ("a/b", "a file name cannot contain `/`"),
            ("a\\b", "a file name cannot contain `\\`"),
            ("a\nb", "a file name cannot contain U+000A (a control character)"),
            (
                "a\u{202e}gnp.exe",
                "a file name cannot contain U+202E (an invisible or formatting character)",
            ),
            ("\u{200c}a", "a file name cannot contain U+200C at its start"),
            ("a\u{200d}", "a file name cannot contain U+200D before its extension"),
            (&"a".repeat(252), "the file name has 256 bytes; at most 255 are allowed"),
        ] {
            assert_eq!(FileName::new(name, &png()).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_lossy_name_keeps_the_allowed_part_of_any_text() {
        let long = "图".repeat(10_000);
        let family = "👩\u{200d}👧".repeat(30);
        let flags = "❤\u{fe0f}".repeat(60);
        let chain = "a\u{200d}".repeat(200);
        for (text, expected) in [
            ("C:\\fakepath\\a.png", "a.png"),
            ("/home/x/a.jpg", "a.png"),
            ("a.png/", "a.png"),
            ("..\\..", "image.png"),
            (".png", "image.png"),
            ("/home/x/.png", "image.png"),
            ("", "image.png"),
            (" \t ", "image.png"),
            ("...", "image.png"),
            ("/", "image.png"),
            ("\u{3164}\u{2800}.png", "image.png"),
            ("\u{fe0f}\u{200d}", "image.png"),
            ("a\u{202e}gnp.exe", "agnp.exe.png"),
            ("a\u{202e}.png", "a.png"),
            ("a\r\nb\0.png", "a  b .png"),
            ("a\u{2028}b", "a b.png"),
            ("\u{feff} \u{200d}a\u{200c}.png", "a.png"),
            ("می\u{200c}خواهم.png", "می\u{200c}خواهم.png"),
            ("con.png", "image.png"),
            ("LPT9.tar", "image.png"),
            ("com¹.png", "image.png"),
            ("CONIN$", "image.png"),
            ("COM0", "COM0.png"),
            ("console.PNG", "console.PNG"),
            (&long, &format!("{}.png", "图".repeat(83))),
            (&format!("{long}.jpg"), &format!("{}.png", "图".repeat(83))),
            (&"a".repeat(252), &format!("{}.png", "a".repeat(251))),
            (&family, &format!("{}.png", "👩\u{200d}👧".repeat(22))),
            (&flags, &format!("{}.png", "❤\u{fe0f}".repeat(41))),
            (&chain, "image.png"),
        ] {
            let name = FileName::lossy(text, &png());
            assert_eq!(name.as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_storable_name_is_neither_a_path_nor_a_device_nor_hidden() {
        for (text, name) in [
            ("image.png", Some("image.png")),
            ("图 1.png", Some("图 1.png")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\x\\a.png", Some("a.png")),
            ("C:a.png", Some("C_a.png")),
            ("a*?\"<>|b.png", Some("a______b.png")),
            (".bashrc", Some("bashrc")),
            (" \u{fe0f}.a. ", Some("a")),
            ("a\r\nb\u{202e}.png", Some("a  b.png")),
            ("..", None),
            ("a/..", None),
            ("/", None),
            ("", None),
            ("nul.png", None),
            (&format!("{}.jpeg", "图".repeat(100)), Some(&format!("{}.jpeg", "图".repeat(83)))),
            (&format!("a.{}", "b".repeat(300)), Some(&format!("a.{}", "b".repeat(253)))),
        ] {
            assert_eq!(FileName::storable(text).as_deref(), name, "{text:?}");
        }
    }

    /// Texts made of characters that have a special meaning in a name, and of arbitrary characters.
    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[./\\\\ \u{200c}\u{200d}\u{fe0f}\u{202e}\u{3164}\r\u{2028}]",
            2 => prop_oneof!["png", "jpg", "jpe", "AVIF", "con", "com1", "图", "👩"],
            1 => proptest::char::any().prop_map(String::from),
            1 => (1..300_usize).prop_map(|len| "x".repeat(len)),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_lossy_name_is_accepted_and_lossy_is_idempotent(text in texts()) {
            for image in [png(), Image::any_format("....ftypavif", "avif").unwrap()] {
                let lossy = FileName::lossy(&text, &image);
                prop_assert_eq!(FileName::new(lossy.as_str(), &image), Ok(lossy.clone()));
                prop_assert_eq!(FileName::lossy(lossy.as_str(), &image), lossy);
            }
        }

        #[test]
        fn a_storable_name_is_allowed_and_storable_is_idempotent(text in texts()) {
            if let Some(name) = FileName::storable(&text) {
                prop_assert!((1..=MAX_BYTES).contains(&name.len()) && !name.contains(is_refused));
                prop_assert_eq!(FileName::storable(&name), Some(name));
            }
        }

        #[test]
        fn an_accepted_text_has_the_same_name_by_new_and_by_lossy(text in texts()) {
            let accepted = FileName::new(&text, &png()).ok();
            if let Some(name) = accepted.filter(|name| !is_device(name.as_str())) {
                prop_assert_eq!(FileName::lossy(&text, &png()), name);
            }
        }
    }

    #[test]
    fn an_image_of_any_format_has_the_given_extension() {
        let avif = Image::any_format("....ftypavif", "AVIF").unwrap();
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
    }

    #[test]
    fn an_extension_has_1_to_16_letters_or_digits() {
        let longest = "x".repeat(16);
        let image = Image::any_format("....", &longest).unwrap();
        assert_eq!(image.extension(), longest);
        for bad in ["", ".png", "p ng", "图", &"x".repeat(17)] {
            let error = Image::any_format("....", bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadExtension, "{bad}");
        }
    }
}
