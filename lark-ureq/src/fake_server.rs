//! The fake Lark on loopback. It runs on threads of its own, and stops when it is dropped.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use lark_proto::Site;
use lark_proto::fake::{Connection, FakeLark, ServerStep};

/// A [`FakeLark`] on `http://127.0.0.1:<port>`, HTTP/1.1, served until it is dropped. Its connections obey
/// [`FakeLark::fail_next`].
///
/// ```
/// use lark_proto::fake::FakeLark;
/// use lark_proto::{App, Image, PutImage};
/// use lark_ureq::{Client, FakeServer};
///
/// let server = FakeServer::start()?;
/// let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
/// let client = Client::new(server.site().clone(), app);
/// let key = client.call(&PutImage::message(Image::new("GIF89a..")?)?)?;
/// server.with(|lark| {
///     assert_eq!(lark.image(key.as_str()).unwrap().bytes, "GIF89a..");
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the server stops when it is dropped"]
pub struct FakeServer {
    address: SocketAddr,
    site: Site,
    shared: Arc<Shared>,
    accepts: Option<JoinHandle<()>>,
}

struct Shared {
    lark: Mutex<FakeLark>,
    open: Mutex<Open>,
    /// Signalled when the server stops.
    stopped: Condvar,
}

/// The connections that are open.
#[derive(Default)]
struct Open {
    streams: HashMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
    accepted: u64,
    is_stopped: bool,
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let site = Site::custom(&format!("http://{address}")).map_err(io::Error::other)?;
        let (lark, open) = (Mutex::new(lark), Mutex::default());
        let shared = Arc::new(Shared { lark, open, stopped: Condvar::new() });
        let accepts = {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name("fake-lark".into());
            builder.spawn(move || accept(&listener, &shared))?
        };
        Ok(Self { address, site, shared, accepts: Some(accepts) })
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
        work(&mut lock(&self.shared.lark))
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        let threads = {
            let mut open = lock(&self.shared.open);
            open.is_stopped = true;
            for stream in open.streams.values() {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut open.threads)
        };
        self.shared.stopped.notify_all();
        // The listener blocks until the next connection, and then finds that the server has stopped.
        #[expect(clippy::disallowed_methods, reason = "the server connects to its own listener")]
        let woken = TcpStream::connect(self.address).is_ok();
        let accepts = self.accepts.take().filter(|_| woken);
        for thread in threads.into_iter().chain(accepts) {
            // The client has already received an error for its request, so the panic of a thread is not reported again.
            let _ = thread.join();
        }
    }
}

/// A panic of another thread leaves neither the fake nor the list of connections in an inconsistent state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut open = lock(&shared.open);
        if open.is_stopped {
            return;
        }
        open.threads.retain(|thread| !thread.is_finished());
        let kept = stream.and_then(|stream| Ok((stream.try_clone()?, stream)));
        let Ok((kept, stream)) = kept else {
            // The system has probably run out of file descriptors, so other connections have to end first.
            drop(open);
            shared.wait(Duration::from_millis(50));
            continue;
        };
        open.accepted += 1;
        let number = open.accepted;
        open.streams.insert(number, kept);
        let theirs = shared.clone();
        let builder = std::thread::Builder::new().name("fake-lark".into());
        let thread = builder.spawn(move || {
            let mut served =
                Served { stream, number, connection: Connection::new(), shared: theirs };
            served.serve();
        });
        match thread {
            Ok(thread) => open.threads.push(thread),
            // If the system cannot start a thread, the connection closes.
            Err(_) => drop(open.streams.remove(&number)),
        }
    }
}

/// A connection that is being served. It is closed when this is dropped, even by a panic of a closure in the fake.
struct Served {
    stream: TcpStream,
    number: u64,
    connection: Connection,
    shared: Arc<Shared>,
}

impl Served {
    fn serve(&mut self) {
        let Self { stream, connection, shared, .. } = self;
        let mut piece = [0; 16 << 10];
        // This disables Nagle's algorithm, which would delay a reply until earlier bytes are acknowledged.
        let _ = stream.set_nodelay(true);
        loop {
            let step = connection.next(&mut lock(&shared.lark), now());
            let is_open = match step {
                ServerStep::Read => match stream.read(&mut piece) {
                    Ok(len) => {
                        connection.push(piece.get(..len).unwrap_or_default());
                        len > 0
                    }
                    Err(error) => error.kind() == io::ErrorKind::Interrupted,
                },
                ServerStep::Write(bytes) => stream.write_all(&bytes).is_ok(),
                ServerStep::Wait(time) => shared.wait(time),
                ServerStep::Close => false,
            };
            if !is_open {
                return;
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let Self { stream, number, connection, shared } = self;
        std::mem::take(connection).end(&mut lock(&shared.lark));
        let _ = stream.shutdown(Shutdown::Both);
        lock(&shared.open).streams.remove(number);
    }
}

impl Shared {
    /// Waits for `time`. Returns whether the server goes on.
    fn wait(&self, time: Duration) -> bool {
        let open = lock(&self.open);
        let waited = self.stopped.wait_timeout_while(open, time, |open| !open.is_stopped);
        let (open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !open.is_stopped
    }
}

#[expect(clippy::disallowed_methods, reason = "the server passes the time to the fake")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServer").field("address", &self.address).finish_non_exhaustive()
    }
}
