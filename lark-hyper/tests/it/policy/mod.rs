//! The policy of the session, tested through the client in virtual time.

mod documents;
mod service;
mod tokens;
