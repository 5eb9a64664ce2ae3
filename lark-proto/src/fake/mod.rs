//! A strict Lark in memory, without I/O, to test clients against: the endpoints of this crate, and the [`scenarios`]
//! that every client has to get through.
//!
//! ```text
//!  head arrives        body complete
//!  begin(now, head) -> InFlight -> finish(now, flight, body) -> http::Response
//!                         |
//!                         +--> abandon(flight)
//!                              the connection broke: nothing is carried out
//!
//!  handle(now, request) = begin + finish
//!  exchange(now, request) = the same, but for a break that a test asked for
//! ```
//!
//! It reads requests with parsers of its own, so that it does not share a mistake with the encoders, and its
//! refusals say in `msg` what is wrong and where. It knows no clock, randomness, socket or lock:
//! the same calls get the same replies, byte for byte. A server that has bytes and no HTTP library reads
//! requests and writes replies with [`http1`].
//!
//! # Guesses
//!
//! The fake answers as the vendor documents, as the vendor's own clients expect or as users report. The list below is
//! everything else: the service may answer otherwise, and a test should not rely on it.
//!
//! Requests in general:
//! * A body with `Transfer-Encoding` gets the edge's HTML page with HTTP 400. Users report that such uploads fail; the
//!   cause is inferred. [`http1`] is stricter than HTTP/1.1 because a proxy in front of the service may be as strict.
//! * Every path is served with and without a trailing slash. The service is known to do so for `image/v4/put` and for
//!   the requests for tokens.
//! * The token is judged before the path's values and the body, and before a rate limit. All apps and tenants share the
//!   windows of a [`rate_limit`](FakeLark::rate_limit).
//! * The HTTP status is 200 with the codes of spreadsheets (902xx), 10005, 10012, 10013 and 10016, and 400 with 10014
//!   for a wrong secret, 99991664, 99991671 and 99991677.
//!
//! Tokens:
//! * A store app that asks for a custom app's token gets 10005; a custom app that asks for an app access token of a
//!   store app gets 10012; an unknown tenant gets 10013.
//! * A request for a token with a `Content-Type` other than JSON gets 10003. The code is observed for a malformed body.
//! * An app access token opens no endpoint: 99991671.
//!
//! Uploads:
//! * The documented 10 MB are 10 MiB.
//! * `im/v1/images`: a malformed form, and a missing or wrong `image_type`, get 234001. The description of the field
//!   `image` with 99992402, and the order in which an upload with several mistakes is judged.
//! * `im/v1/images`: the format is judged by the signature alone, so that a truncated image is accepted, and so is an
//!   image whose width and height cannot be read. The service may refuse both. HEIC, which Lark's edition of the
//!   document does not list, is accepted. A GIF as an avatar has the limit of a GIF, 2000 x 2000 pixels.
//! * `image/v4/put`: a missing or empty file, and a file without a file name, get 11214; any other mistake gets 18033.
//!   The document gives the codes, but not for which mistake. Neither the format nor the resolution is judged.
//!
//! Downloads:
//! * A download hands out exactly the bytes that were written. The service may compress an image or convert it.
//! * An unknown key of an image gets 234001, and so does the key of an avatar.
//! * `extra` of a media download is a JSON object: 1061002 if not.
//!
//! Messages:
//! * The answer to a request with the uuid of an earlier one is that of the earlier one, and all chats share the uuids.
//! * An unknown key of an image gets 230017, as that of another app or of an avatar does; a group that does not exist
//!   gets 230002, as one that the bot is not in does; a body that is not JSON gets 9499.
//!
//! Spreadsheets and wiki:
//! * A write occupies its spreadsheet from its head on, and another write gets 90217 meanwhile. The vendor documents
//!   that one document takes one call at a time, but not the code.
//! * A cell's image has 20 MiB at most, the limit of the vendor's command-line tool, and a larger one gets 90227. Its
//!   bytes are not judged, but an empty image gets 90204.
//! * A name may end in `.webp`, which the newer edition of the document does not list.
//! * More than 4000 images, or more columns than a sheet may have, get 90226; more cells than a sheet may have get
//!   90219.
//! * A write to more than one cell, and a range whose first cell is not its upper left one, get 90202; a range of a
//!   base gets 90215; an unknown `valueRenderOption` gets 90229.
//! * A tenant that takes no base64 answers it with 90204. Reports name HTTP 400, but no code.
//! * JSON with a missing field or a field of the wrong type gets 90204.
//! * A change of the rows or columns counts in the revision.
//! * A request for a page of a wiki with an unknown `obj_type`, or with a token of more than the documented 999
//!   characters, gets 131002.

