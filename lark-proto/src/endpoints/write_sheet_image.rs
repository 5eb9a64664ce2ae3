//! Write an image into a spreadsheet's cell.

use http::Method;

use crate::body::ImageEncoding;
use crate::body::{Body, Segment};
use crate::endpoint::{Endpoint, Payload, Quota, Resend};
use crate::endpoints::json_string;
use crate::error::Rule;
use crate::error::{Error, Invalid};
use crate::path::Path;
use crate::reply::{Reply, lenient};
use crate::token::TenantOrUser;
use crate::values::{FileName, Image, ImageFormat, SheetCell, SpreadsheetToken};

/// Writes an image into one cell of a spreadsheet.
///
/// * Route: `POST /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values_image`.
/// * Token: tenant or user access token, with the scope `drive:drive` or `sheets:spreadsheet`. The app must
///   also be added to the document (in the document: ... > More > Add document app).
/// * Limits: the document names none for the size. 20 MiB is what the vendor's command-line tool stops at and
///   what the sibling `drive/v1/medias/upload_all` documents, so it is the default here. One spreadsheet
///   takes 4,000 images, 100 requests a second, and only one write at a time. A write may take a minute.
/// * Formats: PNG, JPEG (JPG, JFIF, EXIF), GIF, BMP, TIFF, BPG, WEBP and HEIC, as the document lists them.
///   Its newer edition drops WEBP, and in the field the service did not take BMP, TIFF and WEBP every time:
///   PNG or JPEG is the safe choice. ICO is in neither list and is refused here.
/// * Document: <https://open.larksuite.com/document/ukTMukTMukTM/uUDNxYjL1QTM24SN0EjN>.
///
/// Writing the same image again replaces the cell's content with itself.
///
/// # Errors
/// [`Code::SHEET_RANGE`](crate::Code::SHEET_RANGE), [`Code::SHEET_BODY`](crate::Code::SHEET_BODY),
/// [`Code::SHEET_PERMISSION`](crate::Code::SHEET_PERMISSION),
/// [`Code::SPREADSHEET_NOT_FOUND`](crate::Code::SPREADSHEET_NOT_FOUND),
/// [`Code::SHEET_NOT_FOUND`](crate::Code::SHEET_NOT_FOUND),
/// [`Code::SHEET_TOO_MANY`](crate::Code::SHEET_TOO_MANY),
/// [`Code::SHEET_RETRY_LATER`](crate::Code::SHEET_RETRY_LATER).
///
/// ```
/// use lark_proto::{EndpointExt, Image, Site, UserToken, WriteSheetImage};
///
/// let write = WriteSheetImage::new("shtcnabc".parse()?, "Q7PlXT!H7".parse()?, Image::new("GIF89a..")?)?;
/// let request = write.request(&Site::LARK, &UserToken::new("u-7f1b")?);
/// assert_eq!(
///     request.body(),
///     r#"{"range":"Q7PlXT!H7:H7","image":[71,73,70,56,57,97,46,46],"name":"image.gif"}"#,
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug)]
pub struct WriteSheetImage {
    spreadsheet: SpreadsheetToken,
    cell: SheetCell,
    image: Image,
    name: FileName,
    encoding: ImageEncoding,
}

impl WriteSheetImage {
    /// The most bytes that an image may have unless the caller says otherwise: 20 MiB.
    pub const DEFAULT_CAP: u64 = 20 * 1024 * 1024;

    /// An image for a cell, named `image` with the suffix of its format, as an array of numbers. An unchecked image of
    /// unknown format has to be [`named`](Self::named), since the service knows no suffix for it.
    ///
    /// # Errors
    /// [`Rule::ImageTooLarge`], [`Rule::NotForCells`].
    pub fn new(
        spreadsheet: SpreadsheetToken,
        cell: SheetCell,
        image: Image,
    ) -> Result<Self, Invalid> {
        Self::with_cap(spreadsheet, cell, image, Self::DEFAULT_CAP)
    }

