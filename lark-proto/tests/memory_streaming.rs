//! The memory that is held while a body is streamed, counted by the allocator. The count is of the whole process, so
//! this program has only one test.

use std::alloc::System;
use std::io::Read;

use bytes::Buf;
use cap::Cap;
use lark_proto::body::{Body, ImageEncoding};
use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn streaming_holds_the_image_and_little_more() {
    let image = Image::any_format(vec![0xC5; 10_000_000], "bin").unwrap();
    let token = TenantToken::new("t-1").unwrap();
    let write = |encoding| {
        WriteSheetImage::new("s".parse().unwrap(), "a!A1".parse().unwrap(), image.clone())
            .unwrap()
            .with_encoding(encoding)
            .request_streamed(&Site::LARK, &token)
            .into_body()
    };
    let chunked = |mut body: Body| {
        while let Some(chunk) = body.next_chunk() {
            std::hint::black_box(&chunk);
        }
    };
    let read = |body: Body| {
        let mut reader = body.reader();
        let mut buffer = [0; 16 * 1024];
        while reader.read(&mut buffer).unwrap() > 0 {}
    };

    let before = HEAP.allocated();
    assert!(
        before >= 10_000_000 && HEAP.max_allocated() - before < 64 * 1024,
        "only the image is held before the bodies"
    );
    for encoding in [ImageEncoding::Numbers, ImageEncoding::Base64] {
        chunked(write(encoding));
        read(write(encoding));
        read(write(encoding).clone());
    }
    chunked(
        PutImage::message(image.clone()).unwrap().request_streamed(&Site::LARK, &token).into_body(),
    );
    let beyond = HEAP.max_allocated() - before;
    assert!(beyond <= 256 * 1024, "{beyond} bytes more than the image are held");

    drop(write(ImageEncoding::Numbers).into_bytes());
    assert!(HEAP.max_allocated() - before > 30_000_000, "the allocator counts a whole body");
}
