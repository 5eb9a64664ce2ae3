//! The methods by which a test sets up the fake, asks for failures, and reads the stored state.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;

use super::FakeLark;
use crate::fake::failures::{Failure, FailureTarget, Fault};
use crate::fake::gateway::TokenKind;
use crate::fake::record::RecordedRequest;
use crate::fake::route::Route;
use crate::fake::services::{
    AddedRoute, FakeSheet, ImageKind, RouteRequest, Spreadsheet, StoredCell, StoredImage,
    StoredMessage, upload,
};

impl FakeLark {
    /// Adds sheets with these ids to a spreadsheet, as [`FakeSheet::new`] creates them. A spreadsheet that does not
    /// exist is created, and a sheet that exists is not changed.
    pub fn add_spreadsheet(&mut self, token: &str, sheets: &[&str]) {
        self.spreadsheets.entry(token.to_owned()).or_default().add_sheets(sheets);
    }

    /// Adds a sheet after the others of a spreadsheet, which is created if it does not exist. A sheet with the same id
    /// is replaced, and its place and its cells are kept.
    pub fn add_sheet(&mut self, spreadsheet: &str, sheet: FakeSheet) {
        self.spreadsheets.entry(spreadsheet.to_owned()).or_default().add_sheet(sheet);
    }

    /// Puts text into a cell, for example `Q7PlXT!A1`, in place of its content. Nothing happens if the spreadsheet does
    /// not have that cell.
    pub fn set_text(&mut self, spreadsheet: &str, cell: &str, text: &str) {
        if let Some(spreadsheet) = self.spreadsheets.get_mut(spreadsheet) {
            spreadsheet.set_text(cell, text);
        }
    }

    /// Adds a page of a wiki. Its token is `node`, and it shows the document with the token `obj_token`. The kind of
    /// the document is `obj_type`, for example `sheet`.
    pub fn add_wiki_node(&mut self, node: &str, obj_type: &str, obj_token: &str) {
        self.wiki.add(node, obj_type, obj_token);
    }

    /// Adds a group with the bot as a member. A message to a group without the bot is refused.
    pub fn add_chat(&mut self, id: &str) {
        self.messages.add_chat(id);
    }

    /// Adds an image as an upload would, and returns its key. Every app may use the image.
    pub fn add_image(&mut self, kind: ImageKind, bytes: impl Into<Bytes>) -> String {
        let (key, _) = upload::key(Route::ImV1Images, self.images_added);
        self.images_added = self.images_added.saturating_add(1);
        let image = StoredImage {
            kind,
            bytes: bytes.into(),
            file_name: "image.png".to_owned(),
            content_type: None,
            app_id: None,
        };
        self.images.insert(key.clone(), image);
        key
    }

    /// Makes `token` valid until `expires`. For a token that exists, this sets a new expiry time.
    pub fn add_token(&mut self, kind: TokenKind, token: &str, expires: SystemTime) {
        self.tokens.add(kind, token, expires);
    }

    /// Revokes every token of `kind`, whether the fake issued it or a test added it.
    pub fn revoke_tokens(&mut self, kind: TokenKind) {
        self.tokens.revoke(kind);
    }

    /// Revokes every tenant access token. The next request with one of them is refused with 99991663.
    pub fn revoke_token(&mut self) {
        self.revoke_tokens(TokenKind::Tenant);
    }

    /// Issues new tokens from now on, which expire after `life` in place of two hours. Their replies name that time. A
    /// life that ends later than any time of the system counts as two hours.
    pub fn expire_in(&mut self, life: Duration) {
        self.tokens.expire_in(life);
    }

    /// Refuses cell writes in base64 with HTTP 400 from now on, as some tenants are reported to do.
    pub fn refuse_base64(&mut self) {
        self.refuses_base64 = true;
    }

