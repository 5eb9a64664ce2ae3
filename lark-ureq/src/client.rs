//! The client, which carries out the steps of a call.

use std::fmt;
use std::sync::Arc;

use lark_proto::endpoints::{GetWikiNode, QuerySheets, Quota, Sheets, WikiNode};
use lark_proto::network::{ClientBuilder, MAX_IDLE_CONNECTIONS};
use lark_proto::place::{Ask, Located, Place, Resolve};
use lark_proto::session::{Call, Session};
use lark_proto::token::{Authorizes, TenantOrUser};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Endpoint, Invalid, Limits, Site, TenantToken};
#[cfg(doc)]
use lark_proto::{error::CallErrorKind, session::Timeouts};

use crate::call::{self, Shared};
use crate::clock::Clock;
use crate::shared_session::SharedSession;
use crate::{CallError, builder};

/// A client of one site, acting as one app. Clones share the connections and the session, with its tokens, lanes and
/// rate limits, and any thread may use them.
///
/// [`Client::call`] does everything around the request that [`Call`] lists: it gets the token, waits, and sends the
/// request again within [`Limits`]. In addition, this client behaves as follows:
/// * One thread sends the token request for all calls. The others use the older token or wait.
/// * It reads a reply up to the endpoint's [limit](Endpoint::reply_limit), or up to that of
///   [`Client::with_reply_limit`].
/// * It follows no redirect, since the request carries a token.
/// * A phase for which the agent has no timeout gets that of [`Timeouts`]. Every phase ends at the deadline of the
///   call. There are two exceptions:
///   * ureq does not check the deadline while it writes a piece of the body. A connection that takes bytes slowly can
///     therefore delay the end of the call until it has taken that piece. A piece has 64 KiB at most; after each one
///     that takes longer than 20 ms, the next one is half as long, down to 4 KiB.
///   * Through an HTTP proxy, the lookup of the proxy's name, the connection to it, and every single read of its reply
///     to `CONNECT` may each take the whole time of the phase `connect`. A proxy that sends this reply byte by byte can
///     delay the end of the call for as long as it goes on.
/// * A successful reply that has neither a length nor chunks is an error of the transport, because ureq does not
///   distinguish a broken connection from the end of such a reply. It is read if it is empty, or if it begins with `{`
///   and ends with `}`: then the parser notices a cut.
/// * If the service answers and closes the connection while the body is still being sent, ureq reports the failed write
///   and drops the answer. The call fails with [`CallErrorKind::Transport`], and its
///   [`outcome`](lark_proto::CallError::outcome) is [`Unknown`](lark_proto::error::Outcome::Unknown).
/// * A permanent error of the transport, such as a certificate that is not trusted, an invalid proxy or a
///   plain URI where the agent requires https, ends the call at its first attempt.
///
/// The code of an endpoint and of a `tracing` subscriber may call the client, and so may the drop of what a middleware
/// puts into a reply or an error: none of it runs while the client holds a lock.
///
/// With the feature `tracing` each request, refusal, failure and wait of a call is an event of the `tracing` crate,
/// with the route, the code and the log id, and never with a secret. ureq's own output at TRACE has secrets: see
/// [Logs](crate#logs).
#[derive(Clone)]
#[doc(alias = "feishu")]
#[doc(alias = "飞书")]
pub struct Client {
    shared: Arc<Shared>,
    tenant: Option<TenantKey>,
    limits: Limits,
    reply_limit: Option<u64>,
}

