//! Numbers on x86-64 with AVX2, sixteen bytes at a time. The one module with `unsafe` code.
//!
//! Each byte becomes the four characters `hto,` (hundreds, tens, ones, comma); then a shuffle closes up four of them
//! at a time over the zeros that lead. Which characters stay depends on no more than which bytes are at least 10 and
//! which at least 100: eight bits, which choose the shuffle from a table.
#![expect(unsafe_code, reason = "intrinsics, and memory that is not zeroed before it is written")]

use std::arch::x86_64::{
    _MM_HINT_T0, _mm_cmpeq_epi8, _mm_load_si128, _mm_loadu_si128, _mm_max_epu8, _mm_movemask_epi8,
    _mm_prefetch, _mm_set1_epi8, _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi32,
    _mm_unpacklo_epi32, _mm256_add_epi16, _mm256_castsi256_si128, _mm256_cvtepu8_epi16,
    _mm256_extracti128_si256, _mm256_mulhi_epu16, _mm256_mullo_epi16, _mm256_or_si256,
    _mm256_set1_epi16, _mm256_slli_epi16, _mm256_sub_epi16, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

use bytes::BufMut;

/// Bytes encoded at a time, each as at most [`MAX_NUMBER_LEN`] characters.
const GROUP_LEN: usize = 16;
/// The longest number, and its comma.
const MAX_NUMBER_LEN: usize = 4;
/// How far ahead of a group memory is asked for what comes.
const PREFETCH_DISTANCE: usize = 1024;

/// Whether the processor can do it.
fn is_there() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// [`super::json_numbers::more_digits`], compiled for what this processor has.
pub(super) fn more_digits(bytes: &[u8]) -> u64 {
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn wide(bytes: &[u8]) -> u64 {
        super::json_numbers::more_digits(bytes)
    }
    // SAFETY: the features were detected.
    if is_there() { unsafe { wide(bytes) } } else { super::json_numbers::more_digits(bytes) }
}

/// Appends as many of `bytes` as make whole groups and fit the chunk that `out` has, each number with its comma, and
/// returns what is left: all of them on a processor that cannot do it, and at least one where the last of all is among
/// them, which has no comma.
pub(super) fn encode<'b>(bytes: &'b [u8], is_last: bool, out: &mut impl BufMut) -> &'b [u8] {
    if !is_there() {
        return bytes;
    }
    let room = out.chunk_mut();
    let most = bytes.len().saturating_sub(usize::from(is_last)).min(room.len() / MAX_NUMBER_LEN);
    let (groups, rest) = bytes.split_at(most - most % GROUP_LEN);
    // SAFETY: the features were detected, and the room is that long.
    let written = unsafe { encode_groups(groups, room.as_mut_ptr()) };
    // SAFETY: so many bytes of the chunk were written: at most MAX_NUMBER_LEN for each of `groups`, which it has.
    unsafe { out.advance_mut(written) };
    rest
}

/// Writes whole groups to `to`, and returns how many bytes that made.
///
/// # Safety
/// The processor has AVX2 and POPCNT, and at `to` there is room for [`MAX_NUMBER_LEN`] bytes for each of `groups`.
#[target_feature(enable = "avx2,popcnt")]
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "sixteen bits of a mask"
)]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
unsafe fn encode_groups(groups: &[u8], to: *mut u8) -> usize {
    let mut at = 0;
    for group in groups.chunks_exact(GROUP_LEN) {
        // SAFETY: the caller has the features. The load reads a group's 16 bytes; a table's entry is 16 bytes, aligned
        // to 16. Each store writes 16 bytes, of which at most 16 are kept, and the next one begins where those end: the
        // k-th one of this call begins at 16 k or before and ends within 16 (k + 1), and there are as many stores as
        // quarters of groups, for each of which the caller has 16 bytes of room.
        unsafe {
            // A transport takes the cache between two pieces; asking for an address that is not there does nothing.
            _mm_prefetch::<_MM_HINT_T0>(group.as_ptr().wrapping_add(PREFETCH_DISTANCE).cast());
            let bytes = _mm_loadu_si128(group.as_ptr().cast());
            let wide = _mm256_cvtepu8_epi16(bytes);
            // Division by multiplication, exact for all 256 values.
            let tens = _mm256_mulhi_epu16(wide, _mm256_set1_epi16(6554));
            let hundreds = _mm256_mulhi_epu16(wide, _mm256_set1_epi16(656));
            let ten = _mm256_set1_epi16(10);
            let one = _mm256_sub_epi16(wide, _mm256_mullo_epi16(tens, ten));
            let tens = _mm256_sub_epi16(tens, _mm256_mullo_epi16(hundreds, ten));
            // Little-endian: the hundreds come before the tens, the ones before the comma.
            let digits = _mm256_or_si256(hundreds, _mm256_slli_epi16::<8>(tens));
            let ht = _mm256_add_epi16(digits, _mm256_set1_epi16(i16::from_le_bytes(*b"00")));
            let oc = _mm256_add_epi16(one, _mm256_set1_epi16(i16::from_le_bytes(*b"0,")));
            let (low, high) = (_mm256_unpacklo_epi16(ht, oc), _mm256_unpackhi_epi16(ht, oc));
            let quarters = [
                _mm256_castsi256_si128(low),
                _mm256_castsi256_si128(high),
                _mm256_extracti128_si256::<1>(low),
                _mm256_extracti128_si256::<1>(high),
            ];
            let two = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(10)), bytes);
            let three = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(100)), bytes);
            // Four of the one and four of the other by turns: eight bits for each quarter.
            let first = _mm_movemask_epi8(_mm_unpacklo_epi32(two, three)) as u32;
            let second = _mm_movemask_epi8(_mm_unpackhi_epi32(two, three)) as u32;
            let digits = [first & 0xFF, first >> 8, second & 0xFF, second >> 8];
            // A digit and a comma each, and one more for each bit.
            let half = at + 16 + first.count_ones() as usize;
            let places = [
                at,
                at + 8 + digits[0].count_ones() as usize,
                half,
                half + 8 + digits[2].count_ones() as usize,
            ];
            for ((characters, digits), place) in quarters.into_iter().zip(digits).zip(places) {
                let Shuffle(kept) = &SHUFFLES[usize::from(digits as u8)];
                let closed = _mm_shuffle_epi8(characters, _mm_load_si128(kept.as_ptr().cast()));
                _mm_storeu_si128(to.add(place).cast(), closed);
            }
            at = half + 16 + second.count_ones() as usize;
        }
    }
    at
}

