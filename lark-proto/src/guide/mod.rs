#![doc = include_str!("index.md")]

#[doc = include_str!("first_call.md")]
#[doc(alias = "自建应用")]
#[doc(alias = "机器人")]
#[doc(alias = "权限")]
pub mod first_call {}

#[doc = include_str!("links.md")]
#[doc(alias = "知识库")]
#[doc(alias = "工作表")]
pub mod links {}

#[doc = include_str!("images.md")]
pub mod images {}

#[doc = include_str!("calls.md")]
pub mod calls {}

#[doc = include_str!("own_endpoints.md")]
pub mod own_endpoints {}

#[doc = include_str!("own_transport.md")]
pub mod own_transport {}

#[doc = include_str!("exact_bytes.md")]
pub mod exact_bytes {}
