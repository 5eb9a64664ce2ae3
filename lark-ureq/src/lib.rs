//! A blocking client for Lark's image endpoints, on [ureq](https://docs.rs/ureq).
//!
//! Requests, replies and errors are those of [`lark_proto`]; this crate sends the one and fetches the other. It goes
//! with one minor version of ureq, whose interface for resolvers is not stable yet.
//!
//! ```no_run
//! use lark_proto::{App, Image, PutImage, Site, WriteSheetImage};
//!
//! let client = lark_ureq::Client::new(Site::LARK, App::custom("cli_x", "secret")?);
//! let image = Image::new(std::fs::read("photo.png")?)?;
//!
//! let key = client.call(&PutImage::message(image.clone())?)?;
//! let cell = WriteSheetImage::new("shtcnabc".parse()?, "Q7PlXT!H7".parse()?, image)?;
//! let written = client.call(&cell)?;
//! println!("{key} {:?}", written.range);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod trace;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use lark_proto::{
    App, AppTicket, Authorizes, Body, Call, Endpoint, Failure, Invalid, Limits, Session, Site,
    Step, TenantKey, TenantToken,
};
use ureq::unversioned::transport::DefaultConnector;

use crate::addresses::Addresses;

pub use {lark_proto, ureq};

/// Why a call failed.
pub type CallError = lark_proto::CallError<ureq::Error>;

/// A client of one site, acting as one app. Clones share its connections, its tokens and its lanes, and any
/// thread may use them.
///
/// What it decides on its own:
/// * Tokens are fetched, renewed before they end and replaced when they are refused; one thread does it, the others
///   go on or wait. Calls are sent again within [`Limits`]; writes on one spreadsheet go one after the other; when
///   the service tells a call to wait, the others to the same route wait with it.
/// * A reply is read up to 1 MiB ([`Client::with_reply_limit`]).
/// * No redirect is followed, since the request carries a token.
/// * A phase for which the agent has no timeout of its own gets one: 10 s each to find the host and to connect,
///   30 s for the head, 30 s and a second for each 64 KiB for the body, two minutes on top of that for the service
///   to answer (a cell write may take it one), 30 s for the reply's body. All of them end with the call's limits.
///
/// With the feature `tracing` each request, wait and failure is an event of the `tracing` crate, with route, attempt,
/// code and log id, and never a secret.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    tenant: Option<TenantKey>,
    limits: Limits,
    reply_limit: u64,
}

struct Shared {
    agent: ureq::Agent,
    /// Those that an agent of ours remembers.
    addresses: Addresses,
    session: Mutex<Session>,
    /// A call has moved: the parked look again.
    moved: Condvar,
    /// How many wait for that.
    parked: AtomicUsize,
}

