//! The body of a request. Its exact length is known before its bytes are encoded, and the encoded form of an image is
//! in memory as a whole only if the caller asks for it.

mod boundary;
mod encoding;
mod multipart;
mod numbers;
pub(crate) mod payload;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use encoding::{CHUNK, Encoder, SMALL_CHUNK};

pub use boundary::Boundary;
pub use encoding::ImageEncoding;
pub use multipart::Multipart;

/// A body as a queue of segments. One of them is the caller's image, which is shared and not copied. In a JSON body it
/// is encoded piece by piece while the body is read.
///
/// The same bytes can be read in four ways: all at once by [`Body::into_bytes`], as chunks of [`Bytes`] by
/// [`Body::next_chunk`], as slices by [`Buf`], and as [`std::io::Read`] by [`Buf::reader`].
///
/// A clone copies the queue and shares the bytes, so a caller can keep a request and send it again. Reads past the end
/// return nothing. Only the methods `get_..` and `copy_to_slice` of [`Buf`] panic there, as [`Buf`] documents.
#[derive(Clone, Default)]
pub struct Body {
    /// The result of [`Buf::chunk`]. It is empty only at the end of the body.
    shown: Bytes,
    /// The segments after `shown`.
    rest: VecDeque<Segment>,
    /// The number of bytes in `shown` and `rest`.
    len: u64,
    /// Two buffers, which are used in turn for the encoded pieces, because the transport may still hold the previous
    /// piece while the next one is encoded. A buffer is reused without an allocation once the transport has dropped its
    /// piece.
    scratch: [BytesMut; 2],
}

/// A part of a body: bytes that are sent unchanged, or an image that is encoded when the body is read.
#[derive(Clone)]
pub(crate) enum Segment {
    Stored(Bytes),
    Encoded(&'static Encoder, Bytes),
}

impl Body {
    /// A body of 0 bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn from_segments(segments: impl IntoIterator<Item = Segment>) -> Self {
        let rest: VecDeque<Segment> = segments.into_iter().collect();
        let len = rest.iter().map(|segment| match segment {
            Segment::Stored(bytes) => bytes.len() as u64,
            Segment::Encoded(encoder, image) => (encoder.encoded_len)(image),
        });
        let mut body = Self { len: len.sum(), rest, ..Self::default() };
        body.refill(CHUNK);
        body
    }

    /// The exact number of bytes that are left.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no bytes are left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next chunk, which is never empty; `None` at the end. A chunk is at most 48 KiB of an encoded image, or a
    /// whole segment that is sent unchanged, such as the image in a form.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = std::mem::take(&mut self.shown);
        self.len -= chunk.len() as u64;
        self.refill(CHUNK);
        (!chunk.is_empty()).then_some(chunk)
    }

    /// The bytes that are left. They are not copied if they are stored in one segment.
    ///
    /// # Panics
    /// On 32 bits, for more than 2 GiB, which only a [`Multipart`] of several files can have. [`Body::next_chunk`] and
    /// [`Buf`] have no such limit.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.shown.len() as u64 == self.len {
            return self.shown;
        }
        let mut whole = Vec::with_capacity(self.remaining());
        while let Some(chunk) = self.next_chunk() {
            whole.extend_from_slice(&chunk);
        }
        whole.into()
    }

    /// Sets `shown` to the next bytes if it is empty. It encodes at most `most` bytes of an image.
    fn refill(&mut self, most: usize) {
        while self.shown.is_empty() {
            // An empty `Bytes` may still hold a reference to the scratch memory.
            self.shown = Bytes::new();
            let Some(segment) = self.rest.front_mut() else { return };
            let rest = match segment {
                Segment::Stored(bytes) => {
                    self.shown = std::mem::take(bytes);
                    0
                }
                Segment::Encoded(encoder, image) => {
                    let piece = image.split_to(image.len().min(most));
                    self.scratch.reverse();
                    let [scratch, _] = &mut self.scratch;
                    // The memory for the whole piece is reserved at once, because growing it a second time would double
                    // it.
                    scratch.reserve((encoder.max_encoded_len)(piece.len()));
                    (encoder.encode)(&piece, image.is_empty(), scratch);
                    self.shown = scratch.split().freeze();
                    image.len()
                }
            };
            if rest == 0 {
                self.rest.pop_front();
            }
        }
    }
}

