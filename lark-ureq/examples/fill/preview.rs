//! What a run would do.

use std::process::ExitCode;

use super::contents::Contents;
use super::lane::Filling;
use super::plan::{Lane, Plan};
use crate::tools::failure::Failure;
use crate::tools::pictures;
use crate::tools::run::Passed;
use lark_proto::endpoints::CellContent;

/// Checks the pictures and their cells, and prints what a run would do. The exit code is that of a run with the same
/// failures.
pub(crate) fn show(filling: &Filling, plan: &Plan, passed: Passed) -> ExitCode {
    let mut failed = 0;
    let mut fail = |subject: &str, text: &str| {
        println!("{subject}: {text}");
        failed += 1;
    };
    for (document, failure) in &plan.closed {
        fail(document, &failure.text);
    }
    for (_, file, failure) in &plan.lost {
        fail(file, &failure.text);
    }
    for lane in &plan.lanes {
        for job in &lane.jobs {
            if let Err(reason) = pictures::read(&job.path) {
                fail(&job.file, &reason);
            }
        }
        match filled(filling, lane) {
            Ok((filled, images)) => {
                let verb = if filling.skip_filled { "skipped" } else { "overwritten" };
                let (pictures, document) = (lane.jobs.len(), &lane.document);
                println!(
                    "{document}: {pictures} pictures to write, {filled} cells that hold something would be {verb}; \
                     the spreadsheet holds {images} images"
                );
            }
            Err(failure) => fail(&lane.document, &failure.text),
        }
    }
    println!(
        "{} written earlier, {} refused earlier, {failed} problems",
        passed.arrived, passed.refused
    );
    ExitCode::from(u8::from(failed > 0))
}

/// How many of the cells hold something, and how many images the spreadsheet holds.
fn filled(filling: &Filling, lane: &Lane) -> Result<(usize, usize), Failure> {
    let cells = lane.jobs.iter().map(|job| &job.cell).collect();
    let contents = Contents::read(&filling.client, &lane.spreadsheet, &lane.sheets, &cells)?;
    let filled = cells.iter().filter(|cell| *contents.of(cell) != CellContent::Empty).count();
    Ok((filled, contents.images))
}
