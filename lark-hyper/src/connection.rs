//! The pool's connector and its connections, which have one type for all transports.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{self, Connected, HttpConnector};
use lark_proto::Invalid;
use lark_proto::network::Proxy;
use lark_proto::session::{Phase, Timeouts};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tower_service::Service;

use crate::deadline::{Deadline, Task};
use crate::error::{TransportError, causes};

/// A connection whose peer takes no bytes for this time is closed.
const MAX_STALL: Duration = Duration::from_secs(60);
/// How long a connection is still read after a failed write, if no bytes arrive.
const MAX_READ_OUT: Duration = Duration::from_secs(1);

/// A connection that a connector of the caller's has opened, for [`Pool::with_connector`](crate::Pool::with_connector).
pub struct Connection {
    io: Box<dyn Io>,
    is_http2: bool,
    is_proxied: bool,
}

trait Io: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Io for T {}

impl Connection {
    /// A connection over `io`, after any TLS handshake, which speaks HTTP/1.1 to the host itself.
    #[must_use]
    pub fn new(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), is_http2: false, is_proxied: false }
    }

    /// Whether it speaks HTTP/2, as ALPN says.
    #[must_use]
    pub fn http2(self, is_http2: bool) -> Self {
        Self { is_http2, ..self }
    }

    /// Whether its other end is an HTTP proxy that forwards requests, whose URIs are then sent in absolute form. A
    /// proxy that opened a tunnel does not count.
    #[must_use]
    pub fn proxied(self, is_proxied: bool) -> Self {
        Self { is_proxied, ..self }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("is_http2", &self.is_http2)
            .field("is_proxied", &self.is_proxied)
            .finish_non_exhaustive()
    }
}

tokio::task_local! {
    /// The phases of the request whose future is polled, because hyper-util passes only the URI to a connector.
    pub(crate) static PHASES: Timeouts;
}

type BoxError = Box<dyn Error + Send + Sync>;
type Opening = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

/// Opens connections, within the phases of the request that needs one.
#[derive(Clone)]
pub(crate) struct Connector(Arc<dyn Fn(Uri, Timeouts) -> Opening + Send + Sync>);

impl Connector {
    /// TCP, and TLS by `config` for `https`.
    pub(crate) fn direct(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        Self(Arc::new(move |uri, timeouts| {
            Box::pin(open(lookup(uri.clone()), Way::Direct, config.clone(), uri, timeouts))
        }))
    }

    /// The same through `proxy`, if there is one.
    pub(crate) fn tls(config: ClientConfig, proxy: Option<&Proxy>) -> Result<Self, Invalid> {
        let Some(proxy) = proxy else { return Ok(Self::direct(config)) };
        let (way, address) = Way::through(proxy).ok_or_else(|| proxy.refused())?;
        let config = Arc::new(config);
        Ok(Self(Arc::new(move |uri, timeouts| {
            let (lookup, way) = (lookup(address.clone()), way.clone());
            Box::pin(open(lookup, way, config.clone(), with_port(uri), timeouts))
        })))
    }

    /// By a function of the caller's, which has the time of both phases because it may look up the host too.
    pub(crate) fn given<F, R, E>(connect: F) -> Self
    where
        F: Fn(Uri) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Connection, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Arc::new(move |uri, timeouts| {
            let opening = connect(uri);
            let time = timeouts.resolve.saturating_add(timeouts.connect);
            Box::pin(async move {
                let connection = timed(time, Phase::Connect, opening).await?;
                connection.map_err(Into::into)
            })
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = BoxError;
    type Future = Opened;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Opened {
        let timeouts = PHASES.try_with(|timeouts| *timeouts).unwrap_or(Timeouts::of(0));
        // The connection is opened in a task: its timers belong to this runtime, and the request's future may be polled
        // on another one.
        Opened(Task(tokio::spawn((self.0)(uri, timeouts))))
    }
}

/// A connection that is being opened.
pub(crate) struct Opened(Task<Result<Connection, BoxError>>);

impl Future for Opened {
    type Output = Result<Wire, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(outcome?.map(Wire::new))
    }
}

/// The way to a host.
#[derive(Clone)]
enum Way {
    Direct,
    /// A proxy that opens a tunnel on `CONNECT`, with its credentials.
    Tunnel(Uri, Option<HeaderValue>),
    /// A SOCKS5 proxy, which resolves the host's name, with its credentials.
    Socks5(Uri, Option<(String, String)>),
}

impl Way {
    fn proxy(&self) -> Option<&Uri> {
        match self {
            Self::Direct => None,
            Self::Tunnel(proxy, _) | Self::Socks5(proxy, _) => Some(proxy),
        }
    }

