//! An async client for Lark's and Feishu's image endpoints, on [hyper](https://hyper.rs)'s traits and any runtime: it
//! writes an image into a cell of a spreadsheet and sends an image to a chat. It fetches and renews the token, stays
//! within the rate limits, and retries what is safe to retry.
//!
//! Status: tested on Linux against a fake Lark, and not yet run against the real service. The crate is not affiliated
//! with Lark or Feishu.
//!
//! With tokio:
//!
//! ```no_run
//! use lark_hyper::Client;
//! use lark_proto::place::Place;
//! use lark_proto::{App, Image, Site, WriteSheetImage};
//!
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Site::LARK, App::custom("cli_a1b2", "secret")?);
//! let link = "https://x.larksuite.com/wiki/wikcnabc"; // from the address bar
//! let found = client.resolve(&Place::new(link, "Price list!H7")?).await?;
//! let image = Image::new(std::fs::read("photo.png")?)?;
//! let cell = found.cell.clone();
//! let write = WriteSheetImage::new(found.spreadsheet, cell, image)?;
//! client.call(&write).await?;
//! println!("written to {}", found.cell);
//! # Ok(())
//! # }
//! ```
//!
//! Requests, replies and errors are those of [`lark_proto`]: its module [`endpoints`](lark_proto::endpoints) lists all
//! requests.
//! This crate re-exports [`lark_proto`] and [`hyper`], so a program can also depend on it and a runtime alone. The page
//! [`first_call`](lark_proto::guide::first_call) explains how to create an app and give it access to a document, and
//! [`guide`] has more pages, such as one about runtimes.
//!
//! # Any runtime
//! With `default-features = false` there is no runtime, no socket and no TLS in the build: [`Client::with_service`]
//! takes any [`hyper::service::Service`] of requests and any [`hyper::rt::Timer`]. A request's body is a
//! [`RequestBody`] of known length; a reply is read up to a limit. Here the service is the fake Lark, called as a
//! function:
//!
//! ```
//! # #[cfg(all(feature = "tokio", feature = "fake"))] {
//! use std::sync::Mutex;
//! use std::time::SystemTime;
//!
//! use http_body_util::{BodyExt, Full};
//! use hyper::service::service_fn;
//! use lark_hyper::{Client, RequestBody, TransportError};
//! use lark_proto::fake::FakeLark;
//! use lark_proto::{App, Image, PutImage, Site};
//!
//! let lark = Mutex::new(FakeLark::new());
//! let service = service_fn(async |request: http::Request<RequestBody>| {
//!     let (head, body) = request.into_parts();
//!     let body = body.collect().await?.to_bytes();
//!     let request = http::Request::from_parts(head, body);
//!     let reply = lark.lock().unwrap().handle(SystemTime::now(), request);
//!     Ok::<_, TransportError>(reply.map(Full::new))
//! });
//! let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
//! let timer = hyper_util::rt::TokioTimer::new(); // your runtime's
//! let client = Client::with_service(Site::LARK, app, service, timer);
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let put = PutImage::message(Image::new("GIF89a..")?)?;
//! let key = client.call(&put).await?;
//! let lark = lark.lock().unwrap();
//! assert_eq!(lark.image(key.as_str()).unwrap().bytes, "GIF89a..");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! * `tokio` (on by default): `Client::new`, `Client::builder` and `Pool`, HTTP/1.1 and HTTP/2 over TLS.
//! * `platform-verifier`: the root certificates of the operating system, for a client whose builder asks for them.
//! * `imagesize`: [`Image::check`](lark_proto::Image::check) also checks the resolution of an image.
//! * `fake`: `FakeServer`, a fake Lark on loopback for tests of any client in any language, and `FakeTransport`,
//!   the same fake without a socket for tests in virtual time. The module `testing` shows both.
//! * `tracing`: each request, refusal, failure and wait of a call as an event of the `tracing` crate, with the target
//!   `lark_proto` and never with a secret. Refusals and failures have the level WARN, all others DEBUG. hyper,
//!   hyper-util, h2 and rustls log no header values and no bodies, with one exception: at DEBUG, h2 logs the words
//!   with which a server ends an HTTP/2 connection, and a server may quote a request there.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "tokio")]
mod builder;
mod call;
mod client;
mod clock;
mod collect;
#[cfg(feature = "tokio")]
mod connection;
#[cfg(feature = "tokio")]
mod connector;
#[cfg(feature = "tokio")]
mod deadline;
mod error;
mod exchange;
#[cfg(feature = "fake")]
mod fake_server;
#[cfg(feature = "fake")]
mod fake_transport;
pub mod guide;
mod permanence;
#[cfg(feature = "tokio")]
mod pool;
mod request_body;
mod shared_session;
mod sync;
#[cfg(feature = "fake")]
#[cfg_attr(feature = "tokio", doc = include_str!("testing.md"))]
pub mod testing {}
mod token_requests;

pub use client::Client;
#[cfg(feature = "tokio")]
pub use connection::Connection;
pub use error::{CallError, TransportError};
pub use exchange::{SendTransport, Transport};
#[cfg(feature = "fake")]
pub use fake_server::FakeServer;
#[cfg(feature = "fake")]
pub use fake_transport::FakeTransport;
#[cfg(feature = "tokio")]
pub use pool::{Pool, ReplyBody, ReplyFuture};
pub use request_body::{BodyProgress, FreshConnection, RequestBody};
pub use {hyper, lark_proto};

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
