//! The encoder of numbers for every processor, with a table of the text of each byte.

use bytes::BufMut;

use super::MAX_NUMBER_LEN;

/// The number of digits that `bytes` have in all, without the first digit of each byte.
#[inline(always)]
pub(super) fn more_digits(bytes: &[u8]) -> u64 {
    let digits = |byte: u8| u8::from(byte >= 10) + u8::from(byte >= 100);
    let sum = |chunk: &[u8]| chunk.iter().map(|byte| digits(*byte)).sum::<u8>();
    // The sum of 96 bytes is at most 192, which fits a `u8`, and 96 is a multiple of 32 bytes, so the compiler adds up
    // 32 bytes with one instruction.
    bytes.chunks(96).map(|chunk| u64::from(sum(chunk))).sum()
}

/// The text of each byte, its digits and a comma, in the four low bytes of an entry; the length of the text in the
/// fifth byte. One load reads both.
static NUMBERS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while {
        let hundreds = b'0' + byte / 100;
        let tens = b'0' + byte / 10 % 10;
        let ones = b'0' + byte % 10;
        #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
        let entry = &mut table[byte as usize];
        *entry = u64::from_le_bytes(match byte {
            100.. => [hundreds, tens, ones, b',', 4, 0, 0, 0],
            10.. => [tens, ones, b',', 0, 3, 0, 0, 0],
            _ => [ones, b',', 0, 0, 2, 0, 0, 0],
        });
        byte = byte.wrapping_add(1);
        byte != 0
    } {}
    table
};

/// The length of the text that is encoded on the stack before it is copied to the target, whose memory may be
/// uninitialized.
const STACK_TEXT_LEN: usize = 1024;
/// Bytes encoded per bounds check.
const GROUP_LEN: usize = 16;
/// A bit mask for the start of a number in a group's text: one less than a power of two, and not below 60, the greatest
/// start.
const MAX_NUMBER_START: usize = GROUP_LEN * MAX_NUMBER_LEN - 1;
/// The memory for a group: it has room for the four bytes of an entry at every masked start, so that the compiler can
/// omit the bounds check.
const GROUP_ROOM: usize = MAX_NUMBER_START + MAX_NUMBER_LEN;
/// The size of the memory on the stack, in which the last group of the text needs [`GROUP_ROOM`] too.
const STACK_LEN: usize = STACK_TEXT_LEN + GROUP_ROOM;

/// Appends each number with its comma; the last number of the last piece has none.
pub(super) fn encode(piece: &[u8], is_last: bool, out: &mut dyn BufMut) {
    if piece.is_empty() {
        // The AVX2 encoder may have left no bytes, and zeroing the text on the stack would cost time.
        return;
    }
    let mut text = [0; STACK_LEN];
    let mut parts = piece.chunks(STACK_TEXT_LEN / MAX_NUMBER_LEN).peekable();
    while let Some(part) = parts.next() {
        let len = encode_part(part, &mut text);
        let comma = usize::from(is_last && parts.peek().is_none());
        out.put_slice(text.get(..len - comma).unwrap_or_default());
    }
}

/// Encodes `part`, which has at most a quarter of [`STACK_TEXT_LEN`] bytes, at the beginning of `text`, and returns the
/// length of the text that it has written.
fn encode_part(part: &[u8], text: &mut [u8; STACK_LEN]) -> usize {
    let groups = part.chunks_exact(GROUP_LEN);
    let rest = groups.remainder();
    let mut at = 0;
    for group in groups {
        at += encode_group(group, text.get_mut(at..));
    }
    at + encode_group(rest, text.get_mut(at..))
}

/// Encodes a group at the beginning of `out`, and returns the length of its text.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256, a masked start is in the room")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the text and its length are parts of an entry"
)]
fn encode_group(group: &[u8], out: Option<&mut [u8]>) -> usize {
    let room = out.and_then(<[u8]>::first_chunk_mut::<GROUP_ROOM>);
    let Some(room) = room else { return 0 };
    let mut at = 0;
    for byte in group {
        let entry = NUMBERS[usize::from(*byte)];
        // The mask changes no value; it shows the compiler that the start is in the room. All four bytes of the text
        // are written, and the next number overwrites those behind the comma.
        let begin = at & MAX_NUMBER_START;
        room[begin..begin + MAX_NUMBER_LEN].copy_from_slice(&(entry as u32).to_le_bytes());
        at += (entry >> 32) as usize;
    }
    at
}
