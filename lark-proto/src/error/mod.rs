//! The errors, by their origin: [`Invalid`] refuses a value of the caller's before anything is sent, [`Error`] is read
//! from a reply, and [`CallError`] adds the failures of the transport and of the session.
//!
//! # How the types relate
//! ```text
//! CallError<T>                      of a call; with the route that failed
//!  +- kind: CallErrorKind<T>
//!      +- Invalid(Invalid)          the place or the path: nothing is sent
//!      +- Queued(WaitFor)           the deadline passed in a queue
//!      +- Deadline, Transport(T)..  no reply
//!      +- Lark(Error)               a reply
//!          +- Api(ApiError)         with a Code; class(): its meaning
//!          +- Unreadable(..)        without a code: the status counts
//!
//! outcome()   Outcome   may the call's own request have been carried out?
//! advice()    Advice    can another send help, from the reply alone?
//! concerns()  Concerns  which other requests would fail in the same way?
//! ```
//!
//! A [`Class`] is the meaning of a [`Code`] and decides the advice; a code without a known class, and a reply without a
//! code, are judged by their HTTP status. A call has followed the advice within its [`Limits`](crate::Limits) before it
//! ends with the error.
//!
//! # Statuses for a web service
//! A service that makes calls for its own users can answer a failed one with these statuses. The example `axum` of
//! `lark-hyper` has the table as a function.
//!
//! | what failed | [`CallErrorKind`] | [`Class`] | HTTP status |
//! |---|---|---|---|
//! | the picture or the place is invalid | `Invalid` | | 400 |
//! | the document, the sheet or the image does not exist | `Invalid` ([`NoSuchSheet`](InvalidKind::NoSuchSheet)), `Lark` | `NotFound` | 404 |
//! | a scope, or the access to the document, is missing ([`ApiError::is_permission`]) | `Lark` | `Permission` | 403 |
//! | the service refuses this picture, cell or message | `Lark` | `Request`, `Limit` but for the month's quota | 422 |
//! | too many requests, or a document that is busy | `Lark`, `Queued` (`Turn`, `Rate`) | `RateLimit`, `DocumentBusy`, `Busy`; HTTP 429 without a known code | 503, with `Retry-After` |
//! | the deadline passed | `Deadline`, `Queued` (`Token`) | | 504 |
//! | the app, its token, the month's quota | `NoApp`, `NoTenant`, `ForeignTenant`, `NoTicket`, `Lark` | `App`, `TenantToken`, `AppToken`, `CallerToken`, `Limit` | 502 |
//! | the network, a gateway, an unknown code | `Transport`, `TokenRequest`, `TooLarge`, `Lark` | `Unknown` | 502 |

mod advice;
mod api;
mod call;
mod code;
mod concerns;
mod date;
mod invalid;
mod scopes;

pub use advice::Advice;
pub(crate) use advice::after;
pub use api::{ApiError, Error, FieldViolation, Outcome, PermissionViolation, Unreadable};
pub use call::{CallError, CallErrorKind, WaitFor};
pub use code::{Class, Code};
pub use concerns::Concerns;
pub use invalid::{Invalid, InvalidKind};
pub(crate) use scopes::{LINK, link_in, scopes_in};
