//! A body in pieces, each of which the connection takes in a moment.
//!
//! ureq checks the deadline of a request and the timeout of its phase before it writes a piece of the body. While it
//! writes the piece, the timeout begins anew with each write of the socket that takes a part of it. On a connection
//! that takes few bytes at a time, a long piece would therefore end long after the deadline.

use std::io::{self, Read};
use std::time::Duration;

use crate::Clock;

/// The length of the first piece. It fits into the buffer of a new socket.
const FIRST_LEN: usize = 16 << 10;
const MIN_LEN: usize = 4 << 10;
/// The longest piece, which a fast connection gets. Longer ones save system calls, which shows on loopback, but a
/// connection that becomes slow would delay the end of the call for longer.
pub(crate) const MAX_LEN: usize = 64 << 10;
/// After a piece that took longer than this, the next one is shorter.
const LONGEST_TIME: Duration = Duration::from_millis(20);

/// A reader that reads no more than a piece at a time. It takes the time from one read to the next one for the time
/// that the connection took for the piece.
pub(crate) struct Pieces<'a, R> {
    reader: R,
    clock: &'a Clock,
    len: usize,
    read_at: Option<Duration>,
}

impl<'a, R: Read> Pieces<'a, R> {
    pub(crate) fn new(reader: R, clock: &'a Clock) -> Self {
        Self { reader, clock, len: FIRST_LEN, read_at: None }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.reader
    }
}

impl<R: Read> Read for Pieces<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(read_at) = self.read_at {
            let took = self.clock.elapsed().saturating_sub(read_at);
            self.len = if took > LONGEST_TIME { self.len / 2 } else { self.len * 2 };
            self.len = self.len.clamp(MIN_LEN, MAX_LEN);
        }
        let len = self.len.min(buffer.len());
        let piece = buffer.get_mut(..len).unwrap_or_default();
        let read = self.reader.read(piece);
        self.read_at = Some(self.clock.elapsed());
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_twice_as_long_as_the_last_one_or_half_as_long_if_that_took_longer_than_20_ms() {
        let clock = Clock::simulated();
        let mut pieces = Pieces::new(io::repeat(7), &clock);
        let mut buffer = vec![0; 1 << 20];
        let nano = Duration::from_nanos(1);
        let mut kib = |took| {
            clock.sleep(took);
            pieces.read(&mut buffer).unwrap() >> 10
        };
        let lens = [LONGEST_TIME; 4].map(&mut kib);
        assert_eq!(lens, [16, 32, 64, 64]);
        let lens = [LONGEST_TIME + nano; 6].map(&mut kib);
        assert_eq!(lens, [32, 16, 8, 4, 4, 4]);
        assert_eq!(kib(Duration::ZERO), 8);
    }

    #[test]
    fn a_piece_is_no_longer_than_the_buffer() {
        let clock = Clock::simulated();
        let mut pieces = Pieces::new(io::repeat(7), &clock);
        assert_eq!(pieces.read(&mut [0; 5]).unwrap(), 5);
        assert_eq!(pieces.read(&mut []).unwrap(), 0);
    }
}
