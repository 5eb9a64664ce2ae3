//! A strict Lark in memory, without I/O, to test clients against: the endpoints of this crate, and the [`scenarios`] that
//! every client has to get through.
//!
//! ```text
//!  head arrives        body complete
//!  begin(now, head) -> InFlight -> finish(now, flight, body) -> http::Response
//!                         |
//!                         +--> abandon(flight)
//!                              the connection broke: nothing is carried out
//!
//!  handle(now, request) = begin + finish
//! ```
//!
//! It reads requests with parsers of its own, so that it does not share a mistake with the encoders, and its
//! refusals say in `msg` what is wrong and where. It knows no clock, randomness, socket or lock:
//! the same calls get the same replies, byte for byte. A server that has bytes and no HTTP library reads
//! requests and writes replies with [`http1`].

mod apps;
mod auth;
mod connection;
mod dimension;
mod download;
mod failure;
mod fault;
mod header;
pub mod http1;
mod json;
mod messages;
mod multipart;
mod range;
mod reply;
mod route;
pub mod scenarios;
mod sheet;
mod tab;
mod upload;
mod wiki;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, request};
use serde_json::json;

pub use self::auth::TokenKind;
pub use self::connection::{Connection, Step};
pub use self::failure::{Break, Failure};
pub use self::fault::Fault;
pub use self::messages::StoredMessage;
pub use self::route::Route;
pub use self::sheet::StoredCell;
pub use self::tab::FakeSheet;
pub use self::upload::{ImageKind, StoredImage};

use self::apps::Apps;
use self::auth::Tokens;
use self::failure::Failures;
use self::messages::Messages;
use self::reply::{Answer, Refusal, Reply};
use self::route::Target;
use self::sheet::Spreadsheet;
use self::wiki::Wiki;

/// A Lark in memory, with a custom app, a store app in one tenant, one spreadsheet and one page of a wiki to begin with.
///
/// Requests go in through [`handle`](Self::handle), or through [`begin`](Self::begin) and
/// [`finish`](Self::finish) where they may overlap in time. A test reads back what they wrote with
/// [`image`](Self::image) and [`cell`](Self::cell). All apps and tenants share the same spreadsheets; an image is
/// downloaded by the app that uploaded it.
#[derive(Clone, Debug)]
pub struct FakeLark {
    apps: Apps,
    tokens: Tokens,
    images: BTreeMap<String, StoredImage>,
    messages: Messages,
    spreadsheets: BTreeMap<String, Spreadsheet>,
    wiki: Wiki,
    failures: Failures,
    seen: Vec<RecordedRequest>,
}

/// A request whose head has arrived and whose body has not. A cell write occupies its spreadsheet.
#[derive(Debug)]
#[must_use = "give it to `finish` or `abandon`, or its spreadsheet stays occupied"]
pub struct InFlight {
    target: Option<Target>,
    headers: HeaderMap,
    admitted: Result<(), Refusal>,
    failure: Option<Failure>,
}

impl InFlight {
    /// How the connection is to fail, if a test asked for it. The fake has no connections: the server or transport
    /// around it has to obey.
    #[must_use]
    pub fn breaks(&self) -> Option<Break> {
        match self.failure {
            Some(Failure::Break(how)) => Some(how),
            _ => None,
        }
    }
}

/// One answered request, as [`FakeLark::requests`] remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The endpoint, or `None` where method or path were wrong.
    pub route: Option<Route>,
    /// The token that came as `Authorization: Bearer ..`.
    pub token: Option<String>,
    /// The status of the reply.
    pub status: StatusCode,
    /// The `code` of the reply, 0 for success; `None` where the reply is no JSON of the fake's own.
    pub code: Option<i64>,
    /// The log id of the reply.
    pub log_id: Option<String>,
}

