//! A strict Lark in memory, without I/O, to test clients against: the endpoints of this crate, and the [`scenarios`]
//! that every client has to get through.
//!
//! ```text
//!  head arrives        body complete
//!  begin(now, head) -> InFlight -> finish(now, flight, body) -> http::Response
//!                         |
//!                         +--> abandon(flight)
//!                              the connection broke: nothing is carried out
//!
//!  handle(now, request) = begin + finish
//!  exchange(now, request) = the same, but for a break that a test asked for
//! ```
//!
//! It reads requests with parsers of its own, so that it does not share a mistake with the encoders, and its
//! refusals say in `msg` what is wrong and where. It knows no clock, randomness, socket or lock:
//! the same calls get the same replies, byte for byte. A server that has bytes and no HTTP library reads
//! requests and writes replies with [`http1`].
//!
//! # Guesses
//!
//! The fake answers as the vendor documents, as the vendor's own clients expect or as users report. The list below is
//! everything else: the service may answer otherwise, and a test should not rely on it.
//!
//! Requests in general:
//! * A body with `Transfer-Encoding` gets the edge's HTML page with HTTP 400. Users report that such uploads fail; the
//!   cause is inferred. [`http1`] is stricter than HTTP/1.1 because a proxy in front of the service may be as strict.
//! * Every path is served with and without a trailing slash. The service is known to do so for `image/v4/put` and for
//!   the requests for tokens.
//! * The token is judged before the path's values and the body, and before a rate limit. All apps and tenants share the
//!   windows of a [`rate_limit`](FakeLark::rate_limit).
//! * The HTTP status is 200 with the codes of spreadsheets (902xx), 10005, 10012, 10013 and 10016, and 400 with 10014
//!   for a wrong secret, 99991664, 99991671 and 99991677.
//!
//! Tokens:
//! * A store app that asks for a custom app's token gets 10005; a custom app that asks for an app access token of a
//!   store app gets 10012; an unknown tenant gets 10013.
//! * A request for a token with a `Content-Type` other than JSON gets 10003. The code is observed for a malformed body.
//! * An app access token opens no endpoint: 99991671.
//!
//! Uploads:
//! * The documented 10 MB are 10 MiB.
//! * `im/v1/images`: a malformed form, and a missing or wrong `image_type`, get 234001. The description of the field
//!   `image` with 99992402, and the order in which an upload with several mistakes is judged.
//! * `im/v1/images`: the format is judged by the signature alone, so that a truncated image is accepted, and so is an
//!   image whose width and height cannot be read. The service may refuse both. HEIC, which Lark's edition of the
//!   document does not list, is accepted. A GIF as an avatar has the limit of a GIF, 2000 x 2000 pixels.
//! * `image/v4/put`: a missing or empty file, and a file without a file name, get 11214; any other mistake gets 18033.
//!   The document gives the codes, but not for which mistake. Neither the format nor the resolution is judged.
//!
//! Downloads:
//! * A download hands out exactly the bytes that were written. The service may compress an image or convert it.
//! * An unknown key of an image gets 234001, and so does the key of an avatar.
//! * `extra` of a media download is a JSON object: 1061002 if not.
//!
//! Messages:
//! * The answer to a request with the uuid of an earlier one is that of the earlier one, and all chats share the uuids.
//! * An unknown key of an image gets 230017, as that of another app or of an avatar does; a group that does not exist
//!   gets 230002, as one that the bot is not in does; a body that is not JSON gets 9499.
//!
//! Spreadsheets and wiki:
//! * A write occupies its spreadsheet from its head on, and another write gets 90217 meanwhile. The vendor documents
//!   that one document takes one call at a time, but not the code.
//! * A cell's image has 20 MiB at most, the limit of the vendor's command-line tool, and a larger one gets 90227. Its
//!   bytes are not judged, but an empty image gets 90204.
//! * A name may end in `.webp`, which the newer edition of the document does not list.
//! * More than 4000 images, or more columns than a sheet may have, get 90226; more cells than a sheet may have get
//!   90219.
//! * A write to more than one cell, and a range whose first cell is not its upper left one, get 90202; a range of a
//!   base gets 90215; an unknown `valueRenderOption` gets 90229.
//! * A tenant that takes no base64 answers it with 90204. Reports name HTTP 400, but no code.
//! * JSON with a missing field or a field of the wrong type gets 90204.
//! * A change of the rows or columns counts in the revision.
//! * A request for a page of a wiki with an unknown `obj_type`, or with a token of more than the documented 999
//!   characters, gets 131002.

mod connection;
mod failures;
mod gateway;
mod lark;
mod readers;
mod record;
mod reply;
mod route;
pub mod scenarios;
mod services;

#[cfg(test)]
mod tests;

pub use self::connection::{Connection, Step};
pub use self::failures::{Break, Failure, Fault};
pub use self::gateway::TokenKind;
pub use self::lark::{FakeLark, InFlight};
pub use self::readers::{FormPart, http1};
pub use self::record::{ImageForm, RecordedRequest};
pub use self::route::Route;
pub use self::services::{
    FakeSheet, ImageKind, RouteRequest, StoredCell, StoredImage, StoredMessage,
};