    /// Allows `per_second` requests to `route` in each second. The gateway refuses the others: 99991400 with HTTP 429,
    /// `x-ogw-ratelimit-limit` and `x-ogw-ratelimit-reset`.
    ///
    /// The windows begin at the full seconds of the fake's time. All apps and tenants share them.
    pub fn rate_limit(&mut self, route: Route, per_second: u32) {
        self.rate_limits.set(route, per_second);
    }

    /// Adds an endpoint. Its requests need a valid tenant or user access token.
    ///
    /// If several endpoints match a request, the last one that was added answers. An added endpoint comes before the
    /// fake's own endpoints. With a route of the fake's own, for example [`Route::WikiNode`], the closure replaces the
    /// fake's answer and its checks, except for that of the token.
    ///
    /// The closure gets each admitted request, and returns the `data` of the reply or a [`Fault`]. It can keep its
    /// state in an `Arc<Mutex<..>>`, which clones of the fake share. Failures, counts and rate limits name the endpoint
    /// by the same [`Route`]:
    ///
    /// ```
    /// use lark_proto::endpoints::Raw;
    /// use lark_proto::fake::{FakeLark, Fault, Route};
    /// use lark_proto::http::Method;
    /// use lark_proto::{EndpointExt, Site, TenantToken};
    /// use serde_json::{Value, json};
    /// # use lark_proto::fake::TokenKind;
    /// # use std::time::{Duration, UNIX_EPOCH};
    ///
    /// const PATH: &str = "/open-apis/bitable/v1/apps/:app_token/tables";
    /// const TABLES: Route = Route::Own { method: "POST", path: PATH };
    ///
    /// let mut lark = FakeLark::new();
    /// lark.add_route(TABLES, |request| {
    ///     let table: Value = request.json()?;
    ///     match table["name"].as_str() {
    ///         Some(name) => {
    ///             let app = request.value("app_token");
    ///             Ok(json!({"app": app, "name": name}))
    ///         }
    ///         None => Err(Fault::code(400, 1254001, "WrongRequestBody")),
    ///     }
    /// });
    /// # lark.add_token(TokenKind::Tenant, "t-7f1b", UNIX_EPOCH + Duration::from_secs(60));
    /// let create = Raw::<Value>::new(Method::POST, PATH)
    ///     .segment("bascnabc")
    ///     .with_json(&json!({"name": "Photos"}))?;
    /// let request = create.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
    /// let table = Raw::<Value>::decode(lark.handle(UNIX_EPOCH, request))?;
    /// assert_eq!(table, json!({"app": "bascnabc", "name": "Photos"}));
    /// assert_eq!(lark.count(TABLES), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_route<R: Serialize>(
        &mut self,
        route: Route,
        answer: impl Fn(&RouteRequest<'_>) -> Result<R, Fault> + Send + Sync + 'static,
    ) {
        self.set_route(AddedRoute::new(route, true, answer));
    }

