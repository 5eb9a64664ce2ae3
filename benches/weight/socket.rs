//! The smallest transport for hyper: a connection for each request, over a socket of std that is polled every
//! millisecond.

use std::cell::RefCell;
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Response};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

thread_local!(static CONNECTIONS: RefCell<Vec<Connection>> = RefCell::default());

pub fn block_on<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    let context = &mut Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = call.as_mut().poll(context) {
            return output;
        }
        // If a connection ends with an error, the call gets the error.
        CONNECTIONS
            .with_borrow_mut(|all| all.retain_mut(|each| each.as_mut().poll(context).is_pending()));
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub async fn send<B>(mut request: Request<B>) -> std::result::Result<Response<Incoming>, Error>
where
    B: Body<Data: Send, Error: Into<Error>> + 'static,
{
    let uri = std::mem::take(request.uri_mut()).into_parts();
    let host = uri.authority.ok_or("no host")?;
    *request.uri_mut() = uri.path_and_query.ok_or("no path")?.into();
    request.headers_mut().insert("host", host.as_str().parse()?);

    let stream = TcpStream::connect((host.host(), host.port_u16().unwrap_or(80)))?;
    stream.set_nonblocking(true)?;
    let (mut sender, connection) = handshake(Socket(stream)).await?;
    CONNECTIONS.with_borrow_mut(|all| all.push(Box::pin(connection)));
    Ok(sender.send_request(request).await?)
}

struct Socket(TcpStream);

fn poll<T>(result: Result<T>) -> Poll<Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        let mut bytes = [0; 8192];
        let room = buffer.remaining().min(bytes.len());
        poll(self.0.read(&mut bytes[..room]).map(|len| buffer.put_slice(&bytes[..len])))
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        poll(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}
