//! Each encoder on 10 MB of random bytes, beside the naive way and a copy of the same output, which is
//! as fast as an encoder could be. Throughput counts the image's bytes.
#![expect(missing_docs, reason = "criterion's macros write items without a comment")]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lark_benches::{drain, random_bytes, read};
use lark_proto::{
    Body, EndpointExt, Image, ImageEncoding, PutImage, Site, TenantToken, WriteSheetImage,
};

const IMAGE: usize = 10_000_000;

fn image() -> Image {
    Image::unchecked(random_bytes(IMAGE)).unwrap()
}

fn token() -> TenantToken {
    TenantToken::new("t-7f1b").unwrap()
}

fn write(image: &Image, encoding: ImageEncoding) -> WriteSheetImage {
    let (spreadsheet, cell) = ("shtcnabc".parse().unwrap(), "Q7PlXT!H7".parse().unwrap());
    WriteSheetImage::new(spreadsheet, cell, image.clone()).unwrap().encoded(encoding)
}

/// The value of `image` in a body of `WriteSheetImage`.
fn image_in(body: &Bytes) -> &[u8] {
    let start = br#"{"range":"Q7PlXT!H7:H7","image":"#.len();
    &body[start..body.len() - br#","name":"image.bin"}"#.len()]
}

fn group<'c>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(IMAGE as u64));
    group.sample_size(20);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group
}

/// The physical limit: `source` from one warm buffer to another.
fn memcpy(group: &mut BenchmarkGroup<'_, WallTime>, what: &str, source: &[u8]) {
    let mut target = source.to_vec();
    group.bench_function(format!("memcpy of the {what}"), |b| {
        b.iter(|| black_box(&mut target).copy_from_slice(black_box(source)));
    });
}

fn numbers(c: &mut Criterion) {
    let (image, token) = (image(), token());
    let write = write(&image, ImageEncoding::Numbers);
    let flat = || write.request(&Site::LARK, &token).into_body();
    let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
    let naive = || serde_json::to_vec(&image.bytes()[..]).unwrap();
    let expected = naive();
    assert_eq!(image_in(&flat()), expected);
    assert_eq!(image_in(&streamed().into_bytes()), expected);

    let mut group = group(c, "numbers");
    let mut kept = Vec::with_capacity(flat().len());
    let mut buffer = vec![0; 64 * 1024];
    // Into fresh memory: the kernel hands it out page by page, and that is most of the time.
    group.bench_function("serde_json to a fresh Vec", |b| b.iter(naive));
    group.bench_function("lark-proto flat", |b| b.iter(flat));
    group.bench_function("copy of the output to a fresh Vec", |b| b.iter(|| expected.clone()));
    // Into memory that is there.
    group.bench_function("serde_json to a kept Vec", |b| {
        b.iter(|| {
            kept.clear();
            serde_json::to_writer(&mut kept, &image.bytes()[..]).unwrap();
        });
    });
    group.bench_function("lark-proto to a kept Vec", |b| {
        b.iter(|| {
            kept.clear();
            kept.put(streamed());
        });
    });
    group.bench_function("lark-proto read by 64 KiB", |b| {
        b.iter(|| read(streamed(), &mut buffer));
    });
    group.bench_function("lark-proto streamed", |b| b.iter(|| drain(streamed())));
    memcpy(&mut group, "output", &expected);
}

/// What the exact `Content-Length` of numbers costs: a request whose body is not read.
fn length(c: &mut Criterion) {
    let (image, token) = (image(), token());
    let write = write(&image, ImageEncoding::Numbers);
    let mut group = group(c, "length of numbers");
    group.bench_function("lark-proto", |b| b.iter(|| write.request_streamed(&Site::LARK, &token)));
    memcpy(&mut group, "image", image.bytes());
}

fn base64(c: &mut Criterion) {
    let (image, token) = (image(), token());
    let write = write(&image, ImageEncoding::Base64);
    let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
    let naive = || STANDARD.encode(image.bytes());
    let expected = naive();
    assert_eq!(image_in(&streamed().into_bytes()), format!("\"{expected}\"").as_bytes());

    let mut group = group(c, "base64");
    group.bench_function("base64 to a String", |b| b.iter(naive));
    group.bench_function("lark-proto streamed", |b| b.iter(|| drain(streamed())));
    memcpy(&mut group, "output", expected.as_bytes());
}

fn multipart(c: &mut Criterion) {
    let (image, token) = (image(), token());
    let streamed = || -> Body {
        let put = PutImage::message(image.clone()).unwrap();
        put.request_streamed(&Site::LARK, &token).into_body()
    };
    let whole = streamed().into_bytes();
    let tail = b"\r\n--lark_0000000000000000--\r\n";
    let (head, rest) = whole.split_at(whole.len() - IMAGE - tail.len());
    assert_eq!(rest, [image.bytes(), &tail[..]].concat());

    let mut group = group(c, "multipart");
    // Without a look for the boundary in the image.
    group.bench_function("one Vec", |b| b.iter(|| [head, image.bytes(), tail].concat()));
    group.bench_function("lark-proto streamed", |b| b.iter(|| drain(streamed())));
    memcpy(&mut group, "image", image.bytes());
}

criterion_group!(benches, numbers, length, base64, multipart);
criterion_main!(benches);