impl FakeLark {
    /// The `app_id` that gets a tenant access token.
    pub const APP_ID: &str = "cli_a1b2c3d4e5f6a7b8";
    /// The `app_secret` that belongs to [`APP_ID`](Self::APP_ID): 32 characters.
    pub const APP_SECRET: &str = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4";
    /// The `app_id` of the store app.
    pub const STORE_APP_ID: &str = "cli_9f8e7d6c5b4a3f2e";
    /// The `app_secret` that belongs to [`STORE_APP_ID`](Self::STORE_APP_ID).
    pub const STORE_APP_SECRET: &str = "c3RvcmVzdG9yZXN0b3Jlc3RvcmVzdG9y";
    /// The ticket that the store app was pushed first; see [`app_ticket`](Self::app_ticket).
    pub const APP_TICKET: &str = "ticket-9f8e7d6c5b4a3f2e";
    /// The tenant that has the store app installed from the start.
    pub const TENANT_KEY: &str = "736588c9260f175d";
    /// The token of the spreadsheet that exists from the start.
    pub const SPREADSHEET: &str = "shtcngNygNfuqhxTBf588jwgWbJ";
    /// The id of that spreadsheet's one sheet.
    pub const SHEET: &str = "Q7PlXT";
    /// The token of the wiki's page that shows [`SPREADSHEET`](Self::SPREADSHEET).
    pub const WIKI_NODE: &str = "wikcnKQ1k3pcuo5uSK4t8Vabcef";

    /// The group that the bot is in from the start.
    pub const CHAT: &str = "oc_5ad11d72b830411d72b836c20";
    /// The open id of the one user.
    pub const OPEN_ID: &str = "ou_7d8a6e6df7621556ce0d21922b676706ccs";
    /// The union id of the user.
    pub const UNION_ID: &str = "on_94a1ee5551019f18cd73d9f111898cf2";
    /// The user id of the user.
    pub const USER_ID: &str = "4c87bec3";
    /// The mail address of the user.
    pub const EMAIL: &str = "tom@example.com";

    /// A Lark with [`APP_ID`](Self::APP_ID), [`STORE_APP_ID`](Self::STORE_APP_ID),
    /// [`SPREADSHEET`](Self::SPREADSHEET), [`SHEET`](Self::SHEET) and [`WIKI_NODE`](Self::WIKI_NODE), no token issued
    /// and nothing written.
    #[must_use]
    pub fn new() -> Self {
        let mut fake = Self {
            apps: Apps::default(),
            tokens: Tokens::default(),
            images: BTreeMap::new(),
            messages: Messages::default(),
            spreadsheets: BTreeMap::new(),
            wiki: Wiki::default(),
            failures: Failures::default(),
            seen: Vec::new(),
        };
        fake.add_spreadsheet(Self::SPREADSHEET, &[Self::SHEET]);
        fake.add_wiki_node(Self::WIKI_NODE, "sheet", Self::SPREADSHEET);
        fake
    }

    /// Adds a spreadsheet with these ids of sheets, or the sheets that a spreadsheet lacks, as [`FakeSheet::new`] makes
    /// them.
    pub fn add_spreadsheet(&mut self, token: &str, sheets: &[&str]) {
        self.spreadsheets.entry(token.to_owned()).or_default().add_sheets(sheets);
    }

    /// Adds a sheet behind the others of a spreadsheet, which is made if need be. A sheet with the same id is replaced
    /// and keeps its place and its cells.
    pub fn add_sheet(&mut self, spreadsheet: &str, sheet: FakeSheet) {
        self.spreadsheets.entry(spreadsheet.to_owned()).or_default().add_sheet(sheet);
    }

    /// Puts text into a cell, such as `Q7PlXT!A1`, in place of what is there. A cell that the spreadsheet does not have
    /// is passed over.
    pub fn set_text(&mut self, spreadsheet: &str, cell: &str, text: &str) {
        if let Some(spreadsheet) = self.spreadsheets.get_mut(spreadsheet) {
            spreadsheet.set_text(cell, text);
        }
    }