impl Buf for Body {
    fn remaining(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    fn chunk(&self) -> &[u8] {
        &self.shown
    }

    /// A `count` past the end skips to the end and does not panic.
    fn advance(&mut self, mut count: usize) {
        while count > 0 && !self.is_empty() {
            let step = count.min(self.shown.len());
            self.shown.advance(step);
            self.len -= step as u64;
            count -= step;
            self.refill(CHUNK);
        }
    }

    /// Encodes an image directly into `target`, except for small pieces at the end of `target` and of the image.
    fn try_copy_to_slice(&mut self, mut target: &mut [u8]) -> Result<(), TryGetError> {
        let requested = target.len();
        let available = self.remaining();
        if requested > available {
            return Err(TryGetError { requested, available });
        }
        while !target.is_empty() {
            let step = target.len().min(self.shown.len());
            target.put_slice(self.shown.get(..step).unwrap_or_default());
            self.shown.advance(step);
            self.len -= step as u64;
            if !self.shown.is_empty() {
                break;
            }
            if let Some(Segment::Encoded(encoder, image)) = self.rest.front_mut() {
                // The piece is a multiple of 3 bytes, so that base64 adds no padding, and does not include the image's
                // last byte, which `refill` encodes.
                let fit = target.len() / (encoder.max_encoded_len)(3);
                let piece = image.split_to(fit.min(image.len().saturating_sub(1) / 3) * 3);
                let room = target.len();
                (encoder.encode)(&piece, false, &mut target);
                self.len -= (room - target.len()) as u64;
            }
            self.refill(SMALL_CHUNK);
        }
        Ok(())
    }

    /// Shares the memory if `chunk` has all `len` bytes, and copies them otherwise. Returns fewer than `len` bytes at
    /// the end of the body.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        if len > self.shown.len() {
            let mut copy = BytesMut::with_capacity(len.min(self.remaining()));
            while copy.len() < len && !self.is_empty() {
                let step = self.shown.len().min(len - copy.len());
                copy.extend_from_slice(self.shown.get(..step).unwrap_or_default());
                self.advance(step);
            }
            return copy.freeze();
        }
        let shared = self.shown.slice(..len);
        self.advance(len);
        shared
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, shown: bytes, ..Self::default() }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Compares the bytes that are left, however they are stored.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        let mut one = self.clone();
        let mut other = other.clone();
        while one.len == other.len && !one.is_empty() {
            let step = one.shown.len().min(other.shown.len());
            if one.shown.get(..step) != other.shown.get(..step) {
                return false;
            }
            one.advance(step);
            other.advance(step);
        }
        one.len == other.len
    }
}

impl Eq for Body {}

