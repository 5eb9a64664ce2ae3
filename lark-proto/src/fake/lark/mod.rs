//! [`FakeLark`], which takes the head of a request, then its body, and answers.

mod controls;
mod dispatch;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, request};

use super::failures::{ConnectionFault, Failure, Failures};
use super::gateway::{RateLimits, Tokens};
use super::latest::Latest;
use super::readers::header;
use super::record::{Head, Records};
use super::reply::{self, Refusal, Reply};
use super::route::{Route, Target};
use super::services::{
    AddedRoute, Apps, Credentials, Ids, Messages, RouteRequest, Spreadsheet, StoredImage, Wiki,
};

/// A fake of Lark in memory.
///
/// A new fake has a custom app, a store app in one tenant, one spreadsheet and one page of a wiki.
///
/// [`handle`](Self::handle) answers a request. Requests that overlap in time go through [`begin`](Self::begin) and
/// [`finish`](Self::finish). A test reads the images that were written with [`image`](Self::image) and
/// [`cell`](Self::cell). All apps and tenants share the spreadsheets. An uploaded image can be downloaded only by the
/// app that uploaded it. The fake checks this only if it issued the tokens of both requests.
#[derive(Clone)]
#[doc(alias = "mock")]
#[doc(alias = "模拟")]
pub struct FakeLark {
    apps: Apps,
    tokens: Tokens,
    images: Latest<StoredImage>,
    /// How many images were stored, those that were taken included.
    images_added: usize,
    messages: Messages,
    spreadsheets: BTreeMap<String, Spreadsheet>,
    wiki: Wiki,
    added_routes: Vec<AddedRoute>,
    /// The prefix of each endpoint's path. It is empty, or has a slash at its start and no slash at its end.
    base_path: String,
    failures: Failures,
    rate_limits: RateLimits,
    refuses_base64: bool,
    /// How many requests to each route have begun.
    begun: HashMap<Route, usize>,
    records: Records,
}

/// A request whose head has arrived, and whose body has not. A cell write occupies its spreadsheet as long as it is in
/// flight.
#[must_use = "give it to `finish` or `abandon`, or its spreadsheet stays occupied"]
pub struct InFlight {
    target: Option<Target>,
    head: Head,
    admitted: Result<(), Refusal>,
    /// Whether it occupies its spreadsheet.
    is_write: bool,
    failure: Option<Failure>,
}

/// Shows the request line. A header may hold a token.
impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { method, uri, .. } = &self.head;
        f.debug_struct("InFlight").field("method", method).field("uri", uri).finish_non_exhaustive()
    }
}

/// Shows numbers. The images, the tokens and the requests of a test may be secret.
impl fmt::Debug for FakeLark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeLark")
            .field("images", &self.images.entries().len())
            .field("messages", &self.messages().count())
            .field("spreadsheets", &self.spreadsheets.len())
            .field("requests", &self.records.all().len())
            .finish_non_exhaustive()
    }
}

impl InFlight {
    /// How the connection has to fail, if a test asked for it. The fake has no connections, so the server or the
    /// transport around it has to make the connection fail.
    #[must_use]
    pub fn connection_fault(&self) -> Option<ConnectionFault> {
        match self.failure {
            Some(Failure::Connection(fault)) => Some(fault),
            _ => None,
        }
    }
}

impl FakeLark {
    /// The `app_id` of the custom app.
    pub const APP_ID: &str = "cli_a1b2c3d4e5f6a7b8";
    /// The `app_secret` that belongs to [`APP_ID`](Self::APP_ID): 32 characters.
    pub const APP_SECRET: &str = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4";
    /// The `app_id` of the store app.
    pub const STORE_APP_ID: &str = "cli_9f8e7d6c5b4a3f2e";
    /// The `app_secret` that belongs to [`STORE_APP_ID`](Self::STORE_APP_ID).
    pub const STORE_APP_SECRET: &str = "c3RvcmVzdG9yZXN0b3Jlc3RvcmVzdG9y";
    /// The first ticket of the store app; see [`app_ticket`](Self::app_ticket).
    pub const APP_TICKET: &str = "ticket-9f8e7d6c5b4a3f2e";
    /// The tenant that has installed the store app from the start.
    pub const TENANT_KEY: &str = "736588c9260f175d";
    /// The token of the spreadsheet that exists from the start.
    pub const SPREADSHEET: &str = "shtcngNygNfuqhxTBf588jwgWbJ";
    /// The id of the one sheet in [`SPREADSHEET`](Self::SPREADSHEET).
    pub const SHEET: &str = "Q7PlXT";
    /// The token of the wiki page that shows [`SPREADSHEET`](Self::SPREADSHEET).
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
    /// How many answered requests, images, messages and issued tokens a fake keeps of each, unless
    /// [`set_max_records`](Self::set_max_records) changes it.
    pub const MAX_RECORDS: usize = 10_000;

