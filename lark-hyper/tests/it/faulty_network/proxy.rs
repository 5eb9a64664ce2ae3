//! A proxy on loopback that forwards bytes, and does one harm to a connection at one byte of it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lark_proto::Site;
use lark_proto::fake::http1::Requests;
use socket2::SockRef;

use crate::support::peers;

/// A fault of a connection: what the proxy does, and where.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) action: Action,
}

/// The direction of a connection, and the number of its bytes that are forwarded before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Request(usize),
    Reply(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Closes the connection to the client. In a request, the client has sent the rest of it by then.
    Finish,
    /// Resets the connection to the client. In a request, the rest of it is not read.
    Reset,
    /// Closes the connections to the client and to the server, after the replies so far were forwarded.
    Cut,
    /// Neither forwards nor reads further bytes in this direction.
    Stall,
    /// Forwards each further byte after this pause.
    Drip(Duration),
    /// Changes the bits of this mask in the next byte.
    Corrupt(u8),
    /// Forwards this number of the last bytes again, together with the last one.
    Duplicate(usize),
    /// Forwards them again when the test has met the barrier. The test meets it once more when they are written.
    DuplicateLate(usize, Arc<Barrier>),
    /// Inserts these bytes.
    Insert(Vec<u8>),
    /// Sends these bytes in place of the rest, and closes the connection.
    Replace(Vec<u8>),
    /// Sends these bytes, then this number of bytes `fill` in place of the rest, and closes the connection.
    Flood { begin: Vec<u8>, fill: Vec<u8>, len: u64 },
}

impl Action {
    /// How many of the bytes before the fault are sent together with the bytes of the fault.
    fn held_back(&self, offset: usize) -> usize {
        match self {
            Self::Duplicate(_) => offset.min(1),
            _ => 0,
        }
    }
}

/// The bytes that a connection has carried so far: those that the proxy has passed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    pub(super) request: Vec<u8>,
    pub(super) reply: Vec<u8>,
}

/// The length of the head of a request or a reply.
pub(super) fn head_len(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
}

/// A proxy in front of one server. Its threads end with the process.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The faults of the next connections.
    faults: Mutex<VecDeque<Fault>>,
    connections: Mutex<Vec<Arc<Mutex<Carried>>>>,
    flooded: AtomicU64,
}

impl Proxy {
    pub(super) fn start(target: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let address = peers::serve(move |client| {
            let fault = lock(&theirs.faults).pop_front();
            let carried = Arc::default();
            lock(&theirs.connections).push(Arc::clone(&carried));
            let connection = Connection { client, server: connect(target)?, carried };
            connection.carry(fault, &theirs.flooded)
        });
        Self { address, shared }
    }

    pub(super) fn site(&self) -> Site {
        peers::site(self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gives one fault to each of the next connections, and forgets earlier faults and connections. The connections
    /// after those have no fault.
    pub(super) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        *lock(&self.shared.faults) = faults.into_iter().collect();
        lock(&self.shared.connections).clear();
        self.shared.flooded.store(0, Ordering::Relaxed);
    }

    /// The connections since the last plan.
    pub(super) fn connections(&self) -> Vec<Carried> {
        lock(&self.shared.connections).iter().map(|carried| lock(carried).clone()).collect()
    }

    /// The number of bytes of [`Action::Flood`] that the system has taken since the last plan.
    pub(super) fn flooded(&self) -> u64 {
        self.shared.flooded.load(Ordering::Relaxed)
    }
}

/// A panic of another thread leaves the records consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the proxy connects to its target")]
fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect(target)?;
    server.set_nodelay(true)?;
    Ok(server)
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    carried: Arc<Mutex<Carried>>,
}

/// A direction of a connection.
#[derive(Clone, Copy)]
enum Way {
    Request,
    Reply,
}

impl Connection {
    fn carry(self, fault: Option<Fault>, flooded: &AtomicU64) -> io::Result<()> {
        self.client.set_nodelay(true)?;
        let Some(Fault { place, action }) = fault else {
            let requests = self.spawn(Way::Request)?;
            let outcome = self.copy(Way::Reply);
            let _ = requests.join();
            return outcome;
        };
        match (place, action) {
            (Place::Request(offset), Action::Finish) => {
                let request = self.whole_request()?;
                self.pass_on(Way::Request, &request[..offset.min(request.len())])?;
                self.end_server()?;
                self.finish()
            }
            (Place::Request(offset), Action::Reset) => {
                self.forward(Way::Request, offset)?;
                self.end_server()?;
                self.reset()
            }
            (Place::Request(offset), Action::Cut) => {
                let replies = self.spawn(Way::Reply)?;
                self.forward(Way::Request, offset)?;
                self.server.shutdown(Shutdown::Both)?;
                let _ = replies.join();
                Ok(())
            }
            (Place::Request(offset), action) => {
                let replies = self.spawn(Way::Reply)?;
                self.forward(Way::Request, offset - action.held_back(offset))?;
                self.harm(Way::Request, &action, flooded)?;
                let _ = replies.join();
                Ok(())
            }
            (Place::Reply(offset), action @ (Action::Finish | Action::Reset)) => {
                let requests = self.answered()?;
                self.forward(Way::Reply, offset)?;
                if matches!(action, Action::Finish) {
                    return self.finish();
                }
                // The other thread stops reading, so that its handle does not keep the connection open.
                self.client.shutdown(Shutdown::Read)?;
                let _ = requests.join();
                self.reset()
            }
            (Place::Reply(offset), action) => {
                let requests = self.answered()?;
                self.forward(Way::Reply, offset - action.held_back(offset))?;
                self.harm(Way::Reply, &action, flooded)?;
                let _ = requests.join();
                Ok(())
            }
        }
    }

