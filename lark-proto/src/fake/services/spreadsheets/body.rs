//! A reader of the JSON bodies of writes to a spreadsheet.

use http::HeaderMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::fake::readers::header;
use crate::fake::readers::json::object;
use crate::fake::reply::Refusal;

/// Reads the body of a write to a spreadsheet. A body that is not JSON is refused with 90201, and JSON without the
/// fields of `T` with 90204.
pub(crate) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    header::expect_json(headers)
        .map_err(|error| Refusal::with_200(90201, format!("WrongRequestJson: {error}")))?;
    object(body).map_err(|error| {
        let mut prefix = serde_json::Deserializer::from_slice(body);
        match IgnoredAny::deserialize(&mut prefix) {
            Ok(IgnoredAny) => Refusal::with_200(90204, format!("WrongRequestBody: {error}")),
            Err(error) => Refusal::with_200(90201, format!("WrongRequestJson: {error}")),
        }
    })
}
