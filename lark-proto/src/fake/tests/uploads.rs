//! Uploads: the form, and the media type, the format and the resolution of the image.

use super::*;

/// The reply to an upload of `content`. `head` is the rest of the head of the image's part.
fn upload(path: &str, kind: &str, head: &str, content: &[u8]) -> Response<Bytes> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=image_type\r\n\r\n{kind}\r\n\
         --b\r\nContent-Disposition: form-data; name=image; filename=a\r\n{head}\r\n"
    );
    let form = [head.as_bytes(), content, b"\r\n--b--\r\n"].concat();
    fake().handle(now(), post(path, FORM, form))
}

/// The codes of `image/v4/put` and of `im/v1/images` for an upload of `content`.
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

/// A new fake after an upload of this form, and its reply.
fn send(path: &str, content: String) -> (FakeLark, Response<Bytes>) {
    let mut fake = fake();
    let response = fake.handle(now(), post(path, FORM, content));
    (fake, response)
}

#[test]
fn an_upload_is_answered_with_its_key_as_documented() {
    let v4 = "fd3a475a-0c27-4071-a9a6-000000000001";
    let im = "img_v3_02k1_fd3a475a-0c27-4071-a9a6-000000000002g";
    let mut fake = fake();
    for (path, key, msg) in [(V4_PATH, v4, "ok"), (IM_PATH, im, "success")] {
        let mut request = post(path, FORM, good_form());
        set(&mut request, CONTENT_LENGTH, &good_form().len().to_string());
        let expected = json!({"code": 0, "data": {"image_key": key}, "msg": msg});
        assert_eq!(body(&fake.handle(now(), request)), expected);
    }
}

#[test]
fn an_image_is_stored_under_its_key() {
    let mut fake = FakeLark::new();
    let [token, _] = app_tokens(&mut fake);
    let keys = [V4_PATH, IM_PATH].map(|path| {
        let request = with_token(post(path, FORM, good_form()), Some(&token));
        let key = at(&fake.handle(now(), request), "/data/image_key");
        key.as_str().unwrap().to_owned()
    });
    let image = StoredImage {
        kind: ImageKind::Avatar,
        bytes: Bytes::from_static(b"GIF89a"),
        file_name: "a.png".to_owned(),
        content_type: Some("image/gif".to_owned()),
        app_id: Some(FakeLark::APP_ID),
    };
    assert_eq!(keys.each_ref().map(|key| fake.image(key)), [Some(&image), Some(&image)]);
    assert_eq!(fake.images().count(), 2);
}

#[test]
fn a_form_has_one_image_and_one_image_type() {
    let file = "name=image; filename=a\r\nContent-Type: image/gif";
    let message = ("name=image_type", "message");
    for (parts, v4, im) in [
        (vec![(file, "GIF89a"), message, ("name=other", "")], 0, 0),
        (vec![(file, ""), message], 11214, 234010),
        (vec![message], 11214, 234001),
        (vec![], 11214, 234001),
        (vec![("name=file; filename=a", "x"), message], 11214, 234001),
        (vec![("name=image", "x"), message], 11214, 234001),
        (vec![("name=image; filename=\"\"", "x"), message], 11214, 234001),
        (vec![(file, "x")], 18033, 234001),
        (vec![(file, "x"), ("name=image_type", "Message")], 18033, 234001),
        (vec![(file, "x"), ("name=image_type; filename=a", "message")], 18033, 234001),
        (vec![(file, "x"), message, message], 18033, 234001),
        (vec![(file, "x"), message, (file, "x")], 18033, 234001),
    ] {
        for (path, code) in [(V4_PATH, v4), (IM_PATH, im)] {
            let (fake, response) = send(path, form(&parts));
            let status = if code == 0 { 200 } else { 400 };
            assert_eq!(verdict(&response), (status, Some(code)), "{:?}", response.body());
            assert_eq!(fake.images().count(), usize::from(code == 0));
        }
    }
}

#[test]
fn an_image_has_ten_mebibytes_at_most() {
    let largest = format!("GIF89a{}", "\0".repeat(10 * 1024 * 1024 - 6));
    let larger = largest.clone() + "x";
    let file = "name=image; filename=a\r\nContent-Type: image/gif";
    let message = ("name=image_type", "message");
    for (image, v4, im) in [(&*largest, 0, 0), (&*larger, 18033, 234006)] {
        for (path, code) in [(V4_PATH, v4), (IM_PATH, im)] {
            let (fake, response) = send(path, form(&[(file, image), message]));
            let status = if code == 0 { 200 } else { 400 };
            assert_eq!(verdict(&response), (status, Some(code)), "{:?}", response.body());
            assert_eq!(fake.images().count(), usize::from(code == 0));
        }
    }
}

