//! The client over its own pool, against servers that close, stall, send without end, or send no valid reply.

mod breaks;
mod endless;
mod memory_after_call;
mod replies;
mod reset;
mod scripted;
