//! The encoder of numbers on x86-64 with AVX2, 16 bytes at a time. This is the only module with `unsafe` code.
//!
//! Each byte becomes the four characters `hto,` (hundreds, tens, ones, comma). A shuffle of four numbers at a time then
//! drops their leading zeros. Only two facts about each of the four bytes decide which characters are dropped: whether
//! it is at least 10, and whether it is at least 100. These eight bits are the index of the shuffle in a table.
//!
//! ```text
//! four bytes              7     42    255     0
//! characters              007,  042,  255,  000,
//! at least 10              0     1     1     0    bits 0 to 3: 0110
//! at least 100             0     0     1     0    bits 4 to 7: 0100
//! SHUFFLES[0b0100_0110]   7,    42,   255,  0,    11 of 16 characters
//! ```
#![expect(unsafe_code, reason = "intrinsics, and memory that is not zeroed before it is written")]

use std::arch::x86_64::{
    __m128i, _MM_HINT_T0, _mm_cmpeq_epi8, _mm_load_si128, _mm_loadu_si128, _mm_max_epu8,
    _mm_movemask_epi8, _mm_prefetch, _mm_set1_epi8, _mm_shuffle_epi8, _mm_storeu_si128,
    _mm_unpackhi_epi32, _mm_unpacklo_epi32, _mm256_add_epi16, _mm256_castsi256_si128,
    _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_mulhi_epu16, _mm256_mullo_epi16,
    _mm256_or_si256, _mm256_set1_epi16, _mm256_slli_epi16, _mm256_sub_epi16, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

use bytes::BufMut;

use super::{MAX_NUMBER_LEN, portable};

/// The number of bytes in a group. A quarter of a group has the same number of characters before their leading zeros
/// are dropped.
const GROUP_LEN: usize = 16;
/// How far ahead of a group the memory is prefetched, in bytes.
const PREFETCH_DISTANCE: usize = 1024;

/// Whether the processor has AVX2 and POPCNT.
fn is_supported() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// [`portable::more_digits`], compiled for the processor's vector instructions.
pub(super) fn more_digits(bytes: &[u8]) -> u64 {
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn with_avx2(bytes: &[u8]) -> u64 {
        portable::more_digits(bytes)
    }
    if is_supported() {
        // SAFETY: the processor has the features.
        unsafe { with_avx2(bytes) }
    } else {
        portable::more_digits(bytes)
    }
}

/// Appends each number with its comma, for as many whole groups of `bytes` as fit the first chunk of `out`, and returns
/// the other bytes. If `is_last` is set, the other bytes include the last one, whose number has no comma. A processor
/// without AVX2 appends nothing.
pub(super) fn encode<'b>(bytes: &'b [u8], is_last: bool, out: &mut dyn BufMut) -> &'b [u8] {
    if !is_supported() {
        return bytes;
    }
    let room = out.chunk_mut();
    let with_comma = bytes.len().saturating_sub(usize::from(is_last));
    let most = with_comma.min(room.len() / MAX_NUMBER_LEN);
    let (groups, rest) = bytes.split_at(most - most % GROUP_LEN);
    // SAFETY: the processor has the features, and `room` has MAX_NUMBER_LEN bytes for each of `groups`.
    let written = unsafe { encode_groups(groups, room.as_mut_ptr()) };
    // SAFETY: `encode_groups` has initialized these bytes of the chunk.
    unsafe { out.advance_mut(written) };
    rest
}

/// Writes the numbers of whole groups to `to`, and returns their length.
///
/// # Safety
/// The processor has AVX2 and POPCNT, and `to` has room for [`MAX_NUMBER_LEN`] bytes for each of `groups`.
#[target_feature(enable = "avx2,popcnt")]
unsafe fn encode_groups(groups: &[u8], to: *mut u8) -> usize {
    let mut written = 0;
    for group in groups.chunks_exact(GROUP_LEN) {
        // SAFETY: the caller has the features. The load reads the 16 bytes of the group. Each group before this one has
        // made at most 64 characters, so there is room for 64 more after them.
        unsafe {
            // The transport evicts the image from the cache between two pieces. Prefetching an invalid address has no
            // effect.
            _mm_prefetch::<_MM_HINT_T0>(group.as_ptr().wrapping_add(PREFETCH_DISTANCE).cast());
            let bytes = _mm_loadu_si128(group.as_ptr().cast());
            written += store(characters(bytes), shuffle_indexes(bytes), to.add(written));
        }
    }
    written
}

