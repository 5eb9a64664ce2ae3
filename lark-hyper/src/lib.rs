//! A Lark of your own on loopback: the strict fake of [`lark_proto::fake`] behind
//! [hyper](https://hyper.rs)'s server, for tests of any client in any language.
//!
//! It is the feature `fake-server`; without it the crate is empty.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "fake-server")]
mod fake_server;

#[cfg(feature = "fake-server")]
pub use fake_server::FakeServer;
