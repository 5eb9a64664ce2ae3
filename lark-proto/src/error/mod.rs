//! The errors, by their origin: [`Invalid`] is the error of a value, before anything is sent, [`Error`] the error of a
//! reply, and [`CallError`] the error of a whole call, which adds the failures of the transport and of the session.
//!
//! # How the types relate
//! ```text
//! CallError<T>                      with the route that failed
//!  +- kind: CallErrorKind<T>
//!      +- Invalid(Invalid)          the path or the place is wrong
//!      +- Queued(WaitFor)           the deadline passed in a queue
//!      +- Deadline, Transport(T)..  no reply arrived
//!      +- Lark(Error)               a reply arrived
//!          +- Api(ApiError)         it has a Code, which has a Class
//!          +- Unreadable(..)        its status decides, for lack of a code
//!
//! outcome()   Outcome   can the call's own request have been carried out?
//! advice()    Advice    does the reply suggest sending it again?
//! concerns()  Concerns  which other requests would fail in the same way?
//! ```
//!
//! The [`Class`] of a [`Code`] decides on the advice. For an unknown code and for a reply without a code, the HTTP
//! status decides. Before a call ends with an error, it has followed the advice within its [`Limits`](crate::Limits).
//!
//! # Statuses for a web service
//! A web service that makes calls for its own users can report a failed call to them with these statuses. The example
//! `axum` of `lark-hyper` implements the table as a function.
//!
//! | what failed | [`CallErrorKind`] | [`Class`] | HTTP status |
//! |---|---|---|---|
//! | the image or the place is invalid | `Invalid` | | 400 |
//! | the document, the sheet or the image does not exist | `Invalid` ([`NoSuchSheet`](InvalidKind::NoSuchSheet)), `Lark` | `NotFound` | 404 |
//! | a scope, or the access to the document, is missing ([`ApiError::is_permission`]) | `Lark` | `Permission` | 403 |
//! | the service refuses this image, cell or message | `Lark` | `Request`, `Limit`, unless it [`concerns`](CallError::concerns) everything | 422 |
//! | too many requests, a document that is busy, or a failure of the service | `Lark`, `Queued` (`Turn`, `Rate`) | `RateLimit`, `DocumentBusy`, `ServiceFailure`; HTTP 429 without a known code | 503, with `Retry-After` |
//! | the deadline passed | `Deadline`, `Queued` (`Token`) | | 504 |
//! | the app, its token, the monthly quota | `NoApp`, `NoTenant`, `ForeignTenant`, `NoTicket`, `Lark` | `App`, `TenantToken`, `AppToken`, `CallerToken`; `Request`, `Limit` if it concerns everything | 502 |
//! | the network, a gateway, an unknown code | `Transport`, `TokenRequest`, `TooLarge`, `Lark` | `Unknown` | 502 |

mod advice;
mod api;
mod call;
mod code;
mod concerns;
mod date;
mod failed_reply;
mod invalid;
mod scopes;
mod unreadable;

pub use advice::Advice;
pub(crate) use advice::after;
pub use api::{ApiError, FieldViolation, PermissionViolation};
pub use call::{CallError, CallErrorKind, WaitFor};
pub use code::{Class, Code};
pub use concerns::Concerns;
pub use failed_reply::{Error, Outcome};
pub use invalid::{Invalid, InvalidKind};
pub(crate) use scopes::{MAX_LINK_LEN, link_in, scopes_in};
pub use unreadable::Unreadable;
