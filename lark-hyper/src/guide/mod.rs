//! The guide of this client. The guide of [`lark_proto`](lark_proto::guide) has the pages that both clients share, such
//! as what an app needs before its first call.

#[cfg(feature = "tokio")]
#[doc = include_str!("client_in_a_struct.md")]
pub mod client_in_a_struct {}

#[doc = include_str!("runtimes.md")]
pub mod runtimes {}
