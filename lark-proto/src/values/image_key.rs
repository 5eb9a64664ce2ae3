//! The key of an uploaded image.

use crate::path::has_dots;
use crate::values::charset::is_visible_ascii;
use crate::values::macros::text;

text! {
    /// The key by which messages name an uploaded image: 1 to 256 visible ASCII characters without a dot segment such
    /// as `..`. The vendor's page shows `fd3a475a-0c27-4071-a9a6-8712b84b0cb6`, and the service was seen to send
    /// `img_v3_..`. Only the app that uploaded the image can use the key.
    pub struct ImageKey: |text| is_visible_ascii(text, 256) && !has_dots(text), BadImageKey
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    #[test]
    fn a_key_has_1_to_256_visible_ascii_characters_and_no_dot_segment() {
        for good in ["img_v3_02ab", "a/b", "...", "a..b", &"k".repeat(256)] {
            assert_eq!(ImageKey::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "图", ".", "..", "a/../b", "a\\..", &"k".repeat(257)] {
            assert_eq!(
                bad.parse::<ImageKey>().unwrap_err().kind(),
                InvalidKind::BadImageKey,
                "{bad}"
            );
            let from_json = serde_json::from_value::<ImageKey>(bad.into()).unwrap_err();
            assert!(from_json.to_string().contains("is not an image key"), "{from_json}");
        }
    }
}
