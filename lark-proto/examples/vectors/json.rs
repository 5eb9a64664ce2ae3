//! The JSON of the files: one form for each value, with short lines, so that a change is a small diff.

use serde_json::Value;

/// The maximum number of columns of a line that holds more than one value.
const WIDTH: usize = 116;

/// The keys that come first in an object, in this order. The others follow in the order of their names.
const FIRST: [&str; 18] = [
    "format",
    "cases",
    "start",
    "name",
    "endpoint",
    "constructor",
    "code",
    "method",
    "url",
    "status",
    "site",
    "token",
    "inputs",
    "reply",
    "expected",
    "headers",
    "body",
    "http1",
];

/// The text of a file.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.push('\n');
    out
}

/// Bytes as an object with the field `text` for UTF-8, and `base64` for other bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::json!({ "text": text }),
        Err(_) => serde_json::json!({ "base64": base64(bytes) }),
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The name of an enum's variant in lower case, with `_` between its words.
pub(crate) fn snake(variant: impl std::fmt::Debug) -> String {
    let mut name = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn write(out: &mut String, value: &Value, indent: usize) {
    let mut line = String::new();
    write_in_line(&mut line, value);
    let is_scalar = !value.is_object() && !value.is_array();
    if is_scalar || indent > 0 && indent + line.chars().count() <= WIDTH {
        out.push_str(&line);
        return;
    }
    let fields = fields(value);
    let (open, close) = brackets(value);
    out.push(open);
    for (number, (name, item)) in fields.iter().enumerate() {
        out.push_str(if number == 0 { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', indent + 2));
        out.push_str(name);
        write(out, item, indent + 2);
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push(close);
}

fn write_in_line(out: &mut String, value: &Value) {
    if let Value::String(text) = value {
        return push_string(out, text);
    }
    if !value.is_object() && !value.is_array() {
        return out.push_str(&value.to_string());
    }
    let (open, close) = brackets(value);
    out.push(open);
    for (number, (name, item)) in fields(value).iter().enumerate() {
        out.push_str(if number == 0 { "" } else { ", " });
        out.push_str(name);
        write_in_line(out, item);
    }
    out.push(close);
}

/// The items of an array or an object. A name is written as `"name": `.
fn fields(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Value::Object(fields) => {
            let place = |name: &str| {
                let first = FIRST.iter().position(|first| *first == name);
                first.unwrap_or(FIRST.len())
            };
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| (place(name), (*name).clone()));
            let shown = |(name, value)| (format!("\"{name}\": "), value);
            fields.into_iter().map(shown).collect()
        }
        _ => Vec::new(),
    }
}

fn brackets(value: &Value) -> (char, char) {
    if value.is_array() { ('[', ']') } else { ('{', '}') }
}

/// Appends a string. A character that is neither ASCII nor a letter is escaped, because it may be invisible.
fn push_string(out: &mut String, text: &str) {
    let quoted = Value::from(text).to_string();
    for c in quoted.chars() {
        if c == '\u{7f}' || !c.is_ascii() && !c.is_alphabetic() {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
}
