//! A blocking client for Lark's and Feishu's image endpoints, on [ureq](https://docs.rs/ureq): it writes an image into
//! a cell of a spreadsheet and sends an image to a chat. It fetches and renews the token, stays within the rate limits,
//! and retries what is safe to retry.
//!
//! Status: tested on Linux against a fake Lark, and not yet run against the real service. The crate is not affiliated
//! with Lark or Feishu.
//!
//! ```no_run
//! use lark_proto::place::Place;
//! use lark_proto::{App, Image, Site, WriteSheetImage};
//! use lark_ureq::Client;
//!
//! let client = Client::new(Site::LARK, App::custom("cli_a1b2", "secret")?);
//! let link = "https://x.larksuite.com/wiki/wikcnabc"; // from the address bar
//! let found = client.resolve(&Place::new(link, "Price list!H7")?)?;
//! let image = Image::new(std::fs::read("photo.png")?)?;
//! let cell = found.cell.clone();
//! let write = WriteSheetImage::new(found.spreadsheet, cell, image)?;
//! client.call(&write)?;
//! println!("written to {}", found.cell);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Requests, replies and errors are those of [`lark_proto`]: its module [`endpoints`](lark_proto::endpoints) lists all
//! requests.
//! This crate re-exports [`lark_proto`] and [`ureq`], so a program can also depend on it alone. The page
//! [`first_call`](lark_proto::guide::first_call) explains how to create an app and give it access to a document, and
//! [`guide`] has more pages, such as one about proxies.
//!
//! Three examples are programs for people who do not write code: `fill_sheet` puts a folder or a table of pictures into
//! spreadsheets, `send_images` sends a folder to a chat, and `doctor` finds out why that fails. `cargo install
//! lark-ureq --example fill_sheet` installs one of them.
//!
//! # Features
//! * `tls` (on by default): TLS by rustls with ring, and Mozilla's root certificates. Without it, a call to an `https`
//!   site fails, unless the program supplies its own agent (`Client::with_agent`).
//! * `platform-verifier`: the root certificates of the operating system, for a client whose builder asks for them.
//! * `imagesize`: [`Image::check`](lark_proto::Image::check) also checks the resolution of an image.
//! * `fake`: `FakeTransport`, a fake Lark without a socket for tests in virtual time, and `FakeServer`, the same
//!   fake on loopback for tests of any client in any language.
//! * `tracing`: each request, refusal, failure and wait of a call as an event of the `tracing` crate.
//!
//! # Logs
//! The events of the feature `tracing` have the target `lark_proto` and never contain a secret. Refusals and failures
//! have the level WARN, all others DEBUG. The filter `lark_proto=debug` shows them alone.
//!
//! **The TRACE output of ureq contains secrets.** ureq itself writes to the `log` crate, and a subscriber with the
//! bridge `tracing-log` shows that as well. At the level TRACE, with the target `ureq_proto`, ureq logs every byte that
//! it sends and receives: the head of each request with its token, and the app's secret in the body of a token request.
//! At DEBUG it masks the headers that may be secret. This filter for `tracing_subscriber::EnvFilter`, or for the
//! variable `RUST_LOG` that it reads, shows everything but these bytes:
//!
//! ```text
//! trace,ureq_proto=debug
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod builder;
mod call;
mod client;
mod clock;
mod exchange;
#[cfg(feature = "fake")]
mod fake_server;
#[cfg(feature = "fake")]
mod fake_transport;
pub mod guide;
mod permanence;
mod pieces;
mod shared_session;
mod simulated;
mod sync;
#[cfg(feature = "fake")]
#[doc = include_str!("testing.md")]
pub mod testing {}

pub use client::Client;
pub use clock::Clock;
#[cfg(feature = "fake")]
pub use fake_server::FakeServer;
#[cfg(feature = "fake")]
pub use fake_transport::FakeTransport;
pub use {lark_proto, ureq};

/// Why a call failed.
pub type CallError = lark_proto::CallError<ureq::Error>;

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
