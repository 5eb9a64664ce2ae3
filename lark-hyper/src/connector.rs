//! The pool's connector: how a connection to a host is opened, directly or through a proxy.

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

use http::header::{PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{self, HttpConnector};
use hyper_util::rt::TokioIo;
use lark_proto::network::Proxy;
use lark_proto::session::{Phase, Timeouts};
use lark_proto::{Invalid, Site};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::connection::{Connection, PooledConnection};
use crate::deadline::Task;
use crate::error::{TransportError, causes};

tokio::task_local! {
    /// The timeouts of the request whose future is polled, because hyper-util passes only the URI to a connector.
    pub(crate) static TIMEOUTS: Timeouts;
}

type BoxError = Box<dyn Error + Send + Sync>;
type Opening = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

/// Opens connections, within the timeouts of the request that needs one.
#[derive(Clone)]
pub(crate) struct Connector(Arc<dyn Fn(Uri, Timeouts) -> Opening + Send + Sync>);

impl Connector {
    /// A connector that uses TCP, and TLS by `config` for `https`.
    pub(crate) fn direct(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        Self(Arc::new(move |uri, timeouts| {
            Box::pin(open(lookup(uri.clone()), Route::Direct, config.clone(), uri, timeouts))
        }))
    }

    /// A connector that reaches the host through `proxy`, and uses TLS by `config` for `https`.
    pub(crate) fn through(
        proxy: &Proxy,
        site: &Site,
        config: ClientConfig,
        user_agent: &HeaderValue,
    ) -> Result<Self, Invalid> {
        let (route, address) =
            Route::through(proxy, site.host(), user_agent).ok_or_else(|| proxy.unsupported())?;
        let config = Arc::new(config);
        Ok(Self(Arc::new(move |uri, timeouts| {
            let (lookup, route) = (lookup(address.clone()), route.clone());
            Box::pin(open(lookup, route, config.clone(), with_port(uri), timeouts))
        })))
    }

    /// A connector that calls the caller's function `connect`, which has the time of the phases `resolve` and `connect`
    /// together, because it may look up the host too.
    pub(crate) fn custom<F, R, E>(connect: F) -> Self
    where
        F: Fn(Uri) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Connection, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Arc::new(move |uri, timeouts| {
            let opening = connect(uri);
            let time = timeouts.resolve.saturating_add(timeouts.connect);
            Box::pin(async move {
                let connection = within_timeout(time, Phase::Connect, opening).await?;
                connection.map_err(Into::into)
            })
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = PooledConnection;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let timeouts = TIMEOUTS.try_with(|timeouts| *timeouts).unwrap_or(Timeouts::for_body_len(0));
        // The connection is opened in a task: its timers belong to this runtime, and the request's future may be polled
        // on another one.
        Connecting(Task(tokio::spawn((self.0)(uri, timeouts))))
    }
}

/// A connection that is being opened.
pub(crate) struct Connecting(Task<Result<Connection, BoxError>>);

impl Future for Connecting {
    type Output = Result<PooledConnection, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(outcome?.map(PooledConnection::new))
    }
}

/// The size of hyper-util's buffer for all that it sends to a SOCKS5 proxy.
const SOCKS5_BUFFER: usize = 262;

/// The route to a host.
#[derive(Clone)]
enum Route {
    Direct,
    /// A proxy that opens a tunnel on `CONNECT`, with the headers of that request.
    Tunnel(Uri, HeaderMap),
    /// A SOCKS5 proxy, which resolves the host's name, with its credentials.
    Socks5(Uri, Option<(String, String)>),
}

impl Route {
    /// The proxy's URL without its credentials.
    fn proxy(&self) -> Option<String> {
        match self {
            Self::Direct => None,
            Self::Tunnel(proxy, _) => Some(proxy.to_string()),
            Self::Socks5(proxy, _) => Some(format!("socks5://{}", proxy.authority()?)),
        }
    }

    /// The route through `proxy` to `host`, and the proxy's address. `None` if that address is not a URI, or if
    /// hyper-util's buffer is too small for the proxy's credentials and `host`.
    fn through(proxy: &Proxy, host: &str, user_agent: &HeaderValue) -> Option<(Self, Uri)> {
        let address = Uri::try_from(format!("http://{}:{}", proxy.host(), proxy.port())).ok()?;
        if !proxy.is_socks5() {
            // A proxy may admit clients by their user agent. For an `https` site, it can read no request but `CONNECT`.
            let mut headers = HeaderMap::from_iter([(USER_AGENT, user_agent.clone())]);
            headers.extend(proxy.authorization().map(|value| (PROXY_AUTHORIZATION, value)));
            return Some((Self::Tunnel(address.clone(), headers), address));
        }
        let credentials = proxy.credentials();
        let login = credentials.map_or(0, |(user, password)| 3 + user.len() + password.len());
        // A name is sent with its length, and an IPv6 address as such or, by older versions, as a name.
        let address_len = if host.starts_with('[') { 16 } else { 0 };
        if 3 + login + 6 + address_len.max(1 + host.len()) > SOCKS5_BUFFER {
            return None;
        }
        let owned = credentials.map(|(user, password)| (user.into(), password.into()));
        Some((Self::Socks5(address.clone(), owned), address))
    }
}

/// The URI with its port written out, without which a tunnel would lead to port 443.
fn with_port(uri: Uri) -> Uri {
    let scheme = uri.scheme_str().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    let host = uri.host().unwrap_or_default();
    Uri::try_from(format!("{scheme}://{host}:{port}")).unwrap_or(uri)
}

/// Opens a connection over the addresses that `lookup` finds: those of the host, or of the proxy on the route to it.
async fn open(
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    route: Route,
    config: Arc<ClientConfig>,
    uri: Uri,
    timeouts: Timeouts,
) -> Result<Connection, BoxError> {
    let addresses = within_timeout(timeouts.resolve, Phase::Resolve, lookup).await??;
    let mut http = HttpConnector::new_with_resolver(Addresses(addresses));
    http.enforce_http(false);
    // This disables Nagle's algorithm, which would delay a head until earlier bytes are acknowledged.
    http.set_nodelay(true);
    // hyper-util divides this timeout among the addresses of a family, so that a dead address leaves time for the next
    // one.
    http.set_connect_timeout(Some(timeouts.connect));
    let proxy = route.proxy();
    let opening = async {
        match route {
            Route::Direct => connect_tls(http, config, uri).await,
            Route::Tunnel(proxy, headers) => {
                let tunnel = Tunnel::new(proxy, http).with_headers(headers);
                connect_tls(tunnel, config, uri).await
            }
            Route::Socks5(proxy, credentials) => {
                // `SocksV5` would drop the cause of a failure of its connector.
                let stream = http.call(proxy.clone()).await?;
                let socks = SocksV5::new(proxy, Opened(Some(stream)));
                let socks = match credentials {
                    Some((user, password)) => socks.with_auth(user, password),
                    None => socks,
                };
                connect_tls(socks, config, uri).await
            }
        }
    };
    let opened = within_timeout(timeouts.connect, Phase::Connect, opening).await?;
    match proxy {
        Some(proxy) => opened.map_err(|error| ProxyError { proxy, error }.into()),
        None => opened,
    }
}

/// Why no connection could be opened through a proxy.
#[derive(Debug)]
struct ProxyError {
    proxy: String,
    error: BoxError,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}", self.proxy)?;
        // hyper-util reports only this status, and only in the text of its error.
        if causes(&*self.error).any(|cause| cause.to_string().contains("proxy authorization")) {
            f.write_str(" (HTTP 407)")?;
        }
        Ok(())
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

/// Opens a connection by `connector`, with TLS for `https`.
async fn connect_tls<C>(
    connector: C,
    config: Arc<ClientConfig>,
    uri: Uri,
) -> Result<Connection, BoxError>
where
    C: Service<Uri, Response = TokioIo<TcpStream>, Error: Into<BoxError>, Future: Send> + 'static,
{
    let stream = HttpsConnector::from((connector, config)).call(uri).await?;
    let is_http2 = connect::Connection::connected(&stream).is_negotiated_h2();
    Ok(Connection::new(stream).http2(is_http2))
}

/// A connector that returns a stream opened before.
struct Opened(Option<TokioIo<TcpStream>>);

impl Service<Uri> for Opened {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
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

async fn within_timeout<F: Future>(
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use rustls::RootCertStore;
    use rustls::crypto::ring;

    use super::*;

    fn config() -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.into()
    }

    #[tokio::test]
    async fn a_failure_has_its_cause_and_names_the_proxy_on_the_route() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let uri: Uri = format!("http://{closed}/").parse().unwrap();
        for (route, names_proxy) in [
            (Route::Direct, false),
            (Route::Tunnel(uri.clone(), HeaderMap::new()), true),
            (Route::Socks5(uri.clone(), None), true),
        ] {
            let found = std::future::ready(Ok(vec![closed]));
            let timeouts = Timeouts::for_body_len(0);
            let error = open(found, route, config(), uri.clone(), timeouts).await.unwrap_err();
            assert_eq!(error.downcast_ref::<ProxyError>().is_some(), names_proxy, "{error:?}");
            let io = causes(&*error).find_map(<dyn Error>::downcast_ref::<io::Error>);
            assert_eq!(io.unwrap().kind(), io::ErrorKind::ConnectionRefused, "{error:?}");
        }
    }

    #[test]
    fn a_proxy_whose_requests_do_not_fit_into_hyper_utils_buffer_is_refused() {
        let long = "h".repeat(252);
        let longer = "h".repeat(253);
        for (password, host, is_supported) in [
            (Some(234), "lark.example", true),
            (Some(235), "lark.example", false),
            (Some(231), "[::1]", true),
            (Some(232), "[::1]", false),
            (None, &long, true),
            (None, &longer, false),
        ] {
            let login = password.map_or(String::new(), |len| format!("ann:{}@", "p".repeat(len)));
            let proxy = Proxy::new(&format!("socks5://{login}proxy")).unwrap();
            let route = Route::through(&proxy, host, &HeaderValue::from_static("x"));
            assert_eq!(route.is_some(), is_supported, "{password:?} {host}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_hangs_ends_with_the_timeout_resolve() {
        let uri = Uri::from_static("https://localhost/");
        let start = tokio::time::Instant::now();
        let error = open(pending(), Route::Direct, config(), uri, Timeouts::for_body_len(0))
            .await
            .unwrap_err();
        let timeout = error.downcast_ref();
        assert!(matches!(timeout, Some(TransportError::Timeout(Phase::Resolve))), "{error:?}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}
