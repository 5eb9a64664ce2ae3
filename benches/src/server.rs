//! A server in a process of its own that reads requests as cheaply as it can and says that all went well.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use lark_proto::fake::http1::{self, Requests};

/// The argument that makes a bench's binary this server.
const SERVE: &str = "serve";
/// What is read at once.
const BUFFER: usize = 256 * 1024;
/// The most that is read at once until the head is complete. What comes after the head is copied.
const FIRST: usize = 4 * 1024;

const TOKEN: &str = r#"{"code":0,"msg":"ok","tenant_access_token":"t-caecc734c2e3328a62489fe0648c4b98","expire":7200}"#;
const PUT: &str =
    r#"{"code":0,"data":{"image_key":"fd3a475a-0c27-4071-a9a6-8712b84b0cb6"},"msg":"ok"}"#;
const WRITE: &str = r#"{"code":0,"data":{"revision":80,"spreadsheetToken":"shtcnabc","updateRange":"Q7PlXT!H7:H7"},"msg":"success"}"#;

/// The server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Runs this program once more, as the server. Its `main` has to call [`serve_if_asked`] first. From here on the
    /// calling thread, and what it starts, keeps to another processor than the server.
    ///
    /// # Errors
    /// The system has no process or no port to give.
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
        // It may be gone already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves, and never returns, in a process that was started by [`Server::start`].
pub fn serve_if_asked() {
    if std::env::args().nth(1).as_deref() == Some(SERVE) {
        let outcome = serve();
        eprintln!("server: {outcome:?}");
        std::process::exit(1);
    }
}

/// An end of the list of processors.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// Keeps this thread, and those that it starts, to one processor, where there are two and the system can: whether
/// client and server are on the same one is chance otherwise, and makes a call take half the time or twice.
fn keep_to(end: End) {
    #[cfg(target_os = "linux")]
    if let Ok(all) = rustix::thread::sched_getaffinity(None) {
        let all = (0..rustix::thread::CpuSet::MAX_CPU).filter(|at| all.is_set(*at));
        if let [first, .., last] = all.collect::<Vec<_>>()[..] {
            let mut one = rustix::thread::CpuSet::new();
            one.set(if let End::First = end { first } else { last });
            // Where it is not allowed, the figures only vary more.
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
    // Also gone when the bench is: its end of the pipe closes with it.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        // How a connection ended is the client's to tell.
        thread::spawn(|| answer(stream));
    }
    Ok(())
}

/// Answers the requests of one connection.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    // None of these clients sends a request before it has the last one's reply.
    loop {
        let mut requests = Requests::new();
        let reply = loop {
            if let Some(head) = requests.head().map_err(io::Error::other)? {
                break success(head.uri.path());
            }
            let count = stream.read(buffer.get_mut(..FIRST).unwrap_or_default())?;
            if count == 0 {
                return Ok(());
            }
            requests.push(buffer.get(..count).unwrap_or_default());
        };
        if requests.missing() > 0 {
            // Awake until the body is there: else it is the client that pays to wake the server, some of them after
            // each write and others, by chance, never.
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
        path if path.contains("/open-apis/image/") => PUT,
        _ => WRITE,
    };
    let reply = Response::builder().header(CONTENT_TYPE, "application/json; charset=utf-8");
    http1::reply(&reply.body(body.into()).unwrap_or_default())
}
