//! The connections of a pool, which have one type for all transports.

use std::any::Any;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{self, Connected};
use hyper_util::rt::TokioIo;
use lark_proto::session::Phase;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::deadline::Deadline;
use crate::error::TransportError;

/// A connection whose peer takes no bytes for this time is closed.
const MAX_STALL: Duration = Duration::from_secs(60);
/// How long a connection is still read after a failed write.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that the caller's connector has opened, for [`Pool::with_connector`](crate::Pool::with_connector).
pub struct Connection {
    io: Box<dyn Io>,
    is_http2: bool,
    is_proxied: bool,
}

trait Io: Read + Write + Send + Unpin {
    fn as_any(&self) -> &dyn Any;
}

impl<T: Read + Write + Send + Unpin + 'static> Io for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

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

    /// The socket, if the type of the connection is known.
    fn socket(&self) -> Option<&TcpStream> {
        // As a method of the box, `as_any` would return the box.
        match (*self.io).as_any().downcast_ref()? {
            MaybeHttpsStream::<TokioIo<TcpStream>>::Http(tcp) => Some(tcp.inner()),
            MaybeHttpsStream::Https(tls) => Some(tls.inner().get_ref().0.inner().inner()),
        }
    }

    /// Whether bytes have arrived, as the system says. The runtime may know that later.
    fn has_bytes_to_read(&self) -> bool {
        let peek = |socket| SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
        self.socket().is_some_and(|socket| matches!(peek(socket), Ok(1..)))
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

/// A connection as hyper-util takes it. It fails when its peer takes no bytes for [`MAX_STALL`]: hyper writes out its
/// buffer even after the call ended, so the deadline of the call does not bound that.
pub(crate) struct PooledConnection {
    connection: Connection,
    /// The deadline for the next successful write. It is set by the first write that is pending or fails.
    write_deadline: Option<Deadline>,
    /// Why a write failed.
    write_error: Option<io::Error>,
    /// Whether bytes were read since the last request began.
    has_read: bool,
    /// Whether bytes came before the request to which they would be the reply.
    is_out_of_step: bool,
}

impl PooledConnection {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            write_deadline: None,
            write_error: None,
            has_read: false,
            is_out_of_step: false,
        }
    }

    /// Checks before a write of `bytes` that the connection has no bytes to read if a request begins there. hyper
    /// notices bytes on an idle connection when the runtime has, which may be after it has begun with a request. It
    /// would read them as the reply.
    fn check_step(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.has_read && !self.connection.is_http2 && begins_request(bytes) {
            self.has_read = false;
            self.is_out_of_step |= self.connection.has_bytes_to_read();
        }
        self.check_read()
    }

    fn check_read(&self) -> io::Result<()> {
        if self.is_out_of_step {
            let text = "bytes arrived before the request to which they would be the reply";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
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
        if self.write_error.is_none() {
            match write(Pin::new(&mut self.connection.io), context) {
                Poll::Ready(Err(error)) if !self.connection.is_http2 => {
                    self.write_error = Some(error);
                    self.write_deadline = Some(Deadline::after(DRAIN_TIMEOUT));
                    // The next poll of the connection begins with a read.
                    context.waker().wake_by_ref();
                }
                Poll::Ready(result) => {
                    self.write_deadline = None;
                    return Poll::Ready(result);
                }
                Poll::Pending => {}
            }
        }
        let write_deadline = self.write_deadline.get_or_insert_with(|| Deadline::after(MAX_STALL));
        ready!(write_deadline.poll(context));
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, TransportError::Timeout(Phase::SendBody));
        Poll::Ready(Err(self.write_error.take().unwrap_or_else(late)))
    }
}

/// Whether a request's head begins here. Elsewhere hyper writes a part of a body.
fn begins_request(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let is_method = |byte: &&u8| byte.is_ascii_uppercase();
    let method = line.iter().take_while(is_method).count();
    let is_version = line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
    method > 0 && line.get(method) == Some(&b' ') && is_version
}

impl connect::Connection for PooledConnection {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.connection.is_proxied);
        if self.connection.is_http2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for PooledConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_read()?;
        let polled = Pin::new(&mut self.connection.io).poll_read(context, buffer);
        self.has_read |= polled.is_ready();
        polled
    }
}

impl Write for PooledConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_step(bytes)?;
        self.write(context, |io, context| io.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_step(parts.first().map_or(&[], |part| part))?;
        self.write(context, |io, context| io.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(context, Write::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.write_error.take() {
            // hyper reads no more from a connection that it shuts down.
            Some(error) => Poll::Ready(Err(error)),
            None => self.write(context, Write::poll_shutdown),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// The seconds until a write to a peer that has closed the connection fails.
    async fn failed_write(is_http2: bool) -> u64 {
        let (near, far) = tokio::io::duplex(1);
        drop(far);
        let mut connection =
            PooledConnection::new(Connection::new(TokioIo::new(near)).http2(is_http2));
        let start = tokio::time::Instant::now();
        let write = poll_fn(|context| Pin::new(&mut connection).poll_write(context, b"a"));
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

    #[tokio::test(start_paused = true)]
    async fn a_flush_and_the_end_of_a_connection_reach_the_peer() {
        let (near, mut far) = tokio::io::duplex(1);
        let io = TokioIo::new(BufWriter::new(near));
        let mut connection = PooledConnection::new(Connection::new(io));
        let mut bytes = [0; 2];
        poll_fn(|context| Pin::new(&mut connection).poll_write(context, b"a")).await.unwrap();
        poll_fn(|context| Pin::new(&mut connection).poll_flush(context)).await.unwrap();
        let read = timeout(Duration::from_secs(1), far.read(&mut bytes));
        assert_eq!((read.await.unwrap().unwrap(), bytes[0]), (1, b'a'));
        poll_fn(|context| Pin::new(&mut connection).poll_shutdown(context)).await.unwrap();
        let read = timeout(Duration::from_secs(1), far.read(&mut bytes));
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }

    #[test]
    fn a_head_is_told_from_a_part_of_a_body() {
        for (bytes, begins) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            ("POST /a HTTP/1.0\r\n", true),
            ("", false),
            ("get / HTTP/1.1\r\n", false),
            ("G1 / HTTP/1.1\r\n", false),
            (" / HTTP/1.1\r\n", false),
            ("GET / HTTP/2\r\n", false),
            ("GET /\r\n HTTP/1.1", false),
        ] {
            assert_eq!(begins_request(bytes.as_bytes()), begins, "{bytes:?}");
        }
    }

    #[test]
    fn a_connection_shows_how_requests_are_sent() {
        let (io, _) = tokio::io::duplex(1);
        let connection = Connection::new(TokioIo::new(io)).proxied(true).http2(true);
        let shown = "Connection { is_http2: true, is_proxied: true, .. }";
        assert_eq!(format!("{connection:?}"), shown);
    }

    #[tokio::test]
    async fn bytes_that_have_arrived_are_found_on_the_socket_of_a_stream_of_hyper_rustls() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let connection = Connection::new(MaybeHttpsStream::Http(TokioIo::new(near)));
        assert!(!connection.has_bytes_to_read());
        far.write_all(b"a").await.unwrap();
        let arrival = async {
            while !connection.has_bytes_to_read() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), arrival).await.unwrap();
    }
}
