//! Readers and writers that are independent of the libraries.

use bytes::Bytes;
use futures_util::stream;

use crate::multipart::ReadPart;

/// Whether `text` contains `part`.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The parts that the crate multer reads from a form; `None` if it refuses the form.
pub(crate) fn form(content_type: &str, body: &Bytes) -> Option<Vec<ReadPart>> {
    let boundary = multer::parse_boundary(content_type).ok()?;
    let stream = stream::iter([Ok::<_, std::io::Error>(body.clone())]);
    let mut form = multer::Multipart::new(stream, boundary);
    futures_executor::block_on(async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.ok()? {
            parts.push(ReadPart {
                name: field.name().unwrap_or_default().to_owned(),
                file_name: field.file_name().map(str::to_owned),
                content_type: field.content_type().map(ToString::to_string),
                content: field.bytes().await.ok()?.to_vec(),
            });
        }
        Some(parts)
    })
}

/// The part as multer sees it. multer finds a parameter by its name, also within the value of an earlier one, and
/// parses a content type, so that it sees only plain ones as they are sent.
pub(crate) fn assert_by_multer(sent: &ReadPart, read: &ReadPart) {
    assert!(read.content == sent.content, "multer reads another content");
    if !sent.name.contains("name") {
        assert_eq!(read.name, sent.name);
        assert_eq!(read.file_name, sent.file_name);
    }
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'/');
    if sent.content_type.as_ref().is_none_or(|text| is_plain(text)) {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        assert_eq!(lower(&read.content_type), lower(&sent.content_type));
    }
}

/// Base64 (RFC 4648, section 4), made bit by bit so that it is independent of the library.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let text = bytes.chunks(3).flat_map(|three| {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(three.get(at).copied().unwrap_or_default())
        });
        (0..4_usize).map(move |at| match bits >> (18 - 6 * at) & 63 {
            _ if at > three.len() => b'=',
            bits => {
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[bits as usize]
            }
        })
    });
    text.map(char::from).collect()
}
