//! The client: it does what a call says until it is done.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use hyper::rt::Timer;
use hyper::service::Service;
use lark_proto::{
    App, AppTicket, Authorizes, Call, Endpoint, Failure, Invalid, Limits, Outgoing, Quota, Session,
    Site, Step, TenantKey, TenantToken,
};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::collect::collect;
use crate::error::CallError;
use crate::frames::{Frames, FreshConnection, Pulled};
use crate::permanence::permanence;

/// A client of one site, acting as one app, over a service that sends a request and gives its reply. Clones share
/// its tokens and its lanes.
///
/// What it decides on its own:
/// * Tokens are fetched, renewed before they end and replaced when they are refused; one call does it, the others
///   go on or wait. Requests are sent again within [`Limits`]; writes on one spreadsheet go one after the other; when
///   the service tells a call to wait, the others to the same route wait with it.
/// * A reply is read up to the endpoint's [limit](Endpoint::reply_limit), or to that of [`Client::with_reply_limit`].
/// * Everything ends with the call's limits, however long the service takes.
/// * After a connection broke, the request is sent again with [`FreshConnection`] in its extensions.
///
/// An endpoint's code and a waker may call the client: neither runs while the client holds a lock.
///
/// A future of [`Client::call`] may be dropped at any time: what it holds goes to the other calls, and no more of its body
/// is sent. Kept without being polled, it holds its lane and the token's fetch. It is `Send` where the service, its
/// futures and bodies, the endpoint and the errors let it be, and it never spawns anything.
#[derive(Clone)]
pub struct Client<S> {
    service: S,
    shared: Arc<Shared>,
    tenant: Option<TenantKey>,
    limits: Limits,
    reply_limit: Option<u64>,
}

struct Shared {
    session: Mutex<Session>,
    /// The session has named calls that may go on: all that wait look again.
    named: Notify,
    clock: Clock,
}

#[cfg(feature = "tokio")]
impl Client<crate::Pool> {
    /// A client with connections of its own, on tokio.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        Self::with_service(site, app, crate::Pool::new(), hyper_util::rt::TokioTimer::new())
    }
}

impl<S> Client<S> {
    /// A client over a service of the caller's, which sends what it is given: the URI is absolute, there is no `host`
    /// header, and the body is as long as its `content-length` says. Its error is the calls' `T` in
    /// [`Failure::Transport`], an [`Error`](std::error::Error) into which its bodies' error converts; a ready one, for
    /// boxed errors too, is [`TransportError`](crate::TransportError). A service that cannot be cloned goes into an
    /// [`Arc`].
    ///
    /// How long it takes to connect and to answer is its own affair; the call's limits are over all of it.
    /// Waits and limits are the timer's. It is tied to the wall clock here, once; where its time is paused or virtual,
    /// so is the client's.
    #[must_use]
    pub fn with_service(
        site: Site,
        app: App,
        service: S,
        timer: impl Timer + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            session: Mutex::new(Session::new(site, app)),
            named: Notify::new(),
            clock: Clock::new(timer),
        };
        Self {
            service,
            shared: Arc::new(shared),
            tenant: None,
            limits: Limits::default(),
            reply_limit: None,
        }
    }

    /// The same client, reading replies of up to `bytes` bytes, whatever the endpoint.
    #[must_use]
    pub fn with_reply_limit(self, bytes: u64) -> Self {
        Self { reply_limit: Some(bytes), ..self }
    }

    /// The same client, whose calls go on within `limits`. For a single call: `client.clone().with_limits(..)`.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same client of a store app, calling for the tenant `tenant`. All of them share the app's token.
    #[must_use]
    pub fn for_tenant(self, tenant: TenantKey) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// The latest ticket of a store app, as [`AppTicketEvent`](lark_proto::AppTicketEvent) reads it.
    pub fn set_app_ticket(&self, ticket: AppTicket) {
        self.shared.step(|session, _| session.set_app_ticket(ticket));
    }

    /// Keeps `quota` on `route` in place of the documented one, for all clones of the client. See
    /// [`Session::set_quota`].
    pub fn set_quota(&self, route: &str, quota: Quota) {
        self.shared.step(|session, _| session.set_quota(route, quota));
    }

    /// Whether the documented quotas are kept, for all clones of the client. See [`Session::keep_quotas`].
    pub fn keep_quotas(&self, keep: bool) {
        self.shared.step(|session, _| session.keep_quotas(keep));
    }

    /// The token at hand as text, to be kept over a restart; it is a secret. See [`Session::export_token`].
    #[must_use]
    pub fn export_token(&self) -> Option<String> {
        self.shared.step(|session, now| session.export_token(now, now, self.tenant.as_ref()))
    }

    /// Takes over a token that was exported.
    ///
    /// # Errors
    /// As [`Session::import_token`]; the client then fetches a token when it needs one.
    pub fn import_token(&self, text: &str) -> Result<(), Invalid> {
        self.shared.step(|session, now| session.import_token(now, now, self.tenant.as_ref(), text))
    }
}

