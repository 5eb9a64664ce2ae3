//! The bodies of the fuzz targets: plain functions that panic on a finding. The fuzzer calls them with its inputs, and
//! `tests/replay.rs` calls them with the seeds.

mod body;
mod cell_write;
mod connection;
mod controls;
mod curl;
mod errors;
mod event;
mod fake;
mod http1;
mod images;
mod input;
mod multipart;
mod place;
mod raw;
mod readers;
mod reply;
mod requests;
mod secrets;
mod session;
mod values;
mod views;
mod wire;

pub use body::body;
pub use cell_write::cell_write;
pub use connection::connection;
pub use event::event;
pub use fake::fake;
pub use http1::http1;
pub use multipart::multipart;
pub use place::place;
pub use reply::reply;
pub use session::session;
pub use values::values;
pub use wire::wire;

/// The body of a target, which gets the bytes of the fuzzer.
pub type Target = fn(&[u8]);

/// Every target, under the name of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("body", body),
    ("cell_write", cell_write),
    ("connection", connection),
    ("event", event),
    ("fake", fake),
    ("http1", http1),
    ("multipart", multipart),
    ("place", place),
    ("reply", reply),
    ("session", session),
    ("values", values),
    ("wire", wire),
];
