//! Replies of the service.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lark_proto::endpoints::{
    AddDimension, Download, DownloadMedia, GetImage, GetTenantToken, GetWikiNode, QuerySheets,
    ReadCells, SendImage, UpdateDimension, WithLogId,
};
use lark_proto::error::Advice;
use lark_proto::session::{Call, Session, Step};
use lark_proto::{
    App, CreateImage, Endpoint, EndpointExt, Error, Image, PutImage, Site, TenantToken,
    WriteSheetImage,
};
use serde::Deserialize;
use serde_json::Value;

/// Decodes a reply with any status, headers and body. Decoding never panics. It succeeds only if the body's code is 0,
/// or if the body has a token and no code. An error has a bounded text without control characters. It does not show the
/// token of the request, even if the body quotes it.
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
    decode::<GetTenantToken>(&response);
    decode::<WriteSheetImage>(&response);
    decode::<SendImage>(&response);
    decode::<WithLogId<'_, WriteSheetImage>>(&response);
    decode::<CreateImage>(&response);
    download::<GetImage>(&response);
    download::<DownloadMedia>(&response);
    spreadsheets(&response);
    token_is_hidden(response);
}

/// Reads the reply with the token of the request in the middle of its body. The result does not show the token.
fn token_is_hidden(mut response: Response<Bytes>) {
    const TOKEN: &str = "0aB1cD2eF3";
    let body = response.body();
    let (before, after) = body.split_at(body.len() / 2);
    *response.body_mut() = [before, TOKEN.as_bytes(), after].concat().into();
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let token = TenantToken::new(TOKEN).unwrap();
    let mut session = Session::new(Site::LARK, App::None);
    let mut call: Call<_, std::fmt::Error> = Call::with_token(&token, &put);
    let Step::Send(_) = call.next(&mut session, UNIX_EPOCH) else { panic!("nothing is sent") };
    let parsed = call.read(response);
    // An image key may hold anything, and the caller needs all of it.
    if !format!("{parsed:?}").contains("Ok(ImageKey") {
        assert!(!format!("{parsed:?}").contains(TOKEN), "{parsed:?}");
    }
}

/// Decodes the reply of an endpoint, and checks the result.
pub(crate) fn decode<E: Endpoint>(response: &Response<Bytes>) {
    #[derive(Deserialize)]
    struct Envelope {
        code: Option<Value>,
        tenant_access_token: Option<Value>,
    }
    let Err(error) = E::decode(response.clone()) else {
        let envelope: Envelope = serde_json::from_slice(response.body()).unwrap();
        match envelope.code {
            Some(code) => assert_eq!(code, 0, "a success with the code of an error"),
            None => assert!(envelope.tenant_access_token.is_some(), "a success without a code"),
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
