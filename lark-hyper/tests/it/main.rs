//! The tests of the client, in one program. `memory_peak.rs` is a program of its own, since it measures
//! the memory of processes.

mod bad_servers;
mod both_clients;
mod concurrent_calls;
mod errors;
mod fake_server;
mod fake_transport;
mod faulty_network;
mod http2;
mod parked;
mod reentrant;
mod request_body;
mod runtimes;
mod scenarios;
mod secrets;
mod support;
mod timeouts;
mod tls;
mod token_requests;
mod tracing;