    /// As [`WriteSheetImage::new`], for an image of up to `cap` bytes: the service's own limit is not
    /// documented.
    ///
    /// # Errors
    /// As [`WriteSheetImage::new`].
    pub fn with_cap(
        spreadsheet: SpreadsheetToken,
        cell: SheetCell,
        image: Image,
        cap: u64,
    ) -> Result<Self, Invalid> {
        // As numbers an image grows fourfold at most, and a body is counted in `isize`.
        let image = image.at_most(cap.min(isize::MAX as u64 / 4 - 4096))?;
        if image.format() == Some(ImageFormat::Ico) {
            return Err(Invalid::new(Rule::NotForCells, "ICO"));
        }
        let name = FileName::default_for(&image);
        Ok(Self { spreadsheet, cell, image, name, encoding: ImageEncoding::default() })
    }

    /// The name that the image gets.
    ///
    /// # Errors
    /// Those of [`FileName::new`].
    pub fn named(mut self, name: &str) -> Result<Self, Invalid> {
        self.name = FileName::new(name, &self.image)?;
        Ok(self)
    }

    /// How the image is written into the JSON.
    #[must_use]
    pub fn encoded(mut self, encoding: ImageEncoding) -> Self {
        self.encoding = encoding;
        self
    }
}

/// What the service says of a write.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "Data")]
#[non_exhaustive]
pub struct SheetImageWritten {
    /// The spreadsheet, as the service names it.
    pub spreadsheet_token: String,
    /// The cell, such as `Q7PlXT!H7:H7`. The document's table calls the field `updatedRange`, its example
    /// and the service `updateRange`; either is read, the latter first.
    pub range: Option<String>,
    /// The sheet's version: counts from 0, one more with each write.
    pub revision: Option<i64>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    spreadsheet_token: String,
    #[serde(default, deserialize_with = "lenient")]
    update_range: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    updated_range: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    revision: Option<i64>,
}

impl From<Data> for SheetImageWritten {
    fn from(data: Data) -> Self {
        let Data { spreadsheet_token, update_range, updated_range, revision } = data;
        Self { spreadsheet_token, range: update_range.or(updated_range), revision }
    }
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
        Path::of(self.route()).segment(self.spreadsheet.as_str())
    }

    fn payload(&self) -> Option<Payload> {
        let range = json_string(&self.cell.to_string());
        let name = json_string(self.name.as_str());
        let (open, close) = self.encoding.brackets();
        Some(Payload::json(Body::of([
            Segment::Stored(format!(r#"{{"range":{range},"image":{open}"#).into()),
            Segment::Encoded(self.encoding, self.image.bytes().clone()),
            Segment::Stored(format!(r#"{close},"name":{name}}}"#).into()),
        ])))
    }

    /// A second write puts the same image into the same cell.
    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn lane(&self) -> Option<&str> {
        Some(self.spreadsheet.as_str())
    }

    /// From the overview of the sheets API: 100 requests a second per app per tenant.
    fn quota(&self) -> Quota {
        Quota::per_second(100)
    }

    fn read(reply: &Reply) -> Result<SheetImageWritten, Error> {
        reply.data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointExt;

    fn write(image: Image, cap: u64) -> Result<WriteSheetImage, Invalid> {
        let spreadsheet = "shtcngNygNfuqhxTBf588jwgWbJ".parse().unwrap();
        WriteSheetImage::with_cap(spreadsheet, "Q7PlXT!H7".parse().unwrap(), image, cap)
    }

    #[test]
    fn the_vendors_replies() {
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
    fn the_cap_is_the_callers_to_raise() {
        let image = |len: usize| Image::unchecked(vec![0; len]).unwrap();
        let cap = usize::try_from(WriteSheetImage::DEFAULT_CAP).unwrap();
        assert!(write(image(cap), WriteSheetImage::DEFAULT_CAP).is_ok());
        let error = write(image(cap + 1), WriteSheetImage::DEFAULT_CAP).unwrap_err();
        assert_eq!(error.rule(), Rule::ImageTooLarge { limit: WriteSheetImage::DEFAULT_CAP });
        assert!(write(image(cap + 1), u64::MAX).is_ok());
    }

    #[test]
    fn an_icon_is_not_for_cells() {
        let icon = Image::new(&b"\0\0\x01\0\x01\0"[..]).unwrap();
        assert_eq!(write(icon, 100).unwrap_err().rule(), Rule::NotForCells);
    }
}
