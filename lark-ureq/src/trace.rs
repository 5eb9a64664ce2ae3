//! The events of a call, for the `tracing` crate. Without the feature a call keeps none.

use lark_proto::session::{Call, Event};

/// The call, which keeps its events only if this crate emits them.
pub(crate) fn keep<O, T>(call: Call<O, T>) -> Call<O, T> {
    if cfg!(feature = "tracing") { call.with_events() } else { call }
}

/// Emits `events`. A subscriber is a caller's code, so the session's lock must not be held.
#[cfg(feature = "tracing")]
pub(crate) fn emit(events: &[Event]) {
    events.iter().for_each(Event::trace);
}

/// Without the feature there is nothing to emit.
#[cfg(not(feature = "tracing"))]
pub(crate) fn emit(_: &[Event]) {}
