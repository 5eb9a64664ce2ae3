//! Images, by their first bytes, and the names of their files.

use serde_json::{Value, json};

use super::Row;
use crate::inputs::long;
use crate::json::base64;

pub(super) fn images() -> Vec<Row> {
    let mut rows = Vec::new();
    let starts: [&[u8]; 26] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF87a",
        b"GIF89a",
        b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0",
        b"II\x2a\0",
        b"MM\0\x2a",
        b"BPG\xfb",
        b"RIFF\0\0\0\0WEBP",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
        b"\0\0\x01\0\x01\0",
        b"",
        b"<html>",
        b"%PDF-1.7\r\n'\"\\\xff and more",
        b"GIF88a",
        b"BM a text that begins with BM",
        b"\0\0\x01\0\0\0",
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf",
        b"\0\0\0\x14ftypavif\0\0\0\0avif",
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif",
        b"\0\0\0\x14ftypmif1\0\0\0\0miafheic",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf <?xml version='1.0'?>\n<svg/>",
        b"<?xml version='1.0'?><html/>",
        b"RIFF\0\0\0\0WAVE",
    ];
    for start in starts {
        rows.push(("image", json!({ "image": { "base64": base64(start) } })));
    }
    for (start, extension) in [
        ("....ftypavif", "AVIF"),
        ("GIF89a", "avif"),
        ("x", "0123456789abcdef"),
        ("x", "0123456789abcdefg"),
        ("x", ""),
        ("x", ".svg"),
        ("x", "图"),
        ("", "svg"),
    ] {
        rows.push(("image", json!({ "image": { "text": start, "extension": extension } })));
    }
    let gif = |width: u8, height: u8| {
        let header = [b"GIF89a", &[width, 7, height, 7, 0, 0, 0][..], b";"].concat();
        json!({ "base64": base64(&header) })
    };
    let png = |width: u32, height: u32| {
        let [width, height] = [width, height].map(u32::to_be_bytes);
        let start = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
        json!({ "base64": base64(&[start, &width[..], &height, b"\x08\x06\0\0\0"].concat()) })
    };
    for (rules, image) in [
        ("message", gif(0xd0, 0xd0)),
        ("message", gif(0xd1, 0xd0)),
        ("avatar", gif(0xd0, 0xd1)),
        ("cell", gif(0xff, 0xff)),
        ("message", png(12_000, 12_000)),
        ("message", png(12_001, 1)),
        ("message", png(1, 12_001)),
        ("avatar", png(4096, 4096)),
        ("avatar", png(4097, 1)),
        ("cell", png(99_999, 99_999)),
        ("message", json!({ "text": "GIF89a" })),
        ("message", png(0, 1)),
        ("message", json!({ "base64": base64(b"BPG\xfb") })),
        ("cell", json!({ "base64": base64(b"BPG\xfb") })),
        ("cell", json!({ "base64": base64(b"\0\0\x01\0\x01\0") })),
        ("cell", json!({ "text": "a", "extension": "avif" })),
        ("message", json!({ "text": "GIF89a", "padded_to_bytes": 10_485_761 })),
        ("cell", json!({ "text": "GIF89a", "padded_to_bytes": 20_971_520 })),
        ("cell", json!({ "text": "GIF89a", "padded_to_bytes": 20_971_521 })),
        ("cell", json!({ "text": "GIF89a", "padded_to_bytes": 2048, "max_bytes": 2047 })),
        ("cell", json!({ "text": "GIF89a", "padded_to_bytes": 2048, "max_bytes": 2048 })),
    ] {
        rows.push(("image_for_rules", json!({ "rules": rules, "image": image })));
    }
    rows
}

pub(super) fn file_names() -> Vec<Row> {
    let gif = json!({ "text": "GIF89a" });
    let avif = json!({ "text": "x", "extension": "avif" });
    let jpeg = json!({ "base64": base64(b"\xff\xd8\xff") });
    let names = [
        ("a.gif", &gif),
        ("a", &gif),
        ("a.GIF", &gif),
        ("a.jpg", &gif),
        ("a.", &gif),
        ("v1.2", &gif),
        ("a.svg", &gif),
        ("a.jpeg", &jpeg),
        ("a.JFIF", &jpeg),
        ("a.jpe", &jpeg),
        ("a.png", &avif),
        ("a.AVIF", &avif),
        (" 测试 .gif ", &gif),
        (".gif", &gif),
        ("", &gif),
        (" . .png", &gif),
        ("a/b.gif", &gif),
        ("a\\b.gif", &gif),
        ("a\nb.gif", &gif),
        ("a\u{202e}b.gif", &gif),
        ("a\u{200b}.gif", &gif),
        ("می\u{200c}خواهم", &gif),
        ("\u{200d}a.gif", &gif),
        ("a\u{200c}.gif", &gif),
        ("\u{fe0f}a", &gif),
        ("/home/x/a.jpg", &gif),
        ("C:\\fakepath\\a.gif", &gif),
        ("a\u{2028}b\tc", &gif),
        ("CON.gif", &gif),
        ("lpt9.tar.gif", &gif),
        ("dir/", &gif),
        ("...", &gif),
    ];
    let long =
        [long("", "a", 251), long("", "a", 252), long("", "图", 84), long("a", "❤\u{fe0f}", 42)];
    let all: Vec<(Value, &Value)> = names
        .map(|(name, image)| (name.into(), image))
        .into_iter()
        .chain(long.map(|name| (name, &gif)))
        .collect();
    let case = |constructor: &'static str| {
        let case = move |(name, image): &(Value, &Value)| {
            (constructor, json!({ "text": name, "image": image }))
        };
        all.iter().map(case).collect::<Vec<_>>()
    };
    [case("file_name"), case("lossy_file_name")].concat()
}
