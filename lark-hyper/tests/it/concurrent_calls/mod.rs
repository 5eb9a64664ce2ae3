//! Many calls of one client at a time.

mod lanes;
mod services;
mod tokens;
