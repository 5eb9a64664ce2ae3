//! The rules that `lark-ureq` and this client keep alike, each tested with both. They are tested here, because this
//! crate's tests can also run the blocking client.

mod hangs;
mod idle_connections;
mod network;
mod place;
mod same_bytes;
mod wrong_token;
