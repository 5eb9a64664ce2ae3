//! The dry run: it lists the writes that a run would make, and makes none.

use std::process::ExitCode;

use lark_proto::endpoints::CellContent;
use lark_ureq::CallError;

use crate::common::failure::{Failure, Reach};
use crate::common::run::EarlierRuns;
use crate::common::start::print;
use crate::fill_sheet_parts::contents::Contents;
use crate::fill_sheet_parts::lane::{Decision, Filling, MAX_IMAGES, request};
use crate::fill_sheet_parts::plan::{Lane, Plan};

/// A picture or a document, the reason why it cannot be written, and how far that reaches.
type Problem<'a> = (&'a String, String, Reach);

/// Checks the pictures and their cells, and prints the writes that a run would make. The exit code is that of a run
/// with the same failures.
pub(crate) fn show(filling: &Filling, plan: &Plan, earlier: &EarlierRuns) -> ExitCode {
    let mut problems: Vec<Problem<'_>> = Vec::new();
    for (document, failure) in &plan.unresolved {
        problems.push((document, failure.text.clone(), failure.reach));
    }
    for (file, failure) in &plan.without_sheet {
        problems.push((file, failure.text.clone(), failure.reach));
    }
    for lane in &plan.lanes {
        match describe(filling, lane) {
            Ok(found) => problems.extend(found),
            Err(error) => {
                let failure = Failure::from(error);
                problems.push((&lane.document, failure.text, failure.reach));
            }
        }
    }
    for (subject, text, _) in &problems {
        print(&format!("{subject}: {text}"));
    }
    earlier.print();
    match problems.len() {
        0 => print("no problem found"),
        count => print(&format!("{} found", counted(count, "problem"))),
    }
    let ends_run = problems.iter().any(|(_, _, reach)| *reach == Reach::Run);
    let is_whole = problems.is_empty() && earlier.refused.is_empty();
    ExitCode::from(if ends_run { 3 } else { u8::from(!is_whole) })
}

/// Prints a line for each picture that would be written into a spreadsheet, and one for all of them. Returns the
/// problems.
fn describe<'a>(filling: &Filling, lane: &'a Lane) -> Result<Vec<Problem<'a>>, CallError> {
    let cells = lane.jobs.iter().map(|job| &job.cell).collect();
    let mut contents = Contents::read(&filling.client, &lane.spreadsheet, &lane.sheets, &cells)?;
    let images = contents.images;
    let mut problems = Vec::new();
    let mut to_write = Vec::new();
    let mut filled = 0;
    for job in &lane.jobs {
        let content = contents.of(&job.cell);
        let decision = filling.decide(job, content);
        let note = match (decision, content) {
            (Decision::Arrived, _) => ", has arrived",
            (Decision::Skip, _) => ", skipped",
            (Decision::Write, CellContent::Empty) => "",
            (Decision::Write, CellContent::Image { .. }) => ", over an image",
            (Decision::Write, _) => ", over other content",
        };
        if decision == Decision::Write {
            if let Err(failure) = request(lane, job) {
                problems.push((&job.file, failure.text, failure.reach));
                continue;
            }
        }
        print(&format!("{}  {}{note}", lane.place(&job.cell), job.file));
        let is_filled = *content != CellContent::Empty;
        filled += usize::from(is_filled && decision != Decision::Arrived);
        if decision == Decision::Write {
            to_write.push(&job.cell);
            contents.count(&job.cell);
        }
    }
    print(&format!(
        "{}: {} to write; {} would be {}; {} would be added; the spreadsheet holds {images} of {MAX_IMAGES} images",
        lane.document,
        counted(to_write.len(), "picture"),
        counted(filled, "filled cell"),
        if filling.skip_filled { "skipped" } else { "overwritten" },
        counted(lane.missing_rows(&to_write), "row"),
    ));
    let too_many = contents.images.saturating_sub(MAX_IMAGES);
    if too_many > 0 {
        let too_many = counted(too_many, "picture");
        let text =
            format!("no room for {too_many}, because a spreadsheet takes 4,000 different images");
        problems.push((&lane.document, text, Reach::Lane));
    }
    Ok(problems)
}

/// The number with its noun.
fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