    /// The way through `proxy`, and its address. `None` if its credentials cannot be sent.
    fn through(proxy: &Proxy) -> Option<(Self, Uri)> {
        let address = Uri::try_from(format!("http://{}:{}", proxy.host(), proxy.port())).ok()?;
        let way = match (proxy.is_socks5(), proxy.credentials()) {
            (false, _) => Self::Tunnel(address.clone(), proxy.authorization()),
            (true, credentials) => {
                let owned = credentials.map(|(user, password)| (user.into(), password.into()));
                Self::Socks5(address.clone(), owned)
            }
        };
        Some((way, address))
    }
}

/// The URI with its port written out, without which a tunnel would lead to port 443.
fn with_port(uri: Uri) -> Uri {
    let scheme = uri.scheme_str().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    let host = uri.host().unwrap_or_default();
    Uri::try_from(format!("{scheme}://{host}:{port}")).unwrap_or(uri)
}

/// Opens a connection over the addresses that `lookup` finds: those of the host, or of the proxy on the way to it.
async fn open(
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    way: Way,
    config: Arc<ClientConfig>,
    uri: Uri,
    timeouts: Timeouts,
) -> Result<Connection, BoxError> {
    let addresses = timed(timeouts.resolve, Phase::Resolve, lookup).await??;
    let mut http = HttpConnector::new_with_resolver(Addresses(addresses));
    http.enforce_http(false);
    // This disables Nagle's algorithm, which would delay a head until earlier bytes are acknowledged.
    http.set_nodelay(true);
    // hyper-util divides this timeout among the addresses of a family, so that a dead address leaves time for the next
    // one.
    http.set_connect_timeout(Some(timeouts.connect));
    let proxy = way.proxy().map(Uri::to_string);
    let opening = async {
        match way {
            Way::Direct => secure(http, config, uri).await,
            Way::Tunnel(proxy, credentials) => {
                let tunnel = Tunnel::new(proxy, http);
                let tunnel = match credentials {
                    Some(value) => tunnel.with_auth(value),
                    None => tunnel,
                };
                secure(tunnel, config, uri).await
            }
            Way::Socks5(proxy, credentials) => {
                let socks = SocksV5::new(proxy, http);
                let socks = match credentials {
                    Some((user, password)) => socks.with_auth(user, password),
                    None => socks,
                };
                secure(socks, config, uri).await
            }
        }
    };
    let opened = timed(timeouts.connect, Phase::Connect, opening).await?;
    match proxy {
        Some(proxy) => opened.map_err(|error| ThroughProxy { proxy, error }.into()),
        None => opened,
    }
}

/// Why no connection could be opened through a proxy.
#[derive(Debug)]
struct ThroughProxy {
    proxy: String,
    error: BoxError,
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}", self.proxy)?;
        // hyper-util reports only this status, and only in the text of its error.
        if causes(&*self.error).any(|cause| cause.to_string().contains("proxy authorization")) {
            f.write_str(" (HTTP 407)")?;
        }
        Ok(())
    }
}

