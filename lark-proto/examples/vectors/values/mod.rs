//! The values: texts and other inputs, and what the constructors of the crate make of them. An input that is refused is
//! a case of another file.

mod documents;
mod images;
mod messages;
mod requests;

use serde_json::{Value, json};

use crate::construct::construct;
use crate::inputs::{expanded, long};
use crate::json::snake;

/// The name of a constructor, and its inputs.
type Row = (&'static str, Value);

/// The cases of the accepted and of the refused inputs.
pub(crate) fn cases() -> (Vec<Value>, Vec<Value>) {
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    let rows = [
        documents::spreadsheets(),
        documents::cells(),
        images::images(),
        images::file_names(),
        messages::messages(),
        messages::apps(),
        requests::sites(),
        requests::paths(),
        documents::places(),
        requests::requests(),
    ];
    for (constructor, inputs) in rows.concat() {
        let mut case = json!({ "constructor": constructor, "inputs": inputs });
        match construct(constructor, &expanded(&inputs)) {
            Ok(value) => {
                case["expected"] = value;
                accepted.push(case);
            }
            Err(error) => {
                case["expected"] =
                    json!({ "kind": snake(error.kind()), "text": error.to_string() });
                refused.push(case);
            }
        }
    }
    (accepted, refused)
}

fn texts(constructor: &'static str, texts: &[&str]) -> Vec<Row> {
    texts.iter().map(|text| (constructor, json!({ "text": text }))).collect()
}

fn lengths(constructor: &'static str, prefix: &str, max: usize) -> Vec<Row> {
    let text = |len: usize| long(prefix, "a", len - prefix.len());
    [max, max + 1].map(|len| (constructor, json!({ "text": text(len) }))).into()
}
