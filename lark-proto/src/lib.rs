//! Lark's and Feishu's image endpoints without I/O: an image into a cell of a spreadsheet, an image into a chat. Typed
//! requests become [`http::Request`]s with exact, reproducible bytes, and replies become typed results or errors.
//!
//! Most programs use a client on top of this crate: [lark-ureq](https://docs.rs/lark-ureq), which is blocking, or
//! [lark-hyper](https://docs.rs/lark-hyper), which is async. Alone, it is for a program that has a transport of its
//! own: another HTTP client, an event loop, WebAssembly.
//!
//! ```
//! use lark_proto::{EndpointExt, Image, Site, TenantToken, WriteSheetImage};
//!
//! let (spreadsheet, cell) = ("shtcnabc".parse()?, "Q7PlXT!H7".parse()?);
//! let image = Image::new("GIF89a..")?;
//! let write = WriteSheetImage::new(spreadsheet, cell, image)?;
//! let request = write.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
//! assert_eq!(request.uri().host(), Some("open.larksuite.com"));
//! // .. any HTTP client sends it, and receives a response like this one:
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
//! * A wrong value is refused when it is built, as [`Invalid`]. A request that is made of these values cannot fail.
//! * A known code in a reply decides, whatever the HTTP status: the service sends the same failure with 200, 400 and
//!   429.
//! * The crate uses no network, no clock and no random numbers. The same values give the same bytes.
//!
//! # Modules
//! * [`values`]: the values of a request. Each type documents the rule that it checks.
//! * [`endpoints`]: the requests, and the trait for adding an endpoint.
//! * [`token`]: access tokens, and which endpoint takes which.
//! * [`body`]: the encoders of JSON numbers, base64 and multipart forms.
//! * [`error`]: the errors, by their origin: a value of the caller's, a reply, or the transport.
//! * [`session`]: a whole call, from its token to its result, as a state machine for any transport: token renewal,
//!   retries, rate limits and the order of writes.
//! * [`place`]: a cell by a pasted link and the title of its sheet, and how it is found.
//! * [`network`]: the settings of a client: proxy, certificates, timeouts.
//! * [`wire`]: a request as the bytes of HTTP/1.1, to be stored and read back, or as a curl command.
//! * `fake`, with the feature of that name: a strict Lark in memory to test against. `testing` shows how.
//! * [`walk`]: the way of an image through the code, for a reader of the sources.
//!
//! # Features
//! None is on by default.
//! * `fake`: the module `fake`.
//! * `imagesize`: [`Image::check`] also checks the resolution of an image.
//! * `tracing`: `session::Event::trace`, which emits an event of a call through the `tracing` crate.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod body;
mod draft;
mod endpoint;
pub mod endpoints;
pub mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod host;
pub mod network;
mod path;
pub mod place;
mod reply;
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
