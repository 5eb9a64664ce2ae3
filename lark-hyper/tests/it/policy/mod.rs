//! The policy of the session, tested through the client in virtual time.

#[path = "../support/time.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod time;

mod documents;
mod service;
mod static_client;
mod tokens;
