//! The tests of the client, in one program. `peak.rs` is a program of its own, since it measures the memory of processes.

mod bad_servers;
mod both_clients;
mod errors;
mod fake_server;
mod fake_transport;
mod frames;
mod http2;
mod parked;
mod reentrant;
mod runtimes;
mod scenarios;
mod support;
mod timeouts;
mod tls;
mod together;
mod token_requests;
mod tracing;
