//! Values of requests.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, Uri};
use lark_proto::endpoints::{AppTicketEvent, DownloadMedia, GetImage, Path};
use lark_proto::error::InvalidKind;
use lark_proto::network::Proxy;
use lark_proto::session::Session;
use lark_proto::token::AppToken;
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileToken, ImageFormat, MessageId, MessageUuid, Receiver, SheetId,
    SpreadsheetToken, TenantKey, WikiToken,
};
use lark_proto::{
    App, Endpoint, Image, ImageKey, Invalid, SheetCell, Site, SpreadsheetLink, TenantToken,
    UserToken,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::images::images;
use crate::readers::base64;
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
    prints_itself::<AppId>(text);
    prints_itself::<TenantKey>(text);
    token(text, TenantToken::new, |token| (token.expose_secret(), token.header_value()));
    token(text, UserToken::new, |token| (token.expose_secret(), token.header_value()));
    token(text, AppToken::new, |token| (token.expose_secret(), token.header_value()));
    if let Ok(link) = text.parse::<SpreadsheetLink>() {
        let token = text.parse::<SpreadsheetToken>();
        assert_eq!(token.ok(), Some(link.token().clone()).filter(|_| link.sheet().is_none()));
        assert!(link.cell().is_none_or(|cell| Some(cell.sheet()) == link.sheet()));
    }
    if let Ok(cell) = text.parse::<SheetCell>() {
        let at = SheetCell::at(cell.sheet().clone(), cell.column(), cell.row());
        assert_eq!(at.as_ref(), Ok(&cell));
        assert_eq!(SheetCell::in_sheet(cell.sheet().clone(), cell.cell()), at);
        neighbours(&cell, data.len());
    }
    receivers(text);
    if let Ok(key) = text.parse::<ImageKey>() {
        assert_eq!(key.as_str(), text);
        assert_eq!(GetImage::new(key).path().check(), Ok(()), "{text:?}");
    }
    let media = DownloadMedia::new("boxcn".parse().unwrap());
    let max = data.len() as u64 * 65_536;
    // An error of the service has at most 1 MiB, and has to be read.
    assert_eq!(media.clone().with_max_bytes(max).reply_limit(), max.max(1 << 20));
    let media = media.with_extra(text);
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
        authorization(&proxy);
    }
    environment(text);
    if let Ok(image) = Image::new(data.to_vec()) {
        assert_eq!(image.format(), ImageFormat::sniff(data));
    }
    images(data, text);
    let app = AppId::new(text).and_then(|_| AppSecret::new(text));
    assert_eq!(App::custom(text, text).is_ok(), app.is_ok());

    let filled = Path::new("/a/:b").segment(text).query(text, text).to_string();
    assert_eq!(filled.parse::<Uri>().unwrap().path().matches('/').count(), 2, "{filled}");
    let uri = format!("{}{}", Site::LARK, Path::new(text).segment(text));
    assert_eq!(uri.parse::<Uri>().unwrap().host(), Some("open.larksuite.com"), "{uri}");
    requests(text);
    secrets(text, data);
}

/// The last column and the last row of the largest sheet.
const LAST: (u32, u32) = (13_000, 5_000_000);

/// Moves a cell down and to the right, by a few steps, to the edge of the largest sheet and beyond it. The result is
/// the cell so many steps away, or an error exactly if the sheet ends before it.
fn neighbours(cell: &SheetCell, steps: usize) {
    let steps = u32::try_from(steps).unwrap();
    let (column, row) = (cell.column(), cell.row());
    assert!((1..=LAST.0).contains(&column) && (1..=LAST.1).contains(&row), "{cell}");
    let at = |moved: Result<SheetCell, Invalid>| {
        let moved = moved.ok().filter(|moved| moved.sheet() == cell.sheet())?;
        Some((u64::from(moved.column()), u64::from(moved.row())))
    };
    for count in [0, 1, steps, LAST.0 - column, LAST.1 - row, LAST.1 - row + 1, u32::MAX] {
        let [right, below] = [column, row].map(|from| u64::from(from) + u64::from(count));
        let expected = Some((column.into(), below)).filter(|_| below <= LAST.1.into());
        assert_eq!(at(cell.below(count)), expected, "{count} below {cell}");
        let expected = Some((right, row.into())).filter(|_| right <= LAST.0.into());
        assert_eq!(at(cell.right(count)), expected, "{count} right of {cell}");
    }
    let diagonal = cell.below(steps).and_then(|cell| cell.right(steps));
    assert_eq!(diagonal.ok(), cell.right(steps).and_then(|cell| cell.below(steps)).ok());
}