    /// Adds a page of a wiki: `node` is its token, and the other two are the kind (such as `sheet`) and the token of
    /// the document behind it.
    pub fn add_wiki_node(&mut self, node: &str, obj_type: &str, obj_token: &str) {
        self.wiki.add(node, obj_type, obj_token);
    }

    /// Adds a group that the bot is in. To the bot, any other group does not exist.
    pub fn add_chat(&mut self, id: &str) {
        self.messages.add_chat(id);
    }

    /// Adds an image as if it had been uploaded, by any app, and returns its key.
    pub fn add_image(&mut self, kind: ImageKind, bytes: impl Into<Bytes>) -> String {
        let (key, _) = upload::key(Route::ImV1Images, self.images.len());
        let file_name = "image.png".to_owned();
        let (bytes, content_type, app_id) = (bytes.into(), None, None);
        let image = StoredImage { kind, bytes, file_name, content_type, app_id };
        self.images.insert(key.clone(), image);
        key
    }

    /// Makes `token` valid until `expires`.
    ///
    /// For a token that exists this moves its end: a time that has passed revokes it.
    pub fn add_token(&mut self, kind: TokenKind, token: &str, expires: SystemTime) {
        self.tokens.add(kind, token, expires);
    }

    /// Revokes every token of `kind`, those handed out by the fake among them.
    pub fn revoke_tokens(&mut self, kind: TokenKind) {
        self.tokens.revoke(kind);
    }

    /// Installs the store app in the tenant of this key.
    pub fn add_tenant(&mut self, key: &str) {
        self.apps.tenants.insert(key.to_owned());
    }

    /// The ticket that the store app's token takes at present. The service pushes it in an event each hour, and after a
    /// resend.
    #[must_use]
    pub fn app_ticket(&self) -> &str {
        &self.apps.ticket
    }

    /// Makes another ticket the valid one. The one before is answered with 10012.
    pub fn renew_app_ticket(&mut self) {
        self.apps.renew_ticket();
    }

    /// Queues a failure, a [`Fault`] or a [`Break`], for the next request to any endpoint.
    ///
    /// Each request takes the oldest failure in the queue that is meant for it, when its head arrives.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lark_proto::fake::{Break, FakeLark, Fault, Route};
    ///
    /// let mut lark = FakeLark::new();
    /// // The first write, the second write, and the next call.
    /// lark.fail_next_on(Route::ValuesImage, Fault::PlainNotFound);
    /// lark.fail_next_on(Route::ValuesImage, Break::AfterBody);
    /// lark.fail_next_call(Break::SlowReply(Duration::from_secs(20)));
    /// ```
    pub fn fail_next(&mut self, failure: impl Into<Failure>) {
        self.failures.push(failure.into());
    }

    /// Queues a failure for the next request that does not ask for a token.
    pub fn fail_next_call(&mut self, failure: impl Into<Failure>) {
        self.failures.push_for_calls(failure.into());
    }

    /// Queues a failure for the next request to `route`.
    pub fn fail_next_on(&mut self, route: Route, failure: impl Into<Failure>) {
        self.failures.push_on(route, failure.into());
    }

    /// Answers a request that arrived whole, over a connection that does not break.
    pub fn handle(
        &mut self,
        now: SystemTime,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let (head, body) = request.into_parts();
        let flight = self.begin(now, &head);
        self.finish(now, flight, &body)
    }

    /// Takes a request's head: its token is checked now, and a cell write occupies its spreadsheet.
    ///
    /// A cell write that begins while another occupies the spreadsheet will be answered with 90217,
    /// because one document takes only serial calls. A write that will be answered with a queued [`Fault`]
    /// occupies it too; one whose token is refused does not.
    pub fn begin(&mut self, now: SystemTime, head: &request::Parts) -> InFlight {
        let target = Target::of(&head.method, &head.uri);
        let (admitted, failure) = match &target {
            None => (Ok(()), None),
            Some(target) => {
                (self.admit(now, target, &head.headers), self.failures.take(target.route))
            }
        };
        InFlight { target, headers: head.headers.clone(), admitted, failure }
    }

