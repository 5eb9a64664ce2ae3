//! The code that several endpoints share.

pub(super) mod dimension;
pub(super) mod download;
pub(super) mod grant;
pub(super) mod message;
pub(super) mod upload;
