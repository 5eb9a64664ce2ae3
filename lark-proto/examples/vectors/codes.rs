//! The table of the service's codes.

use lark_proto::error::{Class, Code};
use serde_json::{Value, json};

use crate::json::snake;

/// The ranges in which the service's codes lie. Every other code is unknown.
const RANGES: [std::ops::Range<i64>; 2] = [1..2_400_000, 99_990_000..100_000_000];

pub(crate) fn cases() -> Vec<Value> {
    let known = |code: &Code| code.class() != Class::Unknown || code.name().is_some();
    let case = |code: Code| {
        json!({
            "code": code.0,
            "class": snake(code.class()),
            "constant": code.name(),
            "hint": code.hint(),
        })
    };
    RANGES.into_iter().flatten().map(Code).filter(known).map(case).collect()
}