    /// Takes the body, releases the spreadsheet and answers.
    pub fn finish(
        &mut self,
        now: SystemTime,
        flight: InFlight,
        body: &[u8],
    ) -> http::Response<Bytes> {
        let InFlight { target, headers, admitted, failure, .. } = flight;
        self.release(target.as_ref(), &admitted);
        let route = target.as_ref().map(|target| target.route);
        let log_id = reply::log_id(self.seen.len());
        let reply = match (target, failure) {
            // The edge judges the framing before anything behind it sees the request.
            _ if !header::is_framed(&headers, body.len()) => Reply::edge(StatusCode::BAD_REQUEST),
            (None, _) => Reply::not_found(),
            (Some(target), failure) => {
                let outcome = || admitted.and_then(|()| self.perform(now, &target, &headers, body));
                match failure {
                    Some(Failure::Fault(fault)) => fault.reply(outcome, &log_id),
                    _ => Reply::of(outcome(), &log_id),
                }
            }
        };
        let log_id = reply.response.headers().get("x-tt-logid");
        self.seen.push(RecordedRequest {
            route,
            token: auth::bearer(&headers).map(str::to_owned),
            status: reply.response.status(),
            code: reply.code,
            log_id: log_id.and_then(|id| id.to_str().ok()).map(str::to_owned),
        });
        reply.response
    }

    /// Gives up a request whose connection broke before its body was complete: its spreadsheet is
    /// free again, nothing is written, and [`requests`](Self::requests) does not show it.
    pub fn abandon(&mut self, flight: InFlight) {
        let InFlight { target, admitted, .. } = flight;
        self.release(target.as_ref(), &admitted);
    }

    /// The image stored under `key`.
    #[must_use]
    pub fn image(&self, key: &str) -> Option<&StoredImage> {
        self.images.get(key)
    }

    /// Every stored image with its key.
    pub fn images(&self) -> impl Iterator<Item = (&str, &StoredImage)> {
        self.images.iter().map(|(key, image)| (key.as_str(), image))
    }

    /// A sheet, by its id.
    #[must_use]
    pub fn sheet(&self, spreadsheet: &str, id: &str) -> Option<&FakeSheet> {
        self.spreadsheets.get(spreadsheet)?.sheet(id)
    }

    /// Every message that was sent, in the order of sending.
    ///
    /// Of the requests with the same uuid, to send or to reply, the fake carries out one within an hour; the others are
    /// answered as the first was. The vendor documents the hour. That the answer is the same, and that all chats share
    /// the uuids, are guesses; so are the codes for an unknown image key (230017, as for another app's and an avatar's),
    /// for a group that does not exist (230002, as for one that the bot is not in), and for a body that is no JSON
    /// (9499).
    pub fn messages(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.sent()
    }

    /// The image in a cell; `range` in its normal form, `Q7PlXT!H7:H7`.
    #[must_use]
    pub fn cell(&self, spreadsheet: &str, range: &str) -> Option<&StoredCell> {
        self.spreadsheets.get(spreadsheet)?.cells().get(range)
    }

    /// Every cell of `spreadsheet` that holds an image, with its range.
    pub fn cells(&self, spreadsheet: &str) -> impl Iterator<Item = (&str, &StoredCell)> {
        let cells = self.spreadsheets.get(spreadsheet).map(Spreadsheet::cells);
        cells.into_iter().flatten().map(|(range, cell)| (range.as_str(), cell))
    }

    /// Every request answered so far, in the order of the answers.
    #[must_use]
    pub fn requests(&self) -> &[RecordedRequest] {
        &self.seen
    }

    /// How many requests to `route` were answered so far.
    #[must_use]
    pub fn count(&self, route: Route) -> usize {
        self.seen.iter().filter(|seen| seen.route == Some(route)).count()
    }

