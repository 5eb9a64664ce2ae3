//! The guide of this client. The guide of [`lark_proto`](lark_proto::guide) has the pages that both clients share, such
//! as what an app needs before its first call.

#[doc = include_str!("chat.md")]
#[doc(alias = "群聊")]
pub mod chat {}

#[doc = include_str!("many_images.md")]
#[doc(alias = "batch")]
pub mod many_images {}

#[doc = include_str!("network.md")]
#[doc(alias = "proxy")]
pub mod network {}
