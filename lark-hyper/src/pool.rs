//! Connections on tokio: found, opened, kept and timed.

use std::error::Error;
use std::future::Future;
use std::io;
use std::iter::successors;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::rt::{Read, Write};
use hyper::service::Service;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use crate::error::{Timeout, TransportError};
use crate::frames::{Frames, FreshConnection};

/// A pool of HTTP/1.1 and HTTP/2 connections, as ALPN has it. Clones share it. Its requests need a tokio runtime
/// with I/O and time.
///
/// Each phase of a request has its time: 20 s to find the host and to connect, 30 s more for the head, 30 s and a second
/// for each 64 KiB for the body, two minutes and as much again for the service to answer (a cell write may take it
/// one), 30 s for the reply's body. A connection of which nothing is taken for a minute is closed. How many requests are
/// out at once is the caller's to limit, where a link is narrow: they share it, and the time goes on for each.
///
/// A request with [`FreshConnection`] in its extensions goes over a connection of its own, which is not kept.
///
/// No redirect is followed, and no proxy is taken from the environment (but see [`Pool::with_connector`]).
#[derive(Clone, Debug)]
pub struct Pool<C = HttpsConnector<HttpConnector>> {
    client: legacy::Client<TimeoutConnector<C>, Frames>,
    /// Keeps no connection.
    fresh: legacy::Client<TimeoutConnector<C>, Frames>,
}

impl Pool {
    /// TLS by rustls with ring, trusting the roots of webpki-roots.
    #[must_use]
    pub fn new() -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        // A head must not wait for the acknowledgement of what went before.
        http.set_nodelay(true);
        // Over all addresses of a kind, so that after a dead one there is time for the next.
        http.set_connect_timeout(Some(Duration::from_secs(10)));
        // Named, since a process may have several providers.
        let ring = rustls::crypto::ring::default_provider();
        #[expect(clippy::expect_used, reason = "ring has what TLS 1.2 and 1.3 need")]
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring)
            .expect("ring has what TLS needs")
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        Self::with_connector(https)
    }
}

impl<C> Pool<C>
where
    TimeoutConnector<C>: Connect + Clone + Send + Sync + 'static,
{
    /// Connections made by a connector of the caller's: its proxy, certificates, addresses.
    #[must_use]
    pub fn with_connector(connector: C) -> Self
    where
        C: tower_service::Service<
                Uri,
                Response: Read + Write + Send + Unpin,
                Error: Into<Box<dyn Error + Send + Sync>>,
                Future: Send + 'static,
            > + Send,
    {
        let mut connector = TimeoutConnector::new(connector);
        connector.set_connect_timeout(Some(Duration::from_secs(20)));
        // Whatever became of its call, a connection writes out what it took: to a peer that reads nothing, for ever.
        connector.set_write_timeout(Some(Duration::from_secs(60)));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            // Shorter than servers keep idle connections: one that is closing loses the request.
            .pool_idle_timeout(Duration::from_secs(15))
            // A connection that has gone silent would be shared for as long as there are calls. On a slow link a ping
            // waits behind what is on its way.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(60));
        let client = builder.build(connector.clone());
        Self { client, fresh: builder.pool_max_idle_per_host(0).build(connector) }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Service<Request<Frames>> for Pool<C>
where
    TimeoutConnector<C>: Connect + Clone + Send + Sync + 'static,
{
    type Response = Response<ReplyBody>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, TransportError>> + Send>>;

    fn call(&self, mut request: Request<Frames>) -> Self::Future {
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(agent));
        let (len, pulled) = (request.body().size_hint().lower(), request.body().pulled());
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let client = if is_fresh { &self.fresh } else { &self.client };
        let reply = client.request(request);
        Box::pin(async move {
            let mut reply = pin!(reply);
            // 64 KiB a second is less than any link that uploads images should have.
            let upload = Duration::from_secs(len >> 16);
            let mut until = Instant::now();
            for (time, phase) in [
                (Duration::from_secs(20 + 30), Timeout::Connect),
                (Duration::from_secs(30) + upload, Timeout::SendBody),
                (Duration::from_secs(120) + upload, Timeout::RecvResponse),
            ] {
                until += time;
                if let Ok(reply) = timeout_at(until, reply.as_mut()).await {
                    let reply = reply.map_err(failed)?;
                    return Ok(reply.map(ReplyBody::new));
                }
                let is_over = match phase {
                    Timeout::Connect => pulled.bytes() > 0 || len == 0,
                    Timeout::SendBody => pulled.bytes() == len,
                    _ => false,
                };
                if !is_over {
                    return Err(TransportError::Timeout(phase));
                }
            }
            Err(TransportError::Timeout(Timeout::RecvResponse))
        })
    }
}

/// A connector's own timeouts are this pool's.
fn failed(error: legacy::Error) -> TransportError {
    let is_late = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    };
    match successors(error.source(), |&cause| cause.source()).any(is_late) {
        true if error.is_connect() => TransportError::Timeout(Timeout::Connect),
        true => TransportError::Timeout(Timeout::SendBody),
        false => TransportError::Failed(error.into()),
    }
}

/// The body of a [`Pool`]'s reply, which has half a minute to arrive from the first time that it has to be waited for.
#[derive(Debug)]
pub struct ReplyBody {
    incoming: Incoming,
    runtime: Handle,
    /// Begins with the first wait: most replies are there with their head.
    late: Option<Pin<Box<Sleep>>>,
    is_late: bool,
}

impl ReplyBody {
    fn new(incoming: Incoming) -> Self {
        Self { incoming, runtime: Handle::current(), late: None, is_late: false }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        if self.is_late {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| Ok(frame?)));
        }
        let Self { runtime, late, .. } = &mut *self;
        let begin = || {
            // Whoever polls need not be inside of it.
            let _inside = runtime.enter();
            Box::pin(sleep(Duration::from_secs(30)))
        };
        ready!(late.get_or_insert_with(begin).as_mut().poll(context));
        self.is_late = true;
        Poll::Ready(Some(Err(TransportError::Timeout(Timeout::RecvBody))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_late || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
