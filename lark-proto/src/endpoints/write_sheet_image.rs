//! Write an image into a spreadsheet's cell.

use http::Method;

use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend, Text, lenient};
use crate::body::{Body, ImageEncoding, Segment};
use crate::error::{Error, Invalid, InvalidKind};
use crate::text::json_string;
use crate::token::TenantOrUser;
use crate::values::{FileName, Image, ImageFormat, ImageRules, SheetCell, SpreadsheetToken};

/// Writes an image into one cell of a spreadsheet.
///
/// * Route: `POST /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image`.
/// * Token: tenant or user access token, with the scope `drive:drive` or `sheets:spreadsheet`. The app must also be
///   added to the spreadsheet (in the spreadsheet: ... > More > Add document app).
/// * Limits: 100 requests a second, and only one write to a spreadsheet at a time. A spreadsheet has at most 4,000
///   different images, those that float above the cells included. A write may take a minute. The vendor's page names no
///   limit for the size. The default limit of this crate is 20 MiB, as in the vendor's command-line tool and at the
///   endpoint `drive/v1/medias/upload_all`.
/// * Formats: PNG, JPEG (JPG, JFIF, EXIF), GIF, BMP, TIFF, BPG, WEBP and HEIC, as the vendor's page lists them. Its
///   newer edition does not list WEBP, and the service was seen to refuse BMP, TIFF and WEBP at times, so prefer PNG or
///   JPEG. Neither edition lists ICO, which this crate refuses.
/// * Documentation: <https://open.larksuite.com/document/ukTMukTMukTM/uUDNxYjL1QTM24SN0EjN>.
///
/// A second write of the same image does not change the cell.
///
/// # Errors
/// [`Code::SHEET_RANGE`](crate::error::Code::SHEET_RANGE), [`Code::SHEET_BODY`](crate::error::Code::SHEET_BODY),
/// [`Code::SHEET_PERMISSION`](crate::error::Code::SHEET_PERMISSION),
/// [`Code::SPREADSHEET_NOT_FOUND`](crate::error::Code::SPREADSHEET_NOT_FOUND),
/// [`Code::SHEET_NOT_FOUND`](crate::error::Code::SHEET_NOT_FOUND),
/// [`Code::SHEET_TOO_MANY`](crate::error::Code::SHEET_TOO_MANY),
/// [`Code::SHEET_RETRY_LATER`](crate::error::Code::SHEET_RETRY_LATER).
///
/// ```
/// use lark_proto::{EndpointExt, Image, Site, UserToken, WriteSheetImage};
///
/// let image = Image::new("GIF89a..")?;
/// let spreadsheet = "shtcnabc".parse()?;
/// let cell = "Q7PlXT!H7".parse()?;
/// let write = WriteSheetImage::new(spreadsheet, cell, image)?;
/// let request = write.request(&Site::LARK, &UserToken::new("u-7f1b")?);
/// assert_eq!(
///     request.body(),
///     concat!(
///         r#"{"range":"Q7PlXT!H7:H7","#,
///         r#""image":[71,73,70,56,57,97,46,46],"#,
///         r#""name":"image.gif"}"#,
///     ),
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "values_image")]
#[doc(alias = "cell")]
#[doc(alias = "embed")]
#[doc(alias = "写入图片")]
pub struct WriteSheetImage {
    spreadsheet: SpreadsheetToken,
    cell: SheetCell,
    image: Image,
    name: FileName,
    encoding: ImageEncoding,
}

impl WriteSheetImage {
    /// The default maximum size of an image in bytes: 20 MiB. [`Image::with_max_bytes`] sets another limit.
    pub const DEFAULT_MAX_BYTES: u64 = ImageRules::CELL_MAX_BYTES;

