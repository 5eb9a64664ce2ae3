//! An async client for Lark's image endpoints, on [hyper](https://hyper.rs)'s traits and any runtime.
//!
//! Requests, replies and errors are those of [`lark_proto`]; this crate sends the requests and awaits the replies. It
//! re-exports [`lark_proto`] and [`hyper`], so a program needs only a runtime beside it. With tokio:
//!
//! ```no_run
//! use lark_proto::{App, Image, PutImage, Site, WriteSheetImage};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = lark_hyper::Client::new(Site::LARK, App::custom("cli_x", "secret")?);
//! let image = Image::new(std::fs::read("photo.png")?)?;
//!
//! let key = client.call(&PutImage::message(image.clone())?).await?;
//! let cell = WriteSheetImage::new("shtcnabc".parse()?, "Q7PlXT!H7".parse()?, image)?;
//! let written = client.call(&cell).await?;
//! println!("{key} {:?}", written.range);
//! # Ok(())
//! # }
//! ```
//!
//! With `default-features = false` there is no runtime, no socket and no TLS in the build:
//! [`Client::with_service`] takes any [`hyper::service::Service`] of requests and any [`hyper::rt::Timer`]. A
//! request's body is a [`Frames`] of known length; a reply is read up to a limit. Here the service is the fake Lark,
//! called as a function:
//!
//! ```
//! # #[cfg(all(feature = "tokio", feature = "fake-server"))] {
//! use std::sync::Mutex;
//!
//! use http_body_util::{BodyExt, Full};
//! use lark_hyper::{Client, Frames, TransportError};
//! use lark_proto::fake::FakeLark;
//! use lark_proto::{App, Image, PutImage, Site};
//!
//! let lark = Mutex::new(FakeLark::new());
//! let service = hyper::service::service_fn(async |request: http::Request<Frames>| {
//!     let (head, body) = request.into_parts();
//!     let body = body.collect().await?.to_bytes();
//!     let request = http::Request::from_parts(head, body);
//!     let reply = lark.lock().unwrap().handle(std::time::SystemTime::now(), request);
//!     Ok::<_, TransportError>(reply.map(Full::new))
//! });
//! let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
//! let timer = hyper_util::rt::TokioTimer::new(); // your runtime's
//! let client = Client::with_service(Site::LARK, app, service, timer);
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let key = client.call(&PutImage::message(Image::new("GIF89a..")?)?).await?;
//! assert_eq!(lark.lock().unwrap().image(key.as_str()).unwrap().bytes, "GIF89a..");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! * `tokio` (on by default): [`Client::new`] and [`Pool`], HTTP/1.1 and HTTP/2 over TLS.
//! * `tracing`: each request, refusal, failure and wait of a call as an event of the `tracing` crate.
//! * `fake-server`: [`FakeServer`], a Lark of your own on loopback for tests of any client in any language.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "tokio")]
mod builder;
mod client;
mod clock;
mod collect;
mod error;
mod exchange;
mod frames;
mod kept;
mod parker;
mod permanence;
mod trace;

#[cfg(feature = "tokio")]
mod connection;
#[cfg(feature = "tokio")]
mod deadline;
#[cfg(feature = "fake-server")]
mod fake_server;
#[cfg(feature = "tokio")]
mod pool;

pub use client::Client;
pub use error::{CallError, TransportError};
pub use exchange::Transport;
pub use frames::{BodyProgress, Frames, FreshConnection};
pub use {hyper, lark_proto};

#[cfg(feature = "tokio")]
pub use connection::Connection;
#[cfg(feature = "fake-server")]
pub use fake_server::FakeServer;
#[cfg(feature = "tokio")]
pub use pool::{Pool, ReplyBody, ReplyFuture};

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