/// Shows the length only, because a body may contain a secret and may be long.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_into_slices_of_any_length_return_all_bytes_in_order() {
        let whole: Bytes = (0..40_001_u32).map(|n| ((n * n) >> 7).to_le_bytes()[0]).collect();
        let encodings = [ImageEncoding::Numbers, ImageEncoding::Base64];
        for (len, encoding) in
            [1, 3, 39_999, 40_000, 40_001].into_iter().flat_map(|len| encodings.map(|e| (len, e)))
        {
            let image = whole.slice(..len);
            let stored = |text: &'static str| Segment::Stored(text.into());
            let encoded = Segment::Encoded(encoding.encoder(), image.clone());
            let body = Body::from_segments([
                stored("<"),
                encoded.clone(),
                stored("|"),
                encoded,
                stored(">"),
            ]);
            let flat = body.clone().into_bytes();
            for size in [1, 2, 3, 13, 3071, 3072, 3073, 49_152, 100_000, flat.len()] {
                let mut body = body.clone();
                for expected in flat.chunks(size) {
                    let mut slice = vec![0; expected.len()];
                    body.copy_to_slice(&mut slice);
                    assert!(slice == expected, "{size} bytes at a time");
                }
                assert!(body.is_empty());
            }
        }
    }

    #[test]
    fn a_read_of_more_than_is_left_fails_and_takes_nothing() {
        for encoding in [ImageEncoding::Numbers, ImageEncoding::Base64] {
            let stored = Segment::Stored("<".into());
            let mut body = Body::from_segments([
                stored,
                Segment::Encoded(encoding.encoder(), vec![7; 40_000].into()),
            ]);
            let flat = body.clone().into_bytes();
            let available = flat.len();
            let error = TryGetError { requested: available + 1, available };
            assert_eq!(body.try_copy_to_slice(&mut vec![0; available + 1]), Err(error));
            assert_eq!(body.into_bytes(), flat);
        }
    }

    #[test]
    fn a_body_shows_its_length_and_no_byte() {
        let mut body = Body::from("t-secret");
        assert_eq!(format!("{body:?}"), "Body(8 bytes)");
        body.advance(3);
        assert_eq!(format!("{body:?}"), "Body(5 bytes)");
    }

    #[test]
    fn bodies_are_equal_if_they_send_the_same_bytes() {
        let image = Bytes::from(vec![200; 40_000]);
        let encoded = |encoding: ImageEncoding| Segment::Encoded(encoding.encoder(), image.clone());
        let stored = |text: &'static str| Segment::Stored(text.into());
        let numbers =
            || Body::from_segments([stored("["), encoded(ImageEncoding::Numbers), stored("]")]);
        let whole = numbers().into_bytes();
        let mut last = whole.to_vec();
        *last.last_mut().unwrap() = b'}';
        let mut begun = Body::from_segments([
            stored("x"),
            stored("["),
            encoded(ImageEncoding::Numbers),
            stored("]"),
        ]);
        begun.advance(1);
        for (one, other, equal) in [
            (Body::empty(), Body::empty(), true),
            (Body::empty(), "".into(), true),
            ("a".into(), "b".into(), false),
            ("a".into(), "ab".into(), false),
            ("ab".into(), Body::from_segments([stored("a"), stored("b")]), true),
            (numbers(), numbers(), true),
            (numbers(), whole.clone().into(), true),
            (numbers(), begun, true),
            (numbers(), last.into(), false),
            (numbers(), Body::from_segments([stored("["), encoded(ImageEncoding::Base64)]), false),
        ] {
            assert_eq!(one == other, equal, "{one:?} {other:?}");
            assert_eq!(other == one, equal, "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_length_of_a_body_above_4_gib_is_exact() {
        let segment = Bytes::from(vec![9; 16 << 20]);
        let base64 = Segment::Encoded(ImageEncoding::Base64.encoder(), segment.clone());
        let stored = std::iter::repeat_n(Segment::Stored(segment), 600);
        let mut body = Body::from_segments(stored.chain([base64]));
        let len = (600 << 24) + (1_u64 << 24).div_ceil(3) * 4;
        assert_eq!((body.len(), body.remaining() as u64), (len, len.min(usize::MAX as u64)));
        // On 32 bits, one call cannot skip so much.
        let mut skipped = (600 << 24) - 1;
        while skipped > 0 {
            let step = usize::try_from(skipped).unwrap_or(usize::MAX);
            body.advance(step);
            skipped -= step as u64;
        }
        assert_eq!(body.next_chunk().unwrap(), [9][..]);
        assert_eq!(body.next_chunk().unwrap()[..4], *b"CQkJ");
    }
}
