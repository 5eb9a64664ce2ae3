//! A server in a process of its own that reads requests as cheaply as it can, and answers with success.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use lark_proto::fake::http1::{self, Requests};

use crate::{UPLOADED, WRITTEN};

/// The argument that makes a benchmark's program run as this server.
const SERVE: &str = "serve";
/// The most bytes that are read at once.
const BUFFER_LEN: usize = 256 * 1024;
/// The most bytes that are read at once before the head is complete. Bytes of the body among them are copied.
const HEAD_READ_LEN: usize = 4 * 1024;

const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-caecc734c2e3328a62489fe0648c4b98","expire":7200}"#;

/// The running server, which ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The address on which it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts this program again as the server. Its `main` has to call [`serve_if_asked`] first. From now on, the
    /// calling thread and the threads that it starts run on another processor than the server.
    ///
    /// # Errors
    /// The process cannot be started, or it has no port to listen on.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        keep_to(End::First);
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves in a process that was started by [`Server::start`], and does not return there.
pub fn serve_if_asked() {
    if std::env::args().nth(1).as_deref() == Some(SERVE) {
        let outcome = serve();
        eprintln!("server: {outcome:?}");
        std::process::exit(1);
    }
}

/// The processor to run on: the first or the last one of the system's list.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// Keeps this thread and the threads that it starts on one processor, if there are at least two and the system allows
/// it. Otherwise it is chance whether client and server share a processor, which halves or doubles the time of a call.
fn keep_to(end: End) {
    #[cfg(target_os = "linux")]
    if let Ok(all) = rustix::thread::sched_getaffinity(None) {
        let all = (0..rustix::thread::CpuSet::MAX_CPU).filter(|at| all.is_set(*at));
        if let [first, .., last] = all.collect::<Vec<_>>()[..] {
            let mut one = rustix::thread::CpuSet::new();
            one.set(if let End::First = end { first } else { last });
            // If this is not allowed, the figures only vary more.
            let _ = rustix::thread::sched_setaffinity(None, &one);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = end;
}

fn serve() -> io::Result<()> {
    keep_to(End::Last);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    // The benchmark's end of this pipe closes when the benchmark ends, and then the server ends too.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        // The client reports the errors of a connection.
        thread::spawn(|| answer(stream));
    }
    Ok(())
}

/// Answers the requests of one connection.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_LEN];
    // None of these clients sends a request before it has the reply to the last one.
    loop {
        let mut requests = Requests::new();
        let reply = loop {
            if let Some(head) = requests.head().map_err(io::Error::other)? {
                break success(head.uri.path());
            }
            let count = stream.read(buffer.get_mut(..HEAD_READ_LEN).unwrap_or_default())?;
            if count == 0 {
                return Ok(());
            }
            requests.push(buffer.get(..count).unwrap_or_default());
        };
        if requests.missing() > 0 {
            // The server polls until the body has arrived. In a blocking read, the client would pay for waking the
            // server, and how often depends on the client and on chance.
            stream.set_nonblocking(true)?;
            skip(&mut stream, &mut buffer, requests.missing())?;
            stream.set_nonblocking(false)?;
        }
        stream.write_all(&reply)?;
    }
}

/// Reads `missing` bytes of a connection that does not block.
fn skip(stream: &mut TcpStream, buffer: &mut [u8], mut missing: usize) -> io::Result<()> {
    while missing > 0 {
        let most = missing.min(buffer.len());
        match stream.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => missing -= count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The reply to a request for `path`.
fn success(path: &str) -> Bytes {
    let body = match path {
        path if path.contains("/open-apis/auth/") => TOKEN,
        path if path.contains("/open-apis/image/") => UPLOADED,
        _ => WRITTEN,
    };
    let reply = Response::builder().header(CONTENT_TYPE, "application/json; charset=utf-8");
    http1::reply(&reply.body(body.into()).unwrap_or_default())
}
