//! Everything that the crates of a process log: the events of `tracing` and the records of `log`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The texts, by the target that logged them.
static SHOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn show(target: &str, text: &str) {
    let mut shown = SHOWN.lock().unwrap();
    let all = shown.entry(target.to_owned()).or_default();
    all.push_str(text);
    all.push('\n');
}

/// Writes the fields of an event or a span.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

/// Keeps the events and spans of every level, and the records of the crate `log`.
struct Keeper;

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        show(span.metadata().target(), &fields.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        show("a span", &fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().name().to_owned());
        event.record(&mut fields);
        show(event.metadata().target(), &fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        show(record.target(), &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Keeps what every thread of this process logs from now on.
pub(super) fn keep() {
    tracing::subscriber::set_global_default(Keeper).unwrap();
    log::set_logger(&Keeper).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
}

/// The text that was logged so far, by target.
pub(super) fn taken() -> BTreeMap<String, String> {
    std::mem::take(&mut SHOWN.lock().unwrap())
}

/// The bytes of a hexdump, as hexadecimal digits without the spaces and the text beside them. A secret is cut where a
/// row ends, so that only the joined rows show it.
pub(super) fn joined(rows: &str) -> String {
    let digits = |row: &str| -> String {
        let columns = row.split(' ').take(8);
        columns.filter(|column| column.bytes().all(|b| b.is_ascii_hexdigit())).collect()
    };
    rows.lines().map(digits).collect()
}

/// The targets whose text, or whose joined rows, show a secret.
pub(super) fn targets_with_secrets(shown: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let is_shown =
        |text: &str| super::shown_in(text).is_some() || super::shown_in(&joined(text)).is_some();
    shown.iter().filter(|(_, text)| is_shown(text)).map(|(target, _)| &**target).collect()
}