/// Makes a receiver of each kind. A constructor takes exactly the texts that [`Receiver::new`] sees as its kind, and a
/// user id is any word.
fn receivers(text: &str) {
    type New = fn(&str) -> Result<Receiver, Invalid>;
    let constructors: [(New, &str); 4] = [
        (Receiver::chat, "chat_id"),
        (Receiver::open_id, "open_id"),
        (Receiver::union_id, "union_id"),
        (Receiver::email, "email"),
    ];
    let any = Receiver::new(text).ok().filter(|any| any.as_str() == text);
    for (new, kind) in constructors {
        let expected = any.clone().filter(|any| any.id_type() == kind);
        assert_eq!(new(text).ok(), expected, "{kind} of {text:?}");
    }
    let is_word = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let user = Receiver::user_id(text).ok();
    assert_eq!(user.is_some(), is_word, "{text:?}");
    if let Some(user) = user {
        assert_eq!((user.id(), user.id_type()), (text, "user_id"));
        assert_eq!(Receiver::new(user.as_str()), Ok(user));
    }
}

/// Checks the header with the credentials, and that the error for a proxy that is not supported does not quote them.
fn authorization(proxy: &Proxy) {
    let error = proxy.unsupported();
    assert_eq!(error.kind(), InvalidKind::UnsupportedProxy);
    let Some((user, password)) = proxy.credentials() else {
        assert_eq!(proxy.authorization(), None);
        return;
    };
    let value = proxy.authorization().unwrap();
    let expected = base64(format!("{user}:{password}").as_bytes());
    assert!(value.is_sensitive() && value == format!("Basic {expected}"));
    let bare = format!("http://{}:{}", proxy.host(), proxy.port());
    assert_eq!(error, Proxy::new(&bare).unwrap().unsupported());
}

/// Reads the text as a variable of the environment. A proxy is the one that the text names, and a list of exceptions
/// takes the proxy away only if one of its entries is `*` or a domain above the site.
fn environment(text: &str) {
    let named =
        Proxy::from_env(&Site::LARK, |name| (name == "https_proxy").then(|| text.to_owned()));
    match text.trim() {
        "" => assert_eq!(named.unwrap_err().kind(), InvalidKind::EmptyProxyVariable),
        url => assert_eq!(named, Proxy::new(url).map(Some)),
    }
    let url = "http://proxy.example:3128";
    let excepted = Proxy::from_env(&Site::LARK, |name| match name {
        "no_proxy" => Some(text.to_owned()),
        "ALL_PROXY" => Some(url.to_owned()),
        _ => None,
    });
    let names_site = |entry: &str| {
        let entry = entry.trim().trim_start_matches('[').trim_end_matches(']');
        let domain = entry.trim_matches('.').to_ascii_lowercase();
        entry == "*" || ["com", "larksuite.com", "open.larksuite.com"].contains(&&*domain)
    };
    let is_listed = text.split([',', ' ', '\t']).any(names_site);
    assert_eq!(excepted, Ok(Some(Proxy::new(url).unwrap()).filter(|_| !is_listed)), "{text:?}");
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

/// Checks that the printed form of a value parses to the same value, also in JSON.
fn prints_itself<T>(text: &str)
where
    T: FromStr + TryFrom<String> + AsRef<str> + Display + Debug + PartialEq,
    T: Serialize + DeserializeOwned,
{
    let parsed = text.parse::<T>().ok();
    assert_eq!(T::try_from(text.to_owned()).ok(), parsed);
    assert_eq!(serde_json::from_value(json!(text)).ok(), parsed);
    if let Some(value) = parsed {
        let printed = value.to_string();
        assert_eq!((value.as_ref(), json!(value)), (&*printed, json!(printed)));
        assert_eq!(printed.parse().ok(), Some(value), "{text:?} is printed as {printed:?}");
    }
}

/// Checks that a token of any text is sent as it is, and that it is not shown.
fn token<T>(text: &str, new: fn(&str) -> Result<T, Invalid>, parts: fn(&T) -> (&str, HeaderValue))
where
    T: FromStr + TryFrom<String> + Debug + PartialEq,
{
    let token = new(text).ok();
    assert_eq!(
        (text.parse().ok(), T::try_from(text.to_owned()).ok()),
        (new(text).ok(), new(text).ok())
    );
    let is_token = (1..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    assert_eq!(token.is_some(), is_token, "{text:?}");
    if let Some(token) = token {
        let (secret, header) = parts(&token);
        assert!(secret == text && header.is_sensitive() && header == format!("Bearer {text}"));
        let hidden = new("another").map(|other| format!("{other:?}"));
        assert_eq!(hidden.as_ref(), Ok(&format!("{token:?}")));
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