/// The characters `hto,` of each byte, in four quarters of four numbers.
///
/// # Safety
/// The processor has AVX2 and POPCNT.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
#[allow(unused_unsafe, reason = "these intrinsics are unsafe before Rust 1.87")]
unsafe fn characters(bytes: __m128i) -> [__m128i; 4] {
    // SAFETY: the caller has the features, and the intrinsics access no memory.
    unsafe {
        let ten = _mm256_set1_epi16(10);
        let numbers = _mm256_cvtepu8_epi16(bytes);
        // Division by multiplication: 6554 / 65536 is about a tenth, and 656 / 65536 about a hundredth. The integer
        // parts of the products are exact for all 256 values.
        let tenths = _mm256_mulhi_epu16(numbers, _mm256_set1_epi16(6554));
        let hundreds = _mm256_mulhi_epu16(numbers, _mm256_set1_epi16(656));
        let tens = _mm256_sub_epi16(tenths, _mm256_mullo_epi16(hundreds, ten));
        let ones = _mm256_sub_epi16(numbers, _mm256_mullo_epi16(tenths, ten));
        // Little-endian: the low byte of each pair is its first character.
        let hundreds_and_tens = _mm256_add_epi16(
            _mm256_or_si256(hundreds, _mm256_slli_epi16::<8>(tens)),
            _mm256_set1_epi16(i16::from_le_bytes(*b"00")),
        );
        let ones_and_commas = _mm256_add_epi16(ones, _mm256_set1_epi16(i16::from_le_bytes(*b"0,")));
        let first_and_third = _mm256_unpacklo_epi16(hundreds_and_tens, ones_and_commas);
        let second_and_fourth = _mm256_unpackhi_epi16(hundreds_and_tens, ones_and_commas);
        [
            _mm256_castsi256_si128(first_and_third),
            _mm256_castsi256_si128(second_and_fourth),
            _mm256_extracti128_si256::<1>(first_and_third),
            _mm256_extracti128_si256::<1>(second_and_fourth),
        ]
    }
}

/// The indexes into [`SHUFFLES`] for the four quarters, each of eight bits: those of the first two quarters in one
/// number, and those of the last two in the other. The earlier quarter has the low byte.
///
/// # Safety
/// The processor has AVX2 and POPCNT.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
#[allow(unused_unsafe, reason = "these intrinsics are unsafe before Rust 1.87")]
#[expect(clippy::cast_sign_loss, reason = "the mask has 16 bits")]
unsafe fn shuffle_indexes(bytes: __m128i) -> [u32; 2] {
    // SAFETY: the caller has the features, and the intrinsics access no memory.
    unsafe {
        let at_least_10 = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(10)), bytes);
        let at_least_100 = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(100)), bytes);
        // Each quarter has four bits of the first mask, then four of the second.
        [
            _mm_movemask_epi8(_mm_unpacklo_epi32(at_least_10, at_least_100)) as u32,
            _mm_movemask_epi8(_mm_unpackhi_epi32(at_least_10, at_least_100)) as u32,
        ]
    }
}

