//! The number and the bytes of allocations, counted on the thread that makes them: building a request allocates as much
//! for a large image as for a small one, and reading a reply allocates what its result holds.

use std::any::type_name;
use std::{io, iter};

use allocation_counter::{AllocationInfo, measure};
use bytes::{Buf, Bytes};
use http::{HeaderValue, Request, Response};
use lark_proto::body::{Body, ImageEncoding};
use lark_proto::endpoints::{
    DownloadMedia, GetAppToken, GetStoreTenantToken, GetTenantToken, QuerySheets, ReadCells,
    ResendAppTicket, WithLogId,
};
use lark_proto::{Endpoint, EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};

/// The result of `work`, and its allocations.
fn counted<T>(work: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut given = None;
    let asked = measure(|| given = Some(work()));
    (given.unwrap(), asked)
}

/// An image whose bytes have the longest text as numbers.
fn image(len: usize) -> Image {
    Image::any_format(vec![255; len], "bin").unwrap()
}

fn put(image: Image) -> Request<Body> {
    let token = TenantToken::new("t-1").unwrap();
    PutImage::message(image).unwrap().request_streamed(&Site::LARK, &token)
}

fn write(image: Image, encoding: ImageEncoding) -> Request<Body> {
    let token = TenantToken::new("t-1").unwrap();
    let write = WriteSheetImage::new("s".parse().unwrap(), "a!A1".parse().unwrap(), image).unwrap();
    write.with_encoding(encoding).request_streamed(&Site::LARK, &token)
}

#[test]
fn building_a_request_allocates_the_same_for_any_image() {
    let builds: [fn(Image) -> Request<Body>; 3] = [
        put,
        |image| write(image, ImageEncoding::Numbers),
        |image| write(image, ImageEncoding::Base64),
    ];
    for build in builds {
        let [small, large] = [1 << 10, 10_000_000].map(|len| {
            let image = image(len);
            counted(|| build(image)).1
        });
        assert_eq!(small, large);
        assert!(small.bytes_total < 4096, "{small:?}");
    }
}

#[test]
fn the_body_of_a_form_holds_the_callers_image_without_a_copy() {
    let image = image(10_000_000);
    let mut body = put(image.clone()).into_body();
    let mut chunks = iter::from_fn(|| body.next_chunk());
    assert!(chunks.any(|chunk| chunk.as_ptr_range() == image.bytes().as_ptr_range()));
}

#[test]
fn encoding_an_image_allocates_two_pieces() {
    let drains: [fn(Body); 3] = [
        |mut body| while body.next_chunk().is_some() {},
        |mut body| while !body.copy_to_bytes(body.chunk().len()).is_empty() {},
        |body| assert!(io::copy(&mut body.reader(), &mut io::sink()).unwrap() > 0),
    ];
    let image = image(10_000_000);
    for (encoding, piece) in [(ImageEncoding::Numbers, 48 << 10), (ImageEncoding::Base64, 16 << 10)]
    {
        for drain in drains {
            let body = write(image.clone(), encoding).into_body();
            let ((), asked) = counted(|| drain(body));
            // Two pieces, and a reference count for each.
            assert_eq!(asked.count_total, 4, "{encoding:?}");
            assert!(asked.bytes_total < 2 * piece + 512, "{encoding:?}: {asked:?}");
        }
    }
}

/// A reply of at most `len` bytes: `start`, then `item` as often as fits, and `end`. An `@` in the item is its number.
fn hostile(len: usize, [start, item, end]: [&str; 3]) -> Response<Bytes> {
    let len = len - start.len() - end.len();
    let items = if item.contains('@') {
        let numbered = (0..len / 8).map(|number| item.replace('@', &format!("{number:x}")));
        let mut left = len;
        let fits = |item: &String| {
            left = left.saturating_sub(item.len() + 1);
            left > 0
        };
        numbered.take_while(fits).collect::<Vec<_>>().join(",")
    } else {
        vec![item; len / (item.len() + 1)].join(",")
    };
    Response::new([start, &items, end].concat().into())
}

