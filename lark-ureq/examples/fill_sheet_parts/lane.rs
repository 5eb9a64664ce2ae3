//! One spreadsheet: its pictures are written one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use lark_proto::endpoints::{CellContent, ReadCells};
use lark_proto::error::Outcome;
use lark_proto::{SheetCell, WriteSheetImage};
use lark_ureq::Client;

use crate::common::failure::{Failure, Reach};
use crate::common::journal::Identity;
use crate::common::pictures;
use crate::common::run::Run;
use crate::fill_sheet_parts::contents::{Contents, image_in};
use crate::fill_sheet_parts::encoding::{Choice, Encoding};
use crate::fill_sheet_parts::grid;
use crate::fill_sheet_parts::plan::{Held, Job, Lane};

/// The most different images that a spreadsheet takes, those that float above the cells included.
pub(crate) const MAX_IMAGES: usize = 4000;

/// The client and the options of a run, which all spreadsheets share.
pub(crate) struct Filling {
    pub(crate) client: Client,
    pub(crate) encoding: Encoding,
    pub(crate) row_height: Option<u16>,
    pub(crate) skip_filled: bool,
    /// The number of pictures that were left out because their cells hold something.
    pub(crate) skipped: AtomicUsize,
    /// The number of pictures that have arrived in cells that held something.
    pub(crate) replaced: AtomicUsize,
}

/// The decision of a run about one picture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The run writes the picture.
    Write,
    /// An earlier run has written the picture without learning of it, so this run only records it.
    Arrived,
    /// The run leaves the cell as it is, because it holds something.
    Skip,
}

impl Filling {
    /// Writes the pictures of a spreadsheet. All failures are reported to the run.
    pub(crate) fn fill(&self, lane: &Lane, run: &Run<Held>) {
        if let Err(failure) = self.try_fill(lane, run) {
            run.fail(None, &lane.document, failure);
        }
    }

    /// Writes the pictures. The error is one that concerns the whole spreadsheet.
    fn try_fill(&self, lane: &Lane, run: &Run<Held>) -> Result<(), Failure> {
        let Self { client, row_height, .. } = self;
        let Lane { spreadsheet, sheets, jobs, .. } = lane;
        let cells = jobs.iter().map(|job| &job.cell).collect();
        let mut contents = Contents::read(client, spreadsheet, sheets, &cells)?;
        if run.is_over() {
            return Ok(());
        }
        let jobs = self.pending(jobs, &contents, run);
        let cells: Vec<&SheetCell> = jobs.iter().map(|job| &job.cell).collect();
        grid::grow(client, spreadsheet, &cells)?;
        if let Some(pixels) = row_height {
            grid::set_height(client, spreadsheet, &cells, *pixels)?;
        }
        for job in jobs {
            let encoding = self.encoding.choose();
            if run.is_over() {
                return Ok(());
            }
            let held = image_in(contents.of(&job.cell));
            if contents.adds_image(&job.cell) && contents.images >= MAX_IMAGES {
                return Err(Failure::new(Reach::Lane, &FULL));
            }
            let mut may_have_arrived = true;
            match self.write(lane, job, held, encoding, run) {
                Ok(()) if *contents.of(&job.cell) != CellContent::Empty => {
                    self.replaced.fetch_add(1, Ordering::Relaxed);
                }
                Ok(()) => {}
                Err(failure) => {
                    let reach = failure.reach;
                    may_have_arrived = failure.may_have_arrived;
                    run.fail(Some(&job.item), &job.file, failure);
                    if reach == Reach::Lane {
                        return Ok(());
                    }
                }
            }
            if may_have_arrived {
                contents.count(&job.cell);
            }
        }
        Ok(())
    }

    /// Decides whether the run writes a picture into its cell, which has this content.
    pub(crate) fn decide(&self, job: &Job, content: &CellContent) -> Decision {
        match &job.begun {
            Some(begun) if has_arrived(begun.held.as_deref(), content) => Decision::Arrived,
            _ if self.skip_filled && *content != CellContent::Empty => Decision::Skip,
            _ => Decision::Write,
        }
    }