    /// Forwards the requests, and waits for the first byte of a reply. The service has carried the request out by then.
    fn answered(&self) -> io::Result<JoinHandle<()>> {
        let requests = self.spawn(Way::Request)?;
        self.server.peek(&mut [0])?;
        Ok(requests)
    }

    /// Does the other faults, and then forwards the rest of the direction.
    fn harm(&self, way: Way, action: &Action, flooded: &AtomicU64) -> io::Result<()> {
        let (from, to) = self.ends(way);
        match action {
            Action::Finish | Action::Reset | Action::Cut => {
                unreachable!("they end both directions")
            }
            Action::Stall => loop {
                thread::park();
            },
            Action::Drip(pause) => loop {
                pause_for(*pause);
                self.forward(way, 1)?;
            },
            Action::Corrupt(mask) => {
                let mut byte = [0];
                (&mut &*from).read_exact(&mut byte)?;
                self.pass_on(way, &[byte[0] ^ mask])?;
            }
            Action::Duplicate(len) => {
                let mut bytes = self.last(way, len.saturating_sub(1));
                let mut byte = [0];
                (&mut &*from).read_exact(&mut byte)?;
                bytes.extend(byte);
                bytes.insert(0, byte[0]);
                self.pass_on(way, &bytes)?;
            }
            Action::DuplicateLate(len, barrier) => {
                let bytes = self.last(way, *len);
                barrier.wait();
                let written = self.pass_on(way, &bytes);
                barrier.wait();
                written?;
            }
            Action::Insert(bytes) => self.pass_on(way, bytes)?,
            Action::Replace(bytes) => {
                self.pass_on(way, bytes)?;
                return self.finish();
            }
            Action::Flood { begin, fill, len } => {
                (&mut &*to).write_all(begin)?;
                while flooded.load(Ordering::Relaxed) < *len {
                    let written = (&mut &*to).write(fill)?;
                    flooded.fetch_add(written as u64, Ordering::Relaxed);
                }
                return self.finish();
            }
        }
        self.copy(way)
    }

    fn ends(&self, way: Way) -> (&TcpStream, &TcpStream) {
        match way {
            Way::Request => (&self.client, &self.server),
            Way::Reply => (&self.server, &self.client),
        }
    }

    /// Forwards a direction on a thread of its own.
    fn spawn(&self, way: Way) -> io::Result<JoinHandle<()>> {
        let other = Self {
            client: self.client.try_clone()?,
            server: self.server.try_clone()?,
            carried: self.carried.clone(),
        };
        // Either side may close its connection at any time.
        Ok(thread::spawn(move || drop(other.copy(way))))
    }

    /// Forwards a direction to its end.
    fn copy(&self, way: Way) -> io::Result<()> {
        let (from, to) = self.ends(way);
        let mut buffer = vec![0; 1 << 14];
        loop {
            let len = (&mut &*from).read(&mut buffer)?;
            if len == 0 {
                return to.shutdown(Shutdown::Write);
            }
            self.pass_on(way, &buffer[..len])?;
        }
    }

    /// Forwards exactly this number of bytes.
    fn forward(&self, way: Way, mut len: usize) -> io::Result<()> {
        let (from, _) = self.ends(way);
        let mut buffer = vec![0; 1 << 14];
        while len > 0 {
            let most = len.min(buffer.len());
            let read = (&mut &*from).read(&mut buffer[..most])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pass_on(way, &buffer[..read])?;
            len -= read;
        }
        Ok(())
    }

    fn pass_on(&self, way: Way, bytes: &[u8]) -> io::Result<()> {
        let (_, mut to) = self.ends(way);
        {
            let mut carried = lock(&self.carried);
            match way {
                Way::Request => carried.request.extend_from_slice(bytes),
                Way::Reply => carried.reply.extend_from_slice(bytes),
            }
        }
        to.write_all(bytes)
    }

    /// The last bytes that were passed on.
    fn last(&self, way: Way, len: usize) -> Vec<u8> {
        let carried = lock(&self.carried);
        let all = match way {
            Way::Request => &carried.request,
            Way::Reply => &carried.reply,
        };
        all[all.len().saturating_sub(len)..].to_vec()
    }

    /// Reads a whole request and passes none of it on.
    fn whole_request(&self) -> io::Result<Vec<u8>> {
        let mut requests = Requests::new();
        let mut whole = Vec::new();
        let mut buffer = vec![0; 1 << 14];
        while requests.request().map_err(io::Error::other)?.is_none() {
            let len = (&mut &self.client).read(&mut buffer)?;
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            requests.push(&buffer[..len]);
            whole.extend_from_slice(&buffer[..len]);
        }
        Ok(whole)
    }

    /// Ends the requests to the server, and waits until it has dealt with them and closed.
    fn end_server(&self) -> io::Result<()> {
        self.server.shutdown(Shutdown::Write)?;
        drain(&self.server)
    }

    /// Closes the connection to the client without a reset, for which the rest of its bytes has to be read.
    fn finish(&self) -> io::Result<()> {
        self.client.shutdown(Shutdown::Write)?;
        drain(&self.client)
    }

    fn reset(self) -> io::Result<()> {
        SockRef::from(&self.client).set_linger(Some(Duration::ZERO))
    }
}

fn drain(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "a slow peer")]
pub(super) fn pause_for(time: Duration) {
    thread::sleep(time);
}
