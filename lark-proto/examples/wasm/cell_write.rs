//! The smaller module: it makes the request of a cell write, and nothing else.

#![expect(unsafe_code, reason = "an export needs `no_mangle`; there is no unsafe block")]

pub mod exchange;
