//! The fake Lark on loopback: one thread, one port, gone when it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lark_proto::Site;
use lark_proto::fake::http1::BODY_LIMIT;
use lark_proto::fake::{Break, FakeLark, InFlight};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A [`FakeLark`] on `http://127.0.0.1:<port>`, HTTP/1.1 or HTTP/2 by prior knowledge, served until it is dropped. Its
/// connections obey [`FakeLark::fail_next`]; of an HTTP/2 connection it is the request's stream that is reset.
///
/// ```
/// use lark_hyper::FakeServer;
///
/// let server = FakeServer::start()?;
/// assert!(server.site().as_str().starts_with("http://127.0.0.1:"));
/// // .. a client writes to `server.site()` ..
/// assert_eq!(server.with(|lark| lark.images().count()), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it is gone when it is dropped"]
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

    /// Runs `work` on the fake behind it, to look at what arrived or to make it fail. Requests wait meanwhile, so
    /// `work` must not call a client of this server.
    pub fn with<R>(&self, work: impl FnOnce(&mut FakeLark) -> R) -> R {
        work(&mut lock(&self.lark))
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
            let http = auto::Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What hyper closes a connection for, or resets a stream.
type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn answer(
    lark: Arc<Mutex<FakeLark>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<ReplyBody>, Broken> {
    let (head, mut body) = request.into_parts();
    let flight = lock(&lark).begin(now(), &head);
    let how = flight.breaks();
    let mut arriving = Arriving { lark, flight: Some(flight) };
    if how == Some(Break::BeforeBody) {
        return Err("closed before the body, as asked for".into());
    }
    if how == Some(Break::DuringBody) {
        let half = body.size_hint().lower() / 2;
        while body.size_hint().lower() > half {
            body.frame().await.ok_or("the body is shorter than its length")??;
        }
        return Err("closed during the body, as asked for".into());
    }
    let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
    let flight = arriving.flight.take().ok_or("taken once")?;
    let reply = lock(&arriving.lark).finish(now(), flight, &body);
    match how {
        Some(Break::AfterBody) => return Err("closed after the body, as asked for".into()),
        Some(Break::SlowReply(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    Ok(reply.map(|reply| ReplyBody::new(reply, how == Some(Break::CutReply))))
}

/// A reply's body. Of one that is cut only the first half comes, and then the connection closes.
struct ReplyBody {
    rest: Bytes,
    /// How many bytes the other side waits for.
    left: u64,
    is_flushed: bool,
}

impl ReplyBody {
    fn new(mut whole: Bytes, is_cut: bool) -> Self {
        let left = whole.len() as u64;
        whole.truncate(if is_cut { whole.len() / 2 } else { whole.len() });
        Self { rest: whole, left, is_flushed: false }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.left = self.left.saturating_sub(rest.len() as u64);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        // hyper flushes what it has when a body is not ready, and drops it when a body fails.
        if !std::mem::replace(&mut self.is_flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err("closed during the reply, as asked for".into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
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