impl<S, B> Client<S>
where
    S: Service<Request<Frames>, Response = Response<B>>,
    S::Error: std::error::Error + 'static,
    B: Body,
    B::Error: Into<S::Error>,
{
    /// Calls `endpoint` with the app's tenant access token.
    ///
    /// # Errors
    /// [`Failure::NoApp`] for a client without an app; [`Failure::NoTenant`] and [`Failure::NoTicket`] for a store app;
    /// else as [`Client::call_as`], for the token's request or for `endpoint`'s, as the error's route tells.
    pub async fn call<E: Endpoint>(&self, endpoint: &E) -> Result<E::Output, CallError<S::Error>>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        let call = match self.tenant.clone() {
            Some(tenant) => Call::for_tenant(tenant, endpoint),
            None => Call::new(endpoint),
        };
        self.run(call).await
    }

    /// Calls `endpoint` with a token of the caller's, which is never renewed.
    ///
    /// # Errors
    /// [`Failure::Lark`] with what the service says; [`Failure::TooLarge`]; [`Failure::Transport`];
    /// [`Failure::Deadline`].
    pub async fn call_as<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, CallError<S::Error>> {
        self.run(Call::with_token(token, endpoint)).await
    }

    /// Does what `call` says until it is done.
    async fn run<O>(&self, call: Call<'_, O, S::Error>) -> Result<O, CallError<S::Error>> {
        let shared = &*self.shared;
        // Each state has keys of its own.
        let call = call.limits(self.limits).jitter(RandomState::new().hash_one(()));
        let mut driven = Driven { call, shared };
        let call = &mut driven.call;
        loop {
            // It hears of what is named from here on, also before it is awaited.
            let named = shared.named.notified();
            match shared.step(|session, now| call.next(session, now)) {
                Step::Send(outgoing) => {
                    let within = outgoing.within;
                    let pulled = Closing(Pulled::default());
                    let exchange = self.send(outgoing, &pulled.0);
                    match shared.clock.timeout(within, exchange).await {
                        Some(Ok(reply)) => {
                            let heard = call.read(reply);
                            shared.step(|session, now| call.received(session, now, heard));
                        }
                        outcome => {
                            let failure =
                                outcome.and_then(Result::err).unwrap_or(Failure::Deadline);
                            let (pulled, permanence) = (pulled.0.close(), permanence(&failure));
                            shared.step(|session, now| {
                                call.broken(session, now, failure, pulled, permanence);
                            });
                        }
                    }
                }
                Step::Wait(time) => {
                    let _ = shared.clock.timeout(time, named).await;
                }
                Step::Done(result) => return result,
            }
        }
    }

    /// Sends a request and receives its reply, whatever the status.
    async fn send(
        &self,
        outgoing: Outgoing,
        pulled: &Pulled,
    ) -> Result<Response<Bytes>, Failure<S::Error>> {
        let mut request = outgoing.request.map(|body| Frames::counted(body, pulled));
        if outgoing.fresh_connection {
            request.extensions_mut().insert(FreshConnection);
        }
        let limit = self.reply_limit.unwrap_or(outgoing.reply_limit);
        let reply = self.service.call(request).await.map_err(Failure::Transport)?;
        let (head, body) = reply.into_parts();
        match collect(body, limit).await {
            Ok(Some(body)) => Ok(Response::from_parts(head, body)),
            Ok(None) => Err(Failure::TooLarge { limit }),
            Err(error) => Err(Failure::Transport(error.into())),
        }
    }
}

impl Shared {
    /// Uses the session at the time that it is, read while it is held, and afterwards wakes the calls that may go on.
    /// Never across an await.
    fn step<R>(&self, work: impl FnOnce(&mut Session, SystemTime) -> R) -> R {
        let mut session = self.lock();
        let now = self.clock.now();
        let result = work(&mut session, now);
        let has_named = session.woken().next().is_some();
        drop(session);
        if has_named {
            self.named.notify_waiters();
        }
        result
    }

    /// A panic elsewhere leaves the session whole: none of its methods panics half-way.
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way. Dropped, with the future that drives it or by a panic in the service, it lets go of what it
/// holds.
struct Driven<'a, 'e, O, T> {
    call: Call<'e, O, T>,
    shared: &'a Shared,
}

impl<O, T> Drop for Driven<'_, '_, O, T> {
    fn drop(&mut self) {
        let Self { call, shared } = self;
        if call.id().is_none() && call.drives().is_none() {
            return;
        }
        shared.step(|session, now| {
            call.cancel(session);
            if let Some(request) = call.drives() {
                session.token_dropped(request, now);
            }
        });
    }
}

/// A request under way. Afterwards a connection that still keeps its body sends none of it: hyper opens an HTTP/2 stream
/// that had to wait for its turn also when its call is over.
struct Closing(Pulled);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("session", &*self.shared.lock())
            .field("clock", &self.shared.clock)
            .field("tenant", &self.tenant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
