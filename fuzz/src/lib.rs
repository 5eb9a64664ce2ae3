//! The fuzz targets' bodies: plain functions that panic on a finding. The fuzzer calls them with its
//! inputs, `tests/replay.rs` with the seeds.

use std::fmt::{Debug, Display};
use std::io::Read;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use lark_proto::body::{Boundary, ImageEncoding};
use lark_proto::endpoints::{
    AddDimension, AppTicketEvent, Download, DownloadMedia, GetAppToken, GetImage,
    GetStoreTenantToken, GetTenantToken, GetWikiNode, Path, QuerySheets, ReadCells, ReplyImage,
    ResendAppTicket, SendImage, UpdateDimension, WithLogId,
};
use lark_proto::error::{Advice, InvalidKind};
use lark_proto::fake::http1::{self, HEAD_LIMIT, Malformed, Requests};
use lark_proto::fake::{FakeLark, TokenKind};
use lark_proto::network::Proxy;
use lark_proto::session::{Call, Session, Step};
use lark_proto::token::{AppToken, Authorizes, NoToken};
use lark_proto::values::{
    AppId, AppSecret, AppTicket, FileName, FileToken, ImageFormat, MessageId, MessageUuid,
    Receiver, SheetId, SpreadsheetToken, TenantKey, WikiToken,
};
use lark_proto::wire::{self, Secrets};
use lark_proto::{
    App, CreateImage, Endpoint, EndpointExt, Error, Image, ImageKey, Invalid, PutImage, SheetCell,
    Site, SpreadsheetLink, TenantToken, UserToken, WriteSheetImage,
};
use serde::Deserialize;
use serde_json::Value;

/// What a target does with the fuzzer's bytes.
pub type Target = fn(&[u8]);

/// Every target, under the name of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("reply", reply),
    ("values", values),
    ("numbers", numbers),
    ("form", form),
    ("fake", fake),
    ("http1", http1),
];

/// A reply of any status, headers and body: decoding never panics, succeeds only where the body's code is 0 or a token
/// comes without one, and fails in bounded text without control characters and without the token of the request, also
/// where the body quotes it.
///
/// The input is a status and headers by line, an empty line, and the body.
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
    quoted(response);
}

/// The reply with the request's token in the middle of its body.
fn quoted(mut response: Response<Bytes>) {
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
    // A key may hold anything, and is the caller's.
    if !format!("{parsed:?}").contains("Ok(ImageKey") {
        assert!(!format!("{parsed:?}").contains(TOKEN), "{parsed:?}");
    }
}

fn decode<E: Endpoint>(response: &Response<Bytes>) {
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
    failed(&error);
}

/// The replies of the endpoints of spreadsheets.
fn spreadsheets(response: &Response<Bytes>) {
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

/// A download: the body as it is, with a name that is no path, or an error.
fn download<E: Endpoint<Output = Download>>(response: &Response<Bytes>) {
    let file = match E::decode(response.clone()) {
        Ok(file) => file,
        Err(error) => return failed(&error),
    };
    assert!(file.bytes == response.body() && !file.bytes.is_empty());
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    assert!(json.is_none_or(|json| json["code"].as_i64().is_none()), "an envelope is no file");
    if let Some(name) = &file.file_name {
        assert!((1..=255).contains(&name.len()) && !name.starts_with('.'), "{name:?}");
        assert!(!name.contains(['/', '\\', ':']) && !name.contains(char::is_control), "{name:?}");
    }
    assert!(file.content_type.is_none_or(|text| !text.contains(char::is_control)));
}

fn failed(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "control characters in {text:?}");
    // The longest are 32 violations of each kind, with up to three texts of 1 KiB each.
    assert!(text.len() < 128 * 1024, "an error of {} bytes", text.len());
    if let Advice::Again { after: Some(after) } = error.advice() {
        assert!(after <= Duration::from_secs(24 * 60 * 60), "a wait of {after:?}");
    }
}

/// Any text as any value: no constructor panics, what parses prints a form that parses to itself, and
/// in a request no value leaves its place.
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

