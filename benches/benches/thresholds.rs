//! Compares the speed of the encoders with the required speed, with images of 10 MB. The encoders take turns, and their
//! processor times are compared.
//!
//! With `RUSTFLAGS="--cfg lark_portable"` the encoder of numbers runs without AVX2.

use std::hint::black_box;

use lark_benches::interleaved::{Comparison, Contender, Costs, Options, Threshold};
use lark_benches::{MAIN_IMAGE_LEN, boundaries, drain, form, image, read, token, write};
use lark_proto::body::ImageEncoding;
use lark_proto::{EndpointExt, Image, Site};

const ROUNDS: usize = 31;

fn main() {
    let options = Options::from_args();
    let image = image(MAIN_IMAGE_LEN);
    let mut comparisons = Vec::new();
    if options.wants("numbers") {
        comparisons.extend(numbers(&options, &image));
    }
    if options.wants("exact length") {
        comparisons.extend(length(&options, &image));
    }
    if options.wants("multipart") {
        comparisons.extend(multipart(&options, &image));
    }
    options.print_comparisons(&comparisons);
}

fn comparison(what: &str, ours: &[f64], theirs: &[f64], threshold: Threshold) -> Comparison {
    Comparison { what: what.into(), ours: ours.into(), theirs: theirs.into(), threshold }
}

/// Measures the contenders, prints their times, and returns their processor times.
fn seconds<const N: usize>(
    options: &Options,
    title: &str,
    batch: usize,
    contenders: [Contender<'_>; N],
) -> [Vec<f64>; N] {
    let costs = options.measure(ROUNDS, batch, contenders.into());
    options.print_costs(title, &costs);
    let cpu: Vec<Vec<f64>> = costs.into_iter().map(|Costs { cpu, .. }| cpu).collect();
    cpu.try_into().expect("each way has its costs")
}

/// A copy of `source` from one warm buffer to another, which is the physical limit.
fn memcpy<'a>(name: &str, source: &'a [u8]) -> Contender<'a> {
    let mut target = source.to_vec();
    Contender::once(name, move || black_box(&mut target).copy_from_slice(black_box(source)))
}

fn numbers(options: &Options, image: &Image) -> Vec<Comparison> {
    let token = token();
    let mut buffer = vec![0; 64 * 1024];
    let write = write(image, ImageEncoding::Numbers);
    let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
    let slice = &image.bytes()[..];
    let naive = || serde_json::to_vec(slice).expect("a slice is JSON");
    let output = naive();
    let body = streamed().into_bytes();
    assert!(body.windows(output.len()).any(|part| part == output), "the body has the numbers");
    let [by_chunks, by_reads, naive, memcpy] = seconds(
        options,
        "numbers, 10 MB",
        1,
        [
            Contender::once("lark-proto, by chunks", || drain(streamed())),
            Contender::once("lark-proto, read by 64 KiB", || read(streamed(), &mut buffer)),
            Contender::once("`serde_json::to_vec`", naive),
            memcpy("`memcpy` of the output", &output),
        ],
    );
    let ours = [("by chunks", by_chunks), ("read by 64 KiB", by_reads)];
    let comparisons = ours.iter().flat_map(|(how, ours)| {
        let text = |rest: &str| format!("numbers {how}{rest}");
        if cfg!(lark_portable) {
            let what = text(", without AVX2: speed relative to `serde_json`");
            return vec![comparison(&what, ours, &naive, Threshold::AtLeast(6.0))];
        }
        vec![
            comparison(
                &text(": speed relative to `serde_json`"),
                ours,
                &naive,
                Threshold::AtLeast(15.0),
            ),
            comparison(&text(": time relative to `memcpy`"), ours, &memcpy, Threshold::AtMost(1.6)),
        ]
    });
    comparisons.collect()
}

fn length(options: &Options, image: &Image) -> Vec<Comparison> {
    let token = token();
    let write = write(image, ImageEncoding::Numbers);
    let [ours, memcpy] = seconds(
        options,
        "exact length, 10 MB",
        10,
        [
            Contender::once("lark-proto", || write.request_streamed(&Site::LARK, &token)),
            memcpy("`memcpy` of the image", image.bytes()),
        ],
    );
    vec![comparison(
        "exact length: time relative to `memcpy` of the image",
        &ours,
        &memcpy,
        Threshold::AtMost(2.0),
    )]
}

fn multipart(options: &Options, image: &Image) -> Vec<Comparison> {
    let [random, memcpy] = seconds(
        options,
        "multipart, 10 MB",
        10,
        [
            Contender::once("lark-proto", || form(image).payload()),
            memcpy("`memcpy` of the image", image.bytes()),
        ],
    );
    let small = boundaries(MAIN_IMAGE_LEN / 10);
    let large = boundaries(MAIN_IMAGE_LEN);
    let [hostile, tenth] = seconds(
        options,
        "multipart, 10 MB of boundaries",
        1,
        [
            Contender::once("lark-proto", || form(&large).payload()),
            Contender::once("lark-proto, 1 MB ten times", || {
                (0..10).for_each(|_| drop(black_box(form(&small).payload())));
            }),
        ],
    );
    let search = "boundary search: time relative to `memcpy` of the image";
    vec![
        comparison(search, &random, &memcpy, Threshold::AtMost(1.0)),
        comparison(
            "all boundaries: time relative to ten images of 1 MB",
            &hostile,
            &tenth,
            Threshold::AtMost(1.5),
        ),
    ]
}
