//! HTTP/1.1 over a pipe in memory and without a runtime: hyper's client at one end, and hyper's server at the other,
//! which passes each request on to the fake.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use lark_hyper::Frames;

use super::pausing::Pausing;
use super::sim::Sim;

/// The bytes that a pipe buffers: so few that the writer of a body has to wait for its reader.
const CAPACITY: usize = 16 << 10;

/// A service over one connection, which it keeps. If there is none, or it is in use, the service opens another one.
pub(crate) fn service(
    fake: &Pausing,
    sim: &Sim,
) -> impl Service<Request<Frames>, Response = Response<Incoming>, Error = hyper::Error> + Clone + use<>
{
    let fake = fake.clone();
    let sim = sim.clone();
    let kept = Rc::default();
    service_fn(move |request| send(fake.clone(), sim.clone(), Rc::clone(&kept), request))
}

async fn send(
    fake: Pausing,
    sim: Sim,
    kept: Rc<RefCell<Option<SendRequest<Frames>>>>,
    mut request: Request<Frames>,
) -> Result<Response<Incoming>, hyper::Error> {
    // The client's request has a whole URI. A server expects the host in a header, and the path alone.
    let host = request.uri().authority().unwrap().as_str().parse().unwrap();
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    let mut connection = kept.take();
    if let Some(open) = &mut connection {
        if open.ready().await.is_err() {
            connection = None;
        }
    }
    let mut connection = match connection {
        Some(open) => open,
        None => connect(fake, &sim).await?,
    };
    let reply = connection.send_request(request).await?;
    *kept.borrow_mut() = Some(connection);
    Ok(reply)
}

/// Opens a connection. Both of its ends are background tasks of `sim`.
async fn connect(fake: Pausing, sim: &Sim) -> Result<SendRequest<Frames>, hyper::Error> {
    let (near, far) = pipe();
    let service = service_fn(move |request: Request<Incoming>| {
        assert!(request.headers().contains_key(HOST) && request.uri().authority().is_none());
        fake.call(request)
    });
    let server = http1::Builder::new().serve_connection(far, service);
    let (sender, client) = handshake(near).await?;
    // The call reports the error of its connection.
    sim.spawn(async { drop(server.await) });
    sim.spawn(async { drop(client.await) });
    Ok(sender)
}

/// One end of a pipe. Its drop closes both directions.
struct End {
    incoming: Rc<RefCell<Direction>>,
    outgoing: Rc<RefCell<Direction>>,
}

/// The bytes on their way in one direction.
#[derive(Default)]
struct Direction {
    bytes: BytesMut,
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

fn pipe() -> (End, End) {
    let one = Rc::default();
    let other = Rc::default();
    let near = End { incoming: Rc::clone(&one), outgoing: Rc::clone(&other) };
    (near, End { incoming: other, outgoing: one })
}

impl Direction {
    fn close(&mut self) {
        self.is_closed = true;
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.incoming.borrow_mut().close();
        self.outgoing.borrow_mut().close();
    }
}

impl Read for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut direction = self.incoming.borrow_mut();
        let len = direction.bytes.len().min(into.remaining());
        if len == 0 && !direction.is_closed {
            direction.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        into.put_slice(&direction.bytes.split_to(len));
        if let Some(writer) = direction.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for End {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut direction = self.outgoing.borrow_mut();
        if direction.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = bytes.len().min(CAPACITY - direction.bytes.len());
        if len == 0 {
            direction.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        direction.bytes.extend_from_slice(&bytes[..len]);
        if let Some(reader) = direction.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.borrow_mut().close();
        Poll::Ready(Ok(()))
    }
}