    /// Writes `image` into `cell`. Its file name is `image` with the image's extension, and it is sent as an array of
    /// numbers.
    ///
    /// # Errors
    /// [`InvalidKind::ImageTooLarge`] for more bytes than [`Image::with_max_bytes`] allows or, if it is not set, than
    /// [`DEFAULT_MAX_BYTES`](Self::DEFAULT_MAX_BYTES); [`InvalidKind::FormatNotAccepted`].
    pub fn new(
        spreadsheet: SpreadsheetToken,
        cell: SheetCell,
        image: Image,
    ) -> Result<Self, Invalid> {
        // Numbers are at most four times as long as the image, and the length of a body must fit `isize`.
        const ENCODABLE: u64 = isize::MAX as u64 / 4 - 4096;
        let max = image.max_bytes().unwrap_or(Self::DEFAULT_MAX_BYTES);
        let image = image.at_most(max.min(ENCODABLE))?;
        if image.format() == Some(ImageFormat::Ico) {
            return Err(Invalid::new(InvalidKind::FormatNotAccepted, "ICO"));
        }
        let name = FileName::default_for(&image);
        Ok(Self { spreadsheet, cell, image, name, encoding: ImageEncoding::default() })
    }

    /// Sets the file name, as [`FileName::new`] makes it.
    ///
    /// # Errors
    /// The errors of [`FileName::new`].
    pub fn with_name(mut self, name: &str) -> Result<Self, Invalid> {
        self.name = FileName::new(name, &self.image)?;
        Ok(self)
    }

    /// Sets the file name, as [`FileName::lossy`] makes it of any text.
    #[must_use]
    pub fn with_lossy_name(mut self, text: &str) -> Self {
        self.name = FileName::lossy(text, &self.image);
        self
    }

    /// Sets the encoding of the image in JSON.
    #[must_use]
    pub fn with_encoding(mut self, encoding: ImageEncoding) -> Self {
        self.encoding = encoding;
        self
    }
}

/// The reply to a write. The texts are bounded and free of control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SheetImageWritten {
    /// The token of the spreadsheet.
    pub spreadsheet_token: String,
    /// The cell, such as `Q7PlXT!H7:H7`. The table on the vendor's page calls the field `updatedRange`; the example
    /// there and the service call it `updateRange`. Both are read; if a reply has both, `updateRange` is used.
    pub range: Option<String>,
    /// The version of the sheet. It starts at 0, and each write adds 1.
    pub revision: Option<i64>,
}

