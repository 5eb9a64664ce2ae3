//! The tests of the client, of its fakes, and of the tools among the examples: one program. The rules that both clients
//! keep alike (proxies, certificates, timeouts of phases) are tested in `lark-hyper/tests/it/both_clients`.

mod call_in_memory;
mod fake_server;
mod fake_transport;
mod loopback;
mod parked;
mod scenarios;
mod support;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod tools;
mod tracing;
mod wall_clock;
