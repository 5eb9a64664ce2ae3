//! The client without a runtime and without a socket. One loop polls the call, both ends of its connection and a timer.
//!
//! `cargo run -p lark-hyper --example no_runtime` uploads an image over a pipe in memory. At the other end of the pipe,
//! a hyper server passes the requests to a fake Lark. A program with an event loop of its own has to give the client a
//! service, here [`exchange`], and a timer, here [`Ticks`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use lark_hyper::{Client, RequestBody, TransportError};
use lark_proto::fake::{FakeLark, Fault, Route};
use lark_proto::{App, Image, PutImage, Site};

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("no_runtime: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let lark = RefCell::new(FakeLark::new());
    let (here, there) = pipe();
    let serving = service_fn(|request| answer(&lark, request));
    let serving = server::Builder::new().serve_connection(there, serving);
    let mut connections: Connections = vec![Box::pin(serving)];
    let (sender, sending) = poll_until(handshake(here), &mut connections)?;
    connections.push(Box::pin(sending));

    let sender = RefCell::new(sender);
    let service =
        service_fn(async |request| Ok::<_, TransportError>(exchange(&sender, request).await?));
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
    let client = Client::with_service(Site::LARK, app, service, Ticks);

    // The first upload is refused, so that the client waits a quarter of a second on `Ticks`.
    let status = StatusCode::TOO_MANY_REQUESTS;
    let reset = Some("0.25".into());
    let refusal = Fault::RateLimited { status, reset };
    lark.borrow_mut().fail_next_on(Route::ImageV4Put, refusal);
    let image = Image::new(&include_bytes!("sample.png")[..])?;
    let put = PutImage::message(image.clone())?;
    let key = poll_until(client.call(&put), &mut connections)?;

    let lark = lark.borrow();
    for seen in lark.requests() {
        println!("request    {}, status {}", seen.route.map_or("?", Route::path), seen.status);
    }
    println!("upload     image key {key}");
    if lark.image(key.as_str()).is_none_or(|stored| stored.bytes != image.bytes()) {
        return Err("the fake holds other bytes than were sent".into());
    }
    println!("read back  byte for byte what was sent");
    Ok(())
}

type Connections<'a> = Vec<Pin<Box<dyn Future<Output = hyper::Result<()>> + 'a>>>;

/// The longest time between two polls of the loop. A sleep may end late by this time.
const TICK: Duration = Duration::from_millis(10);

/// Polls the call and the connections until `call` is ready. Between two polls, the thread sleeps until a waker is
/// called, for one tick at most.
fn poll_until<T>(call: impl Future<Output = T>, connections: &mut Connections<'_>) -> T {
    let mut call = pin!(call);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let context = &mut Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = call.as_mut().poll(context) {
            return output;
        }
        // If a connection ends with an error, the call gets the error.
        connections.retain_mut(|connection| connection.as_mut().poll(context).is_pending());
        // This returns at once if a waker was called since it last returned.
        thread::park_timeout(TICK);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The timer. A sleep is over at the first poll after its time, and the loop polls it at every [`TICK`].
struct Ticks;

impl Timer for Ticks {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, until: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until(until))
    }
}

struct Until(Instant);

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Ticks.now() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// The service, which sends a request once the connection has finished the one before. The connection ends when a call
/// is dropped in flight, and then every request fails. A real service would open another connection.
async fn exchange(
    sender: &RefCell<SendRequest<RequestBody>>,
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
    // hyper adds no header and sends the URI as it is. HTTP/1 needs the host in a header, and the path alone.
    let host = request.uri().authority().ok_or("no host")?.as_str().parse::<HeaderValue>()?;
    request.headers_mut().insert(header::HOST, host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));

    // The sender keeps one waker, and this program has only one. With several tasks, use an async mutex.
    poll_fn(|context| sender.borrow_mut().poll_ready(context)).await?;
    let reply = sender.borrow_mut().send_request(request);
    Ok(reply.await?)
}

/// The service of the server.
async fn answer(
    lark: &RefCell<FakeLark>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, body.collect().await?.to_bytes());
    #[expect(clippy::disallowed_methods, reason = "the server passes the time to the fake")]
    let reply = lark.borrow_mut().handle(SystemTime::now(), request);
    Ok(reply.map(Full::new))
}

/// One end of a pipe, which hyper reads from and writes to.
///
/// An end that moves bytes calls its own waker to wake the other end, because the program has only one waker. With
/// several tasks, each end would keep the waker of the task that waits for it. A dropped end is noticed at the next
/// tick.
struct End {
    coming: Rc<RefCell<VecDeque<u8>>>,
    going: Rc<RefCell<VecDeque<u8>>>,
}

/// The capacity of the pipe in each direction, in bytes. It is less than the sample has, so that writes have to wait.
const ROOM: usize = 256;

fn pipe() -> (End, End) {
    let there = Rc::<RefCell<_>>::default();
    let back = Rc::<RefCell<_>>::default();
    (End { coming: Rc::clone(&back), going: Rc::clone(&there) }, End { coming: there, going: back })
}

impl Read for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut coming = self.coming.borrow_mut();
        let is_open = Rc::strong_count(&self.coming) == 2;
        if coming.is_empty() && is_open {
            return Poll::Pending;
        }
        // A read of zero bytes tells hyper that the other end is closed.
        let len = coming.len().min(buffer.remaining());
        coming.drain(..len).for_each(|byte| buffer.put_slice(&[byte]));
        context.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }
}

impl Write for End {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut going = self.going.borrow_mut();
        if Rc::strong_count(&self.going) == 1 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if going.len() == ROOM {
            return Poll::Pending;
        }
        let len = bytes.len().min(ROOM - going.len());
        going.extend(&bytes[..len]);
        context.waker().wake_by_ref();
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// hyper drops its end after this, and the other end notices that.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