    /// The pictures that are still to be written.
    fn pending<'a>(&self, jobs: &'a [Job], contents: &Contents, run: &Run<Held>) -> Vec<&'a Job> {
        let is_pending = |job: &&Job| {
            match self.decide(job, contents.of(&job.cell)) {
                Decision::Write => return true,
                Decision::Arrived => run.done(&job.item),
                Decision::Skip => {
                    self.skipped.fetch_add(1, Ordering::Relaxed);
                    run.progress.step();
                }
            }
            false
        };
        let mut pending: Vec<_> = jobs.iter().filter(is_pending).collect();
        // If the service fails for a picture each time, the others come before it in the next run.
        pending.sort_by_key(|job| job.begun.is_some());
        pending
    }

    /// Writes a picture into its cell, which holds the image `held`.
    fn write(
        &self,
        lane: &Lane,
        job: &Job,
        held: Option<&str>,
        mut encoding: Choice<'_>,
        run: &Run<Held>,
    ) -> Result<(), Failure> {
        let (write, identity) = request(lane, job)?;
        let read = ReadCells::cell(lane.spreadsheet.clone(), &job.cell);
        // Whether an earlier write of the picture may have been carried out, even if the next one is refused.
        let mut may_have_arrived = job.begun.is_some();
        let still_open = |error| Failure { may_have_arrived: true, ..Failure::from(error) };
        if let Some(begun) = &job.begun {
            let cells = self.client.call(&read).map_err(still_open)?;
            if has_arrived(begun.held.as_deref(), cells.first()) {
                run.done(&job.item);
                return Ok(());
            }
        }
        let begun = Held { held: held.map(str::to_owned) };
        if let Err(error) = run.journal.begin(&job.item, &job.file, identity, begun) {
            return Err(Failure::new(Reach::Run, &error));
        }
        let mut written = encoding.write(&self.client, write.clone());
        let is_open = written.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
        if is_open && !run.is_over() {
            // The cell tells whether the picture has arrived. If the cell is as before, the write may still be running;
            // the same write once more does no harm.
            let cells = self.client.call(&read).map_err(still_open)?;
            if has_arrived(held, cells.first()) {
                run.done(&job.item);
                return Ok(());
            }
            may_have_arrived = true;
            // To a busy document, the call itself has repeated the write for two minutes.
            if !written.as_ref().is_err_and(grid::is_busy) {
                written = encoding.write(&self.client, write);
            }
        }
        let refuses_base64 = written.map_err(|error| {
            let failure = Failure::from(error);
            Failure { may_have_arrived: failure.may_have_arrived || may_have_arrived, ..failure }
        })?;
        if refuses_base64 {
            run.note(NO_BASE64);
        }
        run.done(&job.item);
        Ok(())
    }
}

/// The write of a picture into its cell.
pub(crate) fn request(lane: &Lane, job: &Job) -> Result<(WriteSheetImage, Identity), Failure> {
    let read = pictures::read(&job.path);
    let (image, identity) = read.map_err(|error| Failure::new(Reach::Unfit, &error))?;
    let write = WriteSheetImage::new(lane.spreadsheet.clone(), job.cell.clone(), image);
    let write = write.map_err(|error| Failure::new(Reach::Unfit, &error))?;
    Ok((write.with_lossy_name(&pictures::name(&job.path)), identity))
}

/// Whether a cell holds an image now that is not the one that it held before the write.
fn has_arrived(held: Option<&str>, content: &CellContent) -> bool {
    match (held, image_in(content)) {
        (_, None) => false,
        (None, Some(_)) => true,
        // Without a token an image may be the earlier one.
        (Some(held), Some(now)) => !held.is_empty() && !now.is_empty() && held != now,
    }
}

const FULL: &str = "the spreadsheet holds 4,000 different images, and the service takes no more";

const NO_BASE64: &str = "This tenant refuses images in base64: the pictures went as numbers, which are 2.7 times as \
    long. Leave out --base64.";
