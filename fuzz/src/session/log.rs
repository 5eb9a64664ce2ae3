//! The events that a session writes to a program's log show no secret.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::work::assert_text;

/// The levels of the events that are logged meanwhile. Their fields show no secret.
pub(super) fn levels(emit: impl FnOnce()) -> Vec<Level> {
    let levels = Arc::new(Mutex::new(Vec::new()));
    tracing::subscriber::with_default(Log(levels.clone()), emit);
    levels.lock().unwrap().clone()
}

struct Log(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Discreet);
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Discreet;

impl Visit for Discreet {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        assert_text(&text);
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