    /// The verdict on the head alone; `Ok` for a write to a spreadsheet means that it now holds its
    /// spreadsheet.
    fn admit(
        &mut self,
        now: SystemTime,
        target: &Target,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let route = target.route;
        if route.is_auth() {
            return Ok(());
        }
        self.tokens.admit(now, headers, route.is_tenant_only())?;
        if route.is_sheet_write() {
            self.spreadsheet(target.value(0))?.occupy()?;
        }
        Ok(())
    }

    fn spreadsheet(&mut self, token: &str) -> Result<&mut Spreadsheet, Refusal> {
        let found = self.spreadsheets.get_mut(token);
        found.ok_or_else(|| Refusal::with_200(90214, "SpreadSheetNotFound"))
    }

    fn release(&mut self, target: Option<&Target>, admitted: &Result<(), Refusal>) {
        let Some(target) = target.filter(|target| target.route.is_sheet_write()) else { return };
        if let (Ok(()), Ok(spreadsheet)) = (admitted, self.spreadsheet(target.value(0))) {
            spreadsheet.release();
        }
    }

    fn perform(
        &mut self,
        now: SystemTime,
        target: &Target,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let document = match target.route {
            Route::ImV1Image => {
                let app = self.tokens.app(headers);
                return download::image(&self.images, target.value(0), app);
            }
            Route::MediaDownload => return download::media(&self.spreadsheets, target),
            Route::TenantAccessToken
            | Route::AppAccessToken
            | Route::StoreTenantAccessToken
            | Route::ResendAppTicket => {
                self.apps.perform(now, &mut self.tokens, target.route, headers, body)?
            }
            Route::ImageV4Put | Route::ImV1Images => {
                let app_id = self.tokens.app(headers);
                let image = upload::read(target.route, headers, body, app_id)?;
                let (key, msg) = upload::key(target.route, self.images.len());
                let reply = json!({"code": 0, "data": {"image_key": &key}, "msg": msg});
                self.images.insert(key, image);
                reply
            }
            Route::ValuesImage => {
                let write = json::sheet_body(headers, body)?;
                let token = target.value(0);
                self.spreadsheet(token)?.write(token, write)?
            }
            Route::Values => {
                let stubs = match target.query("valueRenderOption") {
                    None | Some("Formula" | "FormattedValue" | "UnformattedValue") => false,
                    Some("ToString") => true,
                    Some(_) => {
                        return Err(Refusal::with_200(90229, "WrongURLParam: valueRenderOption"));
                    }
                };
                let token = target.value(0);
                self.spreadsheet(token)?.values(token, target.value(1), stubs)?
            }
            Route::AddDimension => {
                let add: dimension::Add = json::sheet_body(headers, body)?;
                let change = |sheet: &mut FakeSheet| sheet.add(&add.dimension);
                self.spreadsheet(target.value(0))?.change(&add.dimension.sheet_id, change)?
            }
            Route::UpdateDimension => {
                let update: dimension::Update = json::sheet_body(headers, body)?;
                let change = |sheet: &mut FakeSheet| sheet.update(&update);
                self.spreadsheet(target.value(0))?.change(&update.dimension.sheet_id, change)?
            }
            Route::SheetsQuery => {
                let found = self.spreadsheets.get(target.value(0)).ok_or_else(|| {
                    Refusal::with_400(1310214, "Path param :spreadsheet_token is not exist")
                })?;
                found.query()
            }
            Route::WikiNode => self.wiki.node(target)?,
            Route::Messages | Route::MessageReply => {
                let app = self.tokens.app(headers);
                let request = messages::Request { now, headers, body, images: &self.images, app };
                match target.route {
                    Route::MessageReply => self.messages.reply(target.value(0), &request)?,
                    _ => self.messages.send(target.query("receive_id_type"), &request)?,
                }
            }
        };
        Ok(document.into())
    }
}

impl Default for FakeLark {
    fn default() -> Self {
        Self::new()
    }
}
