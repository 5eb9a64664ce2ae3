//! Lark's image endpoints on [hyper](https://hyper.rs).
//!
//! With the feature `fake-server`, [`FakeServer`] is a Lark of your own on loopback: the strict fake of
//! [`lark_proto::fake`] behind hyper's server, for tests of any client in any language.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "fake-server")]
mod fake_server;

#[cfg(feature = "fake-server")]
pub use fake_server::FakeServer;
