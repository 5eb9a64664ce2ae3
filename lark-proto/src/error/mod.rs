//! The errors, by their origin: [`Invalid`] refuses a value of the caller's before anything is sent, [`Error`] is read
//! from a reply, and [`CallError`] adds the failures of the transport and of the session.

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
