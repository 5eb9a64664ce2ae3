//! The fake Lark on loopback: one thread, one port, gone when it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lark_proto::Site;
use lark_proto::fake::{FakeLark, InFlight};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The longest body that is read: a cell image of 20 MiB as numbers, and as much again.
const BODY_LIMIT: usize = 160 << 20;

/// A [`FakeLark`] on `http://127.0.0.1:<port>`, served until it is dropped.
///
/// ```
/// use lark_hyper::FakeServer;
///
/// let server = FakeServer::start()?;
/// assert!(server.site().as_str().starts_with("http://127.0.0.1:"));
/// // .. a client writes to `server.site()` ..
/// assert_eq!(server.lark().images().count(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    site: Site,
    lark: Arc<Mutex<FakeLark>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Serves a new [`FakeLark`] on a free port.
    ///
    /// # Errors
    /// The system has no port or no thread to give.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0, FakeLark::new())
    }

    /// Serves `lark` on `port`; 0 is a free one.
    ///
    /// # Errors
    /// The port is taken, or the system has no thread to give.
    pub fn start_on(port: u16, lark: FakeLark) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Not by `block_on`, which a caller inside a runtime of its own must not use.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let site = Site::custom(&format!("http://{address}")).map_err(io::Error::other)?;
        let lark = Arc::new(Mutex::new(lark));
        let (stop, stopped) = oneshot::channel();
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let accept = accept(listener, lark.clone());
        let thread = std::thread::Builder::new().name("fake-lark".into()).spawn(move || {
            runtime.spawn(accept);
            // Dropping the runtime afterwards closes every connection.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { address, site, lark, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The site to give to a client.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The fake behind it, to look at what arrived or to make it fail. Requests wait while it is held.
    pub fn lark(&self) -> MutexGuard<'_, FakeLark> {
        lock(&self.lark)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to say that its requests have not.
            let _ = thread.join();
        }
    }
}

/// The fake has no broken states, so that a panic of another thread is none of this one's business.
fn lock(lark: &Mutex<FakeLark>) -> MutexGuard<'_, FakeLark> {
    lark.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, lark: Arc<Mutex<FakeLark>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others have to finish first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let lark = lark.clone();
        let service = service_fn(move |request| answer(lark.clone(), request));
        tokio::spawn(async move {
            // How a connection ended is the client's to tell.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    lark: Arc<Mutex<FakeLark>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let flight = lock(&lark).begin(now(), &head);
    let mut arriving = Arriving { lark, flight: Some(flight) };
    let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
    let flight = arriving.flight.take().ok_or("taken once")?;
    let reply = lock(&arriving.lark).finish(now(), flight, &body);
    Ok(reply.map(Full::new))
}

/// Gives a request up when its connection breaks before the body is complete.
struct Arriving {
    lark: Arc<Mutex<FakeLark>>,
    flight: Option<InFlight>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            lock(&self.lark).abandon(flight);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server is where the time comes from")]
fn now() -> SystemTime {
    SystemTime::now()
}
