//! The client, which carries out the steps of a call.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hyper::rt::Timer;
use lark_proto::endpoints::{GetWikiNode, QuerySheets, Quota, Sheets, WikiNode};
#[cfg(doc)]
use lark_proto::error::CallErrorKind;
#[cfg(feature = "tokio")]
use lark_proto::network::ClientBuilder;
use lark_proto::place::{Ask, Located, Place, Resolve};
use lark_proto::session::{Call, Session};
use lark_proto::token::{Authorizes, TenantOrUser};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Endpoint, Invalid, Limits, Site, TenantToken};

use crate::call::{self, Shared};
use crate::clock::Clock;
use crate::error::CallError;
use crate::exchange::Transport;
use crate::shared_session::SharedSession;
use crate::token_requests::TokenRequests;

/// Defines the client, whose default service exists only with the feature `tokio`.
macro_rules! client {
    ($($default:tt)*) => {
        /// A client of one site, acting as one app, over a service that sends a request and returns its reply. Clones
        /// share the session, with its tokens, lanes and rate limits.
        ///
        /// [`Client::call`] does everything around the request that [`Call`] lists: it gets the token, waits, and sends
        /// the request again within [`Limits`]. In addition, this client behaves as follows:
        /// * It keeps a token request when the call that sent it is dropped or goes on with the older token: the calls
        ///   of the client, running or later, poll the request further, for at most a minute. Nothing is spawned.
        /// * A request that is sent again after a broken connection has [`FreshConnection`](crate::FreshConnection) in
        ///   its extensions.
        /// * It reads a reply up to the endpoint's [limit](Endpoint::reply_limit), or up to that of
        ///   [`Client::with_reply_limit`].
        ///
        /// The future of a call may be dropped at any time: the call leaves every queue, and the rest of its body is
        /// not sent. A future that is kept without being polled keeps its place in its lane. Futures are `Send` if the
        /// service, its futures and bodies, the endpoint and the errors are.
        ///
        /// The code of an endpoint, of a waker and of a `tracing` subscriber may call the client, and so may the drop
        /// of what a service puts into a reply or an error: none of it runs while the client holds a lock.
        ///
        /// With the feature `tracing` each request, refusal, failure and wait of a call is an event of the `tracing`
        /// crate, with the route, the code and the log id, and never with a secret.
        #[derive(Clone)]
        #[doc(alias = "feishu")]
        #[doc(alias = "飞书")]
        pub struct Client<S: Transport $($default)*> {
            service: S,
            shared: Arc<Shared<S>>,
            tenant: Option<TenantKey>,
            limits: Limits,
            reply_limit: Option<u64>,
            /// `None` stands for a new random number in each call.
            jitter: Option<u64>,
        }
    };
}

#[cfg(feature = "tokio")]
client!(= crate::Pool);
#[cfg(not(feature = "tokio"))]
client!();

#[cfg(feature = "tokio")]
impl Client {
    /// A client that connects directly, without the environment's proxy, on tokio. Otherwise it has the default
    /// settings of [`Client::builder`].
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        Self::with_service(site, app, crate::Pool::new(), hyper_util::rt::TokioTimer::new())
    }

    /// The settings of a client: proxy, certificates, user agent, timeouts, limits. Without a setting for the proxy,
    /// the environment's is used ([`Proxy::from_env`](lark_proto::network::Proxy::from_env)).
    ///
    /// ```no_run
    /// use lark_hyper::Client;
    /// use lark_proto::{App, Site};
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
}

impl<S: Transport> Client<S> {
    /// A client over the caller's service. A request has an absolute URI, no `host` header, and a body as long as
    /// its `content-length` says. The service's error is the `T` of [`CallErrorKind::Transport`]: it has to be an
    /// [`Error`](std::error::Error), and the error of a reply's body has to convert into it.
    /// [`TransportError`](crate::TransportError) serves for most services, including those with boxed errors. Wrap a
    /// service that cannot be cloned in an [`Arc`].
    ///
    /// The service sets its own timeouts, for example by the [`Timeouts`](lark_proto::session::Timeouts) in a request's
    /// extensions; the limits of a call bound all of its requests. The client uses `timer` for its waits and limits.
    /// The wall clock is read once, in this function: where the timer's time is paused or virtual, so is the client's.
    ///
    /// A token request can be polled by a call on another runtime than the one that began it. A service whose futures
    /// panic there, as a tokio timer does after its runtime has ended, needs a client for each runtime.
    ///
    /// Here a service around the pool adds the header that a gateway in front of the site requires. For your own
    /// connections, use [`Pool::with_connector`](crate::Pool::with_connector).
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use http::{HeaderValue, Request};
    /// use hyper::service::{Service, service_fn};
    /// use hyper_util::rt::TokioTimer;
    /// use lark_hyper::{Client, Pool, RequestBody};
    /// use lark_proto::{App, Site};
    ///
    /// let pool = Pool::new();
    /// let service = service_fn(move |mut request: Request<RequestBody>| {
    ///     let key = HeaderValue::from_static("k");
    ///     request.headers_mut().insert("x-gateway-key", key);
    ///     pool.call(request)
    /// });
    /// let site = Site::custom("https://gw.corp.example/feishu")?;
    /// let app = App::custom("cli_a1b2", "secret")?;
    /// let client = Client::with_service(site, app, service, TokioTimer::new());
    /// # }
    /// # Ok::<(), lark_proto::Invalid>(())
    /// ```
    #[must_use]
    pub fn with_service(
        site: Site,
        app: App,
        service: S,
        timer: impl Timer + Send + Sync + 'static,
    ) -> Self {
        Self::from_session(Session::new(site, app), service, timer)
    }

