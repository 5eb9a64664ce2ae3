//! Images in the body of a cell write.

use lark_proto::body::ImageEncoding;
use lark_proto::{Image, UserToken, WriteSheetImage};

use crate::body::body;
use crate::requests::SheetBody;

/// Writes any image into a cell, in both encodings. The JSON of the body reads as the image.
///
/// The input is a byte and the image. The last four bits of the byte are a number, and the image is repeated that many
/// times plus one, so that it is encoded in several pieces.
pub fn numbers(data: &[u8]) {
    let Some((times, image)) = data.split_first() else { return };
    let image = image.repeat(1 + usize::from(times % 16));
    let Ok(value) = Image::any_format(image.clone(), "bin") else { return };
    let spreadsheet = "sht".parse().unwrap();
    let cell = "a!A1".parse().unwrap();
    let Ok(write) = WriteSheetImage::new(spreadsheet, cell, value) else { return };
    let token = UserToken::new("u").unwrap();

    let body = body(&write, &token, data.len());
    let numbers: SheetBody<Vec<u8>> = serde_json::from_slice(&body).unwrap();
    assert!(numbers.image == image && !body.contains(&b' '), "not the image's numbers");
    let body = self::body(&write.with_encoding(ImageEncoding::Base64), &token, data.len());
    let text: SheetBody<String> = serde_json::from_slice(&body).unwrap();
    assert!(text.image == base64(&image), "not the image's base64");
}

/// Base64 (RFC 4648, section 4), made bit by bit so that it is independent of the library.
fn base64(bytes: &[u8]) -> String {
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