/// Checks that no reply of `len` bytes takes more than four times its length, its result included.
fn check_memory<E: Endpoint>(len: usize, replies: &[[&str; 3]]) {
    for parts in replies {
        let reply = hostile(len, *parts);
        let (_, asked) = counted(|| E::decode(reply));
        println!("{} {parts:?}: {} of {len}", type_name::<E>(), asked.bytes_max);
        assert!(asked.bytes_max <= 4 * len as u64, "{parts:?}: {asked:?}");
    }
}

#[test]
fn reading_a_hostile_reply_takes_at_most_four_times_its_longest_length() {
    let errors = [
        [r#"{"code":1,"error":{"#, r#""@":1"#, "}}"],
        [r#"{"code":1,"error":{"permission_violations":["#, "1", "]}}"],
        [r#"{"code":1,"error":{"field_violations":["#, r#"{"field":"@"}"#, "]}}"],
        [r#"{"code":99991672,"msg":"["#, "s@", r#"]"}"#],
        ["{", r#""@":1"#, "}"],
    ];
    check_memory::<PutImage>(1 << 20, &errors);
    let sheets = [
        [r#"{"code":0,"data":{"sheets":["#, r#"{"sheet_id":"a"}"#, "]}}"],
        [r#"{"code":0,"data":{"sheets":[{"sheet_id":"a","merges":["#, "1", "]}]}}"],
        [r#"{"code":0,"data":{"sheets":[{"sheet_id":"a","title":["#, "1", "]}]}}"],
    ];
    check_memory::<QuerySheets>(1 << 20, &sheets);
    check_memory::<DownloadMedia>(1 << 20, &[["{", r#""@":1"#, r#","code":1}"#]]);
    // Up to 250,000 cells are read, so that a shorter reply may take more than four times its length.
    let cells = [
        [r#"{"code":0,"data":{"valueRange":{"values":[["#, "null", "]]}}}"],
        [r#"{"code":0,"data":{"valueRange":{"values":["#, "[]", "]}}}"],
        [r#"{"code":0,"data":{"valueRange":{"values":["#, "[1]", "]}}}"],
        [
            r#"{"code":0,"data":{"valueRange":{"values":["#,
            r#"["01234567890123456789012345678901"]"#,
            "]}}}",
        ],
        [r#"{"code":0,"data":{"valueRange":{"values":[[["#, "1", "]]]}}}"],
    ];
    check_memory::<ReadCells>(12 << 20, &cells);
}

#[test]
fn reading_a_success_allocates_only_its_texts() {
    const LOG_ID: &str = "20260203112233010198076042A1B2C3D4";
    fn check<E: Endpoint>(reply: &'static str, given: &[&str]) {
        let mut reply = Response::new(reply.into());
        reply.headers_mut().insert("x-tt-logid", HeaderValue::from_static(LOG_ID));
        let (output, asked) = counted(|| E::decode(reply));
        assert!(output.is_ok());
        let bytes: usize = given.iter().map(|text| text.len()).sum();
        let expected = (given.len() as u64, bytes as u64);
        assert_eq!((asked.count_total, asked.bytes_total), expected, "{}", type_name::<E>());
    }
    let put = r#"{"code":0,"data":{"image_key":"img_v3"},"msg":"ok"}"#;
    let written =
        r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"sht","updateRange":"Q!A1:A1"}}"#;
    let tenant = r#"{"code":0,"msg":"ok","tenant_access_token":"t-7f1b","expire":7200}"#;
    let app = r#"{"code":0,"msg":"ok","app_access_token":"a-32bd","expire":7200}"#;
    check::<PutImage>(put, &["img_v3"]);
    check::<WriteSheetImage>(written, &["sht", "Q!A1:A1"]);
    // A token is kept as the value of its header.
    check::<GetTenantToken>(tenant, &["Bearer t-7f1b"]);
    check::<GetStoreTenantToken>(tenant, &["Bearer t-7f1b"]);
    check::<GetAppToken>(app, &["Bearer a-32bd"]);
    check::<ResendAppTicket>(r#"{"code":0,"msg":"success"}"#, &[]);
    check::<WithLogId<'_, PutImage>>(put, &["img_v3", LOG_ID]);
}
