//! Requests are read back unchanged: by the fake, by parsers of other crates, and through every view of a body.

use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::HeaderValue;
use lark_proto::body::{Body, Boundary, ImageEncoding, Multipart};
use lark_proto::endpoints::{DownloadMedia, GetImage, Payload, Raw};
use lark_proto::fake::{FakeLark, FakeSheet, ImageKind, TokenKind};
use lark_proto::values::{FileName, MessageUuid, Receiver};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{
    CreateImage, EndpointExt, Image, ImageKey, PutImage, ReplyImage, SendImage, Site, TenantToken,
    UserToken, WriteSheetImage,
};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: SystemTime = UNIX_EPOCH;

fn fake() -> FakeLark {
    let mut fake = FakeLark::new();
    fake.add_token(TokenKind::Tenant, "t-1", NOW + Duration::from_secs(1));
    fake
}

fn token() -> TenantToken {
    TenantToken::new("t-1").unwrap()
}

/// Image bytes: random bytes, runs of one byte, lengths around that of an encoded piece, and parts of boundaries.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let boundary = (0_u64..20, 0_usize..3, 0_usize..20).prop_map(|(number, front, back)| {
        let text = format!("--lark_{number:064x}");
        text.as_bytes()[front..text.len() - back].to_vec()
    });
    prop_oneof![
        3 => vec(any::<u8>(), 1..600),
        1 => (any::<u8>(), 1_usize..600).prop_map(|(byte, len)| vec![byte; len]),
        1 => (prop_oneof![12_280_usize..12_300, 25_000_usize..40_000], any::<u8>())
            .prop_map(|(len, seed)| (0..=255_u8).cycle().map(|n| n ^ seed).take(len).collect()),
        2 => vec(prop_oneof![boundary, vec(any::<u8>(), 0..3)], 1..40)
            .prop_map(|pieces| [pieces.concat(), b"x".to_vec()].concat()),
    ]
}

/// The number of bytes of each read, smaller or larger than an encoded piece.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1_usize..5000, 40_000_usize..70_000], 1..6)
}

/// All bytes of `body`, read in steps of these sizes through each view in turn.
fn read_in_steps(mut body: Body, sizes: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for (turn, size) in sizes.iter().cycle().enumerate() {
        let left = body.len();
        match turn % 3 {
            0 => match body.next_chunk() {
                Some(chunk) => out.extend_from_slice(&chunk),
                None => return out,
            },
            1 => {
                let shown = body.chunk()[..body.chunk().len().min(*size)].to_vec();
                body.advance(shown.len());
                out.extend_from_slice(&shown);
            }
            _ => {
                let mut buffer = vec![0; *size];
                let mut reader = body.reader();
                let n = reader.read(&mut buffer).unwrap();
                out.extend_from_slice(&buffer[..n]);
                body = reader.into_inner();
            }
        }
        assert!(body.len() <= left);
    }
    out
}

fn assert_views_agree(body: &Body, sizes: &[usize]) -> Result<Bytes, TestCaseError> {
    let flat = body.clone().into_bytes();
    prop_assert_eq!(flat.len() as u64, body.len());
    prop_assert_eq!(&read_in_steps(body.clone(), sizes), &flat);
    let mut read = Vec::new();
    body.clone().reader().read_to_end(&mut read).unwrap();
    prop_assert_eq!(&read, &flat);
    let mut split = body.clone();
    let half = sizes[0].min(flat.len());
    prop_assert_eq!(split.copy_to_bytes(half), &flat[..half]);
    prop_assert_eq!(split.copy_to_bytes(usize::MAX), &flat[half..]);
    let mut past_the_end = body.clone();
    past_the_end.advance(usize::MAX);
    prop_assert!(past_the_end.is_empty() && past_the_end.next_chunk().is_none());
    Ok(flat)
}

/// The parts that the crate multer reads from a form.
fn parts_by_multer(content_type: &str, body: Bytes) -> Vec<(String, Option<String>, Bytes)> {
    let boundary = multer::parse_boundary(content_type).unwrap();
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut form = multer::Multipart::new(stream, boundary);
    futures_executor::block_on(async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.unwrap() {
            let name = field.name().unwrap().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            parts.push((name, file_name, field.bytes().await.unwrap()));
        }
        parts
    })
}