/// Where each kept character of four numbers `hto,` comes from; past them, where nothing is taken, zeros.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Shuffle([u8; GROUP_LEN]);

/// By the numbers of at least two digits, in the four low bits, and those of three, in the four high ones.
#[expect(clippy::cast_possible_truncation, reason = "a place in sixteen bytes")]
#[expect(clippy::indexing_slicing, reason = "at build time")]
static SHUFFLES: [Shuffle; 256] = {
    let mut table = [Shuffle([0x80; GROUP_LEN]); 256];
    let mut digits = 0;
    while digits < table.len() {
        let (mut from, mut to) = (0, 0);
        while from < GROUP_LEN {
            let (number, place) = (from / MAX_NUMBER_LEN, from % MAX_NUMBER_LEN);
            let is_kept = match place {
                0 => digits >> (4 + number) & 1 == 1,
                1 => digits >> number & 1 == 1,
                _ => true,
            };
            if is_kept {
                table[digits].0[to] = from as u8;
                to += 1;
            }
            from += 1;
        }
        digits += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::body::json_numbers::{self, encode_numbers};

    /// `bytes` by this module as far as it goes: it leaves less than a group, or one where the last is among them.
    fn fast(bytes: &[u8], is_last: bool) -> BytesMut {
        let mut out = BytesMut::with_capacity(1 + bytes.len() * MAX_NUMBER_LEN);
        // What was there before stays.
        out.put_u8(b'[');
        let rest = encode(bytes, is_last, &mut out);
        let most = bytes.len().saturating_sub(usize::from(is_last));
        let done = if is_there() { most / GROUP_LEN * GROUP_LEN } else { 0 };
        assert_eq!(rest, &bytes[done..]);
        encode_numbers(rest, is_last, &mut out);
        out
    }

    fn portable(bytes: &[u8], is_last: bool) -> BytesMut {
        let mut out = BytesMut::from("[");
        encode_numbers(bytes, is_last, &mut out);
        out
    }

    #[test]
    fn every_byte_in_every_place_of_a_group() {
        for byte in 0..=255 {
            for place in 0..GROUP_LEN {
                let mut group = [7; GROUP_LEN];
                group[place] = byte;
                assert_eq!(fast(&group, false), portable(&group, false));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn at_every_alignment_and_length(bytes in proptest::collection::vec(any::<u8>(), 332)) {
            for start in 0..32 {
                for len in 0..=300 {
                    let bytes = &bytes[start..start + len];
                    prop_assert_eq!(more_digits(bytes), json_numbers::more_digits(bytes));
                    for is_last in [false, true] {
                        prop_assert_eq!(fast(bytes, is_last), portable(bytes, is_last));
                    }
                }
            }
        }

    }

    proptest! {
        #[test]
        fn with_few_digits_and_many(
            bytes in proptest::collection::vec(
                prop_oneof![0..10_u8, 8..12_u8, 98..102_u8, any::<u8>()], 0..2000),
        ) {
            prop_assert_eq!(fast(&bytes, true), portable(&bytes, true));
        }
    }
}