/// Any text as the values that no error may quote, and as the texts that bring them.
fn secrets(text: &str, data: &[u8]) {
    let unquoted = |error: &Invalid| {
        let shown = error.to_string();
        // A shorter text may occur in the words of the error.
        assert!(text.len() < 60 || !shown.contains(text), "{shown}");
    };
    match TenantKey::new(text) {
        Ok(key) => assert_eq!(key.as_str(), text),
        Err(error) => assert_eq!(error.kind(), InvalidKind::BadTenantKey),
    }
    match AppTicket::new(text) {
        Ok(ticket) => assert_eq!(ticket.expose_secret(), text),
        Err(error) => unquoted(&error),
    }
    match AppTicketEvent::parse(data, "v") {
        Ok(event) => assert!(text.contains("app_ticket") || text.contains("\\u"), "{event:?}"),
        Err(error) => unquoted(&error),
    }
    let mut session = Session::new(Site::LARK, App::custom("cli", "s").unwrap());
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    match session.import_token(now, now, None, text) {
        Ok(()) => {
            let kept = session.export_token(now, now, None).unwrap();
            assert_eq!(session.import_token(now, now, None, &kept), Ok(()), "{kept}");
        }
        Err(error) => unquoted(&error),
    }
}

fn prints_itself<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert_eq!(printed.parse().ok(), Some(value), "{text:?} is printed as {printed:?}");
    }
}

/// Requests with `text` for each value that it can be, and a plain one for the others.
fn requests(text: &str) {
    let site = Site::custom(text).unwrap_or(Site::LARK);
    let tenant = TenantToken::new(text).unwrap_or_else(|_| TenantToken::new("t").unwrap());
    let user = UserToken::new(text).unwrap_or_else(|_| UserToken::new("u").unwrap());
    let id = AppId::new(text).unwrap_or_else(|_| AppId::new("cli").unwrap());
    let secret = AppSecret::new(text).unwrap_or_else(|_| AppSecret::new("s").unwrap());
    let spreadsheet: SpreadsheetToken = text.parse().unwrap_or_else(|_| "sht".parse().unwrap());
    let cell: SheetCell = text.parse().unwrap_or_else(|_| "a!A1".parse().unwrap());

    let ticket = AppTicket::new(text).unwrap_or_else(|_| AppTicket::new("x").unwrap());
    let app_token = AppToken::new(text).unwrap_or_else(|_| AppToken::new("a").unwrap());
    let key = TenantKey::new(text).unwrap_or_else(|_| TenantKey::new("k").unwrap());

    request(&GetAppToken::new(id.clone(), secret.clone(), ticket), &site, &NoToken);
    request(&GetStoreTenantToken::new(app_token, key), &site, &NoToken);
    request(&ResendAppTicket::new(id.clone(), secret.clone()), &site, &NoToken);
    request(&GetTenantToken::new(id, secret), &site, &NoToken);
    request(&QuerySheets::new(spreadsheet.clone()), &site, &user);
    request(&ReadCells::cell(spreadsheet.clone(), &cell), &site, &user);
    let corner = SheetCell::at(cell.sheet().clone(), 1, 1).unwrap();
    let range = ReadCells::range(spreadsheet.clone(), &cell, &corner).unwrap();
    request(&range, &site, &user);
    let sheet = cell.sheet().clone();
    let add = AddDimension::rows(spreadsheet.clone(), sheet.clone(), 1 + cell.row() % 5000);
    request(&add.unwrap(), &site, &user);
    let column = cell.column();
    let set = UpdateDimension::column_width(spreadsheet.clone(), sheet, column..=column, 9);
    request(&set.unwrap(), &site, &user);
    if let Ok(node) = text.parse::<WikiToken>() {
        request(&GetWikiNode::new(node), &site, &user);
    }
    if let Ok(key) = text.parse::<ImageKey>() {
        request(&GetImage::new(key), &site, &tenant);
    }
    messages(text, &site, &user);
    for image in ["GIF89a", "\u{0}\u{0}\u{1}\u{0}\u{1}\u{0}", "?"] {
        let image = Image::any_format(image, "bin").unwrap();
        request(&PutImage::avatar(image.clone()).unwrap(), &site, &tenant);
        let lossy = FileName::lossy(text, &image);
        assert_eq!(FileName::new(lossy.as_str(), &image), Ok(lossy));
        let name = FileName::new(text, &image);
        if let Ok(name) = &name {
            assert_eq!(FileName::new(name.as_str(), &image).as_ref(), Ok(name));
        }
        let write = WriteSheetImage::new(spreadsheet.clone(), cell.clone(), image);
        if let (Ok(write), Ok(name)) = (write, name) {
            let body = request(&write.with_name(text).unwrap(), &site, &user).into_body();
            let body: SheetBody = serde_json::from_slice(&body).unwrap();
            assert_eq!((body.range, body.name), (cell.to_string(), name.as_str().to_owned()));
        }
    }
}