mod apps;
mod auth;
mod connection;
mod controls;
mod dimension;
mod download;
mod failure;
mod fault;
mod header;
pub mod http1;
mod json;
mod messages;
mod multipart;
mod own;
mod range;
mod rate;
mod record;
mod reply;
mod route;
pub mod scenarios;
mod sheet;
mod tab;
mod upload;
mod wiki;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{StatusCode, request};
use serde_json::json;

pub use self::auth::TokenKind;
pub use self::connection::{Connection, Step};
pub use self::failure::{Break, Failure};
pub use self::fault::Fault;
pub use self::messages::StoredMessage;
pub use self::multipart::FormPart;
pub use self::own::RouteRequest;
pub use self::record::{ImageForm, RecordedRequest};
pub use self::route::Route;
pub use self::sheet::StoredCell;
pub use self::tab::FakeSheet;
pub use self::upload::{ImageKind, StoredImage};

use self::apps::Apps;
use self::auth::Tokens;
use self::failure::Failures;
use self::messages::Messages;
use self::own::Own;
use self::rate::RateLimits;
use self::record::{Head, Records};
use self::reply::{Answer, Refusal, Reply};
use self::route::Target;
use self::sheet::Spreadsheet;
use self::wiki::Wiki;

/// A Lark in memory, with a custom app, a store app in one tenant, one spreadsheet and one page of a wiki to begin
/// with.
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
    own: Vec<Own>,
    /// Empty, or with a slash at its start and none at its end.
    base_path: String,
    failures: Failures,
    rate_limits: RateLimits,
    refuses_base64: bool,
    /// How many requests to each route have begun.
    begun: HashMap<Route, usize>,
    records: Records,
}

