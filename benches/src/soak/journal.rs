//! The journal in which the callers write how each call ended, and the list of what the server has stored. Both are
//! lines of text, so that they take no memory in the process that is measured.

use std::fmt;

use lark_proto::error::Outcome;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A call ended.
    Call {
        /// The hash of the image.
        image: u64,
        /// The cell of a write, or `None` for an upload.
        cell: Option<String>,
        /// How it ended.
        end: End,
    },
    /// A measurement of the process.
    Sample(Sample),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The image is stored, and has this key if it was uploaded.
    Stored(Option<String>),
    /// The call ended with an error.
    Failed(Outcome, String),
}

/// A measurement of the process with the callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The time since the start.
    pub seconds: u32,
    /// The resident memory.
    pub resident_kib: u32,
    /// The bytes that are allocated.
    pub heap: u32,
    /// The most open descriptors since the last sample.
    pub descriptors: u32,
}

/// A line of the server's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// An uploaded image, by its key.
    Image(String, u64),
    /// The image in a cell.
    Cell(String, u64),
    /// How many requests met a fault.
    Fault(u64, String),
    /// How many requests arrived.
    Requests(u64),
}

/// In place of a text that does not exist.
const NONE: &str = "-";

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { image, cell, end } => {
                write!(f, "call {image:016x} {} ", cell.as_deref().unwrap_or(NONE))?;
                match end {
                    End::Stored(key) => write!(f, "stored {}", key.as_deref().unwrap_or(NONE)),
                    End::Failed(outcome, error) => write!(f, "{} {error}", name(*outcome)),
                }
            }
            Self::Sample(Sample { seconds, resident_kib, heap, descriptors }) => {
                write!(f, "sample {seconds} {resident_kib} {heap} {descriptors}")
            }
        }
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(key, image) => write!(f, "image {key} {image:016x}"),
            Self::Cell(cell, image) => write!(f, "cell {cell} {image:016x}"),
            Self::Fault(count, fault) => write!(f, "fault {count} {fault}"),
            Self::Requests(count) => write!(f, "requests {count}"),
        }
    }
}

impl Entry {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        if kind == "sample" {
            let mut numbers = rest.split(' ').map(|number| number.parse().ok());
            let mut next = || numbers.next().flatten();
            let (seconds, resident_kib) = (next()?, next()?);
            let (heap, descriptors) = (next()?, next()?);
            return Some(Self::Sample(Sample { seconds, resident_kib, heap, descriptors }));
        }
        let mut parts = rest.splitn(4, ' ').filter(|_| kind == "call");
        let image = u64::from_str_radix(parts.next()?, 16).ok()?;
        let some = |text: &str| Some(text.to_owned()).filter(|text| text != NONE);
        let cell = some(parts.next()?);
        let (end, detail) = (parts.next()?, parts.next()?);
        let end = match end {
            "stored" => End::Stored(some(detail)),
            end => {
                let outcomes = [Outcome::NotSent, Outcome::Refused, Outcome::Unknown];
                let outcome = outcomes.into_iter().find(|outcome| name(*outcome) == end)?;
                End::Failed(outcome, detail.to_owned())
            }
        };
        Some(Self::Call { image, cell, end })
    }
}

impl Stored {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        let image = || u64::from_str_radix(second, 16).ok();
        Some(match kind {
            "image" => Self::Image(first.to_owned(), image()?),
            "cell" => Self::Cell(first.to_owned(), image()?),
            "fault" => Self::Fault(first.parse().ok()?, second.to_owned()),
            "requests" => Self::Requests(first.parse().ok()?),
            _ => return None,
        })
    }
}

/// The name of an outcome in the journal.
pub(crate) fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotSent => "not-sent",
        Outcome::Refused => "refused",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_read_as_it_was_written() {
        let call = |cell: Option<&str>, end| Entry::Call {
            image: 0x7f,
            cell: cell.map(str::to_owned),
            end,
        };
        let failed = |outcome| End::Failed(outcome, "code 90217, twice".to_owned());
        for entry in [
            call(None, End::Stored(Some("img_1".to_owned()))),
            call(Some("sht/s!A1:A1"), End::Stored(None)),
            call(Some("sht/s!A1:A1"), failed(Outcome::NotSent)),
            call(None, failed(Outcome::Refused)),
            call(None, failed(Outcome::Unknown)),
            Entry::Sample(Sample { seconds: 1, resident_kib: 2, heap: 3, descriptors: 4 }),
        ] {
            assert_eq!(Entry::read(&entry.to_string()), Some(entry));
        }
        for line in ["", "call", "call 7f -", "call x - stored -", "call 7f - lost x", "sample 1 2"]
        {
            assert_eq!(Entry::read(line), None, "{line}");
        }
    }

    #[test]
    fn each_stored_thing_is_read_as_it_was_written() {
        for stored in [
            Stored::Image("img_1".to_owned(), u64::MAX),
            Stored::Cell("sht/s!A1:A1".to_owned(), 0),
            Stored::Fault(7, "reply cut".to_owned()),
            Stored::Requests(9),
        ] {
            assert_eq!(Stored::read(&stored.to_string()), Some(stored));
        }
        assert_eq!(Stored::read("image img_1"), None);
    }
}