    /// Adds an endpoint whose requests need no token. Otherwise this method is the same as
    /// [`add_route`](Self::add_route).
    pub fn add_open_route<R: Serialize>(
        &mut self,
        route: Route,
        answer: impl Fn(&RouteRequest<'_>) -> Result<R, Fault> + Send + Sync + 'static,
    ) {
        self.set_route(AddedRoute::new(route, false, answer));
    }

    fn set_route(&mut self, added: AddedRoute) {
        self.added_routes.retain(|known| known.route != added.route);
        self.added_routes.push(added);
    }

    /// Installs the store app in the tenant of this key.
    pub fn add_tenant(&mut self, key: &str) {
        self.apps.tenants.insert(key.to_owned());
    }

    /// The current ticket of the store app, which a request for its app access token needs. The service pushes the
    /// ticket in an event each hour, and when the app asks for it.
    #[must_use]
    pub fn app_ticket(&self) -> &str {
        &self.apps.ticket
    }

    /// Replaces the ticket of the store app. The old one is refused with 10012 from now on.
    pub fn renew_app_ticket(&mut self) {
        self.apps.renew_ticket();
    }

    /// Queues a failure, a [`Fault`] or a [`ConnectionFault`](crate::fake::ConnectionFault), for the next request to
    /// any endpoint.
    ///
    /// A request takes its failure when its head arrives: the oldest one in the queue that is for its route.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};
    ///
    /// let mut lark = FakeLark::new();
    /// // The first cell write gets another reply, and the second one none.
    /// lark.fail_next_on(Route::ValuesImage, Fault::PlainNotFound);
    /// lark.fail_next_on(Route::ValuesImage, ConnectionFault::AfterBody);
    /// // The next other request that is not a token request gets a slow reply.
    /// lark.fail_next_call(ConnectionFault::SlowReply(Duration::from_secs(20)));
    /// ```
    pub fn fail_next(&mut self, failure: impl Into<Failure>) {
        self.failures.push(FailureTarget::Any, failure.into());
    }

    /// Queues a failure for the next request that is not a token request.
    pub fn fail_next_call(&mut self, failure: impl Into<Failure>) {
        self.failures.push(FailureTarget::Calls, failure.into());
    }

    /// Queues a failure for the next request to `route`.
    pub fn fail_next_on(&mut self, route: Route, failure: impl Into<Failure>) {
        self.failures.push(FailureTarget::Route(route), failure.into());
    }

    /// Has a closure choose the failure of each request that takes none from the queue. It replaces an earlier closure.
    ///
    /// `choose` is called when the head of a request arrives, with the route and the number of the request on that
    /// route, counted from 1 as [`begun`](Self::begun) does. Here every third cell write is lost:
    ///
    /// ```
    /// use lark_proto::fake::{ConnectionFault, FakeLark, Route, TokenKind};
    /// use lark_proto::{
    ///     EndpointExt, Image, Site, TenantToken, WriteSheetImage,
    /// };
    /// # use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let mut lark = FakeLark::new();
    /// lark.fail_when(|route, number| {
    ///     let is_lost = route == Route::ValuesImage && number % 3 == 0;
    ///     is_lost.then_some(ConnectionFault::BeforeBody.into())
    /// });
    /// # let now = UNIX_EPOCH;
    /// # lark.add_token(TokenKind::Tenant, "t-7f1b", now + Duration::from_secs(60));
    /// let token = TenantToken::new("t-7f1b")?;
    /// let sheet = FakeLark::SPREADSHEET.parse()?;
    /// let cell = "Q7PlXT!C3".parse()?;
    /// let write = WriteSheetImage::new(sheet, cell, Image::new("GIF89a..")?)?;
    /// let lost = [1, 2, 3, 4, 5, 6].map(|_| {
    ///     let request = write.request(&Site::LARK, &token);
    ///     lark.exchange(now, request).is_err()
    /// });
    /// assert_eq!(lost, [false, false, true, false, false, true]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_when(
        &mut self,
        choose: impl Fn(Route, usize) -> Option<Failure> + Send + Sync + 'static,
    ) {
        self.failures.choose(choose);
    }

    /// Serves the endpoints below `path`, for example `/feishu`, as a reverse proxy does, and answers any other path
    /// with 404. The client needs a [`Site::custom`](crate::Site::custom) with the same path.
    pub fn set_base_path(&mut self, path: &str) {
        let path = path.trim_matches('/');
        self.base_path = if path.is_empty() { String::new() } else { format!("/{path}") };
    }

    /// The image stored under `key`.
    #[must_use]
    pub fn image(&self, key: &str) -> Option<&StoredImage> {
        self.images.get(key)
    }

    /// Every stored image with its key.
    pub fn images(&self) -> impl Iterator<Item = (&str, &StoredImage)> {
        self.images.entries().iter().map(|(key, image)| (key.as_str(), image))
    }

    /// Removes every stored image, and returns them with their keys. No later image gets one of these keys. A test that
    /// runs for hours bounds the memory of the fake with this and with [`forget_requests`](Self::forget_requests).
    ///
    /// ```
    /// use lark_proto::fake::{FakeLark, ImageKind};
    ///
    /// let mut lark = FakeLark::new();
    /// let key = lark.add_image(ImageKind::Message, "GIF89a..");
    /// let images = lark.take_images();
    /// assert_eq!(images[&key].bytes, "GIF89a..");
    /// assert!(lark.image(&key).is_none());
    /// ```
    pub fn take_images(&mut self) -> BTreeMap<String, StoredImage> {
        self.images.take()
    }

