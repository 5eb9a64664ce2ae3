//! The token of a file in a document.

use crate::values::charset::is_id;
use crate::values::macros::text;

text! {
    /// The token of a file in a document, such as the image in a cell: 1 to 128 ASCII letters, digits, `-` or `_`.
    pub struct FileToken: |text| is_id(text, 128), BadFileToken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    #[test]
    fn a_file_token_has_1_to_128_letters_digits_hyphens_and_underscores() {
        for good in ["UeZNbAxAIojSuRxarT1ccsabcef", "a-_9", &"k".repeat(128)] {
            assert_eq!(FileToken::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "..", "a/b", "图", "https://x", &"k".repeat(129)] {
            let error = FileToken::new(bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadFileToken, "{bad}");
        }
    }
}
