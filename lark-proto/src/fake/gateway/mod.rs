//! The gateway in front of the services. It checks the token of a request and the rate limit of its route before a
//! service reads the body.

mod rate_limits;
mod tokens;

pub use self::tokens::TokenKind;

pub(crate) use self::rate_limits::RateLimits;
pub(crate) use self::tokens::{Holder, Tokens};
