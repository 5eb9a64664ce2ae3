//! Set the height of rows or the width of columns.

use std::ops::RangeInclusive;

use http::Method;

use super::shared::dimension::Dimension;
use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::error::{Error, Invalid, InvalidKind};
use crate::text::json_string;
use crate::token::TenantOrUser;
use crate::values::{SheetId, SpreadsheetToken};

/// Sets the height of rows or the width of columns, for example so that the images in their cells can be seen.
///
/// * Route: `PUT /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range`.
/// * Token: tenant or user access token, with the scope `drive:drive` or `sheets:spreadsheet`, and the right to edit
///   the document.
/// * Limits: 5,000 rows or columns in a request. 100 requests a second, and only one write to a spreadsheet at a time.
/// * Documentation: <https://open.feishu.cn/document/ukTMukTMukTM/uYjMzUjL2IzM14iNyMTN>.
///
/// # Errors
/// [`Code::SHEET_ROW_OR_COLUMN`](crate::error::Code::SHEET_ROW_OR_COLUMN),
/// [`Code::SHEET_NOT_FOUND`](crate::error::Code::SHEET_NOT_FOUND),
/// [`Code::SHEET_NO_CHANGE`](crate::error::Code::SHEET_NO_CHANGE),
/// [`Code::SHEET_PERMISSION`](crate::error::Code::SHEET_PERMISSION),
/// [`Code::SPREADSHEET_NOT_FOUND`](crate::error::Code::SPREADSHEET_NOT_FOUND),
/// [`Code::SHEET_TOO_MANY`](crate::error::Code::SHEET_TOO_MANY),
/// [`Code::SHEET_RETRY_LATER`](crate::error::Code::SHEET_RETRY_LATER).
///
/// ```
/// use lark_proto::endpoints::{EndpointExt, UpdateDimension};
/// use lark_proto::{SheetCell, Site, UserToken};
///
/// let cell: SheetCell = "Q7PlXT!H7".parse()?;
/// let spreadsheet = "shtcnabc".parse()?;
/// let sheet = cell.sheet().clone();
/// let row = cell.row();
/// let set = UpdateDimension::row_height(spreadsheet, sheet, row..=row, 120)?;
/// let request = set.request(&Site::FEISHU, &UserToken::new("u-7f1b")?);
/// assert_eq!(request.method(), "PUT");
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "dimension_range")]
#[doc(alias = "row_height")]
#[doc(alias = "column_width")]
#[doc(alias = "fixedSize")]
#[doc(alias = "resize")]
#[doc(alias = "更新行列")]
#[doc(alias = "行高")]
#[doc(alias = "列宽")]
pub struct UpdateDimension {
    spreadsheet: SpreadsheetToken,
    sheet: SheetId,
    dimension: Dimension,
    first: u32,
    last: u32,
    pixels: u16,
}

impl UpdateDimension {
    /// Sets the height of `rows`, which are counted from 1, in pixels.
    ///
    /// # Errors
    /// [`InvalidKind::BadDimensionRange`], [`InvalidKind::ZeroPixels`].
    pub fn row_height(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        rows: RangeInclusive<u32>,
        pixels: u16,
    ) -> Result<Self, Invalid> {
        Self::new(spreadsheet, sheet, Dimension::Rows, &rows, pixels)
    }

    /// Sets the width of `columns`, which are counted from 1 (`H` is 8), in pixels.
    ///
    /// # Errors
    /// [`InvalidKind::BadDimensionRange`], [`InvalidKind::ZeroPixels`].
    pub fn column_width(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        columns: RangeInclusive<u32>,
        pixels: u16,
    ) -> Result<Self, Invalid> {
        Self::new(spreadsheet, sheet, Dimension::Columns, &columns, pixels)
    }

    fn new(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        dimension: Dimension,
        range: &RangeInclusive<u32>,
        pixels: u16,
    ) -> Result<Self, Invalid> {
        let first = *range.start();
        let last = *range.end();
        let part = format!("{} {first} to {last}", dimension.word());
        let refused = |reason: &str| {
            let part = format!("{part}: {reason}");
            Err(Invalid::new(InvalidKind::BadDimensionRange, part))
        };
        if first == 0 {
            return refused("they are counted from 1");
        }
        if last < first {
            return refused("the end precedes the start");
        }
        if last > dimension.largest() {
            return refused("the end is beyond the largest sheet");
        }
        if last - first >= Dimension::MAX_COUNT {
            return refused("one request changes at most 5,000");
        }
        if pixels == 0 {
            return Err(Invalid::new(InvalidKind::ZeroPixels, part));
        }
        Ok(Self { spreadsheet, sheet, dimension, first, last, pixels })
    }
}

impl Endpoint for UpdateDimension {
    type Auth = TenantOrUser;
    type Output = ();

    fn method(&self) -> Method {
        Method::PUT
    }

