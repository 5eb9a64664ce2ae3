//! HTTP/2 frames that end or hold up a stream, and long replies, for lark-hyper, which alone speaks HTTP/2.

mod flood;
mod frames;
mod replies;
mod streams;
