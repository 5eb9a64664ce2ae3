//! Adds missing rows and columns to a spreadsheet, and sets the height of rows.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{iter, thread};

use lark_proto::SheetCell;
use lark_proto::endpoints::{AddDimension, UpdateDimension};
use lark_proto::error::{Class, Outcome};
use lark_proto::place::Place;
use lark_proto::values::{SheetId, SpreadsheetToken};
use lark_ureq::{CallError, Client};

/// The pauses in seconds before rows are added to a busy document again: two minutes in all, as in a call. A call does
/// not send the request again itself.
const PAUSES: [u64; 6] = [2, 4, 8, 16, 30, 60];

/// Adds the rows and columns that `cells` need and the sheets lack.
pub(crate) fn grow(
    client: &Client,
    spreadsheet: &SpreadsheetToken,
    cells: &[&SheetCell],
) -> Result<(), CallError> {
    let mut corners: BTreeMap<&SheetId, (u32, u32)> = BTreeMap::new();
    for cell in cells {
        let (column, row) = corners.entry(cell.sheet()).or_default();
        *column = cell.column().max(*column);
        *row = cell.row().max(*row);
    }
    for (sheet, (column, row)) in corners {
        let corner = SheetCell::at(sheet.clone(), column, row).map_err(CallError::invalid)?;
        let text = format!("{sheet}!{}", corner.cell());
        let place = Place::new(spreadsheet.as_str(), &text).map_err(CallError::invalid)?;
        let place = place.beyond_grid();
        let mut pauses = PAUSES.into_iter();
        let mut second = iter::once(0);
        // The size of the sheet tells whether a request of unknown outcome was carried out.
        while let Err(error) = add(client, &client.resolve(&place)?.growth()) {
            let pause = if is_busy(&error) { pauses.next() } else { second.next() };
            match pause {
                Some(seconds) if error.outcome() == Outcome::Unknown => sleep(seconds),
                _ => return Err(error),
            }
        }
    }
    Ok(())
}

/// Whether the service refused a request because the document is busy.
pub(crate) fn is_busy(error: &CallError) -> bool {
    error.api().is_some_and(|error| error.class() == Class::DocumentBusy)
}

#[expect(clippy::disallowed_methods, reason = "the thread has only this spreadsheet to work on")]
fn sleep(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

fn add(client: &Client, growth: &[AddDimension]) -> Result<(), CallError> {
    growth.iter().try_for_each(|add| client.call(add).map(drop))
}

/// Sets the height of the rows of `cells`, in pixels.
pub(crate) fn set_height(
    client: &Client,
    spreadsheet: &SpreadsheetToken,
    cells: &[&SheetCell],
    pixels: u16,
) -> Result<(), CallError> {
    let mut rows: Vec<(&SheetId, u32)> =
        cells.iter().map(|cell| (cell.sheet(), cell.row())).collect();
    rows.sort_unstable();
    rows.dedup();
    // Rows that follow each other on one sheet go into one request.
    let follows = |a: &(&SheetId, u32), b: &(&SheetId, u32)| a.0 == b.0 && a.1 + 1 == b.1;
    let at_once = usize::try_from(AddDimension::MAX_COUNT).unwrap_or(usize::MAX);
    for rows in rows.chunk_by(follows).flat_map(|rows| rows.chunks(at_once)) {
        let [(sheet, first), ..] = rows else { continue };
        let [.., (_, last)] = rows else { continue };
        let spreadsheet = spreadsheet.clone();
        let sheet = (*sheet).clone();
        let set = UpdateDimension::row_height(spreadsheet, sheet, *first..=*last, pixels);
        client.call(&set.map_err(CallError::invalid)?)?;
    }
    Ok(())
}
