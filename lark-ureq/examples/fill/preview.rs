//! What a run would do.

use std::collections::HashSet;
use std::process::ExitCode;

use lark_proto::SheetCell;
use lark_proto::endpoints::CellContent;
use lark_ureq::CallError;

use super::contents::{Contents, image_in};
use super::lane::{Filling, MAX_IMAGES};
use super::plan::{Lane, Plan};
use crate::tools::failure::{Ends, Failure};
use crate::tools::pictures;
use crate::tools::run::Passed;
use crate::tools::start::print;

/// Checks the pictures and their cells, and prints what a run would do. The exit code is that of a run with the same
/// failures.
pub(crate) fn show(filling: &Filling, plan: &Plan, passed: Passed) -> ExitCode {
    let mut problems = Vec::new();
    for (document, failure) in &plan.closed {
        problems.push((document, failure.text.clone(), failure.ends));
    }
    for (_, file, failure) in &plan.lost {
        problems.push((file, failure.text.clone(), failure.ends));
    }
    for lane in &plan.lanes {
        let mut cells = HashSet::new();
        for job in &lane.jobs {
            match pictures::read(&job.path) {
                Ok(_) => drop(cells.insert(&job.cell)),
                Err(reason) => problems.push((&job.file, reason, Ends::File)),
            }
        }
        match describe(filling, lane, &cells) {
            Ok(too_many) => {
                problems.extend(too_many.map(|text| (&lane.document, text, Ends::Lane)));
            }
            Err(error) => {
                let failure = Failure::from(error);
                problems.push((&lane.document, failure.text, failure.ends));
            }
        }
    }
    for (subject, text, _) in &problems {
        print(&format!("{subject}: {text}"));
    }
    passed.print();
    match problems.len() {
        0 => print("no problem found"),
        count => print(&format!("{} found", counted(count, "problem"))),
    }
    let ends_run = problems.iter().any(|(_, _, ends)| *ends == Ends::Run);
    let is_whole = problems.is_empty() && passed.refused == 0;
    ExitCode::from(if ends_run { 3 } else { u8::from(!is_whole) })
}

/// Prints what would be written into these cells of a spreadsheet. Returns the problem if it takes fewer images.
fn describe(
    filling: &Filling,
    lane: &Lane,
    cells: &HashSet<&SheetCell>,
) -> Result<Option<String>, CallError> {
    let contents = Contents::read(&filling.client, &lane.spreadsheet, &lane.sheets, cells)?;
    let held = || cells.iter().map(|cell| contents.of(cell));
    let filled = held().filter(|content| **content != CellContent::Empty).count();
    print(&format!(
        "{}: {} to write; {} would be {}; the spreadsheet holds {}",
        lane.document,
        counted(cells.len(), "picture"),
        counted(filled, "filled cell"),
        if filling.skip_filled { "skipped" } else { "overwritten" },
        counted(contents.images, "image"),
    ));
    let adds_image = |content: &&CellContent| match content {
        CellContent::Empty => true,
        content => !filling.skip_filled && image_in(content).is_none(),
    };
    let images = contents.images + held().filter(adds_image).count();
    let too_many = images.saturating_sub(MAX_IMAGES);
    let problem = || format!("{too_many} of them do not fit: a spreadsheet takes 4,000 images");
    Ok((too_many > 0).then(problem))
}

/// The number with its noun.
fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