    pub(crate) fn from_session(
        session: Session,
        service: S,
        timer: impl Timer + Send + Sync + 'static,
    ) -> Self {
        let session = Arc::new(SharedSession::new(session, Clock::new(timer)));
        let shared = Shared { session, token_requests: TokenRequests::new() };
        Self {
            service,
            shared: Arc::new(shared),
            tenant: None,
            limits: Limits::default(),
            reply_limit: None,
            jitter: None,
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

    /// The same client, whose calls all have this random part of the backoff, so that a test in virtual time can assert
    /// how long a call takes. See [`Call::with_jitter`].
    #[must_use]
    pub fn with_jitter(self, jitter: u64) -> Self {
        Self { jitter: Some(jitter), ..self }
    }

    /// The same client of a store app, whose calls are for `tenant`. The clients of all tenants share the app's token.
    #[must_use]
    pub fn for_tenant(self, tenant: TenantKey) -> Self {
        Self { tenant: Some(tenant), ..self }
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
        self.shared
            .session
            .with(|session, now| session.export_token(now, now, self.tenant.as_ref()))
    }

    /// Imports a token that was exported.
    ///
    /// # Errors
    /// As [`Session::import_token`]; the client then fetches a token when it needs one.
    pub fn import_token(&self, text: &str) -> Result<(), Invalid> {
        self.shared
            .session
            .with(|session, now| session.import_token(now, now, self.tenant.as_ref(), text))
    }
}

impl<S: Transport> Client<S> {
    /// Calls `endpoint` with the app's tenant access token.
    ///
    /// # Errors
    /// [`CallErrorKind::NoApp`] for a client without an app; [`CallErrorKind::NoTenant`] and
    /// [`CallErrorKind::NoTicket`] for a store app; [`CallErrorKind::ForeignTenant`] for a custom app and a tenant;
    /// [`CallErrorKind::TokenRequest`] if a token request of another call failed; otherwise the errors of
    /// [`Client::call_as`], for the token request or for the request of `endpoint`; the error's route tells which.
    pub async fn call<E: Endpoint>(&self, endpoint: &E) -> Result<E::Output, CallError<S::Error>>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        self.run(self.limits, self.app_call(endpoint)).await
    }

    /// Calls `endpoint` with a token that the caller supplies, which is never renewed.
    ///
    /// # Errors
    /// [`CallErrorKind::Lark`] if the service refuses the request or its reply cannot be read;
    /// [`CallErrorKind::TooLarge`]; [`CallErrorKind::Transport`]; [`CallErrorKind::Deadline`] and
    /// [`CallErrorKind::Queued`] if the deadline passes; [`CallErrorKind::Invalid`] if the endpoint's path is invalid,
    /// as that of a [`Raw`](lark_proto::endpoints::Raw) can be.
    pub async fn call_as<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, CallError<S::Error>> {
        self.run(self.limits, Call::with_token(token, endpoint)).await
    }

    /// Finds the cell that a person named by a link and a title. See [`Place`].
    ///
    /// This takes up to two calls, which share one deadline, that of [`Limits::total`]; the other limits are those of
    /// each call.
    ///
    /// # Errors
    /// [`CallErrorKind::Invalid`] with the reason why there is no such place, and those of [`Client::call`] for the
    /// requests to the service.
    pub async fn resolve(&self, place: &Place) -> Result<Located, CallError<S::Error>> {
        self.resolve_by(place, |get| self.app_call(get), |query| self.app_call(query)).await
    }

    /// As [`Client::resolve`], with a token that the caller supplies.
    ///
    /// # Errors
    /// The errors of [`Client::resolve`].
    pub async fn resolve_as(
        &self,
        token: &impl Authorizes<TenantOrUser>,
        place: &Place,
    ) -> Result<Located, CallError<S::Error>> {
        let node = |get: &GetWikiNode| Call::with_token(token, get);
        self.resolve_by(place, node, |query| Call::with_token(token, query)).await
    }

    /// Finds the cell with the calls that `node` and `sheets` make.
    async fn resolve_by(
        &self,
        place: &Place,
        node: impl Fn(&GetWikiNode) -> Call<WikiNode, S::Error>,
        sheets: impl Fn(&QuerySheets) -> Call<Sheets, S::Error>,
    ) -> Result<Located, CallError<S::Error>> {
        let clock = &self.shared.session.clock;
        let mut resolve = Resolve::new(place);
        let start = clock.now();
        loop {
            let spent = clock.now().duration_since(start).unwrap_or_default();
            let limits = self.limits.after(spent);
            match resolve.next().map_err(CallError::invalid)? {
                Ask::Node(get) => resolve.node(self.run(limits, node(&get)).await?),
                Ask::Sheets(query) => resolve.sheets(self.run(limits, sheets(&query)).await?),
                Ask::Done(found) => return Ok(*found),
            }
        }
    }

    /// A call with the app's tenant access token.
    fn app_call<E: Endpoint>(&self, endpoint: &E) -> Call<E::Output, S::Error>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        match self.tenant.clone() {
            Some(tenant) => Call::for_tenant(tenant, endpoint),
            None => Call::new(endpoint),
        }
    }

    /// Carries out the steps of `call` until it is done, which is at the end of `limits` at the latest.
    async fn run<O>(
        &self,
        limits: Limits,
        call: Call<O, S::Error>,
    ) -> Result<O, CallError<S::Error>> {
        // Each `RandomState` has keys of its own, so the hash differs from call to call.
        let jitter = self.jitter.unwrap_or_else(|| RandomState::new().hash_one(()));
        let call = call.with_limits(limits).with_jitter(jitter);
        let call = if cfg!(feature = "tracing") { call.with_events() } else { call };
        call::run(&self.service, &self.shared, self.reply_limit, call).await
    }
}

impl<S: Transport> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("session", &self.shared.session)
            .field("tenant", &self.tenant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