impl Client {
    /// A client that connects directly, without the environment's proxy. Otherwise it has the default settings of
    /// [`Client::builder`].
    ///
    /// Without the crate's feature `tls`, its calls to an `https` site fail with [`ureq::Error::Tls`], and so do those
    /// of a client from the builder. [`Client::with_agent`] takes an agent with another implementation of TLS.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        let agent = builder::config(site.is_https(), MAX_IDLE_CONNECTIONS).build().into();
        let lacks_tls = builder::lacks_tls(&site);
        Self::from_session(Session::new(site, app), agent, lacks_tls, Clock::default())
    }

    /// The settings of a client: proxy, certificates, user agent, timeouts, limits. Without a setting for the proxy,
    /// the environment's is used ([`Proxy::from_env`](lark_proto::network::Proxy::from_env)).
    ///
    /// ```no_run
    /// use lark_proto::{App, Site};
    /// use lark_ureq::Client;
    ///
    /// let app = App::custom("cli_a1b2", "secret")?;
    /// let authority = std::fs::read("corp.pem")?;
    /// let client = Client::builder(Site::FEISHU, app).roots(&authority).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn builder(site: Site, app: App) -> ClientBuilder<Self> {
        ClientBuilder::new(site, app)
    }

    /// A client over the caller's agent, with its proxy, certificates, connector, resolver, middleware and
    /// timeouts.
    ///
    /// The client's requests override the agent's settings for HTTP statuses, redirects and compression: a reply with
    /// an HTTP 400 is read too, since its body holds Lark's reason, no redirect is followed, and no compressed reply is
    /// asked for. A timeout of the agent counts up to a day, or up to the call's deadline; where it has none, the
    /// client sets its own. The other settings are the agent's: an agent that is made without `proxy(None)` takes a
    /// proxy from the environment, by ureq's rules.
    ///
    /// Here a middleware adds the header that a gateway in front of the site requires:
    ///
    /// ```no_run
    /// use lark_proto::{App, Site};
    /// use lark_ureq::Client;
    /// use lark_ureq::ureq::middleware::MiddlewareNext;
    /// use lark_ureq::ureq::http::{HeaderValue, Request};
    /// use lark_ureq::ureq::{Agent, SendBody};
    ///
    /// let agent = Agent::config_builder()
    ///     .proxy(None)
    ///     .middleware(|mut request: Request<SendBody>, next: MiddlewareNext| {
    ///         let key = HeaderValue::from_static("k");
    ///         request.headers_mut().insert("x-gateway-key", key);
    ///         next.handle(request)
    ///     })
    ///     .build();
    /// let site = Site::custom("https://gw.corp.example/feishu")?;
    /// let app = App::custom("cli_a1b2", "secret")?;
    /// let client = Client::with_agent(site, app, agent.into());
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    #[must_use]
    pub fn with_agent(site: Site, app: App, agent: ureq::Agent) -> Self {
        Self::with_clock(site, app, agent, Clock::default())
    }

    /// A client over the caller's agent. The client uses `clock` for its waits and limits, for example a
    /// [simulated](Clock::simulated) one in a test. The agent does not use `clock`: in virtual time its transport, or
    /// a middleware such as `FakeTransport` that replaces the transport, has to wait by [`Clock::sleep`].
    #[must_use]
    pub fn with_clock(site: Site, app: App, agent: ureq::Agent, clock: Clock) -> Self {
        Self::from_session(Session::new(site, app), agent, false, clock)
    }

    pub(crate) fn from_session(
        session: Session,
        agent: ureq::Agent,
        lacks_tls: bool,
        clock: Clock,
    ) -> Self {
        let session = SharedSession::new(session, clock);
        Self {
            shared: Arc::new(Shared { agent, lacks_tls, session }),
            tenant: None,
            limits: Limits::default(),
            reply_limit: None,
        }
    }

    /// The same client, reading replies of up to `bytes` bytes, whatever the endpoint. The replies to token requests,
    /// which all clones share, have a limit of their own.
    #[must_use]
    pub fn with_reply_limit(self, bytes: u64) -> Self {
        Self { reply_limit: Some(bytes), ..self }
    }

    /// The same client, with `limits` for its calls. For a single call, use `client.clone().with_limits(..)`.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same client of a store app, whose calls are for `tenant`. The clients of all tenants share the app's token.
    #[must_use]
    pub fn for_tenant(self, tenant: TenantKey) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// Calls `endpoint` with the app's tenant access token.
    ///
    /// # Errors
    /// [`CallErrorKind::NoApp`] for a client without an app; [`CallErrorKind::NoTenant`] and
    /// [`CallErrorKind::NoTicket`] for a store app; [`CallErrorKind::ForeignTenant`] for a custom app and a tenant;
    /// [`CallErrorKind::TokenRequest`] if a token request of another call failed; otherwise the errors of
    /// [`Client::call_as`], for the token request or for the request of `endpoint`; the error's route tells which.
    pub fn call<E: Endpoint>(&self, endpoint: &E) -> Result<E::Output, CallError>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        self.run(self.limits, self.app_call(endpoint))
    }

    /// Calls `endpoint` with a token that the caller supplies, which is never renewed.
    ///
    /// # Errors
    /// [`CallErrorKind::Lark`] if the service refuses the request or its reply cannot be read;
    /// [`CallErrorKind::TooLarge`]; [`CallErrorKind::Transport`]; [`CallErrorKind::Deadline`] and
    /// [`CallErrorKind::Queued`] if the deadline passes; [`CallErrorKind::Invalid`] if the endpoint's path is invalid,
    /// as that of a [`Raw`](lark_proto::endpoints::Raw) can be.
    pub fn call_as<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, CallError> {
        self.run(self.limits, Call::with_token(token, endpoint))
    }

    /// Finds the cell that a person named by a link and a title. See [`Place`].
    ///
    /// This takes up to two calls, which share one deadline, that of [`Limits::total`]; the other limits are those of
    /// each call.
    ///
    /// ```no_run
    /// use lark_proto::place::Place;
    /// use lark_proto::{App, Image, Site, WriteSheetImage};
    ///
    /// let app = App::custom("cli_a1b2", "secret")?;
    /// let client = lark_ureq::Client::new(Site::FEISHU, app);
    /// let link = "https://x.feishu.cn/wiki/wikcnabc";
    /// let place = Place::new(link, "Price list!H7")?;
    /// let found = client.resolve(&place)?;
    /// let image = Image::new(std::fs::read("photo.png")?)?;
    /// client.call(&WriteSheetImage::new(found.spreadsheet, found.cell, image)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CallErrorKind::Invalid`] with the reason why there is no such place, and those of [`Client::call`] for the
    /// requests to the service.
    pub fn resolve(&self, place: &Place) -> Result<Located, CallError> {
        self.resolve_by(place, |get| self.app_call(get), |query| self.app_call(query))
    }

    /// As [`Client::resolve`], with a token that the caller supplies.
    ///
    /// # Errors
    /// The errors of [`Client::resolve`].
    pub fn resolve_as(
        &self,
        token: &impl Authorizes<TenantOrUser>,
        place: &Place,
    ) -> Result<Located, CallError> {
        let node = |get: &GetWikiNode| Call::with_token(token, get);
        self.resolve_by(place, node, |query| Call::with_token(token, query))
    }

    /// Finds the cell with the calls that `node` and `sheets` make.
    fn resolve_by(
        &self,
        place: &Place,
        node: impl Fn(&GetWikiNode) -> Call<WikiNode, ureq::Error>,
        sheets: impl Fn(&QuerySheets) -> Call<Sheets, ureq::Error>,
    ) -> Result<Located, CallError> {
        let clock = &self.shared.session.clock;
        let mut resolve = Resolve::new(place);
        let start = clock.elapsed();
        loop {
            let spent = clock.elapsed().saturating_sub(start);
            let limits = self.limits.after(spent);
            match resolve.next().map_err(CallError::invalid)? {
                Ask::Node(get) => resolve.node(self.run(limits, node(&get))?),
                Ask::Sheets(query) => resolve.sheets(self.run(limits, sheets(&query))?),
                Ask::Done(found) => return Ok(*found),
            }
        }
    }

    /// A call with the app's tenant access token.
    fn app_call<E: Endpoint>(&self, endpoint: &E) -> Call<E::Output, ureq::Error>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        match self.tenant.clone() {
            Some(tenant) => Call::for_tenant(tenant, endpoint),
            None => Call::new(endpoint),
        }
    }

    /// Sets the latest ticket of a store app, as [`AppTicketEvent`](lark_proto::endpoints::AppTicketEvent) reads it.
    pub fn set_app_ticket(&self, ticket: AppTicket) {
        self.shared.session.with(|session, _| session.set_app_ticket(ticket));
    }

    /// Sets the quota of `route`, in place of the documented one, for all clones of the client. See
    /// [`Session::set_quota`].
    pub fn set_quota(&self, route: &str, quota: Quota) {
        self.shared.session.with(|session, _| session.set_quota(route, quota));
    }

    /// Sets whether the client stays within the documented quotas, for all clones of the client. See
    /// [`Session::keep_quotas`].
    pub fn keep_quotas(&self, keep: bool) {
        self.shared.session.with(|session, _| session.keep_quotas(keep));
    }

    /// The current token as text, to be kept across a restart; it is a secret. See [`Session::export_token`].
    #[must_use]
    pub fn export_token(&self) -> Option<String> {
        let Self { shared, tenant, .. } = self;
        let wall = shared.session.wall();
        shared.session.with(|session, now| session.export_token(now, wall, tenant.as_ref()))
    }

    /// Imports a token that was exported.
    ///
    /// # Errors
    /// As [`Session::import_token`]; the client then fetches a token when it needs one.
    pub fn import_token(&self, text: &str) -> Result<(), Invalid> {
        let Self { shared, tenant, .. } = self;
        let wall = shared.session.wall();
        shared.session.with(|session, now| session.import_token(now, wall, tenant.as_ref(), text))
    }

    /// Carries out the steps of `call` until it is done, which is at the end of `limits` at the latest.
    fn run<O>(&self, limits: Limits, call: Call<O, ureq::Error>) -> Result<O, CallError> {
        let call = call.with_limits(limits).with_jitter(self.shared.session.clock.jitter());
        let call = if cfg!(feature = "tracing") { call.with_events() } else { call };
        call::run(&self.shared, self.reply_limit, call)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("session", &self.shared.session.lock().session)
            .field("tenant", &self.tenant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lark_proto::session::Phase;

    use super::*;

    fn builder() -> ClientBuilder<Client> {
        Client::builder(Site::LARK, App::None).no_proxy()
    }

    #[test]
    fn each_timeout_that_is_set_applies_to_its_own_phase() {
        let seconds = [1, 2, 3, 4, 5, 6].map(Duration::from_secs);
        let timeouts = [
            Phase::Resolve,
            Phase::Connect,
            Phase::SendRequest,
            Phase::SendBody,
            Phase::RecvResponse,
            Phase::RecvBody,
        ];
        let set = |builder: ClientBuilder<Client>, (phase, time)| builder.timeout(phase, time);
        let client = timeouts.into_iter().zip(seconds).fold(builder(), set).build().unwrap();
        let set = client.shared.agent.config().timeouts();
        let in_order = [
            set.resolve,
            set.connect,
            set.send_request,
            set.send_body,
            set.recv_response,
            set.recv_body,
        ];
        assert_eq!(in_order, seconds.map(Some));
    }

    #[test]
    fn a_client_has_the_limits_that_are_set() {
        let client = builder().limits(Limits::one_attempt()).reply_limit(10).build().unwrap();
        assert_eq!((client.limits, client.reply_limit), (Limits::one_attempt(), Some(10)));
    }

    #[test]
    fn a_limit_that_is_not_set_has_its_default() {
        let client = builder().build().unwrap();
        assert_eq!((client.limits, client.reply_limit), (Limits::default(), None));
    }

    #[test]
    fn a_client_shows_its_session_its_tenant_and_its_limits() {
        let app = App::store("cli_x", "hidden").unwrap();
        let session = Session::new(Site::LARK, app.clone());
        let tenant = TenantKey::new("k").unwrap();
        let client = Client::new(Site::LARK, app).for_tenant(tenant.clone());
        let limits = Limits::default();
        let tenant = Some(tenant);
        let expected = format!(
            "Client {{ session: {session:?}, tenant: {tenant:?}, limits: {limits:?}, .. }}"
        );
        assert_eq!(format!("{client:?}"), expected);
        assert!(!expected.contains("hidden"));
    }
}
