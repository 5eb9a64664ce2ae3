//! The bodies of the fuzz targets: plain functions that panic on a finding. The fuzzer calls them with its inputs, and
//! `tests/replay.rs` calls them with the seeds.

mod body;
mod fake;
mod form;
mod http1;
mod numbers;
mod reply;
mod requests;
mod values;

pub use fake::fake;
pub use form::form;
pub use http1::http1;
pub use numbers::numbers;
pub use reply::reply;
pub use values::values;

/// The body of a target, which gets the bytes of the fuzzer.
pub type Target = fn(&[u8]);

/// Every target, under the name of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("reply", reply),
    ("values", values),
    ("numbers", numbers),
    ("form", form),
    ("fake", fake),
    ("http1", http1),
];
