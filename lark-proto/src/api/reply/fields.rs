//! Fields of a reply, each read alone, so that a field of an unexpected type does not hide the others.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use crate::text::{Secrets, excerpt};
use crate::values::macros::TextVisitor;

/// The maximum length of a text in bytes, in an error or in a success. A longer one is cut.
pub(crate) const TEXT: usize = 1024;

/// The value if it has the expected type.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    // The library reads all JSON from slices, and none with `from_str`, so that the parser is compiled once.
    serde_json::from_slice(json.get().as_bytes()).ok()
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

/// A JSON object that is read as the struct `T`. serde alone would also read the struct from an array of its fields,
/// which Lark never sends.
pub(crate) struct Record<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ObjectOnly(deserializer)).map(Self)
    }
}

/// Reads an object, whatever the type asks for.
struct ObjectOnly<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A list of at most `MAX` items. A longer one is an error, and is read no further.
pub(crate) struct AtMost<T, const MAX: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items::<T, MAX>(PhantomData)).map(Self)
    }
}

struct Items<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element()? {
            if read.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            read.push(item);
        }
        Ok(read)
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
