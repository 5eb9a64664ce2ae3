//! The examples `fill_sheet`, `send_images` and `doctor`, run as programs against a fake Lark in this process.

#![expect(clippy::disallowed_methods, reason = "the tests wait for programs, in real time")]

mod doctor;
mod fill;
mod inputs;
mod proof;
mod secrets;
mod send;
mod support;
