//! The input of a target, made of the fuzzer's bytes.

use arbitrary::{Arbitrary, Unstructured};

/// The value that the bytes encode for the crate `arbitrary`. Its last field takes the rest of the bytes.
pub(crate) fn input<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

/// The text without what `max` characters have no room for, so that an input does not grow without a new meaning.
pub(crate) fn short(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}
