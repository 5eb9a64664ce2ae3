//! The fake Lark as a service, which needs no socket.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Timer;
use hyper::service::Service;
use lark_proto::fake::http1::BODY_LIMIT;
use lark_proto::fake::{ConnectionFault, FakeLark, InFlight};
use lark_proto::session::{Phase, Timeouts};

use crate::TransportError;
use crate::clock::Clock;

/// The start of a fake's time: 2026-01-01 00:00 UTC.
const START: Duration = Duration::from_secs(1_767_225_600);

/// A [`FakeLark`] as the service of a [`Client`](crate::Client), without a socket and in the time of a timer, for tests
/// on virtual time. Clones share the fake.
///
/// Here a reply takes 20 seconds of tokio's paused time, which pass at once:
///
/// ```
/// use std::time::Duration;
///
/// use hyper_util::rt::TokioTimer;
/// use lark_hyper::{Client, FakeTransport};
/// use lark_proto::fake::{ConnectionFault, FakeLark, Route};
/// use lark_proto::{App, Image, PutImage, Site};
/// use tokio::time::Instant;
///
/// // In a test: #[tokio::test(start_paused = true)]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let timer = TokioTimer::new();
///     let fake = FakeTransport::new(timer.clone());
///     let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET)?;
///     let client = Client::with_service(Site::LARK, app, fake.clone(), timer);
///
///     let slow = ConnectionFault::SlowReply(Duration::from_secs(20));
///     fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, slow));
///     let begin = Instant::now();
///     let put = PutImage::message(Image::new("GIF89a..")?)?;
///     client.call(&put).await?;
///     assert_eq!(begin.elapsed(), Duration::from_secs(20));
///     assert_eq!(fake.with(|lark| lark.count(Route::ImageV4Put)), 1);
///     Ok(())
/// }
/// ```
///
/// A [`FakeServer`](crate::FakeServer) does not work with paused time, because paused time moves on while the tasks
/// wait for a socket, so a timeout can pass before the reply arrives.
///
/// The fake obeys [`FakeLark::fail_next`]: the error of a closed connection is an [`io::Error`] of the kind
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset) in [`TransportError::Failed`], and a reply that takes longer
/// than the request's [`Timeouts`] allow is a [`TransportError::Timeout`]. When the future of a request is dropped
/// before the body is complete, the fake gives up the request.
///
/// The fake's time starts at 2026-01-01 00:00 UTC, so that the same calls get the same bytes. A timer with virtual time
/// has to implement [`Timer::now`]. If it keeps the default, the fake's time moves with the real one and with the
/// fake's own slow replies, and not with the waits of a client.
#[derive(Clone, Debug)]
pub struct FakeTransport(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lark: Mutex<FakeLark>,
    clock: Clock,
}

impl FakeTransport {
    /// A new [`FakeLark`] in the time of `timer`.
    #[must_use]
    pub fn new(timer: impl Timer + Send + Sync + 'static) -> Self {
        Self::with_lark(timer, FakeLark::new())
    }

    /// The fake `lark` in the time of `timer`.
    #[must_use]
    pub fn with_lark(timer: impl Timer + Send + Sync + 'static, lark: FakeLark) -> Self {
        Self::with_clock(Clock::starting_at(SystemTime::UNIX_EPOCH + START, timer), lark)
    }

    pub(crate) fn with_clock(clock: Clock, lark: FakeLark) -> Self {
        Self(Arc::new(Shared { lark: Mutex::new(lark), clock }))
    }

    /// Runs `work` on the fake behind the transport, to check what arrived or to make it fail. Requests wait meanwhile,
    /// so `work` must not call a client of this fake.
    pub fn with<R>(&self, work: impl FnOnce(&mut FakeLark) -> R) -> R {
        // A panic of another thread does not leave the fake in an inconsistent state.
        work(&mut self.0.lark.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fake's time, for [`FakeLark::add_token`].
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    async fn answer<B>(self, request: Request<B>) -> Result<Response<FakeReply>, TransportError>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let (head, body) = request.into_parts();
        let mut body = pin!(Limited::new(body, BODY_LIMIT));
        let flight = self.with(|lark| lark.begin(self.now(), &head));
        let fault = flight.connection_fault();
        let mut arriving = Arriving { fake: &self, flight: Some(flight) };
        if fault == Some(ConnectionFault::BeforeBody) {
            return Err(closed("before the body").into());
        }
        if fault == Some(ConnectionFault::DuringBody) {
            let half = body.size_hint().lower() / 2;
            while body.size_hint().lower() > half {
                let frame = body.frame().await.unwrap_or(Err("the body is too short".into()));
                frame?;
            }
            return Err(closed("during the body").into());
        }
        let body = body.collect().await?.to_bytes();
        let flight = arriving.flight.take();
        let flight = flight.ok_or_else(|| io::Error::other("the fake has answered the request"))?;
        let reply = self.with(|lark| lark.finish(self.now(), flight, &body));
        match fault {
            Some(ConnectionFault::AfterBody) => return Err(closed("after the body").into()),
            Some(ConnectionFault::SlowReply(time)) => {
                let timeouts = head.extensions.get::<Timeouts>();
                let longest = timeouts.map_or(Duration::MAX, |timeouts| timeouts.recv_response);
                self.0.clock.sleep(time.min(longest)).await;
                if time > longest {
                    return Err(TransportError::Timeout(Phase::RecvResponse));
                }
            }
            _ => {}
        }
        Ok(reply.map(|reply| FakeReply::new(reply, fault == Some(ConnectionFault::CutReply))))
    }
}

impl<B> Service<Request<B>> for FakeTransport
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<FakeReply>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, TransportError>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Tells the fake that a request was abandoned, if it is dropped before the body is complete.
struct Arriving<'a> {
    fake: &'a FakeTransport,
    flight: Option<InFlight>,
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.fake.with(|lark| lark.abandon(flight));
        }
    }
}

fn closed(place: &str) -> io::Error {
    let text = format!("the fake closed the connection {place}, as the test asked");
    io::Error::new(io::ErrorKind::ConnectionReset, text)
}

/// A reply's body. A body that is cut gives its first half and then an error.
pub struct FakeReply {
    rest: Bytes,
    /// The number of bytes that the receiver still expects.
    left: u64,
    is_flushed: bool,
}

/// Shows the number of bytes, and no byte: a reply may hold a token or an image.
impl fmt::Debug for FakeReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeReply").field("left", &self.left).finish_non_exhaustive()
    }
}

impl FakeReply {
    fn new(mut whole: Bytes, is_cut: bool) -> Self {
        let left = whole.len() as u64;
        whole.truncate(if is_cut { whole.len() / 2 } else { whole.len() });
        Self { rest: whole, left, is_flushed: false }
    }
}

impl Body for FakeReply {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        if !self.rest.is_empty() {
            let rest = mem::take(&mut self.rest);
            self.left = self.left.saturating_sub(rest.len() as u64);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        // hyper's server flushes its buffer when a body is not ready, and drops the buffer when a body fails.
        if !mem::replace(&mut self.is_flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(closed("during the reply").into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_shows_no_byte_of_its_body() {
        let reply = FakeReply::new(Bytes::from_static(b"t-secret"), false);
        assert_eq!(format!("{reply:?}"), "FakeReply { left: 8, .. }");
    }
}
