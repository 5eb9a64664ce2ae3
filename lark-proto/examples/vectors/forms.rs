//! The encodings of an image in JSON, and the boundaries and bytes of multipart forms.

use lark_proto::body::ImageEncoding;
use lark_proto::body::Multipart;
use lark_proto::{EndpointExt, Image, Site, TenantToken, WriteSheetImage};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::json::{base64, bytes};

pub(crate) fn encodings() -> Vec<Value> {
    let every: Vec<u8> = (0..=255).collect();
    let images: [&[u8]; 8] =
        [b"\0", b"\xff", b"ab", b"abc", b"\x09\x0a\x63\x64", b">>>???", b"\xfb\xff\xfe", &every];
    let case = |image: &&[u8]| {
        let numbers = encoded(image, ImageEncoding::Numbers);
        let in_base64 = encoded(image, ImageEncoding::Base64);
        json!({
            "inputs": { "base64": base64(image) },
            "expected": { "numbers": numbers, "base64": in_base64 },
        })
    };
    images.iter().map(case).collect()
}

/// The JSON of an image in the body of a write.
fn encoded(image: &[u8], encoding: ImageEncoding) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        image: Box<RawValue>,
    }
    let image = Image::any_format(image.to_vec(), "bin").unwrap();
    let write = WriteSheetImage::new("shtcnabc".parse().unwrap(), "a!A1".parse().unwrap(), image);
    let write = write.unwrap().with_encoding(encoding);
    let body = write.request(&Site::LARK, &TenantToken::new("t-1").unwrap()).into_body();
    serde_json::from_slice::<Body>(&body).unwrap().image.get().to_owned()
}

pub(crate) fn boundaries() -> Vec<Value> {
    let boundary = |number: usize| format!("--lark_{number:064x}");
    let file = |content: &str| {
        let image_type = json!({ "name": "image_type", "text": "message" });
        let file = json!({
            "name": "image", "file_name": "a.png", "content_type": "image/png",
            "content": { "text": content },
        });
        json!([image_type, file])
    };
    let named = |file_name: &str, content_type: &str| {
        json!([{
            "name": "file", "file_name": file_name, "content_type": content_type,
            "content": { "text": "x" },
        }])
    };
    let first_17: String = (0..17).map(boundary).collect();
    let cases = [
        ("nothing that looks like a boundary", file("x")),
        ("an empty file", file("")),
        ("the boundary 0 at the start", file(&format!("{}x", boundary(0)))),
        ("the boundary 0 at the end, then a line break", file(&format!("x{}\r\n", boundary(0)))),
        ("the boundaries 0 and 2: the smallest free number is 1", {
            file(&format!("{}-{}", boundary(0), boundary(2)))
        }),
        ("only the boundary 1: 0 is free", file(&boundary(1))),
        ("a boundary without its hyphens", file(&boundary(0)[2..])),
        ("a boundary that is cut", file(&boundary(0)[..70])),
        ("64 zeros alone", file(&"0".repeat(200))),
        ("a beginning of the prefix before the boundary", file(&format!("--lark_{}", boundary(0)))),
        ("numbers count in hexadecimal, in lower case", file(&first_17)),
        ("upper case is another text", file(&boundary(10).to_uppercase())),
        ("the boundary in a text field", {
            json!([{ "name": "a", "text": boundary(0) }, { "name": "b", "text": "" }])
        }),
        ("the boundary in a file name", named(&boundary(0), "image/png")),
        ("a form without parts", json!([])),
        (
            "quotes, backslashes and line breaks in a file name",
            named("a\"b\\c\r\nd.png", "image/png"),
        ),
        ("a file name that is not ASCII", named("测试 é.png", "image/png; charset=utf-8")),
        ("no file name, and no media type", named("", "image")),
        ("a media type with a line break", named("a", "image/png\r\nX: y")),
        ("bytes that are not UTF-8", {
            json!([{
                "name": "图\"", "file_name": "a.bin", "content_type": "application/x-a+b",
                "content": { "base64": base64(b"\x89PNG\0\xff") },
            }])
        }),
    ];
    let case = |(name, parts): &(&str, Value)| {
        let payload = form(parts).payload();
        let content_type = payload.content_type.to_str().unwrap();
        json!({
            "name": name,
            "inputs": { "parts": parts },
            "expected": {
                "boundary": content_type.split_once("boundary=").unwrap().1,
                "content_type": content_type,
                "body": bytes(&payload.body.into_bytes()),
            },
        })
    };
    cases.iter().map(case).collect()
}

fn form(parts: &Value) -> Multipart {
    let mut form = Multipart::new();
    for part in parts.as_array().unwrap() {
        let part = Inputs(part);
        let name = part.text("name");
        form = match part.optional_text("text") {
            Some(text) => form.text(name, text),
            None => {
                let content = part.bytes("content").into();
                form.file(name, part.text("file_name"), part.text("content_type"), content)
            }
        };
    }
    form
}
