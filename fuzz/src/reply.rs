//! Replies of the service.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lark_proto::endpoints::{
    AddDimension, Download, DownloadMedia, GetAppToken, GetImage, GetStoreTenantToken,
    GetTenantToken, GetWikiNode, QuerySheets, Raw, ReadCells, ReplyImage, ResendAppTicket,
    SendImage, UpdateDimension, WithLogId,
};
use lark_proto::error::Advice;
use lark_proto::{CreateImage, Endpoint, EndpointExt, Error, PutImage, WriteSheetImage};
use serde::Deserialize;
use serde_json::Value;

use crate::secrets;

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
        tenant_access_token: Option<Value>,
        app_access_token: Option<Value>,
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
    }
}

/// Decodes a download, which is an error, or the body as it is with a name that is no path.
pub(crate) fn download<E: Endpoint<Output = Download>>(response: &Response<Bytes>) {
    let file = match E::decode(response.clone()) {
        Ok(file) => file,
        Err(error) => return check_error(&error),
    };
    assert!(file.bytes == response.body() && !file.bytes.is_empty());
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
}
