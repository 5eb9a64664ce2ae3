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
    App, AppTicket, Authorizes, Call, Endpoint, Failure, Invalid, Limits, Session, Site, Step,
    TenantKey, TenantToken,
};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::collect::collect;
use crate::error::CallError;
use crate::frames::{Frames, Pulled};

/// A client of one site, acting as one app, over a service that sends a request and gives its reply. Clones share
/// its tokens and its lanes.
///
/// What it decides on its own:
/// * Tokens are fetched, renewed before they end and replaced when they are refused; one call does it, the others
///   go on or wait. Calls are sent again within [`Limits`]; writes on one spreadsheet go one after the other; when
///   the service tells a call to wait, the others to the same route wait with it.
/// * A reply is read up to 1 MiB ([`Client::with_reply_limit`]).
/// * Everything ends with the call's limits, however long the service takes.
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
    reply_limit: u64,
}

struct Shared {
    session: Mutex<Session>,
    /// A call has moved: the parked look again.
    moved: Notify,
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
    /// [`Failure::Transport`], into which its bodies' error converts; a ready one is
    /// [`TransportError`](crate::TransportError). A service that cannot be cloned goes into an [`Arc`].
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
            moved: Notify::new(),
            clock: Clock::new(timer),
        };
        let (limits, reply_limit) = (Limits::default(), 1 << 20);
        Self { service, shared: Arc::new(shared), tenant: None, limits, reply_limit }
    }

    /// The same client, reading replies of up to `bytes` bytes.
    #[must_use]
    pub fn with_reply_limit(self, bytes: u64) -> Self {
        Self { reply_limit: bytes, ..self }
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
        self.shared.moved.notify_waiters();
    }

    /// The token at hand as text, to be kept over a restart; it is a secret. See [`Session::export_token`].
    #[must_use]
    pub fn export_token(&self) -> Option<String> {
        self.shared.step(|session, now| session.export_token(now, self.tenant.as_ref()))
    }

    /// Takes over a token that was exported.
    ///
    /// # Errors
    /// As [`Session::import_token`]; the client then fetches a token when it needs one.
    pub fn import_token(&self, text: &str) -> Result<(), Invalid> {
        let take =
            |session: &mut Session, now| session.import_token(now, self.tenant.as_ref(), text);
        let imported = self.shared.step(take);
        self.shared.moved.notify_waiters();
        imported
    }
}

impl<S, B> Client<S>
where
    S: Service<Request<Frames>, Response = Response<B>>,
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
        let call = {
            let session = self.shared.lock();
            match self.tenant.clone() {
                Some(tenant) => session.call_in(tenant, endpoint),
                None => session.call(endpoint),
            }
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
        let call = self.shared.lock().call_as(token, endpoint);
        self.run(call).await
    }

    /// Does what `call` says until it is done.
    async fn run<E: Endpoint>(
        &self,
        call: Call<'_, E, S::Error>,
    ) -> Result<E::Output, CallError<S::Error>> {
        let shared = &*self.shared;
        // Each state has keys of its own.
        let call = call.limits(self.limits).jitter(RandomState::new().hash_one(()));
        let mut driven = Driven { call, shared };
        let call = &mut driven.call;
        loop {
            // It hears what moves from here on, also before it is awaited.
            let moved = shared.moved.notified();
            let step = shared.step(|session, now| call.next(session, now));
            if let Step::Park(time) = step {
                let _ = shared.clock.timeout(time, moved).await;
                continue;
            }
            shared.moved.notify_waiters();
            match step {
                Step::Send { request, within } => {
                    let request = request.map(Frames::from);
                    let pulled = Closing(request.body().pulled());
                    let outcome = shared.clock.timeout(within, self.send(request)).await;
                    shared.step(|session, now| match outcome.unwrap_or(Err(Failure::Deadline)) {
                        Ok(reply) => call.received(session, now, reply),
                        Err(failure) => call.broken(session, now, failure, pulled.0.close()),
                    });
                    shared.moved.notify_waiters();
                }
                Step::Wait(time) => shared.clock.sleep(time).await,
                Step::Done(outcome) => return outcome,
                Step::Park(_) => {}
            }
        }
    }

    /// Sends a request and receives its reply, whatever the status.
    async fn send(&self, request: Request<Frames>) -> Result<Response<Bytes>, Failure<S::Error>> {
        let reply = self.service.call(request).await.map_err(Failure::Transport)?;
        let (head, body) = reply.into_parts();
        match collect(body, self.reply_limit).await {
            Ok(Some(body)) => Ok(Response::from_parts(head, body)),
            Ok(None) => Err(Failure::TooLarge { limit: self.reply_limit }),
            Err(error) => Err(Failure::Transport(error.into())),
        }
    }
}

impl Shared {
    /// Moves the session at the time that it is, read while it is held. Never across an await.
    fn step<T>(&self, take: impl FnOnce(&mut Session, SystemTime) -> T) -> T {
        let mut session = self.lock();
        let now = self.clock.now();
        take(&mut session, now)
    }

    /// A panic elsewhere leaves the session whole: none of its methods panics half-way.
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way. Dropped, with the future that drives it or by a panic in the service, it lets go of what it
/// holds.
struct Driven<'a, 'e, E: Endpoint, T> {
    call: Call<'e, E, T>,
    shared: &'a Shared,
}

impl<E: Endpoint, T> Drop for Driven<'_, '_, E, T> {
    fn drop(&mut self) {
        self.call.cancel(&mut self.shared.lock());
        self.shared.moved.notify_waiters();
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
