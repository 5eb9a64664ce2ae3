//! Uploads: the Content-Type, the format and the resolution of an image.

use super::*;

/// The reply to an upload of `content`.
fn upload(path: &str, kind: &str, head: &str, content: &[u8]) -> Response<Bytes> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=image_type\r\n\r\n{kind}\r\n\
         --b\r\nContent-Disposition: form-data; name=image; filename=a\r\n{head}\r\n"
    );
    let form = [head.as_bytes(), content, b"\r\n--b--\r\n"].concat();
    fake().handle(now(), post(path, FORM, form))
}

/// The codes of both endpoints for an upload of `content`: the older one's, the newer one's.
fn codes(kind: &str, content: &[u8]) -> [Option<i64>; 2] {
    [V4_PATH, IM_PATH].map(|path| {
        let response = upload(path, kind, "Content-Type: image/png\r\n", content);
        let code = at(&response, "/code").as_i64();
        assert_eq!(response.status().as_u16(), if code == Some(0) { 200 } else { 400 });
        code
    })
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [b"GIF89a", &sides[..], b"\0\0\0;"].concat()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &sides[..], b"\x08\x06\0\0\0"].concat()
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", &sides[..], b"\x01\0\x18\0"].concat()
}

#[test]
fn the_newer_endpoint_refuses_an_image_without_a_content_type_of_its_own() {
    for (head, expected) in [
        ("Content-Type: image/gif\r\n", (200, Some(0))),
        // The service does not compare it with the image.
        ("content-type: application/octet-stream\r\n", (200, Some(0))),
        ("", (400, Some(99992402))),
        ("X-Other: image/gif\r\n", (400, Some(99992402))),
    ] {
        let response = upload(IM_PATH, "message", head, &gif(1, 1));
        assert_eq!(verdict(&response), expected, "{head}");
        let older = upload(V4_PATH, "message", head, &gif(1, 1));
        assert_eq!(verdict(&older), (200, Some(0)), "{head}");
    }
    let refused = upload(IM_PATH, "message", "", &gif(1, 1));
    assert_eq!(at(&refused, "/msg"), "field validation failed");
    let violations = json!([{"field": "image", "description": "the part has no Content-Type"}]);
    assert_eq!(at(&refused, "/error/field_violations"), violations);
}

#[test]
fn the_newer_endpoint_takes_the_documented_formats_only() {
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    for image in [
        &png(1, 1)[..],
        b"\xff\xd8\xff\xe0",
        &gif(1, 1),
        b"GIF87a..",
        b"RIFF\x24\0\0\0WEBPVP8 ",
        &bmp(1, 1),
        b"\0\0\x01\0\x01\0\x01\x01",
        b"II*\0",
        b"MM\0*",
        heic,
    ] {
        assert_eq!(codes("message", image), [Some(0), Some(0)], "{}", image.escape_ascii());
    }
    for file in [
        &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..],
        b"<!doctype html><html></html>",
        b"\xc5\xec\xc4\x04\x4b\x0d\xb4\x95\xa6\x03\x0b\xd6",
        b"12",
        b"%PDF-1.7",
        b"\0GIF89a",
        b"GIF88a",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x1cftypavif\0\0\0\0mif1avif",
        b"BPG\xfb\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(codes("message", file), [Some(0), Some(234011)], "{}", file.escape_ascii());
    }
}

#[test]
fn the_newer_endpoint_refuses_a_resolution_above_the_documented_one() {
    for (kind, image, code) in [
        ("message", gif(2000, 2000), 0),
        ("message", gif(2001, 1), 234039),
        ("message", gif(1, 2001), 234039),
        ("message", png(12_000, 12_000), 0),
        ("message", png(12_001, 1), 234039),
        ("message", png(1, 12_001), 234039),
        ("message", bmp(12_000, -12_000), 0),
        ("message", bmp(1, -12_001), 234039),
        ("avatar", png(4096, 4096), 0),
        ("avatar", png(4097, 1), 234039),
        ("avatar", png(1, 4097), 234039),
        ("avatar", gif(2000, 2000), 0),
        ("avatar", gif(2001, 1), 234039),
        // The resolution cannot be read.
        ("message", png(12_001, 1)[..19].to_vec(), 0),
        ("message", b"GIF89a..".to_vec(), 0),
        ("message", png(0, 12_001), 0),
    ] {
        let shown = image.escape_ascii().to_string();
        assert_eq!(codes(kind, &image), [Some(0), Some(code)], "{kind} {shown}");
    }
    let refused = upload(IM_PATH, "avatar", "Content-Type: image/png\r\n", &png(5000, 7));
    let msg = "Image resolution exceeds limit: 5000 x 7 pixels, 4096 x 4096 at most";
    assert_eq!(at(&refused, "/msg"), msg);
}
