//! The examples `fill_sheet`, `send_images` and `doctor` as programs of their own, against a fake Lark in this process.

#![expect(clippy::disallowed_methods, reason = "the tests wait for programs, in real time")]

mod doctor;
mod fill;
mod inputs;
/// For its own tests: an example that is tested is not built as a program by `cargo test`.
#[path = "../../examples/tools/journal.rs"]
mod journal;
mod proof;
mod send;
mod support;
