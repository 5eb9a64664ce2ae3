//! The key of an uploaded image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Invalid;
use crate::error::Rule;

/// What names an uploaded image in messages: 1 to 256 visible ASCII characters, such as
/// `fd3a475a-0c27-4071-a9a6-8712b84b0cb6` or `img_v3_..`. Only the app that uploaded the image can use it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ImageKey(String);

impl ImageKey {
    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// # Errors
/// [`Rule::ImageKey`].
impl FromStr for ImageKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::checked(text.to_owned())
    }
}

impl ImageKey {
    fn checked(text: String) -> Result<Self, Invalid> {
        if (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(Invalid::new(Rule::ImageKey, text))
        }
    }
}

impl<'de> Deserialize<'de> for ImageKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        let key: ImageKey = "img_v3_02ab".parse().unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"img_v3_02ab\"");
        for bad in ["", "a b", "a\n", "图", &"k".repeat(257)] {
            assert_eq!(bad.parse::<ImageKey>().unwrap_err().rule(), Rule::ImageKey, "{bad}");
            assert!(serde_json::from_value::<ImageKey>(bad.into()).is_err(), "{bad}");
        }
    }
}
