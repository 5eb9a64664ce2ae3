//! Servers that a test plays by hand: on loopback, with a thread for each connection, or on a pipe in memory.

use std::future::{Future, ready};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use hyper_util::rt::TokioIo;
use lark_hyper::{Connection, Pool};
use lark_proto::Site;
use tokio::io::DuplexStream;

/// Starts a server on loopback that plays `play` on each connection. Its threads end with the process.
pub(crate) fn serve(
    play: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let play = Arc::new(play);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let play = Arc::clone(&play);
            // A client that gives up closes its connection, which is an error on this side.
            thread::spawn(move || drop(play(stream.unwrap())));
        }
    });
    address
}

/// Reads all bytes and writes none, until the client closes the connection.
pub(crate) fn read_all(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Keeps the connection open, and neither reads nor writes.
pub(crate) fn read_nothing(stream: TcpStream) -> io::Result<()> {
    thread::park();
    drop(stream);
    Ok(())
}

/// The site of a server without TLS.
pub(crate) fn site(address: SocketAddr) -> Site {
    Site::custom(&format!("http://{address}")).unwrap()
}

/// A site for requests over a pipe in memory, on which no server has to listen.
pub(crate) fn nowhere() -> Site {
    Site::custom("http://127.0.0.1:1").unwrap()
}

/// A pool whose connections are pipes in memory with a buffer of `capacity` bytes; `play` is the task at their far
/// ends.
pub(crate) fn pool<F: Future<Output = ()> + Send + 'static>(
    capacity: usize,
    play: impl Fn(DuplexStream) -> F + Send + Sync + 'static,
) -> Pool {
    Pool::with_connector(move |_| {
        let (near, far) = tokio::io::duplex(capacity);
        tokio::spawn(play(far));
        ready(io::Result::Ok(Connection::new(TokioIo::new(near))))
    })
}