impl Error for ThroughProxy {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

/// Opens a connection by `connector`, with TLS for `https`.
async fn secure<C>(
    connector: C,
    config: Arc<ClientConfig>,
    uri: Uri,
) -> Result<Connection, BoxError>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + 'static,
    C::Response: connect::Connection + Read + Write + Send + Unpin + 'static,
{
    let stream = HttpsConnector::from((connector, config)).call(uri).await?;
    let is_http2 = connect::Connection::connected(&stream).is_negotiated_h2();
    Ok(Connection::new(stream).http2(is_http2))
}

/// The addresses of the URI's host, or none if the host is an address itself.
async fn lookup(uri: Uri) -> io::Result<Vec<SocketAddr>> {
    let host = uri.host().unwrap_or_default();
    // An invalid name is a permanent error, and an unknown one is not.
    match ServerName::try_from(host.trim_matches(['[', ']'])) {
        Ok(ServerName::IpAddress(_)) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(error) => return Err(io::Error::other(error)),
    }
    let name: Name = host.parse().map_err(io::Error::other)?;
    Ok(GaiResolver::new().call(name).await?.collect())
}

async fn timed<F: Future>(
    time: Duration,
    phase: Phase,
    work: F,
) -> Result<F::Output, TransportError> {
    let outcome = tokio::time::timeout(time, work).await;
    outcome.map_err(|_| TransportError::Timeout(phase))
}

/// A resolver that returns addresses found before.
#[derive(Clone)]
struct Addresses(Vec<SocketAddr>);

impl Service<Name> for Addresses {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        std::future::ready(Ok(self.0.clone().into_iter()))
    }
}

/// A connection as hyper-util takes it. It fails when its peer takes no bytes for [`MAX_STALL`]: hyper writes out its
/// buffer even after the call ended, so the deadline of the call does not bound that.
pub(crate) struct Wire {
    connection: Connection,
    /// The deadline for the next successful write. It is set by the first write that is pending or fails.
    stuck: Option<Deadline>,
    /// Why a write failed.
    broken: Option<io::Error>,
}

impl Wire {
    fn new(connection: Connection) -> Self {
        Self { connection, stuck: None, broken: None }
    }

    /// Writes by `write`, and fails if the peer takes no bytes in time.
    ///
    /// A server may answer and close the connection while the body is still being sent. A write then fails, and HTTP/1
    /// in hyper drops what it has not read yet. So a failed write stays pending while hyper reads the answer or the end
    /// of the connection, which arrives at once or very soon.
    fn write<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Box<dyn Io>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.broken.is_none() {
            match write(Pin::new(&mut self.connection.io), context) {
                Poll::Ready(Err(error)) if !self.connection.is_http2 => {
                    self.broken = Some(error);
                    self.stuck = Some(Deadline::after(MAX_READ_OUT));
                    // The next poll of the connection begins with a read.
                    context.waker().wake_by_ref();
                }
                Poll::Ready(result) => {
                    self.stuck = None;
                    return Poll::Ready(result);
                }
                Poll::Pending => {}
            }
        }
        let stuck = self.stuck.get_or_insert_with(|| Deadline::after(MAX_STALL));
        ready!(stuck.poll(context));
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, TransportError::Timeout(Phase::SendBody));
        Poll::Ready(Err(self.broken.take().unwrap_or_else(late)))
    }
}

impl connect::Connection for Wire {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.connection.is_proxied);
        if self.connection.is_http2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection.io).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |io, context| io.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |io, context| io.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(context, Write::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.broken.take() {
            // hyper reads no more from a connection that it shuts down.
            Some(error) => Poll::Ready(Err(error)),
            None => self.write(context, Write::poll_shutdown),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use hyper_util::rt::TokioIo;
    use rustls::RootCertStore;
    use rustls::crypto::ring;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_hangs_ends_with_the_timeout_resolve() {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let uri = Uri::from_static("https://localhost/");
        let start = tokio::time::Instant::now();
        let error =
            open(pending(), Way::Direct, config.into(), uri, Timeouts::of(0)).await.unwrap_err();
        let timeout = error.downcast_ref();
        assert!(matches!(timeout, Some(TransportError::Timeout(Phase::Resolve))), "{error:?}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    /// The seconds until a write to a peer that has closed the connection fails.
    async fn failed_write(is_http2: bool) -> u64 {
        let (near, far) = tokio::io::duplex(1);
        drop(far);
        let mut wire = Wire::new(Connection::new(TokioIo::new(near)).http2(is_http2));
        let start = tokio::time::Instant::now();
        let write = poll_fn(|context| Pin::new(&mut wire).poll_write(context, b"a"));
        assert_eq!(write.await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_ends_an_http2_connection_at_once() {
        assert_eq!(failed_write(true).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_leaves_an_http1_connection_a_second_for_the_answer() {
        assert_eq!(failed_write(false).await, 1);
    }
}
