//! The tests of the client, in one program. `peak.rs` is a program of its own, since it measures the memory of processes.

mod bad_servers;
mod errors;
mod fake_server;
mod fake_transport;
mod frames;
mod hangs;
mod http2;
mod kept;
mod network;
mod parked;
mod place;
mod policy;
mod reentrant;
mod runtimes;
mod same_bytes;
mod scenarios;
mod support;
mod timeouts;
mod tls;
mod together;
mod tracing;
mod wrong_token;
