//! The jobs of the callers: the images, the cells and the pauses of each caller, derived from a seed.

use std::time::Duration;

use bytes::Bytes;
use lark_benches::soak::{Random, hash};
use lark_proto::fake::FakeLark;
use lark_proto::{CreateImage, Image, Invalid, PutImage, WriteSheetImage};

/// The number of callers of each client.
pub(crate) const CALLERS: u64 = 64;
/// The number of spreadsheets.
pub(crate) const SPREADSHEETS: u64 = 50;

/// The distance between two images in [`sea`].
const STEP: u64 = 32;
/// The number of images that begin at different places for each caller. Later ones differ in their length.
const PLACES: u64 = 512;
/// The size of the smallest image. The others have up to 1024 times that.
const SMALLEST: u64 = 1024;

/// The token of a spreadsheet.
pub(crate) fn spreadsheet(index: u64) -> String {
    format!("shtcnSoak{index:02}")
}

/// The bytes of which every image is a part, so that the images of the callers take no memory of their own. At each
/// [`STEP`] a GIF of 1 x 1 pixel begins; the other bytes are pseudo-random.
pub(crate) fn sea(seed: u64) -> Bytes {
    let mut random = Random::new(seed);
    let len = CALLERS * PLACES * STEP + SMALLEST * 1024;
    let steps = (0..len / STEP).flat_map(|_| {
        let rest = [0; 3].map(|_| random.number().to_le_bytes()).concat();
        b"GIF89a\x01\0\x01\0".iter().copied().chain(rest.into_iter().take(22)).collect::<Vec<u8>>()
    });
    steps.collect()
}

/// The plan of one caller.
#[derive(Debug)]
pub(crate) struct Plan {
    random: Random,
    sea: Bytes,
    caller: u64,
    /// The number of the next image.
    number: u64,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    /// The hash of the image.
    pub(crate) image: u64,
    /// The cell of a write.
    pub(crate) cell: Option<String>,
}

/// The request of a call.
#[derive(Debug)]
pub(crate) enum Request {
    Put(PutImage),
    Create(CreateImage),
    Write(Box<WriteSheetImage>),
}

impl Plan {
    pub(crate) fn new(seed: u64, sea: Bytes, caller: u64) -> Self {
        Self { random: Random::new(seed ^ (caller + 1)), sea, caller, number: 0 }
    }

    /// The pause before the next call.
    pub(crate) fn pause(&mut self) -> Duration {
        Duration::from_millis(50 + self.random.below(151))
    }

    /// The next call. Uploads to either endpoint have 1 KiB to 1 MiB, and cell writes 1 KiB to 64 KiB: each doubling of
    /// the size is as frequent as the next.
    pub(crate) fn next(&mut self) -> Result<Job, Invalid> {
        let kind = self.random.below(3);
        let image = self.image(if kind == 2 { 6 } else { 10 });
        let hash = hash(&image);
        let image = Image::new(image)?;
        let (request, cell) = match kind {
            0 => (Request::Put(PutImage::message(image)?), None),
            1 => (Request::Create(CreateImage::message(image)?), None),
            _ => {
                let spreadsheet = spreadsheet(self.random.below(SPREADSHEETS));
                // Each caller has one cell in each spreadsheet, so it knows which image the cell holds.
                let cell = format!("{}!A{}", FakeLark::SHEET, self.caller + 1);
                let write = WriteSheetImage::new(spreadsheet.parse()?, cell.parse()?, image)?;
                let row = self.caller + 1;
                let range = format!("{spreadsheet}/{}!A{row}:A{row}", FakeLark::SHEET);
                (Request::Write(Box::new(write)), Some(range))
            }
        };
        Ok(Job { request, image: hash, cell })
    }

    /// An image with a size of up to [`SMALLEST`] doubled `doublings` times. No two images are equal, unless a caller
    /// makes more than 32,768.
    fn image(&mut self, doublings: u64) -> Bytes {
        let start = STEP * (self.caller * PLACES + self.number % PLACES);
        let round = self.number / PLACES % 64;
        self.number += 1;
        let low = SMALLEST << self.random.below(doublings);
        let len = (low + self.random.below(low)) / 64 * 64 + round;
        let at = |place: u64| usize::try_from(place).unwrap_or_default();
        self.sea.slice(at(start)..at(start + len))
    }
}
