//! Fields of a reply, each read alone, so that a field of an unexpected type does not hide the others.

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::text::{Secrets, excerpt};
use crate::values::macros::TextVisitor;

/// The maximum length of a text in bytes, in an error or in a success. A longer one is cut.
pub(crate) const TEXT: usize = 1024;

/// The value if it has the expected type.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// A string that is not empty.
pub(super) fn string(json: &RawValue) -> Option<String> {
    read::<String>(json).filter(|text| !text.is_empty())
}

/// A string that is not empty, cut to [`TEXT`] bytes and cleared of `secrets`.
pub(super) fn text(json: &RawValue, secrets: &Secrets) -> Option<String> {
    string(json).map(|text| secrets.clear(text.as_bytes(), TEXT))
}

/// A text in a successful reply, cut to [`TEXT`] bytes and without control characters.
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(|text| Ok(Self(excerpt(text.as_bytes(), TEXT)))))
    }
}

/// Reads an optional field. The field counts as absent if its type is not the documented one, so that a success does
/// not fail over an optional detail.
pub(crate) fn lenient<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.and_then(read))
}
