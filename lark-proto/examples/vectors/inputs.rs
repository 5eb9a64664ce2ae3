//! The inputs of a case: plain JSON, from which the values of the crate are made.

use base64::Engine as _;
use lark_proto::{Image, Invalid};
use serde_json::Value;

/// The inputs of one case. The case is wrong if an input is missing or has another type, so the program ends.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a>(pub(crate) &'a Value);

impl<'a> Inputs<'a> {
    pub(crate) fn optional(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    pub(crate) fn get(self, name: &str) -> &'a Value {
        self.optional(name).unwrap_or_else(|| panic!("`{name}` is missing in {}", self.0))
    }

    pub(crate) fn text(self, name: &str) -> &'a str {
        self.get(name).as_str().unwrap_or_else(|| panic!("`{name}` is no text in {}", self.0))
    }

    pub(crate) fn optional_text(self, name: &str) -> Option<&'a str> {
        self.optional(name).map(|_| self.text(name))
    }

    pub(crate) fn number<T: TryFrom<u64>>(self, name: &str) -> T {
        let number = self.get(name).as_u64().and_then(|number| T::try_from(number).ok());
        number.unwrap_or_else(|| panic!("`{name}` is no number of this size in {}", self.0))
    }

    pub(crate) fn flag(self, name: &str) -> bool {
        self.optional(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn list(self, name: &str) -> &'a [Value] {
        self.get(name).as_array().unwrap_or_else(|| panic!("`{name}` is no list in {}", self.0))
    }

    /// The bytes in a field `{"text": ".."}` or `{"base64": ".."}`.
    pub(crate) fn bytes(self, name: &str) -> Vec<u8> {
        bytes(self.get(name))
    }

    /// The image in the field `image`.
    pub(crate) fn image(self) -> Result<Image, Invalid> {
        let fields = Inputs(self.get("image"));
        let mut content = bytes(fields.0);
        if fields.optional("padded_to_bytes").is_some() {
            content.resize(fields.number("padded_to_bytes"), 0);
        }
        let image = match fields.optional_text("extension") {
            Some(extension) => Image::any_format(content, extension)?,
            None => Image::new(content)?,
        };
        Ok(match fields.optional("max_bytes") {
            Some(_) => image.with_max_bytes(fields.number("max_bytes")),
            None => image,
        })
    }
}

/// The bytes of `{"text": ".."}` or `{"base64": ".."}`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let fields = Inputs(value);
    match fields.optional_text("text") {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(fields.text("base64"));
            decoded.unwrap_or_else(|error| panic!("{error} in {value}"))
        }
    }
}

/// A long text as an input: `start`, then `repeat` `count` times.
pub(crate) fn long(start: &str, repeat: &str, count: usize) -> Value {
    serde_json::json!({ "start": start, "repeat": repeat, "count": count })
}

/// The inputs with each long text in full.
pub(crate) fn expanded(inputs: &Value) -> Value {
    match inputs {
        Value::Object(fields) if fields.contains_key("repeat") => {
            let long = Inputs(inputs);
            let repeated = long.text("repeat").repeat(long.number("count"));
            format!("{}{repeated}", long.text("start")).into()
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), expanded(value))).collect()
        }
        Value::Array(items) => items.iter().map(expanded).collect(),
        other => other.clone(),
    }
}
