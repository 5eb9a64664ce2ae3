//! Each encoder with images of random bytes, from small to large. It is compared with the naive way, and with a copy of
//! its output, which is the physical limit. Throughput counts the bytes of the image.
#![expect(missing_docs, reason = "criterion's macros write items without a comment")]

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use lark_benches::{MAIN_IMAGE_LEN, boundaries, criterion, drain, form, image, read, token, write};
use lark_proto::body::{Body, ImageEncoding};
use lark_proto::{EndpointExt, Image, Site};

const SIZES: [(&str, usize); 5] = [
    ("1 KiB", 1 << 10),
    ("64 KiB", 64 << 10),
    ("1 MB", 1_000_000),
    ("10 MB", MAIN_IMAGE_LEN),
    ("20 MB", 20_000_000),
];

/// The contenders that encode an image of one size.
struct Contenders<'g, 'c> {
    group: &'g mut BenchmarkGroup<'c, WallTime>,
    size: &'static str,
}

impl Contenders<'_, '_> {
    fn add<T>(&mut self, name: &str, mut run: impl FnMut() -> T) {
        let id = BenchmarkId::new(name, self.size);
        self.group.bench_function(id, |b| b.iter(&mut run));
    }

    /// Adds a copy of `source` from one warm buffer to another, which is the physical limit.
    fn add_memcpy(&mut self, what: &str, source: &[u8]) {
        let mut target = source.to_vec();
        self.add(&format!("memcpy of the {what}"), || {
            black_box(&mut target).copy_from_slice(black_box(source));
        });
    }
}

/// Measures the contenders that `add` adds, at every size.
fn group(c: &mut Criterion, name: &str, mut add: impl FnMut(&Image, &mut Contenders<'_, '_>)) {
    let mut group = c.benchmark_group(name);
    for (size, len) in SIZES {
        group.throughput(Throughput::Bytes(len as u64));
        // Flat sampling repeats as often in each sample. Linear sampling would take minutes with large images.
        let is_large = len >= 1_000_000;
        group.sampling_mode(if is_large { SamplingMode::Flat } else { SamplingMode::Linear });
        add(&image(len), &mut Contenders { group: &mut group, size });
    }
}

/// The value of the image in a body of `WriteSheetImage`.
fn image_in(body: &Bytes) -> &[u8] {
    let start = br#"{"range":"Q7PlXT!H7:H7","image":"#.len();
    &body[start..body.len() - br#","name":"image.gif"}"#.len()]
}

fn numbers(c: &mut Criterion) {
    let token = token();
    let mut buffer = vec![0; 64 * 1024];
    group(c, "numbers", |image, contenders| {
        let write = write(image, ImageEncoding::Numbers);
        let slice = &image.bytes()[..];
        let flat = || write.request(&Site::LARK, &token).into_body();
        let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
        let naive = || serde_json::to_vec(slice).unwrap();
        let expected = naive();
        assert_eq!(image_in(&flat()), expected);
        assert_eq!(image_in(&streamed().into_bytes()), expected);
        let mut kept = Vec::with_capacity(flat().len());

        // These write into memory that the process already has.
        contenders.add("serde_json to a kept Vec", || {
            kept.clear();
            serde_json::to_writer(&mut kept, slice).unwrap();
        });
        contenders.add("lark-proto to a kept Vec", || {
            kept.clear();
            kept.put(streamed());
        });
        contenders.add("lark-proto read by 64 KiB", || read(streamed(), &mut buffer));
        contenders.add("lark-proto streamed", || drain(streamed()));
        #[cfg(feature = "competitors")]
        contenders.add("sonic-rs to a kept Vec", || {
            kept.clear();
            sonic_rs::to_writer(&mut kept, slice).unwrap();
        });
        contenders.add_memcpy("output", &expected);
        // These write into fresh memory. The kernel maps it page by page, which takes most of the time.
        contenders.add("lark-proto flat", flat);
        if image.bytes().len() == MAIN_IMAGE_LEN {
            contenders.add("copy of the output to a fresh Vec", || expected.clone());
            contenders.add("serde_json to a fresh Vec", naive);
            contenders.add("serde_json by way of a Value", || {
                serde_json::to_vec(&serde_json::json!({ "image": slice })).unwrap()
            });
            #[cfg(feature = "competitors")]
            contenders.add("sonic-rs to a fresh Vec", || sonic_rs::to_vec(slice).unwrap());
        }
    });
}

/// The cost of the exact `Content-Length` of numbers, measured by a request whose body is not read.
fn length(c: &mut Criterion) {
    let token = token();
    group(c, "exact length", |image, contenders| {
        let write = write(image, ImageEncoding::Numbers);
        let body = write.request_streamed(&Site::LARK, &token).into_body();
        assert_eq!(body.len(), body.into_bytes().len() as u64);
        contenders.add("lark-proto", || write.request_streamed(&Site::LARK, &token));
        contenders.add_memcpy("image", image.bytes());
    });
}

fn base64(c: &mut Criterion) {
    let token = token();
    group(c, "base64", |image, contenders| {
        let write = write(image, ImageEncoding::Base64);
        let flat = || write.request(&Site::LARK, &token).into_body();
        let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
        let naive = || STANDARD.encode(image.bytes());
        let expected = naive();
        assert_eq!(image_in(&flat()), format!("\"{expected}\"").as_bytes());
        assert_eq!(image_in(&streamed().into_bytes()), format!("\"{expected}\"").as_bytes());

        contenders.add("base64 to a String", naive);
        contenders.add("lark-proto flat", flat);
        contenders.add("lark-proto streamed", || drain(streamed()));
        contenders.add_memcpy("output", expected.as_bytes());
    });
}

fn multipart(c: &mut Criterion) {
    group(c, "multipart", |image, contenders| {
        let streamed = || -> Body { form(image).payload().body };
        let whole = streamed().into_bytes();
        let tail = format!("\r\n--lark_{:064}--\r\n", 0).into_bytes();
        let (head, rest) = whole.split_at(whole.len() - image.bytes().len() - tail.len());
        assert_eq!(rest, [image.bytes(), &tail[..]].concat());
        let hostile = boundaries(image.bytes().len());

        // This one does not search the image for the boundary.
        contenders.add("one Vec", || [head, image.bytes(), &tail].concat());
        contenders.add("lark-proto flat", || streamed().into_bytes());
        contenders.add("lark-proto streamed", || drain(streamed()));
        contenders
            .add("lark-proto streamed, all boundaries", || drain(form(&hostile).payload().body));
        contenders.add_memcpy("image", image.bytes());
    });
}

criterion_group!(name = benches; config = criterion(); targets = numbers, length, base64, multipart);
criterion_main!(benches);
