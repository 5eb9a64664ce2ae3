//! The key of an uploaded image, and the token of a document's file.

use crate::path::has_dots;
use crate::values::macros::{is_id, is_visible, text};

text! {
    /// The key by which messages name an uploaded image: 1 to 256 visible ASCII characters, such as
    /// `fd3a475a-0c27-4071-a9a6-8712b84b0cb6` (on the upload's page) or `img_v3_..` (seen in use). Only the app that
    /// uploaded the image can use it. A dot segment of a path, such as `..`, is not a key.
    pub struct ImageKey: |text| is_visible(text, 256) && !has_dots(text), BadImageKey
}

text! {
    /// The token of a file in a document, such as that of a cell's image: 1 to 128 ASCII letters, digits, `-` or `_`.
    pub struct FileToken: |text| is_id(text, 128), BadFileToken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    #[test]
    fn a_key_is_visible_ascii() {
        let key: ImageKey = "img_v3_02ab".parse().unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"img_v3_02ab\"");
        for bad in ["", "a b", "a\n", "图", ".", "..", "a/../b", "a\\..", &"k".repeat(257)] {
            assert_eq!(
                bad.parse::<ImageKey>().unwrap_err().kind(),
                InvalidKind::BadImageKey,
                "{bad}"
            );
            assert!(serde_json::from_value::<ImageKey>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_token_is_letters_digits_and_dashes() {
        for good in ["UeZNbAxAIojSuRxarT1ccsabcef", "a-_9", &"k".repeat(128)] {
            assert_eq!(FileToken::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "..", "a/b", "图", "https://x", &"k".repeat(129)] {
            let error = FileToken::new(bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadFileToken, "{bad}");
        }
    }
}