impl Client {
    /// A client with connections of its own. Where its site is found is looked up every 15 s at most, and after a
    /// failure, not for each request.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let mut config = ureq::Agent::config_builder()
            .user_agent(agent)
            // Whatever features of ureq the rest of a build has on, the bytes stay the same.
            .accept("")
            .accept_encoding("")
            // More than the heads of up to 64 KiB that ureq takes, so that it sees that one is longer.
            .input_buffer_size(65 << 10)
            // TLS, which writes record by record, gains nothing from more.
            .output_buffer_size(32 << 10);
        if site.as_str().starts_with("http:") {
            config = config
                // A loopback site, which a proxy from the environment cannot reach and must not see.
                .proxy(None)
                // Few writes, from what still fits a processor's own cache.
                .output_buffer_size(320 << 10);
        }
        let addresses = Addresses::default();
        let connector = DefaultConnector::new();
        let agent = ureq::Agent::with_parts(config.build(), connector, addresses.clone());
        Self::over(site, app, agent, addresses)
    }

    /// A client over an agent of the caller's: its proxy, certificates, connector, resolver, middleware and timeouts.
    ///
    /// Whatever the agent does with HTTP statuses and redirects, this client's requests do as [`Client`]
    /// says: an HTTP 400 of Lark's has its reason in the body.
    #[must_use]
    pub fn with_agent(site: Site, app: App, agent: ureq::Agent) -> Self {
        Self::over(site, app, agent, Addresses::default())
    }

    fn over(site: Site, app: App, agent: ureq::Agent, addresses: Addresses) -> Self {
        let shared = Shared {
            agent,
            addresses,
            session: Mutex::new(Session::new(site, app)),
            moved: Condvar::new(),
            parked: AtomicUsize::new(0),
        };
        let (limits, reply_limit) = (Limits::default(), 1 << 20);
        Self { shared: Arc::new(shared), tenant: None, limits, reply_limit }
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

    /// Calls `endpoint` with the app's tenant access token.
    ///
    /// # Errors
    /// [`Failure::NoApp`] for a client without an app; [`Failure::NoTenant`] and [`Failure::NoTicket`] for a store app;
    /// else as [`Client::call_as`], for the token's request or for `endpoint`'s, as the error's route tells.
    pub fn call<E: Endpoint>(&self, endpoint: &E) -> Result<E::Output, CallError>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        let session = self.shared.lock();
        let call = match self.tenant.clone() {
            Some(tenant) => session.call_in(tenant, endpoint),
            None => session.call(endpoint),
        };
        drop(session);
        self.run(call)
    }

    /// Calls `endpoint` with a token of the caller's, which is never renewed.
    ///
    /// # Errors
    /// [`Failure::Lark`] with what the service says; [`Failure::TooLarge`]; [`Failure::Transport`];
    /// [`Failure::Deadline`].
    pub fn call_as<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, CallError> {
        let call = self.shared.lock().call_as(token, endpoint);
        self.run(call)
    }

    /// The latest ticket of a store app, as [`AppTicketEvent`](lark_proto::AppTicketEvent) reads it.
    pub fn set_app_ticket(&self, ticket: AppTicket) {
        self.shared.lock().set_app_ticket(ticket);
        self.shared.wake();
    }

    /// The token at hand as text, to be kept over a restart; it is a secret. See [`Session::export_token`].
    #[must_use]
    pub fn export_token(&self) -> Option<String> {
        self.shared.lock().export_token(now(), self.tenant.as_ref())
    }

    /// Takes over a token that was exported.
    ///
    /// # Errors
    /// As [`Session::import_token`]; the client then fetches a token when it needs one.
    pub fn import_token(&self, text: &str) -> Result<(), Invalid> {
        let imported = self.shared.lock().import_token(now(), self.tenant.as_ref(), text);
        self.shared.wake();
        imported
    }

    /// Does what `call` says until it is done.
    fn run<E: Endpoint>(&self, call: Call<'_, E, ureq::Error>) -> Result<E::Output, CallError> {
        // Each state has keys of its own.
        let call = call.limits(self.limits).jitter(RandomState::new().hash_one(()));
        let mut driven = Driven { call, shared: &self.shared };
        let call = &mut driven.call;
        loop {
            let mut session = self.shared.lock();
            let step = call.next(&mut session, now());
            let (route, attempt) = call.under_way(&session);
            if let Step::Park(time) = step {
                self.shared.park(session, time);
                trace::parked(route);
                continue;
            }
            drop(session);
            self.shared.wake();
            match step {
                Step::Send { request, within } => {
                    trace::send(route, attempt);
                    let outcome = self.send(request, within);
                    let mut session = self.shared.lock();
                    match outcome {
                        Ok(reply) => call.received(&mut session, now(), reply),
                        Err((failure, pulled)) => {
                            call.broken(&mut session, now(), failure, pulled);
                        }
                    }
                    drop(session);
                    self.shared.wake();
                    if let Some(trouble) = call.trouble() {
                        trace::trouble(trouble, attempt);
                    }
                }
                Step::Wait(time) => {
                    trace::wait(route, time);
                    sleep(time);
                }
                Step::Done(outcome) => {
                    trace::done(route, attempt, &outcome);
                    return outcome;
                }
                Step::Park(_) => {}
            }
        }
    }

    /// Sends a request and receives its reply, whatever the status; an error comes with the number of bytes
    /// that the transport had pulled from the body.
    fn send(
        &self,
        request: Request<Body>,
        within: Duration,
    ) -> Result<Response<Bytes>, (Failure<ureq::Error>, u64)> {
        let (head, body) = request.into_parts();
        let len = body.len();
        let mut reader = body.reader();
        // A reader of unknown length would go out chunked, also where there is nothing to read.
        let reply = match head.headers.contains_key(http::header::CONTENT_LENGTH) {
            true => self.exchange(head, ureq::SendBody::from_reader(&mut reader), len, within),
            false => self.exchange(head, ureq::SendBody::none(), len, within),
        };
        match reply {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err((Failure::TooLarge { limit: self.reply_limit }, len)),
            Err(error) => {
                self.shared.addresses.forget();
                let own = self.shared.agent.config().timeouts().global;
                let late = matches!(error, ureq::Error::Timeout(ureq::Timeout::Global))
                    && own.is_none_or(|own| own > within);
                let failure = if late { Failure::Deadline } else { Failure::Transport(error) };
                Err((failure, len - reader.get_ref().len()))
            }
        }
    }

    /// One request and its whole reply, or `None` if that is too long.
    fn exchange(
        &self,
        head: http::request::Parts,
        body: ureq::SendBody<'_>,
        len: u64,
        within: Duration,
    ) -> Result<Option<Response<Bytes>>, ureq::Error> {
        let agent = &self.shared.agent;
        let config = agent.config();
        let own = config.timeouts();
        // 64 KiB a second is less than any link that uploads images should have.
        let upload = Duration::from_secs(len >> 16);
        // More than a day is for ever, and too much for some clocks.
        let day = Duration::from_secs(24 * 60 * 60);
        let or = |own: Option<Duration>, default: Duration| Some(own.unwrap_or(default).min(day));
        let request = agent
            .configure_request(Request::from_parts(head, body))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(own.global.map_or(within, |own| own.min(within))))
            .timeout_resolve(or(own.resolve, Duration::from_secs(10)))
            .timeout_connect(or(own.connect, Duration::from_secs(10)))
            .timeout_send_request(or(own.send_request, Duration::from_secs(30)))
            .timeout_send_body(or(own.send_body, Duration::from_secs(30) + upload))
            .timeout_recv_response(or(own.recv_response, Duration::from_secs(120) + upload))
            .timeout_recv_body(or(own.recv_body, Duration::from_secs(30)))
            // A second less than the phase, so that the kernel is told the same for each of its reads and writes.
            .timeout_per_write(or(config.timeout_per_write(), Duration::from_secs(29) + upload))
            .timeout_per_read(or(config.timeout_per_read(), Duration::from_secs(119) + upload))
            .build();
        let (head, mut body) = agent.run(request)?.into_parts();
        let mut reply = Vec::new();
        body.as_reader().take(self.reply_limit.saturating_add(1)).read_to_end(&mut reply)?;
        let fits = reply.len() as u64 <= self.reply_limit;
        Ok(fits.then(|| Response::from_parts(head, reply.into())))
    }
}

impl Shared {
    /// A panic elsewhere leaves the session whole: none of its methods panics half-way.
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call has moved, at most for `time`.
    fn park(&self, session: MutexGuard<'_, Session>, time: Duration) {
        self.parked.fetch_add(1, Ordering::Relaxed);
        drop(self.moved.wait_timeout(session, time));
        self.parked.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells the parked that a call has moved. To wake nobody is a system call too; whoever parked before the move is
    /// counted, since both held the session.
    fn wake(&self) {
        if self.parked.load(Ordering::Relaxed) > 0 {
            self.moved.notify_all();
        }
    }
}

/// A call under way. Dropped, by a panic in a middleware too, it lets go of what it holds.
struct Driven<'a, 'e, E: Endpoint> {
    call: Call<'e, E, ureq::Error>,
    shared: &'a Shared,
}

impl<E: Endpoint> Drop for Driven<'_, '_, E> {
    fn drop(&mut self) {
        self.call.cancel(&mut self.shared.lock());
        self.shared.wake();
    }
}

#[expect(clippy::disallowed_methods, reason = "an adapter is where the time comes from")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "a blocking adapter waits by sleeping")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("session", &*self.shared.lock())
            .field("tenant", &self.tenant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