    fn route(&self) -> &str {
        "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.spreadsheet.as_str())
    }

    fn payload(&self) -> Option<Payload> {
        let sheet = json_string(self.sheet.as_str());
        let Self { first, last, pixels, .. } = self;
        let major = self.dimension.major();
        Some(Payload::json(format!(
            r#"{{"dimension":{{"sheetId":{sheet},"majorDimension":"{major}","startIndex":{first},"endIndex":{last}}},"dimensionProperties":{{"fixedSize":{pixels}}}}}"#
        )))
    }

    /// A second send sets the same size.
    fn resend(&self) -> Resend {
        Resend::Safe
    }

    fn serial_key(&self) -> Option<&str> {
        Some(self.spreadsheet.as_str())
    }

    fn quota(&self) -> Quota {
        Quota::per_second(100)
    }

    fn read(reply: &Reply) -> Result<(), Error> {
        reply.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;

    type New =
        fn(SpreadsheetToken, SheetId, RangeInclusive<u32>, u16) -> Result<UpdateDimension, Invalid>;
    const ROWS: New = UpdateDimension::row_height;
    const COLUMNS: New = UpdateDimension::column_width;

    fn update(
        new: New,
        range: RangeInclusive<u32>,
        pixels: u16,
    ) -> Result<UpdateDimension, Invalid> {
        new("shtcn".parse().unwrap(), "s".parse().unwrap(), range, pixels)
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let sample = r#"{"code":0,"data":{},"msg":"Success"}"#;
        UpdateDimension::decode(http::Response::new(sample.into())).unwrap();
    }

    #[test]
    fn the_refusal_of_a_row_is_an_error_with_its_code() {
        let refused = r#"{"code":90212,"data":{},"msg":"WrongRowOrCol"}"#;
        let error = UpdateDimension::decode(http::Response::new(refused.into())).unwrap_err();
        assert_eq!(error.api().unwrap().code, crate::error::Code::SHEET_ROW_OR_COLUMN);
    }

    #[test]
    fn a_request_resizes_1_to_5000_rows_or_columns() {
        for (new, range) in [
            (ROWS, 1..=1),
            (ROWS, 1..=5000),
            (ROWS, 4_995_001..=5_000_000),
            (COLUMNS, 8..=8),
            (COLUMNS, 8001..=13_000),
        ] {
            let update = update(new, range.clone(), 1).unwrap();
            assert_eq!(update.first..=update.last, range);
        }
    }

    #[test]
    fn a_range_that_no_request_can_resize_is_refused_with_the_reason() {
        let reversed = |first: u32, last: u32| first..=last;
        for (new, range, part) in [
            (ROWS, 0..=3, "rows 0 to 3: they are counted from 1"),
            (ROWS, reversed(3, 1), "rows 3 to 1: the end precedes the start"),
            (ROWS, 1..=5001, "rows 1 to 5001: one request changes at most 5,000"),
            (ROWS, 1..=u32::MAX, "rows 1 to 4294967295: the end is beyond the largest sheet"),
            (
                ROWS,
                5_000_000..=5_000_001,
                "rows 5000000 to 5000001: the end is beyond the largest sheet",
            ),
            (
                COLUMNS,
                13_001..=13_001,
                "columns 13001 to 13001: the end is beyond the largest sheet",
            ),
            (
                COLUMNS,
                reversed(u32::MAX, 1_000_000_000),
                "columns 4294967295 to 1000000000: the end precedes the start",
            ),
        ] {
            let error = update(new, range, 1).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadDimensionRange);
            assert_eq!(error.to_string(), format!("the size cannot be set for {part}"));
        }
    }

    #[test]
    fn a_size_of_zero_pixels_is_refused() {
        let error = update(ROWS, 1..=3, 0).unwrap_err();
        assert_eq!(error.kind(), InvalidKind::ZeroPixels);
        assert_eq!(error.to_string(), "a size of 0 pixels would hide rows 1 to 3");
    }

    #[test]
    fn the_body_names_the_rows_or_columns_and_their_size() {
        let body = |new| update(new, 2..=7, 120).unwrap().payload().unwrap().body.into_bytes();
        let rows = concat!(
            r#"{"dimension":{"sheetId":"s","majorDimension":"ROWS","startIndex":2,"endIndex":7},"#,
            r#""dimensionProperties":{"fixedSize":120}}"#,
        );
        assert_eq!(body(ROWS), rows);
        assert_eq!(body(COLUMNS), rows.replace("ROWS", "COLUMNS"));
    }

    #[test]
    fn a_resize_is_idempotent_and_shares_the_lane_of_its_spreadsheet() {
        let update = update(COLUMNS, 8..=8, 120).unwrap();
        assert_eq!((update.resend(), update.serial_key()), (Resend::Safe, Some("shtcn")));
    }
}
