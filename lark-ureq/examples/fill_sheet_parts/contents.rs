//! The contents of the cells of a spreadsheet.

use std::collections::{HashMap, HashSet};

use lark_proto::SheetCell;
use lark_proto::endpoints::{CellContent, Grid, ReadCells, Sheet, Sheets};
use lark_proto::error::{CallErrorKind, Code};
use lark_proto::values::{FileToken, SpreadsheetToken};
use lark_ureq::{CallError, Client};

/// The most cells that are read at once. The reply has 10 MB at most.
const AT_ONCE: u32 = 50_000;

/// The images of a spreadsheet, and the contents of some of its cells.
#[derive(Default)]
pub(crate) struct Contents {
    /// The number of different images in the cells. Images that float above the cells are not among them.
    pub(crate) images: usize,
    /// The number of cells that hold each image with a token. An image that was copied to other cells has the same
    /// token there, and counts once.
    copies: HashMap<FileToken, usize>,
    cells: HashMap<SheetCell, CellContent>,
}

impl Contents {
    /// Reads all sheets of a spreadsheet, and keeps the contents of the cells in `wanted`.
    pub(crate) fn read(
        client: &Client,
        spreadsheet: &SpreadsheetToken,
        sheets: &Sheets,
        wanted: &HashSet<&SheetCell>,
    ) -> Result<Self, CallError> {
        let mut contents = Self::default();
        for sheet in sheets.iter() {
            let Some(Grid { rows, columns, .. }) = sheet.grid else { continue };
            let height = (AT_ONCE / columns.max(1)).max(1);
            for first in (1..=rows).step_by(usize::try_from(height).unwrap_or(usize::MAX)) {
                let block =
                    Block { first, last: rows.min(first.saturating_add(height - 1)), columns };
                contents.read_block(client, spreadsheet, sheet, block, wanted)?;
            }
        }
        Ok(contents)
    }

    fn read_block(
        &mut self,
        client: &Client,
        spreadsheet: &SpreadsheetToken,
        sheet: &Sheet,
        block: Block,
        wanted: &HashSet<&SheetCell>,
    ) -> Result<(), CallError> {
        let cell = |column, row| SheetCell::at(sheet.id.clone(), column, row);
        let range = cell(1, block.first)
            .and_then(|from| {
                ReadCells::range(spreadsheet.clone(), &from, &cell(block.columns, block.last)?)
            })
            .map_err(CallError::invalid)?;
        let cells = match client.call(&range) {
            Err(error) if is_too_large(&error) && block.first < block.last => {
                let middle = block.first.midpoint(block.last);
                for half in [Block { last: middle, ..block }, Block { first: middle + 1, ..block }]
                {
                    self.read_block(client, spreadsheet, sheet, half, wanted)?;
                }
                return Ok(());
            }
            result => result?,
        };
        for ((below, right), content) in cells.iter() {
            match content {
                CellContent::Image { file_token: Some(token), .. } => {
                    let copies = self.copies.entry(token.clone()).or_default();
                    self.images += usize::from(*copies == 0);
                    *copies += 1;
                }
                CellContent::Image { .. } => self.images += 1,
                _ => {}
            }
            let cell = cell(1 + right, block.first + below).map_err(CallError::invalid)?;
            if wanted.contains(&cell) {
                self.cells.insert(cell, content.clone());
            }
        }
        Ok(())
    }

    /// Whether a picture that is written into this cell adds an image. It takes the place of an image that no other
    /// cell holds.
    pub(crate) fn adds_image(&self, cell: &SheetCell) -> bool {
        match self.of(cell) {
            CellContent::Image { file_token: Some(token), .. } => {
                self.copies.get(token).is_some_and(|copies| *copies > 1)
            }
            CellContent::Image { .. } => false,
            _ => true,
        }
    }

    /// Counts a picture that is written into this cell.
    pub(crate) fn count(&mut self, cell: &SheetCell) {
        self.images += usize::from(self.adds_image(cell));
        if let Some(CellContent::Image { file_token: Some(token), .. }) = self.cells.get(cell) {
            self.copies.entry(token.clone()).and_modify(|copies| *copies -= 1);
        }
    }

    pub(crate) fn of(&self, cell: &SheetCell) -> &CellContent {
        self.cells.get(cell).unwrap_or(&CellContent::Empty)
    }
}

#[derive(Clone, Copy)]
struct Block {
    first: u32,
    last: u32,
    columns: u32,
}

/// The token of the image's file in a cell. An image without a token has an empty one.
pub(crate) fn image_in(content: &CellContent) -> Option<&str> {
    match content {
        CellContent::Image { file_token, .. } => {
            Some(file_token.as_ref().map_or("", FileToken::as_str))
        }
        _ => None,
    }
}

fn is_too_large(error: &CallError) -> bool {
    let code = error.api().map(|api| api.code);
    matches!(error.kind, CallErrorKind::TooLarge { .. }) || code == Some(Code::SHEET_LARGE_RESPONSE)
}
