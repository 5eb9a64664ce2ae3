//! The gateway in front of the services: it judges a request by its token and by the rate limit of its route, before
//! anything reads the body.

mod rate_limits;
mod tokens;

pub use self::tokens::TokenKind;

pub(crate) use self::rate_limits::RateLimits;
pub(crate) use self::tokens::{Holder, Tokens};