/// A request whose head has arrived and whose body has not. A cell write occupies its spreadsheet.
#[derive(Debug)]
#[must_use = "give it to `finish` or `abandon`, or its spreadsheet stays occupied"]
pub struct InFlight {
    target: Option<Target>,
    head: Head,
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
            own: Vec::new(),
            base_path: String::new(),
            failures: Failures::default(),
            rate_limits: RateLimits::default(),
            refuses_base64: false,
            begun: HashMap::new(),
            records: Records::default(),
        };
        fake.add_spreadsheet(Self::SPREADSHEET, &[Self::SHEET]);
        fake.add_wiki_node(Self::WIKI_NODE, "sheet", Self::SPREADSHEET);
        fake
    }

    /// Answers a request that arrived whole, over a connection that does not break: a [`Break`] that is meant for the
    /// request is used up without effect. [`exchange`](Self::exchange) obeys it.
    pub fn handle(
        &mut self,
        now: SystemTime,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let (head, body) = request.into_parts();
        let mut flight = self.begin(now, &head);
        flight.failure.take_if(|failure| matches!(failure, Failure::Break(_)));
        self.finish(now, flight, &body)
    }

    /// Carries a request and its reply over a connection that obeys a [`Break`]. Returns the reply, with the time for
    /// which it is held back, or the break that left the client without a whole reply.
    ///
    /// # Errors
    /// Any break but [`Break::SlowReply`]. With [`Break::BeforeBody`] and [`Break::DuringBody`] nothing was carried
    /// out.
    pub fn exchange(
        &mut self,
        now: SystemTime,
        request: http::Request<Bytes>,
    ) -> Result<(http::Response<Bytes>, Duration), Break> {
        let (head, body) = request.into_parts();
        let flight = self.begin(now, &head);
        let how = flight.breaks();
        if let Some(how @ (Break::BeforeBody | Break::DuringBody)) = how {
            self.abandon(flight);
            return Err(how);
        }
        let reply = self.finish(now, flight, &body);
        match how {
            None => Ok((reply, Duration::ZERO)),
            Some(Break::SlowReply(time)) => Ok((reply, time)),
            Some(how) => Err(how),
        }
    }

    /// Takes a request's head: its token is checked now, and a cell write occupies its spreadsheet.
    ///
    /// A cell write that begins while another occupies the spreadsheet will be answered with 90217,
    /// because one document takes only serial calls. A write that will be answered with a [`Fault`] of the test's
    /// occupies it too; one whose token is refused does not.
    pub fn begin(&mut self, now: SystemTime, head: &request::Parts) -> InFlight {
        let own = self.own.iter().rev().map(|own| own.route);
        let target = Target::of(&self.base_path, own, &head.method, &head.uri);
        let mut number = 0;
        let (admitted, failure) = match &target {
            None => (Ok(()), None),
            Some(target) => {
                let begun = self.begun.entry(target.route).or_default();
                *begun += 1;
                number = *begun;
                let failure = self.failures.take(target.route, number);
                (self.admit(now, target, &head.headers), failure)
            }
        };
        let head = Head {
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            time: now,
            number,
        };
        InFlight { target, head, admitted, failure }
    }

    /// Takes the body, releases the spreadsheet and answers. A reply that is held back occupies the spreadsheet until
    /// it is sent.
    pub fn finish(
        &mut self,
        now: SystemTime,
        flight: InFlight,
        body: &[u8],
    ) -> http::Response<Bytes> {
        let InFlight { target, head, admitted, failure } = flight;
        let end = match failure {
            Some(Failure::Break(Break::SlowReply(time))) => now.checked_add(time),
            _ => None,
        };
        self.release(target.as_ref(), &admitted, end);
        let route = target.as_ref().map(|target| target.route);
        let log_id = reply::log_id(self.records.all().len());
        let reply = match (target, failure) {
            // The edge judges the framing before anything behind it sees the request.
            _ if !header::is_framed(&head.headers, body.len()) => {
                Reply::edge(StatusCode::BAD_REQUEST)
            }
            (None, _) => Reply::not_found(),
            (Some(target), failure) => {
                let outcome = || {
                    admitted?;
                    let headers = &head.headers;
                    let token_kind = self.tokens.kind(headers);
                    self.perform(&RouteRequest { now, target: &target, headers, body, token_kind })
                };
                match failure {
                    Some(Failure::Fault(fault)) => fault.reply(outcome, &log_id),
                    _ => Reply::of(outcome(), &log_id),
                }
            }
        };
        let log_id = reply.response.headers().get("x-tt-logid");
        let log_id = log_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let answered = (reply.response.status(), reply.code, log_id);
        self.records.push(route, head, body, answered);
        reply.response
    }

    /// Gives up a request whose connection broke before its body was complete: its spreadsheet is
    /// free again, nothing is written, and [`requests`](Self::requests) does not show it.
    pub fn abandon(&mut self, flight: InFlight) {
        let InFlight { target, admitted, .. } = flight;
        self.release(target.as_ref(), &admitted, None);
    }

    /// The verdict on the head alone; `Ok` for a write to a spreadsheet means that it now holds its
    /// spreadsheet.
    fn admit(
        &mut self,
        now: SystemTime,
        target: &Target,
        headers: &http::HeaderMap,
    ) -> Result<(), Refusal> {
        let route = target.route;
        let own = self.own.iter().find(|own| own.route == route);
        if own.map_or(!route.is_auth(), |own| own.needs_token) {
            self.tokens.admit(now, headers, route.is_tenant_only())?;
        }
        self.rate_limits.admit(now, route)?;
        if route.is_sheet_write() {
            self.spreadsheet(target.value(0))?.occupy(now)?;
        }
        Ok(())
    }

    fn spreadsheet(&mut self, token: &str) -> Result<&mut Spreadsheet, Refusal> {
        let found = self.spreadsheets.get_mut(token);
        found.ok_or_else(|| Refusal::with_200(90214, "SpreadSheetNotFound"))
    }

    fn release(
        &mut self,
        target: Option<&Target>,
        admitted: &Result<(), Refusal>,
        end: Option<SystemTime>,
    ) {
        let Some(target) = target.filter(|target| target.route.is_sheet_write()) else { return };
        if let (Ok(()), Ok(spreadsheet)) = (admitted, self.spreadsheet(target.value(0))) {
            spreadsheet.release(end);
        }
    }

    /// Frees the spreadsheets that are occupied because a reply is held back.
    fn end_writes(&mut self) {
        self.spreadsheets.values_mut().for_each(|spreadsheet| spreadsheet.release(None));
    }

    fn perform(&mut self, request: &RouteRequest<'_>) -> Result<Answer, Refusal> {
        let RouteRequest { now, target, headers, body, .. } = *request;
        if let Some(own) = self.own.iter().find(|own| own.route == target.route) {
            return Ok(own.answer(request).map_or_else(Answer::Fault, Answer::Json));
        }
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
                let write: json::CellWrite = json::sheet_body(headers, body)?;
                if self.refuses_base64
                    && ImageForm::of(target.route, body) == Some(ImageForm::Base64)
                {
                    let msg = "WrongRequestBody: this tenant takes no image in base64";
                    return Err(Refusal::with_400(90204, msg));
                }
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
            // Answered above.
            Route::Own { .. } => return Err(Refusal::with_400(9499, "Bad Request")),
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