impl Endpoint for WriteSheetImage {
    type Auth = TenantOrUser;
    type Output = SheetImageWritten;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.spreadsheet.as_str())
    }

    fn payload(&self) -> Option<Payload> {
        let range = json_string(self.cell.as_str());
        let name = json_string(self.name.as_str());
        let (open, close) = self.encoding.brackets();
        Some(Payload::json(Body::from_segments([
            Segment::Stored(format!(r#"{{"range":{range},"image":{open}"#).into()),
            Segment::Encoded(self.encoding.encoder(), self.image.bytes().clone()),
            Segment::Stored(format!(r#"{close},"name":{name}}}"#).into()),
        ])))
    }

    /// A second send writes the same image into the same cell.
    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn serial_key(&self) -> Option<&str> {
        Some(self.spreadsheet.as_str())
    }

    /// The overview of the sheets API documents 100 requests a second for one app in one tenant.
    fn quota(&self) -> Quota {
        Quota::per_second(100)
    }

    fn read(reply: &Reply) -> Result<SheetImageWritten, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            spreadsheet_token: Text,
            #[serde(default, deserialize_with = "lenient")]
            update_range: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            updated_range: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            revision: Option<i64>,
        }
        let data: Data = reply.data()?;
        Ok(SheetImageWritten {
            spreadsheet_token: data.spreadsheet_token.0,
            range: data.update_range.or(data.updated_range).map(|range| range.0),
            revision: data.revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;

    fn write(image: Image) -> Result<WriteSheetImage, Invalid> {
        let spreadsheet = "shtcngNygNfuqhxTBf588jwgWbJ".parse().unwrap();
        WriteSheetImage::new(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image)
    }

    #[test]
    fn the_vendors_sample_replies_are_read() {
        let old = "{ \n    \"code\": 0,\n    \"data\": { \n        \"spreadsheetToken\": \"***\" \n    }, \n    \
            \"msg\": \"Success\" \n}\n";
        let old = WriteSheetImage::decode(http::Response::new(old.into())).unwrap();
        assert_eq!((old.spreadsheet_token.as_str(), old.range, old.revision), ("***", None, None));
        let new = r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcng",
            "updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#;
        let new = WriteSheetImage::decode(http::Response::new(new.into())).unwrap();
        assert_eq!(new.range.as_deref(), Some("Q7PlXT!H7:H7"));
        assert_eq!(new.revision, Some(80));
    }

    #[test]
    fn an_image_has_at_most_20_mebibytes_unless_the_caller_sets_another_limit() {
        let image = |len: usize| Image::any_format(vec![0; len], "bin").unwrap();
        let max = usize::try_from(WriteSheetImage::DEFAULT_MAX_BYTES).unwrap();
        let kind = |image| write(image).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind(image(max)), Ok(()));
        assert_eq!(kind(image(max + 1)), Err(InvalidKind::ImageTooLarge));
        assert_eq!(kind(image(max + 1).with_max_bytes(u64::MAX)), Ok(()));
        assert_eq!(kind(image(10).with_max_bytes(9)), Err(InvalidKind::ImageTooLarge));
        let error = write(image(24_536_678)).unwrap_err();
        assert_eq!(error.to_string(), "the image is too large: 20 MiB at most, this has 23.4 MiB");
    }

    #[cfg(target_pointer_width = "32")]
    #[test]
    fn an_image_whose_body_could_not_be_addressed_is_refused() {
        let image = |len: usize| {
            let image = Image::any_format(vec![200; len], "bin").unwrap();
            image.with_max_bytes(u64::MAX)
        };
        let max = (1 << 29) - 1 - 4096;
        let body = write(image(max)).unwrap().payload().unwrap().body;
        assert!(isize::try_from(body.len()).is_ok(), "{body:?}");
        assert_eq!(body.len() as usize, bytes::Buf::remaining(&body));
        let error = write(image(max + 1)).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ImageTooLarge);
    }

    #[test]
    fn the_file_name_of_an_image_of_any_format_has_its_extension() {
        let avif = || Image::any_format("....ftypavif", "avif").unwrap();
        let named = |write: WriteSheetImage| {
            let body = write.payload().unwrap().body.into_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            body["name"].as_str().unwrap().to_owned()
        };
        assert_eq!(named(write(avif()).unwrap()), "image.avif");
        assert_eq!(named(write(avif()).unwrap().with_name("photo").unwrap()), "photo.avif");
        assert_eq!(named(write(avif()).unwrap().with_name("photo.png").unwrap()), "photo.avif");
    }

    #[test]
    fn writes_are_equal_if_they_send_the_same_request() {
        let gif = || write(Image::new("GIF89a").unwrap()).unwrap();
        let cell = "Q7PlXT!H8".parse().unwrap();
        let sheet = "shtcngNygNfuqhxTBf588jwgWbJ".parse().unwrap();
        let image = || Image::new("GIF89a").unwrap();
        let different = [
            gif(),
            gif().with_name("a").unwrap(),
            gif().with_encoding(ImageEncoding::Base64),
            write(Image::new("GIF87a").unwrap()).unwrap(),
            WriteSheetImage::new(sheet, cell, image()).unwrap(),
            WriteSheetImage::new("shtcn".parse().unwrap(), "Q7PlXT!H7".parse().unwrap(), image())
                .unwrap(),
        ];
        for (at, call) in different.iter().enumerate() {
            let equal: Vec<_> = (0..different.len()).filter(|it| different[*it] == *call).collect();
            assert_eq!(equal, [at]);
        }
        assert_eq!(write(image().with_max_bytes(6)).unwrap(), gif(), "the limit is not sent");
        assert_eq!(gif().with_name("image.png").unwrap(), gif());
    }

    #[test]
    fn an_icon_is_refused_for_a_cell() {
        let icon = Image::new(&b"\0\0\x01\0\x01\0"[..]).unwrap();
        assert_eq!(write(icon).unwrap_err().kind(), InvalidKind::FormatNotAccepted);
    }
}