    /// A fake with [`APP_ID`](Self::APP_ID), [`STORE_APP_ID`](Self::STORE_APP_ID),
    /// [`SPREADSHEET`](Self::SPREADSHEET), [`SHEET`](Self::SHEET) and [`WIKI_NODE`](Self::WIKI_NODE), in which no token
    /// was issued and nothing was written.
    #[must_use]
    pub fn new() -> Self {
        let custom = Credentials { id: Self::APP_ID, secret: Self::APP_SECRET };
        let store = Credentials { id: Self::STORE_APP_ID, secret: Self::STORE_APP_SECRET };
        let ids = Ids {
            app_id: Self::APP_ID,
            tenant_key: Self::TENANT_KEY,
            open_id: Self::OPEN_ID,
            union_id: Self::UNION_ID,
            user_id: Self::USER_ID,
            email: Self::EMAIL,
        };
        let mut fake = Self {
            apps: Apps::new(custom, store, Self::APP_TICKET, Self::TENANT_KEY),
            tokens: Tokens::new(Self::MAX_RECORDS),
            images: Latest::new(Self::MAX_RECORDS),
            images_added: 0,
            messages: Messages::new(ids, Self::CHAT, Self::MAX_RECORDS),
            spreadsheets: BTreeMap::new(),
            wiki: Wiki::default(),
            added_routes: Vec::new(),
            base_path: String::new(),
            failures: Failures::default(),
            rate_limits: RateLimits::default(),
            refuses_base64: false,
            begun: HashMap::new(),
            records: Records::new(Self::MAX_RECORDS),
        };
        fake.add_spreadsheet(Self::SPREADSHEET, &[Self::SHEET]);
        fake.add_wiki_node(Self::WIKI_NODE, "sheet", Self::SPREADSHEET);
        fake
    }

    /// Answers a request that has arrived completely, over a connection that does not break. A [`ConnectionFault`] for
    /// the request is taken from the queue and ignored; [`exchange`](Self::exchange) obeys it.
    pub fn handle(
        &mut self,
        now: SystemTime,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let (head, body) = request.into_parts();
        let mut flight = self.begin(now, &head);
        flight.failure.take_if(|failure| matches!(failure, Failure::Connection(_)));
        self.finish(now, flight, &body)
    }

    /// Answers a request over a connection that obeys a [`ConnectionFault`]. Returns the reply, and the time for which
    /// it is held back.
    ///
    /// # Errors
    /// The client gets no complete reply, because of this fault of the connection. The request was carried out, except
    /// with [`ConnectionFault::BeforeBody`] and [`ConnectionFault::DuringBody`].
    pub fn exchange(
        &mut self,
        now: SystemTime,
        request: http::Request<Bytes>,
    ) -> Result<(http::Response<Bytes>, Duration), ConnectionFault> {
        let (head, body) = request.into_parts();
        let flight = self.begin(now, &head);
        let fault = flight.connection_fault();
        if let Some(fault @ (ConnectionFault::BeforeBody | ConnectionFault::DuringBody)) = fault {
            self.abandon(flight);
            return Err(fault);
        }
        let reply = self.finish(now, flight, &body);
        match fault {
            None => Ok((reply, Duration::ZERO)),
            Some(ConnectionFault::SlowReply(time)) => Ok((reply, time)),
            Some(fault) => Err(fault),
        }
    }

