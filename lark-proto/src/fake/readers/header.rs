//! Readers of header values: `kind; name=value; name="value"` (RFC 2045, RFC 7578), the token, and the framing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};

/// A parsed value. The kind and the names are in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Structured {
    pub(crate) kind: String,
    pub(crate) params: BTreeMap<String, String>,
}

impl Structured {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (kind, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        let kind = kind.trim_matches(BLANK);
        if !kind.split('/').all(is_token) {
            return Err(format!("{kind:?} is not a token or media type"));
        }
        let mut params = BTreeMap::new();
        while !rest.is_empty() {
            rest = rest.strip_prefix(';').ok_or("a parameter has no ; before it")?;
            rest = rest.trim_start_matches(BLANK);
            let (name, tail) = rest.split_once('=').ok_or("a parameter has no =")?;
            if !is_token(name) {
                return Err(format!("{name:?} is not a parameter name"));
            }
            let (value, tail) = match tail.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => bare(tail)?,
            };
            match params.entry(name.to_ascii_lowercase()) {
                Entry::Vacant(entry) => entry.insert(value),
                Entry::Occupied(entry) => {
                    return Err(format!("the parameter {} comes twice", entry.key()));
                }
            };
            rest = tail.trim_start_matches(BLANK);
        }
        Ok(Self { kind: kind.to_ascii_lowercase(), params })
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }
}

/// The `Content-Type` of a request that has exactly one.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Structured, String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err("the request needs one Content-Type".to_owned());
    };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| "Content-Type is not UTF-8")?;
    Structured::parse(text).map_err(|error| format!("Content-Type: {error}"))
}

/// Checks that the `Content-Type` is `application/json`, and that its charset, if it has one, is UTF-8. Other
/// parameters are ignored.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), String> {
    let found = content_type(headers)?;
    let is_utf8 = |(name, value): (&String, &String)| {
        name != "charset" || ["utf-8", "utf8"].iter().any(|known| value.eq_ignore_ascii_case(known))
    };
    if found.kind == "application/json" && found.params.iter().all(is_utf8) {
        Ok(())
    } else {
        Err("Content-Type is not application/json in utf-8".to_owned())
    }
}

/// The token of a request that has exactly one `Authorization`, of the form `Bearer ..`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether the request has the correct `Content-Length` once, or none. A body in chunks is not accepted.
pub(crate) fn is_framed(headers: &HeaderMap, length: usize) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let stated = match (lengths.next(), lengths.next()) {
        (None, _) => true,
        (Some(only), None) => {
            let digits = only.to_str().unwrap_or_default();
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse() == Ok(length)
        }
        (Some(_), Some(_)) => false,
    };
    stated && !headers.contains_key(TRANSFER_ENCODING)
}

/// A token of RFC 9110.
pub(crate) fn is_token(text: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_tchar)
}

const BLANK: [char; 2] = [' ', '\t'];

fn bare(text: &str) -> Result<(String, &str), String> {
    let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
    let (value, tail) = text.split_at(end);
    if is_token(value) {
        Ok((value.to_owned(), tail))
    } else {
        Err(format!("{value:?} must be in quotes"))
    }
}

/// Reads up to the closing quote. `text` begins after the opening quote.
fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        let literal = match next {
            '"' => return Ok((value, chars.as_str())),
            '\\' => chars.next().ok_or("a quoted string ends in a backslash")?,
            other => other,
        };
        if literal.is_control() && literal != '\t' {
            return Err("a quoted string has a control character".to_owned());
        }
        value.push(literal);
    }
    Err("a quoted string has no closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_into_its_kind_and_its_parameters() {
        let ok = |kind: &str, params: &[(&str, &str)]| {
            let params = params.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
            Ok(Structured { kind: kind.to_owned(), params })
        };
        for (text, expected) in [
            ("Text/Plain", ok("text/plain", &[])),
            ("form-data; name=image", ok("form-data", &[("name", "image")])),
            ("form-data;NAME=\"a;b=\\\"c\\\\\" \t; x=1", {
                ok("form-data", &[("name", "a;b=\"c\\"), ("x", "1")])
            }),
            ("form-data; name=\"图\"; f=\"\"", ok("form-data", &[("name", "图"), ("f", "")])),
        ] {
            assert_eq!(Structured::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_breaks_the_grammar_is_refused_with_the_mistake() {
        for (text, error) in [
            ("", "not a token"),
            ("a b", "not a token"),
            ("text/", "not a token"),
            ("form-data; name=\"image\";", "has no ="),
            ("form-data; name", "has no ="),
            ("form-data; name =x", "not a parameter name"),
            ("form-data; name=\"x\"y", "has no ;"),
            ("form-data; name=a/b", "in quotes"),
            ("form-data; name=", "in quotes"),
            ("form-data; name=\"x", "closing quote"),
            ("form-data; name=\"x\\", "backslash"),
            ("form-data; name=\"a\nb\"", "control character"),
            ("form-data; name=a; Name=b", "name comes twice"),
        ] {
            let found = Structured::parse(text).err().unwrap_or_default();
            assert!(found.contains(error), "{text}: {found}");
        }
    }
}
