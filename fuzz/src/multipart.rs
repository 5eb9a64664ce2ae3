//! Forms.

use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use lark_proto::body::{Boundary, Multipart};
use lark_proto::endpoints::{Payload, Reply};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::token::{NoAuth, NoToken};
use lark_proto::{CreateImage, Endpoint, EndpointExt, Error, Image, PutImage, Site, TenantToken};

use crate::controls::assert_length;
use crate::input::input;
use crate::readers;
use crate::views::body;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// The boundary that the caller gives.
    boundary: &'a str,
    /// The length of the pieces in which the body is read.
    step: u16,
    parts: Vec<Part<'a>>,
    /// The content of the last part.
    content: &'a [u8],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Part<'a> {
    Text {
        name: &'a str,
        value: &'a [u8],
    },
    File {
        name: &'a str,
        file_name: &'a str,
        content_type: &'a str,
        content: &'a [u8],
    },
    /// A part that contains the form's own delimiters, from this number on.
    Delimiters(u8, u8),
}

/// A part as a reader of forms sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadPart {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Vec<u8>,
}

/// Makes a form of any parts, with the derived boundary and with a given one. The strict reader of the fake and the
/// crate multer read the same parts from it, and these are the parts that went in. A given boundary is refused exactly
/// if a part contains it.
pub fn multipart(data: &[u8]) {
    let Some(input) = input::<Input<'_>>(data) else { return };
    let last = Part::File {
        name: "image",
        file_name: "a.bin",
        content_type: "image/png",
        content: input.content,
    };
    // The strict reader takes 32 parts, and 4 KiB for the head of each.
    let parts: Vec<Part<'_>> = input.parts.into_iter().take(31).chain([last]).collect();
    let delimiters: Vec<Vec<u8>> = parts.iter().map(|part| delimiters(*part)).collect();
    let mut form = Multipart::new();
    let mut expected = Vec::new();
    for (part, delimiters) in parts.iter().zip(&delimiters) {
        let (added, read) = add(form, *part, delimiters);
        form = added;
        expected.push(read);
    }
    let step = usize::from(input.step);
    check(&form.payload(), &expected, step);

    if let Ok(boundary) = Boundary::new(input.boundary) {
        let delimiter = format!("--{boundary}");
        let is_in = |text: &[u8]| readers::contains(text, delimiter.as_bytes());
        let heads = expected.iter().any(|part| is_in(&head(part)));
        let contents = expected.iter().any(|part| is_in(&part.content));
        match form.payload_with(&boundary) {
            Ok(payload) => {
                assert!(!heads && !contents, "{boundary} is in a part");
                check(&payload, &expected, step);
            }
            Err(_) => assert!(heads || contents, "{boundary} is in no part"),
        }
    }
    image(input.content, input.boundary, step);
}

/// Text with the delimiters of this number of boundaries of the derived sequence.
fn delimiters(part: Part<'_>) -> Vec<u8> {
    let Part::Delimiters(first, count) = part else { return Vec::new() };
    let numbers = u32::from(first)..u32::from(first) + u32::from(count % 32);
    numbers.flat_map(|number| format!("\r\n--lark_{number:064x}").into_bytes()).collect()
}

/// Adds the part to the form. Returns the part as a reader has to see it.
fn add(form: Multipart, part: Part<'_>, delimiters: &[u8]) -> (Multipart, ReadPart) {
    match part {
        Part::Text { name, value } => {
            let name = cut(name);
            let read =
                ReadPart { name: plain(name), content: value.to_vec(), ..ReadPart::default() };
            (form.text(name, value), read)
        }
        Part::File { name, file_name, content_type, content } => {
            let (name, file_name, content_type) = (cut(name), cut(file_name), cut(content_type));
            let read = ReadPart {
                name: plain(name),
                file_name: Some(if file_name.is_empty() {
                    "file".into()
                } else {
                    plain(file_name)
                }),
                content_type: Some(media_type(content_type).to_owned()),
                content: content.to_vec(),
            };
            let content = Bytes::copy_from_slice(content);
            (form.file(name, file_name, content_type, content), read)
        }
        Part::Delimiters(..) => {
            let read = ReadPart {
                name: "d".to_owned(),
                content: delimiters.to_vec(),
                ..ReadPart::default()
            };
            (form.text("d", delimiters), read)
        }
    }
}

fn cut(text: &str) -> &str {
    crate::input::short(text, 250)
}

/// The name with `_` in place of the characters that could end its quotes.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect()
}