/// A message and a reply with `text` for each value that it can be.
fn messages(text: &str, site: &Site, token: &UserToken) {
    let key = ImageKey::new(text).unwrap_or_else(|_| ImageKey::new("img").unwrap());
    let uuid = MessageUuid::new(text).unwrap_or_else(|_| MessageUuid::new("u").unwrap());
    let to = Receiver::new(text).unwrap_or_else(|_| Receiver::chat("oc_a").unwrap());
    let id = MessageId::new(text).unwrap_or_else(|_| MessageId::new("om_a").unwrap());
    let send = SendImage::new(to.clone(), key.clone(), uuid.clone());
    let reply = ReplyImage::new(id, key.clone(), uuid.clone()).in_thread(true);
    for body in [request(&send, site, token).into_body(), request(&reply, site, token).into_body()]
    {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
        assert_eq!(content["image_key"], key.as_str());
        assert_eq!(body["uuid"], uuid.as_str());
        assert!(body.get("receive_id").is_none_or(|id| id == to.id()));
    }
}

/// The request, after a look at its head: the site's, with a header by line and no line of a value's.
fn request<E: Endpoint>(
    endpoint: &E,
    site: &Site,
    token: &impl Authorizes<E::Auth>,
) -> Request<Bytes> {
    let request = endpoint.request(site, token);
    let path = request.uri().to_string().strip_prefix(site.as_str()).map(str::to_owned);
    assert!(path.is_some_and(|path| path.starts_with("/open-apis/")), "{}", request.uri());
    let head = wire::head(&request, Secrets::Shown);
    let lines = head.split(|byte| *byte == b'\n').count();
    // The request line, `Host`, the headers, the empty line and what follows it.
    assert_eq!(lines, request.headers().len() + 4);
    let curl = wire::curl(&request, "-", Secrets::default());
    assert_eq!(curl.ends_with("--data-binary '@-'\n"), !request.body().is_empty());
    reads_back(request.clone());
    let stored = wire::http1(request.clone(), Secrets::Shown);
    assert_same(&wire::parse(&stored, site).unwrap(), &request);
    request
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SheetBody<T = Value> {
    range: String,
    image: T,
    name: String,
}

/// Any image in a cell, in both encodings: JSON that reads as the image.
///
/// The input is how often the image is repeated, so that it is encoded in several pieces, and the image.
pub fn numbers(data: &[u8]) {
    let Some((times, image)) = data.split_first() else { return };
    let image = image.repeat(1 + usize::from(times % 16));
    let Ok(value) = Image::any_format(image.clone(), "bin") else { return };
    let (spreadsheet, cell) = ("sht".parse().unwrap(), "a!A1".parse().unwrap());
    let Ok(write) = WriteSheetImage::new(spreadsheet, cell, value) else { return };
    let token = UserToken::new("u").unwrap();

    let body = body(&write, &token, data.len());
    let numbers: SheetBody<Vec<u8>> = serde_json::from_slice(&body).unwrap();
    assert!(numbers.image == image && !body.contains(&b' '), "not the image's numbers");
    let body = self::body(&write.with_encoding(ImageEncoding::Base64), &token, data.len());
    let text: SheetBody<String> = serde_json::from_slice(&body).unwrap();
    assert!(text.image == base64(&image), "not the image's base64");
}

/// Base64 (RFC 4648, section 4), written bit by bit to be independent of the library's.
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

/// Any image in a form, with the derived boundary and with a given one: two parts, the boundary in
/// neither of them, and the image as it was.
///
/// The input is a boundary, a line break and the image.
pub fn form(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == b'\n');
    let (given, bytes) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let Ok(image) = Image::any_format(bytes.to_vec(), "bin") else { return };
    let put = PutImage::message(image.clone()).unwrap();
    let parts = parts(&put, &image, data.len());

    let given = std::str::from_utf8(given).ok().and_then(|given| Boundary::new(given).ok());
    let Some(boundary) = given else { return };
    let delimiter = format!("--{boundary}");
    let free = parts.iter().all(|part| split(part, delimiter.as_bytes()).len() == 1);
    let put = put.with_boundary(&boundary);
    assert_eq!(put.is_ok(), free, "{boundary:?}");
    if let Ok(put) = put {
        assert_eq!(self::parts(&put, &image, data.len()), parts);
    }
}

