//! A strict fake of Lark in memory, without I/O, to test clients against. It serves the endpoints of this crate.
//! [`scenarios`] has tests that every client of Lark should pass.
//!
//! A request to Lark passes the edge, which is the proxy in front of the service; then the gateway, which checks the
//! token and the rate limit; then the service of the endpoint. The fake plays all three.
//!
//! ```text
//!  head arrives        body complete
//!  begin(now, head) -> InFlight -> finish(now, flight, body) -> http::Response
//!                         |
//!                         +--> abandon(flight)
//!                              the connection broke: nothing is carried out
//!
//!  handle(now, request) = begin + finish
//!  exchange(now, request) = begin + finish, and it obeys a connection
//!                           fault that a test asked for
//! ```
//!
//! The fake reads requests with parsers of its own, so that it does not share a mistake with the encoders of this
//! crate. The `msg` of a refusal names the mistake in a malformed form or JSON body and its place, except for a token
//! request. The fake uses no clock, randomness, socket or lock: equal calls get equal replies, byte for byte. A server
//! without an HTTP library reads requests and writes replies with [`http1`].
//!
//! # Guesses
//!
//! The fake answers as the vendor documents, as the vendor's own clients expect, or as users report. The replies in
//! the list below are guesses. The service may answer otherwise, so a test should not rely on them.
//!
//! Requests in general:
//! * A body with `Transfer-Encoding` gets the edge's HTML page with HTTP 400. Users report that uploads with this
//!   header fail, but not why. [`http1`] is stricter than HTTP/1.1 because the edge may be as strict; a [`Connection`]
//!   closes without a reply.
//! * Every path is served with and without a trailing slash. The service is known to do so for `image/v4/put` and for
//!   the token requests.
//! * The token is checked before the values in the path and before the body, and before a rate limit. All apps and
//!   tenants share the windows of a [`rate_limit`](FakeLark::rate_limit).
//! * The HTTP status is 200 with 10005, 10012, 10013 and 10016, and with the codes of spreadsheets (902xx), except for
//!   an image in base64 that the tenant does not accept. It is 400 with 10014 for a wrong secret, 99991664, 99991671
//!   and 99991677.
//!
//! Tokens:
//! * A store app that asks for a custom app's token gets 10005; a custom app that asks for an app access token of a
//!   store app gets 10012; an unknown tenant gets 10013.
//! * A token request with a `Content-Type` other than JSON gets 10003. The code is observed for a malformed body.
//! * Every endpoint refuses an app access token with 99991671.
//!
//! Uploads:
//! * The documented limit of 10 MB is 10 MiB.
//! * `im/v1/images`: a malformed form, and a missing or wrong `image_type`, get 234001. The description of the field
//!   `image` in a refusal with 99992402 is a guess, and so is the order in which a form is checked for mistakes.
//! * `im/v1/images`: the format is read from the signature alone, so a truncated image is accepted. An image whose
//!   width and height cannot be read is accepted too. The service may refuse both. HEIC, which Lark's edition of the
//!   document does not list, is accepted. A GIF may have 2000 x 2000 pixels, even as an avatar.
//! * `image/v4/put`: a missing or empty file, and a file without a file name, get 11214; any other mistake gets 18033.
//!   The document lists the codes, but not the mistakes that they stand for. Neither the format nor the resolution is
//!   checked.
//!
//! Downloads:
//! * A download returns exactly the bytes that were written. The service may compress an image or convert it.
//! * An unknown image key gets 234001, and so does the key of an avatar.
//! * A media download whose `extra` is not a JSON object gets 1061002.
//!
//! Messages:
//! * A request with the uuid of an earlier message gets a reply that describes that message as it is now. All chats
//!   share the uuids.
//! * An unknown image key gets 230017, like the key of another app's image and that of an avatar. A group that does not
//!   exist gets 230002, like a group without the bot. A body that is not JSON gets 9499.
//!
//! Spreadsheets and wiki:
//! * A write occupies its spreadsheet from the arrival of its head until it is answered, and another write in that time
//!   gets 90217. The vendor documents that one document takes one call at a time, but not the code.
//! * A cell's image has 20 MiB at most, the limit of the vendor's command-line tool, and a larger one gets 90227. The
//!   format is not checked. An empty image gets 90204.
//! * A name may end in `.webp`, which the newer edition of the document does not list.
//! * More than 4000 images, or more columns than a sheet may have, get 90226; more cells than a sheet may have get
//!   90219.
//! * A range has the cells of its corners, such as `Q7PlXT!A1:B2`. The others that the vendor documents get 90215 (a
//!   sheet alone) and 90202 (columns).
//! * A write to more than one cell, and a range whose first cell is not its upper left one, get 90202; a range of a
//!   base gets 90215; an unknown `valueRenderOption` gets 90229.
//! * A tenant that does not accept base64 answers with 90204. Reports name HTTP 400, but no code.
//! * JSON with a missing field or a field of the wrong type gets 90204.
//! * A change of rows or columns increases the revision.
//! * A request for a page of a wiki with an unknown `obj_type`, or with a token of more than the documented 999
//!   characters, gets 131002.

// The files, in the order in which a request passes them:
// * `connection`: the bytes of a connection, of which `readers::http1` makes requests;
// * `lark`: the fake, whose `begin` takes the head of a request, and whose `finish` takes the body and replies;
// * `route`: the endpoint that the head names;
// * `gateway`: the checks of the token and the rate limit, in `begin`;
// * `failures`: the failures that a test asked for, one of which `begin` may take;
// * `services`: the services, one of which carries the request out, in `finish`;
// * `readers`: the parsers with which they read the request;
// * `reply`: the response;
// * `record`: the request and its reply, for the test to read;
// * `latest`: the map in which uploads, messages and issued tokens are stored;
// * `scenarios`: the tests of clients.
mod connection;
mod failures;
mod gateway;
mod lark;
mod latest;
mod readers;
mod record;
mod reply;
mod route;
pub mod scenarios;
mod services;

#[cfg(test)]
mod tests;

pub use self::connection::{Connection, ServerStep};
pub use self::failures::{ConnectionFault, Failure, Fault};
pub use self::gateway::TokenKind;
pub use self::lark::{FakeLark, InFlight};
pub use self::readers::{FormPart, http1};
pub use self::record::{RecordedRequest, SentImageEncoding};
pub use self::route::Route;
pub use self::services::{
    FakeSheet, ImageKind, RouteRequest, StoredCell, StoredImage, StoredMessage,
};
