//! The fake Lark on loopback. It runs on a thread of its own, and stops when it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use lark_proto::Site;
use lark_proto::fake::FakeLark;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::FakeTransport;
use crate::clock::Clock;

/// A [`FakeLark`] on `http://127.0.0.1:<port>`, HTTP/1.1 or HTTP/2 by prior knowledge, served until it is dropped. Its
/// connections obey [`FakeLark::fail_next`]; over HTTP/2, a connection fault resets the stream of the request.
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
#[must_use = "the server stops when it is dropped"]
pub struct FakeServer {
    address: SocketAddr,
    site: Site,
    fake: FakeTransport,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Serves a new [`FakeLark`] on a free port.
    ///
    /// # Errors
    /// The system has no free port, or cannot start a thread.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0, FakeLark::new())
    }

    /// Serves `lark` on `port`; 0 is a free one.
    ///
    /// # Errors
    /// The port is taken, or the system cannot start a thread.
    pub fn start_on(port: u16, lark: FakeLark) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let site = Site::custom(&format!("http://{address}")).map_err(io::Error::other)?;
        let (stop, stopped) = oneshot::channel();
        let (started, result) = mpsc::channel();
        // The caller may be inside a runtime, in which no other one may be dropped, and whose time may be paused. So
        // the thread makes the runtime and the clock.
        let thread = std::thread::Builder::new().name("fake-lark".into()).spawn(move || {
            match serve(listener, lark) {
                Ok((runtime, fake)) => {
                    let _ = started.send(Ok(fake));
                    // Dropping the runtime afterwards closes every connection.
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        })?;
        let fake = result.recv().map_err(io::Error::other)??;
        Ok(Self { address, site, fake, stop: Some(stop), thread: Some(thread) })
    }

    /// The address on which the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The site to give to a client.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Runs `work` on the fake behind the server, to check what arrived or to make it fail. Requests wait meanwhile, so
    /// `work` must not call a client of this server.
    pub fn with<R>(&self, work: impl FnOnce(&mut FakeLark) -> R) -> R {
        self.fake.with(work)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The client has already received an error for its request, so the thread's panic is not reported again.
            let _ = thread.join();
        }
    }
}

/// A runtime that serves `lark` while it runs.
fn serve(listener: std::net::TcpListener, lark: FakeLark) -> io::Result<(Runtime, FakeTransport)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let fake = FakeTransport::with_clock(Clock::new(TokioTimer::new()), lark);
    runtime.spawn(accept(TcpListener::from_std(listener)?, fake.clone()));
    drop(inside);
    Ok((runtime, fake))
}

async fn accept(listener: TcpListener, fake: FakeTransport) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The system has probably run out of file descriptors, so other connections have to end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let fake = fake.clone();
        tokio::spawn(async move {
            // The client reports the error of a connection.
            let http = auto::Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(stream), fake).await;
        });
    }
}
