//! The body of a request, read in any way.

use std::io::{IoSlice, Read};

use arbitrary::Arbitrary;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use lark_proto::body::{Body, ImageEncoding, Multipart};
use lark_proto::values::FileName;
use lark_proto::{Endpoint, Image, WriteSheetImage};

use crate::input::input;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    source: Source,
    /// How often the image is repeated, so that it is encoded in several pieces.
    times: u8,
    reads: Vec<(u8, ReadOnce)>,
    content: &'a [u8],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Source {
    Empty,
    Bytes,
    Vec,
    Text,
    Numbers,
    Base64,
    Form,
}

/// One read of a body, or another action on it.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum ReadOnce {
    NextChunk,
    Chunk,
    Advance(u16),
    AdvanceAll,
    CopyToSlice(u16),
    CopyToBytes(u16),
    Read(u16),
    ReadExact(u16),
    Vectored(u8),
    Take(u16),
    GetU8,
    Put(u16),
    Clone,
    Drop,
    Compare(u8),
    Whole,
}

/// Reads a body and clones of it by any mix of chunks, `Buf` and `Read`. Each of them gives the bytes of the body in
/// their order, and knows how many are left.
pub fn body(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let content = input.content.repeat(1 + usize::from(input.times % 64));
    let Some((body, whole)) = source(input.source, content) else { return };
    assert_eq!(body.len(), whole.len() as u64);
    let mut readers = vec![Reader { body, rest: &whole }];
    for (at, read) in input.reads.into_iter().take(500) {
        let count = readers.len();
        let at = usize::from(at) % count;
        match read {
            ReadOnce::Clone if count < 8 => {
                let copy = Reader { body: readers[at].body.clone(), rest: readers[at].rest };
                readers.push(copy);
            }
            ReadOnce::Drop if count > 1 => drop(readers.swap_remove(at)),
            ReadOnce::Compare(other) => {
                let other = &readers[usize::from(other) % count];
                let one = &readers[at];
                assert_eq!(one.body == other.body, one.rest == other.rest);
            }
            ReadOnce::Whole => {
                assert!(readers[at].body.clone().into_bytes() == readers[at].rest);
            }
            read => readers[at].read(read),
        }
        readers.iter().for_each(Reader::check);
    }
    for reader in readers {
        assert!(reader.body.into_bytes() == reader.rest, "the end of the body differs");
    }
}

/// The body, and its bytes as this crate knows them.
fn source(source: Source, content: Vec<u8>) -> Option<(Body, Vec<u8>)> {
    let text = String::from_utf8_lossy(&content).into_owned();
    Some(match source {
        Source::Empty => {
            assert!(Body::from("") == Body::empty());
            (Body::empty(), Vec::new())
        }
        Source::Bytes => (Bytes::from(content.clone()).into(), content),
        Source::Vec => (content.clone().into(), content),
        Source::Text => (text.clone().into(), text.into_bytes()),
        Source::Numbers => {
            let numbers: Vec<_> = content.iter().map(ToString::to_string).collect();
            let image = Image::any_format(content.clone(), "bin").ok()?;
            let name = FileName::new("a.png", &image).ok()?;
            let image = numbers.join(",");
            let whole = format!(r#"{{"range":"a!A1:A1","image":[{image}],"name":"{name}"}}"#);
            (write(content, ImageEncoding::Numbers)?, whole.into_bytes())
        }
        Source::Base64 => {
            let body = write(content, ImageEncoding::Base64)?;
            let whole = body.clone().into_bytes().to_vec();
            (body, whole)
        }
        Source::Form => {
            let form = Multipart::new().file("a", "b", "c/d", content.into()).text("e", "f");
            let body = form.payload().body;
            let whole = body.clone().into_bytes().to_vec();
            (body, whole)
        }
    })
}

fn write(content: Vec<u8>, encoding: ImageEncoding) -> Option<Body> {
    let image = Image::any_format(content, "bin").ok()?;
    let write = WriteSheetImage::new("sht".parse().ok()?, "a!A1".parse().ok()?, image).ok()?;
    let write = write.with_name("a.png").ok()?.with_encoding(encoding);
    write.payload().map(|payload| payload.body)
}

/// A body, and the bytes that are left of it.
struct Reader<'a> {
    body: Body,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn read(&mut self, read: ReadOnce) {
        match read {
            ReadOnce::NextChunk => {
                let chunk = self.body.next_chunk();
                assert_eq!(chunk.is_none(), self.rest.is_empty());
                let chunk = chunk.unwrap_or_default();
                assert!(self.rest.is_empty() || !chunk.is_empty());
                self.took(&chunk);
            }
            ReadOnce::Chunk => {
                let chunk = self.body.chunk();
                assert_eq!(chunk.is_empty(), self.rest.is_empty());
                assert!(self.rest.starts_with(chunk));
            }
            ReadOnce::Advance(count) => self.advance(count.into()),
            ReadOnce::AdvanceAll => self.advance(usize::MAX),
            ReadOnce::CopyToSlice(count) => {
                let mut target = vec![7; count.into()];
                let result = self.body.try_copy_to_slice(&mut target);
                assert_eq!(result.is_ok(), target.len() <= self.rest.len());
                if result.is_ok() {
                    self.took(&target);
                }
            }
            ReadOnce::CopyToBytes(count) => {
                let copy = self.body.copy_to_bytes(count.into());
                assert_eq!(copy.len(), usize::from(count).min(self.rest.len()));
                self.took(&copy);
            }
            ReadOnce::Read(count) => {
                let mut target = vec![7; count.into()];
                let read = (&mut self.body).reader().read(&mut target).unwrap();
                assert_eq!(read, target.len().min(self.rest.len()));
                self.took(&target[..read]);
            }
            ReadOnce::ReadExact(count) => {
                let mut target = vec![7; usize::from(count).min(self.rest.len())];
                (&mut self.body).reader().read_exact(&mut target).unwrap();
                self.took(&target);
            }
            ReadOnce::Vectored(count) => {
                let mut slices = vec![IoSlice::new(&[]); count.into()];
                let filled = self.body.chunks_vectored(&mut slices);
                let shown: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
                assert!(self.rest.starts_with(&shown));
            }
            ReadOnce::Take(count) => {
                let mut taken = Vec::new();
                taken.put((&mut self.body).take(count.into()));
                assert_eq!(taken.len(), usize::from(count).min(self.rest.len()));
                self.took(&taken);
            }
            ReadOnce::GetU8 => {
                let byte = self.body.try_get_u8();
                assert_eq!(byte.ok(), self.rest.first().copied());
                self.rest = self.rest.get(1..).unwrap_or_default();
            }
            ReadOnce::Put(count) => {
                let mut copy = BytesMut::new();
                copy.put(self.body.clone().take(count.into()));
                assert!(self.rest.starts_with(&copy));
            }
            _ => {}
        }
    }

    fn advance(&mut self, count: usize) {
        self.body.advance(count);
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Accounts for these bytes, which were read.
    fn took(&mut self, bytes: &[u8]) {
        assert!(self.rest.starts_with(bytes), "other bytes are read");
        self.rest = &self.rest[bytes.len()..];
    }

    fn check(&self) {
        assert_eq!(self.body.len(), self.rest.len() as u64);
        assert_eq!(self.body.remaining(), self.rest.len());
        assert_eq!((self.body.is_empty(), self.body.has_remaining()), {
            (self.rest.is_empty(), !self.rest.is_empty())
        });
        assert!(self.rest.starts_with(self.body.chunk()));
    }
}
