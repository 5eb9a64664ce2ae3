//! The examples `fill_sheet`, `send_images` and `doctor` as programs of their own, against a fake Lark in this process.

mod doctor;
mod support;
