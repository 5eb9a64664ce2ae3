//! Compares the speed of the encoders with the required speed, with images of 10 MB. The encoders take turns, and their
//! processor times are compared.
//!
//! With `RUSTFLAGS="--cfg lark_portable"` the encoder of numbers runs without AVX2.

use std::hint::black_box;

use lark_benches::turns::{Asked, Bar, Costs, Line, Way};
use lark_benches::{MAIN, boundaries, drain, form, image, read, token, write};
use lark_proto::body::ImageEncoding;
use lark_proto::{EndpointExt, Image, Site};

const ROUNDS: usize = 31;

fn main() {
    let asked = Asked::from_args();
    let image = image(MAIN);
    let mut bars = Vec::new();
    if asked.wants("numbers") {
        bars.extend(numbers(&asked, &image));
    }
    if asked.wants("length of numbers") {
        bars.extend(length(&asked, &image));
    }
    if asked.wants("multipart") {
        bars.extend(multipart(&asked, &image));
    }
    asked.print_bars(&bars);
}

fn line(what: &str, ours: &[f64], theirs: &[f64], bar: Bar) -> Line {
    Line { what: what.into(), ours: ours.into(), theirs: theirs.into(), bar }
}

/// Measures the ways, prints their times, and returns their processor times.
fn seconds<const N: usize>(
    asked: &Asked,
    title: &str,
    batch: usize,
    ways: [Way<'_>; N],
) -> [Vec<f64>; N] {
    let costs = asked.measure(ROUNDS, batch, ways.into());
    asked.print_costs(title, &costs);
    let cpu: Vec<Vec<f64>> = costs.into_iter().map(|Costs { cpu, .. }| cpu).collect();
    cpu.try_into().expect("each way has its costs")
}

/// A copy of `source` from one warm buffer to another, which is the physical limit.
fn memcpy<'a>(name: &str, source: &'a [u8]) -> Way<'a> {
    let mut target = source.to_vec();
    Way::once(name, move || black_box(&mut target).copy_from_slice(black_box(source)))
}

fn numbers(asked: &Asked, image: &Image) -> Vec<Line> {
    let token = token();
    let mut buffer = vec![0; 64 * 1024];
    let write = write(image, ImageEncoding::Numbers);
    let streamed = || write.request_streamed(&Site::LARK, &token).into_body();
    let slice = &image.bytes()[..];
    let naive = || serde_json::to_vec(slice).expect("a slice is JSON");
    let output = naive();
    let [by_chunks, by_reads, naive, memcpy] = seconds(
        asked,
        "numbers, 10 MB",
        1,
        [
            Way::once("lark-proto, by chunks", || drain(streamed())),
            Way::once("lark-proto, read by 64 KiB", || read(streamed(), &mut buffer)),
            Way::once("`serde_json::to_vec`", naive),
            memcpy("`memcpy` of the output", &output),
        ],
    );
    let ours = [("by chunks", by_chunks), ("read by 64 KiB", by_reads)];
    let lines = ours.iter().flat_map(|(how, ours)| {
        let text = |rest: &str| format!("numbers {how}{rest}");
        if cfg!(lark_portable) {
            let what = text(", without AVX2: speed relative to `serde_json`");
            return vec![line(&what, ours, &naive, Bar::AtLeast(6.0))];
        }
        vec![
            line(&text(": speed relative to `serde_json`"), ours, &naive, Bar::AtLeast(15.0)),
            line(&text(": time relative to `memcpy`"), ours, &memcpy, Bar::AtMost(1.6)),
        ]
    });
    lines.collect()
}

fn length(asked: &Asked, image: &Image) -> Vec<Line> {
    let token = token();
    let write = write(image, ImageEncoding::Numbers);
    let [ours, memcpy] = seconds(
        asked,
        "length of numbers, 10 MB",
        10,
        [
            Way::once("lark-proto", || write.request_streamed(&Site::LARK, &token)),
            memcpy("`memcpy` of the image", image.bytes()),
        ],
    );
    vec![line(
        "exact length: time relative to `memcpy` of the image",
        &ours,
        &memcpy,
        Bar::AtMost(2.0),
    )]
}

fn multipart(asked: &Asked, image: &Image) -> Vec<Line> {
    let [random, memcpy] = seconds(
        asked,
        "multipart, 10 MB",
        10,
        [
            Way::once("lark-proto", || form(image).payload()),
            memcpy("`memcpy` of the image", image.bytes()),
        ],
    );
    let small = boundaries(MAIN / 10);
    let large = boundaries(MAIN);
    let [hostile, tenth] = seconds(
        asked,
        "multipart, 10 MB of boundaries",
        1,
        [
            Way::once("lark-proto", || form(&large).payload()),
            Way::once("lark-proto, 1 MB ten times", || {
                (0..10).for_each(|_| drop(black_box(form(&small).payload())));
            }),
        ],
    );
    let search = "boundary search: time relative to `memcpy` of the image";
    vec![
        line(search, &random, &memcpy, Bar::AtMost(1.0)),
        line(
            "all boundaries: time relative to ten images of 1 MB",
            &hostile,
            &tenth,
            Bar::AtMost(1.5),
        ),
    ]
}
