//! The session's policy through the client: calls that wait, give up and go on, in virtual time.

#[path = "../support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

mod documents;
mod service;
mod static_client;
mod tokens;
