//! Readers of requests, written from the standards. They share no code with the encoders of this crate, so that a test
//! cannot pass because both make the same mistake.

pub(crate) mod header;
pub mod http1;
pub(crate) mod json;
pub(crate) mod multipart;

pub use self::multipart::FormPart;