/// Writes the four quarters of a group to `to` without their leading zeros, and returns the length.
///
/// # Safety
/// The processor has AVX2 and POPCNT, and `to` has room for 64 bytes.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
#[expect(clippy::cast_possible_truncation, reason = "an index has eight bits")]
#[expect(clippy::indexing_slicing, reason = "an index is below 256")]
unsafe fn store(quarters: [__m128i; 4], indexes: [u32; 2], to: *mut u8) -> usize {
    let [low, high] = indexes;
    let indexes = [low as u8, (low >> 8) as u8, high as u8, (high >> 8) as u8];
    // Each number has a digit, a comma, and one more digit for each of its bits. Each start is computed from the bits
    // and not from the previous start, so that the processor can compute all of them in parallel.
    let half = 16 + low.count_ones() as usize;
    let starts = [
        0,
        8 + indexes[0].count_ones() as usize,
        half,
        half + 8 + indexes[2].count_ones() as usize,
    ];
    for ((characters, index), start) in quarters.into_iter().zip(indexes).zip(starts) {
        let Shuffle(kept) = &SHUFFLES[usize::from(index)];
        // SAFETY: the caller has the features. The load reads an entry of the table, which has 16 bytes and is aligned
        // to 16. The store writes 16 bytes after the earlier quarters, which have at most 16 characters each, so it
        // ends at byte 64 at most.
        unsafe {
            let closed = _mm_shuffle_epi8(characters, _mm_load_si128(kept.as_ptr().cast()));
            _mm_storeu_si128(to.add(start).cast(), closed);
        }
    }
    half + 16 + high.count_ones() as usize
}

/// For each character that four numbers keep, its place among the 16 characters `hto,hto,hto,hto,`. The entries behind
/// them are 0x80, for which the shuffle writes a zero.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Shuffle([u8; GROUP_LEN]);

/// The shuffles. In the index, bits 0 to 3 are set for the numbers with at least two digits, bits 4 to 7 for those with
/// three.
#[expect(clippy::cast_possible_truncation, reason = "a place among 16 bytes")]
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
static SHUFFLES: [Shuffle; 256] = {
    let mut table = [Shuffle([0x80; GROUP_LEN]); 256];
    let mut digits = 0;
    while digits < table.len() {
        let mut from = 0;
        let mut to = 0;
        while from < GROUP_LEN {
            let number = from / MAX_NUMBER_LEN;
            let is_kept = match from % MAX_NUMBER_LEN {
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

    /// Encodes `bytes` with this module, and the bytes that it leaves with the portable one. They are less than a
    /// group, or a whole group that includes the last byte.
    fn fast(bytes: &[u8], is_last: bool) -> BytesMut {
        let mut out = BytesMut::with_capacity(1 + bytes.len() * MAX_NUMBER_LEN);
        // The text that is there before is not overwritten.
        out.put_u8(b'[');
        let rest = encode(bytes, is_last, &mut out);
        let most = bytes.len().saturating_sub(usize::from(is_last));
        let done = if is_supported() { most / GROUP_LEN * GROUP_LEN } else { 0 };
        assert_eq!(rest, &bytes[done..]);
        portable::encode(rest, is_last, &mut out);
        out
    }

    /// A byte that is often close to 10 or 100, where the length of its number changes.
    fn byte(random: u16) -> u8 {
        let [kind, byte] = random.to_le_bytes();
        match kind % 4 {
            0 => byte % 10,
            1 => 8 + byte % 4,
            2 => 98 + byte % 4,
            _ => byte,
        }
    }

    fn expected(bytes: &[u8], is_last: bool) -> BytesMut {
        let mut out = BytesMut::from("[");
        portable::encode(bytes, is_last, &mut out);
        out
    }

    #[test]
    fn every_byte_is_encoded_at_every_place_of_a_group() {
        for byte in 0..=255 {
            for place in 0..GROUP_LEN {
                let mut group = [7; GROUP_LEN];
                group[place] = byte;
                assert_eq!(fast(&group, false), expected(&group, false));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn the_alignment_and_the_length_change_no_number(bytes in proptest::collection::vec(any::<u8>(), 332)) {
            for start in 0..32 {
                for len in 0..=300 {
                    let bytes = &bytes[start..start + len];
                    prop_assert_eq!(more_digits(bytes), portable::more_digits(bytes));
                    for is_last in [false, true] {
                        prop_assert_eq!(fast(bytes, is_last), expected(bytes, is_last));
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_of_any_length_are_encoded(
            bytes in proptest::collection::vec(any::<u16>().prop_map(byte), 0..2000),
        ) {
            prop_assert_eq!(fast(&bytes, true), expected(&bytes, true));
        }
    }
}
