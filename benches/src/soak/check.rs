//! Compares what the callers were told with what the server has stored.

use std::collections::{BTreeMap, HashMap, HashSet};

use lark_proto::error::Outcome;

use super::journal::{End, Entry, Sample, Stored, name};

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The calls that ended.
    pub calls: u64,
    /// The calls that stored their image.
    pub stored: u64,
    /// The errors of the others, with their outcome.
    pub errors: BTreeMap<String, u64>,
    /// The requests that arrived at the server.
    pub requests: u64,
    /// The faults that requests met, by their kind.
    pub faults: BTreeMap<String, u64>,
    /// The images that were stored once more, because a reply was lost.
    pub copies: u64,
    /// The images that are not as the callers were told, and the lines that cannot be read.
    pub wrong: Vec<String>,
    /// The measurements.
    pub samples: Vec<Sample>,
}

/// The contents that a cell may have: the image of the last write that was confirmed, or that of a later one whose
/// outcome is unknown.
#[derive(Default)]
struct Cell {
    confirmed: Option<u64>,
    possible: Vec<u64>,
}

/// Compares the lines of a journal with the server's list.
///
/// * An image is stored under the key that its upload returned, and no two uploads return the same key.
/// * Any other stored image was uploaded by a call that was told so, or whose outcome is unknown. An image whose upload
///   was not sent or was refused is stored nowhere.
/// * There are not more copies than faults.
/// * A cell holds the image of its last confirmed write, or that of a later one whose outcome is unknown.
pub fn check<'a>(
    journal: impl Iterator<Item = String>,
    stored: impl Iterator<Item = &'a str>,
) -> Report {
    let mut report = Report::default();
    let mut images = HashMap::new();
    let mut cells = HashMap::new();
    for line in stored {
        match Stored::read(line) {
            Some(Stored::Image(key, image)) => drop(images.insert(key, image)),
            Some(Stored::Cell(cell, image)) => drop(cells.insert(cell, image)),
            Some(Stored::Fault(count, fault)) => drop(report.faults.insert(fault, count)),
            Some(Stored::Requests(count)) => report.requests = count,
            None => report.wrong.push(format!("not a line of the server's: {line}")),
        }
    }
    let mut written: HashMap<String, Cell> = HashMap::new();
    let mut uploaded = HashSet::new();
    for line in journal {
        let (image, cell, end) = match Entry::read(&line) {
            Some(Entry::Call { image, cell, end }) => (image, cell, end),
            Some(Entry::Sample(sample)) => {
                report.samples.push(sample);
                continue;
            }
            None => {
                report.wrong.push(format!("not a line of the journal: {line}"));
                continue;
            }
        };
        report.calls += 1;
        let may_be_stored = match &end {
            End::Stored(_) => {
                report.stored += 1;
                true
            }
            End::Failed(outcome, error) => {
                let error = format!("{}: {error}", name(*outcome));
                *report.errors.entry(error).or_default() += 1;
                *outcome == Outcome::Unknown
            }
        };
        match (cell, end) {
            (Some(cell), end) => {
                let cell = written.entry(cell).or_default();
                match end {
                    End::Stored(_) => *cell = Cell { confirmed: Some(image), possible: vec![] },
                    End::Failed(..) if may_be_stored => cell.possible.push(image),
                    End::Failed(..) => {}
                }
            }
            (None, end) => {
                if may_be_stored {
                    uploaded.insert(image);
                }
                if let End::Stored(key) = end {
                    let found = key.as_ref().and_then(|key| images.remove(key));
                    if found != Some(image) {
                        let key = key.unwrap_or_default();
                        report.wrong.push(format!("{key} holds {found:x?}, not {image:x}"));
                    }
                }
            }
        }
    }
    for (key, image) in images {
        if uploaded.contains(&image) {
            report.copies += 1;
        } else {
            report.wrong.push(format!("{key} holds {image:x}, which no caller stored"));
        }
    }
    for (cell, Cell { confirmed, possible }) in written {
        let found = cells.remove(&cell);
        if found != confirmed && !found.is_some_and(|found| possible.contains(&found)) {
            report.wrong.push(format!("{cell} holds {found:x?}, not {confirmed:x?}"));
        }
    }
    let faults: u64 = report.faults.values().sum();
    if report.copies > faults {
        report.wrong.push(format!("{} copies after {faults} faults", report.copies));
    }
    let unknown = cells
        .into_iter()
        .map(|(cell, image)| format!("{cell} holds {image:x}, and no caller wrote to it"));
    report.wrong.extend(unknown);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults that the check finds in this journal and this list.
    fn wrong(journal: &[&str], stored: &[&str]) -> Vec<String> {
        let journal = journal.iter().map(|line| (*line).to_owned());
        check(journal, stored.iter().copied()).wrong
    }

    #[test]
    fn an_uploaded_image_is_stored_under_its_key() {
        let journal = &["call 7 - stored k1", "call 8 - stored k2"];
        assert!(wrong(journal, &["image k1 7", "image k2 8"]).is_empty());
        for stored in [
            &["image k1 7"][..],
            &["image k1 8", "image k2 7"],
            &["image k1 7", "image k2 9"],
            &["image k1 7", "image k2 8", "image k3 9"],
        ] {
            assert!(!wrong(journal, stored).is_empty(), "{stored:?}");
        }
        let twice = &["call 7 - stored k1", "call 7 - stored k1"];
        assert_eq!(wrong(twice, &["image k1 7"]).len(), 1);
    }

    #[test]
    fn only_an_upload_of_unknown_outcome_may_be_stored_without_a_key() {
        for (end, is_right) in [("unknown", true), ("not-sent", false), ("refused", false)] {
            let journal = &[&*format!("call 7 - {end} error")];
            let stored = &["image k1 7", "fault 1 slow reply"];
            assert_eq!(wrong(journal, stored).is_empty(), is_right, "{end}");
            assert!(wrong(journal, &[]).is_empty(), "{end}");
        }
        let journal = ["call 7 - stored k1".to_owned()];
        let stored = ["image k1 7", "image k2 7", "fault 1 slow reply"];
        let report = check(journal.clone().into_iter(), stored.into_iter());
        assert_eq!((report.copies, report.wrong), (1, vec![]));
        let report = check(journal.into_iter(), stored[..2].iter().copied());
        assert_eq!(report.wrong, ["1 copies after 0 faults"]);
    }

    #[test]
    fn a_cell_holds_its_last_confirmed_write_or_a_later_one_of_unknown_outcome() {
        let call = |end: &str| format!("call {end}");
        let lines = |ends: &[&str]| ends.iter().map(|end| call(end)).collect::<Vec<_>>();
        for (ends, right) in [
            (&["7 c stored -"][..], &[Some(7)][..]),
            (&["7 c stored -", "8 c stored -"], &[Some(8)]),
            (&["7 c unknown x", "8 c stored -"], &[Some(8)]),
            (&["7 c stored -", "8 c unknown x", "9 c unknown x"], &[Some(7), Some(8), Some(9)]),
            (&["7 c stored -", "8 c refused x", "9 c not-sent x"], &[Some(7)]),
            (&["7 c refused x"], &[None]),
            (&["7 c unknown x"], &[None, Some(7)]),
        ] {
            for held in [None, Some(7), Some(8), Some(9)] {
                let stored: Vec<_> = held.iter().map(|held| format!("cell c {held}")).collect();
                let found = check(lines(ends).into_iter(), stored.iter().map(String::as_str));
                assert_eq!(found.wrong.is_empty(), right.contains(&held), "{ends:?} {held:?}");
            }
        }
        assert_eq!(wrong(&[], &["cell c 7"]).len(), 1);
    }

    #[test]
    fn the_ends_of_calls_are_counted() {
        let journal = ["call 7 - stored k", "call 8 - unknown e", "call 9 - unknown e", "x"];
        let stored = ["image k 7", "fault 3 slow reply", "requests 60"];
        let report = check(journal.into_iter().map(str::to_owned), stored.into_iter());
        assert_eq!((report.calls, report.stored, report.requests), (3, 1, 60));
        assert_eq!(report.errors, BTreeMap::from([("unknown: e".to_owned(), 2)]));
        assert_eq!(report.faults, BTreeMap::from([("slow reply".to_owned(), 3)]));
        assert_eq!(report.wrong.len(), 1);
    }
}
