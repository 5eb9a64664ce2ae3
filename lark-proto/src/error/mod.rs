//! What can go wrong, sorted by whose fault it is: [`Invalid`] is ours, before anything is sent;
//! [`Error`] is what came back; [`CallError`] adds the transport's own failures.

mod advice;
mod api;
mod call;
mod code;
mod date;
mod invalid;

pub use advice::Advice;
pub(crate) use advice::after;
pub use api::{ApiError, Error, FieldViolation, Outcome, PermissionViolation, Unreadable};
pub(crate) use call::chain;
pub use call::{CallError, Failure, WaitFor};
pub use code::{Class, Code};
pub use invalid::{Invalid, Rule};