/// The two parts of the form, each with its headers.
fn parts(put: &PutImage, image: &Image, step: usize) -> [Vec<u8>; 2] {
    let token = TenantToken::new("t").unwrap();
    let request = put.request(&Site::LARK, &token);
    let content_type = request.headers()[CONTENT_TYPE].to_str().unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let delimiter = format!("--{}", boundary.trim_matches('"'));

    let body = [b"\r\n", &*body(put, &token, step)].concat();
    let pieces = split(&body, format!("\r\n{delimiter}").as_bytes());
    let [b"", kind, file, b"--\r\n"] = pieces[..] else { panic!("{} pieces", pieces.len()) };
    for part in [kind, file] {
        assert_eq!(split(part, delimiter.as_bytes()).len(), 1, "{delimiter} in a part");
    }
    assert!(kind == b"\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\nmessage");
    let format = image.format();
    let head = format!(
        "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image.{}\"\r\n\
         Content-Type: {}\r\n\r\n",
        format.map_or("bin", ImageFormat::extension),
        format.map_or("application/octet-stream", ImageFormat::media_type),
    );
    assert!(file.strip_prefix(head.as_bytes()) == Some(image.bytes()), "not the image");
    [kind.to_vec(), file.to_vec()]
}

/// What stands between the occurrences of `separator`.
fn split<'a>(mut text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = text.windows(separator.len()).position(|window| window == separator) {
        pieces.push(&text[..at]);
        text = &text[at + separator.len()..];
    }
    pieces.push(text);
    pieces
}

/// The body, which is as long as its `Content-Length` and the same in every view: whole, by chunks,
/// read `step` bytes at a time, and from the middle by a clone.
fn body<E: Endpoint>(endpoint: &E, token: &impl Authorizes<E::Auth>, step: usize) -> Bytes {
    let request = endpoint.request_streamed(&Site::LARK, token);
    let whole = endpoint.request(&Site::LARK, token).into_body();
    assert_eq!(request.headers()[CONTENT_LENGTH], whole.len().to_string());
    let mut body = request.into_body();
    let mut later = body.clone();

    let mut read = Vec::new();
    let (mut reader, mut buffer) = (body.clone().reader(), vec![0; step]);
    while let count @ 1.. = reader.read(&mut buffer).unwrap() {
        read.extend_from_slice(&buffer[..count]);
    }
    assert!(read == whole, "read in pieces is not the whole");

    later.advance(step);
    assert!(later.clone().into_bytes() == whole[step.min(whole.len())..], "a clone goes elsewhere");

    let mut at = 0;
    while let Some(chunk) = body.next_chunk() {
        assert!(!chunk.is_empty() && whole[at..].starts_with(&chunk), "a chunk is not the whole's");
        at += chunk.len();
        assert_eq!(body.len(), (whole.len() - at) as u64);
    }
    assert_eq!(at, whole.len());
    whole
}

/// Any requests to the fake, one after the other: it never panics, gives the same replies again, and none of
/// its replies makes a decoder panic.
///
/// The input is requests as HTTP/1.1 writes them, up to the first that [`Requests`] refuses.
pub fn fake(data: &[u8]) {
    let mut fakes = [FakeLark::new(), FakeLark::new()];
    for fake in &mut fakes {
        fake.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(9));
    }
    let mut requests = Requests::new();
    requests.push(data);
    // The limit on parts of a request keeps an input of separators alone from taking a second.
    for second in 0..20 {
        let Ok(Some(request)) = requests.request() else { return };
        let now = UNIX_EPOCH + Duration::from_secs(second);
        let [one, other] = fakes.each_mut().map(|fake| fake.handle(now, request.clone()));
        assert_eq!((one.status(), one.headers()), (other.status(), other.headers()));
        assert_eq!(one.body(), other.body());
        decode::<PutImage>(&one);
        decode::<WriteSheetImage>(&one);
        decode::<SendImage>(&one);
        decode::<GetTenantToken>(&one);
        download::<GetImage>(&one);
        spreadsheets(&one);
    }
}