#[test]
fn a_malformed_form_is_refused_with_the_place_of_the_mistake() {
    let (_, response) = send(V4_PATH, good_form().replace("avatar\r\n", "avatar"));
    assert_eq!(verdict(&response), (400, Some(18033)));
    assert_eq!(at(&response, "/msg"), "missing CRLF before the boundary at byte 62");
}

#[test]
fn an_upload_is_a_multipart_form() {
    let response = fake().handle(now(), post(IM_PATH, JSON, good_form()));
    assert_eq!(verdict(&response), (400, Some(234001)));
}

#[test]
fn the_newer_endpoint_refuses_an_image_part_without_a_content_type() {
    for (head, expected) in [
        ("Content-Type: image/gif\r\n", (200, Some(0))),
        // The service does not compare the media type with the image.
        ("content-type: application/octet-stream\r\n", (200, Some(0))),
        ("", (400, Some(99992402))),
        ("X-Other: image/gif\r\n", (400, Some(99992402))),
    ] {
        let response = upload(IM_PATH, "message", head, &gif(1, 1));
        assert_eq!(verdict(&response), expected, "{head}");
    }
}

#[test]
fn the_older_endpoint_accepts_an_image_part_without_a_content_type() {
    for head in [
        "Content-Type: image/gif\r\n",
        "content-type: application/octet-stream\r\n",
        "",
        "X-Other: image/gif\r\n",
    ] {
        let response = upload(V4_PATH, "message", head, &gif(1, 1));
        assert_eq!(verdict(&response), (200, Some(0)), "{head}");
    }
}

#[test]
fn a_missing_content_type_is_named_as_the_gateway_names_a_field() {
    let refused = upload(IM_PATH, "message", "", &gif(1, 1));
    assert_eq!(at(&refused, "/msg"), "field validation failed");
    let violations = json!([{"field": "image", "description": "the part has no Content-Type"}]);
    assert_eq!(at(&refused, "/error/field_violations"), violations);
}

#[test]
fn both_endpoints_take_the_documented_formats() {
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
}

#[test]
fn only_the_newer_endpoint_refuses_any_other_format() {
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
fn only_the_newer_endpoint_refuses_a_resolution_above_the_documented_one() {
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
    ] {
        let shown = image.escape_ascii().to_string();
        assert_eq!(codes(kind, &image), [Some(0), Some(code)], "{kind} {shown}");
    }
}

#[test]
fn an_image_whose_resolution_cannot_be_read_is_accepted() {
    for image in [png(12_001, 1)[..19].to_vec(), b"GIF89a..".to_vec(), png(0, 12_001)] {
        let shown = image.escape_ascii().to_string();
        assert_eq!(codes("message", &image), [Some(0), Some(0)], "{shown}");
    }
}

#[test]
fn a_refused_resolution_is_named_with_its_limit() {
    let refused = upload(IM_PATH, "avatar", "Content-Type: image/png\r\n", &png(5000, 7));
    let msg = "Image resolution exceeds limit: 5000 x 7 pixels, 4096 x 4096 at most";
    assert_eq!(at(&refused, "/msg"), msg);
}

#[test]
fn the_key_of_an_image_that_was_taken_is_not_given_to_another() {
    let mut fake = fake();
    let mut keys = vec![fake.add_image(ImageKind::Message, gif(1, 1))];
    for path in [V4_PATH, IM_PATH, V4_PATH] {
        let taken = fake.take_images();
        assert!(taken.keys().eq(keys.last()), "{taken:?}");
        assert_eq!(fake.images().count(), 0);
        let reply = fake.handle(now(), post(path, FORM, good_form()));
        keys.push(at(&reply, "/data/image_key").as_str().unwrap().to_owned());
    }
    keys.push(fake.add_image(ImageKind::Message, gif(1, 1)));
    // The keys of the two endpoints differ in their form, and hold the number of the image.
    let mut numbers: Vec<_> =
        keys.iter().map(|key| key.trim_end_matches('g').rsplit('-').next()).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 5, "{keys:?}");
}
