//! Added rows and columns, and their heights and widths.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::cells::{MAX_COLUMN, MAX_ROW};
use super::sheet::FakeSheet;
use crate::api::Record;
use crate::fake::reply::Refusal;

/// A request to add rows or columns.
#[derive(Debug, Deserialize)]
pub(crate) struct Add {
    #[serde(deserialize_with = "object")]
    pub(crate) dimension: Added,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Added {
    pub(crate) sheet_id: String,
    major_dimension: Major,
    length: u32,
}

/// A request to change the size of rows or columns.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    #[serde(deserialize_with = "object")]
    pub(crate) dimension: Updated,
    #[serde(deserialize_with = "object")]
    dimension_properties: Properties,
}

/// Reads an object, and no array of its fields.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Record::deserialize(deserializer).map(|Record(object)| object)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Updated {
    pub(crate) sheet_id: String,
    major_dimension: Major,
    start_index: u32,
    end_index: u32,
}

/// The new properties. The fake reads `visible` and does not store it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    visible: Option<bool>,
    fixed_size: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Major {
    Rows,
    Columns,
}

/// The documented limit of rows or columns in one request.
const AT_ONCE: u32 = 5000;

fn wrong_body(what: &str) -> Refusal {
    Refusal::with_200(90204, format!("WrongRequestBody: {what}"))
}

impl FakeSheet {
    /// Adds rows or columns after the last one.
    pub(crate) fn add(
        &mut self,
        Added { major_dimension, length, .. }: &Added,
    ) -> Result<Value, Refusal> {
        if !(1..=AT_ONCE).contains(length) {
            return Err(wrong_body("length is not 1 to 5000"));
        }
        let (mut rows, mut columns) = self.grid();
        let (grows, major) = match major_dimension {
            Major::Rows => (&mut rows, "ROWS"),
            Major::Columns => (&mut columns, "COLUMNS"),
        };
        *grows = grows.saturating_add(*length);
        if columns > MAX_COLUMN {
            return Err(Refusal::with_200(90226, "ExcessLimit: 13000 columns in one sheet"));
        }
        if u64::from(rows) * u64::from(columns) > u64::from(MAX_ROW) {
            return Err(Refusal::with_200(90219, "CellExcess: 5000000 cells in one sheet"));
        }
        self.set_grid(rows, columns);
        let data = json!({"addCount": length, "majorDimension": major});
        Ok(json!({"code": 0, "data": data, "msg": "Success"}))
    }

    /// Sets the height of rows, or the width of columns.
    pub(crate) fn update(&mut self, update: &Update) -> Result<Value, Refusal> {
        let Updated { major_dimension, start_index: first, end_index: last, .. } = update.dimension;
        let Properties { visible, fixed_size } = update.dimension_properties;
        if visible.is_none() && fixed_size.is_none() {
            return Err(wrong_body("dimensionProperties is empty"));
        }
        let (rows, columns) = self.grid();
        let end = if major_dimension == Major::Rows { rows } else { columns };
        if first == 0 || last < first || last > end {
            let msg = format!("WrongRowOrCol: {first} to {last} of 1 to {end}");
            return Err(Refusal::with_200(90212, msg));
        }
        if last - first >= AT_ONCE {
            return Err(wrong_body("more than 5000 rows or columns"));
        }
        if let Some(pixels) = fixed_size {
            let sizes =
                if major_dimension == Major::Rows { &mut self.heights } else { &mut self.widths };
            sizes.extend((first..=last).map(|number| (number, pixels)));
        }
        Ok(json!({"code": 0, "data": {}, "msg": "Success"}))
    }
}