/// Any bytes of a connection: pieces give the same requests and the same error as the whole, and each request is the
/// same after it is written and read again. The same bytes as a stored request are read or refused likewise.
///
/// The input is the bytes.
pub fn http1(data: &[u8]) {
    let whole = connection(data, data.len().max(1));
    for step in [1, 1 + data.len() % 61] {
        let pieces = connection(data, step);
        assert_eq!(pieces.1, whole.1, "{step} bytes at a time");
        assert_eq!(pieces.0.len(), whole.0.len());
        pieces.0.iter().zip(&whole.0).for_each(|(one, other)| assert_same(one, other));
    }
    stored(data);
    whole.0.into_iter().for_each(reads_back);
}

/// Any bytes as one stored request: `wire::parse` reads every request to Lark that `fake::http1` reads, as the same
/// request, and reads what it wrote again. An error is short and shows no control character.
fn stored(data: &[u8]) {
    let read = match wire::parse(data, &Site::LARK) {
        Ok(read) => read,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 256 && !text.contains(char::is_control), "{text:?}");
            let Ok(request) = http1::request(data) else { return };
            // `wire::parse` wants the length as it is written, without zeros before it.
            let length = request.headers().get(CONTENT_LENGTH);
            let is_odd = length.is_some_and(|length| *length != request.body().len().to_string());
            assert!(request.headers()[HOST] != "open.larksuite.com" || is_odd, "{text}");
            return;
        }
    };
    if let Ok(mut request) = http1::request(data) {
        request.headers_mut().remove(HOST);
        *request.uri_mut() = format!("{}{}", Site::LARK, request.uri()).parse().unwrap();
        assert_same(&read, &request);
    }
    let again = wire::http1(read.clone(), Secrets::Shown);
    assert_same(&wire::parse(&again, &Site::LARK).unwrap(), &read);
}

/// The requests that arrive `step` bytes at a time, and how the connection ends.
fn connection(data: &[u8], step: usize) -> (Vec<Request<Bytes>>, Result<(), Malformed>) {
    let (mut requests, mut read) = (Requests::new(), Vec::new());
    for piece in data.chunks(step) {
        requests.push(piece);
        let has_head = requests.head().is_ok_and(|head| head.is_some());
        assert!(has_head || (requests.arrived(), requests.missing()) == (0, 0));
        while let Ok(Some(request)) = requests.request() {
            read.push(request);
        }
    }
    let end = requests.end();
    if let Err(malformed) = &end {
        let text = malformed.to_string();
        assert!(text.len() < 512 && !text.contains(char::is_control), "{text:?}");
    }
    (read, end)
}

/// Checks that `fake::http1` reads the bytes that `wire::http1` writes as the same request, with its host in `Host`.
fn reads_back(request: Request<Bytes>) {
    let bytes = wire::http1(request.clone(), Secrets::Shown);
    let (mut head, body) = request.into_parts();
    // `wire` adds spaces to a head, which may make it too long.
    if bytes.len() - body.len() > HEAD_LIMIT {
        return;
    }
    if let Some(host) = head.uri.authority() {
        head.headers.insert(HOST, host.as_str().parse().unwrap());
    }
    // `007` is a length too, and `wire` writes 7.
    if let Some(length) = head.headers.get_mut(CONTENT_LENGTH) {
        *length = body.len().into();
    }
    head.uri = head.uri.path_and_query().unwrap().clone().into();
    assert_same(&http1::request(&bytes).unwrap(), &Request::from_parts(head, body));
}

fn assert_same(one: &Request<Bytes>, other: &Request<Bytes>) {
    assert_eq!((one.method(), one.uri()), (other.method(), other.uri()));
    assert_eq!(one.headers(), other.headers());
    assert!(one.body() == other.body(), "not the same body");
}
