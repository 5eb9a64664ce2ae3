//! The client with its own connections against servers that break off, stall, never end, or send what is no reply.

mod breaks;
mod endless;
mod held;
mod replies;
mod reset;
mod scripted;
