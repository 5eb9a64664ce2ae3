//! Images in the form of an upload.

use http::header::CONTENT_TYPE;
use lark_proto::body::Boundary;
use lark_proto::values::ImageFormat;
use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken};

use crate::body::body;

/// Uploads any image in a form, with the derived boundary and with a given one. The form has two parts, the boundary is
/// in neither of them, and the image is unchanged.
///
/// The input is a boundary, a line break and the image.
pub fn form(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == b'\n');
    let given = halves.next().unwrap_or_default();
    let bytes = halves.next().unwrap_or_default();
    let Ok(image) = Image::any_format(bytes.to_vec(), "bin") else { return };
    let put = PutImage::message(image.clone()).unwrap();
    let parts = parts(&put, &image, data.len());

    let given = std::str::from_utf8(given).ok().and_then(|given| Boundary::new(given).ok());
    let Some(boundary) = given else { return };
    let delimiter = format!("--{boundary}");
    let free = parts.iter().all(|part| split(part, delimiter.as_bytes()).len() == 1);
    let put = put.with_boundary(&boundary);
    assert_eq!(put.is_ok(), free, "{boundary:?}");
    if let Ok(put) = put {
        assert_eq!(self::parts(&put, &image, data.len()), parts);
    }
}

/// The two parts of the form, each with its headers. `step` is that of [`body`].
fn parts(put: &PutImage, image: &Image, step: usize) -> [Vec<u8>; 2] {
    let token = TenantToken::new("t").unwrap();
    let request = put.request(&Site::LARK, &token);
    let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let delimiter = format!("--{}", boundary.trim_matches('"'));

    let body = [b"\r\n", &*body(put, &token, step)].concat();
    let pieces = split(&body, format!("\r\n{delimiter}").as_bytes());
    let [b"", kind, file, b"--\r\n"] = pieces[..] else { panic!("{} pieces", pieces.len()) };
    for part in [kind, file] {
        assert_eq!(split(part, delimiter.as_bytes()).len(), 1, "{delimiter} in a part");
    }
    assert!(kind == b"\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\nmessage");
    let format = image.format();
    let head = format!(
        "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image.{}\"\r\n\
         Content-Type: {}\r\n\r\n",
        format.map_or("bin", ImageFormat::extension),
        format.map_or("application/octet-stream", ImageFormat::media_type),
    );
    assert!(file.strip_prefix(head.as_bytes()) == Some(image.bytes()), "not the image");
    [kind.to_vec(), file.to_vec()]
}

/// The pieces of the text between the occurrences of `separator`.
fn split<'a>(mut text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = text.windows(separator.len()).position(|window| window == separator) {
        pieces.push(&text[..at]);
        text = &text[at + separator.len()..];
    }
    pieces.push(text);
    pieces
}
