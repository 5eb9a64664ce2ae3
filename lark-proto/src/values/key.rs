//! The key of an uploaded image.

use crate::values::macros::{is_visible, text};

text! {
    /// The key by which messages name an uploaded image: 1 to 256 visible ASCII characters, such as
    /// `fd3a475a-0c27-4071-a9a6-8712b84b0cb6` (on the upload's page) or `img_v3_..` (seen in use). Only the app that
    /// uploaded the image can use it.
    pub struct ImageKey: |text| is_visible(text, 256), BadImageKey
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidKind;

    #[test]
    fn a_key_is_visible_ascii() {
        let key: ImageKey = "img_v3_02ab".parse().unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"img_v3_02ab\"");
        for bad in ["", "a b", "a\n", "图", &"k".repeat(257)] {
            assert_eq!(
                bad.parse::<ImageKey>().unwrap_err().kind(),
                InvalidKind::BadImageKey,
                "{bad}"
            );
            assert!(serde_json::from_value::<ImageKey>(bad.into()).is_err(), "{bad}");
        }
    }
}
