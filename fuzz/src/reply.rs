//! Replies of the service.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lark_proto::endpoints::{
    AddDimension, CellContent, Cells, Download, DownloadMedia, GetAppToken, GetImage,
    GetStoreTenantToken, GetTenantToken, GetWikiNode, QuerySheets, Raw, ReadCells, Reply,
    ReplyImage, ResendAppTicket, SendImage, UpdateDimension, WithLogId,
};
use lark_proto::error::Advice;
use lark_proto::{CreateImage, Endpoint, EndpointExt, Error, PutImage, WriteSheetImage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{errors, secrets};

/// Decodes a reply with any status, headers and body. Decoding never panics. It succeeds only if the body's code is 0,
/// or if the body has a token and no code. An error has a bounded text without control characters. It does not show a
/// secret of the request, in whatever form the reply quotes it.
///
/// The input is a line with the status, a line for each header, an empty line, and the body.
pub fn reply(mut data: &[u8]) {
    let mut response = Response::new(Bytes::new());
    while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let line = &data[..end];
        data = &data[end + 1..];
        if line.is_empty() {
            break;
        }
        if let Ok(status) = StatusCode::from_bytes(line) {
            *response.status_mut() = status;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len() - 1);
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = Bytes::copy_from_slice(data);
    decode::<PutImage>(&response);
    decode::<CreateImage>(&response);
    decode::<GetTenantToken>(&response);
    decode::<GetStoreTenantToken>(&response);
    decode::<GetAppToken>(&response);
    decode::<ResendAppTicket>(&response);
    decode::<WriteSheetImage>(&response);
    decode::<SendImage>(&response);
    decode::<ReplyImage>(&response);
    decode::<WithLogId<'_, WriteSheetImage>>(&response);
    decode::<Raw<Value>>(&response);
    download::<GetImage>(&response);
    download::<DownloadMedia>(&response);
    spreadsheets(&response);
    secrets::secrets_are_hidden(&response);
}

/// Decodes the reply of an endpoint, and checks the result.
pub(crate) fn decode<E: Endpoint>(response: &Response<Bytes>) {
    #[derive(Deserialize)]
    struct Envelope {
        code: Option<Value>,
        // An endpoint that does not read a field does not check that it is UTF-8.
        tenant_access_token: Option<IgnoredAny>,
        app_access_token: Option<IgnoredAny>,
    }
    let Err(error) = E::decode(response.clone()) else {
        let envelope: Envelope = serde_json::from_slice(response.body()).unwrap();
        match envelope.code {
            Some(code) => assert_eq!(code, 0, "a success with the code of an error"),
            None => {
                let token = envelope.tenant_access_token.or(envelope.app_access_token);
                assert!(token.is_some(), "a success without a code");
            }
        }
        return;
    };
    check_error(&error);
}

/// Decodes the replies of the endpoints of spreadsheets, and checks the results.
pub(crate) fn spreadsheets(response: &Response<Bytes>) {
    decode::<QuerySheets>(response);
    decode::<GetWikiNode>(response);
    decode::<ReadCells>(response);
    decode::<AddDimension>(response);
    decode::<UpdateDimension>(response);
    if let Ok(sheets) = QuerySheets::decode(response.clone()) {
        for sheet in sheets.iter() {
            assert!(!sheet.title.contains(char::is_control), "{sheet:?}");
            assert!(sheets.by_id(sheet.id.as_str()).is_some());
        }
    }
    if let Ok(cells) = ReadCells::decode(response.clone()) {
        assert!(!format!("{cells:?}").contains(char::is_control), "{cells:?}");
        by_place(&cells, response.body());
    }
}

/// Checks that the cells are where the reply has them, and that all other cells are empty.
fn by_place(cells: &Cells, body: &[u8]) {
    assert_eq!(cells.first(), cells.get(0, 0));
    assert!(cells.iter().map(|(place, _)| place).is_sorted());
    for ((row, column), content) in cells.iter() {
        assert!(cells.get(row, column) == content && *content != CellContent::Empty);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(rows) = body["data"]["valueRange"]["values"].as_array() else { return };
    let mut filled = 0;
    for (row, values) in (0..).zip(rows) {
        for (column, value) in (0..).zip(values.as_array().into_iter().flatten()) {
            let content = cells.get(row, column);
            filled += usize::from(*content != CellContent::Empty);
            let is_plain =
                |text: &&str| text.len() < 100 && text.bytes().all(|b| b.is_ascii_graphic());
            match value.as_str().filter(is_plain) {
                Some("") => assert_eq!(*content, CellContent::Empty),
                Some(text) => assert_eq!(*content, CellContent::Text(text.to_owned())),
                None => assert!(!value.is_null() || *content == CellContent::Empty),
            }
        }
        assert_eq!(*cells.get(row, u32::MAX), CellContent::Empty);
    }
    assert_eq!(cells.iter().count(), filled, "a cell that the reply does not have");
}

/// Decodes a download, which is an error, or the body as it is with a name that is no path.
pub(crate) fn download<E: Endpoint<Output = Download>>(response: &Response<Bytes>) {
    let file = match E::decode(response.clone()) {
        Ok(file) => file,
        Err(error) => return check_error(&error),
    };
    assert!(file.bytes == response.body() && !file.bytes.is_empty());
    let shown = format!("{file:?} {:?}", Reply::new(response.clone()));
    assert_eq!(shown.matches(&format!("{} bytes", file.bytes.len())).count(), 2, "{shown}");
    assert!(shown.len() < 2048 && !shown.contains(char::is_control), "{shown}");
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    assert!(
        json.is_none_or(|json| json["code"].as_i64().is_none()),
        "a JSON envelope is returned as a file"
    );
    if let Some(name) = &file.file_name {
        assert!((1..=255).contains(&name.len()) && !name.starts_with('.'), "{name:?}");
        assert!(!name.contains(['/', '\\', ':']) && !name.contains(char::is_control), "{name:?}");
    }
    assert!(file.content_type.is_none_or(|text| !text.contains(char::is_control)));
}

/// Checks the text and the advice of an error.
fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "control characters in {text:?}");
    // The longest are 32 violations of each kind, with up to three texts of 1 KiB each.
    assert!(text.len() < 128 * 1024, "an error of {} bytes", text.len());
    if let Advice::Again { after: Some(after) } = error.advice() {
        assert!(after <= Duration::from_secs(24 * 60 * 60), "a wait of {after:?}");
    }
    errors::check(error, &text);
}
