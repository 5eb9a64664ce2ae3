//! Values of requests.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use http::Uri;
use lark_proto::endpoints::{AppTicketEvent, DownloadMedia, GetImage, Path};
use lark_proto::error::InvalidKind;
use lark_proto::network::Proxy;
use lark_proto::session::Session;
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileToken, ImageFormat, MessageId, MessageUuid, Receiver, SheetId,
    SpreadsheetToken, TenantKey, WikiToken,
};
use lark_proto::{
    App, Endpoint, Image, ImageKey, Invalid, SheetCell, Site, SpreadsheetLink, TenantToken,
    UserToken,
};
use serde_json::json;

use crate::requests::requests;

/// Makes every value of any text. No constructor panics, the printed form of a value parses to the same value, and no
/// value leaves its place in a request.
///
/// The input is the text.
pub fn values(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    prints_itself::<Site>(text);
    prints_itself::<SheetCell>(text);
    prints_itself::<SheetId>(text);
    prints_itself::<FileToken>(text);
    prints_itself::<ImageKey>(text);
    prints_itself::<MessageId>(text);
    prints_itself::<MessageUuid>(text);
    prints_itself::<Receiver>(text);
    prints_itself::<SpreadsheetToken>(text);
    prints_itself::<WikiToken>(text);
    prints_itself::<SpreadsheetLink>(text);
    if let Ok(link) = text.parse::<SpreadsheetLink>() {
        let token = text.parse::<SpreadsheetToken>();
        assert_eq!(token.ok(), Some(link.token().clone()).filter(|_| link.sheet().is_none()));
        assert!(link.cell().is_none_or(|cell| Some(cell.sheet()) == link.sheet()));
    }
    if let Ok(cell) = text.parse::<SheetCell>() {
        let at = SheetCell::at(cell.sheet().clone(), cell.column(), cell.row());
        assert_eq!(at.as_ref(), Ok(&cell));
        assert_eq!(SheetCell::in_sheet(cell.sheet().clone(), cell.cell()), at);
    }
    if let Ok(key) = text.parse::<ImageKey>() {
        assert_eq!(key.as_str(), text);
        assert_eq!(GetImage::new(key).path().check(), Ok(()), "{text:?}");
    }
    let media = DownloadMedia::new("boxcn".parse().unwrap()).with_extra(text);
    assert!(media.is_err() || media.is_ok_and(|media| media.path().check().is_ok()), "{text:?}");
    if let Ok(site) = Site::insecure(text) {
        let uri: Uri = site.as_str().parse().unwrap();
        let port = uri.port_u16().unwrap_or(if site.is_https() { 443 } else { 80 });
        assert_eq!((uri.host(), port), (Some(site.host()), site.port()), "{site}");
        assert_eq!(uri.path().trim_end_matches('/'), site.base_path());
        assert_eq!(Site::insecure(site.as_str()), Ok(site));
    }
    if let Ok(proxy) = Proxy::new(text) {
        let scheme = if proxy.is_socks5() { "socks5" } else { "http" };
        let bare = Proxy::new(&format!("{scheme}://{}:{}", proxy.host(), proxy.port())).unwrap();
        assert_eq!((bare.host(), bare.port()), (proxy.host(), proxy.port()));
        let shown = format!("{bare:?}").replace("://", "://***@");
        assert!(proxy.credentials().is_none() || format!("{proxy:?}") == shown);
    }
    if let Ok(image) = Image::new(data.to_vec()) {
        assert_eq!(image.format(), ImageFormat::sniff(data));
    }
    let app = AppId::new(text).and_then(|_| AppSecret::new(text));
    assert_eq!(App::custom(text, text).is_ok(), app.is_ok());

    let filled = Path::new("/a/:b").segment(text).query(text, text).to_string();
    assert_eq!(filled.parse::<Uri>().unwrap().path().matches('/').count(), 2, "{filled}");
    let uri = format!("{}{}", Site::LARK, Path::new(text).segment(text));
    assert_eq!(uri.parse::<Uri>().unwrap().host(), Some("open.larksuite.com"), "{uri}");
    requests(text);
    secrets(text, data);
}

/// A word that no text of an error has.
const MARK: &str = "Zebra7";

/// Makes every secret of any text. A valid one is kept as it is.
fn secrets(text: &str, data: &[u8]) {
    match TenantKey::new(text) {
        Ok(key) => assert_eq!(key.as_str(), text),
        Err(error) => assert_eq!(error.kind(), InvalidKind::BadTenantKey),
    }
    if let Ok(ticket) = AppTicket::new(text) {
        assert_eq!(ticket.expose_secret(), text);
    }
    if let Ok(event) = AppTicketEvent::parse(data, "v") {
        assert!(text.contains("app_ticket") || text.contains("\\u"), "{event:?}");
    }
    let mut session = Session::new(Site::LARK, App::custom("cli", "s").unwrap());
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    if session.import_token(now, now, None, text) == Ok(()) {
        let kept = session.export_token(now, now, None).unwrap();
        assert_eq!(session.import_token(now, now, None, &kept), Ok(()), "{kept}");
    }
    for error in secret_errors(&format!("{MARK}{text}")).into_iter().flatten() {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(MARK), "{shown}");
    }
}

/// The errors of the constructors whose errors must not quote their text, which is the secret or an event with secrets.
fn secret_errors(text: &str) -> [Option<Invalid>; 9] {
    let event = |token: &str, app_id: &str, ticket: &str| {
        let event = json!({"type": "app_ticket", "app_id": app_id, "app_ticket": ticket});
        let event = json!({"token": token, "event": event}).to_string();
        AppTicketEvent::parse(event.as_bytes(), "v").err()
    };
    let mut session = Session::new(Site::LARK, App::custom("cli", "s").unwrap());
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    [
        AppSecret::new(text).err(),
        AppTicket::new(text).err(),
        TenantToken::new(text).err(),
        UserToken::new(text).err(),
        AppTicketEvent::parse(text.as_bytes(), "v").err(),
        event(text, "cli", "ticket"),
        event("v", text, "ticket"),
        event("v", "cli", text),
        session.import_token(now, now, None, text).err(),
    ]
}

/// Checks that the printed form of a value parses to the same value.
fn prints_itself<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert_eq!(printed.parse().ok(), Some(value), "{text:?} is printed as {printed:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_quotes_its_text_shows_the_mark() {
        let error = AppId::new(&format!("{MARK} and more")).unwrap_err();
        assert!(error.to_string().contains(MARK), "{error}");
    }
}
