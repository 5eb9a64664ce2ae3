//! Add rows or columns to a sheet.

use http::Method;

use super::shared::dimension::Dimension;
use crate::api::{Endpoint, Path, Payload, Quota, Record, Reply, Resend, lenient};
use crate::error::{Error, Invalid, InvalidKind};
use crate::text::json_string;
use crate::token::TenantOrUser;
use crate::values::{SheetId, SpreadsheetToken};

/// Adds empty rows below the last one of a sheet, or empty columns to the right of the last one.
///
/// * Route: `POST /open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range`.
/// * Token: tenant or user access token, with the scope `drive:drive` or `sheets:spreadsheet`, and the right to edit
///   the document.
/// * Limits: 1 to 5,000 rows or columns in a request; a sheet has 13,000 columns and 5,000,000 cells at most. 100
///   requests a second, and only one write to a spreadsheet at a time.
/// * Documentation: <https://open.feishu.cn/document/ukTMukTMukTM/uUjMzUjL1IzM14SNyMTN>.
///
/// A second send would add rows or columns again, so the request is not sent again after an unknown outcome. The size
/// of the sheet tells whether the request was carried out: see [`QuerySheets`](crate::endpoints::QuerySheets).
///
/// # Errors
/// [`Code::SHEET_NOT_FOUND`](crate::error::Code::SHEET_NOT_FOUND),
/// [`Code::SHEET_PERMISSION`](crate::error::Code::SHEET_PERMISSION),
/// [`Code::SPREADSHEET_NOT_FOUND`](crate::error::Code::SPREADSHEET_NOT_FOUND),
/// [`Code::SHEET_CELL_EXCESS`](crate::error::Code::SHEET_CELL_EXCESS),
/// [`Code::SHEET_EXCESS`](crate::error::Code::SHEET_EXCESS),
/// [`Code::SHEET_TOO_MANY`](crate::error::Code::SHEET_TOO_MANY),
/// [`Code::SHEET_RETRY_LATER`](crate::error::Code::SHEET_RETRY_LATER).
///
/// ```
/// use lark_proto::endpoints::{AddDimension, EndpointExt};
/// use lark_proto::{Site, UserToken};
///
/// let add = AddDimension::rows("shtcnabc".parse()?, "2jm6f6".parse()?, 8)?;
/// let request = add.request(&Site::FEISHU, &UserToken::new("u-7f1b")?);
/// let body = concat!(
///     r#"{"dimension":{"sheetId":"2jm6f6","#,
///     r#""majorDimension":"ROWS","length":8}}"#,
/// );
/// assert_eq!(request.body(), body);
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "dimension_range")]
#[doc(alias = "add_rows")]
#[doc(alias = "add_columns")]
#[doc(alias = "append_dimension")]
#[doc(alias = "grow")]
#[doc(alias = "增加行列")]
pub struct AddDimension {
    spreadsheet: SpreadsheetToken,
    sheet: SheetId,
    dimension: Dimension,
    count: u32,
}

impl AddDimension {
    /// The maximum number of rows or columns that one request adds.
    pub const MAX_COUNT: u32 = Dimension::MAX_COUNT;

    /// Adds `count` rows below the last row of the sheet.
    ///
    /// # Errors
    /// [`InvalidKind::BadDimensionCount`].
    pub fn rows(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        count: u32,
    ) -> Result<Self, Invalid> {
        Self::new(spreadsheet, sheet, Dimension::Rows, count)
    }

    /// Adds `count` columns to the right of the last column of the sheet.
    ///
    /// # Errors
    /// [`InvalidKind::BadDimensionCount`].
    pub fn columns(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        count: u32,
    ) -> Result<Self, Invalid> {
        Self::new(spreadsheet, sheet, Dimension::Columns, count)
    }

    fn new(
        spreadsheet: SpreadsheetToken,
        sheet: SheetId,
        dimension: Dimension,
        count: u32,
    ) -> Result<Self, Invalid> {
        if !(1..=Self::MAX_COUNT).contains(&count) {
            let part = format!("{count} {}", dimension.word());
            return Err(Invalid::new(InvalidKind::BadDimensionCount, part));
        }
        Ok(Self { spreadsheet, sheet, dimension, count })
    }
}

/// The reply to added rows or columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DimensionAdded {
    /// The number of rows or columns that were added, if the reply contains it.
    pub count: Option<u32>,
}

impl Endpoint for AddDimension {
    type Auth = TenantOrUser;
    type Output = DimensionAdded;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/dimension_range"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.spreadsheet.as_str())
    }

    fn payload(&self) -> Option<Payload> {
        let sheet = json_string(self.sheet.as_str());
        let major = self.dimension.major();
        let count = self.count;
        Some(Payload::json(format!(
            r#"{{"dimension":{{"sheetId":{sheet},"majorDimension":"{major}","length":{count}}}}}"#
        )))
    }

    fn resend(&self) -> Resend {
        Resend::Unsafe
    }

    fn serial_key(&self) -> Option<&str> {
        Some(self.spreadsheet.as_str())
    }

    fn quota(&self) -> Quota {
        Quota::per_second(100)
    }

    fn read(reply: &Reply) -> Result<DimensionAdded, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            #[serde(default, deserialize_with = "lenient")]
            add_count: Option<u32>,
        }
        Ok(DimensionAdded { count: reply.any_data::<Record<Data>>()?.0.add_count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;

    type New = fn(SpreadsheetToken, SheetId, u32) -> Result<AddDimension, Invalid>;

    fn add(new: New, count: u32) -> Result<AddDimension, Invalid> {
        new("shtcn".parse().unwrap(), "s".parse().unwrap(), count)
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        let sample = r#"{"code":0,"data":{"addCount":8,"majorDimension":"ROWS"},"msg":"Success"}"#;
        let added = AddDimension::decode(http::Response::new(sample.into())).unwrap();
        assert_eq!(added, DimensionAdded { count: Some(8) });
    }

    #[test]
    fn the_count_may_be_missing_in_a_success() {
        for data in ["{}", "null", r#"{"addCount":"8"}"#, r#"{"addCount":-1}"#] {
            let body = format!(r#"{{"code":0,"data":{data}}}"#);
            let added = AddDimension::decode(http::Response::new(body.into())).unwrap();
            assert_eq!(added.count, None, "{data}");
        }
    }

    #[test]
    fn a_request_adds_1_to_5000_rows_or_columns() {
        for new in [AddDimension::rows as New, AddDimension::columns] {
            let refused = |count| add(new, count).err().map(|error| error.kind());
            for count in [1, 5000] {
                assert_eq!(refused(count), None, "{count}");
            }
            for count in [0, 5001, u32::MAX] {
                assert_eq!(refused(count), Some(InvalidKind::BadDimensionCount), "{count}");
            }
        }
        let error = add(AddDimension::columns, 0).unwrap_err().to_string();
        assert_eq!(error, "0 columns cannot be added: one request adds 1 to 5,000");
    }

    #[test]
    fn the_body_names_rows_or_columns() {
        let body = |new: New| add(new, 8).unwrap().payload().unwrap().body.into_bytes();
        let rows = r#"{"dimension":{"sheetId":"s","majorDimension":"ROWS","length":8}}"#;
        assert_eq!(body(AddDimension::rows), rows);
        assert_eq!(body(AddDimension::columns), rows.replace("ROWS", "COLUMNS"));
    }

    #[test]
    fn an_addition_is_not_sent_again_after_an_unknown_outcome() {
        let add = add(AddDimension::rows, 1).unwrap();
        assert_eq!((add.resend(), add.serial_key()), (Resend::Unsafe, Some("shtcn")));
    }
}
