//! A request's body: known to the byte before the first one is made, and never held whole unless the
//! caller asks for that.

mod boundary;
mod encoding;
mod multipart;
mod numbers;
mod payload;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use encoding::{CHUNK, SMALL_CHUNK};

pub use boundary::Boundary;
pub use encoding::ImageEncoding;
pub use multipart::Multipart;
pub use payload::Payload;
pub(crate) use payload::json_string;

/// A body as a queue of segments. The caller's image is one of them, shared and not copied; as JSON it
/// is encoded piece by piece while the body is read.
///
/// One encoder has four views, which agree byte for byte: [`Body::into_bytes`] for everything at once,
/// [`Body::next_chunk`] for a transport that takes [`Bytes`], [`Buf`] for one that takes slices, and
/// [`Buf::reader`] for one that takes [`std::io::Read`].
///
/// A clone costs a few reference counts, so a request can be kept to be sent again. Reading past the end gives nothing
/// more; only [`Buf`]'s own `get_..` and `copy_to_slice` panic there, as its contract has it.
#[derive(Clone, Default)]
pub struct Body {
    /// What [`Buf::chunk`] shows: not empty while anything is left.
    shown: Bytes,
    rest: VecDeque<Segment>,
    /// Bytes that are left, `shown` among them.
    len: u64,
    /// The memory that pieces are encoded in, by turns: the next piece is made while the transport still holds the
    /// last one, and is made in place once it has dropped the one before.
    scratch: [BytesMut; 2],
}

/// A part of a body: bytes as they are, or an image that is still to be encoded.
#[derive(Clone)]
pub(crate) enum Segment {
    Stored(Bytes),
    Encoded(ImageEncoding, Bytes),
}

impl Body {
    /// A body without a byte.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn of(segments: impl IntoIterator<Item = Segment>) -> Self {
        let rest: VecDeque<Segment> = segments.into_iter().collect();
        let len = rest.iter().map(|segment| match segment {
            Segment::Stored(bytes) => bytes.len() as u64,
            Segment::Encoded(encoding, image) => encoding.encoded_len(image),
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

    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next bytes; none of the chunks is empty. A chunk is at most 48 KiB of encoded image, or one
    /// segment that was stored whole, such as the image inside a form.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = std::mem::take(&mut self.shown);
        self.len -= chunk.len() as u64;
        self.refill(CHUNK);
        (!chunk.is_empty()).then_some(chunk)
    }

    /// All that is left, in one piece; without a copy if it is stored in one piece.
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

    /// Has something to show again, if anything is left: of an image as much as `most` bytes make.
    fn refill(&mut self, most: usize) {
        while self.shown.is_empty() {
            // An empty `Bytes` may still hold the scratch memory.
            self.shown = Bytes::new();
            let Some(segment) = self.rest.front_mut() else { return };
            let rest = match segment {
                Segment::Stored(bytes) => {
                    self.shown = std::mem::take(bytes);
                    0
                }
                Segment::Encoded(encoding, image) => {
                    let piece = image.split_to(image.len().min(most));
                    self.scratch.reverse();
                    let [scratch, _] = &mut self.scratch;
                    // At once: a second growth would double it.
                    scratch.reserve(encoding.max_encoded_len(piece.len()));
                    encoding.encode(&piece, image.is_empty(), scratch);
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

    /// Past the end there is nothing to skip, so that a count too large is no panic.
    fn advance(&mut self, mut count: usize) {
        while count > 0 && !self.is_empty() {
            let step = count.min(self.shown.len());
            self.shown.advance(step);
            self.len -= step as u64;
            count -= step;
            self.refill(CHUNK);
        }
    }

    /// What is still to be encoded goes straight into `target`, but for small pieces between.
    fn try_copy_to_slice(&mut self, mut target: &mut [u8]) -> Result<(), TryGetError> {
        let (requested, available) = (target.len(), self.remaining());
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
            if let Some(Segment::Encoded(encoding, image)) = self.rest.front_mut() {
                // Threes, so that base64 pads only at the end, which is left to `refill`.
                let fit = target.len() / encoding.max_encoded_len(3);
                let piece = image.split_to(fit.min(image.len().saturating_sub(1) / 3) * 3);
                let room = target.len();
                encoding.encode(&piece, false, &mut target);
                self.len -= (room - target.len()) as u64;
            }
            self.refill(SMALL_CHUNK);
        }
        Ok(())
    }

    /// Shares what is stored, and gives what is left where that is less.
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
        let (mut one, mut other) = (self.clone(), other.clone());
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

/// Shows the length only: a body may hold a secret, and is rarely short.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_any_length_are_filled_with_what_comes_next() {
        let whole: Bytes = (0..40_001_u32).map(|n| ((n * n) >> 7).to_le_bytes()[0]).collect();
        let encodings = [ImageEncoding::Numbers, ImageEncoding::Base64];
        for (len, encoding) in
            [1, 3, 39_999, 40_000, 40_001].into_iter().flat_map(|len| encodings.map(|e| (len, e)))
        {
            let image = whole.slice(..len);
            let stored = |text: &'static str| Segment::Stored(text.into());
            let encoded = Segment::Encoded(encoding, image.clone());
            let body = Body::of([stored("<"), encoded.clone(), stored("|"), encoded, stored(">")]);
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
            let mut body = body;
            let (mut slice, available) = (vec![0; flat.len() + 1], flat.len());
            let error = TryGetError { requested: available + 1, available };
            assert_eq!(body.try_copy_to_slice(&mut slice), Err(error));
            assert_eq!(body.into_bytes(), flat, "nothing was taken");
        }
    }

    #[test]
    fn bodies_are_equal_if_they_send_the_same_bytes() {
        let image = Bytes::from(vec![200; 40_000]);
        let encoded = |encoding| Segment::Encoded(encoding, image.clone());
        let stored = |text: &'static str| Segment::Stored(text.into());
        let numbers = || Body::of([stored("["), encoded(ImageEncoding::Numbers), stored("]")]);
        let whole = numbers().into_bytes();
        let mut last = whole.to_vec();
        *last.last_mut().unwrap() = b'}';
        let mut begun =
            Body::of([stored("x"), stored("["), encoded(ImageEncoding::Numbers), stored("]")]);
        begun.advance(1);
        for (one, other, equal) in [
            (Body::empty(), Body::empty(), true),
            (Body::empty(), "".into(), true),
            ("a".into(), "b".into(), false),
            ("a".into(), "ab".into(), false),
            ("ab".into(), Body::of([stored("a"), stored("b")]), true),
            (numbers(), numbers(), true),
            (numbers(), whole.clone().into(), true),
            (numbers(), begun, true),
            (numbers(), last.into(), false),
            (numbers(), Body::of([stored("["), encoded(ImageEncoding::Base64)]), false),
        ] {
            assert_eq!(one == other, equal, "{one:?} {other:?}");
            assert_eq!(other == one, equal, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_length_beyond_4_gib_is_counted_on_paper() {
        let segment = Bytes::from(vec![9; 16 << 20]);
        let base64 = Segment::Encoded(ImageEncoding::Base64, segment.clone());
        let stored = std::iter::repeat_n(Segment::Stored(segment), 600);
        let mut body = Body::of(stored.chain([base64]));
        let len = (600 << 24) + (1_u64 << 24).div_ceil(3) * 4;
        assert_eq!((body.len(), body.remaining() as u64), (len, len.min(usize::MAX as u64)));
        body.advance((600 << 24) - 1);
        assert_eq!(body.next_chunk().unwrap(), [9][..]);
        assert_eq!(body.next_chunk().unwrap()[..4], *b"CQkJ");
    }
}
