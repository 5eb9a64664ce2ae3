//! A strict reader of JSON bodies.

use serde::de::{self, DeserializeOwned};

/// Reads one JSON object and nothing after it.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    // serde reads a derived struct from an array of its fields as well.
    match body.iter().find(|byte| !b" \t\r\n".contains(byte)) {
        Some(b'{') => serde_json::from_slice(body),
        _ => Err(de::Error::custom("the body is not an object")),
    }
}