/// The content type if it is a media type with printable parameters, and the default otherwise.
fn media_type(text: &str) -> &str {
    let is_token = |word: &str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    };
    let kind = text.split(';').next().unwrap_or_default().trim_end();
    let is_type = kind.split_once('/').is_some_and(|(one, other)| is_token(one) && is_token(other));
    let is_printable = text.chars().all(|c| (' '..='~').contains(&c));
    if is_type && is_printable { text } else { "application/octet-stream" }
}

/// The head of a part, as the form writes it.
fn head(part: &ReadPart) -> Vec<u8> {
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", part.name);
    if let Some(file_name) = &part.file_name {
        head.push_str(&format!("; filename=\"{file_name}\""));
    }
    if let Some(content_type) = &part.content_type {
        head.push_str(&format!("\r\nContent-Type: {content_type}"));
    }
    format!("{head}\r\n\r\n").into_bytes()
}

const UPLOAD: &str = "/open-apis/any/form";

/// An endpoint with any form.
struct Upload(Payload);

impl Endpoint for Upload {
    type Auth = NoAuth;
    type Output = ();

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        UPLOAD
    }

    fn payload(&self) -> Option<Payload> {
        Some(self.0.clone())
    }

    fn read(_: &Reply) -> Result<(), Error> {
        Ok(())
    }
}

/// Checks that both readers see these parts.
fn check(payload: &Payload, expected: &[ReadPart], step: usize) {
    let upload = Upload(payload.clone());
    let bytes = body(&upload, &NoToken, step);
    let content_type = payload.content_type.to_str().unwrap();
    let by_multer = readers::form(content_type, &bytes).unwrap();
    assert_eq!(by_multer.len(), expected.len(), "multer reads another number of parts");
    for (read, sent) in by_multer.iter().zip(expected) {
        readers::assert_by_multer(sent, read);
    }

    let parts = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&parts);
    let mut lark = FakeLark::new();
    lark.add_open_route(Route::Own { method: "POST", path: UPLOAD }, move |request| {
        let read = request.form()?.into_iter().map(|part| {
            assert_length(&part, part.content.len());
            ReadPart {
                name: part.name,
                file_name: part.file_name,
                content_type: part.content_type,
                content: part.content.to_vec(),
            }
        });
        kept.lock().unwrap().extend(read);
        Ok(())
    });
    let reply = lark.handle(UNIX_EPOCH, upload.request(&Site::LARK, &NoToken));
    let strict = parts.lock().unwrap();
    // The strict reader also reads the parameters of a content type, which the form does not check.
    let is_odd = |part: &ReadPart| {
        part.content_type.as_ref().is_some_and(|text| text.contains(';')) || head(part).len() > 4000
    };
    if !expected.iter().any(is_odd) {
        assert_eq!(reply.status(), 200, "{:?}", reply.body());
        assert!(strict[..] == *expected, "the strict reader sees {strict:?}");
    }
}

/// Uploads any image in a form, with the derived boundary and with a given one. The form has the two parts of the
/// document, and the image is unchanged.
fn image(bytes: &[u8], given: &str, step: usize) {
    let Ok(image) = Image::any_format(bytes.to_vec(), "bin") else { return };
    let put = PutImage::message(image.clone()).unwrap();
    let create = CreateImage::avatar(image.clone()).unwrap();
    assert_image(&put, &image, "message", step);
    assert_image(&create, &image, "avatar", step);
    let Ok(boundary) = Boundary::new(given) else { return };
    if let Ok(put) = put.with_boundary(&boundary) {
        assert_image(&put, &image, "message", step);
    }
    if let Ok(create) = create.with_boundary(&boundary) {
        assert_image(&create, &image, "avatar", step);
    }
}

fn assert_image<E>(upload: &E, image: &Image, kind: &str, step: usize)
where
    E: Endpoint,
    TenantToken: lark_proto::token::Authorizes<E::Auth>,
{
    let token = TenantToken::new("t").unwrap();
    let bytes = body(upload, &token, step);
    let request = upload.request(&Site::LARK, &token);
    let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap();
    let parts = readers::form(content_type, &bytes).unwrap();
    let format = image.format();
    let file = ReadPart {
        name: "image".to_owned(),
        file_name: Some(format!("image.{}", format.map_or("bin", |format| format.extension()))),
        content_type: Some(
            format.map_or("application/octet-stream", |format| format.media_type()).to_owned(),
        ),
        content: image.bytes().to_vec(),
    };
    let kind = ReadPart {
        name: "image_type".to_owned(),
        content: kind.as_bytes().to_vec(),
        ..ReadPart::default()
    };
    assert!(parts == [kind, file], "the upload has other parts");
}