    /// Takes the head of a request. The token is checked now, and a write occupies its spreadsheet.
    ///
    /// A write that begins while another one occupies the spreadsheet will be answered with 90217, because a document
    /// takes one call at a time. A write that a test answers with a [`Fault`](crate::fake::Fault) occupies the
    /// spreadsheet too. A write whose token is refused does not.
    pub fn begin(&mut self, now: SystemTime, head: &request::Parts) -> InFlight {
        let added = self.added_routes.iter().rev().map(|added| added.route);
        let target = Target::of(&self.base_path, added, &head.method, &head.uri);
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
        let route = target.as_ref().map(|target| target.route);
        let is_write = admitted.is_ok() && route.is_some_and(|route| self.occupies(route));
        InFlight { target, head, admitted, is_write, failure }
    }

    /// Takes the body, carries the request out, and frees the spreadsheet. If the reply is held back, the spreadsheet
    /// stays occupied until the reply is sent.
    pub fn finish(
        &mut self,
        now: SystemTime,
        flight: InFlight,
        body: &[u8],
    ) -> http::Response<Bytes> {
        let InFlight { target, head, admitted, is_write, failure } = flight;
        let end = match failure {
            Some(Failure::Connection(ConnectionFault::SlowReply(time))) => now.checked_add(time),
            _ => None,
        };
        self.release(target.as_ref().filter(|_| is_write), end);
        let route = target.as_ref().map(|target| target.route);
        let log_id = reply::log_id(self.records.pushed());
        let reply = match (target, failure) {
            // The edge checks the framing before the gateway or a service gets the request.
            _ if !header::is_framed(&head.headers, body.len()) => {
                Reply::edge(StatusCode::BAD_REQUEST)
            }
            (None, _) => Reply::not_found(),
            (Some(target), failure) => {
                let outcome = || {
                    admitted?;
                    let headers = &head.headers;
                    let token_kind = self.tokens.kind(headers);
                    let request = RouteRequest { now, target: &target, headers, body, token_kind };
                    self.perform(&request, &log_id)
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

    /// Drops a request whose connection broke before its body was complete. Its spreadsheet is free again, nothing is
    /// written, and [`requests`](Self::requests) does not list the request.
    pub fn abandon(&mut self, flight: InFlight) {
        let InFlight { target, is_write, .. } = flight;
        self.release(target.as_ref().filter(|_| is_write), None);
    }

    /// Checks the token and the rate limit. A write that is admitted occupies its spreadsheet.
    fn admit(
        &mut self,
        now: SystemTime,
        target: &Target,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let route = target.route;
        let added = self.added_routes.iter().find(|added| added.route == route);
        if added.map_or(!route.is_auth(), |added| added.needs_token) {
            let is_tenant_only = added.is_none() && route.is_tenant_only();
            self.tokens.admit(now, headers, is_tenant_only)?;
        }
        self.rate_limits.admit(now, route)?;
        if self.occupies(route) {
            self.spreadsheet(target.value(0))?.occupy(now)?;
        }
        Ok(())
    }

    /// Whether a request to `route` occupies its spreadsheet. One that a test has replaced does not.
    fn occupies(&self, route: Route) -> bool {
        route.is_sheet_write() && !self.added_routes.iter().any(|added| added.route == route)
    }

    fn spreadsheet(&mut self, token: &str) -> Result<&mut Spreadsheet, Refusal> {
        let found = self.spreadsheets.get_mut(token);
        found.ok_or_else(|| Refusal::with_200(90214, "SpreadSheetNotFound"))
    }

    /// Frees the spreadsheet of a write, at `end` if there is one.
    fn release(&mut self, write: Option<&Target>, end: Option<SystemTime>) {
        let Some(write) = write else { return };
        if let Ok(spreadsheet) = self.spreadsheet(write.value(0)) {
            spreadsheet.release(end);
        }
    }

    /// Frees every spreadsheet, as if all writes had been answered and their replies sent.
    pub(crate) fn end_writes(&mut self) {
        self.spreadsheets.values_mut().for_each(|spreadsheet| spreadsheet.release(None));
    }
}

impl Default for FakeLark {
    fn default() -> Self {
        Self::new()
    }
}