proptest! {
    #[test]
    fn an_upload_is_read_back_by_multer_and_the_fake(bytes in content(), avatar: bool, sizes in sizes()) {
        let image = Image::any_format(bytes.clone(), "bin").unwrap();
        let (put, kind, word) = if avatar {
            (PutImage::avatar(image).unwrap(), ImageKind::Avatar, "avatar")
        } else {
            (PutImage::message(image).unwrap(), ImageKind::Message, "message")
        };
        let streamed = put.request_streamed(&Site::LARK, &token());
        let request = put.request(&Site::LARK, &token());
        prop_assert_eq!(request.headers(), streamed.headers());
        prop_assert_eq!(&assert_views_agree(streamed.body(), &sizes)?, request.body());
        prop_assert_eq!(&request.headers()["content-length"], &request.body().len().to_string());

        let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
        let delimiter = format!("--{}", content_type.split_once("boundary=").unwrap().1);
        let occurs = memchr::memmem::find_iter(request.body(), &delimiter).count();
        prop_assert_eq!(occurs, 3, "two parts and the end");

        let parts = parts_by_multer(&content_type, request.body().clone());
        prop_assert_eq!(parts.len(), 2);
        prop_assert_eq!((parts[0].0.as_str(), &parts[0].2[..]), ("image_type", word.as_bytes()));
        prop_assert_eq!((parts[1].0.as_str(), &parts[1].2[..]), ("image", &bytes[..]));

        let mut fake = fake();
        let key = PutImage::decode(fake.handle(NOW, request)).unwrap();
        let stored = fake.image(key.as_str()).unwrap();
        prop_assert_eq!((stored.kind, &stored.bytes[..]), (kind, &bytes[..]));
        prop_assert_eq!(Some(&stored.file_name), parts[1].1.as_ref());
        prop_assert!(stored.content_type.is_some());
    }

    #[test]
    fn an_uploaded_image_is_downloaded_unchanged(bytes in content()) {
        // The fake accepts only images, so the bytes begin with the signature of a GIF.
        let bytes = [&b"GIF89a\0\0\0\0"[..], &bytes].concat();
        let image = Image::any_format(bytes.clone(), "bin").unwrap();
        let create = CreateImage::message(image).unwrap().request(&Site::LARK, &token());
        let content_type = create.headers()["content-type"].to_str().unwrap().to_owned();
        let parts = parts_by_multer(&content_type, create.body().clone());
        let names: Vec<_> = parts.iter().map(|(name, ..)| name.as_str()).collect();
        prop_assert_eq!(names, ["image_type", "image"]);
        prop_assert_eq!((&parts[0].2[..], &parts[1].2[..]), (&b"message"[..], &bytes[..]));

        let mut fake = fake();
        let key = CreateImage::decode(fake.handle(NOW, create)).unwrap();
        let get = GetImage::new(key).request(&Site::LARK, &token());
        let download = GetImage::decode(fake.handle(NOW, get)).unwrap();
        prop_assert_eq!(&download.bytes[..], &bytes[..]);
        prop_assert_eq!(download.file_name.as_ref(), parts[1].1.as_ref());
    }

    #[test]
    fn a_cell_is_read_back_as_json_and_by_the_fake(
        bytes in content(),
        name in "[^/\\\\]{1,30}",
        column in "[A-Za-z]|[A-Ra-r][A-Za-z]{2}",
        row in 1_u32..=5_000_000,
        base64: bool,
        sizes in sizes(),
    ) {
        let image = Image::any_format(bytes.clone(), "png").unwrap();
        let name = FileName::lossy(&format!("x{name}.png"), &image).to_string();
        let column = column.to_ascii_uppercase();
        let range = format!("{}!{column}{row}:{column}{row}", FakeLark::SHEET);
        let encoding = if base64 { ImageEncoding::Base64 } else { ImageEncoding::Numbers };
        let write = WriteSheetImage::new(
            FakeLark::SPREADSHEET.parse().unwrap(),
            range.parse().unwrap(),
            image,
        );
        let write = write.and_then(|write| write.with_name(&name)).unwrap().with_encoding(encoding);
        let streamed = write.request_streamed(&Site::FEISHU, &token());
        let request = write.request(&Site::FEISHU, &UserToken::new("t-1").unwrap());
        prop_assert_eq!(&assert_views_agree(streamed.body(), &sizes)?, request.body());
        prop_assert_eq!(&request.headers()["content-length"], &request.body().len().to_string());

        let json: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        prop_assert_eq!(&json["range"], &range);
        let json_name = json["name"].as_str().unwrap().to_owned();
        let read = match &json["image"] {
            serde_json::Value::String(text) => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(text).unwrap()
            }
            array => serde_json::from_value::<Vec<u8>>(array.clone()).unwrap(),
        };
        prop_assert_eq!(&read, &bytes);

        let mut fake = fake();
        let largest = FakeSheet::new(FakeLark::SHEET).rows(5_000_000).columns(13_000);
        fake.add_sheet(FakeLark::SPREADSHEET, largest);
        let written = WriteSheetImage::decode(fake.handle(NOW, request)).unwrap();
        prop_assert_eq!(written.range.as_deref(), Some(range.as_str()));
        let cell = fake.cell(&written.spreadsheet_token, &range).unwrap();
        prop_assert_eq!((&cell.bytes[..], &cell.name), (&bytes[..], &json_name));

        let file = DownloadMedia::new(cell.file_token.parse().unwrap());
        let get = file.request(&Site::FEISHU, &UserToken::new("t-1").unwrap());
        let download = DownloadMedia::decode(fake.handle(NOW, get)).unwrap();
        prop_assert_eq!(&download.bytes[..], &bytes[..]);
        prop_assert!(download.file_name.is_none_or(|name| !name.contains(['/', '\\', ':', '"'])));
    }

    #[test]
    fn a_message_is_read_back_as_json_and_by_the_fake(
        key in "[0-9a-z\"\\\\_-]{1,60}",
        uuid in "[^\\s\\p{Cc}]{1,50}",
        receiver in "oc_[0-9a-z_-]{1,40}|user_id:[!-~]{1,64}",
        thread: bool,
    ) {
        let content = |body: &Bytes| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert_eq!((&body["msg_type"], &body["uuid"]), (&"image".into(), &uuid.clone().into()));
            let content = body["content"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(content).unwrap()["image_key"], key);
            body
        };
        let image = || ImageKey::new(&key).unwrap();
        let message_uuid = || MessageUuid::new(&uuid).unwrap();
        let to = Receiver::new(&receiver).unwrap();
        let send = SendImage::new(to.clone(), image(), message_uuid());
        let body = content(send.request(&Site::LARK, &token()).body());
        prop_assert_eq!(body["receive_id"].as_str(), Some(to.id()));
        prop_assert_eq!(body.as_object().unwrap().len(), 4);

        // The fake takes only keys and chats that it has created.
        let mut fake = fake();
        let key = fake.add_image(ImageKind::Message, "12");
        let chat = Receiver::chat(FakeLark::CHAT).unwrap();
        let send = SendImage::new(chat, ImageKey::new(&key).unwrap(), message_uuid());
        let sent = SendImage::decode(fake.handle(NOW, send.request(&Site::LARK, &token()))).unwrap();
        let stored = fake.messages().next().unwrap();
        prop_assert_eq!(&stored.message_id, sent.message_id.as_str());
        prop_assert_eq!((stored.uuid.as_ref(), &stored.image_key), (Some(&uuid), &key));

        let reply = ReplyImage::new(sent.message_id, image(), message_uuid()).in_thread(thread);
        let request = reply.request(&Site::LARK, &token());
        let body = content(request.body());
        prop_assert_eq!(body.get("reply_in_thread").map(|thread| thread == true), thread.then_some(true));
        let path = format!("/open-apis/im/v1/messages/{}/reply", stored.message_id);
        prop_assert_eq!(request.uri().path(), path);
    }

    #[test]
    fn a_stored_request_is_read_back(
        method in "[A-Z!#$%&'*+.^_`|~-]{1,8}",
        value in any::<String>(),
        headers in vec(("[!#$%&'*+.^_`|~0-9a-z-]{1,9}", vec(any::<u8>(), 0..9)), 0..9),
        body in proptest::option::of(content()),
        site in "https://([a-z][a-z0-9-]{0,9}[a-z]\\.){0,3}[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[a-z]{1,3}){0,2}|http://(127\\.0\\.0\\.1|\\[::1\\]):81",
        secrets in prop_oneof![Just(HeaderSecrets::Hidden), Just(HeaderSecrets::Shown)],
    ) {
        let mut raw = Raw::<()>::new(method.parse().unwrap(), "/open-apis/:a").segment(&value).query(&value, &value);
        for (name, value) in headers {
            // Spaces around a value are not part of it.
            if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
                raw = raw.with_header(name.parse().unwrap(), value);
            }
        }
        if let Some(body) = body {
            let content_type = HeaderValue::from_static("a/b");
            raw = raw.with_payload(Payload::new(content_type, body));
        }
        let site = Site::custom(&site).unwrap();
        let mut request = raw.request(&site, &token());
        let stored = wire::http1(request.clone(), secrets);
        if secrets == HeaderSecrets::Hidden {
            for name in ["authorization", "proxy-authorization", "cookie"] {
                request.headers_mut().remove(name);
            }
        }
        let read = wire::parse(&stored, &site).unwrap();
        prop_assert_eq!((read.method(), read.uri()), (request.method(), request.uri()));
        prop_assert_eq!(read.headers(), request.headers());
        prop_assert!(read.headers().get("authorization").is_none_or(HeaderValue::is_sensitive));
        prop_assert_eq!(read.body(), request.body());
        prop_assert_eq!(wire::http1(read, secrets), stored);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_they_are(
        edits in vec((any::<prop::sample::Index>(), 0_usize..9, vec(any::<u8>(), 0..4)), 1..4),
    ) {
        let mut bytes = include_bytes!("../golden/write-sheet-image-base64.http").to_vec();
        for (at, removed, inserted) in edits {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + removed);
            bytes.splice(at..end, inserted);
        }
        match wire::parse(&bytes, &Site::LARK) {
            Ok(request) => {
                // The lines, which may end in LF alone, are that of the request, one for the host, and one for each
                // header.
                let mut body = &bytes[..];
                let mut lines = 0;
                while let Some(end) = body.iter().position(|byte| *byte == b'\n') {
                    let line = body[..end].trim_ascii();
                    body = &body[end + 1..];
                    if line.is_empty() {
                        break;
                    }
                    lines += 1;
                }
                prop_assert_eq!(&request.body()[..], body);
                prop_assert_eq!(request.headers().len() + 2, lines);
                let again = wire::parse(&wire::http1(request.clone(), HeaderSecrets::Shown), &Site::LARK).unwrap();
                prop_assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
                prop_assert_eq!((again.headers(), again.body()), (request.headers(), request.body()));
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(!text.contains(char::is_control) && !text.contains("t-e346"), "{}", text);
            }
        }
    }

    #[test]
    fn a_form_with_any_parts_is_read_back_by_multer(parts in vec((content(), any::<String>()), 0..6), given in "[a-z]{1,4}") {
        let form = parts.iter().fold(Multipart::new(), |form, (bytes, name)| {
            form.file("f", name, "image/png", bytes.clone().into())
        });
        let mut payloads = vec![form.payload()];
        payloads.extend(form.payload_with(&Boundary::new(&given).unwrap()));
        for payload in payloads {
            let content_type = payload.content_type.to_str().unwrap().to_owned();
            let body = assert_views_agree(&payload.body, &[7])?;
            let read = parts_by_multer(&content_type, body);
            let read: Vec<&[u8]> = read.iter().map(|(_, _, bytes)| &bytes[..]).collect();
            let sent: Vec<&[u8]> = parts.iter().map(|(bytes, _)| &bytes[..]).collect();
            prop_assert_eq!(read, sent);
        }
    }
}

/// A search that tries one number after the other would read the ten megabytes 140,000 times, and would not end within
/// an hour. The test asserts no duration; it passes if it ends.
#[test]
fn ten_megabytes_of_boundaries_are_searched_in_linear_time() {
    let count = 10_000_000 / 71;
    let bytes: Vec<u8> = (0..count).flat_map(|n| format!("--lark_{n:064x}").into_bytes()).collect();
    let put = PutImage::message(Image::any_format(bytes.clone(), "bin").unwrap()).unwrap();
    let request = put.request(&Site::LARK, &token());
    let expected = format!("multipart/form-data; boundary=lark_{count:064x}");
    assert_eq!(request.headers()["content-type"], expected);
    let mut fake = fake();
    let key = PutImage::decode(fake.handle(NOW, request)).unwrap();
    assert_eq!(fake.image(key.as_str()).unwrap().bytes, bytes);
}
