//! A blocking client for Lark's image endpoints, on [ureq](https://docs.rs/ureq).
//!
//! Requests, replies and errors are those of [`lark_proto`]; this crate sends the one and fetches the other.
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

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Request, Response};
use lark_proto::{
    App, Authorizes, Body, Endpoint, EndpointExt, Failure, NoToken, Site, TenantToken,
    TenantTokenRequest,
};

pub use {lark_proto, ureq};

/// Why a call failed.
pub type CallError = lark_proto::CallError<ureq::Error>;

/// A client of one site, acting as one app. Clones share its connections and its token, and any thread may
/// use them.
///
/// What it decides on its own: a reply is read up to 1 MiB ([`Client::with_reply_limit`]); no redirect is
/// followed, since the request carries a token; a phase for which the agent has no timeout of its own gets
/// one: 10 s each to find the host and to connect, 30 s for the head, 30 s and a second for each 64 KiB for
/// the body, two minutes on top of that for the service to answer (a cell write may take it one), 30 s for the reply's body.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    reply_limit: u64,
}

struct Shared {
    site: Site,
    app: App,
    agent: ureq::Agent,
    tenant_token: Mutex<Option<TenantToken>>,
}

impl Client {
    /// A client with connections of its own.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        let mut config = ureq::Agent::config_builder().user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ));
        if site.as_str().starts_with("http:") {
            // A loopback site, which a proxy from the environment cannot reach and must not see.
            config = config.proxy(None);
        }
        Self::with_agent(site, app, config.build().into())
    }

    /// A client over an agent of the caller's: its proxy, certificates, connector, middleware and timeouts.
    ///
    /// Whatever the agent does with HTTP statuses and redirects, this client's requests do as [`Client`]
    /// says: an HTTP 400 of Lark's has its reason in the body.
    #[must_use]
    pub fn with_agent(site: Site, app: App, agent: ureq::Agent) -> Self {
        let shared = Shared { site, app, agent, tenant_token: Mutex::new(None) };
        Self { shared: Arc::new(shared), reply_limit: 1 << 20 }
    }

    /// The same client, reading replies of up to `bytes` bytes.
    #[must_use]
    pub fn with_reply_limit(self, bytes: u64) -> Self {
        Self { reply_limit: bytes, ..self }
    }

    /// Calls `endpoint` with the app's tenant access token, which is fetched when there is none and kept for
    /// the client's life; the service lets it live for two hours.
    ///
    /// # Errors
    /// [`Failure::NoApp`] for a client without an app's credentials; else as [`Client::call_as`], for the
    /// token's request or for `endpoint`'s, as the error's route tells.
    pub fn call<E: Endpoint>(&self, endpoint: &E) -> Result<E::Output, CallError>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        let token = self.tenant_token(E::ROUTE)?;
        self.call_as(&token, endpoint)
    }

    /// Calls `endpoint` with a token of the caller's.
    ///
    /// # Errors
    /// [`Failure::Lark`] with what the service says; [`Failure::TooLarge`]; [`Failure::Transport`].
    pub fn call_as<E: Endpoint>(
        &self,
        token: &impl Authorizes<E::Auth>,
        endpoint: &E,
    ) -> Result<E::Output, CallError> {
        let request = endpoint.request_streamed(&self.shared.site, token);
        let reply = self.send(request).map_err(|failure| CallError::new(E::ROUTE, failure))?;
        E::decode(reply).map_err(|error| CallError::new(E::ROUTE, Failure::Lark(error)))
    }

    /// One thread fetches the token; the others wait for it.
    fn tenant_token(&self, route: &'static str) -> Result<TenantToken, CallError> {
        let App::Custom { id, secret } = &self.shared.app else {
            return Err(CallError::new(route, Failure::NoApp));
        };
        let slot = &self.shared.tenant_token;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*slot {
            return Ok(token.clone());
        }
        let get = TenantTokenRequest::new(id.clone(), secret.clone());
        let token = self.call_as(&NoToken, &get)?.token;
        Ok(slot.insert(token).clone())
    }

    /// Sends a request and receives its reply, whatever the status.
    fn send(&self, request: Request<Body>) -> Result<Response<Bytes>, Failure<ureq::Error>> {
        let agent = &self.shared.agent;
        let own = agent.config().timeouts();
        // 64 KiB a second is less than any link that uploads images should have.
        let upload = Duration::from_secs(request.body().len() >> 16);
        let or = |own: Option<Duration>, default| own.or(Some(default));
        // A reader of unknown length would go out chunked, also where there is nothing to read.
        let has_body = request.headers().contains_key(http::header::CONTENT_LENGTH);
        let request = request.map(|body| match has_body {
            true => ureq::SendBody::from_owned_reader(body.reader()),
            false => ureq::SendBody::none(),
        });
        let request = agent
            .configure_request(request)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(or(own.resolve, Duration::from_secs(10)))
            .timeout_connect(or(own.connect, Duration::from_secs(10)))
            .timeout_send_request(or(own.send_request, Duration::from_secs(30)))
            .timeout_send_body(or(own.send_body, Duration::from_secs(30) + upload))
            .timeout_recv_response(or(own.recv_response, Duration::from_secs(120) + upload))
            .timeout_recv_body(or(own.recv_body, Duration::from_secs(30)))
            .build();
        let (head, mut body) = agent.run(request).map_err(Failure::Transport)?.into_parts();

        let limit = self.reply_limit;
        let mut reply = Vec::new();
        let reader = body.as_reader().take(limit.saturating_add(1));
        let read = { reader }.read_to_end(&mut reply);
        read.map_err(|error| Failure::Transport(error.into()))?;
        if reply.len() as u64 > limit {
            return Err(Failure::TooLarge { limit });
        }
        Ok(Response::from_parts(head, reply.into()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("site", &self.shared.site)
            .field("app", &self.shared.app)
            .finish_non_exhaustive()
    }
}

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
