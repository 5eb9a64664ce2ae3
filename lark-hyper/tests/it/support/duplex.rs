//! HTTP/1.1 over a pipe in memory, without a runtime: hyper's client, hyper's server, and the fake behind it.

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

use crate::pausing::Pausing;
use crate::time::Executor;

/// So little that a body has to wait for its reader.
const CAPACITY: usize = 4 << 10;

/// The service: one connection at a time is kept, and a new one made where there is none.
pub(crate) fn service(
    fake: &Pausing,
    executor: &Executor,
) -> impl Service<Request<Frames>, Response = Response<Incoming>, Error = hyper::Error> + Clone + use<>
{
    let (fake, executor, kept) = (fake.clone(), executor.clone(), Rc::default());
    service_fn(move |request| send(fake.clone(), executor.clone(), Rc::clone(&kept), request))
}

async fn send(
    fake: Pausing,
    executor: Executor,
    kept: Rc<RefCell<Option<SendRequest<Frames>>>>,
    mut request: Request<Frames>,
) -> Result<Response<Incoming>, hyper::Error> {
    // The client gives a whole URI; a server is told the host and the path.
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
        None => connect(fake, &executor).await?,
    };
    let reply = connection.send_request(request).await?;
    *kept.borrow_mut() = Some(connection);
    Ok(reply)
}

/// Both ends of a new connection are tasks of the executor's.
async fn connect(fake: Pausing, executor: &Executor) -> Result<SendRequest<Frames>, hyper::Error> {
    let (near, far) = pipe();
    let service = service_fn(move |request: Request<Incoming>| {
        assert!(request.headers().contains_key(HOST) && request.uri().authority().is_none());
        fake.call(request)
    });
    let server = http1::Builder::new().serve_connection(far, service);
    let (sender, client) = handshake(near).await?;
    // How a connection ended is the call's to tell.
    executor.spawn(async { drop(server.await) });
    executor.spawn(async { drop(client.await) });
    Ok(sender)
}

/// One end of a pipe; dropped, it closes both ways.
struct End {
    incoming: Rc<RefCell<Way>>,
    outgoing: Rc<RefCell<Way>>,
}

/// One way through it.
#[derive(Default)]
struct Way {
    bytes: BytesMut,
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

fn pipe() -> (End, End) {
    let (one, other) = (Rc::default(), Rc::default());
    let near = End { incoming: Rc::clone(&one), outgoing: Rc::clone(&other) };
    (near, End { incoming: other, outgoing: one })
}

impl Way {
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
        let mut way = self.incoming.borrow_mut();
        let len = way.bytes.len().min(into.remaining());
        if len == 0 && !way.is_closed {
            way.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        into.put_slice(&way.bytes.split_to(len));
        if let Some(writer) = way.writer.take() {
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
        let mut way = self.outgoing.borrow_mut();
        if way.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = bytes.len().min(CAPACITY - way.bytes.len());
        if len == 0 {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        way.bytes.extend_from_slice(&bytes[..len]);
        if let Some(reader) = way.reader.take() {
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
