//! Lark's and Feishu's (飞书) image endpoints without I/O: writing an image into a cell of a spreadsheet, and sending an
//! image to a chat. Typed requests become [`http::Request`]s with exact, reproducible bytes, and replies become typed
//! results or errors.
//!
//! Status: tested on Linux against a fake Lark, and not yet run against the real service. The crate is not affiliated
//! with Lark or Feishu.
//!
//! Most programs use a client on top of this crate: [lark-ureq](https://docs.rs/lark-ureq), which is blocking, or
//! [lark-hyper](https://docs.rs/lark-hyper), which is async. A program with its own transport, such as another HTTP
//! client, an event loop or WebAssembly, uses this crate alone.
//!
//! ```
//! use lark_proto::{EndpointExt, Image, Site, TenantToken, WriteSheetImage};
//!
//! let spreadsheet = "shtcnabc".parse()?;
//! let cell = "Q7PlXT!H7".parse()?;
//! let image = Image::new("GIF89a..")?;
//! let write = WriteSheetImage::new(spreadsheet, cell, image)?;
//! let request = write.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
//! assert_eq!(request.uri().host(), Some("open.larksuite.com"));
//! // Any HTTP client sends the request and receives a response like this one:
//! let reply = r#"{"code":0,"data":{"spreadsheetToken":"sht","revision":80}}"#;
//! let written = WriteSheetImage::decode(http::Response::new(reply.into()))?;
//! assert_eq!(written.revision, Some(80));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//!  values              Endpoint               Body
//!  Image, SheetCell -> path() + payload() --> segments, exact length
//!  (validated)         (cannot fail)          http::Request<Body>
//!    Invalid                                     |
//!                                                v  Body::into_bytes
//!                      Endpoint               http::Request<Bytes>
//!  Output | Error <--- read() <----------+       |
//!    advice()                            |       v
//!                      http::Response<Bytes> <- any transport
//! ```
//!
//! * An invalid value is refused with [`Invalid`] when it is built. Building a request from valid values cannot fail.
//! * The code in a reply decides between success and failure, whatever the HTTP status, because the service sends the
//!   same failure with 200, 400 and 429.
//! * The crate uses no network, no clock and no random numbers. The same values give the same bytes.
//!
//! # Modules
//! * [`guide`]: pages of text, such as what an app needs before its first call.
//! * [`values`]: the values of a request. Each type documents the rule that it checks.
//! * [`endpoints`]: the endpoints, in a table with their scopes, and the trait for adding an endpoint.
//! * [`token`]: access tokens, and the kinds of token that an endpoint accepts.
//! * [`body`]: the encoders of JSON numbers, base64 and multipart forms.
//! * [`error`]: the errors, by their origin: an invalid value, a reply, or the transport.
//! * [`session`]: a state machine that carries out a whole call over any transport: token renewal, retries, rate limits
//!   and the order of writes.
//! * [`place`]: a cell that a user names by a link and the title of a sheet, and the state machine that finds it.
//! * [`network`]: the settings of a client, such as the proxy, certificates and timeouts.
//! * [`wire`]: a request as the bytes of HTTP/1.1, which can be stored and read back, or as a curl command.
//! * `fake`, with the feature of that name: a strict fake of the service in memory, for tests. `testing` shows how to
//!   use it.
//! * [`limits`]: everything that can grow, with its limit.
//! * [`walk`]: the path of an image through the code, for readers of the sources.
//!
//! # Features
//! No feature is on by default.
//! * `fake`: the module `fake`.
//! * `imagesize`: [`Image::check`] also checks the resolution of an image.
//! * `tracing`: `session::Event::trace` emits an event of a call through the crate `tracing`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod app_ticket_event;
pub mod body;
pub mod endpoints;
pub mod error;
#[cfg(feature = "fake")]
pub mod fake;
pub mod guide;
mod host;
#[doc = include_str!("limits.md")]
pub mod limits {}
pub mod network;
mod path;
pub mod place;
pub mod session;
mod site;
#[cfg(feature = "fake")]
#[doc = include_str!("testing.md")]
pub mod testing {}
mod text;
pub mod token;
pub mod values;
#[doc = include_str!("walk.md")]
pub mod walk {}
pub mod wire;

pub use endpoints::{
    CreateImage, Endpoint, EndpointExt, PutImage, ReplyImage, SendImage, WriteSheetImage,
};
pub use error::{CallError, Error, Invalid};
pub use session::Limits;
pub use site::Site;
pub use token::{TenantToken, UserToken};
pub use values::{App, Image, ImageKey, SheetCell, SpreadsheetLink};
pub use {bytes, http};

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