    /// A sheet, by its id.
    #[must_use]
    pub fn sheet(&self, spreadsheet: &str, id: &str) -> Option<&FakeSheet> {
        self.spreadsheets.get(spreadsheet)?.sheet(id)
    }

    /// Every message that was sent, in the order of sending.
    ///
    /// Of several requests with the same uuid within an hour, the fake carries out the first. The replies to the others
    /// describe the same message; see the [guesses](crate::fake#guesses).
    pub fn messages(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.sent()
    }

    /// The image in a cell, which is named by its address, `Q7PlXT!H7`, or by its range, `Q7PlXT!H7:H7`.
    #[must_use]
    pub fn cell(&self, spreadsheet: &str, cell: &str) -> Option<&StoredCell> {
        self.spreadsheets.get(spreadsheet)?.cell(cell)
    }

    /// Every cell of `spreadsheet` that holds an image, with its range.
    pub fn cells(&self, spreadsheet: &str) -> impl Iterator<Item = (&str, &StoredCell)> + use<'_> {
        let cells = self.spreadsheets.get(spreadsheet).map(Spreadsheet::cells);
        cells.into_iter().flatten().map(|(range, cell)| (range.as_str(), cell))
    }

    /// The requests that were answered so far, in the order of the replies; beyond
    /// [`MAX_RECORDS`](Self::MAX_RECORDS) only the latest ones.
    #[must_use]
    pub fn requests(&self) -> &[RecordedRequest] {
        self.records.all()
    }

    /// The requests to `route` that were answered so far.
    pub fn requests_to(&self, route: Route) -> impl Iterator<Item = &RecordedRequest> {
        self.requests().iter().filter(move |seen| seen.route == Some(route))
    }

    /// Keeps at most `max` of the answered requests, of the images, of the messages and of the issued tokens, in place
    /// of [`MAX_RECORDS`](Self::MAX_RECORDS) each. Beyond them, the oldest one is dropped: the fake then answers as if
    /// the image, the message or the token did not exist. An image has at most 10 MiB.
    ///
    /// ```
    /// use lark_proto::fake::{FakeLark, ImageKind};
    ///
    /// let mut lark = FakeLark::new();
    /// lark.set_max_records(2);
    /// let keys = ["GIF89a1", "GIF89a2", "GIF89a3"]
    ///     .map(|image| lark.add_image(ImageKind::Message, image));
    /// assert!(lark.image(&keys[0]).is_none());
    /// assert!(lark.image(&keys[1]).is_some());
    /// ```
    pub fn set_max_records(&mut self, max: usize) {
        self.records.set_max(max);
        self.images.set_max(max);
        self.messages.set_max(max);
        self.tokens.set_max(max);
    }

    /// Drops the records of the requests that were answered so far: [`requests`](Self::requests) lists only later ones,
    /// and [`count`](Self::count) and [`RecordedRequest::attempt`] count only those. The numbers of
    /// [`begun`](Self::begun) go on, and no later reply gets a log id of an earlier one.
    pub fn forget_requests(&mut self) {
        self.records.forget();
    }

    /// How many requests to `route` have begun so far. In contrast to [`count`](Self::count), a request whose
    /// connection broke before its body was complete counts too.
    #[must_use]
    pub fn begun(&self, route: Route) -> usize {
        self.begun.get(&route).copied().unwrap_or_default()
    }

    /// How many requests to `route` were answered so far, or since [`forget_requests`](Self::forget_requests). Requests
    /// beyond [`MAX_RECORDS`](Self::MAX_RECORDS), which are no longer listed, count too.
    #[must_use]
    pub fn count(&self, route: Route) -> usize {
        self.records.answered(route)
    }
}
